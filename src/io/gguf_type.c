/* The types of GGUF tensors. Quantized ones are blocks of 32 or 256 weights with their own scales; each
 * expands to floats, and three of them have the form of an affine quantized array of groups of 32 as they
 * are. */
#include "io/gguf.h"

#include "kernels/half.h"

#include <string.h>

static uint16_t word(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }
static float half(const uint8_t *p) { return f16_to_f32(word(p)); }

static void expand_q4(const uint8_t *q, float scale, float bias, float *out)
{
    for (int j = 0; j < 16; j++) {
        out[j] = scale * (float)(q[j] & 15) + bias;
        out[j + 16] = scale * (float)(q[j] >> 4) + bias;
    }
}

static void expand_q4_0(const uint8_t *p, float *out) { expand_q4(p + 2, half(p), -8 * half(p), out); }
static void expand_q4_1(const uint8_t *p, float *out) { expand_q4(p + 4, half(p), half(p + 2), out); }

/* A fifth bit of each weight lies apart. */
static void expand_q5(const uint8_t *high, float scale, float bias, float *out)
{
    uint32_t bits = word(high) | (uint32_t)word(high + 2) << 16;
    const uint8_t *q = high + 4;
    for (int j = 0; j < 16; j++) {
        out[j] = scale * (float)((q[j] & 15) | (bits >> j & 1) << 4) + bias;
        out[j + 16] = scale * (float)(q[j] >> 4 | (bits >> (j + 16) & 1) << 4) + bias;
    }
}

static void expand_q5_0(const uint8_t *p, float *out) { expand_q5(p + 2, half(p), -16 * half(p), out); }
static void expand_q5_1(const uint8_t *p, float *out) { expand_q5(p + 4, half(p), half(p + 2), out); }

static void expand_q8_0(const uint8_t *p, float *out)
{
    for (int j = 0; j < 32; j++)
        out[j] = half(p) * (float)(int8_t)p[2 + j];
}

/* 16 groups of 16 weights of 2 bits; a byte of a scale and a minimum, 4 bits each, for every group. */
static void expand_q2_k(const uint8_t *p, float *out)
{
    const uint8_t *scales = p, *q = p + 16;
    float d = half(p + 80), low = half(p + 82);
    for (int g = 0; g < 16; g++) {
        const uint8_t *from = q + g / 8 * 32 + g % 2 * 16;
        for (int l = 0; l < 16; l++)
            *out++ = d * (float)(scales[g] & 15) * (float)(from[l] >> (g % 8 / 2 * 2) & 3) -
                     low * (float)(scales[g] >> 4);
    }
}

/* The 6 bits of scale and minimum of group j of 8, in 12 bytes. */
static void packed_scale(const uint8_t *p, int j, float *scale, float *low)
{
    *scale = (float)(j < 4 ? p[j] & 63 : (p[j + 4] & 15) | (p[j - 4] >> 6) << 4);
    *low = (float)(j < 4 ? p[j + 4] & 63 : p[j + 4] >> 4 | (p[j] >> 6) << 4);
}

/* 8 groups of 32 weights of 4 bits, or of 5 of which the highest lie apart. */
static void expand_k(const uint8_t *p, const uint8_t *high, const uint8_t *q, float *out)
{
    float d = half(p), low = half(p + 2);
    for (int g = 0; g < 8; g++) {
        float scale, minimum;
        packed_scale(p + 4, g, &scale, &minimum);
        for (int l = 0; l < 32; l++) {
            int code = q[g / 2 * 32 + l] >> (g % 2 * 4) & 15;
            if (high)
                code |= (high[l] >> g & 1) << 4;
            *out++ = d * scale * (float)code - low * minimum;
        }
    }
}

static void expand_q4_k(const uint8_t *p, float *out) { expand_k(p, NULL, p + 16, out); }
static void expand_q5_k(const uint8_t *p, float *out) { expand_k(p, p + 16, p + 48, out); }

