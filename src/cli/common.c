/* Options, output and interrupts that the commands share. */
#include "cli/cli.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- tables --- */

#define AT(field) offsetof(model_options, field)
_Static_assert(LM_PRECISION_EXACT == 1 && LM_PRECISION_INT8 == 2,
               "the words of --precision are in this order");

/* clang-format off */
static const option model_rows[] = {
    {"--model", NULL, OPTION_TEXT, AT(path), "DIR", NULL, NULL, 0, 0,
     "folder with config.json, model*.safetensors and tokenizer.json"},
    {"--precision", NULL, OPTION_CHOICE, AT(precision), NULL, "auto", "auto|exact|int8", 0, 0,
     "products with quantized weights: exact keeps activations as they are (what MLX computes), int8 quantizes "
     "them by group (faster on CPUs); auto is int8 on CPUs"},
    {"--threads", NULL, OPTION_INT, AT(threads), "N", "0", NULL, 0, 4096,
     "threads that compute; 0 is one a core"},
};
#undef AT

#define AT(field) offsetof(sampling_options, field)
static const option sampling_rows[] = {
    {"--temp", "--temperature", OPTION_REAL, AT(temp), "X", "0.0", NULL, 0, INFINITY,
     "sampling temperature; 0 takes the most likely token and skips the filters below"},
    {"--top-p", NULL, OPTION_REAL, AT(top_p), "X", "1.0", NULL, 0, 1, "nucleus sampling; 0 or 1 is off"},
    {"--min-p", NULL, OPTION_REAL, AT(min_p), "X", "0.0", NULL, 0, 1,
     "drop tokens less likely than X times the most likely; 0 is off"},
    {"--min-tokens-to-keep", NULL, OPTION_INT, AT(min_tokens_to_keep), "N", "1", NULL, 1, INT_MAX,
     "tokens that --min-p always keeps"},
    {"--top-k", NULL, OPTION_INT, AT(top_k), "N", "0", NULL, 0, INT_MAX, "keep the N most likely; 0 is off"},
    {"--xtc-probability", NULL, OPTION_REAL, AT(xtc_probability), "X", "0.0", NULL, 0, 1,
     "chance of dropping all likely tokens but the least likely of them; 0 is off"},
    {"--xtc-threshold", NULL, OPTION_REAL, AT(xtc_threshold), "X", "0.1", NULL, 0, 0.5,
     "probability from which a token counts as likely for --xtc-probability"},
    {"--repetition-penalty", NULL, OPTION_REAL, AT(repetition_penalty), "X", "0.0", NULL, 0, INFINITY,
     "divide the scores of recent tokens by X; 0 is off"},
    {"--repetition-context-size", NULL, OPTION_INT, AT(repetition_context), "N", "20", NULL, 1, INT_MAX,
     "recent tokens that --repetition-penalty looks at"},
    {"--presence-penalty", NULL, OPTION_REAL, AT(presence_penalty), "X", "0.0", NULL, -INFINITY, INFINITY,
     "subtract X from the scores of recent tokens, once each; 0 is off"},
    {"--presence-context-size", NULL, OPTION_INT, AT(presence_context), "N", "20", NULL, 1, INT_MAX,
     "recent tokens that --presence-penalty looks at"},
    {"--frequency-penalty", NULL, OPTION_REAL, AT(frequency_penalty), "X", "0.0", NULL, -INFINITY, INFINITY,
     "subtract X from the scores of recent tokens for each time they came; 0 is off"},
    {"--frequency-context-size", NULL, OPTION_INT, AT(frequency_context), "N", "20", NULL, 1, INT_MAX,
     "recent tokens that --frequency-penalty looks at"},
};
#undef AT

