/* Outer, inner and Kronecker products, and products over listed axes: each is one matrix product or one
 * multiplication between reshapes. */
#include "ops/ops.h"

#include <string.h>

mlx_array mx_outer(mlx_array a, mlx_array b)
{
    return mx_multiply(mx_expand_dims(mx_flatten(a, 0, -1), 1), mx_flatten(b, 0, -1));
}

/* The axes of x that are not in the set, in order after those that are already in `order`; their number. */
static int add_others(mlx_array x, uint32_t set, int *order, int at)
{
    int n = 0;
    for (int i = 0; i < mx_ndim(x); i++)
        if (!(set >> i & 1))
            order[at + n++] = i;
    return n;
}

/* The product of the sizes of n axes; -1 with an error when it is no size. */
static int product(mlx_array x, const int *axes, int n)
{
    int64_t size = 1;
    for (int i = 0; i < n && size <= INT32_MAX; i++)
        size *= mx_shape(x)[axes[i]];
    for (int i = 0; i < n; i++)
        size = mx_shape(x)[axes[i]] ? size : 0;
    return shape_size("tensordot", size);
}

/* Checks the lists of axes and copies them, counted from the front. */
static bool check_axes(mlx_array a, mlx_array b, const int *axes_a, size_t n_a, const int *axes_b, size_t n_b,
                       uint32_t *set_a, uint32_t *set_b)
{
    static const int none[1];
    if (n_a != n_b) {
        error_set("[tensordot] %zu axes of a cannot be summed over with %zu of b", n_a, n_b);
        return false;
    }
    if (!op_axes("tensordot", a, n_a ? axes_a : none, n_a, set_a) ||
        !op_axes("tensordot", b, n_b ? axes_b : none, n_b, set_b))
        return false;
    for (size_t i = 0; i < n_a; i++)
        if (mx_dim(a, axes_a[i]) != mx_dim(b, axes_b[i])) {
            error_set("[tensordot] axes %d and %d of shapes %s and %s are not of one size", axes_a[i],
                      axes_b[i], op_shape(a), op_shape(b));
            return false;
        }
    return true;
}

mlx_array mx_tensordot(mlx_array a, mlx_array b, const int *axes_a, size_t n_a, const int *axes_b, size_t n_b)
{
    uint32_t set_a, set_b;
    int order_a[MX_MAX_DIMS], order_b[MX_MAX_DIMS], shape[2 * MX_MAX_DIMS], n = (int)n_a;
    if (mx_is_null(a) || mx_is_null(b) || !check_axes(a, b, axes_a, n_a, axes_b, n_b, &set_a, &set_b))
        return MX_NULL;
    int rows = add_others(a, set_a, order_a, 0), columns = add_others(b, set_b, order_b, n);
    if (rows + columns > MX_MAX_DIMS)
        return op_fail("[tensordot] %d dimensions are more than the limit of %d", rows + columns,
                       MX_MAX_DIMS);
    for (int i = 0; i < n; i++) {
        order_a[rows + i] = op_axis("tensordot", a, axes_a[i]);
        order_b[i] = op_axis("tensordot", b, axes_b[i]);
    }
    int m = product(a, order_a, rows), k = product(b, order_b, n), p = product(b, order_b + n, columns);
    if (m < 0 || k < 0 || p < 0)
        return MX_NULL;
    for (int i = 0; i < rows; i++)
        shape[i] = mx_shape(a)[order_a[i]];
    for (int i = 0; i < columns; i++)
        shape[rows + i] = mx_shape(b)[order_b[n + i]];
    mlx_array x = mx_reshape(mx_transpose(a, order_a, (size_t)mx_ndim(a)), SHAPE(m, k));
    mlx_array y = mx_reshape(mx_transpose(b, order_b, (size_t)mx_ndim(b)), SHAPE(k, p));
    return mx_reshape(mx_matmul(x, y), shape, (size_t)(rows + columns));
}

mlx_array mx_tensordot_axis(mlx_array a, mlx_array b, int axis)
{
    int last[MX_MAX_DIMS], first[MX_MAX_DIMS];
    if (mx_is_null(a) || mx_is_null(b))
        return MX_NULL;
    if (axis < 0 || axis > mx_ndim(a) || axis > mx_ndim(b))
        return op_fail("[tensordot] %d axes cannot be summed over in arrays of %d and %d dimensions", axis,
                       mx_ndim(a), mx_ndim(b));
    for (int i = 0; i < axis; i++) {
        last[i] = i - axis;
        first[i] = i;
    }
    return mx_tensordot(a, b, last, (size_t)axis, first, (size_t)axis);
}

mlx_array mx_inner(mlx_array a, mlx_array b)
{
    if (mx_is_null(a) || mx_is_null(b))
        return MX_NULL;
    if (mx_ndim(a) == 0 || mx_ndim(b) == 0)
        return mx_multiply(a, b);
    if (mx_dim(a, -1) != mx_dim(b, -1))
        return op_fail("[inner] shapes %s and %s must have the same last dimension", op_shape(a),
                       op_shape(b));
    return mx_tensordot(a, b, SHAPE(-1), SHAPE(-1));
}

/* Axis i of a and of b become axes 2i and 2i + 1; each pair is then merged. */
mlx_array mx_kron(mlx_array a, mlx_array b)
{
    int wide_a[2 * MX_MAX_DIMS], wide_b[2 * MX_MAX_DIMS], shape[MX_MAX_DIMS];
    if (mx_is_null(a) || mx_is_null(b))
        return MX_NULL;
    if (mx_size(a) == 0 || mx_size(b) == 0)
        return op_fail("[kron] the arrays must not be empty");
    int ndim = mx_ndim(a) > mx_ndim(b) ? mx_ndim(a) : mx_ndim(b);
    if (2 * ndim > MX_MAX_DIMS)
        return op_fail("[kron] arrays of %d dimensions are over the limit of %d", ndim, MX_MAX_DIMS / 2);
    for (int i = 0; i < ndim; i++) {
        int k = i - ndim + mx_ndim(a), l = i - ndim + mx_ndim(b);
        int m = k < 0 ? 1 : mx_shape(a)[k], n = l < 0 ? 1 : mx_shape(b)[l];
        wide_a[2 * i] = m;
        wide_b[2 * i + 1] = n;
        wide_a[2 * i + 1] = wide_b[2 * i] = 1;
        if ((shape[i] = shape_size("kron", (int64_t)m * n)) < 0)
            return MX_NULL;
    }
    mlx_array x = mx_reshape(a, wide_a, 2 * (size_t)ndim), y = mx_reshape(b, wide_b, 2 * (size_t)ndim);
    return mx_reshape(mx_multiply(x, y), shape, (size_t)ndim);
}
