/* Linear algebra: checks, and what is composed of factorizations and products. */
#include "ops/ops.h"

#include "array/dtype.h"

#include <float.h>
#include <string.h>

/* --- checks --- */

static bool at_least_2d(const char *op, mlx_array a)
{
    if (mx_ndim(a) >= 2)
        return true;
    error_set("[linalg::%s] Arrays must have >= 2 dimensions. Received array with %d dimensions.", op,
              mx_ndim(a));
    return false;
}

static bool is_real(const char *op, mlx_array a)
{
    mlx_dtype t = mx_dtype_of(a);
    if (t == MLX_FLOAT32 || t == MLX_FLOAT64)
        return true;
    error_set("[linalg::%s] Arrays must have type float32 or float64. Received array with type %s.", op,
              mx_dtype_name(t));
    return false;
}

static bool is_real_or_complex(const char *op, mlx_array a)
{
    mlx_dtype t = mx_dtype_of(a);
    if (t == MLX_FLOAT32 || t == MLX_FLOAT64 || t == MLX_COMPLEX64)
        return true;
    error_set(
        "[linalg::%s] Arrays must have type float32, float64 or complex64. Received array with type %s.", op,
        mx_dtype_name(t));
    return false;
}

/* `why` ends the message "[linalg::op] ...". */
static bool is_square(const char *op, mlx_array a, const char *why)
{
    if (mx_dim(a, -1) == mx_dim(a, -2))
        return true;
    error_set("[linalg::%s] %s Received array with shape %s.", op, why, op_shape(a));
    return false;
}

/* Null arrays fail in silence: what made them has said why. */
static bool is_matrix(const char *op, mlx_array a)
{
    return !mx_is_null(a) && is_real(op, a) && at_least_2d(op, a);
}

static int none(mlx_array *out, int n)
{
    for (int i = 0; i < n; i++)
        out[i] = MX_NULL;
    return -1;
}

/* --- factorizations --- */

mlx_array mx_linalg_cholesky(mlx_array a, bool upper)
{
    prim_upper params = {upper};
    if (!is_matrix("cholesky", a) ||
        !is_square("cholesky", a, "Cholesky decomposition is only defined for square matrices."))
        return MX_NULL;
    return prim_make(PRIM_Cholesky, &a, 1, &params, sizeof params);
}

int mx_linalg_qr(mlx_array a, mlx_array out[2])
{
    return is_matrix("qr", a) ? prim_make_many(PRIM_QRF, &a, 1, NULL, 0, out, 2) : none(out, 2);
}

int mx_linalg_svd(mlx_array a, bool compute_uv, mlx_array *out)
{
    prim_vectors params = {compute_uv};
    if (mx_is_null(a) || !is_real_or_complex("svd", a) || !at_least_2d("svd", a))
        return none(out, compute_uv ? 3 : 1);
    if (compute_uv)
        return prim_make_many(PRIM_SVD, &a, 1, &params, sizeof params, out, 3);
    out[0] = prim_make(PRIM_SVD, &a, 1, &params, sizeof params);
    return mx_is_null(out[0]) ? -1 : 0;
}

int mx_linalg_lu_factor(mlx_array a, mlx_array out[2])
{
    return is_matrix("lu_factor", a) ? prim_make_many(PRIM_LUF, &a, 1, NULL, 0, out, 2) : none(out, 2);
}

/* x where the column minus the row is at most (lower) or at least `diagonal`, else 0. */
static mlx_array triangle(mlx_array x, bool lower, int diagonal)
{
    mlx_array rows = mx_reshape(mx_arange(0, mx_dim(x, -2), 1, MLX_INT32), SHAPE(-1, 1));
    mlx_array distance = mx_subtract(mx_arange(0, mx_dim(x, -1), 1, MLX_INT32), rows);
    mlx_array k = mx_int(diagonal, MLX_INT32);
    return mx_where(lower ? mx_less_equal(distance, k) : mx_greater_equal(distance, k), x,
                    mx_int(0, mx_dtype_of(x)));
}

