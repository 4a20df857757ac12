/* One to four activation rows times a range of quantized rows, straight from the packed words.
 *
 * Several weight rows are walked together, each with its own accumulators, so that a loaded activation vector
 * serves them all and a loaded weight vector serves all activation rows. The row is taken in spans of 16
 * groups: their scales are loaded as one vector and multiplied with those of the activations; the biases meet
 * the sums of the activations in one product per span. Within a span the codes of a vector are multiplied and
 * summed by lane, and the lane sums are scaled: every lane lies within one group.
 *
 * What a row of y is computed from, and in which order, does not depend on the number of rows on either side.
 */
#include "cpu/isa/qmm_simd.h"

#define MOST_ROWS 4

/* Where the kernel stands: R weight rows from `row` on, one span of them. */
typedef struct place {
    const qmm_rows *j;
    size_t row, groups, row_bytes;
    size_t first, count; /* groups of this span */
    size_t bytes;        /* left in the row */
    int shift;           /* log2 of the group */
    span scale[QMM_GEMV_ROWS][MOST_ROWS];
    simd_f32 acc[QMM_GEMV_ROWS][MOST_ROWS];
} place;

SIMD_INLINE place place_new(const qmm_rows *j, size_t row, int M, int R)
{
    const quant_matrix *w = j->w;
    place p;
    p.j = j;
    p.row = row;
    p.shift = group_shift(w->group);
    p.groups = w->k >> p.shift;
    p.row_bytes = quant_bytes(w->k, w->bits);
    UNROLL for (int m = 0; m < M; m++) UNROLL for (int r = 0; r < R; r++) p.acc[m][r] = (simd_f32){0};
    return p;
}

/* Loads the scales of a span, times those of the activations if these have any, and adds the bias terms. */
SIMD_INLINE void span_begin(place *p, size_t first, int M, int R)
{
    const qmm_rows *j = p->j;
    const quant_matrix *w = j->w;
    p->first = first;
    p->count = p->groups - first < QMM_SPAN ? p->groups - first : QMM_SPAN;
    UNROLL for (int r = 0; r < R; r++)
    {
        size_t at = (p->row + (size_t)r) * p->groups + first;
        span s = span_scales(w->scales, w->scale_dtype, at, p->count);
        span b = span_scales(w->biases, w->scale_dtype, at, p->count);
        UNROLL for (int m = 0; m < M; m++)
        {
            const float *sums = j->sum + (size_t)m * j->groups + first;
            const float *scales = j->scale ? j->scale + (size_t)m * j->groups + first : NULL;
            UNROLL for (int i = 0; i < SPAN_VECTORS; i++)
            {
                p->acc[m][r] += b.v[i] * simd_load_f32(sums + i * SIMD_LANES);
                p->scale[m][r].v[i] = scales ? s.v[i] * simd_load_f32(scales + i * SIMD_LANES) : s.v[i];
            }
        }
    }
}

SIMD_INLINE void place_store(const place *p, int M, int R)
{
    UNROLL for (int m = 0; m < M; m++) UNROLL for (int r = 0; r < R; r++)
        p->j->y[(size_t)m * p->j->ldy + p->row + (size_t)r] = simd_sum(p->acc[m][r]);
}

/* --- int8 activations --- */

/* The vector of codes that begins at byte `at` of the row, element e of the span. */
SIMD_INLINE void step_i8(place *p, size_t at, size_t e, int bits, int M, int R, bool whole)
{
    const qmm_rows *j = p->j;
    const int per_lane = 32 / bits;
    const uint8_t *w = (const uint8_t *)j->w->w + p->row * p->row_bytes + at;
    const int8_t *x = (const int8_t *)j->x + at;
    simd_u32 codes[MOST_ROWS];
    if (bits == 4) /* 64 bytes of words meet 64 even and 64 odd activations */
        x += at / 64 * 64;
    UNROLL for (int r = 0; r < R; r++)
    {
        const uint8_t *row = w + (size_t)r * p->row_bytes;
        codes[r] = whole ? load_codes(row) : load_codes_part(row, p->row_bytes - at);
    }
    UNROLL for (int m = 0; m < M; m++)
    {
        const int8_t *xm = x + (size_t)m * j->row;
        simd_i32 a = load_i8(xm), b = bits == 4 ? load_i8(xm + 64) : a;
        UNROLL for (int r = 0; r < R; r++)
        {
            simd_i32 sum = {0};
            if (bits == 4) {
                sum = dot4(sum, codes[r] & 0x0F0F0F0Fu, a);
                sum = dot4(sum, codes[r] >> 4 & 0x0F0F0F0Fu, b);
            } else {
                sum = dot8(sum, codes[r], a);
            }
            p->acc[m][r] += to_float(sum) * span_lanes(&p->scale[m][r], e, per_lane, p->shift);
        }
    }
}

