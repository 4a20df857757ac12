/* Requests: what is asked is checked before anything is queued, and copied into memory of the request's. */
#include "llm/engine.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <limits.h>
#include <math.h>
#include <string.h>

enum { MAX_ANSWERS = 16384 };
/* Tokens of a prompt in one step when the logits of all are wanted: their memory is this times the
 * vocabulary. */
enum { LOGITS_CHUNK = 32 };

static int check_ids(const lm_engine *e, const char *what, const int *ids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || (size_t)ids[i] >= e->vocab)
            return error_set("%s: token id %d is not in the model's vocabulary of %zu", what, ids[i],
                             e->vocab);
    return 0;
}

static int check_lists(const lm_engine *e, const lm_request *r)
{
    if (check_ids(e, "prompt", r->prompt, r->n_prompt) ||
        check_ids(e, "stop_ids", r->stop_ids, r->n_stop_ids))
        return -1;
    for (size_t i = 0; i < r->n_bias; i++) {
        if (check_ids(e, "bias", &r->bias[i].id, 1))
            return -1;
        if (isnan(r->bias[i].bias) || r->bias[i].bias == INFINITY)
            return error_set("bias: of token %d it must be a number or -inf", r->bias[i].id);
    }
    for (size_t i = 0; i < r->n_stop; i++) {
        size_t n = strlen(r->stop[i]);
        if (n == 0 || utf8_check(r->stop[i], n) != n)
            return error_set("stop: text %zu is %s", i, n ? "no valid UTF-8" : "empty");
        if (!e->model->tokenizer)
            return error_set("stop: the model was loaded without its tokenizer");
    }
    return 0;
}

static int check_numbers(const lm_engine *e, const lm_request *r)
{
    if (r->n_prompt == 0)
        return error_set("the prompt is empty: there is nothing to go on from");
    if (r->max_tokens < -1)
        return error_set("max_tokens must be -1 or more, not %d", r->max_tokens);
    if (r->min_tokens < 0 || (r->max_tokens >= 0 && r->min_tokens > r->max_tokens))
        return error_set("min_tokens must be from 0 to max_tokens, not %d", r->min_tokens);
    if (r->drafts < 0)
        return error_set("drafts must be 0 or more, not %d", r->drafts);
    if (r->drafts > 0 && engine_has_states(e))
        return error_set("drafts: a model with recurrent layers cannot take back a guess");
    if (r->n < 0 || r->n > MAX_ANSWERS || r->best_of < 0 || r->best_of > MAX_ANSWERS)
        return error_set("n and best_of must be from 0 to %d, not %d and %d", MAX_ANSWERS, r->n, r->best_of);
    if (r->best_of && r->best_of < (r->n ? r->n : 1))
        return error_set("best_of is %d: it must be at least n, which is %d", r->best_of, r->n ? r->n : 1);
    const int asked[] = {r->logprobs, r->prompt_logprobs};
    for (int i = 0; i < 2; i++)
        if (asked[i] < -1 || (asked[i] > 0 && (size_t)asked[i] > e->vocab))
            return error_set("%s must be from -1 to the vocabulary's %zu, not %d",
                             i ? "prompt_logprobs" : "logprobs", e->vocab, asked[i]);
    bool answers = r->max_tokens != 0;
    if (r->n_prompt + answers > e->max_length)
        return error_set(
            "a prompt of %zu tokens does not fit: one request has room for %zu tokens, its answer "
            "among them",
            r->n_prompt, e->max_length);
    return 0;
}

static void *copied(const void *p, size_t n, size_t size, bool *ok)
{
    void *copy = mem_alloc(n, size);
    if (copy && n)
        memcpy(copy, p, n * size);
    *ok = *ok && copy;
    return copy;
}

