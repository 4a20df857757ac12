/* Qwen3, dense: no biases, and an RMS norm on each head of q and k before the rotation. */
#include "models/transformer.h"

static int configure(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (transformer_configure(m, c, false, info))
        return -1;
    m->head_norms = true;
    m->qkv_bias = m->o_bias = cfg_bool(c, "attention_bias", false);
    if (cfg_bool(c, "use_sliding_window", false) && !transformer_layer_types(m, c))
        for (int i = cfg_count(c, "max_window_layers", m->n_layers); i < m->n_layers; i++)
            m->layers[i].sliding = true;
    return transformer_finish(m, c);
}

const arch arch_qwen3 = {.name = "qwen3",
                         .size = sizeof(transformer),
                         .configure = configure,
                         .visit = transformer_visit,
                         .layer = transformer_layer_spec,
                         .forward = transformer_forward,
                         .release = transformer_release};
