/* Reductions along axes.
 *
 * A reduction sees its input as kept axes times reduced axes. When the reduced ones merge into one, kernels
 * read the input where it is: a row for each result, or, when the last axis is kept, rows at a time.
 * Otherwise the input is first copied with the reduced axes last. */
#include "cpu/eval.h"
#include "cpu/pool.h"
#include "cpu/walk.h"

/* Kept and reduced axes of a node, merged where strides allow. */
typedef struct axes {
    int ndim;
    int64_t shape[MX_MAX_DIMS], stride[MX_MAX_DIMS];
    size_t size;
} axes;

static axes pick(const node *x, uint32_t bits, bool wanted)
{
    axes a = {.size = 1};
    for (int i = 0; i < x->ndim; i++) {
        if (((bits >> i & 1) != 0) != wanted)
            continue;
        a.size *= (size_t)x->shape[i];
        if (x->shape[i] <= 1)
            continue;
        int last = a.ndim - 1;
        if (last >= 0 && a.stride[last] == x->strides[i] * x->shape[i] &&
            a.shape[last] <= INT32_MAX / x->shape[i]) {
            a.shape[last] *= x->shape[i];
            a.stride[last] = x->strides[i];
            continue;
        }
        a.shape[a.ndim] = x->shape[i];
        a.stride[a.ndim++] = x->strides[i];
    }
    return a;
}

/* Offset in elements of the i-th entry of these axes, row-major. */
static int64_t offset_of(const axes *a, size_t i)
{
    int64_t offset = 0;
    for (int d = a->ndim - 1; d >= 0; d--) {
        offset += (int64_t)(i % (size_t)a->shape[d]) * a->stride[d];
        i /= (size_t)a->shape[d];
    }
    return offset;
}

typedef struct reduce_job {
    node *n;
    const char *data;
    axes kept, reduced;
    size_t in_size, out_size;
    cpu_reduce_fn row;
    cpu_reduce_rows_fn rows;
    int64_t stride; /* of the reduced axis */
} reduce_job;

static void reduce_range(void *context, size_t begin, size_t end)
{
    const reduce_job *j = context;
    for (size_t i = begin; i < end; i++)
        j->row(j->data + offset_of(&j->kept, i) * (int64_t)j->in_size, (ptrdiff_t)j->stride,
               j->n->data + i * j->out_size, j->reduced.size);
}

/* The innermost kept axis is dense: one call makes a whole run of results. */
static void reduce_rows_range(void *context, size_t begin, size_t end)
{
    const reduce_job *j = context;
    size_t m = (size_t)j->kept.shape[j->kept.ndim - 1];
    while (begin < end) {
        size_t run = m - begin % m;
        run = run < end - begin ? run : end - begin;
        j->rows(j->data + offset_of(&j->kept, begin) * (int64_t)j->in_size, (ptrdiff_t)j->stride,
                j->n->data + begin * j->out_size, j->reduced.size, run);
        begin += run;
    }
}

enum { PIECE = 1 << 17 };

/* May results of pieces, rounded, be combined? Not where they could overflow or lose what the whole keeps. */
static bool can_cut(int kind, mlx_dtype t)
{
    bool half = t == MLX_FLOAT16 || t == MLX_BFLOAT16, whole = t <= MLX_INT64;
    return kind == CPU_SUM ? !half : kind == CPU_PROD ? whole : true;
}

typedef struct piece_job {
    const reduce_job *j;
    const char *x;
    char *parts;
} piece_job;

static void reduce_pieces(void *context, size_t begin, size_t end)
{
    const piece_job *c = context;
    const reduce_job *j = c->j;
    for (size_t i = begin; i < end; i++) {
        size_t first = i * PIECE, count = j->reduced.size - first < PIECE ? j->reduced.size - first : PIECE;
        j->row(c->x + (int64_t)first * j->stride * (int64_t)j->in_size, (ptrdiff_t)j->stride,
               c->parts + i * j->out_size, count);
    }
}

/* Few long rows, each cut into pieces for all threads. Pieces do not depend on the number of threads. */
static int reduce_long(const reduce_job *j, cpu_reduce_fn combine)
{
    size_t pieces = (j->reduced.size + PIECE - 1) / PIECE;
    buffer *parts = buffer_new(pieces * j->out_size);
    if (!parts)
        return -1;
    for (size_t i = 0; i < j->n->size; i++) {
        piece_job c = {j, j->data + offset_of(&j->kept, i) * (int64_t)j->in_size, parts->data};
        pool_for(pieces, 1, reduce_pieces, &c);
        combine(parts->data, 1, j->n->data + i * j->out_size, pieces);
    }
    buffer_release(parts);
    return 0;
}

