/** @file
 * Fourier transforms. */
#ifndef MLX_C_FFT_H
#define MLX_C_FFT_H

#include "mlx/c/abi.h"
#include "mlx/c/array.h"
#include "mlx/c/stream.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#if MLX_C_ABI >= MLX_C_ABI_0_6_0_PLUS_4
/** Which direction is scaled. */
typedef enum mlx_fft_norm_ {
    MLX_FFT_NORM_BACKWARD,
    MLX_FFT_NORM_ORTHO,
    MLX_FFT_NORM_FORWARD,
} mlx_fft_norm;

/* The parameter that the transforms have since then. */
#define MLX_FFT_NORM_PARAMETER , mlx_fft_norm norm
#else
#define MLX_FFT_NORM_PARAMETER
#endif

/** Discrete Fourier transform on one axis, which is padded with zeros or cut to n. complex64. norm: which
 * direction is scaled by 1/n (MLX_FFT_NORM_ORTHO: both by 1/sqrt n). */
int mlx_fft_fft(mlx_array *res, const mlx_array a, int n, int axis MLX_FFT_NORM_PARAMETER,
                const mlx_stream s);

/** mlx_fft_fft on several axes, of one n each. */
int mlx_fft_fft2(mlx_array *res, const mlx_array a, const int *n, size_t n_num, const int *axes,
                 size_t axes_num MLX_FFT_NORM_PARAMETER, const mlx_stream s);

#if MLX_C_ABI >= MLX_C_ABI_0_6_0_PLUS_4
/** Frequencies of the n entries of mlx_fft_fft for samples d apart. float32. */
int mlx_fft_fftfreq(mlx_array *res, int n, double d, const mlx_stream s);
#endif

/** mlx_fft_fft on several axes, of one n each. */
int mlx_fft_fftn(mlx_array *res, const mlx_array a, const int *n, size_t n_num, const int *axes,
                 size_t axes_num MLX_FFT_NORM_PARAMETER, const mlx_stream s);

/** Rotates each of the axes by half its size, so that frequency 0 comes to the middle. */
int mlx_fft_fftshift(mlx_array *res, const mlx_array a, const int *axes, size_t axes_num, const mlx_stream s);

/** The inverse of mlx_fft_fft. */
int mlx_fft_ifft(mlx_array *res, const mlx_array a, int n, int axis MLX_FFT_NORM_PARAMETER,
                 const mlx_stream s);

/** mlx_fft_ifft on several axes, of one n each. */
int mlx_fft_ifft2(mlx_array *res, const mlx_array a, const int *n, size_t n_num, const int *axes,
                  size_t axes_num MLX_FFT_NORM_PARAMETER, const mlx_stream s);

/** mlx_fft_ifft on several axes, of one n each. */
int mlx_fft_ifftn(mlx_array *res, const mlx_array a, const int *n, size_t n_num, const int *axes,
                  size_t axes_num MLX_FFT_NORM_PARAMETER, const mlx_stream s);

/** Undoes mlx_fft_fftshift. */
int mlx_fft_ifftshift(mlx_array *res, const mlx_array a, const int *axes, size_t axes_num,
                      const mlx_stream s);

/** The inverse of mlx_fft_rfft: n real numbers (float32). */
int mlx_fft_irfft(mlx_array *res, const mlx_array a, int n, int axis MLX_FFT_NORM_PARAMETER,
                  const mlx_stream s);

/** mlx_fft_irfft on the last of the axes, mlx_fft_ifft on the others; the last n is the length of the
 * result. */
int mlx_fft_irfft2(mlx_array *res, const mlx_array a, const int *n, size_t n_num, const int *axes,
                   size_t axes_num MLX_FFT_NORM_PARAMETER, const mlx_stream s);

/** mlx_fft_irfft on the last of the axes, mlx_fft_ifft on the others; the last n is the length of the
 * result. */
int mlx_fft_irfftn(mlx_array *res, const mlx_array a, const int *n, size_t n_num, const int *axes,
                   size_t axes_num MLX_FFT_NORM_PARAMETER, const mlx_stream s);

/** Of real numbers: the first n/2 + 1 entries of mlx_fft_fft. */
int mlx_fft_rfft(mlx_array *res, const mlx_array a, int n, int axis MLX_FFT_NORM_PARAMETER,
                 const mlx_stream s);

/** mlx_fft_rfft on the last of the axes, mlx_fft_fft on the others. */
int mlx_fft_rfft2(mlx_array *res, const mlx_array a, const int *n, size_t n_num, const int *axes,
                  size_t axes_num MLX_FFT_NORM_PARAMETER, const mlx_stream s);

#if MLX_C_ABI >= MLX_C_ABI_0_6_0_PLUS_4
/** Frequencies of the n/2 + 1 entries of mlx_fft_rfft. */
int mlx_fft_rfftfreq(mlx_array *res, int n, double d, const mlx_stream s);
#endif

/** mlx_fft_rfft on the last of the axes, mlx_fft_fft on the others. */
int mlx_fft_rfftn(mlx_array *res, const mlx_array a, const int *n, size_t n_num, const int *axes,
                  size_t axes_num MLX_FFT_NORM_PARAMETER, const mlx_stream s);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
