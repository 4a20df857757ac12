/* Families with Mamba layers: Mamba and Falcon-Mamba (1), Mamba 2, Jamba, Falcon-H1, Granite 4. */
#include "models/recurrent.h"

#include <string.h>

static kv_spec mamba_spec(const transformer *m, const void *self)
{
    (void)m;
    return (kv_spec){.state_bytes = mamba_state_bytes(self)};
}

static mlx_array mixer_forward(const transformer *m, const void *self, int layer, mlx_array x, kv_step *step)
{
    (void)m;
    return mamba_forward(self, layer, x, step);
}

static void visit_mixer(const transformer *m, void *self, nn_visitor *v)
{
    size_t outer = nn_enter(v, "mixer");
    mamba_visit(m, self, v);
    nn_leave(v, outer);
}

static void visit_mamba(const transformer *m, void *self, nn_visitor *v)
{
    size_t outer = nn_enter(v, "mamba");
    mamba_visit(m, self, v);
    nn_leave(v, outer);
}

static const mixer
    MIXER = {.size = sizeof(mamba), .visit = visit_mixer, .forward = mixer_forward, .spec = mamba_spec},
    MAMBA = {.size = sizeof(mamba), .visit = visit_mamba, .forward = mixer_forward, .spec = mamba_spec};

/* Mamba 1's channels as heads of up to 64, so that threads share them. */
static void split_channels(mamba *a)
{
    a->width = 64;
    while (a->inner % a->width)
        a->width /= 2;
    a->heads = a->inner / a->width;
    a->groups = 1;
}

static nn_norm rms(int dim, float eps) { return (nn_norm){.kind = NN_RMS, .dim = dim, .eps = eps}; }

/* --- nothing but Mamba --- */

static int configure_pure(transformer *m, const cfg *c, arch_info *info, mamba a, bool tied)
{
    m->attention_free = true;
    cfg n = cfg_renamed(c, (const char *const[]){"num_hidden_layers", "n_layer", "hidden_size", "d_model",
                                                 "rms_norm_eps", "layer_norm_epsilon", NULL});
    if (transformer_configure(m, &n, tied, info))
        return -1;
    m->eps = cfg_float(c, "layer_norm_epsilon", 1e-5f);
    m->names = (transformer_names){.embed = "backbone.embeddings",
                                   .layer = "backbone.layers",
                                   .norm = "backbone.norm_f",
                                   .head = "lm_head",
                                   .in_norm = "norm"};
    a.inner = cfg_size(c, "expand", 2) * m->hidden;
    a.states = cfg_size(c, "state_size", a.rank ? 16 : 128);
    a.bias = cfg_bool(c, "use_bias", false);
    a.conv.size = cfg_size(c, "conv_kernel", 4);
    a.conv.has_bias = cfg_bool(c, "use_conv_bias", true);
    if (a.rank) {
        a.inner = cfg_size(c, "intermediate_size", a.inner);
        a.conv.channels = a.inner;
        split_channels(&a);
    } else {
        a.heads = cfg_size(c, "num_heads", 128);
        a.width = cfg_size(c, "head_dim", 64);
        a.groups = cfg_size(c, "n_groups", 8);
        a.conv.channels = a.inner + 2 * a.groups * a.states;
        a.norm = rms(a.inner, m->eps);
        if (a.heads * a.width != a.inner || a.heads % a.groups)
            cfg_error(c, "num_heads",
                      "and head_dim do not make up expand * hidden_size, or n_groups not num_heads");
    }
    for (int i = 0; i < m->n_layers && cfg_ok(c); i++) {
        mamba *layer = transformer_mixer(m, c, i, &MIXER);
        if (layer)
            *layer = a;
    }
    return cfg_ok(c) ? 0 : -1;
}

static int rank_of(const cfg *c)
{
    int hidden = cfg_size(c, "hidden_size", cfg_size(c, "d_model", 16));
    return cfg_size(c, "time_step_rank", (hidden + 15) / 16);
}

static int configure_mamba(void *self, const cfg *c, arch_info *info)
{
    return configure_pure(self, c, info, (mamba){.rank = rank_of(c)}, true);
}

static int configure_falcon(void *self, const cfg *c, arch_info *info)
{
    mamba a = {.rank = rank_of(c), .bare_eps = cfg_float(c, "mixer_rms_eps", 1e-6f)};
    return configure_pure(self, c, info, a, true);
}

static int configure_mamba2(void *self, const cfg *c, arch_info *info)
{
    return configure_pure(self, c, info, (mamba){0}, false);
}

/* --- Jamba: Mamba 1 and attention without positions; experts in every second layer --- */

