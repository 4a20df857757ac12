/* What sorting, choosing and drawing numbers cost: milliseconds, the best of several runs, for a million
 * float32 in rows of several lengths, and for random numbers. */
#include "base/clock.h"
#include "mx.h"

#include <stdio.h>

enum { RUNS = 9, SIZE = 1 << 20 };

static mlx_array sort(mlx_array x) { return mx_sort(x, -1); }
static mlx_array argsort(mlx_array x) { return mx_argsort(x, -1); }
static mlx_array argpartition(mlx_array x) { return mx_argpartition(x, mx_dim(x, -1) / 8, -1); }
static mlx_array take(mlx_array x) { return mx_take_along_axis(x, mx_argsort(x, -1), -1); }

static double best(mlx_array (*f)(mlx_array x), mlx_array x)
{
    double least = 1e9;
    for (int r = 0; r < RUNS; r++) {
        size_t mark = mx_mark();
        mlx_array y = f(x);
        double start = clock_seconds();
        if (mx_eval(y))
            return 0;
        double t = clock_seconds() - start;
        least = t < least ? t : least;
        mx_release(mark);
    }
    return least * 1e3;
}

static mlx_array bits(mlx_array key) { return mx_random_bits(SHAPE(SIZE), 4, key); }
static mlx_array uniform(mlx_array key) { return mx_random_uniform(0, 1, SHAPE(SIZE), MLX_FLOAT32, key); }
static mlx_array normal(mlx_array key) { return mx_random_normal(SHAPE(SIZE), MLX_FLOAT32, 0, 1, key); }

int main(void)
{
    mlx_array key = mx_random_key(1), x = mx_random_normal(SHAPE(SIZE), MLX_FLOAT32, 0, 1, key);
    printf("%d float32, %d threads, isa %s\n", SIZE, mx_threads(), mx_cpu_isa());
    for (int length = 16; length <= SIZE; length *= 16) {
        mlx_array rows = mx_reshape(x, SHAPE(-1, length));
        if (mx_eval(rows))
            return 1;
        printf("rows of %7d: sort %6.2f ms, argsort %6.2f, argpartition %6.2f, argsort and take %6.2f\n",
               length, best(sort, rows), best(argsort, rows), best(argpartition, rows), best(take, rows));
    }
    printf("random bits %.2f ms, uniform %.2f, normal %.2f\n", best(bits, key), best(uniform, key),
           best(normal, key));
    mx_release(0);
    mx_shutdown();
    return 0;
}
