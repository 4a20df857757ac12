/* How keys and values lie in a block of a paged cache (mx/paged.h), for the CPU. Another device may order its
 * blocks as it likes: a pool is only read by the device that wrote it.
 *
 * A block has one part a head. Everything is in words, one for each lane of the vectors that will read them.
 * A word has 32 bits and holds `per` neighbouring numbers: 1 float32, 2 bfloat16, 4 bytes, 8 nibbles; or,
 * where no instruction multiplies pairs, is 1 float16.
 *
 *   keys     word [d / per][position] holds numbers d .. d + per - 1 of the key: 16 scores grow in the
 *            lanes of one vector, and a pair, quad or eight of the query is broadcast
 *   values   word [position / per][d] holds number d of `per` neighbouring positions: the numbers of the
 *            result grow in lanes, and weights are broadcast. d is padded to a multiple of 16
 *   scales   of keys and of values: float16 [group][position]; for nibbles the biases behind them
 *
 * A byte of keys is the code + 128 (unsigned), a byte of values the code itself, as the products of bytes
 * want them: number = scale * code. Nibbles: number = scale * code + bias; codes 0 to 3 of a word are the low
 * halves of its bytes, 4 to 7 the high ones. This is also the order that AMX's tiles take. */
#ifndef MICA_KERNELS_KV_BLOCK_H
#define MICA_KERNELS_KV_BLOCK_H

#include "kernels/half.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KV_POSITIONS = 16, KV_LINE = 64 /* bytes that parts begin at multiples of */ };
enum kv_kind { KV_F32, KV_F16, KV_BF16, KV_INT8, KV_INT4, KV_KINDS };

typedef struct kv_block {
    enum kv_kind kind;
    size_t heads, per, word; /* word: bytes of one */
    size_t k_dim, v_dim;     /* numbers that are there; v_dim of what is stored */
    size_t k_words;          /* words a key */
    size_t v_width;          /* v_dim padded: words a row of values */
    size_t group;            /* as many numbers share a scale; 0: no scales */
    size_t k_groups, v_groups;
    size_t k_scales, v, v_scales; /* where parts of a head begin, in bytes; keys at 0 */
    size_t head, bytes;           /* bytes of a head, of a block */
} kv_block;

static inline size_t kv_up(size_t x, size_t to) { return (x + to - 1) / to * to; }

static inline kv_block kv_block_make(enum kv_kind kind, size_t heads, size_t k_dim, size_t v_dim,
                                     size_t group)
{
    static const uint8_t per[KV_KINDS] = {1, 1, 2, 4, 8};
    kv_block b = {.kind = kind, .heads = heads, .per = per[kind], .k_dim = k_dim, .v_dim = v_dim};
    size_t scales = kind == KV_INT4 ? 4 : kind == KV_INT8 ? 2 : 0;
    b.word = kind == KV_F16 ? 2 : 4;
    b.k_words = (k_dim + b.per - 1) / b.per;
    b.v_width = kv_up(v_dim, 16);
    if (scales) {
        b.group = group;
        b.k_groups = (k_dim + group - 1) / group;
        b.v_groups = (v_dim + group - 1) / group;
    }
    b.k_scales = b.k_words * KV_POSITIONS * b.word;
    b.v = kv_up(b.k_scales + b.k_groups * KV_POSITIONS * scales, KV_LINE);
    b.v_scales = b.v + KV_POSITIONS / b.per * b.v_width * b.word;
    b.head = kv_up(b.v_scales + b.v_groups * KV_POSITIONS * scales, KV_LINE);
    b.bytes = b.head * heads;
    return b;
}

/* Where number `sub` of a word is, counted in its own size. */
static inline size_t kv_place(const kv_block *b, size_t sub)
{
    return b->kind == KV_INT4 ? (sub < 4 ? 2 * sub : 2 * sub - 7) : sub;
}
/* The word of a key's number d, and of a value's. */
static inline size_t kv_key_word(const kv_block *b, size_t position, size_t d)
{
    return d / b->per * KV_POSITIONS + position;
}
static inline size_t kv_value_word(const kv_block *b, size_t position, size_t d)
{
    return position / b->per * b->v_width + d;
}

/* One code, or the bits of a number, of a word at p. */
static inline uint32_t kv_get(const kv_block *b, const char *p, size_t sub)
{
    uint32_t bits = (uint32_t)(b->word * 8 / b->per), word = 0;
    memcpy(&word, p, b->word);
    return b->per == 1 ? word : word >> (bits * kv_place(b, sub)) & ((1u << bits) - 1);
}
static inline void kv_put(const kv_block *b, char *p, size_t sub, uint32_t code)
{
    uint32_t bits = (uint32_t)(b->word * 8 / b->per), word = code;
    if (b->per != 1) {
        uint32_t shift = bits * (uint32_t)kv_place(b, sub), mask = ((1u << bits) - 1) << shift;
        memcpy(&word, p, 4);
        word = (word & ~mask) | (code << shift & mask);
    }
    memcpy(p, &word, b->word);
}

/* A stored code as a number, before scale and bias. */
static inline float kv_number(const kv_block *b, uint32_t code, bool key)
{
    switch (b->kind) {
    case KV_F32:
        return f32_from_bits(code);
    case KV_F16:
        return f16_to_f32((uint16_t)code);
    case KV_BF16:
        return bf16_to_f32((uint16_t)code);
    case KV_INT8:
        return key ? (float)code - 128 : (float)(int8_t)code;
    default:
        return (float)code;
    }
}

#endif
