/* Feed-forward parts. Whether one is gated follows from the names: a family without gate has a plain one. */
#include "nn/mlp.h"

void nn_visit_mlp(nn_visitor *v, nn_mlp *m, const nn_mlp_names *names, int hidden, int width, bool bias)
{
    m->width = width;
    if (names->gate_up) {
        nn_visit_linear(v, names->gate_up, &m->gate, hidden, 2 * width, bias);
    } else {
        if (names->gate)
            nn_visit_linear(v, names->gate, &m->gate, hidden, width, bias);
        nn_visit_linear(v, names->up, &m->up, hidden, width, bias);
    }
    if (names->norm)
        nn_visit_norm(v, names->norm, &m->norm, width, false);
    nn_visit_linear(v, names->down, &m->down, width, hidden, bias);
    if (m->activation == NN_XIELU) {
        nn_visit_param(v, "act_fn.alpha_p", &m->xielu.alpha_p, 1, 0, 0);
        nn_visit_param(v, "act_fn.alpha_n", &m->xielu.alpha_n, 1, 0, 0);
        nn_visit_param(v, "act_fn.beta", &m->xielu.beta, 0, 0, 0);
        nn_visit_param(v, "act_fn.eps", &m->xielu.eps, 0, 0, 0);
    }
}

mlx_array nn_feed_forward(const nn_mlp *m, mlx_array x)
{
    mlx_array y;
    if (m->gate.out == 2 * m->width) {
        mlx_array both = nn_apply(&m->gate, x);
        y = nn_gate(m->activation, mx_slice_axis(both, -1, 0, m->width),
                    mx_slice_axis(both, -1, m->width, 2 * m->width));
    } else if (m->gate.out) {
        y = nn_gate(m->activation, nn_scale(nn_apply(&m->gate, x), m->gate_scale), nn_apply(&m->up, x));
    } else {
        y = nn_apply(&m->up, x);
        y = m->activation == NN_XIELU ? nn_xielu_apply(&m->xielu, y) : nn_activate(m->activation, y);
    }
    return nn_scale(nn_apply(&m->down, m->norm.dim ? nn_normalize(&m->norm, y) : y), m->down_scale);
}
