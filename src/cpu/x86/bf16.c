/* Many activation rows times a panel of 32 weight rows, both in bfloat16: the instruction that multiplies
 * pairs and adds them in float32 does twice the work of a float32 multiply-add.
 *
 * A panel holds two elements of each of its rows side by side, so that lane n of a vector belongs to weight
 * row n, a pair of activations is a broadcast, and nothing is summed across lanes. Sums are float32, in the
 * order of k. The instruction takes denormal numbers for zeros. */
#include "cpu/isa/qmm_simd.h"

#define ROWS 12 /* activation rows in registers, by two vectors of weight rows */

/* --- operands --- */

static void input_bf16(const void *x, mlx_dtype t, size_t k, uint16_t *out)
{
    const size_t padded = (k + QMM_PAD - 1) / QMM_PAD * QMM_PAD;
    if (t == MLX_BFLOAT16)
        memcpy(out, x, k * sizeof *out);
    else
        for (size_t i = 0; i < k; i += SIMD_LANES) /* k is a multiple of the group */
            _mm256_storeu_si256((void *)(out + i),
                                (__m256i)_mm512_cvtneps_pbh((__m512)scales_vector(x, t, i, k)));
    memset(out + k, 0, (padded - k) * sizeof *out);
}

/* Two elements of 16 weight rows, side by side. */
SIMD_INLINE void store_pair(simd_f32 even, simd_f32 odd, uint16_t *out)
{
    const __m512i halves =
        _mm512_set_epi32(0x1F000F, 0x1E000E, 0x1D000D, 0x1C000C, 0x1B000B, 0x1A000A, 0x190009, 0x180008,
                         0x170007, 0x160006, 0x150005, 0x140004, 0x130003, 0x120002, 0x110001, 0x100000);
    __m512i both = (__m512i)_mm512_cvtne2ps_pbh((__m512)odd, (__m512)even);
    _mm512_store_si512(out, _mm512_permutexvar_epi16(halves, both));
}

/* The j-th byte of every lane, as a number. */
SIMD_INLINE simd_f32 byte_f32(simd_u32 v, int j, int bits)
{
    return bits == 4 ? code_f32(v, 2 * j, 4) : to_float((simd_i32)(v >> (8 * j) & 255u));
}

SIMD_INLINE void panel_group(const uint8_t *panel, int group, int bits, const float *scale, const float *bias,
                             uint16_t *out)
{
    for (int n = 0; n < QMM_PANEL; n += SIMD_LANES) {
        simd_f32 s = simd_load_f32(scale + n), b = simd_load_f32(bias + n);
        for (int i = 0; i < group; i += 8) {
            simd_u32 low = load_codes(panel + (i * QMM_PANEL + n * 4));
            simd_u32 high = load_codes(panel + ((i + 4) * QMM_PANEL + n * 4));
            uint16_t *to = out + (i * QMM_PANEL + n * 2);
            UNROLL for (int p = 0; p < 4; p++, to += 2 * QMM_PANEL)
            {
                /* 4-bit codes: even elements in the first slot; others: in their order */
                simd_u32 e = bits == 4 || p < 2 ? low : high, o = bits == 4 || p >= 2 ? high : low;
                int je = bits == 4 ? p : p % 2 * 2, jo = bits == 4 ? p : p % 2 * 2 + 1;
                store_pair(byte_f32(e, je, bits) * s + b, byte_f32(o, jo, bits) * s + b, to);
            }
        }
    }
}

static void panel_bf16(const uint8_t *panel, size_t kc, int bits, int group, const float *scale,
                       const float *bias, uint16_t *out)
{
    for (size_t k = 0; k < kc; k += (size_t)group, scale += QMM_PANEL, bias += QMM_PANEL)
        if (bits == 4)
            panel_group(panel + k * QMM_PANEL, group, 4, scale, bias, out + k * QMM_PANEL);
        else
            panel_group(panel + k * QMM_PANEL, group, 8, scale, bias, out + k * QMM_PANEL);
}

/* --- dense matrices --- */

/* Lanes whose elements lie along k: 64 bytes, 32 elements, of 16 lanes at a time. */
static void pairs_along(const uint16_t *src, int64_t lane_stride, size_t lanes, size_t k, uint16_t *dst)
{
    for (size_t n = 0; n < QMM_PANEL; n += SIMD_LANES)
        for (size_t p = 0; p < k; p += 32) {
            const __mmask32 some = k - p < 32 ? ((__mmask32)1 << (k - p)) - 1 : ~(__mmask32)0;
            __m512i v[16];
            UNROLL for (size_t i = 0; i < 16; i++) v[i] =
                n + i < lanes ? _mm512_maskz_loadu_epi16(some, src + (int64_t)(n + i) * lane_stride + p)
                              : _mm512_setzero_si512();
            transpose16(v);
            UNROLL for (size_t i = 0; i < 16; i++)
                _mm512_store_si512(dst + (p + 2 * i) * QMM_PANEL + 2 * n, v[i]);
        }
}

