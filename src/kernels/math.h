/* The elementary functions that kernels are made of: m_exp(x), m_sin(x) ... for float or double.
 *
 * The float versions are straight-line code without branches or calls, so that a loop over them becomes
 * vector code under every instruction set; each is within 1.4 ulp of the true value over all floats
 * (tests/kernels/test_math), and right for NaN, infinities, denormals and -0. How: reduce the
 * argument, evaluate a polynomial (minimax, fitted for this file), and choose between ranges by selection.
 * For double the C library's functions serve.
 *
 * Do not compile this with -ffast-math: rounding by adding 1.5 * 2^23 and the split constants rely on the
 * order of operations. Contraction to fused multiply-add is welcome. */
#ifndef MICA_KERNELS_MATH_H
#define MICA_KERNELS_MATH_H

#include "kernels/half.h"

#include <math.h>
#include <stdint.h>

#define M_CHOOSE(x, name) _Generic((x), double : name##_f64, default : name##_f32)

#define m_abs(x)    M_CHOOSE(x, m_abs)(x)
#define m_floor(x)  M_CHOOSE(x, m_floor)(x)
#define m_ceil(x)   M_CHOOSE(x, m_ceil)(x)
#define m_rint(x)   M_CHOOSE(x, m_rint)(x)
#define m_sqrt(x)   M_CHOOSE(x, m_sqrt)(x)
#define m_exp(x)    M_CHOOSE(x, m_exp)(x)
#define m_log(x)    M_CHOOSE(x, m_log)(x)
#define m_log1p(x)  M_CHOOSE(x, m_log1p)(x)
#define m_sin(x)    M_CHOOSE(x, m_sin)(x)
#define m_cos(x)    M_CHOOSE(x, m_cos)(x)
#define m_tanh(x)   M_CHOOSE(x, m_tanh)(x)
#define m_erf(x)    M_CHOOSE(x, m_erf)(x)
#define m_erfinv(x) M_CHOOSE(x, m_erfinv)(x)
#define m_pow(x, y) M_CHOOSE(x, m_pow)(x, y)
#define m_max(x, y) M_CHOOSE(x, m_max)(x, y)
#define m_min(x, y) M_CHOOSE(x, m_min)(x, y)

/* --- double: the C library --- */

static inline double m_abs_f64(double x) { return fabs(x); }
static inline double m_floor_f64(double x) { return floor(x); }
static inline double m_ceil_f64(double x) { return ceil(x); }
static inline double m_rint_f64(double x) { return rint(x); }
static inline double m_sqrt_f64(double x) { return sqrt(x); }
static inline double m_exp_f64(double x) { return exp(x); }
static inline double m_log_f64(double x) { return log(x); }
static inline double m_log1p_f64(double x) { return log1p(x); }
static inline double m_sin_f64(double x) { return sin(x); }
static inline double m_cos_f64(double x) { return cos(x); }
static inline double m_tanh_f64(double x) { return tanh(x); }
static inline double m_erf_f64(double x) { return erf(x); }
static inline double m_pow_f64(double x, double y) { return pow(x, y); }
/* NaN if either is, as MLX's; so not fmax. */
static inline double m_max_f64(double x, double y)
{
    double z = x > y ? x : y;
    return x == x ? z : x;
}
static inline double m_min_f64(double x, double y)
{
    double z = x < y ? x : y;
    return x == x ? z : x;
}

/* --- float: bits and roundings --- */

static inline float m_abs_f32(float x) { return f32_from_bits(f32_bits(x) & 0x7FFFFFFFu); }
static inline float m_sqrt_f32(float x) { return sqrtf(x); }
static inline float m_max_f32(float x, float y)
{
    float z = x > y ? x : y;
    return x == x ? z : x;
}
static inline float m_min_f32(float x, float y)
{
    float z = x < y ? x : y;
    return x == x ? z : x;
}
/* The size of x with the sign of s. */
static inline float m_with_sign(float x, float s)
{
    return f32_from_bits((f32_bits(x) & 0x7FFFFFFFu) | (f32_bits(s) & 0x80000000u));
}

#if defined(__SSE4_1__) || defined(__aarch64__)

static inline float m_rint_f32(float x) { return rintf(x); }
static inline float m_floor_f32(float x) { return floorf(x); }
static inline float m_ceil_f32(float x) { return ceilf(x); }

