/* One reduction of the 16-bit floats by way of float32's: NAME, and A, the type of its accumulators. */

#define FN(name) CAT(name, NAME)

static inline void FN(half_reduce)(half_kind kind, const uint16_t *a, ptrdiff_t sa, uint16_t *y, size_t n)
{
    float block[HALF_BLOCK], result;
    A acc[LANES];
    half_widen(kind, a, 1, block, n > 0);
    for (size_t j = 0; j < LANES; j++)
        acc[j] = CAT(FN(start), f32)(n > 0 ? (A)block[0] : 0);
    for (size_t i = 0; i < n; i += HALF_BLOCK) {
        size_t m = half_count(i, n);
        half_widen(kind, a + (ptrdiff_t)i * sa, sa, block, m);
        CAT(FN(fold_row), f32)(acc, block, m);
    }
    result = (float)CAT(FN(join_lanes), f32)(acc);
    half_round(kind, &result, y, 1);
}

/* Eight rows of up to COLUMNS elements at a time. */
static inline void FN(half_rows)(half_kind kind, const uint16_t *a, ptrdiff_t sa, uint16_t *y, size_t n,
                                 size_t m)
{
    float block[8 * COLUMNS];
    A acc[COLUMNS];
    for (size_t first = 0; first < m; first += COLUMNS) {
        size_t some = m - first < COLUMNS ? m - first : COLUMNS;
        half_widen(kind, a + first, 1, block, n > 0 ? some : 0);
        for (size_t j = 0; j < some; j++)
            acc[j] = CAT(FN(start), f32)(n > 0 ? (A)block[j] : 0);
        for (size_t i = 0; i < n; i += 8) {
            size_t rows = n - i < 8 ? n - i : 8;
            for (size_t r = 0; r < rows; r++)
                half_widen(kind, a + (ptrdiff_t)(i + r) * sa + first, 1, block + r * COLUMNS, some);
            CAT(FN(fold), f32)(acc, block, COLUMNS, rows, some);
        }
        for (size_t j = 0; j < some; j++)
            block[j] = (float)acc[j];
        half_round(kind, block, y + first, some);
    }
}
#undef FN
#undef NAME
#undef A
