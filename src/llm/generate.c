/* Generation: the prompt in steps of some hundred tokens, then a token at a time. The last token drawn is not
 * fed before the next one is wanted; until then it waits at the end of the session's list. */
#include "llm/model.h"
#include "llm/sample.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/strbuf.h"

enum { PREFILL_STEP = 512 };

/* One call of lm_generate. */
typedef struct run {
    lm_session *s;
    const lm_generate_options *o;
    lm_token_fn fn;
    void *user;
    sampler sampler;
    detok *detok; /* NULL without a tokenizer */
    float *logits;
    strbuf piece; /* the last token's text: what it completed and what was held back */
    lm_stats stats;
} run;

static bool ends(const run *r, int id)
{
    if (r->o->ignore_eos)
        return false;
    for (size_t i = 0; i < r->o->n_extra_eos; i++)
        if (r->o->extra_eos[i] == id)
            return true;
    return lm_is_eos(r->s->model, id);
}

static bool cancelled(const run *r) { return r->o->cancelled && r->o->cancelled(r->user); }

static void progress(const run *r, size_t done, size_t total)
{
    if (r->o->progress)
        r->o->progress(r->user, done, total);
}

/* Feeds all pending ids; the last step leaves its logits unless none are wanted. 1 when cancelled. */
static int prefill(run *r)
{
    size_t total = session_pending(r->s),
           step = r->o->prefill_step > 0 ? (size_t)r->o->prefill_step : PREFILL_STEP;
    kv_reserve(&r->s->cache, (int)r->s->count);
    progress(r, 0, total);
    for (size_t left = total; left;) {
        if (cancelled(r))
            return 1;
        size_t n = left < step ? left : step;
        left -= n;
        bool wanted = left == 0 && r->o->max_tokens != 0;
        if (session_step(r->s, n, false, false, wanted ? r->logits : NULL))
            return -1;
        progress(r, total - left, total);
    }
    return 0;
}

/* Adds to the piece what id completes (id < 0: nothing), and at the end what was held back. */
static int add_text(run *r, int id, bool last)
{
    const char *text = "";
    size_t len = 0;
    if (!r->detok)
        return 0;
    if (id >= 0 && detok_add(r->detok, id, &text, &len))
        return -1;
    strbuf_add(&r->piece, text, len);
    if (last && detok_finish(r->detok, &text, &len))
        return -1;
    if (last)
        strbuf_add(&r->piece, text, len);
    return r->piece.failed ? -1 : 0;
}

/* Hands a token to the caller; true if that ends the generation. */
static bool hand_over(run *r, int id, float logprob, const char *reason)
{
    lm_token t = {.id = id,
                  .text = strbuf_text(&r->piece),
                  .len = r->piece.len,
                  .logprob = logprob,
                  .finish_reason = reason};
    bool stop = r->fn && r->fn(r->user, &t) != 0;
    if (reason || stop)
        r->stats.finish_reason = reason ? reason : "cancelled";
    return reason || stop;
}

/* Draws a token and hands it over: 1 if it was the last. */
static int emit(run *r, double *first)
{
    int id;
    float logprob;
    size_t known = r->s->unknown < r->s->count ? r->s->unknown : r->s->count;
    if (sampler_draw(&r->sampler, r->logits, r->s->ids + known, r->s->count - known, &id, &logprob) ||
        session_push(r->s, id))
        return -1;
    r->stats.generated_tokens++;
    if (r->stats.generated_tokens == 1)
        *first = clock_seconds();
    bool end = ends(r, id);
    bool full = r->o->max_tokens > 0 && r->stats.generated_tokens >= (size_t)r->o->max_tokens;
    strbuf_clear(&r->piece);
    if (add_text(r, end ? -1 : id, end || full))
        return -1;
    return hand_over(r, id, logprob, end ? "stop" : full ? "length" : NULL);
}

/* The caller cancelled between two tokens: what was held back goes out with a call that has no token. */
static int leave(run *r)
{
    strbuf_clear(&r->piece);
    if (add_text(r, -1, true))
        return -1;
    hand_over(r, -1, 0, "cancelled");
    return 0;
}

static int generate(run *r, double start)
{
    double first = 0;
    int rc = prefill(r);
    if (rc < 0)
        return -1;
    while (rc == 0 && r->o->max_tokens != 0) {
        rc = emit(r, &first);
        if (rc < 0)
            return -1;
        if (rc > 0)
            break;
        rc = cancelled(r);
        if (rc == 0 && session_step(r->s, 1, true, false, r->logits))
            return -1;
    }
    double end = clock_seconds();
    bool any = r->stats.generated_tokens > 0;
    r->stats.prompt_seconds = (any ? first : end) - start;
    r->stats.generation_seconds = any ? end - first : 0;
    if (!r->stats.finish_reason && rc > 0)
        return leave(r);
    if (!r->stats.finish_reason)
        r->stats.finish_reason = "length";
    return 0;
}

static void finish_stats(lm_stats *s)
{
    s->prompt_tps = s->prompt_seconds > 0 ? (double)s->prompt_tokens / s->prompt_seconds : 0;
    s->generation_tps = s->generation_seconds > 0 ? (double)s->generated_tokens / s->generation_seconds : 0;
    s->peak_memory = lm_peak_memory();
}

static int prepare(run *r, const int *prompt, size_t n)
{
    const lm_model *m = r->s->model;
    if (session_check(r->s, prompt, n) ||
        sampler_init(&r->sampler, &r->o->sampling, m->info.vocab_size, m->special, m->n_special))
        return -1;
    r->logits = mem_alloc((size_t)m->info.vocab_size, sizeof *r->logits);
    if (m->tokenizer)
        r->detok = detok_new(m->tokenizer, false);
    if (!r->logits || (m->tokenizer && !r->detok) || session_append(r->s, prompt, n))
        return -1;
    if (session_pending(r->s) == 0)
        return error_set("the prompt is empty: there is nothing to go on from");
    return 0;
}

int lm_generate(lm_session *session, const int *prompt, size_t n, const lm_generate_options *options,
                lm_token_fn fn, void *user, lm_stats *stats)
{
    static const lm_generate_options DEFAULT = LM_GENERATE_DEFAULT;
    lm_begin();
    double start = clock_seconds();
    run r = {
        .s = session, .o = options ? options : &DEFAULT, .fn = fn, .user = user, .stats.prompt_tokens = n};
    int rc = prepare(&r, prompt, n);
    if (rc == 0)
        rc = generate(&r, start);
    finish_stats(&r.stats);
    if (stats)
        *stats = r.stats;
    sampler_free(&r.sampler);
    detok_free(r.detok);
    strbuf_free(&r.piece);
    mem_free(r.logits);
    return rc;
}
