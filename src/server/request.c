/* The fields that requests may have, one row each: which endpoints take it, its type and range, where it
 * goes. A field that is known but not supported is a row with the reason; null stands for a field that is not
 * given. */
#include "server/request.h"

#include "base/error.h"
#include "base/mem.h"

#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef enum { BOOL, INT, REAL, TEXT, LIST, OBJECT, ANY, SEED, LOGPROBS, UNUSED, REFUSED } field_kind;

typedef struct field {
    const char *name;
    int endpoints;
    field_kind kind;
    size_t offset;
    double min, max; /* of numbers */
    const char *reason;
} field;

/* clang-format off */
enum { CHAT = REQUEST_CHAT, COMP = REQUEST_COMPLETION, BOTH = CHAT | COMP, TOK = REQUEST_TOKENIZE,
       DETOK = REQUEST_DETOKENIZE, ALL = BOTH | TOK | DETOK };
#define AT(member) offsetof(request, member), 0, 0, NULL
#define IN(member, min, max) offsetof(request, member), min, max, NULL
#define NO(name, reason) {name, BOTH, REFUSED, 0, 0, 0, reason}
#define LATER "it is not supported yet"
static const field fields[] = {
    {"model", ALL, TEXT, AT(model)},
    {"messages", CHAT | TOK, LIST, AT(messages)},
    {"prompt", COMP | TOK, ANY, AT(prompt)},
    {"tokens", DETOK, LIST, AT(tokens)},
    {"stream", BOTH, BOOL, AT(stream)},
    {"stream_options", BOTH, OBJECT, AT(stream_options)},
    {"max_tokens", BOTH, INT, IN(max_tokens, 0, INT_MAX)},
    {"max_completion_tokens", CHAT, INT, IN(max_completion_tokens, 0, INT_MAX)},
    {"min_tokens", BOTH, INT, IN(min_tokens, 0, INT_MAX)},
    {"temperature", BOTH, REAL, IN(temperature, 0, 2)},
    {"top_p", BOTH, REAL, IN(top_p, 0, 1)},
    {"top_k", BOTH, INT, IN(top_k, -1, INT_MAX)},
    {"min_p", BOTH, REAL, IN(min_p, 0, 1)},
    {"xtc_probability", BOTH, REAL, IN(xtc_probability, 0, 1)},
    {"xtc_threshold", BOTH, REAL, IN(xtc_threshold, 0, 0.5)},
    {"repetition_penalty", BOTH, REAL, IN(repetition_penalty, 0, 100)},
    {"repetition_context_size", BOTH, INT, IN(repetition_context, 1, INT_MAX)},
    {"presence_penalty", BOTH, REAL, IN(presence_penalty, -2, 2)},
    {"presence_context_size", BOTH, INT, IN(presence_context, 1, INT_MAX)},
    {"frequency_penalty", BOTH, REAL, IN(frequency_penalty, -2, 2)},
    {"frequency_context_size", BOTH, INT, IN(frequency_context, 1, INT_MAX)},
    {"logit_bias", BOTH, OBJECT, AT(bias)},
    {"seed", BOTH, SEED, AT(seed)},
    {"n", BOTH, INT, IN(n, 1, REQUEST_MAX_ANSWERS)},
    {"best_of", COMP, INT, IN(best_of, 1, REQUEST_MAX_ANSWERS)},
    {"logprobs", BOTH, LOGPROBS, AT(logprobs)},
    {"top_logprobs", CHAT, INT, IN(top_logprobs, 0, REQUEST_MAX_TOP)},
    {"stop", BOTH, ANY, AT(stop)},
    {"stop_token_ids", BOTH, LIST, AT(stop_ids)},
    {"include_stop_str_in_output", BOTH, BOOL, AT(include_stop)},
    {"ignore_eos", BOTH, BOOL, AT(ignore_eos)},
    {"skip_special_tokens", BOTH | DETOK, BOOL, AT(skip_special)},
    {"add_special_tokens", BOTH | TOK, BOOL, AT(special)},
    {"echo", COMP, BOOL, AT(echo)},
    {"add_generation_prompt", CHAT | TOK, BOOL, AT(generation_prompt)},
    {"continue_final_message", CHAT | TOK, BOOL, AT(continue_final)},
    {"chat_template_kwargs", CHAT | TOK, OBJECT, AT(kwargs)},
    {"priority", BOTH, INT, IN(priority, INT_MIN, INT_MAX)},
    {"cache_salt", BOTH, TEXT, AT(salt)},
    {"response_format", BOTH, OBJECT, AT(format)},
    {"tool_choice", CHAT, ANY, AT(choice)},
    {"user", BOTH, UNUSED, 0, 0, 0, NULL}, /* whom a request is for: nothing here depends on it */
    NO("tools", "tool calls " LATER), NO("functions", "tool calls " LATER), NO("function_call", "tool calls " LATER),
    NO("parallel_tool_calls", "tool calls " LATER), NO("prompt_logprobs", LATER), NO("suffix", LATER),
    NO("reasoning_effort", LATER), NO("include_reasoning", LATER), NO("thinking_token_budget", LATER),
    NO("bad_words", LATER), NO("allowed_token_ids", LATER), NO("logprob_token_ids", LATER),
    NO("spaces_between_special_tokens", LATER), NO("truncate_prompt_tokens", LATER), NO("truncation_side", LATER),
    NO("use_beam_search", "there is no beam search"), NO("length_penalty", "there is no beam search"),
    NO("early_stopping", "there is no beam search"), NO("repetition_detection", LATER), NO("documents", LATER),
    NO("chat_template", "the server's own template is used"), NO("structured_outputs", LATER),
    NO("guided_json", LATER), NO("guided_regex", LATER), NO("guided_choice", LATER), NO("guided_grammar", LATER),
    NO("logits_processors", "requests bring no code"), NO("mm_processor_kwargs", "only text is understood"),
    NO("media_io_kwargs", "only text is understood"), NO("modalities", "only text is understood"),
    NO("audio", "only text is understood"), NO("prompt_embeds", LATER), NO("request_id", LATER),
    NO("session_id", LATER), NO("return_token_ids", LATER), NO("return_tokens_as_token_ids", LATER),
    NO("return_prompt_text", LATER), NO("return_token_offsets", LATER), NO("kv_transfer_params", LATER),
    NO("ec_transfer_params", LATER), NO("vllm_xargs", LATER), NO("stream_interval", LATER),
    NO("routed_experts_prompt_start", LATER), NO("draft_model", LATER), NO("num_draft_tokens", LATER),
    NO("adapters", LATER), NO("role_mapping", LATER), NO("store", LATER), NO("metadata", LATER),
    NO("service_tier", LATER), NO("prediction", LATER), NO("web_search_options", LATER), NO("verbosity", LATER),
};
#undef AT
#undef IN
#undef NO
/* clang-format on */

