/* Fused operations of language models (mlx.core.fast). */
#ifndef MX_FAST_H
#define MX_FAST_H

#include "mx/array.h"

/* --- fused operations of language models (mlx.core.fast) --- */

/* x / sqrt(mean(x^2) + eps) * weight over the last axis; weight (D) or null. */
MX_API mlx_array mx_rms_norm(mlx_array x, mlx_array weight, float eps);
/* (x - mean) / sqrt(var + eps) * weight + bias; weight and bias (D) or null. */
MX_API mlx_array mx_layer_norm(mlx_array x, mlx_array weight, mlx_array bias, float eps);
/* Rotary positions on the first `dims` entries of the last axis of x (B, .., T, D); the row at T-index t has
 * position offset + t. freqs (dims/2), or null for base^(2i/dims): angle = scale * position / freqs[i]
 * (freqs are periods, as in MLX). traditional: neighbouring pairs, else halves. */
MX_API mlx_array mx_rope(mlx_array x, int dims, bool traditional, float base, float scale, int offset,
                         mlx_array freqs);
/* The same with an integer array of offsets: one, or one for each entry of x's first axis. */
MX_API mlx_array mx_rope_dynamic(mlx_array x, int dims, bool traditional, float base, float scale,
                                 mlx_array offset, mlx_array freqs);
/* softmax(scale * q k^T + mask) v. q (B, H, L, D), k (B, Hkv, S, D), v (B, Hkv, S, Dv), H a multiple of Hkv.
 * Causal: query i sees keys up to i + S - L. mask: bool (true = visible) or additive, broadcast to (B, H, L,
 * S). What a bool mask hides counts as the lowest finite score. */
MX_API mlx_array mx_scaled_dot_product_attention(mlx_array q, mlx_array k, mlx_array v, float scale,
                                                 mx_mask kind, mlx_array mask);
/* The same with a logit for each query head (H) that takes part in the softmax and is dropped, or null; its
 * dtype must promote to the result's, as the mask's. */
MX_API mlx_array mx_scaled_dot_product_attention_sinks(mlx_array q, mlx_array k, mlx_array v, float scale,
                                                       mx_mask kind, mlx_array mask, mlx_array sinks);
/* silu(gate) * up. */
MX_API mlx_array mx_swiglu(mlx_array gate, mlx_array up);

#endif
