/* A further axis for views by strides and for positions that are only known when they are computed: where the
 * positions have it, they are index arrays, and the slice is gathered or scattered. */
#include "prim/vmap.h"

#include <string.h>

typedef union slice_params {
    prim_dynamic_slice p;
    int32_t room[2 * MX_MAX_DIMS + 3];
} slice_params;

typedef union gather_params {
    prim_gather p;
    int32_t room[2 * MX_MAX_DIMS + 6];
} gather_params;

/* Entries lie one after the other. */
void vmap_as_strided(const vmap_args *a, mlx_array *out, int *axes)
{
    const prim_as_strided *p = a->n->params;
    union {
        prim_as_strided p;
        int64_t room[4 + 2 * MX_MAX_DIMS];
    } params = {.p = {.offset = p->offset, .ndim = p->ndim + 1}};
    int64_t own = (int64_t)a->n->inputs[0]->size;
    if (own * a->size > INT32_MAX) {
        vmap_loop(a, out, axes);
        return;
    }
    params.p.axes[0].size = a->size;
    params.p.axes[0].stride = own;
    memcpy(params.p.axes + 1, p->axes, (size_t)p->ndim * sizeof *p->axes);
    mlx_array x = mx_flatten(vmap_front(a, 0), 0, -1);
    vmap_remake(a, &x, &params, a->n->params_size + sizeof *p->axes, out, axes);
}

/* The same number for every entry. */
void vmap_number_of_elements(const vmap_args *a, mlx_array *out, int *axes)
{
    prim_number_of_elements p = *(const prim_number_of_elements *)a->n->params;
    mlx_array x = vmap_front(a, 0);
    p.axes <<= 1;
    vmap_remake(a, &x, &p, sizeof p, out, axes);
    out[0] = mx_broadcast_to(out[0], &a->size, 1);
}

/* The axes that positions are for, moved on by one. Returns the bytes of it. */
static size_t shift(const vmap_args *a, slice_params *to)
{
    const prim_dynamic_slice *p = a->n->params;
    memcpy(to, p, a->n->params_size);
    for (int i = 0; i < p->count; i++)
        to->p.list[i]++;
    return a->n->params_size;
}

/* Index arrays from the mapped positions (size, count): the places of the entries, if `own`, then one an
 * axis, each (size). Fills the parameters' axes and returns how many. */
static int columns(const vmap_args *a, size_t start, bool own, gather_params *to, mlx_array *in)
{
    const prim_dynamic_slice *p = a->n->params;
    mlx_array all = mx_reshape(vmap_front(a, start), SHAPE(a->size, p->count));
    int n = 0;
    if (own) {
        to->p.list[n] = 0;
        in[n++] = mx_arange(0, a->size, 1, MLX_INT64);
    }
    for (int i = 0; i < p->count; i++) {
        to->p.list[n] = p->list[i] + own;
        in[n++] = mx_squeeze(mx_slice_axis(all, 1, i, i + 1), 1);
    }
    return n;
}

void vmap_dynamic_slice(const vmap_args *a, mlx_array *out, int *axes)
{
    const prim_dynamic_slice *p = a->n->params;
    int ndim = a->n->ndim, own = vmap_is(a, 0), n;
    if (p->count == 0 && vmap_is(a, 1)) { /* no position at all */
        vmap_loop(a, out, axes);
        return;
    }
    mlx_array in[MX_MAX_DIMS + 2] = {vmap_front(a, 0), a->in[1]};
    if (!vmap_is(a, 1)) { /* the whole of the axis, in front of the other sizes */
        slice_params params;
        size_t size = shift(a, &params);
        memcpy(params.p.list + p->count + 1, p->list + p->count, (size_t)ndim * sizeof(int32_t));
        params.p.list[p->count] = a->size;
        vmap_remake(a, in, &params, size + sizeof(int32_t), out, axes);
        return;
    }
    gather_params params = {.p = {.mode = 0}};
    n = columns(a, 1, own, &params, in + 1);
    params.p.count = n;
    if (own)
        params.p.list[n] = 1;
    memcpy(params.p.list + n + own, p->list + p->count, (size_t)ndim * sizeof(int32_t));
    out[0] = prim_make(PRIM_Gather, in, (size_t)n + 1, &params,
                       sizeof(prim_gather) + (size_t)(n + own + ndim) * sizeof(int32_t));
    if (own)
        out[0] = mx_squeeze(out[0], 1);
    axes[0] = 0;
}

void vmap_dynamic_slice_update(const vmap_args *a, mlx_array *out, int *axes)
{
    int ndim = a->n->ndim;
    mlx_array in[MX_MAX_DIMS + 3] = {vmap_full(a, 0), vmap_full(a, 1), a->in[2]}, update = in[1];
    if (!vmap_is(a, 2)) {
        slice_params params;
        size_t size = shift(a, &params);
        vmap_remake(a, in, &params, size, out, axes);
        return;
    }
    gather_params params = {.p = {.mode = PRIM_UPDATE_NONE}};
    int n = columns(a, 2, true, &params, in + 1);
    params.p.count = n;
    params.p.list[n] = 1;
    memcpy(params.p.list + n + 1, a->n->inputs[1]->shape, (size_t)ndim * sizeof(int32_t));
    in[n + 1] = mx_expand_dims(update, 1);
    out[0] = prim_make(PRIM_Scatter, in, (size_t)n + 2, &params,
                       sizeof(prim_gather) + (size_t)(n + 1 + ndim) * sizeof(int32_t));
    axes[0] = 0;
}
