/* Scaled dot-product attention without the score matrix in memory. */
#ifndef MICA_CPU_ATTENTION_H
#define MICA_CPU_ATTENTION_H

#include "mx/array.h"

/* A (B, H, T, D) operand: strides in elements, last axis contiguous. */
typedef struct attention_operand {
    const void *data;
    mlx_dtype dtype;
    int64_t batch, head, row;
} attention_operand;

typedef struct attention_args {
    int batch, heads, kv_heads, queries, keys, dim, v_dim;
    float scale;
    attention_operand q, k, v;
    mx_mask kind;
    /* MX_MASK_ARRAY: element (b, h, i, j) at mask[b*ms[0] + h*ms[1] + i*ms[2] + j*ms[3]]; bool, or float to
     * add. */
    const void *mask;
    mlx_dtype mask_dtype;
    int64_t ms[4];
    const float *sinks; /* a further score of each query head, of no key; or NULL */
    void *out;          /* (B, H, L, v_dim) with the strides below */
    mlx_dtype out_dtype;
    int64_t out_batch, out_head, out_row;
} attention_args;

/* q, k, v and out may each be float32, float16 or bfloat16; all sums in float32. A key that a bool mask
 * hides counts as the lowest finite score, as in MLX: a row of nothing else gives the values' mean. One whose
 * keys are all masked otherwise gives NaN; no keys at all give zeros. Runs on the pool: heads, query blocks,
 * and for few queries chunks of keys; the values do not depend on the number of threads. 0, or -1 with the
 * error set when scratch memory cannot be had. */
int cpu_attention(const attention_args *a);

typedef struct attention_kernels {
    /* One step of the running softmax. max and sum hold what the scores before had; s becomes exp(s - max)
     * with the new max, which is what the weighted sum of values is to be multiplied with: scale is the
     * factor for what was summed before. A max of -inf (nothing visible yet) counts as 0, so that masked
     * scores become 0, not NaN. */

    /* Side by side: score of key j and query i at s[j * nr + i], i < nr of gemm_kernels. */
    void (*step_panel)(float *s, size_t keys, float *max, float *sum, float *scale);
    /* One query: n scores in a row; returns scale. */
    float (*step_row)(float *s, size_t n, float *max, float *sum);

    /* o[p * nr + i] *= scale[i], p < rows; and o[i] *= scale, i < n */
    void (*scale_panel)(float *o, size_t rows, const float *scale);
    void (*scale_row)(float *o, size_t n, float scale);
} attention_kernels;

struct cpu_kernels;
/* cpu_attention with a table of one's choice: for tests and benchmarks. */
int cpu_attention_with(const struct cpu_kernels *t, const attention_args *a);

#endif
