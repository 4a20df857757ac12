/* Writing to a part of an array: at indices, into a slice, where a mask is set.
 *
 * The result takes x's own memory when nobody else holds it: this is how a KV cache grows by a row. Indices
 * are checked before anything is written, so that a node which fails can be computed again. Places may
 * repeat; then the updates come one after the other, in the order of the indices: the last one stays, or all
 * count. */
#include "base/error.h"
#include "cpu/eval.h"
#include "cpu/index.h"
#include "cpu/pool.h"
#include "cpu/walk.h"

#include <stdlib.h>
#include <string.h>

/* How an update meets what is there. */
typedef struct updater {
    cpu_binary_fn combine; /* NULL: it takes its place */
    int64_t itemsize;
    int log_size;
} updater;

static void put_one(char *to, const char *from, int log_size)
{
    switch (log_size) {
    case 0:
        *to = *from;
        break;
    case 1:
        memcpy(to, from, 2);
        break;
    case 2:
        memcpy(to, from, 4);
        break;
    default:
        memcpy(to, from, 8);
    }
}

/* y[at[i] * step] = x[i * from_step], for those `at` that lie in [low, high); the others go nowhere, which
 * costs less than a branch that nothing predicts. */
static void put_many(int log_size, char *to, int64_t step, const char *from, int64_t from_step,
                     const int64_t *at, size_t n, int64_t low, int64_t high)
{
    switch (log_size) {
#define PUT(LOG, T)                                                              \
    case LOG: {                                                                  \
        T *y = (T *)to, nowhere;                                                 \
        const T *x = (const T *)from;                                            \
        for (int64_t i = 0; i < (int64_t)n; i++) {                               \
            T *put = at[i] >= low && at[i] < high ? y + at[i] * step : &nowhere; \
            *put = x[i * from_step];                                             \
        }                                                                        \
        break;                                                                   \
    }
        PUT(0, uint8_t)
        PUT(1, uint16_t)
        PUT(2, uint32_t)
        PUT(3, uint64_t)
#undef PUT
    }
}

/* p[0]: what is there, p[1]: the updates. Binary kernels write dense rows only. */
static void update_row(const void *context, char *const *p, const int64_t *s, size_t n)
{
    const updater *u = context;
    if (!u->combine && n == 1)
        put_one(p[0], p[1], u->log_size);
    else if (!u->combine)
        cpu_kernels_get()->elementwise.copy[u->log_size](p[1], (ptrdiff_t)s[1], p[0], (ptrdiff_t)s[0], n);
    else if (s[0] == 1 || n == 1)
        u->combine(p[0], 1, p[1], (ptrdiff_t)s[1], p[0], n);
    else
        for (int64_t i = 0; i < (int64_t)n; i++) {
            char *y = p[0] + i * s[0] * u->itemsize;
            u->combine(y, 1, p[1] + i * s[1] * u->itemsize, 1, y, 1);
        }
}

/* The updater of a mode for n's dtype; -1 with an error if there is no kernel. */
static int choose(const node *n, int mode, updater *u)
{
    static const int ops[] = {[PRIM_UPDATE_SUM] = CPU_add,
                              [PRIM_UPDATE_PROD] = CPU_multiply,
                              [PRIM_UPDATE_MAX] = CPU_maximum,
                              [PRIM_UPDATE_MIN] = CPU_minimum};
    size_t itemsize = node_itemsize(n);
    *u = (updater){.itemsize = (int64_t)itemsize, .log_size = walk_log_size(itemsize)};
    if (mode == PRIM_UPDATE_NONE)
        return 0;
    u->combine = cpu_kernels_get()->elementwise.binary[ops[mode]][n->dtype];
    return u->combine ? 0 : cpu_eval_no_kernel(n, (mlx_dtype)n->dtype);
}

/* n holds x, in x's own memory if nobody else does. */
static int start(node *n)
{
    static const uint8_t first[1] = {0};
    const node *x = n->inputs[0];
    if (node_allocate_from(n, first, 1))
        return -1;
    if (n->data != x->data)
        walk_copy_dense(x, n->data);
    return 0;
}

int cpu_eval_slice_update(node *n)
{
    const prim_slice_update *params = n->params;
    const prim_range *r = params->ranges;
    int64_t strides[MX_MAX_DIMS], offset = 0;
    int shape[MX_MAX_DIMS];
    updater u;
    if (choose(n, params->mode, &u) || start(n))
        return -1;
    for (int i = 0; i < n->ndim; i++) {
        offset += r[i].start * n->strides[i];
        strides[i] = r[i].stride * n->strides[i];
        shape[i] = r[i].size;
    }
    walk w;
    walk_init(&w, shape, n->ndim);
    walk_add_strided(&w, n->data + offset * u.itemsize, strides, (size_t)u.itemsize);
    walk_add(&w, n->inputs[1]);
    walk_run(&w, update_row, &u);
    return 0;
}

