/* Reading by indices. */
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
    if (mx_is_null(x) || mx_is_null(indices) || !integers("take", indices) || (i = op_axis("take", x, axis)) < 0)
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

mlx_array mx_take_along_axis(mlx_array x, mlx_array indices, int axis)
{
    if (mx_is_null(x) || mx_is_null(indices) || !integers("take_along_axis", indices))
        return MX_NULL;
    prim_axis params = {op_axis("take_along_axis", x, axis)};
    if (params.axis < 0)
        return MX_NULL;
    if (mx_ndim(indices) != mx_ndim(x))
        return op_fail("[take_along_axis] indices of %d dimensions for an array of %d", mx_ndim(indices), mx_ndim(x));
    int from[MX_MAX_DIMS], to[MX_MAX_DIMS], ndim = mx_ndim(x);
    memcpy(from, mx_shape(x), (size_t)ndim * sizeof *from);
    memcpy(to, mx_shape(indices), (size_t)ndim * sizeof *to);
    for (int d = 0; d < ndim; d++) {
        if (d == params.axis)
            continue;
        if (from[d] != to[d] && from[d] != 1 && to[d] != 1)
            return op_fail("[take_along_axis] shapes %s and %s cannot be broadcast", op_shape(x), op_shape(indices));
        from[d] = to[d] = from[d] == 1 ? to[d] : from[d];
    }
    if (from[params.axis] == 0 && mx_size(indices) != 0)
        return op_fail("[take_along_axis] axis %d of shape %s is empty", axis, op_shape(x));
    mlx_array in[2] = {mx_broadcast_to(x, from, (size_t)ndim), mx_broadcast_to(indices, to, (size_t)ndim)};
    return prim_make(PRIM_GatherAxis, in, 2, &params, sizeof params);
}
