/* The parts of attention that families share. */
#ifndef MICA_NN_ATTENTION_H
#define MICA_NN_ATTENTION_H

#include "mx.h"

/* What a query may see: all keys up to its own position, or only the last `window` of them. */
typedef struct nn_mask {
    mx_mask kind;
    mlx_array array; /* (L, S) bool for MX_MASK_ARRAY */
    int last;        /* > 0: only the last so many keys matter */
} nn_mask;

/* The mask of L new positions behind `offset` earlier ones; window 0 = no window. */
nn_mask nn_causal_mask(int L, int offset, int window);
/* (B, L, n * D) -> (B, n, L, D) */
mlx_array nn_split_heads(mlx_array x, int n);
/* (B, n, L, D) -> (B, L, n * D) */
mlx_array nn_merge_heads(mlx_array x);
/* softmax(scale * q k^T, masked) v: q (B, H, L, D), k (B, Hkv, S, D), v (B, Hkv, S, V) -> (B, H, L, V).
 * sinks (H) or null: a logit of each head that takes part in the softmax and is dropped. */
mlx_array nn_attend(mlx_array q, mlx_array k, mlx_array v, float scale, nn_mask mask, mlx_array sinks);
/* The same with scores cap * tanh(score / cap) before the mask. */
mlx_array nn_attend_capped(mlx_array q, mlx_array k, mlx_array v, float scale, nn_mask mask, float cap);

#endif
