/* The families by model_type. */
#include "models/arch.h"

#include "base/error.h"

#include <stdio.h>
#include <string.h>

static const arch *const FAMILIES[] = {&arch_llama, &arch_mistral, &arch_qwen2, &arch_qwen3};

const arch *arch_find(const cfg *c)
{
    const char *type = cfg_string(c, "model_type", NULL);
    char known[256] = "";
    for (size_t i = 0; i < sizeof FAMILIES / sizeof *FAMILIES; i++) {
        if (type && strcmp(FAMILIES[i]->name, type) == 0)
            return FAMILIES[i];
        size_t n = strlen(known);
        snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "", FAMILIES[i]->name);
    }
    char message[400];
    if (type)
        snprintf(message, sizeof message, "\"%.60s\" is not supported; supported: %s", type, known);
    else
        snprintf(message, sizeof message, "is missing; this is not a model's config.json (supported: %s)",
                 known);
    cfg_error(c, "model_type", message);
    return NULL;
}
