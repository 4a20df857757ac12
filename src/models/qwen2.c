/* Qwen1.5, Qwen2 and Qwen2.5: Llama with biases on q, k and v. With use_sliding_window the layers from
 * max_window_layers on see a window, unless layer_types says otherwise. Qwen1.5-MoE and Qwen2-MoE: experts
 * beside an MLP that sees every row. */
#include "models/transformer.h"

static void windows(transformer *m, const cfg *c)
{
    if (cfg_bool(c, "use_sliding_window", false) && !transformer_layer_types(m, c))
        for (int i = cfg_count(c, "max_window_layers", m->n_layers); i < m->n_layers; i++)
            m->layers[i].window = cfg_size(c, "sliding_window", CFG_REQUIRED);
}

static int configure(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (transformer_configure(m, c, true, info))
        return -1;
    transformer_rope(m, c);
    m->qkv_bias = true;
    windows(m, c);
    return cfg_ok(c) ? 0 : -1;
}

static int configure_moe(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (transformer_configure(m, c, false, info))
        return -1;
    transformer_rope(m, c);
    m->qkv_bias = cfg_bool(c, "qkv_bias", true);
    windows(m, c);
    m->moe = (nn_moe){.experts = cfg_size(c, "num_experts", 60),
                      .top_k = cfg_size(c, "num_experts_per_tok", 4),
                      .width = cfg_size(c, "moe_intermediate_size", CFG_REQUIRED),
                      .normalize = cfg_bool(c, "norm_topk_prob", false),
                      .shared_width = cfg_size(c, "shared_expert_intermediate_size", CFG_REQUIRED)};
    m->names.moe.shared = "shared_expert";
    m->names.moe.shared_gate = "shared_expert_gate";
    return transformer_experts(m, c, cfg_size(c, "decoder_sparse_step", 1));
}

const arch arch_qwen2 = {.name = "qwen2", .configure = configure, TRANSFORMER_ARCH};
const arch arch_qwen2_moe = {.name = "qwen2_moe", .configure = configure_moe, TRANSFORMER_ARCH};
