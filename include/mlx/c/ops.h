/** @file
 * Operations on arrays. All are lazy: shapes and dtypes are checked and known at once, numbers are computed
 * by mlx_eval.
 *
 * Every function takes the stream it runs on; *res becomes the result. Parameters marked "may be null" may
 * be empty handles. */
#ifndef MLX_C_OPS_H
#define MLX_C_OPS_H

#include "mlx/c/abi.h"
#include "mlx/c/array.h"
#include "mlx/c/optional.h"
#include "mlx/c/stream.h"
#include "mlx/c/vector.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/** |a|; of complex64 the magnitude in float32. */
int mlx_abs(mlx_array *res, const mlx_array a, const mlx_stream s);

/** a + b, promoted and broadcast as in all functions of two arrays. bool stays bool. */
int mlx_add(mlx_array *res, const mlx_array a, const mlx_array b, const mlx_stream s);

/** beta * c + alpha * (a @ b); c broadcasts. */
int mlx_addmm(mlx_array *res, const mlx_array c, const mlx_array a, const mlx_array b, float alpha,
              float beta, const mlx_stream s);

/** mlx_all over some axes. */
int mlx_all_axes(mlx_array *res, const mlx_array a, const int *axes, size_t axes_num, bool keepdims,
                 const mlx_stream s);

/** mlx_all over some axes. */
int mlx_all_axis(mlx_array *res, const mlx_array a, int axis, bool keepdims, const mlx_stream s);

/** Are all elements non-zero? bool. Over all axes. */
int mlx_all(mlx_array *res, const mlx_array a, bool keepdims, const mlx_stream s);

/** 0-d bool: are all elements close (mlx_isclose)? */
int mlx_allclose(mlx_array *res, const mlx_array a, const mlx_array b, double rtol, double atol,
                 bool equal_nan, const mlx_stream s);

/** mlx_any over some axes. */
int mlx_any_axes(mlx_array *res, const mlx_array a, const int *axes, size_t axes_num, bool keepdims,
                 const mlx_stream s);

/** mlx_any over some axes. */
int mlx_any_axis(mlx_array *res, const mlx_array a, int axis, bool keepdims, const mlx_stream s);

/** Is any element non-zero? bool. Over all axes. */
int mlx_any(mlx_array *res, const mlx_array a, bool keepdims, const mlx_stream s);

/** start, start + step, .. up to but not stop. A step of 0, bounds that are no numbers, bool are errors. */
int mlx_arange(mlx_array *res, double start, double stop, double step, mlx_dtype dtype, const mlx_stream s);

/** Inverse cosine. Integers become float32, as in all functions of floats. */
int mlx_arccos(mlx_array *res, const mlx_array a, const mlx_stream s);

/** Inverse hyperbolic cosine. */
int mlx_arccosh(mlx_array *res, const mlx_array a, const mlx_stream s);

/** Inverse sine. */
int mlx_arcsin(mlx_array *res, const mlx_array a, const mlx_stream s);

/** Inverse hyperbolic sine. */
int mlx_arcsinh(mlx_array *res, const mlx_array a, const mlx_stream s);

/** Inverse tangent. */
int mlx_arctan(mlx_array *res, const mlx_array a, const mlx_stream s);

/** Angle of the point (b, a). */
int mlx_arctan2(mlx_array *res, const mlx_array a, const mlx_array b, const mlx_stream s);

/** Inverse hyperbolic tangent. */
int mlx_arctanh(mlx_array *res, const mlx_array a, const mlx_stream s);

/** Positions (uint32) of the largest elements along an axis. */
int mlx_argmax_axis(mlx_array *res, const mlx_array a, int axis, bool keepdims, const mlx_stream s);

/** Position (uint32) of the largest element of the flattened array; the first of equals. */
int mlx_argmax(mlx_array *res, const mlx_array a, bool keepdims, const mlx_stream s);

/** Positions (uint32) of the smallest elements along an axis. */
int mlx_argmin_axis(mlx_array *res, const mlx_array a, int axis, bool keepdims, const mlx_stream s);

/** Position (uint32) of the smallest element of the flattened array; the first of equals. */
int mlx_argmin(mlx_array *res, const mlx_array a, bool keepdims, const mlx_stream s);

/** Positions (uint32) that mlx_partition_axis moves to each place. */
int mlx_argpartition_axis(mlx_array *res, const mlx_array a, int kth, int axis, const mlx_stream s);

/** The same for the flattened array. */
int mlx_argpartition(mlx_array *res, const mlx_array a, int kth, const mlx_stream s);

/** Positions (uint32) that sort an axis; equals keep their order, NaN comes last. */
int mlx_argsort_axis(mlx_array *res, const mlx_array a, int axis, const mlx_stream s);

/** The same for the flattened array. */
int mlx_argsort(mlx_array *res, const mlx_array a, const mlx_stream s);

/** 0-d bool: same shape and same elements (dtypes promote)? equal_nan: NaN equals NaN. */
int mlx_array_equal(mlx_array *res, const mlx_array a, const mlx_array b, bool equal_nan, const mlx_stream s);

/** A view of the flattened array: element i lies at offset + sum i * strides, counted in elements. Bounds
 * are not checked. */
int mlx_as_strided(mlx_array *res, const mlx_array a, const int *shape, size_t shape_num,
                   const int64_t *strides, size_t strides_num, size_t offset, const mlx_stream s);

/** Converts. Floats are cut towards zero, complex numbers lose their imaginary parts, bool is "not zero". */
int mlx_astype(mlx_array *res, const mlx_array a, mlx_dtype dtype, const mlx_stream s);

/** Adds axes of size 1 where there are fewer, as numpy does. */
int mlx_atleast_1d(mlx_array *res, const mlx_array a, const mlx_stream s);

/** Adds axes of size 1 where there are fewer, as numpy does. */
int mlx_atleast_2d(mlx_array *res, const mlx_array a, const mlx_stream s);

