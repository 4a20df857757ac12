/* Reduction kernels: against plain loops in wide arithmetic, the same on every instruction set, at awkward
 * lengths and strides; how exact long sums are; what MLX does with NaN and ties. */
#include "values.h"

enum { ROOM = LONGEST_ROW * 3 + 16, COLUMNS_MOST = 1200 };
static _Alignas(64) char operand[ROOM * 8], matrix[40 * COLUMNS_MOST * 8];
static const char *const names[] = {"sum", "prod", "max", "min", "all", "any"};

static mlx_dtype result_dtype(int op, mlx_dtype t)
{
    if (op >= CPU_ALL)
        return MLX_BOOL;
    if (op >= CPU_MAX || !value_is_integer(t) || value_sizes[t] == 8)
        return t;
    return t == MLX_BOOL || value_is_signed(t) ? MLX_INT32 : MLX_UINT32;
}

/* --- plain loops --- */

static uint64_t plain_integer(int op, bool is_signed, uint64_t a, uint64_t b)
{
    bool less = is_signed ? (int64_t)a < (int64_t)b : a < b;
    switch (op) {
    case CPU_SUM:
        return a + b;
    case CPU_PROD:
        return a * b;
    case CPU_MAX:
        return less ? b : a;
    case CPU_MIN:
        return less ? a : b;
    case CPU_ALL:
        return a && b;
    default:
        return a || b;
    }
}

static double plain_float(int op, double a, double b)
{
    switch (op) {
    case CPU_SUM:
        return a + b;
    case CPU_PROD:
        return a * b;
    case CPU_MAX:
        return isnan(a) || isnan(b) ? NAN : fmax(a, b);
    case CPU_MIN:
        return isnan(a) || isnan(b) ? NAN : fmin(a, b);
    case CPU_ALL:
        return a != 0 && b != 0;
    default:
        return a != 0 || b != 0;
    }
}

/* Checks y, one result of `op` over n elements from a, `stride` elements apart. */
static void check_result(int op, mlx_dtype t, const char *a, ptrdiff_t stride, size_t n, const void *y,
                         cpu_isa isa)
{
    mlx_dtype out = result_dtype(op, t);
    bool from_zero = op == CPU_SUM || op == CPU_ANY;
    if (value_is_integer(t)) {
        uint64_t want = from_zero ? 0 : op >= CPU_MAX && op <= CPU_MIN ? value_bits(t, a, 0) : 1;
        for (size_t i = 0; i < n; i++)
            want = plain_integer(op, value_is_signed(t), want,
                                 value_bits(t, a + (ptrdiff_t)(i * value_sizes[t]) * stride, 0));
        uint64_t mask = ~(uint64_t)0 >> (64 - 8 * value_sizes[out]);
        if ((value_bits(out, y, 0) & mask) != (want & mask))
            fail_msg("%s of dtype %d, %zu elements %td apart, under %s: %llx, not %llx", names[op], (int)t, n,
                     stride, cpu_isa_name(isa), (unsigned long long)value_bits(out, y, 0),
                     (unsigned long long)want);
        return;
    }
    double want = from_zero ? 0 : op >= CPU_MAX && op <= CPU_MIN ? value_get(t, a, 0) : 1, sizes = 0;
    for (size_t i = 0; i < n; i++) {
        double v = value_get(t, a + (ptrdiff_t)(i * value_sizes[t]) * stride, 0);
        want = plain_float(op, want, v);
        sizes += fabs(v);
    }
    double got = value_get(out, y, 0), slack = op == CPU_SUM && isfinite(sizes) ? sizes * 0x1p-46 : 0;
    double ulps = t == MLX_FLOAT64 ? (double)(n + 2) : 0.51;
    if (!value_near(out, got, want, ulps) && !(fabs(got - want) <= slack))
        fail_msg("%s of dtype %d, %zu elements %td apart, under %s: %a, not %a", names[op], (int)t, n, stride,
                 cpu_isa_name(isa), got, want);
}