int mx_linalg_lu(mlx_array a, mlx_array out[3])
{
    mlx_array f[3];
    if (!is_matrix("lu", a) || prim_make_many(PRIM_LUF, &a, 1, NULL, 0, f, 3))
        return none(out, 3);
    int m = mx_dim(a, -2), n = mx_dim(a, -1), k = m < n ? m : n;
    mlx_array diagonal = triangle(triangle(mx_ones(SHAPE(m, k), mx_dtype_of(a)), true, 0), false, 0);
    out[0] = f[2];
    out[1] = mx_add(mx_slice_axis(triangle(f[0], true, -1), -1, 0, k), diagonal);
    out[2] = mx_slice_axis(triangle(f[0], false, 0), -2, 0, k);
    return mx_is_null(out[1]) || mx_is_null(out[2]) ? none(out, 3) : 0;
}

/* --- eigenvalues --- */

static bool is_eigen(const char *op, mlx_array a)
{
    return !mx_is_null(a) && is_real_or_complex(op, a) && at_least_2d(op, a) &&
           is_square(op, a, "Only defined for square matrices.");
}

int mx_linalg_eig(mlx_array a, mlx_array out[2])
{
    prim_vectors params = {1};
    return is_eigen("eig", a) ? prim_make_many(PRIM_Eig, &a, 1, &params, sizeof params, out, 2)
                              : none(out, 2);
}

mlx_array mx_linalg_eigvals(mlx_array a)
{
    prim_vectors params = {0};
    return is_eigen("eigvals", a) ? prim_make(PRIM_Eig, &a, 1, &params, sizeof params) : MX_NULL;
}

static bool read_uplo(const char *op, const char *UPLO, int32_t *upper)
{
    *upper = UPLO && strcmp(UPLO, "U") == 0;
    if (*upper || (UPLO && strcmp(UPLO, "L") == 0))
        return true;
    error_set("[linalg::%s] UPLO must be \"L\" or \"U\", not \"%.20s\".", op, UPLO ? UPLO : "");
    return false;
}

int mx_linalg_eigh(mlx_array a, const char *UPLO, mlx_array out[2])
{
    prim_eigh params = {.vectors = 1};
    if (!is_eigen("eigh", a) || !read_uplo("eigh", UPLO, &params.upper))
        return none(out, 2);
    return prim_make_many(PRIM_Eigh, &a, 1, &params, sizeof params, out, 2);
}

mlx_array mx_linalg_eigvalsh(mlx_array a, const char *UPLO)
{
    prim_eigh params = {.vectors = 0};
    if (!is_eigen("eigvalsh", a) || !read_uplo("eigvalsh", UPLO, &params.upper))
        return MX_NULL;
    return prim_make(PRIM_Eigh, &a, 1, &params, sizeof params);
}

/* --- inverses --- */

static mlx_array invert(const char *op, mlx_array a, bool tri, bool upper)
{
    prim_inverse params = {tri, upper};
    if (!is_matrix(op, a) || !is_square(op, a, "Inverses are only defined for square matrices."))
        return MX_NULL;
    return prim_make(PRIM_Inverse, &a, 1, &params, sizeof params);
}

mlx_array mx_linalg_inv(mlx_array a) { return invert("inv", a, false, false); }

mlx_array mx_linalg_tri_inv(mlx_array a, bool upper) { return invert("tri_inv", a, true, upper); }

mlx_array mx_linalg_cholesky_inv(mlx_array a, bool upper)
{
    if (!is_matrix("cholesky_inv", a) ||
        !is_square("cholesky_inv", a, "Cholesky inverse is only defined for square matrices."))
        return MX_NULL;
    mlx_array inverse = invert("cholesky_inv", a, true, upper), turned = mx_swapaxes(inverse, -1, -2);
    return upper ? mx_matmul(inverse, turned) : mx_matmul(turned, inverse);
}

