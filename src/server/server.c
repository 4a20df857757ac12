/* One loop for all sockets (libevent), one thread for the engine. Every path but /health wants a key when
 * there are any. */
#include "server/server.h"

#include "base/error.h"
#include "base/mem.h"
#include "server/job.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct server {
    job like; /* what all jobs share */
    job *jobs;
    mailbox box;
    int wake[2];
    struct event_base *base;
    struct evhttp *http;
    struct evhttp_bound_socket *socket;
    bool stopping;
    int seconds_left;
} server;

/* --- small answers --- */

static void get_health(server *s, struct evhttp_request *q)
{
    job_reply(q, s->stopping ? 503 : 200, json_pack("{s:s}", "status", s->stopping ? "stopping" : "ok"));
}

static void get_models(server *s, struct evhttp_request *q)
{
    lm_engine_stats stats;
    lm_engine_get_stats(s->like.engine, &stats);
    job_reply(q, 200,
              json_pack("{s:s, s:[{s:s, s:s, s:I, s:s, s:I}]}", "object", "list", "data", "id",
                        s->like.options->name, "object", "model", "created", (json_int_t)0, "owned_by",
                        "mica", "max_model_len", (json_int_t)stats.max_length));
}

static void get_version(server *s, struct evhttp_request *q)
{
    (void)s;
    job_reply(q, 200, json_pack("{s:s}", "version", lm_version()));
}

static void get_metrics(server *s, struct evhttp_request *q)
{
    lm_engine_stats t;
    lm_engine_get_stats(s->like.engine, &t);
    const double used = t.kv_blocks ? (double)t.kv_blocks_used / (double)t.kv_blocks : 0;
    const struct {
        const char *name, *type;
        double value;
    } rows[] = {{"vllm:num_requests_running", "gauge", (double)t.running},
                {"vllm:num_requests_waiting", "gauge", (double)t.waiting},
                {"vllm:kv_cache_usage_perc", "gauge", used},
                {"vllm:prompt_tokens_total", "counter", (double)t.prompt_tokens},
                {"vllm:generation_tokens_total", "counter", (double)t.generated_tokens},
                {"vllm:prefix_cache_queries_total", "counter", (double)t.cache_queries},
                {"vllm:prefix_cache_hits_total", "counter", (double)t.cache_hits},
                {"vllm:num_preemptions_total", "counter", (double)t.preemptions},
                {"mica_steps_total", "counter", (double)t.steps},
                {"mica_busy_seconds_total", "counter", t.busy_seconds},
                {"mica_requests_refused_total", "counter", (double)t.refused},
                {"mica_requests_cancelled_total", "counter", (double)t.cancelled}};
    struct evbuffer *b = evhttp_request_get_output_buffer(q);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        evbuffer_add_printf(b, "# TYPE %s %s\n%s %.17g\n", rows[i].name, rows[i].type, rows[i].name,
                            rows[i].value);
    evhttp_add_header(evhttp_request_get_output_headers(q), "Content-Type", "text/plain; version=0.0.4");
    evhttp_send_reply(q, 200, "OK", NULL);
}

/* --- generation --- */

static void reply_pending(struct evhttp_request *q, int status, const char *param)
{
    if (status == 429 || status == 503)
        evhttp_add_header(evhttp_request_get_output_headers(q), "Retry-After", "1");
    job_reply_error(q, status, error_pending() ? error_text() : "failed", param);
    error_clear();
}

static void post(server *s, struct evhttp_request *q, int endpoint)
{
    struct evbuffer *in = evhttp_request_get_input_buffer(q);
    size_t n = evbuffer_get_length(in);
    request r;
    if (s->stopping) {
        error_set("the server is stopping");
        reply_pending(q, 503, NULL);
        return;
    }
    if (server_request_parse(&r, endpoint, n ? (const char *)evbuffer_pullup(in, -1) : "", n,
                             &s->like.options->defaults)) {
        reply_pending(q, 400, r.bad);
        server_request_free(&r);
        return;
    }
    job like = s->like;
    like.http = q;
    like.endpoint = endpoint;
    int rc = job_start(&s->jobs, &like, &r);
    if (rc)
        reply_pending(q, rc == LM_BUSY ? 429 : 400, r.bad);
}

