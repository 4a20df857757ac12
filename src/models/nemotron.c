/* Nemotron: LayerNorms by 1 + weight, a plain MLP with squared relu, a part of each head rotates. */
#include "models/transformer.h"

static int configure(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (transformer_configure(m, c, false, info))
        return -1;
    transformer_rope(m, c);
    transformer_layer_norms(m, c, "norm_eps", 1e-5f, true);
    m->norm_plus_one = true;
    m->activation = nn_activation_or(c, "hidden_act", NN_RELU2);
    m->qkv_bias = m->o_bias = cfg_bool(c, "attention_bias", false);
    m->mlp_bias = cfg_bool(c, "mlp_bias", false);
    m->names.mlp_parts = (nn_mlp_names){.up = "up_proj", .down = "down_proj"};
    return cfg_ok(c) ? 0 : -1;
}

const arch arch_nemotron = {.name = "nemotron", .configure = configure, TRANSFORMER_ARCH};