/* Offset in the updates of the slice for place `at`. */
static int64_t update_offset(const node *updates, int index_ndim, size_t at)
{
    int64_t offset = 0;
    for (int d = index_ndim - 1; d >= 0; d--) {
        offset += (int64_t)(at % (size_t)updates->shape[d]) * updates->strides[d];
        at /= (size_t)updates->shape[d];
    }
    return offset;
}

/* The number of elements of a slice that lies densely in n and in its updates; 0 if it does not. */
static size_t dense_slice(const node *n, const node *updates, const int32_t *sizes)
{
    int64_t step = 1;
    const int64_t *strides = updates->strides + updates->ndim - n->ndim;
    for (int i = n->ndim - 1; i >= 0; i--) {
        if (sizes[i] != 1 && (n->strides[i] != step || strides[i] != step))
            return 0;
        step *= sizes[i];
    }
    return step < 4096 ? (size_t)step : 0; /* a large one is worth a walk, which threads share */
}

/* Dense slices of `row` elements, for threads that own a part of the result each. */
typedef struct scatter_rows {
    const updater *u;
    node *n;
    const node *updates;
    const int64_t *offsets;
    size_t places, row;
    int index_ndim;
} scatter_rows;

/* All updates of the rows [begin, end) of the result, in order. */
static void update_rows(void *context, size_t begin, size_t end)
{
    const scatter_rows *s = context;
    const int64_t dense[2] = {1, 1}, low = (int64_t)(begin * s->row), high = (int64_t)(end * s->row);
    bool in_order = (s->updates->flags & NODE_ROW_CONTIGUOUS) != 0;
    if (in_order && s->row == 1 && !s->u->combine) {
        put_many(s->u->log_size, s->n->data, 1, s->updates->data, 1, s->offsets, s->places, low, high);
        return;
    }
    for (size_t at = 0; at < s->places; at++) {
        int64_t to = s->offsets[at];
        if (to < low || to >= high)
            continue;
        int64_t from = in_order ? (int64_t)(at * s->row) : update_offset(s->updates, s->index_ndim, at);
        char *data[2] = {s->n->data + to * s->u->itemsize, s->updates->data + from * s->u->itemsize};
        update_row(s->u, data, dense, s->row);
    }
}

enum { SMALL = 1 << 18 }; /* bytes of a result that one thread writes as fast as it reads the places */

/* Slices that begin at multiples of their size are the same or apart: then threads share the result's rows.
 */
static void scatter_dense(const scatter_rows *s)
{
    bool aligned = s->n->size % s->row == 0;
    for (size_t at = 0; at < s->places && aligned && s->row > 1; at++)
        aligned = s->offsets[at] % (int64_t)s->row == 0;
    size_t rows = s->n->size / s->row, work = s->places * s->row / 16384 + 1;
    scatter_rows all = *s;
    if (aligned && node_bytes(s->n) > SMALL)
        pool_for(rows, rows / work + 1, update_rows, &all);
    else
        update_rows(&all, 0, rows + 1);
}

int cpu_eval_scatter(node *n)
{
    const prim_gather *p = n->params;
    const node *updates = n->inputs[n->n_inputs - 1];
    const int32_t *sizes = p->list + p->count;
    int index_ndim = updates->ndim - n->ndim;
    size_t places = 1;
    buffer *temp = NULL;
    updater u;
    for (int d = 0; d < index_ndim; d++)
        places *= (size_t)updates->shape[d];
    places = updates->size ? places : 0;
    const int64_t *offsets = index_offsets(n, n, updates->shape, index_ndim, places, &temp);
    int rc = !offsets || choose(n, p->mode, &u) || start(n) ? -1 : 0;
    size_t row = rc == 0 ? dense_slice(n, updates, sizes) : 0;
    if (row)
        scatter_dense(&(scatter_rows){&u, n, updates, offsets, places, row, index_ndim});
    for (size_t at = 0; rc == 0 && row == 0 && at < places; at++) {
        walk w;
        walk_init(&w, sizes, n->ndim);
        walk_add_strided(&w, n->data + offsets[at] * u.itemsize, n->strides, (size_t)u.itemsize);
        walk_add_strided(&w, updates->data + update_offset(updates, index_ndim, at) * u.itemsize,
                         updates->strides + index_ndim, (size_t)u.itemsize);
        walk_run(&w, update_row, &u);
    }
    buffer_release(temp);
    return rc;
}

