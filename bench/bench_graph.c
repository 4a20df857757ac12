/* What the graph itself costs: nanoseconds to build a node, to evaluate one, and to release it. Figures are
 * medians of runs; the target for building is below 300 ns. */
#include "base/clock.h"
#include "mx.h"

#include <stdio.h>
#include <stdlib.h>

enum { RUNS = 31, NODES = 20000 };

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

/* Nanoseconds of one operation on one element from end to end: made, evaluated, let go. */
static double one_operation(mlx_array one)
{
    double times[RUNS];
    mlx_array slot = MX_NULL;
    for (int r = 0; r < RUNS; r++) {
        double start = clock_seconds();
        for (int i = 0; i < NODES; i++) {
            size_t mark = mx_mark();
            mx_set(&slot, mx_add(one, one));
            mx_release(mark);
            mx_eval(slot);
        }
        times[r] = (clock_seconds() - start) / NODES * 1e9;
    }
    mlx_array_free(slot);
    return median(times);
}

int main(void)
{
    double build[RUNS], eval[RUNS], drop[RUNS];
    float data[4] = {1, 2, 3, 4};
    mlx_array x = MX_NULL, one = MX_NULL, slot = MX_NULL;
    mx_set(&x, mx_from(data, SHAPE(2, 2), MLX_FLOAT32));
    mx_set(&one, mx_float(1, MLX_FLOAT32));
    for (int r = 0; r < RUNS; r++) {
        double t0 = clock_seconds();
        mlx_array y = x;
        for (int i = 0; i < NODES; i += 4)
            y = mx_add(mx_reshape(mx_transpose(mx_multiply(y, one), SHAPE(1, 0)), SHAPE(2, 2)), one);
        double t1 = clock_seconds();
        mx_set(&slot, y);
        mx_release(0);
        double t2 = clock_seconds();
        if (mx_eval(slot)) {
            mx_failed();
            fprintf(stderr, "%s\n", mx_error_text());
            return 1;
        }
        double t3 = clock_seconds();
        build[r] = (t1 - t0) / NODES * 1e9;
        drop[r] = (t2 - t1) / NODES * 1e9;
        eval[r] = (t3 - t2) / NODES * 1e9;
    }
    printf("graph: build %.0f ns a node, release of temporaries %.0f ns, evaluation of a 2x2 node %.0f ns "
           "(isa %s)\n",
           median(build), median(drop), median(eval), mx_cpu_isa());
    printf("graph: an addition of one element, made, evaluated and let go: %.0f ns (target 1500)\n",
           one_operation(one));
    mlx_array_free(slot);
    mlx_array_free(x);
    mlx_array_free(one);
    mx_shutdown();
    return 0;
}
