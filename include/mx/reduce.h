/* Reductions and scans. */
#ifndef MX_REDUCE_H
#define MX_REDUCE_H

#include "mx/array.h"

/* --- reductions: n axes; n == 0 with axes NULL means all --- */

MX_API mlx_array mx_sum(mlx_array x, const int *axes, size_t n, bool keepdims);
MX_API mlx_array mx_prod(mlx_array x, const int *axes, size_t n, bool keepdims);
MX_API mlx_array mx_max(mlx_array x, const int *axes, size_t n, bool keepdims);
MX_API mlx_array mx_min(mlx_array x, const int *axes, size_t n, bool keepdims);
MX_API mlx_array mx_all(mlx_array x, const int *axes, size_t n, bool keepdims);
MX_API mlx_array mx_any(mlx_array x, const int *axes, size_t n, bool keepdims);
MX_API mlx_array mx_mean(mlx_array x, const int *axes, size_t n, bool keepdims);
MX_API mlx_array mx_logsumexp(mlx_array x, int axis, bool keepdims);
/* uint32 positions along the axis. */
MX_API mlx_array mx_argmax(mlx_array x, int axis, bool keepdims);
MX_API mlx_array mx_argmin(mlx_array x, int axis, bool keepdims);
MX_API mlx_array mx_softmax(mlx_array x, int axis);
MX_API mlx_array mx_cumsum(mlx_array x, int axis, bool reverse, bool inclusive);

#endif
