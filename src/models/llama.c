/* Llama (1 to 3.2, and models of its form) and Mistral, which is Llama with a window over all layers. */
#include "models/transformer.h"

static int configure(transformer *m, const cfg *c, bool tied, arch_info *info)
{
    if (transformer_configure(m, c, tied, info))
        return -1;
    m->qkv_bias = m->o_bias = cfg_bool(c, "attention_bias", false);
    m->mlp_bias = cfg_bool(c, "mlp_bias", false);
    return 0;
}

/* sliding_window alone means nothing here: only layer_types makes layers slide. A config that does not say is
 * tied. */
static int configure_llama(void *self, const cfg *c, arch_info *info)
{
    if (configure(self, c, true, info))
        return -1;
    transformer_layer_types(self, c);
    return transformer_finish(self, c);
}

/* Mistral's sliding_window holds for every layer, unless layer_types says otherwise. */
static int configure_mistral(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (configure(m, c, false, info))
        return -1;
    if (!transformer_layer_types(m, c))
        for (int i = 0; i < m->n_layers; i++)
            m->layers[i].sliding = cfg_has(c, "sliding_window");
    return transformer_finish(m, c);
}

const arch arch_llama = {.name = "llama",
                         .size = sizeof(transformer),
                         .configure = configure_llama,
                         .visit = transformer_visit,
                         .layer = transformer_layer_spec,
                         .forward = transformer_forward,
                         .release = transformer_release};

const arch arch_mistral = {.name = "mistral",
                           .size = sizeof(transformer),
                           .configure = configure_mistral,
                           .visit = transformer_visit,
                           .layer = transformer_layer_spec,
                           .forward = transformer_forward,
                           .release = transformer_release};
