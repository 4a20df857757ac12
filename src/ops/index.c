/* Reading and adding by indices. */
#include "ops/ops.h"

#include "array/dtype.h"

#include <string.h>

static bool integers(const char *op, mlx_array indices)
{
    if (dtype_is_integer(mx_dtype_of(indices)))
        return true;
    error_set("[%s] indices must be integers, not %s", op, mx_dtype_name(mx_dtype_of(indices)));
    return false;
}

/* gather gives (indices..., slice...); the indices' axes then move to where the axis was, whose own entry of
 * size 1 goes. */
mlx_array mx_take(mlx_array x, mlx_array indices, int axis)
{
    union {
        prim_gather p;
        int32_t room[MX_MAX_DIMS + 2];
    } params;
    int i;
    if (mx_is_null(x) || mx_is_null(indices) || !integers("take", indices) ||
        (i = op_axis("take", x, axis)) < 0)
        return MX_NULL;
    int ndim = mx_ndim(x), k = mx_ndim(indices), order[2 * MX_MAX_DIMS];
    if (mx_shape(x)[i] == 0 && mx_size(indices) != 0)
        return op_fail("[take] axis %d of shape %s is empty: there is nothing to take", axis, op_shape(x));
    params.p.count = 1;
    params.p.list[0] = i;
    memcpy(params.p.list + 1, mx_shape(x), (size_t)ndim * sizeof(int));
    params.p.list[1 + i] = 1;
    mlx_array in[2] = {x, indices};
    mlx_array y = prim_make(PRIM_Gather, in, 2, &params, ((size_t)ndim + 2) * sizeof(int32_t));
    y = mx_is_null(y) ? y : mx_squeeze(y, k + i);
    if (i == 0 || mx_is_null(y))
        return y;
    for (int d = 0; d < ndim - 1 + k; d++)
        order[d] = d < i ? k + d : d < i + k ? d - i : d;
    return mx_transpose(y, order, (size_t)(ndim - 1 + k));
}

/* The shapes of a and b broadcast on all axes but one; false with an error if they do not. */
static bool meet(const char *op, mlx_array a, mlx_array b, int axis, int *to_a, int *to_b)
{
    for (int d = 0; d < mx_ndim(a); d++) {
        int m = mx_shape(a)[d], n = mx_shape(b)[d];
        if (d != axis && m != n && m != 1 && n != 1) {
            error_set("[%s] shapes %s and %s cannot be broadcast", op, op_shape(a), op_shape(b));
            return false;
        }
        to_a[d] = d == axis || m != 1 ? m : n;
        to_b[d] = d == axis || n != 1 ? n : m;
    }
    return true;
}

mlx_array mx_take_along_axis(mlx_array x, mlx_array indices, int axis)
{
    if (mx_is_null(x) || mx_is_null(indices) || !integers("take_along_axis", indices))
        return MX_NULL;
    prim_axis params = {op_axis("take_along_axis", x, axis)};
    if (params.axis < 0)
        return MX_NULL;
    if (mx_ndim(indices) != mx_ndim(x))
        return op_fail("[take_along_axis] indices of %d dimensions for an array of %d", mx_ndim(indices),
                       mx_ndim(x));
    int from[MX_MAX_DIMS], to[MX_MAX_DIMS], ndim = mx_ndim(x);
    if (!meet("take_along_axis", x, indices, params.axis, from, to))
        return MX_NULL;
    if (from[params.axis] == 0 && mx_size(indices) != 0)
        return op_fail("[take_along_axis] axis %d of shape %s is empty", axis, op_shape(x));
    mlx_array in[2] = {mx_broadcast_to(x, from, (size_t)ndim), mx_broadcast_to(indices, to, (size_t)ndim)};
    return prim_make(PRIM_GatherAxis, in, 2, &params, sizeof params);
}

