/* Chat templates of model folders: finding them, their variables, and continuing a message.
 *
 * The variables are those that transformers passes: the special tokens that the model's configuration sets
 * (each a string, or an object with "content"), extra arguments, and messages, tools, documents and
 * add_generation_prompt.
 *
 * To continue the last message, a tag is put behind its content, the conversation is rendered, and the text
 * is cut at the tag. The tag ends with a blank: if the blank is gone, the template trims contents, so the end
 * is trimmed too. */
#include "text/chat.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "text/jinja.h"
#include "text/jinja_impl.h"

#include <string.h>

static const size_t file_limit = (size_t)64 << 20;

struct chat_template {
    jinja *plain, *tools; /* tools: used when there are tools; may be NULL */
    json_t *tokens;       /* the special tokens, an object */
};

/* --- loading --- */

/* Parses a JSON file to an object; NULL with an error, or without one if the file is not there. */
static json_t *read_json(const char *dir, const char *name)
{
    char *path = file_join(dir, name), *data = NULL;
    size_t n = 0;
    json_t *j = NULL;
    json_error_t e;
    if (path && file_exists(path) && file_read(path, file_limit, &data, &n) == 0) {
        /* Only texts are wanted; "model_max_length" is often a number beyond 64 bits, and a token may be a
         * NUL. */
        j = json_loadb(data, n, JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &e);
        if (!j)
            error_set("%s: line %d: %s", path, e.line, e.text);
        else if (!json_is_object(j))
            error_set("%s: a JSON object is expected", path);
    }
    mem_free(data);
    mem_free(path);
    if (error_pending()) {
        json_decref(j);
        return NULL;
    }
    return j;
}

/* The text of a token: a string, or an object with "content"; NULL if there is none or it is empty. */
static json_t *token_text(json_t *v)
{
    json_t *s = json_is_object(v) ? json_object_get(v, "content") : v;
    return json_string_length(s) ? s : NULL;
}

/* Sets tokens[name] from a configuration's value, unless it is set. */
static int add_token(json_t *tokens, const char *name, json_t *v)
{
    json_t *s = token_text(v);
    return s && !json_object_get(tokens, name) ? json_object_set(tokens, name, s) : 0;
}

static int add_token_list(json_t *tokens, json_t *config)
{
    static const char name[] = "additional_special_tokens";
    json_t *from = json_object_get(config, name), *list, *v;
    size_t i;
    if (!json_array_size(from) || json_object_get(tokens, name))
        return 0;
    list = json_array();
    json_array_foreach(from, i, v)
    {
        json_t *s = token_text(v);
        if (s && json_array_append(list, s))
            break;
    }
    return json_object_set_new(tokens, name, list);
}

static int add_tokens(json_t *tokens, json_t *config)
{
    static const char *const names[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                        "pad_token", "cls_token", "mask_token"};
    const char *key;
    json_t *v;
    int failed = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        failed |= add_token(tokens, names[i], json_object_get(config, names[i]));
    json_object_foreach(json_object_get(config, "extra_special_tokens"), key, v) failed |=
        add_token(tokens, key, v);
    return failed | add_token_list(tokens, config);
}

static jinja *compile(const char *path, const char *text, size_t n)
{
    jinja *t = jinja_compile(text, n);
    if (!t && path)
        error_within("%s", path);
    return t;
}

static int set_text(jinja **slot, const char *path, const char *text, size_t n)
{
    jinja_free(*slot);
    *slot = compile(path, text, n);
    return *slot ? 0 : -1;
}

/* Takes a template from a file if it is there. */
static int from_file(jinja **slot, const char *dir, const char *name)
{
    char *path = file_join(dir, name), *data = NULL;
    size_t n = 0;
    int status = path ? 0 : -1;
    if (path && file_exists(path)) {
        status = file_read(path, file_limit, &data, &n);
        if (status == 0)
            status = set_text(slot, path, data, n);
    }
    mem_free(data);
    mem_free(path);
    return status;
}

