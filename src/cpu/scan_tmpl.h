/* One scan of one dtype: NAME, and the macros of dtypes_tmpl.h. What is carried on is what was stored: 16-bit
 * floats round at each step. */
#define FN(name)   CAT(CAT(name, NAME), X)
#define JOIN(p, q) CAT(CLASS, NAME)(p, q)

/* Eight rows. */
static void FN(eight)(const T *x, T *y, ptrdiff_t end, ptrdiff_t step, ptrdiff_t stride)
{
    C acc[8];
    for (ptrdiff_t r = 0; r < 8; r++) {
        acc[r] = LOAD(x[r * stride]);
        y[r * stride] = STORE(acc[r]);
    }
    for (ptrdiff_t i = step; i != end; i += step)
        for (ptrdiff_t r = 0; r < 8; r++) {
            T *to = y + i + r * stride;
            C value = LOAD(x[i + r * stride]);
            *to = STORE(JOIN(acc[r], value));
            acc[r] = LOAD(*to);
        }
}

/* The same, BLOCK elements of each row at a time beside each other: rows are often a power of two apart and
 * would push each other out of the cache. step is 1 or -1. */
static void FN(eight_blocks)(const T *x, T *y, ptrdiff_t n, ptrdiff_t step, ptrdiff_t stride)
{
    T block[8][BLOCK];
    C acc[8];
    for (ptrdiff_t i = 0, m; i < n; i += m) {
        m = n - i < BLOCK ? n - i : BLOCK;
        ptrdiff_t low = step > 0 ? i : 1 - i - m, from = step > 0 ? 0 : m - 1;
        for (ptrdiff_t r = 0; r < 8; r++)
            memcpy(block[r], x + r * stride + low, (size_t)m * sizeof(T));
        for (ptrdiff_t k = 0; k < m; k++)
            for (ptrdiff_t r = 0; r < 8; r++) {
                T *to = &block[r][from + k * step];
                C value = LOAD(*to);
                if (i + k > 0)
                    *to = STORE(JOIN(acc[r], value));
                acc[r] = LOAD(*to);
            }
        for (ptrdiff_t r = 0; r < 8; r++)
            memcpy(y + r * stride + low, block[r], (size_t)m * sizeof(T));
    }
}

static void FN(scan)(const void *px, void *py, size_t n, ptrdiff_t step, size_t rows, ptrdiff_t stride)
{
    const T *x = px;
    T *y = py;
    ptrdiff_t end = (ptrdiff_t)n * step;
    for (; n > 0 && rows >= 8; rows -= 8, x += 8 * stride, y += 8 * stride)
        if (step == 1 || step == -1)
            FN(eight_blocks)(x, y, (ptrdiff_t)n, step, stride);
        else
            FN(eight)(x, y, end, step, stride);
    for (; n > 0 && rows > 0; rows--, x += stride, y += stride) {
        C acc = LOAD(*x);
        *y = STORE(acc);
        for (ptrdiff_t i = step; i != end; i += step) {
            C value = LOAD(x[i]);
            y[i] = STORE(JOIN(acc, value));
            acc = LOAD(y[i]);
        }
    }
}
#undef FN
#undef JOIN
#undef NAME
