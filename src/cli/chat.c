/* mica chat: a conversation on the terminal, or piped in by a script, one message a line.
 *
 * Each turn renders the whole history by the model's template, as the model was trained to see it, and the KV
 * cache is kept for as long as its tokens agree with the new prompt's: only what is new is computed, and a
 * template that rewrites the past (dropping old thoughts, say) is still honoured. */
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/lineedit.h"
#include "cli/progress.h"
#include "io/jsontext.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

typedef struct chat_options {
    int max_kv;
    const char *system, *template_config;
    int max_tokens;
    option_list extra_eos;
    option_seed seed;
} chat_options;

/* clang-format off */
#define AT(field) offsetof(chat_options, field)
static const option rows[] = {
    {"--system-prompt", NULL, OPTION_TEXT, AT(system), "TEXT", NULL, NULL, 0, 0, "system message"},
    {"--chat-template-config", NULL, OPTION_TEXT, AT(template_config), "JSON", NULL, NULL, 0, 0,
     "object with further variables for the template, such as {\"enable_thinking\": false}"},
    {"--max-tokens", "-m", OPTION_INT, AT(max_tokens), "N", "256", NULL, -1, INT_MAX,
     "tokens of an answer at most; -1: until an end token"},
    {"--extra-eos-token", NULL, OPTION_LIST, AT(extra_eos), "TOKEN", NULL, NULL, 0, 0,
     "further tokens (texts or ids) that end an answer"},
    {"--max-kv-size", NULL, OPTION_INT, AT(max_kv), "N", "0", NULL, 0, INT_MAX,
     "keep keys and values of the first 4 and the last tokens, N in all; 0: of all"},
    {"--seed", NULL, OPTION_SEED, AT(seed), "N", "0", NULL, 0, 0, "random seed"},
};
#undef AT
/* clang-format on */

static const char examples[] = "  mica chat --model models/story --temp 0.7 --top-p 0.9\n"
                               "  mica chat --model models/story --system-prompt \"You tell stories.\"\n"
                               "  printf 'Hello!\\nGo on.\\n' | mica chat --model models/story\n";

static const char help[] =
    "Commands:\n"
    "  /reset, r      forget the conversation\n"
    "  /system TEXT   set the system message (no TEXT: none)\n"
    "  /stats         what the conversation holds, what the last answer cost\n"
    "  /help, h       this list\n"
    "  /quit, q       leave (also Ctrl-D)\n"
    "A line that ends in \\ goes on in the next; \"\"\" begins and ends several lines.\n"
    "Ctrl-C stops an answer; at the prompt it clears the line, twice leaves.\n";

typedef struct chat {
    chat_options o;
    model_options m;
    sampling_options s;
    lm_model *model;
    lm_session *session;
    lineedit *input;
    json_t *messages; /* without the system message */
    char *system;     /* NULL: none */
    int *extra_eos;
    strbuf line, message, answer;
    progress bar;
    lm_stats stats; /* of the last answer */
    size_t reused;  /* its prompt tokens that were in the cache */
    unsigned turn;
    int status; /* exit code so far */
    bool color, output_failed;
} chat;

/* --- reading --- */

static line_result read_line(chat *c, const char *prompt)
{
    return lineedit_read(c->input, prompt, &c->line);
}

/* After an opening """: everything up to the line that ends in """. The opening line's rest is in c->line. A
 * mark that stands on a line of its own adds no line to the text. */
static line_result read_block(chat *c)
{
    for (bool first = true, any = false;; first = false) {
        size_t n = c->line.len;
        bool ends = n >= 3 && strcmp(c->line.data + n - 3, "\"\"\"") == 0;
        n -= ends ? 3 : 0;
        if (n || !(first || ends)) {
            if (any)
                strbuf_addc(&c->message, '\n');
            strbuf_add(&c->message, strbuf_text(&c->line), n);
            any = true;
        }
        if (ends)
            return LINE_TEXT;
        line_result r = read_line(c, "... ");
        if (r != LINE_TEXT)
            return r;
    }
}

