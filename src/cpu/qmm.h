/* Products with affine-quantized matrices in MLX's packing, read where they are (a mapped file). */
#ifndef MICA_CPU_QMM_H
#define MICA_CPU_QMM_H

#include "mx/array.h"

typedef struct qmm_kernels qmm_kernels;

/* W (n, k), quantized along k. Row r of `w` begins at w + r * k * bits / 32; scales and biases are (n,
 * k/group). None of the three needs any alignment, and nothing past their ends is read. */
typedef struct quant_matrix {
    const uint32_t *w;
    const void *scales, *biases;
    mlx_dtype scale_dtype; /* float32, float16 or bfloat16 */
    int bits, group;       /* 2 3 4 5 6 8; 32 64 128; group divides k */
    size_t n, k;
} quant_matrix;

/* y (m, n) = x (m, k) W^T, or with transpose false y (m, k) = x (m, n) W; rows of x and y are contiguous,
 * x rows xs elements apart. x and y of dtype float32, float16 or bfloat16, sums in float32. MX_INT8 needs
 * 4 or 8 bits and transpose, and falls back to MX_BF16 otherwise. Many rows of that, and of MX_EXACT when x
 * and the scales are bfloat16, have both operands rounded to bfloat16 where the processor multiplies these.
 * Runs on the pool. 0, or -1 when scratch memory cannot be had. A row of y has the same bits whatever the
 * number of threads, and whatever m within m <= QMM_GEMV_ROWS, from there to QMM_FEW_ROWS, and beyond. */
int cpu_qmm(const quant_matrix *w, const void *x, mlx_dtype x_dtype, size_t xs, size_t m, void *y,
            mlx_dtype y_dtype, bool transpose, mx_precision precision);

/* Products of one x (m, k), m <= QMM_FEW_ROWS, with `count` matrices of the same k, bits and group: y[i] (m,
 * w[i].n), of y_dtype and contiguous. x is prepared once and the matrices are one phase on the pool; the
 * results have the bits that cpu_qmm gives them. 0, or -1 when scratch memory cannot be had. */
int cpu_qmm_few(const qmm_kernels *kernels, const quant_matrix *w, void *const *y, size_t count,
                const void *x, mlx_dtype x_dtype, size_t xs, size_t m, mlx_dtype y_dtype,
                mx_precision precision);

/* w (n groups of `group` floats) of dtype to packed words, scales, biases, on the pool: MLX's affine rule. */
void cpu_quantize(const void *w, mlx_dtype dtype, size_t groups, int group, int bits, uint32_t *q,
                  void *scales, void *biases);
/* And back, to out_dtype: scale * code + bias in float32, rounded once. */
void cpu_dequantize(const uint32_t *q, const void *scales, const void *biases, mlx_dtype scale_dtype,
                    size_t groups, int group, int bits, void *out, mlx_dtype out_dtype);

/* --- for the driver, the kernels and their tests --- */

#define QMM_FEW_ROWS   16  /* up to so many activation rows stream the weights; more of them unpack panels */
#define QMM_GEMV_ROWS  4   /* of these, so many have kernels of their own */
#define QMM_BATCH      16  /* weight rows that a batch takes together */
#define QMM_PANEL      32  /* weight rows in a panel */
#define QMM_ROWS       32  /* tiles take activation rows, and results, up to the next multiple of this */
#define QMM_PAD        256 /* prepared rows are zero from k up to the next multiple of this */
#define QMM_DIGITS     3   /* of an activation in the exact form of few rows */
#define QMM_PAD_GROUPS 16  /* and their scales and sums up to the next multiple of this */

/* Where element e of an activation row lies in the prepared row. Words of 4-bit codes are taken apart by
 * masks and shifts alone, so the activations are laid out to meet the codes where these leave them. */
typedef enum qmm_order {
    QMM_NATURAL,
    QMM_SPLIT, /* blocks of 128: the 64 even elements, then the 64 odd ones */
    QMM_SLOTS, /* blocks of 8: the 4 even elements, then the 4 odd ones */
} qmm_order;

/* A range of weight rows times a few prepared rows. */
typedef struct qmm_rows {
    const quant_matrix *w;
    size_t m;
    const int8_t *x;          /* (m, row), or (m, QMM_DIGITS, row) */
    size_t row, groups;       /* row lengths of x, and of scale and sum */
    const float *scale, *sum; /* by group: of the integers; sum of the activations */
    float *y;                 /* (m, ldy) */
    size_t ldy;
} qmm_rows;

/* A panel (k/4 slots, QMM_PANEL rows, 4 codes) of int8 form times m rows, added to c (m, QMM_PANEL). Panel,
 * scale and c are aligned to 64 bytes; rows of x from m up to the next multiple of QMM_ROWS may be read. */
