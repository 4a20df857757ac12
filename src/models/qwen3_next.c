/* Qwen3-Next and Qwen3.5: three of four layers are gated delta nets, the fourth is attention whose heads pass
 * a gate. A delta net, for H value heads that share fewer key heads:
 *
 *     q, k, v = silu(conv(in(x)));  q = unit(q) / sqrt(K);  k = unit(k)
 *     y = delta rule with decay exp(-exp(A_log) softplus(a + dt_bias)) and step sigmoid(b)
 *     out(rms(y) silu(z))
 *
 * States: 0 the convolution's rows, 1 the delta rule's. */
#include "models/recurrent.h"

#include <math.h>

typedef struct delta_net {
    int keys, values, k_dim, v_dim; /* heads of q and k, of v; their numbers */
    bool split; /* q k v, z, b and a have matrices of their own; else by key head in two */
    causal_conv conv;
    nn_linear qkv, z, b, a, out;
    nn_norm norm;
    nn_param a_log, dt_bias;
} delta_net;

static void visit(const transformer *m, void *self, nn_visitor *v)
{
    delta_net *d = self;
    int k = d->keys * d->k_dim, wide = d->values * d->v_dim;
    size_t outer = nn_enter(v, "linear_attn");
    if (d->split) {
        nn_visit_linear(v, "in_proj_qkv", &d->qkv, m->hidden, 2 * k + wide, false);
        nn_visit_linear(v, "in_proj_z", &d->z, m->hidden, wide, false);
        nn_visit_linear(v, "in_proj_b", &d->b, m->hidden, d->values, false);
        nn_visit_linear(v, "in_proj_a", &d->a, m->hidden, d->values, false);
    } else {
        nn_visit_linear(v, "in_proj_qkvz", &d->qkv, m->hidden, 2 * k + 2 * wide, false);
        nn_visit_linear(v, "in_proj_ba", &d->b, m->hidden, 2 * d->values, false);
    }
    causal_conv_visit(v, "conv1d", &d->conv);
    nn_visit_param(v, "dt_bias", &d->dt_bias, d->values, 0, 0);
    nn_visit_param(v, "A_log", &d->a_log, d->values, 0, 0);
    d->norm.kind = NN_RMS;
    d->norm.eps = m->eps;
    nn_visit_norm(v, "norm", &d->norm, d->v_dim, false);
    nn_visit_linear(v, "out_proj", &d->out, wide, m->hidden, false);
    nn_leave(v, outer);
}

static mlx_array f32(mlx_array x) { return mx_astype(x, MLX_FLOAT32); }

/* Columns [from, from + n) of the last axis, as (L, width) rows. */
static mlx_array part(mlx_array x, int L, int from, int n)
{
    mlx_array y = mx_slice_axis(x, -1, from, from + n);
    return mx_is_null(y) ? y : mx_reshape(y, SHAPE(L, (int)(mx_size(y) / (size_t)L)));
}

typedef struct inputs {
    mlx_array qkv, z, b, a; /* (L, ..) */
} inputs;

static inputs project(const delta_net *d, mlx_array x, int L)
{
    if (d->split)
        return (inputs){mx_squeeze(nn_apply(&d->qkv, x), 0), mx_squeeze(nn_apply(&d->z, x), 0),
                        mx_squeeze(nn_apply(&d->b, x), 0), mx_squeeze(nn_apply(&d->a, x), 0)};
    int share = d->values / d->keys, K = d->k_dim, V = share * d->v_dim;
    mlx_array all = mx_reshape(nn_apply(&d->qkv, x), SHAPE(L, d->keys, 2 * K + 2 * V));
    mlx_array ba = mx_reshape(nn_apply(&d->b, x), SHAPE(L, d->keys, 2 * share));
    const mlx_array qkv[] = {part(all, L, 0, K), part(all, L, K, K), part(all, L, 2 * K, V)};
    return (inputs){mx_concatenate(qkv, 3, -1), part(all, L, 2 * K + V, V), part(ba, L, 0, share),
                    part(ba, L, share, share)};
}

/* x / sqrt(sum(x^2) + 1e-6) over the last axis of K numbers, times factor. */
static mlx_array unit(mlx_array x, int K, float factor)
{
    mlx_array y = mx_rms_norm(x, MX_NULL, 1e-6f / (float)K);
    return mx_multiply(y, mx_float(factor / sqrtf((float)K), MLX_FLOAT32));
}

static mlx_array delta_rule(const void *user, const mlx_array *in, mlx_array *state)
{
    const delta_net *d = user;
    mlx_array out[2], before = *state;
    if (mx_is_null(before))
        before = mx_zeros(SHAPE(d->values, d->k_dim, d->v_dim), MLX_FLOAT32);
    if (mx_gated_delta(in[0], in[1], in[2], in[3], in[4], before, out))
        return MX_NULL;
    mx_set(state, out[1]);
    return out[0];
}

