/* Reading and adding by indices. An index out of bounds is an error of the evaluation, never a wild access.
 */
#include "base/error.h"
#include "cpu/eval.h"
#include "cpu/walk.h"

#include <string.h>

static int64_t read_index(const char *p, mlx_dtype t)
{
    switch (t) {
    case MLX_UINT8:
        return *(const uint8_t *)p;
    case MLX_UINT16:
        return *(const uint16_t *)p;
    case MLX_UINT32:
        return *(const uint32_t *)p;
    case MLX_INT8:
        return *(const int8_t *)p;
    case MLX_INT16:
        return *(const int16_t *)p;
    case MLX_INT32:
        return *(const int32_t *)p;
    case MLX_UINT64: /* what int64 does not hold is out of bounds anyway, and not negative */
        return *(const uint64_t *)p > INT64_MAX ? INT64_MAX : (int64_t) * (const uint64_t *)p;
    default:
        return *(const int64_t *)p;
    }
}

/* Wraps a negative index; -1 and an error when it is out of bounds. */
static int64_t checked(const node *n, int64_t i, int size, int axis)
{
    int64_t wrapped = i < 0 ? i + size : i;
    if (wrapped >= 0 && wrapped < size)
        return wrapped;
    return error_set("[%s] index %lld is out of bounds for axis %d with size %d", prim_table[n->prim].name,
                     (long long)i, axis, size);
}

/* Offset (in elements) of index position `at`, counted row-major over the broadcast shape of the indices. */
static int64_t index_offset(const int *shape, const node *indices, int index_ndim, size_t at)
{
    int64_t offset = 0;
    for (int d = index_ndim - 1, k = indices->ndim - 1; d >= 0; d--, k--) {
        size_t i = at % (size_t)shape[d];
        at /= (size_t)shape[d];
        if (k >= 0 && indices->shape[k] != 1)
            offset += (int64_t)i * indices->strides[k];
    }
    return offset;
}

/* Offset in x of the slice that index position `at` (over `shape`) of Gather or Scatter n names; INT64_MIN
 * with an error if it is out of bounds. */
static int64_t slice_offset(const node *n, const node *x, const int *shape, int index_ndim, size_t at)
{
    const prim_gather *p = n->params;
    int64_t offset = 0;
    for (int32_t a = 0; a < p->count; a++) {
        const node *idx = n->inputs[1 + a];
        const char *where =
            idx->data + index_offset(shape, idx, index_ndim, at) * (int64_t)node_itemsize(idx);
        int64_t i = checked(n, read_index(where, (mlx_dtype)idx->dtype), x->shape[p->list[a]], p->list[a]);
        if (i < 0)
            return INT64_MIN;
        offset += i * x->strides[p->list[a]];
    }
    return offset;
}

/* The slice that gather copies for each index, as a node-like view of x. */
static void slice_copy(const node *x, const int32_t *sizes, const char *from, char *to)
{
    size_t itemsize = node_itemsize(x), size = 1;
    int64_t index[MX_MAX_DIMS] = {0};
    int last = x->ndim - 1;
    for (int i = 0; i <= last; i++)
        size *= (size_t)sizes[i];
    for (size_t done = 0; done < size; done += (size_t)sizes[last]) {
        const char *row = from;
        for (int i = 0; i < last; i++)
            row += index[i] * x->strides[i] * (int64_t)itemsize;
        for (int i = 0; i < sizes[last]; i++, to += itemsize)
            memcpy(to, row + i * x->strides[last] * (int64_t)itemsize, itemsize);
        for (int i = last - 1; i >= 0 && ++index[i] == sizes[i]; i--)
            index[i] = 0;
    }
}

/* Do the slice's elements lie densely in x? */
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

int cpu_eval_gather(node *n)
{
    const prim_gather *p = n->params;
    const node *x = n->inputs[0];
    const int32_t *sizes = p->list + p->count;
    size_t itemsize = node_itemsize(x), slice = itemsize;
    int index_ndim = n->ndim - x->ndim;
    for (int i = 0; i < x->ndim; i++)
        slice *= (size_t)sizes[i];
    if (node_allocate(n))
        return -1;
    bool dense = slice_dense(x, sizes);
    size_t count = slice ? node_bytes(n) / slice : 0;
    for (size_t at = 0; at < count; at++) {
        int64_t offset = slice_offset(n, x, n->shape, index_ndim, at);
        if (offset == INT64_MIN)
            return -1;
        const char *from = x->data + offset * (int64_t)itemsize;
        if (dense)
            memcpy(n->data + at * slice, from, slice);
        else
            slice_copy(x, sizes, from, n->data + at * slice);
    }
    return 0;
}

