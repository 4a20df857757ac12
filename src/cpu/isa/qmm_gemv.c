/* One to four activation rows times a range of quantized rows, straight from the packed words.
 *
 * Everything is integer dot products: codes meet activations of one int8 digit (the int8 form) or of three
 * (the exact form: x = scale * (d0 * 2^16 + d1 * 2^8 + d2), good to 22 bits of the largest of its group). The
 * digits of a vector of codes are summed one after the other into the same lanes, shifted up in between, so
 * that two more digits cost two more products and a shift, and never a conversion.
 *
 * The row is taken in spans of 16 groups: their scales are loaded as one vector and multiplied with those of
 * the activations; the biases meet the sums of the activations in one product per span. Within a span the
 * codes of a vector are multiplied and summed by lane, and the lane sums are scaled: every lane lies within
 * one group.
 *
 * A few weight rows are walked together, each with its own accumulators, so that a loaded activation vector
 * serves them all and a loaded weight vector serves all activation rows. They are an odd number of rows
 * apart: at distances that are multiples of a large power of two the streams meet in the same sets of the
 * caches and the same banks of the memory, which costs up to a third of the bandwidth.
 *
 * What a row of y is computed from, and in which order, does not depend on the number of rows on either side.
 */
#include "cpu/isa/qmm_simd.h"

#define MOST_ROWS 3

/* Bytes ahead in its own stream that a vector is asked for, beyond what the hardware foresees; measured.
 * Where arithmetic takes longer than memory the processor cannot look far ahead itself, and lines are better
 * brought to the second-level cache early than to the first. */
#define AHEAD_NEAR   512
#define AHEAD_FAR    4096
#define AHEAD_SCALES 128

/* Only a hint: the address may lie past the end. */
SIMD_INLINE void prefetch(const void *p, bool near)
{
    if (near)
        __builtin_prefetch((const void *)((uintptr_t)p + AHEAD_NEAR), 0, 3);
    else
        __builtin_prefetch((const void *)((uintptr_t)p + AHEAD_FAR), 0, 2);
}

