/* Linear algebra. */
#include "mlx/c/linalg.h"

#include "capi/capi.h"

/* UNARY(name): mlx_linalg_<name> of one array. */
#define UNARY(name)                                                              \
    int mlx_linalg_##name(mlx_array *res, const mlx_array a, const mlx_stream s) \
    {                                                                            \
        size_t mark = capi_enter(s);                                             \
        return LEAVE(mark, res, mx_linalg_##name(capi_in(a)));                   \
    }
UNARY(inv)
UNARY(pinv)
UNARY(eigvals)

/* TRIANGULAR(name): with the parameter upper. */
#define TRIANGULAR(name)                                                                     \
    int mlx_linalg_##name(mlx_array *res, const mlx_array a, bool upper, const mlx_stream s) \
    {                                                                                        \
        size_t mark = capi_enter(s);                                                         \
        return LEAVE(mark, res, mx_linalg_##name(capi_in(a), upper));                        \
    }
TRIANGULAR(cholesky)
TRIANGULAR(cholesky_inv)
TRIANGULAR(tri_inv)

int mlx_linalg_cross(mlx_array *res, const mlx_array a, const mlx_array b, int axis, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_linalg_cross(capi_in(a), capi_in(b), axis));
}

int mlx_linalg_solve(mlx_array *res, const mlx_array a, const mlx_array b, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_linalg_solve(capi_in(a), capi_in(b)));
}

int mlx_linalg_solve_triangular(mlx_array *res, const mlx_array a, const mlx_array b, bool upper,
                                const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_linalg_solve_triangular(capi_in(a), capi_in(b), upper));
}

/* --- several results --- */

/* PAIR(name): mlx_linalg_<name> has two results. */
#define PAIR(name)                                                                                   \
    int mlx_linalg_##name(mlx_array *res_0, mlx_array *res_1, const mlx_array a, const mlx_stream s) \
    {                                                                                                \
        mlx_array out[2];                                                                            \
        size_t mark = capi_enter(s);                                                                 \
        int rc = mx_linalg_##name(capi_in(a), out);                                                  \
        return LEAVE_ALL(mark, ((mlx_array *const[]){res_0, res_1}), out, 2, rc);                    \
    }
PAIR(eig)
PAIR(lu_factor)
PAIR(qr)

int mlx_linalg_eigh(mlx_array *res_0, mlx_array *res_1, const mlx_array a, const char *UPLO,
                    const mlx_stream s)
{
    mlx_array out[2];
    size_t mark = capi_enter(s);
    int rc = !capi_text(UPLO, "UPLO") || mx_linalg_eigh(capi_in(a), UPLO, out);
    return LEAVE_ALL(mark, ((mlx_array *const[]){res_0, res_1}), out, 2, rc);
}

int mlx_linalg_eigvalsh(mlx_array *res, const mlx_array a, const char *UPLO, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, capi_text(UPLO, "UPLO") ? mx_linalg_eigvalsh(capi_in(a), UPLO) : MX_NULL);
}

int mlx_linalg_lu(mlx_vector_array *res, const mlx_array a, const mlx_stream s)
{
    mlx_array out[3];
    size_t mark = capi_enter(s);
    int rc = mx_linalg_lu(capi_in(a), out);
    return LEAVE_VECTOR(mark, res, out, 3, rc);
}

int mlx_linalg_svd(mlx_vector_array *res, const mlx_array a, bool compute_uv, const mlx_stream s)
{
    mlx_array out[3];
    size_t mark = capi_enter(s);
    int rc = mx_linalg_svd(capi_in(a), compute_uv, out);
    return LEAVE_VECTOR(mark, res, out, compute_uv ? 3 : 1, rc);
}

/* --- norms: a NULL list stands for all axes --- */

int mlx_linalg_norm(mlx_array *res, const mlx_array a, double ord, const int *axis, size_t axis_num,
                    bool keepdims, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_linalg_norm(capi_in(a), ord, axis, axis_num, keepdims));
}

int mlx_linalg_norm_matrix(mlx_array *res, const mlx_array a, const char *ord, const int *axis,
                           size_t axis_num, bool keepdims, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res,
                 capi_text(ord, "ord") ? mx_linalg_norm_matrix(capi_in(a), ord, axis, axis_num, keepdims)
                                       : MX_NULL);
}

int mlx_linalg_norm_l2(mlx_array *res, const mlx_array a, const int *axis, size_t axis_num, bool keepdims,
                       const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_linalg_norm_l2(capi_in(a), axis, axis_num, keepdims));
}
