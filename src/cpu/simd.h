/* A thin layer over the compiler's vector types, for the files of cpu/isa: one vector of SIMD_LANES floats,
 * as wide as the instruction set that the file is being compiled for. Arithmetic is the plain operators (a *
 * b + c becomes a fused multiply-add where there is one: the files are compiled with -ffp-contract=fast);
 * what is here is what operators cannot say: loads and stores that widen and narrow, parts of a vector, sums
 * over lanes.
 *
 * simd_load_T and simd_store_T exist for T = f32, f16, bf16, so that one template serves the three formats.
 * The _part forms touch exactly n < SIMD_LANES elements of memory; missing lanes read as zero. */
#ifndef MICA_CPU_SIMD_H
#define MICA_CPU_SIMD_H

#include "kernels/half.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#if defined(__AVX512F__)
#define SIMD_LANES 16
#elif defined(__AVX2__)
#define SIMD_LANES 8
#else
#define SIMD_LANES 4
#endif

#define SIMD_INLINE static inline __attribute__((always_inline))

typedef float simd_f32 __attribute__((vector_size(SIMD_LANES * 4)));
typedef uint32_t simd_u32 __attribute__((vector_size(SIMD_LANES * 4)));
typedef int32_t simd_i32 __attribute__((vector_size(SIMD_LANES * 4)));
typedef uint16_t simd_u16 __attribute__((vector_size(SIMD_LANES * 2)));
/* Four floats, whatever the width of the others: for transposing. */
typedef float simd_quad __attribute__((vector_size(16)));
typedef uint32_t simd_quad_u32 __attribute__((vector_size(16)));
typedef uint16_t simd_quad_u16 __attribute__((vector_size(8)));

/* x in every lane. (x - 0 is x for every x, -0 and NaN included, so compilers reduce it to a broadcast.) */
SIMD_INLINE simd_f32 simd_set1(float x) { return x - (simd_f32){0}; }

/* The larger; a where either is NaN. */
SIMD_INLINE simd_f32 simd_max(simd_f32 a, simd_f32 b)
{
#if defined(__AVX512F__)
    return (simd_f32)_mm512_max_ps((__m512)b, (__m512)a);
#elif defined(__AVX2__)
    return (simd_f32)_mm256_max_ps((__m256)b, (__m256)a);
#elif defined(__x86_64__)
    return (simd_f32)_mm_max_ps((__m128)b, (__m128)a);
#else
    simd_u32 more = (simd_u32)(b > a);
    return (simd_f32)((more & (simd_u32)b) | (~more & (simd_u32)a));
#endif
}

/* Sum of the lanes: halves onto halves, the same tree for every width. */
SIMD_INLINE float simd_sum(simd_f32 v)
{
#if defined(__AVX512F__)
    __m256 h = _mm256_add_ps(_mm512_castps512_ps256((__m512)v), _mm512_extractf32x8_ps((__m512)v, 1));
#elif defined(__AVX2__)
    __m256 h = (__m256)v;
#endif
#if defined(__AVX2__)
    simd_quad q = (simd_quad)_mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
#else
    simd_quad q = (simd_quad)v;
#endif
    return (q[0] + q[2]) + (q[1] + q[3]);
}

/* Largest lane, NaN lanes not counted unless lane 0 is one. */
SIMD_INLINE float simd_max_lane(simd_f32 v)
{
    float most = v[0];
    for (int i = 1; i < SIMD_LANES; i++)
        most = v[i] > most ? v[i] : most;
    return most;
}

/* --- float32 --- */

SIMD_INLINE simd_f32 simd_load_f32(const void *p)
{
    simd_f32 v;
    memcpy(&v, p, sizeof v);
    return v;
}

SIMD_INLINE void simd_store_f32(void *p, simd_f32 v) { memcpy(p, &v, sizeof v); }

