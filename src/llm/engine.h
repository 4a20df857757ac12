/* Inside of lm_engine.
 *
 *     engine.c            submit, cancel, run: what other threads may call, under the lock
 *     engine_request.c    a request: checked, copied, freed
 *     engine_step.c       a step: who came and went, the plan, the model, a token for each row that asks
 *     engine_answer.c     one sequence of a request: from logits to a token, text and events
 *     engine_guess.c      drafts: what followed when the last tokens came before
 *     engine_best.c       events kept until the best of several sequences are known
 *     engine_model.c      the pools of keys and values, and the forward pass over the rows of a step */
#ifndef MICA_LLM_ENGINE_H
#define MICA_LLM_ENGINE_H

#include "llm/model.h"
#include "llm/sample.h"
#include "llm/schedule.h"
#include "llm/stops.h"

#include <pthread.h>

typedef struct engine_request engine_request;

/* A token that waits for the end of best_of. */
typedef struct kept_event {
    lm_event event;
    size_t text_at, top_at; /* where its text and top are among the kept ones */
} kept_event;

typedef struct answer {
    sequence q;
    engine_request *request;
    int index;
    sampler sampler; /* within the engine's scratch */
    detok *detok;    /* NULL without a tokenizer */
    stops text;
    size_t generated;
    double logprobs; /* their sum */
    bool over;
    mlx_array *states; /* of recurrent layers, or NULL */
    kept_event *kept;  /* with best_of */
    size_t n_kept, kept_cap;
    strbuf kept_text, kept_top;
} answer;

struct engine_request {
    engine_request *next;
    uint64_t id;
    lm_engine *engine;
    lm_request r; /* its pointers are to copies, but for prompt, which is the first answer's tokens */
    stop_list stop;
    lm_event_fn fn;
    void *user;
    double submitted, started; /* times; 0: not yet */
    size_t n_prompt, limit;    /* tokens; of an answer at most */
    size_t told;               /* prompt tokens whose log-probabilities were told, and one more */
    answer *answers;           /* best_of of them */
    size_t n_answers, live;
    _Atomic bool cancelled;
    bool forked;
    char error[256]; /* what ended it, for its last events */
};

struct lm_engine {
    const lm_model *model;
    sched sched;
    size_t max_length, vocab;
    bool throughput;
    struct engine_pools *pools; /* engine_model.c */
    sampler scratch;
    float *logits, *row; /* of the rows that ask; one copy */
    size_t logits_cap;
    lm_candidate *top;                    /* vocab places */
    engine_request *active, **active_end; /* what is not over; the stepping thread's, links under the lock */
    uint64_t seeds, prompt_tokens, generated_tokens, drafts, draft_tokens, accepted_tokens;
    double busy, forward; /* seconds in steps, and of these in the model */
    size_t last_tokens, last_sequences;
    /* --- under the lock --- */
    pthread_mutex_t lock;
    pthread_cond_t work;
    engine_request *inbox, **inbox_end;
    size_t queued, max_queued; /* requests that have not started */
    uint64_t ids;
    int stopping; /* 1: at once, 2: when all is done */
    lm_engine_stats stats;
};

/* --- requests --- */

/* A checked copy. NULL with an error. */
engine_request *request_new(lm_engine *e, const lm_request *r, lm_event_fn fn, void *user);
void request_free(engine_request *q);

/* --- answers --- */

/* Draws the next token of a sequence whose logits (which it overwrites) these are, and tells it. */
void answer_draw(answer *a, float *logits);
/* Guesses what follows a sequence that decodes, for the next step. */
void answer_guess(answer *a);
/* Ends a sequence that is not over, with this reason: its last event, its blocks free. */
void answer_end(answer *a, const char *reason);
/* Tells about the prompt's tokens behind start .. start + n - 1 from the logits of these positions. 0 or -1.
 */
int answer_prompt(answer *a, float *logits, size_t start, size_t n);
/* Hands an event to the caller. */
void request_tell(engine_request *q, const lm_event *event);
/* Keeps an event for request_tell_best. 0 or -1. */
int answer_keep(answer *a, const lm_event *event);
/* All sequences are over: the events of the n best. */
void request_tell_best(engine_request *q);
/* The event that says where a sequence stands. */
lm_event answer_event(const answer *a);
/* Does its request choose the best of several? */
static inline bool answer_waits(const answer *a) { return a->request->n_answers > (size_t)a->request->r.n; }

/* --- steps --- */

/* Does the answer tell about the prompt's tokens of this row? */
static inline bool row_tells_prompt(const sched_row *row)
{
    const engine_request *q = ((const answer *)row->s->owner)->request;
    return q->r.prompt_logprobs >= 0 && !q->forked;
}
/* How many of its positions' logits are wanted: all, the last one's and those of drafts, or none. */
static inline size_t row_logits(const sched_row *row)
{
    return row_tells_prompt(row) ? row->count : row->last ? 1 + row->s->drafts : 0;
}
/* Makes the figures of now visible to other threads. */
void engine_publish(lm_engine *e);

/* --- the model --- */

/* Pools for as many blocks as memory allows; fills in the scheduler's groups. 0 or -1. */
int engine_pools_new(lm_engine *e, const lm_engine_options *o, sched_options *s);
void engine_pools_free(lm_engine *e);
/* After a failure: new pools, for what was in the old ones is lost. 0 or -1. */
int engine_pools_reset(lm_engine *e);
size_t engine_pool_bytes(const lm_engine *e);
/* Are some layers recurrent? */
bool engine_has_states(const lm_engine *e);
/* What recurrent layers know of a sequence: forgotten, freed, and shared with a fork (0 or -1). */
void answer_drop_states(answer *a);
void answer_free_states(answer *a);
int answer_fork_states(answer *to, const answer *from);
/* Computes a step. The logits that the rows want (row_logits) come to e->logits, in order. 0 or -1. */
int engine_forward(lm_engine *e, const sched_step *step);

#endif
