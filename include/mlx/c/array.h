/** @file
 * Arrays: handles, scalars, data, what an array tells about itself.
 *
 * A handle is a share of an array. Every function that gives one to the caller gives a share that the caller
 * frees with mlx_array_free, in any order. Functions return 0, or 1 after an error that the handler
 * (error.h) has been told; results are then left as they were. A result handle may be empty or hold an
 * array, which is released; it may also be one of the inputs. */
#ifndef MLX_C_ARRAY_H
#define MLX_C_ARRAY_H

#include "mlx/c/half.h"
#include "mlx/c/string.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/** A share of an array; empty (ctx NULL) it stands for none. */
typedef struct mlx_array_ {
    void *ctx;
} mlx_array;

/** The empty handle. */
#if defined(__GNUC__)
__attribute__((unused))
#endif
static mlx_array mlx_array_empty;

/** Types of elements. */
typedef enum mlx_dtype_ {
    MLX_BOOL,
    MLX_UINT8,
    MLX_UINT16,
    MLX_UINT32,
    MLX_UINT64,
    MLX_INT8,
    MLX_INT16,
    MLX_INT32,
    MLX_INT64,
    MLX_FLOAT16,
    MLX_FLOAT32,
    MLX_FLOAT64,
    MLX_BFLOAT16,
    MLX_COMPLEX64,
} mlx_dtype;

/** An element of MLX_COMPLEX64. */
#if defined(__GNUC__)
__extension__ typedef float _Complex mlx_complex64_t;
#else
typedef float _Complex mlx_complex64_t;
#endif

/** Bytes of one element. */
size_t mlx_dtype_size(mlx_dtype dtype);

/** Evaluates arr and fills *str with its text, such as "array([1, 2], dtype=int32)"; an axis of more than 6
 * entries shows the first and the last 3. */
int mlx_array_tostring(mlx_string *str, const mlx_array arr);

/** The empty handle (ctx NULL). Allocates nothing, cannot fail. */
mlx_array mlx_array_new(void);

/** Drops a handle; the array lives on while others share it. An empty handle is fine. */
int mlx_array_free(mlx_array arr);

/** A 0-d bool; an empty handle after an error. The caller frees it, as with every function named _new. */
mlx_array mlx_array_new_bool(bool val);

/** A 0-d int32. */
mlx_array mlx_array_new_int(int val);

/** A 0-d float32. */
mlx_array mlx_array_new_float32(float val);

/** A 0-d float32. */
mlx_array mlx_array_new_float(float val);

/** A 0-d float64. */
mlx_array mlx_array_new_float64(double val);

/** A 0-d float64. */
mlx_array mlx_array_new_double(double val);

/** A 0-d complex64. */
mlx_array mlx_array_new_complex(float real_val, float imag_val);

/** Copies prod(shape) row-major elements, which are of `dtype` already. dim 0 (shape is not read) makes a
 * scalar. Ready at once. */
mlx_array mlx_array_new_data(const void *data, const int *shape, int dim, mlx_dtype dtype);

/** Takes over memory of prod(shape) row-major elements: it becomes the array's buffer, and dtor(data) (may
 * be NULL) is called once, when nothing uses it any more, on whatever thread drops it last; also after an
 * error. */
mlx_array mlx_array_new_data_managed(void *data, const int *shape, int dim, mlx_dtype dtype,
                                     void (*dtor)(void *));

/** As mlx_array_new_data_managed, but the destructor is given `payload`. */
mlx_array mlx_array_new_data_managed_payload(void *data, const int *shape, int dim, mlx_dtype dtype,
                                             void *payload, void (*dtor)(void *));

/** *arr becomes another handle of src's array, and what it held is released. src must not be empty. */
int mlx_array_set(mlx_array *arr, const mlx_array src);

/** *arr becomes a 0-d bool. */
int mlx_array_set_bool(mlx_array *arr, bool val);

/** *arr becomes a 0-d int32. */
int mlx_array_set_int(mlx_array *arr, int val);

/** *arr becomes a 0-d float32. */
int mlx_array_set_float32(mlx_array *arr, float val);

/** *arr becomes a 0-d float32. */
int mlx_array_set_float(mlx_array *arr, float val);

/** *arr becomes a 0-d float64. */
int mlx_array_set_float64(mlx_array *arr, double val);

/** *arr becomes a 0-d float64. */
int mlx_array_set_double(mlx_array *arr, double val);

/** *arr becomes a 0-d complex64. */
int mlx_array_set_complex(mlx_array *arr, float real_val, float imag_val);

/** *arr becomes what mlx_array_new_data makes. */
int mlx_array_set_data(mlx_array *arr, const void *data, const int *shape, int dim, mlx_dtype dtype);

/** Bytes of one element; 0 with an error for an empty handle. */
size_t mlx_array_itemsize(const mlx_array arr);

/** Number of elements. */
size_t mlx_array_size(const mlx_array arr);

/** Bytes of all elements. */
size_t mlx_array_nbytes(const mlx_array arr);

/** Number of axes. */
size_t mlx_array_ndim(const mlx_array arr);

/** Sizes of the axes, valid while the array lives. For a 0-d array there is nothing to read. */
const int *mlx_array_shape(const mlx_array arr);

/** Steps between neighbours on each axis, counted in elements, valid while the array lives. They are signed
 * numbers of 64 bits (a reversed axis has a negative one, a broadcast axis 0) behind an unsigned type.
 * Before evaluation they are the row-major ones. */
const size_t *mlx_array_strides(const mlx_array arr);

/** Size of one axis, negative axes count from the end; out of range is an error and gives 0. */
int mlx_array_dim(const mlx_array arr, int dim);

/** MLX_BOOL with an error for an empty handle. */
mlx_dtype mlx_array_dtype(const mlx_array arr);

