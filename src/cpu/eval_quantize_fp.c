/* Quantization to floats of 8 and 4 bits (mxfp4, mxfp8, nvfp4), and back.
 *
 * A group of a power-of-two or E4M3 scale and codes. Steps are rounded to the dtype of the weights, as if
 * each were an operation of its own, so that the codes of halves are those that MLX gives; NaN and what meets
 * a scale of zero get code 0 in 4 bits. */
#include "cpu/eval.h"
#include "cpu/pool.h"
#include "cpu/walk.h"
#include "kernels/fp8.h"

#include <string.h>

typedef struct fp_job {
    mlx_dtype dtype; /* of the floats */
    int group, bits;
    float encode; /* nvfp4: what scales are multiplied with, 1 or from the global scale */
    char *floats;
    uint8_t *codes, *scales;
} fp_job;

static float get(const char *p, mlx_dtype t, size_t i)
{
    uint16_t h;
    float f;
    if (t == MLX_FLOAT32) {
        memcpy(&f, p + 4 * i, 4);
        return f;
    }
    memcpy(&h, p + 2 * i, 2);
    return t == MLX_BFLOAT16 ? bf16_to_f32(h) : f16_to_f32(h);
}

static void put(char *p, mlx_dtype t, size_t i, float f)
{
    uint16_t h = t == MLX_BFLOAT16 ? f32_to_bf16(f) : f32_to_f16(f);
    if (t == MLX_FLOAT32)
        memcpy(p + 4 * i, &f, 4);
    else
        memcpy(p + 2 * i, &h, 2);
}

static float round_to(float f, mlx_dtype t)
{
    return t == MLX_FLOAT32 ? f : t == MLX_BFLOAT16 ? bf16_to_f32(f32_to_bf16(f)) : f16_to_f32(f32_to_f16(f));
}

/* The first of the nearest values of E2M1, of which all are infinitely far from what is not finite. */
static unsigned nearest_e2m1(float x, mlx_dtype t)
{
    unsigned best = 0;
    float least = INFINITY;
    for (unsigned code = 0; code < 16; code++) {
        float distance = round_to(fabsf(x - e2m1_to_f32(code)), t);
        if (distance < least)
            least = distance, best = code;
    }
    return best;
}

/* The code of a group's scale, and what its elements are divided by. */
static uint8_t group_scale(const fp_job *j, float most, float *divisor)
{
    float scale = round_to(most / (j->bits == 4 ? 6.0f : 448.0f), j->dtype);
    if (j->group == 16) {
        uint8_t code = f32_to_e4m3(scale * j->encode);
        *divisor = e4m3_to_f32(code);
        return code;
    }
    float exponent = scale == 0 ? 0 : rintf(round_to(log2f(scale), j->dtype));
    *divisor = round_to(exp2f(exponent), j->dtype);
    float code = exponent + 127;
    return (uint8_t)(code > 0 ? (code < 255 ? code : 255) : 0);
}

static void quantize_range(void *arg, size_t begin, size_t end)
{
    const fp_job *j = arg;
    size_t group = (size_t)j->group;
    for (size_t g = begin; g < end; g++) {
        float most = 0, divisor;
        for (size_t i = 0; i < group; i++) {
            float x = fabsf(get(j->floats, j->dtype, g * group + i));
            most = x > most || isnan(x) ? x : most;
        }
        j->scales[g] = group_scale(j, most, &divisor);
        for (size_t i = 0; i < group; i++) {
            float x = round_to(get(j->floats, j->dtype, g * group + i) / divisor, j->dtype);
            uint8_t *code = j->codes + (g * group + i) * (size_t)j->bits / 8;
            if (j->bits == 8) {
                *code = f32_to_e4m3(x);
                continue;
            }
            unsigned nibble =
                nearest_e2m1(group == 16 ? x * j->encode : x, group == 16 ? MLX_FLOAT32 : j->dtype);
            *code = (uint8_t)(i % 2 ? *code | nibble << 4 : nibble);
        }
    }
}

