/* More elementary functions, in the manner of math.h: other bases and differences of exp and log, tangents,
 * the hyperbolic functions, the inverses of all of these, and remainders.
 *
 * The float versions of the inverse hyperbolic functions form the argument of the logarithm in double,
 * because its rounding to float would be felt near 0; what is lost there joins the logarithm as a correction.
 * Bounds in ulp are in tests/kernels/test_math. */
#ifndef MICA_KERNELS_MATH_MORE_H
#define MICA_KERNELS_MATH_MORE_H

#include "kernels/math.h"

#define m_expm1(x)        M_CHOOSE(x, m_expm1)(x)
#define m_log2(x)         M_CHOOSE(x, m_log2)(x)
#define m_log10(x)        M_CHOOSE(x, m_log10)(x)
#define m_logaddexp(x, y) M_CHOOSE(x, m_logaddexp)(x, y)
#define m_sinh(x)         M_CHOOSE(x, m_sinh)(x)
#define m_cosh(x)         M_CHOOSE(x, m_cosh)(x)
#define m_tan(x)          M_CHOOSE(x, m_tan)(x)
#define m_arcsin(x)       M_CHOOSE(x, m_arcsin)(x)
#define m_arccos(x)       M_CHOOSE(x, m_arccos)(x)
#define m_arctan(x)       M_CHOOSE(x, m_arctan)(x)
#define m_arctan2(y, x)   M_CHOOSE(x, m_arctan2)(y, x)
#define m_arcsinh(x)      M_CHOOSE(x, m_arcsinh)(x)
#define m_arccosh(x)      M_CHOOSE(x, m_arccosh)(x)
#define m_arctanh(x)      M_CHOOSE(x, m_arctanh)(x)
#define m_remainder(x, y) M_CHOOSE(x, m_remainder)(x, y)

/* --- double: the C library --- */

static inline double m_expm1_f64(double x) { return expm1(x); }
static inline double m_log2_f64(double x) { return log2(x); }
static inline double m_log10_f64(double x) { return log10(x); }
static inline double m_sinh_f64(double x) { return sinh(x); }
static inline double m_cosh_f64(double x) { return cosh(x); }
static inline double m_tan_f64(double x) { return tan(x); }
static inline double m_arcsin_f64(double x) { return asin(x); }
static inline double m_arccos_f64(double x) { return acos(x); }
static inline double m_arctan_f64(double x) { return atan(x); }
static inline double m_arctan2_f64(double y, double x) { return atan2(y, x); }
static inline double m_arcsinh_f64(double x) { return asinh(x); }
static inline double m_arccosh_f64(double x) { return acosh(x); }
static inline double m_arctanh_f64(double x) { return atanh(x); }

/* log(e^x + e^y); an infinite sum, or one infinitely small part, leaves the larger operand. */
static inline double m_logaddexp_f64(double x, double y)
{
    double most = m_max_f64(x, y), least = m_min_f64(x, y);
    double sum = most + log1p(exp(least - most));
    return least == -(double)INFINITY || most == (double)INFINITY ? most : sum;
}

/* x - y * floor(x / y): the sign is y's, but zeros keep x's. */
static inline double m_remainder_f64(double x, double y)
{
    double r = fmod(x, y);
    return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}

/* --- exponentials and logarithms --- */

/* 2^n (e^r - 1) + (2^n - 1), both halved so that 2^n does not overflow. */
static inline float m_expm1_f32(float x)
{
    int32_t n;
    float p = m_exp_reduced(x < -40.0f ? -40.0f : x > 89.0f ? 89.0f : x, &n), half = m_power_of_2(n - 1);
    float y = 2 * (half * p + (half - 0.5f));
    return x == 0 ? x : y; /* keeps -0 */
}

