/* Reading and writing by indices.
 *
 * Indices are integers of any dtype; negative ones count from the end. One that is out of bounds makes the
 * evaluation fail with a message; nothing else is read or written. Updates are cast to x's dtype. What writes
 * does so in place when x is dead. */
#ifndef MX_INDEX_H
#define MX_INDEX_H

#include "mx/array.h"

/* --- reading --- */

/* x's slices of the given sizes (one an axis) that begin where n index arrays point, each on its axis, and at
 * 0 on the others: the shape is what the indices broadcast to, then the sizes. */
MX_API mlx_array mx_gather(mlx_array x, const mlx_array *indices, size_t n, const int *axes,
                           const int *sizes);
/* x's slices at `indices` on `axis`: result shape x[:axis] + indices + x[axis+1:]. MX_FLATTEN: of x
 * flattened. */
MX_API mlx_array mx_take(mlx_array x, mlx_array indices, int axis);
/* The elements that indices name on one axis; x and the indices broadcast on the others. */
MX_API mlx_array mx_take_along_axis(mlx_array x, mlx_array indices, int axis);

/* --- writing --- */

/* A copy of x with `updates` written to (added to, ...) places that n index arrays name, each on its axis:
 * updates has the shape that the indices broadcast to, followed by a slice's, whose sizes need not be x's.
 * Places may repeat: the last update stays, or all count. */
MX_API mlx_array mx_scatter(mlx_array x, const mlx_array *indices, size_t n, mlx_array updates,
                            const int *axes);
MX_API mlx_array mx_scatter_add(mlx_array x, const mlx_array *indices, size_t n, mlx_array updates,
                                const int *axes);
MX_API mlx_array mx_scatter_prod(mlx_array x, const mlx_array *indices, size_t n, mlx_array updates,
                                 const int *axes);
MX_API mlx_array mx_scatter_max(mlx_array x, const mlx_array *indices, size_t n, mlx_array updates,
                                const int *axes);
MX_API mlx_array mx_scatter_min(mlx_array x, const mlx_array *indices, size_t n, mlx_array updates,
                                const int *axes);
/* The same where indices and updates give for each of their places the position on one axis of x; all three
 * broadcast on the other axes, indices and updates on this one too. */
MX_API mlx_array mx_put_along_axis(mlx_array x, mlx_array indices, mlx_array updates, int axis);
MX_API mlx_array mx_scatter_add_axis(mlx_array x, mlx_array indices, mlx_array updates, int axis);
/* x where the mask, which covers x's first axes, is false; where it is true the values of src in their order.
 */
MX_API mlx_array mx_masked_scatter(mlx_array x, mlx_array mask, mlx_array src);
/* A copy of x with the slice (see mx_slice) replaced by `update` (broadcast), or the sum with it there, ...
 */
MX_API mlx_array mx_slice_update(mlx_array x, mlx_array update, const int *start, const int *stop,
                                 const int *strides);
MX_API mlx_array mx_slice_update_add(mlx_array x, mlx_array update, const int *start, const int *stop,
                                     const int *strides);
MX_API mlx_array mx_slice_update_prod(mlx_array x, mlx_array update, const int *start, const int *stop,
                                      const int *strides);
MX_API mlx_array mx_slice_update_max(mlx_array x, mlx_array update, const int *start, const int *stop,
                                     const int *strides);
MX_API mlx_array mx_slice_update_min(mlx_array x, mlx_array update, const int *start, const int *stop,
                                     const int *strides);

#endif
