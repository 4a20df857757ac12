/* Scores and weighted values by AVX-512's dot products of neighbouring numbers, for bytes and nibbles (VNNI)
 * and for bfloat16 (on processors that have it): the words of a block are what these take.
 *
 * Bytes and nibbles. A query becomes bytes by group, with a scale; a score's part of a group is a sum of
 * integers times both scales. Weights times the scales of values become 16-bit numbers relative to the
 * largest, in two bytes each: small weights count, there may be many of them. bfloat16: queries and weights
 * are rounded to it. */

#include "cpu/isa/tile.h"

#include <string.h>

#ifdef __AVX512VNNI__

SIMD_INLINE __m512i broadcast(const void *p)
{
    int32_t x;
    memcpy(&x, p, 4);
    return _mm512_set1_epi32(x);
}

SIMD_INLINE __m512i low_nibbles(__m512i x) { return _mm512_and_si512(x, _mm512_set1_epi8(15)); }
SIMD_INLINE __m512i high_nibbles(__m512i x) { return low_nibbles(_mm512_srli_epi16(x, 4)); }

/* Calls PART(R, N) for all rows, n of something at a time: `wide` of them or 1. */
#define FOR_ROWS(most, wide, n)              \
    for (size_t r = 0, left; r < t->rows;) { \
        left = t->rows - r;                  \
        if ((n) == (wide) && left >= (most)) \
            PART(most, wide)                 \
        else if (left >= (most))             \
            PART(most, 1)                    \
        else if ((n) == (wide) && left >= 2) \
            PART(2, wide)                    \
        else if (left >= 2)                  \
            PART(2, 1)                       \
        else if ((n) == (wide))              \
            PART(1, wide)                    \
        else                                 \
            PART(1, 1)                       \
    }

/* --- bytes and nibbles --- */

/* A prepared row: bytes of its numbers; for each group the scale, and the sum of its bytes. */
static size_t q_bytes_dot(const kv_block *b) { return b->k_words * b->per + b->k_groups * 8; }
static const char *q_group(const kv_block *b, const char *q, size_t g)
{
    return q + b->k_words * b->per + g * 8;
}

static void prepare_dot(const kv_block *b, const float *q, void *dst)
{
    int8_t *y = dst;
    size_t count = b->k_words * b->per;
    for (size_t g = 0; g < b->k_groups; g++) {
        size_t begin = g * b->group, end = begin + b->group < count ? begin + b->group : count;
        float most = 0, bad = 0;
        int32_t total = 0;
        for (size_t d = begin; d < end; d++) {
            float size = m_abs(q[d]);
            most = size > most ? size : most;
            bad += q[d] * 0; /* NaN from what is not finite */
        }
        float scale = most / 127 + bad, inverse = most > 0 && most < INFINITY ? 127 / most : 0;
        for (size_t d = begin; d < end; d++) {
            int32_t code = (int32_t)m_rint(bad == 0 ? q[d] * inverse : 0);
            y[d] = (int8_t)code;
            total += code;
        }
        memcpy((char *)dst + count + g * 8, &scale, 4);
        memcpy((char *)dst + count + g * 8 + 4, &total, 4);
    }
}

