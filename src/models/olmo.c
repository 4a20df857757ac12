/* OLMo 1 (LayerNorms without weights), 2 (norms after attention and MLP only, and over all heads of q and k),
 * 3 (2 with windows in three of four layers), and OLMoE (experts). */
#include "models/transformer.h"

static int configure_olmo(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (transformer_configure(m, c, false, info))
        return -1;
    transformer_rope(m, c);
    m->norm_kind = NN_LAYER;
    m->norm_bare = true;
    m->eps = 1e-5f;
    m->clip = cfg_float(c, "clip_qkv", 0);
    m->qkv_bias = m->o_bias = cfg_bool(c, "attention_bias", false);
    return cfg_ok(c) ? 0 : -1;
}

/* All but the rope. */
static int configure_after(transformer *m, const cfg *c, arch_info *info)
{
    if (transformer_configure(m, c, false, info))
        return -1;
    m->head_norms = HEAD_NORMS_FULL;
    m->qkv_bias = m->o_bias = cfg_bool(c, "attention_bias", false);
    m->names.in_norm = m->names.mid_norm = NULL;
    m->names.attn_out_norm = "post_attention_layernorm";
    m->names.mlp_out_norm = "post_feedforward_layernorm";
    return 0;
}

static int configure_olmo2(void *self, const cfg *c, arch_info *info)
{
    if (configure_after(self, c, info))
        return -1;
    transformer_rope(self, c);
    return cfg_ok(c) ? 0 : -1;
}

/* Layers with a window rotate without the scaling for long texts. */
static int configure_olmo3(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (configure_after(m, c, info))
        return -1;
    m->rope[0] = nn_rope_of_type(c, "full_attention", m->head_dim, cfg_float(c, "rope_theta", 500000));
    m->rope[1] = (nn_rope){.dims = m->rope[0].dims, .base = m->rope[0].base, .scale = 1, .mscale = 1};
    cfg types = cfg_object(c, "rope_parameters", "rope_parameters.");
    if (cfg_has(&types, "sliding_attention"))
        m->rope[1] = nn_rope_of_type(c, "sliding_attention", m->head_dim, 500000);
    if (!transformer_layer_types(m, c))
        for (int i = 0; i < m->n_layers; i++)
            m->layers[i].window = (i + 1) % 4 ? cfg_size(c, "sliding_window", 4096) : 0;
    for (int i = 0; i < m->n_layers; i++)
        m->layers[i].rope = m->layers[i].window ? 1 : 0;
    return cfg_ok(c) ? 0 : -1;
}

static int configure_olmoe(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (transformer_configure(m, c, false, info))
        return -1;
    transformer_rope(m, c);
    m->head_norms = HEAD_NORMS_FULL;
    m->clip = cfg_float(c, "clip_qkv", 0);
    m->qkv_bias = m->o_bias = cfg_bool(c, "attention_bias", false);
    m->moe = (nn_moe){.experts = cfg_size(c, "num_experts", 64),
                      .top_k = cfg_size(c, "num_experts_per_tok", 8),
                      .width = m->mlp,
                      .normalize = cfg_bool(c, "norm_topk_prob", false)};
    return transformer_experts(m, c, 1);
}

const arch arch_olmo = {.name = "olmo", .configure = configure_olmo, TRANSFORMER_ARCH};
const arch arch_olmo2 = {.name = "olmo2", .configure = configure_olmo2, TRANSFORMER_ARCH};
const arch arch_olmo3 = {.name = "olmo3", .configure = configure_olmo3, TRANSFORMER_ARCH};
const arch arch_olmoe = {.name = "olmoe", .configure = configure_olmoe, TRANSFORMER_ARCH};
