/* The paged cache: nodes to the arguments of paged.c and kv_store.c. */
#include "base/error.h"
#include "cpu/eval.h"
#include "cpu/paged.h"
#include "cpu/walk.h"

#include <string.h>

enum { INPUTS = 6 };

static kv_block block_of(const mx_kv_layout *l)
{
    enum kv_kind kind = l->bits == 8              ? KV_INT8
                        : l->bits == 4            ? KV_INT4
                        : l->dtype == MLX_FLOAT32 ? KV_F32
                        : l->dtype == MLX_FLOAT16 ? KV_F16
                                                  : KV_BF16;
    return kv_block_make(kind, (size_t)l->heads, (size_t)l->k_dim, (size_t)l->v_dim, (size_t)l->group);
}

static int check_entries(const node *n, const char *name, const int32_t *x, size_t count, int32_t least,
                         size_t end)
{
    for (size_t i = 0; i < count; i++)
        if (x[i] < least || (x[i] >= 0 && (size_t)x[i] >= end))
            return error_set("[%s] entry %zu of %s is %d; the pool has %zu", prim_table[n->prim].name, i,
                             name, x[i], end);
    return 0;
}

/* Inputs [first, n_inputs) row-major; release_all afterwards, also after -1. */
static int dense_inputs(const node *n, size_t first, const char **data, buffer **temps)
{
    int rc = 0;
    for (size_t i = 0; i < INPUTS; i++)
        temps[i] = NULL;
    for (size_t i = first; i < n->n_inputs && rc == 0; i++) {
        data[i] = walk_dense(n->inputs[i], &temps[i]);
        rc = data[i] ? 0 : -1;
    }
    return rc;
}

static void release_all(buffer **temps)
{
    for (size_t i = 0; i < INPUTS; i++)
        buffer_release(temps[i]);
}

/* n begins as its first input: in that one's buffer if it may. */
static int begin_as_pool(node *n)
{
    static const uint8_t first[1] = {0};
    const node *pool = n->inputs[0];
    const char *data = pool->data;
    if (node_allocate_from(n, first, 1))
        return -1;
    if (n->data != data)
        walk_copy_dense(pool, n->data);
    return 0;
}

int cpu_eval_kv_write(node *n)
{
    const prim_kv *p = n->params;
    kv_block b = block_of(&p->layout);
    size_t rows = n->inputs[1]->size;
    const char *data[INPUTS];
    buffer *temps[INPUTS];
    int rc = dense_inputs(n, 1, data, temps);
    const int32_t *slots = rc ? NULL : (const int32_t *)(const void *)data[1];
    if (rc == 0)
        rc = check_entries(n, "slots", slots, rows, -1, (size_t)n->shape[0] * KV_POSITIONS);
    if (rc == 0)
        rc = begin_as_pool(n);
    for (size_t i = 2; rc == 0 && i < n->n_inputs; i++)
        cpu_kv_store(&b, n->data, data[i], (mlx_dtype)n->inputs[i]->dtype, slots, rows, i == 2);
    release_all(temps);
    return rc;
}

int cpu_eval_kv_read(node *n)
{
    const prim_kv *p = n->params;
    kv_block b = block_of(&p->layout);
    const char *data[INPUTS];
    buffer *temps[INPUTS];
    int rc = dense_inputs(n, 0, data, temps);
    const int32_t *slots = rc ? NULL : (const int32_t *)(const void *)data[1];
    if (rc == 0)
        rc = check_entries(n, "slots", slots, n->inputs[1]->size, -1,
                           (size_t)n->inputs[0]->shape[0] * KV_POSITIONS);
    if (rc == 0)
        rc = node_allocate(n);
    if (rc == 0 && n->size)
        cpu_kv_load(&b, data[0], slots, n->inputs[1]->size, !p->values || p->layout.v_in_k,
                    (size_t)n->shape[2], (float *)(void *)n->data);
    release_all(temps);
    return rc;
}

int cpu_eval_kv_copy_blocks(node *n)
{
    size_t bytes = (size_t)n->shape[1], blocks = (size_t)n->shape[0], count = n->inputs[1]->size;
    const char *data[INPUTS];
    buffer *temps[INPUTS];
    int rc = dense_inputs(n, 1, data, temps);
    const int32_t *from = rc ? NULL : (const int32_t *)(const void *)data[1];
    const int32_t *to = rc ? NULL : (const int32_t *)(const void *)data[2];
    if (rc == 0 &&
        (check_entries(n, "src", from, count, 0, blocks) || check_entries(n, "dst", to, count, 0, blocks)))
        rc = -1;
    if (rc == 0)
        rc = begin_as_pool(n);
    for (size_t i = 0; rc == 0 && i < count; i++)
        memmove(n->data + (size_t)to[i] * bytes, n->data + (size_t)from[i] * bytes, bytes);
    release_all(temps);
    return rc;
}

int cpu_eval_paged_attention(node *n)
{
    const prim_paged *p = n->params;
    const node *q = n->inputs[0], *tables = n->inputs[2];
    const char *data[INPUTS];
    buffer *temps[INPUTS];
    int rc = dense_inputs(n, 0, data, temps);
    if (rc == 0)
        rc = node_allocate(n);
    if (rc == 0) {
        paged_args a = {.block = block_of(&p->params.layout),
                        .pool = data[1],
                        .n_blocks = (size_t)n->inputs[1]->shape[0],
                        .sequences = (size_t)tables->shape[0],
                        .max_blocks = (size_t)tables->shape[1],
                        .tables = (const int32_t *)(const void *)data[2],
                        .lengths = (const int32_t *)(const void *)data[3],
                        .starts = (const int32_t *)(const void *)data[4],
                        .sinks = p->sinks ? (const float *)(const void *)data[5] : NULL,
                        .scale = p->params.scale,
                        .softcap = p->params.softcap,
                        .window = (size_t)p->params.window,
                        .rows = (size_t)q->shape[0],
                        .heads = (size_t)q->shape[1],
                        .v_in_k = (size_t)p->params.layout.v_in_k,
                        .q = data[0],
                        .out = n->data,
                        .dtype = (mlx_dtype)q->dtype};
        rc = cpu_paged_attention(&a);
    }
    release_all(temps);
    return rc;
}
