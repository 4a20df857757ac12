/* Shapes, views, parts and joins. */
#include "capi/capi.h"
#include "mlx/c/ops.h"

/* UNARY(name): mlx_<name> is mx_<name> of one array. */
#define UNARY(name)                                                       \
    int mlx_##name(mlx_array *res, const mlx_array a, const mlx_stream s) \
    {                                                                     \
        size_t mark = capi_enter(s);                                      \
        return LEAVE(mark, res, mx_##name(capi_in(a)));                   \
    }

UNARY(atleast_1d)
UNARY(atleast_2d)
UNARY(atleast_3d)
UNARY(copy)
UNARY(stop_gradient)

int mlx_reshape(mlx_array *res, const mlx_array a, const int *shape, size_t shape_num, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_reshape(capi_in(a), capi_ints(shape), shape_num));
}

int mlx_flatten(mlx_array *res, const mlx_array a, int start_axis, int end_axis, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_flatten(capi_in(a), start_axis, end_axis));
}

int mlx_unflatten(mlx_array *res, const mlx_array a, int axis, const int *shape, size_t shape_num,
                  const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_unflatten(capi_in(a), axis, capi_ints(shape), shape_num));
}

int mlx_transpose(mlx_array *res, const mlx_array a, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_transpose(capi_in(a), NULL, 0));
}

int mlx_transpose_axes(mlx_array *res, const mlx_array a, const int *axes, size_t axes_num,
                       const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_transpose(capi_in(a), capi_ints(axes), axes_num));
}

int mlx_swapaxes(mlx_array *res, const mlx_array a, int axis1, int axis2, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_swapaxes(capi_in(a), axis1, axis2));
}

int mlx_moveaxis(mlx_array *res, const mlx_array a, int source, int destination, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_moveaxis(capi_in(a), source, destination));
}

int mlx_expand_dims(mlx_array *res, const mlx_array a, int axis, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_expand_dims(capi_in(a), axis));
}

int mlx_expand_dims_axes(mlx_array *res, const mlx_array a, const int *axes, size_t axes_num,
                         const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_expand_dims_axes(capi_in(a), capi_ints(axes), axes_num));
}

int mlx_squeeze(mlx_array *res, const mlx_array a, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_squeeze_axes(capi_in(a), NULL, 0));
}

int mlx_squeeze_axis(mlx_array *res, const mlx_array a, int axis, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_squeeze(capi_in(a), axis));
}

int mlx_squeeze_axes(mlx_array *res, const mlx_array a, const int *axes, size_t axes_num, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_squeeze_axes(capi_in(a), capi_ints(axes), axes_num));
}

int mlx_broadcast_to(mlx_array *res, const mlx_array a, const int *shape, size_t shape_num,
                     const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_broadcast_to(capi_in(a), capi_ints(shape), shape_num));
}

int mlx_broadcast_arrays(mlx_vector_array *res, const mlx_vector_array inputs, const mlx_stream s)
{
    size_t n, mark = capi_enter(s);
    const mlx_array *x = capi_items(inputs, &n);
    mlx_array *out = capi_room(n);
    int rc = !x || !out || mx_broadcast_arrays(x, n, out);
    return capi_leave_room(mark, res, out, n, rc, HERE);
}

int mlx_as_strided(mlx_array *res, const mlx_array a, const int *shape, size_t shape_num,
                   const int64_t *strides, size_t strides_num, size_t offset, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res,
                 mx_as_strided(capi_in(a), capi_ints(shape), shape_num, strides, strides_num, offset));
}

int mlx_view(mlx_array *res, const mlx_array a, mlx_dtype dtype, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_view(capi_in(a), capi_dtype(dtype)));
}

int mlx_contiguous(mlx_array *res, const mlx_array a, bool allow_col_major, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_contiguous_any(capi_in(a), allow_col_major));
}

/* --- diagonals and triangles --- */

int mlx_diagonal(mlx_array *res, const mlx_array a, int offset, int axis1, int axis2, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_diagonal(capi_in(a), offset, axis1, axis2));
}

int mlx_diag(mlx_array *res, const mlx_array a, int k, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_diag(capi_in(a), k));
}

int mlx_trace(mlx_array *res, const mlx_array a, int offset, int axis1, int axis2, mlx_dtype dtype,
              const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_trace(capi_in(a), offset, axis1, axis2, capi_dtype(dtype)));
}

int mlx_tril(mlx_array *res, const mlx_array x, int k, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_tril(capi_in(x), k));
}

int mlx_triu(mlx_array *res, const mlx_array x, int k, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_triu(capi_in(x), k));
}