static int from_list(chat_template *t, const json_t *list)
{
    static const char where[] = "tokenizer_config.json";
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)(uintptr_t)list, i, item)
    {
        const char *name = json_string_value(json_object_get(item, "name"));
        json_t *text = json_object_get(item, "template");
        if (!name || !json_is_string(text))
            return error_set("%s: an item of chat_template needs \"name\" and \"template\"", where);
        jinja **slot = strcmp(name, "default") == 0    ? &t->plain
                       : strcmp(name, "tool_use") == 0 ? &t->tools
                                                       : NULL;
        if (slot && set_text(slot, where, json_string_value(text), json_string_length(text)))
            return -1;
    }
    if (json_array_size(list) && !t->plain && !t->tools)
        return error_set("%s: chat_template has neither \"default\" nor \"tool_use\"", where);
    return 0;
}

static int from_config(chat_template *t, const json_t *config)
{
    const json_t *v = json_object_get(config, "chat_template");
    if (json_is_string(v))
        return set_text(&t->plain, "tokenizer_config.json", json_string_value(v), json_string_length(v));
    if (json_is_array(v))
        return from_list(t, v);
    if (v && !json_is_null(v))
        return error_set("tokenizer_config.json: chat_template must be a string or a list");
    return 0;
}

static int load(chat_template *t, const char *dir)
{
    json_t *config = read_json(dir, "tokenizer_config.json"), *map = NULL;
    int status = error_pending() ? -1 : 0;
    if (status == 0)
        map = read_json(dir, "special_tokens_map.json");
    status = error_pending() ? -1 : from_file(&t->plain, dir, "chat_template.jinja");
    if (status == 0 && t->plain)
        status = from_file(&t->tools, dir, "additional_chat_templates/tool_use.jinja");
    else if (status == 0)
        status = from_config(t, config);
    if (status == 0 && (add_tokens(t->tokens, config) || add_tokens(t->tokens, map)))
        status = error_set("out of memory");
    json_decref(config);
    json_decref(map);
    return status;
}

static chat_template *new_template(void)
{
    chat_template *t = mem_calloc(1, sizeof *t);
    if (t && !(t->tokens = json_object())) {
        error_set("out of memory");
        mem_free(t);
        return NULL;
    }
    return t;
}

chat_template *chat_template_load(const char *model_dir)
{
    chat_template *t = new_template();
    if (t && (load(t, model_dir) || (!t->plain && !t->tools))) {
        chat_template_free(t);
        return NULL;
    }
    return t;
}

chat_template *chat_template_from_text(const char *text, size_t n)
{
    chat_template *t = new_template();
    if (t && set_text(&t->plain, NULL, text, n)) {
        chat_template_free(t);
        return NULL;
    }
    return t;
}

void chat_template_free(chat_template *t)
{
    if (!t)
        return;
    jinja_free(t->plain);
    jinja_free(t->tools);
    json_decref(t->tokens);
    mem_free(t);
}

/* --- rendering --- */

/* Sets a variable to a borrowed value, null for NULL. json_t counts references even where it is only read. */
static int set_var(json_t *vars, const char *name, const json_t *v)
{
    return v ? json_object_set(vars, name, (json_t *)(uintptr_t)v)
             : json_object_set_new(vars, name, json_null());
}

static json_t *variables(const chat_template *t, const json_t *messages, const json_t *tools, bool prompt,
                         const json_t *kwargs)
{
    json_t *vars = json_copy(t->tokens);
    const char *key;
    json_t *v;
    int failed = vars ? 0 : -1;
    json_object_foreach((json_t *)(uintptr_t)kwargs, key, v) failed |= set_var(vars, key, v);
    failed |= set_var(vars, "messages", messages);
    failed |= set_var(vars, "add_generation_prompt", prompt ? json_true() : json_false());
    if (tools || !json_object_get(vars, "tools"))
        failed |= set_var(vars, "tools", tools);
    if (!json_object_get(vars, "documents"))
        failed |= set_var(vars, "documents", NULL);
    if (!failed)
        return vars;
    error_set("out of memory");
    json_decref(vars);
    return NULL;
}

