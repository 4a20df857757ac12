/* Helpers of the kernel tests: operands that end where memory ends, so that a read or write past the end
 * faults; random values in any format; every instruction set of this machine in turn. */
#ifndef MICA_TESTS_KERNEL_TEST_H
#define MICA_TESTS_KERNEL_TEST_H

#include "test.h"

#include "cpu/kernels.h"
#include "kernels/half.h"

#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* `size` bytes whose end is the end of a page; the next page is inaccessible. */
typedef struct guarded {
    void *map, *data;
    size_t mapped;
} guarded;

static inline guarded guarded_new(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = (size + page - 1) / page * page;
    guarded g = {.mapped = whole + page};
    g.map = mmap(NULL, g.mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(g.map != MAP_FAILED);
    assert_int_equal(mprotect((char *)g.map + whole, page, PROT_NONE), 0);
    g.data = (char *)g.map + whole - size;
    return g;
}

static inline void guarded_free(guarded g) { munmap(g.map, g.mapped); }

static inline double random_unit(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 40) / (double)(1 << 24);
}

static inline size_t float_size(mlx_dtype t) { return t == MLX_FLOAT64 ? 8 : t == MLX_FLOAT32 ? 4 : 2; }

/* Element i of an array of floats of any format. */
static inline double float_get(const void *x, mlx_dtype t, size_t i)
{
    if (t == MLX_FLOAT64)
        return ((const double *)x)[i];
    if (t == MLX_FLOAT32)
        return (double)((const float *)x)[i];
    uint16_t h = ((const uint16_t *)x)[i];
    return (double)(t == MLX_FLOAT16 ? f16_to_f32(h) : bf16_to_f32(h));
}

static inline void float_set(void *x, mlx_dtype t, size_t i, double v)
{
    if (t == MLX_FLOAT64)
        ((double *)x)[i] = v;
    else if (t == MLX_FLOAT32)
        ((float *)x)[i] = (float)v;
    else
        ((uint16_t *)x)[i] = t == MLX_FLOAT16 ? f32_to_f16((float)v) : f32_to_bf16((float)v);
}

/* n values in [-1, 1), the last one against the guard page. */
static inline guarded random_floats(mlx_dtype t, size_t n, uint64_t seed)
{
    guarded g = guarded_new(n * float_size(t));
    for (size_t i = 0; i < n; i++)
        float_set(g.data, t, i, 2 * random_unit(&seed) - 1);
    return g;
}

/* What rounding to a format may cost a value. */
static inline double format_error(mlx_dtype t, double v)
{
    double unit = t == MLX_FLOAT32    ? 0x1p-24
                  : t == MLX_FLOAT16  ? 0x1p-11
                  : t == MLX_BFLOAT16 ? 0x1p-8
                                      : 0x1p-53;
    return fabs(v) * unit + (t == MLX_FLOAT16 ? 0x1p-25 : 0);
}

/* `got` is `want` up to the tolerance; NaN only where NaN, the same infinities. */
static inline bool float_close(double got, double want, double tolerance)
{
    if (isnan(want) || isnan(got))
        return isnan(want) && isnan(got);
    if (isinf(want) || isinf(got))
        return want == got;
    return fabs(got - want) <= tolerance;
}

static const mlx_dtype float_types[3] = {MLX_FLOAT32, MLX_FLOAT16, MLX_BFLOAT16};

/* for each instruction set of this machine: t is its table */
#define FOR_EACH_ISA(t)                                          \
    for (int isa_level = 0; isa_level < ISA_LEVELS; isa_level++) \
        if (cpu_kernels_fill(&(t), (cpu_isa)isa_level))

#endif