/* --- one field --- */

static int set_number(const field *f, void *at, const json_t *v)
{
    bool whole = f->kind == INT;
    if (whole ? !json_is_integer(v) : !json_is_number(v))
        return error_set("%s must be a %s", f->name, whole ? "whole number" : "number");
    double x = json_number_value(v);
    if (!isfinite(x) || x < f->min || x > f->max)
        return error_set("%s must be from %g to %g, not %g", f->name, f->min, f->max, x);
    if (whole)
        *(int *)at = (int)json_integer_value(v);
    else
        *(float *)at = (float)x;
    return 0;
}

/* Chat: true or false; completions: how many alternatives. */
static int set_logprobs(request *r, int endpoint, const json_t *v)
{
    if (endpoint == REQUEST_CHAT) {
        if (!json_is_boolean(v))
            return error_set("logprobs must be true or false; top_logprobs says how many");
        r->chat_logprobs = json_is_true(v);
        return 0;
    }
    const field range = {"logprobs", COMP, INT, 0, 0, REQUEST_MAX_TOP, NULL};
    return set_number(&range, &r->logprobs, v);
}

static int set_field(request *r, int endpoint, const field *f, json_t *v)
{
    void *at = (char *)r + f->offset;
    switch (f->kind) {
    case BOOL:
        if (!json_is_boolean(v))
            return error_set("%s must be true or false", f->name);
        *(bool *)at = json_is_true(v);
        if (at == (void *)&r->special)
            r->special_given = true;
        return 0;
    case INT:
    case REAL:
        return set_number(f, at, v);
    case TEXT:
        if (!json_is_string(v) || strlen(json_string_value(v)) != json_string_length(v))
            return error_set("%s must be a text", f->name);
        *(const char **)at = json_string_value(v);
        return 0;
    case LIST:
    case OBJECT:
        if (f->kind == LIST ? !json_is_array(v) : !json_is_object(v))
            return error_set("%s must be %s", f->name, f->kind == LIST ? "a list" : "an object");
        *(json_t **)at = v;
        return 0;
    case ANY:
        *(json_t **)at = v;
        return 0;
    case SEED:
        if (!json_is_integer(v))
            return error_set("seed must be a whole number");
        r->seed = json_integer_value(v);
        r->seeded = true;
        return 0;
    case LOGPROBS:
        return set_logprobs(r, endpoint, v);
    case UNUSED:
        return 0;
    case REFUSED:
        return error_set("%s: %s", f->name, f->reason);
    }
    return 0;
}

