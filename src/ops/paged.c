/* The paged cache: checks of what is known before the numbers are. */
#include "kernels/kv_block.h"
#include "ops/ops.h"

#include <stdio.h>

enum { LARGEST = 1 << 16 /* numbers of a head, and heads: products of them stay far below 2^63 */ };

static bool is_half_or_single(mlx_dtype t)
{
    return t == MLX_FLOAT32 || t == MLX_FLOAT16 || t == MLX_BFLOAT16;
}

static bool check_layout(const char *op, const mx_kv_layout *l)
{
    if (l->heads < 1 || l->heads > LARGEST || l->k_dim < 1 || l->k_dim > LARGEST || l->v_dim < 0 ||
        l->v_dim > LARGEST || (l->v_dim == 0) != (l->v_in_k != 0) || l->v_in_k < 0 || l->v_in_k > l->k_dim)
        error_set(
            "[%s] a layout of %d heads, keys of %d and values of %d numbers, %d of them in the keys, is "
            "not possible",
            op, l->heads, l->k_dim, l->v_dim, l->v_in_k);
    else if (l->bits != 0 && l->bits != 4 && l->bits != 8)
        error_set("[%s] keys and values have 4 or 8 bits, or 0 if they are not quantized, not %d", op,
                  l->bits);
    else if (l->bits != 0 && l->group != 32 && l->group != 64)
        error_set("[%s] groups of quantized keys and values are of 32 or 64, not %d", op, l->group);
    else if (l->bits == 0 && !is_half_or_single((mlx_dtype)l->dtype))
        error_set("[%s] keys and values are stored as float32, float16 or bfloat16, not %s", op,
                  l->dtype >= 0 && l->dtype < MX_DTYPES ? mx_dtype_name((mlx_dtype)l->dtype) : "that");
    else
        return true;
    return false;
}

size_t mx_kv_block_bytes(const mx_kv_layout *l)
{
    if (!check_layout("kv_block_bytes", l))
        return 0;
    enum kv_kind kind = l->bits == 8              ? KV_INT8
                        : l->bits == 4            ? KV_INT4
                        : l->dtype == MLX_FLOAT32 ? KV_F32
                        : l->dtype == MLX_FLOAT16 ? KV_F16
                                                  : KV_BF16;
    size_t bytes =
        kv_block_make(kind, (size_t)l->heads, (size_t)l->k_dim, (size_t)l->v_dim, (size_t)l->group).bytes;
    if (bytes <= INT32_MAX)
        return bytes;
    error_set("[kv_block_bytes] a block of %zu bytes is too large", bytes);
    return 0;
}

static bool check_pool(const char *op, mlx_array pool, const mx_kv_layout *l)
{
    if (!check_layout(op, l))
        return false;
    size_t bytes = mx_kv_block_bytes(l);
    if (bytes == 0)
        return false;
    if (mx_dtype_of(pool) == MLX_UINT8 && mx_ndim(pool) == 2 && (size_t)mx_dim(pool, 1) == bytes)
        return true;
    error_set("[%s] a pool of this layout is of shape (blocks, %zu) and uint8, not %s of %s", op, bytes,
              mx_dtype_name(mx_dtype_of(pool)), op_shape(pool));
    return false;
}

/* x is of int32 and has ndim dimensions; the first is n unless n is -1. */
static bool check_ints(const char *op, const char *name, mlx_array x, int ndim, int n)
{
    if (mx_dtype_of(x) == MLX_INT32 && mx_ndim(x) == ndim && (n < 0 || mx_dim(x, 0) == n))
        return true;
    char first[16] = "N";
    if (n >= 0)
        snprintf(first, sizeof first, "%d", n);
    error_set("[%s] %s must be of int32 and shape (%s%s), not %s of %s", op, name, first,
              ndim == 1 ? "," : ", N", mx_dtype_name(mx_dtype_of(x)), op_shape(x));
    return false;
}

static bool check_rows(const char *op, const char *name, mlx_array x, int rows, int heads, int dim)
{
    if (mx_ndim(x) == 3 && mx_dim(x, 0) == rows && mx_dim(x, 1) == heads && mx_dim(x, 2) == dim &&
        is_half_or_single(mx_dtype_of(x)))
        return true;
    error_set("[%s] %s must be of shape (%d, %d, %d) and float32, float16 or bfloat16, not %s of %s", op,
              name, rows, heads, dim, mx_dtype_name(mx_dtype_of(x)), op_shape(x));
    return false;
}

