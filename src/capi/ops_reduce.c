/* Reductions, scans, sorting. */
#include "capi/capi.h"
#include "mlx/c/ops.h"

/* REDUCE(name): mlx_<name>, _axis and _axes. */
#define REDUCE(name)                                                                                      \
    int mlx_##name(mlx_array *res, const mlx_array a, bool keepdims, const mlx_stream s)                  \
    {                                                                                                     \
        size_t mark = capi_enter(s);                                                                      \
        return LEAVE(mark, res, mx_##name(capi_in(a), NULL, 0, keepdims));                                \
    }                                                                                                     \
    int mlx_##name##_axis(mlx_array *res, const mlx_array a, int axis, bool keepdims, const mlx_stream s) \
    {                                                                                                     \
        return mlx_##name##_axes(res, a, &axis, 1, keepdims, s);                                          \
    }                                                                                                     \
    int mlx_##name##_axes(mlx_array *res, const mlx_array a, const int *axes, size_t axes_num,            \
                          bool keepdims, const mlx_stream s)                                              \
    {                                                                                                     \
        size_t mark = capi_enter(s);                                                                      \
        return LEAVE(mark, res, mx_##name(capi_in(a), capi_ints(axes), axes_num, keepdims));              \
    }

REDUCE(all)
REDUCE(any)
REDUCE(max)
REDUCE(mean)
REDUCE(min)
REDUCE(prod)
REDUCE(sum)

/* SPREAD(name): mlx_<name>, _axis and _axes with ddof. */
#define SPREAD(name)                                                                               \
    int mlx_##name(mlx_array *res, const mlx_array a, bool keepdims, int ddof, const mlx_stream s) \
    {                                                                                              \
        size_t mark = capi_enter(s);                                                               \
        return LEAVE(mark, res, mx_##name(capi_in(a), NULL, 0, keepdims, ddof));                   \
    }                                                                                              \
    int mlx_##name##_axis(mlx_array *res, const mlx_array a, int axis, bool keepdims, int ddof,    \
                          const mlx_stream s)                                                      \
    {                                                                                              \
        return mlx_##name##_axes(res, a, &axis, 1, keepdims, ddof, s);                             \
    }                                                                                              \
    int mlx_##name##_axes(mlx_array *res, const mlx_array a, const int *axes, size_t axes_num,     \
                          bool keepdims, int ddof, const mlx_stream s)                             \
    {                                                                                              \
        size_t mark = capi_enter(s);                                                               \
        return LEAVE(mark, res, mx_##name(capi_in(a), capi_ints(axes), axes_num, keepdims, ddof)); \
    }

SPREAD(std)
SPREAD(var)

/* POSITION(name): mlx_<name> of the flattened array, and _axis. */
#define POSITION(name)                                                                                    \
    int mlx_##name(mlx_array *res, const mlx_array a, bool keepdims, const mlx_stream s)                  \
    {                                                                                                     \
        size_t mark = capi_enter(s);                                                                      \
        return LEAVE(mark, res, all_positions(mx_##name, capi_in(a), keepdims));                          \
    }                                                                                                     \
    int mlx_##name##_axis(mlx_array *res, const mlx_array a, int axis, bool keepdims, const mlx_stream s) \
    {                                                                                                     \
        size_t mark = capi_enter(s);                                                                      \
        return LEAVE(mark, res, mx_##name(capi_in(a), axis, keepdims));                                   \
    }

/* Of the flattened array; keepdims: with as many axes as a. */
static mlx_array all_positions(mlx_array (*function)(mlx_array, int, bool), mlx_array a, bool keepdims)
{
    mlx_array y = function(mx_flatten(a, 0, -1), 0, false);
    int ones[MX_MAX_DIMS];
    for (int i = 0; i < mx_ndim(a); i++)
        ones[i] = 1;
    return keepdims ? mx_reshape(y, ones, (size_t)mx_ndim(a)) : y;
}

POSITION(argmax)
POSITION(argmin)

int mlx_median(mlx_array *res, const mlx_array a, const int *axes, size_t axes_num, bool keepdims,
               const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_median(capi_in(a), capi_ints(axes), axes_num, keepdims));
}

/* --- exponentials --- */

int mlx_logsumexp(mlx_array *res, const mlx_array a, bool keepdims, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_logsumexp_axes(capi_in(a), NULL, 0, keepdims));
}

int mlx_logsumexp_axis(mlx_array *res, const mlx_array a, int axis, bool keepdims, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_logsumexp(capi_in(a), axis, keepdims));
}

int mlx_logsumexp_axes(mlx_array *res, const mlx_array a, const int *axes, size_t axes_num, bool keepdims,
                       const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_logsumexp_axes(capi_in(a), capi_ints(axes), axes_num, keepdims));
}

int mlx_softmax(mlx_array *res, const mlx_array a, bool precise, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_softmax_axes(capi_in(a), NULL, 0, precise));
}

int mlx_softmax_axis(mlx_array *res, const mlx_array a, int axis, bool precise, const mlx_stream s)
{
    return mlx_softmax_axes(res, a, &axis, 1, precise, s);
}

int mlx_softmax_axes(mlx_array *res, const mlx_array a, const int *axes, size_t axes_num, bool precise,
                     const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_softmax_axes(capi_in(a), capi_ints(axes), axes_num, precise));
}

/* --- scans --- */

/* SCAN(name): mlx_<name> along an axis. */
#define SCAN(name)                                                                            \
    int mlx_##name(mlx_array *res, const mlx_array a, int axis, bool reverse, bool inclusive, \
                   const mlx_stream s)                                                        \
    {                                                                                         \
        size_t mark = capi_enter(s);                                                          \
        return LEAVE(mark, res, mx_##name(capi_in(a), axis, reverse, inclusive));             \
    }

SCAN(cummax)
SCAN(cummin)
SCAN(cumprod)
SCAN(cumsum)
SCAN(logcumsumexp)

/* --- sorting: along an axis, or of the flattened array --- */

int mlx_sort(mlx_array *res, const mlx_array a, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_sort(capi_in(a), MX_FLATTEN));
}

int mlx_sort_axis(mlx_array *res, const mlx_array a, int axis, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_sort(capi_in(a), axis));
}

int mlx_argsort(mlx_array *res, const mlx_array a, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_argsort(capi_in(a), MX_FLATTEN));
}

int mlx_argsort_axis(mlx_array *res, const mlx_array a, int axis, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_argsort(capi_in(a), axis));
}

/* SELECT(name, k): mlx_<name> of the flattened array, and _axis. */
#define SELECT(name)                                                                              \
    int mlx_##name(mlx_array *res, const mlx_array a, int k, const mlx_stream s)                  \
    {                                                                                             \
        size_t mark = capi_enter(s);                                                              \
        return LEAVE(mark, res, mx_##name(capi_in(a), k, MX_FLATTEN));                            \
    }                                                                                             \
    int mlx_##name##_axis(mlx_array *res, const mlx_array a, int k, int axis, const mlx_stream s) \
    {                                                                                             \
        size_t mark = capi_enter(s);                                                              \
        return LEAVE(mark, res, mx_##name(capi_in(a), k, axis));                                  \
    }

SELECT(partition)
SELECT(argpartition)
SELECT(topk)
