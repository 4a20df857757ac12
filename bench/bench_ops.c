/* Every kind of operation against NumPy: at a side that fits the caches and at one that does not, with one
 * thread and with two.
 *
 *   bench_ops [NAME | SIDE ...]      default: all; names and sides select what runs, so that it goes in
 * pieces
 *
 * NumPy runs in a child process (ops_numpy.py), asked for one measurement at a time between ours, so that
 * other jobs on the machine disturb both alike. Times are medians; a ratio above 1 says that we are faster,
 * with two threads. The last lines are the geometric mean of the ratios and the lowest ones. */
#include "base/clock.h"
#include "mx.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 15, FEWEST = 5, CACHED = 256, MIDDLE = 1024, LARGE = 4096 };
#define ROUND_SECONDS 1.0 /* of one operation at one side; FEWEST rounds however long they take */

/* The arrays of one side n. */
static struct made {
    mlx_array x, y, row, i, j, at, image, filters, signal, taps, many, values, x64, y64;
} m;

static mlx_array add(void) { return mx_add(m.x, m.y); }
static mlx_array multiply(void) { return mx_multiply(m.x, m.y); }
static mlx_array exponential(void) { return mx_exp(m.x); }
static mlx_array tangent(void) { return mx_tanh(m.x); }
static mlx_array where(void) { return mx_where(mx_greater(m.x, m.y), m.x, m.y); }
static mlx_array broadcast(void) { return mx_add(m.x, m.row); }
static mlx_array int_divide(void) { return mx_floor_divide(m.i, m.j); }
static mlx_array sum_rows(void) { return mx_sum(m.x, SHAPE(1), false); }
static mlx_array sum_columns(void) { return mx_sum(m.x, SHAPE(0), false); }
static mlx_array sum_all(void) { return mx_sum(m.x, SHAPE(0, 1), false); }
static mlx_array max_rows(void) { return mx_max(m.x, SHAPE(1), false); }
static mlx_array argmax_rows(void) { return mx_argmax(m.x, 1, false); }
static mlx_array argmax_columns(void) { return mx_argmax(m.x, 0, false); }
static mlx_array softmax(void) { return mx_softmax(m.x, -1); }
static mlx_array cumsum(void) { return mx_cumsum(m.x, -1, false, true); }
static mlx_array sort(void) { return mx_sort(m.x, -1); }
static mlx_array sort_64(void) { return mx_sort(mx_reshape(m.x, SHAPE(-1, 64)), -1); }
static mlx_array argsort(void) { return mx_argsort(m.x, -1); }
static mlx_array take(void) { return mx_take(m.x, m.at, 0); }
static mlx_array gather(void) { return mx_take_along_axis(m.x, m.i, -1); }
static mlx_array concatenate(void) { return mx_concatenate((mlx_array[]){m.x, m.y}, 2, -1); }
static mlx_array transpose(void) { return mx_contiguous(mx_swapaxes(m.x, 0, 1)); }
static mlx_array conv2d(void) { return mx_conv2d(m.image, m.filters, 1, 1, 0, 0, 1, 1, 1); }
static mlx_array conv1d(void) { return mx_conv1d(m.signal, m.taps, 1, 0, 1, 1); }
static mlx_array scatter(void) { return mx_scatter(m.row, &m.many, 1, m.values, (const int[]){0}); }
static mlx_array put_along(void) { return mx_put_along_axis(m.x, m.i, m.y, -1); }
static mlx_array fourier(void) { return mx_fft_fft(m.x, mx_dim(m.x, -1), -1, MX_FFT_BACKWARD); }
static mlx_array matmul(void) { return mx_matmul(m.x, m.y); }
static mlx_array matmul_f64(void) { return mx_matmul(m.x64, m.y64); }

