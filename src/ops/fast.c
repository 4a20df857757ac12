/* Fused operations of language models (mlx.core.fast). Operands may be of different float dtypes; the result
 * has the promoted one. Kernels take weights, keys and values as they are: only the operand that gives the
 * result its dtype is cast, so that a weight is never converted in memory. float64, which has no kernels, is
 * composed of simpler operations. */
#include "ops/ops.h"

#include "array/dtype.h"

#include <math.h>
#include <string.h>

/* Is t a float dtype, and has x at least `ndim` dimensions? */
static bool check_input(const char *op, mlx_array x, mlx_dtype t, int ndim)
{
    if (!dtype_is_float(t))
        error_set("[%s] a float dtype is needed, not %s", op, mx_dtype_name(t));
    else if (mx_ndim(x) < ndim)
        error_set("[%s] at least %d dimensions are needed, shape %s has fewer", op, ndim, op_shape(x));
    else
        return true;
    return false;
}

static mlx_dtype promoted(mlx_dtype t, mlx_array with)
{
    return mx_is_null(with) ? t : mx_promote(t, mx_dtype_of(with));
}

/* --- norms --- */

static bool check_vector(const char *op, const char *what, mlx_array w, mlx_array x)
{
    if (mx_is_null(w) || (mx_ndim(w) == 1 && mx_shape(w)[0] == mx_dim(x, -1)))
        return true;
    error_set("[%s] %s of shape %s does not fit x of shape %s", op, what, op_shape(w), op_shape(x));
    return false;
}

/* A parameter as kernels take it: float32 or a half, when the result is t. */
static mlx_array parameter(mlx_array w, mlx_dtype t)
{
    bool fits = mx_is_null(w) || (dtype_is_float(mx_dtype_of(w)) && mx_dtype_of(w) != MLX_FLOAT64);
    return fits ? w : mx_astype(w, t);
}

static mlx_array mean_last(mlx_array x) { return mx_mean(x, SHAPE(-1), true); }

static mlx_array norm_f64(mlx_array x, mlx_array weight, mlx_array bias, float eps, bool centre)
{
    x = mx_astype(x, MLX_FLOAT64);
    if (centre)
        x = mx_subtract(x, mean_last(x));
    x = mx_multiply(x, mx_rsqrt(mx_add(mean_last(mx_square(x)), mx_float((double)eps, MLX_FLOAT64))));
    if (!mx_is_null(weight))
        x = mx_multiply(x, weight);
    return mx_is_null(bias) ? x : mx_add(x, bias);
}

mlx_array mx_rms_norm(mlx_array x, mlx_array weight, float eps)
{
    if (mx_is_null(x))
        return x;
    mlx_dtype t = promoted(mx_dtype_of(x), weight);
    if (!check_input("rms_norm", x, t, 1) || !check_vector("rms_norm", "weight", weight, x))
        return MX_NULL;
    if (t == MLX_FLOAT64)
        return norm_f64(x, weight, MX_NULL, eps, false);
    prim_norm params = {eps, !mx_is_null(weight), 0};
    mlx_array in[2] = {mx_astype(x, t), parameter(weight, t)};
    return prim_make(PRIM_RMSNorm, in, (size_t)(1 + params.weight), &params, sizeof params);
}

/* The bias has a say in the dtype only if there is a weight, as in MLX. */
mlx_array mx_layer_norm(mlx_array x, mlx_array weight, mlx_array bias, float eps)
{
    if (mx_is_null(x))
        return x;
    mlx_dtype t = promoted(mx_dtype_of(x), weight);
    if (!mx_is_null(weight))
        t = promoted(t, bias);
    if (!check_input("layer_norm", x, t, 1) || !check_vector("layer_norm", "weight", weight, x) ||
        !check_vector("layer_norm", "bias", bias, x))
        return MX_NULL;
    if (t == MLX_FLOAT64)
        return norm_f64(x, weight, bias, eps, true);
    prim_norm params = {eps, !mx_is_null(weight), !mx_is_null(bias)};
    mlx_array in[3] = {mx_astype(x, t)};
    size_t n = 1;
    if (params.weight)
        in[n++] = parameter(weight, t);
    if (params.bias)
        in[n++] = parameter(bias, t);
    return prim_make(PRIM_LayerNorm, in, n, &params, sizeof params);
}

/* --- rotary positions --- */