/** Adds axes of size 1 where there are fewer, as numpy does. */
int mlx_atleast_3d(mlx_array *res, const mlx_array a, const mlx_stream s);

#if MLX_C_ABI >= MLX_C_ABI_0_6_0
/** The window of that name, M entries, float32. */
int mlx_bartlett(mlx_array *res, int M, const mlx_stream s);
#endif

/** Of integers and bools; floats are an error. */
int mlx_bitwise_and(mlx_array *res, const mlx_array a, const mlx_array b, const mlx_stream s);

/** ~a of integers and bools. */
int mlx_bitwise_invert(mlx_array *res, const mlx_array a, const mlx_stream s);

/** Of integers and bools; floats are an error. */
int mlx_bitwise_or(mlx_array *res, const mlx_array a, const mlx_array b, const mlx_stream s);

/** Of integers and bools; floats are an error. */
int mlx_bitwise_xor(mlx_array *res, const mlx_array a, const mlx_array b, const mlx_stream s);

#if MLX_C_ABI >= MLX_C_ABI_0_6_0
/** The window of that name, M entries, float32. */
int mlx_blackman(mlx_array *res, int M, const mlx_stream s);
#endif

/** a @ b where blocks of block_size x block_size (32 or 64) of the result and of the operands are
 * multiplied by an entry of a mask. */
int mlx_block_masked_mm(mlx_array *res, const mlx_array a, const mlx_array b, int block_size,
                        const mlx_array mask_out /* may be null */,
                        const mlx_array mask_lhs /* may be null */,
                        const mlx_array mask_rhs /* may be null */, const mlx_stream s);

/** All inputs in their common shape. */
int mlx_broadcast_arrays(mlx_vector_array *res, const mlx_vector_array inputs, const mlx_stream s);

/** A view of a in a larger shape; sizes of 1 repeat. */
int mlx_broadcast_to(mlx_array *res, const mlx_array a, const int *shape, size_t shape_num,
                     const mlx_stream s);

/** Smallest whole number that is not less. */
int mlx_ceil(mlx_array *res, const mlx_array a, const mlx_stream s);

/** minimum(maximum(a, a_min), a_max); one of the bounds may be empty, both are an error. */
int mlx_clip(mlx_array *res, const mlx_array a, const mlx_array a_min /* may be null */,
             const mlx_array a_max /* may be null */, const mlx_stream s);

/** Joins arrays on an axis; the others must match, dtypes promote. */
int mlx_concatenate_axis(mlx_array *res, const mlx_vector_array arrays, int axis, const mlx_stream s);

/** Joins the flattened arrays. */
int mlx_concatenate(mlx_array *res, const mlx_vector_array arrays, const mlx_stream s);

/** Complex conjugate. */
int mlx_conjugate(mlx_array *res, const mlx_array a, const mlx_stream s);

/** A row-major copy, or a itself where it is row-major (or column-major and that is allowed). */
int mlx_contiguous(mlx_array *res, const mlx_array a, bool allow_col_major, const mlx_stream s);

/** Correlation, channels last: input (N, L, Cin), weight (Cout, K, Cin / groups). Floats only. */
int mlx_conv1d(mlx_array *res, const mlx_array input, const mlx_array weight, int stride, int padding,
               int dilation, int groups, const mlx_stream s);

/** Correlation, channels last: input (N, H, W, Cin), weight (Cout, KH, KW, Cin / groups). */
int mlx_conv2d(mlx_array *res, const mlx_array input, const mlx_array weight, int stride_0, int stride_1,
               int padding_0, int padding_1, int dilation_0, int dilation_1, int groups, const mlx_stream s);

/** Correlation, channels last: input (N, D, H, W, Cin), weight (Cout, KD, KH, KW, Cin / groups); groups
 * must be 1. */
int mlx_conv3d(mlx_array *res, const mlx_array input, const mlx_array weight, int stride_0, int stride_1,
               int stride_2, int padding_0, int padding_1, int padding_2, int dilation_0, int dilation_1,
               int dilation_2, int groups, const mlx_stream s);

/** Correlation (flip: convolution) over any number of axes; each list has one entry or one for each of
 * them. Negative padding cuts. */
int mlx_conv_general(mlx_array *res, const mlx_array input, const mlx_array weight, const int *stride,
                     size_t stride_num, const int *padding_lo, size_t padding_lo_num, const int *padding_hi,
                     size_t padding_hi_num, const int *kernel_dilation, size_t kernel_dilation_num,
                     const int *input_dilation, size_t input_dilation_num, int groups, bool flip,
                     const mlx_stream s);

/** Transposed convolution, weight (Cout, .., Cin / groups); output_padding adds at the end. */
int mlx_conv_transpose1d(mlx_array *res, const mlx_array input, const mlx_array weight, int stride,
                         int padding, int dilation, int output_padding, int groups, const mlx_stream s);

/** Transposed convolution, weight (Cout, .., Cin / groups); output_padding adds at the end. */
int mlx_conv_transpose2d(mlx_array *res, const mlx_array input, const mlx_array weight, int stride_0,
                         int stride_1, int padding_0, int padding_1, int dilation_0, int dilation_1,
                         int output_padding_0, int output_padding_1, int groups, const mlx_stream s);

/** Transposed convolution, weight (Cout, .., Cin / groups); output_padding adds at the end. */
int mlx_conv_transpose3d(mlx_array *res, const mlx_array input, const mlx_array weight, int stride_0,
                         int stride_1, int stride_2, int padding_0, int padding_1, int padding_2,
                         int dilation_0, int dilation_1, int dilation_2, int output_padding_0,
                         int output_padding_1, int output_padding_2, int groups, const mlx_stream s);

/** a as a node of its own. */
int mlx_copy(mlx_array *res, const mlx_array a, const mlx_stream s);

