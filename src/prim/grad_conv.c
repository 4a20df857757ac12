/* The gradients of convolutions, which are convolutions: strides and input dilation change roles.
 *
 * To the input: the cotangent, spread by the strides, with the kernel turned round and its channel axes
 * swapped. To the weight: the input with the cotangent, spread by the strides, as a kernel, where batch and
 * channels swap. */
#include "prim/grad.h"

#include <string.h>

static int32_t spread(int n, int step) { return n ? 1 + (n - 1) * step : 0; }

static mlx_array convolve(mlx_array x, mlx_array w, const prim_conv *p)
{
    mlx_array in[2] = {x, w};
    return prim_make(PRIM_Convolution, in, 2, p, sizeof *p);
}

/* x's axis `axis` as (groups, size / groups); then axis `a` of the longer shape changes places with the last,
 * and the groups are joined with what is on their right now. */
static mlx_array swap_in_groups(mlx_array x, int groups, int axis, int a)
{
    int shape[MX_MAX_DIMS], n = mx_ndim(x);
    for (int i = 0; i < n; i++)
        shape[i + (i > axis)] = mx_shape(x)[i];
    shape[axis] = groups;
    shape[axis + 1] = mx_shape(x)[axis] / groups;
    x = mx_swapaxes(mx_reshape(x, shape, (size_t)n + 1), a, -1);
    if (mx_is_null(x))
        return x;
    for (int i = 0; i < n; i++)
        shape[i] = mx_shape(x)[i + (i > axis)];
    shape[axis] = groups * mx_shape(x)[axis + 1];
    return mx_reshape(x, shape, (size_t)n);
}

static mlx_array to_input(const grad_args *a, const prim_conv *p)
{
    mlx_array x = a->in[0], w = a->in[1], g = a->given[0];
    prim_conv back = *p;
    back.flip = !p->flip;
    for (int i = 0; i < mx_ndim(x) - 2; i++) {
        int32_t in = spread(mx_shape(x)[i + 1], p->input_dilation[i]),
                out = spread(mx_shape(g)[i + 1], p->stride[i]),
                kernel = spread(mx_shape(w)[i + 1], p->kernel_dilation[i]);
        back.stride[i] = p->input_dilation[i];
        back.input_dilation[i] = p->stride[i];
        back.low[i] = kernel - p->low[i] - 1;
        back.high[i] = in - out + p->low[i];
    }
    w = p->groups > 1 ? swap_in_groups(w, p->groups, 0, 1) : mx_swapaxes(w, 0, -1);
    return convolve(g, w, &back);
}

/* The spatial axes of x backwards. */
static mlx_array reversed(mlx_array x)
{
    int start[MX_MAX_DIMS], stop[MX_MAX_DIMS], step[MX_MAX_DIMS], n = mx_ndim(x);
    for (int i = 0; i < n; i++) {
        bool spatial = i > 0 && i < n - 1;
        start[i] = spatial ? mx_shape(x)[i] - 1 : 0;
        stop[i] = spatial ? -mx_shape(x)[i] - 1 : mx_shape(x)[i];
        step[i] = spatial ? -1 : 1;
    }
    return mx_slice(x, start, stop, step);
}

static mlx_array to_weight(const grad_args *a, const prim_conv *p)
{
    mlx_array x = a->in[0], w = a->in[1], g = a->given[0];
    prim_conv back = *p;
    back.flip = 0;
    for (int i = 0; i < mx_ndim(x) - 2; i++) {
        int32_t in = spread(mx_shape(x)[i + 1], p->input_dilation[i]),
                out = spread(mx_shape(g)[i + 1], p->stride[i]),
                kernel = spread(mx_shape(w)[i + 1], p->kernel_dilation[i]);
        back.stride[i] = p->kernel_dilation[i];
        back.kernel_dilation[i] = p->stride[i];
        back.high[i] = out - in + kernel - p->low[i] - 1;
    }
    int last = mx_ndim(x) - 1;
    x = p->groups > 1 ? swap_in_groups(x, p->groups, last, 0) : mx_swapaxes(x, 0, -1);
    mlx_array y = convolve(x, mx_swapaxes(g, 0, -1), &back);
    if (!mx_is_null(y) && p->flip)
        y = reversed(y);
    return mx_swapaxes(y, 0, -1);
}

void grad_convolution(const grad_args *a, mlx_array *grads)
{
    const prim_conv *p = a->n->params;
    if (mx_size(a->in[0]) == 0 || mx_size(a->in[1]) == 0 || mx_size(a->given[0]) == 0)
        return;
    if (a->wanted[0])
        grads[0] = to_input(a, p);
    if (a->wanted[1])
        grads[1] = to_weight(a, p);
}