static const field *find_field(const char *name, int endpoint)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if ((fields[i].endpoints & endpoint) && strcmp(fields[i].name, name) == 0)
            return &fields[i];
    return NULL;
}

/* --- what several fields must agree on --- */

static int wrong(request *r, const char *name, const char *why)
{
    r->bad = name;
    return error_set("%s %s", name, why);
}

static int check_options(request *r)
{
    const char *key;
    json_t *v;
    json_object_foreach(r->stream_options, key, v)
    {
        if (strcmp(key, "include_usage") != 0 || !json_is_boolean(v))
            return wrong(r, "stream_options", "may only have include_usage, true or false");
        r->usage = json_is_true(v);
    }
    if (r->stream_options && !r->stream)
        return wrong(r, "stream_options", "goes with stream");
    const char *type = json_string_value(json_object_get(r->format, "type"));
    if (r->format && (!type || strcmp(type, "text") != 0))
        return wrong(r, "response_format", "may only be {\"type\": \"text\"}: nothing else is supported yet");
    const char *choice = json_string_value(r->choice);
    if (r->choice && (!choice || (strcmp(choice, "none") != 0 && strcmp(choice, "auto") != 0)))
        return wrong(r, "tool_choice", "may only be none or auto: a forced call is not supported yet");
    return 0;
}

static int check_together(request *r, int endpoint)
{
    if (endpoint == REQUEST_CHAT && !r->messages)
        return wrong(r, "messages", "is missing");
    if (endpoint == REQUEST_COMPLETION && !r->prompt)
        return wrong(r, "prompt", "is missing");
    if (endpoint == REQUEST_TOKENIZE && !r->prompt == !r->messages)
        return wrong(r, "prompt", "or messages must be given, one of them");
    if (endpoint == REQUEST_DETOKENIZE && !r->tokens)
        return wrong(r, "tokens", "is missing");
    if (r->max_completion_tokens >= 0)
        r->max_tokens = r->max_completion_tokens;
    if (r->min_tokens > r->max_tokens)
        return wrong(r, "min_tokens", "must not be above max_tokens");
    if (r->top_logprobs > 0 && !r->chat_logprobs)
        return wrong(r, "top_logprobs", "goes with logprobs");
    if (r->chat_logprobs)
        r->logprobs = r->top_logprobs;
    if (r->echo && r->logprobs >= 0)
        return wrong(r, "echo", "together with logprobs is not supported yet");
    if (r->best_of && r->best_of < r->n)
        return wrong(r, "best_of", "must not be below n");
    if (r->best_of > r->n && r->stream)
        return wrong(r, "best_of", "above n cannot be streamed");
    if (r->continue_final && r->generation_prompt)
        r->generation_prompt = false;
    return check_options(r);
}

int server_request_parse(request *r, int endpoint, const char *text, size_t n, const request_defaults *d)
{
    *r = (request){.max_tokens = d->max_tokens,
                   .max_completion_tokens = -1,
                   .n = 1,
                   .logprobs = -1,
                   .temperature = d->temp,
                   .top_p = d->top_p,
                   .min_p = d->min_p,
                   .top_k = d->top_k,
                   .xtc_threshold = 0.1f,
                   .repetition_context = 20,
                   .presence_context = 20,
                   .frequency_context = 20,
                   .skip_special = true,
                   .generation_prompt = true,
                   .special = true};
    json_error_t e;
    r->body = json_loadb(text, n, JSON_REJECT_DUPLICATES, &e);
    if (!r->body)
        return error_set("the body is not valid JSON: line %d, column %d: %s", e.line, e.column, e.text);
    if (!json_is_object(r->body))
        return error_set("the body must be a JSON object");
    const char *key;
    json_t *v;
    json_object_foreach(r->body, key, v)
    {
        const field *f = find_field(key, endpoint);
        r->bad = key;
        if (!f)
            return error_set("%s: this endpoint has no such field", key);
        if (!json_is_null(v) && set_field(r, endpoint, f, v))
            return -1;
    }
    r->bad = NULL;
    return check_together(r, endpoint);
}

