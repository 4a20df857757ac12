/* Recurrences of language models that keep a state instead of keys and values, over the rows of one sequence.
 * Not part of MLX. Everything is float32. Rows are taken one after another, so results do not depend on how a
 * sequence is cut into calls. */
#ifndef MX_RECURRENT_H
#define MX_RECURRENT_H

#include "mx/array.h"

/* The gated delta rule (arXiv 2412.06464). For each of H heads, with its state S of (K, V), and each row:
 *
 *     S = exp(g) S;  S = S + k outer (beta (v - S^T k));  y = S^T q
 *
 *   q, k     (L, Hk, K); H is a multiple of Hk, neighbours share
 *   v        (L, H, V)
 *   g, beta  (L, H)
 *   state    (H, K, V)
 *   out      y (L, H, V), and the state after the last row
 *
 * 0 or -1. */
MX_API int mx_gated_delta(mlx_array q, mlx_array k, mlx_array v, mlx_array g, mlx_array beta, mlx_array state,
                          mlx_array out[2]);

/* The selective scan of Mamba (arXiv 2312.00752, 2405.21060). For each of H heads, with its state S of (N,
 * P), and each row:
 *
 *     S = exp(dt a) S + b outer (dt x);  y = S^T c
 *
 *   x      (L, H, P)
 *   dt, a  (L, H) and (H): one decay for a head (Mamba 2); or (L, H, P) and (H, N, P): one for each number
 *   b, c   (L, G, N); H is a multiple of G, neighbours share
 *   state  (H, N, P)
 *   out    y (L, H, P), and the state after the last row
 *
 * 0 or -1. */
MX_API int mx_selective_scan(mlx_array x, mlx_array dt, mlx_array a, mlx_array b, mlx_array c,
                             mlx_array state, mlx_array out[2]);

#endif
