/* Quantized matrix products: preparing the activations, sharing the work, choosing the kernel.
 *
 * Few activation rows are the business of qmm_few.c. More of them (prefill, batches): a thread takes some
 * panels of 32 weight rows, unpacks a stretch of each into its own buffer, and sweeps the activation rows.
 * The product with W itself, not transposed, unpacks blocks of columns the same way and sums over the weight
 * rows.
 *
 * Work is only ever divided over outputs, never over a sum, so results do not depend on the number of
 * threads. */
#include "cpu/kernels.h"

#include "base/mem.h"
#include "cpu/pool.h"
#include "kernels/half.h"
#include "kernels/quant.h"

#include <stdatomic.h>

#define STRETCH_I8   512 /* elements of k in a panel of codes: 16 KB */
#define STRETCH_BF16 512 /* of bfloat16: 32 KB */
#define STRETCH_F32  256 /* and of floats: 32 KB; multiples of the largest group */
#define MOST_ROWS    512 /* activation rows in one sweep */
#define LEAST_ROWS   64  /* activation rows that are worth unpacking a panel again */
#define MOST_PANELS  8   /* in a unit of work: their results, 512 KB, stay in the second-level cache */
#define UNITS        2   /* of work for each thread */
#define LINE         64

static size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

static size_t dtype_bytes(mlx_dtype t) { return t == MLX_FLOAT32 ? 4 : 2; }

/* One call (or one block of its activation rows). */
typedef struct job {
    const qmm_kernels *kernels;
    const quant_matrix *w;
    const void *x; /* as given */
    mlx_dtype x_dtype, y_dtype;
    size_t xs, m, ldy;
    void *y;
    bool int8, bf16; /* the activations' form; neither: float */
    qmm_order order;
    size_t row, groups;  /* prepared: row lengths, padded */
    void *input;         /* (m, row) */
    float *scale, *sum;  /* (m, groups) */
    size_t stretch;      /* gemm: elements of k in a panel */
    size_t panels, rows; /* of a unit of work */
    uint8_t *buffers;    /* one for each thread */
    size_t buffer;
    atomic_size_t next;
} job;

/* --- scratch: one block, carved --- */

/* Notes a piece of n bytes at *used; its offset. */
static size_t carve(size_t *used, size_t n)
{
    size_t at = *used;
    *used += round_up(n, LINE);
    return at;
}

/* --- preparing activations --- */

static void prepare_range(void *arg, size_t begin, size_t end)
{
    const job *j = arg;
    const size_t k = j->w->k;
    for (size_t m = begin; m < end; m++) {
        const uint8_t *x = (const uint8_t *)j->x + m * j->xs * dtype_bytes(j->x_dtype);
        float *sum = j->sum + m * j->groups;
        if (j->bf16)
            j->kernels->input_bf16(x, j->x_dtype, k, (uint16_t *)j->input + m * j->row);
        else if (j->int8)
            j->kernels->input_i8(x, j->x_dtype, k, j->w->group, j->order, (int8_t *)j->input + m * j->row,
                                 j->scale + m * j->groups, sum);
        else
            j->kernels->input_f32(x, j->x_dtype, k, j->w->group, (float *)j->input + m * j->row, sum);
    }
}

static void prepare(job *j) { pool_for(j->m, 1 + 32768 / (j->w->k + 1), prepare_range, j); }

static size_t input_bytes(const job *j)
{
    return j->bf16 ? sizeof(uint16_t) : j->int8 ? sizeof(int8_t) : sizeof(float);
}

/* Bytes for the prepared activations; with `block` not NULL sets the pointers into it. */
static size_t input_layout(job *j, uint8_t *block)
{
    size_t used = 0;
    size_t input = carve(&used, round_up(j->m, QMM_ROWS) * j->row * input_bytes(j));
    size_t scale = carve(&used, j->m * j->groups * sizeof(float));
    size_t sum = carve(&used, j->m * j->groups * sizeof(float));
    if (block) {
        j->input = block + input;
        j->scale = j->int8 ? (float *)(void *)(block + scale) : NULL;
        j->sum = (float *)(void *)(block + sum);
    }
    return used;
}

/* --- many rows --- */

/* A piece of work: some panels (their results side by side) by a range of activation rows. */
typedef struct unit {
    size_t row, end;     /* weight rows */
    size_t first, count; /* activation rows */
} unit;

/* A thread's buffers. */
typedef struct workspace {
    uint8_t *codes;      /* (stretch / 4, QMM_PANEL, 4) */
    float *scale, *bias; /* (stretch / 32, QMM_PANEL) */
    void *panel;         /* of floats or bfloat16: (stretch, QMM_PANEL) */
    float *c;            /* (panels, count up to whole tiles, QMM_PANEL) */
} workspace;

