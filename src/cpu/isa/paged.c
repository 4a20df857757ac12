/* The kernels of attention over a paged cache, for one instruction set: what is stored is widened to float32
 * in registers (paged_tmpl.h). kernels/kv_block.h has the order of numbers in a block. */
#include "base/cpuid.h"
#include "cpu/isa/tile.h"
#include "cpu/kernels.h"
#include "kernels/math.h"

#include <math.h>

#define BLOCK_VECTORS (KV_POSITIONS / SIMD_LANES)
/* Rows and blocks done at once: their sums fill about half of the vector registers. */
#if SIMD_LANES == 16
#define ROWS 8
#define WIDE 2
#else
#define ROWS 4
#define WIDE 1
#endif

/* Blocks lie anywhere, so the processor does not see by itself what comes next. */
#define FETCH(p) __builtin_prefetch(p, 0, 2)

/* --- words to numbers --- */

SIMD_INLINE simd_f32 bytes(simd_f32 x, size_t i)
{
    return __builtin_convertvector((simd_i32)((simd_u32)x >> (uint32_t)(8 * i) & 255u), simd_f32);
}
SIMD_INLINE simd_f32 signed_bytes(simd_f32 x, size_t i)
{
    return __builtin_convertvector((simd_i32)((simd_u32)x << (uint32_t)(24 - 8 * i)) >> 24, simd_f32);
}
SIMD_INLINE simd_f32 nibbles(simd_f32 x, size_t i)
{
    uint32_t shift = (uint32_t)(i < 4 ? 8 * i : 8 * i - 28);
    return __builtin_convertvector((simd_i32)((simd_u32)x >> shift & 15u), simd_f32);
}

/* --- weights --- */

/* Brings the weights of a row to the codes of group g: w[p] = weight * scale of position p. Returns the sum
 * of weights * biases. A weight of zero is for a position that may hold anything. */
static float scale_weights(const paged_tile *t, size_t row, size_t g, size_t n, float *w)
{
    const kv_block *b = t->block;
    const float *p = t->scores + row * PAGED_KEYS;
    size_t at = b->v_scales - b->v + g * KV_POSITIONS * 2, biases = b->v_groups * KV_POSITIONS * 2;
    simd_f32 total = {0};
    for (size_t i = 0; i < n; i += SIMD_LANES) {
        const char *scales = t->values[i / KV_POSITIONS] + at + i % KV_POSITIONS * 2;
        simd_f32 x = simd_load_f32(p + i);
        simd_store_f32(w + i, x * simd_load_f16(scales));
        if (b->kind == KV_INT4)
            total += x * simd_load_f16(scales + biases);
    }
    return simd_sum(total);
}

static void softmax(float *s, size_t n, size_t low, size_t high, float softcap, float *max, float *sum)
{
    simd_f32 most = simd_set1(-INFINITY), total = {0};
    for (size_t i = 0; softcap > 0 && i < n; i++)
        s[i] = softcap * m_tanh(s[i] / softcap);
    for (size_t i = 0; i < low; i++)
        s[i] = -INFINITY;
    for (size_t i = high; i < n; i++)
        s[i] = -INFINITY;
    for (size_t i = 0; i < n; i += SIMD_LANES)
        most = simd_max(most, simd_load_f32(s + i));
    *max = simd_max_lane(most);
    float shift = *max == -INFINITY ? 0 : *max;
    for (size_t i = 0; i < n; i++) {
        float e = m_exp(s[i] - shift);
        s[i] = s[i] == -INFINITY ? 0 : e;
    }
    for (size_t i = 0; i < n; i += SIMD_LANES)
        total += simd_load_f32(s + i);
    *sum = simd_sum(total);
}

static void merge(float *total, const float *part, size_t n, float a, float b)
{
    for (size_t i = 0; i < n; i++)
        total[i] = total[i] * a + part[i] * b;
}

/* --- queries --- */

static void prepare(const kv_block *b, const float *q, void *dst)
{
    float *y = dst;
    memcpy(y, q, b->k_words * b->per * sizeof *y);
    for (size_t g = 0; g < b->k_groups; g++) {
        float total = 0;
        for (size_t d = g * b->group; d < b->k_dim && d < (g + 1) * b->group; d++)
            total += q[d];
        y[b->k_words * b->per + g] = total;
    }
}

static size_t q_bytes(const kv_block *b) { return (b->k_words * b->per + b->k_groups) * sizeof(float); }
static size_t work_bytes(const kv_block *b, size_t rows)
{
    return b->group ? rows * (PAGED_KEYS + 1) * sizeof(float) : 0;
}

#define NAME(n)     n##_f32
#define PER         1
#define WORD        4
#define LOAD(p)     simd_load_f32(p)
#define KEY(x, i)   (x)
#define VALUE(x, i) (x)
#define GROUPED     0
#include "cpu/isa/paged_tmpl.h"

#define NAME(n)     n##_f16
#define PER         1
#define WORD        2
#define LOAD(p)     simd_load_f16(p)
#define KEY(x, i)   (x)
#define VALUE(x, i) (x)
#define GROUPED     0
#include "cpu/isa/paged_tmpl.h"

#define NAME(n)     n##_bf16
#define PER         2
#define WORD        4
#define LOAD(p)     simd_load_f32(p)
#define KEY(x, i)   ((i) ? simd_second_bf16(x) : simd_first_bf16(x))
#define VALUE(x, i) KEY(x, i)
#define GROUPED     0
#include "cpu/isa/paged_tmpl.h"

#define NAME(n)     n##_int8
#define PER         4
#define WORD        4
#define LOAD(p)     simd_load_f32(p)
#define KEY(x, i)   bytes(x, i)
#define VALUE(x, i) signed_bytes(x, i)
#define GROUPED     8
#include "cpu/isa/paged_tmpl.h"

#define NAME(n)     n##_int4
#define PER         8
#define WORD        4
#define LOAD(p)     simd_load_f32(p)
#define KEY(x, i)   nibbles(x, i)
#define VALUE(x, i) nibbles(x, i)
#define GROUPED     4
#include "cpu/isa/paged_tmpl.h"

#if defined(__AVX512VNNI__)
#include "cpu/isa/paged_dot.h"
#endif

void FILL(paged)(paged_kernels *t)
{
    t->softmax = softmax;
    t->merge = merge;
    for (int i = 0; i < KV_KINDS; i++) {
        t->q_bytes[i] = q_bytes;
        t->work_bytes[i] = work_bytes;
        t->prepare[i] = prepare;
    }
#define SLOTS(kind, type)            \
    t->scores[kind] = scores_##type; \
    t->values[kind] = values_##type;
    SLOTS(KV_F32, f32)
    SLOTS(KV_F16, f16)
    SLOTS(KV_BF16, bf16)
    SLOTS(KV_INT8, int8)
    SLOTS(KV_INT4, int4)
#if defined(__AVX512VNNI__)
    fill_dot(t);
#endif
}
