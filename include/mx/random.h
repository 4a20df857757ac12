/* Random numbers: MLX's, for equal keys bit for bit. A key is a uint32 array of shape (2,); the null array
 * takes the next key of a sequence that the process shares. A shape is that of the result: parameters that
 * are arrays broadcast to it. */
#ifndef MX_RANDOM_H
#define MX_RANDOM_H

#include "mx/array.h"

/* --- keys --- */

/* Starts the sequence over. It begins with the time. */
MX_API void mx_random_seed(uint64_t seed);
MX_API mlx_array mx_random_key(uint64_t seed);
/* (n, 2) keys from one. */
MX_API mlx_array mx_random_split(mlx_array key, int n);
/* Two keys from one: out[0] and out[1]. 0 or -1. */
MX_API int mx_random_split_pair(mlx_array key, mlx_array *out);
/* Unsigned integers of width 1, 2 or 4 bytes. */
MX_API mlx_array mx_random_bits(const int *shape, size_t n, int width, mlx_array key);

/* --- numbers; dtype is float16, bfloat16 or float32 unless it says more --- */

/* Uniform in [low, high). */
MX_API mlx_array mx_random_uniform(float low, float high, const int *shape, size_t n, mlx_dtype dtype,
                                   mlx_array key);
MX_API mlx_array mx_random_uniform_broadcast(mlx_array low, mlx_array high, const int *shape, size_t n,
                                             mlx_dtype dtype, mlx_array key);
/* dtypes also float64 (of float32's precision) and complex64 (whose parts have the variance 1/2). */
MX_API mlx_array mx_random_normal(const int *shape, size_t n, mlx_dtype dtype, float loc, float scale,
                                  mlx_array key);
/* loc and scale may be null: 0 and 1. */
MX_API mlx_array mx_random_normal_broadcast(const int *shape, size_t n, mlx_dtype dtype, mlx_array loc,
                                            mlx_array scale, mlx_array key);
/* Normal numbers that lie within [lower, upper]. */
MX_API mlx_array mx_random_truncated_normal(mlx_array lower, mlx_array upper, const int *shape, size_t n,
                                            mlx_dtype dtype, mlx_array key);
/* mean (.., N) and cov (.., N, N) broadcast to the shape, after which the result has an axis of N; dtype
 * float32. */
MX_API mlx_array mx_random_multivariate_normal(mlx_array mean, mlx_array cov, const int *shape, size_t n,
                                               mlx_dtype dtype, mlx_array key);
MX_API mlx_array mx_random_gumbel(const int *shape, size_t n, mlx_dtype dtype, mlx_array key);
MX_API mlx_array mx_random_laplace(const int *shape, size_t n, mlx_dtype dtype, float loc, float scale,
                                   mlx_array key);

/* --- choices --- */

/* true with probability p, of a float dtype. */
MX_API mlx_array mx_random_bernoulli(mlx_array p, const int *shape, size_t n, mlx_array key);
/* Integers in [low, high), of an integer dtype or bool. */
MX_API mlx_array mx_random_randint(mlx_array low, mlx_array high, const int *shape, size_t n, mlx_dtype dtype,
                                   mlx_array key);
/* Positions (uint32) along an axis, drawn from softmax(logits) there: one for each place on the other axes;
 */
MX_API mlx_array mx_random_categorical_axis(mlx_array logits, int axis, mlx_array key);
/* the same over the last axis; */
MX_API mlx_array mx_random_categorical(mlx_array logits, mlx_array key);
/* as many as the shape has, to which the other axes broadcast; */
MX_API mlx_array mx_random_categorical_shape(mlx_array logits, int axis, const int *shape, size_t n,
                                             mlx_array key);
/* num_samples each, on a further, last axis. */
MX_API mlx_array mx_random_categorical_num_samples(mlx_array logits, int axis, int num_samples,
                                                   mlx_array key);
/* x's slices on the axis in a random order. */
MX_API mlx_array mx_random_permutation(mlx_array x, int axis, mlx_array key);
/* 0 .. x-1 in a random order; uint32. */
MX_API mlx_array mx_random_permutation_arange(int x, mlx_array key);

#endif
