/* Matrix products, plain and quantized. */
#ifndef MX_MATMUL_H
#define MX_MATMUL_H

#include "mx/array.h"

/* --- matrix products --- */

/* (.., M, K) @ (.., K, N), batch axes broadcast; a vector is one row (a) or column (b), whose axis the result
 * lacks. Float or complex dtypes, promoted; accumulates in float32 (float64 in itself). K = 0 gives zeros. */
MX_API mlx_array mx_matmul(mlx_array a, mlx_array b);
/* alpha * (a @ b) + beta * c, rounded once; c broadcasts to the product's shape. */
MX_API mlx_array mx_addmm(mlx_array c, mlx_array a, mlx_array b, float alpha, float beta);
/* a's matrix lhs_indices[i] @ b's matrix rhs_indices[i] for each place i of the indices' broadcast shape,
 * which is followed by (M, N). Matrices are counted over the batch axes; a null index array means all, in
 * order; both null: matmul. sorted_indices promises that the given indices do not fall; results do not depend
 * on it. */
MX_API mlx_array mx_gather_mm(mlx_array a, mlx_array b, mlx_array lhs_indices, mlx_array rhs_indices,
                              bool sorted_indices);
/* a (M, K), b (K, N), segments (.., 2): for each the product over k in [begin, end) only: (.., M, N). */
MX_API mlx_array mx_segmented_mm(mlx_array a, mlx_array b, mlx_array segments);
/* (a * mask_lhs) @ (b * mask_rhs) * mask_out, each mask one value a block of block_size (32 or 64) squared,
 * bool or a factor, or null. */
MX_API mlx_array mx_block_masked_mm(mlx_array a, mlx_array b, int block_size, mlx_array mask_out,
                                    mlx_array mask_lhs, mlx_array mask_rhs);
/* The last axis, of size m * 2^k with m one of 1, 12, 20, 28, times the Hadamard matrix of that size
 * (Sylvester's doubling of the m x m one) and scale (NULL: 1 / sqrt(size)). */
MX_API mlx_array mx_hadamard_transform(mlx_array a, const float *scale);

/* Affine quantization of w (.., N, K) float by groups of 32, 64 or 128 along K to 2, 3, 4, 5, 6 or 8 bits.
 * out[0]: uint32 (.., N, K*bits/32); out[1], out[2]: scales and biases (.., N, K/group) of w's dtype. Bit for
 * bit MLX's. */
MX_API int mx_quantize(mlx_array w, int group_size, int bits, mlx_array out[3]);
MX_API mlx_array mx_dequantize(mlx_array w, mlx_array scales, mlx_array biases, int group_size, int bits);
/* Products of so many rows or fewer give each row the bits that it has alone; those of mx_many_rows or more
 * give each the bits that it has among any number of these. quantized: of quantized_matmul, else of matmul
 * with w^T. */
MX_API int mx_few_rows(bool quantized);
MX_API int mx_many_rows(bool quantized);
/* x (.., M, K) @ dequantize(w).T when transpose (w (N, K*bits/32)), else x @ dequantize(w). Result dtype
 * promote(x, scales). */
MX_API mlx_array mx_quantized_matmul(mlx_array x, mlx_array w, mlx_array scales, mlx_array biases,
                                     bool transpose, int group_size, int bits, mx_precision precision);

#endif
