/* The engine's thread only copies events into the mailbox; all else happens on the loop's thread. A job lives
 * until each of its sequences has had its last event, whether or not its client is still there. */
#include "server/job.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "io/jsontext.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/keyvalq_struct.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A stream whose reader is this far behind is given up. */
enum { MAX_BEHIND = 1 << 20 };

static size_t answers(const job *j) { return (size_t)j->r.n; }

/* --- the engine's side --- */

static message *new_message(part *p, const lm_event *e)
{
    if (!e->finish_reason)
        return mem_calloc(1, sizeof(message));
    message *m = &p->job->choices[p->at * answers(p->job) + (size_t)e->index].last;
    return m;
}

static int on_event(void *user, const lm_event *e)
{
    part *p = user;
    mailbox *box = p->job->box;
    message *m = new_message(p, e);
    if (!m) {
        error_clear();
        return 1;
    }
    m->part = p;
    m->index = e->index;
    m->id = e->id;
    m->logprob = e->logprob;
    m->n_top = e->n_top < REQUEST_MAX_TOP ? e->n_top : REQUEST_MAX_TOP;
    if (m->n_top)
        memcpy(m->top, e->top, m->n_top * sizeof *e->top);
    m->generated = e->generated_tokens;
    m->cached = e->cached_tokens;
    m->finish = e->finish_reason;
    strbuf_add(&m->text, e->text, e->len);
    if (e->error)
        strbuf_adds(&m->error, e->error);
    pthread_mutex_lock(&box->lock);
    bool first = !box->first;
    *box->end = m;
    box->end = &m->next;
    pthread_mutex_unlock(&box->lock);
    if (first && write(box->wake, "", 1) < 0)
        return 0; /* the pipe is full: the loop is awake */
    return 0;
}

/* --- answers --- */

void job_reply(struct evhttp_request *http, int status, json_t *value)
{
    strbuf text = {0};
    struct evbuffer *out = evhttp_request_get_output_buffer(http);
    evhttp_add_header(evhttp_request_get_output_headers(http), "Content-Type", "application/json");
    if (jsontext_add(&text, value, JSON_COMPACT)) {
        error_clear();
        status = 500;
    } else {
        evbuffer_add(out, text.data, text.len);
    }
    json_decref(value);
    strbuf_free(&text);
    evhttp_send_reply(http, status, NULL, NULL);
}

static json_t *error_value(int status, const char *text, const char *param)
{
    const char *type = status == 401   ? "authentication_error"
                       : status == 429 ? "rate_limit_error"
                       : status >= 500 ? "server_error"
                                       : "invalid_request_error";
    return json_pack("{s:{s:s, s:s, s:s?, s:i}}", "error", "message", text, "type", type, "param", param,
                     "code", status);
}

void job_reply_error(struct evhttp_request *http, int status, const char *text, const char *param)
{
    job_reply(http, status, error_value(status, text, param));
}

/* One candidate; a part of a character has no text of its own. */
static json_t *candidate(const job *j, int id, float logprob)
{
    size_t n = 0;
    char *text = lm_detokenize(j->model, &id, 1, false, &n);
    json_t *bytes = json_array();
    for (size_t i = 0; text && i < n; i++)
        json_array_append_new(bytes, json_integer((unsigned char)text[i]));
    json_t *v = json_pack("{s:s, s:f, s:o}", "token", text && utf8_check(text, n) == n ? text : "", "logprob",
                          logprob < -9999 ? -9999.0 : (double)logprob, "bytes", bytes);
    lm_release(text);
    return v;
}

/* What one token adds: OpenAI's form for chats, or the older one for completions. */
static void add_logprobs(const job *j, json_t *to, const message *m)
{
    json_t *own = candidate(j, m->id, m->logprob), *top = json_array(), *map = json_object();
    for (size_t i = 0; i < m->n_top; i++) {
        json_t *c = candidate(j, m->top[i].id, m->top[i].logprob);
        json_object_set(map, json_string_value(json_object_get(c, "token")), json_object_get(c, "logprob"));
        json_array_append_new(top, c);
    }
    if (j->endpoint == REQUEST_CHAT) {
        json_object_set(own, "top_logprobs", top);
        json_array_append(json_object_get(to, "content"), own);
    } else {
        json_array_append(json_object_get(to, "tokens"), json_object_get(own, "token"));
        json_array_append(json_object_get(to, "token_logprobs"), json_object_get(own, "logprob"));
        json_array_append(json_object_get(to, "top_logprobs"), map);
    }
    json_decref(own);
    json_decref(top);
    json_decref(map);
}

static json_t *new_logprobs(const job *j)
{
    if (j->r.logprobs < 0)
        return json_null();
    return j->endpoint == REQUEST_CHAT
               ? json_pack("{s:[]}", "content")
               : json_pack("{s:[], s:[], s:[]}", "tokens", "token_logprobs", "top_logprobs");
}

