/* The model's chat template over JSON text. */
#include "llm/model.h"

#include "base/error.h"
#include "text/chat.h"

int lm_load_template(lm_model *m)
{
    m->chat = chat_template_load(m->dir);
    return m->chat || !error_pending() ? 0 : -1;
}

void lm_free_template(lm_model *m) { chat_template_free(m->chat); }

/* Parses text (NULL gives NULL) that must be a list, or else an object. 0 or -1. */
static int parse(const char *what, const char *text, bool list, json_t **out)
{
    *out = NULL;
    if (!text)
        return 0;
    json_error_t e;
    *out = json_loads(text, JSON_REJECT_DUPLICATES, &e);
    if (!*out)
        return error_set("%s: not valid JSON: line %d, column %d: %s", what, e.line, e.column, e.text);
    if (list ? json_is_array(*out) : json_is_object(*out))
        return 0;
    return error_set("%s: must be a JSON %s", what, list ? "list" : "object");
}

char *lm_template(const lm_model *m, const char *messages, const lm_template_options *options)
{
    static const lm_template_options NONE;
    const lm_template_options *o = options ? options : &NONE;
    lm_begin();
    if (!m->chat) {
        error_set("%s: the model has no chat template", m->dir);
        return NULL;
    }
    json_t *list = NULL, *tools = NULL, *kwargs = NULL;
    char *text = NULL;
    if (parse("messages", messages, true, &list) == 0 && parse("tools", o->tools, true, &tools) == 0 &&
        parse("template variables", o->kwargs, false, &kwargs) == 0)
        text = o->continue_final_message
                   ? chat_template_continue(m->chat, list, tools, kwargs, o->now)
                   : chat_template_render(m->chat, list, tools, !o->no_generation_prompt, kwargs, o->now);
    json_decref(list);
    json_decref(tools);
    json_decref(kwargs);
    return text;
}
