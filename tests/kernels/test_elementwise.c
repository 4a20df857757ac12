/* Elementwise kernels: the portable ones against the C library and plain integer arithmetic, every other
 * instruction set against the portable ones, at awkward lengths, strides and alignments, with guard bytes. */
#include "values.h"

#include <complex.h>

#define UNARY(name, ...) #name,
static const char *const unary_names[] = {
#include "mx_unary.def"
};
#undef UNARY
#define BINARY(name, ...) #name,
static const char *const binary_names[] = {
#include "mx_binary.def"
};
#undef BINARY

enum { GUARD = 0xA5, ROOM = LONGEST_ROW * 3 + 16 };
/* 1: operands do not start at a vector's boundary. */
static _Alignas(64) char operand_a[ROOM * 8], operand_b[ROOM * 8], condition[ROOM], expected[ROOM * 8],
    actual[ROOM * 8];
static const ptrdiff_t strides[][2] = {{1, 1}, {1, 0}, {0, 1}, {0, 0}, {2, 1}, {1, 3}, {-1, 1}, {2, -2}};
enum { STRIDES = sizeof strides / sizeof *strides };

/* Where a row with this stride starts, so that all of it lies in the operand. */
static char *start_of(char *operand, mlx_dtype t, ptrdiff_t stride, size_t n)
{
    size_t first = 1 + (stride < 0 ? (size_t)-stride * (n ? n - 1 : 0) : 0);
    return operand + first * value_sizes[t];
}

/* Both results lie in `expected` and `actual` from element 1 on; nothing else may have been written. */
static void compare(mlx_dtype t, size_t n, double ulps, const char *what, const char *name, cpu_isa isa)
{
    size_t size = value_sizes[t], where;
    if (!value_same(t, expected + size, actual + size, n, ulps, &where))
        fail_msg("%s %s of dtype %d under %s: element %zu of %zu is %.17g, not %.17g", what, name, (int)t,
                 cpu_isa_name(isa), where, n, value_get(t, actual + size, where),
                 value_get(t, expected + size, where));
    for (size_t i = 0; i < 8 * size; i++)
        if ((unsigned char)actual[(n + 1) * size + i] != GUARD)
            fail_msg("%s %s of dtype %d under %s: wrote past its %zu elements", what, name, (int)t,
                     cpu_isa_name(isa), n);
    for (size_t i = 0; i < size; i++)
        assert_int_equal((unsigned char)actual[i], GUARD);
}

static void clear(void)
{
    memset(expected, GUARD, sizeof expected);
    memset(actual, GUARD, sizeof actual);
}

/* --- every instruction set against the portable one --- */

/* Both round differently on the way (fused multiply-adds); a half is the rounding of nearly equal floats. */
static double tolerance(mlx_dtype t)
{
    return t == MLX_FLOAT32 ? 4 : t == MLX_COMPLEX64 ? 16 : t == MLX_FLOAT64 ? 2 : 1;
}

/* The dtype of a function's result. */
static mlx_dtype unary_result(int op, mlx_dtype t)
{
    return t == MLX_COMPLEX64 && (op == CPU_abs || op == CPU_real || op == CPU_imag) ? MLX_FLOAT32 : t;
}

static void check_unary(const cpu_kernels *p, const cpu_kernels *o, int op, mlx_dtype t, mlx_dtype out,
                        size_t n, ptrdiff_t stride)
{
    cpu_unary_fn a = op < 0 ? p->elementwise.cast[t][out] : p->elementwise.unary[op][t];
    cpu_unary_fn b = op < 0 ? o->elementwise.cast[t][out] : o->elementwise.unary[op][t];
    const char *in = start_of(operand_a, t, stride, n);
    assert_true(!a == !b);
    if (!a)
        return;
    clear();
    a(in, stride, expected + value_sizes[out], n);
    b(in, stride, actual + value_sizes[out], n);
    compare(out, n, op < 0 ? 0 : tolerance(t), op < 0 ? "cast" : "unary", op < 0 ? "" : unary_names[op],
            o->isa);
    if (stride != 1 || value_sizes[t] != value_sizes[out])
        return;
    memcpy(actual + value_sizes[out], in, n * value_sizes[t]); /* in place */
    b(actual + value_sizes[out], 1, actual + value_sizes[out], n);
    compare(out, n, op < 0 ? 0 : tolerance(t), "in-place unary", op < 0 ? "cast" : unary_names[op], o->isa);
}

