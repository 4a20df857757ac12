/* Rows of awkward values of every dtype, and how far two results may be apart. */
#ifndef MICA_TESTS_KERNELS_VALUES_H
#define MICA_TESTS_KERNELS_VALUES_H

#include "test.h"

#include "cpu/kernels.h"
#include "kernels/half.h"

#include <float.h>
#include <math.h>

static const size_t value_sizes[MX_DTYPES] = {1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 4, 8, 2, 8};

/* Lengths around every vector width and block size that kernels use. */
static const size_t row_lengths[] = {0,  1,  2,   7,   8,   9,   15,  17,  31,  33,
                                     63, 65, 100, 255, 257, 511, 512, 513, 1025};
enum { ROW_LENGTHS = sizeof row_lengths / sizeof *row_lengths, LONGEST_ROW = 1025 };

static inline bool value_is_float(mlx_dtype t)
{
    return t == MLX_FLOAT16 || t == MLX_FLOAT32 || t == MLX_FLOAT64 || t == MLX_BFLOAT16;
}
static inline bool value_is_signed(mlx_dtype t) { return t >= MLX_INT8 && t <= MLX_INT64; }
static inline bool value_is_integer(mlx_dtype t) { return t <= MLX_INT64; }

/* A cheap generator: the same values on every machine. */
static uint64_t value_state = 1;
static inline uint64_t value_random(void)
{
    value_state = value_state * 6364136223846793005u + 1442695040888963407u;
    return value_state >> 33 ^ value_state << 20;
}

/* Element i as a float (real part), exactly for all dtypes but 64-bit integers. */
static inline double value_get(mlx_dtype t, const void *p, size_t i)
{
    const char *at = (const char *)p + i * value_sizes[t];
    uint64_t u = 0;
    float f;
    double d;
    memcpy(&u, at, value_sizes[t]);
    memcpy(&f, &u, 4);
    memcpy(&d, &u, 8);
    switch (t) {
    case MLX_INT8:
        return (int8_t)u;
    case MLX_INT16:
        return (int16_t)u;
    case MLX_INT32:
        return (int32_t)u;
    case MLX_INT64:
        return (double)(int64_t)u;
    case MLX_FLOAT16:
        return (double)f16_to_f32((uint16_t)u);
    case MLX_BFLOAT16:
        return (double)bf16_to_f32((uint16_t)u);
    case MLX_COMPLEX64:
    case MLX_FLOAT32:
        return (double)f;
    case MLX_FLOAT64:
        return d;
    default:
        return (double)u;
    }
}

/* Element i's bits, signed integers extended to 64. */
static inline uint64_t value_bits(mlx_dtype t, const void *p, size_t i)
{
    uint64_t u = 0;
    memcpy(&u, (const char *)p + i * value_sizes[t], value_sizes[t]);
    unsigned shift = 64 - 8 * (unsigned)value_sizes[t];
    return value_is_signed(t) ? (uint64_t)((int64_t)(u << shift) >> shift) : u;
}

static inline void value_set(mlx_dtype t, void *p, size_t i, double v)
{
    char *at = (char *)p + i * value_sizes[t];
    float f[2] = {(float)v, 0};
    uint64_t u = v < 0 ? (uint64_t)(int64_t)v : (uint64_t)v;
    uint16_t h = t == MLX_FLOAT16 ? f32_to_f16(f[0]) : f32_to_bf16(f[0]);
    if (t == MLX_FLOAT32 || t == MLX_COMPLEX64)
        memcpy(at, f, value_sizes[t]);
    else if (t == MLX_FLOAT64)
        memcpy(at, &v, 8);
    else if (value_is_float(t))
        memcpy(at, &h, 2);
    else
        memcpy(at, &u, value_sizes[t]);
}

