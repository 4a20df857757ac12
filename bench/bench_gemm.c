/* Matrix products against the machine and against OpenBLAS.
 *
 *   bench_gemm [THREADS [cubes | weights]]      default: both with 1, then with all
 *
 * First square float32 products: GFLOP/s, as a part of what multiply-adds in registers reach on the same
 * threads, and the ratio to cblas_sgemm (found at run time; the column is empty without it). Then the
 * products of a language model, x (m, k) with a weight (n, k): for one row in GB/s of weight and as a part of
 * the read-only bandwidth over the same bytes. Runs are interleaved; figures are medians. */
#include "measure.h"

#include "cpu/kernels.h"
#include "cpu/limits.h"
#include "kernels/half.h"

#include <dlfcn.h>
#include <string.h>

typedef void (*sgemm_fn)(int order, int ta, int tb, int m, int n, int k, float alpha, const float *a, int lda,
                         const float *b, int ldb, float beta, float *c, int ldc);

static sgemm_fn sgemm;
static void (*blas_threads)(int);

static void find_blas(void)
{
    void *lib = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!lib)
        return;
    *(void **)&sgemm = dlsym(lib, "cblas_sgemm");
    *(void **)&blas_threads = dlsym(lib, "openblas_set_num_threads");
}

typedef struct product {
    size_t m, n, k;
    gemm_matrix a, b;
    float *c;
} product;

static void ours(void *arg)
{
    const product *p = arg;
    if (cpu_gemm(p->m, p->n, p->k, p->a, p->b, p->c, MLX_FLOAT32, p->n))
        abort();
}

static void theirs(void *arg)
{
    const product *p = arg;
    enum { ROW_MAJOR = 101, NO = 111, YES = 112 };
    bool turned = p->b.cs != 1;
    sgemm(ROW_MAJOR, NO, turned ? YES : NO, (int)p->m, (int)p->n, (int)p->k, 1, p->a.data, (int)p->a.rs,
          p->b.data, (int)(turned ? p->b.cs : p->b.rs), 0, p->c, (int)p->n);
}

static void cubes(const float *a, const float *b, float *c, double peak)
{
    static const int sizes[] = {128, 256, 512, 1024, 1536, 2048, 3072, 4096};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int turned = 0; turned < 2; turned++) {
            size_t n = (size_t)sizes[i];
            int64_t s = sizes[i];
            product p = {n, n, n, {a, MLX_FLOAT32, s, 1}, {b, MLX_FLOAT32, turned ? 1 : s, turned ? s : 1},
                         c};
            measure_candidate runs[2] = {{ours, &p, 0}, {theirs, &p, 0}};
            double flops = 2.0 * (double)n * (double)n * (double)n;
            measure(runs, sgemm ? 2 : 1, n > 2048 ? 3 : n > 1024 ? 7 : 15, n < 512 ? 20 : 1);
            double speed = flops / runs[0].seconds * 1e-9;
            printf("  %4zu^3 %s %7.1f GFLOP/s", n, turned ? "a b^T" : "a b  ", speed);
            if (peak > 0)
                printf("  %5.1f%% of peak", 100 * speed / peak);
            if (sgemm)
                printf("  %.2fx OpenBLAS (%.1f)", runs[1].seconds / runs[0].seconds,
                       flops / runs[1].seconds * 1e-9);
            printf("\n");
        }
}

