/* One reduction of one dtype. The includer sets, beside the macros of dtypes_tmpl.h:
 *   NAME        sum, prod, max ...              A          type of the accumulators
 *   VALUE(x)    an element (LOADed), as A       JOIN(p, q) an element and an accumulator combined
 *   START(x)    what an accumulator begins as, where x is an element or, without any, 0
 *   R           type of the result in memory
 *
 * Everything starts from "fold": m columns of some rows are combined into m accumulators, eight rows at a
 * time, a plain vector loop over the columns. A single row is folded as rows of LANES elements, and the LANES
 * accumulators are joined at the end: so the order of a sum, and with it its rounding, is the same under
 * every instruction set. */

#define FN(name) CAT(CAT(name, NAME), X)

static inline A FN(join)(A p, A q) { return JOIN(p, q); }

ONE_COPY static void FN(fold)(A *acc, const T *a, ptrdiff_t sa, size_t rows, size_t m)
{
#define AT(k) VALUE(LOAD(a[(k)*sa + (ptrdiff_t)j]))
    for (; rows >= 8; rows -= 8, a += 8 * sa) {
        VECTOR
        for (size_t j = 0; j < m; j++) {
            A x = FN(join)(AT(3), FN(join)(AT(2), FN(join)(AT(1), FN(join)(AT(0), acc[j]))));
            acc[j] = FN(join)(AT(7), FN(join)(AT(6), FN(join)(AT(5), FN(join)(AT(4), x))));
        }
    }
    for (; rows > 0; rows--, a += sa) {
        VECTOR
        for (size_t j = 0; j < m; j++)
            acc[j] = FN(join)(AT(0), acc[j]);
    }
#undef AT
}

/* A dense row into LANES accumulators. */
static void FN(fold_row)(A *acc, const T *a, size_t n)
{
    FN(fold)(acc, a, LANES, n / LANES, LANES);
    FN(fold)(acc, a + n / LANES * LANES, 0, n % LANES != 0, n % LANES);
}

static inline A FN(join_lanes)(A *acc)
{
    for (size_t k = LANES / 2; k > 0; k /= 2)
        for (size_t j = 0; j < k; j++)
            acc[j] = FN(join)(acc[j + k], acc[j]);
    return acc[0];
}

static inline A FN(start)(A x)
{
    (void)x;
    return START(x);
}

static void FN(reduce)(const void *p, ptrdiff_t sa, void *y, size_t n)
{
    const T *a = p;
    A acc[LANES], start = FN(start)(n > 0 ? VALUE(LOAD(*a)) : (A)0);
    for (size_t j = 0; j < LANES; j++)
        acc[j] = start;
    if (sa == 1 && n > 0)
        FN(fold_row)(acc, a, n);
    for (size_t i = 0; sa != 1 && i < n; i += GATHER) {
        T block[GATHER];
        size_t some = n - i < GATHER ? n - i : GATHER;
        CAT(gather, X)(block, a + (ptrdiff_t)i * sa, sa, some);
        FN(fold_row)(acc, block, some);
    }
    *(R *)y = (R)FN(join_lanes)(acc);
}

static void FN(rows)(const void *p, ptrdiff_t sa, void *result, size_t n, size_t m)
{
    R *y = result;
    for (size_t first = 0; first < m; first += COLUMNS) {
        const T *a = (const T *)p + first;
        size_t some = m - first < COLUMNS ? m - first : COLUMNS;
        A acc[COLUMNS];
        for (size_t j = 0; j < some; j++)
            acc[j] = FN(start)(n > 0 ? VALUE(LOAD(a[j])) : (A)0);
        FN(fold)(acc, a, sa, n, some);
        for (size_t j = 0; j < some; j++)
            y[first + j] = (R)acc[j];
    }
}
#undef FN
#undef NAME
#undef A
#undef R
#undef VALUE
#undef JOIN
#undef START
