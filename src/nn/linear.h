/* Matrices with weights: linear layers and embeddings, plain or quantized behind one call. */
#ifndef MICA_NN_LINEAR_H
#define MICA_NN_LINEAR_H

#include "mx.h"

/* y = x W^T + b with W (out, in). The arrays are slots, filled and emptied by visitors (nn/visit.h). With
 * experts > 0 it is that many matrices of one shape: every array has a first axis (experts) more. */
typedef struct nn_linear {
    mlx_array weight;         /* (out, in) float, or (out, in * bits / 32) uint32 when quantized */
    mlx_array scales, biases; /* (out, in / group_size); null unless quantized */
    mlx_array bias;           /* (out), or null */
    int in, out, experts;
    int chosen; /* experts that a row meets; 0: all */
    bool has_bias;
    bool conv1d;          /* the published form is (in, out) */
    int group_size, bits; /* 0 unless quantized */
    mx_precision precision;
} nn_linear;

/* A table of rows (out of them, of `in` numbers each): the same matrix, looked up by row. */
typedef nn_linear nn_embedding;

static inline bool nn_quantized(const nn_linear *l) { return l->bits != 0; }

/* Products of few rows and of many add up in different orders. So that what else is computed in a step never
 * shows in a row's bits, rows have a kind: tokens that were drawn are computed as few rows are, those of
 * prompts as many are. Of the steps that this thread builds from now on the first n rows are drawn, those
 * behind prompts'; -1 (at first): however many rows there are decides. Returns what it was. */
int nn_drawn_rows(int n);

/* x (.., in) -> (.., out) in x's dtype or a wider one. */
mlx_array nn_apply(const nn_linear *l, mlx_array x);
/* Expert indices[..] of l applied to rows: x (.., 1, in) with indices (..) int -> (.., 1, out), where the
 * leading axes broadcast. sorted: indices do not fall, which is faster. */
mlx_array nn_apply_experts(const nn_linear *l, mlx_array x, mlx_array indices, bool sorted);
/* One matrix for each entry of axis -3: x (.., experts, n, in) -> (.., experts, n, out). */
mlx_array nn_apply_each(const nn_linear *l, mlx_array x);
/* ids (..) of any integer type -> rows (.., in) in float32. */
mlx_array nn_embed(const nn_embedding *e, mlx_array ids);
/* The table as an output layer: x (.., in) -> (.., out). */
mlx_array nn_unembed(const nn_embedding *e, mlx_array x);

#endif
