/* Mixtral: Mistral with experts, of which the best are weighed by a softmax over themselves. */
#include "models/transformer.h"

static int configure(void *self, const cfg *c, arch_info *info)
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

const arch arch_mixtral = {.name = "mixtral", .configure = configure, TRANSFORMER_ARCH};
