/* Reading and writing by indices and slices. */
#include "capi/capi.h"
#include "mlx/c/ops.h"

/* Is there one number for each of a's axes in every list? */
static bool one_an_axis(const char *op, mlx_array a, size_t start, size_t stop, size_t strides)
{
    size_t n = (size_t)mx_ndim(capi_in(a));
    if (error_pending())
        return false;
    if (start == n && stop == n && strides == n)
        return true;
    error_set("[%s] %zu starts, %zu stops and %zu strides for an array of %zu axes", op, start, stop, strides,
              n);
    return false;
}

int mlx_slice(mlx_array *res, const mlx_array a, const int *start, size_t start_num, const int *stop,
              size_t stop_num, const int *strides, size_t strides_num, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    bool fits = one_an_axis("slice", a, start_num, stop_num, strides_num);
    return LEAVE(mark, res,
                 fits ? mx_slice(a, capi_ints(start), capi_ints(stop), capi_ints(strides)) : MX_NULL);
}

/* SLICE_UPDATE(name): mlx_<name> changes a slice. */
#define SLICE_UPDATE(name)                                                                                \
    int mlx_##name(mlx_array *res, const mlx_array src, const mlx_array update, const int *start,         \
                   size_t start_num, const int *stop, size_t stop_num, const int *strides,                \
                   size_t strides_num, const mlx_stream s)                                                \
    {                                                                                                     \
        size_t mark = capi_enter(s);                                                                      \
        bool fits = one_an_axis(#name, src, start_num, stop_num, strides_num);                            \
        return LEAVE(                                                                                     \
            mark, res,                                                                                    \
            fits ? mx_##name(src, capi_in(update), capi_ints(start), capi_ints(stop), capi_ints(strides)) \
                 : MX_NULL);                                                                              \
    }

SLICE_UPDATE(slice_update)

#if MLX_C_ABI >= MLX_C_ABI_0_6_0_PLUS_4

SLICE_UPDATE(slice_update_add)
SLICE_UPDATE(slice_update_max)
SLICE_UPDATE(slice_update_min)
SLICE_UPDATE(slice_update_prod)

#endif

int mlx_slice_dynamic(mlx_array *res, const mlx_array a, const mlx_array start, const int *axes,
                      size_t axes_num, const int *slice_size, size_t slice_size_num, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res,
                 mx_slice_dynamic(capi_in(a), capi_in(start), capi_ints(axes), axes_num,
                                  capi_ints(slice_size), slice_size_num));
}

int mlx_slice_update_dynamic(mlx_array *res, const mlx_array src, const mlx_array update,
                             const mlx_array start, const int *axes, size_t axes_num, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(
        mark, res,
        mx_slice_update_dynamic(capi_in(src), capi_in(update), capi_in(start), capi_ints(axes), axes_num));
}

/* --- taking --- */

int mlx_take(mlx_array *res, const mlx_array a, const mlx_array indices, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_take(capi_in(a), capi_in(indices), MX_FLATTEN));
}

/* ALONG(name): mlx_<name> is mx_<...> of an array and indices on an axis. */
#define ALONG(name, function)                                                                                \
    int mlx_##name(mlx_array *res, const mlx_array a, const mlx_array indices, int axis, const mlx_stream s) \
    {                                                                                                        \
        size_t mark = capi_enter(s);                                                                         \
        return LEAVE(mark, res, function(capi_in(a), capi_in(indices), axis));                               \
    }

ALONG(take_axis, mx_take)
ALONG(take_along_axis, mx_take_along_axis)

/* PUT(name): mlx_<name> writes values at positions on an axis. */
#define PUT(name, function)                                                                            \
    int mlx_##name(mlx_array *res, const mlx_array a, const mlx_array indices, const mlx_array values, \
                   int axis, const mlx_stream s)                                                       \
    {                                                                                                  \
        size_t mark = capi_enter(s);                                                                   \
        return LEAVE(mark, res, function(capi_in(a), capi_in(indices), capi_in(values), axis));        \
    }

PUT(put_along_axis, mx_put_along_axis)
PUT(scatter_add_axis, mx_scatter_add_axis)

int mlx_masked_scatter(mlx_array *res, const mlx_array a, const mlx_array mask, const mlx_array src,
                       const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_masked_scatter(capi_in(a), capi_in(mask), capi_in(src)));
}

/* --- gather and scatter --- */

/* Are there as many axes as index arrays? */
static bool paired(const char *op, size_t indices, size_t axes)
{
    if (indices != axes)
        error_set("[%s] %zu index arrays for %zu axes", op, indices, axes);
    return indices == axes;
}

int mlx_gather(mlx_array *res, const mlx_array a, const mlx_vector_array indices, const int *axes,
               size_t axes_num, const int *slice_sizes, size_t slice_sizes_num, const mlx_stream s)
{
    size_t n, mark = capi_enter(s);
    const mlx_array *x = capi_items(indices, &n);
    bool fits = x && one_an_axis("gather", a, slice_sizes_num, slice_sizes_num, slice_sizes_num) &&
                paired("gather", n, axes_num);
    return LEAVE(mark, res, fits ? mx_gather(a, x, n, capi_ints(axes), capi_ints(slice_sizes)) : MX_NULL);
}

int mlx_gather_single(mlx_array *res, const mlx_array a, const mlx_array indices, int axis,
                      const int *slice_sizes, size_t slice_sizes_num, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    mlx_array x = capi_in(indices);
    bool fits = one_an_axis("gather", a, slice_sizes_num, slice_sizes_num, slice_sizes_num);
    return LEAVE(mark, res, fits ? mx_gather(a, &x, 1, &axis, capi_ints(slice_sizes)) : MX_NULL);
}

/* SCATTER(name): mlx_<name>, and _single with one index array. */
#define SCATTER(name)                                                                                  \
    int mlx_##name(mlx_array *res, const mlx_array a, const mlx_vector_array indices,                  \
                   const mlx_array updates, const int *axes, size_t axes_num, const mlx_stream s)      \
    {                                                                                                  \
        size_t n, mark = capi_enter(s);                                                                \
        const mlx_array *x = capi_items(indices, &n);                                                  \
        bool fits = x && paired(#name, n, axes_num);                                                   \
        return LEAVE(mark, res,                                                                        \
                     fits ? mx_##name(capi_in(a), x, n, capi_in(updates), capi_ints(axes)) : MX_NULL); \
    }                                                                                                  \
    int mlx_##name##_single(mlx_array *res, const mlx_array a, const mlx_array indices,                \
                            const mlx_array updates, int axis, const mlx_stream s)                     \
    {                                                                                                  \
        size_t mark = capi_enter(s);                                                                   \
        mlx_array x = capi_in(indices);                                                                \
        return LEAVE(mark, res, mx_##name(capi_in(a), &x, 1, capi_in(updates), &axis));                \
    }

SCATTER(scatter)
SCATTER(scatter_add)
SCATTER(scatter_max)
SCATTER(scatter_min)
SCATTER(scatter_prod)