/* Numbers whose sums and products stay away from overflow, where the order of operations would show. */
static void fill(int op, mlx_dtype t, void *p, size_t n)
{
    value_fill(t, p, n);
    for (size_t i = 0; i < n && !value_is_integer(t); i++) {
        double v = value_get(t, p, i), small = isfinite(v) && fabs(v) < 1e4 ? v : 1;
        if (op == CPU_PROD)
            value_set(t, p, i, i % 2 ? 1.0 + (double)(i % 5) / 16 : 0.8125 + (double)(i % 3) / 16);
        else if (op == CPU_SUM)
            value_set(t, p, i, small);
        else if (isnan(v) && value_random() % 64) /* else almost every result is NaN */
            value_set(t, p, i, 0);
        else if (op == CPU_ALL && v == 0 && value_random() % 128)
            value_set(t, p, i, 1);
    }
}

static bool compared(mlx_dtype t) { return t != MLX_COMPLEX64; } /* has a test of its own */

static void check_rows(const cpu_kernels *k, int op, mlx_dtype t)
{
    static const ptrdiff_t strides[] = {1, 0, 2, -1, 3, -2};
    for (size_t l = 0; l < ROW_LENGTHS; l++)
        for (size_t s = 0; s < sizeof strides / sizeof *strides; s++) {
            size_t n = row_lengths[l],
                   first = 1 + (strides[s] < 0 ? (size_t)-strides[s] * (n ? n - 1 : 0) : 0);
            char y[3 * 8], *at = operand + first * value_sizes[t];
            if (n == 0 && (op == CPU_MAX || op == CPU_MIN))
                continue;
            fill(op, t, operand, ROOM);
            memset(y, 0x5A, sizeof y);
            k->reduce.reduce[op][t](at, strides[s], y + 8, n);
            check_result(op, t, at, strides[s], n, y + 8, k->isa);
            assert_true(y[7] == 0x5A && y[8 + value_sizes[result_dtype(op, t)]] == 0x5A);
        }
}

static void check_many_rows(const cpu_kernels *k, int op, mlx_dtype t)
{
    static const size_t counts[] = {0, 1, 2, 7, 8, 9, 17, 35},
                        widths[] = {1, 3, 16, 31, 257, 1023, 1024, 1030};
    static char y[COLUMNS_MOST * 8 + 16];
    size_t out = value_sizes[result_dtype(op, t)];
    for (size_t c = 0; c < 8; c++)
        for (size_t w = 0; w < 8; w++) {
            size_t n = counts[c], m = widths[w], apart = m + (w % 2 ? 5 : 0);
            if (n == 0 && (op == CPU_MAX || op == CPU_MIN))
                continue;
            fill(op, t, matrix, 40 * COLUMNS_MOST);
            memset(y, 0x5A, sizeof y);
            char *at = matrix + value_sizes[t];
            k->reduce.rows[op][t](at, (ptrdiff_t)apart, y, n, m);
            for (size_t j = 0; j < m; j++)
                check_result(op, t, at + j * value_sizes[t], (ptrdiff_t)apart, n, y + j * out, k->isa);
            assert_int_equal(y[m * out], 0x5A);
        }
}

static void match_plain_loops(void **state)
{
    (void)state;
    static cpu_kernels k;
    for (cpu_isa isa = 0; isa < ISA_LEVELS; isa++) {
        if (!cpu_kernels_fill(&k, isa))
            continue;
        for (mlx_dtype t = 0; t < MX_DTYPES; t++)
            for (int op = 0; op < CPU_REDUCE_COUNT; op++) {
                assert_non_null(k.reduce.reduce[op][t]);
                assert_non_null(k.reduce.rows[op][t]);
                if (!compared(t))
                    continue;
                check_rows(&k, op, t);
                check_many_rows(&k, op, t);
            }
    }
}

