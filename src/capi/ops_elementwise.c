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
UNARY(ceil)
UNARY(cos)
UNARY(erf)
UNARY(erfinv)
UNARY(exp)
UNARY(floor)
UNARY(log)
UNARY(log1p)
UNARY(logical_not)
UNARY(negative)
UNARY(reciprocal)
UNARY(rsqrt)
UNARY(sigmoid)
UNARY(sign)
UNARY(sin)
UNARY(sqrt)
UNARY(square)
UNARY(tanh)

/* BINARY(name): mlx_<name> is mx_<name> of two arrays. */
#define BINARY(name)                                                                         \
    int mlx_##name(mlx_array *res, const mlx_array a, const mlx_array b, const mlx_stream s) \
    {                                                                                        \
        size_t mark = capi_enter(s);                                                         \
        return LEAVE(mark, res, mx_##name(capi_in(a), capi_in(b)));                          \
    }

BINARY(add)
BINARY(divide)
BINARY(equal)
BINARY(greater)
BINARY(greater_equal)
BINARY(less)
BINARY(less_equal)
BINARY(logical_and)
BINARY(logical_or)
BINARY(maximum)
BINARY(minimum)
BINARY(multiply)
BINARY(not_equal)
BINARY(power)
BINARY(subtract)

int mlx_where(mlx_array *res, const mlx_array condition, const mlx_array x, const mlx_array y,
              const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_where(capi_in(condition), capi_in(x), capi_in(y)));
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
