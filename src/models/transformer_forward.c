/* The shared decoder's mathematics. The stream h is (B, L, hidden) in float32; B is 1 when the rows belong to
 * several sequences. */
#include "models/transformer.h"

static mlx_array softcapped(mlx_array x, float cap)
{
    return cap == 0 ? x : nn_scale(mx_tanh(nn_scale(x, 1 / cap)), cap);
}

static mlx_array normalized(const nn_norm *n, mlx_array x) { return n->dim ? nn_normalize(n, x) : x; }

/* --- attention --- */

typedef struct heads {
    mlx_array q, k, v; /* (B, H, L, D), (B, Hkv, L, D) */
    mlx_array gate;    /* (B, L, H * D), or null */
} heads;

/* One matrix with each head's q, k and v side by side. */
static heads split_by_head(const transformer *m, mlx_array x)
{
    int B = mx_dim(x, 0), L = mx_dim(x, 1), D = m->head_dim;
    mlx_array each = mx_transpose(mx_reshape(x, SHAPE(B, L, m->heads, 3 * D)), SHAPE(0, 2, 1, 3));
    return (heads){.q = mx_slice_axis(each, -1, 0, D),
                   .k = mx_slice_axis(each, -1, D, 2 * D),
                   .v = mx_slice_axis(each, -1, 2 * D, 3 * D)};
}

static mlx_array clipped(const transformer *m, mlx_array x)
{
    mlx_dtype t = mx_dtype_of(x);
    return m->clip == 0 ? x : mx_minimum(mx_maximum(x, mx_float(-m->clip, t)), mx_float(m->clip, t));
}

/* Takes the gates out of a q that has for each head its numbers and then those of the gate. */
static mlx_array take_gate(const transformer *m, mlx_array *q)
{
    int B = mx_dim(*q, 0), L = mx_dim(*q, 1), H = m->heads, D = m->head_dim;
    mlx_array both = mx_reshape(*q, SHAPE(B, L, H, 2 * D));
    *q = mx_reshape(mx_slice_axis(both, -1, 0, D), SHAPE(B, L, H * D));
    return mx_reshape(mx_slice_axis(both, -1, D, 2 * D), SHAPE(B, L, H * D));
}

static heads project(const transformer *m, const transformer_layer *b, mlx_array x)
{
    int wide = m->heads * m->head_dim, kv = m->kv_heads * m->head_dim;
    mlx_array q, k, v, gate = MX_NULL;
    if (m->names.qkv) {
        mlx_array all = clipped(m, nn_apply(&b->qkv, x));
        if (mx_is_null(all) || m->qkv_order == QKV_BY_HEAD)
            return mx_is_null(all) ? (heads){all, all, all, all} : split_by_head(m, all);
        q = mx_slice_axis(all, -1, 0, wide);
        k = mx_slice_axis(all, -1, wide, wide + kv);
        v = mx_slice_axis(all, -1, wide + kv, wide + 2 * kv);
    } else {
        q = clipped(m, nn_apply(&b->q, x));
        k = nn_scale(clipped(m, nn_apply(&b->k, x)), m->k_scale);
        v = clipped(m, nn_apply(&b->v, x));
    }
    if (m->output_gate && !mx_is_null(q))
        gate = take_gate(m, &q);
    if (m->head_norms == HEAD_NORMS_FULL) {
        q = nn_normalize(&b->q_norm, q);
        k = nn_normalize(&b->k_norm, k);
    }
    return (heads){nn_split_heads(q, m->heads), nn_split_heads(k, m->kv_heads),
                   nn_split_heads(v, m->kv_heads), gate};
}

/* x (B, H, L, D) normalized head by head. */
static mlx_array normalize_heads(const transformer *m, const nn_norm *n, const nn_param *own, mlx_array x)
{
    if (m->head_norms == HEAD_NORMS_EACH)
        return nn_normalize(n, x);
    const nn_norm bare = {.kind = m->norm_kind, .eps = m->eps};
    if (m->head_norms == HEAD_NORMS_BARE)
        return nn_normalize(&bare, x);
    if (m->head_norms != HEAD_NORMS_OWN && m->head_norms != HEAD_NORMS_LIST)
        return x;
    return mx_multiply(nn_normalize(&bare, x), mx_expand_dims(mx_astype(own->value, mx_dtype_of(x)), 1));
}

