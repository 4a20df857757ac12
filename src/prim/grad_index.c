/* Gradients of reading and adding by indices: one is the other's. Indices are integers, to which nothing
 * flows. */
#include "prim/grad.h"

/* The node's index arrays with something before and after them, for a node of the opposite kind. */
static mlx_array with_indices(const grad_args *a, int prim, mlx_array first, mlx_array last)
{
    int32_t count = ((const prim_gather *)a->n->params)->count;
    mlx_array in[MX_MAX_DIMS + 2];
    in[0] = first;
    for (int32_t i = 0; i < count; i++)
        in[1 + i] = a->in[1 + i];
    in[1 + count] = last;
    return prim_make(prim, in, (size_t)(prim == PRIM_Scatter ? count + 2 : count + 1), a->n->params,
                     a->n->params_size);
}

void grad_gather(const grad_args *a, mlx_array *grads)
{
    if (a->wanted[0])
        grads[0] = with_indices(a, PRIM_Scatter, grad_zeros(a->in[0]), a->given[0]);
}

void grad_scatter(const grad_args *a, mlx_array *grads)
{
    uint32_t last = a->n->n_inputs - 1;
    grads[0] = a->given[0];
    if (a->wanted[last])
        grads[last] = with_indices(a, PRIM_Gather, a->given[0], MX_NULL);
}

void grad_gather_axis(const grad_args *a, mlx_array *grads)
{
    int axis = ((const prim_axis *)a->n->params)->axis;
    if (a->wanted[0])
        grads[0] = mx_scatter_add_axis(grad_zeros(a->in[0]), a->in[1], a->given[0], axis);
}

void grad_scatter_axis(const grad_args *a, mlx_array *grads)
{
    int axis = ((const prim_axis *)a->n->params)->axis;
    grads[0] = a->given[0];
    if (a->wanted[2])
        grads[2] = mx_take_along_axis(a->given[0], a->in[1], axis);
}
