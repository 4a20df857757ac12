/* Copy and select for elements of one size: T, an unsigned type of that size. */
static void CAT(copy, T)(const void *pa, ptrdiff_t sa, void *py, ptrdiff_t sy, size_t n)
{
    const T *a = pa;
    T *y = py;
    if (sa == 1 && sy == 1)
        memmove(y, a, n * sizeof *y);
    else if (sa == 0 && sy == 1 && n > 0) {
        T value = *a;
        EACH(y[i] = value;)
    } else if (sy == 1)
        EACH_AT(y[i] = a[i * sa];)
    else
        EACH_AT(y[i * sy] = a[i * sa];)
}

static void CAT(select, T)(const void *pc, ptrdiff_t sc, const void *pa, ptrdiff_t sa, const void *pb,
                           ptrdiff_t sb, void *py, size_t n)
{
    const uint8_t *c = pc;
    const T *a = pa, *b = pb;
    T *y = py;
    if (sc == 1 && sa == 1 && sb == 1) {
        EACH(T p = a[i]; T q = b[i]; y[i] = c[i] ? p : q;)
    } else if (sc == 1 && sa == 1 && sb == 0 && n > 0) {
        T q = *b;
        EACH(T p = a[i]; y[i] = c[i] ? p : q;)
    } else if (sc == 1 && sa == 0 && sb == 1 && n > 0) {
        T p = *a;
        EACH(T q = b[i]; y[i] = c[i] ? p : q;)
    } else {
        EACH_AT(T p = a[i * sa]; T q = b[i * sb]; y[i] = c[i * sc] ? p : q;)
    }
}
