/* GLM-4 (glm, and glm4 with norms on both sides): a part of each head rotates in pairs of neighbours, biases
 * on q, k and v, gate and up in one matrix. GLM-4.5 (glm4_moe): experts routed as DeepSeek-V3's, halves
 * rotate. */
#include "models/transformer.h"

static int configure(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (transformer_configure(m, c, false, info))
        return -1;
    transformer_rope(m, c);
    m->rope[0].traditional = true;
    m->qkv_bias = cfg_bool(c, "attention_bias", false);
    m->names.mlp_parts = (nn_mlp_names){.gate_up = "gate_up_proj", .down = "down_proj"};
    return cfg_ok(c) ? 0 : -1;
}

static int configure_glm4(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (configure(m, c, info))
        return -1;
    m->names.attn_out_norm = "post_self_attn_layernorm";
    m->names.mlp_out_norm = "post_mlp_layernorm";
    return 0;
}

static int configure_moe(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (transformer_configure(m, c, false, info))
        return -1;
    transformer_rope(m, c);
    m->qkv_bias = cfg_bool(c, "attention_bias", false);
    if (cfg_bool(c, "use_qk_norm", false))
        m->head_norms = HEAD_NORMS_EACH;
    return transformer_experts_deepseek(m, c, NN_SIGMOID);
}

/* dots.llm1: the same with norms on q and k always. */
static int configure_dots1(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (configure_moe(m, c, info))
        return -1;
    m->o_bias = m->qkv_bias;
    m->head_norms = HEAD_NORMS_EACH;
    if (transformer_layer_types(m, c))
        return cfg_ok(c) ? 0 : -1;
    return 0;
}

const arch arch_glm = {.name = "glm", .configure = configure, TRANSFORMER_ARCH};
const arch arch_glm4 = {.name = "glm4", .configure = configure_glm4, TRANSFORMER_ARCH};
const arch arch_glm4_moe = {.name = "glm4_moe", .configure = configure_moe, TRANSFORMER_ARCH};
const arch arch_dots1 = {.name = "dots1", .configure = configure_dots1, TRANSFORMER_ARCH};