#else /* no rounding instruction: adding 2^23 leaves no room for a fraction */

static inline float m_rint_f32(float x)
{
    float size = m_abs_f32(x), whole = (size + 0x1p23f) - 0x1p23f;
    return m_with_sign(size < 0x1p23f ? whole : x, x);
}
static inline float m_floor_f32(float x)
{
    float r = m_rint_f32(x);
    return m_with_sign(r > x ? r - 1 : r, x);
}
static inline float m_ceil_f32(float x)
{
    float r = m_rint_f32(x);
    return m_with_sign(r < x ? r + 1 : r, x);
}

#endif

/* 2^n for -126 <= n <= 127. */
static inline float m_power_of_2(int32_t n) { return f32_from_bits((uint32_t)(n + 127) << 23); }

/* --- exp and what is made of it --- */

/* e^x = 2^n e^r, |r| <= ln(2)/2: returns e^r - 1. */
static inline float m_exp_reduced(float x, int32_t *n)
{
    const float magic = 0x1.8p23f;
    float shifted = x * 0x1.715476p0f + magic, whole = shifted - magic;
    *n = (int32_t)(f32_bits(shifted) - f32_bits(magic));
    float r = x - whole * 0x1.62e400p-1f; /* 15 bits: the product is exact */
    r = r - whole * 0x1.7f7d1cp-20f;
    float p = 0x1.6ab756p-10f;
    p = p * r + 0x1.123d66p-7f;
    p = p * r + 0x1.55585ap-5f;
    p = p * r + 0x1.55548cp-3f;
    p = p * r + 0x1.fffffcp-2f;
    return p * (r * r) + r;
}

/* 2^k e^x, |k| <= 1. The power is applied in two halves, so that results may be denormal. */
static inline float m_exp_scaled(float x, int32_t k)
{
    int32_t n;
    float p = m_exp_reduced(x < -104.0f ? -104.0f : x > 90.0f ? 90.0f : x, &n); /* NaN stays */
    int32_t half = (n + k) >> 1;
    return (p + 1) * m_power_of_2(half) * m_power_of_2(n + k - half);
}

static inline float m_exp_f32(float x) { return m_exp_scaled(x, 0); }

/* Small arguments by an odd polynomial, the rest as 1 - 2 / (e^2x + 1). */
static inline float m_tanh_f32(float x)
{
    float size = m_abs_f32(x), u = x * x;
    float p = -0x1.767b12p-8f;
    p = p * u + 0x1.524c50p-6f;
    p = p * u - 0x1.b842c4p-5f;
    p = p * u + 0x1.11075ep-3f;
    p = p * u - 0x1.555534p-2f;
    float small = size + size * (u * p);
    float large = 1 - 2 / (m_exp_f32(2 * size) + 1);
    return m_with_sign(size < 0.6f ? small : large, x);
}

/* Up to 0.9 x + x P(x^2), above 1 - e^-Q(x), which is 1 in float from 3.92 on. */
static inline float m_erf_f32(float x)
{
    float size = m_abs_f32(x), u = x * x, t = size > 3.95f ? 3.95f : size; /* NaN stays */
    float p = 0x1.4d2862p-14f;
    p = p * u - 0x1.a583bcp-11f;
    p = p * u + 0x1.543f2ap-8f;
    p = p * u - 0x1.b80062p-6f;
    p = p * u + 0x1.ce2d66p-4f;
    p = p * u - 0x1.812740p-2f;
    p = p * u + 0x1.06eba8p-3f;
    float small = size + size * p;
    float q = 0x1.5d6328p-16f;
    q = q * t - 0x1.c44c2ap-12f;
    q = q * t + 0x1.105ed4p-8f;
    q = q * t - 0x1.9ae9f2p-6f;
    q = q * t + 0x1.bb44d4p-4f;
    q = q * t + 0x1.444d26p-1f;
    q = q * t + 0x1.212626p0f;
    q = q * t - 0x1.62d892p-13f;
    float large = 1 - m_exp_f32(-q);
    return m_with_sign(size < 0.9f ? small : large, x);
}

/* --- logarithms --- */

/* A normal x > 0 as 2^e (1 + f), 1 + f in [sqrt(1/2), sqrt(2)): returns f and adds to *e. */
static inline float m_log_split(float x, float *e)
{
    uint32_t bits = f32_bits(x) - 0x3F3504F3u; /* 0 at sqrt(1/2) */
    *e = *e + (float)((int32_t)bits >> 23);
    return f32_from_bits((bits & 0x7FFFFFu) + 0x3F3504F3u) - 1;
}

