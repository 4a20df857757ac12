/* Reading by indices. An index out of bounds is an error of the evaluation, never a wild read. */
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
static int64_t index_offset(const node *n, const node *indices, int index_ndim, size_t at)
{
    int64_t offset = 0;
    for (int d = index_ndim - 1, k = indices->ndim - 1; d >= 0; d--, k--) {
        size_t i = at % (size_t)n->shape[d];
        at /= (size_t)n->shape[d];
        if (k >= 0 && indices->shape[k] != 1)
            offset += (int64_t)i * indices->strides[k];
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
        int64_t offset = 0;
        for (int32_t a = 0; a < p->count; a++) {
            const node *idx = n->inputs[1 + a];
            const char *where = idx->data + index_offset(n, idx, index_ndim, at) * (int64_t)node_itemsize(idx);
            int64_t i = checked(n, read_index(where, (mlx_dtype)idx->dtype), x->shape[p->list[a]], p->list[a]);
            if (i < 0)
                return -1;
            offset += i * x->strides[p->list[a]];
        }
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
