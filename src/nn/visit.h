/* The visitor: a model names each of its weights once, and everything that goes over weights is a visitor:
 * loading, converting, counting, freeing.
 *
 * A model's visit function enters its parts and visits the modules in them:
 *
 *     size_t outer = nn_enter(v, "model.layers.%d", i);
 *     nn_visit_linear(v, "self_attn.q_proj", &layer->q, hidden, heads * head_dim, false);
 *     nn_leave(v, outer);
 *
 * After a failure (v->failed, with the error recorded) the rest of the visits do nothing. */
#ifndef MICA_NN_VISIT_H
#define MICA_NN_VISIT_H

#include "base/error.h"
#include "nn/linear.h"
#include "nn/norm.h"

#include <stddef.h>

typedef enum nn_kind { NN_LINEAR, NN_EMBEDDING, NN_NORM, NN_PARAM } nn_kind;

/* Where else a checkpoint may keep a linear layer's weight and bias, as published before a conversion to
 * MLX's form. Names are relative to where the module is visited; '*' stands for the number of an expert. */
typedef struct nn_source {
    const char *weight, *bias;
    bool transposed;  /* (in, out) */
    int part, parts;  /* the outputs are part `part` of `parts` (0: all) .. */
    bool interleaved; /* .. that take turns row by row, instead of one behind another */
    int block, first; /* the experts' rows lie in one matrix, `block` rows each, from `first` on; 0: not so */
} nn_source;

/* A parameter that is an array of any shape. */
typedef struct nn_param {
    mlx_array value; /* a slot */
    int shape[3], ndim;
    const char *rows; /* a checkpoint may have a tensor for each entry of the first axis: name with '*' */
} nn_param;

/* A module as a visitor sees it; the visitor may fill and replace the slots. */
typedef struct nn_module {
    nn_kind kind;
    const char *path;         /* as in checkpoints, without ".weight"; of a parameter the whole name */
    size_t outer;             /* the path up to there is where it is visited */
    nn_linear *linear;        /* NN_LINEAR and NN_EMBEDDING */
    const nn_source *sources; /* of a linear layer: further places, up to one without a weight; or NULL */
    nn_norm *norm;            /* NN_NORM */
    nn_param *param;          /* NN_PARAM */
} nn_module;

typedef struct nn_visitor nn_visitor;
struct nn_visitor {
    /* 0, or -1 with an error. */
    int (*module)(nn_visitor *v, const nn_module *m);
    /* Checkpoints may have tensors with this ending that the model has no use for. NULL: not interested. */
    void (*unused)(nn_visitor *v, const char *ending);
    char path[256];
    size_t len;
    bool failed;
};

/* Appends a part (a dot goes between) to the path; returns what nn_leave takes. */
size_t nn_enter(nn_visitor *v, const char *fmt, ...) PRINTF_LIKE(2, 3);
void nn_leave(nn_visitor *v, size_t outer);
void nn_visit_linear(nn_visitor *v, const char *name, nn_linear *l, int in, int out, bool bias);
/* The same with other places where the checkpoint may keep it. */
void nn_visit_linear_from(nn_visitor *v, const char *name, nn_linear *l, int in, int out, bool bias,
                          const nn_source *sources);
/* `experts` matrices of one shape, kept as one tensor under the name or otherwise in the sources. */
void nn_visit_experts(nn_visitor *v, const char *name, nn_linear *l, int experts, int in, int out, bool bias,
                      const nn_source *sources);
/* The same inside a part, whose name the sources do not have. */
void nn_visit_experts_in(nn_visitor *v, const char *part, const char *name, nn_linear *l, int experts, int in,
                         int out, bool bias, const nn_source *sources);
void nn_visit_embedding(nn_visitor *v, const char *name, nn_embedding *e, int rows, int dim);
void nn_visit_norm(nn_visitor *v, const char *name, nn_norm *n, int dim, bool bias);
/* shape ends at the first 0; none: a single number. */
void nn_visit_param(nn_visitor *v, const char *name, nn_param *p, int a, int b, int c);
/* (n, dim), of which the checkpoint has a tensor for each row: `each`, relative to the name. */
void nn_visit_rows(nn_visitor *v, const char *name, const char *each, nn_param *p, int n, int dim);
/* Declares tensors that are dropped: those whose name is `ending` or ends in a dot and it. */
void nn_visit_unused(nn_visitor *v, const char *ending);

/* How a visitor is led through a model. */
typedef void (*nn_visit_fn)(void *model, nn_visitor *v);

/* Computes the weights that are not as the checkpoint has them. 0 or -1. */
int nn_eval(nn_visit_fn visit, void *model);
/* Empties every slot. */
void nn_clear(nn_visit_fn visit, void *model);

/* Sums over a model's weights. */
typedef struct nn_totals {
    size_t parameters; /* quantized ones count as one each */
    size_t bytes, linear_bytes, embedding_bytes;
    size_t idle_bytes; /* of experts that one row does not meet; part of linear_bytes */
    bool int8;         /* some layer multiplies in int8 */
    mlx_dtype dtype;   /* of the embedding's numbers (its scales when it is quantized) */
} nn_totals;
nn_totals nn_count(nn_visit_fn visit, void *model);

#endif