static size_t workspace_layout(const job *j, uint8_t *block, workspace *s)
{
    size_t used = 0;
    size_t codes = carve(&used, j->stretch * QMM_PANEL);
    size_t scale = carve(&used, j->stretch / 32 * QMM_PANEL * sizeof(float));
    size_t bias = carve(&used, j->stretch / 32 * QMM_PANEL * sizeof(float));
    size_t panel = carve(&used, j->int8 ? 0 : j->stretch * QMM_PANEL * input_bytes(j));
    size_t c = carve(&used, j->panels * round_up(j->rows, QMM_ROWS) * QMM_PANEL * sizeof(float));
    if (block)
        *s = (workspace){block + codes, (void *)(block + scale), (void *)(block + bias), block + panel,
                         (void *)(block + c)};
    return round_up(used, 4096);
}

static float scale_at(const void *p, mlx_dtype t, size_t i)
{
    const uint8_t *at = (const uint8_t *)p + i * dtype_bytes(t);
    uint16_t h;
    float f;
    if (t == MLX_FLOAT32) {
        memcpy(&f, at, 4);
        return f;
    }
    memcpy(&h, at, 2);
    return t == MLX_BFLOAT16 ? bf16_to_f32(h) : f16_to_f32(h);
}

/* Elements [k0, k0 + kc) of the panel of weight rows [row, row + rows), times the unit's activation rows,
 * added to c (count, QMM_PANEL). */
static void stretch(const job *j, const unit *u, size_t row, size_t rows, size_t k0, size_t kc, workspace *s,
                    float *c)
{
    const quant_matrix *w = j->w;
    const size_t first = k0 / (size_t)w->group, groups = kc / (size_t)w->group, all = w->k / (size_t)w->group;
    const size_t x = u->first * j->row + k0, g = u->first * j->groups + first;
    j->kernels->panel(w, row, rows, k0, kc, s->codes);
    j->kernels->panel_scales(w->scales, w->scale_dtype, row * all + first, all, rows, groups, s->scale);
    j->kernels->panel_scales(w->biases, w->scale_dtype, row * all + first, all, rows, groups, s->bias);
    if (j->int8) {
        const qmm_tile t = {
            s->codes,     groups,     w->group, w->bits, s->scale,  s->bias, (const int8_t *)j->input + x,
            j->scale + g, j->sum + g, u->count, j->row,  j->groups, c};
        j->kernels->tile_i8(&t);
    } else if (j->bf16) {
        j->kernels->panel_bf16(s->codes, kc, w->bits, w->group, s->scale, s->bias, s->panel);
        j->kernels->tile_bf16(s->panel, kc, (const uint16_t *)j->input + x, j->row, u->count, c);
    } else {
        j->kernels->panel_f32(s->codes, kc, w->bits, w->group, s->scale, s->bias, s->panel);
        j->kernels->tile_f32(s->panel, kc, (const float *)j->input + x, j->row, u->count, c);
    }
}

/* Rows of c (count, QMM_PANEL) to columns [column, column + n) of y. */
static void store_panel(const job *j, const float *c, size_t first, size_t count, size_t column, size_t n)
{
    for (size_t m = 0; m < count; m++)
        j->kernels->output(c + m * QMM_PANEL, n,
                           (uint8_t *)j->y + ((first + m) * j->ldy + column) * dtype_bytes(j->y_dtype),
                           j->y_dtype);
}

/* A stretch of k for all panels before the next: its part of the activations stays in the cache. */
static void gemm_unit(const job *j, const unit *u, workspace *s)
{
    const size_t n = u->end - u->row, k = j->w->k, part = round_up(u->count, QMM_ROWS) * QMM_PANEL;
    memset(s->c, 0, round_up(n, QMM_PANEL) / QMM_PANEL * part * sizeof(float));
    for (size_t k0 = 0; k0 < k; k0 += j->stretch)
        for (size_t i = 0; i < n; i += QMM_PANEL)
            stretch(j, u, u->row + i, n - i < QMM_PANEL ? n - i : QMM_PANEL, k0,
                    k - k0 < j->stretch ? k - k0 : j->stretch, s, s->c + i / QMM_PANEL * part);
    for (size_t i = 0; i < n; i += QMM_PANEL)
        store_panel(j, s->c + i / QMM_PANEL * part, u->first, u->count, u->row + i,
                    n - i < QMM_PANEL ? n - i : QMM_PANEL);
}

