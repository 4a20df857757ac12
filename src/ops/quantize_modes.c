/* Quantization in all modes of MLX: affine, and the float formats, whose products are those of the
 * dequantized matrix; products of picked pairs; products where both sides are quantized. */
#include "ops/ops.h"

#include "array/dtype.h"

#include <string.h>

typedef struct format {
    const char *name;
    int group, bits; /* of affine: the defaults; of the others fixed */
} format;

static const format formats[] = {{"affine", 64, 4}, {"mxfp4", 32, 4}, {"mxfp8", 32, 8}, {"nvfp4", 16, 4}};
enum { AFFINE, NVFP4 = 3, FORMATS };

/* The format's number, with group and bits filled in where they are 0; -1 with an error. */
static int find(const char *op, const char *mode, int *group, int *bits)
{
    int f = 0;
    while (f < FORMATS && strcmp(formats[f].name, mode ? mode : "affine"))
        f++;
    if (f == FORMATS)
        return error_set("[%s] mode '%s' is none of affine, mxfp4, mxfp8, nvfp4", op, mode);
    *group = *group ? *group : formats[f].group;
    *bits = *bits ? *bits : formats[f].bits;
    if (f != AFFINE && (*group != formats[f].group || *bits != formats[f].bits))
        return error_set("[%s] %s takes groups of %d and %d bits, not %d and %d", op, mode, formats[f].group,
                         formats[f].bits, *group, *bits);
    return f;
}

static bool check_global(const char *op, int f, mlx_array scale)
{
    if (mx_is_null(scale) || (f == NVFP4 && mx_size(scale) == 1 && mx_dtype_of(scale) == MLX_FLOAT32))
        return true;
    error_set("[%s] global_scale is a float32 scalar of mode nvfp4 only, not %s of %s in mode %s", op,
              mx_dtype_name(mx_dtype_of(scale)), op_shape(scale), formats[f].name);
    return false;
}

int mx_quantize_mode(mlx_array w, int group_size, int bits, const char *mode, mlx_array global_scale,
                     mlx_array out[3])
{
    int f = find("quantize", mode, &group_size, &bits);
    out[0] = out[1] = out[2] = MX_NULL;
    if (mx_is_null(w) || f < 0 || !check_global("quantize", f, global_scale))
        return -1;
    if (f == AFFINE)
        return mx_quantize(w, group_size, bits, out) ? -1 : 3;
    if (!dtype_is_float(mx_dtype_of(w)))
        return error_set("[quantize] only real floating types can be quantized, not %s",
                         mx_dtype_name(mx_dtype_of(w)));
    if (mx_ndim(w) < 2 || mx_dim(w, -1) % group_size)
        return error_set(
            "[quantize] shape %s: at least 2 dimensions and a last axis that divides by %d are needed",
            op_shape(w), group_size);
    prim_quant_fp params = {group_size, bits, MLX_UINT32};
    mlx_array in[2] = {mx_dtype_of(w) == MLX_FLOAT64 ? mx_astype(w, MLX_FLOAT32) : w, global_scale};
    return prim_make_many(PRIM_QuantizeFP, in, mx_is_null(global_scale) ? 1 : 2, &params, sizeof params, out,
                          2)
               ? -1
               : 2;
}

/* Do codes and scales of a float format belong together? */
static bool check_pair(const char *op, int f, mlx_array w, mlx_array scales, mlx_array biases)
{
    int n = mx_ndim(w);
    if (!mx_is_null(biases))
        error_set("[%s] biases must be null in mode %s", op, formats[f].name);
    else if (mx_dtype_of(w) != MLX_UINT32 || mx_dtype_of(scales) != MLX_UINT8)
        error_set("[%s] w must be uint32 and scales uint8, not %s and %s", op, mx_dtype_name(mx_dtype_of(w)),
                  mx_dtype_name(mx_dtype_of(scales)));
    else if (n < 2 || mx_ndim(scales) != n ||
             memcmp(mx_shape(w), mx_shape(scales), (size_t)(n - 1) * sizeof(int)) ||
             (int64_t)mx_dim(w, -1) * 32 !=
                 (int64_t)mx_dim(scales, -1) * formats[f].group * formats[f].bits ||
             mx_dim(scales, -1) > INT32_MAX / formats[f].group)
        error_set("[%s] shapes %s of w and %s of scales do not fit %s", op, op_shape(w), op_shape(scales),
                  formats[f].name);
    else
        return true;
    return false;
}

