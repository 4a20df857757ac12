/* Attention: decode in GB/s of keys and values read, and as a part of a plain read of as many bytes; prefill
 * in GFLOP/s (two products over the visible pairs), as a part of multiply-adds in registers, in float32 and
 * in bfloat16. First over contiguous keys and values, then over a paged cache.
 *
 *   bench_attention [THREADS [TEXT]]      default: 1, then all; only what has the text in its name */
#include "measure.h"

#include "base/mem.h"
#include "cpu/kernels.h"
#include "cpu/paged.h"

#include <string.h>

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

/* --- the paged cache --- */

typedef struct paged_shape {
    const char *name;
    enum kv_kind kind;
    int heads, kv_heads, dim, group, sequences, rows, length; /* rows of each sequence */
} paged_shape;

/* clang-format off */
static const paged_shape paged_shapes[] = {
    {"paged decode  32/8 heads, dim 128, bf16, 1 x 8K ", KV_BF16, 32, 8, 128, 64, 1, 1, 8192},
    {"paged decode  32/8 heads, dim 128, 8 bit, 1 x 8K", KV_INT8, 32, 8, 128, 64, 1, 1, 8192},
    {"paged decode  32/8 heads, dim 128, 4 bit, 1 x 8K", KV_INT4, 32, 8, 128, 64, 1, 1, 8192},
    {"paged decode  32/8 heads, dim 128, f32,  1 x 4K ", KV_F32, 32, 8, 128, 64, 1, 1, 4096},
    {"paged decode  32/8 heads, dim 128, f16,  1 x 8K ", KV_F16, 32, 8, 128, 64, 1, 1, 8192},
    {"paged decode  16/8 heads, dim 128, bf16, 1 x 8K ", KV_BF16, 16, 8, 128, 64, 1, 1, 8192},
    {"paged decode  16/8 heads, dim 128, 8 bit, 1 x 8K", KV_INT8, 16, 8, 128, 64, 1, 1, 8192},
    {"paged decode   8/8 heads, dim  64, bf16, 1 x 16K", KV_BF16, 8, 8, 64, 64, 1, 1, 16384},
    {"paged decode  32/8 heads, dim 128, bf16, 16 x 1K", KV_BF16, 32, 8, 128, 64, 16, 1, 1024},
    {"paged decode  32/8 heads, dim 128, 8 bit, 16 x 1K", KV_INT8, 32, 8, 128, 64, 16, 1, 1024},
    {"paged prefill 32/8 heads, dim 128, bf16, at 0   ", KV_BF16, 32, 8, 128, 64, 1, 512, 512},
    {"paged prefill 32/8 heads, dim 128, bf16, at 8K  ", KV_BF16, 32, 8, 128, 64, 1, 256, 8192},
    {"paged prefill 32/8 heads, dim 128, 8 bit, at 8K ", KV_INT8, 32, 8, 128, 64, 1, 256, 8192},
    {"paged prefill 32/8 heads, dim 128, 4 bit, at 8K ", KV_INT4, 32, 8, 128, 64, 1, 256, 8192},
    {"paged prefill 32/8 heads, dim 128, f32,  at 4K  ", KV_F32, 32, 8, 128, 64, 1, 256, 4096},
};
/* clang-format on */

static void attend_paged(void *arg)
{
    if (cpu_paged_attention(arg))
        abort();
}

static void *need(void *p)
{
    if (p)
        return p;
    fprintf(stderr, "bench_attention: not enough memory\n");
    exit(1);
}

/* Fills the blocks of every sequence with numbers, and the table of each. */
static void fill_paged(const paged_shape *s, const kv_block *b, char *pool, int32_t *tables)
{
    size_t n = (size_t)s->length, blocks = n / KV_POSITIONS, numbers = n * (size_t)(s->kv_heads * s->dim);
    float *x = need(mem_alloc(numbers, 4));
    int32_t *slots = need(mem_alloc(n, 4));
    measure_fill(x, numbers, 2);
    double start = clock_seconds();
    for (size_t q = 0; q < (size_t)s->sequences; q++) {
        for (size_t i = 0; i < blocks; i++) /* far apart, as blocks are after a while */
            tables[q * blocks + i] = (int32_t)(q * blocks + i * 37 % blocks);
        for (size_t i = 0; i < n; i++)
            slots[i] = tables[q * blocks + i / KV_POSITIONS] * KV_POSITIONS + (int32_t)(i % KV_POSITIONS);
        cpu_kv_store(b, pool, x, MLX_FLOAT32, slots, n, true);
        cpu_kv_store(b, pool, x, MLX_FLOAT32, slots, n, false);
    }
    printf("  stored %5.2f ns a number;",
           (clock_seconds() - start) * 1e9 / (double)(2 * numbers) / s->sequences);
    mem_free(x);
    mem_free(slots);
}