/* Bit for bit, for the order of every sum is the same; but products of complex numbers may use fused steps.
 */
static void check_isa(const cpu_kernels *p, const cpu_kernels *o)
{
    char x[8], y[8];
    static char xs[COLUMNS_MOST * 8], ys[COLUMNS_MOST * 8];
    for (mlx_dtype t = 0; t < MX_DTYPES; t++)
        for (int op = 0; op < CPU_REDUCE_COUNT; op++)
            for (size_t l = 1; l < ROW_LENGTHS; l++) {
                size_t n = row_lengths[l], where;
                double ulps = 0;
                value_fill(t, operand, ROOM);
                if (op == CPU_PROD && t == MLX_COMPLEX64) {
                    fill(op, MLX_FLOAT32, operand, 2 * ROOM);
                    ulps = 1;
                }
                p->reduce.reduce[op][t](operand, 2, x, n);
                o->reduce.reduce[op][t](operand, 2, y, n);
                if (!value_same(result_dtype(op, t), x, y, 1, ulps, &where))
                    fail_msg("%s of dtype %d, %zu elements, under %s: %a, not %a", names[op], (int)t, n,
                             cpu_isa_name(o->isa), value_get(result_dtype(op, t), y, 0),
                             value_get(result_dtype(op, t), x, 0));
                p->reduce.rows[op][t](operand, 100, xs, 30, n < 100 ? n : 100);
                o->reduce.rows[op][t](operand, 100, ys, 30, n < 100 ? n : 100);
                if (!value_same(result_dtype(op, t), xs, ys, n < 100 ? n : 100, ulps, &where))
                    fail_msg("rows of %s of dtype %d under %s: column %zu is %a, not %a", names[op], (int)t,
                             cpu_isa_name(o->isa), where, value_get(result_dtype(op, t), ys, where),
                             value_get(result_dtype(op, t), xs, where));
                for (int smallest = 0; smallest < 2; smallest++)
                    assert_int_equal(p->reduce.arg[smallest][t](operand, 1, n),
                                     o->reduce.arg[smallest][t](operand, 1, n));
            }
}

static void instruction_sets_agree(void **state)
{
    (void)state;
    for_each_isa(check_isa);
}

/* --- positions --- */

static uint32_t plain_arg(bool smallest, mlx_dtype t, const char *a, ptrdiff_t stride, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++) {
        const char *p = a + (ptrdiff_t)(i * value_sizes[t]) * stride,
                   *q = a + (ptrdiff_t)(best * value_sizes[t]) * stride;
        uint64_t u = value_bits(t, p, 0), v = value_bits(t, q, 0);
        bool less = value_is_signed(t) ? (int64_t)u < (int64_t)v : u < v;
        if (!value_is_integer(t))
            less = value_get(t, p, 0) < value_get(t, q, 0);
        bool more = value_is_integer(t) ? !less && u != v : value_get(t, p, 0) > value_get(t, q, 0);
        if (smallest ? less : more)
            best = i;
    }
    return (uint32_t)best;
}

static void positions(void **state)
{
    (void)state;
    static const ptrdiff_t strides[] = {1, 2, -1, 0};
    static cpu_kernels k;
    for (cpu_isa isa = 0; isa < ISA_LEVELS; isa++)
        for (mlx_dtype t = 0; t < MX_DTYPES && cpu_kernels_fill(&k, isa); t++)
            for (size_t l = 1; l < ROW_LENGTHS && compared(t); l++)
                for (size_t s = 0; s < 8; s++) {
                    size_t n = row_lengths[l];
                    ptrdiff_t stride = strides[s % 4];
                    char *a = operand + (stride < 0 ? n : 1) * value_sizes[t];
                    value_fill(t, operand, ROOM);
                    if (s > 4 && value_is_float(t)) /* a leading NaN stays */
                        value_set(t, a, 0, NAN);
                    for (int smallest = 0; smallest < 2; smallest++)
                        assert_int_equal(k.reduce.arg[smallest][t](a, stride, n),
                                         plain_arg(smallest, t, a, stride, n));
                }
}

