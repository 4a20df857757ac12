/* Gemma 1, 2 and 3 (text): embeddings scaled by sqrt(hidden), norms by 1 + weight, tanh-gelu. Gemma 2 caps
 * scores and logits; 2 and 3 have norms on both sides of attention and MLP, and layers with a window. */
#include "kernels/half.h"
#include "models/transformer.h"

#include <math.h>

static int configure(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (transformer_configure(m, c, true, info))
        return -1;
    m->norm_plus_one = true;
    m->embed_scale = sqrtf((float)m->hidden);
    m->activation = NN_GELU_TANH;
    m->qkv_bias = m->o_bias = cfg_bool(c, "attention_bias", false);
    return 0;
}

static int configure_gemma(void *self, const cfg *c, arch_info *info)
{
    if (configure(self, c, info))
        return -1;
    transformer_rope(self, c);
    return cfg_ok(c) ? 0 : -1;
}

/* Norms on both sides, and a scale that the config gives. */
static int configure_sandwich(transformer *m, const cfg *c, arch_info *info)
{
    if (configure(m, c, info))
        return -1;
    m->names.attn_out_norm = "post_attention_layernorm";
    m->names.mid_norm = "pre_feedforward_layernorm";
    m->names.mlp_out_norm = "post_feedforward_layernorm";
    m->scale = 1 / sqrtf(cfg_float(c, "query_pre_attn_scalar", 256));
    return 0;
}

static int configure_gemma2(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (configure_sandwich(m, c, info))
        return -1;
    transformer_rope(m, c);
    m->softcap = cfg_float(c, "attn_logit_softcapping", 0);
    m->logit_softcap = cfg_float(c, "final_logit_softcapping", 0);
    if (!transformer_layer_types(m, c))
        for (int i = 0; i < m->n_layers; i += 2)
            m->layers[i].window = cfg_size(c, "sliding_window", 4096);
    return cfg_ok(c) ? 0 : -1;
}

/* Every sixth layer sees all, by positions of another base. */
static int configure_gemma3(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (configure_sandwich(m, c, info))
        return -1;
    m->head_norms = HEAD_NORMS_EACH;
    m->rope[0] = nn_rope_of_type(c, "full_attention", m->head_dim, cfg_float(c, "rope_theta", 1e6f));
    cfg parameters = cfg_object(c, "rope_parameters", "rope_parameters.");
    if (cfg_has(&parameters, "sliding_attention"))
        m->rope[1] = nn_rope_of_type(c, "sliding_attention", m->head_dim, 10000);
    else
        m->rope[1] = (nn_rope){.dims = m->head_dim,
                               .base = cfg_float(c, "rope_local_base_freq", 10000),
                               .scale = 1,
                               .mscale = 1};
    m->embed_scale = bf16_to_f32(f32_to_bf16(m->embed_scale)); /* as it was trained */
    int pattern = cfg_size(c, "sliding_window_pattern", 6), window = cfg_size(c, "sliding_window", 512);
    bool listed = cfg_has(c, "layer_types");
    for (int i = 0; i < m->n_layers; i++) {
        bool all = listed ? transformer_layer_is(c, i, "full_attention") : (i + 1) % pattern == 0;
        m->layers[i].window = all ? 0 : window;
        m->layers[i].rope = all ? 0 : 1;
    }
    m->logit_softcap = cfg_float(c, "final_logit_softcapping", 0);
    m->softcap = cfg_float(c, "attn_logit_softcapping", 0);
    return cfg_ok(c) ? 0 : -1;
}

const arch arch_gemma = {.name = "gemma", .configure = configure_gemma, TRANSFORMER_ARCH};
const arch arch_gemma2 = {.name = "gemma2", .configure = configure_gemma2, TRANSFORMER_ARCH};
const arch arch_gemma3_text = {.name = "gemma3_text", .configure = configure_gemma3, TRANSFORMER_ARCH};
