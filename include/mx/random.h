/* Random numbers: MLX's (threefry keys). */
#ifndef MX_RANDOM_H
#define MX_RANDOM_H

#include "mx/array.h"

/* --- random numbers: MLX's (threefry keys, uint32 (2)) --- */

MX_API mlx_array mx_random_key(uint64_t seed);
/* (n, 2) keys from one. */
MX_API mlx_array mx_random_split(mlx_array key, int n);
/* Unsigned integers of width 1, 2 or 4 bytes. */
MX_API mlx_array mx_random_bits(const int *shape, size_t n, int width, mlx_array key);
/* Uniform in [low, high) of a float dtype. */
MX_API mlx_array mx_random_uniform(float low, float high, const int *shape, size_t n, mlx_dtype dtype,
                                   mlx_array key);
MX_API mlx_array mx_random_normal(const int *shape, size_t n, mlx_dtype dtype, float loc, float scale,
                                  mlx_array key);
/* Draws from softmax(logits) over the last axis by the Gumbel trick; uint32. */
MX_API mlx_array mx_random_categorical(mlx_array logits, mlx_array key);

#endif
