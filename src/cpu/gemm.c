/* Dense products: which way to go, how to cut the work into pieces, and who does which piece.
 *
 *   - dot: few rows of a, rows of b^T contiguous (a weight). Weights straight from where they are, each read
 * once.
 *   - axpy: few rows of a, rows of b contiguous. The same, by columns.
 *   - packed (below): anything else.
 *
 * A product with few columns but many rows is turned round first (c^T = b^T a^T). In all of them a thread
 * owns a range of columns of c (the packed path: a rectangle), and every element is one sum over k in a fixed
 * order, so results do not depend on the number of threads.
 *
 * Packed: rows of a are taken CHUNK at a time and packed by all threads together into panels of mr lanes
 * (every block of k). Then each thread walks its rectangle, NC columns at a time: for KC of k, for each nr
 * columns, it packs one panel of b, which stays in the first-level cache while all of the chunk's rows
 * (second level) pass by it in the register tile. Packing into so small a place is three times as fast as
 * packing a large block of b, which pays for doing it again for each chunk. Sums stay in float32 scratch
 * until k is done: rows of c are often a power of two apart, so that they would push each other out of the
 * cache. */
#include "cpu/gemm.h"

#include "base/error.h"
#include "base/mem.h"
#include "cpu/kernels.h"
#include "cpu/pool.h"

#include <string.h>

enum {
    DOT_ROWS = GEMM_FEW_ROWS, /* rows of a up to which dot beats packing */
    AXPY_ROWS = 8,            /* and axpy */
    BLOCK = 64,               /* weight rows a dot call, */
    AXPY_BLOCK = 512,         /* columns an axpy call: their sums stay in the first-level cache */
    CHUNK = 480,              /* rows of a packed at a time */
    KC = 256,                 /* KC x nr floats: first-level cache */
    NC = 256,                 /* CHUNK x (KC + NC) floats: second-level cache */
    GRAIN = 1 << 15           /* multiply-adds that are worth a thread */
};

typedef struct job {
    const gemm_kernels *t;
    size_t m, n, k;
    gemm_matrix a, b;
    int a_slot, b_slot, c_slot;
    char *c;
    size_t c_rs, c_cs;
    const float *x; /* a as float32: rows ldx apart (few rows), or packed */
    size_t ldx;
    /* the packed path */
    size_t row, rows, padded; /* this chunk: first row, number, and rounded up to whole panels */
    size_t grid_rows, grid_columns;
    float *pack_a, *pack_b; /* pack_b: of all rectangles, each followed by its sums */
    size_t pack_b_size, sums_size;
} job;

static size_t min(size_t a, size_t b) { return a < b ? a : b; }
static size_t round_up(size_t x, size_t to) { return (x + to - 1) / to * to; }
static size_t element_size(mlx_dtype t) { return mx_dtype_size(t); }

static const void *at(const gemm_matrix *x, size_t i, size_t j)
{
    return (const char *)x->data +
           ((int64_t)i * x->rs + (int64_t)j * x->cs) * (int64_t)element_size(x->dtype);
}

/* Stores n sums as row i of c from column j on. */
static void store(const job *g, size_t i, size_t j, const float *sums, size_t n)
{
    size_t size = g->c_slot == 0 ? 4 : 2;
    char *y = g->c + (i * g->c_rs + j * g->c_cs) * size;
    if (g->c_cs == 1) {
        g->t->narrow[g->c_slot](sums, n, y);
        return;
    }
    for (size_t p = 0; p < n; p++)
        g->t->narrow[g->c_slot](sums + p, 1, y + p * g->c_cs * size);
}

/* --- few rows --- */

static void dot_range(void *arg, size_t begin, size_t end)
{
    const job *g = arg;
    float sums[DOT_ROWS * BLOCK];
    for (size_t j = begin; j < end; j += BLOCK) {
        size_t n = min(BLOCK, end - j);
        g->t->dot[g->b_slot](g->k, at(&g->b, 0, j), g->b.cs, n, g->x, g->ldx, g->m, sums, BLOCK);
        for (size_t i = 0; i < g->m; i++)
            store(g, i, j, sums + i * BLOCK, n);
    }
}

static void axpy_range(void *arg, size_t begin, size_t end)
{
    const job *g = arg;
    float sums[AXPY_ROWS * AXPY_BLOCK];
    for (size_t j = begin; j < end; j += AXPY_BLOCK) {
        size_t n = min(AXPY_BLOCK, end - j);
        memset(sums, 0, sizeof sums);
        g->t->axpy[g->b_slot](g->k, at(&g->b, 0, j), g->b.rs, n, g->x, g->ldx, g->m, sums, AXPY_BLOCK);
        for (size_t i = 0; i < g->m; i++)
            store(g, i, j, sums + i * AXPY_BLOCK, n);
    }
}

