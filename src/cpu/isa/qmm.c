/* The activations' side of the quantized products: one row converted, quantized by group, laid out for the
 * kernels; and results narrowed. The kernels proper are qmm_gemv.c, qmm_batch.c and qmm_gemm.c.
 *
 * The int8 form of a group: scale = max|x| / 127, code = x / scale rounded to nearest even. A group with a
 * NaN or an infinity gets a NaN scale, so that the result is NaN as well; one of zeros (or of values so small
 * that 127 / max overflows) gets scale 0. The sum that meets the biases is that of the quantized values, not
 * of the originals: the rounding error is then multiplied by the weights themselves, which are smaller than
 * their distance to the bias. */
#include "cpu/isa/qmm_simd.h"

#include <math.h>

/* Elements [first, first + n) of x as floats; n is a multiple of 32. */
static void load_group(const void *x, mlx_dtype t, size_t first, int n, float *f)
{
    const uint8_t *p = (const uint8_t *)x + first * scale_size(t);
    for (int i = 0; i < n; i += SIMD_LANES)
        simd_store_f32(f + i, scales_vector(p, t, (size_t)i, (size_t)n));
}

/* The largest magnitude of a group, by comparing bit patterns: NaN above infinity above the finite. */
static float group_max(const float *f, int n)
{
    simd_i32 most = {0};
    int32_t top = 0;
    for (int i = 0; i < n; i += SIMD_LANES) {
        simd_i32 v = (simd_i32)((simd_u32)simd_load_f32(f + i) & 0x7FFFFFFFu), more = v > most;
        most = (v & more) | (most & ~more);
    }
    for (int i = 0; i < SIMD_LANES; i++)
        top = most[i] > top ? most[i] : top;
    return f32_from_bits((uint32_t)top);
}

/* Codes of one group; returns their sum and sets the scale. */
static int32_t quantize_group(const float *f, int n, int8_t *q, float *scale)
{
    float most = group_max(f, n), up = 127.0f / most;
    int32_t sum = 0;
    bool usable = most >= 1e-30f && most <= 0x1.fffffep127f;
    *scale = usable ? most / 127.0f : most < 1 ? 0.0f : NAN;
    if (!usable) {
        memset(q, 0, (size_t)n);
        return 0;
    }
    for (int i = 0; i < n; i++) {
        int v = (int)rintf(f[i] * up);
        q[i] = (int8_t)v;
        sum += v;
    }
    return sum;
}

typedef int8_t simd_bytes __attribute__((vector_size(16)));

/* A group's codes to their places in the row; the group begins at element e. */
static void place_codes(const int8_t *from, size_t e, int n, qmm_order order, int8_t *row)
{
    if (order == QMM_SPLIT) {
        int8_t *even = row + e / 128 * 128 + e % 128 / 2;
        for (int i = 0; i < n / 2; i++)
            even[i] = from[2 * i];
        for (int i = 0; i < n / 2; i++)
            even[64 + i] = from[2 * i + 1];
    } else if (order == QMM_SLOTS) {
        for (int i = 0; i < n; i += 16) {
            simd_bytes v;
            memcpy(&v, from + i, sizeof v);
            v = __builtin_shufflevector(v, v, 0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15);
            memcpy(row + e + i, &v, sizeof v);
        }
    } else {
        memcpy(row + e, from, (size_t)n);
    }
}

static void input_i8(const void *x, mlx_dtype t, size_t k, int group, qmm_order order, int8_t *q,
                     float *scale, float *sum)
{
    float f[128];
    int8_t codes[128];
    size_t groups = k / (size_t)group, padded = (k + QMM_PAD - 1) / QMM_PAD * QMM_PAD;
    size_t whole = k / QMM_PAD * QMM_PAD;
    memset(q + whole, 0, padded - whole); /* a block that ends early is interleaved */
    for (size_t g = 0; g < groups; g++) {
        load_group(x, t, g * (size_t)group, group, f);
        int32_t total = quantize_group(f, group, codes, scale + g);
        sum[g] = (float)total * scale[g];
        place_codes(codes, g * (size_t)group, group, order, q);
    }
    for (size_t g = groups; g % QMM_PAD_GROUPS; g++)
        scale[g] = sum[g] = 0;
}