/* Scales and biases in one dtype, given that both are there. */
static bool affine_pair(const char *op, mlx_array *scales, mlx_array *biases)
{
    if (mx_is_null(*biases)) {
        error_set("[%s] biases are needed in mode affine", op);
        return false;
    }
    mlx_dtype t = mx_promote(mx_dtype_of(*scales), mx_dtype_of(*biases));
    *scales = mx_astype(*scales, t);
    *biases = mx_astype(*biases, t);
    return true;
}

mlx_array mx_dequantize_mode(mlx_array w, mlx_array scales, mlx_array biases, int group_size, int bits,
                             const char *mode, mlx_array global_scale, const mlx_dtype *dtype)
{
    static const char op[] = "dequantize";
    int f = find(op, mode, &group_size, &bits);
    if (mx_is_null(w) || mx_is_null(scales) || f < 0 || !check_global(op, f, global_scale))
        return MX_NULL;
    if (dtype && !dtype_is_float(*dtype))
        return op_fail("[dequantize] only real floating types are supported, not %s", mx_dtype_name(*dtype));
    if (f == AFFINE) {
        if (!affine_pair(op, &scales, &biases))
            return MX_NULL;
        mlx_array y = mx_dequantize(w, scales, biases, group_size, bits);
        return dtype && !mx_is_null(y) ? mx_astype(y, *dtype) : y;
    }
    if (!check_pair(op, f, w, scales, biases))
        return MX_NULL;
    mlx_dtype t = dtype ? *dtype : MLX_BFLOAT16;
    prim_quant_fp params = {group_size, bits, t == MLX_FLOAT64 ? MLX_FLOAT32 : t};
    mlx_array in[3] = {w, scales, global_scale};
    mlx_array y = prim_make(PRIM_DequantizeFP, in, mx_is_null(global_scale) ? 2 : 3, &params, sizeof params);
    return mx_is_null(y) ? y : mx_astype(y, t);
}

/* The matrix that x is multiplied with, as float32. */
static mlx_array right_side(mlx_array w, mlx_array scales, int f, bool transpose, mlx_array global_scale)
{
    mlx_array y = mx_dequantize_mode(w, scales, MX_NULL, 0, 0, formats[f].name, global_scale,
                                     &(mlx_dtype){MLX_FLOAT32});
    return transpose && !mx_is_null(y) ? mx_swapaxes(y, -1, -2) : y;
}

mlx_array mx_quantized_matmul_mode(mlx_array x, mlx_array w, mlx_array scales, mlx_array biases,
                                   bool transpose, int group_size, int bits, const char *mode)
{
    static const char op[] = "quantized_matmul";
    int f = find(op, mode, &group_size, &bits);
    if (mx_is_null(x) || mx_is_null(w) || mx_is_null(scales) || f < 0)
        return MX_NULL;
    if (f == AFFINE) {
        if (!affine_pair(op, &scales, &biases))
            return MX_NULL;
        if (mx_ndim(w) < 2)
            return op_fail("[%s] w of shape %s is no matrix", op, op_shape(w));
        if (mx_ndim(w) == 2)
            return mx_quantized_matmul(x, w, scales, biases, transpose, group_size, bits, MX_EXACT);
        if (mx_ndim(x) == 1 && mx_ndim(w) > 2)
            x = mx_expand_dims(x, 0);
        mlx_array rows = op_batch_indices(op, MX_NULL, x);
        if (mx_is_null(rows))
            return rows;
        return mx_gather_qmm(x, w, scales, biases, rows, MX_NULL, transpose, group_size, bits, mode, false);
    }
    if (!check_pair(op, f, w, scales, biases))
        return MX_NULL;
    if (!dtype_is_float(mx_dtype_of(x)) || mx_dtype_of(x) == MLX_FLOAT64)
        return op_fail("[%s] x of %s is not supported", op, mx_dtype_name(mx_dtype_of(x)));
    mlx_array y = mx_matmul(x, right_side(w, scales, f, transpose, MX_NULL));
    return mx_is_null(y) ? y : mx_astype(y, mx_dtype_of(x));
}

