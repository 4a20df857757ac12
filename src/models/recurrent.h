/* What layers with a state share: causal convolutions along a sequence, and going sequence by sequence. Rows
 * are (1, L, ..): several sequences lie one after another. */
#ifndef MICA_MODELS_RECURRENT_H
#define MICA_MODELS_RECURRENT_H

#include "models/transformer.h"

/* A depthwise convolution over the last `size` rows of a channel. */
typedef struct causal_conv {
    int channels, size;
    bool has_bias;
    nn_param weight, bias; /* (channels, size, 1), (channels) */
} causal_conv;

/* Visits weight and bias under a name. */
void causal_conv_visit(nn_visitor *v, const char *name, causal_conv *c);
/* x (1, L, channels) -> the same shape. What the next step needs of these rows goes into state `which`. */
mlx_array causal_conv_apply(const causal_conv *c, int layer, int which, mlx_array x, kv_step *step);

/* Rows of one sequence: `in` has those of the span, n arrays (rows, ..); returns the results (rows, ..). */
typedef mlx_array (*sequence_fn)(const void *user, const mlx_array *in, mlx_array *state);
/* Cuts n arrays (L, ..) by sequence, calls fn for each with its state `which`, and joins the results. */
mlx_array recurrent_by_sequence(kv_step *step, int layer, int which, const mlx_array *in, size_t n,
                                sequence_fn fn, const void *user);

/* Mamba 2's layer (and Mamba 1's), as part of families that differ in details. */
typedef struct mamba {
    int inner, heads, width, states, groups, rank; /* inner = heads * width; rank 0: Mamba 2 */
    causal_conv conv;
    nn_linear in, out, x_proj, dt_proj;
    nn_norm norm;                    /* of the gated result; dim 0: none */
    nn_norm dt_norm, b_norm, c_norm; /* Mamba 1: of the parts; dim 0: none */
    nn_param a_log, d, dt_bias;
    float bare_eps;       /* not 0: those parts are normalized without weights */
    float multipliers[5]; /* of z, x, b, c, dt; all 0: none */
    bool bias;            /* of in and out */
} mamba;

void mamba_visit(const transformer *m, mamba *a, nn_visitor *v);
mlx_array mamba_forward(const mamba *a, int layer, mlx_array x, kv_step *step);
size_t mamba_state_bytes(const mamba *a);

#endif
