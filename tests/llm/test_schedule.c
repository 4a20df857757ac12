/* The scheduler under a virtual model: what it would keep in the cache is a hash of all tokens up to each
 * position, so that a position that is missing, shared wrongly or overwritten changes every token after it.
 * Thousands of sequences come, are forked, cancelled and preempted at random; after every step the lists, the
 * blocks and the tree must be consistent, and at the end everything is free. */
#include "test.h"

#include "llm/schedule.h"

enum { VOCAB = 1000, SIZE = 16, STEP_TOKENS = 256, SLOTS = 48, QUEUE = 64 };

static uint64_t random_state;

static uint32_t random_next(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33);
}

static size_t random_below(size_t n) { return random_next() % n; }

static uint64_t mixed(uint64_t h, int token)
{
    h = (h ^ (uint64_t)(unsigned)token) * 0x9E3779B97F4A7C15u;
    return h ^ h >> 29;
}

/* --- one request of the simulation --- */

typedef struct request {
    sequence q;
    size_t wanted; /* tokens to generate */
    size_t forks;  /* to be made when the prompt is computed */
    uint64_t hash; /* of all tokens but those not yet computed, kept beside the cache */
    size_t hashed;
    uint64_t last_step; /* in which it got a token */
    unsigned preemptions;
    bool forked;
} request;

typedef struct world {
    sched s;
    uint64_t *cache[KV_GROUPS]; /* the virtual pools: SIZE hashes a block */
    request *live[SLOTS + QUEUE + 64 * 8];
    size_t n_live, submitted, finished, cancelled, refused, generated, forked, most_gap;
    double slots, filled; /* sums over steps: positions of used blocks, and those that hold something */
} world;

static void world_init(world *w, const sched_options *o)
{
    memset(w, 0, sizeof *w);
    assert_ok(sched_init(&w->s, o) == 0);
    for (int g = 0; g < o->n_groups; g++)
        w->cache[g] = mem_alloc((size_t)o->groups[g].blocks * SIZE, sizeof(uint64_t));
}

static void world_free(world *w)
{
    assert_int_equal(w->n_live, 0);
    for (int g = 0; g < w->s.options.n_groups; g++) {
        assert_int_equal(blocks_available(&w->s.blocks, g), w->s.options.groups[g].blocks);
        mem_free(w->cache[g]);
    }
    blocks_drop_cached(&w->s.blocks);
    assert_int_equal(w->s.blocks.live, 0); /* no node without a block */
    assert_null(sched_check(&w->s));
    sched_free(&w->s);
}

static uint64_t *cell(world *w, const request *r, int g, size_t at)
{
    const kv_table *t = &r->q.tables.of[g];
    assert_true(at / SIZE >= t->gone && at / SIZE < t->count);
    return &w->cache[g][(size_t)t->blocks[at / SIZE] * SIZE + at % SIZE];
}

/* What the model computes: each row's hash from the one before it, in every group. */
static void compute(world *w, const sched_row *row)
{
    request *r = row->s->owner;
    for (int g = 0; g < w->s.options.n_groups; g++) {
        uint64_t h = row->start ? *cell(w, r, g, row->start - 1) : 1;
        for (size_t i = row->start; i < row->start + row->count; i++)
            *cell(w, r, g, i) = h = mixed(h, r->q.tokens[i]);
    }
}

/* The same without the cache. */
static uint64_t expected(request *r)
{
    for (; r->hashed < r->q.count; r->hashed++)
        r->hash = mixed(r->hash, r->q.tokens[r->hashed]);
    return r->hash;
}

/* All that a window still shows must be there, not only the last position. */
static void look_back(world *w, request *r)
{
    for (int g = 0; g < w->s.options.n_groups; g++) {
        uint64_t h = 1;
        for (size_t i = 0; i < r->q.computed; i++) {
            h = mixed(h, r->q.tokens[i]);
            if (i >= tables_seen(w->s.options.groups[g].window, r->q.computed))
                assert_true(*cell(w, r, g, i) == h);
        }
    }
}

