/* Primitives that copy: layout changes, constants, joins. */
#include "cpu/eval.h"
#include "cpu/walk.h"
#include "kernels/half.h"

#include <string.h>

/* n: its input's elements in row-major order, without a copy if they are so already. */
int cpu_eval_contiguous(node *n)
{
    const node *in = n->inputs[0];
    if (in->flags & NODE_ROW_CONTIGUOUS) {
        node_view(n, in, in->data, n->strides);
        return 0;
    }
    if (node_allocate(n))
        return -1;
    walk_copy_dense(in, n->data);
    return 0;
}

/* Row-major in, row-major out: the strides that n was born with are right for the new shape. */
int cpu_eval_reshape(node *n) { return cpu_eval_contiguous(n); }

int cpu_eval_full(node *n)
{
    if (node_allocate(n))
        return -1;
    walk_copy(n->data, n->strides, n->shape, n->ndim, n->inputs[0]);
    return 0;
}

/* start and step as the dtype holds them. */
static double rounded(double v, mlx_dtype t)
{
    switch (t) {
    case MLX_FLOAT64:
        return v;
    case MLX_FLOAT32:
        return (float)v;
    case MLX_FLOAT16:
        return f16_to_f32(f32_to_f16((float)v));
    case MLX_BFLOAT16:
        return bf16_to_f32(f32_to_bf16((float)v));
    default:
        return (double)(int64_t)v;
    }
}

int cpu_eval_arange(node *n)
{
    const prim_arange *p = n->params;
    cpu_unary_fn cast = cpu_kernels_get()->elementwise.cast[MLX_FLOAT64][n->dtype];
    double start = rounded(p->start, (mlx_dtype)p->dtype), step = rounded(p->step, (mlx_dtype)p->dtype);
    if (node_allocate(n))
        return -1;
    for (size_t i = 0; i < n->size; i += 64) {
        double block[64];
        size_t m = n->size - i < 64 ? n->size - i : 64;
        for (size_t j = 0; j < m; j++)
            block[j] = start + (double)(i + j) * step;
        cast(block, 1, n->data + i * node_itemsize(n), m);
    }
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
