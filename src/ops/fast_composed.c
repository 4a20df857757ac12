/* Variants of the fused operations that are made of other operations: attention with sinks, rotary positions
 * that an array gives. */
#include "ops/ops.h"

#include <float.h>
#include <string.h>

/* scores (B, H, L, S) float32 with what the mask hides at the lowest number, or with it added. */
static mlx_array hide(mlx_array scores, mx_mask kind, mlx_array mask)
{
    int L = mx_dim(scores, 2), S = mx_dim(scores, 3);
    if (kind == MX_MASK_CAUSAL)
        mask = mx_greater_equal(mx_expand_dims(mx_arange(S - L, S, 1, MLX_INT32), 1),
                                mx_arange(0, S, 1, MLX_INT32));
    if (kind == MX_MASK_NONE)
        return scores;
    if (mx_dtype_of(mask) == MLX_BOOL)
        return mx_where(mask, scores, mx_float(-FLT_MAX, MLX_FLOAT32));
    return mx_add(scores, mx_astype(mask, MLX_FLOAT32));
}

mlx_array mx_scaled_dot_product_attention_sinks(mlx_array q, mlx_array k, mlx_array v, float scale,
                                                mx_mask kind, mlx_array mask, mlx_array sinks)
{
    if (mx_is_null(sinks))
        return mx_scaled_dot_product_attention(q, k, v, scale, kind, mask);
    mlx_array plain =
        mx_scaled_dot_product_attention(q, k, v, scale, kind, mask); /* checks; never evaluated */
    if (mx_is_null(plain))
        return MX_NULL;
    int B = mx_dim(q, 0), H = mx_dim(q, 1), L = mx_dim(q, 2), S = mx_dim(k, 2), repeats = H / mx_dim(k, 1);
    if (mx_ndim(sinks) != 1 || mx_dim(sinks, 0) != H)
        return op_fail("[scaled_dot_product_attention] sinks of shape %s are not one for each of %d heads",
                       op_shape(sinks), H);
    k = mx_swapaxes(mx_repeat(mx_astype(k, MLX_FLOAT32), repeats, 1), 2, 3);
    mlx_array scores = mx_matmul(mx_multiply(mx_astype(q, MLX_FLOAT32), mx_float(scale, MLX_FLOAT32)), k);
    mlx_array column = mx_reshape(mx_astype(sinks, MLX_FLOAT32), SHAPE(1, H, 1, 1));
    mlx_array all[2] = {hide(scores, kind, mask), mx_broadcast_to(column, SHAPE(B, H, L, 1))};
    mlx_array weights = mx_slice_axis(mx_softmax(mx_concatenate(all, 2, 3), 3), 3, 0, S);
    mlx_array y = mx_matmul(weights, mx_repeat(mx_astype(v, MLX_FLOAT32), repeats, 1));
    return mx_astype(y, mx_dtype_of(plain));
}

/* Angles (.., T, dims / 2) that broadcast with x (B, .., T, D): offset is 0-d, or has an entry a batch row.
 */
static mlx_array angles(mlx_array x, int dims, float base, float scale, mlx_array offset, mlx_array freqs)
{
    int shape[MX_MAX_DIMS], ndim = mx_ndim(x), half = dims / 2;
    for (int i = 0; i < ndim; i++)
        shape[i] = 1;
    shape[0] = mx_ndim(offset) ? mx_dim(offset, 0) : 1;
    mlx_array start = mx_reshape(mx_astype(offset, MLX_FLOAT32), shape, (size_t)ndim);
    mlx_array steps = mx_expand_dims(mx_arange(0, mx_dim(x, -2), 1, MLX_FLOAT32), 1);
    mlx_array position = mx_multiply(mx_add(start, steps), mx_float(scale, MLX_FLOAT32));
    if (!mx_is_null(freqs))
        return mx_divide(position, mx_astype(freqs, MLX_FLOAT32));
    mlx_array exponent = mx_multiply(mx_arange(0, half, 1, MLX_FLOAT32), mx_float(-1.0 / half, MLX_FLOAT32));
    return mx_multiply(position, mx_power(mx_float(base, MLX_FLOAT32), exponent));
}

/* x[.., start:stop:step] on the last axis. */
static mlx_array columns(mlx_array x, int start, int stop, int step)
{
    int starts[MX_MAX_DIMS] = {0}, stops[MX_MAX_DIMS], steps[MX_MAX_DIMS], last = mx_ndim(x) - 1;
    for (int i = 0; i <= last; i++) {
        stops[i] = mx_dim(x, i);
        steps[i] = 1;
    }
    starts[last] = start;
    stops[last] = stop;
    steps[last] = step;
    return mx_slice(x, starts, stops, steps);
}

mlx_array mx_rope_dynamic(mlx_array x, int dims, bool traditional, float base, float scale, mlx_array offset,
                          mlx_array freqs)
{
    if (mx_is_null(x) || mx_is_null(offset))
        return MX_NULL;
    mlx_array plain = mx_rope(x, dims, traditional, base, scale, 0, freqs); /* checks; never evaluated */
    int last = mx_ndim(x) - 1;
    if (mx_is_null(plain))
        return MX_NULL;
    if (mx_ndim(offset) > 1 ||
        (mx_ndim(offset) == 1 && mx_dim(offset, 0) != 1 && mx_dim(offset, 0) != mx_dim(x, 0)))
        return op_fail("[rope] offsets of shape %s are neither one nor one for each of %d rows",
                       op_shape(offset), mx_dim(x, 0));
    mlx_array angle = angles(x, dims, base, scale, offset, freqs), c = mx_cos(angle), s = mx_sin(angle);
    mlx_array y = mx_astype(x, MLX_FLOAT32);
    int step = traditional ? 2 : 1, second = traditional ? 1 : dims / 2;
    mlx_array a = columns(y, 0, traditional ? dims : dims / 2, step), b = columns(y, second, dims, step);
    mlx_array turned[3] = {mx_subtract(mx_multiply(a, c), mx_multiply(b, s)),
                           mx_add(mx_multiply(a, s), mx_multiply(b, c)),
                           columns(y, dims, mx_dim(x, last), 1)};
    if (traditional) {
        turned[0] = mx_flatten(mx_stack(turned, 2, last + 1), last, last + 1);
        turned[1] = turned[2];
    }
    return mx_astype(mx_concatenate(turned, traditional ? 2 : 3, last), mx_dtype_of(plain));
}
