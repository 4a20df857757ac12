/* Mamba 1 and 2, alone and as parts of Jamba, Falcon-H1 and Granite 4.
 *
 *     z, x, b, c, dt = in(rows)          Mamba 1: z, x = in(rows), and b, c, dt from x
 *     x, b, c = silu(conv(x, b, c))      Mamba 1: x alone
 *     y = scan(x, softplus(dt), -exp(A_log), b, c) + D x
 *     out(norm(y silu(z)))               Mamba 1: no norm
 *
 * States: 0 the convolution's rows, 1 the scan's. */
#include "models/recurrent.h"

static mlx_array f32(mlx_array x) { return mx_astype(x, MLX_FLOAT32); }
static mlx_array softplus(mlx_array x) { return mx_logaddexp(x, mx_float(0, MLX_FLOAT32)); }

void mamba_visit(const transformer *m, mamba *a, nn_visitor *v)
{
    int bc = a->groups * a->states;
    if (a->rank == 0) {
        nn_visit_linear(v, "in_proj", &a->in, m->hidden, 2 * a->inner + 2 * bc + a->heads, a->bias);
        nn_visit_param(v, "dt_bias", &a->dt_bias, a->heads, 0, 0);
        nn_visit_param(v, "A_log", &a->a_log, a->heads, 0, 0);
        nn_visit_param(v, "D", &a->d, a->heads, 0, 0);
    } else {
        nn_visit_linear(v, "in_proj", &a->in, m->hidden, 2 * a->inner, a->bias);
        nn_visit_linear(v, "x_proj", &a->x_proj, a->inner, a->rank + 2 * a->states, false);
        nn_visit_linear(v, "dt_proj", &a->dt_proj, a->rank, a->inner, true);
        nn_visit_param(v, "A_log", &a->a_log, a->inner, a->states, 0);
        nn_visit_param(v, "D", &a->d, a->inner, 0, 0);
    }
    causal_conv_visit(v, "conv1d", &a->conv);
    const struct {
        const char *name;
        nn_norm *norm;
    } norms[] = {{"norm", &a->norm},
                 {"dt_layernorm", &a->dt_norm},
                 {"b_layernorm", &a->b_norm},
                 {"c_layernorm", &a->c_norm}};
    for (size_t i = 0; i < 4; i++)
        if (norms[i].norm->dim)
            nn_visit_norm(v, norms[i].name, norms[i].norm, norms[i].norm->dim, false);
    nn_visit_linear(v, "out_proj", &a->out, a->inner, m->hidden, a->bias);
}

size_t mamba_state_bytes(const mamba *a)
{
    size_t conv = (size_t)(a->conv.size - 1) * (size_t)a->conv.channels;
    return sizeof(float) * (conv + (size_t)a->inner * (size_t)a->states);
}

/* Columns [from, from + n) of (1, L, ..). */
static mlx_array columns(mlx_array x, int from, int n) { return mx_slice_axis(x, -1, from, from + n); }

static mlx_array scan(const mamba *a, const mlx_array *in, mlx_array *state)
{
    mlx_array out[2], before = *state;
    int P = mx_is_null(in[0]) ? 0 : mx_dim(in[0], 2), H = P ? a->inner / P : 0;
    if (!P)
        return MX_NULL;
    if (mx_is_null(before))
        before = mx_zeros(SHAPE(H, a->states, P), MLX_FLOAT32);
    if (mx_selective_scan(in[0], in[1], in[4], in[2], in[3], before, out))
        return MX_NULL;
    mx_set(state, out[1]);
    return out[0];
}

/* The scan of x (L, H, P) and what goes with it, plus D x: (1, L, inner). The decays are no rows, so they
 * bypass the cutting. */
typedef struct scan_call {
    const mamba *a;
    mlx_array decay;
} scan_call;

static mlx_array scan_rows(const void *user, const mlx_array *in, mlx_array *state)
{
    const scan_call *c = user;
    const mlx_array all[] = {in[0], in[1], in[2], in[3], c->decay};
    return scan(c->a, all, state);
}

static mlx_array scanned(const mamba *a, int layer, mlx_array x, mlx_array dt, mlx_array b, mlx_array c,
                         mlx_array decay, mlx_array d, kv_step *step)
{
    const mlx_array in[] = {x, dt, b, c};
    const scan_call call = {a, decay};
    mlx_array y = mx_add(recurrent_by_sequence(step, layer, 1, in, 4, scan_rows, &call), mx_multiply(x, d));
    return mx_is_null(y) ? y : mx_reshape(y, SHAPE(1, mx_dim(y, 0), a->inner));
}

