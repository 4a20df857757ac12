/* Activations by the names that config.json uses. */
#include "nn/activation.h"

#include <string.h>

static const struct row {
    const char *name;
    nn_activation kind;
} NAMES[] = {
    {"silu", NN_SILU},           {"swish", NN_SILU}, {"gelu", NN_GELU},   {"gelu_pytorch_tanh", NN_GELU_TANH},
    {"gelu_new", NN_GELU_TANH},  {"relu", NN_RELU},  {"relu2", NN_RELU2}, {"xielu", NN_XIELU},
    {"gelu_fast", NN_GELU_TANH},
};

nn_activation nn_activation_from(const cfg *c, const char *key) { return nn_activation_or(c, key, NN_SILU); }

nn_activation nn_activation_or(const cfg *c, const char *key, nn_activation or_else)
{
    const char *name = cfg_string(c, key, NULL);
    if (!name)
        return or_else;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (strcmp(NAMES[i].name, name) == 0)
            return NAMES[i].kind;
    cfg_error(
        c, key,
        "names an activation that is not known; known: silu, gelu, gelu_pytorch_tanh, relu, relu2, xielu");
    return NN_SILU;
}

static mlx_array constant(mlx_array like, double v) { return mx_float(v, mx_dtype_of(like)); }

/* x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) */
static mlx_array gelu_tanh(mlx_array x)
{
    mlx_array cubic = mx_multiply(constant(x, 0.044715), mx_multiply(x, mx_square(x)));
    mlx_array t = mx_tanh(mx_multiply(constant(x, 0.79788456080286536), mx_add(x, cubic)));
    return mx_multiply(mx_multiply(constant(x, 0.5), x), mx_add(constant(x, 1), t));
}

/* x / 2 * (1 + erf(x / sqrt(2))) */
static mlx_array gelu(mlx_array x)
{
    mlx_array t = mx_erf(mx_multiply(constant(x, 0.70710678118654752), x));
    return mx_multiply(mx_multiply(constant(x, 0.5), x), mx_add(constant(x, 1), t));
}

mlx_array nn_activate(nn_activation kind, mlx_array x)
{
    switch (kind) {
    case NN_GELU:
        return gelu(x);
    case NN_GELU_TANH:
        return gelu_tanh(x);
    case NN_RELU:
        return mx_maximum(x, constant(x, 0));
    case NN_RELU2:
        return mx_square(mx_maximum(x, constant(x, 0)));
    case NN_SILU:
    case NN_XIELU:
    case NN_CLAMPED:
        break;
    }
    return mx_multiply(x, mx_sigmoid(x));
}

mlx_array nn_scale(mlx_array x, float factor)
{
    return factor == 0 || factor == 1 || mx_is_null(x) ? x : mx_multiply(x, constant(x, (double)factor));
}

mlx_array nn_xielu_apply(const nn_xielu *p, mlx_array x)
{
    mlx_dtype dtype = mx_dtype_of(x);
    mlx_array zero = constant(x, 0), beta = mx_astype(p->beta.value, dtype);
    mlx_array up = mx_logaddexp(mx_astype(p->alpha_p.value, dtype), zero); /* softplus */
    mlx_array down = mx_add(beta, mx_logaddexp(mx_astype(p->alpha_n.value, dtype), zero));
    mlx_array linear = mx_multiply(beta, x);
    mlx_array right = mx_add(mx_multiply(up, mx_square(x)), linear);
    mlx_array left = mx_subtract(mx_expm1(mx_minimum(x, mx_astype(p->eps.value, dtype))), x);
    return mx_where(mx_greater(x, zero), right, mx_add(mx_multiply(down, left), linear));
}

static mlx_array clamped(mlx_array gate, mlx_array up)
{
    mlx_array high = constant(gate, 7);
    gate = mx_minimum(gate, high);
    up = mx_maximum(mx_minimum(up, high), constant(up, -7));
    mlx_array y = mx_multiply(gate, mx_sigmoid(mx_multiply(gate, constant(gate, 1.702))));
    return mx_multiply(y, mx_add(up, constant(up, 1)));
}

mlx_array nn_gate(nn_activation kind, mlx_array gate, mlx_array up)
{
    if (kind == NN_CLAMPED)
        return clamped(gate, up);
    return kind == NN_SILU ? mx_swiglu(gate, up) : mx_multiply(nn_activate(kind, gate), up);
}
