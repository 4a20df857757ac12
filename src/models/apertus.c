/* Apertus: norms on the heads, a plain MLP with xIELU. */
#include "models/transformer.h"

static int configure(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (transformer_configure(m, c, false, info))
        return -1;
    transformer_rope(m, c);
    m->head_norms = HEAD_NORMS_EACH;
    m->activation = nn_activation_or(c, "hidden_act", NN_XIELU);
    m->qkv_bias = m->o_bias = cfg_bool(c, "attention_bias", false);
    m->names.in_norm = "attention_layernorm";
    m->names.mid_norm = "feedforward_layernorm";
    m->names.mlp_parts = (nn_mlp_names){.up = "up_proj", .down = "down_proj"};
    return cfg_ok(c) ? 0 : -1;
}

const arch arch_apertus = {.name = "apertus", .configure = configure, TRANSFORMER_ARCH};
