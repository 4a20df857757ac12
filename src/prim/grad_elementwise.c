/* Gradients of elementwise primitives: one row each, as an expression of the input x (or a and b), the result
 * y and the cotangent g. A row of mx_unary.def or mx_binary.def that says GRAD and has none here does not
 * link.
 *
 * Where two branches meet, the choice is MLX's: equal operands of maximum and minimum give everything to b.
 */
#include "prim/grad.h"

#include <math.h>

#define UNARY_GRAD(name, expression)                                     \
    void grad_##name(const grad_args *args, mlx_array *grads)            \
    {                                                                    \
        mlx_array x = args->in[0], y = args->out[0], g = args->given[0]; \
        (void)x, (void)y;                                                \
        grads[0] = expression;                                           \
    }

#define BINARY_GRAD(name, to_a, to_b)                                                     \
    void grad_##name(const grad_args *args, mlx_array *grads)                             \
    {                                                                                     \
        mlx_array a = args->in[0], b = args->in[1], y = args->out[0], g = args->given[0]; \
        (void)a, (void)b, (void)y;                                                        \
        if (args->wanted[0])                                                              \
            grads[0] = to_a;                                                              \
        if (args->wanted[1])                                                              \
            grads[1] = to_b;                                                              \
    }

/* 1 + s * x */
static mlx_array one_plus(double s, mlx_array x) { return mx_add(grad_number(1, x), grad_times(x, s)); }

/* g where the condition holds, else 0. */
static mlx_array only(mlx_array condition, mlx_array g) { return mx_where(condition, g, grad_number(0, g)); }

/* 0 where x is 0, else what is given. */
static mlx_array unless_zero(mlx_array x, mlx_array given)
{
    return mx_where(mx_equal(x, grad_number(0, x)), grad_number(0, given), given);
}

UNARY_GRAD(abs, mx_multiply(g, mx_sign(x)))
UNARY_GRAD(negative, mx_negative(g))
UNARY_GRAD(square, mx_multiply(g, grad_times(x, 2)))
UNARY_GRAD(sqrt, mx_divide(grad_times(g, 0.5), y))
UNARY_GRAD(rsqrt, mx_multiply(grad_times(g, -0.5), mx_multiply(y, mx_square(y))))
UNARY_GRAD(reciprocal, mx_negative(mx_multiply(g, mx_square(y))))
UNARY_GRAD(exp, mx_multiply(g, y))
UNARY_GRAD(log, mx_divide(g, x))
UNARY_GRAD(log1p, mx_divide(g, one_plus(1, x)))
UNARY_GRAD(sin, mx_multiply(g, mx_cos(x)))
UNARY_GRAD(cos, mx_negative(mx_multiply(g, mx_sin(x))))
UNARY_GRAD(tanh, mx_multiply(g, one_plus(-1, mx_square(y))))
UNARY_GRAD(sigmoid, mx_multiply(g, mx_multiply(y, one_plus(-1, y))))
UNARY_GRAD(erf, mx_multiply(grad_times(g, 2 / sqrt(acos(-1))), mx_exp(mx_negative(mx_square(x)))))
UNARY_GRAD(erfinv, mx_multiply(grad_times(g, sqrt(acos(-1)) / 2), mx_exp(mx_square(y))))

BINARY_GRAD(add, g, g)
BINARY_GRAD(subtract, g, mx_negative(g))
BINARY_GRAD(multiply, mx_multiply(g, b), mx_multiply(g, a))
BINARY_GRAD(divide, mx_divide(g, b), mx_negative(mx_divide(mx_multiply(g, y), b)))
BINARY_GRAD(maximum, only(mx_greater(a, b), g), only(mx_less_equal(a, b), g))
BINARY_GRAD(minimum, only(mx_less(a, b), g), only(mx_greater_equal(a, b), g))
BINARY_GRAD(power, mx_multiply(g, mx_multiply(b, mx_power(a, mx_subtract(b, grad_number(1, b))))),
            unless_zero(a, mx_multiply(g, mx_multiply(mx_log(a), y))))

void grad_select(const grad_args *a, mlx_array *grads)
{
    mlx_array g = a->given[0], zero = grad_number(0, g);
    if (a->wanted[1])
        grads[1] = mx_where(a->in[0], g, zero);
    if (a->wanted[2])
        grads[2] = mx_where(a->in[0], zero, g);
}
