/* The gradient of Fourier transforms: the adjoint of a transform is the other one, but for the scale. A half
 * spectrum stands for the whole, so its inner points count twice. */
#include "prim/grad.h"

#include "base/error.h"

/* x over a shape in which the ends of the half spectrum, frequency 0 and (of an even number of points) the
 * highest one, are multiplied by `ends`, the others by `inner`. */
static mlx_array weigh(mlx_array x, int axis, int points, double ends, double inner)
{
    int shape[MX_MAX_DIMS], size = mx_shape(x)[axis];
    for (int i = 0; i < mx_ndim(x); i++)
        shape[i] = i == axis ? size : 1;
    mlx_array at = mx_reshape(mx_arange(0, size, 1, MLX_INT32), shape, (size_t)mx_ndim(x));
    mlx_array first = mx_greater(at, mx_int(0, MLX_INT32));
    mlx_array last = mx_less(at, mx_int(size - 1 + points % 2, MLX_INT32));
    return mx_multiply(x, mx_where(mx_logical_and(first, last), grad_number(inner, x), grad_number(ends, x)));
}

void grad_fft(const grad_args *a, mlx_array *grads)
{
    const prim_fft *p = a->n->params;
    const int *in = mx_shape(a->in[0]), *out = a->n->shape, last = p->axes[p->count - 1];
    mlx_array g = a->given[0];
    int n[MX_MAX_DIMS];
    size_t count = (size_t)p->count;
    double points = 1;
    for (size_t i = 0; i < count; i++) {
        n[i] = p->inverse ? out[p->axes[i]] : in[p->axes[i]];
        points *= n[i];
    }
    if (p->real && p->inverse)
        grads[0] = weigh(mx_fft_rfftn(g, n, count, p->axes, count, MX_FFT_BACKWARD), last, n[count - 1],
                         1 / points, 2 / points);
    else if (p->real)
        grads[0] = grad_times(
            mx_fft_irfftn(weigh(g, last, n[count - 1], 1, 0.5), n, count, p->axes, count, MX_FFT_BACKWARD),
            points);
    else if (p->inverse)
        grads[0] = grad_times(mx_fft_fftn(g, n, count, p->axes, count, MX_FFT_BACKWARD), 1 / points);
    else
        grads[0] = grad_times(mx_fft_ifftn(g, n, count, p->axes, count, MX_FFT_BACKWARD), points);
}