typedef struct qmm_tile {
    const uint8_t *panel;
    size_t groups;
    int group, bits;
    const float *scale, *bias;    /* (groups, QMM_PANEL) */
    const int8_t *x;              /* (m, x_row) */
    const float *x_scale, *x_sum; /* (m, x_groups) */
    size_t m, x_row, x_groups;
    float *c;
} qmm_tile;

struct qmm_kernels {
    /* One activation row of k elements: codes in `order`, zero up to the padding; scale and sum by group. */
    void (*input_i8)(const void *x, mlx_dtype t, size_t k, int group, qmm_order order, int8_t *q,
                     float *scale, float *sum);
    /* The same with QMM_DIGITS rows of digits, `row` apart, the first weighing most: x = scale * (d0 * 2^16 +
     * d1 * 2^8 + d2), within half a millionth of the largest of its group. */
    void (*input_exact)(const void *x, mlx_dtype t, size_t k, int group, qmm_order order, int8_t *q,
                        size_t row, float *scale, float *sum);
    /* And as floats, in natural order. */
    void (*input_f32)(const void *x, mlx_dtype t, size_t k, int group, float *f, float *sum);
    /* n floats to another dtype. */
    void (*output)(const float *x, size_t n, void *y, mlx_dtype t);
    /* count (a multiple of 32) codes of 2 to 8 bits to bytes. */
    void (*unpack)(const uint8_t *src, int bits, size_t count, uint8_t *dst);
    /* Weight rows [begin, end): y = x W^T, with x in QMM_SPLIT order for 4 bits and QMM_NATURAL otherwise.
     * One digit (4 or 8 bits only), or QMM_DIGITS of them. */
    void (*gemv_i8)(const qmm_rows *r, size_t begin, size_t end);
    void (*gemv_exact)(const qmm_rows *r, size_t begin, size_t end);
    /* The same for more rows, m <= QMM_FEW_ROWS, range borders at multiples of QMM_BATCH; NULL where calling
     * the others for parts of the rows is as good. */
    void (*batch_i8)(const qmm_rows *r, size_t begin, size_t end);
    void (*batch_exact)(const qmm_rows *r, size_t begin, size_t end);
    /* Codes of `rows` <= QMM_PANEL weight rows from `row` on, elements [k0, k0 + kc), into a panel; 4-bit
     * codes in QMM_SLOTS order, others in natural order; rows that are not there are zero. */
    void (*panel)(const quant_matrix *w, size_t row, size_t rows, size_t k0, size_t kc, uint8_t *panel);
    /* Scales or biases at element `at` of p, of `groups` groups of `rows` weight rows `apart` elements apart,
     * to (groups, QMM_PANEL) floats; those of rows that are not there are zero. */
    void (*panel_scales)(const void *p, mlx_dtype t, size_t at, size_t apart, size_t rows, size_t groups,
                         float *out);
    void (*tile_i8)(const qmm_tile *t);
    /* Panel of codes to floats (kc, QMM_PANEL) in natural order, scale and bias applied. */
    void (*panel_f32)(const uint8_t *panel, size_t kc, int bits, int group, const float *scale,
                      const float *bias, float *out);
    /* c (m, QMM_PANEL) += x (m, kc; rows ldx apart) panel (kc, QMM_PANEL). */
    void (*tile_f32)(const float *panel, size_t kc, const float *x, size_t ldx, size_t m, float *c);
    /* Where the processor multiplies bfloat16 (NULL elsewhere). An activation row, zero up to the padding; a
     * panel of codes to (kc / 2, QMM_PANEL, 2), scale and bias applied, natural order; and tile_f32 with such
     * operands, kc a multiple of 32. It may read x and touch c up to a multiple of QMM_ROWS rows, whose
     * results are worthless; panel and c are aligned to 64 bytes. */
    void (*input_bf16)(const void *x, mlx_dtype t, size_t k, uint16_t *out);
    void (*panel_bf16)(const uint8_t *panel, size_t kc, int bits, int group, const float *scale,
                       const float *bias, uint16_t *out);
    void (*tile_bf16)(const uint16_t *panel, size_t kc, const uint16_t *x, size_t ldx, size_t m, float *c);
    /* The machine's limits (cpu/limits.h): register-only multiply-accumulates, result = how many were done;
     * and the bitwise sum of n bytes (a multiple of 1024) at p. */
    uint64_t (*peak_i8)(size_t rounds);
    uint64_t (*peak_f32)(size_t rounds);
    uint64_t (*peak_bf16)(size_t rounds); /* may be NULL */
    uint64_t (*read)(const void *p, size_t n);
};

/* cpu_qmm with a given table. */
int cpu_qmm_with(const qmm_kernels *kernels, const quant_matrix *w, const void *x, mlx_dtype x_dtype,
                 size_t xs, size_t m, void *y, mlx_dtype y_dtype, bool transpose, mx_precision precision);

#endif
