/* One sequence of a request. The order of a draw: bias, what min_tokens forbids, penalties, filters
 * (sample.c). A sequence ends by an end token, a stop text, its limit, a cancel or an error; whichever it is,
 * its blocks are free before the event that says so. */
#include "llm/engine.h"

#include "base/error.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* --- events --- */

lm_event answer_event(const answer *a)
{
    const engine_request *q = a->request;
    return (lm_event){.request = q->id,
                      .index = a->index,
                      .position = q->n_prompt + a->generated,
                      .id = -1,
                      .text = "",
                      .stop_id = -1,
                      .prompt_tokens = q->n_prompt,
                      .cached_tokens = q->answers[0].q.cached,
                      .generated_tokens = a->generated,
                      .queue_seconds = q->started > 0 ? q->started - q->submitted : 0};
}

void request_tell(engine_request *q, const lm_event *event)
{
    if (q->fn && q->fn(q->user, event))
        atomic_store(&q->cancelled, true);
}

/* 0, or -1 with an error when the event cannot be kept. */
static int tell(answer *a, const lm_event *event)
{
    if (answer_waits(a))
        return answer_keep(a, event);
    request_tell(a->request, event);
    return 0;
}

static void note_error(engine_request *q)
{
    snprintf(q->error, sizeof q->error, "%s", error_pending() ? error_text() : "the request failed");
    error_clear();
}

/* The sequence leaves the scheduler. */
static void leave(answer *a)
{
    a->over = true;
    a->request->live--;
    sched_remove(&a->request->engine->sched, &a->q);
    answer_free_states(a);
}

static void count_end(lm_engine *e, const char *reason)
{
    lm_engine_stats *s = &e->stats;
    uint64_t *counts[] = {&s->stopped, &s->full, &s->cancelled, &s->failed};
    static const char *const reasons[] = {"stop", "length", "cancelled", "error"};
    pthread_mutex_lock(&e->lock);
    for (int i = 0; i < 4; i++)
        *counts[i] += strcmp(reason, reasons[i]) == 0;
    pthread_mutex_unlock(&e->lock);
}

/* The last event: with what text is left. */
static void finish(answer *a, lm_event *event, const char *reason)
{
    leave(a);
    count_end(a->request->engine, reason);
    event->finish_reason = reason;
    if (strcmp(reason, "error") == 0)
        event->error = a->request->error;
    if (tell(a, event))
        note_error(a->request);
    if (a->request->live == 0 && answer_waits(a))
        request_tell_best(a->request);
}

/* --- text --- */

/* Takes in what a token (id < 0: none) completes; at the end all that was held. The stop text met, or -1. */
static int add_text(answer *a, int id, bool last)
{
    const char *text = "";
    size_t n = 0;
    bool look = a->generated >= (size_t)a->request->r.min_tokens;
    if (!a->detok)
        return -1;
    if (id >= 0)
        detok_add(a->detok, id, &text, &n);
    int met = stops_add(&a->text, text, n, look);
    if (met < 0 && last) {
        a->text.ready = 0; /* it goes out together with what follows */
        detok_finish(a->detok, &text, &n);
        met = stops_add(&a->text, text, n, look);
        if (met < 0)
            stops_end(&a->text);
    }
    return met;
}

static void set_text(const answer *a, lm_event *event)
{
    event->text = strbuf_text(&a->text.held);
    event->len = a->text.ready;
}

void answer_end(answer *a, const char *reason)
{
    if (a->over)
        return;
    lm_event event = answer_event(a);
    add_text(a, -1, true);
    set_text(a, &event);
    finish(a, &event, reason);
}

static void fail(answer *a)
{
    note_error(a->request);
    answer_end(a, "error");
}

/* --- tokens --- */

static bool is_listed(const int *ids, size_t n, int id)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] == id)
            return true;
    return false;
}

static bool is_end(const answer *a, int id)
{
    const lm_request *r = &a->request->r;
    return is_listed(r->stop_ids, r->n_stop_ids, id) ||
           (!r->ignore_eos && lm_is_eos(a->request->engine->model, id));
}

/* What the request adds to the logits. */
static void adjust(const answer *a, float *logits)
{
    const lm_request *r = &a->request->r;
    const lm_model *m = a->request->engine->model;
    for (size_t i = 0; i < r->n_bias; i++)
        logits[r->bias[i].id] += r->bias[i].bias;
    if (a->generated >= (size_t)r->min_tokens)
        return;
    for (size_t i = 0; i < r->n_stop_ids; i++)
        logits[r->stop_ids[i]] = -INFINITY;
    for (size_t i = 0; i < m->n_eos && !r->ignore_eos; i++)
        if (m->eos[i] >= 0 && (size_t)m->eos[i] < a->request->engine->vocab)
            logits[m->eos[i]] = -INFINITY;
}

/* What a drawn token means: its event, and whether it is the last. */
static void take(answer *a, lm_event *event)
{
    engine_request *q = a->request;
    bool end = is_end(a, event->id), full = a->generated >= q->limit;
    int met = add_text(a, end ? -1 : event->id, end || full);
    set_text(a, event);
    event->stop = met >= 0 ? q->stop.texts[met] : NULL;
    event->stop_id = end ? event->id : -1;
    const char *reason = end || met >= 0 ? "stop" : full ? "length" : NULL;
    if (reason) {
        finish(a, event, reason);
        return;
    }
    if (a->text.held.failed || sched_append(&q->engine->sched, &a->q, event->id) || tell(a, event))
        fail(a);
}

void answer_draw(answer *a, float *logits)
{
    engine_request *q = a->request;
    lm_engine *e = q->engine;
    size_t n_top = q->r.logprobs > 0 ? (size_t)q->r.logprobs : 0;
    lm_event event = answer_event(a);
    if (q->limit == 0) {
        answer_end(a, "length");
        return;
    }
    adjust(a, logits);
    float *logprob = q->r.logprobs >= 0 || answer_waits(a) ? &event.logprob : NULL;
    if (sampler_draw_top(&a->sampler, logits, a->q.tokens, a->q.count, &event.id, logprob, e->top, n_top)) {
        fail(a);
        return;
    }
    event.top = e->top;
    event.n_top = n_top;
    event.generated_tokens = ++a->generated;
    e->generated_tokens++;
    a->logprobs += (double)event.logprob;
    take(a, &event);
}

int answer_prompt(answer *a, float *logits, size_t start, size_t n)
{
    engine_request *q = a->request;
    lm_engine *e = q->engine;
    size_t n_top = (size_t)q->r.prompt_logprobs;
    for (size_t i = 0; i < n && start + i + 1 < q->n_prompt; i++) {
        size_t at = start + i + 1;
        const float *row = logits + i * e->vocab;
        float lse;
        if (at < q->told) /* it was computed anew */
            continue;
        if (sampler_lse(row, e->vocab, &lse)) {
            fail(a);
            return -1;
        }
        sampler_top(row, e->vocab, lse, e->top, n_top);
        lm_event event = answer_event(a);
        event.prompt = true;
        event.position = at;
        event.id = a->q.tokens[at];
        event.logprob = row[event.id] - lse;
        event.top = e->top;
        event.n_top = n_top;
        q->told = at + 1;
        request_tell(q, &event);
    }
    return 0;
}
