/* Convolutions along sequences: the rows before a step's are the state. */
#include "models/recurrent.h"

#include "base/mem.h"

void causal_conv_visit(nn_visitor *v, const char *name, causal_conv *c)
{
    char part[64];
    snprintf(part, sizeof part, "%s.weight", name);
    nn_visit_param(v, part, &c->weight, c->channels, c->size, 1);
    snprintf(part, sizeof part, "%s.bias", name);
    if (c->has_bias)
        nn_visit_param(v, part, &c->bias, c->channels, 0, 0);
}

mlx_array recurrent_by_sequence(kv_step *step, int layer, int which, const mlx_array *in, size_t n,
                                sequence_fn fn, const void *user)
{
    enum { MOST = 8 };
    mlx_array *parts = mem_calloc((size_t)step->n_spans, sizeof *parts), joined = MX_NULL, rows[MOST];
    if (!parts)
        return MX_NULL;
    for (int s = 0; s < step->n_spans; s++) {
        const kv_span *span = &step->spans[s];
        for (size_t i = 0; i < n && i < MOST; i++)
            rows[i] = step->n_spans == 1 ? in[i] : mx_slice_axis(in[i], 0, span->row, span->row + span->rows);
        parts[s] = fn(user, rows, kv_state(step, layer, s, which));
    }
    joined = step->n_spans == 1 ? parts[0] : mx_concatenate(parts, (size_t)step->n_spans, 0);
    mem_free(parts);
    return joined;
}

/* Rows (n, channels) behind those of the state. */
static mlx_array convolve(const void *user, const mlx_array *in, mlx_array *state)
{
    const causal_conv *c = user;
    if (mx_is_null(in[0]))
        return MX_NULL;
    int n = mx_dim(in[0], 0), before = c->size - 1;
    const mlx_array parts[] = {
        mx_is_null(*state) ? mx_zeros(SHAPE(before, c->channels), MLX_FLOAT32) : *state, in[0]};
    mlx_array all = mx_concatenate(parts, 2, 0), y = MX_NULL;
    mlx_array weight = mx_astype(mx_reshape(c->weight.value, SHAPE(c->channels, c->size)), MLX_FLOAT32);
    for (int i = 0; i < c->size; i++) {
        mlx_array w = mx_squeeze(mx_slice_axis(weight, 1, i, i + 1), 1);
        mlx_array term = mx_multiply(mx_slice_axis(all, 0, i, i + n), w);
        y = i ? mx_add(y, term) : term;
    }
    mx_set(state, mx_contiguous(mx_slice_axis(all, 0, n, n + before)));
    return c->has_bias ? mx_add(y, mx_astype(c->bias.value, MLX_FLOAT32)) : y;
}

mlx_array causal_conv_apply(const causal_conv *c, int layer, int which, mlx_array x, kv_step *step)
{
    if (mx_is_null(x))
        return x;
    mlx_array rows = mx_astype(mx_squeeze(x, 0), MLX_FLOAT32);
    return mx_expand_dims(recurrent_by_sequence(step, layer, which, &rows, 1, convolve, c), 0);
}
