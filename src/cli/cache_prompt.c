/* mica cache_prompt: reads a long prompt once and keeps what the model knows of it in a file, from which
 * `mica generate --prompt-cache-file` goes on. With a chat template the prompt is the beginning of a user
 * message, which is left open. */
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "io/jsontext.h"

#include <limits.h>
#include <string.h>

typedef struct cache_options {
    int max_kv;
    const char *prompt, *file;
    bool ignore_template;
    int prefill_step;
} cache_options;

/* clang-format off */
#define AT(field) offsetof(cache_options, field)
static const option rows[] = {
    {"--prompt", "-p", OPTION_TEXT, AT(prompt), "TEXT", NULL, NULL, 0, 0,
     "what to read; - reads it from stdin; \\n and \\t stand for a new line and a tab"},
    {"--prompt-cache-file", NULL, OPTION_TEXT, AT(file), "FILE", NULL, NULL, 0, 0,
     "safetensors file to write, as mlx-lm's are"},
    {"--ignore-chat-template", NULL, OPTION_SWITCH, AT(ignore_template), NULL, NULL, NULL, 0, 0,
     "give the prompt to the model as it is"},
    {"--max-kv-size", NULL, OPTION_INT, AT(max_kv), "N", "0", NULL, 0, INT_MAX,
     "keep keys and values of the first 4 and the last tokens, N in all; 0: of all"},
    {"--prefill-step-size", NULL, OPTION_INT, AT(prefill_step), "N", "512", NULL, 1, INT_MAX,
     "prompt tokens that are computed at once"},
};
#undef AT
/* clang-format on */

static const char examples[] =
    "  mica cache_prompt --model models/story --prompt-cache-file story.safetensors -p - < beginning.txt\n"
    "  mica generate --prompt-cache-file story.safetensors -p \"And then\"\n";

typedef struct run {
    cache_options o;
    model_options m;
    lm_model *model;
    lm_session *session;
    strbuf prompt;
    int *ids;
    size_t n_ids;
    progress bar;
} run;

static int encode(run *r)
{
    strbuf messages = {0};
    char *text = NULL;
    int rc = -1;
    if (r->o.ignore_template || !lm_model_info(r->model).has_chat_template)
        return lm_tokenize(r->model, strbuf_text(&r->prompt), r->prompt.len, true, &r->ids, &r->n_ids);
    json_t *list = json_pack("[{s:s, s:s}]", "role", "user", "content", strbuf_text(&r->prompt));
    const lm_template_options open = {.no_generation_prompt = true, .continue_final_message = true};
    if (jsontext_add(&messages, list, 0) == 0)
        text = lm_template(r->model, strbuf_text(&messages), &open);
    if (text)
        rc = lm_tokenize(r->model, text, strlen(text), false, &r->ids, &r->n_ids);
    json_decref(list);
    strbuf_free(&messages);
    lm_release(text);
    return rc;
}

static void show_progress(void *user, size_t done, size_t total)
{
    progress_update(&((run *)user)->bar, done, total);
}

static int compute(run *r)
{
    lm_generate_options options = LM_GENERATE_DEFAULT;
    options.max_tokens = 0;
    options.prefill_step = r->o.prefill_step;
    options.progress = show_progress;
    options.cancelled = cli_interrupt_pending; /* which looks at nothing of r */
    lm_stats stats;
    progress_start(&r->bar, "Reading the prompt", PROGRESS_COUNT);
    cli_interrupt_catch(true);
    int rc = lm_generate(r->session, r->ids, r->n_ids, &options, NULL, r, &stats);
    progress_end(&r->bar);
    if (rc == 0 && cli_interrupt_pending(NULL))
        rc = error_set("interrupted");
    if (rc || cli_printf("Processed %zu tokens (%.3f tok/s)\nPeak memory: %.3f GB\nSaving...\n", r->n_ids,
                         stats.prompt_tps, (double)stats.peak_memory * 1e-9))
        return -1;
    const char *const metadata[][2] = {{"model", r->m.path}, {"tokenizer_config", "{}"}};
    return cli_flush() ? -1 : lm_session_save(r->session, r->o.file, metadata, 2);
}

static int cache_prompt(run *r)
{
    if (!r->o.prompt || !r->o.file)
        return error_set("%s is missing", r->o.prompt ? "--prompt-cache-file" : "--prompt");
    if (cli_check_model(r->m.path, false) || cli_read_prompt(r->o.prompt, &r->prompt) ||
        !(r->model = cli_load(&r->m)) || encode(r))
        return -1;
    r->session = lm_session_new(r->model);
    if (!r->session || (r->o.max_kv && lm_session_limit(r->session, r->o.max_kv)))
        return -1;
    return compute(r);
}

int cli_cache_prompt(int argc, char **argv)
{
    run r = {0};
    const option_group groups[] = {cli_model_group(&r.m), OPTION_GROUP("Prompt", rows, &r.o),
                                   cli_refused_group()};
    const option_spec spec = {"mica cache_prompt", "keeps what a model knows of a prompt in a file", examples,
                              groups, 3};
    option_result parsed = options_parse(&spec, argc, argv);
    if (parsed != OPTIONS_RUN)
        return parsed == OPTIONS_HELP ? 0 : -1;
    int status = cache_prompt(&r);
    lm_session_free(r.session);
    lm_free(r.model);
    lm_release(r.ids);
    strbuf_free(&r.prompt);
    return status;
}