/* The angles (.., T, dims / 2) in float64. */
static mlx_array angles_f64(mlx_array x, const prim_rope *p, mlx_array freqs, mlx_array offsets)
{
    mlx_array periods = mx_is_null(freqs)
                            ? mx_exp(mx_multiply(mx_arange(0, p->dims / 2, 1, MLX_FLOAT64),
                                                 mx_float(2 * log((double)p->base) / p->dims, MLX_FLOAT64)))
                            : mx_astype(freqs, MLX_FLOAT64);
    mlx_array at = mx_arange(0, mx_dim(x, -2), 1, MLX_FLOAT64);
    if (mx_is_null(offsets)) {
        at = mx_add(at, mx_float(p->offset, MLX_FLOAT64));
    } else {
        int shape[MX_MAX_DIMS];
        for (int i = 0; i < mx_ndim(x) - 1; i++)
            shape[i] = 1;
        shape[0] = (int)mx_size(offsets);
        at = mx_add(at, mx_reshape(mx_astype(offsets, MLX_FLOAT64), shape, (size_t)mx_ndim(x) - 1));
    }
    at = mx_multiply(at, mx_float((double)p->scale, MLX_FLOAT64));
    return mx_divide(mx_expand_dims(at, -1), periods);
}

/* Every second entry of the first `dims`, or one half of them. */
static mlx_array part(mlx_array x, const prim_rope *p, int which)
{
    int half = p->dims / 2, shape[MX_MAX_DIMS], n = mx_ndim(x);
    if (!p->traditional)
        return mx_slice_axis(x, -1, which * half, (which + 1) * half);
    memcpy(shape, mx_shape(x), (size_t)n * sizeof *shape);
    shape[n - 1] = half, shape[n] = 2;
    x = mx_reshape(mx_slice_axis(x, -1, 0, p->dims), shape, (size_t)n + 1);
    return mx_squeeze(mx_slice_axis(x, -1, which, which + 1), -1);
}

static mlx_array rope_f64(mlx_array x, const prim_rope *p, mlx_array freqs, mlx_array offsets)
{
    mlx_array angles = angles_f64(x, p, freqs, offsets), c = mx_cos(angles), s = mx_sin(angles);
    mlx_array a = part(x, p, 0), b = part(x, p, 1), y[3];
    y[0] = mx_subtract(mx_multiply(a, c), mx_multiply(b, s));
    y[1] = mx_add(mx_multiply(a, s), mx_multiply(b, c));
    y[2] = mx_slice_axis(x, -1, p->dims, mx_dim(x, -1));
    if (!p->traditional)
        return mx_concatenate(y, 3, -1);
    int shape[MX_MAX_DIMS];
    memcpy(shape, mx_shape(x), (size_t)mx_ndim(x) * sizeof *shape);
    shape[mx_ndim(x) - 1] = p->dims;
    y[0] = mx_concatenate((mlx_array[]){mx_expand_dims(y[0], -1), mx_expand_dims(y[1], -1)}, 2, -1);
    y[0] = mx_reshape(y[0], shape, (size_t)mx_ndim(x));
    return mx_concatenate((mlx_array[]){y[0], y[2]}, 2, -1);
}

static mlx_array rope(mlx_array x, prim_rope *p, mlx_array offsets, mlx_array freqs)
{
    if (!check_input("rope", x, mx_dtype_of(x), 3))
        return MX_NULL;
    if (p->dims <= 0 || p->dims % 2 || p->dims > mx_dim(x, -1))
        return op_fail("[rope] dims %d must be even, positive and at most the last axis of %s", p->dims,
                       op_shape(x));
    if (!mx_is_null(freqs) && (mx_ndim(freqs) != 1 || mx_shape(freqs)[0] != p->dims / 2))
        return op_fail("[rope] freqs must be of shape (%d,), not %s", p->dims / 2, op_shape(freqs));
    if (!mx_is_null(offsets) && (!dtype_is_integer(mx_dtype_of(offsets)) || mx_ndim(offsets) > 1 ||
                                 (mx_size(offsets) != 1 && mx_size(offsets) != (size_t)mx_shape(x)[0])))
        return op_fail("[rope] offset must be one integer or %d, one a sequence, not %s of %s",
                       mx_shape(x)[0], mx_dtype_name(mx_dtype_of(offsets)), op_shape(offsets));
    if (mx_dtype_of(x) == MLX_FLOAT64)
        return rope_f64(x, p, freqs, offsets);
    mlx_array in[3] = {x};
    size_t n = 1;
    p->freqs = !mx_is_null(freqs);
    p->offsets = !mx_is_null(offsets);
    if (p->freqs)
        in[n++] = mx_astype(freqs, MLX_FLOAT32);
    if (p->offsets)
        in[n++] = mx_astype(offsets, MLX_INT32);
    return prim_make(PRIM_RoPE, in, n, p, sizeof *p);
}

