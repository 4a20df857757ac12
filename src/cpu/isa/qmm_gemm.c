/* Many activation rows times a panel of 32 quantized rows.
 *
 * The panel is unpacked once for all activation rows, into a buffer that stays in the second-level cache. Its
 * rows are interleaved by 4 codes, so that lane n of a vector belongs to weight row n, an activation is a
 * broadcast, and nothing is summed across lanes. The int8 form sums a group in integers and scales it once;
 * the exact form first turns the panel into floats with scale and bias applied and then is a plain matrix
 * product. */
#include "cpu/isa/qmm_simd.h"

/* --- panels --- */

/* One row's codes as 4-byte slots, QMM_PANEL slots apart in the panel. */
static void panel_row(const uint8_t *w, int bits, size_t kc, uint32_t *panel)
{
    uint8_t codes[512];
    for (size_t k = 0; k < kc;) {
        size_t n = kc - k < sizeof codes ? kc - k : sizeof codes;
        const uint8_t *src = w + quant_bytes(k, bits);
        if (bits != 4 && bits != 8)
            qmm_unpack(src, bits, n, codes);
        for (size_t i = 0; i < n; i += 8, panel += 2 * QMM_PANEL) {
            uint32_t v[2];
            if (bits == 4) {
                memcpy(v, src + i / 2, 4);
                v[1] = v[0] >> 4 & 0x0F0F0F0Fu;
                v[0] &= 0x0F0F0F0Fu;
            } else {
                memcpy(v, bits == 8 ? src + i : codes + i, 8);
            }
            panel[0] = v[0];
            panel[QMM_PANEL] = v[1];
        }
        k += n;
    }
}

#if SIMD_LANES == 16

/* 64 bytes each of 16 rows, `stride` bytes apart, of 4- or 8-bit codes. */
SIMD_INLINE void panel_block(const uint8_t *w, size_t stride, int bits, uint8_t *panel)
{
    const __m512i low = _mm512_set1_epi8(15);
    __m512i v[16];
    UNROLL for (int i = 0; i < 16; i++) v[i] = _mm512_loadu_si512(w + (size_t)i * stride);
    transpose16(v);
    UNROLL for (int i = 0; i < 16; i++)
    {
        if (bits == 8) {
            _mm512_store_si512(panel + i * 4 * QMM_PANEL, v[i]);
        } else {
            _mm512_store_si512(panel + i * 8 * QMM_PANEL, _mm512_and_si512(v[i], low));
            _mm512_store_si512(panel + (i * 8 + 4) * QMM_PANEL,
                               _mm512_and_si512(_mm512_srli_epi32(v[i], 4), low));
        }
    }
}

/* As many whole blocks of 16 rows as there are; returns the elements done. */
static size_t panel_blocks(const uint8_t *w, size_t stride, int bits, size_t kc, uint8_t *panel)
{
    enum { CHUNK = 256 };
    uint8_t codes[16 * CHUNK];
    size_t k = 0;
    if (bits == 4)
        for (; k + 128 <= kc; k += 128)
            panel_block(w + k / 2, stride, 4, panel + k * QMM_PANEL);
    else if (bits == 8)
        for (; k + 64 <= kc; k += 64)
            panel_block(w + k, stride, 8, panel + k * QMM_PANEL);
    else
        for (; k + CHUNK <= kc; k += CHUNK) {
            for (size_t i = 0; i < 16; i++)
                qmm_unpack(w + i * stride + quant_bytes(k, bits), bits, CHUNK, codes + i * CHUNK);
            for (size_t b = 0; b < CHUNK; b += 64)
                panel_block(codes + b, CHUNK, 8, panel + (k + b) * QMM_PANEL);
        }
    return k;
}

#else

static size_t panel_blocks(const uint8_t *w, size_t stride, int bits, size_t kc, uint8_t *panel)
{
    (void)w, (void)stride, (void)bits, (void)kc, (void)panel;
    return 0;
}

#endif

static void panel_codes(const quant_matrix *w, size_t row, size_t rows, size_t k0, size_t kc, uint8_t *panel)
{
    const size_t stride = quant_bytes(w->k, w->bits);
    const uint8_t *src = (const uint8_t *)w->w + row * stride + quant_bytes(k0, w->bits);
    if (rows < QMM_PANEL)
        memset(panel, 0, kc * QMM_PANEL);
    for (size_t half = 0; half < rows; half += 16) {
        size_t n = rows - half < 16 ? rows - half : 16, done = 0;
        if (n == 16)
            done = panel_blocks(src + half * stride, stride, w->bits, kc, panel + half * 4);
        for (size_t i = half; i < half + n && done < kc; i++)
            panel_row(src + i * stride + quant_bytes(done, w->bits), w->bits, kc - done,
                      (uint32_t *)(void *)(panel + done * QMM_PANEL) + i);
    }
}

