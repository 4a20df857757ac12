/* Norms of vectors and matrices, and the cross product: composed of other ops. */
#include "ops/ops.h"

#include "array/dtype.h"

#include <math.h>
#include <string.h>

/* --- norms --- */

static mlx_array as_float(mlx_array y, mlx_array like)
{
    return mx_is_null(y)
               ? y
               : mx_astype(y, mx_dtype_of(like) == MLX_COMPLEX64 ? MLX_FLOAT32
                                                                 : dtype_at_least_float(mx_dtype_of(like)));
}

static mlx_array norm_l2(mlx_array a, const int *axis, size_t n, bool keepdims)
{
    mlx_array size = mx_dtype_of(a) == MLX_COMPLEX64 ? mx_abs(a) : a;
    return mx_sqrt(mx_sum(mx_square(size), axis, n, keepdims));
}

static mlx_array vector_norm(mlx_array a, double ord, const int *axis, bool keepdims)
{
    if (ord == 2)
        return norm_l2(a, axis, 1, keepdims);
    if (ord == 0)
        return as_float(mx_sum(mx_not_equal(a, mx_int(0, MLX_INT32)), axis, 1, keepdims), a);
    mlx_array size = mx_abs(a);
    if (ord == 1)
        return as_float(mx_sum(size, axis, 1, keepdims), a);
    if (isinf(ord))
        return as_float((ord > 0 ? mx_max : mx_min)(size, axis, 1, keepdims), a);
    size = as_float(size, a);
    mlx_dtype t = mx_dtype_of(size);
    return mx_power(mx_sum(mx_power(size, mx_float(ord, t)), axis, 1, keepdims), mx_float(1 / ord, t));
}

/* The singular values of the matrices on two axes; keepdims: with an axis of size 1 for each of the two, the
 * values last. */
static mlx_array singular_values(mlx_array a, int row, int column)
{
    int order[MX_MAX_DIMS], k = 0;
    for (int i = 0; i < mx_ndim(a); i++)
        if (i != row && i != column)
            order[k++] = i;
    order[k++] = row;
    order[k++] = column;
    mlx_array s;
    return mx_linalg_svd(mx_transpose(a, order, (size_t)k), false, &s) ? MX_NULL : s;
}

/* Puts axes of size 1 back where two were. */
static mlx_array restore(mlx_array y, int row, int column, bool keepdims)
{
    if (!keepdims)
        return y;
    y = mx_expand_dims(y, row < column ? row : column);
    return mx_expand_dims(y, row < column ? column : row);
}

/* Both axes from the front, two different ones; false with an error. */
static bool two_axes(mlx_array a, const int *axis, int *row, int *column)
{
    uint32_t bits;
    if (!op_axes("linalg::norm", a, axis, 2, &bits))
        return false;
    *row = op_axis("linalg::norm", a, axis[0]);
    *column = op_axis("linalg::norm", a, axis[1]);
    return true;
}

static mlx_array matrix_norm(mlx_array a, double ord, const int *axis, bool keepdims)
{
    int row, column;
    if (!two_axes(a, axis, &row, &column))
        return MX_NULL;
    mlx_array (*pick)(mlx_array, const int *, size_t, bool) = ord > 0 ? mx_max : mx_min;
    if (fabs(ord) == 2)
        return as_float(
            restore(pick(singular_values(a, row, column), SHAPE(-1), false), row, column, keepdims), a);
    if (fabs(ord) != 1 && !isinf(ord))
        return op_fail("[linalg::norm] Invalid ord %g for matrix norm.", ord);
    int summed = isinf(ord) ? column : row, picked = isinf(ord) ? row : column;
    mlx_array y = pick(mx_sum(mx_abs(a), &summed, 1, true), &picked, 1, true);
    if (!keepdims) {
        y = mx_squeeze(y, row > column ? row : column);
        y = mx_squeeze(y, row > column ? column : row);
    }
    return as_float(y, a);
}

static void all_axes(mlx_array a, int *axes)
{
    for (int i = 0; i < mx_ndim(a); i++)
        axes[i] = i;
}

mlx_array mx_linalg_norm(mlx_array a, double ord, const int *axis, size_t n, bool keepdims)
{
    int every[MX_MAX_DIMS];
    if (mx_is_null(a))
        return a;
    if (!axis) {
        all_axes(a, every);
        axis = every;
        n = (size_t)mx_ndim(a);
    }
    if (n == 1)
        return vector_norm(a, ord, axis, keepdims);
    if (n == 2)
        return matrix_norm(a, ord, axis, keepdims);
    return op_fail("[linalg::norm] Received too many axes for norm.");
}

