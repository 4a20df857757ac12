/* Writing to a part of an array: at indices, along an axis, into a slice, where a mask is set. */
#include "ops/index.h"

#include <string.h>

static const char *const scatter_names[] = {"scatter", "scatter_add", "scatter_prod", "scatter_max",
                                            "scatter_min"};
static const char *const slice_names[] = {"slice_update", "slice_update_add", "slice_update_prod",
                                          "slice_update_max", "slice_update_min"};

/* Checks the updates against the indices' common shape and x, and writes the slice's sizes. */
static bool slice_sizes(const char *op, index_list *l, mlx_array x, mlx_array updates)
{
    int ndim = mx_ndim(x);
    const int *shape = mx_shape(updates);
    bool fits = mx_ndim(updates) == l->ndim + ndim;
    for (int d = 0; fits && d < l->ndim; d++)
        fits = shape[d] == l->shape[d];
    for (int d = 0; fits && d < ndim; d++) {
        fits = shape[l->ndim + d] <= mx_shape(x)[d];
        l->sizes[d] = shape[l->ndim + d];
    }
    if (!fits)
        error_set("[%s] updates of shape %s must have the indices' shape %s, then a slice of x %s", op,
                  op_shape(updates), shape_text(l->shape, l->ndim), op_shape(x));
    return fits;
}

static mlx_array scatter(int mode, mlx_array x, const mlx_array *indices, size_t n, mlx_array updates,
                         const int *axes)
{
    const char *op = scatter_names[mode];
    index_list l;
    if (mx_is_null(updates) || !index_begin(&l, op, mode, x, indices, n, axes) ||
        !slice_sizes(op, &l, x, updates))
        return MX_NULL;
    l.in[1 + n] = mx_astype(updates, mx_dtype_of(x));
    return prim_make(PRIM_Scatter, l.in, n + 2, &l.params, INDEX_PARAMS(n, x));
}

