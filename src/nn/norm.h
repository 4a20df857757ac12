/* Normalisation over the last axis. */
#ifndef MICA_NN_NORM_H
#define MICA_NN_NORM_H

#include "mx.h"

typedef enum nn_norm_kind {
    NN_RMS,   /* x / sqrt(mean(x^2) + eps) * weight */
    NN_LAYER, /* (x - mean) / sqrt(var + eps) * weight + bias */
} nn_norm_kind;

typedef struct nn_norm {
    nn_norm_kind kind;
    mlx_array weight, bias; /* (dim), slots; weight null if it has none, bias null unless has_bias */
    int dim;                /* 0: no such norm */
    bool has_bias;
    bool plus_one;     /* what multiplies is 1 + weight .. */
    bool mlx_adds;     /* (in MLX's form of this family the weight itself) */
    mlx_array shifted; /* .. which this slot holds */
    float eps;
} nn_norm;

static inline mlx_array nn_normalize(const nn_norm *n, mlx_array x)
{
    mlx_array weight = mx_is_null(n->shifted) ? n->weight : n->shifted;
    return n->kind == NN_RMS ? mx_rms_norm(x, weight, n->eps) : mx_layer_norm(x, weight, n->bias, n->eps);
}

#endif
