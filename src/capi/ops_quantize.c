/* Quantized arrays. */
#include "capi/capi.h"
#include "mlx/c/ops.h"
#include "mx/quantize.h"

/* What the first interface lacks. */
#if MLX_C_ABI >= MLX_C_ABI_0_6_0
#define GLOBAL_SCALE  , const mlx_array global_scale
#define GLOBAL_SCALES , const mlx_array global_scale_x, const mlx_array global_scale_w
#else
#define GLOBAL_SCALE
#define GLOBAL_SCALES
#define global_scale   MX_NULL
#define global_scale_x MX_NULL
#define global_scale_w MX_NULL
#endif

/* 0 stands for the mode's own; a number that is given is never that. */
static int given(const char *op, const char *what, mlx_optional_int x)
{
    if (x.has_value && x.value <= 0)
        error_set("[%s] %s %d is not positive", op, what, x.value);
    return x.has_value ? x.value : 0;
}

int mlx_quantize(mlx_vector_array *res, const mlx_array w, mlx_optional_int group_size, mlx_optional_int bits,
                 const char *mode GLOBAL_SCALE, const mlx_stream s)
{
    mlx_array out[3];
    size_t mark = capi_enter(s);
    int g = given("quantize", "group_size", group_size), b = given("quantize", "bits", bits);
    int n = error_pending() ? -1 : mx_quantize_mode(capi_in(w), g, b, mode, global_scale, out);
    return LEAVE_VECTOR(mark, res, out, n > 0 ? (size_t)n : 0, n > 0 ? 0 : -1);
}

int mlx_dequantize(mlx_array *res, const mlx_array w, const mlx_array scales, const mlx_array biases,
                   mlx_optional_int group_size, mlx_optional_int bits, const char *mode GLOBAL_SCALE,
                   mlx_optional_dtype dtype, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    int g = given("dequantize", "group_size", group_size), b = given("dequantize", "bits", bits);
    mlx_dtype t = dtype.has_value ? capi_dtype(dtype.value) : MLX_FLOAT32;
    return LEAVE(mark, res,
                 mx_dequantize_mode(capi_in(w), capi_in(scales), biases, g, b, mode, global_scale,
                                    dtype.has_value ? &t : NULL));
}

int mlx_quantized_matmul(mlx_array *res, const mlx_array x, const mlx_array w, const mlx_array scales,
                         const mlx_array biases, bool transpose, mlx_optional_int group_size,
                         mlx_optional_int bits, const char *mode, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    int g = given("quantized_matmul", "group_size", group_size), b = given("quantized_matmul", "bits", bits);
    return LEAVE(
        mark, res,
        mx_quantized_matmul_mode(capi_in(x), capi_in(w), capi_in(scales), biases, transpose, g, b, mode));
}

int mlx_gather_qmm(mlx_array *res, const mlx_array x, const mlx_array w, const mlx_array scales,
                   const mlx_array biases, const mlx_array lhs_indices, const mlx_array rhs_indices,
                   bool transpose, mlx_optional_int group_size, mlx_optional_int bits, const char *mode,
                   bool sorted_indices, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    int g = given("gather_qmm", "group_size", group_size), b = given("gather_qmm", "bits", bits);
    return LEAVE(mark, res,
                 mx_gather_qmm(capi_in(x), capi_in(w), capi_in(scales), biases, lhs_indices, rhs_indices,
                               transpose, g, b, mode, sorted_indices));
}

int mlx_qqmm(mlx_array *res, const mlx_array x, const mlx_array w, const mlx_array w_scales,
             mlx_optional_int group_size, mlx_optional_int bits, const char *mode GLOBAL_SCALES,
             const mlx_stream s)
{
    size_t mark = capi_enter(s);
    int g = given("qqmm", "group_size", group_size), b = given("qqmm", "bits", bits);
    return LEAVE(mark, res,
                 mx_qqmm(capi_in(x), capi_in(w), w_scales, g, b, mode, global_scale_x, global_scale_w));
}
