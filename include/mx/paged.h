/* Keys and values in blocks of a pool, and attention that reads them where they lie. Not part of MLX.
 *
 * A pool is one uint8 array of (n_blocks, mx_kv_block_bytes) for one layer. A block holds the keys and values
 * of 16 positions of one sequence, all heads; how they lie in it is the back end's business. A slot is a
 * place in the pool: block * 16 + position within the block. A sequence's table lists its blocks in order:
 * position p is in block table[p / 16].
 *
 * Results do not depend on what else is in a call: a row of attention has the same bits alone, among others,
 * and for any number of threads. */
#ifndef MX_PAGED_H
#define MX_PAGED_H

#include "mx/array.h"

enum { MX_KV_POSITIONS = 16 };

/* What a block holds. */
typedef struct mx_kv_layout {
    int heads;        /* of keys and values */
    int k_dim, v_dim; /* numbers of a key, of a value */
    int v_in_k;       /* not 0: values are the first v_in_k numbers of keys, and v_dim is 0 */
    int dtype;        /* of what is stored: an mlx_dtype, float32, float16 or bfloat16; ignored when bits is
                         not 0 */
    int bits;         /* 0, or 8 or 4: quantized, with a scale (4: and a bias) for each group */
    int group;        /* 32 or 64 numbers of a head; the last one of a head may be shorter */
} mx_kv_layout;

typedef struct mx_paged_params {
    mx_kv_layout layout;
    float scale;   /* of the scores */
    float softcap; /* 0, or scores become softcap * tanh(score / softcap) */
    int window;    /* 0, or a row sees only the last `window` positions up to its own */
} mx_paged_params;

/* Numbers of a row of attention's result. */
static inline int mx_kv_values(const mx_kv_layout *l) { return l->v_in_k ? l->v_in_k : l->v_dim; }

/* Bytes of a block, a multiple of 64; 0 with an error if the layout is not possible. */
MX_API size_t mx_kv_block_bytes(const mx_kv_layout *layout);

/* The pool with rows of keys k (T, heads, k_dim) and values v (T, heads, v_dim; null if v_dim is 0), of any
 * float dtype, stored at slots (T,) int32; -1: the row is left out. In place when the pool is used by nobody
 * else. A number that is not finite spoils its group when quantized. */
MX_API mlx_array mx_kv_write(mlx_array pool, mlx_array k, mlx_array v, mlx_array slots,
                             const mx_kv_layout *layout);

/* (T, heads, k_dim) keys, or with `values` (T, heads, mx_kv_values), of slots (T,) int32, as float32; zeros
 * for -1. */
MX_API mlx_array mx_kv_read(mlx_array pool, mlx_array slots, const mx_kv_layout *layout, bool values);

/* The pool with blocks src (N,) copied over blocks dst (N,), int32, one after the other. In place like
 * mx_kv_write. */
MX_API mlx_array mx_kv_copy_blocks(mlx_array pool, mlx_array src, mlx_array dst);

/* Attention of rows of several sequences, one sequence after the other, over what the pool holds of them.
 *
 *   q        (T, q_heads, k_dim), float32, float16 or bfloat16; q_heads is a multiple of layout.heads, and
 *            q_heads / heads neighbours share a head of keys and values
 *   tables   (S, max_blocks) int32: the blocks of each sequence. Entries of blocks that no row sees (later
 *            ones; with a window also earlier ones) may be anything
 *   lengths  (S,) int32: positions of the sequence, those of its rows here included: the last row's position
 *            is lengths[s] - 1. Keys and values of the rows must be in the pool already
 *   starts   (S + 1,) int32: sequence s has rows starts[s] up to starts[s + 1]. Rows of none are zeros
 *   sinks    null, or (q_heads,): a score of each head that has no value
 *
 * A row sees the positions up to its own. Result (T, q_heads, mx_kv_values) in q's dtype. Entries that do
 * not fit (a block outside the pool, a length less than the rows) fail when it is computed. */
MX_API mlx_array mx_paged_attention(mlx_array q, mlx_array pool, mlx_array tables, mlx_array lengths,
                                    mlx_array starts, mlx_array sinks, const mx_paged_params *params);

#endif