static void check_binary(const cpu_kernels *p, const cpu_kernels *o, int op, mlx_dtype t, size_t n,
                         const ptrdiff_t s[2])
{
    cpu_binary_fn f = p->elementwise.binary[op][t], g = o->elementwise.binary[op][t];
    assert_true(!f == !g);
    if (!f)
        return;
    mlx_dtype out = op >= CPU_equal ? MLX_BOOL : t;
    const char *a = start_of(operand_a, t, s[0], n), *b = start_of(operand_b, t, s[1], n);
    clear();
    f(a, s[0], b, s[1], expected + value_sizes[out], n);
    g(a, s[0], b, s[1], actual + value_sizes[out], n);
    /* Powers of complex numbers come from the C library on both sides but multiply angles by large numbers.
     */
    double ulps = op == CPU_power && t == MLX_COMPLEX64     ? 1e9
                  : op == CPU_logaddexp && t != MLX_FLOAT64 ? 1e5 /* sums near 0 */
                                                            : tolerance(t);
    compare(out, n, ulps, "binary", binary_names[op], o->isa);
    if (s[0] != 1 || out != t)
        return;
    memcpy(actual + value_sizes[t], a, n * value_sizes[t]);
    g(actual + value_sizes[t], 1, b, s[1], actual + value_sizes[t], n);
    compare(out, n, ulps, "in-place binary", binary_names[op], o->isa);
}

static void check_move(const cpu_kernels *p, const cpu_kernels *o, int log_size, size_t n,
                       const ptrdiff_t s[2])
{
    static const mlx_dtype by_size[4] = {MLX_UINT8, MLX_UINT16, MLX_UINT32, MLX_UINT64};
    mlx_dtype t = by_size[log_size];
    const char *a = start_of(operand_a, t, s[0], n), *b = start_of(operand_b, t, s[1], n);
    size_t size = value_sizes[t];
    for (ptrdiff_t sc = 0; sc < 3; sc++) {
        clear();
        p->elementwise.select[log_size](condition, sc, a, s[0], b, s[1], expected + size, n);
        o->elementwise.select[log_size](condition, sc, a, s[0], b, s[1], actual + size, n);
        compare(t, n, 0, "select", "", o->isa);
        for (size_t i = 0; i < n; i++) {
            const char *from = condition[(ptrdiff_t)i * sc] ? a + (ptrdiff_t)i * s[0] * (ptrdiff_t)size
                                                            : b + (ptrdiff_t)i * s[1] * (ptrdiff_t)size;
            assert_memory_equal(actual + (i + 1) * size, from, size);
        }
    }
    if (s[1] < 1)
        return;
    clear();
    p->elementwise.copy[log_size](a, s[0], expected + size, s[1], n);
    o->elementwise.copy[log_size](a, s[0], actual + size, s[1], n);
    assert_memory_equal(actual, expected, sizeof actual);
    for (size_t i = 0; i < n; i++)
        assert_memory_equal(actual + (1 + i * (size_t)s[1]) * size, a + (ptrdiff_t)i * s[0] * (ptrdiff_t)size,
                            size);
}

static void fill_operands(mlx_dtype t)
{
    value_fill(t, operand_a, ROOM);
    value_fill(t, operand_b, ROOM);
    value_fill(MLX_BOOL, condition, ROOM);
}

