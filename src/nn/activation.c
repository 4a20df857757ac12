/* Activations by the names that config.json uses. */
#include "nn/activation.h"

#include <string.h>

static const struct row {
    const char *name;
    nn_activation kind;
} NAMES[] = {
    {"silu", NN_SILU},          {"swish", NN_SILU}, {"gelu", NN_GELU}, {"gelu_pytorch_tanh", NN_GELU_TANH},
    {"gelu_new", NN_GELU_TANH}, {"relu", NN_RELU},
};

nn_activation nn_activation_from(const cfg *c, const char *key)
{
    const char *name = cfg_string(c, key, "silu");
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (strcmp(NAMES[i].name, name) == 0)
            return NAMES[i].kind;
    cfg_error(c, key, "names an activation that is not known; known: silu, gelu, gelu_pytorch_tanh, relu");
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
    case NN_SILU:
        break;
    }
    return mx_multiply(x, mx_sigmoid(x));
}

mlx_array nn_gate(nn_activation kind, mlx_array gate, mlx_array up)
{
    return kind == NN_SILU ? mx_swiglu(gate, up) : mx_multiply(nn_activate(kind, gate), up);
}