static void run_paged(const paged_shape *s, double peak, double peak_bf16)
{
    size_t sequences = (size_t)s->sequences, blocks = (size_t)s->length / KV_POSITIONS * sequences;
    size_t rows = sequences * (size_t)s->rows, numbers = rows * (size_t)(s->heads * s->dim);
    kv_block b =
        kv_block_make(s->kind, (size_t)s->kv_heads, (size_t)s->dim, (size_t)s->dim, (size_t)s->group);
    size_t bytes = blocks * b.bytes;
    char *pool = need(mem_aligned(64, bytes));
    float *q = need(mem_alloc(numbers, 4)), *out = need(mem_alloc(numbers, 4));
    int32_t *tables = need(mem_alloc(blocks, 4)), lengths[64], starts[65] = {0};
    measure_fill(q, numbers, 1);
    fill_paged(s, &b, pool, tables);
    for (size_t i = 0; i < sequences; i++) {
        lengths[i] = s->length;
        starts[i + 1] = starts[i] + s->rows;
    }
    paged_args a = {.block = b,
                    .pool = pool,
                    .n_blocks = blocks,
                    .sequences = sequences,
                    .max_blocks = blocks / sequences,
                    .tables = tables,
                    .lengths = lengths,
                    .starts = starts,
                    .scale = 0.05f,
                    .rows = rows,
                    .heads = (size_t)s->heads,
                    .q = q,
                    .out = out,
                    .dtype = MLX_FLOAT32};
    measure_memory memory = {(const uint64_t *)(const void *)pool, bytes / 8};
    measure_candidate c[2] = {{attend_paged, &a, 0}, {measure_read_all, &memory, 0}};
    measure(c, 2, s->rows == 1 ? 15 : 7, s->rows == 1 ? 5 : 1);
    shape flat = {NULL, s->heads, s->kv_heads, s->dim, s->rows, s->length, MLX_FLOAT32};
    double flops = pairs(&flat) * s->sequences * s->dim * 4 / c[0].seconds * 1e-9;
    printf(" %s: %8.3f ms  %6.1f GFLOP/s", s->name, c[0].seconds * 1e3, flops);
    if (peak > 0 && s->rows > 1)
        printf(" (%4.1f%% of peak, %4.1f%% of bf16's)", 100 * flops / peak, 100 * flops / peak_bf16);
    if (s->rows == 1)
        printf("  %5.1f GB/s, %5.1f%% of a plain read", (double)bytes / c[0].seconds * 1e-9,
               100 * c[1].seconds / c[0].seconds);
    printf("\n");
    mem_free(pool);
    mem_free(q);
    mem_free(out);
    mem_free(tables);
}

static void bench(int threads, const char *text)
{
    pool_set_threads(threads);
    double peak = measure_peak(), peak_bf16 = measure_peak_bf16();
    printf("%d thread%s, %s, multiply-adds in registers %.1f GFLOP/s, in bfloat16 %.1f\n", threads,
           threads > 1 ? "s" : "", cpu_isa_name(cpu_kernels_get()->isa), peak, peak_bf16);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (strstr(shapes[i].name, text))
            run(&shapes[i], peak);
    for (size_t i = 0; i < sizeof paged_shapes / sizeof *paged_shapes; i++)
        if (strstr(paged_shapes[i].name, text))
            run_paged(&paged_shapes[i], peak, peak_bf16);
}

int main(int argc, char **argv)
{
    int all = pool_threads();
    const char *text = argc > 2 ? argv[2] : "";
    if (argc > 1) {
        bench(atoi(argv[1]), text);
    } else {
        bench(1, text);
        if (all > 1)
            bench(all, text);
    }
    pool_stop();
    return 0;
}