mlx_array mx_kv_write(mlx_array pool, mlx_array k, mlx_array v, mlx_array slots, const mx_kv_layout *layout)
{
    static const char op[] = "kv_write";
    bool has_v = layout->v_dim != 0;
    if (mx_is_null(pool) || mx_is_null(k) || mx_is_null(slots) || (has_v && mx_is_null(v)))
        return MX_NULL;
    int rows = mx_ndim(k) > 0 ? mx_dim(k, 0) : 0;
    if (!check_pool(op, pool, layout) || !check_ints(op, "slots", slots, 1, rows) ||
        !check_rows(op, "k", k, rows, layout->heads, layout->k_dim) ||
        (has_v && !check_rows(op, "v", v, rows, layout->heads, layout->v_dim)))
        return MX_NULL;
    prim_kv p = {.layout = *layout};
    mlx_array in[4] = {pool, slots, k, v};
    return prim_make(PRIM_KVWrite, in, has_v ? 4 : 3, &p, sizeof p);
}

mlx_array mx_kv_read(mlx_array pool, mlx_array slots, const mx_kv_layout *layout, bool values)
{
    if (mx_is_null(pool) || mx_is_null(slots) || !check_pool("kv_read", pool, layout) ||
        !check_ints("kv_read", "slots", slots, 1, -1))
        return MX_NULL;
    prim_kv p = {.layout = *layout, .values = values};
    return prim_make(PRIM_KVRead, (mlx_array[]){pool, slots}, 2, &p, sizeof p);
}

mlx_array mx_kv_copy_blocks(mlx_array pool, mlx_array src, mlx_array dst)
{
    static const char op[] = "kv_copy_blocks";
    if (mx_is_null(pool) || mx_is_null(src) || mx_is_null(dst))
        return MX_NULL;
    if (mx_dtype_of(pool) != MLX_UINT8 || mx_ndim(pool) != 2)
        return op_fail("[%s] a pool has 2 dimensions and is of uint8, not %s of %s", op,
                       mx_dtype_name(mx_dtype_of(pool)), op_shape(pool));
    if (!check_ints(op, "src", src, 1, -1) || !check_ints(op, "dst", dst, 1, mx_dim(src, 0)))
        return MX_NULL;
    return prim_make(PRIM_KVCopyBlocks, (mlx_array[]){pool, src, dst}, 3, NULL, 0);
}

static bool check_attention(mlx_array q, mlx_array tables, mlx_array lengths, mlx_array starts,
                            mlx_array sinks, const mx_paged_params *p)
{
    static const char op[] = "paged_attention";
    int heads = mx_ndim(q) == 3 ? mx_dim(q, 1) : 0;
    if (!check_rows(op, "q", q, mx_ndim(q) ? mx_dim(q, 0) : 0, heads, p->layout.k_dim) ||
        !check_ints(op, "lengths", lengths, 1, -1) ||
        !check_ints(op, "tables", tables, 2, mx_dim(lengths, 0)) ||
        !check_ints(op, "starts", starts, 1, mx_dim(lengths, 0) + 1))
        return false;
    if (heads % p->layout.heads)
        error_set("[%s] %d heads of q do not share %d heads of keys evenly", op, heads, p->layout.heads);
    else if (p->window < 0 || !(p->softcap >= 0) || !(p->softcap <= 3.4e38f))
        error_set("[%s] a window of %d or a softcap of %g is not possible; 0 is none", op, p->window,
                  (double)p->softcap);
    else if (!mx_is_null(sinks) && (mx_ndim(sinks) != 1 || mx_dim(sinks, 0) != heads))
        error_set("[%s] sinks must be of shape (%d,), not %s", op, heads, op_shape(sinks));
    else
        return true;
    return false;
}

mlx_array mx_paged_attention(mlx_array q, mlx_array pool, mlx_array tables, mlx_array lengths,
                             mlx_array starts, mlx_array sinks, const mx_paged_params *params)
{
    if (mx_is_null(q) || mx_is_null(pool) || mx_is_null(tables) || mx_is_null(lengths) || mx_is_null(starts))
        return MX_NULL;
    if (!check_pool("paged_attention", pool, &params->layout) ||
        !check_attention(q, tables, lengths, starts, sinks, params))
        return MX_NULL;
    prim_paged p = {.params = *params, .sinks = !mx_is_null(sinks)};
    mlx_array in[6] = {q, pool, tables, lengths, starts};
    if (p.sinks)
        in[5] = mx_astype(sinks, MLX_FLOAT32);
    return prim_make(PRIM_PagedAttention, in, p.sinks ? 6 : 5, &p, sizeof p);
}