mlx_array mx_gather_qmm(mlx_array x, mlx_array w, mlx_array scales, mlx_array biases, mlx_array lhs_indices,
                        mlx_array rhs_indices, bool transpose, int group_size, int bits, const char *mode,
                        bool sorted_indices)
{
    static const char op[] = "gather_qmm";
    int f = find(op, mode, &group_size, &bits);
    if (mx_is_null(x) || mx_is_null(w) || mx_is_null(scales) || f < 0)
        return MX_NULL;
    if (mx_is_null(lhs_indices) && mx_is_null(rhs_indices))
        return mx_quantized_matmul_mode(x, w, scales, biases, transpose, group_size, bits, mode);
    mlx_dtype t = mx_dtype_of(x);
    if (f != AFFINE) {
        if (!check_pair(op, f, w, scales, biases))
            return MX_NULL;
        mlx_array y = mx_gather_mm(x, right_side(w, scales, f, transpose, MX_NULL), lhs_indices, rhs_indices,
                                   sorted_indices);
        return mx_is_null(y) ? y : mx_astype(y, t);
    }
    if (!affine_pair(op, &scales, &biases) || !op_check_packed(op, w, scales, biases, group_size, bits))
        return MX_NULL;
    t = mx_promote(t, mx_dtype_of(scales));
    int inner = transpose ? mx_dim(scales, -1) * group_size : mx_dim(w, -2);
    if (mx_ndim(x) < 2 || mx_dim(x, -1) != inner || !dtype_is_float(t) || t == MLX_FLOAT64)
        return op_fail(
            "[gather_qmm] x %s of %s: at least 2 dimensions of float16, bfloat16 or float32 are needed, "
            "the last one of %d for w %s",
            op_shape(x), mx_dtype_name(mx_dtype_of(x)), inner, op_shape(w));
    prim_quant params = {group_size, bits, transpose, MX_EXACT};
    mlx_array in[6] = {dtype_is_float(mx_dtype_of(x)) ? x : mx_astype(x, t),
                       w,
                       scales,
                       biases,
                       op_batch_indices(op, lhs_indices, x),
                       op_batch_indices(op, rhs_indices, w)};
    if (!op_index_pair(op, &in[4], &in[5]))
        return MX_NULL;
    return prim_make(PRIM_GatherQMM, in, 6, &params, sizeof params);
}

/* x with what quantization loses lost. */
static mlx_array requantized(mlx_array x, int f, mlx_array global_scale)
{
    mlx_array q[3];
    mlx_dtype t = mx_dtype_of(x);
    if (mx_quantize_mode(x, 0, 0, formats[f].name, global_scale, q) < 0)
        return MX_NULL;
    return mx_dequantize_mode(q[0], q[1], MX_NULL, 0, 0, formats[f].name, global_scale, &t);
}

/* x, quantized, times the right side, in x's dtype. */
static mlx_array rounded_product(mlx_array x, mlx_array right, int f, mlx_array global_scale)
{
    mlx_array left = requantized(x, f, global_scale);
    if (mx_is_null(left) || mx_is_null(right))
        return MX_NULL;
    mlx_array y = mx_matmul(left, right);
    return mx_is_null(y) ? y : mx_astype(y, mx_dtype_of(x));
}

