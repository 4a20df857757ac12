/* Elementwise and reduction kernels beside what memory and the first-level cache can do.
 *
 * For each kernel: gigabytes per second (read and written) on one thread over rows that stay in the
 * first-level cache, and on all threads over rows that come from memory; the latter also as a fraction of the
 * read bandwidth that plain loads reach in the same run. The last column compares one thread in cache with
 * the portable build. Usage: bench_elementwise [megabytes per operand, default 64] */
#include "base/clock.h"
#include "base/mem.h"
#include "cpu/kernels.h"
#include "cpu/pool.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CACHED = 8192, TRIALS = 5 }; /* bytes of a row in cache */

typedef enum shape { UNARY_ROW, BINARY_ROW, REDUCE_ROW, ARG_ROW } shape;

typedef struct task {
    const char *name;
    shape shape;
    size_t in, out; /* bytes an element */
    cpu_unary_fn unary;
    cpu_binary_fn binary;
    cpu_reduce_fn reduce;
    uint32_t (*arg)(const void *, ptrdiff_t, size_t);
} task;

static char *a, *b, *y;
static volatile uint64_t sink;

static void run_range(void *arg, size_t begin, size_t end)
{
    const task *t = arg;
    const char *p = a + begin * t->in, *q = b + begin * t->in;
    char *out = y + begin * t->out;
    size_t n = end - begin;
    double result[2];
    if (t->shape == UNARY_ROW)
        t->unary(p, 1, out, n);
    else if (t->shape == BINARY_ROW)
        t->binary(p, 1, q, 1, out, n);
    else if (t->shape == REDUCE_ROW)
        t->reduce(p, 1, result, n);
    else
        sink = t->arg(p, 1, n);
}

static void read_range(void *arg, size_t begin, size_t end)
{
    uint64_t sum[8] = {0};
    (void)arg;
    for (size_t i = begin; i + 64 <= end; i += 64)
        for (size_t k = 0; k < 8; k++) {
            uint64_t word;
            memcpy(&word, a + i + 8 * k, 8);
            sum[k] ^= word;
        }
    sink = sum[0] ^ sum[1] ^ sum[2] ^ sum[3] ^ sum[4] ^ sum[5] ^ sum[6] ^ sum[7];
}

static double best_of(size_t repeats, size_t n, size_t grain, void (*fn)(void *, size_t, size_t), void *arg)
{
    double best = 1e9;
    for (int trial = 0; trial < TRIALS; trial++) {
        double start = clock_seconds();
        for (size_t r = 0; r < repeats; r++) {
            if (grain)
                pool_for(n, grain, fn, arg);
            else
                fn(arg, 0, n);
        }
        double each = (clock_seconds() - start) / (double)repeats;
        best = each < best ? each : best;
    }
    return best;
}

static size_t bytes_per_element(const task *t)
{
    return t->shape == BINARY_ROW ? 2 * t->in + t->out : t->shape == UNARY_ROW ? t->in + t->out : t->in;
}

static double in_cache(const task *t)
{
    size_t n = CACHED / t->in;
    return (double)(n * bytes_per_element(t)) / best_of(200, n, 0, run_range, (void *)t) * 1e-9;
}

