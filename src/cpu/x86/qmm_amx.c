/* Many activation rows times a panel of 32 weight rows on AMX tiles.
 *
 * Bytes: a panel of 32 weight rows, interleaved by 4 codes, is what the tile product takes as its second
 * operand: 64 elements of 16 rows are one tile. The first operand is 16 rows of activations as they lie. Two
 * tiles of each give four products a step, so a loaded tile is used twice. The sums of a group come out as
 * integers, through a small buffer, and meet their scales in vectors; while the tiles work on one group, the
 * vectors scale the one before. Integer sums are exact, so a row's result depends on nothing but the row.
 *
 * Bfloat16: scales and biases are in the panel, so sums stay in the tiles for a whole stretch of k. A tile's
 * result rows do not depend on each other. */
#include "cpu/kernels.h"

#include <immintrin.h>

#define TILE 16 /* rows of a tile, and its columns of 32 bits */

/* Two by two products of one group. */
typedef struct sums {
    int32_t at[2][TILE][QMM_PANEL]; /* by tile of activation rows, row, weight row */
} sums;

/* What LDTILECFG takes: tiles 0-3 are sums, 4-5 activations, 6-7 weights. */
typedef struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_config;

/* `step` elements of k at once: 64, or a group of 32. */
static void tiles_begin(int step)
{
    tile_config c = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        c.rows[i] = (uint8_t)(i < 6 ? TILE : step / 4);
        c.row_bytes[i] = (uint16_t)(i == 4 || i == 5 ? step : 4 * TILE);
    }
    __asm__ volatile("" : : "r"(&c) : "memory"); /* GCC believes that only the first word is read */
    _tile_loadconfig(&c);
}

/* The sums of one group: activation rows x of one or two tiles, weights w of the panel. */
__attribute__((always_inline)) static inline void group_sums(const int8_t *x, size_t x_row, const uint8_t *w,
                                                             int steps, bool two, sums *out)
{
    const int8_t *second = x + TILE * x_row;
    const size_t slot = 4 * QMM_PANEL; /* bytes */
    _tile_zero(0);
    _tile_zero(1);
    if (two) {
        _tile_zero(2);
        _tile_zero(3);
    }
    for (int i = 0; i < steps; i++, x += 64, second += 64, w += 64 / 4 * slot) {
        _tile_loadd(4, x, x_row);
        _tile_loadd(6, w, slot);
        _tile_dpbsud(0, 4, 6);
        _tile_loadd(7, w + 4 * TILE, slot);
        _tile_dpbsud(1, 4, 7);
        if (two) {
            _tile_loadd(5, second, x_row);
            _tile_dpbsud(2, 5, 6);
            _tile_dpbsud(3, 5, 7);
        }
    }
    _tile_stored(0, out->at[0][0], sizeof out->at[0][0]);
    _tile_stored(1, out->at[0][0] + TILE, sizeof out->at[0][0]);
    if (two) {
        _tile_stored(2, out->at[1][0], sizeof out->at[0][0]);
        _tile_stored(3, out->at[1][0] + TILE, sizeof out->at[0][0]);
    }
}

/* c (rows, QMM_PANEL) += sums of group g by the scales of weights and activations, and the biases. */
__attribute__((always_inline)) static inline void group_scale(const qmm_tile *t, const sums *s, size_t m0,
                                                              size_t g, size_t rows, float *c)
{
    const float *scale = t->scale + g * QMM_PANEL, *bias = t->bias + g * QMM_PANEL;
    const __m512 s0 = _mm512_load_ps(scale), s1 = _mm512_load_ps(scale + TILE);
    const __m512 b0 = _mm512_load_ps(bias), b1 = _mm512_load_ps(bias + TILE);
    const int32_t *from = s->at[0][0];
    for (size_t m = 0; m < rows; m++, from += QMM_PANEL, c += QMM_PANEL) {
        const size_t place = (m0 + m) * t->x_groups + g;
        __m512 x = _mm512_set1_ps(t->x_scale[place]), total = _mm512_set1_ps(t->x_sum[place]);
        __m512 c0 = _mm512_fmadd_ps(b0, total, _mm512_load_ps(c));
        __m512 c1 = _mm512_fmadd_ps(b1, total, _mm512_load_ps(c + TILE));
        __m512 p0 = _mm512_cvtepi32_ps(_mm512_load_si512(from));
        __m512 p1 = _mm512_cvtepi32_ps(_mm512_load_si512(from + TILE));
        _mm512_store_ps(c, _mm512_fmadd_ps(p0, _mm512_mul_ps(s0, x), c0));
        _mm512_store_ps(c + TILE, _mm512_fmadd_ps(p1, _mm512_mul_ps(s1, x), c1));
    }
}

