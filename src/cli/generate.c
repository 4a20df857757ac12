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

/* Stands for the prompt where a template is rendered around it. */
#define QUERY "<query>"

typedef struct generate_options {
    int max_kv;
    const char *prompt, *system, *prefill, *template_config, *cache;
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
    {"--prompt-cache-file", NULL, OPTION_TEXT, AT(cache), "FILE", NULL, NULL, 0, 0,
     "go on from what mica cache_prompt (or mlx_lm.cache_prompt) wrote; says which model, too"},
    {"--max-kv-size", NULL, OPTION_INT, AT(max_kv), "N", "0", NULL, 0, INT_MAX,
     "keep keys and values of the first 4 and the last tokens, N in all; 0: of all"},
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
    char *cached_model; /* of --prompt-cache-file */
    strbuf prompt;
    int *ids, *extra_eos;
    size_t n_ids, text_bytes;
    progress bar;
    bool started, output_failed;
} run;

/* --- the prompt --- */

static int add_messages(const run *r, strbuf *out)
{
    const char *user = r->o.cache ? QUERY : strbuf_text(&r->prompt);
    if (memchr(strbuf_text(&r->prompt), 0, r->prompt.len))
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

/* What follows the cached part: the template's text from the placeholder on, which the prompt takes. */
static int after_cached(const run *r, const char *text, strbuf *out)
{
    const char *at = strstr(text, QUERY);
    if (!at)
        return error_set(
            "the chat template does not repeat the message, so nothing can follow a cached prompt");
    strbuf_add(out, strbuf_text(&r->prompt), r->prompt.len);
    strbuf_adds(out, at + strlen(QUERY));
    return 0;
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
    strbuf whole = {0};
    int status = r->o.cache ? after_cached(r, text, &whole) : 0;
    if (!r->o.cache)
        strbuf_adds(&whole, text);
    if (status == 0)
        status = whole.failed
                     ? -1
                     : lm_tokenize(r->model, strbuf_text(&whole), whole.len, false, &r->ids, &r->n_ids);
    strbuf_free(&whole);
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
    int status =
        raw ? lm_tokenize(r->model, strbuf_text(&r->prompt), r->prompt.len, !r->o.cache, &r->ids, &r->n_ids)
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

/* The cache's model, unless --model names one: then it must be the same folder. */
static int choose_model(run *r)
{
    if (r->o.system && r->o.cache)
        return error_set(
            "--system-prompt cannot be given with --prompt-cache-file: what is cached comes before");
    if (!r->o.cache)
        return 0;
    r->cached_model = lm_session_metadata(r->o.cache, "model");
    if (!r->cached_model)
        return -1;
    if (!r->m.path)
        r->m.path = *r->cached_model ? r->cached_model : NULL;
    if (*r->cached_model && strcmp(r->m.path, r->cached_model) != 0)
        return error_set("--model is %s, but %s was made by %s", r->m.path, r->o.cache, r->cached_model);
    return 0;
}

static int generate(run *r)
{
    if (choose_model(r) || cli_check_model(r->m.path, false) || cli_read_prompt(r->o.prompt, &r->prompt) ||
        !(r->model = cli_load(&r->m)))
        return -1;
    if (check_template_options(r) || encode_prompt(r))
        return -1;
    if (r->o.extra_eos.n && cli_extra_eos(r->model, &r->o.extra_eos, &r->extra_eos))
        return -1;
    r->session = lm_session_new(r->model);
    if (!r->session || (r->o.max_kv && lm_session_limit(r->session, r->o.max_kv)) ||
        (r->o.cache && lm_session_load(r->session, r->o.cache)))
        return -1;
    return answer(r);
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
    lm_release(r.cached_model);
    strbuf_free(&r.prompt);
    return status;
}
