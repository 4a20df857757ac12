/** @file
 * Functions as values: a C function, a payload and its destructor. */
#ifndef MLX_C_CLOSURE_H
#define MLX_C_CLOSURE_H

#include "mlx/c/array.h"
#include "mlx/c/map.h"
#include "mlx/c/optional.h"
#include "mlx/c/stream.h"
#include "mlx/c/vector.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/** A function from arrays to arrays. */
typedef struct mlx_closure_ {
    void *ctx;
} mlx_closure;

/** A function from arrays by position and by name to arrays. */
typedef struct mlx_closure_kwargs_ {
    void *ctx;
} mlx_closure_kwargs;

/** A function to values and gradients. */
typedef struct mlx_closure_value_and_grad_ {
    void *ctx;
} mlx_closure_value_and_grad;

/** A rule for vjps. */
typedef struct mlx_closure_custom_ {
    void *ctx;
} mlx_closure_custom;

/** A rule for jvps. */
typedef struct mlx_closure_custom_jvp_ {
    void *ctx;
} mlx_closure_custom_jvp;

/** A rule for vmaps. */
typedef struct mlx_closure_custom_vmap_ {
    void *ctx;
} mlx_closure_custom_vmap;

/** The empty handle. */
mlx_closure mlx_closure_new(void);

/** Drops a handle. The payload's destructor runs with the last one, which may be a graph's. */
int mlx_closure_free(mlx_closure cls);

/** A closure of a C function: fun(&out, in) fills out, which starts empty and is taken over by the library,
 * and borrows in; it returns 0, or anything else to make the caller fail. */
mlx_closure mlx_closure_new_func(int (*fun)(mlx_vector_array *, const mlx_vector_array));

/** The same with a payload that is passed to every call. dtor(payload) (may be NULL) runs once, when the
 * last share of the closure goes: perhaps long after mlx_closure_free and on another thread, for graphs
 * and compiled functions keep shares. */
mlx_closure mlx_closure_new_func_payload(int (*fun)(mlx_vector_array *, const mlx_vector_array, void *),
                                         void *payload, void (*dtor)(void *));

/** *cls shares src's function. */
int mlx_closure_set(mlx_closure *cls, const mlx_closure src);

/** Calls the closure; *res becomes its outputs. */
int mlx_closure_apply(mlx_vector_array *res, mlx_closure cls, const mlx_vector_array input);

/** A closure of a function from one array to one array. */
mlx_closure mlx_closure_new_unary(int (*fun)(mlx_array *, const mlx_array));

/** The empty handle. */
mlx_closure_kwargs mlx_closure_kwargs_new(void);

/** Drops a handle; see mlx_closure_free. */
int mlx_closure_kwargs_free(mlx_closure_kwargs cls);

/** A closure of a function of arrays by position and arrays by name. */
mlx_closure_kwargs mlx_closure_kwargs_new_func(int (*fun)(mlx_vector_array *, const mlx_vector_array,
                                                          const mlx_map_string_to_array));

/** The same with a payload; see mlx_closure_new_func_payload. */
mlx_closure_kwargs mlx_closure_kwargs_new_func_payload(int (*fun)(mlx_vector_array *, const mlx_vector_array,
                                                                  const mlx_map_string_to_array, void *),
                                                       void *payload, void (*dtor)(void *));

/** *cls shares src's function. */
int mlx_closure_kwargs_set(mlx_closure_kwargs *cls, const mlx_closure_kwargs src);

/** Calls it; *res becomes its outputs. */
int mlx_closure_kwargs_apply(mlx_vector_array *res, mlx_closure_kwargs cls, const mlx_vector_array input_0,
                             const mlx_map_string_to_array input_1);

/** The empty handle. */
mlx_closure_value_and_grad mlx_closure_value_and_grad_new(void);

/** Drops a handle; see mlx_closure_free. */
int mlx_closure_value_and_grad_free(mlx_closure_value_and_grad cls);

/** A closure of a function with two results: values and gradients. */
mlx_closure_value_and_grad mlx_closure_value_and_grad_new_func(int (*fun)(mlx_vector_array *,
                                                                          mlx_vector_array *,
                                                                          const mlx_vector_array));

/** The same with a payload; see mlx_closure_new_func_payload. */
mlx_closure_value_and_grad mlx_closure_value_and_grad_new_func_payload(
    int (*fun)(mlx_vector_array *, mlx_vector_array *, const mlx_vector_array, void *), void *payload,
    void (*dtor)(void *));

