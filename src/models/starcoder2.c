/* Families that are the shared decoder with a few settings. */
#include "models/transformer.h"

/* StarCoder2: LayerNorms and biases, a plain MLP with tanh-gelu, a window. */
#include "models/transformer.h"

static int configure(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (transformer_configure(m, c, true, info))
        return -1;
    transformer_rope(m, c);
    transformer_layer_norms(m, c, "norm_epsilon", 1e-5f, true);
    m->activation = nn_activation_or(c, "hidden_act", NN_GELU_TANH);
    m->qkv_bias = m->o_bias = m->mlp_bias = cfg_bool(c, "use_bias", true);
    m->names.mlp_parts = (nn_mlp_names){.up = "c_fc", .down = "c_proj"};
    for (int i = 0; i < m->n_layers && cfg_has(c, "sliding_window"); i++)
        m->layers[i].window = cfg_size(c, "sliding_window", CFG_REQUIRED);
    return cfg_ok(c) ? 0 : -1;
}

const arch arch_starcoder2 = {.name = "starcoder2", .configure = configure, TRANSFORMER_ARCH};
