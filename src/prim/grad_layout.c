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
    prim_squeeze params = {((const prim_expand_dims *)a->n->params)->axes};
    grads[0] = prim_make(PRIM_Squeeze, &a->given[0], 1, &params, sizeof params);
}

void grad_squeeze(const grad_args *a, mlx_array *grads)
{
    prim_expand_dims params = {((const prim_squeeze *)a->n->params)->axes};
    grads[0] = prim_make(PRIM_ExpandDims, &a->given[0], 1, &params, sizeof params);
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

/* The diagonal goes back to its place among zeros: as a matrix whose rows repeat it, of which the diagonal
 * stays; then padded, and the two axes moved to where they were. */
void grad_diagonal(const grad_args *a, mlx_array *grads)
{
    const prim_diagonal *p = a->n->params;
    mlx_array g = a->given[0], x = a->in[0];
    int ndim = mx_ndim(x), size = mx_shape(g)[ndim - 2], order[MX_MAX_DIMS], k = 0;
    prim_pad pads[MX_MAX_DIMS] = {0};
    prim_pad *down = &pads[ndim - 2], *right = &pads[ndim - 1];
    down->low = size && p->offset < 0 ? -p->offset : 0;
    right->low = size && p->offset > 0 ? p->offset : 0;
    down->high = mx_shape(x)[p->axis1] - down->low - size;
    right->high = mx_shape(x)[p->axis2] - right->low - size;
    mlx_array in[2] = {mx_where(mx_eye(size, size, 0, MLX_BOOL), mx_expand_dims(g, -1), grad_number(0, g)),
                       grad_number(0, g)};
    mlx_array padded = prim_make(PRIM_Pad, in, 2, pads, (size_t)ndim * sizeof *pads);
    for (int i = 0; i < ndim; i++)
        order[i] = i == p->axis1 ? ndim - 2 : i == p->axis2 ? ndim - 1 : k++;
    grads[0] = mx_transpose(padded, order, (size_t)ndim);
}

/* Each element of the view adds to the one that it shows. */
void grad_as_strided(const grad_args *a, mlx_array *grads)
{
    size_t size = mx_size(a->in[0]);
    mlx_array places = mx_arange(0, (double)size, 1, MLX_INT64);
    places = prim_make(PRIM_AsStrided, &places, 1, a->n->params, a->n->params_size);
    grads[0] = mx_scatter_add_axis(grad_zeros(a->in[0]), mx_reshape(places, SHAPE(-1)),
                                   mx_reshape(a->given[0], SHAPE(-1)), 0);
}

/* The value gets what flows into the margins. */
void grad_pad(const grad_args *a, mlx_array *grads)
{
    const prim_pad *p = a->n->params;
    mlx_array g = a->given[0];
    int start[MX_MAX_DIMS], stop[MX_MAX_DIMS];
    for (int i = 0; i < a->n->ndim; i++) {
        start[i] = p[i].low;
        stop[i] = a->n->shape[i] - p[i].high;
    }
    if (a->wanted[0])
        grads[0] = mx_slice(g, start, stop, NULL);
    if (a->wanted[1])
        grads[1] = mx_sum(mx_slice_update(g, grad_number(0, g), start, stop, NULL), NULL, 0, false);
}

/* The slice goes back to its place among zeros. */
void grad_dynamic_slice(const grad_args *a, mlx_array *grads)
{
    const prim_dynamic_slice *p = a->n->params;
    if (a->wanted[0])
        grads[0] =
            mx_slice_update_dynamic(grad_zeros(a->in[0]), a->given[0], a->in[1], p->list, (size_t)p->count);
}

/* What was overwritten gets nothing. */
void grad_dynamic_slice_update(const grad_args *a, mlx_array *grads)
{
    const prim_dynamic_slice *p = a->n->params;
    mlx_array g = a->given[0], update = a->in[1], start = a->in[2];
    if (a->wanted[0])
        grads[0] = mx_slice_update_dynamic(g, grad_zeros(update), start, p->list, (size_t)p->count);
    if (a->wanted[1])
        grads[1] =
            mx_slice_dynamic(g, start, p->list, (size_t)p->count, mx_shape(update), (size_t)mx_ndim(update));
}
