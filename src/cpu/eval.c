/* The CPU back end: which function computes which primitive. An empty slot is a primitive that this back end
 * does not have; tests/cpu/test_eval.c knows them. */
#include "cpu/eval.h"

#include "array/backend.h"
#include "array/stream.h"
#include "base/error.h"
#include "cpu/pool.h"
#include "mx/compile.h"

typedef int (*eval_fn)(node *n);

static const eval_fn table[PRIM_COUNT] = {
#define UNARY(name, Prim, ...) [PRIM_##Prim] = cpu_eval_unary,
#include "mx_unary.def"
#undef UNARY
#define BINARY(name, Prim, ...) [PRIM_##Prim] = cpu_eval_binary,
#include "mx_binary.def"
#undef BINARY
    [PRIM_Select] = cpu_eval_select,
    [PRIM_AsType] = cpu_eval_astype,
    [PRIM_Compiled] = cpu_eval_compiled,
    [PRIM_Contiguous] = cpu_eval_contiguous,
    [PRIM_Full] = cpu_eval_full,
    [PRIM_Arange] = cpu_eval_arange,
    [PRIM_Load] = cpu_eval_load,
    [PRIM_Reshape] = cpu_eval_reshape,
    [PRIM_Flatten] = cpu_eval_reshape,
    [PRIM_Unflatten] = cpu_eval_reshape,
    [PRIM_AsStrided] = cpu_eval_view_of_copy,
    [PRIM_View] = cpu_eval_view_of_copy,
    [PRIM_Pad] = cpu_eval_pad,
    [PRIM_DynamicSlice] = cpu_eval_dynamic_slice,
    [PRIM_DynamicSliceUpdate] = cpu_eval_dynamic_slice_update,
    [PRIM_NumberOfElements] = cpu_eval_number_of_elements,
    [PRIM_SliceUpdate] = cpu_eval_slice_update,
    [PRIM_Concatenate] = cpu_eval_concatenate,
    [PRIM_Gather] = cpu_eval_gather,
    [PRIM_GatherAxis] = cpu_eval_gather_axis,
    [PRIM_Scatter] = cpu_eval_scatter,
    [PRIM_ScatterAxis] = cpu_eval_scatter_axis,
    [PRIM_MaskedScatter] = cpu_eval_masked_scatter,
    [PRIM_Reduce] = cpu_eval_reduce,
    [PRIM_ArgReduce] = cpu_eval_arg_reduce,
    [PRIM_LogSumExp] = cpu_eval_row_function,
    [PRIM_Softmax] = cpu_eval_row_function,
    [PRIM_Scan] = cpu_eval_scan,
    [PRIM_Sort] = cpu_eval_sort,
    [PRIM_ArgSort] = cpu_eval_sort,
    [PRIM_Partition] = cpu_eval_sort,
    [PRIM_ArgPartition] = cpu_eval_sort,
    [PRIM_SearchSorted] = cpu_eval_search_sorted,
    [PRIM_Matmul] = cpu_eval_matmul,
    [PRIM_AddMM] = cpu_eval_addmm,
    [PRIM_GatherMM] = cpu_eval_gather_mm,
    [PRIM_SegmentedMM] = cpu_eval_segmented_mm,
    [PRIM_Convolution] = cpu_eval_convolution,
    [PRIM_Hadamard] = cpu_eval_hadamard,
    [PRIM_Quantize] = cpu_eval_quantize,
    [PRIM_Dequantize] = cpu_eval_dequantize,
    [PRIM_GatherQMM] = cpu_eval_gather_qmm,
    [PRIM_QuantizeFP] = cpu_eval_quantize_fp,
    [PRIM_DequantizeFP] = cpu_eval_dequantize_fp,
    [PRIM_ConvertFP8] = cpu_eval_convert_fp8,
    [PRIM_QuantizedMatmul] = cpu_eval_quantized_matmul,
    [PRIM_RMSNorm] = cpu_eval_row_function,
    [PRIM_LayerNorm] = cpu_eval_row_function,
    [PRIM_RoPE] = cpu_eval_rope,
    [PRIM_ScaledDotProductAttention] = cpu_eval_attention,
    [PRIM_SwiGLU] = cpu_eval_swiglu,
    [PRIM_KVWrite] = cpu_eval_kv_write,
    [PRIM_KVRead] = cpu_eval_kv_read,
    [PRIM_KVCopyBlocks] = cpu_eval_kv_copy_blocks,
    [PRIM_PagedAttention] = cpu_eval_paged_attention,
    [PRIM_GatedDelta] = cpu_eval_gated_delta,
    [PRIM_SelectiveScan] = cpu_eval_selective_scan,
    [PRIM_RandomBits] = cpu_eval_random_bits,
    [PRIM_FFT] = cpu_eval_fft,
    [PRIM_QRF] = cpu_eval_qrf,
    [PRIM_SVD] = cpu_eval_svd,
    [PRIM_Inverse] = cpu_eval_inverse,
    [PRIM_Cholesky] = cpu_eval_cholesky,
    [PRIM_Eig] = cpu_eval_eig,
    [PRIM_Eigh] = cpu_eval_eigh,
    [PRIM_LUF] = cpu_eval_luf,
};

bool cpu_eval_has(int prim) { return table[prim] != NULL; }

int backend_cpu_eval(node *n)
{
    if (prim_view(n))
        return 0;
    if (!table[n->prim])
        return error_set("[%s] has no CPU implementation", n->prim ? prim_table[n->prim].name : "array");
    return table[n->prim](n);
}

int cpu_eval_no_kernel(const node *n, mlx_dtype dtype)
{
    return error_set("[%s] has no CPU kernel for %s", prim_table[n->prim].name, mx_dtype_name(dtype));
}

int mx_threads(void) { return pool_threads(); }

void mx_set_threads(int n) { pool_set_threads(n); }

int mx_few_rows(bool quantized)
{
    if (!quantized)
        return GEMM_FEW_ROWS;
    return cpu_kernels_get()->qmm.batch_i8 ? QMM_GEMV_ROWS : QMM_FEW_ROWS;
}
int mx_many_rows(bool quantized) { return 1 + (quantized ? QMM_FEW_ROWS : GEMM_FEW_ROWS); }

const char *mx_cpu_isa(void) { return cpu_isa_name(cpu_kernels_get()->isa); }

void mx_shutdown(void)
{
    mx_compile_clear_cache();
    stream_shutdown();
    cpu_eval_shutdown();
    fft_shutdown();
    pool_stop();
    node_shutdown();
}
