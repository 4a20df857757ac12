/** @file
 * Communication between processes. */
#ifndef MLX_C_DISTRIBUTED_H
#define MLX_C_DISTRIBUTED_H

#include "mlx/c/array.h"
#include "mlx/c/distributed_group.h"
#include "mlx/c/stream.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/** Joins x of all processes on axis 0. In a group of one: x. */
int mlx_distributed_all_gather(mlx_array *res, const mlx_array x,
                               const mlx_distributed_group group /* may be null */, const mlx_stream S);

/** The elementwise maximum over all processes. In a group of one: x. */
int mlx_distributed_all_max(mlx_array *res, const mlx_array x,
                            const mlx_distributed_group group /* may be null */, const mlx_stream s);

/** The elementwise minimum over all processes. In a group of one: x. */
int mlx_distributed_all_min(mlx_array *res, const mlx_array x,
                            const mlx_distributed_group group /* may be null */, const mlx_stream s);

/** The sum over all processes. In a group of one: x. */
int mlx_distributed_all_sum(mlx_array *res, const mlx_array x,
                            const mlx_distributed_group group /* may be null */, const mlx_stream s);

/** An array that process src sends. An error in a group of one. */
int mlx_distributed_recv(mlx_array *res, const int *shape, size_t shape_num, mlx_dtype dtype, int src,
                         const mlx_distributed_group group /* may be null */, const mlx_stream s);

/** The same with shape and dtype of x. */
int mlx_distributed_recv_like(mlx_array *res, const mlx_array x, int src,
                              const mlx_distributed_group group /* may be null */, const mlx_stream s);

/** Sends x to process dst and gives x, which must be evaluated for that. An error in a group of one. */
int mlx_distributed_send(mlx_array *res, const mlx_array x, int dst,
                         const mlx_distributed_group group /* may be null */, const mlx_stream s);

/** The sum over all processes, of which each keeps its part of axis 0. In a group of one: x. */
int mlx_distributed_sum_scatter(mlx_array *res, const mlx_array x,
                                const mlx_distributed_group group /* may be null */, const mlx_stream s);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
