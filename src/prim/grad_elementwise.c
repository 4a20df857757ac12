/* Gradients of elementwise primitives: one row each, as an expression of the input x (or a and b), the result
 * y and the cotangent g. A row of mx_unary.def or mx_binary.def that says GRAD and has none here does not
 * link.
 *
 * A complex function has the gradient that its two real parts have: for f differentiable in the complex sense
 * what flows on is g * conj(f'(x)). All rows are built from functions that are real on the real axis, for
 * which conj(f(x)) = f(conj(x)); so rows are given the conjugates of x, a, b and y, and need not care. (The
 * conjugate of a real array is the array itself, no node is made.)
 *
 * Where two branches meet, the choice is MLX's: equal operands of maximum and minimum give everything to b.
 */
#include "prim/grad.h"

#include <math.h>

#define UNARY_GRAD(name, expression)                                                                 \
    void grad_##name(const grad_args *args, mlx_array *grads)                                        \
    {                                                                                                \
        mlx_array x = mx_conjugate(args->in[0]), y = mx_conjugate(args->out[0]), g = args->given[0]; \
        (void)x, (void)y;                                                                            \
        grads[0] = expression;                                                                       \
    }

#define BINARY_GRAD(name, to_a, to_b)                                           \
    void grad_##name(const grad_args *args, mlx_array *grads)                   \
    {                                                                           \
        mlx_array a = mx_conjugate(args->in[0]), b = mx_conjugate(args->in[1]); \
        mlx_array y = mx_conjugate(args->out[0]), g = args->given[0];           \
        (void)a, (void)b, (void)y;                                              \
        if (args->wanted[0])                                                    \
            grads[0] = to_a;                                                    \
        if (args->wanted[1])                                                    \
            grads[1] = to_b;                                                    \
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

/* s + x^2 */
static mlx_array plus_square(double s, mlx_array x) { return mx_add(grad_number(s, x), mx_square(x)); }

/* x + s */
static mlx_array plus(mlx_array x, double s) { return mx_add(x, grad_number(s, x)); }

/* The direction of x, 0 for 0; of complex numbers in a form that has a derivative of its own. */
static mlx_array direction(mlx_array x, mlx_array size)
{
    if (mx_dtype_of(x) != MLX_COMPLEX64)
        return mx_sign(x);
    return mx_divide(x, mx_where(mx_equal(size, grad_number(0, size)), grad_number(1, size), size));
}

static mlx_array turned(mlx_array g)
{
    return mx_multiply(g, mx_from((float[]){0, 1}, NULL, 0, MLX_COMPLEX64));
}

/* The share of a in log(e^a + e^b). */
static mlx_array share(mlx_array a, mlx_array b, mlx_array y)
{
    return mx_dtype_of(a) == MLX_COMPLEX64 ? mx_exp(mx_subtract(a, y)) : mx_sigmoid(mx_subtract(a, b));
}

UNARY_GRAD(abs, mx_multiply(g, direction(args->in[0], y)))
UNARY_GRAD(real, g)
UNARY_GRAD(imag, turned(g))
UNARY_GRAD(conjugate, mx_conjugate(g))
UNARY_GRAD(negative, mx_negative(g))
UNARY_GRAD(square, mx_multiply(g, grad_times(x, 2)))
UNARY_GRAD(sqrt, mx_divide(grad_times(g, 0.5), y))
UNARY_GRAD(rsqrt, mx_multiply(grad_times(g, -0.5), mx_multiply(y, mx_square(y))))
UNARY_GRAD(reciprocal, mx_negative(mx_multiply(g, mx_square(y))))
UNARY_GRAD(exp, mx_multiply(g, y))
UNARY_GRAD(expm1, mx_multiply(g, plus(y, 1)))
UNARY_GRAD(log, mx_divide(g, x))
UNARY_GRAD(log2, mx_divide(grad_times(g, 1 / log(2)), x))
UNARY_GRAD(log10, mx_divide(grad_times(g, 1 / log(10)), x))
UNARY_GRAD(log1p, mx_divide(g, one_plus(1, x)))
UNARY_GRAD(sin, mx_multiply(g, mx_cos(x)))
UNARY_GRAD(cos, mx_negative(mx_multiply(g, mx_sin(x))))
UNARY_GRAD(tan, mx_multiply(g, plus_square(1, y)))
UNARY_GRAD(arcsin, mx_multiply(g, mx_rsqrt(one_plus(-1, mx_square(x)))))
UNARY_GRAD(arccos, mx_negative(mx_multiply(g, mx_rsqrt(one_plus(-1, mx_square(x))))))
UNARY_GRAD(arctan, mx_divide(g, plus_square(1, x)))
UNARY_GRAD(sinh, mx_multiply(g, mx_cosh(x)))
UNARY_GRAD(cosh, mx_multiply(g, mx_sinh(x)))
UNARY_GRAD(tanh, mx_multiply(g, one_plus(-1, mx_square(y))))
UNARY_GRAD(arcsinh, mx_multiply(g, mx_rsqrt(plus_square(1, x))))
UNARY_GRAD(arccosh, mx_multiply(g, mx_multiply(mx_rsqrt(plus(x, -1)), mx_rsqrt(plus(x, 1)))))
UNARY_GRAD(arctanh, mx_divide(g, one_plus(-1, mx_square(x))))
UNARY_GRAD(sigmoid, mx_multiply(g, mx_multiply(y, one_plus(-1, y))))
UNARY_GRAD(erf, mx_multiply(grad_times(g, 2 / sqrt(acos(-1))), mx_exp(mx_negative(mx_square(x)))))
UNARY_GRAD(erfinv, mx_multiply(grad_times(g, sqrt(acos(-1)) / 2), mx_exp(mx_square(y))))

BINARY_GRAD(add, g, g)
BINARY_GRAD(subtract, g, mx_negative(g))
BINARY_GRAD(multiply, mx_multiply(g, b), mx_multiply(g, a))
BINARY_GRAD(divide, mx_divide(g, b), mx_negative(mx_divide(mx_multiply(g, y), b)))
BINARY_GRAD(maximum, only(mx_greater(args->in[0], args->in[1]), g),
            only(mx_less_equal(args->in[0], args->in[1]), g))
BINARY_GRAD(minimum, only(mx_less(args->in[0], args->in[1]), g),
            only(mx_greater_equal(args->in[0], args->in[1]), g))
BINARY_GRAD(power, mx_multiply(g, mx_multiply(b, mx_power(a, plus(b, -1)))),
            unless_zero(a, mx_multiply(g, mx_multiply(mx_log(a), y))))
BINARY_GRAD(arctan2, mx_divide(mx_multiply(g, b), mx_add(mx_square(a), mx_square(b))),
            mx_negative(mx_divide(mx_multiply(g, a), mx_add(mx_square(a), mx_square(b)))))
BINARY_GRAD(logaddexp, mx_multiply(g, share(a, b, y)), mx_multiply(g, share(b, a, y)))
BINARY_GRAD(remainder, g, mx_negative(mx_multiply(g, mx_floor(mx_divide(a, b)))))

void grad_select(const grad_args *a, mlx_array *grads)
{
    mlx_array g = a->given[0], zero = grad_number(0, g);
    if (a->wanted[1])
        grads[1] = mx_where(a->in[0], g, zero);
    if (a->wanted[2])
        grads[2] = mx_where(a->in[0], zero, g);
}