/* Units are handed out one by one: threads that share their core with others simply do fewer. */
static void gemm_thread(void *arg, int thread, int threads)
{
    job *j = arg;
    const size_t n = j->w->n, wide = j->panels * QMM_PANEL, across = (n + wide - 1) / wide;
    const size_t down = (j->m + j->rows - 1) / j->rows;
    workspace s = {0};
    size_t i;
    (void)threads;
    workspace_layout(j, j->buffers + (size_t)thread * j->buffer, &s);
    while ((i = atomic_fetch_add_explicit(&j->next, 1, memory_order_relaxed)) < across * down) {
        unit u = {.row = i / down * wide, .first = i % down * j->rows};
        u.end = n - u.row < wide ? n : u.row + wide;
        u.count = j->m - u.first < j->rows ? j->m - u.first : j->rows;
        gemm_unit(j, &u, &s);
    }
}

/* Threads that `units` pieces of work can use. */
static int threads_for(size_t units)
{
    size_t most = (size_t)pool_threads();
    return (int)(units < most ? units ? units : 1 : most);
}

/* Shapes the units: as large as the caches allow, but several for each thread; if there are too few panels
 * for that, activation rows are divided too, although each part unpacks the panel again. Returns their
 * number. */
static size_t gemm_shape(job *j)
{
    const size_t panels = (j->w->n + QMM_PANEL - 1) / QMM_PANEL;
    const size_t enough = pool_threads() > 1 ? UNITS * (size_t)pool_threads() : 1;
    j->stretch = j->int8 ? STRETCH_I8 : j->bf16 ? STRETCH_BF16 : STRETCH_F32;
    j->panels = panels < MOST_PANELS ? panels : MOST_PANELS;
    j->rows = j->m;
    while (j->panels > 1 && (panels + j->panels - 1) / j->panels < enough)
        j->panels = (j->panels + 1) / 2;
    while (j->rows > LEAST_ROWS && panels / j->panels * ((j->m + j->rows - 1) / j->rows) < enough)
        j->rows = round_up((j->rows + 1) / 2, QMM_ROWS);
    return (panels + j->panels - 1) / j->panels * ((j->m + j->rows - 1) / j->rows);
}

static int gemm(job *j)
{
    const int threads = threads_for(gemm_shape(j));
    j->order = j->int8 && j->w->bits == 4 ? QMM_SLOTS : QMM_NATURAL;
    j->row += LINE / input_bytes(j); /* rows a page apart would meet in the same cache sets */
    size_t used = round_up(input_layout(j, NULL), 4096);
    j->buffer = workspace_layout(j, NULL, NULL);
    uint8_t *block = mem_aligned(4096, used + (size_t)threads * j->buffer);
    if (!block)
        return -1;
    input_layout(j, block);
    j->buffers = block + used;
    prepare(j);
    atomic_store(&j->next, 0);
    pool_run(gemm_thread, j, threads);
    mem_free(block);
    return 0;
}

/* --- W not transposed: y (m, k) = x (m, n) W --- */

#define COLUMNS      256 /* that a thread takes at once */
#define COLUMN_ROWS  64  /* weight rows unpacked at once */
#define COLUMN_M     128 /* activation rows in one sweep */
#define COLUMN_TILES (COLUMNS / QMM_PANEL)

typedef struct columns {
    float *panel; /* (COLUMN_TILES, COLUMN_ROWS, QMM_PANEL) */
    float *c;     /* (COLUMN_TILES, m, QMM_PANEL) */
} columns;

/* Columns [k0, k0 + kc) of one row, to place i of every tile's panel. */
static void unpack_columns(const job *j, size_t row, size_t k0, size_t kc, size_t i, float *panel)
{
    const quant_matrix *w = j->w;
    const size_t group = (size_t)w->group, at = row * (w->k / group);
    uint8_t codes[COLUMNS];
    j->kernels->unpack((const uint8_t *)w->w + quant_bytes(row * w->k + k0, w->bits), w->bits, kc, codes);
    for (size_t t = 0; t < kc; t += QMM_PANEL) {
        size_t g = at + (k0 + t) / group;
        float scale = scale_at(w->scales, w->scale_dtype, g), bias = scale_at(w->biases, w->scale_dtype, g);
        float *out = panel + (t * COLUMN_ROWS + i * QMM_PANEL);
        for (size_t n = 0; n < QMM_PANEL; n++)
            out[n] = (float)codes[t + n] * scale + bias;
    }
}

