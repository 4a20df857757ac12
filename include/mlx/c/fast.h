/** @file
 * Fused operations, and kernels from source text. */
#ifndef MLX_C_FAST_H
#define MLX_C_FAST_H

#include "mlx/c/abi.h"
#include "mlx/c/array.h"
#include "mlx/c/optional.h"
#include "mlx/c/stream.h"
#include "mlx/c/vector.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/** How a CUDA kernel is launched. */
typedef struct mlx_fast_cuda_kernel_config_ {
    void *ctx;
} mlx_fast_cuda_kernel_config;

/** A CUDA kernel from source. */
typedef struct mlx_fast_cuda_kernel_ {
    void *ctx;
} mlx_fast_cuda_kernel;

/** How a Metal kernel is launched. */
typedef struct mlx_fast_metal_kernel_config_ {
    void *ctx;
} mlx_fast_metal_kernel_config;

/** A Metal kernel from source. */
typedef struct mlx_fast_metal_kernel_ {
    void *ctx;
} mlx_fast_metal_kernel;

/** How a kernel is launched: outputs, grid, template arguments. Nothing is set at first. */
mlx_fast_cuda_kernel_config mlx_fast_cuda_kernel_config_new(void);

/** Drops it. */
void mlx_fast_cuda_kernel_config_free(mlx_fast_cuda_kernel_config cls);

/** Adds an output of this shape and dtype. */
int mlx_fast_cuda_kernel_config_add_output_arg(mlx_fast_cuda_kernel_config cls, const int *shape, size_t size,
                                               mlx_dtype dtype);

/** Sets the number of threads on three axes. */
int mlx_fast_cuda_kernel_config_set_grid(mlx_fast_cuda_kernel_config cls, int grid1, int grid2, int grid3);

/** Sets the size of a thread group on three axes. */
int mlx_fast_cuda_kernel_config_set_thread_group(mlx_fast_cuda_kernel_config cls, int thread1, int thread2,
                                                 int thread3);

/** Fills the outputs with a value first. */
int mlx_fast_cuda_kernel_config_set_init_value(mlx_fast_cuda_kernel_config cls, float value);

/** Prints the source when it is run. */
int mlx_fast_cuda_kernel_config_set_verbose(mlx_fast_cuda_kernel_config cls, bool verbose);

/** Sets the template argument `name` to a dtype. */
int mlx_fast_cuda_kernel_config_add_template_arg_dtype(mlx_fast_cuda_kernel_config cls, const char *name,
                                                       mlx_dtype dtype);

/** Sets the template argument `name` to a number. */
int mlx_fast_cuda_kernel_config_add_template_arg_int(mlx_fast_cuda_kernel_config cls, const char *name,
                                                     int value);

/** Sets the template argument `name` to a truth value. */
int mlx_fast_cuda_kernel_config_add_template_arg_bool(mlx_fast_cuda_kernel_config cls, const char *name,
                                                      bool value);

/** A kernel from source text. Without CUDA: an error and an empty handle. */
mlx_fast_cuda_kernel mlx_fast_cuda_kernel_new(const char *name, const mlx_vector_string input_names,
                                              const mlx_vector_string output_names, const char *source,
                                              const char *header, bool ensure_row_contiguous,
                                              int shared_memory);

/** Drops it. */
void mlx_fast_cuda_kernel_free(mlx_fast_cuda_kernel cls);

/** Runs the kernel; *outputs becomes its outputs. An error without a CUDA device. */
int mlx_fast_cuda_kernel_apply(mlx_vector_array *outputs, mlx_fast_cuda_kernel cls,
                               const mlx_vector_array inputs, const mlx_fast_cuda_kernel_config config,
                               const mlx_stream stream);

/** (x - mean) / sqrt(var + eps) * weight + bias over the last axis, computed in float32. weight, bias: 1-D,
 * or empty. */
int mlx_fast_layer_norm(mlx_array *res, const mlx_array x, const mlx_array weight /* may be null */,
                        const mlx_array bias /* may be null */, float eps, const mlx_stream s);

/** How a kernel is launched: outputs, grid, template arguments. Nothing is set at first. */
mlx_fast_metal_kernel_config mlx_fast_metal_kernel_config_new(void);

/** Drops it. */
void mlx_fast_metal_kernel_config_free(mlx_fast_metal_kernel_config cls);

/** Adds an output of this shape and dtype. */
int mlx_fast_metal_kernel_config_add_output_arg(mlx_fast_metal_kernel_config cls, const int *shape,
                                                size_t size, mlx_dtype dtype);

