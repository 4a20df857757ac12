/* Dense matrix products in float32, float16 and bfloat16, any mix of them. */
#ifndef MICA_CPU_GEMM_H
#define MICA_CPU_GEMM_H

#include "mx.h"

/* A matrix somewhere: element (i, j) is at data[i * rs + j * cs] (in elements; one of rs and cs is usually 1). */
typedef struct gemm_matrix {
    const void *data;
    mlx_dtype dtype;
    int64_t rs, cs;
} gemm_matrix;

/* c (m, n) = a (m, k) b (k, n), c row-major with rows ldc elements apart; sums in float32. dtypes float32,
 * float16, bfloat16 for each of a, b, c (float64 too, when all three are). Runs on the pool when it is worth it. 0, or -1 when scratch memory cannot be had. */
int cpu_gemm(size_t m, size_t n, size_t k, gemm_matrix a, gemm_matrix b, void *c, mlx_dtype c_dtype, size_t ldc);

typedef struct gemm_kernels {
    int unused;
} gemm_kernels;

#endif
