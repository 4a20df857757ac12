/* Mixtures of experts. Rows are sorted by expert when there are many, so that a matrix is read once for all
 * of its rows. */
#include "nn/moe.h"

#include <math.h>

enum { SORT_FROM = 64 }; /* (row, expert) pairs */

const nn_source nn_moe_gate[] = {
    {.weight = "experts.*.gate_proj.weight"},
    {.weight = "experts.*.w1.weight"},
    {.weight = "experts.gate_up_proj", .parts = 2, .part = 0},
    {0},
};
const nn_source nn_moe_up[] = {
    {.weight = "experts.*.up_proj.weight"},
    {.weight = "experts.*.w3.weight"},
    {.weight = "experts.gate_up_proj", .parts = 2, .part = 1},
    {0},
};
const nn_source nn_moe_down[] = {
    {.weight = "experts.*.down_proj.weight"},
    {.weight = "experts.*.w2.weight"},
    {.weight = "experts.down_proj"},
    {0},
};

void nn_visit_moe(nn_visitor *v, nn_moe *m, const nn_moe_names *names, int hidden)
{
    m->gate.chosen = m->up.chosen = m->down.chosen = m->top_k;
    nn_visit_linear(v, names->router, &m->router, hidden, m->experts, m->router_bias);
    if (names->correction)
        nn_visit_param(v, names->correction, &m->correction, m->experts, 0, 0);
    nn_visit_experts_in(v, names->stacked, "gate_proj", &m->gate, m->experts, hidden, m->width,
                        m->expert_bias, names->gate);
    nn_visit_experts_in(v, names->stacked, "up_proj", &m->up, m->experts, hidden, m->width, m->expert_bias,
                        names->up);
    nn_visit_experts_in(v, names->stacked, "down_proj", &m->down, m->experts, m->width, hidden,
                        m->expert_bias, names->down);
    if (names->shared && m->shared_width) {
        size_t outer = nn_enter(v, "%s", names->shared);
        m->shared.activation = m->activation;
        nn_visit_mlp(v, &m->shared, &names->shared_names, hidden, m->shared_width, false);
        nn_leave(v, outer);
    }
    if (names->shared_gate)
        nn_visit_linear(v, names->shared_gate, &m->shared_gate, hidden, 1, false);
}

/* The n-th largest of each row's numbers (.., E) -> (.., 1). */
static mlx_array nth_largest(mlx_array x, int n)
{
    int E = mx_dim(x, -1);
    return mx_slice_axis(mx_sort(x, -1), -1, E - n, E - n + 1);
}

/* Scores (T, E) with those outside the best groups made 0, as DeepSeek does. */
static mlx_array keep_groups(const nn_moe *m, mlx_array scores)
{
    int T = mx_dim(scores, 0), size = m->experts / m->groups;
    mlx_array g = mx_reshape(scores, SHAPE(T, m->groups, size)), best;
    if (m->group_best == 1)
        best = mx_max(g, SHAPE(-1), true);
    else
        best = mx_sum(mx_slice_axis(mx_sort(g, -1), -1, size - m->group_best, size), SHAPE(-1), true);
    mlx_array least = mx_expand_dims(nth_largest(mx_squeeze(best, -1), m->top_groups), -1);
    mlx_array kept = mx_where(mx_greater_equal(best, least), g, mx_float(0, MLX_FLOAT32));
    return mx_reshape(kept, SHAPE(T, m->experts));
}

/* The experts of each row and their weights: (T, E) logits -> (T, k) of each. */
static mlx_array choose(const nn_moe *m, mlx_array logits, mlx_array *weights)
{
    mlx_array scores = m->scoring == NN_SIGMOID   ? mx_sigmoid(logits)
                       : m->scoring == NN_SOFTMAX ? mx_softmax(logits, -1)
                                                  : logits;
    mlx_array rank = scores;
    if (m->correction.ndim)
        rank = mx_add(rank, mx_astype(mx_reshape(m->correction.value, SHAPE(m->experts)), MLX_FLOAT32));
    if (m->groups > 1)
        rank = keep_groups(m, rank);
    int E = m->experts, k = m->top_k;
    mlx_array index = mx_slice_axis(mx_argpartition(rank, E - k, -1), -1, E - k, E);
    mlx_array w = mx_take_along_axis(scores, index, -1);
    if (m->scoring == NN_SOFTMAX_TOP)
        w = mx_softmax(w, -1);
    if (m->normalize)
        w = mx_divide(w, mx_add(mx_sum(w, SHAPE(-1), true), mx_float(1e-20, MLX_FLOAT32)));
    *weights = m->scale != 0 && m->scale != 1 ? mx_multiply(w, mx_float(m->scale, MLX_FLOAT32)) : w;
    return index;
}

/* The chosen experts on rows: x (n, 1 or k, 1, hidden), index (n, k) -> (n, k, 1, hidden). */
static mlx_array experts(const nn_moe *m, mlx_array x, mlx_array index, bool sorted)
{
    mlx_array gate = nn_apply_experts(&m->gate, x, index, sorted);
    mlx_array up = nn_apply_experts(&m->up, x, index, sorted);
    return nn_apply_experts(&m->down, nn_gate(m->activation, gate, up), index, sorted);
}

/* The same by way of rows in the order of their experts. */
static mlx_array experts_sorted(const nn_moe *m, mlx_array x, mlx_array index)
{
    int T = mx_dim(index, 0), k = mx_dim(index, 1), hidden = mx_dim(x, -1), each = mx_dim(x, 1);
    mlx_array flat = mx_reshape(index, SHAPE(T * k));
    mlx_array order = mx_argsort(flat, -1), back = mx_argsort(order, -1);
    mlx_array from = each == k ? order : mx_floor_divide(order, mx_int(k, MLX_UINT32));
    mlx_array rows = mx_take(mx_reshape(x, SHAPE(T * each, 1, hidden)), from, 0);
    mlx_array y = experts(m, rows, mx_take(flat, order, 0), true);
    return mx_reshape(mx_take(y, back, 0), SHAPE(T, k, 1, hidden));
}

mlx_array nn_mixture(const nn_moe *m, mlx_array x)
{
    if (mx_is_null(x))
        return x;
    int B = mx_dim(x, 0), L = mx_dim(x, 1), hidden = mx_dim(x, 2), T = B * L, k = m->top_k;
    mlx_array rows = mx_reshape(x, SHAPE(T, hidden)), weights;
    mlx_array index = choose(m, mx_astype(nn_apply(&m->router, rows), MLX_FLOAT32), &weights);
    weights = mx_astype(mx_reshape(weights, SHAPE(T, k, 1, 1)), mx_dtype_of(x));
    mlx_array in = mx_reshape(rows, SHAPE(T, 1, 1, hidden));
    if (m->scale_input)
        in = mx_multiply(in, weights);
    mlx_array y = T * k >= SORT_FROM ? experts_sorted(m, in, index) : experts(m, in, index, false);
    if (!m->scale_input)
        y = mx_multiply(y, weights);
    y = mx_reshape(mx_sum(y, SHAPE(1), false), SHAPE(B, L, hidden));
    if (m->shared_width == 0)
        return y;
    mlx_array shared = nn_feed_forward(&m->shared, x);
    if (m->shared_gate.out)
        shared = mx_multiply(shared, mx_sigmoid(nn_apply(&m->shared_gate, x)));
    return mx_add(y, shared);
}