SIMD_INLINE void prefetch_scales(const void *p)
{
    __builtin_prefetch((const void *)((uintptr_t)p + AHEAD_SCALES));
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

/* Loads the scales of a span, times those of the activations, and adds the bias terms. */
SIMD_INLINE void span_begin(place *p, size_t first, int M, int R)
{
    const qmm_rows *j = p->j;
    const quant_matrix *w = j->w;
    p->first = first;
    p->count = p->groups - first < QMM_SPAN ? p->groups - first : QMM_SPAN;
    UNROLL for (int r = 0; r < R; r++)
    {
        size_t at = (p->row + (size_t)r * p->apart) * p->groups + first;
        prefetch_scales((const uint8_t *)w->scales + at * scale_size(w->scale_dtype));
        prefetch_scales((const uint8_t *)w->biases + at * scale_size(w->scale_dtype));
        span s = span_scales(w->scales, w->scale_dtype, at, p->count);
        span b = span_scales(w->biases, w->scale_dtype, at, p->count);
        UNROLL for (int m = 0; m < M; m++)
        {
            const float *sums = j->sum + (size_t)m * j->groups + first;
            const float *scales = j->scale + (size_t)m * j->groups + first;
            UNROLL for (int i = 0; i < SPAN_VECTORS; i++)
            {
                p->acc[m][r] += b.v[i] * simd_load_f32(sums + i * SIMD_LANES);
                p->scale[m][r].v[i] = s.v[i] * simd_load_f32(scales + i * SIMD_LANES);
            }
        }
    }
}

SIMD_INLINE void place_store(const place *p, int M, int R)
{
    UNROLL for (int m = 0; m < M; m++) UNROLL for (int r = 0; r < R; r++)
        p->j->y[(size_t)m * p->j->ldy + p->row + (size_t)r * p->apart] = simd_sum(p->acc[m][r]);
}

/* --- a vector of codes --- */

/* The codes of R rows as bytes: with 4 bits the even ones and the odd ones of each row, else `low` alone. */
typedef struct codes {
    simd_u32 low[MOST_ROWS], high[MOST_ROWS];
} codes;

/* `at` is the first byte of the vector, n the bytes that the rows have from there; they lie `apart` apart. */
SIMD_INLINE codes load_rows(const uint8_t *at, size_t n, size_t apart, int bits, int R, bool whole, bool near)
{
    codes c;
    UNROLL for (int r = 0; r < R; r++)
    {
        const uint8_t *p = at + (size_t)r * apart;
        simd_u32 v = whole ? load_codes(p) : load_codes_part(p, n);
        if (bits)
            prefetch(p, near);
        c.low[r] = bits == 4 ? v & 0x0F0F0F0Fu : v;
        c.high[r] = bits == 4 ? v >> 4 & 0x0F0F0F0Fu : v;
    }
    return c;
}

/* Adds what the vector with element e of the span as its first, byte `at` of the row, gives. */
SIMD_INLINE void step(place *p, const codes *c, size_t at, size_t e, int bits, int digits, int M, int R)
{
    const qmm_rows *j = p->j;
    const int per_lane = bits == 4 ? 8 : 4;
    const int8_t *x = (const int8_t *)j->x + at;
    if (bits == 4) /* 64 bytes of words meet 64 even and 64 odd activations */
        x += at / 64 * 64;
    UNROLL for (int m = 0; m < M; m++)
    {
        simd_i32 sum[MOST_ROWS] = {{0}};
        UNROLL for (int d = 0; d < digits; d++, x += j->row)
        {
            simd_i32 a = load_i8(x), b = bits == 4 ? load_i8(x + 64) : a;
            UNROLL for (int r = 0; r < R; r++)
            {
                sum[r] = d ? (simd_i32)((simd_u32)sum[r] << 8) : sum[r];
                sum[r] =
                    bits == 4 ? dot4(dot4(sum[r], c->low[r], a), c->high[r], b) : dot8(sum[r], c->low[r], a);
            }
        }
        UNROLL for (int r = 0; r < R; r++) p->acc[m][r] +=
            to_float(sum[r]) * span_lanes(&p->scale[m][r], e, per_lane, p->shift);
    }
}

/* One span of the rows; bits 0: their codes have been unpacked to bytes, row by row, `unpacked` bytes apart.
 */
SIMD_INLINE void span_steps(place *p, const uint8_t *w, size_t apart, size_t at, int bits, int digits, int M,
                            int R)
{
    const size_t n = p->count << p->shift, elements = (size_t)(bits == 4 ? 2 * QMM_BYTES : QMM_BYTES);
    const bool near = M * digits == 1;
    size_t e = 0;
    for (; e + elements <= n; e += elements, at += QMM_BYTES, w += QMM_BYTES) {
        codes c = load_rows(w, 0, apart, bits, R, true, near);
        step(p, &c, at, e, bits, digits, M, R);
    }
    if (e < n) {
        codes c = load_rows(w, (n - e) * (bits == 4 ? 1 : 2) / 2, apart, bits, R, false, near);
        step(p, &c, at, e, bits, digits, M, R);
    }
}

/* R weight rows, `apart` rows apart, times M activation rows. bits: 4, 8, or 0 for those that have to be
 * unpacked first. */
SIMD_INLINE void rows(const qmm_rows *j, size_t row, size_t apart, int bits, int digits, int M, int R)
{
    uint8_t unpacked[MOST_ROWS][QMM_SPAN * 128];
    place p = place_new(j, row, apart, M, R);
    for (size_t first = 0; first < p.groups; first += QMM_SPAN) {
        const uint8_t *w =
            (const uint8_t *)j->w->w + row * p.row_bytes + quant_bytes(first << p.shift, j->w->bits);
        span_begin(&p, first, M, R);
        for (int r = 0; r < R && bits == 0; r++)
            qmm_unpack(w + (size_t)r * apart * p.row_bytes, j->w->bits, p.count << p.shift, unpacked[r]);
        span_steps(&p, bits ? w : unpacked[0], bits ? apart * p.row_bytes : sizeof *unpacked,
                   quant_bytes(first << p.shift, bits ? bits : 8), bits, digits, M, R);
    }
    place_store(&p, M, R);
}

/* --- the slots --- */

/* Weight rows that are walked together: as many as their accumulators fit the registers, an odd number if
 * they can. */
#if SIMD_LANES == 4
#define TOGETHER(M) 2
#else
#define TOGETHER(M) ((M) == 1 ? MOST_ROWS : 2)
#endif

#define RANGE(name, bits, digits, M)                                    \
    static void name##_##M(const qmm_rows *j, size_t begin, size_t end) \
    {                                                                   \
        const size_t part = odd((end - begin) / TOGETHER(M));           \
        const size_t done = begin + part * TOGETHER(M);                 \
        for (size_t row = begin; row < begin + part; row++)             \
            rows(j, row, part, bits, digits, M, TOGETHER(M));           \
        for (size_t row = done; row < end; row++)                       \
            rows(j, row, 0, bits, digits, M, 1);                        \
    }

/* The odd one of n and n - 1, or 0. */
static size_t odd(size_t n) { return n & 1 ? n : n ? n - 1 : 0; }

#if SIMD_LANES == 4
/* Few registers: activation rows one by one, which gives the same bits. */
#define RANGES(name, bits, digits)                                \
    RANGE(name, bits, digits, 1)                                  \
    static void name(const qmm_rows *j, size_t begin, size_t end) \
    {                                                             \
        for (size_t m = 0; m < j->m; m++) {                       \
            const qmm_rows one = row_of(j, m, digits);            \
            name##_1(&one, begin, end);                           \
        }                                                         \
    }

static qmm_rows row_of(const qmm_rows *j, size_t m, size_t digits)
{
    qmm_rows one = *j;
    one.m = 1;
    one.x = (const int8_t *)j->x + m * digits * j->row;
    one.scale = j->scale + m * j->groups;
    one.sum = j->sum + m * j->groups;
    one.y = j->y + m * j->ldy;
    return one;
}
#else
#define RANGES(name, bits, digits)                                                                      \
    RANGE(name, bits, digits, 1)                                                                        \
    RANGE(name, bits, digits, 2)                                                                        \
    RANGE(name, bits, digits, 3)                                                                        \
    RANGE(name, bits, digits, 4)                                                                        \
    static void name(const qmm_rows *j, size_t begin, size_t end)                                       \
    {                                                                                                   \
        (j->m == 1 ? name##_1 : j->m == 2 ? name##_2 : j->m == 3 ? name##_3 : name##_4)(j, begin, end); \
    }
#endif

RANGES(int8_4, 4, 1)
RANGES(int8_8, 8, 1)
RANGES(exact_4, 4, QMM_DIGITS)
RANGES(exact_8, 8, QMM_DIGITS)
RANGES(exact_unpacked, 0, QMM_DIGITS)

static void gemv_i8(const qmm_rows *j, size_t begin, size_t end)
{
    (j->w->bits == 4 ? int8_4 : int8_8)(j, begin, end);
}

static void gemv_exact(const qmm_rows *j, size_t begin, size_t end)
{
    (j->w->bits == 4 ? exact_4 : j->w->bits == 8 ? exact_8 : exact_unpacked)(j, begin, end);
}

void FILL(qmm_gemv)(qmm_kernels *t)
{
    t->gemv_i8 = gemv_i8;
    t->gemv_exact = gemv_exact;
}
