/* Convolutions. Layouts are MLX's: input (N, spatial .., C), weight (O, spatial .., C / groups), result
 * (N, spatial .., O); 1 to 3 spatial axes; float dtypes, promoted. Nothing is flipped: they are correlations.
 */
#ifndef MX_CONV_H
#define MX_CONV_H

#include "mx/array.h"

/* Takes inputs of two or three spatial axes as well: its numbers then hold for each of them. */
MX_API mlx_array mx_conv1d(mlx_array input, mlx_array weight, int stride, int padding, int dilation,
                           int groups);
MX_API mlx_array mx_conv2d(mlx_array input, mlx_array weight, int stride_0, int stride_1, int padding_0,
                           int padding_1, int dilation_0, int dilation_1, int groups);
MX_API mlx_array mx_conv3d(mlx_array input, mlx_array weight, int stride_0, int stride_1, int stride_2,
                           int padding_0, int padding_1, int padding_2, int dilation_0, int dilation_1,
                           int dilation_2, int groups);
/* One value for all spatial axes (or none: stride and dilations 1, padding 0) or one each. input_dilation
 * puts zeros between the input's entries, negative padding cuts, flip turns the kernel round. groups other
 * than 1 in one or two spatial axes only. */
MX_API mlx_array mx_conv_general(mlx_array input, mlx_array weight, const int *stride, size_t stride_num,
                                 const int *padding_lo, size_t padding_lo_num, const int *padding_hi,
                                 size_t padding_hi_num, const int *kernel_dilation,
                                 size_t kernel_dilation_num, const int *input_dilation,
                                 size_t input_dilation_num, int groups, bool flip);
/* The transposes of convolutions; output_padding lengthens the result at its high end. */
MX_API mlx_array mx_conv_transpose1d(mlx_array input, mlx_array weight, int stride, int padding, int dilation,
                                     int output_padding, int groups);
MX_API mlx_array mx_conv_transpose2d(mlx_array input, mlx_array weight, int stride_0, int stride_1,
                                     int padding_0, int padding_1, int dilation_0, int dilation_1,
                                     int output_padding_0, int output_padding_1, int groups);
MX_API mlx_array mx_conv_transpose3d(mlx_array input, mlx_array weight, int stride_0, int stride_1,
                                     int stride_2, int padding_0, int padding_1, int padding_2,
                                     int dilation_0, int dilation_1, int dilation_2, int output_padding_0,
                                     int output_padding_1, int output_padding_2, int groups);

#endif