/* An integer of at most 2^21 as three digits to the base 256, from -128 to 127 each. */
static void split_digits(const int32_t *v, int n, int8_t digits[QMM_DIGITS][128])
{
    for (int i = 0; i < n; i++) {
        int32_t low = (int8_t)v[i], rest = (v[i] - low) >> 8, middle = (int8_t)rest;
        digits[2][i] = (int8_t)low;
        digits[1][i] = (int8_t)middle;
        digits[0][i] = (int8_t)((rest - middle) >> 8);
    }
}

/* As quantize_group with 2^21 for 127; the products of 4 such activations with the largest codes, 255, still
 * fit 32 bits. */
static int32_t fix_group(const float *f, int n, int32_t *v, float *scale)
{
    float most = group_max(f, n), up = 0x1p21f / most;
    int32_t sum = 0;
    bool usable = most >= 0x1p-105f && most <= 0x1.fffffep127f;
    *scale = usable ? most * 0x1p-21f : most < 1 ? 0.0f : NAN;
    for (int i = 0; i < n; i++) {
        v[i] = usable ? (int)rintf(f[i] * up) : 0;
        sum += v[i];
    }
    return sum;
}

static void input_exact(const void *x, mlx_dtype t, size_t k, int group, qmm_order order, int8_t *q,
                        size_t row, float *scale, float *sum)
{
    float f[128];
    int32_t v[128];
    int8_t digits[QMM_DIGITS][128];
    const size_t groups = k / (size_t)group, padded = (k + QMM_PAD - 1) / QMM_PAD * QMM_PAD;
    const size_t whole = k / QMM_PAD * QMM_PAD;
    for (size_t d = 0; d < QMM_DIGITS; d++)
        memset(q + d * row + whole, 0, padded - whole);
    for (size_t g = 0; g < groups; g++) {
        load_group(x, t, g * (size_t)group, group, f);
        int32_t total = fix_group(f, group, v, scale + g);
        sum[g] = (float)total * scale[g];
        split_digits(v, group, digits);
        for (size_t d = 0; d < QMM_DIGITS; d++)
            place_codes(digits[d], g * (size_t)group, group, order, q + d * row);
    }
    for (size_t g = groups; g % QMM_PAD_GROUPS; g++)
        scale[g] = sum[g] = 0;
}

static void input_f32(const void *x, mlx_dtype t, size_t k, int group, float *f, float *sum)
{
    size_t groups = k / (size_t)group, padded = (k + QMM_PAD - 1) / QMM_PAD * QMM_PAD;
    size_t whole = k / QMM_PAD * QMM_PAD;
    memset(f + whole, 0, (padded - whole) * sizeof(float));
    for (size_t g = 0; g < groups; g++, f += group) {
        simd_f32 total = {0};
        load_group(x, t, g * (size_t)group, group, f);
        for (int i = 0; i < group; i += SIMD_LANES)
            total += simd_load_f32(f + i);
        sum[g] = simd_sum(total);
    }
    for (size_t g = groups; g % QMM_PAD_GROUPS; g++)
        sum[g] = 0;
}

static void output(const float *x, size_t n, void *y, mlx_dtype t)
{
    uint16_t *h = y;
    if (t == MLX_FLOAT32)
        memcpy(y, x, n * sizeof(float));
    else if (t == MLX_BFLOAT16)
        for (size_t i = 0; i < n; i++)
            h[i] = f32_to_bf16(x[i]);
    else
        for (size_t i = 0; i < n; i++)
            h[i] = f32_to_f16(x[i]);
}

void FILL(qmm)(qmm_kernels *t)
{
    t->input_i8 = input_i8;
    t->input_exact = input_exact;
    t->input_f32 = input_f32;
    t->output = output;
    t->unpack = qmm_unpack;
    FILL(qmm_gemv)(t);
    FILL(qmm_batch)(t);
    FILL(qmm_gemm)(t);
    FILL(qmm_peak)(t);
}