SIMD_INLINE void rows_i8(const qmm_rows *j, size_t row, int bits, int M, int R)
{
    const size_t elements = (size_t)(QMM_BYTES * 8 / bits);
    place p = place_new(j, row, M, R);
    for (size_t first = 0; first < p.groups; first += QMM_SPAN) {
        span_begin(&p, first, M, R);
        size_t n = p.count << p.shift, e = 0;
        size_t at = quant_bytes(first << p.shift, bits);
        for (; e + elements <= n; e += elements, at += QMM_BYTES)
            step_i8(&p, at, e, bits, M, R, true);
        if (e < n)
            step_i8(&p, at, e, bits, M, R, false);
    }
    place_store(&p, M, R);
}

/* --- float activations --- */

/* Lane i of the words at `at` holds codes 8 * i .. 8 * i + 7 of its block of 128. */
SIMD_INLINE void step_nibbles(place *p, size_t at, size_t e, int M, int R, bool whole)
{
    const qmm_rows *j = p->j;
    const uint8_t *w = (const uint8_t *)j->w->w + p->row * p->row_bytes + at;
    const float *x = (const float *)j->x + at / 64 * 128 + at % 64 / 4;
    simd_u32 codes[MOST_ROWS];
    simd_f32 sum[QMM_GEMV_ROWS][MOST_ROWS];
    UNROLL for (int r = 0; r < R; r++)
    {
        const uint8_t *row = w + (size_t)r * p->row_bytes;
        codes[r] = whole ? load_codes(row) : load_codes_part(row, p->row_bytes - at);
    }
    UNROLL for (int i = 0; i < 8; i++)
    {
        simd_f32 q[MOST_ROWS];
        UNROLL for (int r = 0; r < R; r++) q[r] = nibble_f32(codes[r], i);
        UNROLL for (int m = 0; m < M; m++)
        {
            simd_f32 xm = simd_load_f32(x + (size_t)m * j->row + i * 16);
            UNROLL for (int r = 0; r < R; r++) sum[m][r] = i ? q[r] * xm + sum[m][r] : q[r] * xm;
        }
    }
    UNROLL for (int m = 0; m < M; m++) UNROLL for (int r = 0; r < R; r++) p->acc[m][r] +=
        sum[m][r] * span_lanes(&p->scale[m][r], e, 8, p->shift);
}

SIMD_INLINE void rows_nibbles(const qmm_rows *j, size_t row, int M, int R)
{
    const size_t elements = QMM_BYTES * 2;
    place p = place_new(j, row, M, R);
    for (size_t first = 0; first < p.groups; first += QMM_SPAN) {
        span_begin(&p, first, M, R);
        size_t n = p.count << p.shift, e = 0;
        size_t at = quant_bytes(first << p.shift, 4);
        for (; e + elements <= n; e += elements, at += QMM_BYTES)
            step_nibbles(&p, at, e, M, R, true);
        if (e < n)
            step_nibbles(&p, at, e, M, R, false);
    }
    place_store(&p, M, R);
}

/* One group of byte codes, element e of the span. */
SIMD_INLINE void group_bytes(place *p, const uint8_t *const codes[MOST_ROWS], size_t e, int M, int R)
{
    const qmm_rows *j = p->j;
    const float *x = (const float *)j->x + (p->first << p->shift) + e;
    const size_t group = (size_t)1 << p->shift;
    simd_f32 sum[QMM_GEMV_ROWS][MOST_ROWS];
    UNROLL for (int m = 0; m < M; m++) UNROLL for (int r = 0; r < R; r++) sum[m][r] = (simd_f32){0};
    for (size_t i = 0; i < group; i += SIMD_LANES) {
        simd_f32 q[MOST_ROWS];
        UNROLL for (int r = 0; r < R; r++) q[r] = bytes_f32(codes[r] + e + i);
        UNROLL for (int m = 0; m < M; m++)
        {
            simd_f32 xm = simd_load_f32(x + (size_t)m * j->row + i);
            UNROLL for (int r = 0; r < R; r++) sum[m][r] += q[r] * xm;
        }
    }
    UNROLL for (int m = 0; m < M; m++) UNROLL for (int r = 0; r < R; r++) p->acc[m][r] +=
        sum[m][r] * span_lanes(&p->scale[m][r], e, 0, p->shift);
}

