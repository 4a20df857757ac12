/* Reading by indices. */
#include "cpu/eval.h"
#include "cpu/index.h"
#include "cpu/pool.h"
#include "cpu/walk.h"

#include <string.h>

typedef struct gather_job {
    const node *x;
    const int32_t *sizes;
    const int64_t *offsets;
    char *out;
    size_t slice; /* bytes */
    bool dense;   /* a slice's elements lie densely in x */
} gather_job;

/* Copies the slice of x that begins at `from`, row-major. */
static void slice_copy(const gather_job *j, const char *from, char *to)
{
    const node *x = j->x;
    int64_t itemsize = (int64_t)node_itemsize(x), index[MX_MAX_DIMS] = {0};
    int last = x->ndim - 1, log_size = walk_log_size((size_t)itemsize);
    size_t row_bytes = (size_t)(j->sizes[last] * itemsize);
    for (size_t done = 0; done < j->slice; done += row_bytes, to += row_bytes) {
        const char *row = from;
        for (int i = 0; i < last; i++)
            row += index[i] * x->strides[i] * itemsize;
        cpu_kernels_get()->elementwise.copy[log_size](row, (ptrdiff_t)x->strides[last], to, 1,
                                                      (size_t)j->sizes[last]);
        for (int i = last - 1; i >= 0 && ++index[i] == j->sizes[i]; i--)
            index[i] = 0;
    }
}

static bool slice_dense(const node *x, const int32_t *sizes)
{
    int64_t step = 1;
    for (int i = x->ndim - 1; i >= 0; i--) {
        if (sizes[i] != 1 && x->strides[i] != step)
            return false;
        step *= sizes[i];
    }
    return true;
}

/* Slices of one element. */
static bool gather_elements(const gather_job *j, size_t begin, size_t end)
{
    switch (j->slice) {
#define ELEMENTS(T)                          \
    case sizeof(T): {                        \
        const T *x = (const T *)j->x->data;  \
        T *y = (T *)j->out;                  \
        for (size_t i = begin; i < end; i++) \
            y[i] = x[j->offsets[i]];         \
        return true;                         \
    }
        ELEMENTS(uint8_t)
        ELEMENTS(uint16_t)
        ELEMENTS(uint32_t)
        ELEMENTS(uint64_t)
#undef ELEMENTS
    default:
        return false;
    }
}

static void gather_range(void *arg, size_t begin, size_t end)
{
    const gather_job *j = arg;
    int64_t itemsize = (int64_t)node_itemsize(j->x);
    if ((int64_t)j->slice == itemsize && gather_elements(j, begin, end))
        return;
    for (size_t i = begin; i < end; i++) {
        const char *from = j->x->data + j->offsets[i] * itemsize;
        if (j->dense)
            memcpy(j->out + i * j->slice, from, j->slice);
        else
            slice_copy(j, from, j->out + i * j->slice);
    }
}

int cpu_eval_gather(node *n)
{
    const prim_gather *p = n->params;
    const node *x = n->inputs[0];
    gather_job j = {.x = x, .sizes = p->list + p->count, .slice = node_itemsize(x)};
    buffer *temp = NULL;
    for (int i = 0; i < x->ndim; i++)
        j.slice *= (size_t)j.sizes[i];
    if (node_allocate(n))
        return -1;
    j.out = n->data;
    j.dense = slice_dense(x, j.sizes);
    size_t places = j.slice ? node_bytes(n) / j.slice : 0;
    if (places == 0)
        return 0;
    j.offsets = index_offsets(n, x, n->shape, n->ndim - x->ndim, places, &temp);
    if (j.offsets)
        pool_for(places, 1 + 65536 / j.slice, gather_range, &j);
    buffer_release(temp);
    return j.offsets ? 0 : -1;
}

typedef struct gather_axis {
    index_source *source;
    int64_t step; /* of x on the axis */
    int64_t itemsize, index_size;
} gather_axis;

/* p: the result, the indices, x at position 0 of the axis */
static void gather_axis_row(const void *context, char *const *p, const int64_t *s, size_t n)
{
    const gather_axis *g = context;
    int64_t at[INDEX_BLOCK];
    for (size_t i = 0, m; i < n; i += m) {
        m = n - i < INDEX_BLOCK ? n - i : INDEX_BLOCK;
        index_read(g->source, p[1] + (int64_t)i * s[1] * g->index_size, s[1], m, at);
        char *out = p[0] + (int64_t)i * s[0] * g->itemsize;
        const char *in = p[2] + (int64_t)i * s[2] * g->itemsize;
        switch (g->itemsize) {
#define ELEMENTS(T)                                      \
    case sizeof(T): {                                    \
        const T *x = (const T *)in;                      \
        T *y = (T *)out;                                 \
        for (int64_t k = 0; k < (int64_t)m; k++)         \
            y[k * s[0]] = x[k * s[2] + at[k] * g->step]; \
        break;                                           \
    }
            ELEMENTS(uint8_t)
            ELEMENTS(uint16_t)
            ELEMENTS(uint32_t)
            ELEMENTS(uint64_t)
#undef ELEMENTS
        }
    }
}

int cpu_eval_gather_axis(node *n)
{
    const node *x = n->inputs[0], *indices = n->inputs[1];
    int axis = ((const prim_axis *)n->params)->axis;
    index_source source = {
        .dtype = (mlx_dtype)indices->dtype, .axis = axis, .size = x->shape[axis], .slice = 1};
    gather_axis g = {&source, x->strides[axis], (int64_t)node_itemsize(x), (int64_t)node_itemsize(indices)};
    int64_t base[MX_MAX_DIMS];
    walk w;
    if (node_allocate(n))
        return -1;
    for (int i = 0; i < n->ndim; i++)
        base[i] = i == axis || x->shape[i] == 1 ? 0 : x->strides[i];
    walk_init(&w, n->shape, n->ndim);
    walk_add(&w, n);
    walk_add(&w, indices);
    walk_add_strided(&w, x->data, base, node_itemsize(x));
    walk_run(&w, gather_axis_row, &g);
    return index_failure(&source, n);
}