static void weights(const void *w, const float *x, float *y, double peak)
{
    enum { N = 11008, K = 4096 };
    static const mlx_dtype types[] = {MLX_BFLOAT16, MLX_FLOAT16, MLX_FLOAT32};
    static const char *const names[] = {"bf16", "f16", "f32"};
    static const size_t rows[] = {1, 2, 4, 8, 16, 24, 32, 64, 128, 512};
    for (size_t t = 0; t < 3; t++) {
        size_t bytes = (size_t)N * K * (types[t] == MLX_FLOAT32 ? 4 : 2);
        measure_memory memory = {w, bytes / 8};
        printf("  x (m, %d) times a %s weight (%d, %d):\n", K, names[t], N, K);
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            product p = {rows[i], N, K, {x, MLX_FLOAT32, K, 1}, {w, types[t], 1, K}, y};
            measure_candidate runs[2] = {{ours, &p, 0}, {measure_read_all, &memory, 0}};
            double flops = 2.0 * (double)rows[i] * N * K;
            measure(runs, rows[i] <= 8 ? 2 : 1, rows[i] > 64 ? 5 : 9, 1);
            printf("    m %3zu: %8.3f ms  %7.1f GFLOP/s", rows[i], runs[0].seconds * 1e3,
                   flops / runs[0].seconds * 1e-9);
            if (peak > 0)
                printf(" (%4.1f%% of peak)", 100 * flops / runs[0].seconds * 1e-9 / peak);
            if (rows[i] <= 8)
                printf("  %6.1f GB/s, %5.1f%% of a plain read (%.1f)", (double)bytes / runs[0].seconds * 1e-9,
                       100 * runs[1].seconds / runs[0].seconds, (double)bytes / runs[1].seconds * 1e-9);
            printf("\n");
        }
    }
}

/* Both sides bfloat16, as a part of what its own instruction reaches in registers. */
static void halves(const float *a, const float *b, float *c, double f32)
{
    const double bf16 = 2e-9 * cpu_peak_bf16(0), peak = bf16 > 0 ? bf16 : f32;
    printf("  bfloat16, multiply-adds in registers %.1f GFLOP/s\n", peak);
    for (int64_t s = 256; s <= 2048; s *= 2)
        for (int turned = 0; turned < 2; turned++) {
            size_t n = (size_t)s;
            product p = {n, n, n, {a, MLX_BFLOAT16, s, 1}, {b, MLX_BFLOAT16, turned ? 1 : s, turned ? s : 1},
                         c};
            measure_candidate run = {ours, &p, 0};
            measure(&run, 1, n > 1024 ? 7 : 15, n < 512 ? 20 : 1);
            double speed = 2.0 * (double)n * (double)n * (double)n / run.seconds * 1e-9;
            printf("  %4zu^3 %s %7.1f GFLOP/s  %5.1f%% of peak\n", n, turned ? "a b^T" : "a b  ", speed,
                   100 * speed / peak);
        }
}

static void bench(int threads, const char *part, float *a, float *b, float *c, const void *w)
{
    pool_set_threads(threads);
    if (blas_threads)
        blas_threads(threads);
    double peak = measure_peak();
    printf("%d thread%s, %s, multiply-adds in registers %.1f GFLOP/s\n", threads, threads > 1 ? "s" : "",
           cpu_isa_name(cpu_kernels_get()->isa), peak);
    if (strcmp(part, "cubes") == 0 || strcmp(part, "all") == 0)
        cubes(a, b, c, peak);
    if (strcmp(part, "halves") == 0 || strcmp(part, "all") == 0)
        halves(a, b, c, peak);
    if (strcmp(part, "weights") == 0 || strcmp(part, "all") == 0)
        weights(w, a, c, peak);
}

int main(int argc, char **argv)
{
    enum { SIDE = 4096, WIDE = 11008 * 4096 };
    float *a = malloc(sizeof(float) * SIDE * SIDE), *b = malloc(sizeof(float) * SIDE * SIDE);
    float *c = malloc(sizeof(float) * SIDE * SIDE), *w = aligned_alloc(64, sizeof(float) * WIDE);
    if (!a || !b || !c || !w) {
        fprintf(stderr, "bench_gemm: not enough memory\n");
        return 1;
    }
    measure_fill(a, (size_t)SIDE * SIDE, 1);
    measure_fill(b, (size_t)SIDE * SIDE, 2);
    /* Values that are ordinary numbers in every format: each half a bf16 or f16 near 1. */
    for (size_t i = 0; i < WIDE; i++)
        w[i] = f32_from_bits(0x3C003C00u | (uint32_t)(i * 2654435761u >> 8 & 0x007F007Fu));
    find_blas();
    int all = pool_threads();
    if (argc > 1) {
        bench(atoi(argv[1]), argc > 2 ? argv[2] : "all", a, b, c, w);
    } else {
        bench(1, "all", a, b, c, w);
        if (all > 1)
            bench(all, "all", a, b, c, w);
    }
    pool_stop();
    free(a);
    free(b);
    free(c);
    free(w);
    return 0;
}
