/* The fast Hadamard transform of rows.
 *
 * A size of m * 2^k is the Kronecker product of a matrix of m with Sylvester's of 2^k. The latter is k rounds
 * of sums and differences; the former is applied to every 2^k-th element. The matrices of 12, 20 and 28 are
 * built when they are needed: 12 by Paley's second construction from the squares modulo 5, 20 and 28 by
 * Williamson's from four symmetric circulant matrices of 5 and 7. */
#include "base/mem.h"
#include "cpu/eval.h"
#include "cpu/pool.h"
#include "cpu/walk.h"

#include <string.h>

enum { MOST = 28 };

typedef struct hadamard {
    const elementwise_kernels *kernels;
    mlx_dtype dtype;
    size_t length, power, m; /* length = m * power */
    double scale;
    int8_t matrix[MOST][MOST];
    char *data;
    size_t rows;
    char *scratch; /* a row of floats for each thread */
} hadamard;

/* Blocks of two: (+ +; + -) times a sign off the diagonal, (+ -; - -) on it. */
static void paley(hadamard *h)
{
    static const int8_t residue[5] = {0, 1, -1, -1, 1};
    for (int i = 0; i < 12; i++)
        for (int j = 0; j < 12; j++) {
            int a = i / 2, b = j / 2;
            int sign = a == 0 || b == 0 ? 1 : residue[(a - b + 5) % 5];
            int off = i % 2 && j % 2 ? -sign : sign, on = i % 2 || j % 2 ? -1 : 1;
            h->matrix[i][j] = (int8_t)(a == b ? on : off);
        }
}

/* (A B C D; -B A -D C; -C D A -B; -D -C B A) of circulants of odd size q, given by their first rows. */
static void williamson(hadamard *h, const char *const rows[4], int q)
{
    static const int8_t which[4][4] = {{0, 1, 2, 3}, {1, 0, 3, 2}, {2, 3, 0, 1}, {3, 2, 1, 0}};
    static const int8_t sign[4][4] = {{1, 1, 1, 1}, {-1, 1, -1, 1}, {-1, 1, 1, -1}, {-1, -1, 1, 1}};
    for (int i = 0; i < 4 * q; i++)
        for (int j = 0; j < 4 * q; j++) {
            int a = i / q, b = j / q;
            bool plus = rows[which[a][b]][(j % q - i % q + q) % q] == '+';
            h->matrix[i][j] = (int8_t)(plus ? sign[a][b] : -sign[a][b]);
        }
}

static void make_matrix(hadamard *h, bool transposed)
{
    static const char *const of_20[4] = {"+----", "+----", "++--+", "+-++-"};
    static const char *const of_28[4] = {"+------", "++----+", "+-+--+-", "+--++--"};
    if (h->m == 12)
        paley(h);
    else if (h->m == 20)
        williamson(h, of_20, 5);
    else if (h->m == 28)
        williamson(h, of_28, 7);
    for (size_t i = 0; transposed && i < h->m; i++)
        for (size_t j = 0; j < i; j++) {
            int8_t x = h->matrix[i][j];
            h->matrix[i][j] = h->matrix[j][i];
            h->matrix[j][i] = x;
        }
}

/* The transform of one row, for each of the two types that it is done in. */
#define TRANSFORM(T)                                                     \
    static void transform_##T(const hadamard *h, T *x)                   \
    {                                                                    \
        T column[MOST];                                                  \
        for (size_t half = 1; half < h->power; half *= 2)                \
            for (size_t i = 0; i < h->length; i += 2 * half)             \
                for (size_t j = i; j < i + half; j++) {                  \
                    T a = x[j], b = x[j + half];                         \
                    x[j] = a + b;                                        \
                    x[j + half] = a - b;                                 \
                }                                                        \
        for (size_t p = 0; h->m > 1 && p < h->power; p++) {              \
            for (size_t i = 0; i < h->m; i++)                            \
                column[i] = x[i * h->power + p];                         \
            for (size_t i = 0; i < h->m; i++) {                          \
                T sum = 0;                                               \
                for (size_t j = 0; j < h->m; j++)                        \
                    sum += h->matrix[i][j] > 0 ? column[j] : -column[j]; \
                x[i * h->power + p] = sum;                               \
            }                                                            \
        }                                                                \
        for (size_t i = 0; i < h->length; i++)                           \
            x[i] *= (T)h->scale;                                         \
    }
TRANSFORM(float)
TRANSFORM(double)

/* The thread's share of the rows: in place, or for the halves in its scratch. */
static void transform_rows(void *arg, int thread, int threads)
{
    const hadamard *h = arg;
    size_t size = mx_dtype_size(h->dtype), count = h->rows;
    float *wide = (float *)(void *)h->scratch + (size_t)thread * h->length;
    for (size_t r = count * (size_t)thread / (size_t)threads;
         r < count * (size_t)(thread + 1) / (size_t)threads; r++) {
        char *x = h->data + r * h->length * size;
        if (h->dtype == MLX_FLOAT64) {
            transform_double(h, (double *)(void *)x);
        } else if (h->dtype == MLX_FLOAT32) {
            transform_float(h, (float *)(void *)x);
        } else {
            h->kernels->cast[h->dtype][MLX_FLOAT32](x, 1, wide, h->length);
            transform_float(h, wide);
            h->kernels->cast[MLX_FLOAT32][h->dtype](wide, 1, x, h->length);
        }
    }
}

int cpu_eval_hadamard(node *n)
{
    static const uint8_t first[1] = {0};
    const prim_hadamard *p = n->params;
    const node *x = n->inputs[0];
    hadamard h = {.kernels = &cpu_kernels_get()->elementwise,
                  .dtype = (mlx_dtype)n->dtype,
                  .length = (size_t)n->shape[n->ndim - 1],
                  .power = 1,
                  .scale = (double)p->scale};
    while (h.length % (2 * h.power) == 0)
        h.power *= 2;
    h.m = h.length / h.power;
    if (h.m > 1)
        h.m *= 4, h.power /= 4;
    make_matrix(&h, p->transposed);
    if (node_allocate_from(n, first, 1))
        return -1;
    h.data = n->data;
    if (n->data != x->data)
        walk_copy_dense(x, n->data);
    h.rows = n->size / h.length;
    int threads = n->size < 32768 ? 1 : pool_threads();
    h.scratch = mem_aligned(64, node_itemsize(n) == 2 ? (size_t)threads * h.length * sizeof(float) : 0);
    if (!h.scratch)
        return -1;
    pool_run(transform_rows, &h, threads);
    mem_free(h.scratch);
    return 0;
}