mlx_array mx_linalg_norm_matrix(mlx_array a, const char *ord, const int *axis, size_t n, bool keepdims)
{
    int every[MX_MAX_DIMS], row, column;
    if (mx_is_null(a))
        return a;
    if (!axis) {
        all_axes(a, every);
        axis = every;
        n = (size_t)mx_ndim(a);
    }
    if (n != 2)
        return op_fail("[linalg::norm] Norm '%s' only supported for matrices, but received %zu axis/axes.",
                       ord, n);
    if (!two_axes(a, axis, &row, &column))
        return MX_NULL;
    if (strcmp(ord, "f") == 0 || strcmp(ord, "fro") == 0)
        return norm_l2(a, axis, n, keepdims);
    if (strcmp(ord, "nuc") == 0)
        return restore(mx_sum(singular_values(a, row, column), SHAPE(-1), false), row, column, keepdims);
    return op_fail("[linalg::norm] Invalid ord value '%s' for matrix norm.", ord);
}

mlx_array mx_linalg_norm_l2(mlx_array a, const int *axis, size_t n, bool keepdims)
{
    if (mx_is_null(a))
        return a;
    if (axis && n > 2)
        return op_fail("[linalg::norm] Received too many axes for norm.");
    return norm_l2(a, axis, axis ? n : 0, keepdims);
}

/* --- cross product --- */

static bool has_vectors(mlx_array x, int axis)
{
    int i = op_axis("linalg::cross", x, axis);
    if (i < 0)
        return false;
    if (mx_shape(x)[i] == 2 || mx_shape(x)[i] == 3)
        return true;
    error_set("[linalg::cross] The specified axis must have size 2 or 3.");
    return false;
}

/* x broadcast to a shape on all axes but one, cut into its two or three components. */
static void components(mlx_array x, const int *shape, int ndim, int axis, int size, mlx_dtype t,
                       mlx_array *out)
{
    int to[MX_MAX_DIMS];
    memcpy(to, shape, (size_t)ndim * sizeof *to);
    to[axis] = size;
    x = mx_broadcast_to(mx_astype(x, t), to, (size_t)ndim);
    out[2] = MX_NULL;
    for (int i = 0; i < size; i++)
        out[i] = mx_slice_axis(x, axis, i, i + 1);
}

/* x y' - y x', where a third component that is not there counts as 0. */
static mlx_array minor(mlx_array p, mlx_array q, mlx_array r, mlx_array s)
{
    mlx_array first = mx_is_null(p) || mx_is_null(q) ? MX_NULL : mx_multiply(p, q);
    mlx_array second = mx_is_null(r) || mx_is_null(s) ? MX_NULL : mx_multiply(r, s);
    if (mx_is_null(first))
        return mx_is_null(second) ? MX_NULL : mx_negative(second);
    return mx_is_null(second) ? first : mx_subtract(first, second);
}

mlx_array mx_linalg_cross(mlx_array a, mlx_array b, int axis)
{
    int to_a[MX_MAX_DIMS], to_b[MX_MAX_DIMS], shape[MX_MAX_DIMS];
    if (mx_is_null(a) || mx_is_null(b) || !has_vectors(a, axis) || !has_vectors(b, axis))
        return MX_NULL;
    int size_a = mx_dim(a, axis), size_b = mx_dim(b, axis);
    memcpy(to_a, mx_shape(a), (size_t)mx_ndim(a) * sizeof *to_a);
    memcpy(to_b, mx_shape(b), (size_t)mx_ndim(b) * sizeof *to_b);
    to_a[op_axis("linalg::cross", a, axis)] = to_b[op_axis("linalg::cross", b, axis)] = 3;
    int ndim = shape_broadcast_dims(to_a, mx_ndim(a), to_b, mx_ndim(b), shape);
    int i = axis < 0 ? axis + ndim : axis;
    if (ndim < 0 || shape[i] != 3 || (axis >= 0 && mx_ndim(a) != mx_ndim(b)))
        return op_fail("[linalg::cross] shapes %s and %s cannot be broadcast with vectors on axis %d",
                       op_shape(a), op_shape(b), axis);
    mlx_dtype t = mx_promote(mx_dtype_of(a), mx_dtype_of(b));
    mlx_array x[3], y[3], out[3];
    components(a, shape, ndim, i, size_a, t, x);
    components(b, shape, ndim, i, size_b, t, y);
    if (error_pending())
        return MX_NULL;
    for (int k = 0; k < 3; k++) {
        int next = (k + 1) % 3, last = (k + 2) % 3;
        out[k] = minor(x[next], y[last], x[last], y[next]);
        if (mx_is_null(out[k]) && !error_pending())
            out[k] = mx_zeros(mx_shape(x[0]), (size_t)ndim, t);
    }
    return mx_concatenate(out, 3, i);
}
