/* The vector mathematics: how far from the C library's double, over a sample of all float patterns. */
#include "test.h"

#include "kernels/math_more.h"

#include <float.h>

enum { BLOCK = 4096, STEP = 2011 }; /* every 2011th pattern: two million floats */

/* Distance in ulp of the true value; huge when one is special and the other is not. */
static double distance(float got, double want)
{
    float rounded = (float)want;
    int e;
    if (isnan(want) || isnan(got))
        return isnan(want) && isnan(got) ? 0 : 1e9;
    if (isinf(rounded) || isinf(got))
        return got == rounded || (fabs(want) >= 0x1.FFFFFEp127 && fabsf(got) >= FLT_MAX) ? 0 : 1e9;
    if (want == 0)
        return got == 0 && !signbit(want) == !signbit(got) ? 0 : 1e9;
    frexp(want, &e);
    return fabs((double)got - want) / ldexp(1, (e < -125 ? -125 : e) - 24);
}

/* CHECK(function, its true value at x, bound): a test over all magnitudes. */
#define CHECK(name, truth, bound)                                            \
    static void name##_is_exact(void **state)                                \
    {                                                                        \
        static float in[BLOCK], out[BLOCK];                                  \
        (void)state;                                                         \
        for (uint64_t bits = 0, n; bits < (uint64_t)1 << 32;) {              \
            for (n = 0; n < BLOCK && bits < (uint64_t)1 << 32; bits += STEP) \
                in[n++] = f32_from_bits((uint32_t)bits);                     \
            for (uint64_t i = 0; i < n; i++)                                 \
                out[i] = m_##name(in[i]);                                    \
            check_block(#name, truth, bound, in, out, n);                    \
        }                                                                    \
    }

static void check_block(const char *name, double (*truth)(double), double bound, const float *in,
                        const float *out, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        double want = truth((double)in[i]);
        if (!(distance(out[i], want) <= bound))
            fail_msg("%s(%a) = %a, not %a", name, (double)in[i], (double)out[i], want);
    }
}

static double erfinv_in_double(double x) { return m_erfinv(x); }

CHECK(rint, rint, 0)
CHECK(floor, floor, 0)
CHECK(ceil, ceil, 0)
CHECK(sqrt, sqrt, 0.5)
CHECK(exp, exp, 1.4)
CHECK(log, log, 1.4)
CHECK(log1p, log1p, 1.4)
CHECK(sin, sin, 0.51)
CHECK(cos, cos, 0.51)
CHECK(tanh, tanh, 1.4)
CHECK(erf, erf, 1.4)
CHECK(erfinv, erfinv_in_double, 0.75)

CHECK(expm1, expm1, 1.6)
CHECK(log2, log2, 1)
CHECK(log10, log10, 1)
CHECK(sinh, sinh, 2.5)
CHECK(cosh, cosh, 2)
CHECK(tan, tan, 0.51)
CHECK(arcsin, asin, 1.6)
CHECK(arccos, acos, 1.6)
CHECK(arctan, atan, 1.6)
CHECK(arcsinh, asinh, 1.6)
CHECK(arccosh, acosh, 1.6)
CHECK(arctanh, atanh, 1.6)

/* exact where it can be */
static void logarithms_of_powers_are_whole(void **state)
{
    (void)state;
    for (int k = -149; k < 128; k++)
        assert_true(m_log2_f32((float)ldexp(1, k)) == (float)k);
    for (int k = 0; k <= 10; k++)
        assert_true(m_log10_f32((float)pow(10, k)) == (float)k);
}

static double plain_remainder(double x, double y)
{
    double r = fmod(x, y);
    return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}
static double plain_logaddexp(double x, double y)
{
    double most = x > y ? x : y, least = x > y ? y : x;
    if (isnan(x) || isnan(y))
        return (double)NAN;
    return isinf(most) || isinf(least) ? most : most + log1p(exp(least - most));
}

/* Pairs of awkward numbers, and many random ones of all magnitudes and of ordinary ones. */
static void check_pairs(const char *name, float (*got)(float, float), double (*want)(double, double),
                        double bound)
{
    static const float special[] = {0,       -0.0f,   1,        -1,       2,         -2,   3,
                                    -3,      0.5f,    -0.5f,    INFINITY, -INFINITY, NAN,  1e-45f,
                                    -1e-45f, FLT_MAX, -FLT_MAX, 7,        1e9f,      1e-9f};
    enum { N = sizeof special / sizeof *special };
    uint32_t r = 1;
    for (int i = 0; i < 1000000 + N * N; i++) {
        float x = f32_from_bits(r = r * 1664525 + 1013904223),
              y = f32_from_bits(r = r * 1664525 + 1013904223);
        if (i % 2) {
            x = (float)(int32_t)(r * 2654435761u) * 0x1p-27f;
            y = (float)(int32_t)(r * 2246822519u) * 0x1p-28f;
        }
        if (i < N * N) {
            x = special[i / N];
            y = special[i % N];
        }
        if (!(distance(got(x, y), want((double)x, (double)y)) <= bound))
            fail_msg("%s(%a, %a) = %a, not %a", name, (double)x, (double)y, (double)got(x, y),
                     want((double)x, (double)y));
    }
}

static void functions_of_two_are_exact(void **state)
{
    (void)state;
    check_pairs("arctan2", m_arctan2_f32, atan2, 1.8);
    check_pairs("remainder", m_remainder_f32, plain_remainder, 0.51);
}

