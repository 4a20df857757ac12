/* Random numbers from explicit keys, equal to MLX's for equal keys. */
#include "ops/ops.h"

#include "array/dtype.h"
#include "kernels/half.h"

#include <math.h>
#include <string.h>

static bool check_key(const char *op, mlx_array key)
{
    if (mx_is_null(key))
        return false;
    if (mx_dtype_of(key) == MLX_UINT32 && mx_ndim(key) == 1 && mx_shape(key)[0] == 2)
        return true;
    error_set("[%s] a key is a uint32 array of shape (2,), not %s %s", op, mx_dtype_name(mx_dtype_of(key)),
              op_shape(key));
    return false;
}

mlx_array mx_random_key(uint64_t seed)
{
    uint32_t words[2] = {(uint32_t)(seed >> 32), (uint32_t)seed};
    return mx_from(words, SHAPE(2), MLX_UINT32);
}

mlx_array mx_random_bits(const int *shape, size_t n, int width, mlx_array key)
{
    union {
        prim_random_bits p;
        int32_t room[MX_MAX_DIMS + 2];
    } params;
    if (!check_key("bits", key) || !op_check_shape("bits", shape, n))
        return MX_NULL;
    if (width != 1 && width != 2 && width != 4)
        return op_fail("[bits] width must be 1, 2 or 4 bytes, not %d", width);
    params.p.width = width;
    params.p.ndim = (int32_t)n;
    if (n)
        memcpy(params.p.shape, shape, n * sizeof *shape);
    return prim_make(PRIM_RandomBits, &key, 1, &params, (n + 2) * sizeof(int32_t));
}

mlx_array mx_random_split(mlx_array key, int n) { return mx_random_bits(SHAPE(n, 2), 4, key); }

/* The largest value below 1. */
static float below_one(mlx_dtype t)
{
    return t == MLX_FLOAT16 ? 0x1.ffcp-1f : t == MLX_BFLOAT16 ? 0x1.fep-1f : 0x1.fffffep-1f;
}

mlx_array mx_random_uniform(float low, float high, const int *shape, size_t n, mlx_dtype dtype, mlx_array key)
{
    if (!dtype_is_float(dtype) || dtype == MLX_FLOAT64)
        return op_fail("[uniform] float16, bfloat16 or float32 is needed, not %s", mx_dtype_name(dtype));
    mlx_array bits = mx_random_bits(shape, n, 4, key);
    if (mx_is_null(bits))
        return bits;
    mlx_array low_array = mx_float(low, dtype), range = mx_subtract(mx_float(high, dtype), low_array);
    mlx_array u = mx_divide(mx_astype(bits, MLX_FLOAT32), mx_float(0x1p32, MLX_FLOAT32));
    u = mx_minimum(u, mx_float(below_one(dtype), MLX_FLOAT32));
    return mx_add(mx_multiply(range, mx_astype(u, dtype)), low_array);
}

mlx_array mx_random_normal(const int *shape, size_t n, mlx_dtype dtype, float loc, float scale, mlx_array key)
{
    float low = dtype == MLX_FLOAT16 ? -0x1.ffcp-1f : dtype == MLX_BFLOAT16 ? -0x1.fep-1f : nextafterf(-1, 0);
    mlx_array u = mx_random_uniform(low, 1, shape, n, dtype, key);
    if (mx_is_null(u))
        return u;
    mlx_array y = mx_multiply(mx_float(sqrt(2.0) * scale, dtype),
                              mx_astype(mx_erfinv(mx_astype(u, MLX_FLOAT32)), dtype));
    return loc == 0 ? y : mx_add(y, mx_float(loc, dtype));
}

mlx_array mx_random_categorical(mlx_array logits, mlx_array key)
{
    logits = op_to_float(logits);
    if (mx_is_null(logits))
        return logits;
    if (mx_ndim(logits) == 0)
        return op_fail("[categorical] logits must have at least one dimension");
    mlx_array u = mx_random_uniform(0, 1, mx_shape(logits), (size_t)mx_ndim(logits), MLX_FLOAT32, key);
    mlx_array gumbel = mx_negative(mx_log(mx_negative(mx_log(u))));
    return mx_argmax(mx_add(logits, gumbel), -1, false);
}
