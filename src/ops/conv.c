/* Convolutions: all are one primitive with everything spelled out. */
#include "ops/ops.h"

#include "array/dtype.h"

#include <string.h>

typedef struct list {
    const int *p;
    size_t n;
} list;

/* One value an axis from none, one or all of them; false if there are too few or many. */
static bool fill(list given, int missing, int dims, int32_t *out)
{
    for (int i = 0; i < dims; i++)
        out[i] = given.n == 0 ? missing : given.p[given.n == 1 ? 0 : i];
    return given.n <= 1 || given.n == (size_t)dims;
}

static bool check_shapes(mlx_array x, mlx_array w, int groups)
{
    int ndim = mx_ndim(x);
    if (ndim < 3 || ndim > 2 + PRIM_CONV_DIMS || mx_ndim(w) != ndim)
        error_set(
            "[conv] input %s and weight %s must both have a batch or output axis, 1 to 3 spatial axes and "
            "channels",
            op_shape(x), op_shape(w));
    else if (groups < 1 || (groups != 1 && ndim > 4))
        error_set("[conv] groups %d: must be positive, and 1 in three spatial dimensions", groups);
    else if (mx_dim(x, -1) % groups || (groups > 1 && mx_shape(w)[0] % groups) ||
             mx_dim(x, -1) / groups != mx_dim(w, -1))
        error_set("[conv] the channels of input %s and weight %s do not fit %d groups", op_shape(x),
                  op_shape(w), groups);
    else
        return true;
    return false;
}

/* Negative padding becomes a slice of the input. */
static mlx_array cut(mlx_array x, prim_conv *p)
{
    for (int i = 0; i < mx_ndim(x) - 2; i++) {
        int64_t size = mx_shape(x)[i + 1], start = p->low[i] < 0 ? -(int64_t)p->low[i] : 0,
                stop = p->high[i] < 0 ? size + p->high[i] : size;
        start = start < size ? start : size;
        if (start > 0 || stop < size)
            x = mx_slice_axis(x, i + 1, (int)start, (int)(stop > start ? stop : start));
        if (mx_is_null(x))
            return x;
        p->low[i] = p->low[i] < 0 ? 0 : p->low[i];
        p->high[i] = p->high[i] < 0 ? 0 : p->high[i];
    }
    return x;
}

static mlx_array convolve(mlx_array x, mlx_array w, prim_conv *p)
{
    for (int i = 0; i < mx_ndim(x) - 2; i++)
        if (p->stride[i] < 1 || p->kernel_dilation[i] < 1 || p->input_dilation[i] < 1)
            return op_fail("[conv] stride %d and dilations %d, %d of axis %d must be positive", p->stride[i],
                           p->kernel_dilation[i], p->input_dilation[i], i);
    mlx_dtype t = mx_promote(mx_dtype_of(x), mx_dtype_of(w)), result = t;
    if (!dtype_is_float(mx_dtype_of(x)) || !dtype_is_float(t))
        return op_fail("[conv] only real floating point types are supported, not %s and %s",
                       mx_dtype_name(mx_dtype_of(x)), mx_dtype_name(mx_dtype_of(w)));
    if (t != MLX_FLOAT64 && mx_dim(w, -1) == 1 && p->groups > 1) /* depthwise kernels take float32 */
        t = MLX_FLOAT32;
    mlx_array in[2] = {mx_astype(cut(x, p), t), mx_astype(w, t)};
    return mx_astype(prim_make(PRIM_Convolution, in, 2, p, sizeof *p), result);
}

mlx_array mx_conv_general(mlx_array input, mlx_array weight, const int *stride, size_t stride_num,
                          const int *padding_lo, size_t padding_lo_num, const int *padding_hi,
                          size_t padding_hi_num, const int *kernel_dilation, size_t kernel_dilation_num,
                          const int *input_dilation, size_t input_dilation_num, int groups, bool flip)
{
    if (mx_is_null(input) || mx_is_null(weight) || !check_shapes(input, weight, groups))
        return MX_NULL;
    prim_conv p = {.groups = groups, .flip = flip};
    int dims = mx_ndim(input) - 2;
    if (!fill((list){stride, stride_num}, 1, dims, p.stride) ||
        !fill((list){padding_lo, padding_lo_num}, 0, dims, p.low) ||
        !fill((list){padding_hi, padding_hi_num}, 0, dims, p.high) ||
        !fill((list){kernel_dilation, kernel_dilation_num}, 1, dims, p.kernel_dilation) ||
        !fill((list){input_dilation, input_dilation_num}, 1, dims, p.input_dilation))
        return op_fail("[conv] stride, padding and dilations must have one value or %d, one an axis", dims);
    return convolve(input, weight, &p);
}

