/* Random numbers, equal to MLX's for equal keys: every distribution is made of random bits, by expressions
 * whose operations, roundings included, are MLX's. Choices are in random_choice.c. */
#include "ops/random.h"

#include "array/dtype.h"
#include "kernels/threefry.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

/* --- keys --- */

/* The sequence behind null keys: each draw splits the state into the next state and a key. */
static struct {
    pthread_mutex_t lock;
    bool seeded;
    uint32_t state[2];
} sequence = {.lock = PTHREAD_MUTEX_INITIALIZER};

static uint64_t time_seed(void)
{
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void mx_random_seed(uint64_t seed)
{
    pthread_mutex_lock(&sequence.lock);
    threefry_key(seed, sequence.state);
    sequence.seeded = true;
    pthread_mutex_unlock(&sequence.lock);
}

static mlx_array next_key(void)
{
    uint32_t keys[4];
    pthread_mutex_lock(&sequence.lock);
    if (!sequence.seeded)
        threefry_key(time_seed(), sequence.state);
    sequence.seeded = true;
    threefry_split(sequence.state, 2, keys);
    memcpy(sequence.state, keys, sizeof sequence.state);
    pthread_mutex_unlock(&sequence.lock);
    return mx_from(keys + 2, SHAPE(2), MLX_UINT32);
}

mlx_array mx_random_key(uint64_t seed)
{
    uint32_t words[2];
    threefry_key(seed, words);
    return mx_from(words, SHAPE(2), MLX_UINT32);
}

mlx_array mx_random_split(mlx_array key, int n)
{
    return mx_is_null(key) ? key : mx_random_bits(SHAPE(n, 2), 4, key);
}

int mx_random_split_pair(mlx_array key, mlx_array *out)
{
    mlx_array keys = mx_random_split(key, 2);
    for (int i = 0; i < 2; i++)
        out[i] = mx_is_null(keys) ? MX_NULL : mx_squeeze(mx_slice_axis(keys, 0, i, i + 1), 0);
    return mx_is_null(out[0]) || mx_is_null(out[1]) ? -1 : 0;
}

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

mlx_array mx_random_bits(const int *shape, size_t n, int width, mlx_array key)
{
    union {
        prim_random_bits p;
        int32_t room[MX_MAX_DIMS + 2];
    } params;
    if (width != 1 && width != 2 && width != 4)
        return op_fail("[bits] width must be 1, 2 or 4 bytes, not %d", width);
    if (!op_check_shape("bits", shape, n) || error_pending())
        return MX_NULL;
    key = mx_is_null(key) ? next_key() : key;
    if (!check_key("bits", key))
        return MX_NULL;
    params.p.width = width;
    params.p.ndim = (int32_t)n;
    if (n)
        memcpy(params.p.shape, shape, n * sizeof *shape);
    return prim_make(PRIM_RandomBits, &key, 1, &params, (n + 2) * sizeof(int32_t));
}

/* --- uniform --- */

/* The largest value below 1. */
static float below_one(mlx_dtype t)
{
    return t == MLX_FLOAT16 ? 0x1.ffcp-1f : t == MLX_BFLOAT16 ? 0x1.fep-1f : 0x1.fffffep-1f;
}

bool random_fits(const char *op, mlx_array x, const int *shape, size_t n)
{
    int merged[MX_MAX_DIMS];
    if (mx_is_null(x) || !op_check_shape(op, shape, n))
        return false;
    int ndim = shape_broadcast_dims(mx_shape(x), mx_ndim(x), shape, (int)n, merged);
    if (ndim == (int)n && (n == 0 || memcmp(merged, shape, n * sizeof *shape) == 0))
        return true;
    error_set("[%s] parameters of shape %s do not broadcast to %s", op, op_shape(x),
              shape_text(shape, (int)n));
    return false;
}

static mlx_array uniform(const char *op, mlx_array low, mlx_array high, const int *shape, size_t n,
                         mlx_dtype dtype, mlx_array key)
{
    if (dtype != MLX_FLOAT16 && dtype != MLX_BFLOAT16 && dtype != MLX_FLOAT32)
        return op_fail("[%s] float16, bfloat16 or float32 is needed, not %s", op, mx_dtype_name(dtype));
    low = mx_astype(low, dtype);
    mlx_array range = mx_subtract(mx_astype(high, dtype), low);
    if (!random_fits(op, range, shape, n))
        return MX_NULL;
    mlx_array u = mx_astype(mx_random_bits(shape, n, 4, key), MLX_FLOAT32);
    u = mx_multiply(u, mx_float(0x1p-32, MLX_FLOAT32));
    u = mx_minimum(u, mx_float((double)below_one(dtype), MLX_FLOAT32));
    return mx_add(mx_multiply(range, mx_astype(u, dtype)), low);
}

mlx_array mx_random_uniform_broadcast(mlx_array low, mlx_array high, const int *shape, size_t n,
                                      mlx_dtype dtype, mlx_array key)
{
    return uniform("uniform", low, high, shape, n, dtype, key);
}

mlx_array mx_random_uniform(float low, float high, const int *shape, size_t n, mlx_dtype dtype, mlx_array key)
{
    return uniform("uniform", mx_float((double)low, dtype), mx_float((double)high, dtype), shape, n, dtype,
                   key);
}

/* float32 in (-1, 1). */
static mlx_array both_signs(const char *op, const int *shape, size_t n, mlx_array key)
{
    mlx_array low = mx_float(-0x1.fffffep-1, MLX_FLOAT32), high = mx_float(1, MLX_FLOAT32);
    return uniform(op, low, high, shape, n, MLX_FLOAT32, key);
}

/* --- normal --- */

static mlx_array sqrt2(mlx_dtype dtype) { return mx_float(0x1.6a09e667f3bcdp+0, dtype); }

/* Complex numbers of the pairs on the last axis. */
static mlx_array as_complex(mlx_array pairs)
{
    const float unit[2] = {0, 1};
    mlx_array parts[2];
    for (int i = 0; i < 2; i++)
        parts[i] = mx_astype(mx_squeeze(mx_slice_axis(pairs, -1, i, i + 1), -1), MLX_COMPLEX64);
    return mx_add(parts[0], mx_multiply(parts[1], mx_from(unit, NULL, 0, MLX_COMPLEX64)));
}

static mlx_array standard_normal(const int *shape, size_t n, mlx_dtype dtype, mlx_array key)
{
    int pairs[MX_MAX_DIMS];
    if (dtype != MLX_COMPLEX64)
        return mx_astype(mx_erfinv(both_signs("normal", shape, n, key)), dtype);
    if (n >= MX_MAX_DIMS)
        return op_fail("[normal] %zu dimensions are too many", n);
    if (n)
        memcpy(pairs, shape, n * sizeof *pairs);
    pairs[n] = 2;
    return as_complex(mx_erfinv(both_signs("normal", pairs, n + 1, key)));
}

/* loc and scale, if they are given, broadcast with the numbers, even to a larger shape, as in MLX. */
mlx_array mx_random_normal_broadcast(const int *shape, size_t n, mlx_dtype dtype, mlx_array loc,
                                     mlx_array scale, mlx_array key)
{
    if (!dtype_is_float(dtype) && dtype != MLX_COMPLEX64)
        return op_fail("[normal] a float dtype or complex64 is needed, not %s", mx_dtype_name(dtype));
    mlx_array y = standard_normal(shape, n, dtype, key), factor = scale;
    if (dtype != MLX_COMPLEX64) {
        factor = sqrt2(dtype);
        if (!mx_is_null(scale))
            factor = mx_multiply(factor, mx_astype(scale, dtype));
        loc = mx_is_null(loc) ? loc : mx_astype(loc, dtype);
    }
    y = mx_is_null(factor) ? y : mx_multiply(factor, y);
    return mx_is_null(loc) ? y : mx_add(loc, y);
}

mlx_array mx_random_normal(const int *shape, size_t n, mlx_dtype dtype, float loc, float scale, mlx_array key)
{
    return mx_random_normal_broadcast(shape, n, dtype, loc == 0 ? MX_NULL : mx_float((double)loc, dtype),
                                      scale == 1 ? MX_NULL : mx_float((double)scale, dtype), key);
}

/* a * b + c of float32 numbers, rounded once. */
static mlx_array fma_f32(mlx_array a, mlx_array b, mlx_array c)
{
    mlx_array product = mx_multiply(mx_astype(a, MLX_FLOAT64), mx_astype(b, MLX_FLOAT64));
    return mx_astype(mx_add(product, mx_astype(c, MLX_FLOAT64)), MLX_FLOAT32);
}

static mlx_array f32(double v) { return mx_float(v, MLX_FLOAT32); }

/* erf of the bounds as MLX has it, to 1.5e-7 (Abramowitz and Stegun, 7.1.26): the numbers that are drawn
 * depend on its last places. */
static mlx_array rough_erf(mlx_array x)
{
    static const double terms[] = {-1.453152027, 1.421413741, -0.284496736, 0.254829592};
    if (mx_is_null(x) || mx_dtype_of(x) == MLX_FLOAT64)
        return mx_erf(x);
    mlx_array size = mx_abs(mx_astype(x, MLX_FLOAT32)), sum = f32(1.061405429);
    mlx_array t = mx_reciprocal(fma_f32(f32(0.3275911), size, f32(1)));
    for (int i = 0; i < 4; i++)
        sum = fma_f32(sum, t, f32(terms[i]));
    mlx_array tail = mx_multiply(mx_negative(mx_exp(mx_negative(mx_multiply(size, size)))), t);
    mlx_array y = mx_astype(fma_f32(tail, sum, f32(1)), mx_dtype_of(x));
    return mx_where(mx_greater(x, mx_float(0, mx_dtype_of(x))), y, mx_negative(y));
}

mlx_array mx_random_truncated_normal(mlx_array lower, mlx_array upper, const int *shape, size_t n,
                                     mlx_dtype dtype, mlx_array key)
{
    lower = mx_astype(lower, dtype);
    upper = mx_astype(upper, dtype);
    mlx_array low = rough_erf(mx_divide(lower, sqrt2(dtype))),
              high = rough_erf(mx_divide(upper, sqrt2(dtype)));
    mlx_array u = uniform("truncated_normal", low, high, shape, n, dtype, key);
    mlx_array y = mx_multiply(sqrt2(dtype), mx_erfinv(u));
    return mx_maximum(mx_minimum(upper, y), lower);
}

/* mean + z times the root of cov, which is U sqrt(S) Vt of its singular values. */
mlx_array mx_random_multivariate_normal(mlx_array mean, mlx_array cov, const int *shape, size_t n,
                                        mlx_dtype dtype, mlx_array key)
{
    int batch[MX_MAX_DIMS], full[MX_MAX_DIMS];
    mlx_array svd[3];
    if (mx_is_null(mean) || mx_is_null(cov) || !op_check_shape("multivariate_normal", shape, n))
        return MX_NULL;
    if (dtype != MLX_FLOAT32)
        return op_fail("[multivariate_normal] the dtype must be float32, not %s", mx_dtype_name(dtype));
    int nm = mx_ndim(mean), nc = mx_ndim(cov);
    if (nm < 1 || nc < 2 || mx_shape(cov)[nc - 1] != mx_shape(cov)[nc - 2] ||
        mx_shape(mean)[nm - 1] != mx_shape(cov)[nc - 1])
        return op_fail("[multivariate_normal] mean %s and cov %s must be (.., N) and (.., N, N)",
                       op_shape(mean), op_shape(cov));
    int ndim = shape_broadcast_dims(mx_shape(cov), nc - 2, mx_shape(mean), nm - 1, batch);
    ndim = ndim < 0 ? -1 : shape_broadcast_dims(batch, ndim, shape, (int)n, full);
    if (ndim < 0 || ndim > MX_MAX_DIMS - 2)
        return op_fail("[multivariate_normal] mean %s, cov %s and shape %s cannot be broadcast",
                       op_shape(mean), op_shape(cov), shape_text(shape, (int)n));
    full[ndim] = mx_shape(mean)[nm - 1];
    if (mx_linalg_svd(mx_astype(cov, MLX_FLOAT32), true, svd))
        return MX_NULL;
    mlx_array root = mx_multiply(svd[0], mx_expand_dims(mx_sqrt(svd[1]), -2));
    mlx_array z = mx_random_normal(full, (size_t)ndim + 1, dtype, 0, 1, key);
    z = mx_matmul(mx_expand_dims(z, -2), mx_matmul(root, svd[2]));
    return mx_add(mean, mx_squeeze(z, -2));
}

/* --- others --- */

mlx_array mx_random_gumbel(const int *shape, size_t n, mlx_dtype dtype, mlx_array key)
{
    mlx_array low = mx_float(0, MLX_FLOAT32), high = mx_float(1, MLX_FLOAT32);
    mlx_array u = uniform("gumbel", low, high, shape, n, dtype, key);
    return mx_negative(mx_log(mx_negative(mx_log(u))));
}

mlx_array mx_random_laplace(const int *shape, size_t n, mlx_dtype dtype, float loc, float scale,
                            mlx_array key)
{
    if (!dtype_is_float(dtype))
        return op_fail("[laplace] a float dtype is needed, not %s", mx_dtype_name(dtype));
    mlx_array u = both_signs("laplace", shape, n, key);
    mlx_array y = mx_multiply(mx_sign(u), mx_log1p(mx_multiply(mx_float(-1, dtype), mx_abs(u))));
    y = mx_astype(y, dtype);
    y = scale == 1 ? y : mx_multiply(mx_float((double)scale, dtype), y);
    return loc == 0 ? y : mx_add(mx_float((double)loc, dtype), y);
}
