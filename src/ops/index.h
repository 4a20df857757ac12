/* What ops that read and write by indices share. */
#ifndef MICA_OPS_INDEX_H
#define MICA_OPS_INDEX_H

#include "ops/ops.h"

/* The inputs and parameters of a Gather or Scatter: x, then the index arrays. */
typedef struct index_list {
    mlx_array in[MX_MAX_DIMS + 2];
    int shape[MX_MAX_DIMS], ndim; /* what the indices broadcast to */
    int32_t *sizes;               /* of the slice, in params: for the caller to fill in */
    union {
        prim_gather p;
        int32_t room[2 * MX_MAX_DIMS + 2];
    } params;
} index_list;
/* Bytes of params for n index arrays. */
#define INDEX_PARAMS(n, x) ((2 + (n) + (size_t)mx_ndim(x)) * sizeof(int32_t))

/* Checks indices and axes and fills in the list, all but the sizes; false with an error. */
bool index_begin(index_list *l, const char *op, int mode, mlx_array x, const mlx_array *indices, size_t n,
                 const int *axes);
bool index_is_integer(const char *op, mlx_array indices);
/* Broadcasts n arrays of as many dimensions to each other on all axes but one; false with an error. */
bool index_meet(const char *op, mlx_array *x, size_t n, int axis);

#endif