/* Copies x with its reduced axes last; afterwards the job reads dense rows. */
static int gather_rows(reduce_job *j, const node *x, buffer **temp)
{
    *temp = buffer_new(node_bytes(x));
    if (!*temp)
        return -1;
    int shape[MX_MAX_DIMS];
    int64_t from[MX_MAX_DIMS];
    int ndim = 0;
    const axes *parts[2] = {&j->kept, &j->reduced};
    for (int p = 0; p < 2; p++)
        for (int i = 0; i < parts[p]->ndim; i++) {
            shape[ndim] = (int)parts[p]->shape[i];
            from[ndim++] = parts[p]->stride[i];
        }
    node view = *x;
    view.ndim = (uint8_t)ndim;
    view.shape = shape;
    view.strides = from;
    walk_copy_dense(&view, (*temp)->data);
    j->data = (*temp)->data;
    j->stride = 1;
    j->kept = (axes){.ndim = 1,
                     .shape = {(int64_t)j->kept.size},
                     .stride = {(int64_t)j->reduced.size},
                     .size = j->kept.size};
    return 0;
}

int cpu_eval_reduce(node *n)
{
    const prim_reduce *p = n->params;
    const node *x = n->inputs[0];
    const reduce_kernels *k = &cpu_kernels_get()->reduce;
    reduce_job j = {.n = n, .data = x->data, .in_size = node_itemsize(x), .out_size = node_itemsize(n)};
    buffer *temp = NULL;
    j.kept = pick(x, p->axes, false);
    j.reduced = pick(x, p->axes, true);
    j.row = k->reduce[p->kind][x->dtype];
    j.rows = k->rows[p->kind][x->dtype];
    if (!j.row)
        return cpu_eval_no_kernel(n, (mlx_dtype)x->dtype);
    if (node_allocate(n))
        return -1;
    if (j.reduced.ndim > 1 && x->size && gather_rows(&j, x, &temp))
        return -1;
    if (!temp)
        j.stride = j.reduced.ndim ? j.reduced.stride[0] : 1;
    bool by_rows = j.rows && j.stride != 1 && j.kept.ndim && j.kept.stride[j.kept.ndim - 1] == 1;
    bool is_long =
        !by_rows && n->size < 8 && j.reduced.size >= 2 * PIECE && can_cut(p->kind, (mlx_dtype)x->dtype);
    size_t grain = j.reduced.size ? 65536 / j.reduced.size + 1 : n->size;
    int rc = 0;
    if (is_long)
        rc = reduce_long(&j, k->reduce[p->kind][n->dtype]);
    else if (n->size)
        pool_for(n->size, grain, by_rows ? reduce_rows_range : reduce_range, &j);
    buffer_release(temp);
    return rc;
}

typedef struct arg_job {
    node *n;
    axes kept;
    ptrdiff_t stride; /* of the axis that is searched */
    size_t length;
    uint32_t (*fn)(const void *x, ptrdiff_t stride, size_t n);
    void (*rows)(const void *x, ptrdiff_t stride, uint32_t *y, size_t n, size_t m);
} arg_job;

static void arg_range(void *context, size_t begin, size_t end)
{
    const arg_job *j = context;
    const node *x = j->n->inputs[0];
    uint32_t *out = (uint32_t *)j->n->data;
    for (size_t i = begin; i < end; i++)
        out[i] = j->fn(x->data + offset_of(&j->kept, i) * (int64_t)node_itemsize(x), j->stride, j->length);
}

/* As reduce_rows_range. */
static void arg_rows_range(void *context, size_t begin, size_t end)
{
    const arg_job *j = context;
    const node *x = j->n->inputs[0];
    size_t m = (size_t)j->kept.shape[j->kept.ndim - 1];
    for (size_t run; begin < end; begin += run) {
        run = m - begin % m;
        run = run < end - begin ? run : end - begin;
        j->rows(x->data + offset_of(&j->kept, begin) * (int64_t)node_itemsize(x), j->stride,
                (uint32_t *)j->n->data + begin, j->length, run);
    }
}

int cpu_eval_arg_reduce(node *n)
{
    const prim_arg_reduce *p = n->params;
    const node *x = n->inputs[0];
    const reduce_kernels *k = &cpu_kernels_get()->reduce;
    arg_job j = {.n = n, .fn = k->arg[p->smallest][x->dtype], .rows = k->arg_rows[p->smallest][x->dtype]};
    if (!j.fn)
        return cpu_eval_no_kernel(n, (mlx_dtype)x->dtype);
    if (node_allocate(n))
        return -1;
    j.kept = pick(x, (uint32_t)1 << p->axis, false);
    j.stride = (ptrdiff_t)x->strides[p->axis];
    j.length = (size_t)x->shape[p->axis];
    bool by_rows = j.stride != 1 && j.kept.ndim && j.kept.stride[j.kept.ndim - 1] == 1;
    size_t grain = j.length ? (by_rows ? 65536 : 16384) / j.length + 1 : n->size;
    if (n->size)
        pool_for(n->size, grain, by_rows ? arg_rows_range : arg_range, &j);
    return 0;
}
