/* mx: arrays as expressions.
 *
 * The functions of this header build a lazy graph: each checks its arguments, works out the result's shape
 * and dtype, and returns a temporary without computing anything. mx_eval computes.
 *
 * Ownership. Arguments are borrowed. A result is a temporary: the calling thread's pool holds its one
 * reference, and mx_release drops all temporaries made since the matching mx_mark. What must live longer is
 * stored in a slot with mlx_array_set, which its owner clears with mlx_array_free. Release before mx_eval:
 * the graph's edges then own the intermediates, and evaluation reuses and frees their memory as it goes.
 *
 * Errors. The first failure is recorded for the thread and the function returns the null array (ctx NULL); a
 * function that is given a null array returns one in silence. The driver asks once, with mx_failed.
 *
 * Threads. Graphs may be built on several threads, each from its own arrays; an array that is not evaluated
 * belongs to the thread that made it.
 *
 * Names, semantics and promotion rules are MLX's (mlx.core). */
#ifndef MX_H
#define MX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define MX_API
#else
#define MX_API __attribute__((visibility("default")))
#endif

typedef struct mlx_array_ {
    void *ctx;
} mlx_array;

typedef enum mlx_dtype_ {
    MLX_BOOL,
    MLX_UINT8,
    MLX_UINT16,
    MLX_UINT32,
    MLX_UINT64,
    MLX_INT8,
    MLX_INT16,
    MLX_INT32,
    MLX_INT64,
    MLX_FLOAT16,
    MLX_FLOAT32,
    MLX_FLOAT64,
    MLX_BFLOAT16,
    MLX_COMPLEX64,
} mlx_dtype;

#define MX_DTYPES   14
#define MX_MAX_DIMS 32
#define MX_NULL     ((mlx_array){0})

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
MX_API int mlx_array_set(mlx_array *slot, mlx_array src);
/* Releases a slot's reference. Null is fine. */
MX_API int mlx_array_free(mlx_array x);
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
/* First element's address after evaluation; elements lie at mx_strides (in elements). NULL before. */
MX_API const void *mx_data(mlx_array x);
MX_API const int64_t *mx_strides(mlx_array x);
/* Evaluates and copies all elements, row-major, converted to float32 / int64 / as they are. 0 or -1. */
MX_API int mx_read_f32(mlx_array x, float *out);
MX_API int mx_read_i64(mlx_array x, int64_t *out);
MX_API int mx_read(mlx_array x, void *out);

/* --- creation --- */

/* Copies prod(shape) row-major elements that are already of `dtype`. */
MX_API mlx_array mx_from(const void *data, const int *shape, size_t n, mlx_dtype dtype);
/* 0-d arrays. */
MX_API mlx_array mx_float(double v, mlx_dtype dtype);
MX_API mlx_array mx_int(int64_t v, mlx_dtype dtype);
/* `value` (0-d, or of a shape that broadcasts) repeated over a shape. */
MX_API mlx_array mx_full(const int *shape, size_t n, mlx_array value, mlx_dtype dtype);
MX_API mlx_array mx_zeros(const int *shape, size_t n, mlx_dtype dtype);
MX_API mlx_array mx_ones(const int *shape, size_t n, mlx_dtype dtype);
MX_API mlx_array mx_arange(double start, double stop, double step, mlx_dtype dtype);

/* --- elementwise: the rows of kernels/unary.def and kernels/binary.def --- */

#define UNARY(name, ...) MX_API mlx_array mx_##name(mlx_array x);
#include "mx_unary.def"
#undef UNARY
#define BINARY(name, ...) MX_API mlx_array mx_##name(mlx_array a, mlx_array b);
#include "mx_binary.def"
#undef BINARY
/* condition ? a : b, broadcast. */
MX_API mlx_array mx_where(mlx_array condition, mlx_array a, mlx_array b);
MX_API mlx_array mx_astype(mlx_array x, mlx_dtype dtype);

/* --- shape --- */

