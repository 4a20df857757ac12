/* The model's chat template. */
#include "llm/model.h"

#include "base/error.h"

int lm_load_template(lm_model *m)
{
    (void)m;
    return 0;
}

void lm_free_template(lm_model *m) { (void)m; }

char *lm_template(const lm_model *m, const char *messages, const lm_template_options *options)
{
    (void)messages;
    (void)options;
    lm_begin();
    error_set("%s: the model has no chat template", m->dir);
    return NULL;
}
