/* The shared decoder's data: what config.json and the checkpoint say. Its mathematics are in
 * transformer_forward.c. */
#include "models/transformer.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

enum { MAX_LAYERS = 4096 };

static const transformer_names LLAMA = {
    .embed = "model.embed_tokens",
    .layer = "model.layers",
    .norm = "model.norm",
    .head = "lm_head",
    .in_norm = "input_layernorm",
    .mid_norm = "post_attention_layernorm",
    .q = "self_attn.q_proj",
    .k = "self_attn.k_proj",
    .v = "self_attn.v_proj",
    .o = "self_attn.o_proj",
    .q_norm = "self_attn.q_norm",
    .k_norm = "self_attn.k_norm",
    .mlp = "mlp",
    .mlp_parts = NN_MLP_NAMES,
    .moe = {.router = "gate",
            .stacked = "switch_mlp",
            .gate = nn_moe_gate,
            .up = nn_moe_up,
            .down = nn_moe_down,
            .shared_names = NN_MLP_NAMES},
};

static void read_sizes(transformer *m, const cfg *c)
{
    m->n_layers = cfg_size(c, "num_hidden_layers", CFG_REQUIRED);
    m->hidden = cfg_size(c, "hidden_size", CFG_REQUIRED);
    m->mlp = cfg_size(c, "intermediate_size", 4 * m->hidden);
    m->vocab = cfg_size(c, "vocab_size", CFG_REQUIRED);
    m->heads = cfg_size(c, "num_attention_heads", m->attention_free ? 1 : CFG_REQUIRED);
    m->kv_heads = cfg_size(c, "num_key_value_heads", m->heads);
    m->head_dim = cfg_size(c, "head_dim", m->hidden / m->heads > 0 ? m->hidden / m->heads : 1);
    if (m->n_layers > MAX_LAYERS)
        cfg_error(c, "num_hidden_layers", "is too large");
    if (m->heads % m->kv_heads)
        cfg_error(c, "num_key_value_heads", "must divide num_attention_heads");
    if ((long long)m->heads * m->head_dim > 1 << 24)
        cfg_error(c, "head_dim", "times num_attention_heads is too large");
}

int transformer_configure(transformer *m, const cfg *c, bool tied, arch_info *info)
{
    m->names = LLAMA;
    read_sizes(m, c);
    m->eps = cfg_float(c, "rms_norm_eps", 1e-6f);
    m->tied = cfg_bool(c, "tie_word_embeddings", tied);
    m->scale = 1 / sqrtf((float)m->head_dim);
    m->activation = nn_activation_from(c, "hidden_act");
    if (!cfg_ok(c))
        return -1;
    m->layers = mem_calloc((size_t)m->n_layers, sizeof *m->layers);
    *info = (arch_info){.layers = m->n_layers,
                        .vocab_size = m->vocab,
                        .hidden_size = m->hidden,
                        .max_position = cfg_count(c, "max_position_embeddings", 0),
                        .tied = m->tied};
    return cfg_ok(c) && m->layers ? 0 : -1;
}

void transformer_rope(transformer *m, const cfg *c) { m->rope[0] = nn_rope_from(c, m->head_dim); }

void transformer_layer_norms(transformer *m, const cfg *c, const char *key, float eps, bool bias)
{
    m->norm_kind = NN_LAYER;
    m->norm_bias = bias;
    m->eps = cfg_float(c, key, eps);
}

void transformer_expert_layer(transformer *m, int i)
{
    m->moe.activation = m->activation;
    m->layers[i].has_moe = true;
    m->layers[i].moe = m->moe;
}

static bool listed(const cfg *c, const char *key, int i)
{
    double n;
    for (size_t k = 0; cfg_number(c, key, k, &n); k++)
        if (n == i)
            return true;
    return false;
}

static int check_experts(const transformer *m, const cfg *c)
{
    const nn_moe *e = &m->moe;
    if (e->top_k > e->experts)
        cfg_error(c, "num_experts_per_tok", "must not be above the number of experts");
    if (e->groups > 1 && (e->experts % e->groups || e->top_groups > e->groups || e->top_groups < 1 ||
                          e->experts / e->groups < e->group_best))
        cfg_error(c, "n_group", "and topk_group do not fit the number of experts");
    return cfg_ok(c) ? 0 : -1;
}

