/* mica generate: answers one prompt, streams the text and ends with mlx-lm's figures.
 *
 * The prompt becomes a user message of the model's chat template if it has one, unless
 * --ignore-chat-template. Everything is checked before the first output line, so that a failure prints its
 * error and nothing else. */
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "io/jsontext.h"

#include <jansson.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

typedef struct generate_options {
    const char *prompt, *system, *prefill, *template_config;
    bool ignore_template, verbose;
    int max_tokens, prefill_step;
    option_list extra_eos;
    option_seed seed;
} generate_options;

/* clang-format off */
#define AT(field) offsetof(generate_options, field)
static const option rows[] = {
    {"--prompt", "-p", OPTION_TEXT, AT(prompt), "TEXT", "hello", NULL, 0, 0,
     "what to answer; - reads it from stdin; \\n and \\t stand for a new line and a tab"},
    {"--system-prompt", NULL, OPTION_TEXT, AT(system), "TEXT", NULL, NULL, 0, 0, "system message for the chat template"},
    {"--prefill-response", NULL, OPTION_TEXT, AT(prefill), "TEXT", NULL, NULL, 0, 0,
     "text that the answer begins with"},
    {"--ignore-chat-template", NULL, OPTION_SWITCH, AT(ignore_template), NULL, NULL, NULL, 0, 0,
     "give the prompt to the model as it is"},
    {"--chat-template-config", NULL, OPTION_TEXT, AT(template_config), "JSON", NULL, NULL, 0, 0,
     "object with further variables for the template, such as {\"enable_thinking\": false}"},
    {"--max-tokens", "-m", OPTION_INT, AT(max_tokens), "N", "100", NULL, -1, INT_MAX,
     "tokens to generate at most; -1: until an end token"},
    {"--extra-eos-token", NULL, OPTION_LIST, AT(extra_eos), "TOKEN", NULL, NULL, 0, 0,
     "further tokens (texts or ids) that end the answer"},
    {"--seed", NULL, OPTION_SEED, AT(seed), "N", NULL, NULL, 0, 0, "random seed; the clock if not given"},
    {"--prefill-step-size", NULL, OPTION_INT, AT(prefill_step), "N", "512", NULL, 1, INT_MAX,
     "prompt tokens that are computed at once"},
    {"--verbose", NULL, OPTION_BOOL, AT(verbose), "BOOL", "true", NULL, 0, 0,
     "with false nothing but the text is printed"},
};
#undef AT
/* clang-format on */

static const char examples[] =
    "  mica generate --model models/story --prompt \"Once upon a time\" --max-tokens 200\n"
    "  mica generate --model models/story --temp 0.7 --top-p 0.9 --seed 1 -p \"Tell me a story about a "
    "dog.\"\n"
    "  mica generate --model models/story --ignore-chat-template --verbose false -p - < beginning.txt\n";

typedef struct run {
    generate_options o;
    model_options m;
    sampling_options s;
    lm_model *model;
    lm_session *session;
    strbuf prompt;
    int *ids, *extra_eos;
    size_t n_ids, text_bytes;
    progress bar;
    bool started, output_failed;
} run;

/* --- the prompt --- */

/* Appends the argument with its \n and \t made real. */
static void add_unescaped(strbuf *out, const char *text)
{
    for (const char *p = text; *p; p++) {
        bool escape = p[0] == '\\' && (p[1] == 'n' || p[1] == 't');
        strbuf_addc(out, escape ? (p[1] == 'n' ? '\n' : '\t') : *p);
        p += escape;
    }
}

static int read_prompt(run *r)
{
    bool from_stdin = strcmp(r->o.prompt, "-") == 0;
    if (!from_stdin)
        add_unescaped(&r->prompt, r->o.prompt);
    else if (cli_read_stdin(&r->prompt))
        return -1;
    if (r->prompt.failed)
        return -1;
    return cli_check_text(from_stdin ? "the prompt on stdin" : "--prompt", strbuf_text(&r->prompt),
                          r->prompt.len);
}

static int add_messages(const run *r, strbuf *out)
{
    const char *user = strbuf_text(&r->prompt);
    if (memchr(user, 0, r->prompt.len))
        return error_set("the prompt holds a NUL byte: chat templates take text");
    json_t *list = json_array();
    if (r->o.system)
        json_array_append_new(list, json_pack("{s:s, s:s}", "role", "system", "content", r->o.system));
    json_array_append_new(list, json_pack("{s:s, s:s}", "role", "user", "content", user));
    if (r->o.prefill)
        json_array_append_new(list, json_pack("{s:s, s:s}", "role", "assistant", "content", r->o.prefill));
    size_t wanted = 1 + (r->o.system != NULL) + (r->o.prefill != NULL);
    int status = jsontext_add(out, json_array_size(list) == wanted ? list : NULL, 0);
    json_decref(list);
    return status;
}

static int render_template(run *r)
{
    strbuf messages = {0};
    lm_template_options options = {.kwargs = r->o.template_config,
                                   .no_generation_prompt = r->o.prefill != NULL,
                                   .continue_final_message = r->o.prefill != NULL};
    char *text = add_messages(r, &messages) ? NULL : lm_template(r->model, strbuf_text(&messages), &options);
    strbuf_free(&messages);
    if (!text)
        return -1;
    int status = lm_tokenize(r->model, text, strlen(text), false, &r->ids, &r->n_ids);
    lm_release(text);
    return status;
}