static void positions_in_columns(void **state)
{
    (void)state;
    static const size_t counts[] = {1, 2, 9, 35}, widths[] = {1, 7, 31, 257, 1100};
    static uint32_t y[COLUMNS_MOST + 1];
    static cpu_kernels k;
    for (cpu_isa isa = 0; isa < ISA_LEVELS; isa++)
        for (mlx_dtype t = 0; t < MX_DTYPES && cpu_kernels_fill(&k, isa); t++)
            for (size_t c = 0; c < 4 * 5; c++) {
                size_t n = counts[c % 4], m = widths[c / 4], apart = m + c % 3;
                value_fill(t, matrix, 40 * COLUMNS_MOST);
                if (value_is_float(t)) /* a leading NaN stays */
                    value_set(t, matrix, m / 2, NAN);
                for (int smallest = 0; smallest < 2; smallest++) {
                    y[m] = 77;
                    k.reduce.arg_rows[smallest][t](matrix, (ptrdiff_t)apart, y, n, m);
                    for (size_t j = 0; j < m; j++) {
                        const char *a = matrix + j * value_sizes[t];
                        assert_int_equal(y[j], compared(t)
                                                   ? plain_arg(smallest, t, a, (ptrdiff_t)apart, n)
                                                   : k.reduce.arg[smallest][t](a, (ptrdiff_t)apart, n));
                    }
                    assert_int_equal(y[m], 77);
                }
            }
}

static void positions_in_long_rows(void **state)
{
    (void)state;
    const reduce_kernels *k = &cpu_kernels_get()->reduce;
    enum { N = 151936 };
    static float x[N];
    static uint16_t h[N];
    for (size_t i = 0; i < N; i++)
        x[i] = (float)(value_random() % 1000) / 10;
    static const size_t places[] = {0, 1, 511, 512, 75000, N - 2};
    for (size_t p = 0; p < 6; p++) {
        x[places[p]] = x[N - 1] = 200;
        for (size_t i = 0; i < N; i++)
            h[i] = f32_to_bf16(x[i]);
        assert_int_equal(k->arg[0][MLX_FLOAT32](x, 1, N), places[p]);
        assert_int_equal(k->arg[0][MLX_BFLOAT16](h, 1, N), places[p]);
        x[places[p]] = -200;
        assert_int_equal(k->arg[1][MLX_FLOAT32](x, 1, N), places[p]);
        x[places[p]] = 1;
    }
}

/* --- exactness and specials --- */

static void long_sums_are_exact(void **state)
{
    (void)state;
    enum { N = 1000000 };
    static float x[N];
    static uint16_t h[N];
    static cpu_kernels k;
    for (cpu_isa isa = 0; isa < ISA_LEVELS; isa++) {
        if (!cpu_kernels_fill(&k, isa))
            continue;
        double exact = 0, halves = 0;
        for (size_t i = 0; i < N; i++) {
            x[i] = (float)(value_random() >> 8 & 0xFFFFFF) / 0x1p24f;
            h[i] = f32_to_f16(x[i] / 64);
            exact += (double)x[i];
            halves += (double)f16_to_f32(h[i]);
        }
        float y;
        uint16_t z;
        k.reduce.reduce[CPU_SUM][MLX_FLOAT32](x, 1, &y, N);
        assert_true(fabs((double)y - exact) <= 1e-7 * exact);
        k.reduce.rows[CPU_SUM][MLX_FLOAT32](x, 1, &y, N, 1);
        assert_true(fabs((double)y - exact) <= 1e-7 * exact);
        k.reduce.reduce[CPU_SUM][MLX_FLOAT16](h, 1, &z, N);
        assert_true(value_near(MLX_FLOAT16, (double)f16_to_f32(z), halves, 0.51));
    }
}