static int make_tasks(const cpu_kernels *k, task *t)
{
    const elementwise_kernels *e = &k->elementwise;
    const reduce_kernels *r = &k->reduce;
    const task all[] = {
        {"add float32", BINARY_ROW, 4, 4, .binary = e->binary[CPU_add][MLX_FLOAT32]},
        {"add bfloat16", BINARY_ROW, 2, 2, .binary = e->binary[CPU_add][MLX_BFLOAT16]},
        {"add float16", BINARY_ROW, 2, 2, .binary = e->binary[CPU_add][MLX_FLOAT16]},
        {"add int8", BINARY_ROW, 1, 1, .binary = e->binary[CPU_add][MLX_INT8]},
        {"less float32", BINARY_ROW, 4, 1, .binary = e->binary[CPU_less][MLX_FLOAT32]},
        {"power float32", BINARY_ROW, 4, 4, .binary = e->binary[CPU_power][MLX_FLOAT32]},
        {"sqrt float32", UNARY_ROW, 4, 4, .unary = e->unary[CPU_sqrt][MLX_FLOAT32]},
        {"exp float32", UNARY_ROW, 4, 4, .unary = e->unary[CPU_exp][MLX_FLOAT32]},
        {"exp bfloat16", UNARY_ROW, 2, 2, .unary = e->unary[CPU_exp][MLX_BFLOAT16]},
        {"log float32", UNARY_ROW, 4, 4, .unary = e->unary[CPU_log][MLX_FLOAT32]},
        {"sigmoid float32", UNARY_ROW, 4, 4, .unary = e->unary[CPU_sigmoid][MLX_FLOAT32]},
        {"tanh float32", UNARY_ROW, 4, 4, .unary = e->unary[CPU_tanh][MLX_FLOAT32]},
        {"erf float32", UNARY_ROW, 4, 4, .unary = e->unary[CPU_erf][MLX_FLOAT32]},
        {"sin float32", UNARY_ROW, 4, 4, .unary = e->unary[CPU_sin][MLX_FLOAT32]},
        {"cast bf16 to f32", UNARY_ROW, 2, 4, .unary = e->cast[MLX_BFLOAT16][MLX_FLOAT32]},
        {"cast f32 to bf16", UNARY_ROW, 4, 2, .unary = e->cast[MLX_FLOAT32][MLX_BFLOAT16]},
        {"cast f32 to f16", UNARY_ROW, 4, 2, .unary = e->cast[MLX_FLOAT32][MLX_FLOAT16]},
        {"cast f32 to int32", UNARY_ROW, 4, 4, .unary = e->cast[MLX_FLOAT32][MLX_INT32]},
        {"sum float32", REDUCE_ROW, 4, 0, .reduce = r->reduce[CPU_SUM][MLX_FLOAT32]},
        {"sum bfloat16", REDUCE_ROW, 2, 0, .reduce = r->reduce[CPU_SUM][MLX_BFLOAT16]},
        {"max float32", REDUCE_ROW, 4, 0, .reduce = r->reduce[CPU_MAX][MLX_FLOAT32]},
        {"sum int8", REDUCE_ROW, 1, 0, .reduce = r->reduce[CPU_SUM][MLX_INT8]},
        {"argmax float32", ARG_ROW, 4, 0, .arg = r->arg[0][MLX_FLOAT32]},
        {"argmax bfloat16", ARG_ROW, 2, 0, .arg = r->arg[0][MLX_BFLOAT16]},
    };
    memcpy(t, all, sizeof all);
    return (int)(sizeof all / sizeof *all);
}

static void fill(size_t bytes)
{
    for (size_t i = 0; i < bytes / 4; i++) { /* around 1/2 as float32 or bfloat16, around 2 as float16 */
        uint32_t u = 0x3F003F00u | (uint32_t)(i * 2654435761u >> 7 & 0x7F007Fu);
        memcpy(a + 4 * i, &u, 4);
        memcpy(b + 4 * i, &u, 4);
    }
    memset(y, 0, bytes);
}

int main(int argc, char **argv)
{
    static task tasks[64], portable[64];
    static cpu_kernels p;
    size_t bytes = (size_t)(argc > 1 && atoi(argv[1]) > 0 ? atoi(argv[1]) : 64) << 20;
    a = mem_aligned(64, bytes);
    b = mem_aligned(64, bytes);
    y = mem_aligned(64, 2 * bytes);
    if (!a || !b || !y)
        return 1;
    fill(bytes);
    const cpu_kernels *k = cpu_kernels_get();
    int n = make_tasks(k, tasks);
    cpu_kernels_fill(&p, ISA_LEVEL_portable);
    make_tasks(&p, portable);
    double reads = (double)bytes / best_of(1, bytes, 4096, read_range, NULL) * 1e-9;
    printf("%s, %d threads, %zu MB an operand; reading alone %.1f GB/s\n", cpu_isa_name(k->isa),
           pool_threads(), bytes >> 20, reads);
    printf("%-18s %14s %14s %12s %12s\n", "kernel", "in cache GB/s", "memory GB/s", "of reading",
           "x portable");
    for (int i = 0; i < n; i++) {
        const task *t = &tasks[i];
        size_t count = bytes / t->in;
        double cache = in_cache(t);
        double memory =
            (double)(count * bytes_per_element(t)) / best_of(1, count, 4096, run_range, (void *)t) * 1e-9;
        printf("%-18s %14.1f %14.1f %12.2f %12.2f\n", t->name, cache, memory, memory / reads,
               cache / in_cache(&portable[i]));
    }
    pool_stop();
    mem_free(a);
    mem_free(b);
    mem_free(y);
    return 0;
}
