/* Rules that fit many primitives: elementwise ones, those whose leading axes are batches, those that are told
 * an axis, and for all others the loop. */
#include "prim/vmap.h"

#include "base/error.h"
#include "base/mem.h"

#include <string.h>

mlx_array vmap_move(mlx_array x, int from, int to)
{
    int order[MX_MAX_DIMS];
    for (int i = 0, k = 0; i < mx_ndim(x); i++) {
        if (k == from)
            k++;
        order[i] = i == to ? from : k++;
    }
    return mx_is_null(x) || from == to ? x : mx_transpose(x, order, (size_t)mx_ndim(x));
}

mlx_array vmap_front(const vmap_args *a, size_t i)
{
    return vmap_is(a, i) ? vmap_move(a->in[i], a->axes[i], 0) : a->in[i];
}

/* Ones along `ndim` axes after the mapped one, as an array whose shape says it: of a graph that will be used
 * with other sizes. */
static mlx_array axis_alone(const vmap_args *a, int ndim)
{
    size_t i = 0;
    while (!vmap_is(a, i))
        i++;
    mlx_array x = vmap_front(a, i);
    for (int k = mx_ndim(x) - 1; k > 0 && !mx_is_null(x); k--)
        x = mx_any(x, &k, 1, false);
    for (int k = 0; k < ndim; k++)
        x = mx_expand_dims(x, -1);
    return x;
}

mlx_array vmap_full(const vmap_args *a, size_t i)
{
    int shape[MX_MAX_DIMS + 1], ndim = mx_ndim(a->in[i]);
    if (vmap_is(a, i))
        return vmap_front(a, i);
    if (node_dynamic(0)) {
        mlx_array in[2] = {a->in[i], axis_alone(a, ndim)};
        return prim_make(PRIM_Broadcast, in, 2, NULL, 0);
    }
    shape[0] = a->size;
    if (ndim)
        memcpy(shape + 1, mx_shape(a->in[i]), (size_t)ndim * sizeof *shape);
    return mx_broadcast_to(a->in[i], shape, (size_t)ndim + 1);
}

mlx_array vmap_aligned(const vmap_args *a, size_t i, int ndim)
{
    int axes[MX_MAX_DIMS], own = mx_ndim(a->in[i]) - 1;
    size_t n = 0;
    if (!vmap_is(a, i))
        return a->in[i];
    mlx_array x = vmap_front(a, i);
    if (mx_is_null(x) || own >= ndim)
        return x;
    for (int k = 1; k <= ndim - own; k++)
        axes[n++] = k;
    return mx_expand_dims_axes(x, axes, n);
}

/* As many inputs as the node has, from f. NULL when memory is out. */
static mlx_array *inputs(const vmap_args *a, mlx_array (*f)(const vmap_args *a, size_t i))
{
    mlx_array *in = mem_alloc(a->n->n_inputs, sizeof *in);
    for (uint32_t i = 0; in && i < a->n->n_inputs; i++)
        in[i] = f(a, i);
    return in;
}

void vmap_remake(const vmap_args *a, const mlx_array *in, const void *params, size_t params_size,
                 mlx_array *out, int *axes)
{
    const node *n = a->n;
    int results = n->outputs ? n->n_outputs : 1;
    params_size = params ? params_size : n->params_size;
    params = params ? params : n->params;
    for (int i = 0; i < results; i++)
        axes[i] = 0;
    if (n->outputs)
        prim_make_many(n->prim, in, n->n_inputs, params, params_size, out, results);
    else
        out[0] = prim_make(n->prim, in, n->n_inputs, params, params_size);
}

/* The axis stays where it is in the only input; several meet with it in front. */
void vmap_elementwise(const vmap_args *a, mlx_array *out, int *axes)
{
    size_t n = a->n->n_inputs;
    int ndim = 0;
    mlx_array *in = mem_alloc(n, sizeof *in);
    for (size_t i = 0; i < n; i++)
        ndim = a->n->inputs[i]->ndim > ndim ? a->n->inputs[i]->ndim : ndim;
    for (size_t i = 0; in && i < n; i++)
        in[i] = n == 1 ? a->in[i] : vmap_aligned(a, i, ndim);
    if (in)
        vmap_remake(a, in, NULL, 0, out, axes);
    if (n == 1)
        axes[0] = a->axes[0];
    mem_free(in);
}

