/* A further axis: for each primitive, the node that does to every entry of an axis what its node does to one.
 *
 * A rule is given a node and its inputs, some of which have the mapped axis more than the node's own inputs.
 * It makes the results as temporaries and says where the axis is in each. Errors: an expression that fails
 * leaves the error pending, and transforms/vmap.c stops there. */
#ifndef MICA_PRIM_VMAP_H
#define MICA_PRIM_VMAP_H

#include "prim/prim.h"

typedef struct vmap_args {
    const node *n;       /* as it was recorded: without the axis */
    const mlx_array *in; /* its inputs now */
    const int *axes;     /* where the axis is in each, -1: it has none; not all are */
    int size;            /* of the axis */
} vmap_args;

/* Each sets out[i] and axes[i] of all results. */
#define PRIM(name, arity, rule, vjp, vmap, ...) \
    void vmap_##vmap(const vmap_args *a, mlx_array *out, int *axes);
#include "prim/prim.def"
#undef PRIM

/* For rules that have more than one way: only the first input has the axis, which joins its axis 0. */
void vmap_batch(const vmap_args *a, mlx_array *out, int *axes);
/* Is input i mapped? */
static inline bool vmap_is(const vmap_args *a, size_t i) { return a->axes[i] >= 0; }
/* x with axis `from` moved to `to`. */
mlx_array vmap_move(mlx_array x, int from, int to);
/* Input i with the axis in front; as it is if it has none. */
mlx_array vmap_front(const vmap_args *a, size_t i);
/* Input i with the axis in front, repeated if it has none. */
mlx_array vmap_full(const vmap_args *a, size_t i);
/* Input i so that it broadcasts with others of up to `ndim` axes besides the mapped one, which is in front.
 */
mlx_array vmap_aligned(const vmap_args *a, size_t i, int ndim);
/* The node again with other inputs and parameters (those of the node: NULL, 0): its results with the axis in
 * front. */
void vmap_remake(const vmap_args *a, const mlx_array *in, const void *params, size_t params_size,
                 mlx_array *out, int *axes);

#endif
