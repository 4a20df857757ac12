/* Arrays from nothing. */
#include "capi/capi.h"
#include "mlx/c/ops.h"

int mlx_arange(mlx_array *res, double start, double stop, double step, mlx_dtype dtype, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_arange(start, stop, step, capi_dtype(dtype)));
}

int mlx_linspace(mlx_array *res, double start, double stop, int num, mlx_dtype dtype, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_linspace(start, stop, num, capi_dtype(dtype)));
}

int mlx_full(mlx_array *res, const int *shape, size_t shape_num, const mlx_array vals, mlx_dtype dtype,
             const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_full(capi_ints(shape), shape_num, capi_in(vals), capi_dtype(dtype)));
}

int mlx_full_like(mlx_array *res, const mlx_array a, const mlx_array vals, mlx_dtype dtype,
                  const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_full_like(capi_in(a), capi_in(vals), capi_dtype(dtype)));
}

int mlx_zeros(mlx_array *res, const int *shape, size_t shape_num, mlx_dtype dtype, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_zeros(capi_ints(shape), shape_num, capi_dtype(dtype)));
}

int mlx_ones(mlx_array *res, const int *shape, size_t shape_num, mlx_dtype dtype, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_ones(capi_ints(shape), shape_num, capi_dtype(dtype)));
}

/* LIKE(name): mlx_<name> is mx_<name> of one array. */
#define LIKE(name)                                                        \
    int mlx_##name(mlx_array *res, const mlx_array a, const mlx_stream s) \
    {                                                                     \
        size_t mark = capi_enter(s);                                      \
        return LEAVE(mark, res, mx_##name(capi_in(a)));                   \
    }

LIKE(zeros_like)
LIKE(ones_like)

int mlx_eye(mlx_array *res, int n, int m, int k, mlx_dtype dtype, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_eye(n, m, k, capi_dtype(dtype)));
}

int mlx_tri(mlx_array *res, int n, int m, int k, mlx_dtype type, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_tri(n, m, k, capi_dtype(type)));
}

int mlx_identity(mlx_array *res, int n, mlx_dtype dtype, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_identity(n, capi_dtype(dtype)));
}

int mlx_meshgrid(mlx_vector_array *res, const mlx_vector_array arrays, bool sparse, const char *indexing,
                 const mlx_stream s)
{
    size_t n, mark = capi_enter(s);
    const mlx_array *x = capi_items(arrays, &n);
    mlx_array *out = capi_room(n);
    int rc = !x || !out || !capi_text(indexing, "indexing") || mx_meshgrid(x, n, sparse, indexing, out);
    return capi_leave_room(mark, res, out, n, rc, HERE);
}

#if MLX_C_ABI >= MLX_C_ABI_0_6_0
/* WINDOW(name): mlx_<name> is the window mx_<name>. */
#define WINDOW(name)                                          \
    int mlx_##name(mlx_array *res, int M, const mlx_stream s) \
    {                                                         \
        size_t mark = capi_enter(s);                          \
        return LEAVE(mark, res, mx_##name(M));                \
    }

WINDOW(bartlett)
WINDOW(blackman)
WINDOW(hamming)
WINDOW(hanning)

#endif