SIMD_INLINE void scores_part_dot(const enum kv_kind kind, const size_t R, const size_t B, const paged_tile *t,
                                 size_t row, size_t i, size_t g)
{
    const kv_block *k = t->block;
    const size_t per = kind == KV_INT8 ? 4 : 8, words = k->group / per;
    const char *q = t->q + row * t->q_step, *x[4], *next[4];
    size_t w = g * words, end = w + words < k->k_words ? w + words : k->k_words;
    __m512i sum[8][4];
    UNROLL
    for (size_t b = 0; b < B; b++) {
        x[b] = t->keys[i + b];
        next[b] = t->keys[i + b + (row ? 0 : PAGED_AHEAD)];
    }
    UNROLL
    for (size_t r = 0; r < R; r++) {
        __m512i start = broadcast(q_group(k, q + r * t->q_step, g) + 4);
        start = kind == KV_INT8 ? _mm512_slli_epi32(_mm512_sub_epi32(_mm512_setzero_si512(), start), 7)
                                : _mm512_setzero_si512();
        UNROLL
        for (size_t b = 0; b < B; b++)
            sum[r][b] = start;
    }
    for (; w < end; w++) {
        UNROLL
        for (size_t b = 0; b < B; b++) {
            __m512i word = _mm512_loadu_si512(x[b] + w * KV_LINE);
            FETCH(next[b] + w * KV_LINE);
            __m512i low = kind == KV_INT8 ? word : low_nibbles(word), high = high_nibbles(word);
            UNROLL
            for (size_t r = 0; r < R; r++) {
                const char *bytes = q + r * t->q_step + w * per;
                sum[r][b] = _mm512_dpbusd_epi32(sum[r][b], low, broadcast(bytes));
                if (kind == KV_INT4)
                    sum[r][b] = _mm512_dpbusd_epi32(sum[r][b], high, broadcast(bytes + 4));
            }
        }
    }
    UNROLL
    for (size_t b = 0; b < B; b++) {
        const char *scales = x[b] + k->k_scales + g * KV_POSITIONS * 2;
        simd_f32 scale = simd_load_f16(scales), bias = {0};
        if (kind == KV_INT4)
            bias = simd_load_f16(scales + k->k_groups * KV_POSITIONS * 2);
        UNROLL
        for (size_t r = 0; r < R; r++) {
            float *s = t->scores + (row + r) * PAGED_KEYS + (i + b) * KV_POSITIONS;
            const char *group = q_group(k, q + r * t->q_step, g);
            simd_f32 y = scale * (simd_f32)_mm512_cvtepi32_ps(sum[r][b]);
            if (kind == KV_INT4)
                y += bias * (simd_f32)_mm512_cvtepi32_ps(broadcast(group + 4));
            y *= (simd_f32)_mm512_castsi512_ps(broadcast(group));
            simd_store_f32(s, g ? simd_load_f32(s) + y : y);
        }
    }
}

SIMD_INLINE void scores_dot(const enum kv_kind kind, const paged_tile *t)
{
    for (size_t i = 0, n; i < t->blocks; i += n) {
        n = t->blocks - i >= 4 ? 4 : 1;
        for (size_t g = 0; g < t->block->k_groups; g++)
#define PART(R, B)                               \
    {                                            \
        scores_part_dot(kind, R, B, t, r, i, g); \
        r += R;                                  \
    }
            FOR_ROWS(4, 4, n)
#undef PART
    }
}

/* What values are summed with: for each row high bytes of weights, low bytes (PAGED_KEYS each). */
typedef struct dot_weights {
    uint8_t *bytes;
    float *scale, *bias;
} dot_weights;

static dot_weights weights_of(const paged_tile *t)
{
    dot_weights w = {t->work, NULL, NULL};
    w.scale = (float *)(void *)(w.bytes + t->rows * 2 * PAGED_KEYS);
    w.bias = w.scale + t->rows;
    return w;
}
static size_t work_bytes_dot(const kv_block *b, size_t rows)
{
    (void)b;
    return rows * (2 * PAGED_KEYS + 2 * sizeof(float));
}

/* The weights of a row for group g. */
static void split_weights(const paged_tile *t, const dot_weights *to, size_t row, size_t g)
{
    float w[PAGED_KEYS];
    size_t n = t->blocks * KV_POSITIONS;
    simd_f32 most = {0}, bad = {0};
    to->bias[row] = scale_weights(t, row, g, n, w);
    for (size_t i = 0; i < n; i += SIMD_LANES) {
        simd_f32 x = simd_load_f32(w + i);
        most = simd_max(most, x);
        bad += x * 0.0f;
    }
    float max = _mm512_reduce_max_ps((__m512)most);
    simd_f32 inverse = simd_set1(max > 0 ? 65535 / max : 0);
    to->scale[row] = max / 65535 + simd_sum(bad);
    uint8_t *high = to->bytes + row * 2 * PAGED_KEYS, *low = high + PAGED_KEYS;
    for (size_t i = 0; i < n; i += SIMD_LANES) {
        __m512i code = _mm512_cvtps_epu32((__m512)(simd_load_f32(w + i) * inverse));
        code = _mm512_min_epu32(code, _mm512_set1_epi32(65535));
        _mm_storeu_si128((__m128i *)(void *)(high + i), _mm512_cvtepi32_epi8(_mm512_srli_epi32(code, 8)));
        _mm_storeu_si128((__m128i *)(void *)(low + i), _mm512_cvtepi32_epi8(code));
    }
}

