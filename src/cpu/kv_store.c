/* Writing and reading the blocks of a paged cache (kernels/kv_block.h). Bytes of one word may belong to
 * neighbouring positions, so threads share the work by heads. */
#include "base/error.h"
#include "cpu/kernels.h"
#include "cpu/paged.h"
#include "cpu/pool.h"

#include <math.h>
#include <string.h>

typedef struct store {
    const kv_block *b;
    char *pool;
    const char *x;
    int slot; /* of x's dtype */
    const int32_t *slots;
    size_t rows, dim;
    bool key;
} store;

enum { BUFFER = 64 };

/* Scale and bias of a group; a code is a number less the bias over the scale. Scales are rounded to float16
 * before codes are made of them. */
static void group_scale(const kv_block *b, const float *x, size_t n, uint16_t *scale, uint16_t *bias)
{
    float low = x[0], high = x[0], bad = 0;
    for (size_t i = 0; i < n; i++) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
        bad += x[i] * 0; /* NaN from numbers that are not finite */
    }
    if (b->kind == KV_INT8) {
        float most = high > -low ? high : -low;
        *scale = f32_to_f16(most / 127 + bad);
        /* rounded down, the largest number would need code 128: the next float16 */
        *scale = (uint16_t)(*scale + (f16_to_f32(*scale) * 127.5f < most));
        return;
    }
    *bias = f32_to_f16(low + bad);
    *scale = f32_to_f16((high - f16_to_f32(*bias)) / 15 + bad);
}

static uint32_t code_of(const kv_block *b, float x, float inverse, float bias, bool key)
{
    float y = (x - bias) * inverse, most = b->kind == KV_INT8 ? 127 : 15,
          least = b->kind == KV_INT8 ? -127 : 0;
    y = y > least ? y : least; /* NaN too */
    int code = (int)rintf(y < most ? y : most);
    return (uint32_t)(b->kind == KV_INT4 ? code : key ? code + 128 : code & 255);
}

static void put_key(const kv_block *b, char *head, size_t position, size_t d, uint32_t code)
{
    kv_put(b, head + kv_key_word(b, position, d) * 4, d % b->per, code);
}

static void put_value(const kv_block *b, char *head, size_t position, size_t d, uint32_t code)
{
    kv_put(b, head + b->v + kv_value_word(b, position, d) * 4, position % b->per, code);
}

static void put(const store *j, char *head, size_t position, size_t d, uint32_t code)
{
    if (j->key)
        put_key(j->b, head, position, d, code);
    else
        put_value(j->b, head, position, d, code);
}

/* n numbers from d on, which are one group or a part of a row that is not quantized. */
static void store_numbers(const store *j, char *head, size_t position, size_t d, const float *x, size_t n)
{
    const kv_block *b = j->b;
    uint16_t scale = 0, bias = 0;
    float inverse = 1, offset = 0;
    if (b->group) {
        size_t g = d / b->group, groups = j->key ? b->k_groups : b->v_groups;
        char *scales = head + (j->key ? b->k_scales : b->v_scales) + (g * KV_POSITIONS + position) * 2;
        group_scale(b, x, n, &scale, &bias);
        memcpy(scales, &scale, 2);
        if (b->kind == KV_INT4)
            memcpy(scales + groups * KV_POSITIONS * 2, &bias, 2);
        inverse = f16_to_f32(scale) > 0 ? 1 / f16_to_f32(scale) : 0;
        offset = f16_to_f32(bias);
    }
    for (size_t i = 0; i < n; i++)
        put(j, head, position, d + i,
            b->kind == KV_F32    ? f32_bits(x[i])
            : b->kind == KV_F16  ? f32_to_f16(x[i])
            : b->kind == KV_BF16 ? f32_to_bf16(x[i])
                                 : code_of(b, x[i], inverse, offset, j->key));
}

static void store_heads(void *arg, size_t begin, size_t end)
{
    const store *j = arg;
    const kv_block *b = j->b;
    size_t size = j->slot ? 2 : 4, step = b->group ? b->group : BUFFER;
    float x[BUFFER];
    for (size_t h = begin; h < end; h++)
        for (size_t r = 0; r < j->rows; r++) {
            size_t slot = (size_t)j->slots[r], position = slot % KV_POSITIONS;
            const char *row = j->x + (r * b->heads + h) * j->dim * size;
            if (j->slots[r] < 0)
                continue;
            char *head = j->pool + slot / KV_POSITIONS * b->bytes + h * b->head;
            for (size_t d = 0, n; d < j->dim; d += n) {
                n = j->dim - d < step ? j->dim - d : step;
                cpu_kernels_get()->gemm.widen[j->slot](row + d * size, 1, n, x);
                store_numbers(j, head, position, d, x, n);
            }
            for (size_t d = j->dim; j->key && d < b->k_words * b->per; d++)
                put_key(b, head, position, d, 0);
        }
}

void cpu_kv_store(const kv_block *b, char *pool, const void *x, mlx_dtype dtype, const int32_t *slots,
                  size_t rows, bool key)
{
    store j = {b, pool, x, norm_slot(dtype), slots, rows, key ? b->k_dim : b->v_dim, key};
    if (rows)
        pool_for(b->heads, 1 + 4096 / (rows * j.dim), store_heads, &j);
}

typedef struct load {
    const kv_block *b;
    const char *pool;
    const int32_t *slots;
    bool key;
    size_t dim;
    float *out;
} load;

static float load_number(const kv_block *b, const char *head, size_t position, size_t d, bool key)
{
    size_t word = key ? kv_key_word(b, position, d) : kv_value_word(b, position, d);
    size_t groups = key ? b->k_groups : b->v_groups;
    float x = kv_number(b, kv_get(b, head + (key ? 0 : b->v) + word * 4, (key ? d : position) % b->per), key);
    if (!b->group)
        return x;
    const char *scales =
        head + (key ? b->k_scales : b->v_scales) + (d / b->group * KV_POSITIONS + position) * 2;
    uint16_t scale, bias = 0;
    memcpy(&scale, scales, 2);
    if (b->kind == KV_INT4)
        memcpy(&bias, scales + groups * KV_POSITIONS * 2, 2);
    return f16_to_f32(scale) * x + f16_to_f32(bias);
}

static void load_rows(void *arg, size_t begin, size_t end)
{
    const load *j = arg;
    const kv_block *b = j->b;
    for (size_t r = begin; r < end; r++)
        for (size_t h = 0; h < b->heads; h++) {
            float *y = j->out + (r * b->heads + h) * j->dim;
            size_t slot = (size_t)j->slots[r];
            if (j->slots[r] < 0) {
                memset(y, 0, j->dim * sizeof *y);
                continue;
            }
            const char *head = j->pool + slot / KV_POSITIONS * b->bytes + h * b->head;
            for (size_t d = 0; d < j->dim; d++)
                y[d] = load_number(b, head, slot % KV_POSITIONS, d, j->key);
        }
}

void cpu_kv_load(const kv_block *b, const char *pool, const int32_t *slots, size_t rows, bool key, size_t dim,
                 float *out)
{
    load j = {b, pool, slots, key, dim, out};
    pool_for(rows, 1 + 4096 / (b->heads * dim), load_rows, &j);
}
