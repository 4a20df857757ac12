/* Gradients of primitives that move numbers: each moves them back. */
#include "prim/grad.h"

void grad_transpose(const grad_args *a, mlx_array *grads)
{
    const int32_t *axes = a->n->params;
    int back[MX_MAX_DIMS];
    for (int i = 0; i < a->n->ndim; i++)
        back[axes[i]] = i;
    grads[0] = mx_transpose(a->given[0], back, a->n->ndim);
}

void grad_expand_dims(const grad_args *a, mlx_array *grads)
{
    grads[0] = mx_squeeze(a->given[0], ((const prim_axis *)a->n->params)->axis);
}

void grad_squeeze(const grad_args *a, mlx_array *grads)
{
    uint32_t axes = ((const prim_squeeze *)a->n->params)->axes;
    grads[0] = a->given[0];
    for (int i = 0; i < mx_ndim(a->in[0]); i++)
        if (axes >> i & 1)
            grads[0] = mx_expand_dims(grads[0], i);
}

void grad_reshape(const grad_args *a, mlx_array *grads)
{
    grads[0] = mx_reshape(a->given[0], mx_shape(a->in[0]), (size_t)mx_ndim(a->in[0]));
}

void grad_concatenate(const grad_args *a, mlx_array *grads)
{
    int axis = ((const prim_axis *)a->n->params)->axis, start = 0;
    for (uint32_t i = 0; i < a->n->n_inputs; i++) {
        int size = mx_shape(a->in[i])[axis];
        if (a->wanted[i])
            grads[i] = mx_slice_axis(a->given[0], axis, start, start + size);
        start += size;
    }
}