static void post_chat(server *s, struct evhttp_request *q) { post(s, q, REQUEST_CHAT); }
static void post_completion(server *s, struct evhttp_request *q) { post(s, q, REQUEST_COMPLETION); }

static const struct {
    const char *path;
    enum evhttp_cmd_type method;
    void (*run)(server *, struct evhttp_request *);
} routes[] = {
    {"/health", EVHTTP_REQ_GET, get_health},
    {"/v1/models", EVHTTP_REQ_GET, get_models},
    {"/version", EVHTTP_REQ_GET, get_version},
    {"/metrics", EVHTTP_REQ_GET, get_metrics},
    {"/v1/chat/completions", EVHTTP_REQ_POST, post_chat},
    {"/chat/completions", EVHTTP_REQ_POST, post_chat},
    {"/v1/completions", EVHTTP_REQ_POST, post_completion},
};

/* --- who may --- */

/* Takes as long for a wrong key as for the right one. */
static bool same_key(const char *key, const char *given)
{
    size_t n = strlen(key), m = strlen(given);
    unsigned different = n != m;
    for (size_t i = 0; i < n; i++)
        different |= (unsigned char)key[i] ^ (unsigned char)(m ? given[i % m] : 0);
    return different == 0;
}

static bool may(const server *s, struct evhttp_request *q)
{
    const char *given = evhttp_find_header(evhttp_request_get_input_headers(q), "Authorization");
    bool found = s->like.options->n_keys == 0;
    if (given && strncmp(given, "Bearer ", 7) == 0)
        for (size_t i = 0; i < s->like.options->n_keys; i++)
            found |= same_key(s->like.options->keys[i], given + 7);
    return found;
}

static void allow_origin(const server *s, struct evhttp_request *q)
{
    struct evkeyvalq *out = evhttp_request_get_output_headers(q);
    if (!s->like.options->origins)
        return;
    evhttp_add_header(out, "Access-Control-Allow-Origin", s->like.options->origins);
    evhttp_add_header(out, "Access-Control-Allow-Methods", "GET, POST, OPTIONS");
    evhttp_add_header(out, "Access-Control-Allow-Headers", "Authorization, Content-Type");
}

static void on_request(struct evhttp_request *q, void *user)
{
    server *s = user;
    const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(q));
    enum evhttp_cmd_type method = evhttp_request_get_command(q);
    allow_origin(s, q);
    if (method == EVHTTP_REQ_OPTIONS) {
        evhttp_send_reply(q, 204, "No Content", NULL);
        return;
    }
    if ((!path || strcmp(path, "/health") != 0) && !may(s, q)) {
        job_reply_error(q, 401, "the Authorization header has no valid key", NULL);
        return;
    }
    bool known = false;
    for (size_t i = 0; path && i < sizeof routes / sizeof *routes; i++) {
        if (strcmp(routes[i].path, path) != 0)
            continue;
        if (routes[i].method == method) {
            routes[i].run(s, q);
            return;
        }
        known = true;
    }
    job_reply_error(q, known ? 405 : 404, known ? "this path has another method" : "there is no such path",
                    NULL);
}

/* --- the loop --- */

static void on_wake(evutil_socket_t fd, short what, void *user)
{
    server *s = user;
    char drop[256];
    (void)what;
    while (read(fd, drop, sizeof drop) > 0)
        continue;
    pthread_mutex_lock(&s->box.lock);
    message *m = s->box.first;
    s->box.first = NULL;
    s->box.end = &s->box.first;
    pthread_mutex_unlock(&s->box.lock);
    for (message *next; m; m = next) {
        next = m->next; /* job_take frees it */
        job_take(m);
    }
    error_clear();
}

