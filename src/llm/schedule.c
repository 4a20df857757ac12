/* The scheduler's lists: running sequences in order of (priority, arrival), waiting ones in a heap by the
 * same order, and the blocks that are promised. What a step is made of: schedule_plan.c. */
#include "llm/schedule_impl.h"

#include "base/error.h"
#include "base/mem.h"

#include <string.h>

static size_t blocks_of(const sched *s, size_t positions)
{
    return (positions + (size_t)s->options.block_size - 1) / (size_t)s->options.block_size;
}

/* The most blocks that a sequence holds while n tokens are computed: all, or a window's and a step's. */
static size_t peak(const sched *s, int group, size_t n)
{
    size_t all = blocks_of(s, n), window = (size_t)s->options.groups[group].window;
    size_t most = window ? blocks_of(s, window + (size_t)s->options.max_batch_tokens) + 1 : all;
    return most < all ? most : all;
}

int sched_init(sched *s, const sched_options *o)
{
    *s = (sched){.options = *o};
    if (o->max_sequences < 1 || o->max_batch_tokens < o->max_sequences)
        return error_set(
            "max_batch_tokens is %d, max_sequences %d: each must be 1 or more, and a step have a "
            "token for each sequence",
            o->max_batch_tokens, o->max_sequences);
    if (blocks_init(&s->blocks, o->block_size, o->groups, o->n_groups, o->hash_seed))
        return -1;
    size_t n = (size_t)o->max_sequences;
    s->running = mem_alloc(n, sizeof *s->running);
    s->step.rows = mem_alloc(n, sizeof *s->step.rows);
    s->step.copies = mem_alloc(n * KV_GROUPS, sizeof *s->step.copies);
    if (s->running && s->step.rows && s->step.copies)
        return 0;
    sched_free(s);
    return -1;
}

void sched_free(sched *s)
{
    blocks_free(&s->blocks);
    mem_free(s->running);
    mem_free(s->waiting);
    mem_free(s->step.rows);
    mem_free(s->step.copies);
    *s = (sched){0};
}

size_t sched_capacity(const sched *s)
{
    size_t most = SIZE_MAX;
    for (int g = 0; g < s->options.n_groups; g++) {
        size_t blocks = (size_t)s->options.groups[g].blocks;
        size_t n = peak(s, g, SIZE_MAX / 2) <= blocks ? SIZE_MAX : blocks * (size_t)s->options.block_size;
        most = n < most ? n : most;
    }
    return most;
}

/* --- order --- */

bool sched_before(const sequence *a, const sequence *b)
{
    return a->priority != b->priority ? a->priority < b->priority : a->arrival < b->arrival;
}

static void put(sched *s, size_t at, sequence *q)
{
    s->waiting[at] = q;
    q->at = at;
}