int cpu_eval_gather_axis(node *n)
{
    const node *x = n->inputs[0], *idx = n->inputs[1];
    int axis = ((const prim_axis *)n->params)->axis;
    size_t itemsize = node_itemsize(x);
    if (node_allocate(n))
        return -1;
    for (size_t at = 0; at < n->size; at++) {
        int64_t from = 0, where = 0;
        size_t rest = at;
        for (int d = n->ndim - 1; d >= 0; d--) {
            int64_t i = (int64_t)(rest % (size_t)n->shape[d]);
            rest /= (size_t)n->shape[d];
            where += i * idx->strides[d];
            from += d == axis ? 0 : i * x->strides[d];
        }
        const char *p = idx->data + where * (int64_t)node_itemsize(idx);
        int64_t i = checked(n, read_index(p, (mlx_dtype)idx->dtype), x->shape[axis], axis);
        if (i < 0)
            return -1;
        from += i * x->strides[axis];
        memcpy(n->data + at * itemsize, x->data + from * (int64_t)itemsize, itemsize);
    }
    return 0;
}

typedef struct adder {
    cpu_binary_fn add;
    int64_t itemsize;
} adder;

/* y += x for a row; kernels write dense rows only. */
static void add_row(const void *context, char *const *p, const int64_t *s, size_t n)
{
    const adder *a = context;
    if (s[0] == 1 || n == 1)
        a->add(p[0], 1, p[1], (ptrdiff_t)s[1], p[0], n);
    else
        for (int64_t i = 0; i < (int64_t)n; i++) {
            char *y = p[0] + i * s[0] * a->itemsize;
            a->add(y, 1, p[1] + i * s[1] * a->itemsize, 1, y, 1);
        }
}

/* What a scatter begins with: n holds x, in x's own memory if nobody else does. */
static int scatter_start(node *n, adder *a)
{
    static const uint8_t first[1] = {0};
    const node *x = n->inputs[0];
    *a = (adder){cpu_kernels_get()->elementwise.binary[CPU_add][n->dtype], (int64_t)node_itemsize(n)};
    if (!a->add)
        return cpu_eval_no_kernel(n, (mlx_dtype)n->dtype);
    if (node_allocate_from(n, first, 1))
        return -1;
    if (n->data != x->data)
        walk_copy_dense(x, n->data);
    return 0;
}

/* Places may repeat, so one after the other; a large slice is shared among threads. */
int cpu_eval_scatter(node *n)
{
    const prim_gather *p = n->params;
    const node *updates = n->inputs[n->n_inputs - 1];
    const int32_t *sizes = p->list + p->count;
    int index_ndim = updates->ndim - n->ndim;
    size_t places = 1;
    adder a;
    if (scatter_start(n, &a))
        return -1;
    for (int d = 0; d < index_ndim; d++)
        places *= (size_t)updates->shape[d];
    for (size_t at = 0; at < places && updates->size; at++) {
        int64_t to = slice_offset(n, n, updates->shape, index_ndim, at), from = 0;
        if (to == INT64_MIN)
            return -1;
        size_t rest = at;
        for (int d = index_ndim - 1; d >= 0; d--) {
            from += (int64_t)(rest % (size_t)updates->shape[d]) * updates->strides[d];
            rest /= (size_t)updates->shape[d];
        }
        walk w;
        walk_init(&w, sizes, n->ndim);
        walk_add_strided(&w, n->data + to * a.itemsize, n->strides, (size_t)a.itemsize);
        walk_add_strided(&w, updates->data + from * a.itemsize, updates->strides + index_ndim,
                         (size_t)a.itemsize);
        walk_run(&w, add_row, &a);
    }
    return 0;
}

int cpu_eval_scatter_axis(node *n)
{
    const node *idx = n->inputs[1], *updates = n->inputs[2];
    int axis = ((const prim_axis *)n->params)->axis;
    adder a;
    if (scatter_start(n, &a))
        return -1;
    for (size_t at = 0; at < updates->size; at++) {
        int64_t to = 0, from = 0, where = 0;
        size_t rest = at;
        for (int d = n->ndim - 1; d >= 0; d--) {
            int64_t i = (int64_t)(rest % (size_t)updates->shape[d]);
            rest /= (size_t)updates->shape[d];
            where += i * idx->strides[d];
            from += i * updates->strides[d];
            to += d == axis ? 0 : i * n->strides[d];
        }
        const char *p = idx->data + where * (int64_t)node_itemsize(idx);
        int64_t i = checked(n, read_index(p, (mlx_dtype)idx->dtype), n->shape[axis], axis);
        if (i < 0)
            return -1;
        char *y = n->data + (to + i * n->strides[axis]) * a.itemsize;
        a.add(y, 1, updates->data + from * a.itemsize, 1, y, 1);
    }
    return 0;
}