int transformer_experts(transformer *m, const cfg *c, int step)
{
    for (int i = 0; i < m->n_layers; i++)
        if ((i + 1) % step == 0 && !listed(c, "mlp_only_layers", i))
            transformer_expert_layer(m, i);
    return check_experts(m, c);
}

int transformer_experts_deepseek(transformer *m, const cfg *c, nn_scoring scoring)
{
    int width = cfg_size(c, "moe_intermediate_size", CFG_REQUIRED);
    m->moe = (nn_moe){.experts = cfg_size(c, "n_routed_experts", CFG_REQUIRED),
                      .top_k = cfg_size(c, "num_experts_per_tok", CFG_REQUIRED),
                      .width = width,
                      .scoring = scoring,
                      .normalize = cfg_bool(c, "norm_topk_prob", scoring == NN_SIGMOID),
                      .scale = cfg_float(c, "routed_scaling_factor", 1),
                      .groups = cfg_size(c, "n_group", 1),
                      .top_groups = cfg_size(c, "topk_group", 1),
                      .group_best = scoring == NN_SIGMOID ? 2 : 1,
                      .shared_width = width * cfg_count(c, "n_shared_experts", 0)};
    m->names.moe.shared = "shared_experts";
    if (scoring == NN_SIGMOID)
        m->names.moe.correction = "gate.e_score_correction_bias";
    int step = cfg_size(c, "moe_layer_freq", 1);
    for (int i = cfg_count(c, "first_k_dense_replace", 0); i < m->n_layers; i++)
        if (i % step == 0)
            transformer_expert_layer(m, i);
    return check_experts(m, c);
}

bool transformer_layer_is(const cfg *c, int i, const char *type)
{
    const char *has = cfg_item(c, "layer_types", (size_t)i);
    return has && strcmp(has, type) == 0;
}

bool transformer_layer_types(transformer *m, const cfg *c)
{
    if (!cfg_has(c, "layer_types"))
        return false;
    for (int i = 0; i < m->n_layers; i++) {
        if (transformer_layer_is(c, i, "sliding_attention"))
            m->layers[i].window = cfg_size(c, "sliding_window", CFG_REQUIRED);
        else if (!transformer_layer_is(c, i, "full_attention"))
            cfg_error(c, "layer_types", "must name full_attention or sliding_attention for each layer");
    }
    return true;
}

void *transformer_mixer(transformer *m, const cfg *c, int layer, const mixer *kind)
{
    transformer_layer *b = &m->layers[layer];
    b->mix = mem_calloc(1, kind->size);
    b->mixer = b->mix ? kind : NULL;
    if (!b->mix)
        c->file->failed = true;
    return b->mix;
}

/* --- weights --- */

void transformer_visit_norm(const transformer *m, nn_visitor *v, const char *name, nn_norm *n, int dim)
{
    n->kind = m->norm_kind;
    n->eps = m->eps;
    n->plus_one = m->norm_plus_one;
    n->mlx_adds = m->norm_mlx_adds;
    n->dim = dim;
    if (!m->norm_bare)
        nn_visit_norm(v, name, n, dim, m->norm_bias);
}

/* A norm of the block, if the family has it. */
static void block_norm(const transformer *m, nn_visitor *v, const char *name, nn_norm *n)
{
    if (name)
        transformer_visit_norm(m, v, name, n, m->hidden);
}

static void head_norm(const transformer *m, nn_visitor *v, const char *name, nn_norm *n, nn_param *own,
                      int heads)
{
    bool bias = m->norm_bias && m->head_norms != HEAD_NORMS_OWN;
    n->kind = m->norm_kind;
    n->eps = m->eps;
    n->plus_one = m->norm_plus_one;
    n->mlx_adds = m->norm_mlx_adds;
    if (m->head_norms == HEAD_NORMS_EACH)
        nn_visit_norm(v, name, n, m->head_dim, bias);
    else if (m->head_norms == HEAD_NORMS_FULL)
        nn_visit_norm(v, name, n, heads * m->head_dim, bias);
    else if (m->head_norms == HEAD_NORMS_LIST)
        nn_visit_rows(v, name, "norms.*.weight", own, heads, m->head_dim);
    else if (m->head_norms == HEAD_NORMS_OWN) {
        char weight[64];
        snprintf(weight, sizeof weight, "%s.weight", name);
        nn_visit_param(v, weight, own, heads, m->head_dim, 0);
    }
}