static void check_isa(const cpu_kernels *p, const cpu_kernels *o)
{
    for (mlx_dtype t = 0; t < MX_DTYPES; t++)
        for (size_t l = 0; l < ROW_LENGTHS; l++) {
            fill_operands(t);
            for (size_t s = 0; s < STRIDES; s++) {
                for (int op = 0; op < CPU_UNARY_COUNT; op++)
                    check_unary(p, o, op, t, unary_result(op, t), row_lengths[l], strides[s][0]);
                for (mlx_dtype to = 0; to < MX_DTYPES; to++)
                    check_unary(p, o, -1, t, to, row_lengths[l], strides[s][0]);
                for (int op = 0; op < CPU_BINARY_COUNT; op++)
                    check_binary(p, o, op, t, row_lengths[l], strides[s]);
            }
        }
    fill_operands(MLX_UINT64);
    for (int log_size = 0; log_size < 4; log_size++)
        for (size_t l = 0; l < ROW_LENGTHS; l++)
            for (size_t s = 0; s < STRIDES; s++)
                check_move(p, o, log_size, row_lengths[l], strides[s]);
}

static void instruction_sets_agree(void **state)
{
    (void)state;
    for_each_isa(check_isa);
    static cpu_kernels portable; /* and at least the portable one against the loops of this file */
    cpu_kernels_fill(&portable, ISA_LEVEL_portable);
    for (int log_size = 0; log_size < 4; log_size++)
        check_move(&portable, &portable, log_size, 513, strides[5]);
}

/* --- the portable one against the C library --- */

static double plain_negative(double x) { return -x; }
static double plain_sign(double x) { return (x > 0) - (x < 0); }
static double plain_square(double x) { return x * x; }
static double plain_rsqrt(double x) { return 1 / sqrt(x); }
static double plain_reciprocal(double x) { return 1 / x; }
static double plain_sigmoid(double x) { return 1 / (1 + exp(-x)); }
/* Bisection: slow, and owes nothing to the kernels. */
static double plain_erfinv(double x)
{
    if (!(fabs(x) < 1) || x == 0)
        return fabs(x) == 1 ? x * INFINITY : x == 0 ? x : NAN;
    if (fabs(x) < 1e-9)
        return 0.88622692545275801365 * x;
    double low = 0, high = 7;
    for (int i = 0; i < 200; i++) {
        double middle = (low + high) / 2;
        if (fabs(x) < 0.5 ? erf(middle) < fabs(x) : erfc(middle) > 1 - fabs(x))
            low = middle;
        else
            high = middle;
    }
    return copysign(low, x);
}

static double (*const plain_unary[CPU_UNARY_COUNT])(double) = {
    [CPU_abs] = fabs,
    [CPU_negative] = plain_negative,
    [CPU_sign] = plain_sign,
    [CPU_square] = plain_square,
    [CPU_floor] = floor,
    [CPU_ceil] = ceil,
    [CPU_round] = rint,
    [CPU_sqrt] = sqrt,
    [CPU_rsqrt] = plain_rsqrt,
    [CPU_reciprocal] = plain_reciprocal,
    [CPU_exp] = exp,
    [CPU_log] = log,
    [CPU_log1p] = log1p,
    [CPU_sin] = sin,
    [CPU_cos] = cos,
    [CPU_tanh] = tanh,
    [CPU_sigmoid] = plain_sigmoid,
    [CPU_erf] = erf,
    [CPU_erfinv] = plain_erfinv,
    [CPU_expm1] = expm1,
    [CPU_log2] = log2,
    [CPU_log10] = log10,
    [CPU_tan] = tan,
    [CPU_arcsin] = asin,
    [CPU_arccos] = acos,
    [CPU_arctan] = atan,
    [CPU_sinh] = sinh,
    [CPU_cosh] = cosh,
    [CPU_arcsinh] = asinh,
    [CPU_arccosh] = acosh,
    [CPU_arctanh] = atanh,
};
/* Bounds in ulp of float32, over what the same op may round twice. */
static const double unary_bounds[CPU_UNARY_COUNT] = {
    [CPU_square] = 0.5,  [CPU_sqrt] = 0.5,  [CPU_rsqrt] = 1.5,   [CPU_reciprocal] = 0.5, [CPU_exp] = 1.4,
    [CPU_log] = 1.4,     [CPU_log1p] = 1.4, [CPU_sin] = 0.6,     [CPU_cos] = 0.6,        [CPU_tanh] = 1.4,
    [CPU_sigmoid] = 2.5, [CPU_erf] = 1.4,   [CPU_erfinv] = 0.75, [CPU_expm1] = 1.6,      [CPU_log2] = 1,
    [CPU_log10] = 1,     [CPU_tan] = 0.6,   [CPU_arcsin] = 1.6,  [CPU_arccos] = 1.6,     [CPU_arctan] = 1.6,
    [CPU_sinh] = 2.5,    [CPU_cosh] = 2,    [CPU_arcsinh] = 1.6, [CPU_arccosh] = 1.6,    [CPU_arctanh] = 1.6,
};

