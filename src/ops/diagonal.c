/* Diagonals and triangles: comparisons of row and column numbers. */
#include "ops/ops.h"

/* Row numbers plus k as a column, column numbers as a row; in 64 bits, where nothing overflows. */
static void numbers(int n, int m, int k, mlx_array out[2])
{
    out[0] = mx_expand_dims(mx_arange(k, (double)n + k, 1, MLX_INT64), 1);
    out[1] = mx_expand_dims(mx_arange(0, m, 1, MLX_INT64), 0);
}

static bool check_sizes(const char *op, int n, int m)
{
    if (n >= 0 && m >= 0)
        return true;
    error_set("[%s] sizes %d and %d must not be negative", op, n, m);
    return false;
}

mlx_array mx_eye(int n, int m, int k, mlx_dtype dtype)
{
    mlx_array at[2];
    if (!check_sizes("eye", n, m))
        return MX_NULL;
    numbers(n, m, k, at);
    return mx_astype(mx_equal(at[0], at[1]), dtype);
}

mlx_array mx_identity(int n, mlx_dtype dtype) { return mx_eye(n, n, 0, dtype); }

mlx_array mx_tri(int n, int m, int k, mlx_dtype dtype)
{
    mlx_array at[2];
    if (!check_sizes("tri", n, m))
        return MX_NULL;
    numbers(n, m, k, at);
    return mx_astype(mx_greater_equal(at[0], at[1]), dtype);
}

/* Is an element of x's matrices on or below diagonal k? */
static mlx_array below(const char *op, mlx_array x, int k)
{
    if (mx_is_null(x))
        return x;
    int ndim = mx_ndim(x);
    if (ndim < 2)
        return op_fail("[%s] the array must have at least 2 dimensions, not %d", op, ndim);
    return mx_tri(mx_shape(x)[ndim - 2], mx_shape(x)[ndim - 1], k, MLX_BOOL);
}

mlx_array mx_tril(mlx_array x, int k)
{
    mlx_array mask = below("tril", x, k);
    return mx_is_null(mask) ? mask : mx_where(mask, x, mx_int(0, mx_dtype_of(x)));
}

mlx_array mx_triu(mlx_array x, int k)
{
    mlx_array mask = below("triu", x, k == INT32_MIN ? k : k - 1);
    return mx_is_null(mask) ? mask : mx_where(mask, mx_int(0, mx_dtype_of(x)), x);
}

mlx_array mx_diagonal(mlx_array x, int offset, int axis1, int axis2)
{
    if (mx_is_null(x))
        return x;
    if (mx_ndim(x) < 2)
        return op_fail("[diagonal] the array must have at least 2 dimensions, not %d", mx_ndim(x));
    prim_diagonal params = {offset, op_axis("diagonal", x, axis1), op_axis("diagonal", x, axis2)};
    if (params.axis1 < 0 || params.axis2 < 0)
        return MX_NULL;
    if (params.axis1 == params.axis2)
        return op_fail("[diagonal] axes %d and %d are the same", axis1, axis2);
    return prim_make(PRIM_Diagonal, &x, 1, &params, sizeof params);
}

mlx_array mx_diag(mlx_array x, int k)
{
    if (mx_is_null(x))
        return x;
    if (mx_ndim(x) == 2)
        return mx_diagonal(x, k, 0, 1);
    if (mx_ndim(x) != 1)
        return op_fail("[diag] the array must have 1 or 2 dimensions, not %d", mx_ndim(x));
    int margin = shape_size("diag", k < 0 ? -(int64_t)k : k), zero = 0, first = 0;
    int size = margin < 0 ? -1 : shape_size("diag", (int64_t)mx_shape(x)[0] + margin);
    if (size < 0)
        return MX_NULL;
    /* Row i holds x[i] in column i + k, or column i holds it in row i - k: x along the other axis, repeated,
     * of which that diagonal stays. */
    mlx_array mask = mx_eye(size, size, k, MLX_BOOL), nought = mx_int(0, mx_dtype_of(x));
    mlx_array long_enough = mx_pad(x, &first, 1, &zero, 1, &margin, 1, nought, "constant");
    return mx_where(mask, mx_expand_dims(long_enough, k >= 0 ? 1 : 0), nought);
}

mlx_array mx_trace(mlx_array x, int offset, int axis1, int axis2, mlx_dtype dtype)
{
    mlx_array d = mx_diagonal(x, offset, axis1, axis2);
    return mx_is_null(d) ? d : mx_sum(mx_astype(d, dtype), SHAPE(-1), false);
}