static void specials(void **state)
{
    (void)state;
    const reduce_kernels *k = &cpu_kernels_get()->reduce;
    float x[] = {1, NAN, 3}, y, z[] = {NAN, 5, 6};
    k->reduce[CPU_MAX][MLX_FLOAT32](x, 1, &y, 3);
    assert_true(isnan(y));
    k->reduce[CPU_MIN][MLX_FLOAT32](x, 1, &y, 3);
    assert_true(isnan(y));
    assert_int_equal(k->arg[0][MLX_FLOAT32](x, 1, 3), 2);
    assert_int_equal(k->arg[0][MLX_FLOAT32](z, 1, 3), 0);
    assert_int_equal(k->arg[1][MLX_FLOAT32](z, 1, 3), 0);
    k->reduce[CPU_SUM][MLX_FLOAT32](NULL, 1, &y, 0);
    assert_true(y == 0);
    k->reduce[CPU_PROD][MLX_FLOAT32](NULL, 1, &y, 0);
    assert_true(y == 1);
    uint8_t flags[] = {1, 1, 0}, truth;
    int32_t count;
    k->reduce[CPU_SUM][MLX_BOOL](flags, 1, &count, 3);
    assert_int_equal(count, 2);
    k->reduce[CPU_ALL][MLX_BOOL](flags, 1, &truth, 0);
    assert_int_equal(truth, 1);
    k->reduce[CPU_ANY][MLX_FLOAT32](x, 1, &truth, 3);
    assert_int_equal(truth, 1);
    uint16_t zeros[] = {0x8000, 0}, nan[] = {0, 0x7E00};
    k->reduce[CPU_ANY][MLX_FLOAT16](zeros, 1, &truth, 2);
    assert_int_equal(truth, 0);
    k->reduce[CPU_ANY][MLX_FLOAT16](nan, 1, &truth, 2);
    assert_int_equal(truth, 1);
}

static void complex_numbers(void **state)
{
    (void)state;
    const reduce_kernels *k = &cpu_kernels_get()->reduce;
    float x[] = {1, 2, 3, -4, 3, 5, 0, 1}, y[2];
    uint8_t truth;
    k->reduce[CPU_SUM][MLX_COMPLEX64](x, 1, y, 4);
    assert_true(y[0] == 7 && y[1] == 4);
    k->reduce[CPU_PROD][MLX_COMPLEX64](x, 1, y, 2);
    assert_true(y[0] == 11 && y[1] == 2);
    k->reduce[CPU_MAX][MLX_COMPLEX64](x, 1, y, 4);
    assert_true(y[0] == 3 && y[1] == 5);
    k->reduce[CPU_MIN][MLX_COMPLEX64](x, 1, y, 4);
    assert_true(y[0] == 0 && y[1] == 1);
    assert_int_equal(k->arg[0][MLX_COMPLEX64](x, 1, 4), 2);
    float half_nan[] = {1, 2, 3, NAN, 2, 1};
    assert_int_equal(k->arg[0][MLX_COMPLEX64](half_nan, 1, 3), 1);
    k->reduce[CPU_ALL][MLX_COMPLEX64](x, 1, &truth, 4);
    assert_int_equal(truth, 1);
    float sums[4];
    k->rows[CPU_SUM][MLX_COMPLEX64](x, 2, sums, 2, 2);
    assert_true(sums[0] == 4 && sums[1] == 7 && sums[2] == 3 && sums[3] == -3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(match_plain_loops),      cmocka_unit_test(positions),
        cmocka_unit_test(positions_in_long_rows), cmocka_unit_test(specials),
        cmocka_unit_test(complex_numbers),        cmocka_unit_test(long_sums_are_exact),
        cmocka_unit_test(instruction_sets_agree), cmocka_unit_test(positions_in_columns),
    };
    return RUN_TESTS("reduce", tests, NULL);
}
