/* Reading by indices. */
#include "ops/ops.h"

#include "array/dtype.h"
#include "ops/index.h"

#include <string.h>

bool index_is_integer(const char *op, mlx_array indices)
{
    if (dtype_is_integer(mx_dtype_of(indices)))
        return true;
    error_set("[%s] indices must be integers, not %s", op, mx_dtype_name(mx_dtype_of(indices)));
    return false;
}

bool index_begin(index_list *l, const char *op, int mode, mlx_array x, const mlx_array *indices, size_t n,
                 const int *axes)
{
    int merged[MX_MAX_DIMS];
    uint32_t seen;
    if (mx_is_null(x))
        return false;
    if (n > (size_t)mx_ndim(x)) {
        error_set("[%s] %zu index arrays for an array of %d dimensions", op, n, mx_ndim(x));
        return false;
    }
    l->ndim = 0;
    l->params.p.mode = mode;
    l->params.p.count = (int32_t)n;
    l->in[0] = x;
    if (n && !op_axes(op, x, axes, n, &seen))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (mx_is_null(indices[i]) || !index_is_integer(op, indices[i]))
            return false;
        int ndim = shape_broadcast_dims(l->shape, l->ndim, mx_shape(indices[i]), mx_ndim(indices[i]), merged);
        if (ndim < 0) {
            error_set("[%s] the indices' shapes %s and %s cannot be broadcast", op,
                      shape_text(l->shape, l->ndim), op_shape(indices[i]));
            return false;
        }
        l->ndim = ndim;
        memcpy(l->shape, merged, (size_t)ndim * sizeof *merged);
        l->params.p.list[i] = op_axis(op, x, axes[i]);
        l->in[1 + i] = indices[i];
    }
    l->sizes = l->params.p.list + n;
    return true;
}

mlx_array mx_gather(mlx_array x, const mlx_array *indices, size_t n, const int *axes, const int *sizes)
{
    index_list l;
    if (!index_begin(&l, "gather", 0, x, indices, n, axes))
        return MX_NULL;
    size_t places = 1;
    bool empty = false;
    for (int d = 0; d < l.ndim; d++)
        empty |= l.shape[d] == 0;
    places = !empty;
    for (int d = 0; d < mx_ndim(x); d++) {
        if (sizes[d] < 0 || (sizes[d] > mx_shape(x)[d] && mx_size(x) != 0))
            return op_fail("[gather] slice sizes %s do not fit an array of shape %s",
                           shape_text(sizes, mx_ndim(x)), op_shape(x));
        places = sizes[d] ? places : 0;
        l.sizes[d] = sizes[d];
    }
    if (mx_size(x) == 0 && places)
        return op_fail("[gather] an array of shape %s has nothing to gather", op_shape(x));
    return prim_make(PRIM_Gather, l.in, n + 1, &l.params, INDEX_PARAMS(n, x));
}

/* gather gives (indices..., slice...); the indices' axes then move to where the axis was, whose own entry of
 * size 1 goes. */
mlx_array mx_take(mlx_array x, mlx_array indices, int axis)
{
    int i = axis, sizes[MX_MAX_DIMS], order[2 * MX_MAX_DIMS];
    x = op_flatten("take", x, &i);
    if (mx_is_null(x) || mx_is_null(indices) || !index_is_integer("take", indices))
        return MX_NULL;
    int ndim = mx_ndim(x), k = mx_ndim(indices);
    if (mx_shape(x)[i] == 0 && mx_size(indices) != 0)
        return op_fail("[take] axis %d of shape %s is empty: there is nothing to take", i, op_shape(x));
    memcpy(sizes, mx_shape(x), (size_t)ndim * sizeof *sizes);
    sizes[i] = mx_shape(x)[i] != 0;
    mlx_array y = mx_gather(x, &indices, 1, &i, sizes);
    if (mx_is_null(y))
        return y;
    if (sizes[i] == 0) { /* nothing of nothing, in the shape that something would have */
        memcpy(order, mx_shape(y), (size_t)mx_ndim(y) * sizeof *order);
        order[k + i] = 1;
        y = mx_reshape(y, order, (size_t)mx_ndim(y));
    }
    y = mx_squeeze(y, k + i);
    if (i == 0 || mx_is_null(y))
        return y;
    for (int d = 0; d < ndim - 1 + k; d++)
        order[d] = d < i ? k + d : d < i + k ? d - i : d;
    return mx_transpose(y, order, (size_t)(ndim - 1 + k));
}

bool index_meet(const char *op, mlx_array *x, size_t n, int axis)
{
    int shape[MX_MAX_DIMS], ndim = mx_ndim(x[0]);
    for (int d = 0; d < ndim; d++) {
        shape[d] = 1;
        for (size_t i = 0; i < n && d != axis; i++) {
            int m = mx_shape(x[i])[d];
            if (m != 1 && shape[d] != 1 && m != shape[d]) {
                error_set("[%s] shapes %s and %s cannot be broadcast", op, op_shape(x[0]), op_shape(x[i]));
                return false;
            }
            shape[d] = m == 1 ? shape[d] : m;
        }
    }
    for (size_t i = 0; i < n; i++) {
        shape[axis] = mx_shape(x[i])[axis];
        x[i] = mx_broadcast_to(x[i], shape, (size_t)ndim);
    }
    return true;
}

mlx_array mx_take_along_axis(mlx_array x, mlx_array indices, int axis)
{
    if (mx_is_null(x) || mx_is_null(indices) || !index_is_integer("take_along_axis", indices))
        return MX_NULL;
    prim_axis params = {op_axis("take_along_axis", x, axis)};
    if (params.axis < 0)
        return MX_NULL;
    if (mx_ndim(indices) != mx_ndim(x))
        return op_fail("[take_along_axis] indices of %d dimensions for an array of %d", mx_ndim(indices),
                       mx_ndim(x));
    mlx_array in[2] = {x, indices};
    if (!index_meet("take_along_axis", in, 2, params.axis))
        return MX_NULL;
    if (mx_shape(x)[params.axis] == 0 && mx_size(in[1]) != 0)
        return op_fail("[take_along_axis] axis %d of shape %s is empty", axis, op_shape(x));
    return prim_make(PRIM_GatherAxis, in, 2, &params, sizeof params);
}
