/* A step: requests come in and cancelled ones go, the scheduler plans, the model computes, and each row that
 * asks gets its token. A failure ends the requests of the step and nothing else. */
#include "llm/engine.h"

#include "base/clock.h"
#include "base/error.h"

#include <stdio.h>
#include <string.h>

/* --- who is there --- */

static void end_all(engine_request *q, const char *reason)
{
    for (size_t i = 0; i < q->n_answers; i++)
        answer_end(&q->answers[i], reason);
}

static void fail_all(engine_request *q)
{
    snprintf(q->error, sizeof q->error, "%s", error_pending() ? error_text() : "the step failed");
    error_clear();
    end_all(q, "error");
}

static void submit(lm_engine *e, engine_request *q)
{
    bool failed = false;
    sequence *first = &q->answers[0].q;
    q->live = q->n_answers;
    if (q->r.salt)
        first->root = prefix_salt(&e->sched.blocks, q->r.salt, strlen(q->r.salt), &failed);
    for (size_t i = 1; i < q->n_answers; i++)
        q->answers[i].q.root = first->root;
    if (failed || sched_submit(&e->sched, first))
        fail_all(q);
}

/* Takes what is in the inbox to the end of the active ones. */
static void receive(lm_engine *e)
{
    pthread_mutex_lock(&e->lock);
    engine_request *list = e->inbox;
    if (list) {
        *e->active_end = list;
        e->active_end = e->inbox_end;
        e->inbox = NULL;
        e->inbox_end = &e->inbox;
    }
    pthread_mutex_unlock(&e->lock);
    for (; list; list = list->next)
        submit(e, list);
}

/* Ends what was cancelled, and frees what is over. */
static void sweep(lm_engine *e)
{
    engine_request *gone = NULL;
    for (engine_request *q = e->active; q; q = q->next)
        if (q->cancelled)
            end_all(q, "cancelled");
    pthread_mutex_lock(&e->lock);
    e->queued = 0;
    for (engine_request **link = &e->active, *q; (q = *link);) {
        e->queued += q->live && q->started <= 0;
        if (q->live) {
            link = &q->next;
            continue;
        }
        *link = q->next;
        if (!q->next)
            e->active_end = link;
        q->next = gone;
        gone = q;
    }
    for (engine_request *q = e->inbox; q; q = q->next)
        e->queued++;
    pthread_mutex_unlock(&e->lock);
    for (engine_request *next; gone; gone = next) {
        next = gone->next;
        prefix_drop(&e->sched.blocks, gone->answers[0].q.root);
        request_free(gone);
    }
}

void engine_publish(lm_engine *e)
{
    const sched *s = &e->sched;
    lm_engine_stats *t = &e->stats;
    pthread_mutex_lock(&e->lock);
    t->running = s->n_running;
    t->waiting = s->n_waiting;
    t->kv_blocks = t->kv_blocks_used = t->kv_blocks_cached = 0;
    for (int g = 0; g < s->options.n_groups; g++) {
        t->kv_blocks += (size_t)s->options.groups[g].blocks;
        t->kv_blocks_used += (size_t)(s->options.groups[g].blocks - blocks_available(&s->blocks, g));
        t->kv_blocks_cached += (size_t)s->blocks.pools[g].cached;
    }
    t->kv_bytes = engine_pool_bytes(e);
    t->max_length = e->max_length;
    t->steps = s->counts.steps;
    t->cache_queries = s->counts.queried;
    t->cache_hits = s->counts.hit;
    t->preemptions = s->counts.preemptions;
    t->prompt_tokens = e->prompt_tokens;
    t->generated_tokens = e->generated_tokens;
    t->drafts = e->drafts;
    t->draft_tokens = e->draft_tokens;
    t->accepted_tokens = e->accepted_tokens;
    t->busy_seconds = e->busy;
    t->last_step_tokens = e->last_tokens;
    t->last_step_sequences = e->last_sequences;
    pthread_mutex_unlock(&e->lock);
}

/* --- a step's results --- */

