/* A further axis for products of picked, packed and convolved matrices.
 *
 * Matrices that index arrays pick: those of all entries become one list, in which the indices of each entry
 * start at its own part. A packed matrix of each entry is picked in the same way. Convolutions whose weights
 * have the axis are one convolution with more channels. */
#include "prim/vmap.h"

#include <string.h>

/* Number of matrices in an input, without the axis. */
static int64_t count_of(const vmap_args *a, size_t i)
{
    const node *x = a->n->inputs[i];
    int64_t count = 1;
    for (int d = 0; d < x->ndim - 2; d++)
        count *= x->shape[d];
    return count;
}

/* Can the matrices of all entries be one list? */
static bool can_list(const vmap_args *a, size_t i)
{
    int64_t count = count_of(a, i);
    return a->size > 0 && count > 0 && count <= INT32_MAX / a->size && a->n->inputs[i]->size > 0;
}

/* The matrices of all entries, if the entries have their own, or those for all: (n, rows, columns). */
static mlx_array list(const vmap_args *a, size_t i, bool own)
{
    const node *x = a->n->inputs[i];
    int shape[3] = {(int)count_of(a, i) * (own ? a->size : 1), x->shape[x->ndim - 2], x->shape[x->ndim - 1]};
    return mx_reshape(own ? vmap_full(a, i) : a->in[i], shape, 3);
}

/* Index array i, with the axis in front; `own`: of entries that have `count` matrices each. */
static mlx_array picks(const vmap_args *a, size_t i, bool own, int64_t count)
{
    int shape[MX_MAX_DIMS + 1] = {a->size}, ndim = a->n->inputs[i]->ndim;
    mlx_array x = vmap_full(a, i);
    if (!own)
        return x;
    for (int d = 1; d <= ndim; d++)
        shape[d] = 1;
    mlx_array first = mx_arange(0, (double)a->size * (double)count, (double)count, MLX_UINT32);
    return mx_add(x, mx_reshape(first, shape, (size_t)ndim + 1));
}

/* Inputs: left sides, `rights` arrays that make up the right sides, indices of both. */
static void gather(const vmap_args *a, int rights, mlx_array *out, int *axes)
{
    size_t lhs = 1 + (size_t)rights, rhs = lhs + 1;
    bool left = vmap_is(a, 0), right = false;
    mlx_array in[6];
    for (size_t i = 1; i < lhs; i++)
        right |= vmap_is(a, i);
    if (!can_list(a, 0) || !can_list(a, 1)) {
        vmap_loop(a, out, axes);
        return;
    }
    in[0] = list(a, 0, left);
    for (size_t i = 1; i < lhs; i++)
        in[i] = list(a, i, right);
    in[lhs] = picks(a, lhs, left, count_of(a, 0));
    in[rhs] = picks(a, rhs, right, count_of(a, 1));
    vmap_remake(a, in, NULL, 0, out, axes);
}

void vmap_gather_mm(const vmap_args *a, mlx_array *out, int *axes) { gather(a, 1, out, axes); }

void vmap_gather_qmm(const vmap_args *a, mlx_array *out, int *axes) { gather(a, 3, out, axes); }

/* A packed matrix of each entry: pair k is entry k's rows, or all rows, and its matrix. */
void vmap_quantized_matmul(const vmap_args *a, mlx_array *out, int *axes)
{
    const prim_quant *p = a->n->params;
    const node *x = a->n->inputs[0];
    bool packed = vmap_is(a, 1) || vmap_is(a, 2) || vmap_is(a, 3);
    if (!packed || p->precision != MX_EXACT || x->size == 0 || a->size == 0) {
        vmap_leading(a, out, axes);
        return;
    }
    int columns = x->shape[x->ndim - 1], shape[MX_MAX_DIMS + 1] = {a->size};
    mlx_array each = mx_arange(0, a->size, 1, MLX_UINT32),
              in[6] = {mx_reshape(vmap_front(a, 0), SHAPE(vmap_is(a, 0) ? a->size : 1,
                                                          (int)(x->size / (size_t)columns), columns)),
                       vmap_full(a, 1),
                       vmap_full(a, 2),
                       vmap_full(a, 3),
                       vmap_is(a, 0) ? each : mx_zeros(&a->size, 1, MLX_UINT32),
                       each};
    memcpy(shape + 1, a->n->shape, a->n->ndim * sizeof *shape);
    out[0] = mx_reshape(prim_make(PRIM_GatherQMM, in, 6, p, sizeof *p), shape, (size_t)a->n->ndim + 1);
    axes[0] = 0;
}

