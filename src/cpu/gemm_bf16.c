/* Dense products of two bfloat16 matrices where the processor multiplies pairs of these, many rows.
 *
 * Rows of a are packed CHUNK at a time by all threads together, contiguous along k. A thread takes some
 * panels of GEMM_PAIRS columns of b: for STRETCH of k, for each panel, it packs that piece of b, which stays
 * in the first-level cache while the chunk's rows (second level) pass by. Sums stay in float32 scratch until
 * k is done. Work is divided over outputs only, so results do not depend on the number of threads. */
#include "base/mem.h"
#include "cpu/kernels.h"
#include "cpu/pool.h"

#include <stdatomic.h>
#include <string.h>

enum {
    CHUNK = 512,     /* rows of a packed at a time */
    STRETCH = 512,   /* of k in a piece of a panel: 32 KB */
    MOST_PANELS = 8, /* in a unit of work: their sums, 512 KB, stay in the second-level cache */
    LEAST_ROWS = 64, /* that are worth packing a panel again */
    UNITS = 2,       /* of work for each thread */
    STEP = 32,       /* rows and elements of k come in multiples of it */
    BLOCK = 32       /* side of the squares in which columns become rows */
};

typedef struct job {
    const gemm_kernels *t;
    size_t m, n, k;
    gemm_matrix a, b;
    int c_slot;
    char *c;
    size_t c_rs, c_cs;
    size_t row, rows; /* the chunk */
    uint16_t *x;      /* its rows of a, `line` elements apart, zero from k on */
    size_t line;
    size_t unit_panels, unit_rows;
    char *buffers; /* each thread's panel and sums */
    size_t buffer;
    atomic_size_t next;
} job;

static size_t min(size_t a, size_t b) { return a < b ? a : b; }
static size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

static const uint16_t *at(const gemm_matrix *x, size_t i, size_t j)
{
    return (const uint16_t *)x->data + ((int64_t)i * x->rs + (int64_t)j * x->cs);
}

/* Blocks [begin, end) of the chunk's rows. */
static void pack_rows(void *arg, size_t begin, size_t end)
{
    const job *g = arg;
    const size_t first = begin * BLOCK, last = min(end * BLOCK, g->rows), padded = round_up(g->k, STEP);
    for (size_t i = first; i < last; i++) {
        uint16_t *x = g->x + i * g->line;
        if (g->a.cs == 1)
            memcpy(x, at(&g->a, g->row + i, 0), g->k * sizeof *x);
        memset(x + g->k, 0, (padded - g->k) * sizeof *x);
    }
    if (g->a.cs == 1)
        return;
    for (size_t i0 = first; i0 < last; i0 += BLOCK)
        for (size_t p0 = 0; p0 < g->k; p0 += BLOCK)
            for (size_t p = p0; p < min(p0 + BLOCK, g->k); p++)
                for (size_t i = i0; i < min(i0 + BLOCK, last); i++)
                    g->x[i * g->line + p] = *at(&g->a, g->row + i, p);
}

/* Sums of one panel to columns [column, column + n) of c. */
static void store(const job *g, const float *sums, size_t first, size_t count, size_t column, size_t n)
{
    const size_t size = g->c_slot == 0 ? 4 : 2;
    for (size_t i = 0; i < count; i++, sums += GEMM_PAIRS) {
        char *y = g->c + ((g->row + first + i) * g->c_rs + column * g->c_cs) * size;
        if (g->c_cs == 1)
            g->t->narrow[g->c_slot](sums, n, y);
        else
            for (size_t j = 0; j < n; j++)
                g->t->narrow[g->c_slot](sums + j, 1, y + j * g->c_cs * size);
    }
}

/* Columns [begin, end) by rows [first, first + count) of the chunk. */
static void unit(const job *g, size_t begin, size_t end, size_t first, size_t count, uint16_t *panel,
                 float *sums)
{
    const size_t part = round_up(count, STEP) * GEMM_PAIRS;
    memset(sums, 0, round_up(end - begin, GEMM_PAIRS) / GEMM_PAIRS * part * sizeof *sums);
    for (size_t p = 0; p < g->k; p += STRETCH) {
        const size_t k = min(STRETCH, g->k - p);
        for (size_t j = begin; j < end; j += GEMM_PAIRS) {
            g->t->pairs(at(&g->b, p, j), g->b.cs, g->b.rs, min(GEMM_PAIRS, end - j), k, panel);
            g->t->tile_bf16(panel, round_up(k, STEP), g->x + first * g->line + p, g->line, count,
                            sums + (j - begin) / GEMM_PAIRS * part);
        }
    }
    for (size_t j = begin; j < end; j += GEMM_PAIRS)
        store(g, sums + (j - begin) / GEMM_PAIRS * part, first, count, j, min(GEMM_PAIRS, end - j));
}

