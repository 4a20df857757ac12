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

/* The rules of a function for transforms: what is NULL follows from what `fun` does. Rules add their results
 * as temporaries and return 0, or anything else with an error pending. */
typedef struct mx_custom_rules {
    mx_list_function fun;
    /* A gradient for each of n primals. */
    int (*vjp)(void *user, const mlx_array *primals, size_t n, const mlx_array *cotangents,
               const mlx_array *outputs, size_t m, mx_arrays *grads);
    /* The derivative of each output, along `count` tangents of the primals argnums[0..count). */
    int (*jvp)(void *user, const mlx_array *primals, size_t n, const mlx_array *tangents, const int *argnums,
               size_t count, mx_arrays *derivatives);
    /* m outputs, with the mapped axis at out_axes[i] (-1: without), where in[i] has it at axes[i] (-1). */
    int (*vmap)(void *user, const mlx_array *in, const int *axes, size_t n, mx_arrays *out, int *out_axes,
                size_t m);
    bool checkpoint; /* gradients run fun again, so that nothing that it computes is kept for them */
    void *user;
    void (*release)(void *user); /* or NULL: on the last use, by any thread */
} mx_custom_rules;

/* A function with such rules. It lives until it is freed and no graph needs it any more. NULL with an error;
 * then `user` is released. */
typedef struct mx_custom mx_custom;
MX_API mx_custom *mx_custom_new(const mx_custom_rules *rules);
MX_API void mx_custom_free(mx_custom *custom);
/* Calls it: a mx_list_function whose `user` is the mx_custom. */
MX_API int mx_custom_call(void *custom, const mlx_array *in, size_t n, mx_arrays *out);

/* out[0..m) = f mapped over axis in_axes[i] of in[i] (-1: the array is the same for all entries), with the
 * results of all entries along axis out_axes[i] of out[i]. f sees arrays without the axis and may not look at
 * their values. Mapped axes are of one size. 0, or -1 with an error pending and nulls in out. */
MX_API int mx_vmap(mx_function f, void *user, const mlx_array *in, size_t n, const int *in_axes,
                   mlx_array *out, size_t m, const int *out_axes);
/* The halves of it. Runs f once; adds what it was called with to s_in (placeholders, or in[i] itself where it
 * is not mapped) and what it returned to s_out. 0, or -1 with an error. */
MX_API int mx_vmap_trace(mx_list_function f, void *user, const mlx_array *in, size_t n, const int *in_axes,
                         mx_arrays *s_in, mx_arrays *s_out);
/* out[0..m) = the traced graph over the real inputs. out_axes[i] -1: output i as it is, for one that no
 * mapped input leads to. 0, or -1 with an error and nulls in out. */
MX_API int mx_vmap_replace(const mlx_array *in, const mlx_array *s_in, size_t n, const mlx_array *s_out,
                           size_t m, const int *in_axes, const int *out_axes, mlx_array *out);

#endif
