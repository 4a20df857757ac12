/* Elementwise ops: promote the operands to one dtype and make the node; the kernels broadcast by strides. The
 * ops themselves are the rows of mx_unary.def and mx_binary.def. */
#include "ops/ops.h"

#include "array/dtype.h"

enum unary_kind { UNARY_ANY, UNARY_FLOAT, UNARY_BOOLEAN, UNARY_INTEGER, UNARY_SIZE, UNARY_PART, UNARY_TURN };
enum binary_kind {
    BINARY_SAME,
    BINARY_FLOAT,
    BINARY_COMPARE,
    BINARY_LOGICAL,
    BINARY_WHOLE,
    BINARY_BITS,
    BINARY_SHIFT
};
enum domain { DOMAIN_REAL, DOMAIN_COMPLEX };

static mlx_array refuse(const char *op, mlx_dtype t)
{
    return op_fail("[%s] is not defined for %s", op, mx_dtype_name(t));
}

/* Is the function of x another one, or x itself? Then *y is it, or null with an error. */
static bool unary_is_plain(const char *op, int prim, enum unary_kind kind, mlx_array x, mlx_array *y)
{
    dtype_kind t = dtype_kind_of(mx_dtype_of(x));
    *y = x;
    if (prim == PRIM_Negative && t == DTYPE_BOOLEAN)
        *y = op_fail("[negative] is not defined for bool, logical_not is");
    else if (kind == UNARY_INTEGER && t == DTYPE_BOOLEAN)
        *y = mx_logical_not(x);
    else if (kind == UNARY_INTEGER && (t == DTYPE_FLOATING || t == DTYPE_COMPLEX))
        *y = refuse(op, mx_dtype_of(x));
    else if (prim == PRIM_Imag && t != DTYPE_COMPLEX)
        *y = mx_zeros(mx_shape(x), (size_t)mx_ndim(x), mx_dtype_of(x));
    else
        return (kind == UNARY_PART || kind == UNARY_TURN) && t != DTYPE_COMPLEX;
    return true;
}

static mlx_array unary(const char *op, int prim, enum unary_kind kind, enum domain domain, mlx_array x)
{
    mlx_array plain;
    if (mx_is_null(x) || unary_is_plain(op, prim, kind, x, &plain))
        return mx_is_null(x) ? x : plain;
    if (kind == UNARY_FLOAT)
        x = op_to_float(x);
    else if (kind == UNARY_BOOLEAN)
        x = mx_astype(x, MLX_BOOL);
    if (domain == DOMAIN_REAL && mx_dtype_of(x) == MLX_COMPLEX64)
        return refuse(op, MLX_COMPLEX64);
    return prim_make(prim, &x, 1, NULL, 0);
}

static mlx_array binary(const char *op, int prim, enum binary_kind kind, enum domain domain, mlx_array a,
                        mlx_array b)
{
    if (mx_is_null(a) || mx_is_null(b))
        return MX_NULL;
    mlx_dtype t = mx_promote(mx_dtype_of(a), mx_dtype_of(b));
    bool inexact = dtype_at_least_float(t) == t;
    if (kind == BINARY_FLOAT)
        t = dtype_at_least_float(t);
    else if (kind == BINARY_LOGICAL)
        t = MLX_BOOL;
    else if (kind == BINARY_SHIFT && t == MLX_BOOL)
        t = MLX_UINT8;
    if ((domain == DOMAIN_REAL && t == MLX_COMPLEX64) ||
        (inexact && (kind == BINARY_BITS || kind == BINARY_SHIFT)))
        return refuse(op, t);
    if (inexact && kind == BINARY_WHOLE)
        return mx_floor(mx_divide(a, b));
    mlx_array in[2] = {mx_astype(a, t), mx_astype(b, t)};
    return prim_make(prim, in, 2, NULL, 0);
}

#define UNARY(name, Prim, kind, domain, ...) \
    mlx_array mx_##name(mlx_array x) { return unary(#name, PRIM_##Prim, UNARY_##kind, DOMAIN_##domain, x); }
#include "mx_unary.def"
#undef UNARY

#define BINARY(name, Prim, kind, domain, ...)                                    \
    mlx_array mx_##name(mlx_array a, mlx_array b)                                \
    {                                                                            \
        return binary(#name, PRIM_##Prim, BINARY_##kind, DOMAIN_##domain, a, b); \
    }
#include "mx_binary.def"
#undef BINARY

mlx_array mx_where(mlx_array condition, mlx_array a, mlx_array b)
{
    if (mx_is_null(condition) || mx_is_null(a) || mx_is_null(b))
        return MX_NULL;
    mlx_dtype t = mx_promote(mx_dtype_of(a), mx_dtype_of(b));
    mlx_array in[3] = {mx_astype(condition, MLX_BOOL), mx_astype(a, t), mx_astype(b, t)};
    return prim_make(PRIM_Select, in, 3, NULL, 0);
}

mlx_array mx_astype(mlx_array x, mlx_dtype dtype)
{
    prim_dtype params = {(int32_t)dtype};
    if (mx_is_null(x) || mx_dtype_of(x) == dtype)
        return x;
    return prim_make(PRIM_AsType, &x, 1, &params, sizeof params);
}
