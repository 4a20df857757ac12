/* Scaled dot-product attention without the score matrix in memory. */
#ifndef MICA_CPU_ATTENTION_H
#define MICA_CPU_ATTENTION_H

#include "mx.h"

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
    /* MX_MASK_ARRAY: element (b, h, i, j) at mask[b*ms[0] + h*ms[1] + i*ms[2] + j*ms[3]]; bool, or float to add. */
    const void *mask;
    mlx_dtype mask_dtype;
    int64_t ms[4];
    void *out; /* (B, H, L, v_dim) with the strides below */
    mlx_dtype out_dtype;
    int64_t out_batch, out_head, out_row;
} attention_args;

/* q, k, v and out may each be float32, float16 or bfloat16; all sums in float32. A row whose keys are all masked
 * gives NaN, as MLX's softmax does. Runs on the pool: heads, query blocks, and for few queries chunks of keys.
 * 0, or -1 when scratch memory cannot be had. */
int cpu_attention(const attention_args *a);

typedef struct attention_kernels {
    int unused;
} attention_kernels;

#endif
