/* Row functions of language models: norms, softmax, rotary positions, attention, SwiGLU. */
#include "base/mem.h"
#include "cpu/eval.h"
#include "cpu/pool.h"
#include "cpu/walk.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

typedef struct rows_job {
    const node *n; /* the last axis of its first input is dense */
    size_t length, in_step, out_step;
    int slot;
    const struct rope_table *table;
    size_t first; /* row of those that are worked on */
} rows_job;

/* Rows a thread should get at least. */
static size_t row_grain(size_t length) { return length < 8192 ? 8192 / (length + 1) + 1 : 1; }

/* Address of row r of the first input, counted over its axes but the last. */
static const char *row_at(const rows_job *j, size_t r)
{
    const node *in = j->n->inputs[0];
    int64_t offset = 0;
    if (in->flags & NODE_ROW_CONTIGUOUS)
        return in->data + r * j->in_step;
    for (int d = in->ndim - 2; d >= 0; d--) {
        offset += (int64_t)(r % (size_t)in->shape[d]) * in->strides[d];
        r /= (size_t)in->shape[d];
    }
    return in->data + offset * (int64_t)node_itemsize(in);
}

static void rows_range(void *arg, size_t begin, size_t end)
{
    const rows_job *j = arg;
    const node *n = j->n;
    const norm_kernels *k = &cpu_kernels_get()->norm;
    const prim_norm *p = n->params;
    const node *w = n->n_inputs > 1 && p->weight ? n->inputs[1] : NULL;
    const node *b = n->prim == PRIM_LayerNorm && p->bias ? n->inputs[n->n_inputs - 1] : NULL;
    const void *weight = w ? w->data : NULL, *bias = b ? b->data : NULL;
    mlx_dtype wt = w ? (mlx_dtype)w->dtype : MLX_FLOAT32, bt = b ? (mlx_dtype)b->dtype : MLX_FLOAT32;
    for (size_t r = begin; r < end; r++) {
        const char *x = row_at(j, r);
        char *y = n->data + r * j->out_step;
        if (n->prim == PRIM_RMSNorm)
            k->rms_norm[j->slot](x, weight, wt, p->eps, j->length, y);
        else if (n->prim == PRIM_LayerNorm)
            k->layer_norm[j->slot](x, weight, wt, bias, bt, p->eps, j->length, y);
        else
            k->softmax[j->slot](x, j->length, y);
    }
}

static void logsumexp_range(void *arg, size_t begin, size_t end)
{
    const rows_job *j = arg;
    const norm_kernels *k = &cpu_kernels_get()->norm;
    cpu_unary_fn cast = cpu_kernels_get()->elementwise.cast[MLX_FLOAT32][j->n->dtype];
    for (size_t r = begin; r < end; r++) {
        float y = k->logsumexp[j->slot](row_at(j, r), j->length);
        if (cast)
            cast(&y, 1, j->n->data + r * j->out_step, 1);
        else
            memcpy(j->n->data + r * j->out_step, &y, sizeof y);
    }
}

/* Fills what the row functions share and allocates n; 0, or -1 when the dtype has no kernel or memory is out.
 */
static int rows_start(rows_job *j, node *n, bool in_place)
{
    static const uint8_t first[1] = {0};
    const node *x = n->inputs[0];
    *j = (rows_job){.n = n, .slot = norm_slot((mlx_dtype)x->dtype)};
    if (j->slot < 0)
        return cpu_eval_no_kernel(n, (mlx_dtype)x->dtype);
    j->length = (size_t)x->shape[x->ndim - 1];
    j->in_step = j->length * node_itemsize(x);
    j->out_step = (size_t)n->shape[n->ndim - 1] * node_itemsize(n);
    return node_allocate_from(n, first, in_place ? 1 : 0);
}

/* The elements of each row of input i lie side by side; the rows may lie anywhere. */
static int make_rows_dense(node *n, size_t i)
{
    const node *x = n->inputs[i];
    bool dense = x->ndim == 0 || x->shape[x->ndim - 1] == 1 || x->strides[x->ndim - 1] == 1;
    return dense ? 0 : cpu_eval_copy_input(n, i);
}

