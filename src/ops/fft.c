/* Fourier transforms: the axes are cut or filled to the wanted sizes, then one node transforms them all. */
#include "ops/ops.h"

#include <math.h>
#include <string.h>

enum kind { FORWARD, INVERSE, REAL, REAL_INVERSE };

static double norm_scale(const int *n, size_t count, mx_fft_norm norm, bool inverse)
{
    double points = 1;
    for (size_t i = 0; i < count; i++)
        points *= n[i];
    if (norm == MX_FFT_BACKWARD)
        return 1;
    if (norm == MX_FFT_ORTHO)
        points = sqrt(points);
    return inverse ? points : 1 / points;
}

/* a cut and filled up with zeros. */
static mlx_array fit(mlx_array a, const int *shape)
{
    int zero[MX_MAX_DIMS] = {0}, stop[MX_MAX_DIMS], ndim = mx_ndim(a);
    bool less = false, more = false;
    for (int i = 0; i < ndim; i++) {
        int size = mx_shape(a)[i];
        less |= shape[i] < size;
        more |= shape[i] > size;
        stop[i] = shape[i] < size ? shape[i] : size;
    }
    if (less)
        a = mx_slice(a, zero, stop, NULL);
    if (more)
        a = mx_slice_update(mx_zeros(shape, (size_t)ndim, mx_dtype_of(a)), a, zero, stop, NULL);
    return a;
}

/* Checks sizes and axes; axes from the front in params. */
static bool resolve(mlx_array a, const int *n, size_t n_num, const int *axes, size_t axes_num,
                    prim_fft *params)
{
    uint32_t bits = 0;
    if (mx_ndim(a) < 1)
        error_set("[fftn] Requires array with at least one dimension.");
    else if (n_num != axes_num)
        error_set("[fftn] Shape and axes have different sizes.");
    else if (op_axes("fftn", a, axes, axes_num, &bits)) {
        for (size_t i = 0; i < n_num; i++) {
            params->axes[i] = op_axis("fftn", a, axes[i]);
            if (n[i] <= 0) {
                error_set("[fftn] Invalid FFT output size requested %s", shape_text(n, (int)n_num));
                return false;
            }
        }
        return true;
    }
    return false;
}

static mlx_array transform(enum kind kind, mlx_array a, const int *n, size_t n_num, const int *axes,
                           size_t axes_num, mx_fft_norm norm)
{
    union {
        prim_fft p;
        int32_t room[MX_MAX_DIMS + 4];
    } params = {.p = {.inverse = kind == INVERSE || kind == REAL_INVERSE, .real = kind >= REAL}};
    int shape[MX_MAX_DIMS];
    if (mx_is_null(a) || (axes_num == 0 && n_num == 0 && mx_ndim(a) >= 1))
        return a;
    if (!resolve(a, n, n_num, axes ? axes : n, axes_num, &params.p))
        return MX_NULL;
    memcpy(shape, mx_shape(a), (size_t)mx_ndim(a) * sizeof *shape);
    for (size_t i = 0; i < n_num; i++)
        shape[params.p.axes[i]] = n[i];
    int last = params.p.axes[n_num - 1], points = n[n_num - 1];
    if (kind == REAL_INVERSE)
        shape[last] = points / 2 + 1;
    params.p.last = kind == REAL ? points / 2 + 1 : points;
    params.p.count = (int32_t)n_num;
    a = mx_astype(fit(a, shape), kind == REAL ? MLX_FLOAT32 : MLX_COMPLEX64);
    mlx_array y = prim_make(PRIM_FFT, &a, 1, &params, (n_num + 4) * sizeof(int32_t));
    double scale = norm_scale(n, n_num, norm, params.p.inverse);
    return scale == 1 || mx_is_null(y) ? y : mx_multiply(y, mx_float(scale, mx_dtype_of(y)));
}

/* FORMS(name, kind): over one axis and over several. */
#define FORMS(name, kind)                                                                                 \
    mlx_array mx_fft_##name(mlx_array a, int n, int axis, mx_fft_norm norm)                               \
    {                                                                                                     \
        return transform(kind, a, &n, 1, &axis, 1, norm);                                                 \
    }                                                                                                     \
    mlx_array mx_fft_##name##n(mlx_array a, const int *n, size_t n_num, const int *axes, size_t axes_num, \
                               mx_fft_norm norm)                                                          \
    {                                                                                                     \
        return transform(kind, a, n, n_num, axes, axes_num, norm);                                        \
    }
FORMS(fft, FORWARD)
FORMS(ifft, INVERSE)
FORMS(rfft, REAL)
FORMS(irfft, REAL_INVERSE)

/* --- shifts and frequencies --- */

/* Entry i of an axis goes to i + size / 2 (back: to i - size / 2), around the end. */
static mlx_array shift(const char *op, mlx_array a, const int *axes, size_t n, bool back)
{
    if (mx_is_null(a))
        return a;
    for (size_t k = 0; k < n; k++) {
        int axis = op_axis(op, a, axes[k]);
        if (axis < 0)
            return MX_NULL;
        int size = mx_shape(a)[axis], first = back ? size / 2 : size - size / 2;
        if (size > 1)
            a = mx_concatenate(
                (mlx_array[]){mx_slice_axis(a, axis, first, size), mx_slice_axis(a, axis, 0, first)}, 2,
                axis);
    }
    return a;
}

mlx_array mx_fft_fftshift(mlx_array a, const int *axes, size_t n)
{
    return shift("fftshift", a, axes, n, false);
}

mlx_array mx_fft_ifftshift(mlx_array a, const int *axes, size_t n)
{
    return shift("ifftshift", a, axes, n, true);
}

static bool sampled(const char *op, int n, double d)
{
    if (n <= 0)
        error_set("[%s] `n` must be greater than 0.", op);
    else if (d == 0)
        error_set("[%s] `d` must be non-zero.", op);
    return n > 0 && d != 0;
}

mlx_array mx_fft_fftfreq(int n, double d)
{
    if (!sampled("fftfreq", n, d))
        return MX_NULL;
    mlx_array parts[2] = {mx_arange(0, n / 2 + n % 2, 1, MLX_FLOAT32),
                          mx_arange(-(n / 2), 0, 1, MLX_FLOAT32)};
    return mx_multiply(mx_concatenate(parts, 2, 0), mx_float(1 / (n * d), MLX_FLOAT32));
}

mlx_array mx_fft_rfftfreq(int n, double d)
{
    if (!sampled("rfftfreq", n, d))
        return MX_NULL;
    return mx_multiply(mx_arange(0, n / 2 + 1, 1, MLX_FLOAT32), mx_float(1 / (n * d), MLX_FLOAT32));
}
