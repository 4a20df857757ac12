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
MX_API mlx_array mx_arange(double start, double stop, double step, mlx_dtype dtype);

#endif
