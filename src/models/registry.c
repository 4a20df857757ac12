/* The families by model_type. */
#include "models/arch.h"

#include "base/error.h"

#include <stdio.h>
#include <string.h>

static const arch *const FAMILIES[] = {
#define FAMILY(name) &arch_##name,
#include "models/families.def"
#undef FAMILY
};

static const arch *find(const char *type)
{
    for (size_t i = 0; type && i < sizeof FAMILIES / sizeof *FAMILIES; i++)
        if (strcmp(FAMILIES[i]->name, type) == 0)
            return FAMILIES[i];
    return NULL;
}

static void not_found(const cfg *c, const char *type)
{
    char message[1600], known[1400] = "";
    for (size_t i = 0, n = 0; i < sizeof FAMILIES / sizeof *FAMILIES && n + 64 < sizeof known; i++)
        n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "", FAMILIES[i]->name);
    if (type)
        snprintf(message, sizeof message, "\"%.60s\" is not supported; supported: %s", type, known);
    else
        snprintf(message, sizeof message, "is missing; this is not a model's config.json (supported: %s)",
                 known);
    cfg_error(c, "model_type", message);
}

const arch *arch_find(cfg *c)
{
    const char *type = cfg_string(c, "model_type", NULL);
    const arch *family = find(type);
    if (family)
        return family;
    cfg text = cfg_object(c, "text_config", "text_config.");
    family = text.node ? find(cfg_string(&text, "model_type", NULL)) : NULL;
    if (family)
        *c = text;
    else
        not_found(c, type);
    return family;
}
