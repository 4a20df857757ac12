/* Few activation rows times quantized matrices: what a decode step consists of.
 *
 * The weights are read once, straight from their packed form. The activations are turned to integers by the
 * caller, which takes microseconds; then every thread takes a contiguous range of the rows of all matrices
 * together, in proportion to nothing but their number, since all have rows of the same length. Work is only
 * divided over outputs, so results do not depend on the number of threads. */
#include "cpu/kernels.h"

#include "base/mem.h"
#include "cpu/pool.h"
#include "kernels/quant.h"

#define WORTH (32 * 1024) /* bytes of weights that are worth a thread's waking */
#define LINE  64

typedef struct job {
    const qmm_kernels *kernels;
    const quant_matrix *w; /* `count` of them */
    void *const *y;
    size_t count, m;
    mlx_dtype y_dtype;
    bool int8;
    int8_t *x;          /* (m, 1 or QMM_DIGITS, row) */
    size_t row, groups; /* padded lengths */
    float *scale, *sum; /* (m, groups) */
    float *result;      /* (m, rows of all matrices) floats, unless y are floats themselves */
} job;

static size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

static size_t dtype_bytes(mlx_dtype t) { return t == MLX_FLOAT32 ? 4 : 2; }

static size_t all_rows(const job *j)
{
    size_t rows = 0;
    for (size_t i = 0; i < j->count; i++)
        rows += j->w[i].n;
    return rows;
}

static void prepare(const job *j, const void *x, mlx_dtype x_dtype, size_t xs)
{
    const size_t digits = j->int8 ? 1 : QMM_DIGITS, k = j->w->k;
    const qmm_order order = j->w->bits == 4 ? QMM_SPLIT : QMM_NATURAL;
    for (size_t m = 0; m < j->m; m++) {
        const uint8_t *row = (const uint8_t *)x + m * xs * dtype_bytes(x_dtype);
        int8_t *q = j->x + m * digits * j->row;
        float *scale = j->scale + m * j->groups, *sum = j->sum + m * j->groups;
        if (j->int8)
            j->kernels->input_i8(row, x_dtype, k, j->w->group, order, q, scale, sum);
        else
            j->kernels->input_exact(row, x_dtype, k, j->w->group, order, q, j->row, scale, sum);
    }
}

/* By kernels for QMM_GEMV_ROWS activation rows: more of them as parts, so many weight rows at a time that
 * these stay in the cache. */
static void in_parts(const job *j, const qmm_rows *all, size_t begin, size_t end)
{
    const size_t digits = j->int8 ? 1 : QMM_DIGITS,
                 few = 64 * 1024 / quant_bytes(all->w->k, all->w->bits) + 1;
    const size_t block = all->m > QMM_GEMV_ROWS ? few : end - begin;
    for (size_t row = begin, to; row < end; row = to) {
        to = end - row < block ? end : row + block;
        for (size_t m = 0; m < all->m; m += QMM_GEMV_ROWS) {
            qmm_rows r = *all;
            r.m = all->m - m < QMM_GEMV_ROWS ? all->m - m : QMM_GEMV_ROWS;
            r.x += m * digits * r.row;
            r.scale += m * r.groups;
            r.sum += m * r.groups;
            r.y += m * r.ldy;
            (j->int8 ? j->kernels->gemv_i8 : j->kernels->gemv_exact)(&r, row, to);
        }
    }
}

/* Rows [begin, end) of one matrix, whose results are at `result`, (m, n). */
static void matrix_range(const job *j, const quant_matrix *w, float *result, void *y, size_t begin,
                         size_t end)
{
    const qmm_rows r = {w, j->m, j->x, j->row, j->groups, j->scale, j->sum, result, w->n};
    if (j->m > QMM_GEMV_ROWS && j->kernels->batch_i8)
        (j->int8 ? j->kernels->batch_i8 : j->kernels->batch_exact)(&r, begin, end);
    else
        in_parts(j, &r, begin, end);
    for (size_t m = 0; m < j->m && (void *)result != y; m++)
        j->kernels->output(result + m * w->n + begin, end - begin,
                           (uint8_t *)y + (m * w->n + begin) * dtype_bytes(j->y_dtype), j->y_dtype);
}

/* Where a border within a matrix of n rows is: kernels may take QMM_BATCH rows together. */
static size_t border(size_t row, size_t n)
{
    row = round_up(row, QMM_BATCH);
    return row < n ? row : n;
}

/* Rows [begin, end) of all matrices, one behind the other. */
static void range(void *arg, size_t begin, size_t end)
{
    const job *j = arg;
    size_t first = 0;
    for (size_t i = 0; i < j->count && first < end; first += j->w[i++].n) {
        const quant_matrix *w = &j->w[i];
        size_t from = border(begin > first ? begin - first : 0, w->n), to = border(end - first, w->n);
        if (from < to)
            matrix_range(j, w, j->result ? j->result + j->m * first : j->y[i], j->y[i], from, to);
    }
}

int cpu_qmm_few(const qmm_kernels *kernels, const quant_matrix *w, void *const *y, size_t count,
                const void *x, mlx_dtype x_dtype, size_t xs, size_t m, mlx_dtype y_dtype,
                mx_precision precision)
{
    job j = {.kernels = kernels, .w = w, .y = y, .count = count, .m = m, .y_dtype = y_dtype};
    j.int8 = precision == MX_INT8 && (w->bits == 4 || w->bits == 8);
    j.row = round_up(w->k, QMM_PAD) + LINE; /* rows a page apart would meet in the same cache sets */
    j.groups = round_up(w->k / (size_t)w->group, QMM_PAD_GROUPS);
    const size_t rows = all_rows(&j), input = round_up(m * j.row * (j.int8 ? 1 : QMM_DIGITS), LINE);
    const size_t scales = round_up(m * j.groups * sizeof(float), LINE);
    uint8_t *block =
        mem_aligned(LINE, input + 2 * scales + (y_dtype == MLX_FLOAT32 ? 0 : m * rows * sizeof(float)));
    if (!block)
        return -1;
    j.x = (int8_t *)block;
    j.scale = (float *)(void *)(block + input);
    j.sum = (float *)(void *)(block + input + scales);
    j.result = y_dtype == MLX_FLOAT32 ? NULL : (float *)(void *)(block + input + 2 * scales);
    prepare(&j, x, x_dtype, xs);
    pool_for(rows, round_up(WORTH / (quant_bytes(w->k, w->bits) + 1) + 1, 8), range, &j);
    mem_free(block);
    return 0;
}
