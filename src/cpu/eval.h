/* How the CPU computes a node: one function a primitive, found by its number. */
#ifndef MICA_CPU_EVAL_H
#define MICA_CPU_EVAL_H

#include "cpu/kernels.h"
#include "prim/prim.h"

/* The rows of the back end's table (eval.c): each gives n a buffer with its values. 0, or -1 with an error,
 * after which n may be computed again. */
int cpu_eval_unary(node *n);
int cpu_eval_binary(node *n);
int cpu_eval_select(node *n);
int cpu_eval_astype(node *n);
int cpu_eval_compiled(node *n);
int cpu_eval_contiguous(node *n);
int cpu_eval_full(node *n);
int cpu_eval_arange(node *n);
int cpu_eval_load(node *n);
int cpu_eval_reshape(node *n);
int cpu_eval_view_of_copy(node *n);
int cpu_eval_pad(node *n);
int cpu_eval_dynamic_slice(node *n);
int cpu_eval_dynamic_slice_update(node *n);
int cpu_eval_number_of_elements(node *n);
int cpu_eval_slice_update(node *n);
int cpu_eval_concatenate(node *n);
int cpu_eval_gather(node *n);
int cpu_eval_gather_axis(node *n);
int cpu_eval_scatter(node *n);
int cpu_eval_scatter_axis(node *n);
int cpu_eval_masked_scatter(node *n);
int cpu_eval_reduce(node *n);
int cpu_eval_arg_reduce(node *n);
int cpu_eval_scan(node *n);
int cpu_eval_sort(node *n);
int cpu_eval_search_sorted(node *n);
int cpu_eval_matmul(node *n);
int cpu_eval_addmm(node *n);
int cpu_eval_gather_mm(node *n);
int cpu_eval_segmented_mm(node *n);
int cpu_eval_convolution(node *n);
int cpu_eval_hadamard(node *n);
int cpu_eval_quantize(node *n);
int cpu_eval_dequantize(node *n);
int cpu_eval_quantized_matmul(node *n);
int cpu_eval_gather_qmm(node *n);
int cpu_eval_quantize_fp(node *n);
int cpu_eval_dequantize_fp(node *n);
int cpu_eval_convert_fp8(node *n);
int cpu_eval_row_function(node *n);
int cpu_eval_rope(node *n);
int cpu_eval_attention(node *n);
int cpu_eval_swiglu(node *n);
int cpu_eval_kv_write(node *n);
int cpu_eval_kv_read(node *n);
int cpu_eval_kv_copy_blocks(node *n);
int cpu_eval_paged_attention(node *n);
int cpu_eval_gated_delta(node *n);
int cpu_eval_selective_scan(node *n);
int cpu_eval_random_bits(node *n);
int cpu_eval_fft(node *n);
int cpu_eval_qrf(node *n);
int cpu_eval_svd(node *n);
int cpu_eval_inverse(node *n);
int cpu_eval_cholesky(node *n);
int cpu_eval_eig(node *n);
int cpu_eval_eigh(node *n);
int cpu_eval_luf(node *n);

/* n's input i becomes a row-major copy of itself. */
int cpu_eval_copy_input(node *n, size_t i);

/* Does this back end compute the primitive? Views need no function. */
bool cpu_eval_has(int prim);

/* Releases the cached rotary tables. */
void cpu_eval_shutdown(void);

/* The primitive has no kernel for this dtype: "[Name] ...". Returns -1. */
int cpu_eval_no_kernel(const node *n, mlx_dtype dtype);

#endif