/* log(x) * scale, joined in double so that powers of the base come out whole; log_2 is log(2) * scale. */
static inline float m_log_scaled(float x, double scale, double log_2)
{
    uint32_t denormal = x < 0x1p-126f;
    float e = denormal ? -23.0f : 0.0f, f = m_log_split(denormal ? x * 0x1p23f : x, &e), square = f * f;
    float tail = f * square * m_log_series(f) - 0.5f * square;
    float y = (float)((double)e * log_2 + ((double)f + (double)tail) * scale);
    y = x > 0x1.fffffep127f ? x : y;
    y = x == 0 ? -INFINITY : y;
    return x >= 0 ? y : NAN;
}

static inline float m_log2_f32(float x) { return m_log_scaled(x, 0x1.71547652b82fep0, 1); }
static inline float m_log10_f32(float x)
{
    return m_log_scaled(x, 0x1.bcb7b1526e50ep-2, 0x1.34413509f79ffp-2);
}

static inline float m_logaddexp_f32(float x, float y)
{
    float most = m_max_f32(x, y), least = m_min_f32(x, y), inf = INFINITY;
    float sum = most + m_log1p_f32(m_exp_f32(least - most));
    uint32_t alone = (least == -inf) | (most == inf);
    return alone ? most : sum;
}

/* --- hyperbolic functions, made of e^|x| / 2, which overflows only where they do --- */

static inline float m_cosh_f32(float x)
{
    float half = m_exp_scaled(m_abs_f32(x), -1);
    return half + 0.25f / half;
}

static inline float m_sinh_f32(float x)
{
    float size = m_abs_f32(x), half = m_exp_scaled(size, -1), u = x * x;
    float p = 0x1.7a15b6p-19f;
    p = p * u + 0x1.9ffe92p-13f;
    p = p * u + 0x1.111134p-7f;
    p = p * u + 0x1.555556p-3f;
    float small = size + size * (u * p), large = half - 0.25f / half;
    return m_with_sign(size < 1 ? small : large, x);
}

/* log(w) + e log(2) for a w > 0 of float's normal range. */
static inline float m_log_double(double w, float e)
{
    float rounded = (float)w;
    return m_log_normal(rounded, e, (float)(w - (double)rounded) / rounded);
}

/* log(|x| + sqrt(x^2 + 1)), of half of it so that it fits a float */
static inline float m_arcsinh_f32(float x)
{
    float size = m_abs_f32(x);
    double d = (double)size;
    float y = m_log_double(0.5 * (d + sqrt(d * d + 1)), 1);
    y = size < 0x1p-12f ? size : y;
    y = size > 0x1.fffffep127f ? size : y;
    return m_with_sign(x != x ? x : y, x);
}

static inline float m_arccosh_f32(float x)
{
    double d = (double)x;
    float y = m_log_double(0.5 * (d + sqrt((d - 1) * (d + 1))), 1);
    y = x > 0x1.fffffep127f ? x : y;
    return x >= 1 ? y : NAN;
}

static inline float m_arctanh_f32(float x)
{
    float size = m_abs_f32(x);
    double d = (double)size;
    float y = 0.5f * m_log_double((1 + d) / (1 - d), 0);
    y = size < 0x1p-12f ? size : y;
    y = size < 1 ? y : size == 1 ? INFINITY : NAN;
    return m_with_sign(y, x);
}

/* --- tangent, and the inverses of the circular functions --- */

static inline float m_tan_f32(float x)
{
    double sine, cosine;
    uint32_t odd = m_turn(x, &sine, &cosine) & 1;
    float y = (float)((odd ? -cosine : sine) / (odd ? sine : cosine));
    return f32_from_bits(f32_bits(y) ^ (f32_bits(x) & 0x80000000u));
}

/* pi and pi / 2 as the sum of two floats. */
#define M_PI_HIGH   0x1.921fb6p1f
#define M_PI_LOW    -0x1.777a5cp-24f
#define M_PI_2_HIGH 0x1.921fb6p0f
#define M_PI_2_LOW  -0x1.777a5cp-25f

