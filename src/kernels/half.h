/* The 16-bit float formats: bit patterns in uint16_t, arithmetic in float. Rounding is to nearest even. */
#ifndef MICA_KERNELS_HALF_H
#define MICA_KERNELS_HALF_H

#include <stdint.h>
#include <string.h>
#if defined(__F16C__)
#include <immintrin.h>
#endif

static inline float f32_from_bits(uint32_t u)
{
    float f;
    memcpy(&f, &u, 4);
    return f;
}

static inline uint32_t f32_bits(float f)
{
    uint32_t u;
    memcpy(&u, &f, 4);
    return u;
}

static inline float bf16_to_f32(uint16_t h) { return f32_from_bits((uint32_t)h << 16); }

static inline uint16_t f32_to_bf16(float f)
{
    uint32_t u = f32_bits(f);
    uint32_t rounded = (u + 0x7FFFu + (u >> 16 & 1)) >> 16;
    uint32_t nan = u >> 16 | 0x40u;
    return (uint16_t)((u & 0x7FFFFFFFu) > 0x7F800000u ? nan : rounded);
}

/* Branch-free both ways, so that loops over them become vector code. */
static inline float f16_to_f32(uint16_t h)
{
#if defined(__F16C__)
    return _cvtsh_ss(h);
#else
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, magnitude = (uint32_t)(h & 0x7FFFu) << 13;
    float scaled = f32_from_bits(magnitude) * 0x1p112f;
    uint32_t finite = f32_bits(scaled), special = magnitude | 0x7F800000u;
    return f32_from_bits(sign | (magnitude >= 0x0F800000u ? special : finite));
#endif
}

static inline uint16_t f32_to_f16(float f)
{
#if defined(__F16C__)
    return (uint16_t)_cvtss_sh(f, 0);
#else
    uint32_t u = f32_bits(f), sign = u >> 16 & 0x8000u, magnitude = u & 0x7FFFFFFFu;
    uint32_t normal = (magnitude - 0x38000000u + 0xFFFu + (magnitude >> 13 & 1)) >> 13;
    uint32_t tiny = f32_bits(f32_from_bits(magnitude) + 0.5f) - 0x3F000000u;
    uint32_t finite = magnitude < 0x38800000u ? tiny : normal;
    uint32_t bits = magnitude > 0x7F800000u ? 0x7E00u : magnitude >= 0x477FF000u ? 0x7C00u : finite;
    return (uint16_t)(sign | bits);
#endif
}

#endif
