/* Fused operations of language models (mlx.core.fast). Operands may be of different float dtypes; the result
 * has the promoted one. Kernels take weights, keys and values as they are: only the operand that gives the
 * result its dtype is cast, so that a weight is never converted in memory. */
#include "ops/ops.h"

#include "array/dtype.h"

/* x of float16, bfloat16 or float32 and at least `ndim` dimensions? */
static bool check_input(const char *op, mlx_array x, int ndim)
{
    mlx_dtype t = mx_dtype_of(x);
    if (!dtype_is_float(t) || t == MLX_FLOAT64)
        error_set("[%s] float16, bfloat16 or float32 is needed, not %s", op, mx_dtype_name(t));
    else if (mx_ndim(x) < ndim)
        error_set("[%s] at least %d dimensions are needed, shape %s has fewer", op, ndim, op_shape(x));
    else
        return true;
    return false;
}

/* x in the dtype that it and a parameter (or null) are promoted to. */
static mlx_array promoted(mlx_array x, mlx_array with)
{
    return mx_is_null(with) ? x : mx_astype(x, mx_promote(mx_dtype_of(x), mx_dtype_of(with)));
}

static bool check_vector(const char *op, const char *what, mlx_array w, mlx_array x)
{
    if (mx_is_null(w))
        return true;
    if (!check_input(op, w, 1))
        return false;
    if (mx_ndim(w) == 1 && mx_shape(w)[0] == mx_dim(x, -1))
        return true;
    error_set("[%s] %s of shape %s does not fit x of shape %s", op, what, op_shape(w), op_shape(x));
    return false;
}

mlx_array mx_rms_norm(mlx_array x, mlx_array weight, float eps)
{
    if (mx_is_null(x) || !check_input("rms_norm", x, 1) || !check_vector("rms_norm", "weight", weight, x))
        return MX_NULL;
    prim_norm params = {eps, !mx_is_null(weight), 0};
    mlx_array in[2] = {promoted(x, weight), weight};
    return prim_make(PRIM_RMSNorm, in, (size_t)(1 + params.weight), &params, sizeof params);
}

mlx_array mx_layer_norm(mlx_array x, mlx_array weight, mlx_array bias, float eps)
{
    if (mx_is_null(x) || !check_input("layer_norm", x, 1) ||
        !check_vector("layer_norm", "weight", weight, x) || !check_vector("layer_norm", "bias", bias, x))
        return MX_NULL;
    prim_norm params = {eps, !mx_is_null(weight), !mx_is_null(bias)};
    mlx_array in[3] = {promoted(promoted(x, weight), bias)};
    size_t n = 1;
    if (params.weight)
        in[n++] = weight;
    if (params.bias)
        in[n++] = bias;
    return prim_make(PRIM_LayerNorm, in, n, &params, sizeof params);
}

mlx_array mx_rope(mlx_array x, int dims, bool traditional, float base, float scale, int offset,
                  mlx_array freqs)
{
    if (mx_is_null(x) || !check_input("rope", x, 2))
        return MX_NULL;
    if (dims <= 0 || dims % 2 || dims > mx_dim(x, -1))
        return op_fail("[rope] dims %d must be even, positive and at most the last axis of %s", dims,
                       op_shape(x));
    if (!mx_is_null(freqs) &&
        (mx_dtype_of(freqs) != MLX_FLOAT32 || mx_ndim(freqs) != 1 || mx_shape(freqs)[0] != dims / 2))
        return op_fail("[rope] freqs must be float32 of shape (%d,), not %s", dims / 2, op_shape(freqs));
    prim_rope params = {dims, traditional, offset, base, scale};
    mlx_array in[2] = {x, freqs};
    return prim_make(PRIM_RoPE, in, mx_is_null(freqs) ? 1 : 2, &params, sizeof params);
}

/* The mask as bool or float32, broadcast to (B, H, L, S). */
static mlx_array prepare_mask(mlx_array q, mlx_array k, mlx_array mask)
{
    int shape[4] = {mx_dim(q, 0), mx_dim(q, 1), mx_dim(q, 2), mx_dim(k, 2)};
    if (mx_is_null(mask))
        return op_fail("[scaled_dot_product_attention] an array mask is asked for and none is given");
    if (mx_dtype_of(mask) != MLX_BOOL)
        mask = mx_astype(mask, MLX_FLOAT32);
    return mx_broadcast_to(mask, shape, 4);
}

mlx_array mx_scaled_dot_product_attention(mlx_array q, mlx_array k, mlx_array v, float scale, mx_mask kind,
                                          mlx_array mask)
{
    static const char op[] = "scaled_dot_product_attention";
    if (mx_is_null(q) || mx_is_null(k) || mx_is_null(v) || !check_input(op, q, 4) || !check_input(op, k, 4) ||
        !check_input(op, v, 4))
        return MX_NULL;
    const int *a = mx_shape(q), *b = mx_shape(k), *c = mx_shape(v);
    if (mx_ndim(q) != 4 || mx_ndim(k) != 4 || mx_ndim(v) != 4 || a[0] != b[0] || a[0] != c[0] ||
        b[1] != c[1] || b[1] == 0 || a[1] % b[1] || b[2] != c[2] || a[3] != b[3])
        return op_fail("[%s] shapes %s, %s and %s of q, k and v do not fit", op, op_shape(q), op_shape(k),
                       op_shape(v));
    prim_attention params = {scale, (int32_t)kind};
    mlx_array in[4] = {promoted(promoted(q, k), v), k, v,
                       kind == MX_MASK_ARRAY ? prepare_mask(q, k, mask) : MX_NULL};
    return prim_make(PRIM_ScaledDotProductAttention, in, kind == MX_MASK_ARRAY ? 4 : 3, &params,
                     sizeof params);
}

mlx_array mx_swiglu(mlx_array gate, mlx_array up)
{
    if (mx_is_null(gate) || mx_is_null(up) || !check_input("swiglu", gate, 1) ||
        !check_input("swiglu", up, 1))
        return MX_NULL;
    mlx_dtype t = mx_promote(mx_dtype_of(gate), mx_dtype_of(up));
    mlx_array in[2] = {mx_astype(gate, t), mx_astype(up, t)};
    if (mx_ndim(gate) != mx_ndim(up) || mx_size(gate) != mx_size(up))
        return op_fail("[swiglu] shapes %s and %s differ", op_shape(gate), op_shape(up));
    for (int i = 0; i < mx_ndim(gate); i++)
        if (mx_shape(gate)[i] != mx_shape(up)[i])
            return op_fail("[swiglu] shapes %s and %s differ", op_shape(gate), op_shape(up));
    return prim_make(PRIM_SwiGLU, in, 2, NULL, 0);
}
