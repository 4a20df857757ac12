/* Views by strides, bytes and positions that are only known when they are computed; nodes that order others.
 */
#include "ops/ops.h"

#include "array/dtype.h"
#include "base/mem.h"

#include <string.h>

mlx_array mx_as_strided(mlx_array x, const int *shape, size_t n, const int64_t *strides, size_t n_strides,
                        size_t offset)
{
    union {
        prim_as_strided p;
        int64_t room[2 + 2 * MX_MAX_DIMS];
    } params;
    if (mx_is_null(x) || !op_check_shape("as_strided", shape, n))
        return MX_NULL;
    if (n != n_strides)
        return op_fail("[as_strided] %zu strides are given for %zu dimensions", n_strides, n);
    if (offset > INT64_MAX)
        return op_fail("[as_strided] offset %zu is out of range", offset);
    params.p.offset = (int64_t)offset;
    params.p.ndim = (int64_t)n;
    for (size_t i = 0; i < n; i++) {
        params.p.axes[i].size = shape[i];
        params.p.axes[i].stride = strides[i];
    }
    x = mx_flatten(x, 0, -1);
    return prim_make(PRIM_AsStrided, &x, 1, &params, (2 + 2 * n) * sizeof(int64_t));
}

mlx_array mx_view(mlx_array x, mlx_dtype dtype)
{
    prim_dtype params = {(int32_t)dtype};
    if (mx_is_null(x) || mx_dtype_of(x) == dtype)
        return x;
    return prim_make(PRIM_View, &x, 1, &params, sizeof params);
}

/* Checks start and axes of a dynamic slice and writes the axes, counted from the front; false with an error.
 */
static bool check_start(const char *op, mlx_array x, mlx_array start, const int *axes, size_t n,
                        prim_dynamic_slice *p)
{
    uint32_t bits;
    static const int none[1];
    if (!op_axes(op, x, n ? axes : none, n, &bits))
        return false;
    bool fits = mx_ndim(start) <= 1 && mx_size(start) == n;
    if (!fits)
        error_set("[%s] start of shape %s does not name one position for each of %zu axes", op,
                  op_shape(start), n);
    else if (!dtype_is_integer(mx_dtype_of(start)))
        error_set("[%s] start must be integers, not %s", op, mx_dtype_name(mx_dtype_of(start)));
    p->count = (int32_t)n;
    for (size_t i = 0; i < n; i++)
        p->list[i] = op_axis(op, x, axes[i]);
    return fits && dtype_is_integer(mx_dtype_of(start));
}

mlx_array mx_slice_dynamic(mlx_array x, mlx_array start, const int *axes, size_t n_axes, const int *sizes,
                           size_t n_sizes)
{
    union {
        prim_dynamic_slice p;
        int32_t room[2 * MX_MAX_DIMS + 1];
    } params;
    if (mx_is_null(x) || mx_is_null(start) || !check_start("slice", x, start, axes, n_axes, &params.p) ||
        !op_check_shape("slice", sizes, n_sizes))
        return MX_NULL;
    if ((int)n_sizes != mx_ndim(x))
        return op_fail("[slice] %zu sizes are given for an array of %d dimensions", n_sizes, mx_ndim(x));
    if (n_sizes)
        memcpy(params.p.list + n_axes, sizes, n_sizes * sizeof *sizes);
    mlx_array in[2] = {x, mx_astype(start, MLX_INT64)};
    return prim_make(PRIM_DynamicSlice, in, 2, &params, (1 + n_axes + n_sizes) * sizeof(int32_t));
}

/* The shape that update takes: axes that it lacks are x's, or 1 where start says; longer ones are cut down to
 * x's, to which they then fail to broadcast. */
static void update_shape(mlx_array x, mlx_array update, const prim_dynamic_slice *p, int *shape)
{
    int lacks = mx_ndim(x) - mx_ndim(update);
    for (int i = 0; i < mx_ndim(x); i++) {
        int own = i < lacks ? mx_shape(x)[i] : mx_shape(update)[i - lacks];
        shape[i] = own < mx_shape(x)[i] ? own : mx_shape(x)[i];
    }
    for (int32_t i = 0; i < p->count; i++)
        if (p->list[i] < lacks)
            shape[p->list[i]] = 1;
}

mlx_array mx_slice_update_dynamic(mlx_array x, mlx_array update, mlx_array start, const int *axes,
                                  size_t n_axes)
{
    union {
        prim_dynamic_slice p;
        int32_t room[MX_MAX_DIMS + 1];
    } params;
    int shape[MX_MAX_DIMS];
    if (mx_is_null(x) || mx_is_null(update) || mx_is_null(start) ||
        !check_start("slice_update", x, start, axes, n_axes, &params.p))
        return MX_NULL;
    if (mx_ndim(update) > mx_ndim(x))
        return op_fail("[slice_update] an update of shape %s does not fit an array of shape %s",
                       op_shape(update), op_shape(x));
    update_shape(x, update, &params.p, shape);
    mlx_array cast = mx_astype(update, mx_dtype_of(x));
    mlx_array in[3] = {x, mx_broadcast_to(cast, shape, (size_t)mx_ndim(x)), mx_astype(start, MLX_INT64)};
    return prim_make(PRIM_DynamicSliceUpdate, in, 3, &params, (1 + n_axes) * sizeof(int32_t));
}

int mx_depends(const mlx_array *inputs, size_t n, const mlx_array *dependencies, size_t m, mlx_array *out)
{
    mlx_array *in = mem_alloc(m + 1, sizeof *in);
    int rc = in ? 0 : -1;
    memset(out, 0, n * sizeof *out);
    if (in && m)
        memcpy(in + 1, dependencies, m * sizeof *in);
    for (size_t i = 0; i < n && rc == 0; i++) {
        in[0] = inputs[i];
        out[i] = prim_make(PRIM_Depends, in, m + 1, NULL, 0);
        rc = mx_is_null(out[i]) ? -1 : 0;
    }
    mem_free(in);
    return rc;
}

mlx_array mx_number_of_elements(mlx_array x, const int *axes, size_t n, bool inverted, mlx_dtype dtype)
{
    prim_number_of_elements params = {0, inverted, (int32_t)dtype};
    static const int none[1];
    if (mx_is_null(x) || !op_axes("number_of_elements", x, n ? axes : none, n, &params.axes))
        return MX_NULL;
    if (node_dynamic(0))
        return prim_make(PRIM_NumberOfElements, &x, 1, &params, sizeof params);
    double count = 1;
    for (int i = 0; i < mx_ndim(x); i++)
        count *= params.axes >> i & 1 ? mx_shape(x)[i] : 1;
    return mx_float(inverted ? 1 / count : count, dtype);
}