static void leave(world *w, size_t at)
{
    request *r = w->live[at];
    sched_remove(&w->s, &r->q);
    sequence_free(&r->q);
    mem_free(r);
    w->live[at] = w->live[--w->n_live];
}

static size_t index_of(const world *w, const request *r)
{
    size_t i = 0;
    while (w->live[i] != r)
        i++;
    return i;
}

/* --- traffic --- */

/* One of 20 system prompts, then something of its own; now and then a long document. */
static size_t make_prompt(int *tokens)
{
    size_t n = 0, system = random_below(20), length = 40 + system * 13;
    size_t own = random_below(40) == 0 ? 1500 + random_below(1000) : 10 + random_below(400);
    uint64_t h = system;
    for (; n < length; n++) {
        h = mixed(h, 7);
        tokens[n] = (int)(h % VOCAB);
    }
    for (size_t i = 0; i < own; i++)
        tokens[n++] = (int)random_below(VOCAB);
    return n;
}

static void arrive(world *w, bool priorities)
{
    static int prompt[4096];
    request *r = mem_calloc(1, sizeof *r);
    r->q = (sequence){.owner = r, .root = KV_NONE, .unread = random_below(50) == 0};
    r->q.priority = priorities ? (int)random_below(3) : 0;
    size_t n = make_prompt(prompt);
    r->q.tokens = mem_grow(NULL, &r->q.cap, n, sizeof(int));
    memcpy(r->q.tokens, prompt, n * sizeof(int));
    r->q.count = r->q.prompt = n;
    r->wanted = 1 + random_below(100);
    r->forks = random_below(20) == 0 ? 1 + random_below(4) : 0;
    r->hash = 1;
    w->submitted++;
    if (sched_submit(&w->s, &r->q) == 0) {
        w->live[w->n_live++] = r;
        return;
    }
    assert_error("the queue is full");
    w->refused++;
    sequence_free(&r->q);
    mem_free(r);
}

static void fork_all(world *w, request *r)
{
    for (; r->forks; r->forks--) {
        request *child = mem_calloc(1, sizeof *child);
        *child = (request){.wanted = 1 + random_below(100), .hash = 1, .forked = true};
        child->q = (sequence){.owner = child, .priority = r->q.priority, .root = KV_NONE};
        child->last_step = w->s.counts.steps;
        assert_ok(sched_fork(&w->s, &r->q, &child->q) == 0);
        assert_ok(sched_append(&w->s, &child->q, (int)random_below(VOCAB)) == 0);
        w->live[w->n_live++] = child;
        w->forked++;
    }
}

/* A token for a row that asks for one: as the cache says, which must be as the tokens say. */
static void generate(world *w, request *r)
{
    uint64_t h = expected(r);
    for (int g = 0; g < w->s.options.n_groups; g++)
        assert_true(*cell(w, r, g, r->q.count - 1) == h);
    if (random_below(256) == 0)
        look_back(w, r);
    if (r->q.count == r->q.prompt)
        fork_all(w, r);
    else if (r->preemptions == r->q.preemptions)
        w->most_gap =
            w->s.counts.steps - r->last_step > w->most_gap ? w->s.counts.steps - r->last_step : w->most_gap;
    r->last_step = w->s.counts.steps;
    r->preemptions = r->q.preemptions;
    w->generated++;
    if (r->q.count + 1 >= r->q.prompt + r->wanted) {
        w->finished++;
        leave(w, index_of(w, r));
        return;
    }
    assert_ok(sched_append(&w->s, &r->q, (int)(h % VOCAB)) == 0);
}

/* --- steps --- */