#if defined(__AVX512F__)
SIMD_INLINE __mmask16 simd_first(size_t n) { return (__mmask16)((1u << n) - 1u); }
#elif defined(__AVX2__)
SIMD_INLINE __m256i simd_first(size_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
#endif

SIMD_INLINE simd_f32 simd_load_part_f32(const void *p, size_t n)
{
#if defined(__AVX512F__)
    return (simd_f32)_mm512_maskz_loadu_ps(simd_first(n), p);
#elif defined(__AVX2__)
    return (simd_f32)_mm256_maskload_ps(p, simd_first(n));
#else
    simd_f32 v = {0};
    memcpy(&v, p, n * 4);
    return v;
#endif
}

SIMD_INLINE void simd_store_part_f32(void *p, simd_f32 v, size_t n)
{
#if defined(__AVX512F__)
    _mm512_mask_storeu_ps(p, simd_first(n), (__m512)v);
#elif defined(__AVX2__)
    _mm256_maskstore_ps(p, simd_first(n), (__m256)v);
#else
    memcpy(p, &v, n * 4);
#endif
}

/* --- the 16-bit formats: from and to the bits of one vector of halves --- */

SIMD_INLINE simd_f32 simd_from_bf16(simd_u16 h)
{
    return (simd_f32)(__builtin_convertvector(h, simd_u32) << 16);
}

SIMD_INLINE simd_u16 simd_to_bf16(simd_f32 f)
{
    simd_u32 u = (simd_u32)f;
    simd_u32 rounded = (u + 0x7FFFu + (u >> 16 & 1u)) >> 16;
    simd_u32 nan = (simd_u32)((u & 0x7FFFFFFFu) > 0x7F800000u);
    return __builtin_convertvector((rounded & ~nan) | ((u >> 16 | 0x40u) & nan), simd_u16);
}

SIMD_INLINE simd_f32 simd_from_f16(simd_u16 h)
{
#if defined(__AVX512F__)
    return (simd_f32)_mm512_cvtph_ps((__m256i)h);
#elif defined(__F16C__)
    return (simd_f32)_mm256_cvtph_ps((__m128i)h);
#elif defined(__aarch64__)
    return (simd_f32)vcvt_f32_f16((float16x4_t)h);
#else
    simd_f32 f;
    for (int i = 0; i < SIMD_LANES; i++)
        f[i] = f16_to_f32(h[i]);
    return f;
#endif
}

SIMD_INLINE simd_u16 simd_to_f16(simd_f32 f)
{
#if defined(__AVX512F__)
    return (simd_u16)_mm512_cvtps_ph((__m512)f, 0);
#elif defined(__F16C__)
    return (simd_u16)_mm256_cvtps_ph((__m256)f, 0);
#elif defined(__aarch64__)
    return (simd_u16)vcvt_f16_f32((float32x4_t)f);
#else
    simd_u16 h;
    for (int i = 0; i < SIMD_LANES; i++)
        h[i] = f32_to_f16(f[i]);
    return h;
#endif
}

SIMD_INLINE simd_u16 simd_load_u16(const void *p)
{
    simd_u16 h;
    memcpy(&h, p, sizeof h);
    return h;
}

SIMD_INLINE simd_u16 simd_load_part_u16(const void *p, size_t n)
{
#if defined(__AVX512BW__) && defined(__AVX512VL__)
    return (simd_u16)_mm256_maskz_loadu_epi16(simd_first(n), p);
#else
    simd_u16 h = {0};
    memcpy(&h, p, n * 2);
    return h;
#endif
}

SIMD_INLINE void simd_store_part_u16(void *p, simd_u16 h, size_t n)
{
#if defined(__AVX512BW__) && defined(__AVX512VL__)
    _mm256_mask_storeu_epi16(p, simd_first(n), (__m256i)h);
#else
    memcpy(p, &h, n * 2);
#endif
}

SIMD_INLINE simd_f32 simd_load_bf16(const void *p) { return simd_from_bf16(simd_load_u16(p)); }
SIMD_INLINE simd_f32 simd_load_f16(const void *p) { return simd_from_f16(simd_load_u16(p)); }
SIMD_INLINE simd_f32 simd_load_part_bf16(const void *p, size_t n)
{
    return simd_from_bf16(simd_load_part_u16(p, n));
}
SIMD_INLINE simd_f32 simd_load_part_f16(const void *p, size_t n)
{
    return simd_from_f16(simd_load_part_u16(p, n));
}

SIMD_INLINE void simd_store_bf16(void *p, simd_f32 v)
{
    simd_u16 h = simd_to_bf16(v);
    memcpy(p, &h, sizeof h);
}

SIMD_INLINE void simd_store_f16(void *p, simd_f32 v)
{
    simd_u16 h = simd_to_f16(v);
    memcpy(p, &h, sizeof h);
}

SIMD_INLINE void simd_store_part_bf16(void *p, simd_f32 v, size_t n)
{
    simd_store_part_u16(p, simd_to_bf16(v), n);
}
SIMD_INLINE void simd_store_part_f16(void *p, simd_f32 v, size_t n)
{
    simd_store_part_u16(p, simd_to_f16(v), n);
}

/* --- four at a time --- */

SIMD_INLINE simd_quad simd_quad_f32(const void *p)
{
    simd_quad v;
    memcpy(&v, p, sizeof v);
    return v;
}

SIMD_INLINE simd_quad simd_quad_bf16(const void *p)
{
    simd_quad_u16 h;
    memcpy(&h, p, sizeof h);
    return (simd_quad)(__builtin_convertvector(h, simd_quad_u32) << 16);
}

SIMD_INLINE simd_quad simd_quad_f16(const void *p)
{
#if defined(__F16C__)
    return (simd_quad)_mm_cvtph_ps(_mm_loadl_epi64(p));
#elif defined(__aarch64__)
    return (simd_quad)vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
#else
    uint16_t h[4];
    memcpy(h, p, sizeof h);
    return (simd_quad){f16_to_f32(h[0]), f16_to_f32(h[1]), f16_to_f32(h[2]), f16_to_f32(h[3])};
#endif
}

/* Rows become columns. */
SIMD_INLINE void simd_quad_transpose(simd_quad v[4])
{
    simd_quad a = __builtin_shufflevector(v[0], v[1], 0, 4, 1, 5),
              b = __builtin_shufflevector(v[0], v[1], 2, 6, 3, 7);
    simd_quad c = __builtin_shufflevector(v[2], v[3], 0, 4, 1, 5),
              d = __builtin_shufflevector(v[2], v[3], 2, 6, 3, 7);
    v[0] = __builtin_shufflevector(a, c, 0, 1, 4, 5);
    v[1] = __builtin_shufflevector(a, c, 2, 3, 6, 7);
    v[2] = __builtin_shufflevector(b, d, 0, 1, 4, 5);
    v[3] = __builtin_shufflevector(b, d, 2, 3, 6, 7);
}

/* --- transposing: SIMD_LANES rows of four words --- */

/* The four 32-bit words at each of p, p + 4 step, p + 8 step ... (step in bytes): a quarter of SIMD_LANES
 * rows. */
SIMD_INLINE simd_f32 simd_gather_quads(const char *p, int64_t step)
{
#if defined(__AVX512F__)
    __m512 v = _mm512_castps128_ps512(_mm_loadu_ps((const float *)(const void *)p));
    v = _mm512_insertf32x4(v, _mm_loadu_ps((const float *)(const void *)(p + 4 * step)), 1);
    v = _mm512_insertf32x4(v, _mm_loadu_ps((const float *)(const void *)(p + 8 * step)), 2);
    return (simd_f32)_mm512_insertf32x4(v, _mm_loadu_ps((const float *)(const void *)(p + 12 * step)), 3);
#elif defined(__AVX2__)
    __m256 v = _mm256_castps128_ps256(_mm_loadu_ps((const float *)(const void *)p));
    return (simd_f32)_mm256_insertf128_ps(v, _mm_loadu_ps((const float *)(const void *)(p + 4 * step)), 1);
#else
    (void)step;
    return simd_load_f32(p);
#endif
}

/* v[r] holds the words of rows r, r + 4 ...; becomes v[c] = word c of every row in order. */
SIMD_INLINE void simd_transpose_quads(simd_f32 v[4])
{
#if defined(__AVX512F__)
    __m512d a = (__m512d)_mm512_unpacklo_ps((__m512)v[0], (__m512)v[1]);
    __m512d b = (__m512d)_mm512_unpackhi_ps((__m512)v[0], (__m512)v[1]);
    __m512d c = (__m512d)_mm512_unpacklo_ps((__m512)v[2], (__m512)v[3]);
    __m512d d = (__m512d)_mm512_unpackhi_ps((__m512)v[2], (__m512)v[3]);
    v[0] = (simd_f32)_mm512_unpacklo_pd(a, c);
    v[1] = (simd_f32)_mm512_unpackhi_pd(a, c);
    v[2] = (simd_f32)_mm512_unpacklo_pd(b, d);
    v[3] = (simd_f32)_mm512_unpackhi_pd(b, d);
#elif defined(__AVX2__)
    __m256d a = (__m256d)_mm256_unpacklo_ps((__m256)v[0], (__m256)v[1]);
    __m256d b = (__m256d)_mm256_unpackhi_ps((__m256)v[0], (__m256)v[1]);
    __m256d c = (__m256d)_mm256_unpacklo_ps((__m256)v[2], (__m256)v[3]);
    __m256d d = (__m256d)_mm256_unpackhi_ps((__m256)v[2], (__m256)v[3]);
    v[0] = (simd_f32)_mm256_unpacklo_pd(a, c);
    v[1] = (simd_f32)_mm256_unpackhi_pd(a, c);
    v[2] = (simd_f32)_mm256_unpacklo_pd(b, d);
    v[3] = (simd_f32)_mm256_unpackhi_pd(b, d);
#else
    simd_quad_transpose(v);
#endif
}

/* The sums of four vectors' lanes. v is lost. */
SIMD_INLINE simd_quad simd_sum_quad(simd_f32 v[4])
{
    simd_transpose_quads(v);
    simd_f32 s = (v[0] + v[2]) + (v[1] + v[3]);
#if defined(__AVX512F__)
    __m256 h = _mm256_add_ps(_mm512_castps512_ps256((__m512)s), _mm512_extractf32x8_ps((__m512)s, 1));
#elif defined(__AVX2__)
    __m256 h = (__m256)s;
#endif
#if defined(__AVX2__)
    return (simd_quad)_mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
#else
    return (simd_quad)s;
#endif
}

/* A word of each lane holds two neighbours of a 16-bit format: the first ones, and the second ones. */
SIMD_INLINE simd_f32 simd_first_bf16(simd_f32 v) { return (simd_f32)((simd_u32)v << 16); }
SIMD_INLINE simd_f32 simd_second_bf16(simd_f32 v) { return (simd_f32)((simd_u32)v & 0xFFFF0000u); }
SIMD_INLINE simd_f32 simd_first_f16(simd_f32 v)
{
    return simd_from_f16(__builtin_convertvector((simd_u32)v & 0xFFFFu, simd_u16));
}
SIMD_INLINE simd_f32 simd_second_f16(simd_f32 v)
{
    return simd_from_f16(__builtin_convertvector((simd_u32)v >> 16, simd_u16));
}

/* --- one element --- */

#define SIMD_SIZE_f32  4
#define SIMD_SIZE_f16  2
#define SIMD_SIZE_bf16 2

SIMD_INLINE float simd_get_f32(const void *p)
{
    float f;
    memcpy(&f, p, 4);
    return f;
}

SIMD_INLINE uint16_t simd_get_u16(const void *p)
{
    uint16_t h;
    memcpy(&h, p, 2);
    return h;
}

SIMD_INLINE float simd_get_f16(const void *p) { return f16_to_f32(simd_get_u16(p)); }
SIMD_INLINE float simd_get_bf16(const void *p) { return bf16_to_f32(simd_get_u16(p)); }

#endif