/* The sum may be near 0, where no digits are left: measured by its larger part. */
static void logaddexp_is_near(void **state)
{
    (void)state;
    for (int i = -400; i < 400; i++)
        for (int j = -400; j < 400; j++) {
            float x = (float)i * 0.25f, y = (float)j * 0.3f;
            double want = plain_logaddexp((double)x, (double)y), got = (double)m_logaddexp(x, y);
            assert_true(fabs(got - want) <= 2e-7 * (fabs(want) + 1));
            assert_true(fabs(m_logaddexp((double)x, (double)y) - want) <= 1e-15 * (fabs(want) + 1));
        }
    float inf = INFINITY;
    assert_true(m_logaddexp(-inf, -inf) == -inf && m_logaddexp(inf, -inf) == inf &&
                m_logaddexp(-inf, 2.0f) == 2);
    assert_true(isnan(m_logaddexp((float)NAN, 1.0f)) && isnan(m_logaddexp(1.0f, (float)NAN)));
}

static void power_is_exact(void **state)
{
    (void)state;
    static const float special[] = {0,           -0.0f,        1,           -1,         2,          -2,
                                    3,           -3,           0.5f,        -0.5f,      1.5f,       INFINITY,
                                    -INFINITY,   NAN,          1e-45f,      -1e-45f,    FLT_MAX,    -FLT_MAX,
                                    16777215.0f, -16777215.0f, 16777216.0f, 1.0000001f, 0.99999994f};
    enum { N = sizeof special / sizeof *special };
    uint32_t r = 1;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            if (distance(m_pow(special[i], special[j]), pow((double)special[i], (double)special[j])) > 0.52)
                fail_msg("pow(%g, %g)", (double)special[i], (double)special[j]);
    for (int i = 0; i < 1000000; i++) {
        float x = f32_from_bits(r = r * 1664525 + 1013904223),
              y = f32_from_bits(r = r * 1664525 + 1013904223);
        if (i % 2) { /* results of ordinary size */
            x = 0.5f + (float)(r >> 8) * 0x1p-22f;
            y = (float)(int32_t)(r * 2654435761u) * 0x1p-25f;
        }
        if (distance(m_pow(x, y), pow((double)x, (double)y)) > 0.52)
            fail_msg("pow(%a, %a) = %a", (double)x, (double)y, (double)m_pow(x, y));
    }
}

/* The double erfinv undoes erf, or erfc near 1, to a few ulp. */
static void erfinv_double_inverts(void **state)
{
    (void)state;
    for (double x = 1e-300; x < 0.5; x = x < 0.01 ? x * 1.5 : x + 0.0007)
        assert_true(fabs(erf(m_erfinv(x)) - x) <= 1e-15 * x);
    for (int k = 1; k <= 53; k++) {
        double rest = ldexp(1, -k), y = m_erfinv(rest - 1);
        assert_true(fabs(erfc(-y) - rest) <= 1e-13 * rest);
    }
    assert_true(m_erfinv(1.0) == INFINITY && m_erfinv(-1.0) == -INFINITY && isnan(m_erfinv(1.5)) &&
                isnan(m_erfinv((double)NAN)));
}

static void extremes_pass_on_nan(void **state)
{
    (void)state;
    assert_true(isnan(m_max(NAN, 1.0f)) && isnan(m_max(1.0f, NAN)) && isnan(m_min(NAN, 1.0f)) &&
                isnan(m_min(1.0f, NAN)));
    assert_true(m_max(1.0f, 2.0f) == 2 && m_min(1.0, 2.0) == 1 && m_max(-INFINITY, 1.0f) == 1);
    assert_true(isnan(m_max((double)NAN, 1.0)) && isnan(m_min(1.0, (double)NAN)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rint_is_exact),
        cmocka_unit_test(floor_is_exact),
        cmocka_unit_test(ceil_is_exact),
        cmocka_unit_test(sqrt_is_exact),
        cmocka_unit_test(exp_is_exact),
        cmocka_unit_test(log_is_exact),
        cmocka_unit_test(log1p_is_exact),
        cmocka_unit_test(sin_is_exact),
        cmocka_unit_test(cos_is_exact),
        cmocka_unit_test(tanh_is_exact),
        cmocka_unit_test(erf_is_exact),
        cmocka_unit_test(erfinv_is_exact),
        cmocka_unit_test(power_is_exact),
        cmocka_unit_test(erfinv_double_inverts),
        cmocka_unit_test(extremes_pass_on_nan),
        cmocka_unit_test(expm1_is_exact),
        cmocka_unit_test(log2_is_exact),
        cmocka_unit_test(log10_is_exact),
        cmocka_unit_test(sinh_is_exact),
        cmocka_unit_test(cosh_is_exact),
        cmocka_unit_test(tan_is_exact),
        cmocka_unit_test(arcsin_is_exact),
        cmocka_unit_test(arccos_is_exact),
        cmocka_unit_test(arctan_is_exact),
        cmocka_unit_test(arcsinh_is_exact),
        cmocka_unit_test(arccosh_is_exact),
        cmocka_unit_test(arctanh_is_exact),
        cmocka_unit_test(logarithms_of_powers_are_whole),
        cmocka_unit_test(functions_of_two_are_exact),
        cmocka_unit_test(logaddexp_is_near),
    };
    return RUN_TESTS("math", tests, NULL);
}
