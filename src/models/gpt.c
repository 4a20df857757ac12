/* The GPT line: LayerNorms with biases, a plain MLP. GPT-2 learns positions and publishes its matrices as
 * (in, out); BigCode is GPT-2 with one head of keys and values; GPT-NeoX (Pythia) rotates, and runs attention
 * and MLP side by side. */
#include "models/transformer.h"

#include <math.h>

static int configure_gpt(transformer *m, const cfg *c, arch_info *info, bool conv1d)
{
    cfg n = cfg_renamed(c, (const char *const[]){"hidden_size", "n_embd", "num_hidden_layers", "n_layer",
                                                 "num_attention_heads", "n_head", "max_position_embeddings",
                                                 "n_positions", "hidden_act", "activation_function", NULL});
    if (transformer_configure(m, &n, true, info))
        return -1;
    m->kv_heads = m->heads;
    m->mlp = cfg_size(c, "n_inner", 4 * m->hidden);
    transformer_layer_norms(m, c, "layer_norm_epsilon", 1e-5f, true);
    m->activation = nn_activation_or(&n, "hidden_act", NN_GELU_TANH);
    m->conv1d = conv1d;
    m->positions.out = cfg_size(&n, "max_position_embeddings", 1024);
    m->qkv_bias = m->o_bias = m->mlp_bias = true;
    m->names = (transformer_names){.embed = "model.wte",
                                   .positions = "model.wpe",
                                   .layer = "model.h",
                                   .norm = "model.ln_f",
                                   .head = "lm_head",
                                   .in_norm = "ln_1",
                                   .mid_norm = "ln_2",
                                   .qkv = "attn.c_attn",
                                   .o = "attn.c_proj",
                                   .mlp = "mlp",
                                   .mlp_parts = {.up = "c_fc", .down = "c_proj"}};
    for (int i = 0; i < m->n_layers; i++)
        m->layers[i].rope = -1;
    if (!cfg_bool(c, "scale_attn_weights", true))
        m->scale = 1;
    return cfg_ok(c) ? 0 : -1;
}

static int configure_gpt2(void *self, const cfg *c, arch_info *info)
{
    return configure_gpt(self, c, info, true);
}

static int configure_bigcode(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (configure_gpt(m, c, info, false))
        return -1;
    m->kv_heads = cfg_bool(c, "multi_query", true) ? 1 : m->heads;
    if (m->kv_heads > 1)
        m->qkv_order = QKV_BY_HEAD;
    return 0;
}

static int configure_neox(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    cfg n = cfg_renamed(c, (const char *const[]){"partial_rotary_factor", "rotary_pct", "rope_theta",
                                                 "rotary_emb_base", NULL});
    if (transformer_configure(m, &n, false, info))
        return -1;
    transformer_rope(m, &n);
    transformer_layer_norms(m, c, "layer_norm_eps", 1e-5f, true);
    m->activation = nn_activation_or(c, "hidden_act", NN_GELU);
    m->kv_heads = m->heads;
    m->parallel = cfg_bool(c, "use_parallel_residual", true);
    m->qkv_order = QKV_BY_HEAD;
    m->qkv_bias = m->o_bias = cfg_bool(c, "attention_bias", true);
    m->mlp_bias = true;
    m->names.embed = "gpt_neox.embed_in";
    m->names.layer = "gpt_neox.layers";
    m->names.norm = "gpt_neox.final_layer_norm";
    m->names.head = "embed_out";
    m->names.qkv = "attention.query_key_value";
    m->names.o = "attention.dense";
    m->names.mlp_parts = (nn_mlp_names){.up = "dense_h_to_4h", .down = "dense_4h_to_h"};
    return cfg_ok(c) ? 0 : -1;
}

const arch arch_gpt2 = {.name = "gpt2", .configure = configure_gpt2, TRANSFORMER_ARCH};
const arch arch_gpt_bigcode = {.name = "gpt_bigcode", .configure = configure_bigcode, TRANSFORMER_ARCH};
const arch arch_gpt_neox = {.name = "gpt_neox", .configure = configure_neox, TRANSFORMER_ARCH};
