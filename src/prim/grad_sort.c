/* Gradients of sorting: each element takes the cotangent of the place that it went to. */
#include "prim/grad.h"

static mlx_array back(mlx_array g, mlx_array order, int axis)
{
    return mx_take_along_axis(g, mx_stop_gradient(mx_argsort(order, axis)), axis);
}

void grad_sort(const grad_args *a, mlx_array *grads)
{
    int axis = ((const prim_axis *)a->n->params)->axis;
    grads[0] = back(a->given[0], mx_argsort(a->in[0], axis), axis);
}

/* Partition and ArgPartition of the same numbers give the same order. */
void grad_partition(const grad_args *a, mlx_array *grads)
{
    const prim_partition *p = a->n->params;
    grads[0] = back(a->given[0], mx_argpartition(a->in[0], p->kth, p->axis), p->axis);
}