/* Weights of 6 bits: 4 in one array, 2 in another; a signed byte of scale for each 16. */
static void expand_q6_k(const uint8_t *p, float *out)
{
    const uint8_t *low = p, *high = p + 128, *scales = p + 192;
    float d = half(p + 208);
    for (int i = 0; i < 256; i++) {
        int part = i / 128, quarter = i % 128 / 32, l = i % 32;
        int code = low[part * 64 + quarter % 2 * 32 + l] >> (quarter / 2 * 4) & 15;
        code |= (high[part * 32 + l] >> (2 * quarter) & 3) << 4;
        out[i] = d * (float)(int8_t)scales[i / 16] * (float)(code - 32);
    }
}

static void expand_bf16(const uint8_t *p, float *out) { *out = bf16_to_f32(word(p)); }

static const gguf_type TYPES[] = {
    {"F32", 0, 1, 4, true, MLX_FLOAT32, NULL},
    {"F16", 1, 1, 2, true, MLX_FLOAT16, NULL},
    {"Q4_0", 2, 32, 18, false, MLX_FLOAT16, expand_q4_0},
    {"Q4_1", 3, 32, 20, false, MLX_FLOAT16, expand_q4_1},
    {"Q5_0", 6, 32, 22, false, MLX_FLOAT16, expand_q5_0},
    {"Q5_1", 7, 32, 24, false, MLX_FLOAT16, expand_q5_1},
    {"Q8_0", 8, 32, 34, false, MLX_FLOAT16, expand_q8_0},
    {"Q2_K", 10, 256, 84, false, MLX_FLOAT16, expand_q2_k},
    {"Q4_K", 12, 256, 144, false, MLX_FLOAT16, expand_q4_k},
    {"Q5_K", 13, 256, 176, false, MLX_FLOAT16, expand_q5_k},
    {"Q6_K", 14, 256, 210, false, MLX_FLOAT16, expand_q6_k},
    {"I8", 24, 1, 1, true, MLX_INT8, NULL},
    {"I16", 25, 1, 2, true, MLX_INT16, NULL},
    {"I32", 26, 1, 4, true, MLX_INT32, NULL},
    {"I64", 27, 1, 8, true, MLX_INT64, NULL},
    {"F64", 28, 1, 8, true, MLX_FLOAT64, NULL},
    {"BF16", 30, 1, 2, false, MLX_FLOAT16, expand_bf16},
};

const gguf_type *gguf_type_find(uint32_t id)
{
    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++)
        if (TYPES[i].id == id)
            return &TYPES[i];
    return NULL;
}

/* The low halves of 16 bytes are the first 16 weights, the high ones the others; ours lie in order. */
static void repack_4(const uint8_t *q, uint8_t *out)
{
    for (int j = 0; j < 16; j += 2) {
        out[j / 2] = (uint8_t)((q[j] & 15) | (q[j + 1] & 15) << 4);
        out[8 + j / 2] = (uint8_t)(q[j] >> 4 | (q[j + 1] & 0xf0));
    }
}

bool gguf_type_repack(const gguf_type *t, const uint8_t *blocks, size_t count, uint8_t *weights,
                      uint16_t *scales, uint16_t *biases)
{
    bool q40 = t->expand == expand_q4_0, q41 = t->expand == expand_q4_1, q80 = t->expand == expand_q8_0;
    if (!q40 && !q41 && !q80)
        return false;
    for (size_t i = 0; i < count; i++, blocks += t->bytes) {
        scales[i] = word(blocks);
        biases[i] = q41 ? word(blocks + 2) : f32_to_f16((q80 ? -128 : -8) * half(blocks));
        if (!q80)
            repack_4(blocks + (q41 ? 4 : 2), weights + 16 * i);
        for (size_t j = 0; q80 && j < 32; j++)
            weights[32 * i + j] = blocks[2 + j] ^ 0x80; /* signed to 128 more */
    }
    return true;
}
