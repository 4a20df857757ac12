/* Mixtral, and relatives that differ in how they route: MiniMax-M2, ERNIE 4.5 MoE, gpt-oss, Llama 4. */
#include "models/transformer.h"

static int configure_mixtral(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (transformer_configure(m, c, false, info))
        return -1;
    transformer_rope(m, c);
    for (int i = 0; i < m->n_layers && cfg_has(c, "sliding_window"); i++)
        m->layers[i].window = cfg_size(c, "sliding_window", CFG_REQUIRED);
    m->names.mlp = "block_sparse_moe";
    m->moe = (nn_moe){.experts = cfg_size(c, "num_local_experts", 8),
                      .top_k = cfg_size(c, "num_experts_per_tok", 2),
                      .width = m->mlp,
                      .scoring = NN_SOFTMAX_TOP};
    return transformer_experts(m, c, 1);
}

/* MiniMax-M2: norms over all heads, a part of each rotates, sigmoid scores with a correction. */
static int configure_minimax_m2(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (transformer_configure(m, c, false, info))
        return -1;
    transformer_rope(m, c);
    m->rope[0].dims = cfg_size(c, "rotary_dim", m->rope[0].dims);
    if (m->rope[0].dims > m->head_dim || m->rope[0].dims % 2)
        cfg_error(c, "rotary_dim", "must be even and at most head_dim");
    m->head_norms = HEAD_NORMS_FULL;
    m->names.mlp = "block_sparse_moe";
    m->names.moe.correction = "e_score_correction_bias";
    m->moe = (nn_moe){.experts = cfg_size(c, "num_local_experts", 256),
                      .top_k = cfg_size(c, "num_experts_per_tok", 8),
                      .width = m->mlp,
                      .scoring = NN_SIGMOID,
                      .normalize = true};
    return transformer_experts(m, c, 1);
}

/* ERNIE 4.5 with experts: softmax scores with a correction, an MLP beside them. */
static int configure_ernie(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (transformer_configure(m, c, true, info))
        return -1;
    transformer_rope(m, c);
    m->rope[0].traditional = true;
    m->qkv_bias = m->o_bias = m->mlp_bias = cfg_bool(c, "use_bias", false);
    int width = cfg_size(c, "moe_intermediate_size", CFG_REQUIRED);
    m->moe = (nn_moe){.experts = cfg_size(c, "moe_num_experts", 64),
                      .top_k = cfg_size(c, "moe_k", 6),
                      .width = width,
                      .normalize = true,
                      .shared_width = width * cfg_count(c, "moe_num_shared_experts", 0)};
    m->names.moe.shared = "shared_experts";
    m->names.moe.correction = "moe_statics.e_score_correction_bias";
    int first = cfg_count(c, "moe_layer_start_index", 1), step = cfg_size(c, "moe_layer_interval", 1);
    int last = cfg_count(c, "moe_layer_end_index", m->n_layers - 1);
    for (int i = first; i < m->n_layers && i <= last; i++)
        if ((i + 1) % step == 0)
            transformer_expert_layer(m, i);
    return cfg_ok(c) ? 0 : -1;
}

/* gpt-oss: sinks, windows in every other layer, biases, and gates that are clamped. Experts come with gate
 * and up row by row. */
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

static int configure_gpt_oss(void *self, const cfg *c, arch_info *info)
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

const arch arch_mixtral = {.name = "mixtral", .configure = configure_mixtral, TRANSFORMER_ARCH};
const arch arch_minimax_m2 = {.name = "minimax_m2", .configure = configure_minimax_m2, TRANSFORMER_ARCH};
const arch arch_ernie4_5_moe = {.name = "ernie4_5_moe", .configure = configure_ernie, TRANSFORMER_ARCH};
const arch arch_gpt_oss = {.name = "gpt_oss", .configure = configure_gpt_oss, TRANSFORMER_ARCH};
