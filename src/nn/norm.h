/* Normalisation over the last axis. */
#ifndef MICA_NN_NORM_H
#define MICA_NN_NORM_H

#include "mx.h"

typedef struct nn_norm {
    mlx_array weight, bias; /* (dim), slots; bias null unless has_bias */
    int dim;
    bool has_bias;
    float eps;
} nn_norm;

/* x / sqrt(mean(x^2) + eps) * weight. */
static inline mlx_array nn_rms(const nn_norm *n, mlx_array x) { return mx_rms_norm(x, n->weight, n->eps); }

/* (x - mean) / sqrt(var + eps) * weight + bias. */
static inline mlx_array nn_layer_norm(const nn_norm *n, mlx_array x)
{
    return mx_layer_norm(x, n->weight, n->bias, n->eps);
}

#endif