/* The columns of c that keep a thread busy long enough, in whole vectors. */
static size_t grain(const job *g) { return round_up(GRAIN / (g->k * g->m) + 1, 16); }

static int few_rows(job *g, void (*range)(void *, size_t, size_t))
{
    float *copy = NULL;
    if (g->a_slot == 0 && (g->a.cs == 1 || g->k == 1) && g->a.rs >= 0) {
        g->x = g->a.data;
        g->ldx = (size_t)g->a.rs;
    } else {
        size_t count;
        copy = mem_mul(g->m, g->k, &count) ? mem_alloc(count, sizeof *copy) : NULL;
        if (!copy)
            return -1;
        for (size_t i = 0; i < g->m; i++)
            g->t->widen[g->a_slot](at(&g->a, i, 0), g->a.cs, g->k, copy + i * g->k);
        g->x = copy;
        g->ldx = g->k;
    }
    pool_for(g->n, grain(g), range, g);
    mem_free(copy);
    return 0;
}

/* --- packed --- */

/* Packs panels [begin, end) of the chunk's rows: block p of k lies at pack_a + p * padded. */
static void pack_rows(void *arg, size_t begin, size_t end)
{
    const job *g = arg;
    size_t mr = g->t->mr;
    for (size_t i = begin * mr; i < end * mr; i += mr)
        for (size_t p = 0; p < g->k; p += KC) {
            size_t kc = min(KC, g->k - p);
            g->t->panel[g->a_slot](at(&g->a, g->row + i, p), g->a.rs, g->a.cs, min(mr, g->rows - i), kc, mr,
                                   g->pack_a + p * g->padded + i * kc);
        }
}

/* Where sums go: c itself, or scratch to be stored when they are complete. */
typedef struct target {
    float *sums;
    size_t ld;
} target;

/* Rows [r0, r1) of the chunk times columns [j0, j1) of b, sums to y, which begins at (r0, j0). */
static void multiply_columns(const job *g, size_t r0, size_t r1, size_t j0, size_t j1, float *pack_b,
                             float *y, size_t ldy)
{
    size_t mr = g->t->mr, nr = g->t->nr;
    for (size_t p = 0; p < g->k; p += KC) {
        size_t kc = min(KC, g->k - p);
        for (size_t j = j0; j < j1; j += nr) {
            size_t columns = min(nr, j1 - j);
            g->t->panel[g->b_slot](at(&g->b, p, j), g->b.cs, g->b.rs, columns, kc, nr, pack_b);
            for (size_t i = r0; i < r1; i += mr)
                g->t->tile(min(mr, r1 - i), columns, kc, g->pack_a + p * g->padded + i * kc, pack_b,
                           y + (i - r0) * ldy + (j - j0), ldy, p > 0);
        }
    }
}

/* Rectangle t of the grid. */
static void multiply_rectangle(const job *g, size_t t)
{
    size_t mr = g->t->mr, nr = g->t->nr;
    size_t row = t / g->grid_columns, column = t % g->grid_columns;
    size_t row_panels = g->padded / mr, column_panels = (g->n + nr - 1) / nr;
    size_t r0 = row_panels * row / g->grid_rows * mr, r1 = row_panels * (row + 1) / g->grid_rows * mr;
    size_t c0 = column_panels * column / g->grid_columns * nr,
           c1 = column_panels * (column + 1) / g->grid_columns * nr;
    float *pack_b = g->pack_b + t * (g->pack_b_size + g->sums_size), *sums = pack_b + g->pack_b_size;
    r1 = min(r1, g->rows);
    c1 = min(c1, g->n);
    for (size_t j = c0; j < c1; j += NC) {
        size_t nc = min(NC, c1 - j);
        multiply_columns(g, r0, r1, j, j + nc, pack_b, sums, nc);
        for (size_t i = r0; i < r1; i++)
            store(g, g->row + i, j, sums + (i - r0) * nc, nc);
    }
}

static void multiply(void *arg, size_t begin, size_t end)
{
    for (size_t t = begin; t < end; t++)
        multiply_rectangle(arg, t);
}

/* As many columns as there are threads, while each gets four panels; then rows. Fills in the scratch sizes.
 */
