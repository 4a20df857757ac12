/* Dense matrix products in float32, float16 and bfloat16, any mix of them; in float64 and in complex64. */
#ifndef MICA_CPU_GEMM_H
#define MICA_CPU_GEMM_H

#include "mx/array.h"

/* A matrix somewhere: element (i, j) is at data[i * rs + j * cs] (in elements; one of rs and cs is usually
 * 1). */
typedef struct gemm_matrix {
    const void *data;
    mlx_dtype dtype;
    int64_t rs, cs;
} gemm_matrix;

/* Up to so many rows of a, with b transposed, rows have the same bits; and all those beyond, too. */
enum { GEMM_FEW_ROWS = 12 };

/* c (m, n) = a (m, k) b (k, n), c row-major with rows ldc elements apart; sums in float32. dtypes float32,
 * float16, bfloat16 for each of a, b, c (float64 or complex64 too, when all three are); k = 0 gives zeros.
 * Runs on the pool when it is worth it; the values do not depend on the number of threads. 0, or -1 with the
 * error set when scratch memory cannot be had. */
int cpu_gemm(size_t m, size_t n, size_t k, gemm_matrix a, gemm_matrix b, void *c, mlx_dtype c_dtype,
             size_t ldc);

#define GEMM_PAIRS 32 /* columns in a panel of pairs */

/* The building blocks, shared with attention. Tables are indexed by norm_slot(dtype of the operand that is
 * not float32). No slot reads or writes an element outside the matrices named. */
typedef struct gemm_kernels {
    /* The register tile: panels of `a` are mr lanes wide, panels of `b` nr. nr is a multiple of mr's vector.
     */
    size_t mr, nr;

    /* dst[p * width + lane] = src[lane * lane_stride + p * k_stride] for p < k, lane < lanes; the lanes from
     * there up to width are zero. */
    void (*panel[3])(const void *src, int64_t lane_stride, int64_t k_stride, size_t lanes, size_t k,
                     size_t width, float *dst);

    /* c[i * ldc + j] (+)= sum over p < k of a[p * mr + i] * b[p * nr + j], for i < rows <= mr, j < cols <=
     * nr. */
    void (*tile)(size_t rows, size_t cols, size_t k, const float *a, const float *b, float *c, size_t ldc,
                 bool add);

    /* Where the processor multiplies bfloat16 (NULL elsewhere). A panel of `lanes` <= GEMM_PAIRS lanes as
     * pairs of k, (k / 2, GEMM_PAIRS, 2): dst[p / 2 * 2 * GEMM_PAIRS + 2 * lane + p % 2], zero from `lanes`
     * and k on up to whole panels and a multiple of 32. And c (m, GEMM_PAIRS) += x (m, k; rows ldx apart)
     * panel, for such a k; it may read x and touch c up to a multiple of 32 rows. dst, panel and c are
     * aligned to 64 bytes. */
    void (*pairs)(const uint16_t *src, int64_t lane_stride, int64_t k_stride, size_t lanes, size_t k,
                  uint16_t *dst);
    void (*tile_bf16)(const uint16_t *panel, size_t k, const uint16_t *x, size_t ldx, size_t m, float *c);

    /* y[i * ldy + r] = sum over p < k of x[i * ldx + p] * w[r * ldw + p], for i < m, r < rows. */
    void (*dot[3])(size_t k, const void *w, int64_t ldw, size_t rows, const float *x, size_t ldx, size_t m,
                   float *y, size_t ldy);

    /* y[i * ldy + j] += sum over p < k of x[i * ldx + p] * b[p * ldb + j], for i < m, j < n. */
    void (*axpy[3])(size_t k, const void *b, int64_t ldb, size_t n, const float *x, size_t ldx, size_t m,
                    float *y, size_t ldy);

    /* The same as tile, panels and axpy in float64; panels of b are nr / 2 lanes wide, and both are complete.
     */
    void (*tile_f64)(size_t rows, size_t cols, size_t k, const double *a, const double *b, double *c,
                     size_t ldc, bool add);
    double (*dot_f64)(const double *x, const double *y, size_t n);
    void (*axpy_f64)(double x, const double *b, size_t n, double *y); /* y += x b */

    /* y[j] = sum over t < taps of x[t][j] * w[t][j], for j < n: a depthwise convolution. */
    void (*depthwise)(size_t taps, const float *const *x, const float *const *w, size_t n, float *y);

    /* n elements to and from contiguous float32; strides in elements. */
    void (*widen[3])(const void *src, int64_t stride, size_t n, float *dst);
    void (*narrow[3])(const float *src, size_t n, void *dst);
} gemm_kernels;

/* What cpu_gemm_with does for float64 and for complex64 (gemm_wide.c); m, n and k are not 0. */
int cpu_gemm_f64(const gemm_kernels *t, size_t m, size_t n, size_t k, gemm_matrix a, gemm_matrix b, double *c,
                 size_t ldc);
/* And for two bfloat16 matrices where t has pairs (gemm_bf16.c); c of the dtype of c_slot, element (i, j) at
 * i * c_rs + j * c_cs. */
int cpu_gemm_bf16(const gemm_kernels *t, size_t m, size_t n, size_t k, gemm_matrix a, gemm_matrix b, void *c,
                  int c_slot, size_t c_rs, size_t c_cs);
int cpu_gemm_complex(const gemm_kernels *t, size_t m, size_t n, size_t k, gemm_matrix a, gemm_matrix b,
                     void *c, size_t ldc);

/* cpu_gemm with a table of one's choice: for tests and benchmarks. */
int cpu_gemm_with(const gemm_kernels *t, size_t m, size_t n, size_t k, gemm_matrix a, gemm_matrix b, void *c,
                  mlx_dtype c_dtype, size_t ldc);

#endif