/* A matrix that the published form may keep as (in, out). */
static void matrix(const transformer *m, nn_visitor *v, const char *name, nn_linear *l, int in, int out,
                   bool bias)
{
    l->conv1d = m->conv1d;
    nn_visit_linear(v, name, l, in, out, bias);
}

static void visit_attention(const transformer *m, transformer_layer *b, nn_visitor *v)
{
    const transformer_names *n = &m->names;
    int wide = m->heads * m->head_dim, kv = m->kv_heads * m->head_dim;
    int q = m->output_gate ? 2 * wide : wide;
    if (n->qkv) {
        matrix(m, v, n->qkv, &b->qkv, m->hidden, q + 2 * kv, m->qkv_bias);
    } else {
        matrix(m, v, n->q, &b->q, m->hidden, q, m->qkv_bias);
        matrix(m, v, n->k, &b->k, m->hidden, kv, m->qkv_bias);
        matrix(m, v, n->v, &b->v, m->hidden, kv, m->qkv_bias);
    }
    head_norm(m, v, n->q_norm, &b->q_norm, &b->q_weights, m->heads);
    head_norm(m, v, n->k_norm, &b->k_norm, &b->k_weights, m->kv_heads);
    if (n->o_norm)
        transformer_visit_norm(m, v, n->o_norm, &b->o_norm, wide);
    if (n->sinks)
        nn_visit_param(v, n->sinks, &b->sinks, m->heads, 0, 0);
    matrix(m, v, n->o, &b->o, wide, m->hidden, m->o_bias);
}

static void visit_feed_forward(const transformer *m, transformer_layer *b, nn_visitor *v)
{
    size_t outer = *m->names.mlp ? nn_enter(v, "%s", m->names.mlp) : v->len;
    b->mlp.gate_scale = m->mlp_gate_scale;
    b->mlp.down_scale = m->mlp_down_scale;
    if (b->has_moe) {
        nn_visit_moe(v, &b->moe, &m->names.moe, m->hidden);
    } else {
        b->mlp.activation = m->activation;
        b->mlp.gate.conv1d = b->mlp.up.conv1d = b->mlp.down.conv1d = m->conv1d;
        b->mlp.norm.kind = m->norm_kind;
        b->mlp.norm.eps = m->eps;
        nn_visit_mlp(v, &b->mlp, &m->names.mlp_parts, m->hidden, b->mlp.width ? b->mlp.width : m->mlp,
                     m->mlp_bias);
    }
    nn_leave(v, outer);
}

static void visit_layer(const transformer *m, transformer_layer *b, nn_visitor *v)
{
    const transformer_names *n = &m->names;
    block_norm(m, v, n->in_norm, &b->in_norm);
    if (b->mixer)
        b->mixer->visit(m, b->mix, v);
    if (!b->mixer || b->mixer->beside_attention)
        visit_attention(m, b, v);
    block_norm(m, v, n->attn_out_norm, &b->attn_out_norm);
    block_norm(m, v, n->mid_norm, &b->mid_norm);
    if (n->mlp)
        visit_feed_forward(m, b, v);
    block_norm(m, v, n->mlp_out_norm, &b->mlp_out_norm);
}

void transformer_visit(void *self, nn_visitor *v)
{
    transformer *m = self;
    const transformer_names *n = &m->names;
    nn_visit_embedding(v, n->embed, &m->embed, m->vocab, m->hidden);
    if (n->positions)
        nn_visit_embedding(v, n->positions, &m->positions, m->positions.out, m->hidden);
    for (int i = 0; i < m->n_layers && m->layers && !v->failed; i++) {
        size_t outer = nn_enter(v, "%s.%d", n->layer, i);
        visit_layer(m, &m->layers[i], v);
        nn_leave(v, outer);
    }
    block_norm(m, v, n->norm, &m->norm);
    if (m->tied) {
        nn_visit_unused(v, "lm_head.weight");
        nn_visit_unused(v, "lm_head.scales");
        nn_visit_unused(v, "lm_head.biases");
    } else {
        nn_visit_linear(v, n->head, &m->head, m->hidden, m->vocab, m->head_bias);
    }
    nn_visit_unused(v, "rotary_emb.inv_freq"); /* a constant that old checkpoints store */
}

void transformer_release(void *self)
{
    transformer *m = self;
    nn_rope_free(&m->rope[0]);
    nn_rope_free(&m->rope[1]);
    for (int i = 0; m->layers && i < m->n_layers; i++)
        mem_free(m->layers[i].mix);
    mem_free(m->layers);
}
