/* Axes: merged, split, added, removed, moved. None of these ops moves a number. */
#include "ops/ops.h"

#include <string.h>

mlx_array mx_flatten(mlx_array x, int start_axis, int end_axis)
{
    if (mx_is_null(x))
        return x;
    int ndim = mx_ndim(x);
    if (ndim == 0)
        return mx_reshape(x, SHAPE(1));
    int64_t start = start_axis < 0 ? (int64_t)start_axis + ndim : start_axis;
    int64_t end = end_axis < 0 ? (int64_t)end_axis + ndim : end_axis;
    start = start < 0 ? 0 : start;
    end = end >= ndim ? ndim - 1 : end;
    if (start >= ndim || end < start)
        return op_fail("[flatten] axes %d to %d are none of an array of %d dimensions", start_axis, end_axis,
                       ndim);
    prim_flatten params = {(int32_t)start, (int32_t)end};
    return start == end ? x : prim_make(PRIM_Flatten, &x, 1, &params, sizeof params);
}

mlx_array mx_unflatten(mlx_array x, int axis, const int *shape, size_t n)
{
    union {
        prim_unflatten p;
        int32_t room[MX_MAX_DIMS + 2];
    } params;
    if (mx_is_null(x) || (params.p.axis = op_axis("unflatten", x, axis)) < 0)
        return MX_NULL;
    if (n == 0)
        return op_fail("[unflatten] the shape to unflatten to is empty");
    if (n + (size_t)mx_ndim(x) - 1 > MX_MAX_DIMS)
        return op_fail("[unflatten] %zu dimensions are more than the limit of %d", n + (size_t)mx_ndim(x) - 1,
                       MX_MAX_DIMS);
    params.p.ndim = (int32_t)n;
    memcpy(params.p.shape, shape, n * sizeof *shape);
    mlx_array y = prim_make(PRIM_Unflatten, &x, 1, &params, (n + 2) * sizeof(int32_t));
    return mx_is_null(y) || n > 1 ? y : x;
}

/* The axes as a bit set; false with an error on a bad or repeated one. */
static bool bits_of(const char *op, int ndim, const int *axes, size_t n, uint32_t *bits)
{
    *bits = 0;
    for (size_t i = 0; i < n; i++) {
        int axis = axes[i] < 0 ? axes[i] + ndim : axes[i];
        if (axis < 0 || axis >= ndim || ndim > MX_MAX_DIMS) {
            error_set("[%s] axis %d is out of range for an array of %d dimensions", op, axes[i], ndim);
            return false;
        }
        if (*bits >> axis & 1) {
            error_set("[%s] axis %d is given twice", op, axes[i]);
            return false;
        }
        *bits |= (uint32_t)1 << axis;
    }
    return true;
}

mlx_array mx_expand_dims_axes(mlx_array x, const int *axes, size_t n)
{
    prim_expand_dims params;
    if (mx_is_null(x) || n == 0)
        return x;
    if (n > MX_MAX_DIMS)
        return op_fail("[expand_dims] %zu axes are more than the limit of %d", n, MX_MAX_DIMS);
    if (!bits_of("expand_dims", mx_ndim(x) + (int)n, axes, n, &params.axes))
        return MX_NULL;
    return prim_make(PRIM_ExpandDims, &x, 1, &params, sizeof params);
}

mlx_array mx_expand_dims(mlx_array x, int axis) { return mx_expand_dims_axes(x, &axis, 1); }

mlx_array mx_squeeze_axes(mlx_array x, const int *axes, size_t n)
{
    prim_squeeze params = {0};
    if (mx_is_null(x) || !bits_of("squeeze", mx_ndim(x), axes, n, &params.axes))
        return MX_NULL;
    for (int i = 0; !axes && i < mx_ndim(x); i++)
        params.axes |= (uint32_t)(mx_shape(x)[i] == 1) << i;
    return params.axes ? prim_make(PRIM_Squeeze, &x, 1, &params, sizeof params) : x;
}

mlx_array mx_squeeze(mlx_array x, int axis) { return mx_squeeze_axes(x, &axis, 1); }

mlx_array mx_moveaxis(mlx_array x, int source, int destination)
{
    int order[MX_MAX_DIMS], from, to;
    if (mx_is_null(x) || (from = op_axis("moveaxis", x, source)) < 0 ||
        (to = op_axis("moveaxis", x, destination)) < 0)
        return MX_NULL;
    for (int i = 0, k = 0; i < mx_ndim(x); i++) {
        k += k == from;
        order[i] = i == to ? from : k++;
    }
    return mx_transpose(x, order, (size_t)mx_ndim(x));
}

mlx_array mx_atleast_1d(mlx_array x) { return mx_is_null(x) || mx_ndim(x) > 0 ? x : mx_expand_dims(x, 0); }

mlx_array mx_atleast_2d(mlx_array x)
{
    x = mx_atleast_1d(x);
    return mx_is_null(x) || mx_ndim(x) > 1 ? x : mx_expand_dims(x, 0);
}

mlx_array mx_atleast_3d(mlx_array x)
{
    x = mx_atleast_2d(x);
    return mx_is_null(x) || mx_ndim(x) > 2 ? x : mx_expand_dims(x, 2);
}

int mx_broadcast_arrays(const mlx_array *x, size_t n, mlx_array *out)
{
    int shape[MX_MAX_DIMS], merged[MX_MAX_DIMS], ndim = 0;
    memset(out, 0, n * sizeof *out);
    for (size_t i = 0; i < n; i++) {
        if (mx_is_null(x[i]))
            return -1;
        int next = shape_broadcast_dims(shape, ndim, mx_shape(x[i]), mx_ndim(x[i]), merged);
        if (next < 0)
            return error_set("[broadcast_arrays] shapes %s and %s cannot be broadcast",
                             shape_text(shape, ndim), op_shape(x[i]));
        ndim = next;
        memcpy(shape, merged, sizeof shape);
    }
    for (size_t i = 0; i < n; i++) {
        out[i] = op_broadcast_with(PRIM_Broadcast, x[i], shape, ndim, x, n);
        if (mx_is_null(out[i]))
            return -1;
    }
    return 0;
}
