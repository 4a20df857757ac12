/* A further axis for reading and writing by indices.
 *
 * Where the indices have it, entry k of the axis reads or writes in entry k of the array: that is one more
 * index array, (0, 1, ...) along the axis, for the axis. Where they have not, the slices become longer. */
#include "prim/vmap.h"

#include <string.h>

typedef union gather_params {
    prim_gather p;
    int32_t room[2 * MX_MAX_DIMS + 6];
} gather_params;

enum { MOST = MX_MAX_DIMS + 3 };

/* Number of axes of all index arrays together, without the mapped one; *mapped: has one of them the axis? */
static int index_ndim(const vmap_args *a, bool *mapped)
{
    int count = ((const prim_gather *)a->n->params)->count, ndim = 0;
    *mapped = false;
    for (int i = 1; i <= count; i++) {
        ndim = a->n->inputs[i]->ndim > ndim ? a->n->inputs[i]->ndim : ndim;
        *mapped |= vmap_is(a, (size_t)i);
    }
    return ndim;
}

/* Parameters for an array with the axis in front, of which a slice takes `first` entries; `more`: an index
 * array of its own comes first. */
static size_t shift(const vmap_args *a, int more, int first, int ndim, gather_params *out)
{
    const prim_gather *p = a->n->params;
    int n = 0;
    out->p.mode = p->mode;
    out->p.count = p->count + more;
    if (more)
        out->p.list[n++] = 0;
    for (int i = 0; i < p->count; i++)
        out->p.list[n++] = p->list[i] + 1;
    out->p.list[n++] = first;
    for (int i = 0; i < ndim; i++)
        out->p.list[n++] = p->list[p->count + i];
    return sizeof(prim_gather) + (size_t)n * sizeof(int32_t);
}

/* (0, 1, ...) of shape (size, 1, ..., 1) with ndim ones. */
static mlx_array places(int size, int ndim)
{
    int shape[MX_MAX_DIMS + 1];
    shape[0] = size;
    for (int i = 1; i <= ndim; i++)
        shape[i] = 1;
    return mx_reshape(mx_arange(0, size, 1, MLX_INT32), shape, (size_t)ndim + 1);
}

/* The index arrays; with `more`, the places come first. Returns how many. */
static size_t indices(const vmap_args *a, bool more, int ndim, mlx_array *to)
{
    int count = ((const prim_gather *)a->n->params)->count;
    size_t n = 0;
    if (more)
        to[n++] = places(a->size, ndim);
    for (int i = 1; i <= count; i++)
        to[n++] = vmap_aligned(a, (size_t)i, ndim);
    return n;
}

/* Only the indices are mapped: they are just more of them. */
static void gather_from_one(const vmap_args *a, int k, mlx_array *out, int *axes)
{
    mlx_array in[MOST];
    in[0] = a->in[0];
    size_t n = indices(a, false, k, in + 1);
    out[0] = prim_make(PRIM_Gather, in, n + 1, a->n->params, a->n->params_size);
    axes[0] = 0;
}

void vmap_gather(const vmap_args *a, mlx_array *out, int *axes)
{
    bool mapped;
    gather_params params;
    mlx_array in[MOST];
    int k = index_ndim(a, &mapped);
    if (!vmap_is(a, 0)) {
        gather_from_one(a, k, out, axes);
        return;
    }
    size_t size = shift(a, mapped, mapped ? 1 : a->size, a->n->inputs[0]->ndim, &params);
    in[0] = vmap_front(a, 0);
    size_t n = indices(a, mapped, k, in + 1);
    out[0] = prim_make(PRIM_Gather, in, n + 1, &params, size);
    axes[0] = mapped ? 0 : k;
    if (mapped)
        out[0] = mx_squeeze(out[0], 1 + k);
}

void vmap_scatter(const vmap_args *a, mlx_array *out, int *axes)
{
    bool mapped;
    gather_params params;
    mlx_array in[MOST];
    int k = index_ndim(a, &mapped);
    size_t size = shift(a, mapped, mapped ? 1 : a->size, a->n->ndim, &params);
    in[0] = vmap_full(a, 0);
    size_t n = indices(a, mapped, k, in + 1);
    mlx_array updates = vmap_full(a, a->n->n_inputs - 1); /* (size, indices..., slice...) */
    in[n + 1] = mapped ? mx_expand_dims(updates, 1 + k) : vmap_move(updates, 0, k);
    out[0] = prim_make(PRIM_Scatter, in, n + 2, &params, size);
    axes[0] = 0;
}

/* Each entry's mask says which of its values, counted from the first, goes to a place. */
void vmap_masked_scatter(const vmap_args *a, mlx_array *out, int *axes)
{
    const node *n = a->n, *values = n->inputs[2];
    if (a->size == 0 || n->size == 0 || n->size > INT32_MAX || values->size == 0 ||
        values->size > INT32_MAX) {
        vmap_loop(a, out, axes);
        return;
    }
    int shape[MX_MAX_DIMS + 1] = {a->size};
    memcpy(shape + 1, n->shape, n->ndim * sizeof *shape);
    mlx_array x = mx_reshape(vmap_full(a, 0), SHAPE(a->size, (int)n->size));
    mlx_array mask = mx_reshape(vmap_full(a, 1), SHAPE(a->size, (int)n->size));
    mlx_array from = mx_reshape(vmap_full(a, 2), SHAPE(a->size, (int)values->size));
    mlx_array place = mx_cumsum(mx_astype(mask, MLX_INT32), 1, false, true);
    place = mx_maximum(mx_subtract(place, mx_int(1, MLX_INT32)), mx_int(0, MLX_INT32));
    x = mx_where(mask, mx_take_along_axis(from, place, 1), x);
    out[0] = mx_reshape(x, shape, (size_t)n->ndim + 1);
    axes[0] = 0;
}
