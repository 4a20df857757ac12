/* Primitives that copy: layout changes, constants, joins. */
#include "base/error.h"
#include "cpu/eval.h"
#include "cpu/walk.h"

#include <string.h>

/* Views that strides do not allow: n gets its input's elements in row-major order. */
int cpu_eval_contiguous(node *n)
{
    if (node_allocate(n))
        return -1;
    walk_copy_dense(n->inputs[0], n->data);
    return 0;
}

int cpu_eval_reshape(node *n) { return cpu_eval_contiguous(n); }

int cpu_eval_copy_input(node *n, size_t i)
{
    node *x = n->inputs[i];
    buffer *b = buffer_new(node_bytes(x));
    if (!b)
        return -1;
    walk_copy_dense(x, b->data);
    node *copy = node_from_buffer(b, b->data, x->shape, x->ndim, (mlx_dtype)x->dtype);
    if (!copy)
        return -1;
    n->inputs[i] = copy;
    node_release(x);
    return 0;
}

int cpu_eval_view_of_copy(node *n)
{
    if (cpu_eval_copy_input(n, 0))
        return -1;
    return prim_view(n) ? 0 : error_set("[%s] a dense copy has no view", prim_table[n->prim].name);
}

int cpu_eval_full(node *n)
{
    if (node_allocate(n))
        return -1;
    walk_copy(n->data, n->strides, n->shape, n->ndim, n->inputs[0]);
    return 0;
}

int cpu_eval_concatenate(node *n)
{
    int axis = ((const prim_axis *)n->params)->axis;
    int64_t offset = 0;
    if (node_allocate(n))
        return -1;
    for (uint32_t i = 0; i < n->n_inputs; i++) {
        const node *in = n->inputs[i];
        walk_copy(n->data + offset * (int64_t)node_itemsize(n), n->strides, in->shape, in->ndim, in);
        offset += in->shape[axis] * n->strides[axis];
    }
    return 0;
}

/* Copies `from` to where it begins in n, whose axes are at least as long. */
static void place(node *n, int64_t offset, const node *from)
{
    walk_copy(n->data + offset * (int64_t)node_itemsize(n), n->strides, from->shape, from->ndim, from);
}

int cpu_eval_pad(node *n)
{
    const prim_pad *p = n->params;
    int64_t offset = 0;
    if (node_allocate(n))
        return -1;
    if (n->size != n->inputs[0]->size)
        walk_copy(n->data, n->strides, n->shape, n->ndim, n->inputs[1]);
    for (int i = 0; i < n->ndim; i++)
        offset += p[i].low * n->strides[i];
    place(n, offset, n->inputs[0]);
    return 0;
}

/* Where in x the slice begins that `start` names. -1 with an error if it does not lie within x. */
static int dynamic_offset(const node *n, const node *x, const node *start, const int *sizes, int64_t *offset)
{
    const prim_dynamic_slice *p = n->params;
    *offset = 0;
    for (int32_t i = 0; i < p->count; i++) {
        int axis = p->list[i];
        int64_t at;
        memcpy(&at, start->data + (start->ndim ? i * start->strides[0] : 0) * 8, sizeof at);
        if (at < 0 || at > x->shape[axis] - sizes[axis])
            return error_set("[%s] a slice of %d from %lld on does not lie within axis %d of size %d",
                             prim_table[n->prim].name, sizes[axis], (long long)at, axis, x->shape[axis]);
        *offset += at * x->strides[axis];
    }
    return 0;
}

int cpu_eval_dynamic_slice(node *n)
{
    const node *x = n->inputs[0];
    int64_t offset;
    if (dynamic_offset(n, x, n->inputs[1], n->shape, &offset))
        return -1;
    node_view(n, x, x->data + (n->size ? offset * (int64_t)node_itemsize(n) : 0), x->strides);
    return 0;
}

int cpu_eval_dynamic_slice_update(node *n)
{
    static const uint8_t first[1] = {0};
    const node *x = n->inputs[0], *update = n->inputs[1];
    int64_t offset;
    if (dynamic_offset(n, n, n->inputs[2], update->shape, &offset) || node_allocate_from(n, first, 1))
        return -1;
    if (n->data != x->data)
        walk_copy_dense(x, n->data);
    place(n, offset, update);
    return 0;
}