static void on_signal(evutil_socket_t fd, short what, void *user)
{
    server *s = user;
    (void)fd, (void)what;
    if (s->stopping)
        s->seconds_left = 0;
    else if (s->socket)
        evhttp_del_accept_socket(s->http, s->socket);
    s->socket = NULL;
    s->stopping = true;
}

static void on_second(evutil_socket_t fd, short what, void *user)
{
    server *s = user;
    (void)fd, (void)what;
    if (s->stopping && s->seconds_left-- <= 0)
        for (job *j = s->jobs; j; j = j->next)
            for (size_t i = 0; i < j->n_prompts; i++)
                if (j->parts[i].id)
                    lm_engine_cancel(j->engine, j->parts[i].id);
    if (s->stopping && !s->jobs)
        event_base_loopexit(s->base, &(struct timeval){0, 200000}); /* the last bytes go out */
}

static void *run_engine(void *engine)
{
    lm_engine_run(engine);
    return NULL;
}

static int bound_port(const server *s)
{
    struct sockaddr_storage a = {0};
    socklen_t n = sizeof a;
    getsockname(evhttp_bound_socket_get_fd(s->socket), (struct sockaddr *)&a, &n);
    return ntohs(a.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&a)->sin6_port
                                         : ((struct sockaddr_in *)&a)->sin_port);
}

static int open_server(server *s, const server_options *o)
{
    s->base = event_base_new();
    s->http = s->base ? evhttp_new(s->base) : NULL;
    if (!s->http || pipe(s->wake))
        return error_set("cannot start the event loop");
    for (int i = 0; i < 2; i++)
        fcntl(s->wake[i], F_SETFL, O_NONBLOCK);
    s->box.wake = s->wake[1];
    evhttp_set_gencb(s->http, on_request, s);
    evhttp_set_allowed_methods(s->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_OPTIONS);
    evhttp_set_max_body_size(s->http, (ev_ssize_t)o->max_body);
    evhttp_set_max_headers_size(s->http, 65536);
    evhttp_set_timeout(s->http, o->idle_seconds);
    s->socket = evhttp_bind_socket_with_handle(s->http, o->host, (ev_uint16_t)o->port);
    if (!s->socket)
        return error_set("cannot listen on %s, port %d: is it in use?", o->host, o->port);
    return 0;
}

static void loop(server *s)
{
    pthread_t thread;
    struct event *events[] = {event_new(s->base, s->wake[0], EV_READ | EV_PERSIST, on_wake, s),
                              evsignal_new(s->base, SIGTERM, on_signal, s),
                              evsignal_new(s->base, SIGINT, on_signal, s),
                              event_new(s->base, -1, EV_PERSIST, on_second, s)};
    const struct timeval second = {1, 0};
    for (int i = 0; i < 4; i++)
        event_add(events[i], i == 3 ? &second : NULL);
    if (pthread_create(&thread, NULL, run_engine, s->like.engine)) {
        error_set("cannot start the engine's thread");
    } else {
        fprintf(stderr, "listening on http://%s:%d\n", s->like.options->host, bound_port(s));
        event_base_dispatch(s->base);
        lm_engine_stop(s->like.engine, false);
        pthread_join(thread, NULL);
    }
    for (int i = 0; i < 4; i++)
        event_free(events[i]);
}

int server_run(const lm_model *model, lm_engine *engine, const server_options *o)
{
    server s = {.like = {.model = model, .engine = engine, .options = o},
                .seconds_left = o->shutdown_seconds,
                .wake = {-1, -1}};
    signal(SIGPIPE, SIG_IGN);
    pthread_mutex_init(&s.box.lock, NULL);
    s.box.end = &s.box.first;
    s.like.box = &s.box;
    int rc = open_server(&s, o);
    if (rc == 0)
        loop(&s);
    if (s.http)
        evhttp_free(s.http);
    if (s.base)
        event_base_free(s.base);
    for (int i = 0; i < 2; i++)
        if (s.wake[i] >= 0)
            close(s.wake[i]);
    pthread_mutex_destroy(&s.box.lock);
    return rc || error_pending() ? -1 : 0;
}
