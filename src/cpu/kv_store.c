/* Writing and reading the blocks of a paged cache (kernels/kv_block.h). Bytes of one word may belong to
 * neighbouring positions, so threads share the work by heads. */
#include "base/error.h"
#include "cpu/kernels.h"
#include "cpu/paged.h"
#include "cpu/pool.h"
#include "kernels/math.h"

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

enum { LANES = 8 };

/* The smallest and the largest of n numbers; *bad: 0, or NaN if one is not finite. In lanes, which become
 * vectors. */
static void range_of(const float *x, size_t n, float *low, float *high, float *bad)
{
    float a[LANES], b[LANES], c[LANES] = {0};
    for (size_t l = 0; l < LANES; l++)
        a[l] = b[l] = x[0];
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t l = 0; l < LANES; l++) {
            a[l] = x[i + l] < a[l] ? x[i + l] : a[l];
            b[l] = x[i + l] > b[l] ? x[i + l] : b[l];
            c[l] += x[i + l] * 0;
        }
    for (size_t l = 0; i + l < n; l++) {
        a[l] = x[i + l] < a[l] ? x[i + l] : a[l];
        b[l] = x[i + l] > b[l] ? x[i + l] : b[l];
        c[l] += x[i + l] * 0;
    }
    *low = a[0], *high = b[0], *bad = c[0];
    for (size_t l = 1; l < LANES; l++) {
        *low = a[l] < *low ? a[l] : *low;
        *high = b[l] > *high ? b[l] : *high;
        *bad += c[l];
    }
}

/* Scale and bias of a group; a code is a number less the bias over the scale. Scales are rounded to float16
 * before codes are made of them. */
static void group_scale(const kv_block *b, const float *x, size_t n, uint16_t *scale, uint16_t *bias)
{
    float low, high, bad;
    range_of(x, n, &low, &high, &bad);
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

/* n numbers as codes; the part of group is all of them. */
static void make_codes(const kv_block *b, const float *x, size_t n, float inverse, float bias, bool key,
                       uint32_t *codes)
{
    const float most = b->kind == KV_INT8 ? 127 : 15, least = b->kind == KV_INT8 ? -127 : 0;
    const int32_t zero = b->kind == KV_INT8 && key ? 128 : 0;
    switch (b->kind) {
    case KV_F32:
        memcpy(codes, x, n * sizeof *codes);
        break;
    case KV_F16:
        for (size_t i = 0; i < n; i++)
            codes[i] = f32_to_f16(x[i]);
        break;
    case KV_BF16:
        for (size_t i = 0; i < n; i++)
            codes[i] = f32_to_bf16(x[i]);
        break;
    default:
        for (size_t i = 0; i < n; i++) {
            float y = (x[i] - bias) * inverse;
            y = y > least ? y : least; /* NaN too */
            y = y < most ? y : most;
            codes[i] = (uint32_t)((int32_t)m_rint(y) + zero);
        }
    }
}

/* Codes of numbers d .. of a position into its words. Only a nibble has to leave its neighbour alone. */
static void put_codes(const kv_block *b, char *head, size_t position, size_t d, const uint32_t *codes,
                      size_t n, bool key)
{
    size_t size = b->word / b->per;
    char *p =
        head + (key ? kv_key_word(b, position, 0) : b->v / b->word + kv_value_word(b, position, 0)) * b->word;
    for (size_t i = 0; i < n; i++, d++) {
        size_t sub = key ? d % b->per : position % b->per, word = key ? d / b->per * KV_POSITIONS : d;
        char *to = p + word * b->word + (size ? sub * size : sub % 4);
        if (b->kind == KV_INT4) {
            uint32_t shift = sub < 4 ? 0 : 4;
            *to = (char)((((uint8_t)*to) & (0xF0u >> shift)) | codes[i] << shift);
        } else if (b->kind == KV_INT8) {
            *to = (char)codes[i];
        } else if (size == 2) {
            uint16_t half = (uint16_t)codes[i];
            memcpy(to, &half, 2);
        } else {
            memcpy(to, &codes[i], 4);
        }
    }
}

/* n numbers from d on, which are one group or a part of a row that is not quantized. */
static void store_numbers(const store *j, char *head, size_t position, size_t d, const float *x, size_t n)
{
    const kv_block *b = j->b;
    uint16_t scale = 0, bias = 0;
    float inverse = 1, offset = 0;
    uint32_t codes[BUFFER];
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
    make_codes(b, x, n, inverse, offset, j->key, codes);
    put_codes(b, head, position, d, codes, n, j->key);
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
            if (j->key) /* the padding of the last word */
                put_codes(b, head, position, j->dim, (const uint32_t[8]){0}, b->k_words * b->per - j->dim,
                          true);
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
    float x =
        kv_number(b, kv_get(b, head + (key ? 0 : b->v) + word * b->word, (key ? d : position) % b->per), key);
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
