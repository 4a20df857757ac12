/* Qwen3, dense and with experts: no biases, and an RMS norm on each head of q and k before the rotation. */
#include "models/transformer.h"

static int configure(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (transformer_configure(m, c, false, info))
        return -1;
    transformer_rope(m, c);
    m->head_norms = HEAD_NORMS_EACH;
    m->qkv_bias = m->o_bias = cfg_bool(c, "attention_bias", false);
    if (cfg_bool(c, "use_sliding_window", false) && !transformer_layer_types(m, c))
        for (int i = cfg_count(c, "max_window_layers", m->n_layers); i < m->n_layers; i++)
            m->layers[i].window = cfg_size(c, "sliding_window", CFG_REQUIRED);
    return cfg_ok(c) ? 0 : -1;
}

static int configure_moe(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (configure(m, c, info))
        return -1;
    m->moe = (nn_moe){.experts = cfg_size(c, "num_experts", cfg_size(c, "num_local_experts", 128)),
                      .top_k = cfg_size(c, "num_experts_per_tok", 8),
                      .width = cfg_size(c, "moe_intermediate_size", CFG_REQUIRED),
                      .normalize = cfg_bool(c, "norm_topk_prob", false)};
    return transformer_experts(m, c, cfg_size(c, "decoder_sparse_step", 1));
}

const arch arch_qwen3 = {.name = "qwen3", .configure = configure, TRANSFORMER_ARCH};
const arch arch_qwen3_moe = {.name = "qwen3_moe", .configure = configure_moe, TRANSFORMER_ARCH};
