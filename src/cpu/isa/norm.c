/* Row kernels: RMS norm, layer norm, softmax, logsumexp, rotary positions, SwiGLU, for one instruction set.
 *
 * Rows are read a vector at a time (norm_tmpl.h, once per stored format; the last vector is a part) and all
 * arithmetic is float32. Sums keep several vectors, so that adds do not wait for each other, and are made in
 * segments, so that long rows lose few bits. Where an exponential is needed a block of BLOCK floats is
 * widened, run through m_exp in a plain loop that the compiler vectorizes, and used while it is in the
 * first-level cache. */
#include "cpu/isa/tile.h"
#include "cpu/kernels.h"
#include "kernels/math.h"

#include <math.h>

#define BLOCK   128
#define SEGMENT 2048

/* exp(x - shift), in place */
static void exp_block(float *x, size_t n, float shift)
{
    for (size_t i = 0; i < n; i++)
        x[i] = m_exp(x[i] - shift);
}

/* The weight or bias of a norm: `missing` when there is none, else element i on (n of them) in its own
 * format. */
SIMD_INLINE simd_f32 parameter(const void *w, mlx_dtype dtype, size_t i, size_t n, float missing)
{
    if (!w)
        return simd_set1(missing);
    const char *p = (const char *)w + i * (dtype == MLX_FLOAT32 ? 4 : 2);
    bool whole = n >= SIMD_LANES;
    if (dtype == MLX_FLOAT32)
        return whole ? simd_load_f32(p) : simd_load_part_f32(p, n);
    if (dtype == MLX_FLOAT16)
        return whole ? simd_load_f16(p) : simd_load_part_f16(p, n);
    return whole ? simd_load_bf16(p) : simd_load_part_bf16(p, n);
}

/* --- one format at a time --- */

#define NAME(n)    n##_f32
#define SIZE       SIMD_SIZE_f32
#define LOAD       simd_load_f32
#define LOAD_PART  simd_load_part_f32
#define STORE      simd_store_f32
#define STORE_PART simd_store_part_f32
#include "cpu/isa/norm_tmpl.h"

#define NAME(n)    n##_f16
#define SIZE       SIMD_SIZE_f16
#define LOAD       simd_load_f16
#define LOAD_PART  simd_load_part_f16
#define STORE      simd_store_f16
#define STORE_PART simd_store_part_f16
#include "cpu/isa/norm_tmpl.h"

#define NAME(n)    n##_bf16
#define SIZE       SIMD_SIZE_bf16
#define LOAD       simd_load_bf16
#define LOAD_PART  simd_load_part_bf16
#define STORE      simd_store_bf16
#define STORE_PART simd_store_part_bf16
#include "cpu/isa/norm_tmpl.h"

void FILL(norm)(norm_kernels *t)
{
#define SLOTS(i, type)                    \
    t->rms_norm[i] = rms_norm_##type;     \
    t->layer_norm[i] = layer_norm_##type; \
    t->softmax[i] = softmax_##type;       \
    t->logsumexp[i] = logsumexp_##type;   \
    t->rope[i] = rope_##type;             \
    t->swiglu[i] = swiglu_##type;
    SLOTS(0, f32)
    SLOTS(1, f16)
    SLOTS(2, bf16)
}