int cpu_eval_row_function(node *n)
{
    rows_job j;
    for (size_t i = 0; i < n->n_inputs; i++)
        if (make_rows_dense(n, i))
            return -1;
    int rc = rows_start(&j, n, true);
    size_t rows = j.length && n->inputs[0]->size ? n->inputs[0]->size / j.length : 0;
    if (rc == 0 && rows)
        pool_for(rows, row_grain(j.length), n->prim == PRIM_LogSumExp ? logsumexp_range : rows_range, &j);
    return rc;
}

/* --- rotary positions --- */

/* The cosines and sines of some positions: a row of dims/2 for each. */
typedef struct rope_table {
    _Atomic int refs;
    prim_rope params;
    int positions;
    bool own_periods; /* given, not powers of the base */
    float *cos, *sin; /* in the same block, as are the periods */
    float periods[];
} rope_table;

/* The one that was made last: all layers of a step use the same. The lock is held for no longer than it takes
 * to compare and to exchange; whoever uses a table has a reference of its own. */
static struct {
    pthread_mutex_t lock;
    rope_table *last;
} rope_cache = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void rope_release(rope_table *t)
{
    if (t && atomic_fetch_sub(&t->refs, 1) == 1)
        mem_free(t);
}

/* Takes over the reference to t (NULL allowed). */
static void rope_remember(rope_table *t)
{
    pthread_mutex_lock(&rope_cache.lock);
    rope_table *old = rope_cache.last;
    rope_cache.last = t;
    pthread_mutex_unlock(&rope_cache.lock);
    rope_release(old);
}

void cpu_eval_shutdown(void) { rope_remember(NULL); }

/* The cached table with a reference, if it is for these positions; periods NULL: powers of the base. */
static rope_table *rope_find(const prim_rope *p, int positions, const float *periods)
{
    pthread_mutex_lock(&rope_cache.lock);
    rope_table *t = rope_cache.last;
    if (t && (t->positions != positions || memcmp(&t->params, p, sizeof *p) ||
              t->own_periods != (periods != NULL) ||
              (periods && memcmp(t->periods, periods, (size_t)(p->dims / 2) * sizeof *periods))))
        t = NULL;
    if (t)
        atomic_fetch_add(&t->refs, 1);
    pthread_mutex_unlock(&rope_cache.lock);
    return t;
}

/* angle = scale * position / period, in double since positions times frequencies lose digits. */
static void rope_fill(rope_table *t)
{
    const prim_rope *p = &t->params;
    size_t half = (size_t)p->dims / 2;
    for (int i = 0; !t->own_periods && i < p->dims / 2; i++)
        t->periods[i] = (float)pow((double)p->base, 2.0 * i / p->dims);
    for (int at = 0; at < t->positions; at++)
        for (size_t i = 0; i < half; i++) {
            double angle = (double)p->scale * ((double)p->offset + at) / (double)t->periods[i];
            t->cos[(size_t)at * half + i] = (float)cos(angle);
            t->sin[(size_t)at * half + i] = (float)sin(angle);
        }
}

/* A table with a reference for the caller; NULL when out of memory. */
static rope_table *rope_get(const prim_rope *p, int positions, const float *periods)
{
    rope_table *t = rope_find(p, positions, periods);
    size_t half = (size_t)p->dims / 2, count = half * (size_t)positions;
    size_t floats = sizeof *t / sizeof(float) + half + 2 * count;
    if (t)
        return t;
    t = mem_alloc(floats, sizeof(float));
    if (!t)
        return NULL;
    *t = (rope_table){.refs = 2, .params = *p, .positions = positions, .own_periods = periods != NULL};
    t->cos = t->periods + half;
    t->sin = t->cos + count;
    if (periods)
        memcpy(t->periods, periods, half * sizeof *periods);
    rope_fill(t);
    rope_remember(t);
    return t;
}

static void rope_range(void *arg, size_t begin, size_t end)
{
    const rows_job *j = arg;
    const prim_rope *p = j->n->params;
    const norm_kernels *k = &cpu_kernels_get()->norm;
    size_t half = (size_t)p->dims / 2;
    for (size_t r = j->first + begin; r < j->first + end; r++) {
        size_t t = r % (size_t)j->table->positions * half;
        k->rope[j->slot](row_at(j, r), j->table->cos + t, j->table->sin + t, half, p->traditional, j->length,
                         j->n->data + r * j->out_step);
    }
}

