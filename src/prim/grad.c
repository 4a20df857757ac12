/* What the gradients of primitives share: numbers, zeros, fitting a gradient to its input. */
#include "prim/grad.h"

#include "base/error.h"

#include <string.h>

static _Thread_local int forward; /* first passes of forward mode that run now */

int grad_forward(int change) { return forward += change; }

void grad_none(const grad_args *a, mlx_array *grads)
{
    (void)grads;
    error_set("[vjp] %s has no derivative yet", prim_table[a->n->prim].name);
}

void grad_zero(const grad_args *a, mlx_array *grads) { (void)a, (void)grads; }

void grad_identity(const grad_args *a, mlx_array *grads) { grads[0] = a->given[0]; }

mlx_array grad_number(double v, mlx_array like) { return mx_float(v, mx_dtype_of(like)); }

mlx_array grad_times(mlx_array x, double v) { return mx_multiply(x, grad_number(v, x)); }

mlx_array grad_zeros(mlx_array x) { return mx_zeros_like(x); }

mlx_array grad_sum_last(mlx_array x) { return mx_sum(x, SHAPE(-1), true); }

/* g repeated to x's shape; while shapes may change, whatever that is then. */
static mlx_array as_large(mlx_array g, const node *x)
{
    mlx_array both[2] = {g, node_array((node *)(uintptr_t)x)}, out[2];
    if (node_dynamic(0) == 0 || !x->prim || mx_is_null(g))
        return mx_broadcast_to(g, x->shape, x->ndim);
    return mx_broadcast_arrays(both, 2, out) ? MX_NULL : out[0];
}

mlx_array grad_fit(mlx_array g, const node *x)
{
    int axes[MX_MAX_DIMS], n = 0, extra = mx_ndim(g) - x->ndim;
    if (mx_is_null(g))
        return g;
    for (; n < extra; n++)
        axes[n] = n;
    if (n)
        g = mx_sum(g, axes, (size_t)n, false);
    n = 0;
    for (int i = mx_ndim(g) - 1, k = x->ndim - 1; i >= 0; i--, k--)
        if (x->shape[k] == 1 && mx_shape(g)[i] != 1)
            axes[n++] = i;
    if (n)
        g = mx_sum(g, axes, (size_t)n, true);
    return mx_astype(as_large(g, x), (mlx_dtype)x->dtype);
}
