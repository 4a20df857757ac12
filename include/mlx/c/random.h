/** @file
 * Random numbers: threefry keys, as in MLX. */
#ifndef MLX_C_RANDOM_H
#define MLX_C_RANDOM_H

#include "mlx/c/array.h"
#include "mlx/c/stream.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/** true with probability p (broadcast to the shape). */
int mlx_random_bernoulli(mlx_array *res, const mlx_array p, const int *shape, size_t shape_num,
                         const mlx_array key /* may be null */, const mlx_stream s);

/** Random bits as uint8, uint16 or uint32 (width 1, 2, 4). An empty key takes the next of the process's
 * sequence, as in all functions of this header. */
int mlx_random_bits(mlx_array *res, const int *shape, size_t shape_num, int width,
                    const mlx_array key /* may be null */, const mlx_stream s);

/** Draws of a shape (its axes without `axis`, broadcast) from softmax(logits) along an axis. uint32. */
int mlx_random_categorical_shape(mlx_array *res, const mlx_array logits, int axis, const int *shape,
                                 size_t shape_num, const mlx_array key /* may be null */, const mlx_stream s);

/** num_samples draws for each row, on a new last axis. */
int mlx_random_categorical_num_samples(mlx_array *res, const mlx_array logits_, int axis, int num_samples,
                                       const mlx_array key /* may be null */, const mlx_stream s);

/** One draw for each row. */
int mlx_random_categorical(mlx_array *res, const mlx_array logits, int axis,
                           const mlx_array key /* may be null */, const mlx_stream s);

/** -log(-log(u)). */
int mlx_random_gumbel(mlx_array *res, const int *shape, size_t shape_num, mlx_dtype dtype,
                      const mlx_array key /* may be null */, const mlx_stream s);

/** The key (uint32 (2)) of a seed. */
int mlx_random_key(mlx_array *res, uint64_t seed);

/** Laplace distribution. */
int mlx_random_laplace(mlx_array *res, const int *shape, size_t shape_num, mlx_dtype dtype, float loc,
                       float scale, const mlx_array key /* may be null */, const mlx_stream s);

/** Normal vectors with this mean and covariance; float32. */
int mlx_random_multivariate_normal(mlx_array *res, const mlx_array mean, const mlx_array cov,
                                   const int *shape, size_t shape_num, mlx_dtype dtype,
                                   const mlx_array key /* may be null */, const mlx_stream s);

/** Normal distribution with arrays loc and scale, each of which may be empty (0 and 1). */
int mlx_random_normal_broadcast(mlx_array *res, const int *shape, size_t shape_num, mlx_dtype dtype,
                                const mlx_array loc /* may be null */,
                                const mlx_array scale /* may be null */,
                                const mlx_array key /* may be null */, const mlx_stream s);

/** Normal distribution; floats and complex64. */
int mlx_random_normal(mlx_array *res, const int *shape, size_t shape_num, mlx_dtype dtype, float loc,
                      float scale, const mlx_array key /* may be null */, const mlx_stream s);

/** x with the entries of an axis in random order. */
int mlx_random_permutation(mlx_array *res, const mlx_array x, int axis, const mlx_array key /* may be null */,
                           const mlx_stream s);

/** 0 .. x - 1 in random order. */
int mlx_random_permutation_arange(mlx_array *res, int x, const mlx_array key /* may be null */,
                                  const mlx_stream s);

/** Integers in [low, high). */
int mlx_random_randint(mlx_array *res, const mlx_array low, const mlx_array high, const int *shape,
                       size_t shape_num, mlx_dtype dtype, const mlx_array key /* may be null */,
                       const mlx_stream s);

/** Starts the process's sequence of keys anew. */
int mlx_random_seed(uint64_t seed);

/** (num, 2): keys made from one. */
int mlx_random_split_num(mlx_array *res, const mlx_array key, int num, const mlx_stream s);

/** Two keys made from one. */
int mlx_random_split(mlx_array *res_0, mlx_array *res_1, const mlx_array key, const mlx_stream s);

/** Normal distribution between lower and upper. */
int mlx_random_truncated_normal(mlx_array *res, const mlx_array lower, const mlx_array upper,
                                const int *shape, size_t shape_num, mlx_dtype dtype,
                                const mlx_array key /* may be null */, const mlx_stream s);

/** Uniform in [low, high), which broadcast to the shape. */
int mlx_random_uniform(mlx_array *res, const mlx_array low, const mlx_array high, const int *shape,
                       size_t shape_num, mlx_dtype dtype, const mlx_array key /* may be null */,
                       const mlx_stream s);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