static void panel_scales(const void *p, mlx_dtype t, size_t at, size_t apart, size_t rows, size_t groups,
                         float *out)
{
    const uint8_t *src = (const uint8_t *)p + at * scale_size(t);
    for (size_t n = 0; n < QMM_PANEL; n += SIMD_LANES)
        for (size_t g = 0; g < groups; g += SIMD_LANES) {
            const size_t left = groups - g < SIMD_LANES ? groups - g : SIMD_LANES;
            simd_f32 v[SIMD_LANES];
            UNROLL for (size_t i = 0; i < SIMD_LANES; i++) v[i] = scales_vector(
                src + (n + i < rows ? (n + i) * apart * scale_size(t) : 0), t, g, n + i < rows ? groups : 0);
#if SIMD_LANES == 16
            transpose16((__m512i *)v);
            for (size_t i = 0; i < left; i++)
                simd_store_f32(out + (g + i) * QMM_PANEL + n, v[i]);
#else
            for (size_t i = 0; i < left; i++)
                for (size_t l = 0; l < SIMD_LANES; l++)
                    out[(g + i) * QMM_PANEL + n + l] = v[l][i];
#endif
        }
}

/* One slot of one vector's rows: 4 elements, `apart` elements from one to the next. */
SIMD_INLINE void slot_f32(const uint8_t *codes, simd_f32 scale, simd_f32 bias, float *out, size_t apart)
{
    simd_u32 v = load_codes(codes);
    UNROLL for (int b = 0; b < 4; b++) simd_store_f32(
        out + (size_t)b * apart * QMM_PANEL, to_float((simd_i32)(v >> (8 * b) & 255u)) * scale + bias);
}

static void panel_f32(const uint8_t *panel, size_t kc, int bits, int group, const float *scale,
                      const float *bias, float *out)
{
    const size_t g = (size_t)group;
    for (size_t k = 0; k < kc; k += g, scale += QMM_PANEL, bias += QMM_PANEL)
        for (size_t n = 0; n < QMM_PANEL; n += SIMD_LANES) {
            simd_f32 s = simd_load_f32(scale + n), b = simd_load_f32(bias + n);
            for (size_t i = k; i < k + g; i += 8) {
                const uint8_t *p = panel + i * QMM_PANEL + n * 4;
                float *o = out + i * QMM_PANEL + n;
                slot_f32(p, s, b, o, bits == 4 ? 2 : 1);
                slot_f32(p + 4 * QMM_PANEL, s, b, o + (bits == 4 ? 1 : 4) * QMM_PANEL, bits == 4 ? 2 : 1);
            }
        }
}

/* --- products: M activation rows times two vectors of weight rows --- */

#if SIMD_LANES == 16
#define ROWS_I8  6
#define ROWS_F32 12
#elif SIMD_LANES == 8
#define ROWS_I8  3
#define ROWS_F32 6
#else
#define ROWS_I8  2
#define ROWS_F32 6
#endif

SIMD_INLINE void group_i8(const uint8_t *w, const int8_t *x, size_t x_row, size_t slots, int bits, int M,
                          simd_i32 sum[ROWS_I8][2])
{
    UNROLL for (int m = 0; m < M; m++) sum[m][0] = sum[m][1] = (simd_i32){0};
    for (size_t i = 0; i < slots; i++, w += 4 * QMM_PANEL, x += 4) {
        simd_u32 a = load_codes(w), b = load_codes(w + QMM_BYTES);
        UNROLL for (int m = 0; m < M; m++)
        {
            simd_i32 v = broadcast_i8x4(x + (size_t)m * x_row);
            sum[m][0] = dot(bits, sum[m][0], a, v);
            sum[m][1] = dot(bits, sum[m][1], b, v);
        }
    }
}

