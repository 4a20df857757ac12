/* ERNIE 4.5: neighbouring pairs rotate. With experts: softmax scores with a correction, an MLP beside them.
 */
#include "models/transformer.h"

static int configure(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (transformer_configure(m, c, true, info))
        return -1;
    transformer_rope(m, c);
    m->rope[0].traditional = true;
    m->qkv_bias = m->o_bias = m->mlp_bias = cfg_bool(c, "use_bias", false);
    return cfg_ok(c) ? 0 : -1;
}

static int configure_moe(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (configure(m, c, info))
        return -1;
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

const arch arch_ernie4_5 = {.name = "ernie4_5", .configure = configure, TRANSFORMER_ARCH};
const arch arch_ernie4_5_moe = {.name = "ernie4_5_moe", .configure = configure_moe, TRANSFORMER_ARCH};
