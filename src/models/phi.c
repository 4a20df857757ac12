/* Phi-1.5 and Phi-2: one LayerNorm before attention and MLP, which run side by side, and biases everywhere.
 * Phi-3, 3.5 and 4: Llama with q, k and v in one matrix, gate and up in another; longrope. Phi-3.5-MoE:
 * experts and LayerNorms. */
#include "models/transformer.h"

static int configure_phi(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (transformer_configure(m, c, false, info))
        return -1;
    transformer_rope(m, c);
    transformer_layer_norms(m, c, "layer_norm_eps", 1e-5f, true);
    m->parallel = true;
    m->qkv_bias = m->o_bias = m->mlp_bias = m->head_bias = true;
    m->activation = nn_activation_or(c, "hidden_act", NN_GELU_TANH);
    m->names.norm = "model.final_layernorm";
    m->names.mid_norm = NULL;
    m->names.o = "self_attn.dense";
    m->names.mlp_parts = (nn_mlp_names){.up = "fc1", .down = "fc2"};
    if (cfg_bool(c, "qk_layernorm", false))
        cfg_error(c, "qk_layernorm", "is not supported for phi");
    return cfg_ok(c) ? 0 : -1;
}

static int configure_phi3(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (transformer_configure(m, c, false, info))
        return -1;
    transformer_rope(m, c);
    m->names.qkv = "self_attn.qkv_proj";
    m->names.mlp_parts = (nn_mlp_names){.gate_up = "gate_up_proj", .down = "down_proj"};
    for (int i = 0; i < m->n_layers && cfg_has(c, "sliding_window"); i++)
        m->layers[i].window = cfg_size(c, "sliding_window", CFG_REQUIRED);
    return cfg_ok(c) ? 0 : -1;
}

const arch arch_phi = {.name = "phi", .configure = configure_phi, TRANSFORMER_ARCH};
const arch arch_phi3 = {.name = "phi3", .configure = configure_phi3, TRANSFORMER_ARCH};
