/* Hunyuan dense: norms on the heads after the rotation. */
#include "models/transformer.h"

static int configure(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (transformer_configure(m, c, false, info))
        return -1;
    transformer_rope(m, c);
    m->head_norms = cfg_bool(c, "use_qk_norm", true) ? HEAD_NORMS_EACH : HEAD_NORMS_NONE;
    m->norm_after = true;
    m->names.q_norm = "self_attn.query_layernorm";
    m->names.k_norm = "self_attn.key_layernorm";
    m->qkv_bias = m->o_bias = cfg_bool(c, "attention_bias", false);
    return cfg_ok(c) ? 0 : -1;
}

const arch arch_hunyuan_v1_dense = {.name = "hunyuan_v1_dense", .configure = configure, TRANSFORMER_ARCH};
