/** @file
 * Linear algebra. Matrices are the last two axes; all run on the CPU. */
#ifndef MLX_C_LINALG_H
#define MLX_C_LINALG_H

#include "mlx/c/array.h"
#include "mlx/c/stream.h"
#include "mlx/c/vector.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/** L (or its transpose, if upper) with L L^T = a. float32, float64; a matrix without one is an error of
 * evaluation. */
int mlx_linalg_cholesky(mlx_array *res, const mlx_array a, bool upper, const mlx_stream s);

/** Inverse of the matrix whose Cholesky factor is a. */
int mlx_linalg_cholesky_inv(mlx_array *res, const mlx_array a, bool upper, const mlx_stream s);

/** Cross product on an axis of size 2 or 3. */
int mlx_linalg_cross(mlx_array *res, const mlx_array a, const mlx_array b, int axis, const mlx_stream s);

/** *res_0 = eigenvalues, *res_1 = eigenvectors in columns; complex64. */
int mlx_linalg_eig(mlx_array *res_0, mlx_array *res_1, const mlx_array a, const mlx_stream s);

/** *res_0 = eigenvalues, ascending, *res_1 = eigenvectors in columns, of a symmetric matrix of which the
 * "L" or "U" triangle is read. */
int mlx_linalg_eigh(mlx_array *res_0, mlx_array *res_1, const mlx_array a, const char *UPLO,
                    const mlx_stream s);

/** The eigenvalues alone. */
int mlx_linalg_eigvals(mlx_array *res, const mlx_array a, const mlx_stream s);

/** The eigenvalues of mlx_linalg_eigh alone. */
int mlx_linalg_eigvalsh(mlx_array *res, const mlx_array a, const char *UPLO, const mlx_stream s);

/** Inverses of square matrices. float32, float64; a singular one is an error of evaluation. */
int mlx_linalg_inv(mlx_array *res, const mlx_array a, const mlx_stream s);

/** A vector of three: the row permutation (uint32), L and U. */
int mlx_linalg_lu(mlx_vector_array *res, const mlx_array a, const mlx_stream s);

/** *res_0 = L and U in one matrix, *res_1 = pivots (uint32, from 0). */
int mlx_linalg_lu_factor(mlx_array *res_0, mlx_array *res_1, const mlx_array a, const mlx_stream s);

/** Norm of order ord on one axis (of vectors: any p, 0, inf, -inf) or two (of matrices: 1, -1, 2, -2, inf,
 * -inf); axis NULL = all axes. */
int mlx_linalg_norm(mlx_array *res, const mlx_array a, double ord, const int *axis /* may be null */,
                    size_t axis_num, bool keepdims, const mlx_stream s);

/** Norm of matrices, ord "fro", "f" or "nuc", on two axes. */
int mlx_linalg_norm_matrix(mlx_array *res, const mlx_array a, const char *ord,
                           const int *axis /* may be null */, size_t axis_num, bool keepdims,
                           const mlx_stream s);

/** sqrt(sum |x|^2) on at most two axes; axis NULL = of all elements. */
int mlx_linalg_norm_l2(mlx_array *res, const mlx_array a, const int *axis /* may be null */, size_t axis_num,
                       bool keepdims, const mlx_stream s);

/** Pseudo-inverse. */
int mlx_linalg_pinv(mlx_array *res, const mlx_array a, const mlx_stream s);

/** *res_0 = Q, *res_1 = R, reduced. */
int mlx_linalg_qr(mlx_array *res_0, mlx_array *res_1, const mlx_array a, const mlx_stream s);

/** x with a x = b; b holds vectors or matrices. */
int mlx_linalg_solve(mlx_array *res, const mlx_array a, const mlx_array b, const mlx_stream s);

/** The same for a triangular matrix a. */
int mlx_linalg_solve_triangular(mlx_array *res, const mlx_array a, const mlx_array b, bool upper,
                                const mlx_stream s);

/** A vector of U, S and Vt, or of S alone. */
int mlx_linalg_svd(mlx_vector_array *res, const mlx_array a, bool compute_uv, const mlx_stream s);

/** Inverses of triangular matrices. */
int mlx_linalg_tri_inv(mlx_array *res, const mlx_array a, bool upper, const mlx_stream s);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
