/* Reductions, softmax and scans: ops along axes. */
#include "ops/ops.h"

#include "array/dtype.h"

#include <math.h>

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

/* The number of elements along the axes. */
static double count_of(mlx_array x, uint32_t bits)
{
    double count = 1;
    for (int i = 0; i < mx_ndim(x); i++)
        count *= bits >> i & 1 ? mx_shape(x)[i] : 1;
    return count;
}

/* The same as an array, or one over it; a node of its own if it may change between calls. */
static mlx_array count_array(mlx_array x, uint32_t bits, bool inverted, mlx_dtype dtype)
{
    int axes[MX_MAX_DIMS];
    size_t n = 0;
    for (int i = 0; i < mx_ndim(x); i++)
        if (bits >> i & 1)
            axes[n++] = i;
    return mx_number_of_elements(x, axes, n, inverted, dtype);
}

/* total / the number of x's elements along the axes */
static mlx_array over(mlx_array total, mlx_array x, uint32_t bits)
{
    return mx_multiply(total, count_array(x, bits, true, mx_dtype_of(total)));
}

/* The same with the number less by ddof, at least 0. */
static mlx_array over_less(mlx_array total, mlx_array x, uint32_t bits, int ddof)
{
    mlx_dtype dtype = mx_dtype_of(total);
    double now = count_of(x, bits);
    if (node_dynamic(0) == 0)
        return mx_divide(total, mx_float(now > ddof ? now - ddof : 0, dtype));
    mlx_array count = mx_subtract(count_array(x, bits, false, dtype), mx_float(ddof, dtype));
    return mx_divide(total, mx_maximum(count, mx_float(0, dtype)));
}

mlx_array mx_mean(mlx_array x, const int *axes, size_t n, bool keepdims)
{
    uint32_t bits;
    x = op_to_float(x);
    if (mx_is_null(x) || !op_axes("mean", x, axes, n, &bits))
        return MX_NULL;
    mlx_array total = mx_sum(x, axes, n, keepdims);
    return mx_is_null(total) ? total : over(total, x, bits);
}

mlx_array mx_var(mlx_array x, const int *axes, size_t n, bool keepdims, int ddof)
{
    uint32_t bits;
    x = op_to_float(x);
    if (mx_is_null(x) || !op_axes("var", x, axes, n, &bits))
        return MX_NULL;
    mlx_array off = mx_subtract(x, mx_mean(x, axes, n, true));
    mlx_array square = mx_is_null(off) || mx_dtype_of(off) != MLX_COMPLEX64
                           ? mx_square(off)
                           : mx_real(mx_multiply(off, mx_conjugate(off)));
    mlx_array total = mx_sum(square, axes, n, keepdims);
    if (mx_is_null(total))
        return total;
    return ddof ? over_less(total, x, bits, ddof) : over(total, x, bits);
}

mlx_array mx_std(mlx_array x, const int *axes, size_t n, bool keepdims, int ddof)
{
    return mx_sqrt(mx_var(x, axes, n, keepdims, ddof));
}

/* --- several axes as one --- */

/* x with some axes moved to the end and merged there, and the way back. */
typedef struct rows {
    mlx_array x;
    int order[MX_MAX_DIMS], back[MX_MAX_DIMS], shape[MX_MAX_DIMS], ndim, kept;
} rows;

static bool rows_open(const char *op, mlx_array x, uint32_t bits, rows *r)
{
    int64_t length = 1;
    r->ndim = mx_ndim(x);
    r->kept = 0;
    for (int pass = 0, at = 0; pass < 2; pass++)
        for (int i = 0; i < r->ndim; i++)
            if ((int)(bits >> i & 1) == pass) {
                r->order[at] = i;
                r->back[i] = at;
                r->shape[at++] = mx_shape(x)[i];
                r->kept += !pass;
                length *= pass ? mx_shape(x)[i] : 1;
                if (length > INT32_MAX) {
                    error_set("[%s] the axes of shape %s have too many elements", op, op_shape(x));
                    return false;
                }
            }
    int flat[MX_MAX_DIMS + 1];
    for (int i = 0; i < r->kept; i++)
        flat[i] = r->shape[i];
    flat[r->kept] = (int)length;
    r->x = mx_reshape(mx_transpose(x, r->order, (size_t)r->ndim), flat, (size_t)r->kept + 1);
    return !mx_is_null(r->x);
}

