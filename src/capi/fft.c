/* Fourier transforms. */
#include "mlx/c/fft.h"

#include "capi/capi.h"

/* The older interfaces have no norm: the inverse transforms are scaled. */
#if MLX_C_ABI >= MLX_C_ABI_0_6_0_PLUS_4
#define NORM (mx_fft_norm) norm
#else
#define NORM MX_FFT_BACKWARD
#endif

/* FFT(name, function): mlx_fft_<name> on one axis. */
#define FFT(name, function)                                                                       \
    int mlx_fft_##name(mlx_array *res, const mlx_array a, int n, int axis MLX_FFT_NORM_PARAMETER, \
                       const mlx_stream s)                                                        \
    {                                                                                             \
        size_t mark = capi_enter(s);                                                              \
        return LEAVE(mark, res, mx_fft_##function(capi_in(a), n, axis, NORM));                    \
    }

FFT(fft, fft)
FFT(ifft, ifft)
FFT(rfft, rfft)
FFT(irfft, irfft)

/* FFTN(name, function): mlx_fft_<name> on several axes. */
#define FFTN(name, function)                                                                               \
    int mlx_fft_##name(mlx_array *res, const mlx_array a, const int *n, size_t n_num, const int *axes,     \
                       size_t axes_num MLX_FFT_NORM_PARAMETER, const mlx_stream s)                         \
    {                                                                                                      \
        size_t mark = capi_enter(s);                                                                       \
        return LEAVE(mark, res,                                                                            \
                     mx_fft_##function(capi_in(a), capi_ints(n), n_num, capi_ints(axes), axes_num, NORM)); \
    }

FFTN(fft2, fftn)
FFTN(fftn, fftn)
FFTN(ifft2, ifftn)
FFTN(ifftn, ifftn)
FFTN(rfft2, rfftn)
FFTN(rfftn, rfftn)
FFTN(irfft2, irfftn)
FFTN(irfftn, irfftn)

int mlx_fft_fftshift(mlx_array *res, const mlx_array a, const int *axes, size_t axes_num, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_fft_fftshift(capi_in(a), capi_ints(axes), axes_num));
}

int mlx_fft_ifftshift(mlx_array *res, const mlx_array a, const int *axes, size_t axes_num, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_fft_ifftshift(capi_in(a), capi_ints(axes), axes_num));
}

#if MLX_C_ABI >= MLX_C_ABI_0_6_0_PLUS_4

int mlx_fft_fftfreq(mlx_array *res, int n, double d, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_fft_fftfreq(n, d));
}

int mlx_fft_rfftfreq(mlx_array *res, int n, double d, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_fft_rfftfreq(n, d));
}

#endif