static void check_against_library(const cpu_kernels *k, int op, mlx_dtype t)
{
    enum { N = 1000 };
    double bound = t == MLX_FLOAT32 ? unary_bounds[op] : t == MLX_FLOAT64 ? 8 : 0.51;
    for (int round = 0; round < 20; round++) {
        value_fill(t, operand_a, N);
        k->elementwise.unary[op][t](operand_a, 1, actual, N);
        for (size_t i = 0; i < N; i++) {
            double x = value_get(t, operand_a, i), y = value_get(t, actual, i), want = plain_unary[op](x);
            if (op == CPU_sigmoid && t == MLX_FLOAT32 &&
                x < -87) /* 1 / (1 + inf): the last denormals are lost */
                want = y < 1e-37 && y >= 0 ? y : want;
            if (!value_near(t, y, want, bound) ||
                (want == 0 && y == 0 && signbit(want) != signbit(y) && op != CPU_sign))
                fail_msg("%s of dtype %d: %a gives %a, not %a", unary_names[op], (int)t, x, y, want);
        }
    }
}

static void floats_match_the_library(void **state)
{
    (void)state;
    static const mlx_dtype floats[] = {MLX_FLOAT32, MLX_FLOAT16, MLX_BFLOAT16, MLX_FLOAT64};
    static cpu_kernels k;
    for (cpu_isa isa = 0; isa < ISA_LEVELS; isa++)
        for (size_t f = 0; f < 4 && cpu_kernels_fill(&k, isa); f++)
            for (int op = 0; op < CPU_UNARY_COUNT; op++)
                if (k.elementwise.unary[op][floats[f]])
                    check_against_library(&k, op, floats[f]);
}

static double plain_binary(int op, double a, double b)
{
    double most = fmax(a, b), least = fmin(a, b), rest;
    switch (op) {
    case CPU_arctan2:
        return atan2(a, b);
    case CPU_logaddexp:
        return isnan(a) || isnan(b)          ? NAN
               : isinf(most) || isinf(least) ? most
                                             : most + log1p(exp(least - most));
    case CPU_remainder:
        rest = fmod(a, b);
        return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
    case CPU_nan_equal:
        return a == b || (isnan(a) && isnan(b));
    case CPU_add:
        return a + b;
    case CPU_subtract:
        return a - b;
    case CPU_multiply:
        return a * b;
    case CPU_divide:
        return a / b;
    case CPU_maximum:
        return isnan(a) || isnan(b) ? NAN : fmax(a, b);
    case CPU_minimum:
        return isnan(a) || isnan(b) ? NAN : fmin(a, b);
    case CPU_power:
        return pow(a, b);
    case CPU_equal:
        return a == b;
    case CPU_not_equal:
        return a != b;
    case CPU_less:
        return a < b;
    case CPU_less_equal:
        return a <= b;
    case CPU_greater:
        return a > b;
    default:
        return a >= b;
    }
}

/* Sums of logarithms near 0 keep the digits of their parts only. */
static bool near_0(int op, double y, double want)
{
    return op == CPU_logaddexp && fabs(want) < 1 && fabs(y - want) < 4e-7;
}