#define REFUSED(name, alias, reason) {name, alias, OPTION_REFUSED, 0, NULL, NULL, reason, 0, 0, NULL}
static const option refused_rows[] = {
    REFUSED("--adapter-path", NULL, "adapters cannot be loaded yet; fuse the adapter into the model first"),
    REFUSED("--draft-model", NULL, "speculative decoding does not exist yet"),
    REFUSED("--num-draft-tokens", NULL, "speculative decoding does not exist yet"),
    REFUSED("--kv-bits", NULL, "the KV cache cannot be quantized yet"),
    REFUSED("--kv-group-size", NULL, "the KV cache cannot be quantized yet"),
    REFUSED("--quantized-kv-start", NULL, "the KV cache cannot be quantized yet"),
    REFUSED("--quantize-activations", "-qa", "activations are quantized by --precision int8"),
    REFUSED("--trust-remote-code", NULL, "mica never runs code that comes with a model; leave it out"),
    REFUSED("--use-default-chat-template", NULL,
            "there is no default template; a model without its own gets the prompt as it is"),
    REFUSED("--pipeline", NULL, "models cannot be spread over machines yet"),
};
/* clang-format on */

option_group cli_model_group(model_options *m) { return (option_group)OPTION_GROUP("Model", model_rows, m); }

option_group cli_sampling_group(sampling_options *s)
{
    return (option_group)OPTION_GROUP("Sampling", sampling_rows, s);
}

option_group cli_refused_group(void) { return (option_group)OPTION_GROUP("", refused_rows, NULL); }

lm_sampling cli_sampling(const sampling_options *s, option_seed seed)
{
    return (lm_sampling){
        .temp = s->temp,
        .top_p = s->top_p,
        .min_p = s->min_p,
        .min_tokens_to_keep = s->min_tokens_to_keep,
        .top_k = s->top_k,
        .xtc_probability = s->xtc_probability,
        .xtc_threshold = s->xtc_threshold,
        .repetition_penalty = s->repetition_penalty,
        .repetition_context = s->repetition_context,
        .presence_penalty = s->presence_penalty,
        .presence_context = s->presence_context,
        .frequency_penalty = s->frequency_penalty,
        .frequency_context = s->frequency_context,
        .seed = seed.value,
        .seeded = seed.given,
    };
}

/* --- models --- */

/* "org/name", as model hubs have it: one slash inside, nothing that only paths have. */
static bool is_hub_name(const char *path)
{
    const char *slash = strchr(path, '/');
    if (!slash || slash == path || !slash[1] || strchr(slash + 1, '/') || path[0] == '.' || path[0] == '~')
        return false;
    for (const char *p = path; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("/-_.", *p))
            return false;
    return true;
}

int cli_check_model(const char *path, bool file_too)
{
    if (!path || !*path)
        return error_set("no model: give the path of a model folder with --model DIR");
    if (file_is_dir(path) || (file_too && file_exists(path)))
        return 0;
    if (file_exists(path))
        return error_set("--model: %s is a file: give the folder that holds it", path);
    if (is_hub_name(path))
        return error_set("--model: there is no folder %s, and downloads from a model hub do not exist yet: "
                         "give the path of a model folder",
                         path);
    return error_set("--model: there is no folder %s", path);
}

lm_model *cli_load(const model_options *m)
{
    if (cli_check_model(m->path, false))
        return NULL;
    lm_set_threads(m->threads);
    lm_load_options options = {.precision = (lm_precision)m->precision};
    return lm_load(m->path, &options);
}

static int eos_id(const lm_model *model, const char *text)
{
    char *end;
    errno = 0;
    long id = strtol(text, &end, 10);
    bool number = isdigit((unsigned char)*text) && *end == 0;
    if (!number && (id = lm_token_id(model, text)) >= 0)
        return (int)id;
    if (!number)
        return error_set("--extra-eos-token: \"%s\" is not one token of this model", text);
    int vocab = lm_model_info(model).vocab_size;
    if (errno || id >= vocab)
        return error_set("--extra-eos-token: %s is not an id of this model (0 to %d)", text, vocab - 1);
    return (int)id;
}

