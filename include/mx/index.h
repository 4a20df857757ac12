/* Reading and writing by indices. */
#ifndef MX_INDEX_H
#define MX_INDEX_H

#include "mx/array.h"

/* --- indexing --- */

/* x's slices at `indices` (integers, negative ones wrap) on `axis`: result shape x[:axis] + indices +
 * x[axis+1:]. */
MX_API mlx_array mx_take(mlx_array x, mlx_array indices, int axis);
MX_API mlx_array mx_take_along_axis(mlx_array x, mlx_array indices, int axis);
/* A copy of x with `updates` added at places that n index arrays name, each on its axis: updates has the
 * shape that the indices broadcast to, followed by a slice's, whose sizes are 1 on the axes. Places may
 * repeat. In place when x is dead. */
MX_API mlx_array mx_scatter_add(mlx_array x, const mlx_array *indices, size_t n, mlx_array updates,
                                const int *axes);
/* The same where indices and updates (broadcast) give for each of their places the position on one axis of x.
 */
MX_API mlx_array mx_scatter_add_axis(mlx_array x, mlx_array indices, mlx_array updates, int axis);

#endif