/* log(1 + f) = f - f^2 / 2 + f^3 P(f) */
static inline float m_log_series(float f)
{
    float p = 0x1.b36e72p-5f;
    p = p * f - 0x1.bea7b0p-4f;
    p = p * f + 0x1.eff32ep-4f;
    p = p * f - 0x1.0105c8p-3f;
    p = p * f + 0x1.230370p-3f;
    p = p * f - 0x1.552f1ap-3f;
    p = p * f + 0x1.99a540p-3f;
    p = p * f - 0x1.000070p-2f;
    return p * f + 0x1.555548p-2f;
}

/* log(x) + e log(2) + c for a normal x > 0. c is a small correction that joins before the last roundings. */
static inline float m_log_normal(float x, float e, float c)
{
    float f = m_log_split(x, &e), square = f * f;
    float tail = f * square * m_log_series(f) + (e * 0x1.7f7d1cp-20f + c);
    tail = tail - 0.5f * square;
    return e * 0x1.62e400p-1f + (f + tail);
}

static inline float m_log_f32(float x)
{
    uint32_t denormal = x < 0x1p-126f;
    float y = m_log_normal(denormal ? x * 0x1p23f : x, denormal ? -23.0f : 0.0f, 0);
    y = x > 0x1.fffffep127f ? x : y;
    y = x == 0 ? -INFINITY : y;
    return x >= 0 ? y : NAN;
}

/* log(u) for u = 1 + x rounded, and what the rounding lost relative to u. */
static inline float m_log1p_f32(float x)
{
    float u = 1 + x, back = u - 1, lost = x < 1 ? x - back : 1 - (u - x);
    float y = m_log_normal(u, 0, lost / u);
    y = x > 0x1.fffffep127f ? x : y;
    y = x == -1 ? -INFINITY : y;
    y = x >= -1 ? y : NAN;
    return x == 0 ? x : y; /* keeps -0 */
}

/* --- trigonometry --- */

/* Three doubles a column that add up to 2/pi without the leading bits whose products with every float of the
 * row's exponents are multiples of 4 turns' quarters; the first two have 28 bits, so that their products are
 * exact. Column 0: |x| < 2^26. Column g: 2^(8g+18) <= |x| < 2^(8g+26). */
/* clang-format off */
static const double m_two_over_pi[3][14] = {
    {0x1.45f306cp-1, 0x1.17cc1b4p-3, 0x1.e60db92p-10, 0x1.b7272p-23, 0x1.b939104p-26,
     0x1.391054ap-34, 0x1.1054a7ep-42, 0x1.529fc2p-52, 0x1.4fe13a8p-59, 0x1.f09d5f4p-66,
     0x1.3abe8f8p-75, 0x1.5f47d4cp-82, 0x1.47d4d36p-90, 0x1.d4d377p-98},
    {0x1.c9c882ap-29, 0x1.9391054p-30, 0x1.91054a6p-38, 0x1.054a7fp-46, 0x1.4a7f09cp-54,
     0x1.fc27578p-64, 0x1.09d5f46p-70, 0x1.d5f47d4p-78, 0x1.f47d4d2p-86, 0x1.f534dd8p-96,
     0x1.4d37702p-102, 0x1.377036cp-110, 0x1.7036d8ap-118, 0x1.b6c52bp-129},
    {0x1.4fe13abe8fa9ap-59, 0x1.4fe13abe8fa9ap-59, 0x1.f09d5f47d4d37p-66, 0x1.3abe8fa9a6ee0p-75, 0x1.5f47d4d377037p-82,
     0x1.47d4d377036d9p-90, 0x1.d4d377036d8a5p-98, 0x1.a6ee06db14acdp-107, 0x1.77036d8a5664fp-114, 0x1.036d8a5664f11p-122,
     0x1.6d8a5664f10e4p-130, 0x1.8a5664f10e410p-138, 0x1.5993c439041fep-148, 0x1.93c439041fe51p-156},
};
/* clang-format on */

/* A quarter turn is the unit: |x| is q + r with q whole and |r| <= 1/2. Returns q modulo 2^32, and the sine
 * and cosine of r in double by Taylor's series. */
