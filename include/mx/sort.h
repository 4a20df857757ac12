/* Sorting and searching.
 *
 * Complex numbers are ordered by their real and then by their imaginary parts; -0 equals 0; NaN comes last.
 * The axis may be MX_FLATTEN. */
#ifndef MX_SORT_H
#define MX_SORT_H

#include "mx/array.h"

/* Stable. */
MX_API mlx_array mx_sort(mlx_array x, int axis);
/* The positions (uint32) that would sort x. */
MX_API mlx_array mx_argsort(mlx_array x, int axis);
/* x with element kth (negative: from the end) where sorting would put it; those before it are not greater,
 * those after it not less, in no particular order. */
MX_API mlx_array mx_partition(mlx_array x, int kth, int axis);
MX_API mlx_array mx_argpartition(mlx_array x, int kth, int axis);
/* The k largest, in no particular order. */
MX_API mlx_array mx_topk(mlx_array x, int k, int axis);
/* For each value the place in `sequence` (1-D, sorted) where it would be inserted: before equal ones, or
 * behind them if `right`; uint32. */
MX_API mlx_array mx_searchsorted(mlx_array sequence, mlx_array values, bool right);

#endif