mlx_array mx_rope(mlx_array x, int dims, bool traditional, float base, float scale, int offset,
                  mlx_array freqs)
{
    prim_rope p = {.dims = dims, .traditional = traditional, .offset = offset, .base = base, .scale = scale};
    return mx_is_null(x) ? x : rope(x, &p, MX_NULL, freqs);
}

mlx_array mx_rope_dynamic(mlx_array x, int dims, bool traditional, float base, float scale, mlx_array offset,
                          mlx_array freqs)
{
    prim_rope p = {.dims = dims, .traditional = traditional, .base = base, .scale = scale};
    return mx_is_null(x) || mx_is_null(offset) ? MX_NULL : rope(x, &p, offset, freqs);
}

/* --- attention --- */

static const char sdpa[] = "scaled_dot_product_attention";

/* Bool: query i of L sees key j of S if j <= i + S - L. */
static mlx_array causal_mask(int L, int S)
{
    mlx_array last = mx_reshape(mx_arange(S - L, S, 1, MLX_INT32), SHAPE(L, 1));
    return mx_less_equal(mx_arange(0, S, 1, MLX_INT32), last);
}

/* The mask, bool or to be added, broadcast to (B, H, L, S). */
static mlx_array prepare_mask(mlx_array q, mlx_array k, mlx_array mask, mlx_dtype t)
{
    int shape[4] = {mx_dim(q, 0), mx_dim(q, 1), mx_dim(q, 2), mx_dim(k, 2)};
    if (mx_is_null(mask))
        return op_fail("[%s] an array mask is asked for and none is given", sdpa);
    if (mx_ndim(mask) > 4)
        return op_fail("[%s] the mask %s has more than 4 dimensions", sdpa, op_shape(mask));
    if (mx_promote(mx_dtype_of(mask), t) != t)
        return op_fail("[%s] a mask of %s does not promote to the result's %s", sdpa,
                       mx_dtype_name(mx_dtype_of(mask)), mx_dtype_name(t));
    if (mx_dtype_of(mask) != MLX_BOOL)
        mask = mx_astype(mask, t == MLX_FLOAT64 ? t : MLX_FLOAT32);
    return mx_broadcast_to(mask, shape, 4);
}

/* Query heads that share a key head lie one after the other as rows: (B, Hkv, H / Hkv * L, ..). */
static mlx_array attention_f64(mlx_array q, mlx_array k, mlx_array v, float scale, mlx_array mask,
                               mlx_array sinks)
{
    const int B = mx_dim(q, 0), H = mx_dim(q, 1), L = mx_dim(q, 2), S = mx_dim(k, 2), heads = mx_dim(k, 1),
              rows = H / heads * L;
    mlx_array x = mx_reshape(mx_astype(q, MLX_FLOAT64), SHAPE(B, heads, rows, mx_dim(q, 3)));
    x = mx_multiply(x, mx_float((double)scale, MLX_FLOAT64));
    x = mx_reshape(mx_matmul(x, mx_swapaxes(mx_astype(k, MLX_FLOAT64), -1, -2)), SHAPE(B, H, L, S));
    if (!mx_is_null(mask))
        x = mx_dtype_of(mask) == MLX_BOOL ? mx_where(mask, x, mx_float(-1e300, MLX_FLOAT64))
                                          : mx_add(x, mask);
    mlx_array most = mx_stop_gradient(mx_max(x, SHAPE(-1), true));
    if (!mx_is_null(sinks)) {
        sinks = mx_reshape(mx_astype(sinks, MLX_FLOAT64), SHAPE(1, H, 1, 1));
        most = mx_maximum(most, mx_stop_gradient(sinks));
    }
    x = mx_exp(mx_subtract(x, most));
    mlx_array total = mx_sum(x, SHAPE(-1), true);
    if (!mx_is_null(sinks))
        total = mx_add(total, mx_exp(mx_subtract(sinks, most)));
    x = mx_reshape(mx_divide(x, total), SHAPE(B, heads, rows, S));
    return mx_reshape(mx_matmul(x, mx_astype(v, MLX_FLOAT64)), SHAPE(B, H, L, mx_dim(v, 3)));
}