/** Cosine. */
int mlx_cos(mlx_array *res, const mlx_array a, const mlx_stream s);

/** Hyperbolic cosine. */
int mlx_cosh(mlx_array *res, const mlx_array a, const mlx_stream s);

/** Running maximum along an axis. reverse: from the end. Without inclusive the element itself does not
 * count. */
int mlx_cummax(mlx_array *res, const mlx_array a, int axis, bool reverse, bool inclusive, const mlx_stream s);

/** Running minimum along an axis; see mlx_cummax. */
int mlx_cummin(mlx_array *res, const mlx_array a, int axis, bool reverse, bool inclusive, const mlx_stream s);

/** Running product along an axis; see mlx_cummax. */
int mlx_cumprod(mlx_array *res, const mlx_array a, int axis, bool reverse, bool inclusive,
                const mlx_stream s);

/** Running sum along an axis; see mlx_cummax. bool becomes int32. */
int mlx_cumsum(mlx_array *res, const mlx_array a, int axis, bool reverse, bool inclusive, const mlx_stream s);

/** Radians to degrees. */
int mlx_degrees(mlx_array *res, const mlx_array a, const mlx_stream s);

/** The inputs, which are computed after the dependencies. */
int mlx_depends(mlx_vector_array *res, const mlx_vector_array inputs, const mlx_vector_array dependencies);

#if MLX_C_ABI >= MLX_C_ABI_0_6_0
/** Undoes mlx_quantize. dtype: of the result; that of scales (affine) or bfloat16 without one. */
int mlx_dequantize(mlx_array *res, const mlx_array w, const mlx_array scales,
                   const mlx_array biases /* may be null */, mlx_optional_int group_size,
                   mlx_optional_int bits, const char *mode, const mlx_array global_scale /* may be null */,
                   mlx_optional_dtype dtype, const mlx_stream s);
#else
int mlx_dequantize(mlx_array *res, const mlx_array w, const mlx_array scales,
                   const mlx_array biases /* may be null */, mlx_optional_int group_size,
                   mlx_optional_int bits, const char *mode, mlx_optional_dtype dtype, const mlx_stream s);
#endif

/** A vector becomes diagonal k of a matrix; a matrix gives its diagonal k. */
int mlx_diag(mlx_array *res, const mlx_array a, int k, const mlx_stream s);

/** A view of the diagonals of the matrices on two axes; they become the last axis. */
int mlx_diagonal(mlx_array *res, const mlx_array a, int offset, int axis1, int axis2, const mlx_stream s);

/** a / b; integers become float32. */
int mlx_divide(mlx_array *res, const mlx_array a, const mlx_array b, const mlx_stream s);

/** A vector of floor(a / b) and the remainder, of integers too. */
int mlx_divmod(mlx_vector_array *res, const mlx_array a, const mlx_array b, const mlx_stream s);

/** Sums of products by subscripts, such as "ij,jk->ik". */
int mlx_einsum(mlx_array *res, const char *subscripts, const mlx_vector_array operands, const mlx_stream s);

/** Elementwise comparison; bool. */
int mlx_equal(mlx_array *res, const mlx_array a, const mlx_array b, const mlx_stream s);

/** Error function. */
int mlx_erf(mlx_array *res, const mlx_array a, const mlx_stream s);

/** Inverse of the error function. */
int mlx_erfinv(mlx_array *res, const mlx_array a, const mlx_stream s);

/** e^a. */
int mlx_exp(mlx_array *res, const mlx_array a, const mlx_stream s);

/** New axes of size 1 at places that count in the result. */
int mlx_expand_dims_axes(mlx_array *res, const mlx_array a, const int *axes, size_t axes_num,
                         const mlx_stream s);

/** New axes of size 1 at places that count in the result. */
int mlx_expand_dims(mlx_array *res, const mlx_array a, int axis, const mlx_stream s);

/** e^a - 1. */
int mlx_expm1(mlx_array *res, const mlx_array a, const mlx_stream s);

/** (n, m) with ones on diagonal k. */
int mlx_eye(mlx_array *res, int n, int m, int k, mlx_dtype dtype, const mlx_stream s);

/** Merges axes start_axis to end_axis; 0-d becomes (1). */
int mlx_flatten(mlx_array *res, const mlx_array a, int start_axis, int end_axis, const mlx_stream s);

/** Largest whole number that is not greater. */
int mlx_floor(mlx_array *res, const mlx_array a, const mlx_stream s);

/** floor(a / b); of integers the quotient cut towards zero. */
int mlx_floor_divide(mlx_array *res, const mlx_array a, const mlx_array b, const mlx_stream s);

/** uint8 codes of E4M3 to a float dtype. */
int mlx_from_fp8(mlx_array *res, const mlx_array x, mlx_dtype dtype, const mlx_stream s);

/** vals, cast to dtype, broadcast to a shape. */
int mlx_full(mlx_array *res, const int *shape, size_t shape_num, const mlx_array vals, mlx_dtype dtype,
             const mlx_stream s);

/** The same with the shape of a. */
int mlx_full_like(mlx_array *res, const mlx_array a, const mlx_array vals, mlx_dtype dtype,
                  const mlx_stream s);

/** Slices of a at places that index arrays (integers, broadcast, negative ones wrap) name on the listed
 * axes: shape of the indices + slice_sizes. Bounds are not checked. */
int mlx_gather(mlx_array *res, const mlx_array a, const mlx_vector_array indices, const int *axes,
               size_t axes_num, const int *slice_sizes, size_t slice_sizes_num, const mlx_stream s);

/** mlx_gather with one index array. */
int mlx_gather_single(mlx_array *res, const mlx_array a, const mlx_array indices, int axis,
                      const int *slice_sizes, size_t slice_sizes_num, const mlx_stream s);

