/* What the quantized products need beyond cpu/simd.h: dot products of bytes, codes to floats, scales to
 * lanes. */
#ifndef MICA_CPU_ISA_QMM_SIMD_H
#define MICA_CPU_ISA_QMM_SIMD_H

#include "cpu/isa/qmm_unpack.h"
#include "cpu/kernels.h"
#include "cpu/simd.h"
#include "kernels/quant.h"

/* The parts of the family: cpu/isa/qmm.c calls them. */
void FILL(qmm_gemv)(qmm_kernels *t);
void FILL(qmm_batch)(qmm_kernels *t);
void FILL(qmm_gemm)(qmm_kernels *t);
void FILL(qmm_peak)(qmm_kernels *t);

#define QMM_BYTES (SIMD_LANES * 4) /* of a vector */
#define QMM_SPAN  16               /* groups whose scales are loaded at once */

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

SIMD_INLINE simd_u32 load_codes(const void *p)
{
    simd_u32 v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* The first n < QMM_BYTES bytes; the others read as zero. */
SIMD_INLINE simd_u32 load_codes_part(const void *p, size_t n)
{
    simd_u32 v = {0};
    memcpy(&v, p, n);
    return v;
}

SIMD_INLINE simd_i32 load_i8(const void *p) { return (simd_i32)load_codes(p); }

SIMD_INLINE simd_i32 broadcast_i8x4(const void *p)
{
    int32_t x;
    memcpy(&x, p, 4);
    return x - (simd_i32){0};
}

/* Lane by lane: acc + the sum of 4 products of unsigned codes and signed activations. No saturation: in dot4
 * codes are at most 15; dot8 goes by 16-bit halves where the processor has no such instruction for 8 bits. */
#if defined(__AVX512VNNI__)
SIMD_INLINE simd_i32 dot4(simd_i32 acc, simd_u32 u, simd_i32 s)
{
    return (simd_i32)_mm512_dpbusd_epi32((__m512i)acc, (__m512i)u, (__m512i)s);
}
SIMD_INLINE simd_i32 dot8(simd_i32 acc, simd_u32 u, simd_i32 s) { return dot4(acc, u, s); }
#elif defined(__AVX2__) && SIMD_LANES == 8
SIMD_INLINE simd_i32 dot4(simd_i32 acc, simd_u32 u, simd_i32 s)
{
    __m256i pairs = _mm256_maddubs_epi16((__m256i)u, (__m256i)s);
    return acc + (simd_i32)_mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}
SIMD_INLINE simd_i32 dot8(simd_i32 acc, simd_u32 u, simd_i32 s)
{
    __m256i ue = _mm256_and_si256((__m256i)u, _mm256_set1_epi16(255)), uo = _mm256_srli_epi16((__m256i)u, 8);
    __m256i se = _mm256_srai_epi16(_mm256_slli_epi16((__m256i)s, 8), 8),
            so = _mm256_srai_epi16((__m256i)s, 8);
    return acc + (simd_i32)_mm256_madd_epi16(ue, se) + (simd_i32)_mm256_madd_epi16(uo, so);
}
#elif defined(__SSE2__) && SIMD_LANES == 4
SIMD_INLINE simd_i32 dot8(simd_i32 acc, simd_u32 u, simd_i32 s)
{
    __m128i ue = _mm_and_si128((__m128i)u, _mm_set1_epi16(255)), uo = _mm_srli_epi16((__m128i)u, 8);
    __m128i se = _mm_srai_epi16(_mm_slli_epi16((__m128i)s, 8), 8), so = _mm_srai_epi16((__m128i)s, 8);
    return acc + (simd_i32)_mm_madd_epi16(ue, se) + (simd_i32)_mm_madd_epi16(uo, so);
}
SIMD_INLINE simd_i32 dot4(simd_i32 acc, simd_u32 u, simd_i32 s) { return dot8(acc, u, s); }
#else
typedef int16_t simd_i16 __attribute__((vector_size(QMM_BYTES)));

/* The sum of the two 16-bit halves of each lane. */
SIMD_INLINE simd_i32 add_halves(simd_i16 v)
{
    return ((simd_i32)((simd_u32)v << 16) >> 16) + ((simd_i32)v >> 16);
}

SIMD_INLINE simd_i32 dot8(simd_i32 acc, simd_u32 u, simd_i32 s)
{
    simd_i16 even = (simd_i16)(u & 0x00FF00FFu), odd = (simd_i16)(u >> 8 & 0x00FF00FFu);
    simd_i16 x = (simd_i16)s, low = (x << 8) >> 8, high = x >> 8;
    return acc + add_halves(even * low) + add_halves(odd * high); /* 255 * 127 fits 16 bits */
}
SIMD_INLINE simd_i32 dot4(simd_i32 acc, simd_u32 u, simd_i32 s) { return dot8(acc, u, s); }
#endif

SIMD_INLINE simd_i32 dot(int bits, simd_i32 acc, simd_u32 u, simd_i32 s)
{
    return bits == 8 ? dot8(acc, u, s) : dot4(acc, u, s);
}

SIMD_INLINE simd_f32 to_float(simd_i32 v) { return __builtin_convertvector(v, simd_f32); }

/* The j-th code of every 32-bit lane; bits 2 or 4. */
SIMD_INLINE simd_f32 code_f32(simd_u32 w, int j, int bits)
{
#if SIMD_LANES == 16
    /* The permute looks at 4 bits of each index, so it masks and converts at once. */
    const __m512 four = _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512 two = _mm512_setr_ps(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3);
    return (simd_f32)_mm512_permutexvar_ps((__m512i)(w >> (bits * j)), bits == 2 ? two : four);
#else
    return to_float((simd_i32)(w >> (bits * j) & (bits == 2 ? 3u : 15u)));
#endif
}

/* SIMD_LANES byte codes. */
SIMD_INLINE simd_f32 bytes_f32(const uint8_t *p)
{
#if SIMD_LANES == 16
    return to_float((simd_i32)_mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)p)));