/* Up to 32 activation rows from m0 on. */
__attribute__((always_inline)) static inline void block(const qmm_tile *t, size_t m0, size_t rows, bool two)
{
    _Alignas(64) sums s[2];
    const size_t group = (size_t)t->group;
    const int steps = group > 64 ? 2 : 1;
    const int8_t *x = t->x + m0 * t->x_row;
    float *c = t->c + m0 * QMM_PANEL;
    for (size_t g = 0; g < t->groups; g++) {
        group_sums(x + g * group, t->x_row, t->panel + g * group * QMM_PANEL, steps, two, &s[g & 1]);
        if (g)
            group_scale(t, &s[~g & 1], m0, g - 1, rows, c);
    }
    group_scale(t, &s[~t->groups & 1], m0, t->groups - 1, rows, c);
}

static void tile_i8(const qmm_tile *t)
{
    tiles_begin(t->group < 64 ? t->group : 64);
    for (size_t m = 0; m < t->m; m += 2 * TILE) {
        size_t rows = t->m - m < 2 * TILE ? t->m - m : 2 * TILE;
        if (rows > TILE)
            block(t, m, rows, true);
        else
            block(t, m, rows, false);
    }
    _tile_release();
}

/* --- bfloat16 --- */

#define STEP 32 /* elements of k in a tile */

/* One or two tiles of activation rows. */
__attribute__((always_inline)) static inline void block_bf16(const uint16_t *w, size_t kc, const uint16_t *x,
                                                             size_t ldx, bool two, float *c)
{
    const size_t c_row = QMM_PANEL * sizeof(float), w_row = 2 * QMM_PANEL * sizeof *w,
                 x_row = ldx * sizeof *x;
    const uint16_t *second = x + TILE * ldx;
    float *below = c + TILE * QMM_PANEL;
    _tile_loadd(0, c, c_row);
    _tile_loadd(1, c + TILE, c_row);
    if (two) {
        _tile_loadd(2, below, c_row);
        _tile_loadd(3, below + TILE, c_row);
    }
    for (size_t k = 0; k < kc; k += STEP, w += STEP * QMM_PANEL) {
        _tile_loadd(4, x + k, x_row);
        _tile_loadd(6, w, w_row);
        _tile_dpbf16ps(0, 4, 6);
        _tile_loadd(7, w + 2 * TILE, w_row);
        _tile_dpbf16ps(1, 4, 7);
        if (two) {
            _tile_loadd(5, second + k, x_row);
            _tile_dpbf16ps(2, 5, 6);
            _tile_dpbf16ps(3, 5, 7);
        }
    }
    _tile_stored(0, c, c_row);
    _tile_stored(1, c + TILE, c_row);
    if (two) {
        _tile_stored(2, below, c_row);
        _tile_stored(3, below + TILE, c_row);
    }
}

static void tile_bf16(const uint16_t *panel, size_t kc, const uint16_t *x, size_t ldx, size_t m, float *c)
{
    tiles_begin(64);
    for (size_t i = 0; i < m; i += 2 * TILE, x += 2 * TILE * ldx, c += 2 * TILE * QMM_PANEL)
        if (m - i > TILE)
            block_bf16(panel, kc, x, ldx, true, c);
        else
            block_bf16(panel, kc, x, ldx, false, c);
    _tile_release();
}

/* --- the limits --- */

static void tiles_zero(void)
{
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_zero(4);
    _tile_zero(5);
    _tile_zero(6);
    _tile_zero(7);
}

static uint64_t peak_i8(size_t rounds)
{
    tiles_begin(64);
    tiles_zero();
    for (size_t i = 0; i < rounds / 16; i++) {
        _tile_dpbsud(0, 4, 6);
        _tile_dpbsud(1, 4, 7);
        _tile_dpbsud(2, 5, 6);
        _tile_dpbsud(3, 5, 7);
    }
    _tile_release();
    return (uint64_t)(rounds / 16) * 4 * TILE * TILE * 64;
}

static uint64_t peak_bf16(size_t rounds)
{
    tiles_begin(64);
    tiles_zero();
    for (size_t i = 0; i < rounds / 16; i++) {
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    _tile_release();
    return (uint64_t)(rounds / 16) * 4 * TILE * TILE * STEP;
}

void FILL(gemm)(gemm_kernels *t) { t->tile_bf16 = tile_bf16; }

void FILL(qmm)(qmm_kernels *t)
{
    t->tile_i8 = tile_i8;
    t->tile_bf16 = tile_bf16;
    t->peak_i8 = peak_i8;
    t->peak_bf16 = peak_bf16;
}
