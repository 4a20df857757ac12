/* Elementwise ops: promote the operands to one dtype and make the node; the kernels broadcast by strides. The
 * ops themselves are the rows of mx_unary.def and mx_binary.def. */
#include "ops/ops.h"

#include "array/dtype.h"

enum unary_kind { UNARY_ANY, UNARY_FLOAT, UNARY_BOOLEAN };
enum binary_kind { BINARY_SAME, BINARY_FLOAT, BINARY_COMPARE, BINARY_LOGICAL };

static mlx_array unary(int prim, enum unary_kind kind, mlx_array x)
{
    if (kind == UNARY_FLOAT)
        x = op_to_float(x);
    else if (kind == UNARY_BOOLEAN)
        x = mx_astype(x, MLX_BOOL);
    return prim_make(prim, &x, 1, NULL, 0);
}

static mlx_array binary(int prim, enum binary_kind kind, mlx_array a, mlx_array b)
{
    if (mx_is_null(a) || mx_is_null(b))
        return MX_NULL;
    mlx_dtype t = mx_promote(mx_dtype_of(a), mx_dtype_of(b));
    if (kind == BINARY_FLOAT)
        t = dtype_at_least_float(t);
    else if (kind == BINARY_LOGICAL)
        t = MLX_BOOL;
    mlx_array in[2] = {mx_astype(a, t), mx_astype(b, t)};
    return prim_make(prim, in, 2, NULL, 0);
}

#define UNARY(name, Prim, kind, ...) \
    mlx_array mx_##name(mlx_array x) { return unary(PRIM_##Prim, UNARY_##kind, x); }
#include "mx_unary.def"
#undef UNARY

#define BINARY(name, Prim, kind, ...) \
    mlx_array mx_##name(mlx_array a, mlx_array b) { return binary(PRIM_##Prim, BINARY_##kind, a, b); }
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
