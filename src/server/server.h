/* The HTTP server: OpenAI's interface over one engine. */
#ifndef MICA_SERVER_SERVER_H
#define MICA_SERVER_SERVER_H

#include "server/request.h"

typedef struct server_options {
    const char *host, *name; /* name: what /v1/models tells */
    int port;                /* 0: any free one */
    request_defaults defaults;
    const char *const *keys; /* any of them opens; none: open to all */
    size_t n_keys;
    const char *origins; /* "*", or one origin that browsers may call from; NULL: none */
    size_t max_body;
    int idle_seconds, shutdown_seconds;
} server_options;

/* Serves until SIGTERM or SIGINT, then finishes what runs (at most shutdown_seconds). Prints its address on
 * stderr. 0, or -1 with an error. */
int server_run(const lm_model *model, lm_engine *engine, const server_options *options);

#endif
