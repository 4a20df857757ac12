/* The decoder that most families share: pre-norm blocks of grouped-query attention with rotary positions and
 * a gated MLP. What differs between families is data in this struct; their files fill it. */
#ifndef MICA_MODELS_TRANSFORMER_H
#define MICA_MODELS_TRANSFORMER_H

#include "models/arch.h"
#include "nn/activation.h"
#include "nn/attention.h"
#include "nn/rope.h"

typedef struct transformer_layer {
    nn_norm input_norm, post_norm; /* before attention, before the MLP */
    nn_norm q_norm, k_norm;        /* of each head, if head_norms */
    nn_linear q, k, v, o, gate, up, down;
    bool sliding; /* sees only the last `window` positions */
} transformer_layer;

typedef struct transformer {
    int n_layers, hidden, heads, kv_heads, head_dim, mlp, vocab;
    int window; /* of sliding layers */
    float scale, eps;
    bool tied, head_norms, qkv_bias, o_bias, mlp_bias;
    nn_activation activation;
    nn_rope rope;
    nn_embedding embed;
    nn_norm norm;
    nn_linear head;
    transformer_layer *layers;
} transformer;

/* Reads what families have in common; `tied` is what a config without tie_word_embeddings means. The variants
 * (head_norms, biases, windows) are then the family's to set. 0 or -1. */
int transformer_configure(transformer *m, const cfg *c, bool tied, arch_info *info);
/* Reads layer_types: layers called sliding_attention are sliding. True if the config has the key. */
bool transformer_layer_types(transformer *m, const cfg *c);
/* Sets the window, config.json's sliding_window, if some layer is sliding. Call last; gives configure's
 * result. */
int transformer_finish(transformer *m, const cfg *c);

void transformer_visit(void *self, nn_visitor *v);
kv_spec transformer_layer_spec(const void *self, int layer);
mlx_array transformer_forward(const void *self, mlx_array tokens, kv_step *step);
void transformer_release(void *self);

#endif
