/* Helpers of the front end: checks that every group of ops makes. */
#ifndef MICA_OPS_OPS_H
#define MICA_OPS_OPS_H

#include "base/error.h"
#include "prim/prim.h"

/* The axis counted from the front, or -1 with an error "[op] axis ...". x is not null. */
int op_axis(const char *op, mlx_array x, int axis);
/* Bit set of n axes (n == 0 and axes NULL: all); false with an error on a bad or repeated one. */
bool op_axes(const char *op, mlx_array x, const int *axes, size_t n, uint32_t *bits);
/* Records "[op] ..." and gives the null array. */
#define op_fail(...) (error_set(__VA_ARGS__), MX_NULL)
/* The shape of x as text, for messages. */
static inline const char *op_shape(mlx_array x) { return shape_text(mx_shape(x), mx_ndim(x)); }
/* Checks a shape: dimensions within limits, none negative. */
bool op_check_shape(const char *op, const int *shape, size_t n);
/* x in a float dtype (integers and bool become float32). */
mlx_array op_to_float(mlx_array x);
/* x flattened and *axis 0 if that is MX_FLATTEN; else x with *axis counted from the front. Null with an error
 * "[op] axis
 * ..." when it is out of range. */
mlx_array op_flatten(const char *op, mlx_array x, int *axis);
/* The ranges of a slice, one an axis; false with an error on a stride of 0. *whole: the slice is all of x. */
bool op_ranges(const char *op, mlx_array x, const int *start, const int *stop, const int *strides,
               prim_range *out, bool *whole);
/* x brought to this shape, which is what it and n others broadcast to, by a Broadcast or Full; while shapes
 * may change, by a node that follows the others' shapes. */
mlx_array op_broadcast_with(int prim, mlx_array x, const int *shape, int ndim, const mlx_array *others,
                            size_t n);
/* A node whose parameters are a shape: Broadcast, Reshape, Full. */
mlx_array op_target(int prim, mlx_array x, const int *shape, size_t n);

/* Which of x's matrices each result takes, as uint32: `indices`, or all in order if that is null. Null after
 * an error. x has at least two dimensions. */
mlx_array op_batch_indices(const char *op, mlx_array indices, mlx_array x);
/* Do affine codes, scales and biases belong together? false with an error if not. */
bool op_check_packed(const char *op, mlx_array w, mlx_array scales, mlx_array biases, int group, int bits);
/* Broadcasts both to their common shape; false if one is null or, with an error, if there is none. */
bool op_index_pair(const char *op, mlx_array *lhs, mlx_array *rhs);

#endif