/* The multipliers of Falcon-H1, segment by segment of in's columns. */
static mlx_array scaled(const mamba *a, mlx_array x)
{
    const int widths[] = {a->inner, a->inner, a->groups * a->states, a->groups * a->states, a->heads};
    mlx_array parts[5];
    int at = 0;
    if (a->multipliers[0] == 0)
        return x;
    for (int i = 0; i < 5; at += widths[i++])
        parts[i] = mx_multiply(columns(x, at, widths[i]), mx_float(a->multipliers[i], MLX_FLOAT32));
    return mx_concatenate(parts, 5, -1);
}

static mlx_array forward2(const mamba *a, int layer, mlx_array x, kv_step *step)
{
    mlx_array all = scaled(a, f32(nn_apply(&a->in, x)));
    if (mx_is_null(all))
        return all;
    int L = mx_dim(all, 1), bc = a->groups * a->states, wide = a->inner + 2 * bc;
    mlx_array z = columns(all, 0, a->inner), dt = columns(all, a->inner + wide, a->heads);
    mlx_array xbc =
        nn_activate(NN_SILU, causal_conv_apply(&a->conv, layer, 0, columns(all, a->inner, wide), step));
    mlx_array rows = mx_reshape(columns(xbc, 0, a->inner), SHAPE(L, a->heads, a->width));
    mlx_array b = mx_reshape(columns(xbc, a->inner, bc), SHAPE(L, a->groups, a->states));
    mlx_array c = mx_reshape(columns(xbc, a->inner + bc, bc), SHAPE(L, a->groups, a->states));
    dt = mx_reshape(softplus(mx_add(dt, f32(a->dt_bias.value))), SHAPE(L, a->heads));
    mlx_array decay = mx_negative(mx_exp(f32(a->a_log.value))), d = mx_expand_dims(f32(a->d.value), 1);
    mlx_array y = mx_multiply(scanned(a, layer, rows, dt, b, c, decay, d, step), nn_activate(NN_SILU, z));
    return nn_apply(&a->out, a->norm.dim ? nn_normalize(&a->norm, y) : y);
}

/* One of dt, b and c, normalized if the family does. */
static mlx_array part(const mamba *a, const nn_norm *n, mlx_array x, int from, int width)
{
    x = columns(x, from, width);
    if (n->dim)
        return nn_normalize(n, x);
    return a->bare_eps != 0 ? mx_rms_norm(x, MX_NULL, a->bare_eps) : x;
}

static mlx_array forward1(const mamba *a, int layer, mlx_array x, kv_step *step)
{
    mlx_array all = f32(nn_apply(&a->in, x));
    if (mx_is_null(all))
        return all;
    int L = mx_dim(all, 1), N = a->states, H = a->heads, P = a->width;
    mlx_array z = columns(all, a->inner, a->inner);
    mlx_array rows =
        nn_activate(NN_SILU, causal_conv_apply(&a->conv, layer, 0, columns(all, 0, a->inner), step));
    mlx_array more = f32(nn_apply(&a->x_proj, rows));
    mlx_array dt = softplus(f32(nn_apply(&a->dt_proj, part(a, &a->dt_norm, more, 0, a->rank))));
    mlx_array b = mx_reshape(part(a, &a->b_norm, more, a->rank, N), SHAPE(L, 1, N));
    mlx_array c = mx_reshape(part(a, &a->c_norm, more, a->rank + N, N), SHAPE(L, 1, N));
    mlx_array decay = mx_swapaxes(mx_reshape(mx_negative(mx_exp(f32(a->a_log.value))), SHAPE(H, P, N)), 1, 2);
    mlx_array d = mx_reshape(f32(a->d.value), SHAPE(H, P));
    mlx_array y = scanned(a, layer, mx_reshape(rows, SHAPE(L, H, P)), mx_reshape(dt, SHAPE(L, H, P)), b, c,
                          decay, d, step);
    return nn_apply(&a->out, mx_multiply(y, nn_activate(NN_SILU, z)));
}

mlx_array mamba_forward(const mamba *a, int layer, mlx_array x, kv_step *step)
{
    return a->rank ? forward1(a, layer, x, step) : forward2(a, layer, x, step);
}
