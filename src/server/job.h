/* One request on its way: from the engine's thread to the loop's by messages, from there to the client. */
#ifndef MICA_SERVER_JOB_H
#define MICA_SERVER_JOB_H

#include "base/strbuf.h"
#include "server/prompt.h"
#include "server/server.h"

#include <event2/http.h>
#include <pthread.h>

/* What the engine said, copied. */
typedef struct message {
    struct message *next;
    struct part *part;
    int index, id;
    strbuf text;
    float logprob;
    lm_candidate top[REQUEST_MAX_TOP];
    size_t n_top, generated, cached;
    const char *finish; /* NULL or a literal */
    strbuf error;
} message;

typedef struct mailbox {
    pthread_mutex_t lock;
    message *first, **end;
    int wake; /* a pipe's writing end */
} mailbox;

/* The answers to one prompt. */
typedef struct part {
    struct job *job;
    size_t at; /* which prompt */
    uint64_t id;
} part;

typedef struct choice {
    strbuf text;
    json_t *logprobs;
    const char *finish;
    size_t generated;
    bool begun;
    message last; /* room for the last event, which must never be lost */
} choice;

typedef struct job {
    struct job *next, **link;
    mailbox *box;
    const lm_model *model;
    lm_engine *engine;
    const server_options *options;
    struct evhttp_request *http; /* NULL once it is answered or the client has left */
    request r;
    int endpoint;
    prompt *prompts;
    size_t n_prompts, n_choices, live, cached;
    part *parts;
    choice *choices;
    char name[40];
    long long created;
    bool headers; /* of a stream have been sent */
    strbuf error;
} job;

/* Begins to answer; takes r (also when it fails). The job is in *list until it has ended. 0, or -1 with an
 * error, LM_BUSY when the queue is full: nothing has been sent then. */
int job_start(job **list, const job *like, request *r);
/* Takes one message in and frees it. */
void job_take(message *m);
/* The client left: its sequences are cancelled. */
void job_leave(job *j);

/* Sends a JSON value (which it takes) as the answer. */
void job_reply(struct evhttp_request *http, int status, json_t *value);
/* Sends OpenAI's error form. */
void job_reply_error(struct evhttp_request *http, int status, const char *message, const char *param);

#endif