#elif SIMD_LANES == 8
    return to_float((simd_i32)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)p)));
#else
    uint32_t v;
    memcpy(&v, p, 4);
    return to_float((simd_i32){(int)(v & 255), (int)(v >> 8 & 255), (int)(v >> 16 & 255), (int)(v >> 24)});
#endif
}

/* One float for each of QMM_SPAN groups. */
#define SPAN_VECTORS (QMM_SPAN / SIMD_LANES)
typedef struct span {
    simd_f32 v[SPAN_VECTORS];
} span;

/* Prepared scales and sums: padded, so always whole. */
SIMD_INLINE span span_load(const float *p)
{
    span s;
    UNROLL for (int i = 0; i < SPAN_VECTORS; i++) s.v[i] = simd_load_f32(p + i * SIMD_LANES);
    return s;
}

SIMD_INLINE simd_f32 scales_vector(const uint8_t *p, mlx_dtype t, size_t i, size_t n)
{
    size_t count = n <= i ? 0 : n - i;
    if (count >= SIMD_LANES)
        return t == MLX_BFLOAT16  ? simd_load_bf16(p + 2 * i)
               : t == MLX_FLOAT16 ? simd_load_f16(p + 2 * i)
                                  : simd_load_f32(p + 4 * i);
    if (!count)
        return (simd_f32){0};
    return t == MLX_BFLOAT16  ? simd_load_part_bf16(p + 2 * i, count)
           : t == MLX_FLOAT16 ? simd_load_part_f16(p + 2 * i, count)
                              : simd_load_part_f32(p + 4 * i, count);
}

SIMD_INLINE size_t scale_size(mlx_dtype t) { return t == MLX_FLOAT32 ? 4 : 2; }

/* n <= QMM_SPAN scales (or biases) from element `first` of p on; the others are zero. */
SIMD_INLINE span span_scales(const void *p, mlx_dtype t, size_t first, size_t n)
{
    const uint8_t *at = (const uint8_t *)p + first * scale_size(t);
    span s;
    UNROLL for (int i = 0; i < SPAN_VECTORS; i++) s.v[i] = scales_vector(at, t, (size_t)(i * SIMD_LANES), n);
    return s;
}

/* The scales of a vector whose lane l holds `per_lane` elements of a row and begins at element e of the span.
 */
SIMD_INLINE simd_f32 span_lanes(const span *s, size_t e, int per_lane, int group_shift)
{
#if SIMD_LANES == 16
    /* A vector and a group begin together, or one lies within the other. */
    __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m512i element = _mm512_mullo_epi32(lane, _mm512_set1_epi32(per_lane));
    __m512i index = _mm512_srl_epi32(element, _mm_cvtsi32_si128(group_shift));
    index = _mm512_add_epi32(index, _mm512_set1_epi32((int)(e >> group_shift)));
    return (simd_f32)_mm512_permutexvar_ps(index, (__m512)s->v[0]);
#else
    const float *f = (const float *)s;
    const size_t n = (size_t)per_lane;
#if SIMD_LANES == 8
    __m256 low = _mm256_broadcast_ss(f + (e >> group_shift));
    __m256 high = _mm256_broadcast_ss(f + ((e + 4 * n) >> group_shift));
    if (per_lane > 8) { /* a group may be just two lanes */
        low = _mm256_blend_ps(low, _mm256_broadcast_ss(f + ((e + 2 * n) >> group_shift)), 0x0C);
        high = _mm256_blend_ps(high, _mm256_broadcast_ss(f + ((e + 6 * n) >> group_shift)), 0xC0);
    }
    return (simd_f32)_mm256_blend_ps(low, high, 0xF0);
#else
    if (per_lane > 8)
        return (simd_f32){f[e >> group_shift], f[(e + n) >> group_shift], f[(e + 2 * n) >> group_shift],
                          f[(e + 3 * n) >> group_shift]};
    return simd_set1(f[e >> group_shift]);
#endif
#endif
}

#if SIMD_LANES == 16
/* Rows become columns: v[i] lane n <- v[n] lane i. */
SIMD_INLINE void transpose16(__m512i v[16])
{
    __m512i t[16];
    UNROLL for (int i = 0; i < 16; i += 2)
    {
        t[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
    }
    UNROLL for (int i = 0; i < 16; i += 4)
    {
        v[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        v[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        v[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        v[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    UNROLL for (int i = 0; i < 4; i++)
    {
        t[i] = _mm512_shuffle_i32x4(v[i], v[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(v[i], v[i + 4], 0xDD);
        t[i + 8] = _mm512_shuffle_i32x4(v[i + 8], v[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(v[i + 8], v[i + 12], 0xDD);
    }
    UNROLL for (int i = 0; i < 4; i++)
    {
        v[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        v[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
        v[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xDD);
        v[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xDD);
    }
}

#endif

SIMD_INLINE int group_shift(int group) { return group == 32 ? 5 : group == 64 ? 6 : 7; }

#endif
