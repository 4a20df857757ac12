/* Transforms of functions. */
#ifndef MX_TRANSFORMS_H
#define MX_TRANSFORMS_H

#include "mx/function.h"

/* --- transforms --- */

/* A function that transforms are given: makes out from in as mx_ expressions; how many there are is between
 * the caller and it. 0, or anything else with an error pending. It may evaluate and look at values: that does
 * not cut gradients. */
typedef int (*mx_function)(void *user, const mlx_array *in, mlx_array *out);

/* outputs[0..m) = f(primals[0..n)), and vjps[i] = the gradient of the sum of cotangents * outputs by primal
 * i, of its shape and dtype: zeros where nothing depends on it. A cotangent has its output's shape; null =
 * zeros. What f takes from elsewhere is constant. All results are temporaries; 0, or -1 with an error pending
 * and nulls in the results. Both may be differentiated again, by a call inside f. */
MX_API int mx_vjp(mx_function f, void *user, const mlx_array *primals, size_t n, const mlx_array *cotangents,
                  size_t m, mlx_array *outputs, mlx_array *vjps);
/* values[0..m) = f(in[0..n)) and grads[i] = the gradient of values[0], which must be a scalar, by in[i]. The
 * other values come along, and no gradient flows through them. */
MX_API int mx_value_and_grad(mx_function f, void *user, const mlx_array *in, size_t n, mlx_array *values,
                             size_t m, mlx_array *grads);

/* jvps[0..m) = the derivatives of outputs[0..m) = f(primals[0..n)) along the tangents, of the outputs' shapes
 * and dtypes. A tangent has its primal's shape; null = zeros. */
MX_API int mx_jvp(mx_function f, void *user, const mlx_array *primals, size_t n, const mlx_array *tangents,
                  size_t m, mlx_array *outputs, mlx_array *jvps);

/* The same for functions that return as many arrays as they like: outputs (values) and jvps are added to
 * lists. */
MX_API int mx_vjp_list(mx_list_function f, void *user, const mlx_array *primals, size_t n,
                       const mlx_array *cotangents, size_t m, mx_arrays *outputs, mlx_array *vjps);
MX_API int mx_jvp_list(mx_list_function f, void *user, const mlx_array *primals, size_t n,
                       const mlx_array *tangents, size_t n_tangents, mx_arrays *outputs, mx_arrays *jvps);
MX_API int mx_grad_list(mx_list_function f, void *user, const mlx_array *in, size_t n, mx_arrays *values,
                        mlx_array *grads);

#endif