static void binary_floats_match_the_library(void **state)
{
    (void)state;
    static const mlx_dtype floats[] = {MLX_FLOAT32, MLX_FLOAT16, MLX_BFLOAT16};
    enum { N = 3000 };
    static cpu_kernels k;
    for (cpu_isa isa = 0; isa < ISA_LEVELS; isa++)
        for (size_t f = 0; f < 3 && cpu_kernels_fill(&k, isa); f++)
            for (int op = 0; op < CPU_logical_and; op++) {
                mlx_dtype t = floats[f], out = op >= CPU_equal ? MLX_BOOL : t;
                if (!k.elementwise.binary[op][t])
                    continue;
                double bound = t != MLX_FLOAT32      ? 0.52
                               : op == CPU_arctan2   ? 1.8
                               : op == CPU_logaddexp ? 2.5
                                                     : 0.52;
                value_fill(t, operand_a, N);
                value_fill(t, operand_b, N);
                k.elementwise.binary[op][t](operand_a, 1, operand_b, 1, actual, N);
                for (size_t i = 0; i < N; i++) {
                    double a = value_get(t, operand_a, i), b = value_get(t, operand_b, i),
                           y = value_get(out, actual, i);
                    double want = plain_binary(op, a, b);
                    if (out == MLX_BOOL ? y != want : !value_near(t, y, want, bound) && !near_0(op, y, want))
                        fail_msg("%s of dtype %d under %s: %a, %a give %a, not %a", binary_names[op], (int)t,
                                 cpu_isa_name(isa), a, b, y, want);
                }
            }
}

/* --- integers --- */

/* Modulo the dtype's width; comparisons on the true values. */
static uint64_t plain_integer(int op, bool is_signed, unsigned width, uint64_t a, uint64_t b)
{
    bool less = is_signed ? (int64_t)a < (int64_t)b : a < b, negative = is_signed && (int64_t)a < 0;
    switch (op) {
    case CPU_floor_divide:
        return b == 0 ? 0 : !is_signed ? a / b : b + 1 == 0 ? 0 - a : (uint64_t)((int64_t)a / (int64_t)b);
    case CPU_remainder:
        if (b == 0 || (is_signed && b + 1 == 0))
            return 0;
        if (!is_signed)
            return a % b;
        a = (uint64_t)((int64_t)a % (int64_t)b);
        return a != 0 && ((int64_t)a < 0) != ((int64_t)b < 0) ? a + b : a;
    case CPU_bitwise_and:
        return a & b;
    case CPU_bitwise_or:
        return a | b;
    case CPU_bitwise_xor:
        return a ^ b;
    case CPU_left_shift:
        return b < width ? a << b : 0;
    case CPU_right_shift:
        return b >= width ? (negative ? ~(uint64_t)0 : 0) : negative ? ~(~a >> b) : a >> b;
    case CPU_nan_equal:
        return a == b;
    case CPU_add:
        return a + b;
    case CPU_subtract:
        return a - b;
    case CPU_multiply:
        return a * b;
    case CPU_maximum:
        return less ? b : a;
    case CPU_minimum:
        return less ? a : b;
    case CPU_equal:
        return a == b;
    case CPU_not_equal:
        return a != b;
    case CPU_less:
        return less;
    case CPU_less_equal:
        return less || a == b;
    case CPU_greater:
        return !less && a != b;
    case CPU_greater_equal:
        return !less;
    default:
        break;
    }
    uint64_t power = 1;
    if (is_signed && (int64_t)b < 0)
        return 0;
    for (; b; b >>= 1, a *= a)
        if (b & 1)
            power *= a;
    return power;
}

static uint64_t plain_integer_unary(int op, bool is_signed, uint64_t x)
{
    bool below = is_signed && (int64_t)x < 0;
    switch (op) {
    case CPU_abs:
        return below ? 0 - x : x;
    case CPU_negative:
        return 0 - x;
    case CPU_sign:
        return below ? ~(uint64_t)0 : x != 0;
    case CPU_square:
        return x * x;
    case CPU_bitwise_invert:
        return ~x;
    default:
        return x;
    }
}

/* The element that the kernel wrote holds `want` cut to its width. */
static void check_integer(mlx_dtype t, const void *y, size_t i, uint64_t want, const char *name)
{
    uint64_t got = value_bits(t, y, i), mask = t == MLX_BOOL ? 1 : ~(uint64_t)0 >> (64 - 8 * value_sizes[t]);
    if (t == MLX_BOOL)
        want = want != 0;
    if ((got & mask) != (want & mask))
        fail_msg("%s of dtype %d gives %llx, not %llx", name, (int)t, (unsigned long long)got,
                 (unsigned long long)want);
}