static void column_block(const job *j, size_t k0, size_t kc, const columns *s)
{
    const size_t tiles = kc / QMM_PANEL;
    memset(s->c, 0, COLUMN_TILES * j->m * QMM_PANEL * sizeof(float));
    for (size_t n = 0; n < j->w->n; n += COLUMN_ROWS) {
        size_t rows = j->w->n - n < COLUMN_ROWS ? j->w->n - n : COLUMN_ROWS;
        for (size_t i = 0; i < rows; i++)
            unpack_columns(j, n + i, k0, kc, i, s->panel);
        for (size_t t = 0; t < tiles; t++)
            j->kernels->tile_f32(s->panel + t * COLUMN_ROWS * QMM_PANEL, rows, (const float *)j->input + n,
                                 j->row, j->m, s->c + t * j->m * QMM_PANEL);
    }
    for (size_t t = 0; t < tiles; t++)
        store_panel(j, s->c + t * j->m * QMM_PANEL, 0, j->m, k0 + t * QMM_PANEL, QMM_PANEL);
}

static size_t columns_layout(const job *j, uint8_t *block, columns *s)
{
    size_t used = 0;
    size_t panel = carve(&used, COLUMNS * COLUMN_ROWS * sizeof(float));
    size_t c = carve(&used, COLUMN_TILES * j->m * QMM_PANEL * sizeof(float));
    if (block)
        *s = (columns){(void *)(block + panel), (void *)(block + c)};
    return round_up(used, 4096);
}

static void columns_thread(void *arg, int thread, int threads)
{
    job *j = arg;
    const size_t k = j->w->k;
    columns s = {0};
    size_t k0;
    (void)threads;
    columns_layout(j, j->buffers + (size_t)thread * j->buffer, &s);
    while ((k0 = atomic_fetch_add_explicit(&j->next, COLUMNS, memory_order_relaxed)) < k)
        column_block(j, k0, k - k0 < COLUMNS ? k - k0 : COLUMNS, &s);
}

static void widen_range(void *arg, size_t begin, size_t end)
{
    const job *j = arg;
    for (size_t m = begin; m < end; m++)
        for (size_t i = 0; i < j->w->n; i++)
            ((float *)j->input)[m * j->row + i] = scale_at(j->x, j->x_dtype, m * j->xs + i);
}

static int plain(job *j)
{
    const int threads = threads_for((j->w->k + COLUMNS - 1) / COLUMNS);
    j->row = j->w->n;
    j->buffer = columns_layout(j, NULL, NULL);
    size_t used = 0, input = carve(&used, j->m * j->row * sizeof(float));
    used = round_up(used, 4096);
    uint8_t *block = mem_aligned(4096, used + (size_t)threads * j->buffer);
    if (!block)
        return -1;
    j->input = block + input;
    j->buffers = block + used;
    pool_for(j->m, 1 + 32768 / (j->row + 1), widen_range, j);
    atomic_store(&j->next, 0);
    pool_run(columns_thread, j, threads);
    mem_free(block);
    return 0;
}

/* --- the call --- */

int cpu_qmm_with(const qmm_kernels *kernels, const quant_matrix *w, const void *x, mlx_dtype x_dtype,
                 size_t xs, size_t m, void *y, mlx_dtype y_dtype, bool transpose, mx_precision precision)
{
    if (transpose && m <= QMM_FEW_ROWS)
        return cpu_qmm_few(kernels, w, &y, 1, x, x_dtype, xs, m, y_dtype, precision);
    const size_t most = transpose ? MOST_ROWS : COLUMN_M, blocks = (m + most - 1) / most;
    const size_t ldy = transpose ? w->n : w->k;
    job j = {.kernels = kernels, .w = w, .x_dtype = x_dtype, .y_dtype = y_dtype, .xs = xs, .ldy = ldy};
    j.int8 = transpose && precision == MX_INT8 && (w->bits == 4 || w->bits == 8);
    const bool halves = x_dtype == MLX_BFLOAT16 && w->scale_dtype == MLX_BFLOAT16;
    const bool pairs = transpose && kernels->tile_bf16 && !j.int8 && (halves || precision != MX_EXACT);
    j.row = round_up(w->k, QMM_PAD);
    j.groups = round_up(w->k / (size_t)w->group, QMM_PAD_GROUPS);
    for (size_t b = 0; b < blocks && ldy; b++) {
        size_t begin = m * b / blocks, end = m * (b + 1) / blocks;
        j.x = (const uint8_t *)x + begin * xs * dtype_bytes(x_dtype);
        j.y = (uint8_t *)y + begin * ldy * dtype_bytes(y_dtype);
        j.m = end - begin;
        j.bf16 = pairs;
        if ((transpose ? gemm(&j) : plain(&j)) < 0)
            return -1;
    }
    return 0;
}

int cpu_qmm(const quant_matrix *w, const void *x, mlx_dtype x_dtype, size_t xs, size_t m, void *y,
            mlx_dtype y_dtype, bool transpose, mx_precision precision)
{
    return cpu_qmm_with(&cpu_kernels_get()->qmm, w, x, x_dtype, xs, m, y, y_dtype, transpose, precision);
}