/* Lanes side by side: two steps of k at a time. */
static void pairs_across(const uint16_t *src, int64_t k_stride, size_t lanes, size_t k, uint16_t *dst)
{
    const __mmask32 there = lanes < 32 ? ((__mmask32)1 << lanes) - 1 : ~(__mmask32)0;
    const __m512i first =
        _mm512_set_epi32(0x2F000F, 0x2E000E, 0x2D000D, 0x2C000C, 0x2B000B, 0x2A000A, 0x290009, 0x280008,
                         0x270007, 0x260006, 0x250005, 0x240004, 0x230003, 0x220002, 0x210001, 0x200000);
    const __m512i second = _mm512_add_epi16(first, _mm512_set1_epi16(16));
    for (size_t p = 0; p < (k + 31) / 32 * 32; p += 2, dst += 2 * QMM_PANEL) {
        __m512i a = _mm512_setzero_si512(), b = a;
        if (p < k)
            a = _mm512_maskz_loadu_epi16(there, src + (int64_t)p * k_stride);
        if (p + 1 < k)
            b = _mm512_maskz_loadu_epi16(there, src + (int64_t)(p + 1) * k_stride);
        _mm512_store_si512(dst, _mm512_permutex2var_epi16(a, first, b));
        _mm512_store_si512(dst + QMM_PANEL, _mm512_permutex2var_epi16(a, second, b));
    }
}

static void pairs(const uint16_t *src, int64_t lane_stride, int64_t k_stride, size_t lanes, size_t k,
                  uint16_t *dst)
{
    if (k_stride == 1) {
        pairs_along(src, lane_stride, lanes, k, dst);
    } else if (lane_stride == 1) {
        pairs_across(src, k_stride, lanes, k, dst);
    } else {
        memset(dst, 0, (k + 31) / 32 * 32 * QMM_PANEL * sizeof *dst);
        for (size_t p = 0; p < k; p++)
            for (size_t i = 0; i < lanes; i++)
                dst[p / 2 * 2 * QMM_PANEL + 2 * i + p % 2] =
                    src[(int64_t)i * lane_stride + (int64_t)p * k_stride];
    }
}

/* --- the product --- */

SIMD_INLINE __m512bh broadcast_pair(const uint16_t *x)
{
    int32_t pair;
    memcpy(&pair, x, sizeof pair);
    return (__m512bh)_mm512_set1_epi32(pair);
}

SIMD_INLINE void block(const uint16_t *w, size_t kc, const uint16_t *x, size_t ldx, float *c, int M)
{
    __m512 acc[ROWS][2];
    UNROLL for (int m = 0; m < M; m++) UNROLL for (int i = 0; i < 2; i++) acc[m][i] =
        _mm512_loadu_ps(c + m * QMM_PANEL + i * SIMD_LANES);
    for (size_t k = 0; k < kc; k += 2, w += 2 * QMM_PANEL) {
        __m512bh a = (__m512bh)_mm512_load_si512(w), b = (__m512bh)_mm512_load_si512(w + 2 * SIMD_LANES);
        UNROLL for (int m = 0; m < M; m++)
        {
            __m512bh v = broadcast_pair(x + (size_t)m * ldx + k);
            acc[m][0] = _mm512_dpbf16_ps(acc[m][0], v, a);
            acc[m][1] = _mm512_dpbf16_ps(acc[m][1], v, b);
        }
    }
    UNROLL for (int m = 0; m < M; m++) UNROLL for (int i = 0; i < 2; i++)
        _mm512_storeu_ps(c + m * QMM_PANEL + i * SIMD_LANES, acc[m][i]);
}

#define BLOCK(M)                        \
    case M:                             \
        block(panel, kc, x, ldx, c, M); \
        break;

static void tile_bf16(const uint16_t *panel, size_t kc, const uint16_t *x, size_t ldx, size_t m, float *c)
{
    /* Blocks of nearly equal height: one of few rows waits for latencies. */
    for (size_t h; m; m -= h, x += h * ldx, c += h * QMM_PANEL) {
        size_t blocks = (m + ROWS - 1) / ROWS;
        h = (m + blocks - 1) / blocks;
        switch (h) {
            BLOCK(1)
            BLOCK(2)
            BLOCK(3)
            BLOCK(4)
            BLOCK(5)
            BLOCK(6)
            BLOCK(7)
            BLOCK(8)
            BLOCK(9)
            BLOCK(10)
            BLOCK(11)
            BLOCK(12)
        }
    }
}

/* --- the limit --- */

static uint64_t peak_bf16(size_t rounds)
{
    enum { CHAINS = 12 };
    __m512 acc[CHAINS];
    __m512i a = _mm512_set1_epi32(0x3F803F80);
    UNROLL for (int i = 0; i < CHAINS; i++)
    {
        acc[i] = _mm512_setzero_ps();
        __asm__ volatile("" : "+v"(acc[i])); /* equal chains would become one */
    }
    for (size_t n = 0; n < rounds; n++) {
        __asm__ volatile("" : "+v"(a));
        UNROLL for (int i = 0; i < CHAINS; i++) acc[i] = _mm512_dpbf16_ps(acc[i], (__m512bh)a, (__m512bh)a);
    }
    UNROLL for (int i = 0; i < CHAINS; i++) __asm__ volatile("" : "+v"(acc[i]));
    return (uint64_t)rounds * CHAINS * 2 * SIMD_LANES;
}

void FILL(gemm)(gemm_kernels *t)
{
    t->pairs = pairs;
    t->tile_bf16 = tile_bf16;
}

void FILL(qmm)(qmm_kernels *t)
{
    t->input_bf16 = input_bf16;
    t->panel_bf16 = panel_bf16;
    t->tile_bf16 = tile_bf16;
    t->peak_bf16 = peak_bf16;
}
