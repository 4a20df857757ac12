/* The shared decoder. For each block, with x the stream of (B, L, hidden) in float32:
 *
 *     x += o(attend(rope(norm(q(n))), rope(norm(k(n))), v(n)))     n = rms(x)      norms of heads: qwen3
 *     x += down(act(gate(n)) * up(n))                              n = rms(x)
 *
 * and at the end logits = head(rms(x)), where the head may be the embedding. */
#include "models/transformer.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

enum { MAX_LAYERS = 4096 };

int transformer_configure(transformer *m, const cfg *c, bool tied, arch_info *info)
{
    m->n_layers = cfg_size(c, "num_hidden_layers", CFG_REQUIRED);
    m->hidden = cfg_size(c, "hidden_size", CFG_REQUIRED);
    m->mlp = cfg_size(c, "intermediate_size", CFG_REQUIRED);
    m->vocab = cfg_size(c, "vocab_size", CFG_REQUIRED);
    m->heads = cfg_size(c, "num_attention_heads", CFG_REQUIRED);
    m->kv_heads = cfg_size(c, "num_key_value_heads", m->heads);
    m->head_dim = cfg_size(c, "head_dim", m->hidden / m->heads > 0 ? m->hidden / m->heads : 1);
    m->eps = cfg_float(c, "rms_norm_eps", 1e-6f);
    m->tied = cfg_bool(c, "tie_word_embeddings", tied);
    m->scale = 1 / sqrtf((float)m->head_dim);
    m->activation = nn_activation_from(c, "hidden_act");
    if (m->n_layers > MAX_LAYERS)
        cfg_error(c, "num_hidden_layers", "is too large");
    if (m->heads % m->kv_heads)
        cfg_error(c, "num_key_value_heads", "must divide num_attention_heads");
    if ((long long)m->heads * m->head_dim > 1 << 24)
        cfg_error(c, "head_dim", "times num_attention_heads is too large");
    if (!cfg_ok(c))
        return -1;
    m->rope = nn_rope_from(c, m->head_dim);
    m->layers = mem_calloc((size_t)m->n_layers, sizeof *m->layers);
    *info = (arch_info){.layers = m->n_layers,
                        .vocab_size = m->vocab,
                        .hidden_size = m->hidden,
                        .max_position = cfg_count(c, "max_position_embeddings", 0),
                        .tied = m->tied};
    return cfg_ok(c) && m->layers ? 0 : -1;
}

bool transformer_layer_types(transformer *m, const cfg *c)
{
    if (!cfg_has(c, "layer_types"))
        return false;
    for (int i = 0; i < m->n_layers; i++) {
        const char *type = cfg_item(c, "layer_types", (size_t)i);
        m->layers[i].sliding = type && strcmp(type, "sliding_attention") == 0;
        if (!m->layers[i].sliding && (!type || strcmp(type, "full_attention") != 0))
            cfg_error(c, "layer_types", "must name full_attention or sliding_attention for each layer");
    }
    return true;
}

int transformer_finish(transformer *m, const cfg *c)
{
    bool sliding = false;
    for (int i = 0; i < m->n_layers; i++)
        sliding |= m->layers[i].sliding;
    if (sliding)
        m->window = cfg_size(c, "sliding_window", CFG_REQUIRED);
    return cfg_ok(c) ? 0 : -1;
}

/* --- weights --- */

static nn_norm *with_eps(const transformer *m, nn_norm *n)
{
    n->eps = m->eps;
    return n;
}