static void jamba_layer(transformer *m, const cfg *c, int i)
{
    mamba a = {
        .inner = cfg_size(c, "mamba_expand", 2) * m->hidden,
        .states = cfg_size(c, "mamba_d_state", 16),
        .rank = cfg_size(c, "mamba_dt_rank", (m->hidden + 15) / 16),
        .bias = cfg_bool(c, "mamba_proj_bias", false),
        .conv = {.size = cfg_size(c, "mamba_d_conv", 4), .has_bias = cfg_bool(c, "mamba_conv_bias", true)}};
    a.conv.channels = a.inner;
    a.dt_norm = rms(a.rank, m->eps);
    a.b_norm = a.c_norm = rms(a.states, m->eps);
    split_channels(&a);
    mamba *layer = transformer_mixer(m, c, i, &MAMBA);
    if (layer)
        *layer = a;
}

static int configure_jamba(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (transformer_configure(m, c, false, info))
        return -1;
    m->names.mid_norm = "pre_ff_layernorm";
    m->names.norm = "model.final_layernorm";
    m->names.mlp = "feed_forward";
    m->names.moe.router = "router";
    m->moe = (nn_moe){.experts = cfg_size(c, "num_experts", 16),
                      .top_k = cfg_size(c, "num_experts_per_tok", 2),
                      .width = m->mlp};
    int attention = cfg_size(c, "attn_layer_period", 8), at = cfg_count(c, "attn_layer_offset", 4);
    int expert = cfg_size(c, "expert_layer_period", 2), from = cfg_count(c, "expert_layer_offset", 1);
    for (int i = 0; i < m->n_layers && cfg_ok(c); i++) {
        m->layers[i].rope = -1;
        if (i % attention != at)
            jamba_layer(m, c, i);
        if (m->moe.experts > 1 && i % expert == from)
            transformer_expert_layer(m, i);
    }
    return cfg_ok(c) ? 0 : -1;
}

/* --- Mamba 2 with keys of config.json that begin with mamba_ --- */

static mamba read_mamba2(const transformer *m, const cfg *c, int inner, bool norm)
{
    mamba a = {
        .inner = inner,
        .heads = cfg_size(c, "mamba_n_heads", 128),
        .groups = cfg_size(c, "mamba_n_groups", 1),
        .states = cfg_size(c, "mamba_d_state", 256),
        .bias = cfg_bool(c, "mamba_proj_bias", false),
        .conv = {.size = cfg_size(c, "mamba_d_conv", 4), .has_bias = cfg_bool(c, "mamba_conv_bias", true)}};
    a.width = inner / a.heads;
    a.conv.channels = inner + 2 * a.groups * a.states;
    if (norm)
        a.norm = rms(inner, m->eps);
    if (a.heads * a.width != inner || a.heads % a.groups)
        cfg_error(c, "mamba_n_heads", "must divide the width of the Mamba layers, and mamba_n_groups it");
    return a;
}

/* --- Falcon-H1: both in each layer, side by side; multipliers everywhere --- */

typedef struct both {
    mamba mamba;
    float in, out, attention_in, attention_out;
} both;

static void visit_both(const transformer *m, void *self, nn_visitor *v)
{
    (void)m;
    visit_mamba(m, &((both *)self)->mamba, v);
}

static mlx_array forward_both(const transformer *m, const void *self, int layer, mlx_array x, kv_step *step)
{
    const both *b = self;
    mlx_array a = transformer_attention(m, layer, nn_scale(x, b->attention_in), step);
    mlx_array s = mamba_forward(&b->mamba, layer, nn_scale(x, b->in), step);
    return mx_add(nn_scale(s, b->out), nn_scale(a, b->attention_out));
}

static kv_spec spec_both(const transformer *m, const void *self)
{
    kv_spec s = {.heads = m->kv_heads, .k_dim = m->head_dim, .v_dim = m->head_dim};
    s.state_bytes = mamba_state_bytes(&((const both *)self)->mamba);
    return s;
}

static const mixer BOTH = {.size = sizeof(both),
                           .visit = visit_both,
                           .forward = forward_both,
                           .spec = spec_both,
                           .beside_attention = true};