/* Only the last input has leading axes, which are batches. */
void vmap_last(const vmap_args *a, mlx_array *out, int *axes)
{
    uint32_t last = a->n->n_inputs - 1;
    mlx_array in[4];
    for (uint32_t i = 0; i < last; i++) {
        in[i] = a->in[i];
        if (vmap_is(a, i)) {
            vmap_loop(a, out, axes);
            return;
        }
    }
    in[last] = vmap_front(a, last);
    vmap_remake(a, in, NULL, 0, out, axes);
}

/* x with its last axis, the channels, in groups of which the first axis (of size `size`) is a part. */
static mlx_array into_channels(mlx_array x)
{
    int last = mx_ndim(x) - 1;
    return mx_flatten(vmap_move(x, 0, last - 1), -2, -1);
}

/* Convolutions of each entry's weights: with inputs of its own too, entries are groups; else they are more
 * results of each group. */
void vmap_convolution(const vmap_args *a, mlx_array *out, int *axes)
{
    prim_conv p = *(const prim_conv *)a->n->params;
    const node *x = a->n->inputs[0], *w = a->n->inputs[1];
    int channels = x->shape[x->ndim - 1], results = w->shape[0], last = x->ndim - 1, groups = p.groups;
    bool both = vmap_is(a, 0), half = mx_dtype_size((mlx_dtype)x->dtype) == 2;
    if (!vmap_is(a, 1)) {
        vmap_batch(a, out, axes);
        return;
    }
    if (a->size == 0 || results == 0 || channels == 0 || channels > INT32_MAX / a->size ||
        results > INT32_MAX / a->size || (both && half && w->shape[last] == 1)) {
        vmap_loop(a, out, axes);
        return;
    }
    mlx_array in[2] = {a->in[0], vmap_front(a, 1)};
    if (both) {
        in[0] = into_channels(vmap_front(a, 0));
        p.groups *= a->size;
    } else { /* (size, groups, each, ..) as (groups, size, each, ..) */
        in[1] = mx_swapaxes(mx_unflatten(in[1], 1, SHAPE(groups, results / groups)), 0, 1);
        in[1] = mx_flatten(in[1], 0, 1);
    }
    in[1] = mx_flatten(in[1], 0, 1);
    vmap_remake(a, in, &p, sizeof p, out, axes);
    axes[0] = last;
    if (both) {
        out[0] = mx_unflatten(out[0], -1, SHAPE(a->size, results));
        return;
    }
    out[0] = mx_swapaxes(mx_unflatten(out[0], -1, SHAPE(groups, a->size, results / groups)), -3, -2);
    out[0] = mx_flatten(out[0], -2, -1);
}

/* The product has been mapped already; what it is of keeps rows in front of columns. */
void vmap_qqmm(const vmap_args *a, mlx_array *out, int *axes)
{
    mlx_array in[5];
    for (uint32_t i = 2; i < a->n->n_inputs; i++)
        if (vmap_is(a, i)) {
            vmap_loop(a, out, axes);
            return;
        }
    for (uint32_t i = 0; i < a->n->n_inputs; i++)
        in[i] = i < 2 ? vmap_full(a, i) : a->in[i];
    vmap_remake(a, in, NULL, 0, out, axes);
}
