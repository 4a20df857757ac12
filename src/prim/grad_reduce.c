/* Gradients of reductions, softmax and running sums. A reduced axis is still there with size 1, so
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

/* The product of all others: of those that are not zero, unless another one is. */
static mlx_array grad_of_product(mlx_array x, mlx_array g, const prim_reduce *p)
{
    mlx_array zero = mx_equal(x, grad_number(0, x)), count = mx_astype(zero, mx_dtype_of(g));
    mlx_array factors = mx_where(zero, grad_number(1, x), x);
    mlx_array product = prim_make(PRIM_Reduce, &factors, 1, p, sizeof *p);
    mlx_array others = mx_subtract(sum_over(count, p->axes), count);
    return mx_where(mx_equal(others, grad_number(0, others)), mx_divide(mx_multiply(g, product), factors),
                    grad_number(0, g));
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

/* An element counts in all sums after it: sum from the other end. */
void grad_scan(const grad_args *a, mlx_array *grads)
{
    const prim_scan *p = a->n->params;
    grads[0] = mx_cumsum(a->given[0], p->axis, !p->reverse, p->inclusive);
}
