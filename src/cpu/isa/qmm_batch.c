/* Five to sixteen activation rows times a range of quantized rows: every line of weights is unpacked once for
 * all of them.
 *
 * Sixteen weight rows are taken together. A line of each, 64 bytes, is turned into columns, so that lane n of
 * a vector belongs to weight row n, an activation is a broadcast, and nothing is summed across lanes; a group
 * is summed in integers and scaled once. The rows are walked in step, which memory would answer slowly; so
 * the block of rows behind these is asked for meanwhile, in the order in which it lies there.
 *
 * Only for vectors of 16 lanes: with shorter ones, and fewer registers, qmm_gemv.c on four activation rows at
 * a time is as good, as the weights stay in the cache between. */
#include "cpu/isa/qmm_simd.h"

#if SIMD_LANES == 16

#define ROWS   16 /* weight rows of a block: the lanes */
#define HEIGHT 8  /* activation rows whose sums are in registers */

/* A block of weight rows, one span of it. */
typedef struct block {
    const qmm_rows *j;
    size_t row[ROWS]; /* where there are fewer, the last one again and again */
    size_t row_bytes, groups, first;
    int shift;
    const uint8_t *next; /* what is asked for ahead */
    _Alignas(64) float scale[QMM_SPAN][ROWS], bias[QMM_SPAN][ROWS], acc[QMM_FEW_ROWS][ROWS];
    _Alignas(64) uint8_t columns[2 * 64 * ROWS]; /* two lines of all rows: (dwords, ROWS, 4) */
} block;

/* Scales or biases of the span, turned: (QMM_SPAN, ROWS). */
static void turn_scales(const block *b, const void *p, float (*to)[ROWS])
{
    const mlx_dtype t = b->j->w->scale_dtype;
    const size_t left = b->groups - b->first;
    __m512i v[ROWS];
    UNROLL for (int i = 0; i < ROWS; i++) v[i] =
        (__m512i)span_scales(p, t, b->row[i] * b->groups + b->first, left < QMM_SPAN ? left : QMM_SPAN).v[0];
    transpose16(v);
    UNROLL for (int i = 0; i < ROWS; i++) _mm512_store_si512(to[i], v[i]);
}

/* `count` lines (1 or 2) of codes from element e of the row on become columns; n bytes of them are there. */
SIMD_INLINE void turn_lines(block *b, size_t e, int bits, size_t count, size_t n)
{
    const quant_matrix *w = b->j->w;
    uint8_t unpacked[ROWS][128];
    const uint8_t *at[ROWS];
    for (int i = 0; i < ROWS; i++) {
        at[i] = (const uint8_t *)w->w + b->row[i] * b->row_bytes + quant_bytes(e, w->bits);
        if (bits == 0) {
            qmm_unpack(at[i], w->bits, n, unpacked[i]);
            at[i] = unpacked[i];
        }
    }
    for (size_t l = 0; l < count; l++) {
        const size_t left = n - 64 * l;
        const __mmask64 mask = left < 64 ? ((__mmask64)1 << left) - 1 : ~(__mmask64)0;
        __m512i v[ROWS];
        UNROLL for (int i = 0; i < ROWS; i++)
        {
            v[i] = _mm512_maskz_loadu_epi8(mask, at[i] + 64 * l);
            __builtin_prefetch((const void *)((uintptr_t)b->next + (size_t)i * 64), 0, 2);
        }
        b->next = (const uint8_t *)((uintptr_t)b->next + (size_t)64 * ROWS);
        transpose16(v);
        UNROLL for (int i = 0; i < ROWS; i++)
            _mm512_store_si512(b->columns + l * sizeof v + (size_t)i * 64, v[i]);
    }
}

/* Sums of one group, H activation rows that lie `stride` apart, one digit of them: `dwords` columns from w
 * on. */
SIMD_INLINE void sum_group(const uint8_t *w, const int8_t *x, size_t stride, size_t dwords, int bits, int H,
                           __m512i sum[HEIGHT])
{
    const __m512i low = _mm512_set1_epi8(15);
    UNROLL for (int h = 0; h < H; h++) sum[h] = _mm512_setzero_si512();
    for (size_t i = 0; i < dwords; i++, w += 64, x += 4) {
        __m512i c = _mm512_load_si512(w), a = bits == 4 ? _mm512_and_si512(c, low) : c;
        __m512i o = bits == 4 ? _mm512_and_si512(_mm512_srli_epi16(c, 4), low) : c;
        UNROLL for (int h = 0; h < H; h++)
        {
            const int8_t *xh = x + (size_t)h * stride;
            sum[h] = (__m512i)dot8((simd_i32)sum[h], (simd_u32)a, broadcast_i8x4(xh));
            if (bits == 4)
                sum[h] = (__m512i)dot8((simd_i32)sum[h], (simd_u32)o, broadcast_i8x4(xh + 64));
        }
    }
}

/* Group g of the span, whose columns are at w: activation rows [m, m + H). x is the group's place in a row.
 */
