/* Padding. With a constant it is a primitive; the other modes read the margins from the array: a list of
 * positions for each axis, by which it is then taken. */
#include "ops/ops.h"

#include "base/mem.h"

#include <string.h>

enum mode { CONSTANT, EDGE, REFLECT, SYMMETRIC, MODES };

/* The entry of an axis of `size` that is shown at place i, which may lie before or after it. */
static int shown(enum mode mode, int64_t i, int size)
{
    if (mode == EDGE || size == 1)
        return (int)(i < 0 ? 0 : i >= size ? size - 1 : i);
    int64_t period = mode == REFLECT ? 2 * (int64_t)size - 2 : 2 * (int64_t)size;
    i = (i % period + period) % period;
    return (int)(i < size ? i : mode == REFLECT ? period - i : period - 1 - i);
}

static mlx_array margins(mlx_array x, enum mode mode, int axis, prim_pad pad)
{
    int size = mx_shape(x)[axis], total = shape_size("pad", (int64_t)size + pad.low + pad.high);
    if (total < 0 || total == size)
        return total < 0 ? MX_NULL : x;
    if (size == 0)
        return op_fail("[pad] axis %d of shape %s is empty: there is nothing to pad it with", axis,
                       op_shape(x));
    int *places = mem_alloc((size_t)total, sizeof *places);
    if (!places)
        return MX_NULL;
    for (int i = 0; i < total; i++)
        places[i] = shown(mode, (int64_t)i - pad.low, size);
    mlx_array indices = mx_from(places, &total, 1, MLX_INT32);
    mem_free(places);
    return mx_take(x, indices, axis);
}

static mlx_array padded(mlx_array x, const prim_pad *pads, mlx_array value, const char *mode)
{
    static const char *const names[MODES] = {"constant", "edge", "reflect", "symmetric"};
    int m = 0;
    while (m < MODES && strcmp(mode, names[m]) != 0)
        m++;
    if (m == MODES)
        return op_fail("[pad] mode '%s' is none of constant, edge, reflect, symmetric", mode);
    for (int i = 0; m != CONSTANT && i < mx_ndim(x); i++)
        if (!mx_is_null(x))
            x = margins(x, (enum mode)m, i, pads[i]);
    if (m != CONSTANT)
        return x;
    if (mx_is_null(value))
        return value;
    if (mx_size(value) != 1)
        return op_fail("[pad] the value must be a single number, not of shape %s", op_shape(value));
    mlx_array in[2] = {x, mx_astype(mx_reshape(value, NULL, 0), mx_dtype_of(x))};
    return prim_make(PRIM_Pad, in, 2, pads, (size_t)mx_ndim(x) * sizeof *pads);
}

mlx_array mx_pad(mlx_array x, const int *axes, size_t n_axes, const int *low, size_t n_low, const int *high,
                 size_t n_high, mlx_array value, const char *mode)
{
    prim_pad pads[MX_MAX_DIMS] = {0};
    uint32_t bits;
    static const int none[1];
    if (mx_is_null(x) || !op_axes("pad", x, n_axes ? axes : none, n_axes, &bits))
        return MX_NULL;
    if (n_low != n_axes || n_high != n_axes)
        return op_fail("[pad] %zu low and %zu high sizes are given for %zu axes", n_low, n_high, n_axes);
    for (size_t i = 0; i < n_axes; i++) {
        if (low[i] < 0 || high[i] < 0)
            return op_fail("[pad] sizes %d and %d of axis %d must not be negative", low[i], high[i], axes[i]);
        pads[op_axis("pad", x, axes[i])] = (prim_pad){low[i], high[i]};
    }
    return padded(x, pads, value, mode);
}

mlx_array mx_pad_symmetric(mlx_array x, int pad_width, mlx_array value, const char *mode)
{
    prim_pad pads[MX_MAX_DIMS];
    if (mx_is_null(x))
        return x;
    if (pad_width < 0)
        return op_fail("[pad] width %d must not be negative", pad_width);
    for (int i = 0; i < MX_MAX_DIMS; i++)
        pads[i] = (prim_pad){pad_width, pad_width};
    return padded(x, pads, value, mode);
}