static int configure_falcon_h1(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (transformer_configure(m, c, false, info))
        return -1;
    transformer_rope(m, c);
    double gate = 1, down = 1;
    cfg_number(c, "mlp_multipliers", 0, &gate);
    cfg_number(c, "mlp_multipliers", 1, &down);
    m->mlp_gate_scale = (float)gate;
    m->mlp_down_scale = (float)down;
    m->k_scale = cfg_float(c, "key_multiplier", 1);
    m->embed_scale = cfg_float(c, "embedding_multiplier", 1);
    m->logit_scale = cfg_float(c, "lm_head_multiplier", 1);
    m->qkv_bias = m->o_bias = cfg_bool(c, "attention_bias", false);
    m->mlp_bias = cfg_bool(c, "mlp_bias", false);
    m->names.norm = "model.final_layernorm";
    m->names.mid_norm = "pre_ff_layernorm";
    m->names.mlp = "feed_forward";
    int inner = cfg_size(c, "mamba_d_ssm", cfg_size(c, "mamba_expand", 2) * m->hidden);
    both b = {.mamba = read_mamba2(m, c, inner, cfg_bool(c, "mamba_rms_norm", false)),
              .in = cfg_float(c, "ssm_in_multiplier", 1),
              .out = cfg_float(c, "ssm_out_multiplier", 1),
              .attention_in = cfg_float(c, "attention_in_multiplier", 1),
              .attention_out = cfg_float(c, "attention_out_multiplier", 1)};
    for (size_t i = 0; i < 5; i++) {
        double factor = 1;
        cfg_number(c, "ssm_multipliers", i, &factor);
        b.mamba.multipliers[i] = (float)factor;
    }
    if (b.mamba.norm.dim && !cfg_bool(c, "mamba_norm_before_gate", true))
        cfg_error(c, "mamba_norm_before_gate", "must be true with mamba_rms_norm");
    for (int i = 0; i < m->n_layers && cfg_ok(c); i++) {
        both *layer = transformer_mixer(m, c, i, &BOTH);
        if (layer)
            *layer = b;
    }
    return cfg_ok(c) ? 0 : -1;
}

/* --- Granite 4: Mamba 2 or attention, experts and an MLP beside them --- */

static const nn_source GATE[] = {{.weight = "block_sparse_moe.input_linear.weight", .parts = 2, .part = 0},
                                 {0}},
                       UP[] = {{.weight = "block_sparse_moe.input_linear.weight", .parts = 2, .part = 1},
                               {0}},
                       DOWN[] = {{.weight = "block_sparse_moe.output_linear.weight"}, {0}};

static int configure_granite4(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (arch_granite.configure(m, c, info))
        return -1;
    bool rotates = strcmp(cfg_string(c, "position_embedding_type", "nope"), "rope") == 0;
    int experts = cfg_count(c, "num_local_experts", 0),
        shared = cfg_size(c, "shared_intermediate_size", m->mlp);
    m->names.mlp = experts ? "" : "shared_mlp";
    m->names.mlp_parts = (nn_mlp_names){.gate_up = "input_linear", .down = "output_linear"};
    m->names.moe = (nn_moe_names){.router = "block_sparse_moe.router.layer",
                                  .stacked = "block_sparse_moe.switch_mlp",
                                  .gate = GATE,
                                  .up = UP,
                                  .down = DOWN,
                                  .shared = "shared_mlp",
                                  .shared_names = m->names.mlp_parts};
    m->moe = (nn_moe){.experts = experts,
                      .top_k = cfg_count(c, "num_experts_per_tok", 0),
                      .width = m->mlp,
                      .scoring = NN_SOFTMAX_TOP,
                      .shared_width = shared};
    mamba a = read_mamba2(m, c, cfg_size(c, "mamba_expand", 2) * m->hidden, true);
    for (int i = 0; i < m->n_layers && cfg_ok(c); i++) {
        bool attends =
            transformer_layer_is(c, i, "attention") || transformer_layer_is(c, i, "full_attention");
        mamba *layer = attends ? NULL : transformer_mixer(m, c, i, &MAMBA);
        if (layer)
            *layer = a;
        m->layers[i].rope = rotates ? 0 : -1;
        m->layers[i].mlp.width = shared;
        if (experts)
            transformer_expert_layer(m, i);
    }
    return cfg_ok(c) ? 0 : -1;
}

const arch arch_mamba = {.name = "mamba", .configure = configure_mamba, TRANSFORMER_ARCH};
const arch arch_mamba2 = {.name = "mamba2", .configure = configure_mamba2, TRANSFORMER_ARCH};
const arch arch_falcon_mamba = {.name = "falcon_mamba", .configure = configure_falcon, TRANSFORMER_ARCH};
const arch arch_jamba = {.name = "jamba", .configure = configure_jamba, TRANSFORMER_ARCH};
const arch arch_falcon_h1 = {.name = "falcon_h1", .configure = configure_falcon_h1, TRANSFORMER_ARCH};
const arch arch_granitemoehybrid = {
    .name = "granitemoehybrid", .configure = configure_granite4, TRANSFORMER_ARCH};
