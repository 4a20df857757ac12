/* Codes of any width to one byte each. */
#ifndef MICA_CPU_ISA_QMM_UNPACK_H
#define MICA_CPU_ISA_QMM_UNPACK_H

#include "kernels/quant.h"

#if defined(__BMI2__)
#include <immintrin.h>
#endif

/* 8 codes from the low 8 * bits bits of v. */
static inline uint64_t unpack8(uint64_t v, int bits)
{
    uint64_t mask = 0x0101010101010101u * ((1u << bits) - 1);
#if defined(__BMI2__)
    return _pdep_u64(v, mask);
#else
    uint64_t codes = 0;
    for (int i = 0; i < 8; i++)
        codes |= v << ((8 - bits) * i) & (uint64_t)0xFF << (8 * i);
    return codes & mask;
#endif
}

/* Blocks of 8 codes, each read as a whole word: up to 6 bytes more than the blocks hold are touched. */
static inline void unpack_blocks(const uint8_t *src, int bits, size_t blocks, uint8_t *dst)
{
    for (size_t i = 0; i < blocks; i++, src += bits, dst += 8) {
        uint64_t v, codes;
        memcpy(&v, src, 8);
        codes = unpack8(v, bits);
        memcpy(dst, &codes, 8);
    }
}

/* count is a multiple of 32. Reads exactly the bytes of the codes. */
static inline void qmm_unpack(const uint8_t *src, int bits, size_t count, uint8_t *dst)
{
    if (bits == 8) {
        memcpy(dst, src, count);
    } else if (bits == 4) {
        for (size_t i = 0; i < count / 2; i++) {
            dst[2 * i] = src[i] & 15;
            dst[2 * i + 1] = src[i] >> 4;
        }
    } else if (count) {
        uint8_t last[4 * 6 + 8] = {0};
        unpack_blocks(src, bits, count / 8 - 4, dst);
        memcpy(last, src + quant_bytes(count - 32, bits), 4 * (size_t)bits);
        unpack_blocks(last, bits, 4, dst + count - 32);
    }
}

#endif
