/* Scores and weighted values of one kind of stored numbers, which are widened to float32 in registers.
 *
 *   NAME(n)    names of this kind
 *   PER        numbers of a word
 *   WORD       bytes of a word, and LOAD(p) a vector of them
 *   KEY(x, i)  number i of each word of x, a vector of words of keys; VALUE(x, i) of values
 *   GROUPED    0, 8 or 4: with scales, and for 4 with biases, for each group
 *
 * A sum runs over its terms in order, one accumulator each, however many rows and blocks are done at once. */

/* R rows against B blocks, block i first. Words [w0, w1) of the keys; `add` to the scores that are there. */
SIMD_INLINE void NAME(scores_part)(const size_t R, const size_t B, const paged_tile *t, size_t row, size_t i,
                                   size_t w0, size_t w1, size_t g)
{
    simd_f32 sum[8][4][BLOCK_VECTORS] = {0};
    const float *q = (const float *)(const void *)(t->q + row * t->q_step);
    const size_t step = t->q_step / sizeof(float);
    for (size_t w = w0; w < w1; w++)
        UNROLL
    for (size_t b = 0; b < B; b++)
        UNROLL
    for (size_t v = 0; v < BLOCK_VECTORS; v++) {
        size_t at = (w * KV_POSITIONS + v * SIMD_LANES) * WORD;
        simd_f32 x = LOAD(t->keys[i + b] + at);
        FETCH(t->keys[i + b + (row ? 0 : PAGED_AHEAD)] + at);
        UNROLL
        for (size_t e = 0; e < PER; e++) {
            simd_f32 k = KEY(x, e);
            UNROLL
            for (size_t r = 0; r < R; r++)
                sum[r][b][v] += k * simd_set1(q[r * step + w * PER + e]);
        }
    }
    UNROLL
    for (size_t b = 0; b < B; b++)
        UNROLL
    for (size_t v = 0; v < BLOCK_VECTORS; v++) {
#if GROUPED
        const char *scales = t->keys[i + b] + t->block->k_scales + (g * KV_POSITIONS + v * SIMD_LANES) * 2;
        simd_f32 scale = simd_load_f16(scales), bias = scale * -128.0f;
        if (GROUPED == 4)
            bias = simd_load_f16(scales + t->block->k_groups * KV_POSITIONS * 2);
#endif
        UNROLL
        for (size_t r = 0; r < R; r++) {
            float *s = t->scores + (row + r) * PAGED_KEYS + (i + b) * KV_POSITIONS + v * SIMD_LANES;
#if GROUPED
            const float *q_sums = q + r * step + t->block->k_words * PER;
            simd_f32 y = sum[r][b][v] * scale + bias * simd_set1(q_sums[g]);
            simd_store_f32(s, g ? simd_load_f32(s) + y : y);
#else
            (void)g;
            simd_store_f32(s, sum[r][b][v]);
#endif
        }
    }
}

/* All rows against n blocks, WIDE of them or 1. */
static void NAME(scores_of)(const paged_tile *t, size_t i, size_t n, size_t w0, size_t w1, size_t g)
{
    for (size_t r = 0; r < t->rows;) {
        size_t left = t->rows - r;
#define PART(R, B)                                   \
    {                                                \
        NAME(scores_part)(R, B, t, r, i, w0, w1, g); \
        r += R;                                      \
    }
#define PARTS(R)      \
    if (n == WIDE)    \
        PART(R, WIDE) \
    else              \
        PART(R, 1)
        if (left >= ROWS)
            PARTS(ROWS)
        else if (left >= 4)
            PARTS(4)
        else if (left >= 2)
            PARTS(2)
        else
            PARTS(1)
#undef PARTS
#undef PART
    }
}