/* arctan(t) for 0 <= t <= 1 */
static inline float m_arctan_series(float t)
{
    float u = t * t;
    float p = -0x1.d63048p-10f;
    p = p * u + 0x1.65a694p-7f;
    p = p * u - 0x1.fed19ap-6f;
    p = p * u + 0x1.daca04p-5f;
    p = p * u - 0x1.58349cp-4f;
    p = p * u + 0x1.c09a02p-4f;
    p = p * u - 0x1.2421b6p-3f;
    p = p * u + 0x1.9991fep-3f;
    p = p * u - 0x1.55553ep-2f;
    return t + t * (u * p);
}

static inline float m_arctan_f32(float x)
{
    float size = m_abs_f32(x), r = m_arctan_series(size > 1 ? 1 / size : size);
    return m_with_sign(size > 1 ? M_PI_2_HIGH - (r - M_PI_2_LOW) : r, x);
}

/* The angle in the first eighth of a turn, turned and mirrored to where (x, y) is. */
static inline float m_arctan2_f32(float y, float x)
{
    float ax = m_abs_f32(x), ay = m_abs_f32(y), inf = INFINITY;
    float most = ax > ay ? ax : ay, least = ax > ay ? ay : ax, t = least / most;
    t = most == 0 ? 0 : t;
    t = least == inf ? 1 : t;
    float r = m_arctan_series(t);
    uint32_t steep = ay > ax, left = f32_bits(x) >> 31;
    float high = steep ? M_PI_2_HIGH : left ? M_PI_HIGH : 0;
    float low = steep ? M_PI_2_LOW : left ? M_PI_LOW : 0;
    float angle = high + (low + ((steep ^ left) ? -r : r));
    angle = ((x != x) | (y != y)) ? NAN : angle;
    return m_with_sign(angle, y);
}

/* arcsin(s) - s for 0 <= s <= 1/2, of s and its square */
static inline float m_arcsin_tail(float s, float square)
{
    float p = 0x1.596d1ep-5f;
    p = p * square + 0x1.8c284ep-6f;
    p = p * square + 0x1.747e48p-5f;
    p = p * square + 0x1.3301e4p-4f;
    p = p * square + 0x1.5555c8p-3f;
    return s * (square * p);
}

/* From 1/2 on by way of half the complementary angle, whose sine is sqrt((1 - |x|) / 2). */
static inline float m_arcsin_f32(float x)
{
    float size = m_abs_f32(x);
    uint32_t large = size > 0.5f;
    float square = large ? (1 - size) * 0.5f : size * size, s = large ? m_sqrt_f32(square) : size;
    float tail = m_arcsin_tail(s, square);
    float far = (float)(0x1.921fb54442d18p0 - 2 * ((double)s + (double)tail));
    return m_with_sign(large ? far : s + tail, x);
}

static inline float m_arccos_f32(float x)
{
    float size = m_abs_f32(x);
    uint32_t large = size > 0.5f, negative = f32_bits(x) >> 31;
    float square = large ? (1 - size) * 0.5f : size * size;
    float s = large ? m_sqrt_f32(square) : size, r = s + m_arcsin_tail(s, square);
    float near_1 = 2 * r, near_0 = M_PI_2_HIGH - ((negative ? -r : r) - M_PI_2_LOW);
    float y = negative ? M_PI_HIGH - (near_1 - M_PI_LOW) : near_1;
    return large ? y : near_0;
}

/* --- remainders --- */

/* Exact in double while the quotient is below 2^27; the C library does the rest. */
static inline float m_remainder_f32(float x, float y)
{
    double a = (double)x, b = (double)y, q = a / b, r = a;
    if (!(q > -0x1p27 && q < 0x1p27))
        r = fmod(a, b);
    else if (!(q > -1 && q < 1))
        r = copysign(a - (double)(int32_t)q * b, a);
    return (float)(r != 0 && (r < 0) != (b < 0) ? r + b : r);
}

#endif