/** a @ b of the matrices that the index arrays pick; an empty one stands for all in order. */
int mlx_gather_mm(mlx_array *res, const mlx_array a, const mlx_array b,
                  const mlx_array lhs_indices /* may be null */,
                  const mlx_array rhs_indices /* may be null */, bool sorted_indices, const mlx_stream s);

/** mlx_quantized_matmul of the matrices that the index arrays pick. */
int mlx_gather_qmm(mlx_array *res, const mlx_array x, const mlx_array w, const mlx_array scales,
                   const mlx_array biases /* may be null */, const mlx_array lhs_indices /* may be null */,
                   const mlx_array rhs_indices /* may be null */, bool transpose, mlx_optional_int group_size,
                   mlx_optional_int bits, const char *mode, bool sorted_indices, const mlx_stream s);

/** Elementwise comparison; bool. Complex numbers compare by real part, then by imaginary part. */
int mlx_greater(mlx_array *res, const mlx_array a, const mlx_array b, const mlx_stream s);

/** Elementwise comparison; bool. Complex numbers compare by real part, then by imaginary part. */
int mlx_greater_equal(mlx_array *res, const mlx_array a, const mlx_array b, const mlx_stream s);

/** Along the last axis, of size m * 2^k with m 1, 12, 20 or 28; scaled by 1/sqrt(n) unless scale says
 * otherwise. */
int mlx_hadamard_transform(mlx_array *res, const mlx_array a, mlx_optional_float scale, const mlx_stream s);

#if MLX_C_ABI >= MLX_C_ABI_0_6_0
/** The window of that name, M entries, float32. */
int mlx_hamming(mlx_array *res, int M, const mlx_stream s);

/** The window of that name, M entries, float32. */
int mlx_hanning(mlx_array *res, int M, const mlx_stream s);
#endif

/** mlx_eye of (n, n). */
int mlx_identity(mlx_array *res, int n, mlx_dtype dtype, const mlx_stream s);

/** Imaginary part; zeros for real numbers. */
int mlx_imag(mlx_array *res, const mlx_array a, const mlx_stream s);

/** Sums of products over the last axes. */
int mlx_inner(mlx_array *res, const mlx_array a, const mlx_array b, const mlx_stream s);

/** |a - b| <= atol + rtol * |b|, or infinities of the same sign. */
int mlx_isclose(mlx_array *res, const mlx_array a, const mlx_array b, double rtol, double atol,
                bool equal_nan, const mlx_stream s);

/** Elementwise; bool. No integer is NaN or infinite. */
int mlx_isfinite(mlx_array *res, const mlx_array a, const mlx_stream s);

/** Elementwise; bool. No integer is NaN or infinite. */
int mlx_isinf(mlx_array *res, const mlx_array a, const mlx_stream s);

/** Elementwise; bool. No integer is NaN or infinite. */
int mlx_isnan(mlx_array *res, const mlx_array a, const mlx_stream s);

/** Elementwise; bool. No integer is NaN or infinite. */
int mlx_isneginf(mlx_array *res, const mlx_array a, const mlx_stream s);

/** Elementwise; bool. No integer is NaN or infinite. */
int mlx_isposinf(mlx_array *res, const mlx_array a, const mlx_stream s);

/** Kronecker product. */
int mlx_kron(mlx_array *res, const mlx_array a, const mlx_array b, const mlx_stream s);

/** Of integers; bool becomes uint8; floats are an error. */
int mlx_left_shift(mlx_array *res, const mlx_array a, const mlx_array b, const mlx_stream s);

/** Elementwise comparison; bool. Complex numbers compare by real part, then by imaginary part. */
int mlx_less(mlx_array *res, const mlx_array a, const mlx_array b, const mlx_stream s);

/** Elementwise comparison; bool. Complex numbers compare by real part, then by imaginary part. */
int mlx_less_equal(mlx_array *res, const mlx_array a, const mlx_array b, const mlx_stream s);

/** num numbers from start to stop, both included. */
int mlx_linspace(mlx_array *res, double start, double stop, int num, mlx_dtype dtype, const mlx_stream s);

/** Natural logarithm. */
int mlx_log(mlx_array *res, const mlx_array a, const mlx_stream s);

/** Logarithm to base 10. */
int mlx_log10(mlx_array *res, const mlx_array a, const mlx_stream s);

/** log(1 + a). */
int mlx_log1p(mlx_array *res, const mlx_array a, const mlx_stream s);

/** Logarithm to base 2. */
int mlx_log2(mlx_array *res, const mlx_array a, const mlx_stream s);

/** log(e^a + e^b). */
int mlx_logaddexp(mlx_array *res, const mlx_array a, const mlx_array b, const mlx_stream s);

/** Running mlx_logsumexp along an axis; see mlx_cummax. */
int mlx_logcumsumexp(mlx_array *res, const mlx_array a, int axis, bool reverse, bool inclusive,
                     const mlx_stream s);

/** Elementwise; bool. */
int mlx_logical_and(mlx_array *res, const mlx_array a, const mlx_array b, const mlx_stream s);

/** Elementwise; bool. */
int mlx_logical_not(mlx_array *res, const mlx_array a, const mlx_stream s);

/** Elementwise; bool. */
int mlx_logical_or(mlx_array *res, const mlx_array a, const mlx_array b, const mlx_stream s);

/** mlx_logsumexp over some axes. */
int mlx_logsumexp_axes(mlx_array *res, const mlx_array a, const int *axes, size_t axes_num, bool keepdims,
                       const mlx_stream s);

/** mlx_logsumexp over some axes. */
int mlx_logsumexp_axis(mlx_array *res, const mlx_array a, int axis, bool keepdims, const mlx_stream s);

/** log(sum(e^a)) over all axes. Integers become float32. */
int mlx_logsumexp(mlx_array *res, const mlx_array a, bool keepdims, const mlx_stream s);

/** A copy of a where the places that mask (over the first axes) holds true take the elements of src in
 * order. */
