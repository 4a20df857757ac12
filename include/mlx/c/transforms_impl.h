/** @file
 * The parts of vmap. */
#ifndef MLX_C_TRANSFORMS_IMPL_H
#define MLX_C_TRANSFORMS_IMPL_H

#include "mlx/c/array.h"
#include "mlx/c/closure.h"
#include "mlx/c/vector.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/** Runs what mlx_detail_vmap_trace traced on the real inputs; out_axes says where outputs get the mapped
 * axis (-1 = not mapped). */
int mlx_detail_vmap_replace(mlx_vector_array *res, const mlx_vector_array inputs,
                            const mlx_vector_array s_inputs, const mlx_vector_array s_outputs,
                            const int *in_axes, size_t in_axes_num, const int *out_axes, size_t out_axes_num);

/** Calls fun on placeholders that lack the mapped axes (-1 = not mapped); *res_0 = the placeholders, *res_1
 * = fun's outputs. */
int mlx_detail_vmap_trace(mlx_vector_array *res_0, mlx_vector_array *res_1, const mlx_closure fun,
                          const mlx_vector_array inputs, const int *in_axes, size_t in_axes_num);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
