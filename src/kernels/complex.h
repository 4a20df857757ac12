/* Arithmetic of complex64 that C's operators do slowly (for the sake of infinities) or not at all. */
#ifndef MICA_KERNELS_COMPLEX_H
#define MICA_KERNELS_COMPLEX_H

#include "kernels/math.h"

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

#endif