int mlx_masked_scatter(mlx_array *res, const mlx_array a, const mlx_array mask, const mlx_array src,
                       const mlx_stream s);

/** a @ b: (.., M, K) @ (.., K, N), batch axes broadcast; a vector is a row or a column. Floats and complex
 * numbers only. */
int mlx_matmul(mlx_array *res, const mlx_array a, const mlx_array b, const mlx_stream s);

/** mlx_max over some axes. */
int mlx_max_axes(mlx_array *res, const mlx_array a, const int *axes, size_t axes_num, bool keepdims,
                 const mlx_stream s);

/** mlx_max over some axes. */
int mlx_max_axis(mlx_array *res, const mlx_array a, int axis, bool keepdims, const mlx_stream s);

/** Largest element over all axes; NaN if there is one. An empty axis is an error. */
int mlx_max(mlx_array *res, const mlx_array a, bool keepdims, const mlx_stream s);

/** Elementwise; NaN if either is. */
int mlx_maximum(mlx_array *res, const mlx_array a, const mlx_array b, const mlx_stream s);

/** mlx_mean over some axes. */
int mlx_mean_axes(mlx_array *res, const mlx_array a, const int *axes, size_t axes_num, bool keepdims,
                  const mlx_stream s);

/** mlx_mean over some axes. */
int mlx_mean_axis(mlx_array *res, const mlx_array a, int axis, bool keepdims, const mlx_stream s);

/** Mean over all axes; integers become float32. */
int mlx_mean(mlx_array *res, const mlx_array a, bool keepdims, const mlx_stream s);

/** Median over some axes (of an even number the mean of the middle two); integers become float32. An empty
 * axis is an error. */
int mlx_median(mlx_array *res, const mlx_array a, const int *axes, size_t axes_num, bool keepdims,
               const mlx_stream s);

/** Coordinate arrays of a grid; indexing "xy" or "ij". sparse: axes of size 1 stay. */
int mlx_meshgrid(mlx_vector_array *res, const mlx_vector_array arrays, bool sparse, const char *indexing,
                 const mlx_stream s);

/** mlx_min over some axes. */
int mlx_min_axes(mlx_array *res, const mlx_array a, const int *axes, size_t axes_num, bool keepdims,
                 const mlx_stream s);

/** mlx_min over some axes. */
int mlx_min_axis(mlx_array *res, const mlx_array a, int axis, bool keepdims, const mlx_stream s);

/** Smallest element over all axes; NaN if there is one. An empty axis is an error. */
int mlx_min(mlx_array *res, const mlx_array a, bool keepdims, const mlx_stream s);

/** Elementwise; NaN if either is. */
int mlx_minimum(mlx_array *res, const mlx_array a, const mlx_array b, const mlx_stream s);

/** A view with one axis moved. */
int mlx_moveaxis(mlx_array *res, const mlx_array a, int source, int destination, const mlx_stream s);

/** Elementwise. */
int mlx_multiply(mlx_array *res, const mlx_array a, const mlx_array b, const mlx_stream s);

/** Replaces NaN and the infinities, which become the largest and lowest numbers of the dtype without a
 * value. */
int mlx_nan_to_num(mlx_array *res, const mlx_array a, float nan, mlx_optional_float posinf,
                   mlx_optional_float neginf, const mlx_stream s);

/** -a; bool is an error. */
int mlx_negative(mlx_array *res, const mlx_array a, const mlx_stream s);

/** Elementwise comparison; bool. */
int mlx_not_equal(mlx_array *res, const mlx_array a, const mlx_array b, const mlx_stream s);

/** Product of the sizes of some axes (inverted: one over it) as a 0-d array; right also where a compiled
 * graph gets other shapes. */
int mlx_number_of_elements(mlx_array *res, const mlx_array a, const int *axes, size_t axes_num, bool inverted,
                           mlx_dtype dtype, const mlx_stream s);

/** Constants. */
int mlx_ones(mlx_array *res, const int *shape, size_t shape_num, mlx_dtype dtype, const mlx_stream s);

/** Constants with shape and dtype of a. */
int mlx_ones_like(mlx_array *res, const mlx_array a, const mlx_stream s);

/** Products of all pairs of elements of the flattened arrays. */
int mlx_outer(mlx_array *res, const mlx_array a, const mlx_array b, const mlx_stream s);

/** Adds low and high entries at the ends of the listed axes. mode: "constant" (pad_value), "edge",
 * "reflect", "symmetric". */
int mlx_pad(mlx_array *res, const mlx_array a, const int *axes, size_t axes_num, const int *low_pad_size,
            size_t low_pad_size_num, const int *high_pad_size, size_t high_pad_size_num,
            const mlx_array pad_value, const char *mode, const mlx_stream s);

/** mlx_pad by pad_width at both ends of all axes. */
int mlx_pad_symmetric(mlx_array *res, const mlx_array a, int pad_width, const mlx_array pad_value,
                      const char *mode, const mlx_stream s);

/** Element kth along the axis is where sorting puts it, smaller ones before, larger ones behind it. */
int mlx_partition_axis(mlx_array *res, const mlx_array a, int kth, int axis, const mlx_stream s);

/** The same for the flattened array. */
int mlx_partition(mlx_array *res, const mlx_array a, int kth, const mlx_stream s);

/** a^b. */
int mlx_power(mlx_array *res, const mlx_array a, const mlx_array b, const mlx_stream s);

/** mlx_prod over some axes. */
int mlx_prod_axes(mlx_array *res, const mlx_array a, const int *axes, size_t axes_num, bool keepdims,
                  const mlx_stream s);

/** mlx_prod over some axes. */
int mlx_prod_axis(mlx_array *res, const mlx_array a, int axis, bool keepdims, const mlx_stream s);

/** Product over all axes. bool and small integers become int32 or uint32. */
int mlx_prod(mlx_array *res, const mlx_array a, bool keepdims, const mlx_stream s);

