/* A further axis for attention, convolutions and rotary positions: it joins the batch. */
#include "prim/vmap.h"

#include <string.h>

/* (size, B, ...) as (size * B, ...). */
static mlx_array join(mlx_array x)
{
    int shape[MX_MAX_DIMS], ndim = mx_ndim(x) - 1;
    if (mx_is_null(x))
        return x;
    memcpy(shape, mx_shape(x) + 1, (size_t)ndim * sizeof *shape);
    shape[0] *= mx_shape(x)[0];
    return mx_reshape(x, shape, (size_t)ndim);
}

/* And back. */
static mlx_array part(mlx_array x, int size)
{
    int shape[MX_MAX_DIMS + 1], ndim = mx_ndim(x);
    if (mx_is_null(x))
        return x;
    memcpy(shape + 1, mx_shape(x), (size_t)ndim * sizeof *shape);
    shape[0] = size;
    shape[1] = size ? shape[1] / size : 0;
    return mx_reshape(x, shape, (size_t)ndim + 1);
}

static bool can_join(const vmap_args *a) { return a->size && (int64_t)a->size * a->n->shape[0] <= INT32_MAX; }

/* Only the first input has the axis; others are left to the loop. */
void vmap_batch(const vmap_args *a, mlx_array *out, int *axes)
{
    mlx_array in[8];
    bool fits = a->n->n_inputs <= 8 && can_join(a);
    for (uint32_t i = 0; fits && i < a->n->n_inputs; i++) {
        fits = i == 0 || !vmap_is(a, i);
        in[i] = i ? a->in[i] : join(vmap_full(a, i));
    }
    if (!fits) {
        vmap_loop(a, out, axes);
        return;
    }
    vmap_remake(a, in, NULL, 0, out, axes);
    out[0] = part(out[0], a->size);
}

/* Inputs of four axes are batched, others (sinks) are for all. */
void vmap_attention(const vmap_args *a, mlx_array *out, int *axes)
{
    const node *n = a->n;
    mlx_array in[8];
    bool fits = n->n_inputs <= 8 && can_join(a);
    for (uint32_t i = 0; fits && i < n->n_inputs; i++) {
        fits = n->inputs[i]->ndim == 4 || !vmap_is(a, i);
        in[i] = n->inputs[i]->ndim == 4 ? join(vmap_full(a, i)) : a->in[i];
    }
    if (!fits) {
        vmap_loop(a, out, axes);
        return;
    }
    vmap_remake(a, in, NULL, 0, out, axes);
    out[0] = part(out[0], a->size);
}

/* Offsets of each sequence go with the sequences; one offset is for all, wherever there are leading axes. */
void vmap_rope(const vmap_args *a, mlx_array *out, int *axes)
{
    const prim_rope *p = a->n->params;
    uint32_t last = a->n->n_inputs - 1;
    mlx_array in[3];
    bool one = p->offsets && a->n->inputs[last]->size == 1;
    if (!p->offsets || (one && !vmap_is(a, last))) {
        vmap_leading(a, out, axes);
        return;
    }
    if (!can_join(a) || (p->freqs && vmap_is(a, 1))) {
        vmap_loop(a, out, axes);
        return;
    }
    in[0] = join(vmap_full(a, 0));
    in[1] = a->in[1]; /* the frequencies, if there are any */
    in[last] = vmap_full(a, last);
    if (one) /* for each sequence of the entry */
        in[last] = mx_broadcast_to(mx_reshape(in[last], SHAPE(a->size, 1)), SHAPE(a->size, a->n->shape[0]));
    in[last] = join(in[last]);
    vmap_remake(a, in, NULL, 0, out, axes);
    out[0] = part(out[0], a->size);
}
