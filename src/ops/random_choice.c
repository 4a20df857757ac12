/* Random choices: coins, integers, categories, orders. As in random.c the numbers are MLX's. */
#include "ops/random.h"

#include "array/dtype.h"

#include <math.h>
#include <string.h>

mlx_array mx_random_bernoulli(mlx_array p, const int *shape, size_t n, mlx_array key)
{
    if (mx_is_null(p))
        return p;
    if (!dtype_is_float(mx_dtype_of(p)))
        return op_fail("[bernoulli] p must be of a float dtype, not %s", mx_dtype_name(mx_dtype_of(p)));
    if (!random_fits("bernoulli", p, shape, n))
        return MX_NULL;
    /* the float after 2^32: bits are rounded to floats too, so that p = 1 is always met */
    mlx_array bound = mx_multiply(p, mx_float(0x1.000002p+32, MLX_FLOAT32));
    return mx_less(mx_random_bits(shape, n, 4, key), bound);
}

/* The bounds may be no float32s: what is drawn is brought back between them. */
mlx_array mx_random_randint(mlx_array low, mlx_array high, const int *shape, size_t n, mlx_dtype dtype,
                            mlx_array key)
{
    if (!dtype_is_integer(dtype) && dtype != MLX_BOOL)
        return op_fail("[randint] an integer dtype or bool is needed, not %s", mx_dtype_name(dtype));
    if (mx_is_null(low) || mx_is_null(high))
        return MX_NULL;
    mlx_array u = mx_random_uniform_broadcast(low, high, shape, n, MLX_FLOAT32, key);
    mlx_array last = mx_subtract(high, mx_int(1, mx_dtype_of(high)));
    return mx_maximum(mx_minimum(mx_astype(mx_floor(u), dtype), mx_astype(last, dtype)),
                      mx_astype(low, dtype));
}

/* Of logits on one axis: the places of uniform numbers among the running sums of their weights. */
static mlx_array inverse_cdf(mlx_array logits, const int *shape, size_t n, mlx_array key)
{
    mlx_dtype t = mx_promote(mx_dtype_of(logits), MLX_FLOAT32);
    mlx_array x = mx_astype(mx_reshape(logits, SHAPE(-1)), t), top = mx_max(x, NULL, 0, false);
    /* an infinite maximum: equal weights for all that have it */
    mlx_array infinite = mx_equal(mx_abs(top), mx_float((double)INFINITY, t));
    mlx_array weights = mx_where(infinite, mx_astype(mx_equal(x, top), t), mx_exp(mx_subtract(x, top)));
    mlx_array sums = mx_cumsum(weights, 0, false, false);
    mlx_array u = mx_random_uniform(0, 1, shape, n, MLX_FLOAT32, key);
    u = mx_multiply(u, mx_sum(weights, NULL, 0, false));
    return mx_subtract(mx_searchsorted(sums, u, true), mx_int(1, MLX_UINT32));
}

/* The place of the largest of logits plus Gumbel numbers, of which there is one for each result and each
 * entry of the axis (counted from the front). */
static mlx_array gumbel_max(mlx_array logits, int axis, const int *shape, size_t n, mlx_array key)
{
    int full[MX_MAX_DIMS + 1], at = axis + (int)n - mx_ndim(logits) + 1;
    if (n >= MX_MAX_DIMS)
        return op_fail("[categorical] %zu dimensions are too many", n);
    for (int d = 0; d <= (int)n; d++)
        full[d] = d < at ? shape[d] : d == at ? mx_shape(logits)[axis] : shape[d - 1];
    mlx_array g = mx_random_gumbel(full, n + 1, MLX_FLOAT32, key);
    return mx_argmax(mx_add(g, logits), at, false);
}

static mlx_array categorical(mlx_array logits, int axis, const int *shape, size_t n, mlx_array key)
{
    size_t entries = (size_t)mx_shape(logits)[axis];
    if (entries > 0 && mx_size(logits) == entries && n > 0)
        return inverse_cdf(logits, shape, n, key);
    return gumbel_max(logits, axis, shape, n, key);
}

/* The shape of x without the axis; the number of dimensions. */
static size_t without(mlx_array x, int axis, int *shape)
{
    size_t n = 0;
    for (int d = 0; d < mx_ndim(x); d++)
        if (d != axis)
            shape[n++] = mx_shape(x)[d];
    return n;
}

/* logits in a dtype that can be added to floats, and the axis; null with an error. */
static mlx_array begin(mlx_array logits, int *axis)
{
    logits = op_to_float(logits);
    if (mx_is_null(logits))
        return logits;
    *axis = op_axis("categorical", logits, *axis);
    return *axis < 0 ? MX_NULL : logits;
}

mlx_array mx_random_categorical_shape(mlx_array logits, int axis, const int *shape, size_t n, mlx_array key)
{
    int rest[MX_MAX_DIMS], merged[MX_MAX_DIMS];
    logits = begin(logits, &axis);
    if (mx_is_null(logits) || !op_check_shape("categorical", shape, n))
        return MX_NULL;
    size_t k = without(logits, axis, rest);
    if (shape_broadcast_dims(rest, (int)k, shape, (int)n, merged) != (int)n ||
        (n && memcmp(merged, shape, n * sizeof *shape) != 0))
        return op_fail("[categorical] logits of shape %s without axis %d do not broadcast to %s",
                       op_shape(logits), axis, shape_text(shape, (int)n));
    return categorical(logits, axis, shape, n, key);
}

mlx_array mx_random_categorical_num_samples(mlx_array logits, int axis, int num_samples, mlx_array key)
{
    int shape[MX_MAX_DIMS];
    logits = begin(logits, &axis);
    if (mx_is_null(logits))
        return logits;
    if (num_samples < 0 || mx_ndim(logits) == MX_MAX_DIMS)
        return op_fail("[categorical] %d samples of logits of shape %s", num_samples, op_shape(logits));
    size_t n = without(logits, axis, shape);
    shape[n] = num_samples;
    return categorical(mx_expand_dims(logits, -1), axis, shape, n + 1, key);
}

mlx_array mx_random_categorical_axis(mlx_array logits, int axis, mlx_array key)
{
    int shape[MX_MAX_DIMS];
    logits = begin(logits, &axis);
    if (mx_is_null(logits))
        return logits;
    size_t n = without(logits, axis, shape);
    return categorical(logits, axis, shape, n, key);
}

mlx_array mx_random_categorical(mlx_array logits, mlx_array key)
{
    return mx_random_categorical_axis(logits, -1, key);
}

mlx_array mx_random_permutation_arange(int x, mlx_array key)
{
    return mx_argsort(mx_random_bits(SHAPE(x), 4, key), 0);
}

mlx_array mx_random_permutation(mlx_array x, int axis, mlx_array key)
{
    int i;
    if (mx_is_null(x) || (i = op_axis("permutation", x, axis)) < 0)
        return MX_NULL;
    return mx_take(x, mx_random_permutation_arange(mx_shape(x)[i], key), i);
}