/** Sets the number of threads on three axes. */
int mlx_fast_metal_kernel_config_set_grid(mlx_fast_metal_kernel_config cls, int grid1, int grid2, int grid3);

/** Sets the size of a thread group on three axes. */
int mlx_fast_metal_kernel_config_set_thread_group(mlx_fast_metal_kernel_config cls, int thread1, int thread2,
                                                  int thread3);

/** Fills the outputs with a value first. */
int mlx_fast_metal_kernel_config_set_init_value(mlx_fast_metal_kernel_config cls, float value);

/** Prints the source when it is run. */
int mlx_fast_metal_kernel_config_set_verbose(mlx_fast_metal_kernel_config cls, bool verbose);

/** Sets the template argument `name` to a dtype. */
int mlx_fast_metal_kernel_config_add_template_arg_dtype(mlx_fast_metal_kernel_config cls, const char *name,
                                                        mlx_dtype dtype);

/** Sets the template argument `name` to a number. */
int mlx_fast_metal_kernel_config_add_template_arg_int(mlx_fast_metal_kernel_config cls, const char *name,
                                                      int value);

/** Sets the template argument `name` to a truth value. */
int mlx_fast_metal_kernel_config_add_template_arg_bool(mlx_fast_metal_kernel_config cls, const char *name,
                                                       bool value);

/** A kernel from source text. Without Metal it can be made, but not run. */
mlx_fast_metal_kernel mlx_fast_metal_kernel_new(const char *name, const mlx_vector_string input_names,
                                                const mlx_vector_string output_names, const char *source,
                                                const char *header, bool ensure_row_contiguous,
                                                bool atomic_outputs);

/** Drops it. */
void mlx_fast_metal_kernel_free(mlx_fast_metal_kernel cls);

/** Runs the kernel; *outputs becomes its outputs. An error without a Metal device. */
int mlx_fast_metal_kernel_apply(mlx_vector_array *outputs, mlx_fast_metal_kernel cls,
                                const mlx_vector_array inputs, const mlx_fast_metal_kernel_config config,
                                const mlx_stream stream);

/** x / sqrt(mean(x^2) + eps) * weight over the last axis, computed in float32; dtype: promote(x, weight).
 * weight: 1-D, or empty. Floats only. */
int mlx_fast_rms_norm(mlx_array *res, const mlx_array x, const mlx_array weight /* may be null */, float eps,
                      const mlx_stream s);

/** Rotary positions on the first `dims` (even) entries of the last axis of x (B, .., T, D), at positions
 * offset + t times scale. Frequencies are base^(-2i/dims), or 1/freqs[i] (freqs: dims/2); exactly one of
 * the two is given. traditional: neighbours are rotated together, else the halves. */
int mlx_fast_rope(mlx_array *res, const mlx_array x, int dims, bool traditional, mlx_optional_float base,
                  float scale, int offset, const mlx_array freqs /* may be null */, const mlx_stream s);

/** The same with an integer array of offsets: 0-d, or one a batch row. */
int mlx_fast_rope_dynamic(mlx_array *res, const mlx_array x, int dims, bool traditional,
                          mlx_optional_float base, float scale, const mlx_array offset,
                          const mlx_array freqs /* may be null */, const mlx_stream s);

#if MLX_C_ABI >= MLX_C_ABI_FORCE_FUSED
/** softmax(scale * q k^T + mask) v, in float32. queries (B, H, L, D), keys (B, Hkv, S, D), values (B, Hkv,
 * S, Dv), H a multiple of Hkv. mask_mode: "" (mask_arr may be empty), "causal" (query i sees keys up to i
 * + S - L), "array". mask_arr: bool (true = visible) or added, broadcast to (B, H, L, S). sinks: a logit a
 * query head that takes part in the softmax and is dropped, or empty. */
int mlx_fast_scaled_dot_product_attention(mlx_array *res, const mlx_array queries, const mlx_array keys,
                                          const mlx_array values, float scale, const char *mask_mode,
                                          const mlx_array mask_arr /* may be null */,
                                          const mlx_array sinks /* may be null */, bool force_fused,
                                          const mlx_stream s);
#else
int mlx_fast_scaled_dot_product_attention(mlx_array *res, const mlx_array queries, const mlx_array keys,
                                          const mlx_array values, float scale, const char *mask_mode,
                                          const mlx_array mask_arr /* may be null */,
                                          const mlx_array sinks /* may be null */, const mlx_stream s);
#endif

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
