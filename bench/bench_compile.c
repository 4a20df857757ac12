/* What compile saves: chains of elementwise operations over large arrays, compiled and not. Times are
 * medians of runs in turn, so that other jobs on the machine disturb both alike; the target is 5 for the
 * chain of ten with 2 threads. */
#include "base/clock.h"
#include "mx.h"

#include <stdio.h>
#include <stdlib.h>

enum { RUNS = 21 };

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Ten operations: additions, products, a maximum. */
static int chain(void *user, const mlx_array *in, size_t n, mx_arrays *out)
{
    (void)user, (void)n;
    mlx_dtype t = mx_dtype_of(in[0]);
    mlx_array x = in[0], a = mx_float(1.01, t), b = mx_float(-0.5, t);
    for (int i = 0; i < 5; i++)
        x = mx_add(mx_multiply(x, a), i == 4 ? in[0] : b);
    return mx_arrays_add(out, x);
}

static int gelu(void *user, const mlx_array *in, size_t n, mx_arrays *out)
{
    (void)user, (void)n;
    mlx_dtype t = mx_dtype_of(in[0]);
    mlx_array x = in[0], cube = mx_multiply(mx_multiply(x, x), x);
    mlx_array inner = mx_multiply(mx_float(0.79788, t), mx_add(x, mx_multiply(mx_float(0.044715, t), cube)));
    mlx_array half = mx_multiply(mx_float(0.5, t), x);
    return mx_arrays_add(out, mx_multiply(half, mx_add(mx_float(1, t), mx_tanh(inner))));
}

/* Adam's step, less the bias correction: 12 operations on 4 arrays. */
static int adam(void *user, const mlx_array *in, size_t n, mx_arrays *out)
{
    (void)user, (void)n;
    mlx_dtype t = mx_dtype_of(in[0]);
    mlx_array b1 = mx_float(0.9, t), b2 = mx_float(0.999, t), one = mx_float(1, t);
    mlx_array m = mx_add(mx_multiply(b1, in[1]), mx_multiply(mx_subtract(one, b1), in[3]));
    mlx_array v = mx_add(mx_multiply(b2, in[2]), mx_multiply(mx_subtract(one, b2), mx_square(in[3])));
    mlx_array step = mx_divide(m, mx_add(mx_sqrt(v), mx_float(1e-8, t)));
    return mx_arrays_add(out, mx_subtract(in[0], mx_multiply(mx_float(1e-3, t), step))) ||
           mx_arrays_add(out, m) || mx_arrays_add(out, v);
}

/* Seconds of one call with its evaluation. */
static double once(mx_list_function f, const mlx_array *in, size_t n)
{
    size_t mark = mx_mark();
    mx_arrays out = {0};
    mlx_array slots[3] = {MX_NULL, MX_NULL, MX_NULL};
    double start = clock_seconds();
    int rc = mx_compiled((uintptr_t)f, f, NULL, false, NULL, 0, in, n, &out);
    for (size_t i = 0; i < out.count; i++)
        mx_set(&slots[i], out.items[i]);
    mx_release(mark);
    if (rc || mx_eval_all(slots, out.count)) {
        mx_failed();
        fprintf(stderr, "%s\n", mx_error_text());
        exit(1);
    }
    double seconds = clock_seconds() - start;
    for (size_t i = 0; i < out.count; i++)
        mlx_array_free(slots[i]);
    mx_arrays_free(&out);
    return seconds;
}

static void report(const char *name, mx_list_function f, size_t n, int size, mlx_dtype dtype)
{
    mlx_array in[4];
    size_t mark = mx_mark();
    for (size_t i = 0; i < n; i++)
        in[i] = mx_full(SHAPE(size), mx_float(0.3 * (double)(i + 1), dtype), dtype);
    mx_eval_all(in, n);
    double times[2][RUNS];
    for (int r = -1; r < RUNS; r++)
        for (int mode = 0; mode < 2; mode++) {
            mx_set_compile_mode(mode ? MX_COMPILE_ENABLED : MX_COMPILE_DISABLED);
            times[mode][r < 0 ? 0 : r] = once(f, in, n);
        }
    for (int mode = 0; mode < 2; mode++)
        qsort(times[mode], RUNS, sizeof(double), compare);
    double plain = times[0][RUNS / 2], compiled = times[1][RUNS / 2];
    printf("%-6s %-9s %9d elements: %8.3f ms, compiled %8.3f ms, ratio %5.2f\n", name, mx_dtype_name(dtype),
           size, plain * 1e3, compiled * 1e3, plain / compiled);
    mx_release(mark);
}

int main(void)
{
    mx_set_threads(2);
    for (int size = 1 << 12; size <= 1 << 24; size <<= 6) {
        report("chain", chain, 1, size, MLX_FLOAT32);
        report("gelu", gelu, 1, size, MLX_FLOAT32);
        report("adam", adam, 4, size, MLX_FLOAT32);
        report("chain", chain, 1, size, MLX_BFLOAT16);
    }
    mx_shutdown();
    return 0;
}