/* V diag(1/s) U^T over the singular values that are not noise. */
mlx_array mx_linalg_pinv(mlx_array a)
{
    mlx_array f[3];
    if (!is_matrix("pinv", a))
        return MX_NULL;
    int m = mx_dim(a, -2), n = mx_dim(a, -1), k = m < n ? m : n;
    mlx_dtype t = mx_dtype_of(a);
    if (mx_size(a) == 0) {
        int shape[MX_MAX_DIMS];
        memcpy(shape, mx_shape(a), (size_t)mx_ndim(a) * sizeof *shape);
        shape[mx_ndim(a) - 2] = n;
        shape[mx_ndim(a) - 1] = m;
        return mx_zeros(shape, (size_t)mx_ndim(a), t);
    }
    if (mx_linalg_svd(a, true, f))
        return MX_NULL;
    mlx_array ut = mx_swapaxes(mx_slice_axis(f[0], -1, 0, k), -1, -2);
    mlx_array v = mx_swapaxes(mx_slice_axis(f[2], -2, 0, k), -1, -2), s = mx_expand_dims(f[1], -2);
    double noise = 10.0 * (m > n ? m : n) * (t == MLX_FLOAT64 ? DBL_EPSILON : (double)FLT_EPSILON);
    mlx_array cutoff = mx_multiply(mx_float(noise, t), mx_max(s, SHAPE(-1), true));
    mlx_array inverse = mx_where(mx_greater(s, cutoff), mx_reciprocal(s), mx_float(0, t));
    return mx_matmul(mx_multiply(v, inverse), ut);
}

/* --- equations --- */

static bool are_equations(const char *op, mlx_array a, mlx_array b)
{
    if (mx_is_null(a) || mx_is_null(b))
        return false;
    if (mx_ndim(a) < 2)
        error_set("[linalg::%s] First input must have >= 2 dimensions. Received array with %d dimensions.",
                  op, mx_ndim(a));
    else if (mx_ndim(b) < 1)
        error_set("[linalg::%s] Second input must have >= 1 dimensions. Received array with %d dimensions.",
                  op, mx_ndim(b));
    else if (mx_dim(a, -1) != mx_dim(a, -2))
        error_set("[linalg::%s] First input must be a square matrix. Received array with shape %s.", op,
                  op_shape(a));
    else if (mx_dim(a, -1) != mx_dim(b, mx_ndim(b) > 1 ? -2 : -1))
        error_set(
            "[linalg::%s] Last dimension of first input with shape %s must match second to last dimension of "
            "second input with shape %s.",
            op, op_shape(a), op_shape(b));
    else {
        mlx_dtype t = mx_promote(mx_dtype_of(a), mx_dtype_of(b));
        if (t == MLX_FLOAT32 || t == MLX_FLOAT64)
            return true;
        error_set(
            "[linalg::%s] Input arrays must promote to float32 or float64.  Received arrays with type %s and "
            "%s.",
            op, mx_dtype_name(mx_dtype_of(a)), mx_dtype_name(mx_dtype_of(b)));
    }
    return false;
}

mlx_array mx_linalg_solve_triangular(mlx_array a, mlx_array b, bool upper)
{
    if (!are_equations("solve_triangular", a, b))
        return MX_NULL;
    return mx_matmul(mx_linalg_tri_inv(a, upper), b);
}

mlx_array mx_linalg_solve(mlx_array a, mlx_array b)
{
    mlx_array f[3];
    if (!are_equations("solve", a, b) || mx_linalg_lu(a, f))
        return MX_NULL;
    mlx_array rows = mx_stop_gradient(mx_argsort(f[0], -1));
    if (mx_ndim(b) >= 2)
        rows = mx_expand_dims(rows, -1);
    while (!mx_is_null(rows) && mx_ndim(rows) < mx_ndim(b))
        rows = mx_expand_dims(rows, 0);
    mlx_array turned = mx_take_along_axis(b, rows, mx_ndim(b) >= 2 ? -2 : -1);
    return mx_linalg_solve_triangular(f[2], mx_linalg_solve_triangular(f[1], turned, false), true);
}
