/* MiniMax-M2: norms over all heads, a part of each rotates, sigmoid scores with a correction. */
#include "models/transformer.h"

static int configure(void *self, const cfg *c, arch_info *info)
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

const arch arch_minimax_m2 = {.name = "minimax_m2", .configure = configure, TRANSFORMER_ARCH};