/* Copies of all that the caller's request points to; what is not copied yet is NULL. */
static bool copy_lists(engine_request *q, const lm_request *r)
{
    bool ok = true;
    q->r.prompt = NULL;
    q->r.stop_ids = copied(r->stop_ids, r->n_stop_ids, sizeof *r->stop_ids, &ok);
    q->r.bias = copied(r->bias, r->n_bias, sizeof *r->bias, &ok);
    q->r.salt = r->salt ? mem_strdup(r->salt) : NULL;
    char **texts = mem_calloc(r->n_stop, sizeof *texts);
    q->r.stop = (const char *const *)texts;
    q->r.n_stop = texts ? r->n_stop : 0;
    for (size_t i = 0; texts && i < r->n_stop; i++)
        ok = (texts[i] = mem_strdup(r->stop[i])) && ok;
    q->stop = (stop_list){.texts = q->r.stop, .n = q->r.n_stop, .include = r->include_stop};
    return ok && texts && (q->r.salt || !r->salt);
}

static int start_answer(engine_request *q, size_t i)
{
    lm_engine *e = q->engine;
    answer *a = &q->answers[i];
    *a = (answer){.request = q, .index = (int)i, .text.list = &q->stop};
    a->q = (sequence){.owner = a, .priority = q->r.priority, .root = KV_NONE};
    lm_sampling o = q->r.sampling;
    o.seed += i;
    if (e->model->tokenizer && !(a->detok = detok_new(e->model->tokenizer, !q->r.keep_special)))
        return -1;
    return sampler_init_within(&a->sampler, &o, &e->scratch);
}

static int fill(engine_request *q, const lm_request *r)
{
    if (!copy_lists(q, r))
        return -1;
    q->answers = mem_calloc((size_t)q->r.best_of, sizeof *q->answers);
    if (!q->answers)
        return -1;
    for (; q->n_answers < (size_t)q->r.best_of; q->n_answers++)
        if (start_answer(q, q->n_answers)) {
            q->n_answers++;
            return -1;
        }
    sequence *first = &q->answers[0].q;
    first->tokens = mem_grow(NULL, &first->cap, r->n_prompt + 1, sizeof *first->tokens);
    if (!first->tokens)
        return -1;
    memcpy(first->tokens, r->prompt, r->n_prompt * sizeof *r->prompt);
    first->count = first->prompt = r->n_prompt;
    first->unread = r->prompt_logprobs >= 0;
    first->chunk = first->unread ? LOGITS_CHUNK : 0;
    return 0;
}

engine_request *request_new(lm_engine *e, const lm_request *r, lm_event_fn fn, void *user)
{
    if (check_numbers(e, r) || check_lists(e, r))
        return NULL;
    engine_request *q = mem_calloc(1, sizeof *q);
    if (!q)
        return NULL;
    *q = (engine_request){
        .engine = e, .r = *r, .fn = fn, .user = user, .submitted = clock_seconds(), .told = 1};
    q->n_prompt = r->n_prompt;
    q->limit = e->max_length - r->n_prompt;
    if (r->max_tokens >= 0 && (size_t)r->max_tokens < q->limit)
        q->limit = (size_t)r->max_tokens;
    q->r.n = r->n ? r->n : 1;
    q->r.best_of = r->best_of ? r->best_of : q->r.n;
    if (fill(q, r) == 0)
        return q;
    request_free(q);
    return NULL;
}

void request_free(engine_request *q)
{
    for (size_t i = 0; i < q->n_answers; i++) {
        answer *a = &q->answers[i];
        sequence_free(&a->q);
        answer_free_states(a);
        detok_free(a->detok);
        stops_free(&a->text);
        mem_free(a->kept);
        strbuf_free(&a->kept_text);
        strbuf_free(&a->kept_top);
    }
    for (size_t i = 0; i < q->r.n_stop; i++)
        mem_free((char *)q->r.stop[i]);
    mem_free((void *)q->r.stop);
    mem_free((void *)q->r.stop_ids);
    mem_free((void *)q->r.bias);
    mem_free((void *)q->r.salt);
    mem_free(q->answers);
    mem_free(q);
}
