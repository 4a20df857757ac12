/* gpt-oss: sinks, windows in every other layer, biases, and gates that are clamped. Experts come with gate
 * and up row by row. */
#include "models/transformer.h"

static const nn_source GATE[] = {{.weight = "experts.gate_up_proj",
                                  .bias = "experts.gate_up_proj_bias",
                                  .transposed = true,
                                  .parts = 2,
                                  .part = 0,
                                  .interleaved = true},
                                 {0}},
                       UP[] = {{.weight = "experts.gate_up_proj",
                                .bias = "experts.gate_up_proj_bias",
                                .transposed = true,
                                .parts = 2,
                                .part = 1,
                                .interleaved = true},
                               {0}},
                       DOWN[] = {{.weight = "experts.down_proj",
                                  .bias = "experts.down_proj_bias",
                                  .transposed = true},
                                 {0}};

static int configure(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (transformer_configure(m, c, false, info))
        return -1;
    transformer_rope(m, c);
    m->qkv_bias = m->o_bias = cfg_bool(c, "attention_bias", true);
    m->names.sinks = "self_attn.sinks";
    m->names.moe =
        (nn_moe_names){.router = "router", .stacked = "experts", .gate = GATE, .up = UP, .down = DOWN};
    m->moe = (nn_moe){.experts = cfg_size(c, "num_local_experts", 32),
                      .top_k = cfg_size(c, "num_experts_per_tok", 4),
                      .width = m->mlp,
                      .scoring = NN_SOFTMAX_TOP,
                      .router_bias = true,
                      .expert_bias = true};
    m->activation = NN_CLAMPED;
    if (!transformer_layer_types(m, c))
        for (int i = 0; i < m->n_layers; i += 2)
            m->layers[i].window = cfg_size(c, "sliding_window", 128);
    return transformer_experts(m, c, 1);
}

const arch arch_gpt_oss = {.name = "gpt_oss", .configure = configure, TRANSFORMER_ARCH};