static const struct op {
    const char *name;
    mlx_array (*fn)(void);
    int large; /* the larger side */
} ops[] = {
    {"add", add, LARGE},
    {"multiply", multiply, LARGE},
    {"exp", exponential, LARGE},
    {"tanh", tangent, LARGE},
    {"where", where, LARGE},
    {"broadcast", broadcast, LARGE},
    {"int_divide", int_divide, LARGE},
    {"sum_rows", sum_rows, LARGE},
    {"sum_columns", sum_columns, LARGE},
    {"sum_all", sum_all, LARGE},
    {"max_rows", max_rows, LARGE},
    {"argmax_rows", argmax_rows, LARGE},
    {"argmax_columns", argmax_columns, LARGE},
    {"softmax", softmax, LARGE},
    {"cumsum", cumsum, LARGE},
    {"concatenate", concatenate, LARGE},
    {"transpose", transpose, LARGE},
    {"take", take, LARGE},
    {"gather", gather, MIDDLE},
    {"sort", sort, MIDDLE},
    {"sort_64", sort_64, MIDDLE},
    {"argsort", argsort, MIDDLE},
    {"scatter", scatter, MIDDLE},
    {"put_along", put_along, MIDDLE},
    {"conv1d", conv1d, MIDDLE},
    {"conv2d", conv2d, MIDDLE},
    {"fft", fourier, MIDDLE},
    {"matmul", matmul, MIDDLE},
    {"matmul_f64", matmul_f64, MIDDLE},
};

static void fail(void)
{
    mx_failed();
    fprintf(stderr, "%s\n", mx_error_text());
    exit(1);
}

static mlx_array normal(const int *shape, size_t n, uint64_t seed)
{
    return mx_random_normal(shape, n, MLX_FLOAT32, 0, 1, mx_random_key(seed));
}

static void make(int n)
{
    mx_release(0);
    mlx_array index = mx_arange(0, (double)n * n, 1, MLX_INT32), size = mx_int(n, MLX_INT32);
    mlx_array mixed = mx_abs(mx_multiply(index, mx_int(40503, MLX_INT32)));
    m.x = normal(SHAPE(n, n), 1);
    m.y = normal(SHAPE(n, n), 2);
    m.row = normal(SHAPE(n), 3);
    m.i = mx_reshape(mx_remainder(mixed, size), SHAPE(n, n));
    m.j = mx_add(m.i, mx_int(1, MLX_INT32));
    m.at = mx_remainder(mx_multiply(mx_arange(0, n, 1, MLX_INT32), mx_int(37, MLX_INT32)), size);
    m.image = normal(SHAPE(1, n / 4, n / 4, 16), 4);
    m.filters = normal(SHAPE(16, 3, 3, 16), 5);
    m.signal = normal(SHAPE(1, 16 * n, 16), 8);
    m.taps = normal(SHAPE(16, 9, 16), 9);
    m.many = mx_flatten(m.i, 0, -1);
    m.values = mx_reshape(m.y, SHAPE(-1, 1));
    int side64 = n <= MIDDLE ? n : 1;
    m.x64 = mx_astype(normal(SHAPE(side64, side64), 6), MLX_FLOAT64);
    m.y64 = mx_astype(normal(SHAPE(side64, side64), 7), MLX_FLOAT64);
    if (mx_eval_all((mlx_array *)&m, sizeof m / sizeof(mlx_array)))
        fail();
}

/* Seconds of one call; the result is thrown away between calls, as NumPy's is. */
static double ours(const struct op *op, int side, int threads)
{
    int repeat = side <= CACHED ? 32 : 1;
    double start = 0;
    mx_set_threads(threads);
    for (int r = -1; r < repeat; r++) {
        size_t mark = mx_mark();
        start = r == 0 ? clock_seconds() : start;
        if (mx_eval(op->fn()))
            fail();
        mx_release(mark);
    }
    return (clock_seconds() - start) / repeat;
}

/* --- the child --- */

static FILE *ask, *answer;
static pid_t child;

