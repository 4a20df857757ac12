/* The decoder that most families share: blocks of attention (or another mixer) and an MLP (or experts),
 * around one stream. What differs between families is data in these structs; their files fill it.
 *
 *     a = attn_out_norm(mixer(in_norm(h)))          norms that a family does not have are left out
 *     h = h + a;  h = h + mlp_out_norm(mlp(mid_norm(h)))
 * or, parallel,
 *     h = h + a + mlp(mid_norm(h), or in_norm(h) if it has no mid_norm) */
#ifndef MICA_MODELS_TRANSFORMER_H
#define MICA_MODELS_TRANSFORMER_H

#include "models/arch.h"
#include "nn/attention.h"
#include "nn/moe.h"
#include "nn/rope.h"

/* What a checkpoint calls the parts, relative to what they are in; NULL: there is no such part. */
typedef struct transformer_names {
    const char *embed, *positions, *layer, *norm, *head; /* layer: "model.layers." before the number */
    const char *in_norm, *attn_out_norm, *mid_norm, *mlp_out_norm;
    const char *q, *k, *v, *o, *q_norm, *k_norm, *o_norm, *sinks;
    const char *qkv; /* one matrix instead of q, k and v */
    const char *mlp;
    nn_mlp_names mlp_parts;
    nn_moe_names moe;
} transformer_names;

/* Norms on q and k. */
typedef enum head_norms {
    HEAD_NORMS_NONE,
    HEAD_NORMS_EACH, /* over each head, one weight for all */
    HEAD_NORMS_OWN,  /* over each head, a weight (heads, head_dim) */
    HEAD_NORMS_LIST, /* the same, but a tensor for each head: .norms.N.weight */
    HEAD_NORMS_FULL, /* over all heads together */
    HEAD_NORMS_BARE, /* over each head, without a weight, after the rotation */
} head_norms;

/* How q, k and v lie in one matrix. */
typedef enum qkv_order {
    QKV_PARTS,   /* all of q, then k, then v */
    QKV_BY_HEAD, /* for each head its q, k and v */
} qkv_order;

typedef struct transformer transformer;

/* What takes the place of attention in a layer: other ways to look back. `self` is the layer's own struct. */
typedef struct mixer {
    size_t size;
    void (*visit)(const transformer *m, void *self, nn_visitor *v);
    mlx_array (*forward)(const transformer *m, const void *self, int layer, mlx_array x, kv_step *step);
    kv_spec (*spec)(const transformer *m, const void *self);
    bool beside_attention; /* the layer has attention, too, which forward calls */
} mixer;

typedef struct transformer_layer {
    nn_norm in_norm, attn_out_norm, mid_norm, mlp_out_norm;
    nn_norm q_norm, k_norm, o_norm;
    nn_param q_weights, k_weights; /* of HEAD_NORMS_OWN */
    nn_param sinks;
    nn_linear q, k, v, o, qkv;
    nn_mlp mlp;
    nn_moe moe;
    int window;         /* sees the last `window` positions only; 0: all */
    int rope;           /* index into transformer.rope; -1: no rotation */
    bool has_moe;       /* experts instead of the MLP */
    const mixer *mixer; /* instead of attention; NULL: attention */
    void *mix;          /* its struct */
} transformer_layer;

struct transformer {
    int n_layers, hidden, heads, kv_heads, head_dim, mlp, vocab;
    float eps;
    bool tied, parallel;
    transformer_names names;

    nn_norm_kind norm_kind;
    bool norm_bias, norm_plus_one, norm_bare; /* bare: without weights */
    bool norm_mlx_adds;                       /* plus one in the published form only */
    bool attention_free;                      /* config.json says nothing of heads; set before configure */
    head_norms head_norms;
    qkv_order qkv_order;
    bool qkv_bias, o_bias, mlp_bias, head_bias;
    bool output_gate; /* q has as many numbers again, whose sigmoid multiplies the heads' results */
    bool norm_after;  /* q and k are normalized after the rotation */
    bool conv1d;      /* matrices (in, out) in the published form */
    float scale;      /* of scores */
    float softcap;    /* of scores; 0: none */
    float clip;       /* of q, k and v; 0: none */
    float k_scale;    /* multiplies k; 0: none */
    float q_growth;   /* q is multiplied by 1 + q_growth ln(1 + floor(position / q_growth_step)) .. */
    float q_growth_step;
    bool q_growth_bare; /* .. in layers without rotation only */

    float embed_scale, residual_scale, logit_scale, logit_softcap; /* 0: none */
    float mlp_gate_scale, mlp_down_scale;                          /* 0: none */
    nn_activation activation;
    nn_rope rope[2];
    nn_moe moe; /* data that layers with experts begin with */

    nn_embedding embed, positions;
    nn_norm norm;
    nn_linear head;
    transformer_layer *layers;
};

/* Reads what families have in common, in the names and with the defaults of Llama; `tied` is what a config
 * without tie_word_embeddings means. The variants are then the family's to set, rope is not read yet. 0 or
 * -1. */
int transformer_configure(transformer *m, const cfg *c, bool tied, arch_info *info);
/* The usual rope: one kind for all layers. */
void transformer_rope(transformer *m, const cfg *c);
/* Reads layer_types: layers called sliding_attention have config.json's sliding_window. True if the config
 * has the key. */
bool transformer_layer_types(transformer *m, const cfg *c);
/* LayerNorms instead of RMS norms; the epsilon is config.json's `key`. */
void transformer_layer_norms(transformer *m, const cfg *c, const char *key, float eps, bool bias);
/* Experts as m->moe describes them in layer i. */
void transformer_expert_layer(transformer *m, int i);
/* The same in every step-th layer that is not in mlp_only_layers. Call last; gives configure's result. */
int transformer_experts(transformer *m, const cfg *c, int step);
/* Experts as DeepSeek describes and names them, from layer first_k_dense_replace on. Likewise. */
int transformer_experts_deepseek(transformer *m, const cfg *c, nn_scoring scoring);
/* Is layer_types[i] there and called that? */
bool transformer_layer_is(const cfg *c, int i, const char *type);
/* Allocates the layer's mixer struct; NULL when out of memory, which cfg_ok then tells. */
void *transformer_mixer(transformer *m, const cfg *c, int layer, const mixer *kind);

void transformer_visit(void *self, nn_visitor *v);
kv_spec transformer_layer_spec(const void *self, int layer);
mlx_array transformer_forward(const void *self, mlx_array tokens, kv_step *step);
void transformer_release(void *self);

/* For mixers beside attention: x (B, L, hidden), normalized, to the result of the output matrix. */
mlx_array transformer_attention(const transformer *m, int layer, mlx_array x, kv_step *step);
/* For mixers: a norm of the family's kind. */
void transformer_visit_norm(const transformer *m, nn_visitor *v, const char *name, nn_norm *n, int dim);

/* The functions of a family that is a transformer. */
#define TRANSFORMER_ARCH                                                                      \
    .size = sizeof(transformer), .visit = transformer_visit, .layer = transformer_layer_spec, \
    .forward = transformer_forward, .release = transformer_release

#endif
