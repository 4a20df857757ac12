/* Gradients of reductions and softmax. A reduced axis is still there with size 1, so
 * that results and cotangents broadcast against the input. */
#include "prim/grad.h"

static mlx_array sum_over(mlx_array x, uint32_t bits)
{
    int axes[MX_MAX_DIMS];
    size_t n = 0;
    for (int i = 0; i < mx_ndim(x); i++)
        if (bits >> i & 1)
            axes[n++] = i;
    return mx_sum(x, axes, n, true);
}

/* The product of all others: of those before and those behind, with the reduced axes as one. */
static mlx_array grad_of_product(mlx_array x, mlx_array g, const prim_reduce *p)
{
    int order[MX_MAX_DIMS], back[MX_MAX_DIMS], flat[MX_MAX_DIMS + 1], moved[MX_MAX_DIMS];
    int ndim = mx_ndim(x), at = 0, kept = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < ndim; i++)
            if ((int)(p->axes >> i & 1) == pass) {
                moved[at] = mx_shape(x)[i];
                order[at] = i;
                back[i] = at++;
                kept += !pass;
            }
    for (int i = 0; i < kept; i++)
        flat[i] = moved[i];
    flat[kept] = mx_size(x) ? -1 : 0;
    mlx_array rows = mx_reshape(mx_transpose(x, order, (size_t)ndim), flat, (size_t)kept + 1);
    mlx_array others = mx_multiply(mx_cumprod(rows, -1, false, false), mx_cumprod(rows, -1, true, false));
    others = mx_transpose(mx_reshape(others, moved, (size_t)ndim), back, (size_t)ndim);
    return mx_multiply(g, mx_conjugate(others));
}

/* Equal extremes share. */
static mlx_array grad_of_extreme(mlx_array x, mlx_array y, mlx_array g, const prim_reduce *p)
{
    mlx_array hit = mx_astype(mx_equal(x, y), mx_dtype_of(g));
    return mx_multiply(hit, mx_divide(g, sum_over(hit, p->axes)));
}

void grad_reduce(const grad_args *a, mlx_array *grads)
{
    const prim_reduce *p = a->n->params;
    mlx_array x = a->in[0], g = a->given[0];
    if (p->kind == PRIM_SUM)
        grads[0] = g;
    else if (p->kind == PRIM_PROD)
        grads[0] = grad_of_product(x, g, p);
    else if (p->kind == PRIM_MAX || p->kind == PRIM_MIN)
        grads[0] = grad_of_extreme(x, a->out[0], g, p);
}

void grad_logsumexp(const grad_args *a, mlx_array *grads)
{
    grads[0] = mx_multiply(a->given[0], mx_softmax(a->in[0], -1));
}

void grad_softmax(const grad_args *a, mlx_array *grads)
{
    mlx_array y = a->out[0], gy = mx_multiply(a->given[0], y);
    grads[0] = mx_subtract(gy, mx_multiply(y, grad_sum_last(gy)));
}