/* Positions that used blocks have, and how many hold something: shared blocks count once. */
static void measure_waste(world *w)
{
    static unsigned char filled[1 << 16];
    for (int g = 0; g < w->s.options.n_groups; g++) {
        memset(filled, 0, (size_t)w->s.options.groups[g].blocks);
        for (size_t i = 0; i < w->s.n_running; i++) {
            const sequence *q = w->s.running[i];
            for (size_t k = q->tables.of[g].gone; k < q->tables.of[g].count; k++) {
                size_t rest = q->computed - k * SIZE, n = q->computed < k * SIZE ? 0
                                                          : rest < SIZE          ? rest
                                                                                 : SIZE;
                unsigned char *f = &filled[q->tables.of[g].blocks[k]];
                *f = n > *f ? (unsigned char)n : *f;
            }
        }
        w->slots += SIZE * (double)(w->s.options.groups[g].blocks - blocks_available(&w->s.blocks, g));
        for (int i = 0; i < w->s.options.groups[g].blocks; i++)
            w->filled += filled[i];
    }
}

/* Who was let in came before all that still wait, and a step is within its budget. */
static void check_plan(const world *w, const sched_step *step)
{
    size_t tokens = 0;
    for (size_t i = 0; i < step->n; i++)
        tokens += step->rows[i].count;
    assert_int_equal(tokens, step->tokens);
    assert_in_range(tokens, 1, STEP_TOKENS);
    if (w->s.n_waiting == 0 || w->s.n_running == 0)
        return;
    const sequence *first = w->s.waiting[0], *last = w->s.running[w->s.n_running - 1];
    const request *r = first->owner;
    assert_true(r->forked || last->priority < first->priority ||
                (last->priority == first->priority && last->arrival < first->arrival));
}

static void step(world *w)
{
    const sched_step *step = sched_plan(&w->s);
    const char *wrong = sched_check(&w->s);
    if (wrong)
        fail_msg("%s", wrong);
    if (!step) {
        assert_int_equal(w->s.n_running + w->s.n_waiting, 0);
        return;
    }
    check_plan(w, step);
    for (size_t i = 0; i < step->n_copies; i++) {
        const kv_copy *c = &step->copies[i];
        memcpy(w->cache[c->group] + (size_t)c->to * SIZE, w->cache[c->group] + (size_t)c->from * SIZE,
               SIZE * sizeof(uint64_t));
    }
    static request *asking[SLOTS];
    size_t n = 0;
    for (size_t i = 0; i < step->n; i++) {
        compute(w, &step->rows[i]);
        if (step->rows[i].last)
            asking[n++] = step->rows[i].s->owner;
    }
    sched_commit(&w->s);
    measure_waste(w);
    for (size_t i = 0; i < n; i++)
        generate(w, asking[i]);
}

static void simulate(world *w, size_t requests, bool priorities)
{
    while (w->submitted < requests || w->n_live) {
        size_t burst = random_below(400) == 0 ? 80 : random_below(9) == 0;
        while (burst-- && w->submitted < requests)
            arrive(w, priorities);
        if (w->n_live && random_below(30) == 0) {
            w->cancelled++;
            leave(w, random_below(w->n_live));
        }
        step(w);
        if (random_below(5000) == 0)
            blocks_drop_cached(&w->s.blocks);
    }
    const sched_counts *c = &w->s.counts;
    double waste = 1 - w->filled / w->slots, hits = (double)c->hit / (double)c->queried;
    print_message(
        "%zu requests (%zu refused, %zu cancelled), %zu forks, %llu steps, %zu tokens; %llu preempted, "
        "waste %.2f%%, cache %.0f%%, longest gap %zu\n",
        w->submitted, w->refused, w->cancelled, w->forked, (unsigned long long)c->steps, w->generated,
        (unsigned long long)c->preemptions, waste * 100, hits * 100, w->most_gap);
    assert_int_equal(w->finished + w->cancelled + w->refused, w->submitted + w->forked);
    assert_true(c->preemptions > 0 && w->forked > 0 && w->refused > 0 && w->cancelled > 0);
    assert_true(waste < 0.04);
    assert_true(hits > 0.03);
    assert_true(w->most_gap <= 1);
}

