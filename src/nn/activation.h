/* The non-linear part of a gated MLP: act(gate) * up. */
#ifndef MICA_NN_ACTIVATION_H
#define MICA_NN_ACTIVATION_H

#include "io/config.h"
#include "mx.h"

typedef enum nn_activation { NN_SILU, NN_GELU, NN_GELU_TANH, NN_RELU } nn_activation;

/* config.json's activation under `key` (Hugging Face's names; silu if absent); an unknown one is an error of
 * c. */
nn_activation nn_activation_from(const cfg *c, const char *key);
mlx_array nn_activate(nn_activation kind, mlx_array x);
/* act(gate) * up. */
mlx_array nn_gate(nn_activation kind, mlx_array gate, mlx_array up);

#endif