/** A copy of a with values at the positions that indices give on an axis. */
int mlx_put_along_axis(mlx_array *res, const mlx_array a, const mlx_array indices, const mlx_array values,
                       int axis, const mlx_stream s);

#if MLX_C_ABI >= MLX_C_ABI_0_6_0
/** x @ w.T with both quantized by a mode. w is floating (w_scales empty) or packed. */
int mlx_qqmm(mlx_array *res, const mlx_array x, const mlx_array w, const mlx_array w_scales /* may be null */,
             mlx_optional_int group_size, mlx_optional_int bits, const char *mode,
             const mlx_array global_scale_x /* may be null */,
             const mlx_array global_scale_w /* may be null */, const mlx_stream s);
#else
int mlx_qqmm(mlx_array *res, const mlx_array x, const mlx_array w, const mlx_array w_scales /* may be null */,
             mlx_optional_int group_size, mlx_optional_int bits, const char *mode, const mlx_stream s);
#endif

#if MLX_C_ABI >= MLX_C_ABI_0_6_0
/** Packs w (.., N, K) by groups along K: a vector of w (uint32 (.., N, K * bits / 32)), scales and, for
 * "affine", biases (.., N, K / group_size). Modes "affine", "mxfp4", "mxfp8", "nvfp4"; group_size and bits
 * have the mode's defaults. global_scale: for nvfp4, or empty. */
int mlx_quantize(mlx_vector_array *res, const mlx_array w, mlx_optional_int group_size, mlx_optional_int bits,
                 const char *mode, const mlx_array global_scale /* may be null */, const mlx_stream s);
#else
int mlx_quantize(mlx_vector_array *res, const mlx_array w, mlx_optional_int group_size, mlx_optional_int bits,
                 const char *mode, const mlx_stream s);
#endif

/** x @ w.T (transpose) or x @ w of a w that mlx_quantize packed. */
int mlx_quantized_matmul(mlx_array *res, const mlx_array x, const mlx_array w, const mlx_array scales,
                         const mlx_array biases /* may be null */, bool transpose,
                         mlx_optional_int group_size, mlx_optional_int bits, const char *mode,
                         const mlx_stream s);

/** Degrees to radians. */
int mlx_radians(mlx_array *res, const mlx_array a, const mlx_stream s);

/** Real part. */
int mlx_real(mlx_array *res, const mlx_array a, const mlx_stream s);

/** 1 / a. */
int mlx_reciprocal(mlx_array *res, const mlx_array a, const mlx_stream s);

/** Remainder of the sign of b. */
int mlx_remainder(mlx_array *res, const mlx_array a, const mlx_array b, const mlx_stream s);

/** Every entry of an axis `repeats` times. */
int mlx_repeat_axis(mlx_array *res, const mlx_array arr, int repeats, int axis, const mlx_stream s);

/** Every element of the flattened array `repeats` times. */
int mlx_repeat(mlx_array *res, const mlx_array arr, int repeats, const mlx_stream s);

/** The elements in another shape; one size may be -1: inferred. */
int mlx_reshape(mlx_array *res, const mlx_array a, const int *shape, size_t shape_num, const mlx_stream s);

/** Of integers; bool becomes uint8; floats are an error. */
int mlx_right_shift(mlx_array *res, const mlx_array a, const mlx_array b, const mlx_stream s);

/** Rotates an axis by the sum of shift. */
int mlx_roll_axis(mlx_array *res, const mlx_array a, const int *shift, size_t shift_num, int axis,
                  const mlx_stream s);

/** Rotates each of the axes by its shift. */
int mlx_roll_axes(mlx_array *res, const mlx_array a, const int *shift, size_t shift_num, const int *axes,
                  size_t axes_num, const mlx_stream s);

/** Rotates the flattened array by the sum of shift. */
int mlx_roll(mlx_array *res, const mlx_array a, const int *shift, size_t shift_num, const mlx_stream s);

/** To `decimals` decimal places, half to even. */
int mlx_round(mlx_array *res, const mlx_array a, int decimals, const mlx_stream s);

/** 1 / sqrt(a). */
int mlx_rsqrt(mlx_array *res, const mlx_array a, const mlx_stream s);

/** A copy of a with updates at places that index arrays name on the listed axes: updates has the shape of
 * the indices, then that of a slice (as many axes as a). Negative indices wrap, bounds are not checked; of
 * repeated places one wins. */
int mlx_scatter(mlx_array *res, const mlx_array a, const mlx_vector_array indices, const mlx_array updates,
                const int *axes, size_t axes_num, const mlx_stream s);

/** mlx_scatter with one index array. */
int mlx_scatter_single(mlx_array *res, const mlx_array a, const mlx_array indices, const mlx_array updates,
                       int axis, const mlx_stream s);

/** mlx_scatter, but updates are added, each time. */
int mlx_scatter_add(mlx_array *res, const mlx_array a, const mlx_vector_array indices,
                    const mlx_array updates, const int *axes, size_t axes_num, const mlx_stream s);

/** mlx_scatter_add with one index array. */
int mlx_scatter_add_single(mlx_array *res, const mlx_array a, const mlx_array indices,
                           const mlx_array updates, int axis, const mlx_stream s);

/** A copy of a with values added at the positions that indices give on an axis. */
int mlx_scatter_add_axis(mlx_array *res, const mlx_array a, const mlx_array indices, const mlx_array values,
                         int axis, const mlx_stream s);

/** mlx_scatter, but the larger one stays. */
int mlx_scatter_max(mlx_array *res, const mlx_array a, const mlx_vector_array indices,
                    const mlx_array updates, const int *axes, size_t axes_num, const mlx_stream s);

/** mlx_scatter_max with one index array. */
int mlx_scatter_max_single(mlx_array *res, const mlx_array a, const mlx_array indices,
                           const mlx_array updates, int axis, const mlx_stream s);

