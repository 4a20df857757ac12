/* Heads and masks. A sliding window needs no mask array while all keys are inside it, nor for a single new
 * position, which simply sees the last keys; only a longer step past the window builds one. */
#include "nn/attention.h"

#include "base/mem.h"

/* (L, S) bool: query i, at position offset + i, sees keys offset + i - window < j <= offset + i. */
static mlx_array window_mask(int L, int offset, int window)
{
    int S = offset + L;
    bool *m = mem_calloc((size_t)L * (size_t)S, sizeof *m);
    if (!m)
        return MX_NULL;
    for (int i = 0; i < L; i++)
        for (int j = offset + i, first = j - window; j >= 0 && j > first; j--)
            m[(size_t)i * (size_t)S + (size_t)j] = true;
    mlx_array mask = mx_from(m, SHAPE(L, S), MLX_BOOL);
    mem_free(m);
    return mask;
}

nn_mask nn_causal_mask(int L, int offset, int window)
{
    bool inside = window == 0 || offset + L <= window;
    if (L == 1)
        return (nn_mask){.kind = MX_MASK_NONE, .last = inside ? 0 : window};
    if (inside)
        return (nn_mask){.kind = MX_MASK_CAUSAL};
    return (nn_mask){.kind = MX_MASK_ARRAY, .array = window_mask(L, offset, window)};
}

mlx_array nn_split_heads(mlx_array x, int n)
{
    if (mx_is_null(x))
        return x;
    int B = mx_dim(x, 0), L = mx_dim(x, 1), D = mx_dim(x, 2) / n;
    return mx_transpose(mx_reshape(x, SHAPE(B, L, n, D)), SHAPE(0, 2, 1, 3));
}

mlx_array nn_merge_heads(mlx_array x)
{
    if (mx_is_null(x))
        return x;
    int B = mx_dim(x, 0), L = mx_dim(x, 2), width = mx_dim(x, 1) * mx_dim(x, 3);
    return mx_reshape(mx_transpose(x, SHAPE(0, 2, 1, 3)), SHAPE(B, L, width));
}

mlx_array nn_attend(mlx_array q, mlx_array k, mlx_array v, float scale, nn_mask mask)
{
    if (mask.kind == MX_MASK_ARRAY && mx_is_null(mask.array))
        return MX_NULL;
    if (mask.last && !mx_is_null(k)) {
        int S = mx_dim(k, 2);
        k = mx_slice_axis(k, 2, S - mask.last, S);
        v = mx_slice_axis(v, 2, S - mask.last, S);
    }
    return mx_scaled_dot_product_attention(q, k, v, scale, mask.kind, mask.array);
}
