/* What compile saves: elementwise functions as programs have them, compiled and not, on random data. Times
 * are medians of runs in turn, so that other jobs on the machine disturb both alike. "ratio" is how many
 * times faster the compiled one is (the target is 5 for the chain of ten float32 operations with 2 threads),
 * "of copying" how its inputs and outputs per second compare with one negation of an array of that size. Last
 * comes what a call costs when there is next to nothing to compute. */
#include "base/clock.h"
#include "mx.h"

#include <stdio.h>
#include <stdlib.h>

enum { RUNS = 25, CALLS = 20000, SMALL = 1 << 17, LARGE = 1 << 24, ROW = 1 << 10 };

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v)
{
    qsort(v, RUNS, sizeof *v, compare);
    return v[RUNS / 2];
}

/* --- functions --- */

/* Ten operations: products and sums. */
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

static int swiglu(void *user, const mlx_array *in, size_t n, mx_arrays *out)
{
    (void)user, (void)n;
    return mx_arrays_add(out, mx_multiply(mx_multiply(in[0], mx_sigmoid(in[0])), in[1]));
}

/* A leaky rectifier of a sum, by comparison and selection. */
static int leaky(void *user, const mlx_array *in, size_t n, mx_arrays *out)
{
    (void)user, (void)n;
    mlx_dtype t = mx_dtype_of(in[0]);
    mlx_array x = mx_add(in[0], in[1]);
    return mx_arrays_add(out, mx_where(mx_greater(x, mx_float(0, t)), x, mx_multiply(x, mx_float(0.01, t))));
}

/* What layernorm does once mean and variance of each row are known. */
static int scale_shift(void *user, const mlx_array *in, size_t n, mx_arrays *out)
{
    (void)user, (void)n;
    mlx_dtype t = mx_dtype_of(in[0]);
    mlx_array mean = mx_slice_axis(in[1], 1, 0, 1), variance = mx_square(mx_slice_axis(in[1], 1, 1, 2));
    mlx_array scale = mx_rsqrt(mx_add(variance, mx_float(1e-5, t)));
    mlx_array weight = mx_slice_axis(in[2], 0, 0, 1), bias = mx_slice_axis(in[2], 0, 1, 2);
    mlx_array x = mx_multiply(mx_subtract(in[0], mean), scale);
    return mx_arrays_add(out, mx_add(mx_multiply(x, weight), bias));
}

/* Adam's step, less the bias correction: 12 operations on 4 arrays. */
static int adam(void *user, const mlx_array *in, size_t n, mx_arrays *out)
{
    (void)user, (void)n;
    mlx_dtype t = mx_dtype_of(in[0]);
    mlx_array b1 = mx_float(0.9, t), b2 = mx_float(0.999, t), one = mx_float(1, t);
    mlx_array m = mx_add(mx_multiply(b1, in[1]), mx_multiply(mx_subtract(one, b1), in[3]));
    mlx_array v = mx_add(mx_multiply(b2, mx_abs(in[2])), mx_multiply(mx_subtract(one, b2), mx_square(in[3])));
    mlx_array step = mx_divide(m, mx_add(mx_sqrt(v), mx_float(1e-8, t)));
    return mx_arrays_add(out, mx_subtract(in[0], mx_multiply(mx_float(1e-3, t), step))) ||
           mx_arrays_add(out, m) || mx_arrays_add(out, v);
}

static int negation(void *user, const mlx_array *in, size_t n, mx_arrays *out)
{
    (void)user, (void)n;
    return mx_arrays_add(out, mx_negative(in[0]));
}

/* --- runs --- */

/* One call with its evaluation. */
static void call(mx_list_function f, const mlx_array *in, size_t n)
{
    size_t mark = mx_mark();
    mx_arrays out = {0};
    mlx_array slots[3] = {MX_NULL, MX_NULL, MX_NULL};
    int rc = mx_compiled((uintptr_t)f, f, NULL, false, NULL, 0, in, n, &out);
    for (size_t i = 0; i < out.count; i++)
        mx_set(&slots[i], out.items[i]);
    mx_release(mark);
    if (rc || mx_eval_all(slots, out.count)) {
        mx_failed();
        fprintf(stderr, "%s\n", mx_error_text());
        exit(1);
    }
    for (size_t i = 0; i < out.count; i++)
        mlx_array_free(slots[i]);
    mx_arrays_free(&out);
}

