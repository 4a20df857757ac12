/* Liquid LFM2: layers of a short convolution between two gates, or of attention with norms on the heads;
 * LFM2-MoE: the same with experts. */
#include "models/recurrent.h"

typedef struct short_conv {
    causal_conv conv;
    nn_linear in, out;
} short_conv;

static void visit(const transformer *m, void *self, nn_visitor *v)
{
    short_conv *s = self;
    size_t outer = nn_enter(v, "conv");
    nn_visit_linear(v, "in_proj", &s->in, m->hidden, 3 * m->hidden, s->conv.has_bias);
    causal_conv_visit(v, "conv", &s->conv);
    nn_visit_linear(v, "out_proj", &s->out, m->hidden, m->hidden, s->conv.has_bias);
    nn_leave(v, outer);
}

/* out(c * conv(b * x)) with b, c, x = in(rows) */
static mlx_array forward(const transformer *m, const void *self, int layer, mlx_array x, kv_step *step)
{
    const short_conv *s = self;
    int n = m->hidden;
    mlx_array all = nn_apply(&s->in, x);
    mlx_array b = mx_slice_axis(all, -1, 0, n), c = mx_slice_axis(all, -1, n, 2 * n);
    mlx_array rows = mx_multiply(b, mx_slice_axis(all, -1, 2 * n, 3 * n));
    return nn_apply(&s->out, mx_multiply(c, causal_conv_apply(&s->conv, layer, 0, rows, step)));
}

static kv_spec spec(const transformer *m, const void *self)
{
    const short_conv *s = self;
    return (kv_spec){.state_bytes = sizeof(float) * (size_t)(s->conv.size - 1) * (size_t)m->hidden};
}

static const mixer SHORT_CONV = {
    .size = sizeof(short_conv), .visit = visit, .forward = forward, .spec = spec};

/* The width that is meant, of the one that is said. */
static int adjusted(const cfg *c, int width)
{
    if (!cfg_bool(c, "block_auto_adjust_ff_dim", false))
        return width;
    int multiple = cfg_size(c, "block_multiple_of", 256);
    width = (int)(cfg_float(c, "block_ffn_dim_multiplier", 1) * (float)(2 * width / 3));
    return (width + multiple - 1) / multiple * multiple;
}

static int configure(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (transformer_configure(m, c, true, info))
        return -1;
    m->rope[0] = nn_rope_of_type(c, "", m->head_dim, cfg_float(c, "rope_theta", 1e6f));
    m->eps = cfg_float(c, "norm_eps", 1e-5f);
    m->mlp = adjusted(c, m->mlp);
    m->head_norms = HEAD_NORMS_EACH;
    m->names.in_norm = "operator_norm";
    m->names.mid_norm = "ffn_norm";
    m->names.norm = "model.embedding_norm";
    m->names.q_norm = "self_attn.q_layernorm";
    m->names.k_norm = "self_attn.k_layernorm";
    m->names.o = "self_attn.out_proj";
    m->names.mlp = "feed_forward";
    m->names.mlp_parts = (nn_mlp_names){.gate = "w1", .up = "w3", .down = "w2"};
    for (int i = 0; i < m->n_layers && cfg_ok(c); i++) {
        if (transformer_layer_is(c, i, "full_attention"))
            continue;
        short_conv *s = transformer_mixer(m, c, i, &SHORT_CONV);
        if (s)
            s->conv = (causal_conv){.channels = m->hidden,
                                    .size = cfg_size(c, "conv_L_cache", 3),
                                    .has_bias = cfg_bool(c, "conv_bias", false)};
    }
    return cfg_ok(c) ? 0 : -1;
}

static int configure_moe(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (configure(m, c, info))
        return -1;
    m->moe = (nn_moe){.experts = cfg_size(c, "num_experts", 32),
                      .top_k = cfg_size(c, "num_experts_per_tok", 4),
                      .width = cfg_size(c, "moe_intermediate_size", CFG_REQUIRED),
                      .scoring = NN_SIGMOID,
                      .normalize = cfg_bool(c, "norm_topk_prob", true),
                      .scale = cfg_float(c, "routed_scaling_factor", 1)};
    if (cfg_bool(c, "use_expert_bias", true))
        m->names.moe.correction = "expert_bias";
    for (int i = cfg_count(c, "num_dense_layers", 2); i < m->n_layers; i++)
        transformer_expert_layer(m, i);
    return cfg_ok(c) ? 0 : -1;
}

const arch arch_lfm2 = {.name = "lfm2", .configure = configure, TRANSFORMER_ARCH};
const arch arch_lfm2_moe = {.name = "lfm2_moe", .configure = configure_moe, TRANSFORMER_ARCH};
