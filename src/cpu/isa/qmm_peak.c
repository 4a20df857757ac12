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

static uint64_t read_all(const void *p, size_t n)
{
    const uint8_t *at = p;
    simd_u32 sum[4] = {{0}};
    uint64_t total = 0;
    /* Four streams, as a product walks four rows. */
    for (size_t i = 0; i < n / 4; i += QMM_BYTES)
        UNROLL for (int s = 0; s < 4; s++) sum[s] ^= load_codes(at + (size_t)s * (n / 4) + i);
    for (int s = 0; s < 4; s++)
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