static void choose_grid(job *g, size_t chunk)
{
    size_t columns = (g->n + g->t->nr - 1) / g->t->nr, rows = chunk / g->t->mr;
    size_t work = g->n * chunk / 4 * g->k / (GRAIN / 4), threads = (size_t)pool_threads();
    threads = min(threads, work ? work : 1);
    g->grid_columns = min(threads, (columns + 3) / 4);
    g->grid_rows = min(threads / g->grid_columns, (rows + 3) / 4);
    g->pack_b_size = g->t->nr * min(KC, g->k);
    g->sums_size = min(NC, g->n) * (rows / g->grid_rows + 1) * g->t->mr;
}

static int packed(job *g)
{
    size_t mr = g->t->mr, chunks = (g->m + CHUNK - 1) / CHUNK,
           chunk = round_up((g->m + chunks - 1) / chunks, mr);
    size_t a_size, threads, bytes;
    choose_grid(g, chunk);
    threads = g->grid_rows * g->grid_columns; /* each has its scratch */
    if (!mem_mul(chunk, g->k, &a_size) ||
        !mem_add(a_size, threads * (g->pack_b_size + g->sums_size), &bytes) ||
        !mem_mul(bytes, sizeof(float), &bytes))
        bytes = SIZE_MAX / 2;
    g->pack_a = mem_aligned(64, bytes);
    if (!g->pack_a)
        return -1;
    g->pack_b = g->pack_a + a_size;
    for (g->row = 0; g->row < g->m; g->row += chunk) {
        g->rows = min(chunk, g->m - g->row);
        g->padded = round_up(g->rows, mr);
        pool_for(g->padded / mr, GRAIN / (g->k * mr) + 1, pack_rows, g);
        pool_for(threads, 1, multiply, g);
    }
    mem_free(g->pack_a);
    return 0;
}

/* --- the door --- */

static void zero(const job *g, size_t size)
{
    for (size_t i = 0; i < g->m; i++)
        memset(g->c + i * g->c_rs * size, 0, g->n * size);
}

/* c^T = b^T a^T */
static void turn(job *g)
{
    gemm_matrix a = g->a;
    g->a = (gemm_matrix){g->b.data, g->b.dtype, g->b.cs, g->b.rs};
    g->b = (gemm_matrix){a.data, a.dtype, a.cs, a.rs};
    size_t m = g->m, rs = g->c_rs;
    int slot = g->a_slot;
    g->m = g->n, g->n = m;
    g->c_rs = g->c_cs, g->c_cs = rs;
    g->a_slot = g->b_slot, g->b_slot = slot;
}

int cpu_gemm_with(const gemm_kernels *t, size_t m, size_t n, size_t k, gemm_matrix a, gemm_matrix b, void *c,
                  mlx_dtype c_dtype, size_t ldc)
{
    job g = {.t = t, .m = m, .n = n, .k = k, .a = a, .b = b, .c = c, .c_rs = ldc, .c_cs = 1};
    if (m == 0 || n == 0)
        return 0;
    if (k == 0) {
        zero(&g, element_size(c_dtype));
        return 0;
    }
    if (a.dtype == b.dtype && a.dtype == c_dtype && c_dtype == MLX_FLOAT64)
        return cpu_gemm_f64(t, m, n, k, a, b, c, ldc);
    if (a.dtype == b.dtype && a.dtype == c_dtype && c_dtype == MLX_COMPLEX64)
        return cpu_gemm_complex(t, m, n, k, a, b, c, ldc);
    g.a_slot = norm_slot(a.dtype);
    g.b_slot = norm_slot(b.dtype);
    g.c_slot = norm_slot(c_dtype);
    if (g.a_slot < 0 || g.b_slot < 0 || g.c_slot < 0)
        return error_set("gemm: dtypes must be float32, float16 or bfloat16, or all float64 or complex64; "
                         "convert first");
    if (n < m && n <= AXPY_ROWS)
        turn(&g);
    if (g.m <= DOT_ROWS && g.b.rs == 1)
        return few_rows(&g, dot_range);
    if (g.m <= AXPY_ROWS && g.b.cs == 1)
        return few_rows(&g, axpy_range);
    if (t->pairs && g.a.dtype == MLX_BFLOAT16 && g.b.dtype == MLX_BFLOAT16)
        return cpu_gemm_bf16(t, g.m, g.n, g.k, g.a, g.b, c, g.c_slot, g.c_rs, g.c_cs);
    return packed(&g);
}

int cpu_gemm(size_t m, size_t n, size_t k, gemm_matrix a, gemm_matrix b, void *c, mlx_dtype c_dtype,
             size_t ldc)
{
    return cpu_gemm_with(&cpu_kernels_get()->gemm, m, n, k, a, b, c, c_dtype, ldc);
}
