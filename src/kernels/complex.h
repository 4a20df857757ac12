/* Arithmetic of complex64 that C's operators do slowly (for the sake of infinities) or not at all. */
#ifndef MICA_KERNELS_COMPLEX_H
#define MICA_KERNELS_COMPLEX_H

#include "kernels/math_more.h"

#include <complex.h>
#include <stdbool.h>

static inline float complex c_make(float re, float im)
{
    float parts[2] = {re, im};
    float complex z;
    memcpy(&z, parts, sizeof z);
    return z;
}

/* Products of floats are exact in double and do not overflow there, whether or not they are fused with the
 * sum. */
static inline float complex c_multiply(float complex a, float complex b)
{
    double ar = (double)crealf(a), ai = (double)cimagf(a), br = (double)crealf(b), bi = (double)cimagf(b);
    return c_make((float)(ar * br - ai * bi), (float)(ar * bi + ai * br));
}

static inline float complex c_divide(float complex a, float complex b)
{
    double ar = (double)crealf(a), ai = (double)cimagf(a), br = (double)crealf(b), bi = (double)cimagf(b);
    double size = br * br + bi * bi;
    return c_make((float)((ar * br + ai * bi) / size), (float)((ai * br - ar * bi) / size));
}

/* |x|; infinite if a part is, also when the other is NaN. */
static inline float c_abs(float complex x)
{
    double re = (double)crealf(x), im = (double)cimagf(x);
    float size = (float)sqrt(re * re + im * im), most = INFINITY;
    return m_abs(crealf(x)) == most || m_abs(cimagf(x)) == most ? most : size;
}

/* A logarithm in another base: scale is that of e. */
static inline float complex c_log_scaled(float complex x, double scale)
{
    float complex y = clogf(x);
    return c_make((float)((double)crealf(y) * scale), (float)((double)cimagf(y) * scale));
}

/* The number on the unit circle in the same direction; 0 for 0. */
static inline float complex c_sign(float complex x)
{
    double re = (double)crealf(x), im = (double)cimagf(x), size = sqrt(re * re + im * im);
    return size == 0 ? x : c_make((float)(re / size), (float)(im / size));
}

static inline float complex c_round(float complex x) { return c_make(m_rint(crealf(x)), m_rint(cimagf(x))); }

/* log|1 + x| by log1p of |1 + x|^2 - 1, which keeps the digits of a small x. */
static inline float complex c_log1p(float complex x)
{
    double re = (double)crealf(x), im = (double)cimagf(x);
    return c_make((float)(0.5 * log1p(re * (2 + re) + im * im)), (float)atan2(im, 1 + re));
}

static inline bool c_less(float complex a, float complex b)
{
    float ar = crealf(a), br = crealf(b);
    return ar < br || (ar == br && cimagf(a) < cimagf(b));
}

/* The larger by that order; a NaN wins, a's first. */
static inline float complex c_max(float complex a, float complex b) { return c_less(b, a) || a != a ? a : b; }
static inline float complex c_min(float complex a, float complex b) { return c_less(a, b) || a != a ? a : b; }

/* log(e^a + e^b) by way of the one with the larger real part, which stays when it is infinite. */
static inline float complex c_logaddexp(float complex a, float complex b)
{
    float complex most = c_less(b, a) ? a : b, least = c_less(b, a) ? b : a;
    if (a != a || b != b)
        return a + b;
    if (crealf(least) == -INFINITY || crealf(most) == INFINITY)
        return most;
    return most + c_log1p(cexpf(least - most));
}

#endif
