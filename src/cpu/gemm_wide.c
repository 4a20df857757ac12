/* Dense products of 8-byte numbers.
 *
 * float64: both operands are packed, KC of k at a time, into panels as wide as the register tile; the tiles
 * of c are shared out. A single row needs no packing where rows or columns of b are contiguous.
 *
 * complex64 is a real product: a row of a, as it lies in memory, is a row of 2 k floats (re, im, re, im ..),
 * and meets a matrix of 2 k by 2 n floats that has for each element x + iy of b the block (x y; -y x). */
#include "cpu/gemm.h"

#include "base/mem.h"
#include "cpu/pool.h"

#include <string.h>

enum { KC = 256, ROWS = 96, GRAIN = 1 << 15 };

typedef struct wide {
    const gemm_kernels *t;
    size_t m, n, k;
    gemm_matrix a, b;
    double *c;
    size_t ldc;
    size_t mr, nr, first, kc; /* the block of k at hand */
    size_t row_chunks;
    double *pack_a, *pack_b;
} wide;

static size_t min(size_t a, size_t b) { return a < b ? a : b; }

/* `lanes` lanes of x, kc steps each, into a panel of `width`, the others zero. Memory is read along lines:
 * lanes that lie side by side a step at a time, others STEPS steps of each lane, since neighbours of a column
 * are often a power of two apart and would push each other out of the cache. */
static void pack(const double *x, int64_t lane_stride, int64_t k_stride, size_t lanes, size_t width,
                 size_t kc, double *out)
{
    enum { STEPS = 8 };
    if (lanes < width)
        memset(out, 0, kc * width * sizeof *out);
    for (size_t p = 0; lane_stride == 1 && p < kc; p++)
        memcpy(out + p * width, x + (int64_t)p * k_stride, lanes * sizeof *out);
    for (size_t p = 0; lane_stride != 1 && p < kc; p += STEPS) {
        size_t end = min(p + STEPS, kc);
        for (size_t i = 0; i < lanes; i++)
            for (size_t q = p; q < end; q++)
                out[q * width + i] = x[(int64_t)i * lane_stride + (int64_t)q * k_stride];
    }
}

static void pack_rows(void *arg, size_t begin, size_t end)
{
    const wide *g = arg;
    const double *a = (const double *)g->a.data + (int64_t)g->first * g->a.cs;
    for (size_t i = begin; i < end; i++)
        pack(a + (int64_t)(i * g->mr) * g->a.rs, g->a.rs, g->a.cs, min(g->mr, g->m - i * g->mr), g->mr, g->kc,
             g->pack_a + i * g->mr * g->kc);
}

static void pack_columns(void *arg, size_t begin, size_t end)
{
    const wide *g = arg;
    const double *b = (const double *)g->b.data + (int64_t)g->first * g->b.rs;
    for (size_t i = begin; i < end; i++)
        pack(b + (int64_t)(i * g->nr) * g->b.cs, g->b.cs, g->b.rs, min(g->nr, g->n - i * g->nr), g->nr, g->kc,
             g->pack_b + i * g->nr * g->kc);
}

/* A unit is a panel of b by ROWS rows. */
static void multiply(void *arg, size_t begin, size_t end)
{
    const wide *g = arg;
    for (size_t u = begin; u < end; u++) {
        size_t j = u / g->row_chunks * g->nr, first = u % g->row_chunks * (ROWS / g->mr * g->mr);
        size_t last = min(g->m, first + ROWS / g->mr * g->mr);
        for (size_t i = first; i < last; i += g->mr)
            g->t->tile_f64(min(g->mr, g->m - i), min(g->nr, g->n - j), g->kc, g->pack_a + i * g->kc,
                           g->pack_b + j * g->kc, g->c + i * g->ldc + j, g->ldc, g->first > 0);
    }
}

static void one_row(void *arg, size_t begin, size_t end)
{
    const wide *g = arg;
    const double *a = g->a.data, *b = g->b.data;
    if (g->b.cs == 1)
        memset(g->c + begin, 0, (end - begin) * sizeof *g->c);
    for (size_t p = 0; g->b.cs == 1 && p < g->k; p++)
        g->t->axpy_f64(a[(int64_t)p * g->a.cs], b + (int64_t)p * g->b.rs + begin, end - begin, g->c + begin);
    for (size_t j = begin; g->b.cs != 1 && j < end; j++)
        g->c[j] = g->t->dot_f64(a, b + (int64_t)j * g->b.cs, g->k);
}

