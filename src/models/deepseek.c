/* DeepSeek V2 and V3 (R1, Kimi K2): multi-head latent attention. All heads' keys and values are made of one
 * latent vector a position, which is what the cache keeps, next to a small rotated key that the heads share:
 *
 *     c, r = kv_a(x)                     c normalized (rank numbers), r rotated
 *     q_nope, q_rope = q(x)              for each head, q_rope rotated
 *     score = (embed_q q_nope) . c + q_rope . r          value: unembed_out (sum of weights times c)
 *
 * where embed_q and unembed_out are the halves of the published kv_b for that head. So attention runs on one
 * head of keys (c, r), whose first `rank` numbers are the values. */
#include "models/transformer.h"

#include <math.h>

typedef struct mla {
    int rank, q_rank, nope, rope, v_dim;
    nn_linear q, q_a, q_b, kv_a, embed_q, unembed_out, o;
    nn_norm q_norm, kv_norm;
    nn_source from_b[2][2]; /* embed_q and unembed_out in kv_b */
} mla;

static void visit(const transformer *m, void *self, nn_visitor *v)
{
    mla *a = self;
    int H = m->heads, q = H * (a->nope + a->rope);
    size_t outer = nn_enter(v, "self_attn");
    if (a->q_rank) {
        nn_visit_linear(v, "q_a_proj", &a->q_a, m->hidden, a->q_rank, m->qkv_bias);
        transformer_visit_norm(m, v, "q_a_layernorm", &a->q_norm, a->q_rank);
        nn_visit_linear(v, "q_b_proj", &a->q_b, a->q_rank, q, false);
    } else {
        nn_visit_linear(v, "q_proj", &a->q, m->hidden, q, false);
    }
    nn_visit_linear(v, "kv_a_proj_with_mqa", &a->kv_a, m->hidden, a->rank + a->rope, m->qkv_bias);
    transformer_visit_norm(m, v, "kv_a_layernorm", &a->kv_norm, a->rank);
    nn_visit_experts(v, "embed_q", &a->embed_q, H, a->nope, a->rank, false, a->from_b[0]);
    nn_visit_experts(v, "unembed_out", &a->unembed_out, H, a->rank, a->v_dim, false, a->from_b[1]);
    nn_visit_linear(v, "o_proj", &a->o, H * a->v_dim, m->hidden, m->o_bias);
    nn_leave(v, outer);
}

static kv_spec spec(const transformer *m, const void *self)
{
    const mla *a = self;
    (void)m;
    return (kv_spec){.heads = 1, .k_dim = a->rank + a->rope, .v_dim = 0};
}

/* Both norms have an epsilon of their own in the published code. */
static mlx_array latent_norm(const nn_norm *n, mlx_array x) { return mx_rms_norm(x, n->weight, 1e-6f); }

static mlx_array forward(const transformer *m, const void *self, int layer, mlx_array x, kv_step *step)
{
    const mla *a = self;
    mlx_array q =
        a->q_rank ? nn_apply(&a->q_b, latent_norm(&a->q_norm, nn_apply(&a->q_a, x))) : nn_apply(&a->q, x);
    mlx_array kv = nn_apply(&a->kv_a, x);
    if (mx_is_null(q) || mx_is_null(kv))
        return MX_NULL;
    q = nn_split_heads(q, m->heads); /* (B, H, L, nope + rope) */
    mlx_array nope = nn_apply_each(&a->embed_q, mx_slice_axis(q, -1, 0, a->nope));
    mlx_array q_rope = mx_slice_axis(q, -1, a->nope, a->nope + a->rope);
    q_rope = nn_rotate(&m->rope[0], q_rope, kv_positions(step));
    mlx_array c = latent_norm(&a->kv_norm, mx_slice_axis(kv, -1, 0, a->rank));
    mlx_array r = nn_split_heads(mx_slice_axis(kv, -1, a->rank, a->rank + a->rope), 1);
    r = nn_rotate(&m->rope[0], r, kv_positions(step));
    const mlx_array queries[] = {nope, q_rope}, keys[] = {mx_expand_dims(c, 1), r};
    const kv_attention how = {.scale = m->scale, .v_dim = a->rank};
    mlx_array y =
        kv_attend(step, layer, mx_concatenate(queries, 2, -1), mx_concatenate(keys, 2, -1), MX_NULL, &how);
    return nn_apply(&a->o, nn_merge_heads(nn_apply_each(&a->unembed_out, y)));
}

static const mixer MLA = {.size = sizeof(mla), .visit = visit, .forward = forward, .spec = spec};

static void read_layer(const transformer *m, const cfg *c, mla *a)
{
    a->rank = cfg_size(c, "kv_lora_rank", 512);
    a->q_rank = cfg_has(c, "q_lora_rank") ? cfg_size(c, "q_lora_rank", CFG_REQUIRED) : 0;
    a->nope = cfg_size(c, "qk_nope_head_dim", 128);
    a->rope = cfg_size(c, "qk_rope_head_dim", 64);
    a->v_dim = cfg_size(c, "v_head_dim", 128);
    int block = a->nope + a->v_dim;
    a->from_b[0][0] = (nn_source){.weight = "kv_b_proj.weight", .block = block, .transposed = true};
    a->from_b[1][0] = (nn_source){.weight = "kv_b_proj.weight", .block = block, .first = a->nope};
    (void)m;
}

static int configure(transformer *m, const cfg *c, arch_info *info, nn_scoring scoring)
{
    if (transformer_configure(m, c, false, info))
        return -1;
    mla a = {0};
    read_layer(m, c, &a);
    m->head_dim = a.nope + a.rope;
    m->scale = 1 / sqrtf((float)m->head_dim);
    m->qkv_bias = m->o_bias = cfg_bool(c, "attention_bias", false);
    m->rope[0] = nn_rope_from(c, a.rope);
    m->rope[0].traditional = cfg_bool(c, "rope_interleave", true);
    m->scale *= nn_rope_score_scale(c);
    for (int i = 0; i < m->n_layers && cfg_ok(c); i++) {
        mla *layer = transformer_mixer(m, c, i, &MLA);
        if (layer)
            *layer = a;
    }
    return cfg_ok(c) ? transformer_experts_deepseek(m, c, scoring) : -1;
}

static int configure_v2(void *self, const cfg *c, arch_info *info)
{
    return configure(self, c, info, NN_SOFTMAX);
}
static int configure_v3(void *self, const cfg *c, arch_info *info)
{
    return configure(self, c, info, NN_SIGMOID);
}

const arch arch_deepseek_v2 = {.name = "deepseek_v2", .configure = configure_v2, TRANSFORMER_ARCH};
const arch arch_deepseek_v3 = {.name = "deepseek_v3", .configure = configure_v3, TRANSFORMER_ARCH};
const arch arch_kimi_k2 = {.name = "kimi_k2", .configure = configure_v3, TRANSFORMER_ARCH};
