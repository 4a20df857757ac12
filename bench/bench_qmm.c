/* Quantized matrix products against the machine's limits, which are measured in the same run.
 *
 * One activation row (decode): GB/s of weights, scales and biases, as a fraction of the read-only bandwidth
 * on the same threads. The matrices of a pass together exceed the caches, as a model's do. Many rows
 * (prefill): operations per second as a fraction of the peak of the instruction that the form uses. The data
 * are random.
 *
 *     bench_qmm [megabytes of weights, default 2048] [threads, default 1 and all] */
#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "cpu/kernels.h"
#include "cpu/limits.h"
#include "cpu/pool.h"
#include "kernels/quant.h"

#include <stdio.h>
#include <stdlib.h>

#define K 4096
#define N 4096
#define M 512

typedef struct weights {
    quant_matrix one; /* the first of `count` matrices that lie behind each other */
    size_t count, words, scales;
    void *block;
} weights;

static void fill(uint32_t *p, size_t words, uint32_t mask, uint32_t set)
{
    uint64_t v = 88172645463325252u;
    for (size_t i = 0; i < words; i++) {
        v ^= v << 13;
        v ^= v >> 7;
        v ^= v << 17;
        p[i] = ((uint32_t)(v >> 32) & mask) | set;
    }
}

/* bfloat16 scales and biases between 2^-8 and 2^-7 with either sign. */
static int weights_new(weights *w, int bits, int group, size_t total)
{
    const size_t words = quant_bytes((size_t)N * K, bits), scales = (size_t)N * K / (size_t)group * 2;
    w->words = words;
    w->scales = scales;
    w->count = total / (words + 2 * scales);
    w->count = w->count ? w->count : 1;
    w->block = mem_aligned(64, w->count * (words + 2 * scales));
    if (!w->block)
        return -1;
    fill(w->block, w->count * words / 4, 0xFFFFFFFFu, 0);
    fill((uint32_t *)w->block + w->count * words / 4, w->count * scales / 2, 0x807F807Fu, 0x3B803B80u);
    const uint8_t *s = (const uint8_t *)w->block + w->count * words;
    w->one = (quant_matrix){w->block, s, s + w->count * scales, MLX_BFLOAT16, bits, group, N, K};
    return 0;
}

static quant_matrix weights_at(const weights *w, size_t i)
{
    quant_matrix q = w->one;
    q.w = (const uint32_t *)((const uint8_t *)q.w + i * w->words);
    q.scales = (const uint8_t *)q.scales + i * w->scales;
    q.biases = (const uint8_t *)q.biases + i * w->scales;
    return q;
}

/* Seconds of the best pass over all matrices (at most `most`), repeated for about half a second. */
static double pass(const weights *w, size_t most, const float *x, size_t m, float *y, mx_precision precision)
{
    double best = 1e30, start = clock_seconds();
    size_t count = w->count < most ? w->count : most;
    do {
        double begin = clock_seconds();
        for (size_t i = 0; i < count; i++) {
            quant_matrix q = weights_at(w, i);
            if (cpu_qmm(&q, x, MLX_FLOAT32, K, m, y, MLX_FLOAT32, true, precision) < 0) {
                fprintf(stderr, "bench_qmm: %s\n", error_text());
                exit(1);
            }
        }
        double took = (clock_seconds() - begin) / (double)count;
        best = took < best ? took : best;
    } while (clock_seconds() - start < 0.5);
    return best;
}

static void bench_format(int bits, int group, size_t total, int threads, double bandwidth, const float *x,
                         float *y)
{
    static const size_t rows[] = {1, 2, 4, 8, 16, M};
    static const char *const names[] = {"exact", "bf16", "int8"};
    static const mx_precision forms[] = {MX_EXACT, MX_BF16, MX_INT8};
    const double bf16 = cpu_peak_bf16(threads), f32 = cpu_peak_f32(threads);
    const double peaks[] = {f32, bf16 > 0 ? bf16 : f32, cpu_peak_i8(threads)};
    weights w;
    if (weights_new(&w, bits, group, total) < 0) {
        fprintf(stderr, "bench_qmm: %s\n", error_text());
        exit(1);
    }
    double bytes = (double)(w.words + 2 * w.scales);
    for (int form = 0; form < (bits == 4 || bits == 8 ? 3 : 2); form++)
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            double s = pass(&w, rows[i] >= 8 ? 8 : SIZE_MAX, x, rows[i], y, forms[form]);
            double rate = 2.0 * N * K * (double)rows[i] / s;
            printf(
                "%d-bit g%-3d %-5s %d thread%s m=%-3zu %8.1f us %6.1f GB/s %4.0f%% of bandwidth %8.1f GOP/s "
                "%3.0f%% of peak\n",
                bits, group, names[form], threads, threads > 1 ? "s" : " ", rows[i], s * 1e6,
                bytes / s * 1e-9, 100 * bytes / s / bandwidth, rate * 1e-9, 50 * rate / peaks[form]);
            fflush(stdout);
        }
    mem_free(w.block);
}

int main(int argc, char **argv)
{
    const size_t total = (argc > 1 ? strtoul(argv[1], NULL, 10) : 2048) << 20;
    const int only = argc > 2 ? atoi(argv[2]) : 0, all = pool_threads();
    float *x = mem_alloc((size_t)M * K, sizeof *x), *y = mem_alloc((size_t)M * N, sizeof *y);
    if (!x || !y) {
        fprintf(stderr, "bench_qmm: %s\n", error_text());
        return 1;
    }
    for (size_t i = 0; i < (size_t)M * K; i++)
        x[i] = (float)((i * 2654435761u >> 8) % 2001) / 1000.0f - 1.0f;
    printf("instruction set %s, %d threads, %d x %d matrices, bfloat16 scales\n",
           cpu_isa_name(cpu_kernels_get()->isa), all, N, K);
    for (int threads = only ? only : 1; threads <= (only ? only : all);
         threads = threads < all ? all : all + 1) {
        static const int formats[][2] = {{4, 64}, {8, 64}, {4, 32}, {4, 128}, {3, 64}, {6, 64}};
        pool_set_threads(threads);
        double bandwidth = cpu_read_bandwidth(0);
        printf("%d thread%s: %.1f GB/s read, peak %.0f GOP/s int8, %.0f GFLOP/s bfloat16, %.0f float32\n",
               threads, threads > 1 ? "s" : "", bandwidth * 1e-9, 2e-9 * cpu_peak_i8(0),
               2e-9 * cpu_peak_bf16(0), 2e-9 * cpu_peak_f32(0));
        for (size_t f = 0; f < sizeof formats / sizeof *formats; f++)
            bench_format(formats[f][0], formats[f][1], total, threads, bandwidth, x, y);
    }
    mem_free(x);
    mem_free(y);
    pool_stop();
    return 0;
}
