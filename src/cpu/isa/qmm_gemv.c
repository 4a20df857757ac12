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

/* Bytes ahead in its own stream that a vector is asked for, beyond what the hardware foresees; measured. */
#define AHEAD        1024
#define AHEAD_SCALES 128

/* Only a hint: the address may lie past the end. */
SIMD_INLINE void prefetch(const void *p, size_t ahead)
{
    __builtin_prefetch((const void *)((uintptr_t)p + ahead));
}

/* Where the kernel stands: R weight rows, `row` and every `apart`-th after it; one span of them. */
typedef struct place {
    const qmm_rows *j;
    size_t row, apart, groups, row_bytes;
    size_t first, count; /* groups of this span */
    int shift;           /* log2 of the group */
    span scale[QMM_GEMV_ROWS][MOST_ROWS];
    simd_f32 acc[QMM_GEMV_ROWS][MOST_ROWS];
} place;

SIMD_INLINE place place_new(const qmm_rows *j, size_t row, size_t apart, int M, int R)
{
    const quant_matrix *w = j->w;
    place p;
    p.j = j;
    p.row = row;
    p.apart = apart;
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
        size_t at = (p->row + (size_t)r * p->apart) * p->groups + first;
        prefetch((const uint8_t *)w->scales + at * scale_size(w->scale_dtype), AHEAD_SCALES);
        prefetch((const uint8_t *)w->biases + at * scale_size(w->scale_dtype), AHEAD_SCALES);
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
        p->j->y[(size_t)m * p->j->ldy + p->row + (size_t)r * p->apart] = simd_sum(p->acc[m][r]);
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
        const uint8_t *row = w + (size_t)r * p->apart * p->row_bytes;
        prefetch(row, AHEAD);
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

SIMD_INLINE void rows_i8(const qmm_rows *j, size_t row, size_t apart, int bits, int M, int R)
{
    const size_t elements = (size_t)(QMM_BYTES * 8 / bits);
    place p = place_new(j, row, apart, M, R);
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

/* A lane holds the next 32 / bits codes of the row (bits 2 or 4). */
SIMD_INLINE void step_lanes(place *p, size_t at, size_t e, int bits, int M, int R, bool whole)
{
    const qmm_rows *j = p->j;
    const int per_lane = 32 / bits;
    const uint8_t *w = (const uint8_t *)j->w->w + p->row * p->row_bytes + at;
    const float *x = (const float *)j->x + at / 64 * (size_t)(16 * per_lane) + at % 64 / 4;
    simd_u32 codes[MOST_ROWS];
    simd_f32 sum[QMM_GEMV_ROWS][MOST_ROWS];
    UNROLL for (int r = 0; r < R; r++)
    {
        const uint8_t *row = w + (size_t)r * p->apart * p->row_bytes;
        prefetch(row, AHEAD);
        codes[r] = whole ? load_codes(row) : load_codes_part(row, p->row_bytes - at);
    }
    UNROLL for (int i = 0; i < per_lane; i++)
    {
        simd_f32 q[MOST_ROWS];
        UNROLL for (int r = 0; r < R; r++) q[r] = code_f32(codes[r], i, bits);
        UNROLL for (int m = 0; m < M; m++)
        {
            simd_f32 xm = simd_load_f32(x + (size_t)m * j->row + i * 16);
            UNROLL for (int r = 0; r < R; r++) sum[m][r] = i ? q[r] * xm + sum[m][r] : q[r] * xm;
        }
    }
    UNROLL for (int m = 0; m < M; m++) UNROLL for (int r = 0; r < R; r++) p->acc[m][r] +=
        sum[m][r] * span_lanes(&p->scale[m][r], e, per_lane, p->shift);
}

SIMD_INLINE void rows_lanes(const qmm_rows *j, size_t row, size_t apart, int bits, int M, int R)
{
    const size_t elements = (size_t)(QMM_BYTES * 8 / bits);
    place p = place_new(j, row, apart, M, R);
    for (size_t first = 0; first < p.groups; first += QMM_SPAN) {
        span_begin(&p, first, M, R);
        size_t n = p.count << p.shift, e = 0;
        size_t at = quant_bytes(first << p.shift, bits);
        for (; e + elements <= n; e += elements, at += QMM_BYTES)
            step_lanes(&p, at, e, bits, M, R, true);
        if (e < n)
            step_lanes(&p, at, e, bits, M, R, false);
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
        UNROLL for (int r = 0; r < R; r++)
        {
            prefetch(codes[r] + e + i, AHEAD);
            q[r] = bytes_f32(codes[r] + e + i);
        }
        UNROLL for (int m = 0; m < M; m++)
        {
            simd_f32 xm = simd_load_f32(x + (size_t)m * j->row + i);
            UNROLL for (int r = 0; r < R; r++) sum[m][r] += q[r] * xm;
        }
    }
    UNROLL for (int m = 0; m < M; m++) UNROLL for (int r = 0; r < R; r++) p->acc[m][r] +=
        sum[m][r] * span_lanes(&p->scale[m][r], e, 0, p->shift);
}

/* bits: 8, or 0 for those that have to be unpacked first. */
SIMD_INLINE void rows_bytes(const qmm_rows *j, size_t row, size_t apart, int bits, int M, int R)
{
    uint8_t unpacked[MOST_ROWS][QMM_SPAN * 128];
    const uint8_t *codes[MOST_ROWS];
    const bool direct = bits == 8;
    place p = place_new(j, row, apart, M, R);
    for (size_t first = 0; first < p.groups; first += QMM_SPAN) {
        span_begin(&p, first, M, R);
        size_t n = p.count << p.shift;
        const uint8_t *w =
            (const uint8_t *)j->w->w + p.row * p.row_bytes + quant_bytes(first << p.shift, j->w->bits);
        for (int r = 0; r < R; r++, w += apart * p.row_bytes) {
            codes[r] = direct ? w : unpacked[r];
            if (!direct)
                qmm_unpack(w, j->w->bits, n, unpacked[r]);
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
#elif SIMD_LANES == 4
#define ROWS_I8(M)  2
#define ROWS_F32(M) 2
#else
#define ROWS_I8(M)  ((M) == 1 ? 4 : 2)
#define ROWS_F32(M) ((M) == 1 ? 4 : 2)
#endif

#define RANGE(name, rows, R, bits, M)                                       \
    static void name##_##M(const qmm_rows *j, size_t begin, size_t end)     \
    {                                                                       \
        const size_t part = (end - begin) / (R), done = begin + part * (R); \
        for (size_t row = begin; row < begin + part; row++)                 \
            rows(j, row, part, bits, M, R);                                 \
        for (size_t row = done; row < end; row++)                           \
            rows(j, row, 0, bits, M, 1);                                    \
    }
#if SIMD_LANES == 4
/* Few registers: activation rows one by one, which gives the same bits. */
#define RANGES(name, rows, R, bits)                               \
    RANGE(name, rows, R(1), bits, 1)                              \
    static void name(const qmm_rows *j, size_t begin, size_t end) \
    {                                                             \
        for (size_t m = 0; m < j->m; m++) {                       \
            const qmm_rows one = row_of(j, m);                    \
            name##_1(&one, begin, end);                           \
        }                                                         \
    }

static qmm_rows row_of(const qmm_rows *j, size_t m)
{
    qmm_rows one = *j;
    one.m = 1;
    one.x = (const uint8_t *)j->x + m * j->row * (j->scale ? sizeof(int8_t) : sizeof(float));
    one.scale = j->scale ? j->scale + m * j->groups : NULL;
    one.sum = j->sum + m * j->groups;
    one.y = j->y + m * j->ldy;
    return one;
}
#else
#define RANGES(name, rows, R, bits)                                                                     \
    RANGE(name, rows, R(1), bits, 1)                                                                    \
    RANGE(name, rows, R(2), bits, 2)                                                                    \
    RANGE(name, rows, R(3), bits, 3)                                                                    \
    RANGE(name, rows, R(4), bits, 4)                                                                    \
    static void name(const qmm_rows *j, size_t begin, size_t end)                                       \
    {                                                                                                   \
        (j->m == 1 ? name##_1 : j->m == 2 ? name##_2 : j->m == 3 ? name##_3 : name##_4)(j, begin, end); \
    }
#endif

RANGES(i8_4, rows_i8, ROWS_I8, 4)
RANGES(i8_8, rows_i8, ROWS_I8, 8)
RANGES(f32_2, rows_lanes, ROWS_F32, 2)
RANGES(f32_4, rows_lanes, ROWS_F32, 4)
RANGES(f32_8, rows_bytes, ROWS_F32, 8)
RANGES(f32_unpacked, rows_bytes, ROWS_F32, 0)

static void gemv_i8(const qmm_rows *j, size_t begin, size_t end)
{
    (j->w->bits == 4 ? i8_4 : i8_8)(j, begin, end);
}

static void gemv_f32(const qmm_rows *j, size_t begin, size_t end)
{
    const int bits = j->w->bits;
    (bits == 2 ? f32_2 : bits == 4 ? f32_4 : bits == 8 ? f32_8 : f32_unpacked)(j, begin, end);
}

void FILL(qmm_gemv)(qmm_kernels *t)
{
    t->gemv_i8 = gemv_i8;
    t->gemv_f32 = gemv_f32;
}
