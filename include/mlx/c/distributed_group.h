/** @file
 * Groups of processes. */
#ifndef MLX_C_DISTRIBUTED_GROUP_H
#define MLX_C_DISTRIBUTED_GROUP_H

#include "mlx/c/abi.h"
#include "mlx/c/stream.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/** Processes that work together. */
typedef struct mlx_distributed_group_ {
    void *ctx;
} mlx_distributed_group;

#if MLX_C_ABI >= MLX_C_ABI_0_6_0_PLUS_4
/** The empty handle; as a parameter it means the group of all processes. */
mlx_distributed_group mlx_distributed_group_new(void);

/** Drops a handle. */
int mlx_distributed_group_free(mlx_distributed_group group);
#endif

#if MLX_C_ABI >= MLX_C_ABI_0_6_0_PLUS_4
/** *res becomes the group of all processes of back end bk (NULL or "any": the first that can be used).
 * Where none can be used it is a group of one, or an error when strict. The group is made once. */
int mlx_distributed_init(mlx_distributed_group *res, bool strict, const char *bk /* may be null */);
#elif MLX_C_ABI >= MLX_C_ABI_0_6_0
mlx_distributed_group mlx_distributed_init(bool strict, const char *bk /* may be null */);
#else
mlx_distributed_group mlx_distributed_init(bool strict);
#endif

/** This process's number in the group. */
int mlx_distributed_group_rank(mlx_distributed_group group);

/** Number of processes in the group. */
int mlx_distributed_group_size(mlx_distributed_group group);

#if MLX_C_ABI >= MLX_C_ABI_0_6_0_PLUS_4
/** *res becomes the group of those who give the same color, ordered by key. A group of one cannot be split:
 * an error. */
int mlx_distributed_group_split(mlx_distributed_group *res, mlx_distributed_group group, int color, int key);
#else
mlx_distributed_group mlx_distributed_group_split(mlx_distributed_group group, int color, int key);
#endif

#if MLX_C_ABI >= MLX_C_ABI_0_6_0
/** Can back end bk (NULL or "any": any) be used? */
bool mlx_distributed_is_available(const char *bk /* may be null */);
#else
bool mlx_distributed_is_available(void);
#endif

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