int cli_extra_eos(const lm_model *model, const option_list *list, int **ids)
{
    *ids = mem_alloc(list->n, sizeof **ids);
    if (!*ids)
        return -1;
    for (size_t i = 0; i < list->n; i++)
        if (((*ids)[i] = eos_id(model, list->items[i])) < 0) {
            mem_free(*ids);
            *ids = NULL;
            return -1;
        }
    return 0;
}

/* --- input --- */

int cli_check_text(const char *what, const char *text, size_t n)
{
    size_t valid = utf8_check(text, n);
    if (valid == n)
        return 0;
    return error_set("%s is not valid UTF-8: byte 0x%02x at offset %zu", what, (unsigned char)text[valid],
                     valid);
}

json_t *cli_parse_object(const char *name, const char *text)
{
    json_error_t e;
    json_t *value = json_loads(text, JSON_REJECT_DUPLICATES, &e);
    if (value && json_is_object(value))
        return value;
    error_set("%s: not a JSON object%s%s", name, value ? "" : ": ", value ? "" : e.text);
    json_decref(value);
    return NULL;
}

int cli_check_object(const char *name, const char *text)
{
    json_t *value = text ? cli_parse_object(name, text) : NULL;
    json_decref(value);
    return text && !value ? -1 : 0;
}

int cli_read_stdin(strbuf *text)
{
    char block[65536];
    while (!text->failed) {
        ssize_t n = read(STDIN_FILENO, block, sizeof block);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set("standard input: %s", strerror(errno));
        if (n == 0)
            break;
        strbuf_add(text, block, (size_t)n);
    }
    return text->failed ? -1 : 0;
}

/* --- output --- */

static bool closed;

static int out_failed(void)
{
    closed = errno == EPIPE;
    return error_set("standard output: %s", strerror(errno));
}

int cli_write(const char *p, size_t n) { return n && fwrite(p, 1, n, stdout) != n ? out_failed() : 0; }

int cli_printf(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vprintf(fmt, args);
    va_end(args);
    return n < 0 ? out_failed() : 0;
}

int cli_flush(void) { return fflush(stdout) != 0 || ferror(stdout) ? out_failed() : 0; }

bool cli_closed(void) { return closed; }

bool cli_color(int fd)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(fd) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

/* --- Ctrl-C --- */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int sig)
{
    (void)sig;
    interrupted = 1;
}

void cli_interrupt_catch(bool once)
{
    struct sigaction action;
    if (sigaction(SIGINT, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
        return; /* started in the background: Ctrl-C is meant for somebody else */
    action = (struct sigaction){.sa_handler = on_interrupt};
    sigemptyset(&action.sa_mask);
    action.sa_flags = once ? (int)SA_RESETHAND : 0; /* and no SA_RESTART: a read at the prompt must return */
    sigaction(SIGINT, &action, NULL);
}

bool cli_interrupt_pending(void *unused)
{
    (void)unused;
    return interrupted;
}

void cli_interrupt_clear(void) { interrupted = 0; }

/* Appends the argument with its \n and \t made real. */
static void add_unescaped(strbuf *out, const char *text)
{
    for (const char *p = text; *p; p++) {
        bool escape = p[0] == '\\' && (p[1] == 'n' || p[1] == 't');
        strbuf_addc(out, escape ? (p[1] == 'n' ? '\n' : '\t') : *p);
        p += escape;
    }
}

int cli_read_prompt(const char *argument, strbuf *prompt)
{
    bool from_stdin = strcmp(argument, "-") == 0;
    if (!from_stdin)
        add_unescaped(prompt, argument);
    else if (cli_read_stdin(prompt))
        return -1;
    if (prompt->failed)
        return -1;
    return cli_check_text(from_stdin ? "the prompt on stdin" : "--prompt", strbuf_text(prompt), prompt->len);
}