SIMD_INLINE void add_group(block *b, const uint8_t *w, size_t g, size_t x, size_t dwords, int bits,
                           int digits, size_t m, int H)
{
    const qmm_rows *j = b->j;
    const size_t stride = (size_t)digits * j->row;
    const int8_t *at = j->x + m * stride + x;
    simd_f32 s = simd_load_f32(b->scale[g]), bias = simd_load_f32(b->bias[g]), total[HEIGHT];
    UNROLL for (int d = 0; d < digits; d++)
    {
        __m512i sum[HEIGHT];
        sum_group(w, at + (size_t)d * j->row, stride, dwords, bits, H, sum);
        UNROLL for (int h = 0; h < H; h++) total[h] =
            d ? total[h] * 256.0f + to_float((simd_i32)sum[h]) : to_float((simd_i32)sum[h]);
    }
    UNROLL for (int h = 0; h < H; h++)
    {
        float *acc = b->acc[m + (size_t)h];
        const size_t i = (m + (size_t)h) * j->groups + b->first + g;
        simd_f32 v = simd_load_f32(acc) + bias * simd_set1(j->sum[i]);
        simd_store_f32(acc, v + total[h] * (s * simd_set1(j->scale[i])));
    }
}

/* All activation rows, in parts of nearly equal height. */
SIMD_INLINE void add_group_all(block *b, const uint8_t *w, size_t g, size_t x, size_t dwords, int bits,
                               int digits)
{
    const size_t all = b->j->m, parts = (all + HEIGHT - 1) / HEIGHT;
    for (size_t i = 0; i < parts; i++) {
        const size_t m = all * i / parts;
        switch (all * (i + 1) / parts - m) {
#define CASE(H)                                            \
    case H:                                                \
        add_group(b, w, g, x, dwords, bits, digits, m, H); \
        break;
            CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8)
#undef CASE
        }
    }
}

/* One span: lines become columns, as many as hold whole groups, and the groups are added. */
SIMD_INLINE void add_span(block *b, int bits, int digits)
{
    const size_t group = (size_t)1 << b->shift, line = bits == 4 ? 128 : 64;
    const size_t lines = group > line ? 2 : 1, dwords = group / (bits == 4 ? 8 : 4);
    const size_t left = b->groups - b->first, count = (left < QMM_SPAN ? left : QMM_SPAN) << b->shift;
    turn_scales(b, b->j->w->scales, b->scale);
    turn_scales(b, b->j->w->biases, b->bias);
    for (size_t e = 0; e < count; e += lines * line) {
        const size_t n = count - e < lines * line ? count - e : lines * line, at = (b->first << b->shift) + e;
        turn_lines(b, at, bits, lines, bits == 4 ? n / 2 : n);
        for (size_t i = 0; i < n; i += group)
            add_group_all(b, b->columns + i / group * dwords * 64, (e + i) >> b->shift,
                          bits == 4 ? at + i / 2 : at + i, dwords, bits, digits);
    }
}

/* Asks for the scales and biases of the rows behind `row` and its block. */
static void ask_for_scales(const block *b, size_t row)
{
    const quant_matrix *w = b->j->w;
    const size_t size = b->groups * scale_size(w->scale_dtype), at = (row + ROWS) * size;
    for (size_t i = 0; i < ROWS * size; i += 64) {
        __builtin_prefetch((const void *)((uintptr_t)w->scales + at + i), 0, 2);
        __builtin_prefetch((const void *)((uintptr_t)w->biases + at + i), 0, 2);
    }
}

SIMD_INLINE void batch(const qmm_rows *j, size_t begin, size_t end, int bits, int digits)
{
    const quant_matrix *w = j->w;
    block b = {.j = j, .row_bytes = quant_bytes(w->k, w->bits), .shift = group_shift(w->group)};
    b.groups = w->k >> b.shift;
    for (size_t row = begin; row < end; row += ROWS) {
        const size_t n = end - row < ROWS ? end - row : ROWS;
        for (size_t i = 0; i < ROWS; i++)
            b.row[i] = row + (i < n ? i : n - 1);
        memset(b.acc, 0, j->m * sizeof *b.acc);
        b.next = (const uint8_t *)((uintptr_t)w->w + (row + ROWS) * b.row_bytes);
        ask_for_scales(&b, row);
        for (b.first = 0; b.first < b.groups; b.first += QMM_SPAN)
            add_span(&b, bits, digits);
        for (size_t m = 0; m < j->m; m++)
            memcpy(j->y + m * j->ldy + row, b.acc[m], n * sizeof(float));
    }
}

static void batch_i8(const qmm_rows *j, size_t begin, size_t end)
{
    if (j->w->bits == 4)
        batch(j, begin, end, 4, 1);
    else
        batch(j, begin, end, 8, 1);
}

static void batch_exact(const qmm_rows *j, size_t begin, size_t end)
{
    if (j->w->bits == 4)
        batch(j, begin, end, 4, QMM_DIGITS);
    else
        batch(j, begin, end, j->w->bits == 8 ? 8 : 0, QMM_DIGITS);
}

#endif

void FILL(qmm_batch)(qmm_kernels *t)
{
#if SIMD_LANES == 16
    t->batch_i8 = batch_i8;
    t->batch_exact = batch_exact;
#else
    (void)t;
#endif
}