static mlx_array conv(mlx_array x, mlx_array w, int dims, const int *stride, const int *padding,
                      const int *dilation, int groups)
{
    size_t n = (size_t)dims;
    if (!mx_is_null(x) && mx_ndim(x) != dims + 2)
        return op_fail("[conv] input %s must have %d dimensions", op_shape(x), dims + 2);
    return mx_conv_general(x, w, stride, n, padding, n, padding, n, dilation, n, NULL, 0, groups, false);
}

mlx_array mx_conv1d(mlx_array input, mlx_array weight, int stride, int padding, int dilation, int groups)
{
    /* of more axes too: one value is meant for all */
    return mx_conv_general(input, weight, &stride, 1, &padding, 1, &padding, 1, &dilation, 1, NULL, 0, groups,
                           false);
}

mlx_array mx_conv2d(mlx_array input, mlx_array weight, int stride_0, int stride_1, int padding_0,
                    int padding_1, int dilation_0, int dilation_1, int groups)
{
    return conv(input, weight, 2, (int[]){stride_0, stride_1}, (int[]){padding_0, padding_1},
                (int[]){dilation_0, dilation_1}, groups);
}

mlx_array mx_conv3d(mlx_array input, mlx_array weight, int stride_0, int stride_1, int stride_2,
                    int padding_0, int padding_1, int padding_2, int dilation_0, int dilation_1,
                    int dilation_2, int groups)
{
    return conv(input, weight, 3, (int[]){stride_0, stride_1, stride_2},
                (int[]){padding_0, padding_1, padding_2}, (int[]){dilation_0, dilation_1, dilation_2},
                groups);
}

/* The strides become the input's dilation, and the padding what is left of a full overlap. */
static mlx_array transposed(mlx_array x, mlx_array w, int dims, const int *stride, const int *padding,
                            const int *dilation, const int *output_padding, int groups)
{
    if (mx_is_null(x) || mx_is_null(w))
        return MX_NULL;
    if (mx_ndim(x) != dims + 2)
        return op_fail("[conv_transpose] input %s must have %d dimensions", op_shape(x), dims + 2);
    if (!check_shapes(x, w, groups))
        return MX_NULL;
    prim_conv p = {.groups = groups, .flip = 1};
    for (int i = 0; i < dims; i++) {
        int64_t reach = (int64_t)dilation[i] * (mx_shape(w)[i + 1] - 1), low = reach - padding[i],
                high = low + output_padding[i];
        if (low > INT32_MAX || low < INT32_MIN || high > INT32_MAX || high < INT32_MIN)
            return op_fail("[conv_transpose] dilation %d and padding %d of axis %d are too large",
                           dilation[i], padding[i], i);
        p.stride[i] = 1;
        p.low[i] = (int32_t)low;
        p.high[i] = (int32_t)high;
        p.kernel_dilation[i] = dilation[i];
        p.input_dilation[i] = stride[i];
    }
    return convolve(x, w, &p);
}

mlx_array mx_conv_transpose1d(mlx_array input, mlx_array weight, int stride, int padding, int dilation,
                              int output_padding, int groups)
{
    return transposed(input, weight, 1, &stride, &padding, &dilation, &output_padding, groups);
}

mlx_array mx_conv_transpose2d(mlx_array input, mlx_array weight, int stride_0, int stride_1, int padding_0,
                              int padding_1, int dilation_0, int dilation_1, int output_padding_0,
                              int output_padding_1, int groups)
{
    return transposed(input, weight, 2, (int[]){stride_0, stride_1}, (int[]){padding_0, padding_1},
                      (int[]){dilation_0, dilation_1}, (int[]){output_padding_0, output_padding_1}, groups);
}

mlx_array mx_conv_transpose3d(mlx_array input, mlx_array weight, int stride_0, int stride_1, int stride_2,
                              int padding_0, int padding_1, int padding_2, int dilation_0, int dilation_1,
                              int dilation_2, int output_padding_0, int output_padding_1,
                              int output_padding_2, int groups)
{
    return transposed(input, weight, 3, (int[]){stride_0, stride_1, stride_2},
                      (int[]){padding_0, padding_1, padding_2}, (int[]){dilation_0, dilation_1, dilation_2},
                      (int[]){output_padding_0, output_padding_1, output_padding_2}, groups);
}