/* Seconds of a call in each mode. */
static void measure(mx_list_function f, const mlx_array *in, size_t n, int calls, double *plain,
                    double *compiled)
{
    double times[2][RUNS];
    for (int r = -1; r < RUNS; r++)
        for (int mode = 0; mode < 2; mode++) {
            mx_set_compile_mode(mode ? MX_COMPILE_ENABLED : MX_COMPILE_DISABLED);
            double start = clock_seconds();
            for (int i = 0; i < calls; i++)
                call(f, in, n);
            times[mode][r < 0 ? 0 : r] = (clock_seconds() - start) / calls;
        }
    *plain = median(times[0]);
    *compiled = median(times[1]);
}

/* Arguments of `size` elements each, but for scale_shift's. */
static void arguments(mx_list_function f, mlx_array *in, int size, mlx_dtype t)
{
    int columns = size < ROW ? size : ROW;
    for (int i = 0; i < 4; i++) {
        int rows = f == scale_shift && i == 2 ? 2 : size / columns;
        int across = f == scale_shift && i == 1 ? 2 : columns;
        in[i] = mx_random_normal(SHAPE(rows, across), t, 0, 1, mx_random_key((uint64_t)i + 1));
    }
    mx_eval_all(in, 4);
}

/* Seconds to read and write an array of this size. */
static double copying(int size, mlx_dtype t)
{
    mlx_array in[4];
    double plain, compiled;
    arguments(negation, in, size, t);
    measure(negation, in, 1, LARGE / size / 8 + 1, &plain, &compiled);
    return plain;
}

static void report(const char *name, mx_list_function f, size_t n, double passes, int size, mlx_dtype t,
                   double copy)
{
    mlx_array in[4];
    size_t mark = mx_mark();
    double plain, compiled;
    arguments(f, in, size, t);
    measure(f, in, n, LARGE / size / 8 + 1, &plain, &compiled);
    printf("%-12s %-9s %9d elements: %9.4f ms, compiled %9.4f ms, ratio %5.2f, %3.0f%% of copying\n", name,
           mx_dtype_name(t), size, plain * 1e3, compiled * 1e3, plain / compiled,
           100 * passes / 2 * copy / compiled);
    mx_release(mark);
}

static void latency(const char *name, mx_list_function f, size_t n)
{
    mlx_array in[4];
    size_t mark = mx_mark();
    double plain, compiled;
    arguments(f, in, 1, MLX_FLOAT32);
    measure(f, in, n, CALLS / 10, &plain, &compiled);
    printf("%-12s float32           1 element:  %9.0f ns, compiled %9.0f ns\n", name, plain * 1e9,
           compiled * 1e9);
    mx_release(mark);
}

int main(void)
{
    static const mlx_dtype dtypes[] = {MLX_FLOAT32, MLX_BFLOAT16};
    mx_set_threads(2);
    for (int size = SMALL; size <= LARGE; size = size == SMALL ? LARGE : size + LARGE)
        for (size_t k = 0; k < 2; k++) {
            double copy = copying(size, dtypes[k]);
            report("chain", chain, 1, 2, size, dtypes[k], copy);
            report("gelu", gelu, 1, 2, size, dtypes[k], copy);
            report("swiglu", swiglu, 2, 3, size, dtypes[k], copy);
            report("leaky", leaky, 2, 3, size, dtypes[k], copy);
            report("scale_shift", scale_shift, 3, 2, size, dtypes[k], copy);
            report("adam", adam, 4, 7, size, dtypes[k], copy);
        }
    latency("chain", chain, 1);
    latency("adam", adam, 4);
    mx_shutdown();
    return 0;
}
