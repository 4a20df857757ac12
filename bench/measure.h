/* What kernel benchmarks measure with: medians of interleaved runs, the machine's own limits. */
#ifndef MICA_BENCH_MEASURE_H
#define MICA_BENCH_MEASURE_H

#include "base/clock.h"
#include "base/cpuid.h"
#include "cpu/pool.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { MEASURE_MAX = 64 };

static inline int measure_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef struct measure_candidate {
    void (*fn)(void *arg);
    void *arg;
    double seconds; /* the median of a call, filled in */
} measure_candidate;

/* Runs the candidates in turn, `runs` rounds of `repeat` calls after one to warm up, so that other jobs on
 * the machine disturb all of them alike. */
static inline void measure(measure_candidate *c, int count, int runs, int repeat)
{
    double seconds[8][MEASURE_MAX];
    runs = runs > MEASURE_MAX ? MEASURE_MAX : runs;
    for (int r = -1; r < runs; r++)
        for (int i = 0; i < count; i++) {
            double start = clock_seconds();
            for (int n = 0; n < (r < 0 ? 1 : repeat); n++)
                c[i].fn(c[i].arg);
            if (r >= 0)
                seconds[i][r] = (clock_seconds() - start) / repeat;
        }
    for (int i = 0; i < count; i++) {
        qsort(seconds[i], (size_t)runs, sizeof(double), measure_compare);
        c[i].seconds = seconds[i][runs / 2];
    }
}

/* Random bits as floats in [-1, 1). */
static inline void measure_fill(float *x, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        x[i] = (float)(int32_t)(seed >> 32) * 0x1p-31f;
    }
}

/* --- limits --- */

#if defined(__x86_64__)
/* 100,000 steps of 24 independent multiply-adds in registers. */
__attribute__((target("avx512f"))) static inline float measure_fma_512(void)
{
    __m512 s[24], a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(0.001f);
    for (int i = 0; i < 24; i++)
        s[i] = _mm512_set1_ps((float)i);
    for (int n = 0; n < 100000; n++) {
#pragma GCC unroll 24
        for (int i = 0; i < 24; i++)
            s[i] = _mm512_fmadd_ps(s[i], a, b);
    }
    for (int i = 1; i < 24; i++)
        s[0] = _mm512_add_ps(s[0], s[i]);
    return _mm512_cvtss_f32(s[0]);
}

/* 100,000 steps of 24 independent dot products of pairs in bfloat16. */
__attribute__((target("avx512f,avx512bf16"))) static inline float measure_pairs_512(void)
{
    __m512 s[24];
    __m512bh a = (__m512bh)_mm512_set1_epi32(0x3F803F80), b = (__m512bh)_mm512_set1_epi32(0x3A803A80);
    for (int i = 0; i < 24; i++)
        s[i] = _mm512_set1_ps((float)i);
    for (int n = 0; n < 100000; n++) {
#pragma GCC unroll 24
        for (int i = 0; i < 24; i++)
            s[i] = _mm512_dpbf16_ps(s[i], a, b);
    }
    for (int i = 1; i < 24; i++)
        s[0] = _mm512_add_ps(s[0], s[i]);
    return _mm512_cvtss_f32(s[0]);
}

__attribute__((target("avx2,fma"))) static inline float measure_fma_256(void)
{
    __m256 s[12], a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(0.001f);
    for (int i = 0; i < 12; i++)
        s[i] = _mm256_set1_ps((float)i);
    for (int n = 0; n < 200000; n++) {
#pragma GCC unroll 12
        for (int i = 0; i < 12; i++)
            s[i] = _mm256_fmadd_ps(s[i], a, b);
    }
    for (int i = 1; i < 12; i++)
        s[0] = _mm256_add_ps(s[0], s[i]);
    return _mm256_cvtss_f32(s[0]);
}

static inline void measure_pairs_thread(void *arg, int t, int n)
{
    static volatile float sink;
    (void)arg, (void)t, (void)n;
    sink = sink + measure_pairs_512();
}

static inline void measure_fma_thread(void *arg, int t, int n)
{
    static volatile float sink;
    (void)t, (void)n;
    sink = sink + (*(int *)arg ? measure_fma_512() : measure_fma_256());
}
#endif

static inline void measure_pairs_all(void *arg)
{
#if defined(__x86_64__)
    pool_run(measure_pairs_thread, arg, pool_threads());
#else
    (void)arg;
#endif
}

static inline void measure_fma_all(void *arg)
{
#if defined(__x86_64__)
    pool_run(measure_fma_thread, arg, pool_threads());
#else
    (void)arg;
#endif
}

/* GFLOP/s of multiply-adds in registers on all threads of the pool; 0 where unknown. */
static inline double measure_peak(void)
{
#if defined(__x86_64__)
    int wide = __builtin_cpu_supports("avx512f");
    if (!wide && !(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")))
        return 0;
    measure_candidate c = {measure_fma_all, &wide, 0};
    measure(&c, 1, 15, 1);
    double flops = wide ? 100000.0 * 24 * 16 * 2 : 200000.0 * 12 * 8 * 2;
    return flops * pool_threads() / c.seconds * 1e-9;
#else
    measure_fma_all(NULL);
    return 0;
#endif
}

/* The same for dot products of bfloat16; 0 where there are none. */
static inline double measure_peak_bf16(void)
{
    measure_candidate c = {measure_pairs_all, NULL, 0};
    if (!cpuid_avx512_bf16())
        return 0;
    measure(&c, 1, 15, 1);
    return 100000.0 * 24 * 32 * 2 * pool_threads() / c.seconds * 1e-9;
}

typedef struct measure_memory {
    const uint64_t *data;
    size_t words;
} measure_memory;

typedef uint64_t measure_line __attribute__((vector_size(64)));

/* Eight streams, as kernels walk several rows at once. */
static inline void measure_read_range(void *arg, size_t begin, size_t end)
{
    static volatile uint64_t sink;
    const measure_line *line = (const measure_line *)(const void *)((const measure_memory *)arg)->data;
    size_t each = (end - begin) * 128 / 8;
    measure_line sum = {0};
    for (size_t i = 0; i < each; i++)
        for (size_t j = 0; j < 8; j++)
            sum ^= line[begin * 128 + j * each + i];
    sink = sum[0] + sink;
}

static inline void measure_read_all(void *arg)
{
    pool_for(((const measure_memory *)arg)->words / 1024, 1, measure_read_range, arg);
}

#endif