SIMD_INLINE void rows_bytes(const qmm_rows *j, size_t row, int M, int R)
{
    uint8_t unpacked[MOST_ROWS][QMM_SPAN * 128];
    const uint8_t *codes[MOST_ROWS];
    const int bits = j->w->bits;
    place p = place_new(j, row, M, R);
    for (size_t first = 0; first < p.groups; first += QMM_SPAN) {
        span_begin(&p, first, M, R);
        size_t n = p.count << p.shift;
        const uint8_t *w =
            (const uint8_t *)j->w->w + p.row * p.row_bytes + quant_bytes(first << p.shift, bits);
        for (int r = 0; r < R; r++, w += p.row_bytes) {
            codes[r] = bits == 8 ? w : unpacked[r];
            if (bits != 8)
                qmm_unpack(w, bits, n, unpacked[r]);
        }
        for (size_t e = 0; e < n; e += (size_t)1 << p.shift)
            group_bytes(&p, codes, e, M, R);
    }
    place_store(&p, M, R);
}

/* --- the slots --- */

/* Weight rows that are walked together, by activation rows: as many as their accumulators fit the registers.
 */
#if SIMD_LANES == 16
#define ROWS_I8(M)  4
#define ROWS_F32(M) ((M) <= 2 ? 4 : 2)
#else
#define ROWS_I8(M)  ((M) == 1 ? 4 : 2)
#define ROWS_F32(M) ((M) == 1 ? 4 : 2)
#endif

#define RANGE(name, M, rows, call, call1)                         \
    static void name(const qmm_rows *j, size_t begin, size_t end) \
    {                                                             \
        for (; begin + rows <= end; begin += rows)                \
            call;                                                 \
        for (; begin < end; begin++)                              \
            call1;                                                \
    }
#define RANGE_I8(bits, M)                                                         \
    RANGE(i8_##bits##_##M, M, ROWS_I8(M), rows_i8(j, begin, bits, M, ROWS_I8(M)), \
          rows_i8(j, begin, bits, M, 1))
#define RANGE_F32(name, M) \
    RANGE(name##_##M, M, ROWS_F32(M), rows_##name(j, begin, M, ROWS_F32(M)), rows_##name(j, begin, M, 1))
#define BY_M(name, prefix)                                        \
    static void name(const qmm_rows *j, size_t begin, size_t end) \
    {                                                             \
        switch (j->m) {                                           \
        case 1:                                                   \
            prefix##_1(j, begin, end);                            \
            break;                                                \
        case 2:                                                   \
            prefix##_2(j, begin, end);                            \
            break;                                                \
        case 3:                                                   \
            prefix##_3(j, begin, end);                            \
            break;                                                \
        default:                                                  \
            prefix##_4(j, begin, end);                            \
            break;                                                \
        }                                                         \
    }

/* clang-format off */
RANGE_I8(4, 1) RANGE_I8(4, 2) RANGE_I8(4, 3) RANGE_I8(4, 4) BY_M(gemv_i8_4, i8_4)
RANGE_I8(8, 1) RANGE_I8(8, 2) RANGE_I8(8, 3) RANGE_I8(8, 4) BY_M(gemv_i8_8, i8_8)
RANGE_F32(nibbles, 1) RANGE_F32(nibbles, 2) RANGE_F32(nibbles, 3) RANGE_F32(nibbles, 4) BY_M(gemv_f32_4, nibbles)
RANGE_F32(bytes, 1) RANGE_F32(bytes, 2) RANGE_F32(bytes, 3) RANGE_F32(bytes, 4) BY_M(gemv_f32_bytes, bytes)
    /* clang-format on */

    void FILL(qmm_gemv)(qmm_kernels *t)
{
    t->gemv_i8[0] = gemv_i8_4;
    t->gemv_i8[1] = gemv_i8_8;
    t->gemv_f32[0] = gemv_f32_4;
    t->gemv_f32[1] = gemv_f32_bytes;
}
