/* StableLM: LayerNorms, a part of each head rotates. */
#include "models/transformer.h"

static int configure(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (transformer_configure(m, c, false, info))
        return -1;
    transformer_rope(m, c);
    transformer_layer_norms(m, c, "layer_norm_eps", 1e-5f, true);
    m->qkv_bias = cfg_bool(c, "use_qkv_bias", false);
    m->parallel = cfg_bool(c, "use_parallel_residual", false);
    if (m->parallel)
        m->names.mid_norm = NULL;
    if (cfg_bool(c, "qk_layernorm", false))
        m->head_norms = HEAD_NORMS_LIST;
    m->names.q_norm = "self_attn.q_layernorm";
    m->names.k_norm = "self_attn.k_layernorm";
    return cfg_ok(c) ? 0 : -1;
}

const arch arch_stablelm = {.name = "stablelm", .configure = configure, TRANSFORMER_ARCH};