/* --- joins and parts --- */

/* JOIN(name, axis): mlx_<name> of all flattened or on axis 0, and _axis. */
#define JOIN(name, all)                                                                                \
    int mlx_##name(mlx_array *res, const mlx_vector_array arrays, const mlx_stream s)                  \
    {                                                                                                  \
        return mlx_##name##_axis(res, arrays, all, s);                                                 \
    }                                                                                                  \
    int mlx_##name##_axis(mlx_array *res, const mlx_vector_array arrays, int axis, const mlx_stream s) \
    {                                                                                                  \
        size_t n, mark = capi_enter(s);                                                                \
        const mlx_array *x = capi_items(arrays, &n);                                                   \
        return LEAVE(mark, res, x ? mx_##name(x, n, axis) : MX_NULL);                                  \
    }

JOIN(concatenate, MX_FLATTEN)
JOIN(stack, 0)

int mlx_split(mlx_vector_array *res, const mlx_array a, int num_splits, int axis, const mlx_stream s)
{
    size_t mark = capi_enter(s), n = num_splits > 0 && num_splits <= MX_MAX_SPLIT ? (size_t)num_splits : 0;
    mlx_array *out = capi_room(n);
    int rc = !out || mx_split(capi_in(a), num_splits, axis, out);
    return capi_leave_room(mark, res, out, n, rc, HERE);
}

int mlx_split_sections(mlx_vector_array *res, const mlx_array a, const int *indices, size_t indices_num,
                       int axis, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    mlx_array *out = capi_room(indices_num + 1);
    int rc = !out || mx_split_sections(capi_in(a), capi_ints(indices), indices_num, axis, out);
    return capi_leave_room(mark, res, out, indices_num + 1, rc, HERE);
}

int mlx_repeat(mlx_array *res, const mlx_array arr, int repeats, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_repeat(capi_in(arr), repeats, MX_FLATTEN));
}

int mlx_repeat_axis(mlx_array *res, const mlx_array arr, int repeats, int axis, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_repeat(capi_in(arr), repeats, axis));
}

int mlx_tile(mlx_array *res, const mlx_array arr, const int *reps, size_t reps_num, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_tile(capi_in(arr), capi_ints(reps), reps_num));
}

int mlx_roll(mlx_array *res, const mlx_array a, const int *shift, size_t shift_num, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_roll(capi_in(a), capi_ints(shift), shift_num, MX_FLATTEN));
}

int mlx_roll_axis(mlx_array *res, const mlx_array a, const int *shift, size_t shift_num, int axis,
                  const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_roll(capi_in(a), capi_ints(shift), shift_num, axis));
}

int mlx_roll_axes(mlx_array *res, const mlx_array a, const int *shift, size_t shift_num, const int *axes,
                  size_t axes_num, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_roll_axes(capi_in(a), capi_ints(shift), shift_num, capi_ints(axes), axes_num));
}

int mlx_pad(mlx_array *res, const mlx_array a, const int *axes, size_t axes_num, const int *low_pad_size,
            size_t low_pad_size_num, const int *high_pad_size, size_t high_pad_size_num,
            const mlx_array pad_value, const char *mode, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res,
                 !capi_text(mode, "mode")
                     ? MX_NULL
                     : mx_pad(capi_in(a), capi_ints(axes), axes_num, capi_ints(low_pad_size),
                              low_pad_size_num, capi_ints(high_pad_size), high_pad_size_num,
                              capi_in(pad_value), mode));
}

int mlx_pad_symmetric(mlx_array *res, const mlx_array a, int pad_width, const mlx_array pad_value,
                      const char *mode, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res,
                 !capi_text(mode, "mode")
                     ? MX_NULL
                     : mx_pad_symmetric(capi_in(a), pad_width, capi_in(pad_value), mode));
}

/* --- in a graph --- */

int mlx_depends(mlx_vector_array *res, const mlx_vector_array inputs, const mlx_vector_array dependencies)
{
    size_t n, m, mark = capi_begin();
    const mlx_array *x = capi_items(inputs, &n), *before = capi_items(dependencies, &m);
    mlx_array *out = capi_room(n);
    int rc = !x || !before || !out || mx_depends(x, n, before, m, out);
    return capi_leave_room(mark, res, out, n, rc, HERE);
}

int mlx_number_of_elements(mlx_array *res, const mlx_array a, const int *axes, size_t axes_num, bool inverted,
                           mlx_dtype dtype, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res,
                 mx_number_of_elements(capi_in(a), capi_ints(axes), axes_num, inverted, capi_dtype(dtype)));
}