static sched_options options(kv_group a, kv_group b)
{
    return (sched_options){.block_size = SIZE,
                           .n_groups = b.blocks ? 2 : 1,
                           .groups = {a, b},
                           .max_batch_tokens = STEP_TOKENS,
                           .max_sequences = SLOTS,
                           .max_waiting = QUEUE,
                           .hash_seed = 42};
}

static void run(kv_group a, kv_group b, size_t requests, bool priorities)
{
    static world w;
    sched_options o = options(a, b);
    random_state = requests;
    world_init(&w, &o);
    simulate(&w, requests, priorities);
    world_free(&w);
}

static void test_full(void **state)
{
    (void)state;
    run((kv_group){400, 0}, (kv_group){0, 0}, 80000, false);
}

static void test_priorities(void **state)
{
    (void)state;
    run((kv_group){400, 0}, (kv_group){0, 0}, 20000, true);
}

static void test_window(void **state)
{
    (void)state;
    run((kv_group){200, 256}, (kv_group){0, 0}, 20000, false);
}

static void test_mixed(void **state)
{
    (void)state;
    run((kv_group){400, 0}, (kv_group){300, 200}, 20000, true);
}

/* --- single rules --- */

static sequence *made(sequence *q, size_t n, int first, int priority)
{
    *q = (sequence){.root = KV_NONE, .priority = priority, .prompt = n, .count = n};
    q->tokens = mem_grow(NULL, &q->cap, n, sizeof(int));
    for (size_t i = 0; i < n; i++)
        q->tokens[i] = first + (int)i;
    return q;
}

/* Plans and commits a step; gives each row that asks a token. */
static const sched_step *advance(sched *s)
{
    static sched_row rows[SLOTS];
    static sched_step copy;
    const sched_step *p = sched_plan(s);
    if (!p)
        return NULL;
    copy = *p;
    memcpy(rows, p->rows, p->n * sizeof *rows);
    copy.rows = rows;
    sched_commit(s);
    for (size_t i = 0; i < copy.n; i++)
        if (rows[i].last)
            assert_ok(sched_append(s, rows[i].s, 5) == 0);
    assert_null(sched_check(s));
    return &copy;
}

static void done(sched *s, sequence *q)
{
    sched_remove(s, q);
    sequence_free(q);
}

/* A decoding sequence gets its token in every step while long prompts are read, and a short prompt is read
 * beside them. */
static void test_long_prompts(void **state)
{
    (void)state;
    sched s;
    sched_options o = options((kv_group){1000, 0}, (kv_group){0, 0});
    assert_ok(sched_init(&s, &o) == 0);
    sequence a, b, c, d;
    assert_ok(sched_submit(&s, made(&a, 20, 0, 0)) == 0);
    advance(&s);
    assert_ok(sched_submit(&s, made(&b, 5000, 100, 0)) == 0);
    assert_ok(sched_submit(&s, made(&c, 5000, 6000, 0)) == 0);
    advance(&s);
    assert_ok(sched_submit(&s, made(&d, 50, 20000, 0)) == 0);
    size_t steps = 0;
    for (; d.count == 50; steps++) {
        const sched_step *step = advance(&s);
        assert_ptr_equal(step->rows[0].s, &a);
        assert_int_equal(step->rows[0].count, 1);
        assert_int_equal(step->tokens, STEP_TOKENS);
    }
    assert_true(steps <= 4);
    for (size_t before = a.count; b.count == 5000; before = a.count) {
        advance(&s);
        assert_int_equal(a.count, before + 1);
    }
    done(&s, &a);
    done(&s, &b);
    done(&s, &c);
    done(&s, &d);
    sched_free(&s);
}

/* A strictly higher priority takes the blocks of a lower one at once; the lower one goes on afterwards, and
 * finds its beginning in the cache. */
