/* One step of the scheduler: decoding sequences, prompts by shares, sequences let in. */
#include "llm/schedule_impl.h"

/* Has it its prompt, and all but one of what it generated, behind it? */
static bool is_decoding(const sequence *q) { return q->computed >= q->prompt && q->count - q->computed == 1; }

static sequence *last_running(const sched *s) { return s->n_running ? s->running[s->n_running - 1] : NULL; }

/* --- decoding --- */

static bool has_room(const sched *s, const sequence *q)
{
    for (int g = 0; g < s->options.n_groups; g++)
        if (tables_need(&s->blocks, &q->tables, g, q->computed, q->count + q->drafts) > sched_spare(s, g))
            return false;
    return true;
}

static void add_row(sched *s, sequence *q, size_t count)
{
    s->step.rows[s->step.n++] = (sched_row){.s = q, .start = q->computed, .count = count};
    s->step.tokens += count;
}

static void extend(sched *s, sched_row *r)
{
    tables_extend(&s->blocks, &r->s->tables, r->start, r->start + r->count, s->step.copies,
                  &s->step.n_copies);
    r->last = r->start + r->count >= r->s->count;
}

/* Drafts must leave a token of the budget for each sequence behind the i-th, and push nobody out. */
static void drop_drafts(const sched *s, sequence *q, size_t i)
{
    size_t left = (size_t)s->options.max_batch_tokens - s->step.tokens, others = s->n_running - i - 1;
    if (1 + q->drafts + others > left || !has_room(s, q))
        q->drafts = 0;
}

/* One token, and drafts, for each that decodes, in order; whoever is last gives way until there is a block.
 * True if somebody did. */
static bool plan_decoding(sched *s)
{
    bool preempted = false;
    for (size_t i = 0; i < s->n_running; i++) {
        sequence *q = s->running[i];
        if (!is_decoding(q))
            continue;
        drop_drafts(s, q, i);
        while (q->state == SCHED_RUNNING && !has_room(s, q)) {
            sched_preempt(s, last_running(s));
            s->counts.preemptions++;
            preempted = true;
        }
        if (q->state != SCHED_RUNNING)
            break; /* it was the last itself */
        add_row(s, q, 1 + q->drafts);
        extend(s, &s->step.rows[s->step.n - 1]);
    }
    return preempted;
}

/* --- prompts --- */

/* Half of what is left, but whole blocks. */
static size_t share(const sched *s, const sequence *q, size_t left)
{
    size_t half = left / 2, size = (size_t)s->options.block_size, rest = q->count - q->computed;
    half = half < size ? size : half / size * size;
    half = half < left ? half : left;
    half = q->chunk && q->chunk < half ? q->chunk : half;
    if (q->computed < q->prompt && q->prompt - q->computed < rest)
        rest = q->prompt - q->computed; /* computed anew: what was drawn comes in a chunk of its own */
    return rest < half ? rest : half;
}

static void plan_prompts(sched *s, size_t *left)
{
    for (size_t i = 0; i < s->n_running && *left; i++) {
        sequence *q = s->running[i];
        if (is_decoding(q) || q->computed == q->count)
            continue;
        size_t n = share(s, q, *left);
        add_row(s, q, n);
        *left -= n;
    }
}

/* Begins a waiting sequence with what the cache has; false, and nothing has changed, if the rest does not
 * fit. Beside others a block more for each must stay free, or they would soon push it out again. */
static bool let_in(sched *s, sequence *q)
{
    kv_tables *t = &q->tables;
    tables_begin(&s->blocks, t, q->root);
    q->computed =
        q->unread || s->options.no_prefix_cache ? 0 : tables_match(&s->blocks, t, q->tokens, q->count);
    sched_promise(s, q, true);
    bool fits = true;
    for (int g = 0; g < s->options.n_groups; g++)
        fits = fits && sched_spare(s, g) >= (int)s->n_running;
    if (fits) {
        q->cached = q->computed;
        s->counts.queried += q->count;
        s->counts.hit += q->cached;
        sched_run(s, q);
        return true;
    }
    sched_promise(s, q, false);
    tables_release(&s->blocks, t);
    q->computed = 0;
    return false;
}

static void plan_waiting(sched *s, size_t *left)
{
    while (*left && s->n_waiting && s->n_running < (size_t)s->options.max_sequences) {
        sequence *q = s->waiting[0];
        if (!let_in(s, q))
            return;
        size_t n = share(s, q, *left);
        add_row(s, q, n);
        *left -= n;
    }
}

/* What is left goes to the first prompts that can take it; then the prompts' blocks are taken. */
static void hand_out(sched *s, size_t first, size_t left)
{
    for (size_t i = first; i < s->step.n; i++) {
        sched_row *r = &s->step.rows[i];
        const sequence *q = r->s;
        bool prompt = r->start < q->prompt && q->prompt < q->count;
        size_t rest = (prompt ? q->prompt : q->count) - r->start - r->count;
        size_t more = q->chunk ? 0 : rest < left ? rest : left;
        r->count += more;
        left -= more;
        s->step.tokens += more;
        extend(s, r);
        sched_promise(s, r->s, !r->last);
    }
}

/* Sequences of a lower priority make way for a waiting one. */
static void make_way(sched *s)
{
    while (s->n_waiting && s->n_running) {
        sequence *q = s->waiting[0], *last = last_running(s);
        if (last->priority <= q->priority)
            return;
        if (s->n_running < (size_t)s->options.max_sequences && let_in(s, q))
            continue;
        sched_preempt(s, last);
        s->counts.preemptions++;
    }
}

/* Chunks of drawn tokens, which are computed anew, go before those of prompts. */
static void drawn_first(sched_step *p, size_t first)
{
    for (size_t i = first; i < p->n; i++) {
        sched_row row = p->rows[i];
        size_t at = i;
        if (row.start < row.s->prompt)
            continue;
        for (; at > first && p->rows[at - 1].start < p->rows[at - 1].s->prompt; at--)
            p->rows[at] = p->rows[at - 1];
        p->rows[at] = row;
    }
}

const sched_step *sched_plan(sched *s)
{
    s->step.n = s->step.tokens = s->step.n_copies = 0;
    make_way(s);
    bool preempted = plan_decoding(s);
    size_t first = s->step.n, left = (size_t)s->options.max_batch_tokens - s->step.tokens;
    plan_prompts(s, &left);
    if (!preempted)
        plan_waiting(s, &left);
    hand_out(s, first, left);
    drawn_first(&s->step, first);
    return s->step.n ? &s->step : NULL;
}

void sched_commit(sched *s)
{
    for (size_t i = 0; i < s->step.n; i++) {
        sched_row *r = &s->step.rows[i];
        r->s->computed += r->count - r->s->drafts; /* these only when they are accepted */
        tables_commit(&s->blocks, &r->s->tables, r->s->tokens, r->s->computed);
        if (!r->last)
            sched_promise(s, r->s, true);
    }
    s->counts.steps++;
    s->counts.tokens += s->step.tokens;
    s->step.n = 0;
}

void sched_rollback(sched *s)
{
    while (s->n_running)
        sched_preempt(s, last_running(s));
    blocks_drop_cached(&s->blocks);
    s->step.n = 0;
}