/* What flows back through rounding is zero nearly everywhere. So the product is computed apart from any
 * gradient, and a QQMatmul node around it says what its gradient is taken to be. */
mlx_array mx_qqmm(mlx_array x, mlx_array w, mlx_array w_scales, int group_size, int bits, const char *mode,
                  mlx_array global_scale_x, mlx_array global_scale_w)
{
    static const char op[] = "qqmm";
    int f = find(op, mode ? mode : "nvfp4", &group_size, &bits);
    if (mx_is_null(x) || mx_is_null(w) || f < 0 || !check_global(op, f, global_scale_x) ||
        !check_global(op, f, global_scale_w))
        return MX_NULL;
    mlx_dtype t = mx_dtype_of(x);
    bool packed = mx_dtype_of(w) == MLX_UINT32;
    if (f == AFFINE)
        return op_fail("[qqmm] mode affine is not supported");
    if (mx_is_null(global_scale_x) != mx_is_null(global_scale_w))
        return op_fail("[qqmm] both global scales or none must be given");
    if (mx_ndim(w) != 2 || mx_ndim(x) < 1 || !dtype_is_float(t) || t == MLX_FLOAT64)
        return op_fail(
            "[qqmm] x %s of %s and w %s: float16, bfloat16 or float32 and 2 dimensions of w are needed",
            op_shape(x), mx_dtype_name(t), op_shape(w));
    if (packed ? mx_is_null(w_scales) : !dtype_is_float(mx_dtype_of(w)) || mx_dtype_of(w) == MLX_FLOAT64)
        return op_fail("[qqmm] w of %s: scales are needed with uint32, else float16, bfloat16 or float32",
                       mx_dtype_name(mx_dtype_of(w)));
    if (packed && !check_pair(op, f, w, w_scales, MX_NULL))
        return MX_NULL;
    bool vector = mx_ndim(x) == 1;
    x = vector ? mx_expand_dims(x, 0) : x;
    mlx_array right = packed ? right_side(w, w_scales, f, true, global_scale_w)
                             : mx_swapaxes(requantized(mx_stop_gradient(w), f, global_scale_w), -1, -2);
    mlx_array y = rounded_product(mx_stop_gradient(x), right, f, global_scale_x);
    if (!mx_is_null(y) && !packed) {
        prim_quant_fp params = {group_size, bits, (int32_t)t};
        mlx_array in[5] = {y, x, w, global_scale_x, global_scale_w};
        y = prim_make(PRIM_QQMatmul, in, mx_is_null(global_scale_x) ? 3 : 5, &params, sizeof params);
    }
    return vector && !mx_is_null(y) ? mx_squeeze(y, 0) : y;
}

mlx_array mx_to_fp8(mlx_array x)
{
    if (mx_is_null(x))
        return x;
    if (!dtype_is_float(mx_dtype_of(x)))
        return op_fail("[to_fp8] only real floating types are supported, not %s",
                       mx_dtype_name(mx_dtype_of(x)));
    prim_dtype params = {MLX_UINT8};
    if (mx_dtype_of(x) == MLX_FLOAT64)
        x = mx_astype(x, MLX_FLOAT32);
    return prim_make(PRIM_ConvertFP8, &x, 1, &params, sizeof params);
}

mlx_array mx_from_fp8(mlx_array x, mlx_dtype dtype)
{
    if (mx_is_null(x))
        return x;
    if (mx_dtype_of(x) != MLX_UINT8 || !dtype_is_float(dtype))
        return op_fail("[from_fp8] uint8 to a real floating type is needed, not %s to %s",
                       mx_dtype_name(mx_dtype_of(x)), mx_dtype_name(dtype));
    prim_dtype params = {dtype == MLX_FLOAT64 ? MLX_FLOAT32 : dtype};
    mlx_array y = prim_make(PRIM_ConvertFP8, &x, 1, &params, sizeof params);
    return mx_is_null(y) ? y : mx_astype(y, dtype);
}
