/* Ops about single numbers that are expressions of elementwise functions: rounding, ranges, what is finite,
 * what is equal or close. */
#include "ops/ops.h"

#include "array/dtype.h"

#include <float.h>
#include <math.h>

static bool is_whole(mlx_array x) { return dtype_at_least_float(mx_dtype_of(x)) != mx_dtype_of(x); }

static bool is_complex(mlx_array x) { return mx_dtype_of(x) == MLX_COMPLEX64; }

/* v, 0-d, of x's dtype, which is inexact. */
static mlx_array number(double v, mlx_array x) { return mx_float(v, mx_dtype_of(x)); }

/* The truth value in x's shape. */
static mlx_array constant(mlx_array x, int truth)
{
    return mx_full(mx_shape(x), (size_t)mx_ndim(x), mx_int(truth, MLX_BOOL), MLX_BOOL);
}

/* --- rounding and ranges --- */

/* What was cut towards 0 is one less where something was left and the signs differ. */
static mlx_array floor_quotient(mlx_array a, mlx_array b)
{
    mlx_array q = mx_floor_divide(a, b);
    if (mx_is_null(q) || dtype_kind_of(mx_dtype_of(q)) != DTYPE_SIGNED)
        return q;
    mlx_dtype t = mx_dtype_of(q);
    mlx_array zero = mx_int(0, t), x = mx_astype(a, t), y = mx_astype(b, t);
    mlx_array below =
        mx_logical_and(mx_not_equal(mx_multiply(q, y), x), mx_not_equal(mx_less(x, zero), mx_less(y, zero)));
    return mx_subtract(q, mx_astype(below, t));
}

int mx_divmod(mlx_array a, mlx_array b, mlx_array *out)
{
    out[0] = out[1] = MX_NULL;
    if (mx_is_null(a) || mx_is_null(b))
        return -1;
    if (is_complex(a) || is_complex(b))
        return error_set("[divmod] is not defined for complex64");
    mlx_array q = mx_stop_gradient(floor_quotient(a, b)), r = mx_stop_gradient(mx_remainder(a, b));
    if (mx_is_null(q) || mx_is_null(r))
        return -1;
    out[0] = q;
    out[1] = r;
    return 0;
}

mlx_array mx_round_to(mlx_array x, int decimals)
{
    if (mx_is_null(x) || decimals == 0)
        return mx_round(x);
    float scale = powf(10, (float)decimals);
    mlx_array wide = op_to_float(x), y = mx_round(mx_multiply(wide, number((double)scale, wide)));
    return mx_astype(mx_multiply(y, number((double)(1 / scale), wide)), mx_dtype_of(x));
}

mlx_array mx_clip(mlx_array x, mlx_array least, mlx_array most)
{
    if (mx_is_null(least) && mx_is_null(most))
        return error_pending() ? MX_NULL : op_fail("[clip] neither a smallest nor a largest value is given");
    x = mx_is_null(least) ? x : mx_maximum(x, least);
    return mx_is_null(most) ? x : mx_minimum(x, most);
}

static mlx_array scaled(mlx_array x, double scale)
{
    x = op_to_float(x);
    return mx_is_null(x) ? x : mx_multiply(x, number(scale, x));
}

mlx_array mx_degrees(mlx_array x) { return scaled(x, 57.295779513082320877); }

mlx_array mx_radians(mlx_array x) { return scaled(x, 0.017453292519943295769); }

/* --- finite or not --- */

mlx_array mx_isnan(mlx_array x)
{
    return mx_is_null(x) ? x : is_whole(x) ? constant(x, 0) : mx_not_equal(x, x);
}

static mlx_array equals(mlx_array x, double v)
{
    return mx_is_null(x) ? x : is_whole(x) ? constant(x, 0) : mx_equal(x, number(v, x));
}

mlx_array mx_isposinf(mlx_array x) { return equals(x, (double)INFINITY); }

mlx_array mx_isneginf(mlx_array x) { return equals(x, -(double)INFINITY); }

mlx_array mx_isinf(mlx_array x)
{
    if (mx_is_null(x) || is_whole(x))
        return equals(x, 0);
    if (is_complex(x))
        return mx_logical_or(mx_isinf(mx_real(x)), mx_isinf(mx_imag(x)));
    return mx_equal(mx_abs(x), number((double)INFINITY, x));
}

mlx_array mx_isfinite(mlx_array x)
{
    if (mx_is_null(x) || is_whole(x))
        return mx_is_null(x) ? x : constant(x, 1);
    if (is_complex(x))
        return mx_logical_and(mx_isfinite(mx_real(x)), mx_isfinite(mx_imag(x)));
    return mx_less(mx_abs(x), number((double)INFINITY, x));
}

mlx_array mx_nan_to_num(mlx_array x, float nan, const float *posinf, const float *neginf)
{
    if (mx_is_null(x) || is_whole(x))
        return x;
    mlx_dtype t = mx_dtype_of(x);
    if (t == MLX_FLOAT64 || t == MLX_COMPLEX64)
        return op_fail("[nan_to_num] is not defined for %s", mx_dtype_name(t));
    double largest = t == MLX_FLOAT16 ? 65504 : t == MLX_BFLOAT16 ? 0x1.FEp127 : (double)FLT_MAX;
    mlx_array y = mx_where(mx_isnan(x), number((double)nan, x), x);
    y = mx_where(mx_isposinf(x), number(posinf ? (double)*posinf : largest, x), y);
    return mx_where(mx_isneginf(x), number(neginf ? (double)*neginf : -largest, x), y);
}

/* --- equal and close --- */

/* Distances are those of the operands' dtype; they are compared in float64. */
mlx_array mx_isclose(mlx_array a, mlx_array b, double rtol, double atol, bool equal_nan)
{
    mlx_array distance = mx_astype(mx_abs(mx_subtract(a, b)), MLX_FLOAT64);
    mlx_array size = mx_astype(mx_abs(b), MLX_FLOAT64);
    mlx_array bound = mx_add(mx_float(atol, MLX_FLOAT64), mx_multiply(mx_float(rtol, MLX_FLOAT64), size));
    mlx_array infinite = mx_logical_or(mx_isinf(a), mx_isinf(b));
    mlx_array close = mx_logical_and(mx_less_equal(distance, bound), mx_logical_not(infinite));
    close = mx_logical_or(close, mx_logical_and(infinite, mx_equal(a, b)));
    return equal_nan ? mx_logical_or(close, mx_logical_and(mx_isnan(a), mx_isnan(b))) : close;
}

mlx_array mx_allclose(mlx_array a, mlx_array b, double rtol, double atol, bool equal_nan)
{
    return mx_all(mx_isclose(a, b, rtol, atol, equal_nan), NULL, 0, false);
}

mlx_array mx_array_equal(mlx_array a, mlx_array b, bool equal_nan)
{
    if (mx_is_null(a) || mx_is_null(b))
        return MX_NULL;
    bool same = mx_ndim(a) == mx_ndim(b);
    for (int i = 0; same && i < mx_ndim(a); i++)
        same = mx_shape(a)[i] == mx_shape(b)[i];
    if (!same)
        return mx_int(0, MLX_BOOL);
    return mx_all(equal_nan ? mx_nan_equal(a, b) : mx_equal(a, b), NULL, 0, false);
}
