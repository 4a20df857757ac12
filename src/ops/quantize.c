/* Quantization and products with quantized matrices. */
#include "ops/ops.h"

#include "array/dtype.h"

static bool check_quant(const char *op, int group, int bits)
{
    bool group_ok = group == 32 || group == 64 || group == 128;
    bool bits_ok = (bits >= 2 && bits <= 6) || bits == 8;
    if (!group_ok)
        error_set("[%s] group_size %d is not one of 32, 64, 128", op, group);
    else if (!bits_ok)
        error_set("[%s] bits %d is not one of 2, 3, 4, 5, 6, 8", op, bits);
    return group_ok && bits_ok;
}

int mx_quantize(mlx_array w, int group_size, int bits, mlx_array out[3])
{
    out[0] = out[1] = out[2] = MX_NULL;
    if (mx_is_null(w) || !check_quant("quantize", group_size, bits))
        return -1;
    mlx_dtype t = mx_dtype_of(w);
    if (!dtype_is_float(t) || t == MLX_FLOAT64)
        return error_set("[quantize] only float16, bfloat16 and float32 can be quantized, not %s",
                         mx_dtype_name(t));
    if (mx_ndim(w) < 2 || mx_shape(w)[mx_ndim(w) - 1] % group_size != 0)
        return error_set(
            "[quantize] shape %s: at least 2 dimensions and a last axis that divides by %d are needed",
            op_shape(w), group_size);
    prim_quant params = {group_size, bits, 0, 0};
    return prim_make_many(PRIM_Quantize, &w, 1, &params, sizeof params, out, 3);
}

bool op_check_packed(const char *op, mlx_array w, mlx_array scales, mlx_array biases, int group, int bits)
{
    if (!check_quant(op, group, bits))
        return false;
    mlx_dtype t = mx_dtype_of(scales);
    if (mx_dtype_of(w) != MLX_UINT32 || !dtype_is_float(t) || t == MLX_FLOAT64 || mx_dtype_of(biases) != t) {
        error_set("[%s] w must be uint32 (it is %s), scales and biases of one float dtype (they are %s, %s)",
                  op, mx_dtype_name(mx_dtype_of(w)), mx_dtype_name(t), mx_dtype_name(mx_dtype_of(biases)));
        return false;
    }
    int ndim = mx_ndim(w);
    bool fits = ndim >= 2 && mx_ndim(scales) == ndim && mx_ndim(biases) == ndim;
    for (int i = 0; fits && i < ndim; i++) {
        int64_t a = mx_shape(w)[i], b = mx_shape(scales)[i];
        fits = b == mx_shape(biases)[i] && (i < ndim - 1 ? a == b : a * 32 == b * group * bits);
    }
    if (!fits)
        error_set("[%s] shapes %s of w, %s of scales and %s of biases do not fit %d bits in groups of %d", op,
                  op_shape(w), op_shape(scales), op_shape(biases), bits, group);
    else if (mx_shape(scales)[ndim - 1] > INT32_MAX / group)
        error_set("[%s] the rows of w %s have more than %d elements", op, op_shape(w), INT32_MAX);
    else
        return true;
    return false;
}

mlx_array mx_dequantize(mlx_array w, mlx_array scales, mlx_array biases, int group_size, int bits)
{
    if (mx_is_null(w) || mx_is_null(scales) || mx_is_null(biases) ||
        !op_check_packed("dequantize", w, scales, biases, group_size, bits))
        return MX_NULL;
    prim_quant params = {group_size, bits, 0, 0};
    mlx_array in[3] = {w, scales, biases};
    return prim_make(PRIM_Dequantize, in, 3, &params, sizeof params);
}

mlx_array mx_quantized_matmul(mlx_array x, mlx_array w, mlx_array scales, mlx_array biases, bool transpose,
                              int group_size, int bits, mx_precision precision)
{
    if (mx_is_null(x) || mx_is_null(w) || mx_is_null(scales) || mx_is_null(biases) ||
        !op_check_packed("quantized_matmul", w, scales, biases, group_size, bits))
        return MX_NULL;
    mlx_dtype t = mx_promote(mx_dtype_of(x), mx_dtype_of(scales));
    int inner = transpose ? mx_shape(scales)[mx_ndim(scales) - 1] * group_size : mx_shape(w)[mx_ndim(w) - 2];
    if (mx_ndim(w) != 2 || mx_ndim(x) < 1 || mx_shape(x)[mx_ndim(x) - 1] != inner)
        return op_fail(
            "[quantized_matmul] the last axis of x %s must be %d for w %s, and w must have 2 dimensions",
            op_shape(x), inner, op_shape(w));
    if (t == MLX_FLOAT64 || !dtype_is_float(t))
        return op_fail("[quantized_matmul] x of %s is not supported", mx_dtype_name(mx_dtype_of(x)));
    if (!dtype_is_float(mx_dtype_of(x)))
        x = mx_astype(x, t);
    prim_quant params = {group_size, bits, transpose, (int32_t)precision};
    mlx_array in[4] = {x, w, scales, biases};
    return prim_make(PRIM_QuantizedMatmul, in, 4, &params, sizeof params);
}
