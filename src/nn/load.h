/* Filling a model's weights from a checkpoint. */
#ifndef MICA_NN_LOAD_H
#define MICA_NN_LOAD_H

#include "io/checkpoint.h"
#include "io/config.h"
#include "nn/visit.h"

/* How one module is quantized; bits 0 = it is not. */
typedef struct nn_quantization {
    int group_size, bits;
} nn_quantization;

/* Reads and checks config.json's `quantization` (or a `quantization_config` of MLX's form): the default for
 * all modules. Schemes other than MLX's affine one are errors of c. */
nn_quantization nn_quantization_from(const cfg *c);
/* What holds for a module: its own entry in `quantization` if there is one, else the default if the
 * checkpoint has scales for it. */
nn_quantization nn_quantization_of(const cfg *c, const char *path, nn_quantization all, bool has_scales);

/* Leads a visitor through the model that takes every weight from the checkpoint, in place, checking shapes
 * and dtypes. What the checkpoint has in another form is not computed yet: nn_eval. A tensor that is missing,
 * misshapen or of no use is an error. 0 or -1. */
int nn_load(nn_visit_fn visit, void *model, checkpoint *weights, const cfg *config, mx_precision precision);

#endif