/* Moves q from the hole `at` to its place in the heap. */
static void sift(sched *s, size_t at, sequence *q)
{
    while (at > 0 && sched_before(q, s->waiting[(at - 1) / 2])) {
        put(s, at, s->waiting[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (size_t child; (child = 2 * at + 1) < s->n_waiting; at = child) {
        if (child + 1 < s->n_waiting && sched_before(s->waiting[child + 1], s->waiting[child]))
            child++;
        if (!sched_before(s->waiting[child], q))
            break;
        put(s, at, s->waiting[child]);
    }
    put(s, at, q);
}

/* Room in the heap for all that run, too: preemption cannot fail. */
static int reserve_waiting(sched *s)
{
    size_t need = s->n_waiting + s->n_running + 1;
    sequence **grown = mem_grow(s->waiting, &s->waiting_cap, need, sizeof *grown);
    if (!grown)
        return -1;
    s->waiting = grown;
    return 0;
}

static void wait_in(sched *s, sequence *q)
{
    q->state = SCHED_WAITING;
    sift(s, s->n_waiting++, q);
}

static void wait_out(sched *s, sequence *q)
{
    size_t at = q->at;
    sequence *last = s->waiting[--s->n_waiting];
    if (last != q)
        sift(s, at, last);
    q->state = SCHED_IDLE;
}

void sched_run(sched *s, sequence *q)
{
    if (q->state == SCHED_WAITING)
        wait_out(s, q);
    size_t at = s->n_running++;
    for (; at > 0 && sched_before(q, s->running[at - 1]); at--) {
        s->running[at] = s->running[at - 1];
        s->running[at]->at = at;
    }
    s->running[at] = q;
    q->at = at;
    q->state = SCHED_RUNNING;
}

static void run_out(sched *s, sequence *q)
{
    s->n_running--;
    for (size_t i = q->at; i < s->n_running; i++) {
        s->running[i] = s->running[i + 1];
        s->running[i]->at = i;
    }
    q->state = SCHED_IDLE;
}

/* --- promises --- */

void sched_promise(sched *s, sequence *q, bool any)
{
    for (int g = 0; g < s->options.n_groups; g++) {
        int need = any ? (int)peak(s, g, q->count) - tables_held(&q->tables, g) : 0;
        need = need > 0 ? need : 0;
        s->promised[g] += need - q->promise[g];
        q->promise[g] = need;
    }
}

int sched_spare(const sched *s, int group)
{
    return blocks_available(&s->blocks, group) - s->promised[group];
}

/* --- life of a sequence --- */

int sched_submit(sched *s, sequence *q)
{
    if (q->count > sched_capacity(s) || q->count < 1)
        return error_set("a prompt of %zu tokens does not fit: the KV cache has room for 1 to %zu", q->count,
                         sched_capacity(s));
    if (s->options.max_waiting > 0 && s->n_waiting >= (size_t)s->options.max_waiting)
        return error_set("the queue is full: %zu requests are waiting", s->n_waiting);
    if (tables_reserve(&s->blocks, &q->tables, q->count) || reserve_waiting(s))
        return -1;
    q->arrival = s->arrivals++ << 16;
    q->forks = 0;
    q->tables.node = KV_NONE;
    q->tables.uncached = s->options.no_prefix_cache;
    wait_in(s, q);
    return 0;
}

void sched_preempt(sched *s, sequence *q)
{
    sched_promise(s, q, false);
    tables_release(&s->blocks, &q->tables);
    q->computed = q->drafts = 0;
    q->preemptions++;
    run_out(s, q);
    wait_in(s, q);
}

int sched_append(sched *s, sequence *q, int token)
{
    if (q->count + 1 > sched_capacity(s))
        return error_set("the KV cache has room for no more than %zu tokens of one sequence", q->count);
    int *grown = mem_grow(q->tokens, &q->cap, q->count + 1, sizeof *grown);
    if (!grown)
        return -1;
    q->tokens = grown;
    if (tables_reserve(&s->blocks, &q->tables, q->count + 1))
        return -1;
    q->tokens[q->count++] = token;
    return 0;
}

void sched_draft(sched *s, sequence *q, const int *ids, size_t n)
{
    bool pending = error_pending();
    q->drafts = 0;
    if (n == 0 || q->count + n > sched_capacity(s))
        return;
    int *grown = mem_grow(q->tokens, &q->cap, q->count + n, sizeof *grown);
    if (grown) {
        q->tokens = grown;
        if (tables_reserve(&s->blocks, &q->tables, q->count + n) == 0) {
            memcpy(q->tokens + q->count, ids, n * sizeof *ids);
            q->drafts = n;
        }
    }
    if (!pending)
        error_clear(); /* without drafts it only takes longer */
}

void sched_accept(sched *s, sequence *q)
{
    q->computed++;
    q->drafts--;
    tables_commit(&s->blocks, &q->tables, q->tokens, q->computed);
}

int sched_fork(sched *s, sequence *q, sequence *child)
{
    int *tokens = mem_grow(NULL, &child->cap, q->count + 1, sizeof *tokens);
    if (!tokens)
        return -1;
    memcpy(tokens, q->tokens, q->count * sizeof *tokens);
    child->tokens = tokens;
    child->count = q->count;
    child->prompt = q->prompt;
    child->cached = q->cached;
    child->arrival = q->arrival + ++q->forks;
    child->forks = 0;
    child->tables.node = KV_NONE;
    child->tables.uncached = q->tables.uncached;
    bool runs = q->state == SCHED_RUNNING && s->n_running < (size_t)s->options.max_sequences;
    if (reserve_waiting(s) || tables_reserve(&s->blocks, &child->tables, q->count) ||
        (runs && tables_fork(&s->blocks, &child->tables, &q->tables)))
        return -1;
    if (runs) {
        child->computed = q->computed;
        sched_run(s, child);
    } else {
        wait_in(s, child);
    }
    return 0;
}

void sched_remove(sched *s, sequence *q)
{
    if (q->state == SCHED_WAITING)
        wait_out(s, q);
    if (q->state != SCHED_RUNNING)
        return;
    sched_promise(s, q, false);
    tables_release(&s->blocks, &q->tables);
    run_out(s, q);
}

void sequence_free(sequence *q)
{
    tables_free(&q->tables);
    mem_free(q->tokens);
    q->tokens = NULL;
    q->count = q->cap = 0;
}

/* --- the check --- */

/* Each block has as many users as it is named in tables. */
static const char *check_users(const sched *s, int g)
{
    const kv_pool *p = &s->blocks.pools[g];
    int *users = mem_calloc((size_t)p->count + 1, sizeof *users);
    if (!users)
        return "no memory to check";
    for (size_t i = 0; i < s->n_running; i++) {
        const kv_table *t = &s->running[i]->tables.of[g];
        for (size_t k = t->gone; k < t->count; k++)
            users[t->blocks[k]]++;
    }
    const char *wrong = NULL;
    for (int i = 0; i < p->count && !wrong; i++)
        if (users[i] != p->blocks[i].refs)
            wrong = "a block is not used by as many sequences as it counts";
    mem_free(users);
    return wrong;
}

static const char *check_lists(const sched *s)
{
    int promised[KV_GROUPS] = {0};
    for (size_t i = 0; i < s->n_running; i++) {
        const sequence *q = s->running[i];
        if (q->at != i || q->state != SCHED_RUNNING || (i && !sched_before(s->running[i - 1], q)))
            return "the running sequences are not in order";
        if (q->computed > q->count)
            return "more is computed than there is";
        for (int g = 0; g < s->options.n_groups; g++)
            promised[g] += q->promise[g];
    }
    for (size_t i = 0; i < s->n_waiting; i++) {
        const sequence *q = s->waiting[i];
        if (q->at != i || q->state != SCHED_WAITING || (i && sched_before(q, s->waiting[(i - 1) / 2])))
            return "the waiting sequences are no heap";
        if (q->tables.of[0].count || q->computed)
            return "a waiting sequence holds blocks";
    }
    for (int g = 0; g < s->options.n_groups; g++)
        if (promised[g] != s->promised[g] || sched_spare(s, g) < 0)
            return "more blocks are promised than are free";
    return NULL;
}

const char *sched_check(const sched *s)
{
    const char *wrong = check_lists(s);
    for (int g = 0; g < s->options.n_groups && !wrong; g++)
        wrong = check_users(s, g);
    return wrong ? wrong : blocks_check(&s->blocks);
}
