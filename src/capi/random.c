/* Random numbers. An empty key takes the next of the process's sequence. */
#include "mlx/c/random.h"

#include "capi/capi.h"

int mlx_random_seed(uint64_t seed)
{
    mx_random_seed(seed);
    return 0;
}

int mlx_random_key(mlx_array *res, uint64_t seed)
{
    size_t mark = capi_begin();
    return LEAVE(mark, res, mx_random_key(seed));
}

int mlx_random_split_num(mlx_array *res, const mlx_array key, int num, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_random_split(capi_in(key), num));
}

int mlx_random_split(mlx_array *res_0, mlx_array *res_1, const mlx_array key, const mlx_stream s)
{
    mlx_array out[2];
    size_t mark = capi_enter(s);
    int rc = mx_random_split_pair(capi_in(key), out);
    return LEAVE_ALL(mark, ((mlx_array *const[]){res_0, res_1}), out, 2, rc);
}

int mlx_random_bits(mlx_array *res, const int *shape, size_t shape_num, int width, const mlx_array key,
                    const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_random_bits(capi_ints(shape), shape_num, width, key));
}

/* BETWEEN(name, function): mlx_random_<name> of two arrays of bounds. */
#define BETWEEN(name, function)                                                                          \
    int mlx_random_##name(mlx_array *res, const mlx_array low, const mlx_array high, const int *shape,   \
                          size_t shape_num, mlx_dtype dtype, const mlx_array key, const mlx_stream s)    \
    {                                                                                                    \
        size_t mark = capi_enter(s);                                                                     \
        return LEAVE(                                                                                    \
            mark, res,                                                                                   \
            function(capi_in(low), capi_in(high), capi_ints(shape), shape_num, capi_dtype(dtype), key)); \
    }

BETWEEN(uniform, mx_random_uniform_broadcast)
BETWEEN(randint, mx_random_randint)
BETWEEN(truncated_normal, mx_random_truncated_normal)
BETWEEN(multivariate_normal, mx_random_multivariate_normal)

/* MOVED(name): mlx_random_<name> with numbers loc and scale. */
#define MOVED(name)                                                                                       \
    int mlx_random_##name(mlx_array *res, const int *shape, size_t shape_num, mlx_dtype dtype, float loc, \
                          float scale, const mlx_array key, const mlx_stream s)                           \
    {                                                                                                     \
        size_t mark = capi_enter(s);                                                                      \
        return LEAVE(mark, res,                                                                           \
                     mx_random_##name(capi_ints(shape), shape_num, capi_dtype(dtype), loc, scale, key));  \
    }

MOVED(normal)
MOVED(laplace)

int mlx_random_normal_broadcast(mlx_array *res, const int *shape, size_t shape_num, mlx_dtype dtype,
                                const mlx_array loc, const mlx_array scale, const mlx_array key,
                                const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res,
                 mx_random_normal_broadcast(capi_ints(shape), shape_num, capi_dtype(dtype), loc, scale, key));
}

int mlx_random_gumbel(mlx_array *res, const int *shape, size_t shape_num, mlx_dtype dtype,
                      const mlx_array key, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_random_gumbel(capi_ints(shape), shape_num, capi_dtype(dtype), key));
}

int mlx_random_bernoulli(mlx_array *res, const mlx_array p, const int *shape, size_t shape_num,
                         const mlx_array key, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_random_bernoulli(capi_in(p), capi_ints(shape), shape_num, key));
}

int mlx_random_categorical(mlx_array *res, const mlx_array logits, int axis, const mlx_array key,
                           const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_random_categorical_axis(capi_in(logits), axis, key));
}

int mlx_random_categorical_shape(mlx_array *res, const mlx_array logits, int axis, const int *shape,
                                 size_t shape_num, const mlx_array key, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res,
                 mx_random_categorical_shape(capi_in(logits), axis, capi_ints(shape), shape_num, key));
}

int mlx_random_categorical_num_samples(mlx_array *res, const mlx_array logits_, int axis, int num_samples,
                                       const mlx_array key, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_random_categorical_num_samples(capi_in(logits_), axis, num_samples, key));
}

int mlx_random_permutation(mlx_array *res, const mlx_array x, int axis, const mlx_array key,
                           const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_random_permutation(capi_in(x), axis, key));
}

int mlx_random_permutation_arange(mlx_array *res, int x, const mlx_array key, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_random_permutation_arange(x, key));
}