/* y, of the shape of r->x, as it was; or, if reduced, its last axis of size 1 as that many. */
static mlx_array rows_close(rows *r, mlx_array y, bool reduced)
{
    for (int i = r->kept; reduced && i < r->ndim; i++)
        r->shape[i] = 1;
    return mx_transpose(mx_reshape(y, r->shape, (size_t)r->ndim), r->back, (size_t)r->ndim);
}

/* Applies f, which makes a row's elements or (reduced) one, along the axes. */
static mlx_array along(const char *op, mlx_array x, uint32_t bits, mlx_array (*f)(mlx_array x), bool reduced)
{
    int last = mx_ndim(x) - 1;
    if (last >= 0 && bits == (uint32_t)1 << last)
        return f(x);
    rows r;
    return rows_open(op, x, bits, &r) ? rows_close(&r, f(r.x), reduced) : MX_NULL;
}

static mlx_array halved(mlx_array x) { return mx_multiply(x, mx_float(0.5, mx_dtype_of(x))); }

static mlx_array middle(mlx_array x)
{
    int n = mx_dim(x, -1), last = mx_ndim(x) - 1;
    mlx_array sorted = mx_sort(x, -1), y = op_to_float(mx_slice_axis(sorted, last, n / 2, n / 2 + 1));
    if (n % 2 == 0)
        y = halved(mx_add(y, op_to_float(mx_slice_axis(sorted, last, n / 2 - 1, n / 2))));
    if (mx_is_null(y) || dtype_at_least_float(mx_dtype_of(x)) != mx_dtype_of(x))
        return y;
    return mx_where(mx_any(mx_isnan(x), SHAPE(-1), true), mx_float((double)NAN, mx_dtype_of(y)), y);
}

mlx_array mx_median(mlx_array x, const int *axes, size_t n, bool keepdims)
{
    uint32_t bits;
    if (mx_is_null(x) || !op_axes("median", x, axes, n, &bits))
        return MX_NULL;
    if (count_of(x, bits) == 0)
        return op_fail("[median] an axis of shape %s has no elements", op_shape(x));
    mlx_array y = along("median", x, bits, middle, true);
    return keepdims ? y : squeeze_bits(y, bits);
}

/* --- softmax and logsumexp --- */

/* Is there a kernel? Elsewhere they are made of other ops. */
static bool has_kernel(mlx_array x)
{
    return mx_is_null(x) || (mx_dtype_of(x) != MLX_FLOAT64 && mx_dtype_of(x) != MLX_COMPLEX64);
}

/* The largest element of each row, or 0 where it is not finite. */
static mlx_array shift_of(mlx_array x)
{
    mlx_array most = mx_stop_gradient(mx_max(x, SHAPE(-1), true));
    return mx_where(mx_isfinite(most), most, mx_float(0, mx_dtype_of(x)));
}

static mlx_array softmax_last(mlx_array x)
{
    if (has_kernel(x))
        return prim_make(PRIM_Softmax, &x, 1, NULL, 0);
    if (mx_size(x) == 0)
        return x;
    mlx_array e = mx_exp(mx_subtract(x, mx_stop_gradient(mx_max(x, SHAPE(-1), true))));
    return mx_divide(e, mx_sum(e, SHAPE(-1), true));
}

static mlx_array logsumexp_last(mlx_array x)
{
    if (has_kernel(x))
        return prim_make(PRIM_LogSumExp, &x, 1, NULL, 0);
    mlx_array shift = shift_of(x);
    return mx_add(mx_log(mx_sum(mx_exp(mx_subtract(x, shift)), SHAPE(-1), true)), shift);
}

mlx_array mx_softmax(mlx_array x, int axis)
{
    uint32_t bits;
    x = op_to_float(x);
    return mx_is_null(x) || !op_axes("softmax", x, &axis, 1, &bits)
               ? MX_NULL
               : along("softmax", x, bits, softmax_last, false);
}

