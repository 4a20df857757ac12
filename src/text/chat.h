/* The chat template of a model: messages to a prompt, as transformers' apply_chat_template renders it.
 *
 * A loaded template is immutable: threads may share it. */
#ifndef MICA_TEXT_CHAT_H
#define MICA_TEXT_CHAT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct chat_template chat_template;

/* Loads the template of a model folder: chat_template.jinja (with additional_chat_templates/tool_use.jinja),
 * or else `chat_template` of tokenizer_config.json, which is text or a list of {"name", "template"}:
 * "tool_use" is taken when there are tools, "default" otherwise. NULL when the model has none: then no error
 * is pending; with an error for a file or template that is broken. */
chat_template *chat_template_load(const char *model_dir);
/* A template from n bytes of text, without special tokens. NULL with an error. */
chat_template *chat_template_from_text(const char *text, size_t n);
void chat_template_free(chat_template *t);

/* Renders `messages` (a JSON array). The template sees messages, tools (none if NULL), documents (none),
 * add_generation_prompt, the special tokens of the model (bos_token, eos_token ...) and the members of
 * `kwargs` (an object, or NULL). now_iso: what strftime_now tells, NULL for the clock. Returns text that the
 * caller frees (mem_free), or NULL with an error that names the template's line. */
char *chat_template_render(const chat_template *t, const json_t *messages, const json_t *tools,
                           bool add_generation_prompt, const json_t *kwargs, const char *now_iso);

/* The same for a conversation whose last message is to be continued: what the template puts behind the
 * content of the last message is left off, so that the model goes on inside of it. An error when the template
 * does not print that content. */
char *chat_template_continue(const chat_template *t, const json_t *messages, const json_t *tools,
                             const json_t *kwargs, const char *now_iso);

#endif
