/* Llama (1 to 3.2, and models of its form), Mistral, which is Llama with a window over all layers, and
 * relatives that differ in a line or two. */
#include "models/transformer.h"

static int configure(transformer *m, const cfg *c, bool tied, arch_info *info)
{
    if (transformer_configure(m, c, tied, info))
        return -1;
    transformer_rope(m, c);
    m->qkv_bias = m->o_bias = cfg_bool(c, "attention_bias", false);
    m->mlp_bias = cfg_bool(c, "mlp_bias", false);
    return cfg_ok(c) ? 0 : -1;
}

/* sliding_window alone means nothing here: only layer_types makes layers slide. A config that does not say is
 * tied. */
static int configure_llama(void *self, const cfg *c, arch_info *info)
{
    if (configure(self, c, true, info))
        return -1;
    transformer_layer_types(self, c);
    return cfg_ok(c) ? 0 : -1;
}

/* Mistral's sliding_window holds for every layer, unless layer_types says otherwise. */
static int configure_mistral(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (configure(m, c, false, info))
        return -1;
    if (!transformer_layer_types(m, c) && cfg_has(c, "sliding_window"))
        for (int i = 0; i < m->n_layers; i++)
            m->layers[i].window = cfg_size(c, "sliding_window", CFG_REQUIRED);
    return cfg_ok(c) ? 0 : -1;
}

/* Ministral 3: queries grow with the position beyond the length of the training. */
static int configure_ministral3(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (configure_mistral(m, c, info))
        return -1;
    cfg rope = cfg_object(c, "rope_parameters", "rope_parameters.");
    m->q_growth = cfg_float(&rope, "llama_4_scaling_beta", 0);
    m->q_growth_step = (float)cfg_size(&rope, "original_max_position_embeddings", 8192);
    return cfg_ok(c) ? 0 : -1;
}

/* SmolLM3: some layers do not rotate. */
static int configure_smollm3(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (configure_llama(m, c, info))
        return -1;
    int interval = cfg_size(c, "no_rope_layer_interval", 4);
    for (int i = 0; i < m->n_layers; i++) {
        double rotates = (i + 1) % interval != 0;
        cfg_number(c, "no_rope_layers", (size_t)i, &rotates);
        m->layers[i].rope = rotates != 0 ? 0 : -1;
    }
    return cfg_ok(c) ? 0 : -1;
}

/* Seed-OSS: biases on q, k and v, and one of its own for the output. */
static int configure_seed_oss(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (configure(m, c, false, info))
        return -1;
    m->qkv_bias = cfg_bool(c, "attention_bias", true);
    m->o_bias = cfg_bool(c, "attention_out_bias", false);
    return cfg_ok(c) ? 0 : -1;
}

/* Helium rotates neighbouring pairs. */
static int configure_helium(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (configure(m, c, false, info))
        return -1;
    m->rope[0].traditional = true;
    return 0;
}

/* BitNet b1.58 in floats: squared relu, and norms before both output matrices. */
static int configure_bitnet(void *self, const cfg *c, arch_info *info)
{
    transformer *m = self;
    if (configure(m, c, false, info))
        return -1;
    m->names.o_norm = "self_attn.attn_sub_norm";
    m->names.mlp_parts.norm = "ffn_sub_norm";
    return 0;
}

const arch arch_llama = {.name = "llama", .configure = configure_llama, TRANSFORMER_ARCH};
const arch arch_mistral = {.name = "mistral", .configure = configure_mistral, TRANSFORMER_ARCH};
const arch arch_ministral = {.name = "ministral", .configure = configure_mistral, TRANSFORMER_ARCH};
const arch arch_ministral3 = {.name = "ministral3", .configure = configure_ministral3, TRANSFORMER_ARCH};
const arch arch_smollm3 = {.name = "smollm3", .configure = configure_smollm3, TRANSFORMER_ARCH};
const arch arch_seed_oss = {.name = "seed_oss", .configure = configure_seed_oss, TRANSFORMER_ARCH};
const arch arch_helium = {.name = "helium", .configure = configure_helium, TRANSFORMER_ARCH};
const arch arch_bitnet = {.name = "bitnet", .configure = configure_bitnet, TRANSFORMER_ARCH};
