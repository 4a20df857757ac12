/* The position of one dtype's extreme: NAME, and BEATS(p, q), whether p is further out than q.
 *
 * One pass finds, block by block, the best value so far and the first block that holds it (vector code); the
 * position is then looked up in that block alone. Many rows are compared with the best of each column. A
 * comparison with NaN is false: NaN never wins, but one that leads stays, as in MLX. */

#define FN(name) CAT(CAT(name, NAME), X)

/* The best of `best` and a dense block. */
static inline C FN(block)(const T *a, size_t n, C best)
{
    C lane[LANES];
    size_t i = 0;
    for (size_t j = 0; j < LANES; j++)
        lane[j] = best;
    for (; i + 4 * LANES <= n; i += 4 * LANES) {
        const T *row = a + i;
        VECTOR
        for (size_t j = 0; j < LANES; j++) {
            C x = lane[j], p = LOAD(row[j]), q = LOAD(row[j + LANES]);
            C r = LOAD(row[j + 2 * LANES]), s = LOAD(row[j + 3 * LANES]);
            x = BEATS(p, x) ? p : x;
            x = BEATS(q, x) ? q : x;
            x = BEATS(r, x) ? r : x;
            lane[j] = BEATS(s, x) ? s : x;
        }
    }
    for (; i < n; i++) {
        C x = LOAD(a[i]);
        best = BEATS(x, best) ? x : best;
    }
    for (size_t k = LANES / 2; k > 0; k /= 2)
        for (size_t j = 0; j < k; j++)
            lane[j] = BEATS(lane[j + k], lane[j]) ? lane[j + k] : lane[j];
    return BEATS(lane[0], best) ? lane[0] : best;
}

/* Where `best` is first in a; it is there. Those LANES elements that hold it are found as a whole. */
static inline size_t FN(find)(const T *a, ptrdiff_t sa, size_t n, C best)
{
    size_t i = 0;
    for (; sa == 1 && i + LANES <= n; i += LANES) {
        unsigned found = 0;
        VECTOR
        for (size_t j = 0; j < LANES; j++)
            found |= CAT(CLASS, same)(LOAD(a[i + j]), best);
        if (found)
            break;
    }
    while (!CAT(CLASS, same)(LOAD(a[(ptrdiff_t)i * sa]), best))
        i++;
    return i;
}

static uint32_t FN(arg)(const void *p, ptrdiff_t sa, size_t n)
{
    const T *a = p;
    T gathered[GATHER];
    size_t at = 0;
    bool beaten = false; /* the first element */
    C best = n > 0 ? LOAD(*a) : 0;
    for (size_t start = 0; start < n; start += GATHER) {
        size_t some = n - start < GATHER ? n - start : GATHER;
        const T *block = a + (ptrdiff_t)start * sa;
        if (sa != 1) {
            CAT(gather, X)(gathered, block, sa, some);
            block = gathered;
        }
        C extreme = FN(block)(block, some, best);
        if (BEATS(extreme, best)) {
            best = extreme;
            at = start;
            beaten = true;
        }
    }
    if (beaten)
        at += FN(find)(a + (ptrdiff_t)at * sa, sa, n - at, best);
    return (uint32_t)at;
}

/* Row i against the best of m columns so far and where they were. */
static inline void FN(compare)(const T *row, C *best, uint32_t *at, uint32_t i, size_t m)
{
    VECTOR
    for (size_t j = 0; j < m; j++) {
        C x = LOAD(row[j]), y = best[j];
        bool more = BEATS(x, y);
        best[j] = more ? x : y;
        at[j] = more ? i : at[j];
    }
}

static void FN(arg_rows)(const void *p, ptrdiff_t sa, uint32_t *y, size_t n, size_t m)
{
    for (size_t first = 0; first < m; first += COLUMNS) {
        const T *a = (const T *)p + first;
        size_t some = m - first < COLUMNS ? m - first : COLUMNS;
        C best[COLUMNS];
        for (size_t j = 0; j < some; j++) {
            best[j] = n > 0 ? LOAD(a[j]) : 0;
            y[first + j] = 0;
        }
        for (size_t i = 1; i < n; i++)
            FN(compare)(a + (ptrdiff_t)i * sa, best, y + first, (uint32_t)i, some);
    }
}
#undef FN
#undef NAME
#undef BEATS
