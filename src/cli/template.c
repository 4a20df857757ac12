/* mica template: renders a chat template, a model's over messages or any template file over any variables. */
#include "text/chat.h"
#include "text/jinja.h"

#include "base/file.h"
#include "base/mem.h"
#include "cli/cli.h"

#include <string.h>

typedef struct template_options {
    const char *path, *messages, *tools, *args, *template, *context, *now;
    bool no_prompt;
} template_options;

#define AT(field) offsetof(template_options, field)
#define TEXT(name, alias, field, value, help)                              \
    {                                                                      \
        name, alias, OPTION_TEXT, AT(field), value, NULL, NULL, 0, 0, help \
    }
static const option rows[] = {
    TEXT("--model", NULL, path, "DIR", "model folder whose template is rendered"),
    TEXT("--messages", NULL, messages, "FILE", "JSON list of messages"),
    TEXT("--tools", NULL, tools, "FILE", "JSON list of tools"),
    TEXT("--chat-template-args", "--chat-template-config", args, "JSON", "object with further variables"),
    {"--no-generation-prompt", NULL, OPTION_SWITCH, AT(no_prompt), NULL, NULL, NULL, 0, 0,
     "do not open the assistant's answer"},
    TEXT("--template", NULL, template, "FILE", "render this template instead of a model's"),
    TEXT("--context", NULL, context, "FILE", "JSON object with all variables for --template"),
    TEXT("--now", NULL, now, "ISO", "date and time that strftime_now sees, such as 2024-07-26T15:04:05"),
};

static const char examples[] =
    "  mica template --model models/story --messages messages.json\n"
    "  mica template --template chat.jinja --context variables.json --now 2024-07-26\n";

enum { FILE_LIMIT = 256 << 20 };

/* `flags` are jansson's. */
static json_t *load_json(const char *path, size_t flags)
{
    char *text;
    size_t n;
    json_error_t e;
    if (file_read(path, FILE_LIMIT, &text, &n))
        return NULL;
    json_t *value = json_loadb(text, n, flags, &e);
    mem_free(text);
    if (!value)
        error_set("%s: not JSON: %s (line %d, column %d)", path,
                  json_error_code(&e) == json_error_null_character ? "models' templates take no NUL" : e.text,
                  e.line, e.column);
    return value;
}

/* Prints the rendered text exactly. */
static int print_text(char *text, size_t n)
{
    int status = text ? cli_write(text, n) : -1;
    mem_free(text);
    return status;
}

/* --- any template --- */

static int render_file(const template_options *o)
{
    char *source = NULL;
    size_t n;
    if (!o->context)
        return error_set("--template needs its variables: give a JSON object with --context FILE");
    if (o->path || o->messages || o->tools || o->args || o->no_prompt)
        return error_set(
            "--template goes with --context and --now only: put everything else into the context");
    json_t *vars = load_json(o->context, JSON_DECODE_ANY | JSON_ALLOW_NUL);
    if (vars && !json_is_object(vars))
        error_set("%s: not a JSON object", o->context);
    int status = vars && json_is_object(vars) ? file_read(o->template, FILE_LIMIT, &source, &n) : -1;
    if (status == 0) {
        jinja *t = jinja_compile(source, n);
        size_t len = 0;
        char *text = t ? jinja_render(t, vars, &(jinja_options){.now_iso = o->now}, &len) : NULL;
        status = text ? print_text(text, len) : error_within("%s", o->template);
        jinja_free(t);
    }
    mem_free(source);
    json_decref(vars);
    return status;
}

/* --- a model's --- */

static int render_messages(const template_options *o, const json_t *messages, const json_t *tools,
                           const json_t *args)
{
    if (!json_is_array(messages))
        return error_set("%s: not a JSON list of messages", o->messages);
    if (tools && !json_is_array(tools))
        return error_set("%s: not a JSON list of tools", o->tools);
    chat_template *t = chat_template_load(o->path);
    if (!t)
        return error_set("%s: the model has no chat template", o->path); /* kept if nothing told more */
    char *text = chat_template_render(t, messages, tools, !o->no_prompt, args, o->now);
    chat_template_free(t);
    return print_text(text, text ? strlen(text) : 0);
}

static int render_model(const template_options *o)
{
    if (cli_check_model(o->path, false))
        return -1;
    if (!o->messages)
        return error_set("--messages is missing: give a JSON list of messages with --messages FILE");
    if (o->context)
        return error_set("--context goes with --template");
    json_t *messages = load_json(o->messages, JSON_DECODE_ANY), *tools = NULL, *args = NULL;
    int status = messages ? 0 : -1;
    if (status == 0 && o->tools && !(tools = load_json(o->tools, JSON_DECODE_ANY)))
        status = -1;
    if (status == 0 && o->args && !(args = cli_parse_object("--chat-template-args", o->args)))
        status = -1;
    if (status == 0)
        status = render_messages(o, messages, tools, args);
    json_decref(messages);
    json_decref(tools);
    json_decref(args);
    return status;
}

int cli_template(int argc, char **argv)
{
    template_options o = {0};
    const option_group group = OPTION_GROUP("Options", rows, &o);
    const option_spec spec = {"mica template", "renders a chat template, exactly (no line break is added)",
                              examples, &group, 1};
    option_result parsed = options_parse(&spec, argc, argv);
    if (parsed != OPTIONS_RUN)
        return parsed == OPTIONS_HELP ? 0 : -1;
    return o.template ? render_file(&o) : render_model(&o);
}
