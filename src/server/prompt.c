/* Chats go through the model's template; texts through its tokenizer; ids are taken as they are. Content that
 * comes as a list of text parts becomes one text, since templates expect that. */
#include "server/prompt.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "io/jsontext.h"

#include <string.h>

/* Replaces a message's list of text parts by their text. */
static int flatten(json_t *message, size_t at)
{
    json_t *content = json_object_get(message, "content"), *part;
    strbuf text = {0};
    size_t i;
    int rc = 0;
    if (!json_is_object(message) || !json_is_string(json_object_get(message, "role")))
        return error_set("messages: message %zu must be an object with a role", at);
    if (!content || json_is_null(content))
        return json_object_set_new(message, "content", json_string(""));
    if (json_is_string(content))
        return 0;
    if (!json_is_array(content))
        return error_set("messages: the content of message %zu must be a text or a list of parts", at);
    json_array_foreach(content, i, part)
    {
        const char *type = json_string_value(json_object_get(part, "type"));
        const json_t *s = json_object_get(part, "text");
        if (!type || strcmp(type, "text") != 0 || !json_is_string(s)) {
            rc = error_set("messages: part %zu of message %zu is no text: only text is understood", i, at);
            break;
        }
        strbuf_add(&text, json_string_value(s), json_string_length(s));
    }
    if (rc == 0 &&
        (text.failed || json_object_set_new(message, "content", json_stringn(strbuf_text(&text), text.len))))
        rc = -1;
    strbuf_free(&text);
    return rc;
}

static int from_chat(const lm_model *model, request *r, prompt *out)
{
    json_t *message;
    size_t i;
    strbuf messages = {0}, kwargs = {0};
    char *text = NULL;
    int rc = -1;
    if (json_array_size(r->messages) == 0)
        return error_set("messages must not be empty");
    json_array_foreach(r->messages, i, message) if (flatten(message, i)) return -1;
    if (jsontext_add(&messages, r->messages, 0) == 0 &&
        (!r->kwargs || jsontext_add(&kwargs, r->kwargs, 0) == 0)) {
        const lm_template_options o = {.kwargs = r->kwargs ? strbuf_text(&kwargs) : NULL,
                                       .no_generation_prompt = !r->generation_prompt,
                                       .continue_final_message = r->continue_final};
        text = lm_template(model, strbuf_text(&messages), &o);
    }
    if (text)
        rc = lm_tokenize(model, text, strlen(text), r->special_given && r->special, &out->ids, &out->n);
    strbuf_free(&messages);
    strbuf_free(&kwargs);
    lm_release(text);
    return rc;
}

static int from_text(const lm_model *model, const request *r, const json_t *text, prompt *out)
{
    return lm_tokenize(model, json_string_value(text), json_string_length(text), r->special, &out->ids,
                       &out->n);
}

/* A text, ids, or a list of either. */
static int from_prompt(const lm_model *model, const request *r, prompt *list, size_t n)
{
    const json_t *p = r->prompt;
    if (json_is_string(p))
        return from_text(model, r, p, list);
    if (json_is_array(p) && json_is_integer(json_array_get(p, 0)))
        return server_request_ids("prompt", p, &list->ids, &list->n);
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_array_get(p, i);
        if (!json_is_string(one) && !json_is_array(one))
            return error_set(
                "prompt must be a text, a list of texts, a list of token ids, or a list of such lists");
        if (json_is_string(one) ? from_text(model, r, one, &list[i])
                                : server_request_ids("prompt", one, &list[i].ids, &list[i].n))
            return -1;
    }
    return 0;
}

int prompts_make(const lm_model *model, request *r, prompt **list, size_t *n)
{
    const json_t *p = r->prompt;
    bool many = !r->messages && json_is_array(p) && !json_is_integer(json_array_get(p, 0));
    r->bad = r->messages ? "messages" : "prompt";
    *list = NULL;
    *n = many ? json_array_size(p) : 1;
    if (!r->messages && !json_is_string(p) && !json_is_array(p))
        return error_set(
            "prompt must be a text, a list of texts, a list of token ids, or a list of such lists");
    if (*n == 0 || *n > REQUEST_MAX_PROMPTS)
        return error_set("prompt: %zu prompts; from 1 to %d are allowed", *n, REQUEST_MAX_PROMPTS);
    *list = mem_calloc(*n, sizeof **list);
    if (!*list || (r->messages ? from_chat(model, r, *list) : from_prompt(model, r, *list, *n)))
        return -1;
    r->bad = NULL;
    return 0;
}

void prompts_free(prompt *list, size_t n)
{
    for (size_t i = 0; list && i < n; i++)
        lm_release(list[i].ids);
    mem_free(list);
}
