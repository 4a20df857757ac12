/* Linear algebra (mlx.core.linalg). Matrices are the last two axes, the others a batch; float32 and float64,
 * and complex64 where it says so. Needs OpenBLAS at run time, except cross and the norms of vectors. */
#ifndef MX_LINALG_H
#define MX_LINALG_H

#include "mx/array.h"

/* --- factorizations; those with several results give 0, or -1 with an error --- */

/* The lower (or upper) Cholesky factor of a symmetric matrix, of which that triangle is read. */
MX_API mlx_array mx_linalg_cholesky(mlx_array a, bool upper);
/* out: Q (.., M, K) and R (.., K, N), K the smaller of M and N. */
MX_API int mx_linalg_qr(mlx_array a, mlx_array out[2]);
/* compute_uv: out = U (.., M, M), S (.., K), Vt (.., N, N), else S alone in out[0]. Complex too. */
MX_API int mx_linalg_svd(mlx_array a, bool compute_uv, mlx_array *out);
/* out: rows P (.., M) uint32, L (.., M, K), U (.., K, N); a = take(L, P) @ U. */
MX_API int mx_linalg_lu(mlx_array a, mlx_array out[3]);
/* out: L and U in one matrix, and pivots (.., K) uint32: row i was exchanged with row pivots[i]. */
MX_API int mx_linalg_lu_factor(mlx_array a, mlx_array out[2]);
/* out: values (.., N) and vectors in columns (.., N, N), complex64. Complex too. */
MX_API int mx_linalg_eig(mlx_array a, mlx_array out[2]);
MX_API mlx_array mx_linalg_eigvals(mlx_array a);
/* Of a symmetric or Hermitian matrix, of which the triangle UPLO ("L" or "U") is read: out = values in rising
 * order, vectors in columns. Complex too. */
MX_API int mx_linalg_eigh(mlx_array a, const char *UPLO, mlx_array out[2]);
MX_API mlx_array mx_linalg_eigvalsh(mlx_array a, const char *UPLO);

/* --- inverses and equations --- */

MX_API mlx_array mx_linalg_inv(mlx_array a);
/* Of a triangular matrix: the other triangle is not read. */
MX_API mlx_array mx_linalg_tri_inv(mlx_array a, bool upper);
/* Of the matrix whose Cholesky factor is a. */
MX_API mlx_array mx_linalg_cholesky_inv(mlx_array a, bool upper);
/* The pseudo-inverse, by singular values. */
MX_API mlx_array mx_linalg_pinv(mlx_array a);
/* x with a @ x = b; b is a vector or a batch of matrices. */
MX_API mlx_array mx_linalg_solve(mlx_array a, mlx_array b);
MX_API mlx_array mx_linalg_solve_triangular(mlx_array a, mlx_array b, bool upper);

/* --- products and norms: axis NULL = all axes --- */

/* Along an axis of size 2 or 3. */
MX_API mlx_array mx_linalg_cross(mlx_array a, mlx_array b, int axis);
/* One axis: the vector norm of any order (0 counts, infinities are max and min); two: the matrix norm of
 * order 1, -1, 2, -2, inf or -inf. */
MX_API mlx_array mx_linalg_norm(mlx_array a, double ord, const int *axis, size_t n, bool keepdims);
/* ord "fro" or "f", or "nuc" (the sum of the singular values); two axes. */
MX_API mlx_array mx_linalg_norm_matrix(mlx_array a, const char *ord, const int *axis, size_t n,
                                       bool keepdims);
/* sqrt(sum |x|^2) over at most two axes; axis NULL: over all elements. */
MX_API mlx_array mx_linalg_norm_l2(mlx_array a, const int *axis, size_t n, bool keepdims);

#endif