/** mlx_scatter, but the smaller one stays. */
int mlx_scatter_min(mlx_array *res, const mlx_array a, const mlx_vector_array indices,
                    const mlx_array updates, const int *axes, size_t axes_num, const mlx_stream s);

/** mlx_scatter_min with one index array. */
int mlx_scatter_min_single(mlx_array *res, const mlx_array a, const mlx_array indices,
                           const mlx_array updates, int axis, const mlx_stream s);

/** mlx_scatter, but updates are multiplied, each time. */
int mlx_scatter_prod(mlx_array *res, const mlx_array a, const mlx_vector_array indices,
                     const mlx_array updates, const int *axes, size_t axes_num, const mlx_stream s);

/** mlx_scatter_prod with one index array. */
int mlx_scatter_prod_single(mlx_array *res, const mlx_array a, const mlx_array indices,
                            const mlx_array updates, int axis, const mlx_stream s);

/** a (M, K) @ b (K, N) over ranges of K that segments (.., 2) lists: (.., M, N). */
int mlx_segmented_mm(mlx_array *res, const mlx_array a, const mlx_array b, const mlx_array segments,
                     const mlx_stream s);

/** 1 / (1 + e^-a). */
int mlx_sigmoid(mlx_array *res, const mlx_array a, const mlx_stream s);

/** -1, 0 or 1; of complex numbers a / |a|. */
int mlx_sign(mlx_array *res, const mlx_array a, const mlx_stream s);

/** Sine. */
int mlx_sin(mlx_array *res, const mlx_array a, const mlx_stream s);

/** Hyperbolic sine. */
int mlx_sinh(mlx_array *res, const mlx_array a, const mlx_stream s);

/** a[start:stop:strides] with one entry an axis, as in Python. */
int mlx_slice(mlx_array *res, const mlx_array a, const int *start, size_t start_num, const int *stop,
              size_t stop_num, const int *strides, size_t strides_num, const mlx_stream s);

/** The slice of sizes slice_size that begins where an integer array says on the listed axes. */
int mlx_slice_dynamic(mlx_array *res, const mlx_array a, const mlx_array start, const int *axes,
                      size_t axes_num, const int *slice_size, size_t slice_size_num, const mlx_stream s);

/** A copy of src with that slice replaced by update, broadcast and cast. */
int mlx_slice_update(mlx_array *res, const mlx_array src, const mlx_array update, const int *start,
                     size_t start_num, const int *stop, size_t stop_num, const int *strides,
                     size_t strides_num, const mlx_stream s);

/** A copy of src with update at the place that an integer array gives on the listed axes. */
int mlx_slice_update_dynamic(mlx_array *res, const mlx_array src, const mlx_array update,
                             const mlx_array start, const int *axes, size_t axes_num, const mlx_stream s);

#if MLX_C_ABI >= MLX_C_ABI_0_6_0_PLUS_4
/** A copy of src with update added to that slice. */
int mlx_slice_update_add(mlx_array *res, const mlx_array src, const mlx_array update, const int *start,
                         size_t start_num, const int *stop, size_t stop_num, const int *strides,
                         size_t strides_num, const mlx_stream s);

/** The same with the maximum of both. */
int mlx_slice_update_max(mlx_array *res, const mlx_array src, const mlx_array update, const int *start,
                         size_t start_num, const int *stop, size_t stop_num, const int *strides,
                         size_t strides_num, const mlx_stream s);

/** The same with the minimum of both. */
int mlx_slice_update_min(mlx_array *res, const mlx_array src, const mlx_array update, const int *start,
                         size_t start_num, const int *stop, size_t stop_num, const int *strides,
                         size_t strides_num, const mlx_stream s);

/** The same with the product of both. */
int mlx_slice_update_prod(mlx_array *res, const mlx_array src, const mlx_array update, const int *start,
                          size_t start_num, const int *stop, size_t stop_num, const int *strides,
                          size_t strides_num, const mlx_stream s);
#endif

/** mlx_softmax over some axes. */
int mlx_softmax_axes(mlx_array *res, const mlx_array a, const int *axes, size_t axes_num, bool precise,
                     const mlx_stream s);

/** mlx_softmax over some axes. */
int mlx_softmax_axis(mlx_array *res, const mlx_array a, int axis, bool precise, const mlx_stream s);

/** e^a / sum(e^a) over all axes. precise: computed in float32. */
int mlx_softmax(mlx_array *res, const mlx_array a, bool precise, const mlx_stream s);

/** Sorts an axis; NaN comes last. */
int mlx_sort_axis(mlx_array *res, const mlx_array a, int axis, const mlx_stream s);

/** Sorts the flattened array. */
int mlx_sort(mlx_array *res, const mlx_array a, const mlx_stream s);

/** num_splits equal parts of an axis; it must divide. */
int mlx_split(mlx_vector_array *res, const mlx_array a, int num_splits, int axis, const mlx_stream s);

/** The parts of an axis between indices. */
int mlx_split_sections(mlx_vector_array *res, const mlx_array a, const int *indices, size_t indices_num,
                       int axis, const mlx_stream s);

/** Square root. */
int mlx_sqrt(mlx_array *res, const mlx_array a, const mlx_stream s);

/** a * a. */
int mlx_square(mlx_array *res, const mlx_array a, const mlx_stream s);

/** Removes axes of size 1; another size is an error. */
int mlx_squeeze_axes(mlx_array *res, const mlx_array a, const int *axes, size_t axes_num, const mlx_stream s);

/** Removes axes of size 1; another size is an error. */
int mlx_squeeze_axis(mlx_array *res, const mlx_array a, int axis, const mlx_stream s);

/** Removes all axes of size 1. */
int mlx_squeeze(mlx_array *res, const mlx_array a, const mlx_stream s);

/** Joins arrays of one shape on a new axis. */
int mlx_stack_axis(mlx_array *res, const mlx_vector_array arrays, int axis, const mlx_stream s);

