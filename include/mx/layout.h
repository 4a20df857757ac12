/* Shapes, views, slices, joins. */
#ifndef MX_LAYOUT_H
#define MX_LAYOUT_H

#include "mx/array.h"

/* --- shape --- */

/* One entry may be -1: inferred. */
MX_API mlx_array mx_reshape(mlx_array x, const int *shape, size_t n);
/* Axis i of the result is axis axes[i] of x. */
MX_API mlx_array mx_transpose(mlx_array x, const int *axes, size_t n);
MX_API mlx_array mx_swapaxes(mlx_array x, int a, int b);
MX_API mlx_array mx_expand_dims(mlx_array x, int axis);
MX_API mlx_array mx_squeeze(mlx_array x, int axis);
MX_API mlx_array mx_broadcast_to(mlx_array x, const int *shape, size_t n);
/* x[start[0]:stop[0]:strides[0], ...], one entry an axis; indices wrap and clip as Python's. strides may be
 * NULL (all 1). */
MX_API mlx_array mx_slice(mlx_array x, const int *start, const int *stop, const int *strides);
/* Slices on one axis only. */
MX_API mlx_array mx_slice_axis(mlx_array x, int axis, int start, int stop);
MX_API mlx_array mx_concatenate(const mlx_array *x, size_t n, int axis);
/* A row-major copy, or x itself if it is row-major already. */
MX_API mlx_array mx_contiguous(mlx_array x);
/* x as a node of its own. */
MX_API mlx_array mx_copy(mlx_array x);
/* x, through which no gradient flows. */
MX_API mlx_array mx_stop_gradient(mlx_array x);

#endif