/* Floats: specials, small and large numbers of both signs. Integers: any bits. bool: 0 or 1. */
static inline void value_fill(mlx_dtype t, void *p, size_t n)
{
    static const double specials[] = {0.0,      -0.0,     1,         -1,  0.5,   -0.5,   1.5,     2.5,
                                      -2.5,     INFINITY, -INFINITY, NAN, 1e-45, -1e-40, FLT_MIN, FLT_MAX,
                                      -FLT_MAX, 65504,    6e-8,      3.0, 255,   300};
    enum { SPECIALS = sizeof specials / sizeof *specials };
    size_t each = t == MLX_COMPLEX64 ? 2 : 1;
    mlx_dtype part = t == MLX_COMPLEX64 ? MLX_FLOAT32 : t;
    for (size_t i = 0; i < n * each; i++) {
        uint64_t r = value_random();
        double unit = (double)(r >> 8 & 0xFFFFFF) / 0x1p24 * 2 - 1;
        if (value_is_integer(t)) {
            r = r & 1u << 30 ? r : r & 7; /* small ones too */
            r = t == MLX_BOOL ? r & 1 : r;
            memcpy((char *)p + i * value_sizes[t], &r, value_sizes[t]);
        } else if (r % 8 == 0) {
            value_set(part, p, i, specials[(r >> 8) % SPECIALS]);
        } else {
            value_set(part, p, i,
                      r % 8 == 1 ? ldexp(unit, (int)(r >> 40 & 63) - 32) : unit * (r % 8 < 5 ? 1 : 20));
        }
    }
}

/* The spacing of a float dtype's numbers around v. */
static inline double value_ulp(mlx_dtype t, double v)
{
    static const int digits[MX_DTYPES] = {
        [MLX_FLOAT16] = 11, [MLX_FLOAT32] = 24, [MLX_FLOAT64] = 53, [MLX_BFLOAT16] = 8, [MLX_COMPLEX64] = 24};
    static const int lowest[MX_DTYPES] = {[MLX_FLOAT16] = -24,
                                          [MLX_FLOAT32] = -149,
                                          [MLX_FLOAT64] = -1074,
                                          [MLX_BFLOAT16] = -133,
                                          [MLX_COMPLEX64] = -149};
    int e;
    frexp(v, &e);
    int exponent = e - digits[t] > lowest[t] ? e - digits[t] : lowest[t];
    return ldexp(1, exponent);
}

static inline double value_largest(mlx_dtype t)
{
    return t == MLX_FLOAT16    ? 65504
           : t == MLX_BFLOAT16 ? 0x1.FEp127
           : t == MLX_FLOAT64  ? DBL_MAX
                               : (double)FLT_MAX;
}

/* Is the float v within `ulps` of the true value w (which may be finer than the dtype)? */
static inline bool value_near(mlx_dtype t, double v, double w, double ulps)
{
    if (isnan(v) || isnan(w))
        return isnan(v) && isnan(w);
    if (isinf(v) || isinf(w)) /* at the edge of the range either may have overflowed */
        return v == w || (fabs(isinf(v) ? w : v) >= value_largest(t) && (v > 0) == (w > 0));
    return fabs(v - w) <= ulps * value_ulp(t, fabs(w) > fabs(v) ? v : w) + 0;
}

/* Both parts near by the measure of the larger one: the smaller may be what is left of a difference. */
static inline bool value_near_complex(const float *v, const float *w, double ulps)
{
    double size = fmax(fabs((double)w[0]), fabs((double)w[1]));
    double slack = isfinite(size) ? ulps * value_ulp(MLX_FLOAT32, size) : 0;
    for (int k = 0; k < 2; k++)
        if (!value_near(MLX_FLOAT32, (double)v[k], (double)w[k], ulps) &&
            !(fabs((double)v[k] - (double)w[k]) <= slack))
            return false;
    return true;
}

/* The same row twice: bits for integers, `ulps` for floats (0: equal, with any NaN for NaN). */
static inline bool value_same(mlx_dtype t, const void *a, const void *b, size_t n, double ulps, size_t *where)
{
    for (*where = 0; *where < n; (*where)++) {
        size_t i = *where;
        bool same = t == MLX_COMPLEX64
                        ? value_near_complex((const float *)a + 2 * i, (const float *)b + 2 * i, ulps)
                    : value_is_integer(t) ? value_bits(t, a, i) == value_bits(t, b, i)
                                          : value_near(t, value_get(t, a, i), value_get(t, b, i), ulps);
        if (!same)
            return false;
    }
    return true;
}

/* Calls check for each instruction set of this machine above the portable one, with both tables. */
static inline void for_each_isa(void (*check)(const cpu_kernels *portable, const cpu_kernels *other))
{
    static cpu_kernels portable, other;
    assert_true(cpu_kernels_fill(&portable, ISA_LEVEL_portable));
    for (cpu_isa isa = ISA_LEVEL_avx2; isa < ISA_LEVELS; isa++)
        if (cpu_kernels_fill(&other, isa))
            check(&portable, &other);
        else
            print_message("this processor has no %s: not compared\n", cpu_isa_name(isa));
}

#endif