/* The values of all codes, by table: a conversion an element would cost more than reading it. */
static void dequantize_range(void *arg, size_t begin, size_t end)
{
    const fp_job *j = arg;
    size_t group = (size_t)j->group, bytes = group * (size_t)j->bits / 8, size = mx_dtype_size(j->dtype);
    cpu_unary_fn cast = cpu_kernels_get()->elementwise.cast[MLX_FLOAT32][j->dtype];
    float values[256], block[32];
    for (unsigned code = 0; code < 256; code++)
        values[code] = j->bits == 8 ? e4m3_to_f32((uint8_t)code) : e2m1_to_f32(code & 15);
    for (size_t g = begin; g < end; g++) {
        const uint8_t *codes = j->codes + g * bytes;
        float scale = group == 16 ? e4m3_to_f32(j->scales[g]) * j->encode
                                  : round_to(exp2f((float)j->scales[g] - 127), j->dtype);
        for (size_t i = 0; i < bytes && j->bits == 8; i++)
            block[i] = values[codes[i]] * scale;
        for (size_t i = 0; i < bytes && j->bits == 4; i++) {
            block[2 * i] = values[codes[i] & 15] * scale;
            block[2 * i + 1] = values[codes[i] >> 4] * scale;
        }
        cast(block, 1, j->floats + g * group * size, group);
    }
}

/* The value of a scalar float32 input, 2688 = 448 * 6 being what the largest magnitude is mapped to. */
static float global_scale(const node *n, size_t i, bool quantize)
{
    if (n->n_inputs <= i)
        return 1;
    float value;
    memcpy(&value, n->inputs[i]->data, sizeof value);
    return quantize ? 2688.0f / value : value / 2688.0f;
}

int cpu_eval_quantize_fp(node *n)
{
    const prim_quant_fp *p = n->params;
    const node *w = n->inputs[0];
    fp_job j = {(mlx_dtype)w->dtype, p->group, p->bits, global_scale(n, 1, true), NULL, NULL, NULL};
    buffer *temp;
    const char *data = walk_dense(w, &temp);
    int rc = data ? 0 : -1;
    for (int i = 0; i < 2 && rc == 0; i++)
        rc = node_allocate(n->outputs[i]);
    if (rc == 0 && w->size) {
        j.floats = temp ? temp->data : w->data;
        j.codes = (uint8_t *)n->outputs[0]->data;
        j.scales = (uint8_t *)n->outputs[1]->data;
        pool_for(w->size / (size_t)p->group, 256, quantize_range, &j);
    }
    buffer_release(temp);
    return rc;
}

int cpu_eval_dequantize_fp(node *n)
{
    const prim_quant_fp *p = n->params;
    fp_job j = {(mlx_dtype)n->dtype, p->group, p->bits, global_scale(n, 2, false), NULL, NULL, NULL};
    buffer *temps[2];
    const char *codes = walk_dense(n->inputs[0], &temps[0]), *scales = walk_dense(n->inputs[1], &temps[1]);
    int rc = codes && scales ? node_allocate(n) : -1;
    if (rc == 0 && n->size) {
        j.floats = n->data;
        j.codes = (uint8_t *)(temps[0] ? temps[0]->data : n->inputs[0]->data);
        j.scales = (uint8_t *)(temps[1] ? temps[1]->data : n->inputs[1]->data);
        pool_for(n->size / (size_t)p->group, 256, dequantize_range, &j);
    }
    buffer_release(temps[0]);
    buffer_release(temps[1]);
    return rc;
}

/* --- E4M3 alone; other floats come and go as float32 --- */

static void to_fp8(void *arg, size_t begin, size_t end)
{
    const fp_job *j = arg;
    for (size_t i = begin; i < end; i++)
        j->codes[i] = f32_to_e4m3(get(j->floats, j->dtype, i));
}

static void from_fp8(void *arg, size_t begin, size_t end)
{
    const fp_job *j = arg;
    for (size_t i = begin; i < end; i++)
        put(j->floats, j->dtype, i, e4m3_to_f32(j->codes[i]));
}

int cpu_eval_convert_fp8(node *n)
{
    const node *x = n->inputs[0];
    bool to = n->dtype == MLX_UINT8;
    fp_job j = {.dtype = (mlx_dtype)(to ? x->dtype : n->dtype)};
    buffer *temp;
    const char *data = walk_dense(x, &temp);
    int rc = data ? node_allocate(n) : -1;
    char *in = temp ? temp->data : x->data;
    j.floats = to ? in : n->data;
    j.codes = (uint8_t *)(to ? n->data : in);
    if (rc == 0 && n->size)
        pool_for(n->size, 4096, to ? to_fp8 : from_fp8, &j);
    buffer_release(temp);
    return rc;
}
