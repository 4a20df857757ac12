/* MLX's affine packing: the codes of a row are one stream of bits, element 0 in the lowest. 8 codes of b bits
 * fill exactly b bytes, so every group of 32, 64 or 128 starts on a byte. */
#ifndef MICA_KERNELS_QUANT_H
#define MICA_KERNELS_QUANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline bool quant_bits_ok(int bits) { return bits >= 2 && bits <= 8 && bits != 7; }
static inline bool quant_group_ok(int group) { return group == 32 || group == 64 || group == 128; }

/* Bytes of n codes; n is a multiple of 8. */
static inline size_t quant_bytes(size_t n, int bits) { return n / 8 * (size_t)bits; }

/* The 8 codes of `bits` bytes at p, code i in byte i. */
static inline uint64_t quant_get8(const uint8_t *p, int bits)
{
    uint64_t v = 0, codes = 0, mask = (1u << bits) - 1;
    for (int i = 0; i < bits; i++)
        v |= (uint64_t)p[i] << (8 * i);
    for (int i = 0; i < 8; i++)
        codes |= (v >> (bits * i) & mask) << (8 * i);
    return codes;
}

/* Writes 8 codes (one a byte) as `bits` bytes. */
static inline void quant_put8(uint8_t *p, int bits, const uint8_t codes[8])
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v |= (uint64_t)codes[i] << (bits * i);
    for (int i = 0; i < bits; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

#endif
