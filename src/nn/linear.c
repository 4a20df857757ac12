/* Linear layers and embeddings. A quantized layer keeps the checkpoint's packed words and is multiplied from
 * them; a plain one is the checkpoint's matrix, transposed as a view. Either way the weights stay in the
 * mapped file. */
#include "nn/linear.h"

#include "base/mem.h"

static _Thread_local int drawn = -1;

int nn_drawn_rows(int n)
{
    int before = drawn;
    drawn = n;
    return before;
}

static mlx_array product(const nn_linear *l, mlx_array x)
{
    if (nn_quantized(l))
        return mx_quantized_matmul(x, l->weight, l->scales, l->biases, true, l->group_size, l->bits,
                                   l->precision);
    return mx_matmul(x, mx_swapaxes(l->weight, 0, 1));
}

/* Rows [begin, end) of x (1, L, in) as rows of many are computed. */
static mlx_array as_many(const nn_linear *l, mlx_array x, int begin, int end)
{
    mlx_array rows = mx_slice_axis(x, 1, begin, end);
    int missing = mx_many_rows(nn_quantized(l)) - (end - begin);
    if (missing <= 0)
        return product(l, rows);
    const mlx_array padded[] = {rows, mx_zeros(SHAPE(1, missing, mx_dim(x, 2)), mx_dtype_of(x))};
    return mx_slice_axis(product(l, mx_concatenate(padded, 2, 1)), 1, 0, end - begin);
}

/* The product, each row with the bits that it has in any company of its kind. */
static mlx_array by_kind(const nn_linear *l, mlx_array x)
{
    int L = mx_dim(x, 1), n = drawn < L ? drawn : L, few = mx_few_rows(nn_quantized(l)), count = 0;
    if (n == L && L <= few)
        return product(l, x);
    if (n == 0 && L >= mx_many_rows(nn_quantized(l)))
        return product(l, x);
    mlx_array *parts = mem_alloc((size_t)(n / few + 2), sizeof *parts), y = MX_NULL;
    for (int at = 0; parts && at < n; at += few)
        parts[count++] = product(l, mx_slice_axis(x, 1, at, at + few < n ? at + few : n));
    if (parts && n < L)
        parts[count++] = as_many(l, x, n, L);
    if (parts)
        y = count == 1 ? parts[0] : mx_concatenate(parts, (size_t)count, 1);
    mem_free(parts);
    return y;
}

mlx_array nn_apply(const nn_linear *l, mlx_array x)
{
    bool kinds = drawn >= 0 && !mx_is_null(x) && mx_ndim(x) == 3 && mx_dim(x, 0) == 1;
    mlx_array y = kinds ? by_kind(l, x) : product(l, x);
    return l->has_bias ? mx_add(y, l->bias) : y;
}

mlx_array nn_apply_experts(const nn_linear *l, mlx_array x, mlx_array indices, bool sorted)
{
    mlx_array y = nn_quantized(l) ? mx_gather_qmm(x, l->weight, l->scales, l->biases, MX_NULL, indices, true,
                                                  l->group_size, l->bits, "affine", sorted)
                                  : mx_gather_mm(x, mx_swapaxes(l->weight, -1, -2), MX_NULL, indices, sorted);
    return l->has_bias ? mx_add(y, mx_expand_dims(mx_take(l->bias, indices, 0), -2)) : y;
}

mlx_array nn_apply_each(const nn_linear *l, mlx_array x)
{
    return nn_quantized(l) ? mx_quantized_matmul_mode(x, l->weight, l->scales, l->biases, true, l->group_size,
                                                      l->bits, "affine")
                           : mx_matmul(x, mx_swapaxes(l->weight, -1, -2));
}

mlx_array nn_embed(const nn_embedding *e, mlx_array ids)
{
    mlx_array rows = mx_take(e->weight, ids, 0);
    if (!nn_quantized(e))
        return mx_astype(rows, MLX_FLOAT32);
    /* Scales in float32 first, so that the rows are not rounded to the scales' own dtype. */
    mlx_array scales = mx_astype(mx_take(e->scales, ids, 0), MLX_FLOAT32);
    mlx_array biases = mx_astype(mx_take(e->biases, ids, 0), MLX_FLOAT32);
    return mx_dequantize(rows, scales, biases, e->group_size, e->bits);
}

mlx_array nn_unembed(const nn_embedding *e, mlx_array x) { return nn_apply(e, x); }