/** *cls shares src's function. */
int mlx_closure_value_and_grad_set(mlx_closure_value_and_grad *cls, const mlx_closure_value_and_grad src);

/** *res_0 becomes all outputs of the function, *res_1 one gradient for each of the argnums. */
int mlx_closure_value_and_grad_apply(mlx_vector_array *res_0, mlx_vector_array *res_1,
                                     mlx_closure_value_and_grad cls, const mlx_vector_array input);

/** The empty handle. */
mlx_closure_custom mlx_closure_custom_new(void);

/** Drops a handle; see mlx_closure_free. */
int mlx_closure_custom_free(mlx_closure_custom cls);

/** A rule for vjps: (primals, cotangents, outputs) to one cotangent a primal. */
mlx_closure_custom mlx_closure_custom_new_func(int (*fun)(mlx_vector_array *, const mlx_vector_array,
                                                          const mlx_vector_array, const mlx_vector_array));

/** The same with a payload; see mlx_closure_new_func_payload. */
mlx_closure_custom mlx_closure_custom_new_func_payload(int (*fun)(mlx_vector_array *, const mlx_vector_array,
                                                                  const mlx_vector_array,
                                                                  const mlx_vector_array, void *),
                                                       void *payload, void (*dtor)(void *));

/** *cls shares src's function. */
int mlx_closure_custom_set(mlx_closure_custom *cls, const mlx_closure_custom src);

/** Calls the rule. */
int mlx_closure_custom_apply(mlx_vector_array *res, mlx_closure_custom cls, const mlx_vector_array input_0,
                             const mlx_vector_array input_1, const mlx_vector_array input_2);

/** The empty handle. */
mlx_closure_custom_jvp mlx_closure_custom_jvp_new(void);

/** Drops a handle; see mlx_closure_free. */
int mlx_closure_custom_jvp_free(mlx_closure_custom_jvp cls);

/** A rule for jvps: (primals, tangents, argnums) to one tangent an output; there is one tangent for each of
 * the `_num` argnums. */
mlx_closure_custom_jvp mlx_closure_custom_jvp_new_func(int (*fun)(mlx_vector_array *, const mlx_vector_array,
                                                                  const mlx_vector_array, const int *,
                                                                  size_t _num));

/** The same with a payload; see mlx_closure_new_func_payload. */
mlx_closure_custom_jvp
mlx_closure_custom_jvp_new_func_payload(int (*fun)(mlx_vector_array *, const mlx_vector_array,
                                                   const mlx_vector_array, const int *, size_t _num, void *),
                                        void *payload, void (*dtor)(void *));

/** *cls shares src's function. */
int mlx_closure_custom_jvp_set(mlx_closure_custom_jvp *cls, const mlx_closure_custom_jvp src);

/** Calls the rule. */
int mlx_closure_custom_jvp_apply(mlx_vector_array *res, mlx_closure_custom_jvp cls,
                                 const mlx_vector_array input_0, const mlx_vector_array input_1,
                                 const int *input_2, size_t input_2_num);

/** The empty handle. */
mlx_closure_custom_vmap mlx_closure_custom_vmap_new(void);

/** Drops a handle; see mlx_closure_free. */
int mlx_closure_custom_vmap_free(mlx_closure_custom_vmap cls);

/** A rule for vmaps: (inputs, their mapped axes, -1 = not mapped) to outputs and their mapped axes. */
mlx_closure_custom_vmap mlx_closure_custom_vmap_new_func(int (*fun)(mlx_vector_array *, mlx_vector_int *,
                                                                    const mlx_vector_array, const int *,
                                                                    size_t _num));

/** The same with a payload; see mlx_closure_new_func_payload. */
mlx_closure_custom_vmap
mlx_closure_custom_vmap_new_func_payload(int (*fun)(mlx_vector_array *, mlx_vector_int *,
                                                    const mlx_vector_array, const int *, size_t _num, void *),
                                         void *payload, void (*dtor)(void *));

/** *cls shares src's function. */
int mlx_closure_custom_vmap_set(mlx_closure_custom_vmap *cls, const mlx_closure_custom_vmap src);

/** Calls the rule; *res_0 becomes the outputs, *res_1 their axes. */
int mlx_closure_custom_vmap_apply(mlx_vector_array *res_0, mlx_vector_int *res_1, mlx_closure_custom_vmap cls,
                                  const mlx_vector_array input_0, const int *input_1, size_t input_1_num);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