#define SCATTER(name, MODE)                                                                                  \
    mlx_array mx_##name(mlx_array x, const mlx_array *indices, size_t n, mlx_array updates, const int *axes) \
    {                                                                                                        \
        return scatter(PRIM_UPDATE_##MODE, x, indices, n, updates, axes);                                    \
    }
SCATTER(scatter, NONE)
SCATTER(scatter_add, SUM)
SCATTER(scatter_prod, PROD)
SCATTER(scatter_max, MAX)
SCATTER(scatter_min, MIN)
#undef SCATTER

/* Updates of more dimensions than x lose leading ones of size 1, those of fewer gain them. */
static mlx_array as_many_dims(const char *op, mlx_array updates, int ndim)
{
    mlx_array y = updates;
    while (mx_ndim(y) > ndim && mx_shape(y)[0] == 1)
        y = mx_squeeze(y, 0);
    while (!mx_is_null(y) && mx_ndim(y) < ndim)
        y = mx_expand_dims(y, 0);
    return mx_ndim(y) == ndim ? y
                              : op_fail("[%s] updates of shape %s for an array of %d dimensions", op,
                                        op_shape(updates), ndim);
}

static mlx_array scatter_axis(const char *op, int mode, mlx_array x, mlx_array indices, mlx_array updates,
                              int axis)
{
    if (mx_is_null(x) || mx_is_null(indices) || mx_is_null(updates) || !index_is_integer(op, indices))
        return MX_NULL;
    int ndim = mx_ndim(x), shape[MX_MAX_DIMS];
    prim_scatter_axis params = {op_axis(op, x, axis), mode};
    if (params.axis < 0)
        return MX_NULL;
    if (mx_ndim(indices) != ndim)
        return op_fail("[%s] indices of %d dimensions for an array of %d", op, mx_ndim(indices), ndim);
    if (mx_size(x) == 0)
        return x;
    mlx_array in[3] = {x, indices, mx_astype(as_many_dims(op, updates, ndim), mx_dtype_of(x))};
    if (mx_is_null(in[2]))
        return MX_NULL;
    if (shape_broadcast_dims(mx_shape(indices), ndim, mx_shape(in[2]), ndim, shape) < 0)
        return op_fail("[%s] shapes %s and %s cannot be broadcast", op, op_shape(indices), op_shape(updates));
    in[1] = mx_broadcast_to(in[1], shape, (size_t)ndim);
    in[2] = mx_broadcast_to(in[2], shape, (size_t)ndim);
    return index_meet(op, in, 3, params.axis) ? prim_make(PRIM_ScatterAxis, in, 3, &params, sizeof params)
                                              : MX_NULL;
}

mlx_array mx_put_along_axis(mlx_array x, mlx_array indices, mlx_array updates, int axis)
{
    return scatter_axis("put_along_axis", PRIM_UPDATE_NONE, x, indices, updates, axis);
}

mlx_array mx_scatter_add_axis(mlx_array x, mlx_array indices, mlx_array updates, int axis)
{
    return scatter_axis("scatter_add_axis", PRIM_UPDATE_SUM, x, indices, updates, axis);
}

/* The values that a mask over x's first axes lets in, one row for each of its elements: src with its own
 * first axis, or repeated. */
static mlx_array mask_source(mlx_array x, mlx_array mask, mlx_array src)
{
    int rest = mx_ndim(x) - mx_ndim(mask), shape[MX_MAX_DIMS + 1];
    if (mx_ndim(src) > rest + 1 || mx_size(mask) > INT32_MAX)
        return op_fail("[masked_scatter] src of shape %s does not fit the last %d dimensions of x %s",
                       op_shape(src), rest, op_shape(x));
    shape[0] = mx_ndim(src) == rest + 1 ? mx_shape(src)[0] : (int)mx_size(mask);
    memcpy(shape + 1, mx_shape(x) + mx_ndim(mask), (size_t)rest * sizeof *shape);
    return mx_broadcast_to(mx_astype(src, mx_dtype_of(x)), shape, (size_t)rest + 1);
}

mlx_array mx_masked_scatter(mlx_array x, mlx_array mask, mlx_array src)
{
    int shape[MX_MAX_DIMS];
    if (mx_is_null(x) || mx_is_null(mask) || mx_is_null(src))
        return MX_NULL;
    if (mx_dtype_of(mask) != MLX_BOOL)
        return op_fail("[masked_scatter] the mask must be bool, not %s", mx_dtype_name(mx_dtype_of(mask)));
    int ndim = mx_ndim(x), leading = mx_ndim(mask);
    if (leading > ndim || memcmp(mx_shape(mask), mx_shape(x), (size_t)leading * sizeof(int)) != 0)
        return op_fail("[masked_scatter] a mask of shape %s does not cover the first axes of x %s",
                       op_shape(mask), op_shape(x));
    memcpy(shape, mx_shape(mask), (size_t)leading * sizeof *shape);
    for (int d = leading; d < ndim; d++)
        shape[d] = 1;
    mlx_array in[3] = {x, mx_reshape(mask, shape, (size_t)ndim), mask_source(x, mask, src)};
    in[1] = mx_broadcast_to(in[1], mx_shape(x), (size_t)ndim);
    return prim_make(PRIM_MaskedScatter, in, 3, NULL, 0);
}

static mlx_array slice_update(int mode, mlx_array x, mlx_array update, const int *start, const int *stop,
                              const int *strides)
{
    union {
        prim_slice_update p;
        int32_t room[3 * MX_MAX_DIMS + 1];
    } params;
    int shape[MX_MAX_DIMS];
    bool whole;
    if (mx_is_null(x) || mx_is_null(update) ||
        !op_ranges(slice_names[mode], x, start, stop, strides, params.p.ranges, &whole))
        return MX_NULL;
    size_t ndim = (size_t)mx_ndim(x);
    for (size_t i = 0; i < ndim; i++)
        shape[i] = params.p.ranges[i].size;
    params.p.mode = mode;
    mlx_array in[2] = {x, mx_broadcast_to(mx_astype(update, mx_dtype_of(x)), shape, ndim)};
    return prim_make(PRIM_SliceUpdate, in, 2, &params, (1 + 3 * ndim) * sizeof(int32_t));
}

#define SLICE_UPDATE(name, MODE)                                                          \
    mlx_array mx_##name(mlx_array x, mlx_array update, const int *start, const int *stop, \
                        const int *strides)                                               \
    {                                                                                     \
        return slice_update(PRIM_UPDATE_##MODE, x, update, start, stop, strides);         \
    }
SLICE_UPDATE(slice_update, NONE)
SLICE_UPDATE(slice_update_add, SUM)
SLICE_UPDATE(slice_update_prod, PROD)
SLICE_UPDATE(slice_update_max, MAX)
SLICE_UPDATE(slice_update_min, MIN)
#undef SLICE_UPDATE