static void integers_wrap(void **state)
{
    (void)state;
    enum { N = 1000 };
    static cpu_kernels k;
    cpu_kernels_fill(&k, ISA_LEVEL_portable);
    for (mlx_dtype t = MLX_BOOL; t <= MLX_INT64; t++) {
        fill_operands(t);
        for (int op = 0; op < CPU_logical_and; op++) {
            if (!k.elementwise.binary[op][t])
                continue;
            k.elementwise.binary[op][t](operand_a, 1, operand_b, 1, actual, N);
            for (size_t i = 0; i < N; i++)
                check_integer(op >= CPU_equal ? MLX_BOOL : t, actual, i,
                              plain_integer(op, value_is_signed(t), 8 * (unsigned)value_sizes[t],
                                            value_bits(t, operand_a, i), value_bits(t, operand_b, i)),
                              binary_names[op]);
        }
        for (int op = CPU_abs; op <= CPU_bitwise_invert; op++) {
            if (!k.elementwise.unary[op][t])
                continue;
            k.elementwise.unary[op][t](operand_a, 1, actual, N);
            for (size_t i = 0; i < N; i++)
                check_integer(t, actual, i,
                              plain_integer_unary(op, value_is_signed(t), value_bits(t, operand_a, i)),
                              unary_names[op]);
        }
    }
}

/* Has the function two arguments of this dtype? */
static bool binary_exists(int op, mlx_dtype t)
{
    bool is_float = value_is_float(t), whole = value_is_integer(t);
    if (op == CPU_divide || op == CPU_logaddexp)
        return !whole;
    if (op == CPU_arctan2)
        return is_float;
    if (op == CPU_remainder)
        return t != MLX_COMPLEX64;
    if (op == CPU_left_shift || op == CPU_right_shift)
        return whole && t != MLX_BOOL;
    return (op < CPU_floor_divide || op > CPU_bitwise_xor) || whole;
}

static void slots_are_filled(void **state)
{
    (void)state;
    static cpu_kernels k;
    cpu_kernels_fill(&k, ISA_LEVEL_portable);
    const elementwise_kernels *e = &k.elementwise;
    for (mlx_dtype t = 0; t < MX_DTYPES; t++) {
        bool is_float = value_is_float(t), inexact = is_float || t == MLX_COMPLEX64;
        for (mlx_dtype to = 0; to < MX_DTYPES; to++)
            assert_non_null(e->cast[t][to]);
        for (int op = 0; op < CPU_logical_and; op++)
            assert_true((e->binary[op][t] != NULL) == binary_exists(op, t));
        assert_true((e->binary[CPU_logical_and][t] != NULL) == (t == MLX_BOOL));
        assert_true((e->unary[CPU_logical_not][t] != NULL) == (t == MLX_BOOL));
        assert_true((e->unary[CPU_exp][t] != NULL) == inexact);
        assert_true((e->unary[CPU_erf][t] != NULL) == is_float);
        assert_true((e->unary[CPU_bitwise_invert][t] != NULL) == (value_is_integer(t) && t != MLX_BOOL));
        assert_true((e->unary[CPU_imag][t] != NULL) == (t == MLX_COMPLEX64) && e->unary[CPU_abs][t]);
        assert_true(e->unary[CPU_negative][t] && e->unary[CPU_square][t]);
    }
}

/* --- values that MLX gave, and the table's edges --- */

static const cpu_kernels *kernels(void) { return cpu_kernels_get(); }

