/* Functions of each element. */
#include "capi/capi.h"
#include "mlx/c/ops.h"

/* UNARY(name): mlx_<name> is mx_<name> of one array. */
#define UNARY(name)                                                       \
    int mlx_##name(mlx_array *res, const mlx_array a, const mlx_stream s) \
    {                                                                     \
        size_t mark = capi_enter(s);                                      \
        return LEAVE(mark, res, mx_##name(capi_in(a)));                   \
    }

UNARY(abs)
UNARY(arccos)
UNARY(arccosh)
UNARY(arcsin)
UNARY(arcsinh)
UNARY(arctan)
UNARY(arctanh)
UNARY(bitwise_invert)
UNARY(ceil)
UNARY(conjugate)
UNARY(cos)
UNARY(cosh)
UNARY(degrees)
UNARY(erf)
UNARY(erfinv)
UNARY(exp)
UNARY(expm1)
UNARY(floor)
UNARY(imag)
UNARY(isfinite)
UNARY(isinf)
UNARY(isnan)
UNARY(isneginf)
UNARY(isposinf)
UNARY(log)
UNARY(log10)
UNARY(log1p)
UNARY(log2)
UNARY(logical_not)
UNARY(negative)
UNARY(radians)
UNARY(real)
UNARY(reciprocal)
UNARY(rsqrt)
UNARY(sigmoid)
UNARY(sign)
UNARY(sin)
UNARY(sinh)
UNARY(sqrt)
UNARY(square)
UNARY(tan)
UNARY(tanh)

/* BINARY(name): mlx_<name> is mx_<name> of two arrays. */
#define BINARY(name)                                                                         \
    int mlx_##name(mlx_array *res, const mlx_array a, const mlx_array b, const mlx_stream s) \
    {                                                                                        \
        size_t mark = capi_enter(s);                                                         \
        return LEAVE(mark, res, mx_##name(capi_in(a), capi_in(b)));                          \
    }

BINARY(add)
BINARY(arctan2)
BINARY(bitwise_and)
BINARY(bitwise_or)
BINARY(bitwise_xor)
BINARY(divide)
BINARY(equal)
BINARY(floor_divide)
BINARY(greater)
BINARY(greater_equal)
BINARY(left_shift)
BINARY(less)
BINARY(less_equal)
BINARY(logaddexp)
BINARY(logical_and)
BINARY(logical_or)
BINARY(maximum)
BINARY(minimum)
BINARY(multiply)
BINARY(not_equal)
BINARY(power)
BINARY(remainder)
BINARY(right_shift)
BINARY(subtract)

int mlx_divmod(mlx_vector_array *res, const mlx_array a, const mlx_array b, const mlx_stream s)
{
    mlx_array out[2];
    size_t mark = capi_enter(s);
    int rc = mx_divmod(capi_in(a), capi_in(b), out);
    return LEAVE_VECTOR(mark, res, out, 2, rc);
}

int mlx_where(mlx_array *res, const mlx_array condition, const mlx_array x, const mlx_array y,
              const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_where(capi_in(condition), capi_in(x), capi_in(y)));
}

int mlx_clip(mlx_array *res, const mlx_array a, const mlx_array a_min, const mlx_array a_max,
             const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_clip(capi_in(a), a_min, a_max));
}

int mlx_round(mlx_array *res, const mlx_array a, int decimals, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_round_to(capi_in(a), decimals));
}

int mlx_nan_to_num(mlx_array *res, const mlx_array a, float nan, mlx_optional_float posinf,
                   mlx_optional_float neginf, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res,
                 mx_nan_to_num(capi_in(a), nan, posinf.has_value ? &posinf.value : NULL,
                               neginf.has_value ? &neginf.value : NULL));
}

int mlx_isclose(mlx_array *res, const mlx_array a, const mlx_array b, double rtol, double atol,
                bool equal_nan, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_isclose(capi_in(a), capi_in(b), rtol, atol, equal_nan));
}

int mlx_allclose(mlx_array *res, const mlx_array a, const mlx_array b, double rtol, double atol,
                 bool equal_nan, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_allclose(capi_in(a), capi_in(b), rtol, atol, equal_nan));
}

int mlx_array_equal(mlx_array *res, const mlx_array a, const mlx_array b, bool equal_nan, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_array_equal(capi_in(a), capi_in(b), equal_nan));
}

int mlx_astype(mlx_array *res, const mlx_array a, mlx_dtype dtype, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_astype(capi_in(a), capi_dtype(dtype)));
}

int mlx_to_fp8(mlx_array *res, const mlx_array x, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_to_fp8(capi_in(x)));
}

int mlx_from_fp8(mlx_array *res, const mlx_array x, mlx_dtype dtype, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_from_fp8(capi_in(x), capi_dtype(dtype)));
}
