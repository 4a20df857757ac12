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

static void FN(scan)(const void *px, void *py, size_t n, ptrdiff_t step, size_t rows, ptrdiff_t stride)
{
    const T *x = px;
    T *y = py;
    ptrdiff_t end = (ptrdiff_t)n * step;
    for (; n > 0 && rows >= 8; rows -= 8, x += 8 * stride, y += 8 * stride)
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
