/* Arrays from nothing: data, scalars, constants, ranges. */
#include "ops/ops.h"

#include "array/dtype.h"
#include "kernels/half.h"

#include <complex.h>
#include <math.h>
#include <string.h>

mlx_array mx_from(const void *data, const int *shape, size_t n, mlx_dtype dtype)
{
    if (!op_check_shape("array", shape, n))
        return MX_NULL;
    size_t bytes = mx_dtype_size(dtype);
    for (size_t i = 0; i < n; i++)
        if (__builtin_mul_overflow(bytes, (size_t)shape[i], &bytes))
            return op_fail("[array] shape %s has too many elements", shape_text(shape, (int)n));
    buffer *b = buffer_new(bytes);
    if (!b)
        return MX_NULL;
    if (bytes)
        memcpy(b->data, data, bytes);
    return node_temp(node_from_buffer(b, b->data, shape, (int)n, dtype));
}

/* A scalar's bytes in a dtype; integers take the integer, the others the float. */
static void scalar_bytes(double f, int64_t i, mlx_dtype dtype, void *out)
{
    float single = (float)f;
    uint16_t half;
    float _Complex c = single;
    uint8_t truth = f != 0;
    switch (dtype) {
    case MLX_BOOL:
        memcpy(out, &truth, 1);
        break;
    case MLX_FLOAT16:
    case MLX_BFLOAT16:
        half = dtype == MLX_FLOAT16 ? f32_to_f16(single) : f32_to_bf16(single);
        memcpy(out, &half, 2);
        break;
    case MLX_FLOAT32:
        memcpy(out, &single, 4);
        break;
    case MLX_FLOAT64:
        memcpy(out, &f, 8);
        break;
    case MLX_COMPLEX64:
        memcpy(out, &c, 8);
        break;
    default: /* integers, little-endian: the low bytes */
        memcpy(out, &i, mx_dtype_size(dtype));
    }
}

mlx_array mx_float(double v, mlx_dtype dtype)
{
    char bytes[8];
    bool fits = v > -0x1p63 && v < 0x1p63;
    scalar_bytes(v, fits ? (int64_t)v : 0, dtype, bytes);
    return mx_from(bytes, NULL, 0, dtype);
}

mlx_array mx_int(int64_t v, mlx_dtype dtype)
{
    char bytes[8];
    scalar_bytes((double)v, v, dtype, bytes);
    return mx_from(bytes, NULL, 0, dtype);
}

mlx_array mx_full(const int *shape, size_t n, mlx_array value, mlx_dtype dtype)
{
    if (mx_is_null(value) || !op_check_shape("full", shape, n))
        return MX_NULL;
    int merged[MX_MAX_DIMS];
    int ndim = shape_broadcast_dims(shape, (int)n, mx_shape(value), mx_ndim(value), merged);
    if (ndim != (int)n || (n && memcmp(merged, shape, n * sizeof *shape) != 0))
        return op_fail("[full] a value of shape %s does not broadcast to %s", op_shape(value),
                       shape_text(shape, (int)n));
    return op_target(PRIM_Full, mx_astype(value, dtype), shape, n);
}

mlx_array mx_zeros(const int *shape, size_t n, mlx_dtype dtype)
{
    return mx_full(shape, n, mx_int(0, dtype), dtype);
}

mlx_array mx_ones(const int *shape, size_t n, mlx_dtype dtype)
{
    return mx_full(shape, n, mx_int(1, dtype), dtype);
}

mlx_array mx_full_like(mlx_array x, mlx_array value, mlx_dtype dtype)
{
    int shape[MX_MAX_DIMS];
    if (mx_is_null(x) || mx_is_null(value))
        return MX_NULL;
    int ndim = shape_broadcast_dims(mx_shape(x), mx_ndim(x), mx_shape(value), mx_ndim(value), shape);
    if (ndim < 0)
        return op_fail("[full_like] shapes %s and %s cannot be broadcast", op_shape(x), op_shape(value));
    return op_broadcast_with(PRIM_Full, mx_astype(value, dtype), shape, ndim, &x, 1);
}

mlx_array mx_zeros_like(mlx_array x)
{
    return mx_is_null(x) ? x : mx_full_like(x, mx_int(0, mx_dtype_of(x)), mx_dtype_of(x));
}

mlx_array mx_ones_like(mlx_array x)
{
    return mx_is_null(x) ? x : mx_full_like(x, mx_int(1, mx_dtype_of(x)), mx_dtype_of(x));
}

/* Can v be converted to 64 bits, of which narrower integers take the low ones? */
static bool fits_integer(double v, mlx_dtype dtype)
{
    return v >= -0x1p63 && v < (dtype == MLX_UINT64 ? 0x1p64 : 0x1p63);
}

mlx_array mx_arange(double start, double stop, double step, mlx_dtype dtype)
{
    if (dtype == MLX_BOOL)
        return op_fail("[arange] %s is not supported", mx_dtype_name(dtype));
    if (!isfinite(start) || !isfinite(stop) || isnan(step) || step == 0)
        return op_fail("[arange] start and stop must be finite and step not 0");
    if (isinf(step)) { /* the first element is the last */
        step = copysign(1, step);
        stop = (stop - start) * step > 0 ? start + step : start;
    }
    double count = ceil((stop - start) / step);
    if (count > INT32_MAX)
        return op_fail("[arange] %.0f elements are too many", count);
    if (dtype_is_integer(dtype) && (!fits_integer(start, dtype) || !fits_integer(start + step, dtype)))
        return op_fail("[arange] start %g and step %g do not fit %s", start, step, mx_dtype_name(dtype));
    prim_arange params = {start, step, (int32_t)dtype, count > 0 ? (int32_t)count : 0};
    return prim_make(PRIM_Arange, NULL, 0, &params, sizeof params);
}

mlx_array mx_linspace(double start, double stop, int num, mlx_dtype dtype)
{
    if (num < 0)
        return op_fail("[linspace] the number of samples %d is negative", num);
    mlx_dtype t = dtype == MLX_FLOAT64 ? MLX_FLOAT64 : MLX_FLOAT32;
    if (num == 1)
        return mx_astype(mx_reshape(mx_float(start, MLX_FLOAT32), SHAPE(1)), dtype);
    mlx_array part = mx_divide(mx_arange(0, num, 1, t), mx_float(num - 1, t));
    mlx_array rest = mx_subtract(mx_float(1, t), part);
    return mx_astype(mx_add(mx_multiply(rest, mx_float(start, t)), mx_multiply(part, mx_float(stop, t))),
                     dtype);
}

int mx_meshgrid(const mlx_array *x, size_t n, bool sparse, const char *indexing, mlx_array *out)
{
    int shape[MX_MAX_DIMS];
    mlx_array thin[MX_MAX_DIMS];
    bool exchanged = strcmp(indexing, "xy") == 0;
    memset(out, 0, n * sizeof *out);
    if (!exchanged && strcmp(indexing, "ij") != 0)
        return error_set("[meshgrid] indexing '%s' is neither xy nor ij", indexing);
    if (n > MX_MAX_DIMS)
        return error_set("[meshgrid] %zu arrays are more than the limit of %d", n, MX_MAX_DIMS);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < n; k++)
            shape[k] = 1;
        shape[exchanged && n > 1 && i < 2 ? 1 - i : i] = -1;
        thin[i] = mx_reshape(x[i], shape, n);
        if (mx_is_null(thin[i]))
            return -1;
    }
    if (!sparse)
        return mx_broadcast_arrays(thin, n, out);
    memcpy(out, thin, n * sizeof *out);
    return 0;
}
