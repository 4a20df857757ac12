/* Floats of 8 and 4 bits. E4M3: bias 7, no infinities, what is too large (or NaN) becomes 448 when it is
 * encoded. E2M1: 0 0.5 1 1.5 2 3 4 6 with a sign in bit 3. E8M0: a power of two, 2^(code - 127). */
#ifndef MICA_KERNELS_FP8_H
#define MICA_KERNELS_FP8_H

#include "kernels/half.h"

#include <math.h>

/* To nearest, ties to even. */
static inline uint8_t f32_to_e4m3(float f)
{
    uint32_t u = f32_bits(f), sign = u >> 24 & 0x80u, m = u & 0x7FFFFFFFu;
    if (m >= 0x43E00000u) /* 448 */
        return (uint8_t)(sign | 0x7Eu);
    if (m < 0x3C800000u) /* 2^-6: steps of 2^-9 from here down */
        return (uint8_t)(sign | (uint32_t)rintf(f32_from_bits(m) * 512.0f));
    m += 0x7FFFFu + (m >> 20 & 1);
    return (uint8_t)(sign | ((m >> 20) - (120u << 3)));
}

static inline float e4m3_to_f32(uint8_t x)
{
    int exponent = x >> 3 & 15, mantissa = x & 7;
    float f = exponent ? ldexpf((float)(8 + mantissa), exponent - 10) : (float)mantissa * 0x1p-9f;
    return x & 0x80 ? -f : f;
}

static inline float e2m1_to_f32(unsigned code)
{
    static const float values[8] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
    return code & 8 ? -values[code & 7] : values[code & 7];
}

#endif
