/* Rows of 16-bit floats to float32 and back, and kernels for them made of float32's.
 *
 * The 16-bit kinds compute by blocks: BLOCK elements are widened into a buffer that stays in the first-level
 * cache, the float32 kernel runs on it, and the results are rounded once. That is one conversion loop for all
 * operations, written with the processor's instructions where it has them. */
#ifndef MICA_CPU_ISA_HALF_ROWS_H
#define MICA_CPU_ISA_HALF_ROWS_H

#include "cpu/elementwise.h"
#include "cpu/isa/loops.h"
#include "kernels/half.h"

enum { HALF_BLOCK = 512 };

typedef enum half_kind { HALF_F16, HALF_BF16 } half_kind;

/* How many elements the vector instructions did; the rest is left to the loop. */
static inline size_t f16_widen_wide(const uint16_t *a, float *y, size_t n)
{
    size_t i = 0;
#if defined(__AVX512F__)
    for (; i + 16 <= n; i += 16)
        _mm512_storeu_ps(y + i, _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)(a + i))));
#endif
#if defined(__F16C__)
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(y + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(a + i))));
#else
    (void)a, (void)y, (void)n;
#endif
    return i;
}

static inline size_t f16_round_wide(const float *a, uint16_t *y, size_t n)
{
    size_t i = 0;
#if defined(__AVX512F__)
    for (; i + 16 <= n; i += 16)
        _mm256_storeu_si256((__m256i *)(void *)(y + i), _mm512_cvtps_ph(_mm512_loadu_ps(a + i), 0));
#endif
#if defined(__F16C__)
    for (; i + 8 <= n; i += 8)
        _mm_storeu_si128((__m128i *)(void *)(y + i), _mm256_cvtps_ph(_mm256_loadu_ps(a + i), 0));
#else
    (void)a, (void)y, (void)n;
#endif
    return i;
}

/* y[i] = a[i * sa] in float32; y is apart from a. */
static inline void half_widen(half_kind kind, const uint16_t *a, ptrdiff_t sa, float *y, size_t n)
{
    if (kind == HALF_BF16 && sa == 1)
        EACH(y[i] = bf16_to_f32(a[i]);)
    else if (kind == HALF_BF16)
        EACH_AT(y[i] = bf16_to_f32(a[i * sa]);)
    else if (sa != 1)
        EACH_AT(y[i] = f16_to_f32(a[i * sa]);)
    else {
        size_t done = f16_widen_wide(a, y, n);
        a += done, y += done, n -= done;
        EACH(y[i] = f16_to_f32(a[i]);)
    }
}

/* y[i] = a[i] rounded to the nearest, ties to even. */
static inline void half_round(half_kind kind, const float *a, uint16_t *y, size_t n)
{
    if (kind == HALF_BF16) {
        EACH(y[i] = f32_to_bf16(a[i]);)
    } else {
        size_t done = f16_round_wide(a, y, n);
        a += done, y += done, n -= done;
        EACH(y[i] = f32_to_f16(a[i]);)
    }
}

/* An operand that is read by blocks. */
typedef struct half_source {
    half_kind kind;
    const uint16_t *a;
    ptrdiff_t stride;
    float block[HALF_BLOCK];
} half_source;

static inline void half_open(half_source *s, half_kind kind, const void *a, ptrdiff_t stride, size_t n)
{
    s->kind = kind;
    s->a = a;
    s->stride = stride;
    if (stride == 0 && n > 0)
        half_widen(kind, s->a, 0, s->block, 1);
}

/* Elements i .. i+n-1 are in s->block, with the stride that is returned: 1, or 0 for one that repeats. */
static inline ptrdiff_t half_read(half_source *s, size_t i, size_t n)
{
    if (s->stride == 0)
        return 0;
    half_widen(s->kind, s->a + (ptrdiff_t)i * s->stride, s->stride, s->block, n);
    return 1;
}

static inline size_t half_count(size_t i, size_t n) { return n - i < HALF_BLOCK ? n - i : HALF_BLOCK; }

static inline void half_unary(half_kind kind, cpu_unary_fn fn, const void *a, ptrdiff_t sa, uint16_t *y,
                              size_t n)
{
    half_source s;
    float result[HALF_BLOCK];
    half_open(&s, kind, a, sa, n);
    for (size_t i = 0; i < n; i += HALF_BLOCK) {
        size_t m = half_count(i, n);
        ptrdiff_t stride = half_read(&s, i, m);
        fn(s.block, stride, result, m);
        half_round(kind, result, y + i, m);
    }
}

/* A function with two operands; its results are halves, or (comparisons) bool. */
static inline void half_binary(half_kind kind, bool compares, cpu_binary_fn fn, const void *a, ptrdiff_t sa,
                               const void *b, ptrdiff_t sb, void *y, size_t n)
{
    half_source p, q;
    float result[HALF_BLOCK];
    half_open(&p, kind, a, sa, n);
    half_open(&q, kind, b, sb, n);
    for (size_t i = 0; i < n; i += HALF_BLOCK) {
        size_t m = half_count(i, n);
        ptrdiff_t sp = half_read(&p, i, m), sq = half_read(&q, i, m);
        fn(p.block, sp, q.block, sq, compares ? (void *)((uint8_t *)y + i) : (void *)result, m);
        if (!compares)
            half_round(kind, result, (uint16_t *)y + i, m);
    }
}

#endif
