/* Gradients of the fused operations of language models, in float32 whatever the inputs are. */
#include "prim/grad.h"

#include "base/error.h"

static mlx_array single(mlx_array x) { return mx_astype(x, MLX_FLOAT32); }

static mlx_array mean_last(mlx_array x) { return mx_mean(x, SHAPE(-1), true); }

/* 1 / sqrt(mean(x^2) + eps) */
static mlx_array inverse_size(mlx_array x, float eps)
{
    return mx_rsqrt(mx_add(mean_last(mx_square(x)), mx_float((double)eps, MLX_FLOAT32)));
}

/* y = n * weight with n = x * r:  dx = r * (h - n * mean(h * n)) with h = g * weight. */
void grad_rms_norm(const grad_args *a, mlx_array *grads)
{
    const prim_norm *p = a->n->params;
    mlx_array x = single(a->in[0]), g = single(a->given[0]), r = inverse_size(x, p->eps),
              n = mx_multiply(x, r);
    mlx_array h = p->weight ? mx_multiply(g, single(a->in[1])) : g;
    if (a->wanted[0])
        grads[0] = mx_multiply(r, mx_subtract(h, mx_multiply(n, mean_last(mx_multiply(h, n)))));
    if (p->weight && a->wanted[1])
        grads[1] = mx_multiply(g, n);
}

/* The same with n = (x - mean(x)) * r:  dx = r * (h - mean(h) - n * mean(h * n)). */
void grad_layer_norm(const grad_args *a, mlx_array *grads)
{
    const prim_norm *p = a->n->params;
    mlx_array x = single(a->in[0]), g = single(a->given[0]), centred = mx_subtract(x, mean_last(x));
    mlx_array r = inverse_size(centred, p->eps), n = mx_multiply(centred, r);
    mlx_array h = p->weight ? mx_multiply(g, single(a->in[1])) : g;
    if (a->wanted[0])
        grads[0] = mx_multiply(
            r, mx_subtract(mx_subtract(h, mean_last(h)), mx_multiply(n, mean_last(mx_multiply(h, n)))));
    if (p->weight && a->wanted[1])
        grads[1] = mx_multiply(g, n);
    int bias = 1 + p->weight;
    if (p->bias && a->wanted[bias])
        grads[bias] = g;
}

/* A rotation: the gradient is turned back, by the angles with a scale of the other sign. */
void grad_rope(const grad_args *a, mlx_array *grads)
{
    prim_rope back = *(const prim_rope *)a->n->params;
    mlx_array in[3] = {mx_astype(a->given[0], mx_dtype_of(a->in[0]))};
    for (uint32_t i = 1; i < a->n->n_inputs; i++) {
        in[i] = a->in[i];
        if (a->wanted[i]) {
            error_set("[vjp] RoPE has no derivative by its frequencies and offsets");
            return;
        }
    }
    back.scale = -back.scale;
    grads[0] = prim_make(PRIM_RoPE, in, a->n->n_inputs, &back, sizeof back);
}

/* true where query i of L sees key j of S: j <= i + S - L; (heads * L, S), the queries of all heads of a
 * group. */
static mlx_array causal(int heads, int L, int S)
{
    mlx_array i = mx_reshape(mx_arange(S - L, S, 1, MLX_INT32), SHAPE(L, 1));
    mlx_array sees = mx_less_equal(mx_arange(0, S, 1, MLX_INT32), i);
    return mx_reshape(mx_broadcast_to(sees, SHAPE(heads, L, S)), SHAPE(heads * L, S));
}

/* The softmax of scores (B, Hkv, G*L, S), or with sinks (one a query head) of them and the sink, which comes
 * last. */
static mlx_array weights_of(const grad_args *a, mlx_array scores)
{
    const prim_attention *p = a->n->params;
    const int *n = a->n->shape;
    if (!p->sinks)
        return mx_softmax(scores, -1);
    mlx_array sinks = mx_reshape(single(a->in[a->n->n_inputs - 1]), SHAPE(1, n[1], 1, 1));
    sinks = mx_reshape(mx_broadcast_to(sinks, SHAPE(n[0], n[1], n[2], 1)),
                       SHAPE(mx_dim(scores, 0), mx_dim(scores, 1), mx_dim(scores, 2), 1));
    return mx_softmax(mx_concatenate((mlx_array[]){scores, sinks}, 2, -1), -1);
}

