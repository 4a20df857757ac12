/* A request's JSON body: checked field by field against one table, so that nothing is ignored. */
#ifndef MICA_SERVER_REQUEST_H
#define MICA_SERVER_REQUEST_H

#include <jansson.h>
#include <mica.h>
#include <stdbool.h>

enum { REQUEST_CHAT = 1, REQUEST_COMPLETION = 2, REQUEST_TOKENIZE = 4, REQUEST_DETOKENIZE = 8 };
enum { REQUEST_MAX_PROMPTS = 1024, REQUEST_MAX_ANSWERS = 128, REQUEST_MAX_STOPS = 16, REQUEST_MAX_TOP = 20 };

/* What a server gives to requests that do not say. */
typedef struct request_defaults {
    float temp, top_p, min_p;
    int top_k, max_tokens;
} request_defaults;

/* Values lie in `body`, which the request owns. */
typedef struct request {
    json_t *body;
    const char *model, *salt;
    json_t *messages, *prompt, *tokens, *stop, *stop_ids, *bias, *kwargs, *stream_options, *format, *choice;
    bool stream, usage, echo, ignore_eos, include_stop, skip_special, special, special_given;
    bool generation_prompt, continue_final;
    bool chat_logprobs;
    int logprobs; /* alternatives; -1: none are told */
    int top_logprobs, max_tokens, max_completion_tokens, min_tokens, n, best_of, priority;
    float temperature, top_p, min_p, repetition_penalty, presence_penalty, frequency_penalty;
    float xtc_probability, xtc_threshold;
    int top_k, repetition_context, presence_context, frequency_context;
    long long seed;
    bool seeded;
    const char *bad; /* the field that was wrong, or NULL: for the error's "param" */
} request;

/* Checks `text` of n bytes as the body of a request to `endpoint` (one of the bits above). 0, or -1 with an
 * error; server_request_free in both cases. */
int server_request_parse(request *r, int endpoint, const char *text, size_t n,
                         const request_defaults *defaults);
void server_request_free(request *r);

/* What the engine is to be told, without the prompt. Lists are new (server_request_lists_free) or lie in the
 * body. 0 or -1 with an error. */
int server_request_lists(request *r, lm_request *out);
void server_request_lists_free(lm_request *out);

/* Token ids of a JSON list into new memory (mem_free). 0 or -1 with an error that begins with `what`. */
int server_request_ids(const char *what, const json_t *list, int **ids, size_t *n);

#endif
