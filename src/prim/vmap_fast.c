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

/* Entries with sinks of their own are more heads: (size, B, H, ..) as (B, size * H, ..). */
static void as_heads(const vmap_args *a, mlx_array *out, int *axes)
{
    const node *n = a->n;
    mlx_array in[8];
    for (uint32_t i = 0; i < n->n_inputs; i++) {
        bool heads = n->inputs[i]->ndim == 4;
        mlx_array x = vmap_full(a, i);
        in[i] = mx_flatten(heads ? vmap_move(x, 0, 1) : x, heads, heads + 1);
    }
    vmap_remake(a, in, NULL, 0, out, axes);
    out[0] = mx_unflatten(out[0], 1, SHAPE(a->size, n->shape[1]));
    axes[0] = 1;
}

/* Inputs of four axes are batched, sinks are for all. */
void vmap_attention(const vmap_args *a, mlx_array *out, int *axes)
{
    const node *n = a->n;
    const prim_attention *p = n->params;
    mlx_array in[8];
    if (!can_join(a) || (int64_t)a->size * n->shape[1] > INT32_MAX) {
        vmap_loop(a, out, axes);
        return;
    }
    if (p->sinks && vmap_is(a, n->n_inputs - 1)) {
        as_heads(a, out, axes);
        return;
    }
    for (uint32_t i = 0; i < n->n_inputs; i++)
        in[i] = n->inputs[i]->ndim == 4 ? join(vmap_full(a, i)) : a->in[i];
    vmap_remake(a, in, NULL, 0, out, axes);
    out[0] = part(out[0], a->size);
}

/* Weights of each entry come after a norm without any, in float32 as in the norm itself. */
void vmap_norm(const vmap_args *a, mlx_array *out, int *axes)
{
    const prim_norm *p = a->n->params;
    prim_norm bare = {p->eps, 0, 0};
    bool mapped = false;
    for (uint32_t i = 1; i < a->n->n_inputs; i++)
        mapped |= vmap_is(a, i);
    if (!mapped) {
        vmap_leading(a, out, axes);
        return;
    }
    uint32_t i = 1;
    mlx_array x = mx_astype(vmap_front(a, 0), MLX_FLOAT32);
    x = prim_make(a->n->prim, &x, 1, &bare, sizeof bare);
    if (p->weight)
        x = mx_multiply(x, mx_astype(vmap_aligned(a, i++, a->n->ndim), MLX_FLOAT32));
    if (p->bias)
        x = mx_add(x, mx_astype(vmap_aligned(a, i, a->n->ndim), MLX_FLOAT32));
    out[0] = mx_astype(x, (mlx_dtype)a->n->dtype);
    axes[0] = 0;
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
