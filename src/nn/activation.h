/* The non-linear part of a gated MLP: act(gate) * up. */
#ifndef MICA_NN_ACTIVATION_H
#define MICA_NN_ACTIVATION_H

#include "io/config.h"
#include "nn/visit.h"

typedef enum nn_activation {
    NN_SILU,
    NN_GELU,
    NN_GELU_TANH,
    NN_RELU,
    NN_RELU2,   /* relu(x)^2 */
    NN_XIELU,   /* has parameters */
    NN_CLAMPED, /* gpt-oss's gate */
} nn_activation;

/* xIELU (arXiv 2411.13010): x > 0: ap x^2 + b x, else an (exp(min(x, eps)) - 1) - an x + b x, with
 * ap = softplus(alpha_p) and an = b + softplus(alpha_n). */
typedef struct nn_xielu {
    nn_param alpha_p, alpha_n, beta, eps;
} nn_xielu;

/* config.json's activation under `key` (Hugging Face's names; silu if absent); an unknown one is an error of
 * c. */
nn_activation nn_activation_from(const cfg *c, const char *key);
/* The same with another default. */
nn_activation nn_activation_or(const cfg *c, const char *key, nn_activation or_else);
mlx_array nn_activate(nn_activation kind, mlx_array x);
/* x * factor; a factor of 0 means that there is none. */
mlx_array nn_scale(mlx_array x, float factor);
mlx_array nn_xielu_apply(const nn_xielu *p, mlx_array x);
/* act(gate) * up; NN_CLAMPED: g sigmoid(1.702 g) (u + 1), g = min(gate, 7), u = clip(up, -7, 7). */
mlx_array nn_gate(nn_activation kind, mlx_array gate, mlx_array up);

#endif