/* Activation rows [m0, m0 + M), weight rows [n, n + 2 vectors). */
SIMD_INLINE void block_i8(const qmm_tile *t, size_t m0, size_t n, int bits, int M)
{
    const size_t slots = (size_t)t->group / 4;
    const uint8_t *w = t->panel + n * 4;
    const int8_t *x = t->x + m0 * t->x_row;
    const float *xs = t->x_scale + m0 * t->x_groups, *total = t->x_sum + m0 * t->x_groups;
    float *c = t->c + m0 * QMM_PANEL + n;
    simd_f32 acc[ROWS_I8][2];
    UNROLL for (int m = 0; m < M; m++) UNROLL for (int i = 0; i < 2; i++) acc[m][i] =
        simd_load_f32(c + m * QMM_PANEL + i * SIMD_LANES);
    for (size_t g = 0; g < t->groups; g++, w += 4 * QMM_PANEL * slots, x += 4 * slots) {
        simd_i32 sum[ROWS_I8][2];
        group_i8(w, x, t->x_row, slots, bits, M, sum);
        UNROLL for (int i = 0; i < 2; i++)
        {
            const size_t at = g * QMM_PANEL + n + (size_t)(i * SIMD_LANES);
            simd_f32 s = simd_load_f32(t->scale + at), b = simd_load_f32(t->bias + at);
            UNROLL for (int m = 0; m < M; m++)
            {
                const size_t place = (size_t)m * t->x_groups + g;
                acc[m][i] += b * simd_set1(total[place]);
                acc[m][i] += to_float(sum[m][i]) * (s * simd_set1(xs[place]));
            }
        }
    }
    UNROLL for (int m = 0; m < M; m++) UNROLL for (int i = 0; i < 2; i++)
        simd_store_f32(c + m * QMM_PANEL + i * SIMD_LANES, acc[m][i]);
}

/* Activation rows are cut into blocks of nearly equal height: a block of one or two rows waits for latencies.
 */
SIMD_INLINE size_t block_height(size_t rows, size_t most)
{
    size_t blocks = (rows + most - 1) / most;
    return (rows + blocks - 1) / blocks;
}

SIMD_INLINE void tile_bits(const qmm_tile *t, int bits)
{
    for (size_t m = 0, h; m < t->m; m += h) {
        h = block_height(t->m - m, ROWS_I8);
        for (size_t n = 0; n < QMM_PANEL; n += 2 * SIMD_LANES)
            switch (h) {
            case 1:
                block_i8(t, m, n, bits, 1);
                break;
            case 2:
                block_i8(t, m, n, bits, 2);
                break;
#if ROWS_I8 > 2
            case 3:
                block_i8(t, m, n, bits, 3);
                break;
#endif
#if ROWS_I8 > 3
            case 4:
                block_i8(t, m, n, bits, 4);
                break;
            case 5:
                block_i8(t, m, n, bits, 5);
                break;
            case 6:
                block_i8(t, m, n, bits, 6);
                break;
#endif
            }
    }
}

static void tile_i8(const qmm_tile *t)
{
    if (t->bits == 8)
        tile_bits(t, 8);
    else
        tile_bits(t, 4);
}

SIMD_INLINE void block_f32(const float *w, size_t kc, const float *x, size_t ldx, float *c, int M)
{
    simd_f32 acc[ROWS_F32][2];
    UNROLL for (int m = 0; m < M; m++) UNROLL for (int i = 0; i < 2; i++) acc[m][i] =
        simd_load_f32(c + m * QMM_PANEL + i * SIMD_LANES);
    for (size_t k = 0; k < kc; k++, w += QMM_PANEL) {
        simd_f32 a = simd_load_f32(w), b = simd_load_f32(w + SIMD_LANES);
        UNROLL for (int m = 0; m < M; m++)
        {
            simd_f32 v = simd_set1(x[(size_t)m * ldx + k]);
            acc[m][0] += a * v;
            acc[m][1] += b * v;
        }
    }
    UNROLL for (int m = 0; m < M; m++) UNROLL for (int i = 0; i < 2; i++)
        simd_store_f32(c + m * QMM_PANEL + i * SIMD_LANES, acc[m][i]);
}

#define BLOCK_F32(M)                      \
    case M:                               \
        block_f32(w, kc, xm, ldx, cm, M); \
        break;

static void tile_f32(const float *panel, size_t kc, const float *x, size_t ldx, size_t m, float *c)
{
    for (size_t i = 0, h; i < m; i += h) {
        h = block_height(m - i, ROWS_F32);
        for (size_t n = 0; n < QMM_PANEL; n += 2 * SIMD_LANES) {
            const float *w = panel + n, *xm = x + i * ldx;
            float *cm = c + i * QMM_PANEL + n;
            switch (h) {
                BLOCK_F32(1)
                BLOCK_F32(2)
                BLOCK_F32(3)
                BLOCK_F32(4)
                BLOCK_F32(5)
                BLOCK_F32(6)
#if ROWS_F32 == 12
                BLOCK_F32(7)
                BLOCK_F32(8)
                BLOCK_F32(9)
                BLOCK_F32(10)
                BLOCK_F32(11)
                BLOCK_F32(12)
#endif
            }
        }
    }
}

void FILL(qmm_gemm)(qmm_kernels *t)
{
    t->panel = panel_codes;
    t->panel_scales = panel_scales;
    t->panel_f32 = panel_f32;
    t->tile_i8 = tile_i8;
    t->tile_f32 = tile_f32;
}
