/* Making arrays. */
#ifndef MX_CREATE_H
#define MX_CREATE_H

#include "mx/array.h"

/* --- creation --- */

/* Copies prod(shape) row-major elements that are already of `dtype`. */
MX_API mlx_array mx_from(const void *data, const int *shape, size_t n, mlx_dtype dtype);
/* 0-d arrays. */
MX_API mlx_array mx_float(double v, mlx_dtype dtype);
MX_API mlx_array mx_int(int64_t v, mlx_dtype dtype);
/* `value` (0-d, or of a shape that broadcasts) repeated over a shape. */
MX_API mlx_array mx_full(const int *shape, size_t n, mlx_array value, mlx_dtype dtype);
MX_API mlx_array mx_zeros(const int *shape, size_t n, mlx_dtype dtype);
MX_API mlx_array mx_ones(const int *shape, size_t n, mlx_dtype dtype);
/* Of x's shape (and what value broadcasts it to); zeros and ones are of its dtype. */
MX_API mlx_array mx_full_like(mlx_array x, mlx_array value, mlx_dtype dtype);
MX_API mlx_array mx_zeros_like(mlx_array x);
MX_API mlx_array mx_ones_like(mlx_array x);
/* start, start + step, ... below stop, added up in the dtype as MLX does; not bool. */
MX_API mlx_array mx_arange(double start, double stop, double step, mlx_dtype dtype);
/* num evenly spaced numbers from start to stop, computed in float32 (float64 for that). */
MX_API mlx_array mx_linspace(double start, double stop, int num, mlx_dtype dtype);
/* (n, m) with ones on diagonal k, or (tri) on it and below. */
MX_API mlx_array mx_eye(int n, int m, int k, mlx_dtype dtype);
MX_API mlx_array mx_tri(int n, int m, int k, mlx_dtype dtype);
MX_API mlx_array mx_identity(int n, mlx_dtype dtype);
/* out[i]: vector x[i] along axis i of a grid of n axes (of its own size on the other axes too, unless
 * sparse). indexing: "ij", or "xy", which exchanges the first two axes. */
MX_API int mx_meshgrid(const mlx_array *x, size_t n, bool sparse, const char *indexing, mlx_array *out);
/* Windows of M points, float32. */
MX_API mlx_array mx_bartlett(int M);
MX_API mlx_array mx_blackman(int M);
MX_API mlx_array mx_hamming(int M);
MX_API mlx_array mx_hanning(int M);

#endif
