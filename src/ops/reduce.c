/* Reductions, softmax and scans: ops along axes. */
#include "ops/ops.h"

#include "array/dtype.h"

/* Removes the axes of the bit set. */
static mlx_array squeeze_bits(mlx_array x, uint32_t axes)
{
    prim_squeeze params = {axes};
    return axes ? prim_make(PRIM_Squeeze, &x, 1, &params, sizeof params) : x;
}

static mlx_array reduce(const char *op, int kind, mlx_array x, const int *axes, size_t n, bool keepdims)
{
    prim_reduce params = {kind, 0};
    if (mx_is_null(x) || !op_axes(op, x, axes, n, &params.axes))
        return MX_NULL;
    if (kind == PRIM_MAX || kind == PRIM_MIN)
        for (int i = 0; i < mx_ndim(x); i++)
            if ((params.axes >> i & 1) && mx_shape(x)[i] == 0)
                return op_fail("[%s] cannot %s reduce over axis %d with size 0", op, op, i);
    mlx_array y = prim_make(PRIM_Reduce, &x, 1, &params, sizeof params);
    return keepdims ? y : squeeze_bits(y, params.axes);
}

#define REDUCE(name, KIND)                                                     \
    mlx_array mx_##name(mlx_array x, const int *axes, size_t n, bool keepdims) \
    {                                                                          \
        return reduce(#name, PRIM_##KIND, x, axes, n, keepdims);               \
    }
REDUCE(sum, SUM)
REDUCE(prod, PROD)
REDUCE(max, MAX)
REDUCE(min, MIN)
REDUCE(all, ALL)
REDUCE(any, ANY)
#undef REDUCE

mlx_array mx_mean(mlx_array x, const int *axes, size_t n, bool keepdims)
{
    x = op_to_float(x);
    mlx_array total = mx_sum(x, axes, n, keepdims);
    if (mx_is_null(total))
        return total;
    uint32_t bits;
    if (!op_axes("mean", x, axes, n, &bits))
        return MX_NULL;
    double count = 1;
    for (int i = 0; i < mx_ndim(x); i++)
        count *= bits >> i & 1 ? mx_shape(x)[i] : 1;
    return mx_multiply(total, mx_float(1 / count, mx_dtype_of(total)));
}

/* Applies f with the axis in last place, and puts it back. */
static mlx_array along_last(const char *op, mlx_array x, int axis, mlx_array (*f)(mlx_array x))
{
    int i;
    if (mx_is_null(x) || (i = op_axis(op, x, axis)) < 0)
        return MX_NULL;
    int last = mx_ndim(x) - 1;
    return i == last ? f(x) : mx_swapaxes(f(mx_swapaxes(x, i, last)), i, last);
}

static mlx_array softmax_last(mlx_array x) { return prim_make(PRIM_Softmax, &x, 1, NULL, 0); }

static mlx_array logsumexp_last(mlx_array x) { return prim_make(PRIM_LogSumExp, &x, 1, NULL, 0); }

mlx_array mx_softmax(mlx_array x, int axis)
{
    return along_last("softmax", op_to_float(x), axis, softmax_last);
}

mlx_array mx_logsumexp(mlx_array x, int axis, bool keepdims)
{
    mlx_array y = along_last("logsumexp", op_to_float(x), axis, logsumexp_last);
    return mx_is_null(y) || keepdims ? y : mx_squeeze(y, axis);
}

static mlx_array arg_reduce(const char *op, int smallest, mlx_array x, int axis, bool keepdims)
{
    int i;
    if (mx_is_null(x) || (i = op_axis(op, x, axis)) < 0)
        return MX_NULL;
    if (mx_shape(x)[i] == 0)
        return op_fail("[%s] cannot %s reduce over axis %d with size 0", op, op, i);
    prim_arg_reduce params = {smallest, i};
    mlx_array y = prim_make(PRIM_ArgReduce, &x, 1, &params, sizeof params);
    return keepdims ? y : squeeze_bits(y, (uint32_t)1 << i);
}

mlx_array mx_argmax(mlx_array x, int axis, bool keepdims)
{
    return arg_reduce("argmax", 0, x, axis, keepdims);
}

mlx_array mx_argmin(mlx_array x, int axis, bool keepdims)
{
    return arg_reduce("argmin", 1, x, axis, keepdims);
}

mlx_array mx_cumsum(mlx_array x, int axis, bool reverse, bool inclusive)
{
    if (mx_is_null(x))
        return x;
    prim_scan params = {op_axis("cumsum", x, axis), reverse, inclusive};
    if (params.axis < 0)
        return MX_NULL;
    if (mx_dtype_of(x) == MLX_BOOL)
        x = mx_astype(x, MLX_INT32);
    return prim_make(PRIM_Scan, &x, 1, &params, sizeof params);
}