/* The rest of a message whose first line is in c->line; *command as below. */
static line_result read_rest(chat *c, bool *command)
{
    if (strncmp(strbuf_text(&c->line), "\"\"\"", 3) == 0) {
        size_t n = c->line.len - 3;
        memmove(c->line.data, c->line.data + 3, n + 1);
        c->line.len = n;
        return read_block(c);
    }
    *command = true;
    while (c->line.len && c->line.data[c->line.len - 1] == '\\') {
        *command = false;
        strbuf_add(&c->message, c->line.data, c->line.len - 1);
        strbuf_addc(&c->message, '\n');
        line_result r = read_line(c, "... ");
        if (r != LINE_TEXT)
            return r;
    }
    strbuf_add(&c->message, strbuf_text(&c->line), c->line.len);
    return LINE_TEXT;
}

/* Reads a message of one or more lines into c->message. *command: it is one line and may be a command. */
static line_result read_message(chat *c, bool *command)
{
    strbuf_clear(&c->message);
    *command = false;
    line_result r = read_line(c, ">>> ");
    if (r != LINE_TEXT)
        return r;
    r = read_rest(c, command);
    if (r == LINE_END && !lineedit_interactive(c->input))
        return (line_result)error_set("standard input ends within a message of several lines");
    if (r == LINE_TEXT && *command)
        lineedit_remember(c->input, strbuf_text(&c->message));
    return c->message.failed ? LINE_ERROR : r;
}

/* --- one turn --- */

/* The error of this turn: said, and the conversation goes on. A script sees it in the exit code. */
static void complain(chat *c)
{
    fprintf(stderr, "mica chat: %s\n", error_text());
    error_clear();
    if (!lineedit_interactive(c->input))
        c->status = 1;
}

static int add_message(chat *c, const char *role, const char *text)
{
    if (json_array_append_new(c->messages, json_pack("{s:s, s:s}", "role", role, "content", text)))
        return error_set("out of memory for the conversation");
    return 0;
}

static void drop_message(chat *c) { json_array_remove(c->messages, json_array_size(c->messages) - 1); }

static char *render(chat *c)
{
    json_t *all = json_array();
    int bad = !all;
    if (c->system)
        bad |= json_array_append_new(all, json_pack("{s:s, s:s}", "role", "system", "content", c->system));
    bad |= json_array_extend(all, c->messages);
    strbuf text = {0};
    char *prompt = NULL;
    lm_template_options options = {.kwargs = c->o.template_config};
    if (jsontext_add(&text, bad ? NULL : all, 0) == 0)
        prompt = lm_template(c->model, strbuf_text(&text), &options);
    json_decref(all);
    strbuf_free(&text);
    return prompt;
}

/* Drops what the cache holds beyond its common beginning with ids; at least one token is left to compute. */
static int keep_common(chat *c, const int *ids, size_t n)
{
    const int *held = lm_session_tokens(c->session);
    size_t length = lm_session_length(c->session), same = 0;
    while (same < length && same + 1 < n && held[same] == ids[same])
        same++;
    c->reused = same;
    return same < length ? lm_session_trim(c->session, same) : 0;
}

static void show_progress(void *user, size_t done, size_t total)
{
    chat *c = user;
    progress_update(&c->bar, done, total);
}

static int print_piece(void *user, const lm_token *token)
{
    chat *c = user;
    progress_end(&c->bar);
    strbuf_add(&c->answer, token->text, token->len);
    if (cli_write(token->text, token->len) || cli_flush())
        c->output_failed = true;
    return c->output_failed || c->answer.failed;
}

static int generate(chat *c, const int *ids, size_t n)
{
    lm_generate_options options = LM_GENERATE_DEFAULT;
    options.sampling = cli_sampling(&c->s, c->o.seed);
    options.sampling.seed += c->turn++; /* each turn its own draws */
    options.max_tokens = c->o.max_tokens;
    options.extra_eos = c->extra_eos;
    options.n_extra_eos = c->o.extra_eos.n;
    options.progress = show_progress;
    options.cancelled = cli_interrupt_pending;
    if (keep_common(c, ids, n))
        return -1;
    strbuf_clear(&c->answer);
    cli_interrupt_clear();
    progress_start(&c->bar, "Reading", PROGRESS_COUNT);
    int status = lm_generate(c->session, ids + c->reused, n - c->reused, &options, print_piece, c, &c->stats);
    progress_end(&c->bar);
    return c->output_failed || c->answer.failed ? -1 : status;
}

