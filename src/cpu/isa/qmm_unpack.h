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

#if defined(__AVX512BW__)
/* With VBMI (Intel since Ice Lake, AMD since Zen 4), 64 codes in three instructions: the bytes of 8 codes to
 * each quadword, every code to its byte, the rest masked off. */
__attribute__((target("avx512vbmi"))) static inline void unpack_vbmi(const uint8_t *src, int bits,
                                                                     size_t count, uint8_t *dst)
{
    uint8_t from[64], shift[64];
    for (int i = 0; i < 64; i++) {
        from[i] = (uint8_t)((i / 8 * bits + i % 8) & 63);
        shift[i] = (uint8_t)(i % 8 * bits);
    }
    const __m512i index = _mm512_loadu_si512(from), control = _mm512_loadu_si512(shift);
    const __m512i low = _mm512_set1_epi8((char)((1 << bits) - 1));
    const __mmask64 whole = ((__mmask64)1 << 8 * bits) - 1, half = ((__mmask64)1 << 4 * bits) - 1;
    for (size_t i = 0; i < count; i += 64, src += 8 * bits, dst += 64) {
        bool last = count - i < 64;
        __m512i v = _mm512_permutexvar_epi8(index, _mm512_maskz_loadu_epi8(last ? half : whole, src));
        v = _mm512_and_si512(_mm512_multishift_epi64_epi8(control, v), low);
        _mm512_mask_storeu_epi8(dst, last ? 0xFFFFFFFFu : ~(__mmask64)0, v);
    }
}
#endif

/* count is a multiple of 32. Reads exactly the bytes of the codes. */
static inline void qmm_unpack(const uint8_t *src, int bits, size_t count, uint8_t *dst)
{
#if defined(__AVX512BW__)
    if (bits != 8 && __builtin_cpu_supports("avx512vbmi")) {
        unpack_vbmi(src, bits, count, dst);
        return;
    }
#endif
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