typedef struct scatter_axis {
    updater u;
    index_source *source;
    int64_t length;                       /* of the updates on the axis */
    int64_t to_step, index_step, up_step; /* on the axis, in elements */
    int64_t index_size;
} scatter_axis;

/* `count` updates that lie on the axis, for one place on the others. */
static void scatter_lane(const scatter_axis *a, char *to, const char *indices, const char *from,
                         int64_t count)
{
    int64_t at[INDEX_BLOCK], one[2] = {1, 1};
    index_read(a->source, indices, a->index_step, (size_t)count, at);
    if (!a->u.combine) {
        put_many(a->u.log_size, to, a->to_step, from, a->up_step, at, (size_t)count, INT64_MIN, INT64_MAX);
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        char *p[2] = {to + at[i] * a->to_step * a->u.itemsize,
                      (char *)(uintptr_t)from + i * a->up_step * a->u.itemsize};
        update_row(&a->u, p, one, 1);
    }
}

/* p: the result, the indices and the updates at position 0 of the axis, for a row of n places on the others.
 * Threads share these: what is on the axis stays with one of them, in order. */
static void scatter_axis_row(const void *context, char *const *p, const int64_t *s, size_t n)
{
    const scatter_axis *a = context;
    /* short blocks when the places lie closer together than the axis' entries */
    int64_t block = llabs(a->to_step) > llabs(s[0]) && n > 1 ? 1 : INDEX_BLOCK;
    for (int64_t k = 0; k < a->length; k += block)
        for (int64_t i = 0; i < (int64_t)n; i++)
            scatter_lane(a, p[0] + i * s[0] * a->u.itemsize,
                         p[1] + (i * s[1] + k * a->index_step) * a->index_size,
                         p[2] + (i * s[2] + k * a->up_step) * a->u.itemsize,
                         a->length - k < block ? a->length - k : block);
}

/* n's strides with 0 on the axis. */
static void without(const node *n, int axis, int64_t *strides)
{
    memcpy(strides, n->strides, n->ndim * sizeof *strides);
    strides[axis] = 0;
}

int cpu_eval_scatter_axis(node *n)
{
    const node *indices = n->inputs[1], *updates = n->inputs[2];
    const prim_scatter_axis *params = n->params;
    int axis = params->axis, shape[MX_MAX_DIMS];
    int64_t strides[MX_MAX_DIMS];
    index_source source = {
        .dtype = (mlx_dtype)indices->dtype, .axis = axis, .size = n->shape[axis], .slice = 1};
    scatter_axis a = {.source = &source,
                      .length = updates->shape[axis],
                      .to_step = n->strides[axis],
                      .index_step = indices->strides[axis],
                      .up_step = updates->strides[axis],
                      .index_size = (int64_t)node_itemsize(indices)};
    walk w;
    if (index_check(n, indices, axis, source.size) || choose(n, params->mode, &a.u) || start(n))
        return -1;
    memcpy(shape, updates->shape, n->ndim * sizeof *shape);
    shape[axis] = 1;
    walk_init(&w, shape, n->ndim);
    without(n, axis, strides);
    walk_add_strided(&w, n->data, strides, (size_t)a.u.itemsize);
    without(indices, axis, strides);
    walk_add_strided(&w, indices->data, strides, node_itemsize(indices));
    without(updates, axis, strides);
    walk_add_strided(&w, updates->data, strides, (size_t)a.u.itemsize);
    walk_run_heavy(&w, scatter_axis_row, &a, (size_t)a.length);
    return 0;
}

/* How many of n bytes are set. */
static size_t count_set(const char *mask, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += mask[i] != 0;
    return count;
}

int cpu_eval_masked_scatter(node *n)
{
    const node *source = n->inputs[2];
    buffer *temps[2] = {NULL, NULL};
    size_t itemsize = node_itemsize(n), set = 0;
    const char *mask = walk_dense(n->inputs[1], &temps[0]), *from = walk_dense(source, &temps[1]);
    int rc = mask && from ? 0 : -1;
    if (rc == 0 && (set = count_set(mask, n->size)) > source->size)
        rc = error_set("[masked_scatter] the mask has %zu elements set, the source only %zu elements", set,
                       source->size);
    if (rc == 0 && (rc = start(n)) == 0)
        for (size_t i = 0; i < n->size; i++)
            if (mask[i]) {
                memcpy(n->data + i * itemsize, from, itemsize);
                from += itemsize;
            }
    buffer_release(temps[0]);
    buffer_release(temps[1]);
    return rc;
}
