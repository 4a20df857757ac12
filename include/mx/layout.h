/* Shapes, views, slices, joins. */
#ifndef MX_LAYOUT_H
#define MX_LAYOUT_H

#include "mx/array.h"

/* --- shape --- */

/* One entry may be -1: inferred. */
MX_API mlx_array mx_reshape(mlx_array x, const int *shape, size_t n);
/* Axes start..end become one; both are clipped to x's axes. A 0-d array becomes one of shape (1). */
MX_API mlx_array mx_flatten(mlx_array x, int start_axis, int end_axis);
/* The axis becomes axes of this shape, of which one may be -1: inferred. */
MX_API mlx_array mx_unflatten(mlx_array x, int axis, const int *shape, size_t n);
/* Axis i of the result is axis axes[i] of x; n == 0 with axes NULL reverses them. */
MX_API mlx_array mx_transpose(mlx_array x, const int *axes, size_t n);
MX_API mlx_array mx_swapaxes(mlx_array x, int a, int b);
/* The axis goes to another place, the others stay in order. */
MX_API mlx_array mx_moveaxis(mlx_array x, int source, int destination);
/* New axes of size 1; they are counted in the result. */
MX_API mlx_array mx_expand_dims(mlx_array x, int axis);
MX_API mlx_array mx_expand_dims_axes(mlx_array x, const int *axes, size_t n);
/* Without axes that must be of size 1; n == 0 with axes NULL: without all that are. */
MX_API mlx_array mx_squeeze(mlx_array x, int axis);
MX_API mlx_array mx_squeeze_axes(mlx_array x, const int *axes, size_t n);
/* At least 1, 2, 3 axes: new ones come first, but a matrix in 3 axes gets its new one last, and a vector is
 * in the middle. */
MX_API mlx_array mx_atleast_1d(mlx_array x);
MX_API mlx_array mx_atleast_2d(mlx_array x);
MX_API mlx_array mx_atleast_3d(mlx_array x);
MX_API mlx_array mx_broadcast_to(mlx_array x, const int *shape, size_t n);
/* out[i] = x[i], all of the common shape. */
MX_API int mx_broadcast_arrays(const mlx_array *x, size_t n, mlx_array *out);
/* A view of x's row-major elements: shape, strides and offset in elements; reaching beyond x is an error. */
MX_API mlx_array mx_as_strided(mlx_array x, const int *shape, size_t n, const int64_t *strides,
                               size_t n_strides, size_t offset);
/* x's bytes as another dtype; the last axis grows or shrinks by what elements do. */
MX_API mlx_array mx_view(mlx_array x, mlx_dtype dtype);
/* The diagonal of axes 1 and 2 (columns `offset` to the right of rows) as the last axis. A view. */
MX_API mlx_array mx_diagonal(mlx_array x, int offset, int axis1, int axis2);
/* A vector as diagonal k of a matrix of zeros, or that diagonal of a matrix. */
MX_API mlx_array mx_diag(mlx_array x, int k);
/* The sum of that diagonal, in `dtype`. */
MX_API mlx_array mx_trace(mlx_array x, int offset, int axis1, int axis2, mlx_dtype dtype);
/* Matrices (the last two axes) with zeros above, below diagonal k. */
MX_API mlx_array mx_tril(mlx_array x, int k);
MX_API mlx_array mx_triu(mlx_array x, int k);

/* --- parts and joins --- */

/* x[start[0]:stop[0]:strides[0], ...], one entry an axis; indices wrap and clip as Python's. strides may be
 * NULL (all 1). */
MX_API mlx_array mx_slice(mlx_array x, const int *start, const int *stop, const int *strides);
/* Slices on one axis only. */
MX_API mlx_array mx_slice_axis(mlx_array x, int axis, int start, int stop);
/* x's slice of these sizes (one an axis) that begins where `start` (integers, one for each of n_axes axes)
 * says, at 0 on the others. One that does not lie within x is an error when it is computed. */
MX_API mlx_array mx_slice_dynamic(mlx_array x, mlx_array start, const int *axes, size_t n_axes,
                                  const int *sizes, size_t n_sizes);
/* A copy of x with the slice of update's shape that begins there replaced by update; axes that update lacks
 * are x's. In place when x is dead. */
MX_API mlx_array mx_slice_update_dynamic(mlx_array x, mlx_array update, mlx_array start, const int *axes,
                                         size_t n_axes);
#define MX_MAX_SPLIT (1 << 20) /* parts of one mx_split */
/* out: num equal parts along the axis. */
MX_API int mx_split(mlx_array x, int num, int axis, mlx_array *out);
/* out: the n + 1 parts between the indices. */
MX_API int mx_split_sections(mlx_array x, const int *indices, size_t n, int axis, mlx_array *out);
/* Along an axis that all have; MX_FLATTEN: of all flattened. Dtypes are promoted. */
MX_API mlx_array mx_concatenate(const mlx_array *x, size_t n, int axis);
/* Along a new axis. */
MX_API mlx_array mx_stack(const mlx_array *x, size_t n, int axis);
/* Each entry along the axis (MX_FLATTEN: each element of x flattened) so many times. */
MX_API mlx_array mx_repeat(mlx_array x, int repeats, int axis);
/* x beside itself, reps[i] times along axis i; axes that x or reps lack are 1, in front. */
MX_API mlx_array mx_tile(mlx_array x, const int *reps, size_t n);
/* Entries move up by the sum of the shifts, those at the end come in at the front; MX_FLATTEN: of x
 * flattened, whose shape is kept. */
MX_API mlx_array mx_roll(mlx_array x, const int *shift, size_t n, int axis);
/* The same by shift[i] on axes[i]. */
MX_API mlx_array mx_roll_axes(mlx_array x, const int *shift, size_t n_shift, const int *axes, size_t n_axes);
/* x with margins of low[i] entries before and high[i] after it on axes[i], filled by mode: "constant"
 * (value), "edge", "reflect", "symmetric". */
MX_API mlx_array mx_pad(mlx_array x, const int *axes, size_t n_axes, const int *low, size_t n_low,
                        const int *high, size_t n_high, mlx_array value, const char *mode);
/* The same width on all sides. */
MX_API mlx_array mx_pad_symmetric(mlx_array x, int pad_width, mlx_array value, const char *mode);

/* --- the same numbers --- */

/* A row-major copy, or x itself if it is row-major already. */
MX_API mlx_array mx_contiguous(mlx_array x);
/* The same, where column-major does as well. */
MX_API mlx_array mx_contiguous_any(mlx_array x, bool allow_col_major);
/* x as a node of its own. */
MX_API mlx_array mx_copy(mlx_array x);
/* out[i] = inputs[i], which are computed after all m dependencies. */
MX_API int mx_depends(const mlx_array *inputs, size_t n, const mlx_array *dependencies, size_t m,
                      mlx_array *out);
/* The product of the sizes of these axes, or 1 over it: 0-d. In a shapeless compile it follows the shape. */
MX_API mlx_array mx_number_of_elements(mlx_array x, const int *axes, size_t n, bool inverted,
                                       mlx_dtype dtype);
/* x, through which no gradient flows. */
MX_API mlx_array mx_stop_gradient(mlx_array x);

#endif
