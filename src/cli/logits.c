/* mica logits: the logits of given tokens as a safetensors file, for people who port and check models.
 *
 * Products with quantized weights are exact unless told otherwise: who checks a model wants its arithmetic,
 * not the fast one; keys and values are kept in float32 for the same reason. */
#include "io/safetensors.h"

#include "base/mem.h"
#include "cli/cli.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

typedef struct logits_options {
    model_options m;
    const char *tokens, *out;
    int greedy;
} logits_options;

/* clang-format off */
#define AT(field) offsetof(logits_options, field)
static const option rows[] = {
    {"--model", NULL, OPTION_TEXT, AT(m.path), "DIR", NULL, NULL, 0, 0, "folder with config.json and model*.safetensors"},
    {"--tokens", NULL, OPTION_TEXT, AT(tokens), "IDS", NULL, NULL, 0, 0, "token ids, separated by commas"},
    {"--out", NULL, OPTION_TEXT, AT(out), "FILE", NULL, NULL, 0, 0,
     "safetensors file to write: logits (T, V) float32"},
    {"--greedy", NULL, OPTION_INT, AT(greedy), "N", "0", NULL, 0, 1 << 24,
     "also write greedy (N) int32: the most likely tokens that follow"},
    {"--precision", NULL, OPTION_CHOICE, AT(m.precision), NULL, "exact", "auto|exact|int8", 0, 0,
     "products with quantized weights; here exact keeps activations in float32 throughout"},
    {"--threads", NULL, OPTION_INT, AT(m.threads), "N", "0", NULL, 0, 4096, "threads that compute; 0 is one a core"},
};
#undef AT
/* clang-format on */

typedef struct result {
    int *ids, *greedy;
    float *logits; /* (T, V), and one more row for the steps of --greedy */
    size_t n;
    int vocab;
} result;

static int parse_tokens(const char *text, result *r)
{
    size_t cap = 0;
    for (const char *p = text;; p++) {
        char *end;
        long id = strtol(p, &end, 10);
        if (!isdigit((unsigned char)*p) || (*end && *end != ','))
            return error_set("--tokens: \"%.20s\" is not a token id", p);
        if (id >= r->vocab)
            return error_set("--tokens: %ld is not an id of this model (0 to %d)", id, r->vocab - 1);
        if (r->n == cap) {
            int *grown = mem_grow(r->ids, &cap, r->n + 1, sizeof *grown);
            if (!grown)
                return -1;
            r->ids = grown;
        }
        r->ids[r->n++] = (int)id;
        if (!*end)
            return 0;
        p = end;
    }
}

static int argmax(const float *x, int n)
{
    int best = 0;
    for (int i = 1; i < n; i++)
        if (x[i] > x[best])
            best = i;
    return best;
}

static int compute(lm_session *session, result *r, int steps)
{
    size_t cells, v = (size_t)r->vocab;
    if (!mem_mul(r->n + 1, v, &cells))
        return error_set("--tokens: too many");
    r->logits = mem_alloc(cells, sizeof(float));
    r->greedy = mem_alloc((size_t)steps, sizeof(int));
    if (!r->logits || !r->greedy || lm_logits(session, r->ids, r->n, true, r->logits))
        return -1;
    const float *last = r->logits + (r->n - 1) * v;
    float *next = r->logits + r->n * v;
    for (int i = 0; i < steps; i++) {
        r->greedy[i] = argmax(last, r->vocab);
        if (i + 1 < steps && lm_logits(session, &r->greedy[i], 1, false, next))
            return -1;
        last = next;
    }
    return 0;
}

static int fetch(void *user, size_t i, const void **data)
{
    const result *r = user;
    *data = i ? (const void *)r->greedy : r->logits;
    return 0;
}

static int save(const logits_options *o, result *r)
{
    if (r->n > INT_MAX)
        return error_set("--tokens: too many");
    const int shape[2] = {(int)r->n, r->vocab};
    const safetensors_item items[] = {{"logits", MLX_FLOAT32, 2, shape},
                                      {"greedy", MLX_INT32, 1, &o->greedy}};
    return safetensors_write(o->out, items, o->greedy ? 2 : 1, NULL, 0, fetch, r);
}

static int work(const logits_options *o)
{
    if (cli_check_model(o->m.path, false))
        return -1;
    if (!o->tokens || !o->out)
        return error_set("%s is missing (see: mica logits --help)", o->tokens ? "--out" : "--tokens");
    result r = {0};
    lm_set_threads(o->m.threads);
    lm_precision precision = (lm_precision)o->m.precision;
    lm_load_options options = {.precision =
                                   precision == LM_PRECISION_EXACT ? LM_PRECISION_FLOAT32 : precision,
                               .kv_dtype = "float32",
                               .no_tokenizer = true};
    lm_model *model = lm_load(o->m.path, &options);
    lm_session *session = model ? lm_session_new(model) : NULL;
    int status = -1;
    if (session) {
        r.vocab = lm_model_info(model).vocab_size;
        status = parse_tokens(o->tokens, &r) || compute(session, &r, o->greedy) || save(o, &r) ? -1 : 0;
    }
    lm_session_free(session);
    lm_free(model);
    mem_free(r.ids);
    mem_free(r.greedy);
    mem_free(r.logits);
    return status;
}

int cli_logits(int argc, char **argv)
{
    logits_options o = {0};
    const option_group group = OPTION_GROUP("Options", rows, &o);
    const option_spec spec = {
        "mica logits", "writes the logits of given tokens to a file",
        "  mica logits --model models/story --tokens 1,2,3 --out logits.safetensors --greedy 8\n", &group, 1};
    option_result parsed = options_parse(&spec, argc, argv);
    if (parsed != OPTIONS_RUN)
        return parsed == OPTIONS_HELP ? 0 : -1;
    return work(&o);
}