/** Joins arrays of one shape on a new first axis. */
int mlx_stack(mlx_array *res, const mlx_vector_array arrays, const mlx_stream s);

/** mlx_std over some axes. */
int mlx_std_axes(mlx_array *res, const mlx_array a, const int *axes, size_t axes_num, bool keepdims, int ddof,
                 const mlx_stream s);

/** mlx_std over some axes. */
int mlx_std_axis(mlx_array *res, const mlx_array a, int axis, bool keepdims, int ddof, const mlx_stream s);

/** Square root of mlx_var. */
int mlx_std(mlx_array *res, const mlx_array a, bool keepdims, int ddof, const mlx_stream s);

/** a, through which no gradient flows. */
int mlx_stop_gradient(mlx_array *res, const mlx_array a, const mlx_stream s);

/** Elementwise. */
int mlx_subtract(mlx_array *res, const mlx_array a, const mlx_array b, const mlx_stream s);

/** mlx_sum over some axes. */
int mlx_sum_axes(mlx_array *res, const mlx_array a, const int *axes, size_t axes_num, bool keepdims,
                 const mlx_stream s);

/** mlx_sum over some axes. */
int mlx_sum_axis(mlx_array *res, const mlx_array a, int axis, bool keepdims, const mlx_stream s);

/** Sum over all axes. bool and small integers become int32 or uint32. */
int mlx_sum(mlx_array *res, const mlx_array a, bool keepdims, const mlx_stream s);

/** A view with two axes swapped. */
int mlx_swapaxes(mlx_array *res, const mlx_array a, int axis1, int axis2, const mlx_stream s);

/** Slices at indices (integers, negative ones wrap) on an axis, which the shape of indices replaces. */
int mlx_take_axis(mlx_array *res, const mlx_array a, const mlx_array indices, int axis, const mlx_stream s);

/** Elements of the flattened array at indices. */
int mlx_take(mlx_array *res, const mlx_array a, const mlx_array indices, const mlx_stream s);

/** Elements at the positions that indices give on an axis; the other axes broadcast. */
int mlx_take_along_axis(mlx_array *res, const mlx_array a, const mlx_array indices, int axis,
                        const mlx_stream s);

/** Tangent. */
int mlx_tan(mlx_array *res, const mlx_array a, const mlx_stream s);

/** Hyperbolic tangent. */
int mlx_tanh(mlx_array *res, const mlx_array a, const mlx_stream s);

/** Sums of products over pairs of axes. */
int mlx_tensordot(mlx_array *res, const mlx_array a, const mlx_array b, const int *axes_a, size_t axes_a_num,
                  const int *axes_b, size_t axes_b_num, const mlx_stream s);

/** Sums of products over the last `axis` axes of a and the first of b. */
int mlx_tensordot_axis(mlx_array *res, const mlx_array a, const mlx_array b, int axis, const mlx_stream s);

/** a repeated reps[i] times on axis i. */
int mlx_tile(mlx_array *res, const mlx_array arr, const int *reps, size_t reps_num, const mlx_stream s);

/** Floats to uint8 codes of E4M3, to the nearest, limited. */
int mlx_to_fp8(mlx_array *res, const mlx_array x, const mlx_stream s);

/** The k largest along an axis, in no fixed order. */
int mlx_topk_axis(mlx_array *res, const mlx_array a, int k, int axis, const mlx_stream s);

/** The k largest of the flattened array, in no fixed order. */
int mlx_topk(mlx_array *res, const mlx_array a, int k, const mlx_stream s);

/** Sum of the diagonal on two axes, in dtype. */
int mlx_trace(mlx_array *res, const mlx_array a, int offset, int axis1, int axis2, mlx_dtype dtype,
              const mlx_stream s);

/** A view: axis i is a's axis axes[i]. */
int mlx_transpose_axes(mlx_array *res, const mlx_array a, const int *axes, size_t axes_num,
                       const mlx_stream s);

/** A view with all axes in reverse order. */
int mlx_transpose(mlx_array *res, const mlx_array a, const mlx_stream s);

/** (n, m) with ones at and below diagonal k. */
int mlx_tri(mlx_array *res, int n, int m, int k, mlx_dtype type, const mlx_stream s);

/** x with zeros above diagonal k. */
int mlx_tril(mlx_array *res, const mlx_array x, int k, const mlx_stream s);

/** x with zeros below diagonal k. */
int mlx_triu(mlx_array *res, const mlx_array x, int k, const mlx_stream s);

/** Splits an axis into a shape; one size may be -1. */
int mlx_unflatten(mlx_array *res, const mlx_array a, int axis, const int *shape, size_t shape_num,
                  const mlx_stream s);

/** mlx_var over some axes. */
int mlx_var_axes(mlx_array *res, const mlx_array a, const int *axes, size_t axes_num, bool keepdims, int ddof,
                 const mlx_stream s);

/** mlx_var over some axes. */
int mlx_var_axis(mlx_array *res, const mlx_array a, int axis, bool keepdims, int ddof, const mlx_stream s);

/** Variance over all axes, divided by n - ddof; of complex numbers float32. */
int mlx_var(mlx_array *res, const mlx_array a, bool keepdims, int ddof, const mlx_stream s);

/** The bytes as another dtype; the last axis grows or shrinks. */
int mlx_view(mlx_array *res, const mlx_array a, mlx_dtype dtype, const mlx_stream s);

/** condition ? x : y, broadcast; x and y promote. */
int mlx_where(mlx_array *res, const mlx_array condition, const mlx_array x, const mlx_array y,
              const mlx_stream s);

/** Constants. */
int mlx_zeros(mlx_array *res, const int *shape, size_t shape_num, mlx_dtype dtype, const mlx_stream s);

/** Constants with shape and dtype of a. */
int mlx_zeros_like(mlx_array *res, const mlx_array a, const mlx_stream s);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
