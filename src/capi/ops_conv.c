/* Convolutions. */
#include "capi/capi.h"
#include "mlx/c/ops.h"
#include "mx/conv.h"

int mlx_conv1d(mlx_array *res, const mlx_array input, const mlx_array weight, int stride, int padding,
               int dilation, int groups, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_conv1d(capi_in(input), capi_in(weight), stride, padding, dilation, groups));
}

int mlx_conv2d(mlx_array *res, const mlx_array input, const mlx_array weight, int stride_0, int stride_1,
               int padding_0, int padding_1, int dilation_0, int dilation_1, int groups, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res,
                 mx_conv2d(capi_in(input), capi_in(weight), stride_0, stride_1, padding_0, padding_1,
                           dilation_0, dilation_1, groups));
}

int mlx_conv3d(mlx_array *res, const mlx_array input, const mlx_array weight, int stride_0, int stride_1,
               int stride_2, int padding_0, int padding_1, int padding_2, int dilation_0, int dilation_1,
               int dilation_2, int groups, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res,
                 mx_conv3d(capi_in(input), capi_in(weight), stride_0, stride_1, stride_2, padding_0,
                           padding_1, padding_2, dilation_0, dilation_1, dilation_2, groups));
}

int mlx_conv_general(mlx_array *res, const mlx_array input, const mlx_array weight, const int *stride,
                     size_t stride_num, const int *padding_lo, size_t padding_lo_num, const int *padding_hi,
                     size_t padding_hi_num, const int *kernel_dilation, size_t kernel_dilation_num,
                     const int *input_dilation, size_t input_dilation_num, int groups, bool flip,
                     const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res,
                 mx_conv_general(capi_in(input), capi_in(weight), capi_ints(stride), stride_num,
                                 capi_ints(padding_lo), padding_lo_num, capi_ints(padding_hi), padding_hi_num,
                                 capi_ints(kernel_dilation), kernel_dilation_num, capi_ints(input_dilation),
                                 input_dilation_num, groups, flip));
}

int mlx_conv_transpose1d(mlx_array *res, const mlx_array input, const mlx_array weight, int stride,
                         int padding, int dilation, int output_padding, int groups, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res,
                 mx_conv_transpose1d(capi_in(input), capi_in(weight), stride, padding, dilation,
                                     output_padding, groups));
}

int mlx_conv_transpose2d(mlx_array *res, const mlx_array input, const mlx_array weight, int stride_0,
                         int stride_1, int padding_0, int padding_1, int dilation_0, int dilation_1,
                         int output_padding_0, int output_padding_1, int groups, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res,
                 mx_conv_transpose2d(capi_in(input), capi_in(weight), stride_0, stride_1, padding_0,
                                     padding_1, dilation_0, dilation_1, output_padding_0, output_padding_1,
                                     groups));
}

int mlx_conv_transpose3d(mlx_array *res, const mlx_array input, const mlx_array weight, int stride_0,
                         int stride_1, int stride_2, int padding_0, int padding_1, int padding_2,
                         int dilation_0, int dilation_1, int dilation_2, int output_padding_0,
                         int output_padding_1, int output_padding_2, int groups, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res,
                 mx_conv_transpose3d(capi_in(input), capi_in(weight), stride_0, stride_1, stride_2, padding_0,
                                     padding_1, padding_2, dilation_0, dilation_1, dilation_2,
                                     output_padding_0, output_padding_1, output_padding_2, groups));
}
