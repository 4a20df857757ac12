/** @file
 * Evaluation and transforms of functions. */
#ifndef MLX_C_TRANSFORMS_H
#define MLX_C_TRANSFORMS_H

#include "mlx/c/array.h"
#include "mlx/c/closure.h"
#include "mlx/c/vector.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/** Starts computing the outputs; who reads them waits. */
int mlx_async_eval(const mlx_vector_array outputs);

/** *res becomes fun, whose intermediates are computed again for gradients instead of being kept. */
int mlx_checkpoint(mlx_closure *res, const mlx_closure fun);

/** *res becomes fun with its own rules for transforms; a rule that is empty comes from fun. */
int mlx_custom_function(mlx_closure *res, const mlx_closure fun,
                        const mlx_closure_custom fun_vjp /* may be null */,
                        const mlx_closure_custom_jvp fun_jvp /* may be null */,
                        const mlx_closure_custom_vmap fun_vmap /* may be null */);

/** mlx_custom_function with a rule for vjps alone. */
int mlx_custom_vjp(mlx_closure *res, const mlx_closure fun, const mlx_closure_custom fun_vjp);

/** Computes all outputs and waits for them. */
int mlx_eval(const mlx_vector_array outputs);

/** *res_0 = fun(primals), *res_1 = the tangents of its outputs for one tangent a primal, of its shape. */
int mlx_jvp(mlx_vector_array *res_0, mlx_vector_array *res_1, const mlx_closure fun,
            const mlx_vector_array primals, const mlx_vector_array tangents);

/** *res becomes a function that gives fun's outputs and the gradients of the first of them, a scalar, by
 * the inputs that argnums lists. */
int mlx_value_and_grad(mlx_closure_value_and_grad *res, const mlx_closure fun, const int *argnums,
                       size_t argnums_num);

/** *res_0 = fun(primals), *res_1 = one cotangent a primal (zeros where nothing depends on it) for one
 * cotangent an output, of its shape. */
int mlx_vjp(mlx_vector_array *res_0, mlx_vector_array *res_1, const mlx_closure fun,
            const mlx_vector_array primals, const mlx_vector_array cotangents);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