/* All inputs have the axis in front: for primitives whose leading axes are batches, the same for all. */
void vmap_together(const vmap_args *a, mlx_array *out, int *axes)
{
    mlx_array *in = inputs(a, vmap_full);
    if (in)
        vmap_remake(a, in, NULL, 0, out, axes);
    mem_free(in);
}

/* Only the first input has leading axes, which are batches; the others go with all of them. */
void vmap_leading(const vmap_args *a, mlx_array *out, int *axes)
{
    for (uint32_t i = 1; i < a->n->n_inputs; i++)
        if (vmap_is(a, i)) {
            vmap_loop(a, out, axes);
            return;
        }
    mlx_array *in = inputs(a, vmap_front);
    if (in)
        vmap_remake(a, in, NULL, 0, out, axes);
    mem_free(in);
}

/* The parameters begin with an axis, which moves on by one. */
void vmap_axis(const vmap_args *a, mlx_array *out, int *axes)
{
    size_t size = a->n->params_size;
    mlx_array *in = inputs(a, vmap_full);
    int32_t *params = mem_alloc(1, size);
    if (in && params) {
        memcpy(params, a->n->params, size);
        params[0]++;
        vmap_remake(a, in, params, size, out, axes);
    }
    mem_free(in);
    mem_free(params);
}

/* Entry k of input i. */
static mlx_array entry_of(const vmap_args *a, size_t i, int k)
{
    return vmap_is(a, i) ? mx_squeeze(mx_slice_axis(a->in[i], a->axes[i], k, k + 1), a->axes[i]) : a->in[i];
}

/* Zeros in place of results of an axis without entries. */
static void no_entries(const vmap_args *a, mlx_array *out, int results)
{
    for (int r = 0; r < results; r++) {
        const node *like = a->n->outputs ? a->n->outputs[r] : a->n;
        int shape[MX_MAX_DIMS + 1] = {0};
        if (like->ndim)
            memcpy(shape + 1, like->shape, like->ndim * sizeof *shape);
        out[r] = mx_zeros(shape, (size_t)like->ndim + 1, (mlx_dtype)like->dtype);
    }
}

void vmap_loop(const vmap_args *a, mlx_array *out, int *axes)
{
    size_t n = a->n->n_inputs, size = (size_t)a->size;
    int results = a->n->outputs ? a->n->n_outputs : 1;
    mlx_array *in = mem_alloc(n, sizeof *in), *made = mem_alloc((size_t)results, sizeof *made),
              *rows = mem_alloc(size * (size_t)results, sizeof *rows);
    for (int k = 0; in && made && rows && k < a->size && !error_pending(); k++) {
        for (size_t i = 0; i < n; i++)
            in[i] = entry_of(a, i, k);
        vmap_remake(a, in, NULL, 0, made, axes);
        for (int r = 0; r < results; r++)
            rows[(size_t)r * size + (size_t)k] = mx_expand_dims(made[r], 0);
    }
    if (in && made && rows && !error_pending()) {
        if (size == 0)
            no_entries(a, out, results);
        for (int r = 0; r < results; r++) {
            out[r] = size ? mx_concatenate(rows + (size_t)r * size, size, 0) : out[r];
            axes[r] = 0;
        }
    }
    mem_free(in);
    mem_free(made);
    mem_free(rows);
}

/* a @ b + c, where c broadcasts to the product: with an axis of c alone the product has to have it too. */
void vmap_addmm(const vmap_args *a, mlx_array *out, int *axes)
{
    mlx_array in[3] = {a->in[0], a->in[1], a->in[2]};
    int at[3] = {a->axes[0], a->axes[1], a->axes[2]};
    if (!vmap_is(a, 0) && !vmap_is(a, 1)) {
        in[0] = vmap_full(a, 0);
        at[0] = 0;
    }
    vmap_args args = {a->n, in, at, a->size};
    vmap_elementwise(&args, out, axes);
}
