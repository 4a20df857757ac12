/* The feed-forward part of a block: gated, down(act(gate(x)) * up(x)), or plain, down(act(up(x))). */
#ifndef MICA_NN_MLP_H
#define MICA_NN_MLP_H

#include "nn/activation.h"
#include "nn/visit.h"

/* How a family calls the parts; NULL: it has no such part. */
typedef struct nn_mlp_names {
    const char *gate, *up, *down;
    const char *gate_up; /* both in one matrix, gate first: instead of gate and up */
    const char *norm;    /* before down */
} nn_mlp_names;
#define NN_MLP_NAMES                                              \
    {                                                             \
        .gate = "gate_proj", .up = "up_proj", .down = "down_proj" \
    }

typedef struct nn_mlp {
    nn_activation activation;
    nn_linear gate, up, down; /* gate and up in one: in `gate`, with 2 * width outputs */
    int width;
    nn_norm norm;                 /* dim 0: none */
    nn_xielu xielu;               /* for that activation */
    float gate_scale, down_scale; /* multiply gate and the result; 0: none */
} nn_mlp;

/* bias: of all matrices. activation and, with a norm, its eps are set before. */
void nn_visit_mlp(nn_visitor *v, nn_mlp *m, const nn_mlp_names *names, int hidden, int width, bool bias);
/* x (.., hidden) -> (.., hidden) */
mlx_array nn_feed_forward(const nn_mlp *m, mlx_array x);

#endif
