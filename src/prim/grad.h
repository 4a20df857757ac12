/* Reverse mode, one primitive at a time: grad_<vjp> of each row of prim.def.
 *
 * A gradient function is given a node and what flows into its results, and says what flows on to its inputs,
 * as mx_ expressions; so gradients are differentiable in turn. Three things it need not care for. Shapes: a
 * gradient that broadcasts to its input's shape is repeated, one that the input broadcasts to is summed.
 * Dtypes: a gradient is cast to its input's dtype. Errors: an expression that fails leaves the error pending,
 * and transforms/grad.c stops there. It may not look at values: nothing is computed yet. */
#ifndef MICA_PRIM_GRAD_H
#define MICA_PRIM_GRAD_H

#include "prim/prim.h"

typedef struct grad_args {
    const node *n;
    const mlx_array *in;    /* its inputs */
    const mlx_array *out;   /* its results */
    const mlx_array *given; /* the cotangent of each result; null = zero, but not all are */
    const bool *wanted;     /* for each input: does its gradient matter? */
} grad_args;

/* Each sets grads[i], null at first, of the wanted inputs; what stays null is zero. All results are
 * temporaries. */
#define PRIM(name, arity, rule, vjp, ...) void grad_##vjp(const grad_args *a, mlx_array *grads);
#include "prim/prim.def"
#undef PRIM
/* Records "[vjp] Name has no derivative yet". */
void grad_none(const grad_args *a, mlx_array *grads);
void grad_zero(const grad_args *a, mlx_array *grads);

/* The first pass of forward mode begins (+1) or ends (-1) on this thread: what gradients are made now is
 * asked for the sake of derivatives along tangents. Returns how many run now. */
int grad_forward(int change);

/* g as a gradient of x: summed over the axes that x repeats, repeated over those that it lacks, in x's dtype.
 */
mlx_array grad_fit(mlx_array g, const node *x);
/* v, 0-d, in the dtype of `like`. */
mlx_array grad_number(double v, mlx_array like);
/* x * v */
mlx_array grad_times(mlx_array x, double v);
/* Zeros of x's shape and dtype. */
mlx_array grad_zeros(mlx_array x);
/* For products of matrices that index arrays pick: the gradient of x (the picked left sides) when those of
 * the pairs, in lhs's order, are g. */
mlx_array grad_gathered_left(mlx_array x, mlx_array g, mlx_array lhs);
/* And that of the `count` right sides: the sum over the pairs of each of x[lhs]^T g, (count, K, N). */
mlx_array grad_gathered_right(mlx_array x, mlx_array g, mlx_array lhs, mlx_array rhs, int count);
/* The sum over the last axis, which stays with size 1. */
mlx_array grad_sum_last(mlx_array x);

#endif