static inline uint32_t m_turn(float x, double *sine_of, double *cosine_of)
{
    const double magic = 0x1.8p52;
    uint32_t exponent = f32_bits(x) >> 23 & 255;
    uint64_t row = ((exponent < 145 ? 145 : exponent) - 145) >> 3; /* 64 bits: gcc then gathers */
    double size = (double)m_abs_f32(x);
    double y0 = size * m_two_over_pi[0][row], q0 = (y0 + magic) - magic;
    double s = (y0 - q0) + size * m_two_over_pi[1][row], q1 = (s + magic) - magic;
    double r = (s - q1) + size * m_two_over_pi[2][row], u = r * r;
    double whole = (q0 + q1) + magic;
    uint64_t bits;
    __builtin_memcpy(&bits, &whole, 8);
    double sine = -0x1.e3074fde8871fp-19;
    sine = sine * u + 0x1.50783487ee782p-13;
    sine = sine * u - 0x1.32d2cce62bd86p-8;
    sine = sine * u + 0x1.466bc6775aae2p-4;
    sine = sine * u - 0x1.4abbce625be53p-1;
    sine = sine * (u * r) + 0x1.921fb54442d18p0 * r;
    double cosine = 0x1.f9d38a3763cc3p-22;
    cosine = cosine * u - 0x1.a6d1f2a204a8cp-16;
    cosine = cosine * u + 0x1.e1f506891babbp-11;
    cosine = cosine * u - 0x1.55d3c7e3cbffap-6;
    cosine = cosine * u + 0x1.03c1f081b5ac4p-2;
    cosine = cosine * u - 0x1.3bd3cc9be45dep0;
    *sine_of = sine;
    *cosine_of = cosine * u + 1;
    return (uint32_t)bits;
}

/* sin of |x| plus `quarter` quarter turns. */
static inline float m_sin_shifted(float x, uint32_t quarter)
{
    double sine, cosine;
    uint32_t q = m_turn(x, &sine, &cosine) + quarter;
    float y = (float)(q & 1 ? cosine : sine);
    return f32_from_bits(f32_bits(y) ^ (q & 2) << 30);
}

static inline float m_sin_f32(float x)
{
    return f32_from_bits(f32_bits(m_sin_shifted(x, 0)) ^ (f32_bits(x) & 0x80000000u));
}
static inline float m_cos_f32(float x) { return m_sin_shifted(x, 1); }

/* --- power --- */

/* |x|^y in double: log2 by the series of atanh, then 2^t by Taylor's; both are good to 2^-38, which leaves
 * float's last bit. |x| is finite and not 0. */
static inline double m_pow_double(float x, float y)
{
    double a = (double)x;
    uint64_t bits, sqrt_half = 0x3FE6A09E667F3BCDu;
    __builtin_memcpy(&bits, &a, 8);
    bits = bits - sqrt_half;
    int32_t e = (int32_t)(bits >> 32) >> 20;
    bits = (bits & 0xFFFFFFFFFFFFFu) + sqrt_half;
    double m;
    __builtin_memcpy(&m, &bits, 8);
    double s = (m - 1) / (m + 1), u = s * s, p = 1.0 / 15;
    p = p * u + 1.0 / 13;
    p = p * u + 1.0 / 11;
    p = p * u + 1.0 / 9;
    p = p * u + 1.0 / 7;
    p = p * u + 1.0 / 5;
    p = p * u + 1.0 / 3;
    p = p * u + 1;
    double t = (double)y * (p * s * 0x1.71547652b82fep1 + (double)e);
    t = t < -300 ? -300 : t > 300 ? 300 : t; /* far outside float, inside double; NaN stays */
    const double magic = 0x1.8p52;
    double shifted = t + magic, f = (t - (shifted - magic)) * 0x1.62e42fefa39efp-1;
    double q = 1.0 / 362880;
    q = q * f + 1.0 / 40320;
    q = q * f + 1.0 / 5040;
    q = q * f + 1.0 / 720;
    q = q * f + 1.0 / 120;
    q = q * f + 1.0 / 24;
    q = q * f + 1.0 / 6;
    q = q * f + 0.5;
    q = q * f + 1;
    q = q * f + 1;
    __builtin_memcpy(&bits, &shifted, 8);
    bits = (bits + 1023) << 52; /* 2^n: n is in the low bits */
    double power;
    __builtin_memcpy(&power, &bits, 8);
    return t != t ? t : q * power;
}

