/* MLX's affine quantization, and back.
 *
 * This is the one place where the rule itself stands, in scalar float32 arithmetic and compiled without
 * contraction of a * b + c, because the result has to be MLX's bit for bit. The codes are computed from the
 * scale and bias before these are rounded to the weights' dtype. Round is to nearest even. Groups are spread
 * over the pool. */
#include "cpu/qmm.h"

#include "cpu/pool.h"
#include "kernels/half.h"
#include "kernels/quant.h"

#include <math.h>

typedef struct quantize_job {
    const void *w;
    mlx_dtype dtype;
    int group, bits;
    uint8_t *q;
    void *scales, *biases;
} quantize_job;

static float get(const void *p, mlx_dtype t, size_t i)
{
    const uint8_t *at = p;
    uint16_t h;
    float f;
    if (t == MLX_FLOAT32) {
        memcpy(&f, at + 4 * i, 4);
        return f;
    }
    memcpy(&h, at + 2 * i, 2);
    return t == MLX_BFLOAT16 ? bf16_to_f32(h) : f16_to_f32(h);
}

static void put(void *p, mlx_dtype t, size_t i, float f)
{
    uint8_t *at = p;
    uint16_t h = t == MLX_BFLOAT16 ? f32_to_bf16(f) : f32_to_f16(f);
    if (t == MLX_FLOAT32)
        memcpy(at + 4 * i, &f, 4);
    else
        memcpy(at + 2 * i, &h, 2);
}

/* Scale and bias of a group. The value of larger magnitude (the maximum if they tie) is met exactly by a
 * whole number of steps from zero, so that zero stays a code. */
static void group_scale(const float *w, int group, int bits, float *scale, float *bias)
{
    float low = INFINITY, high = -INFINITY;
    for (int i = 0; i < group; i++) {
        low = w[i] < low ? w[i] : low;
        high = w[i] > high ? w[i] : high;
    }
    bool down = fabsf(low) > fabsf(high);
    float step = (high - low) / (float)((1 << bits) - 1), edge = down ? low : high;
    step = step < 1e-7f ? 1e-7f : step;
    step = down ? step : -step;
    float steps = rintf(edge / step);
    *scale = steps != 0 ? edge / steps : step;
    *bias = steps != 0 ? edge : 0.0f;
}

static void quantize_range(void *arg, size_t begin, size_t end)
{
    const quantize_job *j = arg;
    const float most = (float)((1 << j->bits) - 1);
    uint8_t *q = j->q + begin * quant_bytes((size_t)j->group, j->bits);
    for (size_t g = begin; g < end; g++) {
        float w[128], scale, bias;
        uint8_t codes[128];
        for (int i = 0; i < j->group; i++)
            w[i] = get(j->w, j->dtype, g * (size_t)j->group + (size_t)i);
        group_scale(w, j->group, j->bits, &scale, &bias);
        for (int i = 0; i < j->group; i++) {
            float code = rintf((w[i] - bias) / scale);
            code = code > 0 ? code : 0; /* NaN gives 0 */
            codes[i] = (uint8_t)(code < most ? code : most);
        }
        for (int i = 0; i < j->group; i += 8, q += j->bits)
            quant_put8(q, j->bits, codes + i);
        put(j->scales, j->dtype, g, scale);
        put(j->biases, j->dtype, g, bias);
    }
}

void cpu_quantize(const void *w, mlx_dtype dtype, size_t groups, int group, int bits, uint32_t *q,
                  void *scales, void *biases)
{
    quantize_job j = {w, dtype, group, bits, (uint8_t *)q, scales, biases};
    pool_for(groups, 256, quantize_range, &j);
}

typedef struct dequantize_job {
    const uint8_t *q;
    const void *scales, *biases;
    mlx_dtype scale_dtype, out_dtype;
    int group, bits;
    void *out;
} dequantize_job;

static void dequantize_range(void *arg, size_t begin, size_t end)
{
    const dequantize_job *j = arg;
    const size_t group = (size_t)j->group;
    const uint8_t *q = j->q + begin * quant_bytes(group, j->bits);
    for (size_t g = begin; g < end; g++) {
        float scale = get(j->scales, j->scale_dtype, g), bias = get(j->biases, j->scale_dtype, g);
        for (size_t i = 0; i < group; i += 8, q += j->bits) {
            uint64_t codes = quant_get8(q, j->bits);
            for (size_t b = 0; b < 8; b++)
                put(j->out, j->out_dtype, g * group + i + b, (float)(codes >> (8 * b) & 255) * scale + bias);
        }
    }
}

void cpu_dequantize(const uint32_t *q, const void *scales, const void *biases, mlx_dtype scale_dtype,
                    size_t groups, int group, int bits, void *out, mlx_dtype out_dtype)
{
    dequantize_job j = {(const uint8_t *)q, scales, biases, scale_dtype, out_dtype, group, bits, out};
    pool_for(groups, 256, dequantize_range, &j);
}