void server_request_free(request *r)
{
    json_decref(r->body);
    r->body = NULL;
}

/* --- lists --- */

int server_request_ids(const char *what, const json_t *list, int **ids, size_t *n)
{
    *n = json_array_size(list);
    *ids = mem_alloc(*n, sizeof **ids);
    for (size_t i = 0; *ids && i < *n; i++) {
        const json_t *v = json_array_get(list, i);
        json_int_t id = json_integer_value(v);
        if (!json_is_integer(v) || id < 0 || id > INT_MAX) {
            mem_free(*ids);
            *ids = NULL;
            return error_set("%s: element %zu is no token id", what, i);
        }
        (*ids)[i] = (int)id;
    }
    return *ids ? 0 : -1;
}

static int set_bias(const json_t *object, lm_request *out)
{
    lm_bias *list = mem_alloc(json_object_size(object), sizeof *list);
    const char *key;
    json_t *v;
    out->bias = list;
    if (!list)
        return -1;
    json_object_foreach((json_t *)object, key, v)
    {
        char *end;
        long id = strtol(key, &end, 10);
        double x = json_number_value(v);
        if (*key < '0' || *key > '9' || *end || id > INT_MAX)
            return error_set("logit_bias: \"%s\" is no token id", key);
        if (!json_is_number(v) || x < -100 || x > 100)
            return error_set("logit_bias: of token %ld it must be a number from -100 to 100", id);
        list[out->n_bias++] = (lm_bias){(int)id, x == -100 ? -INFINITY : (float)x};
    }
    return 0;
}

static int set_stops(const json_t *stop, lm_request *out)
{
    size_t n = json_is_array(stop) ? json_array_size(stop) : 1;
    const char **texts = mem_calloc(n, sizeof *texts);
    out->stop = texts;
    if (!texts)
        return -1;
    if (n > REQUEST_MAX_STOPS)
        return error_set("stop: %zu texts; at most %d are allowed", n, REQUEST_MAX_STOPS);
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_is_array(stop) ? json_array_get(stop, i) : stop;
        texts[i] = json_string_value(v);
        if (!texts[i] || !*texts[i] || strlen(texts[i]) != json_string_length(v))
            return error_set("stop must be a text that is not empty, or a list of such");
    }
    out->n_stop = n;
    return 0;
}

int server_request_lists(request *r, lm_request *out)
{
    int *ids = NULL;
    *out = (lm_request)LM_REQUEST_DEFAULT;
    out->sampling =
        (lm_sampling){.temp = r->temperature,
                      .top_p = r->top_p,
                      .min_p = r->min_p,
                      .min_tokens_to_keep = 1,
                      .top_k = r->top_k > 0 ? r->top_k : 0,
                      .xtc_probability = r->xtc_probability,
                      .xtc_threshold = r->xtc_threshold,
                      /* 1 divides by one */
                      .repetition_penalty = r->repetition_penalty == 1 ? 0 : r->repetition_penalty,
                      .repetition_context = r->repetition_context,
                      .presence_penalty = r->presence_penalty,
                      .presence_context = r->presence_context,
                      .frequency_penalty = r->frequency_penalty,
                      .frequency_context = r->frequency_context,
                      .seed = (uint64_t)r->seed,
                      .seeded = r->seeded};
    out->max_tokens = r->max_tokens;
    out->min_tokens = r->min_tokens;
    out->ignore_eos = r->ignore_eos;
    out->include_stop = r->include_stop;
    out->keep_special = !r->skip_special;
    out->n = r->n;
    out->best_of = r->best_of;
    out->logprobs = r->logprobs;
    out->priority = r->priority;
    out->salt = r->salt;
    r->bad = "stop_token_ids";
    if (r->stop_ids && server_request_ids("stop_token_ids", r->stop_ids, &ids, &out->n_stop_ids))
        return -1;
    out->stop_ids = ids;
    r->bad = "stop";
    if (r->stop && set_stops(r->stop, out))
        return -1;
    r->bad = "logit_bias";
    if (r->bias && set_bias(r->bias, out))
        return -1;
    r->bad = NULL;
    return 0;
}

void server_request_lists_free(lm_request *out)
{
    mem_free((void *)out->stop_ids);
    mem_free((void *)out->stop);
    mem_free((void *)out->bias);
}
