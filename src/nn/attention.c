/* Heads and masks. A sliding window needs no mask array while all keys are inside it, nor for a single new
 * position, which simply sees the last keys; only a longer step past the window builds one. */
#include "nn/attention.h"

#include "base/mem.h"

#include <math.h>

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

/* Cuts what lies before the mask's last keys. */
static void keep_last(mlx_array *k, mlx_array *v, nn_mask mask)
{
    if (!mask.last || mx_is_null(*k))
        return;
    int S = mx_dim(*k, 2);
    *k = mx_slice_axis(*k, 2, S - mask.last, S);
    *v = mx_slice_axis(*v, 2, S - mask.last, S);
}

mlx_array nn_attend(mlx_array q, mlx_array k, mlx_array v, float scale, nn_mask mask, mlx_array sinks)
{
    if (mask.kind == MX_MASK_ARRAY && mx_is_null(mask.array))
        return MX_NULL;
    keep_last(&k, &v, mask);
    return mx_scaled_dot_product_attention_sinks(q, k, v, scale, mask.kind, mask.array, sinks);
}

/* (L, S): what the mask lets through, or null if that is everything. */
static mlx_array visible(nn_mask mask, int L, int S)
{
    if (mask.kind == MX_MASK_NONE)
        return MX_NULL;
    return mask.kind == MX_MASK_ARRAY ? mask.array : mx_tri(L, S, S - L, MLX_BOOL);
}

mlx_array nn_attend_capped(mlx_array q, mlx_array k, mlx_array v, float scale, nn_mask mask, float cap)
{
    if (mx_is_null(q) || mx_is_null(k) || mx_is_null(v))
        return MX_NULL;
    keep_last(&k, &v, mask);
    mlx_dtype dtype = mx_dtype_of(q);
    int B = mx_dim(q, 0), H = mx_dim(q, 1), L = mx_dim(q, 2), kv = mx_dim(k, 1), S = mx_dim(k, 2);
    q = mx_reshape(q, SHAPE(B, kv, H / kv, L, mx_dim(q, 3)));
    k = mx_astype(mx_expand_dims(k, 2), dtype);
    v = mx_astype(mx_expand_dims(v, 2), dtype);
    mlx_array scores = mx_matmul(mx_multiply(q, mx_float(scale / cap, dtype)), mx_swapaxes(k, -1, -2));
    scores = mx_multiply(mx_tanh(scores), mx_float(cap, dtype)); /* (B, kv, H / kv, L, S) */
    mlx_array seen = visible(mask, L, S);
    if (!mx_is_null(seen))
        scores = mx_where(seen, scores, mx_float(-INFINITY, dtype));
    mlx_array y = mx_matmul(mx_softmax_axes(scores, SHAPE(-1), true), v);
    return mx_reshape(y, SHAPE(B, H, L, mx_dim(v, -1)));
}
