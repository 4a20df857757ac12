/** @file
 * Memory: what is used, what is kept, limits. */
#ifndef MLX_C_MEMORY_H
#define MLX_C_MEMORY_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/** Returns memory that is kept for reuse to the system. */
int mlx_clear_cache(void);

/** Bytes in buffers that arrays use. */
int mlx_get_active_memory(size_t *res);

/** Bytes in freed buffers that are kept for reuse. */
int mlx_get_cache_memory(size_t *res);

/** The limit of memory in bytes; 0.8 of the machine's at first. */
int mlx_get_memory_limit(size_t *res);

/** The most active memory since the start or the last reset. */
int mlx_get_peak_memory(size_t *res);

/** Starts the high-water mark anew, from 0. */
int mlx_reset_peak_memory(void);

/** At most so many bytes are kept for reuse. *res = the limit before. */
int mlx_set_cache_limit(size_t *res, size_t limit);

/** A guideline for how much memory is used: above it freed memory is not kept. Nothing fails by it. *res =
 * the limit before. */
int mlx_set_memory_limit(size_t *res, size_t limit);

/** A limit of memory that stays resident for a GPU. *res = the limit before: always 0 where there is none. */
int mlx_set_wired_limit(size_t *res, size_t limit);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