static bool check_attention(mlx_array q, mlx_array k, mlx_array v, mlx_array sinks, mlx_dtype t)
{
    const int *a = mx_shape(q), *b = mx_shape(k), *c = mx_shape(v);
    if (!check_input(sdpa, q, t, 4) || !check_input(sdpa, k, t, 4) || !check_input(sdpa, v, t, 4))
        return false;
    if (mx_ndim(q) != 4 || mx_ndim(k) != 4 || mx_ndim(v) != 4 || a[0] != b[0] || a[0] != c[0] ||
        b[1] != c[1] || b[1] == 0 || a[1] % b[1] || b[2] != c[2] || a[3] != b[3])
        error_set("[%s] shapes %s, %s and %s of q, k and v do not fit", sdpa, op_shape(q), op_shape(k),
                  op_shape(v));
    else if (!mx_is_null(sinks) &&
             (mx_ndim(sinks) != 1 || mx_shape(sinks)[0] != a[1] || mx_promote(mx_dtype_of(sinks), t) != t))
        error_set("[%s] sinks must be of shape (%d,) and promote to %s, not %s of %s", sdpa, a[1],
                  mx_dtype_name(t), mx_dtype_name(mx_dtype_of(sinks)), op_shape(sinks));
    else
        return true;
    return false;
}

mlx_array mx_scaled_dot_product_attention_sinks(mlx_array q, mlx_array k, mlx_array v, float scale,
                                                mx_mask kind, mlx_array mask, mlx_array sinks)
{
    if (mx_is_null(q) || mx_is_null(k) || mx_is_null(v))
        return MX_NULL;
    mlx_dtype t = promoted(promoted(mx_dtype_of(q), k), v);
    if (!check_attention(q, k, v, sinks, t))
        return MX_NULL;
    const int L = mx_dim(q, 2), S = mx_dim(k, 2);
    if (kind == MX_MASK_CAUSAL &&
        (L > S || t == MLX_FLOAT64)) { /* queries that see nothing are not the kernel's */
        mask = causal_mask(L, S);
        kind = MX_MASK_ARRAY;
    }
    mask = kind == MX_MASK_ARRAY ? prepare_mask(q, k, mask, t) : MX_NULL;
    if (kind == MX_MASK_ARRAY && mx_is_null(mask))
        return mask;
    if (t == MLX_FLOAT64)
        return attention_f64(q, k, v, scale, mask, sinks);
    prim_attention params = {scale, (int32_t)kind, !mx_is_null(sinks)};
    mlx_array in[5] = {mx_astype(q, t), parameter(k, t), parameter(v, t)};
    size_t n = 3;
    if (kind == MX_MASK_ARRAY)
        in[n++] = mask;
    if (params.sinks)
        in[n++] = mx_astype(sinks, MLX_FLOAT32);
    return prim_make(PRIM_ScaledDotProductAttention, in, n, &params, sizeof params);
}

mlx_array mx_scaled_dot_product_attention(mlx_array q, mlx_array k, mlx_array v, float scale, mx_mask kind,
                                          mlx_array mask)
{
    return mx_scaled_dot_product_attention_sinks(q, k, v, scale, kind, mask, MX_NULL);
}

mlx_array mx_swiglu(mlx_array gate, mlx_array up)
{
    if (mx_is_null(gate) || mx_is_null(up) || !check_input("swiglu", gate, mx_dtype_of(gate), 1) ||
        !check_input("swiglu", up, mx_dtype_of(up), 1))
        return MX_NULL;
    mlx_dtype t = mx_promote(mx_dtype_of(gate), mx_dtype_of(up));
    mlx_array in[2] = {mx_astype(gate, t), mx_astype(up, t)};
    if (mx_ndim(gate) != mx_ndim(up) || mx_size(gate) != mx_size(up))
        return op_fail("[swiglu] shapes %s and %s differ", op_shape(gate), op_shape(up));
    for (int i = 0; i < mx_ndim(gate); i++)
        if (mx_shape(gate)[i] != mx_shape(up)[i])
            return op_fail("[swiglu] shapes %s and %s differ", op_shape(gate), op_shape(up));
    if (t == MLX_FLOAT64)
        return mx_multiply(mx_multiply(in[0], mx_sigmoid(in[0])), in[1]);
    return prim_make(PRIM_SwiGLU, in, 2, NULL, 0);
}
