/* Quantization in all modes. mode: "affine" (NULL too; groups of 32, 64 or 128, 2 to 8 bits but 7), "mxfp4"
 * (32, 4), "mxfp8" (32, 8) or "nvfp4" (16, 4); group_size and bits of 0 are the mode's own (affine: 64 and
 * 4). Scales of the float modes are uint8, E8M0 or for nvfp4 E4M3, and they have no biases; global_scale, a
 * float32 scalar or null, is nvfp4's. */
#ifndef MX_QUANTIZE_H
#define MX_QUANTIZE_H

#include "mx/array.h"

/* w (.., K) float, at least two axes. out[0]: packed codes, uint32 (.., K * bits / 32); out[1]: scales
 * (.., K / group_size); affine's out[2]: biases. Returns the number of results, 3 or 2, or -1. */
MX_API int mx_quantize_mode(mlx_array w, int group_size, int bits, const char *mode, mlx_array global_scale,
                            mlx_array out[3]);
/* dtype NULL: that of the scales and biases, or bfloat16 in the float modes. */
MX_API mlx_array mx_dequantize_mode(mlx_array w, mlx_array scales, mlx_array biases, int group_size, int bits,
                                    const char *mode, mlx_array global_scale, const mlx_dtype *dtype);
/* x @ dequantize(w).T if transpose, else x @ dequantize(w); batch axes broadcast. Of x's dtype, promoted with
 * the scales' and biases' in mode affine. */
MX_API mlx_array mx_quantized_matmul_mode(mlx_array x, mlx_array w, mlx_array scales, mlx_array biases,
                                          bool transpose, int group_size, int bits, const char *mode);
/* The same for picked pairs of matrices; the indices are those of mx_gather_mm. */
MX_API mlx_array mx_gather_qmm(mlx_array x, mlx_array w, mlx_array scales, mlx_array biases,
                               mlx_array lhs_indices, mlx_array rhs_indices, bool transpose, int group_size,
                               int bits, const char *mode, bool sorted_indices);
/* x, quantized, @ w.T: w (N, K) float, which is quantized too, or packed with its scales. mode NULL: nvfp4;
 * not affine. Global scales: both or none. Of x's dtype. */
MX_API mlx_array mx_qqmm(mlx_array x, mlx_array w, mlx_array w_scales, int group_size, int bits,
                         const char *mode, mlx_array global_scale_x, mlx_array global_scale_w);
/* Floats to E4M3 in uint8 (to nearest even; beyond 448 and NaN: 448), and back. */
MX_API mlx_array mx_to_fp8(mlx_array x);
MX_API mlx_array mx_from_fp8(mlx_array x, mlx_dtype dtype);

#endif
