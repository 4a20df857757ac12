/* Row functions of language models: norms, softmax, rotary positions, attention, SwiGLU. */
#include "base/mem.h"
#include "cpu/eval.h"
#include "cpu/pool.h"
#include "cpu/walk.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

typedef struct rows_job {
    const node *n;
    const char *x;
    const int64_t *strides; /* of x, whose last axis is dense */
    size_t length, in_step, out_step;
    int slot;
    const float *cos, *sin; /* rope: a row of dims/2 for each position */
    int positions;
} rows_job;

/* Rows a thread should get at least. */
static size_t row_grain(size_t length) { return length < 8192 ? 8192 / (length + 1) + 1 : 1; }

/* Address of row r of an input with the job's strides, over the axes of n but the last. */
static const char *row_at(const rows_job *j, const node *in, size_t r)
{
    if (in->flags & NODE_ROW_CONTIGUOUS)
        return j->x + r * j->in_step;
    int64_t offset = 0;
    for (int d = in->ndim - 2; d >= 0; d--) {
        offset += (int64_t)(r % (size_t)in->shape[d]) * j->strides[d];
        r /= (size_t)in->shape[d];
    }
    return j->x + offset * (int64_t)node_itemsize(in);
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
        const char *x = row_at(j, n->inputs[0], r);
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
        float y = k->logsumexp[j->slot](row_at(j, j->n->inputs[0], r), j->length);
        if (cast)
            cast(&y, 1, j->n->data + r * j->out_step, 1);
        else
            memcpy(j->n->data + r * j->out_step, &y, sizeof y);
    }
}

/* Fills what the row functions share and allocates n; 0, or -1 when the dtype has no kernel or memory is out. */
static int rows_start(rows_job *j, node *n, bool in_place)
{
    static const uint8_t first[1] = {0};
    const node *x = n->inputs[0];
    *j = (rows_job){.n = n, .x = x->data, .strides = x->strides, .slot = norm_slot((mlx_dtype)x->dtype)};
    if (j->slot < 0)
        return cpu_eval_no_kernel(n, (mlx_dtype)x->dtype);
    j->length = (size_t)x->shape[x->ndim - 1];
    j->in_step = j->length * node_itemsize(x);
    j->out_step = (size_t)n->shape[n->ndim - 1] * node_itemsize(n);
    return node_allocate_from(n, first, in_place ? 1 : 0);
}

/* Input i becomes a row-major copy of itself. */
static int copy_input(node *n, size_t i)
{
    const node *x = n->inputs[i];
    buffer *b = buffer_new(node_bytes(x));
    if (!b)
        return -1;
    walk_copy_dense(x, b->data);
    node *copy = node_from_buffer(b, b->data, x->shape, x->ndim, (mlx_dtype)x->dtype);
    if (!copy)
        return -1;
    node_release(n->inputs[i]);
    n->inputs[i] = copy;
    return 0;
}

/* The elements of each row of input i lie side by side; the rows may lie anywhere. */
static int make_rows_dense(node *n, size_t i)
{
    const node *x = n->inputs[i];
    bool dense = x->ndim == 0 || x->shape[x->ndim - 1] == 1 || x->strides[x->ndim - 1] == 1;
    return dense ? 0 : copy_input(n, i);
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


/* The cosines and sines of the positions that were rotated last: all layers of a step use the same. Evaluation on
 * several threads takes turns. */
static struct {
    pthread_mutex_t lock;
    prim_rope params;
    int positions;
    float *periods; /* dims/2 */
    float *cos, *sin;
} rope_cache = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void rope_cache_clear(void)
{
    mem_free(rope_cache.periods);
    mem_free(rope_cache.cos);
    rope_cache.periods = rope_cache.cos = rope_cache.sin = NULL;
    rope_cache.positions = 0;
}

void cpu_eval_shutdown(void)
{
    pthread_mutex_lock(&rope_cache.lock);
    rope_cache_clear();
    pthread_mutex_unlock(&rope_cache.lock);
}

/* Does the cache hold the table for these parameters? */
static bool rope_cached(const prim_rope *p, int positions, const float *periods)
{
    return rope_cache.cos && rope_cache.positions == positions && memcmp(&rope_cache.params, p, sizeof *p) == 0 &&
           memcmp(rope_cache.periods, periods, (size_t)(p->dims / 2) * sizeof *periods) == 0;
}

/* Fills the cache: angle = scale * position / period, in double since positions times frequencies lose digits. */
static int rope_fill(const prim_rope *p, int positions, const float *periods)
{
    size_t half = (size_t)p->dims / 2, count = half * (size_t)positions;
    rope_cache_clear();
    rope_cache.periods = mem_alloc(half, sizeof(float));
    rope_cache.cos = mem_alloc(2 * count, sizeof(float));
    if (!rope_cache.periods || !rope_cache.cos) {
        rope_cache_clear();
        return -1;
    }
    rope_cache.sin = rope_cache.cos + count;
    rope_cache.params = *p;
    rope_cache.positions = positions;
    memcpy(rope_cache.periods, periods, half * sizeof(float));
    for (int t = 0; t < positions; t++)
        for (size_t i = 0; i < half; i++) {
            double angle = (double)p->scale * ((double)p->offset + t) / (double)periods[i];
            rope_cache.cos[(size_t)t * half + i] = (float)cos(angle);
            rope_cache.sin[(size_t)t * half + i] = (float)sin(angle);
        }
    return 0;
}

static void rope_range(void *arg, size_t begin, size_t end)
{
    const rows_job *j = arg;
    const prim_rope *p = j->n->params;
    const norm_kernels *k = &cpu_kernels_get()->norm;
    size_t half = (size_t)p->dims / 2;
    for (size_t r = begin; r < end; r++) {
        size_t t = r % (size_t)j->positions * half;
        k->rope[j->slot](row_at(j, j->n->inputs[0], r), j->cos + t, j->sin + t, half, p->traditional, j->length,
                         j->n->data + r * j->out_step);
    }
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
    j.positions = x->shape[x->ndim - 2];
    float *made = NULL;
    const float *periods = n->n_inputs > 1 ? (const float *)n->inputs[1]->data : NULL;
    if (!periods) {
        periods = made = mem_alloc((size_t)p->dims / 2, sizeof *made);
        for (int i = 0; made && i < p->dims / 2; i++)
            made[i] = (float)pow((double)p->base, 2.0 * i / p->dims);
    }
    pthread_mutex_lock(&rope_cache.lock);
    int rc = !periods ? -1 : rope_cached(p, j.positions, periods) ? 0 : rope_fill(p, j.positions, periods);
    j.cos = rope_cache.cos;
    j.sin = rope_cache.sin;
    if (rc == 0)
        pool_for(x->size / j.length, row_grain(j.length), rope_range, &j);
    pthread_mutex_unlock(&rope_cache.lock);
    mem_free(made);
    return rc;
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
        if (!(n->inputs[i]->flags & NODE_ROW_CONTIGUOUS) && copy_input(n, i))
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

/* The result is laid out (B, L, H, D), so that the transpose and reshape that follow in every model cost nothing. */
int cpu_eval_attention(node *n)
{
    const prim_attention *p = n->params;
    for (size_t i = 0; i < 3; i++)
        if (make_rows_dense(n, i))
            return -1;
    const node *q = n->inputs[0], *k = n->inputs[1], *v = n->inputs[2], *mask = n->n_inputs > 3 ? n->inputs[3] : NULL;
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