/* q times 1 + growth * ln(1 + floor(position / step)): (B, H, L, D). */
static mlx_array grown(const transformer *m, mlx_array q, kv_step *step)
{
    mlx_array at = nn_position_numbers(kv_positions(step), mx_dim(q, 2));
    mlx_array n = mx_floor(mx_multiply(at, mx_float(1 / m->q_growth_step, MLX_FLOAT32)));
    mlx_array factor = mx_add(nn_scale(mx_log1p(n), m->q_growth), mx_float(1, MLX_FLOAT32));
    return mx_multiply(q, mx_expand_dims(mx_astype(factor, mx_dtype_of(q)), -1));
}

static void rotate(const transformer *m, const transformer_layer *b, heads *h, const kv_step *step)
{
    if (b->rope < 0)
        return;
    h->q = nn_rotate(&m->rope[b->rope], h->q, kv_positions(step));
    h->k = nn_rotate(&m->rope[b->rope], h->k, kv_positions(step));
}

mlx_array transformer_attention(const transformer *m, int layer, mlx_array x, kv_step *step)
{
    const transformer_layer *b = &m->layers[layer];
    heads h = project(m, b, x);
    if (mx_is_null(h.q) || mx_is_null(h.k) || mx_is_null(h.v))
        return MX_NULL;
    if (m->norm_after)
        rotate(m, b, &h, step);
    h.q = normalize_heads(m, &b->q_norm, &b->q_weights, h.q);
    h.k = normalize_heads(m, &b->k_norm, &b->k_weights, h.k);
    if (!m->norm_after)
        rotate(m, b, &h, step);
    if (m->q_growth != 0 && (b->rope < 0 || !m->q_growth_bare))
        h.q = grown(m, h.q, step);
    const kv_attention how = {
        .scale = m->scale, .window = b->window, .softcap = m->softcap, .sinks = b->sinks.value};
    mlx_array y = nn_merge_heads(kv_attend(step, layer, h.q, h.k, h.v, &how));
    if (m->output_gate)
        y = mx_multiply(y, mx_sigmoid(h.gate));
    return nn_apply(&b->o, normalized(&b->o_norm, y));
}

/* --- blocks --- */

static mlx_array feed_forward(const transformer_layer *b, mlx_array x)
{
    return b->has_moe ? nn_mixture(&b->moe, x) : nn_feed_forward(&b->mlp, x);
}

static mlx_array block(const transformer *m, int layer, mlx_array h, kv_step *step)
{
    const transformer_layer *b = &m->layers[layer];
    mlx_array x = normalized(&b->in_norm, h);
    mlx_array a =
        b->mixer ? b->mixer->forward(m, b->mix, layer, x, step) : transformer_attention(m, layer, x, step);
    a = normalized(&b->attn_out_norm, a);
    if (!m->names.mlp)
        return mx_add(h, nn_scale(a, m->residual_scale));
    if (m->parallel) {
        mlx_array y = feed_forward(b, m->names.mid_norm ? normalized(&b->mid_norm, h) : x);
        return mx_add(h, nn_scale(mx_add(a, y), m->residual_scale));
    }
    h = mx_add(h, nn_scale(a, m->residual_scale));
    mlx_array y = feed_forward(b, normalized(&b->mid_norm, h));
    return mx_add(h, nn_scale(normalized(&b->mlp_out_norm, y), m->residual_scale));
}

mlx_array transformer_forward(const void *self, mlx_array tokens, kv_step *step)
{
    const transformer *m = self;
    mlx_array h = nn_scale(nn_embed(&m->embed, tokens), m->embed_scale); /* (B, L, hidden) */
    if (m->names.positions && !mx_is_null(h)) {
        mlx_array at = nn_position_numbers(kv_positions(step), mx_dim(h, 1));
        h = mx_add(h, nn_embed(&m->positions, mx_astype(at, MLX_INT32)));
    }
    for (int i = 0; i < m->n_layers; i++)
        h = block(m, i, h, step);
    h = normalized(&m->norm, kv_select(step, h));
    mlx_array logits = m->tied ? nn_unembed(&m->embed, h) : nn_apply(&m->head, h);
    return softcapped(nn_scale(logits, m->logit_scale), m->logit_softcap);
}

kv_spec transformer_layer_spec(const void *self, int layer)
{
    const transformer *m = self;
    const transformer_layer *b = &m->layers[layer];
    if (b->mixer)
        return b->mixer->spec(m, b->mix);
    return (kv_spec){.heads = m->kv_heads, .k_dim = m->head_dim, .v_dim = m->head_dim, .window = b->window};
}