/* The attention weights (B, Hkv, G*L, S): the G query heads of a key head lie one after the other as rows. */
static mlx_array attention_weights(const grad_args *a, mlx_array q, mlx_array k)
{
    const prim_attention *p = a->n->params;
    const int *shape = mx_shape(q);
    int L = a->n->shape[2], rows = shape[2], S = mx_dim(k, 2);
    mlx_array scores = grad_times(mx_matmul(q, mx_swapaxes(k, -1, -2)), (double)p->scale), sees = MX_NULL;
    if (p->mask == MX_MASK_CAUSAL)
        sees = causal(rows / (L ? L : 1), L, S);
    else if (p->mask == MX_MASK_ARRAY) {
        sees = mx_reshape(a->in[3], SHAPE(shape[0], shape[1], rows, S));
        if (mx_dtype_of(sees) != MLX_BOOL)
            return weights_of(a, mx_add(scores, single(sees)));
    }
    if (!mx_is_null(sees)) /* rows that see nothing become even */
        scores = mx_where(sees, scores, mx_float(-1e30, MLX_FLOAT32));
    return weights_of(a, scores);
}

/* O = W V, W = softmax(scale Q K^T + mask):  dV = W^T g,  dS = W (dW - sum(dW W)),  dQ = scale dS K,  dK =
 * scale dS^T Q. Products over the rows of a group sum over its query heads on their own. */
void grad_attention(const grad_args *a, mlx_array *grads)
{
    const prim_attention *p = a->n->params;
    const node *n = a->n;
    int B = n->shape[0], H = n->shape[1], L = n->shape[2], kv_heads = mx_dim(a->in[1], 1),
        rows = H / kv_heads * L, S = mx_dim(a->in[1], 2);
    mlx_array k = single(a->in[1]), v = single(a->in[2]);
    mlx_array q = mx_reshape(single(a->in[0]), SHAPE(B, kv_heads, rows, mx_dim(k, 3)));
    mlx_array g = mx_reshape(single(a->given[0]), SHAPE(B, kv_heads, rows, n->shape[3]));
    mlx_array all = attention_weights(a, q, k), weights = mx_slice_axis(all, -1, 0, S);
    mlx_array to_weights = mx_multiply(weights, mx_matmul(g, mx_swapaxes(v, -1, -2))),
              sum = grad_sum_last(to_weights);
    mlx_array to_scores = mx_subtract(to_weights, mx_multiply(weights, sum));
    if (a->wanted[0])
        grads[0] =
            mx_reshape(grad_times(mx_matmul(to_scores, k), (double)p->scale), SHAPE(B, H, L, mx_dim(k, 3)));
    if (a->wanted[1])
        grads[1] = grad_times(mx_matmul(mx_swapaxes(to_scores, -1, -2), q), (double)p->scale);
    if (a->wanted[2])
        grads[2] = mx_matmul(mx_swapaxes(weights, -1, -2), g);
    if (p->mask == MX_MASK_ARRAY && a->wanted[3])
        grads[3] = mx_reshape(to_scores, SHAPE(B, H, L, S));
    uint32_t last = n->n_inputs - 1;
    if (p->sinks && a->wanted[last]) {
        mlx_array of_sink = mx_multiply(mx_slice_axis(all, -1, S, S + 1), sum);
        grads[last] = mx_negative(mx_sum(mx_reshape(of_sink, SHAPE(B, H, L)), SHAPE(0, 2), false));
    }
}

/* y = silu(gate) * up, silu(x) = x * s(x), silu'(x) = s (1 + x (1 - s)). */
void grad_swiglu(const grad_args *a, mlx_array *grads)
{
    mlx_array gate = single(a->in[0]), up = single(a->in[1]), g = single(a->given[0]);
    mlx_array s = mx_sigmoid(gate), one = mx_float(1, MLX_FLOAT32);
    if (a->wanted[0]) {
        mlx_array slope = mx_multiply(s, mx_add(one, mx_multiply(gate, mx_subtract(one, s))));
        grads[0] = mx_multiply(mx_multiply(g, up), slope);
    }
    if (a->wanted[1])
        grads[1] = mx_multiply(g, mx_multiply(gate, s));
}