/* One entry may be -1: inferred. */
MX_API mlx_array mx_reshape(mlx_array x, const int *shape, size_t n);
/* Axis i of the result is axis axes[i] of x. */
MX_API mlx_array mx_transpose(mlx_array x, const int *axes, size_t n);
MX_API mlx_array mx_swapaxes(mlx_array x, int a, int b);
MX_API mlx_array mx_expand_dims(mlx_array x, int axis);
MX_API mlx_array mx_squeeze(mlx_array x, int axis);
MX_API mlx_array mx_broadcast_to(mlx_array x, const int *shape, size_t n);
/* x[start[0]:stop[0]:strides[0], ...], one entry an axis; indices wrap and clip as Python's. strides may be
 * NULL (all 1). */
MX_API mlx_array mx_slice(mlx_array x, const int *start, const int *stop, const int *strides);
/* A copy of x with that slice replaced by `update` (broadcast). Done in place when x is dead. */
MX_API mlx_array mx_slice_update(mlx_array x, mlx_array update, const int *start, const int *stop,
                                 const int *strides);
/* Slices on one axis only. */
MX_API mlx_array mx_slice_axis(mlx_array x, int axis, int start, int stop);
MX_API mlx_array mx_concatenate(const mlx_array *x, size_t n, int axis);
/* A row-major copy, or x itself if it is row-major already. */
MX_API mlx_array mx_contiguous(mlx_array x);
/* x as a node of its own. */
MX_API mlx_array mx_copy(mlx_array x);
/* x, through which no gradient flows. */
MX_API mlx_array mx_stop_gradient(mlx_array x);

/* --- indexing --- */

/* x's slices at `indices` (integers, negative ones wrap) on `axis`: result shape x[:axis] + indices +
 * x[axis+1:]. */
MX_API mlx_array mx_take(mlx_array x, mlx_array indices, int axis);
MX_API mlx_array mx_take_along_axis(mlx_array x, mlx_array indices, int axis);
/* A copy of x with `updates` added at places that n index arrays name, each on its axis: updates has the
 * shape that the indices broadcast to, followed by a slice's, whose sizes are 1 on the axes. Places may
 * repeat. In place when x is dead. */
MX_API mlx_array mx_scatter_add(mlx_array x, const mlx_array *indices, size_t n, mlx_array updates,
                                const int *axes);
/* The same where indices and updates (broadcast) give for each of their places the position on one axis of x.
 */
MX_API mlx_array mx_scatter_add_axis(mlx_array x, mlx_array indices, mlx_array updates, int axis);

/* --- reductions: n axes; n == 0 with axes NULL means all --- */

MX_API mlx_array mx_sum(mlx_array x, const int *axes, size_t n, bool keepdims);
MX_API mlx_array mx_prod(mlx_array x, const int *axes, size_t n, bool keepdims);
MX_API mlx_array mx_max(mlx_array x, const int *axes, size_t n, bool keepdims);
MX_API mlx_array mx_min(mlx_array x, const int *axes, size_t n, bool keepdims);
MX_API mlx_array mx_all(mlx_array x, const int *axes, size_t n, bool keepdims);
MX_API mlx_array mx_any(mlx_array x, const int *axes, size_t n, bool keepdims);
MX_API mlx_array mx_mean(mlx_array x, const int *axes, size_t n, bool keepdims);
MX_API mlx_array mx_logsumexp(mlx_array x, int axis, bool keepdims);
/* uint32 positions along the axis. */
MX_API mlx_array mx_argmax(mlx_array x, int axis, bool keepdims);
MX_API mlx_array mx_argmin(mlx_array x, int axis, bool keepdims);
MX_API mlx_array mx_softmax(mlx_array x, int axis);
MX_API mlx_array mx_cumsum(mlx_array x, int axis, bool reverse, bool inclusive);
MX_API mlx_array mx_sort(mlx_array x, int axis);
MX_API mlx_array mx_argsort(mlx_array x, int axis);

/* --- matrix products --- */

/* (.., M, K) @ (.., K, N), batch axes broadcast; accumulates in float32. */
MX_API mlx_array mx_matmul(mlx_array a, mlx_array b);

typedef enum mx_precision {
    MX_EXACT, /* activations as they are, sums in float32: what MLX computes */
    MX_INT8,  /* activations quantized to int8 by group first: faster, 4 and 8 bits only */
} mx_precision;