static void fork_all(engine_request *q)
{
    q->forked = true;
    for (size_t i = 1; i < q->n_answers; i++) {
        answer *a = &q->answers[i];
        if (!a->over &&
            (answer_fork_states(a, &q->answers[0]) || sched_fork(&q->engine->sched, &q->answers[0].q, &a->q)))
            fail_all(q);
    }
}

/* The prompt is computed: all sequences of the request draw from the same logits. */
static void draw_first(lm_engine *e, engine_request *q, float *logits)
{
    fork_all(q);
    for (size_t i = 0; i < q->n_answers; i++) {
        memcpy(e->row, logits, e->vocab * sizeof *logits);
        if (!q->answers[i].over)
            answer_draw(&q->answers[i], e->row);
    }
}

/* Draws a token, and another one for each draft that was right. */
static void draw_drafted(lm_engine *e, answer *a, float *logits)
{
    sequence *q = &a->q;
    e->drafts += q->drafts > 0;
    e->draft_tokens += q->drafts;
    for (;; logits += e->vocab) {
        size_t at = q->count;
        int guess = q->drafts ? q->tokens[at] : -1;
        answer_draw(a, logits);
        if (a->over || guess < 0 || q->tokens[at] != guess)
            break;
        e->accepted_tokens++;
        sched_accept(&e->sched, q);
    }
    q->drafts = 0;
}

static void take_row(lm_engine *e, const sched_row *row, float *logits)
{
    answer *a = row->s->owner;
    engine_request *q = a->request;
    bool all = row_tells_prompt(row);
    if (a->over || (all && answer_prompt(a, logits, row->start, row->count)))
        return;
    if (!row->last)
        return;
    float *last = logits + (all ? row->count - 1 : 0) * e->vocab;
    if (!q->forked)
        draw_first(e, q, last);
    else
        draw_drafted(e, a, last);
}

static void take_rows(lm_engine *e, const sched_row *rows, size_t n)
{
    float *logits = e->logits;
    for (size_t i = 0; i < n; i++) {
        size_t count = row_logits(&rows[i]);
        take_row(e, &rows[i], logits);
        logits += count * e->vocab;
    }
}

static void count_step(lm_engine *e, const sched_step *step)
{
    double now = clock_seconds();
    for (size_t i = 0; i < step->n; i++) {
        engine_request *q = ((answer *)step->rows[i].s->owner)->request;
        if (q->started <= 0) {
            q->started = now;
            e->prompt_tokens += q->n_prompt;
        }
    }
    e->last_tokens = step->tokens;
    e->last_sequences = step->n;
}

static void fail_step(lm_engine *e, const sched_step *step)
{
    char text[256];
    snprintf(text, sizeof text, "%s", error_pending() ? error_text() : "the step failed");
    error_clear();
    size_t n = step->n;
    sched_rollback(&e->sched); /* the rows stay readable */
    for (size_t i = 0; i < n; i++) {
        answer *a = step->rows[i].s->owner;
        snprintf(a->request->error, sizeof a->request->error, "%s", text);
        end_all(a->request, "error");
    }
    if (engine_pools_reset(e)) {
        for (engine_request *q = e->active; q; q = q->next)
            fail_all(q);
    }
}

int lm_engine_step(lm_engine *e)
{
    lm_begin();
    double begin = clock_seconds();
    receive(e);
    sweep(e);
    for (size_t i = 0; i < e->sched.n_running; i++) {
        answer *a = e->sched.running[i]->owner;
        if (a->request->r.drafts > 0)
            answer_guess(a);
    }
    const sched_step *step = sched_plan(&e->sched);
    if (step) {
        size_t n = step->n;
        count_step(e, step);
        double model = clock_seconds();
        int rc = engine_forward(e, step);
        e->forward += clock_seconds() - model;
        if (rc) {
            fail_step(e, step);
        } else {
            sched_commit(&e->sched);
            take_rows(e, step->rows, n);
        }
        e->busy += clock_seconds() - begin;
    }
    sweep(e);
    engine_publish(e);
    return e->active || e->inbox ? 1 : 0;
}