static int print_figures(chat *c)
{
    bool stopped = cli_interrupt_pending(NULL);
    const lm_stats *s = &c->stats;
    return cli_printf("%s\n%s%zu tokens · %.1f tok/s · prompt %.1f tok/s · peak %.2f GB%s\n\n",
                      stopped ? " [stopped]" : "", c->color ? "\033[2m" : "", s->generated_tokens,
                      s->generation_tps, s->prompt_tps, (double)s->peak_memory * 1e-9,
                      c->color ? "\033[0m" : "");
}

/* Answers c->message. An error leaves the conversation as it was before. */
static int turn(chat *c)
{
    const char *text = strbuf_text(&c->message);
    if (memchr(text, 0, c->message.len))
        return error_set("the message holds a NUL byte: chat templates take text");
    if (cli_check_text("the message", text, c->message.len) || add_message(c, "user", text))
        return -1;
    char *prompt = render(c);
    int *ids = NULL;
    size_t n = 0;
    int status = prompt ? lm_tokenize(c->model, prompt, strlen(prompt), false, &ids, &n) : -1;
    lm_release(prompt);
    if (status == 0 && n == 0)
        status = error_set("the chat template made an empty prompt of the message");
    if (status == 0)
        status = generate(c, ids, n);
    lm_release(ids);
    if (status || c->answer.len == 0)
        drop_message(c); /* roles must alternate */
    else
        status = add_message(c, "assistant", strbuf_text(&c->answer));
    return status ? -1 : print_figures(c);
}

/* --- commands --- */

static int set_system(chat *c, const char *text)
{
    text += strspn(text, " \t");
    if (cli_check_text("/system", text, strlen(text)))
        return -1;
    char *copy = *text ? mem_strdup(text) : NULL;
    if (*text && !copy)
        return -1;
    mem_free(c->system);
    c->system = copy;
    return cli_printf("%s\n", copy ? "The system message is set." : "There is no system message now.");
}

static int print_stats(const chat *c)
{
    lm_info info = lm_model_info(c->model);
    size_t held = lm_session_length(c->session);
    if (cli_printf("messages: %zu\ncache: %zu tokens (%.1f MB)%s\n", json_array_size(c->messages), held,
                   (double)(held * info.kv_bytes_per_token) * 1e-6,
                   info.max_position && held > (size_t)info.max_position
                       ? ", beyond what the model was made for"
                       : ""))
        return -1;
    if (c->turn == 0)
        return 0;
    return cli_printf("last answer: %zu prompt tokens computed (%zu more were in the cache) in %.2f s, "
                      "%zu tokens in %.2f s, finish reason %s\n",
                      c->stats.prompt_tokens, c->reused, c->stats.prompt_seconds, c->stats.generated_tokens,
                      c->stats.generation_seconds, c->stats.finish_reason ? c->stats.finish_reason : "none");
}

static int reset(chat *c)
{
    json_array_clear(c->messages);
    c->turn = 0;
    if (lm_session_trim(c->session, 0))
        return -1;
    return cli_printf("The conversation is forgotten.\n");
}

enum { RUN_DONE = 0, RUN_QUIT = 1, RUN_MESSAGE = 2 };

/* Runs a command: RUN_*, or -1. */
static int run_line(chat *c)
{
    const char *s = strbuf_text(&c->message);
    if (strcmp(s, "/quit") == 0 || strcmp(s, "/exit") == 0 || strcmp(s, "q") == 0)
        return RUN_QUIT;
    if (strcmp(s, "/reset") == 0 || strcmp(s, "r") == 0)
        return reset(c);
    if (strcmp(s, "/help") == 0 || strcmp(s, "h") == 0)
        return cli_printf("%s", help);
    if (strcmp(s, "/stats") == 0)
        return print_stats(c);
    if (strncmp(s, "/system", 7) == 0 && (s[7] == 0 || s[7] == ' '))
        return set_system(c, s + 7);
    if (s[0] == '/')
        return error_set("unknown command %.40s: /help lists them (put a space in front to send it as text)",
                         s);
    return RUN_MESSAGE;
}

