/* Qwen2 and Qwen2.5: Llama with biases on q, k and v. With use_sliding_window the layers from
 * max_window_layers on see a window, unless layer_types says otherwise. */
#include "models/transformer.h"

static int configure(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (transformer_configure(m, c, true, info))
        return -1;
    m->qkv_bias = true;
    if (cfg_bool(c, "use_sliding_window", false) && !transformer_layer_types(m, c))
        for (int i = cfg_count(c, "max_window_layers", m->n_layers); i < m->n_layers; i++)
            m->layers[i].sliding = true;
    return transformer_finish(m, c);
}

const arch arch_qwen2 = {.name = "qwen2",
                         .size = sizeof(transformer),
                         .configure = configure,
                         .visit = transformer_visit,
                         .layer = transformer_layer_spec,
                         .forward = transformer_forward,
                         .release = transformer_release};