static void visit_layer(const transformer *m, transformer_layer *b, nn_visitor *v)
{
    int q = m->heads * m->head_dim, kv = m->kv_heads * m->head_dim;
    nn_visit_norm(v, "input_layernorm", with_eps(m, &b->input_norm), m->hidden, false);
    nn_visit_linear(v, "self_attn.q_proj", &b->q, m->hidden, q, m->qkv_bias);
    nn_visit_linear(v, "self_attn.k_proj", &b->k, m->hidden, kv, m->qkv_bias);
    nn_visit_linear(v, "self_attn.v_proj", &b->v, m->hidden, kv, m->qkv_bias);
    nn_visit_linear(v, "self_attn.o_proj", &b->o, q, m->hidden, m->o_bias);
    if (m->head_norms) {
        nn_visit_norm(v, "self_attn.q_norm", with_eps(m, &b->q_norm), m->head_dim, false);
        nn_visit_norm(v, "self_attn.k_norm", with_eps(m, &b->k_norm), m->head_dim, false);
    }
    nn_visit_norm(v, "post_attention_layernorm", with_eps(m, &b->post_norm), m->hidden, false);
    nn_visit_linear(v, "mlp.gate_proj", &b->gate, m->hidden, m->mlp, m->mlp_bias);
    nn_visit_linear(v, "mlp.up_proj", &b->up, m->hidden, m->mlp, m->mlp_bias);
    nn_visit_linear(v, "mlp.down_proj", &b->down, m->mlp, m->hidden, m->mlp_bias);
}

void transformer_visit(void *self, nn_visitor *v)
{
    transformer *m = self;
    nn_visit_embedding(v, "model.embed_tokens", &m->embed, m->vocab, m->hidden);
    for (int i = 0; i < m->n_layers && m->layers && !v->failed; i++) {
        size_t outer = nn_enter(v, "model.layers.%d", i);
        visit_layer(m, &m->layers[i], v);
        nn_leave(v, outer);
    }
    nn_visit_norm(v, "model.norm", with_eps(m, &m->norm), m->hidden, false);
    if (m->tied) {
        nn_visit_unused(v, "lm_head.weight");
        nn_visit_unused(v, "lm_head.scales");
        nn_visit_unused(v, "lm_head.biases");
    } else {
        nn_visit_linear(v, "lm_head", &m->head, m->hidden, m->vocab, false);
    }
    nn_visit_unused(v, "rotary_emb.inv_freq"); /* a constant that old checkpoints store */
}

void transformer_release(void *self)
{
    transformer *m = self;
    nn_rope_free(&m->rope);
    mem_free(m->layers);
}

/* --- mathematics --- */

static mlx_array attention(const transformer *m, int layer, mlx_array x, kv_step *step)
{
    const transformer_layer *b = &m->layers[layer];
    const kv_attention how = {.scale = m->scale, .window = b->sliding ? m->window : 0};
    mlx_array q = nn_split_heads(nn_apply(&b->q, x), m->heads);    /* (B, H, L, D) */
    mlx_array k = nn_split_heads(nn_apply(&b->k, x), m->kv_heads); /* (B, Hkv, L, D) */
    mlx_array v = nn_split_heads(nn_apply(&b->v, x), m->kv_heads);
    if (m->head_norms) {
        q = nn_rms(&b->q_norm, q);
        k = nn_rms(&b->k_norm, k);
    }
    q = nn_rotate(&m->rope, q, kv_positions(step));
    k = nn_rotate(&m->rope, k, kv_positions(step));
    return nn_apply(&b->o, nn_merge_heads(kv_attend(step, layer, q, k, v, &how)));
}

static mlx_array mlp(const transformer *m, const transformer_layer *b, mlx_array x)
{
    return nn_apply(&b->down, nn_gate(m->activation, nn_apply(&b->gate, x), nn_apply(&b->up, x)));
}

mlx_array transformer_forward(const void *self, mlx_array tokens, kv_step *step)
{
    const transformer *m = self;
    mlx_array h = nn_embed(&m->embed, tokens); /* (B, L, hidden) */
    for (int i = 0; i < m->n_layers; i++) {
        const transformer_layer *b = &m->layers[i];
        h = mx_add(h, attention(m, i, nn_rms(&b->input_norm, h), step));
        h = mx_add(h, mlp(m, b, nn_rms(&b->post_norm, h)));
    }
    h = nn_rms(&m->norm, kv_select(step, h));
    return m->tied ? nn_unembed(&m->embed, h) : nn_apply(&m->head, h);
}

kv_spec transformer_layer_spec(const void *self, int layer)
{
    const transformer *m = self;
    return (kv_spec){.heads = m->kv_heads,
                     .k_dim = m->head_dim,
                     .v_dim = m->head_dim,
                     .window = m->layers[layer].sliding ? m->window : 0};
}
