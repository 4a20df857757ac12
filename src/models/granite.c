/* IBM Granite: Llama with multipliers on embedding, scores, residuals and logits; GraniteMoE: with experts.
 */
#include "models/transformer.h"

static int configure(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (transformer_configure(m, c, false, info))
        return -1;
    transformer_rope(m, c);
    float divisor = cfg_float(c, "logits_scaling", 1);
    if (divisor == 0)
        cfg_error(c, "logits_scaling", "must not be 0");
    m->embed_scale = cfg_float(c, "embedding_multiplier", 1);
    m->scale = cfg_float(c, "attention_multiplier", 1);
    m->residual_scale = cfg_float(c, "residual_multiplier", 1);
    m->logit_scale = 1 / divisor;
    m->qkv_bias = m->o_bias = cfg_bool(c, "attention_bias", false);
    m->mlp_bias = cfg_bool(c, "mlp_bias", false);
    return cfg_ok(c) ? 0 : -1;
}

static const nn_source GATE[] = {{.weight = "input_linear.weight", .parts = 2, .part = 0}, {0}},
                       UP[] = {{.weight = "input_linear.weight", .parts = 2, .part = 1}, {0}},
                       DOWN[] = {{.weight = "output_linear.weight"}, {0}};

static int configure_moe(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (configure(m, c, info))
        return -1;
    m->names.mlp = "block_sparse_moe";
    m->names.moe = (nn_moe_names){
        .router = "router.layer", .stacked = "switch_mlp", .gate = GATE, .up = UP, .down = DOWN};
    m->moe = (nn_moe){.experts = cfg_size(c, "num_local_experts", CFG_REQUIRED),
                      .top_k = cfg_size(c, "num_experts_per_tok", CFG_REQUIRED),
                      .width = m->mlp,
                      .scoring = NN_SOFTMAX_TOP};
    return transformer_experts(m, c, 1);
}

const arch arch_granite = {.name = "granite", .configure = configure, TRANSFORMER_ARCH};
const arch arch_granitemoe = {.name = "granitemoe", .configure = configure_moe, TRANSFORMER_ARCH};
