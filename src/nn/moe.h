/* Mixtures of experts: a router picks top_k of the experts for each row, whose weighted results are added. */
#ifndef MICA_NN_MOE_H
#define MICA_NN_MOE_H

#include "nn/mlp.h"

typedef enum nn_scoring {
    NN_SOFTMAX,     /* softmax over all experts, then the best */
    NN_SOFTMAX_TOP, /* the best, then softmax over those */
    NN_SIGMOID,
} nn_scoring;

/* Data of a family; the rest of the struct is weights. */
typedef struct nn_moe {
    int experts, top_k, width;
    nn_scoring scoring;
    bool normalize;         /* weights of a row are divided by their sum */
    float scale;            /* and multiplied by this; 0: 1 */
    int groups, top_groups; /* only experts of the best groups are eligible; groups 0: all are */
    int group_best;         /* a group's score is the sum of so many of its best (1 or 2) */
    bool scale_input;       /* the weight multiplies an expert's input, not its result */
    bool router_bias, expert_bias;
    nn_activation activation;
    int shared_width; /* of an MLP that sees every row; 0: none */

    nn_linear router;
    nn_param correction; /* added to the scores for choosing only, if correction.ndim */
    nn_linear gate, up, down;
    nn_mlp shared;
    nn_linear shared_gate; /* one logit: the shared result times its sigmoid; out 0: none */
} nn_moe;

/* Names relative to where it is visited. Experts are called switch_mlp.gate_proj .. in MLX's form. */
typedef struct nn_moe_names {
    const char *router, *correction; /* NULL: none */
    const char *stacked;             /* prefix of MLX's form, such as "switch_mlp" */
    const nn_source *gate, *up, *down;
    const char *shared, *shared_gate;
    nn_mlp_names shared_names;
} nn_moe_names;

/* Hugging Face's usual forms: a tensor for each expert's matrix, or the experts' together with gate and up in
 * one. */
extern const nn_source nn_moe_gate[], nn_moe_up[], nn_moe_down[];

void nn_visit_moe(nn_visitor *v, nn_moe *m, const nn_moe_names *names, int hidden);
/* x (B, L, hidden) -> (B, L, hidden) */
mlx_array nn_mixture(const nn_moe *m, mlx_array x);

#endif