static void casts_to_integers(void **state)
{
    (void)state;
    const elementwise_kernels *e = &kernels()->elementwise;
    float x[] = {1.7f, -1.7f, INFINITY, -1, 256, 300, NAN, 3e9f, -3e9f, 1e19f, 1.2e19f, 0.4f};
    int32_t i32[12];
    uint8_t u8[12], b[12];
    uint32_t u32[12];
    int64_t i64[12];
    uint64_t u64[12];
    e->cast[MLX_FLOAT32][MLX_INT32](x, 1, i32, 12);
    assert_true(i32[0] == 1 && i32[1] == -1 && i32[2] == INT32_MIN && i32[6] == INT32_MIN &&
                i32[7] == INT32_MIN);
    e->cast[MLX_FLOAT32][MLX_UINT8](x, 1, u8, 12);
    assert_true(u8[3] == 255 && u8[4] == 0 && u8[5] == 44 && u8[6] == 0);
    e->cast[MLX_FLOAT32][MLX_UINT32](x, 1, u32, 12);
    assert_true(u32[7] == 3000000000u && u32[3] == UINT32_MAX);
    e->cast[MLX_FLOAT32][MLX_INT64](x, 1, i64, 12);
    assert_true(i64[8] == -3000000000 && i64[9] == INT64_MIN && i64[6] == INT64_MIN);
    e->cast[MLX_FLOAT32][MLX_UINT64](x, 1, u64, 12);
    assert_true(u64[9] == (uint64_t)1e19f && u64[10] == (uint64_t)1.2e19f && u64[3] == UINT64_MAX);
    e->cast[MLX_FLOAT32][MLX_BOOL](x, 1, b, 12);
    assert_true(b[0] == 1 && b[6] == 1 && b[11] == 1);
    double d[] = {2147483647.9, -2147483648.9, -2147483649.0, 2147483648.0, -0.0};
    e->cast[MLX_FLOAT64][MLX_INT32](d, 1, i32, 5);
    assert_true(i32[0] == INT32_MAX && i32[1] == INT32_MIN && i32[2] == INT32_MIN && i32[3] == INT32_MIN);
    e->cast[MLX_FLOAT64][MLX_BOOL](d, 1, b, 5);
    assert_true(b[0] == 1 && b[4] == 0);
}

/* Every bit pattern of both kinds to float32 and back; and ties, which go to even. */
static void halves_round_trip(void **state)
{
    (void)state;
    static uint16_t all[65536], back[65536];
    static float wide[65536];
    static cpu_kernels k;
    for (cpu_isa isa = 0; isa < ISA_LEVELS; isa++) {
        if (!cpu_kernels_fill(&k, isa))
            continue;
        for (unsigned i = 0; i < 65536; i++)
            all[i] = (uint16_t)i;
        for (int kind = 0; kind < 2; kind++) {
            mlx_dtype t = kind ? MLX_BFLOAT16 : MLX_FLOAT16;
            k.elementwise.cast[t][MLX_FLOAT32](all, 1, wide, 65536);
            k.elementwise.cast[MLX_FLOAT32][t](wide, 1, back, 65536);
            for (unsigned i = 0; i < 65536; i++)
                if (isnan(wide[i]) ? !isnan(value_get(t, back, i)) : back[i] != i)
                    fail_msg("%s: %04x became %a, then %04x", cpu_isa_name(isa), i, (double)wide[i], back[i]);
            for (unsigned i = 0; i < 0x7000; i++) { /* halfway between neighbours */
                float a = wide[i], b = wide[i + 1];
                wide[40000] = (float)(((double)a + (double)b) / 2);
                k.elementwise.cast[MLX_FLOAT32][t](&wide[40000], 1, back, 1);
                assert_int_equal(back[0], i + (i & 1));
            }
        }
    }
}