SIMD_INLINE void values_part_dot(const enum kv_kind kind, const size_t R, const size_t C, const paged_tile *t,
                                 const dot_weights *from, size_t row, size_t d)
{
    const size_t per = kind == KV_INT8 ? 4 : 8, width = t->block->v_width;
    const uint8_t *p = from->bytes + row * 2 * PAGED_KEYS;
    __m512i sum[8][4];
    UNROLL
    for (size_t r = 0; r < 2 * R; r++)
        UNROLL
    for (size_t c = 0; c < C; c++)
        sum[r][c] = _mm512_setzero_si512();
    for (size_t i = 0; i < t->blocks; i++) {
        const char *x = t->values[i] + d * 4;
        const char *next = row ? x : t->values[i + PAGED_AHEAD] + d * 4;
        for (size_t j = 0; j < KV_POSITIONS; j += per, x += width * 4, next += width * 4, p += per) {
            UNROLL
            for (size_t c = 0; c < C; c++) {
                FETCH(next + c * 64);
                __m512i word = _mm512_loadu_si512(x + c * 64);
                __m512i low = kind == KV_INT8 ? word : low_nibbles(word), high = high_nibbles(word);
                UNROLL
                for (size_t r = 0; r < 2 * R; r++) {
                    sum[r][c] = _mm512_dpbusd_epi32(sum[r][c], broadcast(p + r * PAGED_KEYS), low);
                    if (kind == KV_INT4)
                        sum[r][c] = _mm512_dpbusd_epi32(sum[r][c], broadcast(p + r * PAGED_KEYS + 4), high);
                }
            }
        }
    }
    UNROLL
    for (size_t r = 0; r < R; r++)
        UNROLL
    for (size_t c = 0; c < C; c++) {
        __m512i both = _mm512_add_epi32(_mm512_slli_epi32(sum[2 * r][c], 8), sum[2 * r + 1][c]);
        simd_f32 y = (simd_f32)_mm512_cvtepi32_ps(both) * simd_set1(from->scale[row + r]);
        if (kind == KV_INT4)
            y += simd_set1(from->bias[row + r]);
        simd_store_f32(t->out + (row + r) * width + d + c * SIMD_LANES, y);
    }
}

SIMD_INLINE void values_dot(const enum kv_kind kind, const paged_tile *t)
{
    const kv_block *b = t->block;
    dot_weights w = weights_of(t);
    for (size_t g = 0; g < b->v_groups; g++) {
        size_t end = (g + 1) * b->group < b->v_width ? (g + 1) * b->group : b->v_width;
        for (size_t r = 0; r < t->rows; r++)
            split_weights(t, &w, r, g);
        for (size_t d = g * b->group, n; d < end; d += n * SIMD_LANES) {
            n = end - d >= 2 * SIMD_LANES ? 2 : 1;
#define PART(R, C)                                \
    {                                             \
        values_part_dot(kind, R, C, t, &w, r, d); \
        r += R;                                   \
    }
            FOR_ROWS(4, 2, n)
#undef PART
        }
    }
}

static void scores_dot8(const paged_tile *t) { scores_dot(KV_INT8, t); }
static void scores_dot4(const paged_tile *t) { scores_dot(KV_INT4, t); }
static void values_dot8(const paged_tile *t) { values_dot(KV_INT8, t); }
static void values_dot4(const paged_tile *t) { values_dot(KV_INT4, t); }

/* --- bfloat16 --- */

#define BF16 __attribute__((target("avx512bf16")))

static size_t q_bytes_bf16(const kv_block *b) { return b->k_words * 4; }
static size_t work_bytes_bf16(const kv_block *b, size_t rows)
{
    (void)b;
    return rows * PAGED_KEYS * 2;
}

static void prepare_bf16(const kv_block *b, const float *q, void *dst)
{
    for (size_t d = 0; d < b->k_words * 2; d++) {
        uint16_t x = f32_to_bf16(q[d]);
        memcpy((char *)dst + d * 2, &x, 2);
    }
}

BF16 SIMD_INLINE __m512 dot_bf16(__m512 sum, const void *words, const void *one)
{
    return _mm512_dpbf16_ps(sum, (__m512bh)_mm512_loadu_si512(words), (__m512bh)broadcast(one));
}

