/* The machine's limits for these products: multiply-accumulates from registers alone, and memory read at full
 * speed. Benchmarks state their rates as fractions of these. */
#include "cpu/isa/qmm_simd.h"

#define CHAINS 12 /* independent accumulators: more than latency times units */

/* Keeps the compiler from folding the loop: v may have changed. */
#define OPAQUE(v) __asm__ volatile("" : "+" SIMD_REGISTER(v))
#if defined(__x86_64__)
#define SIMD_REGISTER(v) "x"(v)
#if SIMD_LANES == 16
#undef SIMD_REGISTER
#define SIMD_REGISTER(v) "v"(v)
#endif
#else
#define SIMD_REGISTER(v) "w"(v)
#endif

static uint64_t peak_i8(size_t rounds)
{
    simd_i32 acc[CHAINS] = {{0}};
    simd_u32 u = {1, 2, 3, 4};
    simd_i32 s = {5, 6, 7, 8};
    UNROLL for (int c = 0; c < CHAINS; c++) OPAQUE(acc[c]); /* equal chains would become one */
    for (size_t i = 0; i < rounds; i++) {
        OPAQUE(u);
        UNROLL for (int c = 0; c < CHAINS; c++) acc[c] = dot4(acc[c], u, s);
    }
    UNROLL for (int c = 0; c < CHAINS; c++) OPAQUE(acc[c]);
    return (uint64_t)rounds * CHAINS * QMM_BYTES;
}

static uint64_t peak_f32(size_t rounds)
{
    simd_f32 acc[CHAINS] = {{0}};
    simd_f32 a = {1, 2, 3, 4}, b = {5, 6, 7, 8};
    UNROLL for (int c = 0; c < CHAINS; c++) OPAQUE(acc[c]);
    for (size_t i = 0; i < rounds; i++) {
        OPAQUE(a);
        UNROLL for (int c = 0; c < CHAINS; c++) acc[c] += a * b;
    }
    UNROLL for (int c = 0; c < CHAINS; c++) OPAQUE(acc[c]);
    return (uint64_t)rounds * CHAINS * SIMD_LANES;
}

/* As the products read: three streams an odd number of lines apart, asked for a little ahead; the rest as
 * one. One stream alone, or streams at distances that are powers of two, read up to a third less. */
static uint64_t read_all(const void *p, size_t n)
{
    const uint8_t *at = p;
    const size_t apart = n < 1024 ? 0 : (n / 3 - 64) / 128 * 128 + 64;
    simd_u32 sum[3] = {{0}};
    uint64_t total = 0;
    for (size_t i = 0; i < apart; i += QMM_BYTES)
        UNROLL for (size_t s = 0; s < 3; s++)
        {
            __builtin_prefetch((const void *)((uintptr_t)at + s * apart + i + 512));
            sum[s] ^= load_codes(at + s * apart + i);
        }
    for (size_t i = 3 * apart; i < n; i += QMM_BYTES)
        sum[0] ^= load_codes(at + i);
    for (int s = 0; s < 3; s++)
        for (int l = 0; l < SIMD_LANES; l++)
            total ^= sum[s][l];
    return total;
}

void FILL(qmm_peak)(qmm_kernels *t)
{
    t->peak_i8 = peak_i8;
    t->peak_f32 = peak_f32;
    t->read = read_all;
}
