/* Row kernels of language models: RMS norm, layer norm, softmax, logsumexp, rotary positions, SwiGLU. */
#ifndef MICA_CPU_NORM_H
#define MICA_CPU_NORM_H

#include "mx/array.h"

/* One row of n contiguous elements at a time; sums in float32. dtypes float32, float16, bfloat16
 * (F32/F16/BF16 in this order in the tables below, see norm_slot). weight and bias may be NULL. */
typedef struct norm_kernels {
    void (*rms_norm[3])(const void *x, const void *w, mlx_dtype w_dtype, float eps, size_t n, void *y);
    void (*layer_norm[3])(const void *x, const void *w, mlx_dtype w_dtype, const void *b, mlx_dtype b_dtype,
                          float eps, size_t n, void *y);
    void (*softmax[3])(const void *x, size_t n, void *y);
    float (*logsumexp[3])(const void *x, size_t n);
    /* Rotates the first 2*half entries by the angles given as cos and sin (half each); copies the rest up to
     * n. */
    void (*rope[3])(const void *x, const float *cos, const float *sin, size_t half, bool traditional,
                    size_t n, void *y);
    void (*swiglu[3])(const void *gate, const void *up, size_t n, void *y);
} norm_kernels;

/* Index of a dtype in those tables, or -1. */
static inline int norm_slot(mlx_dtype t)
{
    return t == MLX_FLOAT32 ? 0 : t == MLX_FLOAT16 ? 1 : t == MLX_BFLOAT16 ? 2 : -1;
}

#endif