static void start_reference(const char *script)
{
    char line[64];
    int to[2], from[2];
    if (pipe(to) || pipe(from))
        return;
    child = fork();
    if (child == 0) {
        dup2(to[0], 0);
        dup2(from[1], 1);
        close(to[1]);
        close(from[0]);
        unsetenv("OPENBLAS_CORETYPE"); /* its choice for the machine */
        execl(script, script, (char *)NULL);
        _exit(1);
    }
    close(to[0]);
    close(from[1]);
    ask = fdopen(to[1], "w");
    answer = fdopen(from[0], "r");
    if (!answer || !fgets(line, sizeof line, answer)) {
        printf("no reference: %s does not run, or NumPy is not installed\n", script);
        ask = NULL;
    }
}

static double reference(const struct op *op, int side)
{
    char line[64];
    if (!ask || fprintf(ask, "%s %d\n", op->name, side) < 0 || fflush(ask) ||
        !fgets(line, sizeof line, answer))
        return NAN;
    return strtod(line, NULL);
}

/* --- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *times, int n)
{
    qsort(times, (size_t)n, sizeof *times, compare);
    return times[n / 2];
}

static double report(const struct op *op, int side)
{
    double times[3][ROUNDS], start = clock_seconds();
    int n = 0;
    for (; n < ROUNDS && (n < FEWEST || clock_seconds() - start < ROUND_SECONDS); n++) {
        times[0][n] = ours(op, side, 1);
        times[1][n] = ours(op, side, 2);
        times[2][n] = reference(op, side);
    }
    double one = median(times[0], n), two = median(times[1], n), theirs = median(times[2], n);
    printf("%-15s %5d: 1 thread %9.3f ms, 2 threads %9.3f ms, NumPy %9.3f ms, ratio %6.2f\n", op->name, side,
           one * 1e3, two * 1e3, theirs * 1e3, theirs / two);
    fflush(stdout);
    return theirs / two;
}

/* --- */

/* Do the arguments ask for this? Names and sides are chosen apart; none of a kind chooses all. */
static bool chosen(char **args, int n, const char *name)
{
    bool number = name[0] >= '0' && name[0] <= '9', others = false;
    for (int i = 0; i < n; i++) {
        if (strcmp(args[i], name) == 0)
            return true;
        others |= number == (args[i][0] >= '0' && args[i][0] <= '9');
    }
    return !others;
}

static bool chosen_side(char **args, int n, int side)
{
    char text[16];
    snprintf(text, sizeof text, "%d", side);
    return chosen(args, n, text);
}

typedef struct result {
    const char *name;
    int side;
    double ratio;
} result;

static int compare_results(const void *a, const void *b)
{
    return compare(&((const result *)a)->ratio, &((const result *)b)->ratio);
}

static void summary(result *r, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += log(r[i].ratio);
    qsort(r, n, sizeof *r, compare_results);
    printf("geometric mean of %zu ratios: %.2f\nlowest:", n, exp(sum / (double)n));
    for (size_t i = 0; i < n && i < 5; i++)
        printf(" %s %d %.2f%s", r[i].name, r[i].side, r[i].ratio, i + 1 < n && i < 4 ? "," : "\n");
}

int main(int argc, char **argv)
{
    static const int sides[] = {CACHED, MIDDLE, LARGE};
    static result results[2 * sizeof ops / sizeof *ops];
    size_t count = 0;
    start_reference(SOURCE_DIR "/bench/ops_numpy.py");
    for (size_t s = 0; s < sizeof sides / sizeof *sides; s++) {
        if (!chosen_side(argv + 1, argc - 1, sides[s]))
            continue;
        make(sides[s]);
        for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
            if ((sides[s] == CACHED || sides[s] == ops[i].large) && chosen(argv + 1, argc - 1, ops[i].name))
                results[count++] = (result){ops[i].name, sides[s], report(&ops[i], sides[s])};
    }
    if (count)
        summary(results, count);
    if (ask)
        fclose(ask);
    waitpid(child, NULL, 0);
    mx_release(0);
    mx_shutdown();
    return 0;
}