static json_t *usage(const job *j)
{
    size_t in = 0, out = 0;
    for (size_t i = 0; i < j->n_prompts; i++)
        in += j->prompts[i].n;
    for (size_t i = 0; i < j->n_choices; i++)
        out += j->choices[i].generated;
    return json_pack("{s:I, s:I, s:I, s:{s:I}}", "prompt_tokens", (json_int_t)in, "completion_tokens",
                     (json_int_t)out, "total_tokens", (json_int_t)(in + out), "prompt_tokens_details",
                     "cached_tokens", (json_int_t)j->cached);
}

static json_t *frame(const job *j, json_t *choices)
{
    bool chat = j->endpoint == REQUEST_CHAT;
    const char *object = !chat         ? "text_completion"
                         : j->r.stream ? "chat.completion.chunk"
                                       : "chat.completion";
    return json_pack("{s:s, s:s, s:I, s:s, s:o}", "id", j->name, "object", object, "created",
                     (json_int_t)j->created, "model", j->r.model ? j->r.model : j->options->name, "choices",
                     choices);
}

static json_t *choice_value(const job *j, size_t at, const char *text, size_t n, json_t *logprobs)
{
    choice *c = &j->choices[at];
    json_t *v = json_pack("{s:I, s:o, s:s?}", "index", (json_int_t)at, "logprobs", logprobs, "finish_reason",
                          c->finish);
    json_t *s = json_stringn(text, n);
    if (j->endpoint == REQUEST_COMPLETION) {
        json_object_set_new(v, "text", s);
    } else if (!j->r.stream) {
        json_object_set_new(v, "message", json_pack("{s:s, s:o}", "role", "assistant", "content", s));
    } else {
        json_t *delta = json_pack("{s:o}", "content", s);
        if (!c->begun)
            json_object_set_new(delta, "role", json_string("assistant"));
        json_object_set_new(v, "delta", delta);
    }
    c->begun = true;
    return v;
}

/* --- the loop's side --- */

static void on_close(struct evhttp_connection *c, void *user)
{
    (void)c;
    job *j = user;
    struct evhttp_request *orphan = j->http;
    job_leave(j);
    if (orphan && !evhttp_request_get_connection(orphan))
        evhttp_request_free(orphan);
}

/* While an answer is made, reading only watches for the client's leaving. */
static void watch(job *j)
{
    struct evhttp_connection *c = evhttp_request_get_connection(j->http);
    struct bufferevent *b = evhttp_connection_get_bufferevent(c);
    const struct timeval slow = {j->options->idle_seconds, 0};
    bufferevent_data_cb on_write;
    bufferevent_event_cb on_event_cb;
    void *arg;
    bufferevent_getcb(b, NULL, &on_write, &on_event_cb, &arg);
    bufferevent_setcb(b, NULL, on_write, on_event_cb, arg);
    bufferevent_setwatermark(b, EV_READ, 0, 65536);
    bufferevent_set_timeouts(b, NULL, &slow);
    bufferevent_enable(b, EV_READ);
    evhttp_connection_set_closecb(c, on_close, j);
}

static void unwatch(job *j)
{
    struct evhttp_connection *c = evhttp_request_get_connection(j->http);
    evhttp_connection_set_closecb(c, NULL, NULL);
    bufferevent_setwatermark(evhttp_connection_get_bufferevent(c), EV_READ, 0, 0);
    evhttp_connection_set_timeout(c, j->options->idle_seconds);
}

void job_leave(job *j)
{
    j->http = NULL;
    for (size_t i = 0; i < j->n_prompts; i++)
        if (j->parts[i].id)
            lm_engine_cancel(j->engine, j->parts[i].id);
}

static void free_job(job *j)
{
    if (j->link) {
        *j->link = j->next;
        if (j->next)
            j->next->link = j->link;
    }
    for (size_t i = 0; j->choices && i < j->n_choices; i++) {
        strbuf_free(&j->choices[i].text);
        json_decref(j->choices[i].logprobs);
    }
    prompts_free(j->prompts, j->n_prompts);
    server_request_free(&j->r);
    strbuf_free(&j->error);
    mem_free(j->parts);
    mem_free(j->choices);
    mem_free(j);
}

/* Sends one event of a stream; gives up on a reader that is too far behind. */
static void send_event(job *j, json_t *value)
{
    strbuf text = {0};
    struct evbuffer *b = evbuffer_new();
    if (!j->headers) {
        struct evkeyvalq *h = evhttp_request_get_output_headers(j->http);
        evhttp_add_header(h, "Content-Type", "text/event-stream");
        evhttp_add_header(h, "Cache-Control", "no-cache");
        evhttp_send_reply_start(j->http, 200, "OK");
        j->headers = true;
    }
    if (!value || jsontext_add(&text, value, JSON_COMPACT) == 0)
        evbuffer_add_printf(b, "data: %s\n\n", value ? text.data : "[DONE]");
    json_decref(value);
    strbuf_free(&text);
    evhttp_send_reply_chunk(j->http, b);
    evbuffer_free(b);
    struct evhttp_connection *c = evhttp_request_get_connection(j->http);
    if (evbuffer_get_length(bufferevent_get_output(evhttp_connection_get_bufferevent(c))) > MAX_BEHIND) {
        evhttp_connection_set_closecb(c, NULL, NULL);
        job_leave(j);
        evhttp_connection_free(c);
    }
}

