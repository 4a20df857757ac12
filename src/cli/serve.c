/* mica serve: OpenAI's HTTP interface over the engine. */
#include "cli/cli.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#if HAVE_LIBEVENT
#include "server/server.h"

typedef struct serve_options {
    const char *host, *key, *origins, *name;
    int port, max_tokens, top_k, sequences, batch, waiting, length, kv_memory, body, idle, shutdown;
    float temp, top_p, min_p;
} serve_options;

/* clang-format off */
#define AT(field) offsetof(serve_options, field)
static const option rows[] = {
    {"--host", NULL, OPTION_TEXT, AT(host), "ADDRESS", "127.0.0.1", NULL, 0, 0, "address to listen on"},
    {"--port", NULL, OPTION_INT, AT(port), "N", "8080", NULL, 0, 65535, "port to listen on; 0 takes a free one"},
    {"--served-model-name", NULL, OPTION_TEXT, AT(name), "NAME", NULL, NULL, 0, 0,
     "what /v1/models calls the model; its path if not given"},
    {"--api-key", NULL, OPTION_TEXT, AT(key), "KEY", NULL, NULL, 0, 0,
     "key that all requests but those to /health must bring; better given by MICA_API_KEY"},
    {"--allowed-origins", NULL, OPTION_TEXT, AT(origins), "ORIGIN", "*", NULL, 0, 0,
     "web origin whose pages may call; * is any"},
    {"--temp", NULL, OPTION_REAL, AT(temp), "X", "0.0", NULL, 0, 2, "temperature of requests that name none"},
    {"--top-p", NULL, OPTION_REAL, AT(top_p), "X", "1.0", NULL, 0, 1, "top_p of requests that name none"},
    {"--min-p", NULL, OPTION_REAL, AT(min_p), "X", "0.0", NULL, 0, 1, "min_p of requests that name none"},
    {"--top-k", NULL, OPTION_INT, AT(top_k), "N", "0", NULL, 0, INT_MAX, "top_k of requests that name none"},
    {"--max-tokens", NULL, OPTION_INT, AT(max_tokens), "N", "512", NULL, 1, INT_MAX,
     "max_tokens of requests that name none"},
    {"--max-num-seqs", "--decode-concurrency", OPTION_INT, AT(sequences), "N", "64", NULL, 1, 65536,
     "sequences computed at a time"},
    {"--max-num-batched-tokens", "--prefill-step-size", OPTION_INT, AT(batch), "N", "512", NULL, 1, 1048576,
     "tokens of a step"},
    {"--max-queue", NULL, OPTION_INT, AT(waiting), "N", "1024", NULL, 1, INT_MAX,
     "requests that may wait; more are answered with 429"},
    {"--max-model-len", NULL, OPTION_INT, AT(length), "N", "0", NULL, 0, INT_MAX,
     "tokens of one request, prompt and answer; 0: as many as the model knows and fit"},
    {"--kv-memory", NULL, OPTION_INT, AT(kv_memory), "MIB", "0", NULL, 0, INT_MAX,
     "MiB for keys and values; 0: half of the free memory"},
    {"--max-body", NULL, OPTION_INT, AT(body), "MIB", "16", NULL, 1, 2047, "MiB of a request; more is answered with 413"},
    {"--idle-timeout", NULL, OPTION_INT, AT(idle), "SECONDS", "60", NULL, 1, 86400,
     "how long a connection may be silent"},
    {"--shutdown-timeout", NULL, OPTION_INT, AT(shutdown), "SECONDS", "30", NULL, 0, 86400,
     "how long SIGTERM lets running requests finish"},
};
#undef AT
/* clang-format on */

static int serve(const serve_options *o, const model_options *m, lm_model **model, lm_engine **engine)
{
    const char *keys[2] = {o->key, getenv("MICA_API_KEY")};
    size_t n = 0;
    for (int i = 0; i < 2; i++)
        if (keys[i] && *keys[i])
            keys[n++] = keys[i];
    if (o->key && !*o->key)
        return error_set("--api-key: the key is empty");
    if (cli_check_model(m->path, false) || !(*model = cli_load(m)))
        return -1;
    const lm_engine_options e = {.kv_memory = (size_t)o->kv_memory << 20,
                                 .max_batch_tokens = o->batch,
                                 .max_sequences = o->sequences < o->batch ? o->sequences : o->batch,
                                 .max_waiting = o->waiting,
                                 .max_length = o->length};
    if (!(*engine = lm_engine_new(*model, &e)))
        return -1;
    const server_options s = {.host = o->host,
                              .name = o->name ? o->name : m->path,
                              .port = o->port,
                              .defaults = {o->temp, o->top_p, o->min_p, o->top_k, o->max_tokens},
                              .keys = keys,
                              .n_keys = n,
                              .origins = o->origins,
                              .max_body = (size_t)o->body << 20,
                              .idle_seconds = o->idle,
                              .shutdown_seconds = o->shutdown};
    return server_run(*model, *engine, &s);
}

int cli_serve(int argc, char **argv)
{
    serve_options o = {0};
    model_options m = {0};
    lm_model *model = NULL;
    lm_engine *engine = NULL;
    const option_group groups[] = {cli_model_group(&m), OPTION_GROUP("Server", rows, &o),
                                   cli_refused_group()};
    const option_spec spec = {"mica serve", "answers OpenAI's HTTP requests",
                              "  mica serve --model models/story --port 8080\n", groups, 3};
    option_result parsed = options_parse(&spec, argc, argv);
    if (parsed != OPTIONS_RUN)
        return parsed == OPTIONS_HELP ? 0 : -1;
    int status = serve(&o, &m, &model, &engine);
    lm_engine_free(engine);
    lm_free(model);
    return status;
}
#else
int cli_serve(int argc, char **argv)
{
    (void)argc, (void)argv;
    return error_set("this mica was built without libevent: install libevent-dev and build again");
}
#endif