static void NAME(scores)(const paged_tile *t)
{
    const kv_block *k = t->block;
    for (size_t i = 0, n; i < t->blocks; i += n) {
        n = t->blocks - i >= WIDE ? WIDE : 1;
#if GROUPED
        size_t words = k->group / PER;
        for (size_t g = 0; g < k->k_groups; g++) {
            size_t end = (g + 1) * words;
            NAME(scores_of)(t, i, n, g * words, end < k->k_words ? end : k->k_words, g);
        }
#else
        NAME(scores_of)(t, i, n, 0, k->k_words, 0);
#endif
    }
}

/* R rows, numbers d .. of C vectors; weights p + r * ldp. */
SIMD_INLINE void NAME(values_part)(const size_t R, const size_t C, const paged_tile *t, size_t row, size_t d,
                                   const float *p, size_t ldp, const float *bias, size_t ldb)
{
    simd_f32 sum[8][4] = {0};
    const size_t width = t->block->v_width;
    for (size_t i = 0; i < t->blocks; i++) {
        const char *x = t->values[i] + d * WORD, *next = row ? x : t->values[i + PAGED_AHEAD] + d * WORD;
        for (size_t j = 0; j < KV_POSITIONS; j += PER, x += width * WORD, next += width * WORD, p += PER)
            UNROLL
        for (size_t c = 0; c < C; c++) {
            simd_f32 word = LOAD(x + c * SIMD_LANES * WORD);
            FETCH(next + c * SIMD_LANES * WORD);
            UNROLL
            for (size_t e = 0; e < PER; e++) {
                simd_f32 v = VALUE(word, e);
                UNROLL
                for (size_t r = 0; r < R; r++)
                    sum[r][c] += v * simd_set1(p[r * ldp + e]);
            }
        }
    }
    UNROLL
    for (size_t r = 0; r < R; r++)
        UNROLL
    for (size_t c = 0; c < C; c++) {
        float *y = t->out + (row + r) * width + d + c * SIMD_LANES;
        simd_store_f32(y, bias ? sum[r][c] + simd_set1(bias[r * ldb]) : sum[r][c]);
    }
}

/* Numbers [d, end), multiples of 16. */
static void NAME(values_of)(const paged_tile *t, size_t d, size_t end, const float *p, size_t ldp,
                            const float *bias, size_t ldb)
{
    for (size_t c; d < end; d += c * SIMD_LANES) {
        c = end - d >= 2 * SIMD_LANES ? 2 : 1;
        for (size_t r = 0; r < t->rows;) {
            size_t left = t->rows - r;
            const float *w = p + r * ldp, *more = bias ? bias + r * ldb : NULL;
#define PART(R, C)                                           \
    {                                                        \
        NAME(values_part)(R, C, t, r, d, w, ldp, more, ldb); \
        r += R;                                              \
    }
#define PARTS(R)   \
    if (c == 2)    \
        PART(R, 2) \
    else           \
        PART(R, 1)
            if (left >= ROWS)
                PARTS(ROWS)
            else if (left >= 4)
                PARTS(4)
            else if (left >= 2)
                PARTS(2)
            else
                PARTS(1)
#undef PARTS
#undef PART
        }
    }
}

static void NAME(values)(const paged_tile *t)
{
#if GROUPED
    const kv_block *b = t->block;
    size_t n = t->blocks * KV_POSITIONS;
    float *w = t->work, *bias = w + t->rows * PAGED_KEYS;
    for (size_t g = 0; g < b->v_groups; g++) {
        size_t end = (g + 1) * b->group;
        for (size_t r = 0; r < t->rows; r++)
            bias[r] = scale_weights(t, r, g, n, w + r * PAGED_KEYS);
        NAME(values_of)
        (t, g * b->group, end < b->v_width ? end : b->v_width, w, PAGED_KEYS, GROUPED == 4 ? bias : NULL, 1);
    }
#else
    NAME(values_of)(t, 0, t->block->v_width, t->scores, PAGED_KEYS, NULL, 0);
#endif
}

#undef NAME
#undef PER
#undef WORD
#undef LOAD
#undef KEY
#undef VALUE
#undef GROUPED
