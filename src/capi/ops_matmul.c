/* Matrix products, convolutions, quantization. */
#include "capi/capi.h"
#include "mlx/c/ops.h"

/* BINARY(name): mlx_<name> is mx_<name> of two arrays. */
#define BINARY(name)                                                                         \
    int mlx_##name(mlx_array *res, const mlx_array a, const mlx_array b, const mlx_stream s) \
    {                                                                                        \
        size_t mark = capi_enter(s);                                                         \
        return LEAVE(mark, res, mx_##name(capi_in(a), capi_in(b)));                          \
    }

BINARY(inner)
BINARY(kron)
BINARY(matmul)
BINARY(outer)

int mlx_addmm(mlx_array *res, const mlx_array c, const mlx_array a, const mlx_array b, float alpha,
              float beta, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_addmm(capi_in(c), capi_in(a), capi_in(b), alpha, beta));
}

int mlx_gather_mm(mlx_array *res, const mlx_array a, const mlx_array b, const mlx_array lhs_indices,
                  const mlx_array rhs_indices, bool sorted_indices, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_gather_mm(capi_in(a), capi_in(b), lhs_indices, rhs_indices, sorted_indices));
}

int mlx_segmented_mm(mlx_array *res, const mlx_array a, const mlx_array b, const mlx_array segments,
                     const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_segmented_mm(capi_in(a), capi_in(b), capi_in(segments)));
}

int mlx_block_masked_mm(mlx_array *res, const mlx_array a, const mlx_array b, int block_size,
                        const mlx_array mask_out, const mlx_array mask_lhs, const mlx_array mask_rhs,
                        const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res,
                 mx_block_masked_mm(capi_in(a), capi_in(b), block_size, mask_out, mask_lhs, mask_rhs));
}

int mlx_hadamard_transform(mlx_array *res, const mlx_array a, mlx_optional_float scale, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_hadamard_transform(capi_in(a), scale.has_value ? &scale.value : NULL));
}

int mlx_tensordot(mlx_array *res, const mlx_array a, const mlx_array b, const int *axes_a, size_t axes_a_num,
                  const int *axes_b, size_t axes_b_num, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(
        mark, res,
        mx_tensordot(capi_in(a), capi_in(b), capi_ints(axes_a), axes_a_num, capi_ints(axes_b), axes_b_num));
}

int mlx_tensordot_axis(mlx_array *res, const mlx_array a, const mlx_array b, int axis, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_tensordot_axis(capi_in(a), capi_in(b), axis));
}

int mlx_einsum(mlx_array *res, const char *subscripts, const mlx_vector_array operands, const mlx_stream s)
{
    size_t n, mark = capi_enter(s);
    const mlx_array *x = capi_items(operands, &n);
    return LEAVE(mark, res, x && capi_text(subscripts, "subscripts") ? mx_einsum(subscripts, x, n) : MX_NULL);
}
