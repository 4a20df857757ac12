/* A further axis, in front, for primitives that move numbers: their shapes, axes and ranges grow by one. */
#include "prim/vmap.h"

#include "base/mem.h"

#include <string.h>

/* The node's shape with the axis in front, for a primitive whose parameters are (ndim, shape...). */
static void remake_target(const vmap_args *a, int prim, mlx_array x, mlx_array *out, int *axes)
{
    const node *n = a->n;
    int32_t params[MX_MAX_DIMS + 2] = {n->ndim + 1, a->size};
    memcpy(params + 2, n->shape, n->ndim * sizeof *params);
    out[0] = prim_make(prim, &x, 1, params, ((size_t)n->ndim + 2) * sizeof *params);
    axes[0] = 0;
}

void vmap_reshape(const vmap_args *a, mlx_array *out, int *axes)
{
    remake_target(a, PRIM_Reshape, vmap_front(a, 0), out, axes);
}

/* Further inputs only lend their shapes. */
void vmap_broadcast(const vmap_args *a, mlx_array *out, int *axes)
{
    if (a->n->n_inputs > 1) {
        vmap_elementwise(a, out, axes);
        return;
    }
    remake_target(a, a->n->prim, vmap_aligned(a, 0, a->n->ndim), out, axes);
}

void vmap_transpose(const vmap_args *a, mlx_array *out, int *axes)
{
    const int32_t *order = a->n->params;
    int32_t params[MX_MAX_DIMS + 1] = {0};
    mlx_array x = vmap_front(a, 0);
    for (int i = 0; i < a->n->ndim; i++)
        params[i + 1] = order[i] + 1;
    vmap_remake(a, &x, params, ((size_t)a->n->ndim + 1) * sizeof *params, out, axes);
}

void vmap_squeeze(const vmap_args *a, mlx_array *out, int *axes)
{
    prim_squeeze p = {((const prim_squeeze *)a->n->params)->axes << 1};
    mlx_array x = vmap_front(a, 0);
    vmap_remake(a, &x, &p, sizeof p, out, axes);
}

void vmap_expand_dims(const vmap_args *a, mlx_array *out, int *axes)
{
    prim_expand_dims p = {((const prim_expand_dims *)a->n->params)->axes << 1};
    mlx_array x = vmap_front(a, 0);
    vmap_remake(a, &x, &p, sizeof p, out, axes);
}

void vmap_diagonal(const vmap_args *a, mlx_array *out, int *axes)
{
    const prim_diagonal *p = a->n->params;
    prim_diagonal params = {p->offset, p->axis1 + 1, p->axis2 + 1};
    mlx_array x = vmap_front(a, 0);
    vmap_remake(a, &x, &params, sizeof params, out, axes);
}

/* The ranges of a pad, after the whole of the axis. */
static size_t add_pads(const vmap_args *a, prim_pad *to)
{
    to[0] = (prim_pad){0, 0};
    if (a->n->params_size)
        memcpy(to + 1, a->n->params, a->n->params_size);
    return a->n->params_size + sizeof *to;
}

/* A value of its own for each entry goes where one pad of all has put true. */
static void pad_by_entry(const vmap_args *a, mlx_array *out, int *axes)
{
    const node *n = a->n, *x = n->inputs[0];
    prim_pad pads[MX_MAX_DIMS + 1];
    size_t size = add_pads(a, pads);
    mlx_array inside[2] = {mx_zeros(x->shape, x->ndim, MLX_BOOL), mx_ones(NULL, 0, MLX_BOOL)};
    mlx_array all[2] = {vmap_full(a, 0), mx_zeros(NULL, 0, (mlx_dtype)x->dtype)};
    mlx_array outside = prim_make(PRIM_Pad, inside, 2, n->params, n->params_size);
    out[0] = mx_where(outside, vmap_aligned(a, 1, n->ndim), prim_make(PRIM_Pad, all, 2, pads, size));
    axes[0] = 0;
}

void vmap_pad(const vmap_args *a, mlx_array *out, int *axes)
{
    prim_pad pads[MX_MAX_DIMS + 1];
    if (vmap_is(a, 1)) {
        pad_by_entry(a, out, axes);
        return;
    }
    size_t size = add_pads(a, pads);
    mlx_array in[2] = {vmap_front(a, 0), a->in[1]};
    vmap_remake(a, in, pads, size, out, axes);
}

/* What is waited for has its axes where they are. */
void vmap_depends(const vmap_args *a, mlx_array *out, int *axes)
{
    mlx_array *in = mem_alloc(a->n->n_inputs, sizeof *in);
    for (uint32_t i = 0; in && i < a->n->n_inputs; i++)
        in[i] = i == 0 ? vmap_full(a, 0) : a->in[i];
    if (in)
        vmap_remake(a, in, NULL, 0, out, axes);
    mem_free(in);
}

/* The ranges of a slice, after the whole of the axis. */
static void add_ranges(const vmap_args *a, const prim_range *ranges, int ndim, prim_range *to)
{
    to[0] = (prim_range){0, a->size, 1};
    if (ndim)
        memcpy(to + 1, ranges, (size_t)ndim * sizeof *to);
}

void vmap_slice(const vmap_args *a, mlx_array *out, int *axes)
{
    prim_range ranges[MX_MAX_DIMS + 1];
    mlx_array x = vmap_front(a, 0);
    add_ranges(a, a->n->params, a->n->ndim, ranges);
    vmap_remake(a, &x, ranges, ((size_t)a->n->ndim + 1) * sizeof *ranges, out, axes);
}

void vmap_slice_update(const vmap_args *a, mlx_array *out, int *axes)
{
    const prim_slice_update *p = a->n->params;
    union {
        prim_slice_update p;
        int32_t room[3 * MX_MAX_DIMS + 4];
    } params = {.p = {.mode = p->mode}};
    mlx_array in[2] = {vmap_full(a, 0), vmap_full(a, 1)};
    add_ranges(a, p->ranges, a->n->ndim, params.p.ranges);
    vmap_remake(a, in, &params, sizeof(int32_t) + ((size_t)a->n->ndim + 1) * sizeof(prim_range), out, axes);
}

void vmap_reduce(const vmap_args *a, mlx_array *out, int *axes)
{
    const prim_reduce *p = a->n->params;
    prim_reduce params = {p->kind, p->axes << 1};
    mlx_array x = vmap_front(a, 0);
    vmap_remake(a, &x, &params, sizeof params, out, axes);
}

void vmap_arg_reduce(const vmap_args *a, mlx_array *out, int *axes)
{
    const prim_arg_reduce *p = a->n->params;
    prim_arg_reduce params = {p->smallest, p->axis + 1};
    mlx_array x = vmap_front(a, 0);
    vmap_remake(a, &x, &params, sizeof params, out, axes);
}

/* The axes that are transformed move on by one. */
void vmap_fft(const vmap_args *a, mlx_array *out, int *axes)
{
    const prim_fft *p = a->n->params;
    union {
        prim_fft p;
        int32_t room[MX_MAX_DIMS + 4];
    } params = {.p = *p};
    mlx_array x = vmap_front(a, 0);
    for (int32_t i = 0; i < p->count; i++)
        params.p.axes[i] = p->axes[i] + 1;
    vmap_remake(a, &x, &params, a->n->params_size, out, axes);
}

/* The results of a node with several are mapped with it (transforms/vmap.c), not one by one. */
void vmap_item(const vmap_args *a, mlx_array *out, int *axes)
{
    const prim_item *p = a->n->params;
    out[0] = prim_make(PRIM_Item, a->in, 1, p, sizeof *p);
    axes[0] = a->axes[0];
}