static void specials(void **state)
{
    (void)state;
    const elementwise_kernels *e = &kernels()->elementwise;
    float a[] = {NAN, 1, -0.0f, INFINITY}, b[] = {1, NAN, 0.0f, -INFINITY}, y[8];
    e->binary[CPU_maximum][MLX_FLOAT32](a, 1, b, 1, y, 4);
    assert_true(isnan(y[0]) && isnan(y[1]) && y[3] == INFINITY);
    e->binary[CPU_minimum][MLX_FLOAT32](a, 1, b, 1, y, 4);
    assert_true(isnan(y[0]) && isnan(y[1]) && y[3] == -INFINITY);
    float r[] = {0.5f, 1.5f, 2.5f, -0.5f, -1.5f};
    e->unary[CPU_round][MLX_FLOAT32](r, 1, y, 5);
    assert_true(y[0] == 0 && y[1] == 2 && y[2] == 2 && y[3] == 0 && signbit(y[3]) && y[4] == -2);
    float s[] = {0, -0.0f, NAN, -3};
    e->unary[CPU_sign][MLX_FLOAT32](s, 1, y, 4);
    assert_true(y[0] == 0 && y[1] == 0 && y[2] == 0 && y[3] == -1);
    int32_t p[] = {2, 2, 7, -3}, q[] = {3, -1, 0, 3}, z[4];
    e->binary[CPU_power][MLX_INT32](p, 1, q, 1, z, 4);
    assert_true(z[0] == 8 && z[1] == 0 && z[2] == 1 && z[3] == -27);
    uint8_t t[] = {0, 1, 0, 1}, u[] = {0, 0, 1, 1}, w[4];
    e->binary[CPU_add][MLX_BOOL](t, 1, u, 1, w, 4);
    assert_memory_equal(w, ((uint8_t[]){0, 1, 1, 1}), 4);
    e->binary[CPU_logical_and][MLX_BOOL](t, 1, u, 1, w, 4);
    assert_memory_equal(w, ((uint8_t[]){0, 0, 0, 1}), 4);
    e->binary[CPU_logical_or][MLX_BOOL](t, 1, u, 1, w, 4);
    assert_memory_equal(w, ((uint8_t[]){0, 1, 1, 1}), 4);
    e->unary[CPU_logical_not][MLX_BOOL](t, 1, w, 4);
    assert_memory_equal(w, ((uint8_t[]){1, 0, 1, 0}), 4);
}

static void complex_numbers(void **state)
{
    (void)state;
    const elementwise_kernels *e = &kernels()->elementwise;
    float a[] = {1, 2, 3, 4}, b[] = {2, -1, 3, 4}, y[4];
    uint8_t t[2];
    e->binary[CPU_multiply][MLX_COMPLEX64](a, 1, b, 1, y, 2);
    assert_true(y[0] == 4 && y[1] == 3 && y[2] == -7 && y[3] == 24);
    e->binary[CPU_divide][MLX_COMPLEX64](a, 1, b, 1, y, 2);
    assert_true(fabsf(y[0]) < 1e-7f && y[1] == 1 && y[2] == 1 && y[3] == 0);
    e->binary[CPU_equal][MLX_COMPLEX64](a, 1, b, 1, t, 2);
    assert_true(t[0] == 0 && t[1] == 1);
    e->binary[CPU_less][MLX_COMPLEX64](a, 1, b, 1, t, 2);
    assert_true(t[0] == 1 && t[1] == 0);
    e->unary[CPU_sign][MLX_COMPLEX64](b, 1, y, 2);
    assert_true(fabsf(y[2] - 0.6f) < 1e-7f && fabsf(y[3] - 0.8f) < 1e-7f);
    e->unary[CPU_negative][MLX_COMPLEX64](a, 1, y, 2);
    assert_true(y[0] == -1 && y[3] == -4);
    e->cast[MLX_COMPLEX64][MLX_FLOAT32](a, 1, y, 2);
    assert_true(y[0] == 1 && y[1] == 3);
    e->cast[MLX_FLOAT32][MLX_COMPLEX64](b, 1, y, 2);
    assert_true(y[0] == 2 && y[1] == 0 && y[2] == -1 && y[3] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_are_filled),
        cmocka_unit_test(floats_match_the_library),
        cmocka_unit_test(binary_floats_match_the_library),
        cmocka_unit_test(integers_wrap),
        cmocka_unit_test(casts_to_integers),
        cmocka_unit_test(halves_round_trip),
        cmocka_unit_test(specials),
        cmocka_unit_test(complex_numbers),
        cmocka_unit_test(instruction_sets_agree),
    };
    return RUN_TESTS("elementwise", tests, NULL);
}
