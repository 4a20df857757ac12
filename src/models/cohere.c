/* Cohere's Command R (cohere) and Command R7B, A (cohere2): attention and MLP side by side after one
 * LayerNorm without bias, pairs of neighbours rotate, tied. Of cohere2 three of four layers have a window;
 * the others see all and do not rotate. */
#include "models/transformer.h"

static int configure(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (transformer_configure(m, c, true, info))
        return -1;
    transformer_rope(m, c);
    transformer_layer_norms(m, c, "layer_norm_eps", 1e-5f, false);
    m->parallel = true;
    m->rope[0].traditional = true;
    m->logit_scale = cfg_float(c, "logit_scale", 0.0625f);
    m->qkv_bias = m->o_bias = cfg_bool(c, "attention_bias", false);
    m->names.mid_norm = NULL;
    if (cfg_bool(c, "use_qk_norm", false))
        m->head_norms = HEAD_NORMS_OWN;
    return cfg_ok(c) ? 0 : -1;
}

static int configure_cohere2(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (configure(m, c, info))
        return -1;
    int pattern = cfg_size(c, "sliding_window_pattern", 4);
    if (!transformer_layer_types(m, c))
        for (int i = 0; i < m->n_layers; i++)
            m->layers[i].window = (i + 1) % pattern ? cfg_size(c, "sliding_window", 4096) : 0;
    for (int i = 0; i < m->n_layers; i++)
        m->layers[i].rope = m->layers[i].window ? 0 : -1;
    return cfg_ok(c) ? 0 : -1;
}

const arch arch_cohere = {.name = "cohere", .configure = configure, TRANSFORMER_ARCH};
const arch arch_cohere2 = {.name = "cohere2", .configure = configure_cohere2, TRANSFORMER_ARCH};
