/* EXAONE 4: norms after attention and MLP only; of layers with windows and without, only those rotate. */
#include "models/transformer.h"

static int configure(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (transformer_configure(m, c, false, info))
        return -1;
    transformer_rope(m, c);
    m->head_norms = HEAD_NORMS_EACH;
    m->names.in_norm = m->names.mid_norm = NULL;
    m->names.attn_out_norm = "post_attention_layernorm";
    m->names.mlp_out_norm = "post_feedforward_layernorm";
    if (!cfg_has(c, "sliding_window"))
        return cfg_ok(c) ? 0 : -1;
    transformer_layer_types(m, c);
    for (int i = 0; i < m->n_layers; i++)
        m->layers[i].rope = m->layers[i].window ? 0 : -1;
    return cfg_ok(c) ? 0 : -1;
}

const arch arch_exaone4 = {.name = "exaone4", .configure = configure, TRANSFORMER_ARCH};
