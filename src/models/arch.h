/* What a model family is to the engine, and the list of families.
 *
 * To add one: a file models/<family>.c that defines `const arch arch_<family>`, and its row in registry.c. */
#ifndef MICA_MODELS_ARCH_H
#define MICA_MODELS_ARCH_H

#include "io/config.h"
#include "kv/step.h"
#include "nn/visit.h"

/* What the engine asks about a configured model. */
typedef struct arch_info {
    int layers, vocab_size, hidden_size, max_position;
    bool tied; /* the embedding is the output layer too */
} arch_info;

typedef struct arch {
    const char *name; /* config.json's model_type */
    size_t size;      /* of the family's own struct, which the engine allocates zeroed */
    /* Reads config.json; fills `info`. 0, or -1 with an error. release is called in both cases. */
    int (*configure)(void *self, const cfg *c, arch_info *info);
    /* Names every weight: see nn/visit.h. */
    nn_visit_fn visit;
    /* What a layer keeps of each position, as its numbers are counted in kv/step.h. */
    kv_spec (*layer)(const void *self, int layer);
    /* tokens (B, L) int32 -> logits (B, n, vocab) of the rows that the step wants. */
    mlx_array (*forward)(const void *self, mlx_array tokens, kv_step *step);
    /* Frees what configure allocated. The weights' slots are emptied before. */
    void (*release)(void *self);
} arch;

/* The family of a config's model_type. A model of several parts (text and images) is known by its
 * text_config, which *c then becomes. NULL with an error of c that lists the known ones. */
const arch *arch_find(cfg *c);

#define FAMILY(name) extern const arch arch_##name;
#include "models/families.def"
#undef FAMILY

#endif