/* --- the loop --- */

/* Ctrl-C at the prompt: the first clears, the second leaves. */
static bool second_interrupt(chat *c, bool *once)
{
    cli_interrupt_clear();
    if (*once || !lineedit_interactive(c->input))
        return true;
    *once = true;
    fputs("(Ctrl-C again or Ctrl-D leaves)\n", stdout);
    return false;
}

static int loop(chat *c)
{
    bool interrupted = false, command;
    for (;;) {
        cli_interrupt_clear();
        line_result r = read_message(c, &command);
        if (r == LINE_INTERRUPTED && !second_interrupt(c, &interrupted))
            continue;
        if (r == LINE_INTERRUPTED)
            return 130;
        if (r == LINE_ERROR)
            return -1;
        if (r == LINE_END)
            return c->status;
        interrupted = false;
        int did = command ? run_line(c) : RUN_MESSAGE;
        if (did == RUN_QUIT)
            return c->status;
        if (did == RUN_MESSAGE && strspn(strbuf_text(&c->message), " \t\n") < c->message.len)
            did = turn(c);
        if (did < 0 && (c->output_failed || cli_closed()))
            return -1;
        if (did < 0)
            complain(c);
        if (cli_flush())
            return -1;
    }
}

static int greet(const chat *c)
{
    if (!lineedit_interactive(c->input))
        return 0;
    const char *bold = c->color ? "\033[1m" : "", *plain = c->color ? "\033[0m" : "";
    if (cli_printf("%smica chat%s · %s · at most %d tokens an answer\n", bold, plain, c->m.path,
                   c->o.max_tokens))
        return -1;
    if (c->system && cli_printf("system: %.60s%s\n", c->system, strlen(c->system) > 60 ? "..." : ""))
        return -1;
    return cli_printf("/help lists the commands; Ctrl-D leaves.\n\n");
}

static int start(chat *c)
{
    if (cli_check_model(c->m.path, false))
        return -1;
    if (c->o.system && cli_check_text("--system-prompt", c->o.system, strlen(c->o.system)))
        return -1;
    if (cli_check_object("--chat-template-config", c->o.template_config))
        return -1;
    c->model = cli_load(&c->m);
    if (!c->model)
        return -1;
    if (!lm_model_info(c->model).has_chat_template)
        return error_set("%s has no chat template: use mica generate, which takes the prompt as it is",
                         c->m.path);
    if (c->o.extra_eos.n && cli_extra_eos(c->model, &c->o.extra_eos, &c->extra_eos))
        return -1;
    if (c->o.system && !(c->system = mem_strdup(c->o.system)))
        return -1;
    c->messages = json_array();
    c->color = cli_color(STDOUT_FILENO);
    c->session = lm_session_new(c->model);
    if (!c->messages || !c->session || !(c->input = lineedit_new()))
        return -1;
    if (c->o.max_kv && lm_session_limit(c->session, c->o.max_kv))
        return -1;
    cli_interrupt_catch(false);
    return greet(c) ? -1 : loop(c);
}

int cli_chat(int argc, char **argv)
{
    chat c = {0};
    const option_group groups[] = {cli_model_group(&c.m), OPTION_GROUP("Text", rows, &c.o),
                                   cli_sampling_group(&c.s), cli_refused_group()};
    const option_spec spec = {"mica chat", "a conversation with a model", examples, groups, 4};
    option_result parsed = options_parse(&spec, argc, argv);
    if (parsed != OPTIONS_RUN)
        return parsed == OPTIONS_HELP ? 0 : -1;
    int status = start(&c);
    lineedit_free(c.input);
    lm_session_free(c.session);
    lm_free(c.model);
    json_decref(c.messages);
    mem_free(c.system);
    mem_free(c.extra_eos);
    strbuf_free(&c.line);
    strbuf_free(&c.message);
    strbuf_free(&c.answer);
    return status;
}