/* Units are handed out one by one: threads that share their core with others simply do fewer. */
static void multiply(void *arg, int thread, int threads)
{
    job *g = arg;
    const size_t wide = g->unit_panels * GEMM_PAIRS, across = (g->n + wide - 1) / wide;
    const size_t down = (g->rows + g->unit_rows - 1) / g->unit_rows;
    char *buffer = g->buffers + (size_t)thread * g->buffer;
    uint16_t *panel = (void *)buffer;
    float *sums = (void *)(buffer + STRETCH * GEMM_PAIRS * sizeof *panel);
    size_t i;
    (void)threads;
    while ((i = atomic_fetch_add_explicit(&g->next, 1, memory_order_relaxed)) < across * down) {
        size_t column = i / down * wide, first = i % down * g->unit_rows;
        unit(g, column, min(column + wide, g->n), first, min(g->unit_rows, g->rows - first), panel, sums);
    }
}

/* As large units as the caches allow, but several for each thread. Returns how many threads they keep busy.
 */
static int choose_units(job *g, size_t chunk)
{
    const size_t panels = (g->n + GEMM_PAIRS - 1) / GEMM_PAIRS, threads = (size_t)pool_threads();
    const size_t enough = threads > 1 ? UNITS * threads : 1;
    g->unit_panels = min(panels, MOST_PANELS);
    g->unit_rows = chunk;
    while (g->unit_panels > 1 && (panels + g->unit_panels - 1) / g->unit_panels < enough)
        g->unit_panels = (g->unit_panels + 1) / 2;
    size_t across = (panels + g->unit_panels - 1) / g->unit_panels;
    while (g->unit_rows > LEAST_ROWS && across * ((chunk + g->unit_rows - 1) / g->unit_rows) < enough)
        g->unit_rows = round_up((g->unit_rows + 1) / 2, STEP);
    return (int)min(threads, across * ((chunk + g->unit_rows - 1) / g->unit_rows));
}

int cpu_gemm_bf16(const gemm_kernels *t, size_t m, size_t n, size_t k, gemm_matrix a, gemm_matrix b, void *c,
                  int c_slot, size_t c_rs, size_t c_cs)
{
    job g = {.t = t, .m = m, .n = n, .k = k, .a = a, .b = b, .c = c, .c_slot = c_slot, .c_rs = c_rs};
    const size_t chunks = (m + CHUNK - 1) / CHUNK, chunk = (m + chunks - 1) / chunks;
    const int threads = choose_units(&g, chunk);
    size_t x_size;
    g.c_cs = c_cs;
    g.line = round_up(k, STEP) + STEP; /* rows a page apart would meet in the same cache sets */
    g.buffer = STRETCH * GEMM_PAIRS * sizeof(uint16_t) +
               g.unit_panels * round_up(g.unit_rows, STEP) * GEMM_PAIRS * sizeof(float);
    if (!mem_mul(round_up(chunk, STEP) * sizeof(uint16_t), g.line, &x_size) || x_size > SIZE_MAX / 2)
        x_size = SIZE_MAX / 2;
    x_size = round_up(x_size, 64);
    g.x = mem_aligned(64, x_size + (size_t)threads * g.buffer);
    if (!g.x)
        return -1;
    g.buffers = (char *)g.x + x_size;
    for (g.row = 0; g.row < m; g.row += chunk) {
        g.rows = min(chunk, m - g.row);
        atomic_store(&g.next, 0);
        pool_for((g.rows + BLOCK - 1) / BLOCK, 1 + (1 << 15) / (k * BLOCK), pack_rows, &g);
        pool_run(multiply, &g, threads);
    }
    mem_free(g.x);
    return 0;
}