/* Checks the updates of a scatter against the indices' common shape and x, and writes the slice's sizes. */
static bool slice_sizes(mlx_array x, mlx_array updates, const int *index_shape, int k, int32_t *sizes)
{
    int ndim = mx_ndim(x);
    const int *shape = mx_shape(updates);
    bool fits = mx_ndim(updates) == k + ndim;
    for (int d = 0; fits && d < k; d++)
        fits = shape[d] == index_shape[d];
    for (int d = 0; fits && d < ndim; d++) {
        fits = shape[k + d] <= mx_shape(x)[d];
        sizes[d] = shape[k + d];
    }
    if (!fits)
        error_set("[scatter_add] updates of shape %s must have the indices' shape %s, then a slice of x %s",
                  op_shape(updates), shape_text(index_shape, k), op_shape(x));
    return fits;
}

/* The shape of all indices together; -1 with an error if one is no index or they do not fit. */
static int index_shape(const mlx_array *indices, size_t n, int *shape)
{
    int k = 0, merged[MX_MAX_DIMS];
    for (size_t i = 0; i < n; i++) {
        if (mx_is_null(indices[i]) || !integers("scatter_add", indices[i]))
            return -1;
        k = shape_broadcast_dims(shape, k, mx_shape(indices[i]), mx_ndim(indices[i]), merged);
        if (k < 0)
            return error_set("[scatter_add] the indices' shapes cannot be broadcast");
        memcpy(shape, merged, (size_t)k * sizeof *shape);
    }
    return k;
}

mlx_array mx_scatter_add(mlx_array x, const mlx_array *indices, size_t n, mlx_array updates, const int *axes)
{
    union {
        prim_gather p;
        int32_t room[2 * MX_MAX_DIMS + 1];
    } params;
    int shape[MX_MAX_DIMS], k;
    uint32_t bits;
    mlx_array in[MX_MAX_DIMS + 2];
    if (mx_is_null(x) || mx_is_null(updates))
        return MX_NULL;
    if (n == 0)
        return op_fail("[scatter_add] no indices are given");
    if (!op_axes("scatter_add", x, axes, n, &bits) || (k = index_shape(indices, n, shape)) < 0 ||
        !slice_sizes(x, updates, shape, k, params.p.list + n))
        return MX_NULL;
    params.p.count = (int32_t)n;
    in[0] = x;
    for (size_t i = 0; i < n; i++) {
        params.p.list[i] = op_axis("scatter_add", x, axes[i]);
        in[1 + i] = indices[i];
        if (params.p.list[n + (size_t)params.p.list[i]] != 1)
            return op_fail(
                "[scatter_add] updates of shape %s: the slice must have size 1 on axis %d, as it is indexed",
                op_shape(updates), axes[i]);
    }
    in[1 + n] = mx_astype(updates, mx_dtype_of(x));
    return prim_make(PRIM_Scatter, in, n + 2, &params, (1 + n + (size_t)mx_ndim(x)) * sizeof(int32_t));
}

mlx_array mx_scatter_add_axis(mlx_array x, mlx_array indices, mlx_array updates, int axis)
{
    int shape[MX_MAX_DIMS], same[MX_MAX_DIMS], ndim = mx_ndim(x);
    if (mx_is_null(x) || mx_is_null(indices) || mx_is_null(updates) || !integers("scatter_add_axis", indices))
        return MX_NULL;
    prim_axis params = {op_axis("scatter_add_axis", x, axis)};
    if (params.axis < 0)
        return MX_NULL;
    if (mx_ndim(indices) != ndim || mx_ndim(updates) > ndim)
        return op_fail("[scatter_add_axis] indices %s and updates %s do not fit x %s", op_shape(indices),
                       op_shape(updates), op_shape(x));
    if (!meet("scatter_add_axis", x, indices, params.axis, same, shape))
        return MX_NULL;
    if (memcmp(same, mx_shape(x), (size_t)ndim * sizeof *same) != 0)
        return op_fail("[scatter_add_axis] indices of shape %s reach beyond x %s", op_shape(indices),
                       op_shape(x));
    mlx_array in[3] = {x, mx_broadcast_to(indices, shape, (size_t)ndim),
                       mx_broadcast_to(mx_astype(updates, mx_dtype_of(x)), shape, (size_t)ndim)};
    return prim_make(PRIM_ScatterAxis, in, 3, &params, sizeof params);
}