/** Computes arr and waits for it. */
int mlx_array_eval(mlx_array arr);

/** Evaluates arr, which must have one element, and reads that as this type: its bytes are not converted. */
int mlx_array_item_bool(bool *res, const mlx_array arr);

/** Evaluates arr, which must have one element, and reads that as this type: its bytes are not converted. */
int mlx_array_item_uint8(uint8_t *res, const mlx_array arr);

/** Evaluates arr, which must have one element, and reads that as this type: its bytes are not converted. */
int mlx_array_item_uint16(uint16_t *res, const mlx_array arr);

/** Evaluates arr, which must have one element, and reads that as this type: its bytes are not converted. */
int mlx_array_item_uint32(uint32_t *res, const mlx_array arr);

/** Evaluates arr, which must have one element, and reads that as this type: its bytes are not converted. */
int mlx_array_item_uint64(uint64_t *res, const mlx_array arr);

/** Evaluates arr, which must have one element, and reads that as this type: its bytes are not converted. */
int mlx_array_item_int8(int8_t *res, const mlx_array arr);

/** Evaluates arr, which must have one element, and reads that as this type: its bytes are not converted. */
int mlx_array_item_int16(int16_t *res, const mlx_array arr);

/** Evaluates arr, which must have one element, and reads that as this type: its bytes are not converted. */
int mlx_array_item_int32(int32_t *res, const mlx_array arr);

/** Evaluates arr, which must have one element, and reads that as this type: its bytes are not converted. */
int mlx_array_item_int64(int64_t *res, const mlx_array arr);

/** Evaluates arr, which must have one element, and reads that as this type: its bytes are not converted. */
int mlx_array_item_float32(float *res, const mlx_array arr);

/** Evaluates arr, which must have one element, and reads that as this type: its bytes are not converted. */
int mlx_array_item_float64(double *res, const mlx_array arr);

/** Evaluates arr, which must have one element, and reads that as this type: its bytes are not converted. */
int mlx_array_item_complex64(mlx_complex64_t *res, const mlx_array arr);

/** Address of element [0, .., 0]; elements lie at mlx_array_strides. NULL before evaluation. The dtype is
 * not looked at. */
const bool *mlx_array_data_bool(const mlx_array arr);

/** Address of element [0, .., 0]; elements lie at mlx_array_strides. NULL before evaluation. The dtype is
 * not looked at. */
const uint8_t *mlx_array_data_uint8(const mlx_array arr);

/** Address of element [0, .., 0]; elements lie at mlx_array_strides. NULL before evaluation. The dtype is
 * not looked at. */
const uint16_t *mlx_array_data_uint16(const mlx_array arr);

/** Address of element [0, .., 0]; elements lie at mlx_array_strides. NULL before evaluation. The dtype is
 * not looked at. */
const uint32_t *mlx_array_data_uint32(const mlx_array arr);

/** Address of element [0, .., 0]; elements lie at mlx_array_strides. NULL before evaluation. The dtype is
 * not looked at. */
const uint64_t *mlx_array_data_uint64(const mlx_array arr);

/** Address of element [0, .., 0]; elements lie at mlx_array_strides. NULL before evaluation. The dtype is
 * not looked at. */
const int8_t *mlx_array_data_int8(const mlx_array arr);

/** Address of element [0, .., 0]; elements lie at mlx_array_strides. NULL before evaluation. The dtype is
 * not looked at. */
const int16_t *mlx_array_data_int16(const mlx_array arr);

/** Address of element [0, .., 0]; elements lie at mlx_array_strides. NULL before evaluation. The dtype is
 * not looked at. */
const int32_t *mlx_array_data_int32(const mlx_array arr);

/** Address of element [0, .., 0]; elements lie at mlx_array_strides. NULL before evaluation. The dtype is
 * not looked at. */
const int64_t *mlx_array_data_int64(const mlx_array arr);

/** Address of element [0, .., 0]; elements lie at mlx_array_strides. NULL before evaluation. The dtype is
 * not looked at. */
const float *mlx_array_data_float32(const mlx_array arr);

/** Address of element [0, .., 0]; elements lie at mlx_array_strides. NULL before evaluation. The dtype is
 * not looked at. */
const double *mlx_array_data_float64(const mlx_array arr);

/** Address of element [0, .., 0]; elements lie at mlx_array_strides. NULL before evaluation. The dtype is
 * not looked at. */
const mlx_complex64_t *mlx_array_data_complex64(const mlx_array arr);

/** *res = is arr evaluated and done? */
int _mlx_array_is_available(bool *res, const mlx_array arr);

/** Waits for an evaluation that has been started. */
int _mlx_array_wait(const mlx_array arr);

/** *res = does the buffer hold the elements without holes, in some order? */
int _mlx_array_is_contiguous(bool *res, const mlx_array arr);

/** *res = do the elements lie densely, the last axis fastest? */
int _mlx_array_is_row_contiguous(bool *res, const mlx_array arr);

/** *res = do the elements lie densely, the first axis fastest? */
int _mlx_array_is_col_contiguous(bool *res, const mlx_array arr);

#ifdef HAS_FLOAT16
/** As the functions of that form above, for float16. */
int mlx_array_item_float16(float16_t *res, const mlx_array arr);
/** As the functions of that form above, for float16. */
const float16_t *mlx_array_data_float16(const mlx_array arr);
#endif
#ifdef HAS_BFLOAT16
/** As the functions of that form above, for bfloat16. */
int mlx_array_item_bfloat16(bfloat16_t *res, const mlx_array arr);
/** As the functions of that form above, for bfloat16. */
const bfloat16_t *mlx_array_data_bfloat16(const mlx_array arr);
#endif

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
