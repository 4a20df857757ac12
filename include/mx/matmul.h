/* Matrix products, plain and quantized. */
#ifndef MX_MATMUL_H
#define MX_MATMUL_H

#include "mx/array.h"

/* --- matrix products --- */

/* (.., M, K) @ (.., K, N), batch axes broadcast; accumulates in float32. */
MX_API mlx_array mx_matmul(mlx_array a, mlx_array b);

/* Affine quantization of w (.., N, K) float by groups of 32, 64 or 128 along K to 2, 3, 4, 5, 6 or 8 bits.
 * out[0]: uint32 (.., N, K*bits/32); out[1], out[2]: scales and biases (.., N, K/group) of w's dtype. Bit for
 * bit MLX's. */
MX_API int mx_quantize(mlx_array w, int group_size, int bits, mlx_array out[3]);
MX_API mlx_array mx_dequantize(mlx_array w, mlx_array scales, mlx_array biases, int group_size, int bits);
/* x (.., M, K) @ dequantize(w).T when transpose (w (N, K*bits/32)), else x @ dequantize(w). Result dtype
 * promote(x, scales). */
MX_API mlx_array mx_quantized_matmul(mlx_array x, mlx_array w, mlx_array scales, mlx_array biases,
                                     bool transpose, int group_size, int bits, mx_precision precision);

#endif