BF16 SIMD_INLINE void scores_part_pairs(const size_t R, const size_t B, const paged_tile *t, size_t row,
                                        size_t i)
{
    const char *q = t->q + row * t->q_step, *x[4], *next[4];
    const size_t step = t->q_step, words = t->block->k_words;
    __m512 sum[8][4];
    UNROLL
    for (size_t b = 0; b < B; b++) {
        x[b] = t->keys[i + b];
        next[b] = t->keys[i + b + (row ? 0 : PAGED_AHEAD)];
        UNROLL
        for (size_t r = 0; r < R; r++)
            sum[r][b] = _mm512_setzero_ps();
    }
    for (size_t w = 0; w < words; w++) {
        UNROLL
        for (size_t b = 0; b < B; b++)
            FETCH(next[b] + w * KV_LINE);
        UNROLL
        for (size_t b = 0; b < B; b++)
            UNROLL
        for (size_t r = 0; r < R; r++)
            sum[r][b] = dot_bf16(sum[r][b], x[b] + w * KV_LINE, q + r * step + w * 4);
    }
    UNROLL
    for (size_t b = 0; b < B; b++)
        UNROLL
    for (size_t r = 0; r < R; r++)
        _mm512_storeu_ps(t->scores + (row + r) * PAGED_KEYS + (i + b) * KV_POSITIONS, sum[r][b]);
}

BF16 static void scores_pairs(const paged_tile *t)
{
    for (size_t i = 0, n; i < t->blocks; i += n) {
        n = t->blocks - i >= 4 ? 4 : 1;
#define PART(R, B)                        \
    {                                     \
        scores_part_pairs(R, B, t, r, i); \
        r += R;                           \
    }
        FOR_ROWS(4, 4, n)
#undef PART
    }
}

BF16 SIMD_INLINE void values_part_pairs(const size_t R, const size_t C, const paged_tile *t, size_t row,
                                        size_t d)
{
    const size_t line = t->block->v_width * 4;
    const char *p = (const char *)t->work + row * PAGED_KEYS * 2;
    __m512 sum[8][4];
    UNROLL
    for (size_t r = 0; r < R; r++)
        UNROLL
    for (size_t c = 0; c < C; c++)
        sum[r][c] = _mm512_setzero_ps();
    for (size_t i = 0; i < t->blocks; i++) {
        const char *x = t->values[i] + d * 4;
        const char *next = row ? x : t->values[i + PAGED_AHEAD] + d * 4;
        for (size_t j = 0; j < KV_POSITIONS; j += 2, x += line, next += line, p += 4) {
            UNROLL
            for (size_t c = 0; c < C; c++)
                FETCH(next + c * 64);
            UNROLL
            for (size_t c = 0; c < C; c++)
                UNROLL
            for (size_t r = 0; r < R; r++)
                sum[r][c] = dot_bf16(sum[r][c], x + c * 64, p + r * PAGED_KEYS * 2);
        }
    }
    UNROLL
    for (size_t r = 0; r < R; r++)
        UNROLL
    for (size_t c = 0; c < C; c++)
        _mm512_storeu_ps(t->out + (row + r) * t->block->v_width + d + c * SIMD_LANES, sum[r][c]);
}

BF16 static void values_pairs(const paged_tile *t)
{
    for (size_t r = 0; r < t->rows; r++)
        for (size_t i = 0; i < t->blocks * KV_POSITIONS; i += SIMD_LANES) {
            __m256i x = (__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(t->scores + r * PAGED_KEYS + i));
            _mm256_storeu_si256((__m256i *)(void *)((char *)t->work + (r * PAGED_KEYS + i) * 2), x);
        }
    for (size_t d = 0, n; d < t->block->v_width; d += n * SIMD_LANES) {
        n = t->block->v_width - d >= 4 * SIMD_LANES ? 4 : 1;
#define PART(R, C)                        \
    {                                     \
        values_part_pairs(R, C, t, r, d); \
        r += R;                           \
    }
        FOR_ROWS(4, 4, n)
#undef PART
    }
}

static void fill_dot(paged_kernels *t)
{
    for (int i = KV_INT8; i <= KV_INT4; i++) {
        t->q_bytes[i] = q_bytes_dot;
        t->work_bytes[i] = work_bytes_dot;
        t->prepare[i] = prepare_dot;
    }
    t->scores[KV_INT8] = scores_dot8;
    t->scores[KV_INT4] = scores_dot4;
    t->values[KV_INT8] = values_dot8;
    t->values[KV_INT4] = values_dot4;
    if (!cpuid_avx512_bf16())
        return;
    t->q_bytes[KV_BF16] = q_bytes_bf16;
    t->work_bytes[KV_BF16] = work_bytes_bf16;
    t->prepare[KV_BF16] = prepare_bf16;
    t->scores[KV_BF16] = scores_pairs;
    t->values[KV_BF16] = values_pairs;
}

#endif