static void test_higher_priority(void **state)
{
    (void)state;
    sched s;
    sched_options o = options((kv_group){20, 0}, (kv_group){0, 0});
    assert_ok(sched_init(&s, &o) == 0);
    sequence low, high;
    assert_ok(sched_submit(&s, made(&low, 250, 0, 1)) == 0);
    advance(&s);
    assert_int_equal(low.count, 251);
    assert_ok(sched_submit(&s, made(&high, 100, 1000, 0)) == 0);
    advance(&s);
    assert_int_equal(high.count, 101);
    assert_int_equal(low.state, SCHED_WAITING);
    assert_int_equal(low.preemptions, 1);
    done(&s, &high);
    const sched_step *step = advance(&s);
    assert_ptr_equal(step->rows[0].s, &low);
    assert_in_range(step->rows[0].start, 128, 250);
    assert_int_equal(low.cached, step->rows[0].start);
    done(&s, &low);
    sched_free(&s);
}

static void test_refusals(void **state)
{
    (void)state;
    sched s;
    sched_options o = options((kv_group){4, 0}, (kv_group){0, 0});
    o.max_waiting = 1;
    assert_ok(sched_init(&s, &o) == 0);
    assert_int_equal(sched_capacity(&s), 64);
    sequence q, r;
    assert_int_equal(sched_submit(&s, made(&q, 65, 0, 0)), -1);
    assert_error("a prompt of 65 tokens does not fit: the KV cache has room for 1 to 64");
    q.count = 0;
    assert_int_equal(sched_submit(&s, &q), -1);
    assert_error("a prompt of 0 tokens");
    q.count = 64;
    assert_ok(sched_submit(&s, &q) == 0);
    assert_int_equal(sched_submit(&s, made(&r, 3, 0, 0)), -1);
    assert_error("the queue is full: 1 requests are waiting");
    const sched_step *step = sched_plan(&s);
    assert_int_equal(step->tokens, 64);
    sched_rollback(&s);
    assert_null(sched_check(&s));
    assert_int_equal(q.state, SCHED_WAITING);
    sched_plan(&s);
    sched_commit(&s);
    assert_int_equal(sched_append(&s, &q, 1), -1);
    assert_error("no more than 64 tokens");
    done(&s, &q);
    done(&s, &r);
    sched_free(&s);
    o.max_batch_tokens = SLOTS - 1;
    assert_int_equal(sched_init(&s, &o), -1);
    assert_error("max_batch_tokens is 47, max_sequences 48");
}

/* Memory that runs out at any place: an error, or something that is not cached, and nothing inconsistent. */
static void test_memory(void **state)
{
    (void)state;
    for (size_t k = 1;; k++) {
        sched s = {0};
        sched_options o = options((kv_group){50, 0}, (kv_group){0, 0});
        sequence q, child = {.root = KV_NONE};
        made(&q, 40, 0, 0);
        mem_fail_at(k);
        int rc = sched_init(&s, &o);
        bool there = rc == 0;
        rc = rc || sched_submit(&s, &q);
        for (int i = 0; i < 3 && rc == 0; i++) {
            rc = sched_plan(&s) == NULL;
            sched_commit(&s);
            rc = rc || (i == 0 && sched_fork(&s, &q, &child)) || sched_append(&s, &q, 7);
            if (rc == 0 && i == 0)
                rc = sched_append(&s, &child, 8);
        }
        bool fired = mem_fail_fired();
        mem_fail_at(0);
        assert_true(rc == 0 || error_pending());
        error_clear();
        if (there)
            assert_null(sched_check(&s));
        done(&s, &q);
        done(&s, &child);
        if (there)
            sched_free(&s);
        if (!fired)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_long_prompts), cmocka_unit_test(test_higher_priority),
        cmocka_unit_test(test_refusals),     cmocka_unit_test(test_memory),
        cmocka_unit_test(test_full),         cmocka_unit_test(test_priorities),
        cmocka_unit_test(test_window),       cmocka_unit_test(test_mixed),
    };
    return RUN_TESTS("schedule", tests, NULL);
}