/* Affine quantization of w (.., N, K) float by groups of 32, 64 or 128 along K to 2, 3, 4, 5, 6 or 8 bits.
 * out[0]: uint32 (.., N, K*bits/32); out[1], out[2]: scales and biases (.., N, K/group) of w's dtype. Bit for
 * bit MLX's. */
MX_API int mx_quantize(mlx_array w, int group_size, int bits, mlx_array out[3]);
MX_API mlx_array mx_dequantize(mlx_array w, mlx_array scales, mlx_array biases, int group_size, int bits);
/* x (.., M, K) @ dequantize(w).T when transpose (w (N, K*bits/32)), else x @ dequantize(w). Result dtype
 * promote(x, scales). */
MX_API mlx_array mx_quantized_matmul(mlx_array x, mlx_array w, mlx_array scales, mlx_array biases,
                                     bool transpose, int group_size, int bits, mx_precision precision);

/* --- fused operations of language models (mlx.core.fast) --- */

/* x / sqrt(mean(x^2) + eps) * weight over the last axis; weight (D) or null. */
MX_API mlx_array mx_rms_norm(mlx_array x, mlx_array weight, float eps);
/* (x - mean) / sqrt(var + eps) * weight + bias; weight and bias (D) or null. */
MX_API mlx_array mx_layer_norm(mlx_array x, mlx_array weight, mlx_array bias, float eps);
/* Rotary positions on the first `dims` entries of the last axis of x (B, .., T, D); the row at T-index t has
 * position offset + t. freqs (dims/2), or null for base^(2i/dims): angle = scale * position / freqs[i]
 * (freqs are periods, as in MLX). traditional: neighbouring pairs, else halves. */
MX_API mlx_array mx_rope(mlx_array x, int dims, bool traditional, float base, float scale, int offset,
                         mlx_array freqs);
typedef enum mx_mask { MX_MASK_NONE, MX_MASK_CAUSAL, MX_MASK_ARRAY } mx_mask;
/* softmax(scale * q k^T + mask) v. q (B, H, L, D), k (B, Hkv, S, D), v (B, Hkv, S, Dv), H a multiple of Hkv.
 * Causal: query i sees keys up to i + S - L. mask: bool (true = visible) or additive, broadcast to (B, H, L,
 * S). */
MX_API mlx_array mx_scaled_dot_product_attention(mlx_array q, mlx_array k, mlx_array v, float scale,
                                                 mx_mask kind, mlx_array mask);
/* silu(gate) * up. */
MX_API mlx_array mx_swiglu(mlx_array gate, mlx_array up);

/* --- random numbers: MLX's (threefry keys, uint32 (2)) --- */

MX_API mlx_array mx_random_key(uint64_t seed);
/* (n, 2) keys from one. */
MX_API mlx_array mx_random_split(mlx_array key, int n);
/* Unsigned integers of width 1, 2 or 4 bytes. */
MX_API mlx_array mx_random_bits(const int *shape, size_t n, int width, mlx_array key);
/* Uniform in [low, high) of a float dtype. */
MX_API mlx_array mx_random_uniform(float low, float high, const int *shape, size_t n, mlx_dtype dtype,
                                   mlx_array key);
MX_API mlx_array mx_random_normal(const int *shape, size_t n, mlx_dtype dtype, float loc, float scale,
                                  mlx_array key);
/* Draws from softmax(logits) over the last axis by the Gumbel trick; uint32. */
MX_API mlx_array mx_random_categorical(mlx_array logits, mlx_array key);

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

/* --- process-wide --- */

/* Live graph nodes and bytes in buffers now; the highest bytes so far. Mapped files do not count. */
MX_API size_t mx_live_nodes(void);
MX_API size_t mx_active_memory(void);
MX_API size_t mx_peak_memory(void);
/* Number of worker threads that kernels use (default: the cores this process may use); 0 = default. */
MX_API void mx_set_threads(int n);
MX_API int mx_threads(void);
/* Name of the instruction set that kernels were chosen for: portable, avx2, avx512, amx. MICA_CPU_ISA lowers
 * it. */
MX_API const char *mx_cpu_isa(void);
/* Returns cached memory to the system and stops the worker threads. For leak checks at exit. */
MX_API void mx_shutdown(void);

#endif
