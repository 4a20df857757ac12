/* Products of arrays over axes that are listed or named. */
#ifndef MX_EINSUM_H
#define MX_EINSUM_H

#include "mx/array.h"

/* All products of an element of a with one of b: (size of a, size of b). */
MX_API mlx_array mx_outer(mlx_array a, mlx_array b);
/* Sums of products over the last axis of each; a product when one is 0-d. */
MX_API mlx_array mx_inner(mlx_array a, mlx_array b);
/* Sums of products over axes_a[i] of a and axes_b[i] of b; the other axes of a, then those of b. */
MX_API mlx_array mx_tensordot(mlx_array a, mlx_array b, const int *axes_a, size_t n_a, const int *axes_b,
                              size_t n_b);
/* The same over the last `axis` axes of a and the first of b. */
MX_API mlx_array mx_tensordot_axis(mlx_array a, mlx_array b, int axis);
/* Each element of a replaced by its product with b. */
MX_API mlx_array mx_kron(mlx_array a, mlx_array b);
/* Einstein's sums, "ij,jk->ik": letters name axes, "..." stands for further ones, those that the output lacks
 * are summed over. Without "->" the output has those that occur once, sorted. Pairs are contracted in a
 * greedy order. */
MX_API mlx_array mx_einsum(const char *subscripts, const mlx_array *operands, size_t n);

#endif