char *chat_template_render(const chat_template *t, const json_t *messages, const json_t *tools,
                           bool add_generation_prompt, const json_t *kwargs, const char *now_iso)
{
    if (!json_is_array(messages)) {
        error_set("the messages must be a JSON list");
        return NULL;
    }
    if (kwargs && !json_is_object(kwargs)) {
        error_set("the template's arguments must be a JSON object");
        return NULL;
    }
    if (json_is_null(tools))
        tools = NULL;
    const jinja *use = (tools && t->tools) || !t->plain ? t->tools : t->plain;
    json_t *vars = variables(t, messages, tools, add_generation_prompt, kwargs);
    char *text = vars ? jinja_render(use, vars, &(jinja_options){.now_iso = now_iso}, NULL) : NULL;
    json_decref(vars);
    return text;
}

/* --- continuing the last message --- */

static const char tag[] = "CONTINUE_FINAL_MESSAGE_TAG ";
enum { TAG_LEN = sizeof tag - 2 }; /* without the blank */

/* Where the text of a message is: its "content", or "text" of the last part that has one. Sets the object and
 * key that hold it. */
static json_t *content_slot(json_t *message, json_t **holder, const char **key)
{
    json_t *content = json_object_get(message, "content");
    *holder = message;
    *key = "content";
    for (size_t i = json_array_size(content); i-- > 0;) {
        *holder = json_array_get(content, i);
        *key = "text";
        if (json_object_get(*holder, "text"))
            return json_object_get(*holder, "text");
    }
    return content;
}

/* A copy of the messages with the tag behind the last one's text; the text itself in *text (mem_free). */
static json_t *tagged(const json_t *messages, char **text)
{
    size_t n = json_array_size(messages);
    json_t *copy = n ? json_copy((json_t *)(uintptr_t)messages) : NULL, *holder, *content;
    json_t *last = json_deep_copy(json_array_get(messages, n - 1));
    const char *key;
    strbuf b = {0};
    content = content_slot(last, &holder, &key);
    if (!copy || !json_is_string(content)) {
        error_set("there is no message with text to continue");
        json_decref(last);
        json_decref(copy);
        return NULL;
    }
    *text = mem_strdup(json_string_value(content));
    strbuf_adds(&b, json_string_value(content));
    strbuf_adds(&b, tag);
    int failed = b.failed || !*text || json_object_set_new(holder, key, json_string(strbuf_text(&b)));
    strbuf_free(&b);
    if (json_array_set_new(copy, n - 1, last) || failed) {
        error_set("out of memory");
        json_decref(copy);
        return NULL;
    }
    return copy;
}

/* Cuts white space off the end of text of length n; returns the new length. */
static size_t trim_end(char *text, size_t n)
{
    while (n) {
        size_t k = n - 1;
        uint32_t ch;
        while (k && ((unsigned char)text[k] & 0xC0) == 0x80)
            k--;
        utf8_decode(text + k, n - k, &ch);
        if (!j_is_space(ch))
            break;
        n = k;
    }
    text[n] = 0;
    return n;
}

static const char *skip_space(const char *text)
{
    for (uint32_t ch; *text;) {
        int n = utf8_decode(text, strnlen(text, 4), &ch);
        if (!j_is_space(ch))
            break;
        text += n;
    }
    return text;
}

/* Cuts the rendered text at the last tag; -1 if it is not there. */
static int cut_at_tag(char *rendered, char *content)
{
    char *found = NULL;
    trim_end(content, strlen(content));
    for (char *p = rendered; (p = strstr(p, "CONTINUE_FINAL_MESSAGE_TAG")); p++)
        found = p;
    if (!found || !strstr(rendered, skip_space(content)))
        return error_set(
            "the chat template does not print the last message as it is: it cannot be continued");
    bool kept = found[TAG_LEN] == ' ';
    *found = 0;
    if (!kept)
        trim_end(rendered, (size_t)(found - rendered));
    return 0;
}

char *chat_template_continue(const chat_template *t, const json_t *messages, const json_t *tools,
                             const json_t *kwargs, const char *now_iso)
{
    char *content = NULL, *text = NULL;
    json_t *with_tag = tagged(messages, &content);
    if (with_tag)
        text = chat_template_render(t, with_tag, tools, false, kwargs, now_iso);
    if (text && cut_at_tag(text, content)) {
        mem_free(text);
        text = NULL;
    }
    json_decref(with_tag);
    mem_free(content);
    return text;
}