/* Turns `rows` rows from j->first on, by the angles of p's offset. */
static int rotate(rows_job *j, const prim_rope *p, int positions, const float *periods, size_t rows)
{
    rope_table *t = rope_get(p, positions, periods);
    if (!t)
        return -1;
    j->table = t;
    pool_for(rows, row_grain(j->length), rope_range, j);
    rope_release(t);
    return 0;
}

int cpu_eval_rope(node *n)
{
    const prim_rope *p = n->params;
    rows_job j;
    for (size_t i = 0; i < n->n_inputs; i++)
        if (make_rows_dense(n, i))
            return -1;
    const node *x = n->inputs[0];
    if (rows_start(&j, n, false))
        return -1;
    if (n->size == 0)
        return 0;
    const float *periods = p->freqs ? (const float *)(const void *)n->inputs[1]->data : NULL;
    const node *offsets = p->offsets ? n->inputs[n->n_inputs - 1] : NULL;
    size_t sequences = offsets ? offsets->size : 1, rows = x->size / j.length / sequences;
    for (size_t b = 0; b < sequences; b++) {
        prim_rope own = *p;
        if (offsets)
            memcpy(&own.offset, offsets->data + b * sizeof(int32_t), sizeof own.offset);
        j.first = b * rows;
        if (rotate(&j, &own, x->shape[x->ndim - 2], periods, rows))
            return -1;
    }
    return 0;
}

static void swiglu_range(void *arg, size_t begin, size_t end)
{
    const rows_job *j = arg;
    const node *n = j->n;
    size_t at = begin * j->in_step;
    cpu_kernels_get()->norm.swiglu[j->slot](n->inputs[0]->data + at, n->inputs[1]->data + at, end - begin,
                                            n->data + at);
}

int cpu_eval_swiglu(node *n)
{
    static const uint8_t both[2] = {0, 1};
    rows_job j = {.n = n, .slot = norm_slot((mlx_dtype)n->dtype), .in_step = node_itemsize(n)};
    if (j.slot < 0)
        return cpu_eval_no_kernel(n, (mlx_dtype)n->dtype);
    for (size_t i = 0; i < 2; i++)
        if (!(n->inputs[i]->flags & NODE_ROW_CONTIGUOUS) && cpu_eval_copy_input(n, i))
            return -1;
    if (node_allocate_from(n, both, 2))
        return -1;
    pool_for(n->size, 4096, swiglu_range, &j);
    return 0;
}

static attention_operand operand(const node *x)
{
    return (attention_operand){x->data, (mlx_dtype)x->dtype, x->strides[0], x->strides[1], x->strides[2]};
}

/* The result is laid out (B, L, H, D), so that the transpose and reshape that follow in every model cost
 * nothing. */
int cpu_eval_attention(node *n)
{
    const prim_attention *p = n->params;
    for (size_t i = 0; i < n->n_inputs; i++)
        if ((i != 3 || p->mask != MX_MASK_ARRAY) && make_rows_dense(n, i))
            return -1;
    const node *q = n->inputs[0], *k = n->inputs[1], *v = n->inputs[2],
               *mask = p->mask == MX_MASK_ARRAY ? n->inputs[3] : NULL;
    if (node_allocate(n))
        return -1;
    int64_t d = n->shape[3], heads = n->shape[1], queries = n->shape[2];
    int64_t strides[4] = {queries * heads * d, d, heads * d, 1};
    memcpy(n->strides, strides, sizeof strides);
    node_update_flags(n);
    attention_args a = {.batch = q->shape[0],
                        .heads = q->shape[1],
                        .kv_heads = k->shape[1],
                        .queries = q->shape[2],
                        .keys = k->shape[2],
                        .dim = q->shape[3],
                        .v_dim = v->shape[3],
                        .scale = p->scale,
                        .q = operand(q),
                        .k = operand(k),
                        .v = operand(v),
                        .kind = (mx_mask)p->mask,
                        .sinks =
                            p->sinks ? (const float *)(const void *)n->inputs[n->n_inputs - 1]->data : NULL,
                        .out = n->data,
                        .out_dtype = (mlx_dtype)n->dtype,
                        .out_batch = strides[0],
                        .out_head = strides[1],
                        .out_row = strides[2]};
    if (mask) {
        a.mask = mask->data;
        a.mask_dtype = (mlx_dtype)mask->dtype;
        memcpy(a.ms, mask->strides, sizeof a.ms);
    }
    return n->size ? cpu_attention(&a) : 0;
}
