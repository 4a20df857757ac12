/* What an array is: types, temporaries, errors, evaluation. See mx.h for how they go together. */
#ifndef MX_ARRAY_H
#define MX_ARRAY_H

#include "mlx/c/array.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define MX_API
#else
#define MX_API __attribute__((visibility("default")))
#endif

/* How a quantized product treats its activations. */
typedef enum mx_precision {
    MX_EXACT, /* as they are, sums in float32: what MLX computes */
    MX_INT8,  /* quantized to int8 by group first: faster, 4 and 8 bits only */
    MX_BF16,  /* as they are, or where that is faster rounded to bfloat16, weights too: MLX in that dtype */
} mx_precision;

/* How attention is masked. */
typedef enum mx_mask { MX_MASK_NONE, MX_MASK_CAUSAL, MX_MASK_ARRAY } mx_mask;

#define MX_DTYPES   14
#define MX_MAX_DIMS 32
#define MX_NULL     ((mlx_array){0})
/* As the axis of a function that says so: no axis, the array is flattened first. */
#define MX_FLATTEN  INT32_MIN

/* A literal list of ints as the (pointer, count) pair that shapes and axes are passed as. */
#define SHAPE(...) ((const int[]){__VA_ARGS__}), (sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

/* --- temporaries, slots, errors --- */

/* The level of this thread's pool of temporaries. */
MX_API size_t mx_mark(void);
/* Drops every temporary made since the mark. */
MX_API void mx_release(size_t mark);
/* mx_release, but x survives as a temporary of the outer level; returns x. */
MX_API mlx_array mx_keep(size_t mark, mlx_array x);
/* Makes *slot own src (a reference); releases what it held. Null src empties the slot. */
MX_API void mx_set(mlx_array *slot, mlx_array src);
/* Has an operation failed on this thread since the last call? Leaves the text for mx_error_text. */
MX_API bool mx_failed(void);
/* The text of the failure that mx_failed last reported, "" if none. */
MX_API const char *mx_error_text(void);
static inline bool mx_is_null(mlx_array x) { return x.ctx == NULL; }

/* --- what an array is --- */

MX_API int mx_ndim(mlx_array x);
/* Size of an axis, negative axes count from the end; 0 and an error when out of range. */
MX_API int mx_dim(mlx_array x, int axis);
MX_API const int *mx_shape(mlx_array x);
MX_API size_t mx_size(mlx_array x);
MX_API mlx_dtype mx_dtype_of(mlx_array x);
MX_API size_t mx_dtype_size(mlx_dtype t);
MX_API const char *mx_dtype_name(mlx_dtype t);
/* The dtype that two operands are brought to (MLX's promotion table). */
MX_API mlx_dtype mx_promote(mlx_dtype a, mlx_dtype b);

/* --- evaluation --- */

/* Computes x and everything it needs; 0, or -1 with the error pending. */
MX_API int mx_eval(mlx_array x);
MX_API int mx_eval_all(const mlx_array *x, size_t n);
/* First element's address after evaluation; elements lie at mx_strides (in elements). NULL before. Waits for
 * what is being computed asynchronously; NULL with an error when that failed. */
MX_API const void *mx_data(mlx_array x);
MX_API const int64_t *mx_strides(mlx_array x);
/* Evaluates and copies all elements, row-major, converted to float32 / int64 / as they are. 0 or -1. */
MX_API int mx_read_f32(mlx_array x, float *out);
MX_API int mx_read_i64(mlx_array x, int64_t *out);
MX_API int mx_read(mlx_array x, void *out);

/* --- process-wide --- */

/* Live graph nodes and bytes in buffers now; the highest bytes so far. Mapped files do not count. */
MX_API size_t mx_live_nodes(void);
MX_API size_t mx_active_memory(void);
MX_API size_t mx_peak_memory(void);
/* Number of worker threads that kernels use (default: the cores this process may use); 0 = default. */
MX_API void mx_set_threads(int n);
MX_API int mx_threads(void);
/* Name of the instruction set that kernels were chosen for: portable, avx2, avx512, avx512bf16, amx.
 * MICA_CPU_ISA lowers it. */
MX_API const char *mx_cpu_isa(void);
/* Returns cached memory to the system and stops the worker threads. For leak checks at exit. */
MX_API void mx_shutdown(void);

#endif
