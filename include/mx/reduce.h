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
/* The mean squared distance from the mean, where the divisor is the count less ddof (0 at least), and its
 * root; float32 for complex64. */
MX_API mlx_array mx_var(mlx_array x, const int *axes, size_t n, bool keepdims, int ddof);
MX_API mlx_array mx_std(mlx_array x, const int *axes, size_t n, bool keepdims, int ddof);
/* The middle in sorted order, or the mean of the two; NaN if an element is. */
MX_API mlx_array mx_median(mlx_array x, const int *axes, size_t n, bool keepdims);
MX_API mlx_array mx_logsumexp(mlx_array x, int axis, bool keepdims);
MX_API mlx_array mx_logsumexp_axes(mlx_array x, const int *axes, size_t n, bool keepdims);
/* uint32 positions along the axis, or for MX_FLATTEN in row-major order. */
MX_API mlx_array mx_argmax(mlx_array x, int axis, bool keepdims);
MX_API mlx_array mx_argmin(mlx_array x, int axis, bool keepdims);
/* e^x, scaled so that the sum over the axis is 1; integers give float32. */
MX_API mlx_array mx_softmax(mlx_array x, int axis);
/* The same over several axes. Where these are not the last one alone the result is of x's dtype, integers
 * too. Sums are in float32 whether or not `precise` asks for it. */
MX_API mlx_array mx_softmax_axes(mlx_array x, const int *axes, size_t n, bool precise);

/* --- scans: what a reduction gives for all elements up to each one (from the end, if reverse), with that one
 * if inclusive; else the first result is the reduction of nothing. x's dtype, but sums of bool are int32. ---
 */

MX_API mlx_array mx_cumsum(mlx_array x, int axis, bool reverse, bool inclusive);
MX_API mlx_array mx_cumprod(mlx_array x, int axis, bool reverse, bool inclusive);
/* NaN stays. */
MX_API mlx_array mx_cummax(mlx_array x, int axis, bool reverse, bool inclusive);
MX_API mlx_array mx_cummin(mlx_array x, int axis, bool reverse, bool inclusive);
MX_API mlx_array mx_logcumsumexp(mlx_array x, int axis, bool reverse, bool inclusive);

#endif
