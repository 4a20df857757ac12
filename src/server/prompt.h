/* From what a request says to token ids. */
#ifndef MICA_SERVER_PROMPT_H
#define MICA_SERVER_PROMPT_H

#include "server/request.h"

typedef struct prompt {
    int *ids;
    size_t n;
} prompt;

/* The prompts of a request: one of a chat, one or more of a completion. New memory (prompts_free). 0, or -1
 * with an error and r->bad set. */
int prompts_make(const lm_model *model, request *r, prompt **list, size_t *n);
void prompts_free(prompt *list, size_t n);

#endif