static void send_stream_end(job *j)
{
    if (j->error.len)
        send_event(j, error_value(500, j->error.data, NULL));
    if (j->http && j->r.usage) {
        json_t *v = frame(j, json_array());
        json_object_set_new(v, "usage", usage(j));
        send_event(j, v);
    }
    if (j->http)
        send_event(j, NULL);
    if (j->http) {
        unwatch(j);
        evhttp_send_reply_end(j->http);
    }
}

static void send_whole(job *j)
{
    unwatch(j);
    if (j->error.len) {
        job_reply_error(j->http, 500, j->error.data, NULL);
        return;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < j->n_choices; i++)
        json_array_append_new(list,
                              choice_value(j, i, strbuf_text(&j->choices[i].text), j->choices[i].text.len,
                                           json_incref(j->choices[i].logprobs)));
    json_t *v = frame(j, list);
    json_object_set_new(v, "usage", usage(j));
    job_reply(j->http, 200, v);
}

static void end_job(job *j)
{
    if (j->http && j->r.stream)
        send_stream_end(j);
    else if (j->http)
        send_whole(j);
    free_job(j);
}

void job_take(message *m)
{
    job *j = m->part->job;
    size_t at = m->part->at * answers(j) + (size_t)m->index;
    choice *c = &j->choices[at];
    bool last = m->finish, told = j->r.logprobs >= 0 && m->id >= 0;
    c->generated = m->generated;
    c->finish = m->finish;
    if (last && m->index == 0)
        j->cached += m->cached;
    if (m->error.len && !j->error.len)
        strbuf_add(&j->error, m->error.data, m->error.len);
    if (j->http && !j->r.stream) {
        strbuf_add(&c->text, strbuf_text(&m->text), m->text.len);
        if (told)
            add_logprobs(j, c->logprobs, m);
    } else if (j->http && (m->text.len || told || last)) {
        json_t *logprobs = told ? new_logprobs(j) : json_null();
        if (told)
            add_logprobs(j, logprobs, m);
        json_t *v = choice_value(j, at, strbuf_text(&m->text), m->text.len, logprobs);
        send_event(j, frame(j, json_pack("[o]", v)));
    }
    strbuf_free(&m->text);
    strbuf_free(&m->error);
    if (!last)
        mem_free(m);
    else if (--j->live == 0)
        end_job(j);
}

/* --- the start --- */

static int prepare(job *j)
{
    if (prompts_make(j->model, &j->r, &j->prompts, &j->n_prompts))
        return -1;
    j->n_choices = j->n_prompts * answers(j);
    j->parts = mem_calloc(j->n_prompts, sizeof *j->parts);
    j->choices = mem_calloc(j->n_choices, sizeof *j->choices);
    if (!j->parts || !j->choices)
        return -1;
    for (size_t i = 0; i < j->n_choices; i++) {
        j->choices[i].logprobs = new_logprobs(j);
        if (!j->r.echo)
            continue;
        const prompt *p = &j->prompts[i / answers(j)];
        size_t n;
        char *text = lm_detokenize(j->model, p->ids, p->n, j->r.skip_special, &n);
        if (!text)
            return -1;
        strbuf_add(&j->choices[i].text, text, n);
        lm_release(text);
    }
    return 0;
}

/* 0, or what lm_engine_submit said; earlier prompts are then cancelled. */
static int submit(job *j)
{
    lm_request q;
    int rc = server_request_lists(&j->r, &q);
    for (size_t i = 0; rc == 0 && i < j->n_prompts; i++) {
        j->parts[i] = (part){j, i, 0};
        q.prompt = j->prompts[i].ids;
        q.n_prompt = j->prompts[i].n;
        rc = lm_engine_submit(j->engine, &q, on_event, &j->parts[i], &j->parts[i].id);
        if (rc == 0)
            j->live += answers(j);
    }
    server_request_lists_free(&q);
    return rc;
}

int job_start(job **list, const job *like, request *r)
{
    static unsigned long long numbers;
    job *j = mem_calloc(1, sizeof *j);
    if (!j) {
        server_request_free(r);
        return -1;
    }
    *j = *like;
    j->r = *r;
    j->created = (long long)time(NULL);
    snprintf(j->name, sizeof j->name, "%s-%llx%06llx", j->endpoint == REQUEST_CHAT ? "chatcmpl" : "cmpl",
             (unsigned long long)j->created, ++numbers);
    int rc = prepare(j);
    if (rc == 0)
        rc = submit(j);
    r->bad = j->r.bad; /* a literal by now */
    j->link = NULL;
    if (rc && j->live == 0) {
        free_job(j);
        return rc;
    }
    j->link = list;
    j->next = *list;
    if (*list)
        (*list)->link = &j->next;
    *list = j;
    if (rc) {
        job_leave(j);
        return rc;
    }
    watch(j);
    for (size_t i = 0; j->r.echo && j->r.stream && j->http && i < j->n_choices; i++)
        send_event(j, frame(j, json_pack("[o]", choice_value(j, i, strbuf_text(&j->choices[i].text),
                                                             j->choices[i].text.len, json_null()))));
    return 0;
}
