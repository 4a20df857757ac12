/* Gradients of scans: what flows to an element is a sum over the results that it is in, which are those
 * behind it, and such a sum is a scan from the other end. */
#include "prim/grad.h"

#include <math.h>

static mlx_array sum_behind(const prim_scan *p, mlx_array g)
{
    return mx_cumsum(g, p->axis, !p->reverse, p->inclusive);
}

/* The sum of g y, over x; except for the first 0 of a row, which the sum is made without, and for what is
 * behind it, to which nothing flows. */
static mlx_array grad_of_products(const prim_scan *p, mlx_array x, mlx_array y, mlx_array g)
{
    mlx_array zero = grad_number(0, x), one = grad_number(1, x);
    mlx_array before = mx_cumprod(x, p->axis, p->reverse, false), is_zero = mx_equal(x, zero);
    mlx_array dead = mx_equal(before, zero), first = mx_logical_and(is_zero, mx_logical_not(dead));
    mlx_array others = mx_cumprod(mx_where(first, one, x), p->axis, p->reverse, p->inclusive);
    mlx_array plain =
        mx_divide(sum_behind(p, mx_multiply(g, mx_conjugate(y))), mx_conjugate(mx_where(is_zero, one, x)));
    mlx_array at_first = sum_behind(p, mx_multiply(g, mx_conjugate(others)));
    return mx_where(first, at_first, mx_where(dead, zero, plain));
}

/* Everything goes to the element that is the extreme; of equal ones to the last. Where elements tie with the
 * running extreme their positions are scanned in turn. A scan that is not inclusive shows the extreme of what
 * is before. */
static mlx_array grad_of_extremes(const prim_scan *p, mlx_array x, mlx_array g)
{
    int n = mx_dim(x, p->axis), shape[MX_MAX_DIMS], most = p->reverse ? n : -1;
    mlx_array y = p->kind == PRIM_SCAN_MAX ? mx_cummax(x, p->axis, p->reverse, true)
                                           : mx_cummin(x, p->axis, p->reverse, true);
    for (int i = 0; i < mx_ndim(x); i++)
        shape[i] = i == p->axis ? n : 1;
    mlx_array place = mx_reshape(mx_arange(0, n, 1, MLX_INT32), shape, (size_t)mx_ndim(x));
    place = mx_where(mx_nan_equal(x, y), place, mx_int(most, MLX_INT32));
    place = p->reverse ? mx_cummin(place, p->axis, true, true) : mx_cummax(place, p->axis, false, true);
    if (!p->inclusive) {
        int from = p->reverse ? 0 : 1, to = p->reverse ? n - 1 : n;
        g = mx_slice_axis(g, p->axis, from, to);
        place = mx_slice_axis(place, p->axis, p->reverse ? 1 : 0, p->reverse ? n : n - 1);
    }
    return mx_scatter_add_axis(grad_zeros(x), mx_stop_gradient(place), g, p->axis);
}

/* The sum of g e^(x - y) for forward mode, which differentiates it by g: logarithms of parts of g have no
 * slope where g is 0. Results that are more than e^80 below the row's largest element are out of its reach.
 */
static mlx_array linear_in_cotangents(const prim_scan *p, mlx_array x, mlx_array y, mlx_array g)
{
    mlx_array zero = grad_number(0, x), most = mx_stop_gradient(mx_max(x, SHAPE(p->axis), true));
    most = mx_where(mx_isfinite(most), most, zero);
    mlx_array shares = mx_where(mx_isfinite(y), mx_exp(mx_subtract(most, y)), zero);
    return mx_multiply(mx_exp(mx_subtract(x, most)), sum_behind(p, mx_multiply(g, shares)));
}

/* The sum of g e^(x - y): of its positive and its negative part by logarithms, so that nothing overflows. */
static mlx_array grad_of_logaddexps(const prim_scan *p, mlx_array x, mlx_array y, mlx_array g)
{
    if (mx_dtype_of(x) == MLX_COMPLEX64) {
        mlx_array shares = sum_behind(p, mx_multiply(g, mx_exp(mx_negative(mx_conjugate(y)))));
        return mx_multiply(mx_exp(mx_conjugate(x)), shares);
    }
    if (grad_forward(0) && mx_size(x))
        return linear_in_cotangents(p, x, y, g);
    mlx_array parts[2], zero = grad_number(0, g), none = grad_number(-(double)INFINITY, g);
    for (int k = 0; k < 2; k++) {
        mlx_array size = k ? mx_negative(g) : g, there = mx_greater(size, zero);
        mlx_array logs =
            mx_where(there, mx_subtract(mx_log(mx_where(there, size, grad_number(1, g))), y), none);
        parts[k] = mx_exp(mx_add(mx_logcumsumexp(logs, p->axis, !p->reverse, p->inclusive), x));
    }
    return mx_subtract(parts[0], parts[1]);
}

void grad_scan(const grad_args *a, mlx_array *grads)
{
    const prim_scan *p = a->n->params;
    mlx_array x = a->in[0], y = a->out[0], g = a->given[0];
    if (p->kind == PRIM_SCAN_SUM)
        grads[0] = sum_behind(p, g);
    else if (p->kind == PRIM_SCAN_PROD)
        grads[0] = grad_of_products(p, x, y, g);
    else if (p->kind == PRIM_SCAN_LOGADDEXP)
        grads[0] = grad_of_logaddexps(p, x, y, g);
    else
        grads[0] = grad_of_extremes(p, x, g);
}
