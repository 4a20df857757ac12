/* Attention: decode in GB/s of keys and values read, and as a part of a plain read of as many bytes; prefill
 * in GFLOP/s (two products over the visible pairs), as a part of multiply-adds in registers.
 *
 *   bench_attention [THREADS]      default: 1, then all */
#include "measure.h"

#include "base/mem.h"
#include "cpu/kernels.h"

typedef struct shape {
    const char *name;
    int heads, kv_heads, dim, queries, keys;
    mlx_dtype dtype;
} shape;

/* clang-format off */
static const shape shapes[] = {
    {"decode  32/8 heads, dim 128, bf16", 32, 8, 128, 1, 4096, MLX_BFLOAT16},
    {"decode  32/8 heads, dim 128, f32 ", 32, 8, 128, 1, 4096, MLX_FLOAT32},
    {"decode  16/8 heads, dim 128, bf16", 16, 8, 128, 1, 4096, MLX_BFLOAT16},
    {"decode   8/8 heads, dim  64, f16 ", 8, 8, 64, 1, 16384, MLX_FLOAT16},
    {"decode   8/1 heads, dim 256, bf16", 8, 1, 256, 1, 16384, MLX_BFLOAT16},
    {"prefill 16/8 heads, dim 128, f32 ", 16, 8, 128, 512, 512, MLX_FLOAT32},
    {"prefill 16/8 heads, dim 128, bf16", 16, 8, 128, 512, 512, MLX_BFLOAT16},
    {"prefill 16/8 heads, dim 128, bf16", 16, 8, 128, 512, 2048, MLX_BFLOAT16},
    {"prefill  8/8 heads, dim  64, f32 ", 8, 8, 64, 1024, 1024, MLX_FLOAT32},
    {"verify  32/8 heads, dim 128, bf16", 32, 8, 128, 4, 4096, MLX_BFLOAT16},
};
/* clang-format on */

static void attend(void *arg)
{
    if (cpu_attention(arg))
        abort();
}

/* Query-key pairs that are visible. */
static double pairs(const shape *s)
{
    double all = (double)s->queries * s->keys, hidden = (double)s->queries * (s->queries - 1) / 2;
    return (all - hidden) * s->heads;
}

static void run(const shape *s, double peak)
{
    int64_t row = s->dim, q_head = row * s->queries, k_head = row * s->keys;
    size_t q_size = (size_t)q_head * (size_t)s->heads, k_size = (size_t)k_head * (size_t)s->kv_heads;
    size_t element = s->dtype == MLX_FLOAT32 ? 4 : 2, bytes = 2 * k_size * element;
    float *q = mem_alloc(q_size, 4), *out = mem_alloc(q_size, 4), *kv = mem_aligned(64, bytes);
    if (!q || !out || !kv) {
        fprintf(stderr, "bench_attention: not enough memory\n");
        exit(1);
    }
    measure_fill(q, q_size, 1);
    measure_fill(kv, bytes / 4, 2);
    for (size_t i = 0; element == 2 && i < 2 * k_size; i++) /* ordinary numbers */
        ((uint16_t *)kv)[i] = (uint16_t)(0x3C00 | (((uint16_t *)kv)[i] & 0x80FF));
    attention_args a = {.batch = 1,
                        .heads = s->heads,
                        .kv_heads = s->kv_heads,
                        .queries = s->queries,
                        .keys = s->keys,
                        .dim = s->dim,
                        .v_dim = s->dim,
                        .scale = 0.05f,
                        .q = {q, MLX_FLOAT32, 0, q_head, row},
                        .k = {kv, s->dtype, 0, k_head, row},
                        .v = {(char *)kv + bytes / 2, s->dtype, 0, k_head, row},
                        .kind = MX_MASK_CAUSAL,
                        .out = out,
                        .out_dtype = MLX_FLOAT32,
                        .out_head = q_head,
                        .out_row = row};
    measure_memory memory = {(const uint64_t *)(const void *)kv, bytes / 8};
    measure_candidate c[2] = {{attend, &a, 0}, {measure_read_all, &memory, 0}};
    measure(c, 2, 15, s->queries == 1 ? 5 : 1);
    double flops = pairs(s) * s->dim * 4 / c[0].seconds * 1e-9;
    printf("  %s, L %4d, S %5d: %8.3f ms  %6.1f GFLOP/s", s->name, s->queries, s->keys, c[0].seconds * 1e3,
           flops);
    if (peak > 0 && s->queries > 1)
        printf(" (%4.1f%% of peak)", 100 * flops / peak);
    if (s->queries < 16)
        printf("  %5.1f GB/s, %5.1f%% of a plain read", (double)bytes / c[0].seconds * 1e-9,
               100 * c[1].seconds / c[0].seconds);
    printf("\n");
    mem_free(q);
    mem_free(out);
    mem_free(kv);
}

static void bench(int threads)
{
    pool_set_threads(threads);
    double peak = measure_peak();
    printf("%d thread%s, %s, multiply-adds in registers %.1f GFLOP/s\n", threads, threads > 1 ? "s" : "",
           cpu_isa_name(cpu_kernels_get()->isa), peak);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        run(&shapes[i], peak);
}

int main(int argc, char **argv)
{
    int all = pool_threads();
    if (argc > 1) {
        bench(atoi(argv[1]));
    } else {
        bench(1);
        if (all > 1)
            bench(all);
    }
    pool_stop();
    return 0;
}