/* C's special cases. Zero and infinity: the size follows from the signs of log|x| and y alone. */
static inline float m_pow_f32(float x, float y)
{
    float size = m_abs_f32(x), y_size = m_abs_f32(y), inf = INFINITY;
    uint32_t edge = (size == 0) | (size == inf);
    float p = (float)m_pow_double(edge ? 2.0f : size, y);
    float at_edge = (size == 0) ^ (y < 0) ? 0.0f : inf;
    p = edge ? at_edge : p;
    float half = 0.5f * y_size;
    uint32_t whole = m_floor_f32(y_size) == y_size, even = m_floor_f32(half) == half;
    uint32_t negative = f32_bits(x) >> 31;
    p = (negative & whole & (even ^ 1)) ? -p : p;
    p = ((x < 0) & (whole ^ 1) & (size != inf)) ? NAN : p;
    p = ((x != x) | (y != y)) ? x + y : p;
    uint32_t one = (x == 1) | (y == 0) | ((x == -1) & (y_size == inf));
    return one ? 1.0f : p;
}

/* --- the inverse of erf --- */

/* -log(1 - x^2) for |x| < 1, to 2^-28 or so: float's series, whose first terms are added in double. */
static inline double m_erfinv_argument(float x)
{
    double rest = (1 - (double)x) * (1 + (double)x);
    float e = 0;
    m_log_split((float)rest, &e);
    double f = rest * (double)m_power_of_2(-(int32_t)e) - 1;
    float g = (float)f, tail = g * g * g * m_log_series(g);
    return -(double)e * 0x1.62e42fefa39efp-1 - (f - 0.5 * f * f + (double)tail);
}

/* With w = -log(1 - x^2): x (sqrt(pi)/2 + w P(w)) in the centre, sqrt(w) + Q(sqrt(w) - 2.65) in the tails.
 * What the polynomials add to their first terms is small, so that float serves for it. */
static inline float m_erfinv_f32(float x)
{
    float size = m_abs_f32(x);
    double w = m_erfinv_argument(size), s = sqrt(w > 0 ? w : 0);
    float v = (float)w, u = (float)(s - 2.65);
    float p = -0x1.9ffd02p-21f;
    p = p * v + 0x1.321f84p-20f;
    p = p * v + 0x1.90f89ep-15f;
    p = p * v - 0x1.0e1e96p-13f;
    p = p * v - 0x1.320982p-9f;
    p = p * v + 0x1.7a72b4p-7f;
    float q = 0x1.09891p-19f;
    q = q * u + 0x1.2372ap-20f;
    q = q * u - 0x1.7bdb76p-16f;
    q = q * u + 0x1.c21e52p-17f;
    q = q * u + 0x1.c6012ep-14f;
    q = q * u - 0x1.123916p-12f;
    q = q * u + 0x1.d42ae4p-15f;
    q = q * u + 0x1.63f13ap-10f;
    q = q * u - 0x1.57e726p-8f;
    q = q * u + 0x1.74df54p-7f;
    q = q * u - 0x1.d87c58p-9f;
    float centre = (float)((double)size * (0x1.c5bf891b4ef6bp-1 + w * (0x1.db29fcp-3 + (double)(v * p))));
    float y = v < 1.7f ? centre : (float)(s - 0x1.5645fp-3 + (double)(q * u));
    y = size == 1 ? INFINITY : y;
    return size <= 1 ? m_with_sign(y, x) : NAN;
}

/* Float's value, then Halley's iteration on erf - x, or on erfc - (1 - |x|), which keeps its digits near 1.
 */
static inline double m_erfinv_f64(double x)
{
    double size = fabs(x), y = (double)m_erfinv_f32((float)size);
    if (!(size < 1) || size == 0)
        return size == 1 ? x * (double)INFINITY : size > 1 ? (double)NAN : x;
    if (y > 5) /* size rounds to 1 in float */
        y = sqrt(-log((1 - size) * sqrt(-3.14159265358979323846 * log(1 - size))));
    for (int i = 0; i < 3; i++) {
        double off = size < 0.5 ? erf(y) - size : (1 - size) - erfc(y);
        double step = off / (1.12837916709551257390 * exp(-y * y));
        y -= step / (1 + y * step);
    }
    return copysign(y, x);
}

#endif
