/* Walks over strided arrays; see walk.h. */
#include "cpu/walk.h"

#include "cpu/kernels.h"
#include "cpu/pool.h"
#include "cpu/transpose.h"

#include <string.h>

/* Elements that are worth a second thread. */
enum { GRAIN = 16384 };

void walk_init(walk *w, const int *shape, int ndim)
{
    w->ndim = ndim;
    w->operands = 0;
    w->size = 1;
    for (int i = 0; i < ndim; i++) {
        w->shape[i] = shape[i];
        w->size *= (size_t)shape[i];
    }
}

void walk_add_strided(walk *w, char *data, const int64_t *strides, size_t itemsize)
{
    int k = w->operands++;
    w->data[k] = data;
    w->itemsize[k] = itemsize;
    for (int i = 0; i < w->ndim; i++)
        w->stride[k][i] = strides[i];
}

void walk_add(walk *w, const node *n)
{
    int64_t strides[MX_MAX_DIMS];
    for (int i = 1; i <= w->ndim; i++)
        strides[w->ndim - i] = i <= n->ndim && n->shape[n->ndim - i] != 1 ? n->strides[n->ndim - i] : 0;
    walk_add_strided(w, n->data, strides, node_itemsize(n));
}

/* Can axis a (outer) be merged with axis b (inner)? */
static bool mergeable(const walk *w, int a, int b)
{
    for (int k = 0; k < w->operands; k++)
        if (w->stride[k][a] != w->stride[k][b] * w->shape[b])
            return false;
    return true;
}

void walk_collapse(walk *w)
{
    int last = -1;
    for (int i = 0; i < w->ndim; i++) {
        if (w->shape[i] == 1)
            continue;
        bool merge = last >= 0 && mergeable(w, last, i);
        if (!merge)
            last++;
        w->shape[last] = merge ? w->shape[last] * w->shape[i] : w->shape[i];
        for (int k = 0; k < w->operands; k++)
            w->stride[k][last] = w->stride[k][i];
    }
    w->ndim = last + 1;
    if (w->ndim == 0) {
        w->ndim = 1;
        w->shape[0] = 1;
        for (int k = 0; k < w->operands; k++)
            w->stride[k][0] = 1;
    }
}

typedef struct job {
    const walk *w;
    walk_row fn;
    const void *context;
} job;

/* Coordinates and operand pointers of element `at`. */
static void seek(const walk *w, size_t at, int64_t *index, char **p)
{
    memcpy(p, w->data, (size_t)w->operands * sizeof *p);
    for (int i = w->ndim - 1; i >= 0; i--) {
        index[i] = (int64_t)(at % (size_t)w->shape[i]);
        at /= (size_t)w->shape[i];
        for (int k = 0; k < w->operands; k++)
            p[k] += index[i] * w->stride[k][i] * (int64_t)w->itemsize[k];
    }
}

static void run_range(void *arg, size_t begin, size_t end)
{
    const job *j = arg;
    const walk *w = j->w;
    int inner = w->ndim - 1;
    int64_t index[MX_MAX_DIMS], strides[WALK_OPERANDS];
    char *p[WALK_OPERANDS];
    for (int k = 0; k < w->operands; k++)
        strides[k] = w->stride[k][inner];
    while (begin < end) {
        seek(w, begin, index, p);
        size_t n = (size_t)(w->shape[inner] - index[inner]);
        n = n < end - begin ? n : end - begin;
        j->fn(j->context, p, strides, n);
        begin += n;
    }
}

void walk_run(walk *w, walk_row fn, const void *context) { walk_run_heavy(w, fn, context, 1); }

void walk_run_heavy(walk *w, walk_row fn, const void *context, size_t weight)
{
    if (w->size == 0)
        return;
    walk_collapse(w);
    job j = {w, fn, context};
    size_t grain = weight > 1 ? GRAIN / weight + 1 : GRAIN;
    if (w->size < 2 * grain)
        run_range(&j, 0, w->size);
    else
        pool_for(w->size, grain, run_range, &j);
}

static void copy_row(const void *context, char *const *p, const int64_t *strides, size_t n)
{
    const int *log_size = context;
    cpu_kernels_get()->elementwise.copy[*log_size](p[1], (ptrdiff_t)strides[1], p[0], (ptrdiff_t)strides[0],
                                                   n);
}

void walk_copy(char *to, const int64_t *strides, const int *shape, int ndim, const node *from)
{
    if (transpose_copy(to, strides, shape, ndim, from))
        return;
    size_t itemsize = node_itemsize(from);
    int log_size = walk_log_size(itemsize);
    walk w;
    walk_init(&w, shape, ndim);
    walk_add_strided(&w, to, strides, itemsize);
    walk_add(&w, from);
    walk_run(&w, copy_row, &log_size);
}

void walk_copy_dense(const node *n, char *out)
{
    int64_t dense[MX_MAX_DIMS], step = 1;
    for (int i = n->ndim - 1; i >= 0; i--) {
        dense[i] = step;
        step *= n->shape[i];
    }
    walk_copy(out, dense, n->shape, n->ndim, n);
}

const char *walk_dense(const node *n, buffer **temp)
{
    *temp = NULL;
    if (n->flags & NODE_ROW_CONTIGUOUS)
        return n->data;
    *temp = buffer_new(node_bytes(n));
    if (!*temp)
        return NULL;
    walk_copy_dense(n, (*temp)->data);
    return (*temp)->data;
}
