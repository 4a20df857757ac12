/* Running LAPACK over batches of matrices. */
#include "cpu/linalg.h"

#include "base/error.h"
#include "base/mem.h"
#include "cpu/pool.h"
#include "cpu/walk.h"

#include <math.h>
#include <string.h>

enum { SCRATCH_ALIGN = 64 };

static int allocate(linalg_task *t)
{
    node *n = t->n;
    node **results = n->outputs ? n->outputs : &n;
    for (int k = 0; k < n->n_outputs; k++) {
        if (node_allocate(results[k]))
            return -1;
        t->out[k] = results[k]->data;
        t->out_bytes[k] = t->batch ? node_bytes(results[k]) / t->batch : 0;
    }
    return 0;
}

int linalg_begin(linalg_task *t, node *n)
{
    const node *x = n->inputs[0];
    *t = (linalg_task){.n = n,
                       .l = lapack_get(),
                       .rows = x->shape[x->ndim - 2],
                       .columns = x->shape[x->ndim - 1],
                       .real = x->dtype == MLX_FLOAT64,
                       .complex = x->dtype == MLX_COMPLEX64,
                       .item = node_itemsize(x),
                       .batch = 1};
    if (!t->l)
        return -1;
    t->least = t->rows < t->columns ? t->rows : t->columns;
    t->matrix = (size_t)t->rows * (size_t)t->columns * t->item;
    for (int i = 0; i < x->ndim - 2; i++)
        t->batch *= (size_t)x->shape[i];
    t->flops = (double)t->rows * t->columns * t->least;
    t->in = walk_dense(x, &t->dense);
    return t->in ? allocate(t) : -1;
}

void linalg_area(linalg_task *t, int i, size_t bytes)
{
    t->at[i] = t->scratch;
    t->scratch += (bytes + SCRATCH_ALIGN - 1) / SCRATCH_ALIGN * SCRATCH_ALIGN;
}

int linalg_lwork(const linalg_task *t, const void *answer, bool complex)
{
    double size = t->real && !complex ? *(const double *)answer : (double)*(const float *)answer;
    size = size * (1 + 1e-6) + 1; /* a float has 24 bits: the answer may have been rounded down */
    if (size < INT32_MAX)
        return (int)size;
    return error_set("[%s] matrices of shape (%d, %d) are too large for LAPACK", prim_table[t->n->prim].name,
                     t->rows, t->columns);
}

void linalg_transpose(const void *from, void *to, int rows, int columns, size_t item)
{
    enum { TILE = 16 };
    for (int r0 = 0; r0 < rows; r0 += TILE)
        for (int c0 = 0; c0 < columns; c0 += TILE)
            for (int r = r0; r < rows && r < r0 + TILE; r++)
                for (int c = c0; c < columns && c < c0 + TILE; c++) {
                    size_t a = (size_t)r * (size_t)columns + (size_t)c,
                           b = (size_t)c * (size_t)rows + (size_t)r;
                    if (item == 4)
                        ((uint32_t *)to)[b] = ((const uint32_t *)from)[a];
                    else
                        ((uint64_t *)to)[b] = ((const uint64_t *)from)[a];
                }
}

bool linalg_not_finite(const linalg_task *t, size_t i)
{
    const char *p = t->in + i * t->matrix;
    double sum = 0; /* 0 times what is not finite is NaN */
    if (t->real)
        for (size_t k = 0; k < t->matrix / 8; k++)
            sum += 0 * ((const double *)p)[k];
    else
        for (size_t k = 0; k < t->matrix / 4; k++)
            sum += 0 * (double)((const float *)p)[k];
    return isnan(sum);
}

typedef struct run {
    const linalg_task *t;
    char *scratch;
    _Atomic int info; /* of a matrix that failed */
} run;

static void run_share(void *arg, int thread, int threads)
{
    run *r = arg;
    const linalg_task *t = r->t;
    size_t begin = t->batch * (size_t)thread / (size_t)threads;
    size_t end = t->batch * ((size_t)thread + 1) / (size_t)threads;
    for (size_t i = begin; i < end && r->info == 0; i++) {
        int info = t->one(t, i, r->scratch + (size_t)thread * t->scratch);
        if (info)
            r->info = info;
    }
}

static int run_all(const linalg_task *t)
{
    double worth = 1 + t->flops * (double)t->batch / 50000;
    int threads = t->l->threads ? pool_threads() : 1;
    threads = worth < threads ? (int)worth : threads;
    threads = t->batch < (size_t)threads ? (int)t->batch : threads;
    size_t bytes;
    run r = {.t = t};
    if (mem_mul(t->scratch, (size_t)threads, &bytes))
        r.scratch = mem_aligned(SCRATCH_ALIGN, bytes + SCRATCH_ALIGN);
    if (!r.scratch)
        return -1;
    pool_run(run_share, &r, threads);
    mem_free(r.scratch);
    if (r.info == LINALG_NOT_FINITE)
        return error_set("[%s::eval_cpu] a matrix holds NaN or infinity", prim_table[t->n->prim].name);
    return r.info ? error_set(t->failure, r.info) : 0;
}

int linalg_end(linalg_task *t, int rc)
{
    if (rc == 0 && t->batch)
        rc = run_all(t);
    buffer_release(t->dense);
    return rc;
}
