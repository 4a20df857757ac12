/* Gradients of reading and writing by indices: one is the other's. Indices are integers, to which nothing
 * flows.
 *
 * Of updates that overwrite each other each gets the gradient, as in MLX; of those that compete for a maximum
 * or minimum each that equals it. */
#include "prim/grad.h"

#include "base/error.h"

#include <string.h>

/* Indices that depend on what is differentiated by are a mistake. true, with an error, if there are any among
 * the inputs from `first` on. */
static bool by_indices(const grad_args *a, size_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++)
        if (a->wanted[i])
            return error_set("[%s] there is no gradient by indices: pass them through stop_gradient",
                             prim_table[a->n->prim].name) != 0;
    return false;
}

/* The node's index arrays with something before and after them, for a Gather or a Scatter of this mode. */
static mlx_array with_indices(const grad_args *a, int prim, int mode, mlx_array first, mlx_array last)
{
    union {
        prim_gather p;
        int32_t room[2 * MX_MAX_DIMS + 2];
    } params;
    mlx_array in[MX_MAX_DIMS + 2];
    memcpy(&params, a->n->params, a->n->params_size);
    params.p.mode = mode;
    in[0] = first;
    for (int32_t i = 0; i < params.p.count; i++)
        in[1 + i] = a->in[1 + i];
    in[1 + params.p.count] = last;
    return prim_make(prim, in, (size_t)(params.p.count + (prim == PRIM_Scatter ? 2 : 1)), &params,
                     a->n->params_size);
}

static mlx_array gathered(const grad_args *a, mlx_array x)
{
    return with_indices(a, PRIM_Gather, 0, x, MX_NULL);
}

/* g where a and b are equal, else 0. */
static mlx_array where_equal(mlx_array a, mlx_array b, mlx_array g)
{
    return mx_where(mx_equal(a, b), g, grad_number(0, g));
}

void grad_gather(const grad_args *a, mlx_array *grads)
{
    if (!by_indices(a, 1, a->n->n_inputs - 1) && a->wanted[0])
        grads[0] = with_indices(a, PRIM_Scatter, PRIM_UPDATE_SUM, grad_zeros(a->in[0]), a->given[0]);
}

void grad_scatter(const grad_args *a, mlx_array *grads)
{
    uint32_t last = a->n->n_inputs - 1;
    mlx_array g = a->given[0], updates = a->in[last];
    int mode = ((const prim_gather *)a->n->params)->mode;
    bool extreme = mode == PRIM_UPDATE_MAX || mode == PRIM_UPDATE_MIN;
    if (by_indices(a, 1, last - 1))
        return;
    if (mode == PRIM_UPDATE_PROD) {
        error_set("[vjp] Scatter has no derivative for products");
        return;
    }
    if (a->wanted[0])
        grads[0] = mode == PRIM_UPDATE_SUM ? g
                   : extreme               ? where_equal(a->out[0], a->in[0], g)
                                           : with_indices(a, PRIM_Scatter, mode, g, grad_zeros(updates));
    if (a->wanted[last]) {
        mlx_array at = gathered(a, g);
        grads[last] = extreme ? where_equal(gathered(a, a->out[0]), updates, at) : at;
    }
}

void grad_gather_axis(const grad_args *a, mlx_array *grads)
{
    int axis = ((const prim_axis *)a->n->params)->axis;
    if (!by_indices(a, 1, 1) && a->wanted[0])
        grads[0] = mx_scatter_add_axis(grad_zeros(a->in[0]), a->in[1], a->given[0], axis);
}

void grad_scatter_axis(const grad_args *a, mlx_array *grads)
{
    const prim_scatter_axis *p = a->n->params;
    mlx_array g = a->given[0];
    if (by_indices(a, 1, 1))
        return;
    if (a->wanted[0])
        grads[0] =
            p->mode == PRIM_UPDATE_SUM ? g : mx_put_along_axis(g, a->in[1], grad_number(0, g), p->axis);
    if (a->wanted[2])
        grads[2] = mx_take_along_axis(g, a->in[1], p->axis);
}

/* The i-th element that is set took src[i]. */
void grad_masked_scatter(const grad_args *a, mlx_array *grads)
{
    mlx_array g = a->given[0], mask = a->in[1], src = a->in[2], zero = grad_number(0, g);
    if (a->wanted[0])
        grads[0] = mx_where(mask, zero, g);
    if (!a->wanted[2] || mx_size(src) == 0)
        return;
    mlx_array flat = mx_reshape(mask, SHAPE(-1)), none = mx_int(0, MLX_INT32);
    mlx_array place = mx_where(flat, mx_cumsum(mx_astype(flat, MLX_INT32), 0, false, false), none);
    mlx_array moved = mx_where(flat, mx_reshape(g, SHAPE(-1)), zero);
    mlx_array sums = mx_zeros(SHAPE((int)mx_size(src)), mx_dtype_of(g));
    sums = mx_scatter_add_axis(sums, place, moved, 0);
    grads[2] = mx_reshape(sums, mx_shape(src), (size_t)mx_ndim(src));
}

/* A SliceUpdate of x by these ranges (a Slice's parameters). */
static mlx_array updated(int mode, const prim_range *ranges, mlx_array x, mlx_array update)
{
    union {
        prim_slice_update p;
        int32_t room[3 * MX_MAX_DIMS + 1];
    } params;
    size_t ndim = (size_t)mx_ndim(x);
    mlx_array in[2] = {x, update};
    params.p.mode = mode;
    if (ndim)
        memcpy(params.p.ranges, ranges, ndim * sizeof *ranges);
    return prim_make(PRIM_SliceUpdate, in, 2, &params, (1 + 3 * ndim) * sizeof(int32_t));
}

/* The slice goes back to its place among zeros. */
void grad_slice(const grad_args *a, mlx_array *grads)
{
    grads[0] = updated(PRIM_UPDATE_NONE, a->n->params, grad_zeros(a->in[0]), a->given[0]);
}

/* What was overwritten gets nothing. */
void grad_slice_update(const grad_args *a, mlx_array *grads)
{
    const prim_slice_update *p = a->n->params;
    size_t bytes = a->n->ndim * sizeof *p->ranges;
    mlx_array g = a->given[0], update = a->in[1];
    bool extreme = p->mode == PRIM_UPDATE_MAX || p->mode == PRIM_UPDATE_MIN;
    if (a->wanted[0])
        grads[0] = p->mode == PRIM_UPDATE_SUM ? g
                   : extreme                  ? where_equal(a->out[0], a->in[0], g)
                   : p->mode == PRIM_UPDATE_PROD
                       ? updated(p->mode, p->ranges, g, mx_astype(update, mx_dtype_of(g)))
                       : updated(p->mode, p->ranges, g, grad_zeros(update));
    if (!a->wanted[1])
        return;
    mlx_array part = prim_make(PRIM_Slice, &g, 1, p->ranges, bytes);
    if (p->mode == PRIM_UPDATE_PROD)
        part = mx_multiply(part, prim_make(PRIM_Slice, &a->in[0], 1, p->ranges, bytes));
    if (extreme)
        part = where_equal(prim_make(PRIM_Slice, &a->out[0], 1, p->ranges, bytes), update, part);
    grads[1] = part;
}