/* Are these axes the last one, but for axes of size 1 before it? */
static bool only_last(mlx_array x, uint32_t bits)
{
    int last = mx_ndim(x) - 1, i = last;
    if (last < 0 || !(bits >> last & 1))
        return false;
    for (i--; i >= 0 && (bits >> i & 1) && mx_shape(x)[i] == 1; i--)
        ;
    return i < 0 || (bits & (((uint32_t)2 << i) - 1)) == 0;
}

mlx_array mx_softmax_axes(mlx_array x, const int *axes, size_t n, bool precise)
{
    uint32_t bits;
    (void)precise; /* sums are always in float32 or better */
    if (mx_is_null(x) || !op_axes("softmax", x, axes, n, &bits))
        return MX_NULL;
    mlx_array y = along("softmax", op_to_float(x), bits, softmax_last, false);
    return only_last(x, bits) ? y : mx_astype(y, mx_dtype_of(x));
}

mlx_array mx_logsumexp_axes(mlx_array x, const int *axes, size_t n, bool keepdims)
{
    uint32_t bits;
    x = op_to_float(x);
    if (mx_is_null(x) || !op_axes("logsumexp", x, axes, n, &bits))
        return MX_NULL;
    if (mx_size(x) == 0)
        return op_fail("[logsumexp] an array of shape %s has no elements", op_shape(x));
    mlx_array y = along("logsumexp", x, bits, logsumexp_last, true);
    return keepdims ? y : squeeze_bits(y, bits);
}

mlx_array mx_logsumexp(mlx_array x, int axis, bool keepdims)
{
    return mx_logsumexp_axes(x, &axis, 1, keepdims);
}

/* --- positions of extremes --- */

static mlx_array arg_reduce(const char *op, int smallest, mlx_array x, int axis, bool keepdims)
{
    prim_arg_reduce params = {smallest, axis};
    mlx_array flat = op_flatten(op, x, &params.axis);
    if (mx_is_null(flat))
        return flat;
    if (mx_shape(flat)[params.axis] == 0)
        return op_fail("[%s] cannot %s reduce over axis %d with size 0", op, op, params.axis);
    mlx_array y = prim_make(PRIM_ArgReduce, &flat, 1, &params, sizeof params);
    if (!keepdims)
        return squeeze_bits(y, (uint32_t)1 << params.axis);
    int ones[MX_MAX_DIMS];
    for (int i = 0; i < mx_ndim(x); i++)
        ones[i] = 1;
    return axis == MX_FLATTEN ? mx_reshape(y, ones, (size_t)mx_ndim(x)) : y;
}

mlx_array mx_argmax(mlx_array x, int axis, bool keepdims)
{
    return arg_reduce("argmax", 0, x, axis, keepdims);
}

mlx_array mx_argmin(mlx_array x, int axis, bool keepdims)
{
    return arg_reduce("argmin", 1, x, axis, keepdims);
}

/* --- scans --- */

static mlx_array scan(const char *op, int kind, mlx_array x, int axis, bool reverse, bool inclusive)
{
    prim_scan params = {axis, kind, reverse, inclusive};
    x = op_flatten(op, x, &params.axis);
    if (mx_is_null(x))
        return x;
    mlx_dtype t = mx_dtype_of(x);
    if (kind == PRIM_SCAN_SUM && t == MLX_BOOL)
        x = mx_astype(x, MLX_INT32);
    if (kind == PRIM_SCAN_LOGADDEXP)
        x = op_to_float(x);
    mlx_array y = prim_make(PRIM_Scan, &x, 1, &params, sizeof params);
    return kind == PRIM_SCAN_LOGADDEXP ? mx_astype(y, t) : y;
}

#define SCAN(name, KIND)                                                     \
    mlx_array mx_##name(mlx_array x, int axis, bool reverse, bool inclusive) \
    {                                                                        \
        return scan(#name, PRIM_SCAN_##KIND, x, axis, reverse, inclusive);   \
    }
SCAN(cumsum, SUM)
SCAN(cumprod, PROD)
SCAN(cummax, MAX)
SCAN(cummin, MIN)
SCAN(logcumsumexp, LOGADDEXP)
#undef SCAN