int cpu_gemm_f64(const gemm_kernels *t, size_t m, size_t n, size_t k, gemm_matrix a, gemm_matrix b, double *c,
                 size_t ldc)
{
    wide g = {
        .t = t, .m = m, .n = n, .k = k, .a = a, .b = b, .c = c, .ldc = ldc, .mr = t->mr, .nr = t->nr / 2};
    size_t panels_a = (m + g.mr - 1) / g.mr, panels_b = (n + g.nr - 1) / g.nr, kc = min(k, KC), lanes, size;
    if (m == 1 && (b.cs == 1 || (b.rs == 1 && a.cs == 1))) {
        pool_for(n, GRAIN / k + 1, one_row, &g);
        return 0;
    }
    if (!mem_add(panels_a * g.mr, panels_b * g.nr, &lanes) || !mem_mul(lanes, kc * sizeof(double), &size))
        size = SIZE_MAX / 2;
    g.pack_a = mem_aligned(64, size);
    if (!g.pack_a)
        return -1;
    g.row_chunks = (m + ROWS / g.mr * g.mr - 1) / (ROWS / g.mr * g.mr);
    for (g.first = 0; g.first < k; g.first += KC) {
        g.kc = min(KC, k - g.first);
        g.pack_b = g.pack_a + panels_a * g.mr * g.kc;
        pool_for(panels_a, GRAIN / (g.kc * g.mr) + 1, pack_rows, &g);
        pool_for(panels_b, GRAIN / (g.kc * g.nr) + 1, pack_columns, &g);
        pool_for(panels_b * g.row_chunks, GRAIN / (g.kc * g.nr * min(m, ROWS)) + 1, multiply, &g);
    }
    mem_free(g.pack_a);
    return 0;
}

/* --- complex --- */

static const float *element(const gemm_matrix *x, size_t i, size_t j)
{
    return (const float *)x->data + 2 * ((int64_t)i * x->rs + (int64_t)j * x->cs);
}

/* b as a real matrix of (2 k, 2 n). */
static void expand(const gemm_matrix *b, size_t k, size_t n, float *out)
{
    for (size_t p = 0; p < k; p++)
        for (size_t j = 0; j < n; j++) {
            const float *z = element(b, p, j);
            float *first = out + 4 * p * n + 2 * j, *second = first + 2 * n;
            first[0] = z[0], first[1] = z[1];
            second[0] = -z[1], second[1] = z[0];
        }
}

static void copy_dense(const gemm_matrix *a, size_t m, size_t k, float *out)
{
    for (size_t i = 0; i < m; i++)
        for (size_t p = 0; p < k; p++, out += 2)
            memcpy(out, element(a, i, p), 2 * sizeof *out);
}

int cpu_gemm_complex(const gemm_kernels *t, size_t m, size_t n, size_t k, gemm_matrix a, gemm_matrix b,
                     void *c, size_t ldc)
{
    bool copied = a.cs != 1 && k > 1;
    size_t b_size, a_size, size;
    bool fits = mem_mul(k, 4 * n, &b_size) && mem_mul(m, 2 * k, &a_size) &&
                mem_add(b_size, copied ? a_size : 0, &size) && size <= SIZE_MAX / 8;
    float *b2 = mem_alloc(fits ? size : SIZE_MAX / 8, sizeof *b2);
    if (!b2)
        return -1;
    expand(&b, k, n, b2);
    gemm_matrix left = {a.data, MLX_FLOAT32, 2 * a.rs, 1}, right = {b2, MLX_FLOAT32, (int64_t)(2 * n), 1};
    if (copied) {
        copy_dense(&a, m, k, b2 + b_size);
        left = (gemm_matrix){b2 + b_size, MLX_FLOAT32, (int64_t)(2 * k), 1};
    }
    int rc = cpu_gemm_with(t, m, 2 * n, 2 * k, left, right, c, MLX_FLOAT32, 2 * ldc);
    mem_free(b2);
    return rc;
}
