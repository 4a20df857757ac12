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

typedef enum nn_kind { NN_LINEAR, NN_EMBEDDING, NN_NORM } nn_kind;

/* A module as a visitor sees it; the visitor may fill and replace the slots. */
typedef struct nn_module {
    nn_kind kind;
    const char *path;  /* as in checkpoints, without ".weight" */
    nn_linear *linear; /* NN_LINEAR and NN_EMBEDDING */
    nn_norm *norm;     /* NN_NORM */
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
void nn_visit_embedding(nn_visitor *v, const char *name, nn_embedding *e, int rows, int dim);
void nn_visit_norm(nn_visitor *v, const char *name, nn_norm *n, int dim, bool bias);
/* Declares tensors that are dropped: those whose name is `ending` or ends in a dot and it. */
void nn_visit_unused(nn_visitor *v, const char *ending);

/* How a visitor is led through a model. */
typedef void (*nn_visit_fn)(void *model, nn_visitor *v);

/* Empties every slot. */
void nn_clear(nn_visit_fn visit, void *model);

/* Sums over a model's weights. */
typedef struct nn_totals {
    size_t parameters; /* quantized ones count as one each */
    size_t bytes, linear_bytes, embedding_bytes;
    bool int8;       /* some layer multiplies in int8 */
    mlx_dtype dtype; /* of the embedding's numbers (its scales when it is quantized) */
} nn_totals;
nn_totals nn_count(nn_visit_fn visit, void *model);

#endif
