/* Shape and layout: ops that move no numbers, or only copy them. */
#include "ops/ops.h"

#include "base/mem.h"

#include <string.h>

mlx_array mx_reshape(mlx_array x, const int *shape, size_t n)
{
    if (mx_is_null(x))
        return x;
    if (n > MX_MAX_DIMS)
        return op_fail("[reshape] %zu dimensions are more than the limit of %d", n, MX_MAX_DIMS);
    if (mx_ndim(x) == (int)n && (n == 0 || memcmp(shape, mx_shape(x), n * sizeof *shape) == 0))
        return x;
    return op_target(PRIM_Reshape, x, shape, n);
}

mlx_array mx_transpose(mlx_array x, const int *axes, size_t n)
{
    uint32_t seen;
    int32_t order[MX_MAX_DIMS];
    int back[MX_MAX_DIMS];
    if (mx_is_null(x))
        return x;
    if (!axes && n == 0) {
        for (int i = 0; i < mx_ndim(x); i++)
            back[i] = mx_ndim(x) - 1 - i;
        axes = back;
        n = (size_t)mx_ndim(x);
    }
    if ((int)n != mx_ndim(x))
        return op_fail("[transpose] %zu axes are given for an array of %d dimensions", n, mx_ndim(x));
    if (!op_axes("transpose", x, axes, n, &seen))
        return MX_NULL;
    bool identity = true;
    for (size_t i = 0; i < n; i++) {
        order[i] = axes[i] < 0 ? axes[i] + (int)n : axes[i];
        identity &= order[i] == (int)i;
    }
    return identity ? x : prim_make(PRIM_Transpose, &x, 1, order, n * sizeof *order);
}

mlx_array mx_swapaxes(mlx_array x, int a, int b)
{
    int axes[MX_MAX_DIMS], i, j;
    if (mx_is_null(x) || (i = op_axis("swapaxes", x, a)) < 0 || (j = op_axis("swapaxes", x, b)) < 0)
        return MX_NULL;
    for (int k = 0; k < mx_ndim(x); k++)
        axes[k] = k == i ? j : k == j ? i : k;
    return mx_transpose(x, axes, (size_t)mx_ndim(x));
}

mlx_array mx_broadcast_to(mlx_array x, const int *shape, size_t n)
{
    int merged[MX_MAX_DIMS];
    if (mx_is_null(x) || !op_check_shape("broadcast_to", shape, n))
        return MX_NULL;
    int ndim = shape_broadcast_dims(mx_shape(x), mx_ndim(x), shape, (int)n, merged);
    if (ndim != (int)n || (n && memcmp(merged, shape, n * sizeof *shape) != 0))
        return op_fail("[broadcast_to] shape %s does not broadcast to %s", op_shape(x),
                       shape_text(shape, (int)n));
    if (mx_ndim(x) == ndim && memcmp(mx_shape(x), shape, n * sizeof *shape) == 0)
        return x;
    return op_target(PRIM_Broadcast, x, shape, n);
}

/* One axis of a slice as Python resolves it: wrapped, clipped, then counted. An empty one starts at 0. */
static prim_range resolve(int size, int start, int stop, int stride)
{
    int low = stride < 0 ? -1 : 0, high = stride < 0 ? size - 1 : size;
    int64_t a = start < 0 ? (int64_t)start + size : start, b = stop < 0 ? (int64_t)stop + size : stop;
    a = a < low ? low : a > high ? high : a;
    b = b < low ? low : b > high ? high : b;
    int64_t span = stride > 0 ? b - a : a - b, step = stride > 0 ? stride : -(int64_t)stride;
    return span > 0 ? (prim_range){(int)a, (int)((span + step - 1) / step), stride}
                    : (prim_range){0, 0, stride};
}

bool op_ranges(const char *op, mlx_array x, const int *start, const int *stop, const int *strides,
               prim_range *out, bool *whole)
{
    *whole = true;
    for (int i = 0; i < mx_ndim(x); i++) {
        int stride = strides ? strides[i] : 1, size = mx_shape(x)[i];
        if (stride == 0) {
            error_set("[%s] the stride of axis %d is 0", op, i);
            return false;
        }
        out[i] = resolve(size, start[i], stop[i], stride);
        *whole &= out[i].start == 0 && out[i].size == size && stride == 1;
    }
    return true;
}

mlx_array mx_slice(mlx_array x, const int *start, const int *stop, const int *strides)
{
    prim_range ranges[MX_MAX_DIMS];
    bool whole;
    if (mx_is_null(x) || !op_ranges("slice", x, start, stop, strides, ranges, &whole))
        return MX_NULL;
    return whole ? x : prim_make(PRIM_Slice, &x, 1, ranges, (size_t)mx_ndim(x) * sizeof *ranges);
}

mlx_array mx_slice_axis(mlx_array x, int axis, int start, int stop)
{
    int a[MX_MAX_DIMS] = {0}, b[MX_MAX_DIMS], i;
    if (mx_is_null(x) || (i = op_axis("slice", x, axis)) < 0)
        return MX_NULL;
    memcpy(b, mx_shape(x), (size_t)mx_ndim(x) * sizeof *b);
    a[i] = start;
    b[i] = stop;
    return mx_slice(x, a, b, NULL);
}

mlx_array mx_concatenate(const mlx_array *x, size_t n, int axis)
{
    if (n == 0)
        return op_fail("[concatenate] no arrays are given");
    for (size_t i = 0; i < n; i++)
        if (mx_is_null(x[i]))
            return MX_NULL;
    prim_axis params = {axis == MX_FLATTEN ? 0 : op_axis("concatenate", x[0], axis)};
    if (params.axis < 0)
        return MX_NULL;
    mlx_dtype t = mx_dtype_of(x[0]);
    for (size_t i = 1; i < n; i++)
        t = mx_promote(t, mx_dtype_of(x[i]));
    if (n == 1)
        return axis == MX_FLATTEN ? mx_flatten(x[0], 0, -1) : x[0];
    mlx_array *cast = mem_alloc(n, sizeof *cast), y = MX_NULL;
    if (cast) {
        for (size_t i = 0; i < n; i++)
            cast[i] = mx_astype(axis == MX_FLATTEN ? mx_flatten(x[i], 0, -1) : x[i], t);
        y = prim_make(PRIM_Concatenate, cast, n, &params, sizeof params);
    }
    mem_free(cast);
    return y;
}

mlx_array mx_contiguous_any(mlx_array x, bool allow_col_major)
{
    prim_contiguous params = {allow_col_major};
    return prim_make(PRIM_Contiguous, &x, 1, &params, sizeof params);
}

mlx_array mx_contiguous(mlx_array x) { return mx_contiguous_any(x, false); }

mlx_array mx_copy(mlx_array x) { return prim_make(PRIM_Copy, &x, 1, NULL, 0); }

mlx_array mx_stop_gradient(mlx_array x) { return prim_make(PRIM_StopGradient, &x, 1, NULL, 0); }