static mlx_array forward(const transformer *m, const void *self, int layer, mlx_array x, kv_step *step)
{
    const delta_net *d = self;
    (void)m;
    if (mx_is_null(x))
        return x;
    int L = mx_dim(x, 1), k = d->keys * d->k_dim, wide = d->values * d->v_dim;
    inputs in = project(d, x, L);
    mlx_array qkv =
        nn_activate(NN_SILU, causal_conv_apply(&d->conv, layer, 0, mx_expand_dims(in.qkv, 0), step));
    mlx_array q = mx_reshape(part(qkv, L, 0, k), SHAPE(L, d->keys, d->k_dim));
    mlx_array key = mx_reshape(part(qkv, L, k, k), SHAPE(L, d->keys, d->k_dim));
    mlx_array v = mx_reshape(part(qkv, L, 2 * k, wide), SHAPE(L, d->values, d->v_dim));
    mlx_array a = mx_add(f32(in.a), f32(d->dt_bias.value));
    mlx_array decay = mx_multiply(mx_exp(f32(d->a_log.value)), mx_logaddexp(a, mx_float(0, MLX_FLOAT32)));
    const mlx_array rows[] = {unit(q, d->k_dim, 1 / sqrtf((float)d->k_dim)), unit(key, d->k_dim, 1), v,
                              mx_negative(decay), mx_sigmoid(f32(in.b))};
    mlx_array y = recurrent_by_sequence(step, layer, 1, rows, 5, delta_rule, d);
    mlx_array z = mx_reshape(f32(in.z), SHAPE(L, d->values, d->v_dim));
    y = mx_multiply(nn_normalize(&d->norm, y), nn_activate(NN_SILU, z));
    return nn_apply(&d->out, mx_reshape(y, SHAPE(1, L, wide)));
}

static kv_spec spec(const transformer *m, const void *self)
{
    const delta_net *d = self;
    (void)m;
    size_t conv = (size_t)(d->conv.size - 1) * (size_t)d->conv.channels;
    return (kv_spec){.state_bytes =
                         sizeof(float) * (conv + (size_t)d->values * (size_t)(d->k_dim * d->v_dim))};
}

static const mixer DELTA_NET = {.size = sizeof(delta_net), .visit = visit, .forward = forward, .spec = spec};

static int read_layers(transformer *m, const cfg *c, bool split)
{
    delta_net d = {.keys = cfg_size(c, "linear_num_key_heads", 16),
                   .values = cfg_size(c, "linear_num_value_heads", 32),
                   .k_dim = cfg_size(c, "linear_key_head_dim", 128),
                   .v_dim = cfg_size(c, "linear_value_head_dim", 128),
                   .split = split,
                   .conv.size = cfg_size(c, "linear_conv_kernel_dim", 4)};
    d.conv.channels = 2 * d.keys * d.k_dim + d.values * d.v_dim;
    if (d.values % d.keys)
        cfg_error(c, "linear_num_key_heads", "must divide linear_num_value_heads");
    int interval = cfg_size(c, "full_attention_interval", 4);
    bool listed = cfg_has(c, "layer_types");
    for (int i = 0; i < m->n_layers && cfg_ok(c); i++) {
        if (listed ? transformer_layer_is(c, i, "full_attention") : (i + 1) % interval == 0)
            continue;
        delta_net *layer = transformer_mixer(m, c, i, &DELTA_NET);
        if (layer)
            *layer = d;
    }
    return cfg_ok(c) ? 0 : -1;
}

static int configure(transformer *m, const cfg *c, arch_info *info, bool split)
{
    if (transformer_configure(m, c, false, info))
        return -1;
    transformer_rope(m, c);
    m->norm_plus_one = m->norm_mlx_adds = true;
    m->head_norms = HEAD_NORMS_EACH;
    m->output_gate = true;
    m->qkv_bias = m->o_bias = cfg_bool(c, "attention_bias", false);
    return read_layers(m, c, split);
}

static int with_experts(transformer *m, const cfg *c)
{
    m->moe = (nn_moe){.experts = cfg_size(c, "num_experts", cfg_size(c, "num_local_experts", 512)),
                      .top_k = cfg_size(c, "num_experts_per_tok", 10),
                      .width = cfg_size(c, "moe_intermediate_size", CFG_REQUIRED),
                      .normalize = cfg_bool(c, "norm_topk_prob", true),
                      .shared_width = cfg_size(c, "shared_expert_intermediate_size", CFG_REQUIRED)};
    m->names.moe.shared = "shared_expert";
    m->names.moe.shared_gate = "shared_expert_gate";
    return transformer_experts(m, c, cfg_size(c, "decoder_sparse_step", 1));
}

static int configure_next(void *self, const cfg *c, arch_info *info)
{
    return configure(self, c, info, false) ? -1 : with_experts(self, c);
}

static int configure_3_5(void *self, const cfg *c, arch_info *info) { return configure(self, c, info, true); }

static int configure_3_5_moe(void *self, const cfg *c, arch_info *info)
{
    return configure(self, c, info, true) ? -1 : with_experts(self, c);
}

const arch arch_qwen3_next = {.name = "qwen3_next", .configure = configure_next, TRANSFORMER_ARCH};
const arch arch_qwen3_5_text = {.name = "qwen3_5_text", .configure = configure_3_5, TRANSFORMER_ARCH};
const arch arch_qwen3_5_moe_text = {
    .name = "qwen3_5_moe_text", .configure = configure_3_5_moe, TRANSFORMER_ARCH};
