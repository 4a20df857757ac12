/* Products with affine-quantized matrices in MLX's packing, read where they are (a mapped file). */
#ifndef MICA_CPU_QMM_H
#define MICA_CPU_QMM_H

#include "mx.h"

/* W (n, k), quantized along k. Row r of `w` begins at w + r * k * bits / 32; scales and biases are (n, k/group). */
typedef struct quant_matrix {
    const uint32_t *w;
    const void *scales, *biases;
    mlx_dtype scale_dtype; /* float32, float16 or bfloat16 */
    int bits, group;       /* 2 3 4 5 6 8; 32 64 128; group divides k */
    size_t n, k;
} quant_matrix;

/* y (m, n) = x (m, k) W^T, or with transpose false y (m, k) = x (m, n) W; rows of x and y are contiguous,
 * x rows xs elements apart. x and y of dtype float32, float16 or bfloat16, sums in float32. MX_INT8 needs
 * 4 or 8 bits and transpose, and falls back to exact otherwise. Runs on the pool. 0, or -1 when scratch
 * memory cannot be had. */
int cpu_qmm(const quant_matrix *w, const void *x, mlx_dtype x_dtype, size_t xs, size_t m, void *y, mlx_dtype y_dtype,
            bool transpose, mx_precision precision);

/* w (n groups of `group` floats) of dtype to packed words, scales, biases, on the pool: MLX's affine rule. */
void cpu_quantize(const void *w, mlx_dtype dtype, size_t groups, int group, int bits, uint32_t *q, void *scales,
                  void *biases);
/* And back, to out_dtype. */
void cpu_dequantize(const uint32_t *q, const void *scales, const void *biases, mlx_dtype scale_dtype, size_t groups,
                    int group, int bits, void *out, mlx_dtype out_dtype);

typedef struct qmm_kernels {
    int unused;
} qmm_kernels;

#endif