static int check_template_options(const run *r)
{
    const struct {
        const char *name, *value;
    } wanting[] = {{"--system-prompt", r->o.system},
                   {"--prefill-response", r->o.prefill},
                   {"--chat-template-config", r->o.template_config}};
    for (size_t i = 0; i < sizeof wanting / sizeof *wanting; i++)
        if (wanting[i].value && cli_check_text(wanting[i].name, wanting[i].value, strlen(wanting[i].value)))
            return -1;
    if (cli_check_object("--chat-template-config", r->o.template_config))
        return -1;
    bool has = lm_model_info(r->model).has_chat_template;
    for (size_t i = 0; i < sizeof wanting / sizeof *wanting; i++)
        if (wanting[i].value && (!has || r->o.ignore_template))
            return error_set("%s needs a chat template, and %s", wanting[i].name,
                             has ? "--ignore-chat-template is given" : "this model has none");
    return 0;
}

static int encode_prompt(run *r)
{
    bool raw = r->o.ignore_template || !lm_model_info(r->model).has_chat_template;
    int status = raw ? lm_tokenize(r->model, strbuf_text(&r->prompt), r->prompt.len, true, &r->ids, &r->n_ids)
                     : render_template(r);
    if (status)
        return -1;
    return r->n_ids ? 0 : error_set("the prompt is empty: there is nothing to go on from");
}

/* --- the answer --- */

static int print_piece(void *user, const lm_token *token)
{
    run *r = user;
    progress_end(&r->bar);
    r->text_bytes += token->len;
    if (cli_write(token->text, token->len) || cli_flush())
        r->output_failed = true;
    return r->output_failed;
}

/* What computes, for people who compare figures. */
static void print_setup(const run *r)
{
    static const char *const names[] = {"default", "exact", "int8"};
    lm_info info = lm_model_info(r->model);
    char weights[64] = "weights not quantized";
    if (info.bits)
        snprintf(weights, sizeof weights, "%d-bit weights (group %d), %s products", info.bits,
                 info.group_size, names[info.precision]);
    fprintf(stderr, "[INFO] %s, %s, %s, %d thread%s\n", info.model_type, weights, lm_isa(), lm_threads(),
            lm_threads() == 1 ? "" : "s");
}

/* The first call comes when everything was checked. */
static void show_progress(void *user, size_t done, size_t total)
{
    run *r = user;
    if (!r->started && r->o.verbose) {
        print_setup(r);
        r->output_failed = cli_printf("==========\n") || cli_flush();
    }
    r->started = true;
    progress_update(&r->bar, done, total);
}

static bool cancelled(void *user)
{
    const run *r = user;
    return r->output_failed || cli_interrupt_pending(NULL);
}

static int print_figures(const run *r, const lm_stats *stats)
{
    if (cli_printf("\n==========\n"))
        return -1;
    if (r->text_bytes == 0)
        return cli_printf("No text generated for this prompt\n");
    return cli_printf("Prompt: %zu tokens, %.3f tokens-per-sec\n"
                      "Generation: %zu tokens, %.3f tokens-per-sec\n"
                      "Peak memory: %.3f GB\n"
                      "Load time: %.3f s\n",
                      stats->prompt_tokens, stats->prompt_tps, stats->generated_tokens, stats->generation_tps,
                      (double)stats->peak_memory * 1e-9, lm_model_info(r->model).load_seconds);
}

static int answer(run *r)
{
    lm_generate_options options = LM_GENERATE_DEFAULT;
    options.sampling = cli_sampling(&r->s, r->o.seed);
    options.max_tokens = r->o.max_tokens;
    options.extra_eos = r->extra_eos;
    options.n_extra_eos = r->o.extra_eos.n;
    options.prefill_step = r->o.prefill_step;
    options.progress = show_progress;
    options.cancelled = cancelled;
    progress_start(&r->bar, "Reading the prompt", PROGRESS_COUNT);
    cli_interrupt_catch(true);
    lm_stats stats;
    int status = lm_generate(r->session, r->ids, r->n_ids, &options, print_piece, r, &stats);
    progress_end(&r->bar);
    if (status || r->output_failed)
        return -1;
    if (r->o.verbose ? print_figures(r, &stats) : cli_write("\n", 1))
        return -1;
    return cli_interrupt_pending(NULL) ? 130 : 0; /* 130: what shells take for Ctrl-C, so that a loop ends */
}

static int generate(run *r)
{
    if (cli_check_model(r->m.path, false) || read_prompt(r) || !(r->model = cli_load(&r->m)))
        return -1;
    if (check_template_options(r) || encode_prompt(r))
        return -1;
    if (r->o.extra_eos.n && cli_extra_eos(r->model, &r->o.extra_eos, &r->extra_eos))
        return -1;
    r->session = lm_session_new(r->model);
    return r->session ? answer(r) : -1;
}

int cli_generate(int argc, char **argv)
{
    run r = {0};
    const option_group groups[] = {cli_model_group(&r.m), OPTION_GROUP("Text", rows, &r.o),
                                   cli_sampling_group(&r.s), cli_refused_group()};
    const option_spec spec = {"mica generate", "answers one prompt", examples, groups, 4};
    option_result parsed = options_parse(&spec, argc, argv);
    if (parsed != OPTIONS_RUN)
        return parsed == OPTIONS_HELP ? 0 : -1;
    int status = generate(&r);
    lm_session_free(r.session);
    lm_free(r.model);
    mem_free(r.extra_eos);
    lm_release(r.ids);
    strbuf_free(&r.prompt);
    return status;
}
