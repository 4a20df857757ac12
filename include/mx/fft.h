/* Fourier transforms (mlx.core.fft) of any length: complex64, and float32 for the real side. */
#ifndef MX_FFT_H
#define MX_FFT_H

#include "mx/array.h"

/* Which transform is divided by the number of points: the inverse, both by its root, the forward one. */
typedef enum mx_fft_norm { MX_FFT_BACKWARD, MX_FFT_ORTHO, MX_FFT_FORWARD } mx_fft_norm;

/* n: the number of points, to which the axis is cut or filled up with zeros. For irfft it is the number of
 * real results, of whose spectrum n / 2 + 1 points are read; rfft gives as many. */
MX_API mlx_array mx_fft_fft(mlx_array a, int n, int axis, mx_fft_norm norm);
MX_API mlx_array mx_fft_ifft(mlx_array a, int n, int axis, mx_fft_norm norm);
MX_API mlx_array mx_fft_rfft(mlx_array a, int n, int axis, mx_fft_norm norm);
MX_API mlx_array mx_fft_irfft(mlx_array a, int n, int axis, mx_fft_norm norm);

/* The same over several axes, n[i] points on axes[i]; the real side is the last axis listed. */
MX_API mlx_array mx_fft_fftn(mlx_array a, const int *n, size_t n_num, const int *axes, size_t axes_num,
                             mx_fft_norm norm);
MX_API mlx_array mx_fft_ifftn(mlx_array a, const int *n, size_t n_num, const int *axes, size_t axes_num,
                              mx_fft_norm norm);
MX_API mlx_array mx_fft_rfftn(mlx_array a, const int *n, size_t n_num, const int *axes, size_t axes_num,
                              mx_fft_norm norm);
MX_API mlx_array mx_fft_irfftn(mlx_array a, const int *n, size_t n_num, const int *axes, size_t axes_num,
                               mx_fft_norm norm);

/* Moves frequency 0 to the middle, and back. */
MX_API mlx_array mx_fft_fftshift(mlx_array a, const int *axes, size_t n);
MX_API mlx_array mx_fft_ifftshift(mlx_array a, const int *axes, size_t n);
/* The frequencies of n points at distance d; those of a half spectrum. float32. */
MX_API mlx_array mx_fft_fftfreq(int n, double d);
MX_API mlx_array mx_fft_rfftfreq(int n, double d);

#endif
