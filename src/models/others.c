/* Families that are the shared decoder with a few settings. */
#include "models/transformer.h"

/* StarCoder2: LayerNorms and biases, a plain MLP with tanh-gelu, a window. */
static int configure_starcoder2(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (transformer_configure(m, c, true, info))
        return -1;
    transformer_rope(m, c);
    transformer_layer_norms(m, c, "norm_epsilon", 1e-5f, true);
    m->activation = nn_activation_or(c, "hidden_act", NN_GELU_TANH);
    m->qkv_bias = m->o_bias = m->mlp_bias = cfg_bool(c, "use_bias", true);
    m->names.mlp_parts = (nn_mlp_names){.up = "c_fc", .down = "c_proj"};
    for (int i = 0; i < m->n_layers && cfg_has(c, "sliding_window"); i++)
        m->layers[i].window = cfg_size(c, "sliding_window", CFG_REQUIRED);
    return cfg_ok(c) ? 0 : -1;
}

/* StableLM: LayerNorms, a part of each head rotates. */
static int configure_stablelm(void *self, const cfg *c, arch_info *info)
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

/* EXAONE 4: norms after attention and MLP only; of layers with windows and without, only those rotate. */
static int configure_exaone4(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (transformer_configure(m, c, false, info))
        return -1;
    transformer_rope(m, c);
    m->head_norms = HEAD_NORMS_EACH;
    m->names.in_norm = m->names.mid_norm = NULL;
    m->names.attn_out_norm = "post_attention_layernorm";
    m->names.mlp_out_norm = "post_feedforward_layernorm";
    if (!cfg_has(c, "sliding_window"))
        return cfg_ok(c) ? 0 : -1;
    transformer_layer_types(m, c);
    for (int i = 0; i < m->n_layers; i++)
        m->layers[i].rope = m->layers[i].window ? 0 : -1;
    return cfg_ok(c) ? 0 : -1;
}

/* Hunyuan dense: norms on the heads after the rotation. */
static int configure_hunyuan(void *self, const cfg *c, arch_info *info)
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

/* Nemotron: LayerNorms by 1 + weight, a plain MLP with squared relu, a part of each head rotates. */
static int configure_nemotron(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (transformer_configure(m, c, false, info))
        return -1;
    transformer_rope(m, c);
    transformer_layer_norms(m, c, "norm_eps", 1e-5f, true);
    m->norm_plus_one = true;
    m->activation = nn_activation_or(c, "hidden_act", NN_RELU2);
    m->qkv_bias = m->o_bias = cfg_bool(c, "attention_bias", false);
    m->mlp_bias = cfg_bool(c, "mlp_bias", false);
    m->names.mlp_parts = (nn_mlp_names){.up = "up_proj", .down = "down_proj"};
    return cfg_ok(c) ? 0 : -1;
}

/* Apertus: norms on the heads, a plain MLP with xIELU. */
static int configure_apertus(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (transformer_configure(m, c, false, info))
        return -1;
    transformer_rope(m, c);
    m->head_norms = HEAD_NORMS_EACH;
    m->activation = nn_activation_or(c, "hidden_act", NN_XIELU);
    m->qkv_bias = m->o_bias = cfg_bool(c, "attention_bias", false);
    m->names.in_norm = "attention_layernorm";
    m->names.mid_norm = "feedforward_layernorm";
    m->names.mlp_parts = (nn_mlp_names){.up = "up_proj", .down = "down_proj"};
    return cfg_ok(c) ? 0 : -1;
}

const arch arch_starcoder2 = {.name = "starcoder2", .configure = configure_starcoder2, TRANSFORMER_ARCH};
const arch arch_stablelm = {.name = "stablelm", .configure = configure_stablelm, TRANSFORMER_ARCH};
const arch arch_exaone4 = {.name = "exaone4", .configure = configure_exaone4, TRANSFORMER_ARCH};
const arch arch_hunyuan_v1_dense = {
    .name = "hunyuan_v1_dense", .configure = configure_hunyuan, TRANSFORMER_ARCH};
const arch arch_nemotron = {.name = "nemotron", .configure = configure_nemotron, TRANSFORMER_ARCH};
const arch arch_apertus = {.name = "apertus", .configure = configure_apertus, TRANSFORMER_ARCH};
