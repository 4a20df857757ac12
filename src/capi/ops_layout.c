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

UNARY(copy)
UNARY(stop_gradient)

int mlx_reshape(mlx_array *res, const mlx_array a, const int *shape, size_t shape_num, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_reshape(capi_in(a), capi_ints(shape), shape_num));
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

int mlx_expand_dims(mlx_array *res, const mlx_array a, int axis, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_expand_dims(capi_in(a), axis));
}

int mlx_squeeze_axis(mlx_array *res, const mlx_array a, int axis, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_squeeze(capi_in(a), axis));
}

int mlx_broadcast_to(mlx_array *res, const mlx_array a, const int *shape, size_t shape_num,
                     const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_broadcast_to(capi_in(a), capi_ints(shape), shape_num));
}

/* --- diagonals and triangles --- */

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

/* --- in a graph --- */
