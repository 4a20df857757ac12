/* The engine: whatever is computed together gives what it gives alone; every way to end; what is held back,
 * shared, counted and refused; other threads; failures. */
#include "test.h"

#include "llm/engine.h"

#include <math.h>
#include <pthread.h>

static lm_model *tiny_model, *story;

static lm_model *load(const char *path, bool text)
{
    lm_load_options o = {.no_tokenizer = !text, .precision = LM_PRECISION_EXACT};
    lm_model *m = lm_load(path, &o);
    assert_ok(m != NULL);
    return m;
}

static int setup(void **state)
{
    (void)state;
    tiny_model = load(TEST_DATA "/golden/qwen3", false);
    story = load(SOURCE_DIR "/models/story", true);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lm_free(tiny_model);
    lm_free(story);
    return 0;
}

/* What one sequence was told. */
enum { MAX_TOKENS = 400, MAX_N = 8 };
typedef struct answer_record {
    int ids[MAX_TOKENS];
    float logprobs[MAX_TOKENS];
    lm_candidate top[MAX_TOKENS][4];
    size_t n, len;
    char text[4000];
    const char *reason;
    char stop[40], error[200];
    int stop_id;
} answer_record;

typedef struct record {
    answer_record of[MAX_N];
    float prompt[MAX_TOKENS];
    size_t n_prompt, ended, cached, cancel_after;
    uint64_t id;
} record;

static int note(void *user, const lm_event *e)
{
    record *r = user;
    answer_record *a = &r->of[e->index];
    assert_true(e->index < MAX_N && !a->reason);
    assert_true(r->id == 0 || r->id == e->request);
    r->cached = e->cached_tokens;
    if (e->prompt) {
        r->prompt[e->position] = e->logprob;
        r->n_prompt++;
        return 0;
    }
    if (e->id >= 0) {
        assert_true(a->n < MAX_TOKENS && e->generated_tokens == a->n + 1);
        memcpy(a->top[a->n], e->top, (e->n_top < 4 ? e->n_top : 4) * sizeof *e->top);
        a->logprobs[a->n] = e->logprob;
        a->ids[a->n++] = e->id;
    }
    memcpy(a->text + a->len, e->text, e->len);
    a->len += e->len;
    a->reason = e->finish_reason;
    a->stop_id = e->stop_id;
    if (e->stop)
        snprintf(a->stop, sizeof a->stop, "%s", e->stop);
    if (e->error)
        snprintf(a->error, sizeof a->error, "%s", e->error);
    r->ended += a->reason != NULL;
    return r->cancel_after && a->n >= r->cancel_after;
}

static lm_engine *engine(const lm_model *m, lm_engine_options o)
{
    if (!o.kv_memory)
        o.kv_memory = 8 << 20;
    lm_engine *e = lm_engine_new(m, &o);
    assert_ok(e != NULL);
    return e;
}

static void finish(lm_engine *e)
{
    while (lm_engine_step(e) > 0)
        assert_null(sched_check(&e->sched));
    lm_engine_stats s;
    lm_engine_get_stats(e, &s);
    assert_true(s.running == 0 && s.waiting == 0 && s.kv_blocks_used == 0);
}

static lm_request asking(const int *prompt, size_t n, int max_tokens)
{
    lm_request r = LM_REQUEST_DEFAULT;
    r.prompt = prompt;
    r.n_prompt = n;
    r.max_tokens = max_tokens;
    return r;
}

static void ask(lm_engine *e, const lm_request *r, record *out)
{
    memset(out, 0, sizeof *out);
    assert_ok(lm_engine_submit(e, r, note, out, &out->id) == 0);
}

static void ask_alone(lm_engine *e, const lm_request *r, record *out)
{
    ask(e, r, out);
    finish(e);
    assert_int_equal(out->ended, r->n ? r->n : 1);
}

static void assert_same(const answer_record *a, const answer_record *b)
{
    assert_int_equal(a->n, b->n);
    assert_memory_equal(a->ids, b->ids, a->n * sizeof *a->ids);
    assert_memory_equal(a->logprobs, b->logprobs, a->n * sizeof *a->logprobs);
    assert_string_equal(a->reason, b->reason);
    assert_int_equal(a->len, b->len);
    assert_memory_equal(a->text, b->text, a->len);
}

/* --- the same as alone --- */

enum { MANY = 40 };

/* Prompts of the tiny model: some begin alike, lengths differ. */
static size_t make_prompt(int i, int *ids)
{
    size_t n = 1 + (size_t)(i * 7 % 90);
    for (size_t k = 0; k < n; k++)
        ids[k] = (int)((k < 40 && i % 3 ? 5 + k * 11 : 17 + (size_t)i * 31 + k * k) % 300);
    return n;
}

static lm_request varied(int i, int *ids)
{
    size_t n = make_prompt(i, ids);
    lm_request r = asking(ids, n, 4 + i % 40);
    r.ignore_eos = true;
    r.sampling.seeded = true;
    r.sampling.seed = (uint64_t)i;
    r.sampling.temp = i % 2 ? 0.9f : 0;
    r.sampling.top_p = i % 4 == 1 ? 0.9f : 1;
    r.sampling.top_k = i % 8 == 3 ? 20 : 0;
    r.sampling.repetition_penalty = i % 5 == 0 ? 1.2f : 0;
    r.n = i % 7 == 6 ? 3 : 1;
    r.priority = i % 3;
    r.logprobs = i % 2 - 1;
    return r;
}

/* How often a sequence was computed anew. */
static uint64_t compare_with_alone(const lm_model *m, lm_engine_options options)
{
    static record alone[MANY], together[MANY];
    int ids[128];
    for (int i = 0; i < MANY; i++) {
        lm_engine *one = engine(m, (lm_engine_options){.no_prefix_cache = true});
        lm_request r = varied(i, ids);
        ask_alone(one, &r, &alone[i]);
        lm_engine_free(one);
    }
    lm_engine *e = engine(m, options);
    for (int i = 0; i < MANY; i++) {
        lm_request r = varied(i, ids);
        ask(e, &r, &together[i]);
        if (i % 4 == 3)
            lm_engine_step(e);
    }
    finish(e);
    for (int i = 0; i < MANY; i++)
        for (size_t k = 0; k < alone[i].ended; k++)
            assert_same(&alone[i].of[k], &together[i].of[k]);
    lm_engine_stats s;
    lm_engine_get_stats(e, &s);
    lm_engine_free(e);
    return s.preemptions;
}

static void batches_change_nothing(void **state)
{
    (void)state;
    compare_with_alone(tiny_model, (lm_engine_options){0});
}

/* 64 stories at temp 0, in both precisions: the same bits one by one. */
static void sixty_four_at_a_time(void **state)
{
    (void)state;
    enum { COUNT = 64, TOKENS = 40 };
    static record alone[COUNT], together[COUNT];
    static const char *const BEGINNINGS[] = {"Once upon a time", "The dog", "A little girl named Lily",
                                             "One day"};
    for (int exact = 0; exact < 2; exact++) {
        lm_load_options o = {.precision = exact ? LM_PRECISION_EXACT : LM_PRECISION_INT8};
        lm_model *m = lm_load(SOURCE_DIR "/models/story", &o);
        assert_ok(m != NULL);
        for (int many = 0; many < 2; many++) {
            lm_engine *e = engine(m, (lm_engine_options){.kv_memory = 64 << 20});
            for (int i = 0; i < COUNT; i++) {
                char text[100];
                size_t n;
                int *ids;
                snprintf(text, sizeof text, "%s %s %d", BEGINNINGS[i % 4], BEGINNINGS[(i / 4 + i) % 4], i);
                assert_ok(lm_tokenize(m, text, strlen(text), true, &ids, &n) == 0);
                lm_request r = asking(ids, n, TOKENS);
                r.logprobs = 0;
                ask(e, &r, many ? &together[i] : &alone[i]);
                lm_release(ids);
                if (!many)
                    finish(e);
            }
            finish(e);
            lm_engine_free(e);
        }
        for (int i = 0; i < COUNT; i++)
            assert_same(&alone[i].of[0], &together[i].of[0]);
        lm_free(m);
    }
}

/* Few tokens a step and hardly any memory: chunks and preemption. */
static void memory_changes_nothing(void **state)
{
    (void)state;
    size_t block = 16 * lm_model_info(tiny_model).kv_bytes_per_token;
    lm_engine_options o = {.kv_memory = 12 * block, .max_batch_tokens = 24, .max_sequences = 24};
    assert_true(compare_with_alone(tiny_model, o) > 0);
}

static int *tokens_of(const char *text, size_t *n)
{
    int *ids;
    assert_ok(lm_tokenize(story, text, strlen(text), true, &ids, n) == 0);
    return ids;
}

/* The engine and a session give the same tokens. */
static void compare_with_sessions(const lm_model *m, int max_tokens)
{
    static record r;
    int ids[128];
    lm_engine *e = engine(m, (lm_engine_options){0});
    for (int i = 0; i < 10; i++) {
        lm_request q = asking(ids, make_prompt(i, ids), max_tokens);
        q.ignore_eos = true;
        ask_alone(e, &q, &r);
        lm_session *s = lm_session_new(m);
        lm_generate_options o = LM_GENERATE_DEFAULT;
        o.max_tokens = max_tokens;
        o.ignore_eos = true;
        assert_ok(lm_generate(s, ids, q.n_prompt, &o, NULL, NULL, NULL) == 0);
        assert_memory_equal(r.of[0].ids, lm_session_tokens(s) + q.n_prompt, sizeof(int) * (size_t)max_tokens);
        lm_session_free(s);
    }
    lm_engine_free(e);
}

static void sessions_agree(void **state)
{
    (void)state;
    compare_with_sessions(tiny_model, 30);
}

/* Pools begin with whatever the memory held: here bytes that are NaN in every format. */
static void old_memory_is_not_read(void **state)
{
    (void)state;
    enum { LAYERS = 3 };
    lm_engine_stats s;
    lm_engine *e = engine(tiny_model, (lm_engine_options){0});
    lm_engine_get_stats(e, &s);
    lm_engine_free(e);
    mlx_array slots[LAYERS] = {MX_NULL, MX_NULL, MX_NULL};
    size_t mark = mx_mark();
    for (int i = 0; i < LAYERS; i++)
        mx_set(&slots[i], mx_full(SHAPE((int)(s.kv_bytes / LAYERS)), mx_int(255, MLX_UINT8), MLX_UINT8));
    mx_release(mark);
    assert_ok(mx_eval_all(slots, LAYERS) == 0);
    for (int i = 0; i < LAYERS; i++)
        mx_set(&slots[i], MX_NULL); /* the engine's pools take these buffers */
    compare_with_sessions(tiny_model, 30);
}

/* The tiny model with a window in some layers or in all: what has left it is given back, and nothing else
 * changes. */
static lm_model *windowed(const char *layers)
{
    static const char folder[] = "test_engine_window";
    char command[900];
    snprintf(
        command, sizeof command,
        "rm -rf %s && mkdir %s && cp %s/golden/qwen3/model.safetensors %s && "
        "sed '%ss/full_attention/sliding_attention/; s/\"use_sliding_window\": false/\"use_sliding_window\": "
        "true/; "
        "s/\"sliding_window\": null/\"sliding_window\": 20/' %s/golden/qwen3/config.json >%s/config.json",
        folder, folder, TEST_DATA, folder, layers, TEST_DATA, folder);
    assert_int_equal(system(command), 0);
    lm_model *m = load(folder, false);
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
    return m;
}

static void windows(void **state)
{
    (void)state;
    static const char *const LAYERS[] = {"17", ""}; /* lines of config.json */
    for (int i = 0; i < 2; i++) {
        lm_model *m = windowed(LAYERS[i]);
        compare_with_sessions(m, 150);
        compare_with_alone(m, (lm_engine_options){.max_batch_tokens = 24, .max_sequences = 8});
        lm_engine *e = engine(m, (lm_engine_options){0});
        int ids[128];
        static record r;
        lm_request q = asking(ids, make_prompt(12, ids), 300);
        q.ignore_eos = true;
        ask(e, &q, &r);
        for (int k = 0; k < 200; k++)
            lm_engine_step(e);
        lm_engine_stats s;
        lm_engine_get_stats(e, &s);
        size_t all = (r.of[0].n + q.n_prompt) / 16 + 1; /* of a layer that sees everything; else at most 3 */
        assert_true(s.kv_blocks_used <= 3 + (i ? 0 : all));
        lm_engine_free(e);
        lm_free(m);
    }
}

/* Quantized keys and values: less memory, nearly the same. */
static void quantized_cache(void **state)
{
    (void)state;
    static record plain, r;
    size_t n, bytes[3];
    int *ids = tokens_of("Once upon a time", &n);
    for (int i = 0; i < 3; i++) {
        static const int BITS[] = {0, 8, 4};
        lm_engine *e = engine(story, (lm_engine_options){.kv_bits = BITS[i], .kv_memory = 4 << 20});
        lm_request q = asking(ids, n, 40);
        q.prompt_logprobs = q.logprobs = 0;
        ask_alone(e, &q, i ? &r : &plain);
        lm_engine_stats s;
        lm_engine_get_stats(e, &s);
        assert_true(s.kv_bytes <= 4 << 20);
        bytes[i] = s.kv_bytes / s.kv_blocks;
        for (size_t k = 1; i && k < n; k++)
            assert_true(fabsf(r.prompt[k] - plain.prompt[k]) < (i == 1 ? 0.1f : 1.5f));
        lm_engine_free(e);
    }
    assert_true(bytes[1] * 100 < bytes[0] * 60 && bytes[2] * 100 < bytes[0] * 40);
    lm_release(ids);
}

/* --- text and ends --- */

static void stop_texts(void **state)
{
    (void)state;
    static record plain, r;
    size_t n;
    int *ids = tokens_of("Once upon a time", &n);
    lm_engine *e = engine(story, (lm_engine_options){0});
    lm_request q = asking(ids, n, 60);
    ask_alone(e, &q, &plain);
    plain.of[0].text[plain.of[0].len] = 0;
    assert_true(plain.of[0].len > 120);
    /* Every piece of the text as a stop text: what comes before its first place is what is told. */
    for (size_t at = 3; at < 100; at += 13) {
        char piece[8] = {0};
        memcpy(piece, plain.of[0].text + at, 7);
        size_t first = (size_t)(strstr(plain.of[0].text, piece) - plain.of[0].text);
        const char *texts[] = {"no such text", piece};
        q.stop = texts;
        q.n_stop = 2;
        q.include_stop = false;
        ask_alone(e, &q, &r);
        assert_string_equal(r.of[0].reason, "stop");
        assert_string_equal(r.of[0].stop, piece);
        assert_int_equal(r.of[0].len, first);
        assert_memory_equal(r.of[0].text, plain.of[0].text, first);
        q.include_stop = true;
        ask_alone(e, &q, &r);
        assert_int_equal(r.of[0].len, first + 7);
        q.min_tokens = 55; /* what it says before does not count */
        ask_alone(e, &q, &r);
        assert_true(r.of[0].n >= 55);
        q.min_tokens = 0;
    }
    lm_engine_free(e);
    lm_release(ids);
}

static void ends(void **state)
{
    (void)state;
    static record plain, r;
    int ids[128];
    lm_engine *e = engine(tiny_model, (lm_engine_options){0});
    lm_request q = asking(ids, make_prompt(5, ids), 20);
    q.ignore_eos = true;
    ask_alone(e, &q, &plain);
    assert_string_equal(plain.of[0].reason, "length");
    int end = plain.of[0].ids[6];
    size_t at = 0;
    while (plain.of[0].ids[at] != end)
        at++;
    q.stop_ids = &end;
    q.n_stop_ids = 1;
    ask_alone(e, &q, &r);
    assert_string_equal(r.of[0].reason, "stop");
    assert_int_equal(r.of[0].stop_id, end);
    assert_int_equal(r.of[0].n, at + 1);
    q.min_tokens = 12; /* until then it is forbidden */
    ask_alone(e, &q, &r);
    assert_true(r.of[0].n >= 12);
    for (size_t i = 0; i + 1 < r.of[0].n; i++)
        assert_int_not_equal(r.of[0].ids[i], end);
    q = asking(ids, q.n_prompt, 20);
    q.ignore_eos = true;
    lm_bias bias[] = {{plain.of[0].ids[0], -INFINITY}, {7, 1000}};
    q.bias = bias;
    q.n_bias = 2;
    ask_alone(e, &q, &r);
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(r.of[0].ids[i], 7);
    q = asking(ids, q.n_prompt, 0); /* only the prompt */
    ask_alone(e, &q, &r);
    assert_int_equal(r.of[0].n, 0);
    assert_string_equal(r.of[0].reason, "length");
    lm_engine_stats s;
    lm_engine_get_stats(e, &s);
    assert_true(s.submitted == 5 && s.stopped >= 1 && s.full >= 3 && s.stopped + s.full == 5);
    lm_engine_free(e);
}

/* --- log-probabilities --- */

static void log_probabilities(void **state)
{
    (void)state;
    static record r;
    int ids[128];
    size_t vocab = (size_t)lm_model_info(tiny_model).vocab_size, n = make_prompt(29, ids);
    assert_true(n > 20);
    float *logits = mem_alloc(n * vocab, sizeof *logits);
    lm_session *s = lm_session_new(tiny_model);
    assert_ok(lm_logits(s, ids, n, true, logits) == 0);
    lm_engine *e = engine(tiny_model, (lm_engine_options){0});
    lm_request q = asking(ids, n, 5);
    q.prompt_logprobs = 2;
    q.logprobs = 3;
    ask_alone(e, &q, &r);
    assert_int_equal(r.n_prompt, n - 1);
    for (size_t i = 1; i < n; i++) {
        const float *row = logits + (i - 1) * vocab;
        double sum = 0;
        for (size_t k = 0; k < vocab; k++)
            sum += exp((double)row[k]);
        assert_true(fabs((double)r.prompt[i] - ((double)row[ids[i]] - log(sum))) < 1e-4);
    }
    for (size_t i = 0; i < r.of[0].n; i++) { /* greedy: the token is the first alternative */
        assert_int_equal(r.of[0].top[i][0].id, r.of[0].ids[i]);
        assert_true(r.of[0].top[i][0].logprob == r.of[0].logprobs[i]);
        assert_true(r.of[0].top[i][1].logprob >= r.of[0].top[i][2].logprob);
        assert_true(r.of[0].top[i][0].logprob >= r.of[0].top[i][1].logprob);
    }
    lm_engine_free(e);
    lm_session_free(s);
    mem_free(logits);
}

/* Several of one prompt are what seeds one by one give; the best of them come ordered. */
static void several(void **state)
{
    (void)state;
    static record all, best, one;
    int ids[128];
    lm_engine *e = engine(tiny_model, (lm_engine_options){0});
    lm_request q = asking(ids, make_prompt(11, ids), 12);
    q.ignore_eos = q.sampling.seeded = true;
    q.sampling.temp = 1;
    q.sampling.seed = 100;
    q.logprobs = 0;
    q.n = 5;
    ask_alone(e, &q, &all);
    for (int i = 0; i < 5; i++) {
        lm_request single = q;
        single.n = 1;
        single.sampling.seed = 100 + (uint64_t)i;
        ask_alone(e, &single, &one);
        assert_same(&one.of[0], &all.of[i]);
    }
    q.n = 2;
    q.best_of = 5;
    ask_alone(e, &q, &best);
    double sums[5], first = -1e9, second = -1e9;
    for (int i = 0; i < 5; i++) {
        sums[i] = 0;
        for (size_t k = 0; k < 12; k++)
            sums[i] += (double)all.of[i].logprobs[k];
        second = sums[i] > first ? first : sums[i] > second ? sums[i] : second;
        first = sums[i] > first ? sums[i] : first;
    }
    double got[2] = {0};
    for (int i = 0; i < 2; i++)
        for (size_t k = 0; k < 12; k++)
            got[i] += (double)best.of[i].logprobs[k];
    assert_true(fabs(got[0] - first) < 1e-4 && fabs(got[1] - second) < 1e-4);
    lm_engine_free(e);
}

/* Drafts change nothing but the number of steps, whatever the sampling, beside whatever else. */
static void drafts(void **state)
{
    (void)state;
    static record plain[MANY], drafted[MANY];
    int ids[128];
    uint64_t steps[2];
    for (int with = 0; with < 2; with++) {
        lm_engine *e =
            engine(tiny_model,
                   (lm_engine_options){.kv_memory = 100 * 16 * lm_model_info(tiny_model).kv_bytes_per_token});
        for (int i = 0; i < MANY; i++) {
            lm_request r = varied(i, ids);
            r.drafts = with ? i % 9 : 0;
            r.logprobs = 0;
            r.max_tokens = 60;
            ask(e, &r, with ? &drafted[i] : &plain[i]);
        }
        finish(e);
        lm_engine_stats s;
        lm_engine_get_stats(e, &s);
        steps[with] = s.steps;
        assert_true(with ? s.accepted_tokens > 50 && s.accepted_tokens < s.draft_tokens : s.drafts == 0);
        lm_engine_free(e);
    }
    for (int i = 0; i < MANY; i++)
        for (size_t k = 0; k < plain[i].ended; k++)
            assert_same(&plain[i].of[k], &drafted[i].of[k]);
    assert_true(steps[1] < steps[0]);
}

/* --- the cache --- */

static void prefixes(void **state)
{
    (void)state;
    static record r;
    int ids[128];
    for (int i = 0; i < 100; i++)
        ids[i] = i * 3;
    lm_engine *e = engine(tiny_model, (lm_engine_options){0});
    lm_request q = asking(ids, 100, 3);
    ask_alone(e, &q, &r);
    assert_int_equal(r.cached, 0);
    ask_alone(e, &q, &r);
    assert_int_equal(r.cached, 96);
    q.n_prompt = 96; /* the last token is always computed */
    ask_alone(e, &q, &r);
    assert_int_equal(r.cached, 80);
    q.salt = "somebody else's";
    ask_alone(e, &q, &r);
    assert_int_equal(r.cached, 0);
    ask_alone(e, &q, &r);
    assert_int_equal(r.cached, 80);
    q.salt = "";
    ask_alone(e, &q, &r);
    assert_int_equal(r.cached, 80);
    ids[50] = 0;
    q.salt = NULL;
    ask_alone(e, &q, &r);
    assert_int_equal(r.cached, 48);
    lm_engine_stats s;
    lm_engine_get_stats(e, &s);
    assert_int_equal(s.cache_hits, 96 + 80 + 80 + 80 + 48);
    lm_engine_free(e);
}

/* Through a file: the same prefixes are there, with the same numbers, under the same salts; the newest ones
 * where there is less room. */
static void caches_in_files(void **state)
{
    (void)state;
    static record before, r;
    static const char path[] = "test_engine_cache.safetensors";
    int ids[100];
    for (int i = 0; i < 100; i++)
        ids[i] = i * 3;
    lm_engine *e = engine(tiny_model, (lm_engine_options){0});
    lm_request q = asking(ids, 100, 12), salted = asking(ids + 10, 50, 5);
    q.ignore_eos = salted.ignore_eos = true;
    q.logprobs = 0;
    salted.salt = "salt";
    ask_alone(e, &salted, &r);
    ask_alone(e, &q, &before);
    ask_alone(e, &q, &before); /* with what is cached */
    assert_ok(lm_engine_save_cache(e, path) == 0);
    lm_engine_free(e);
    e = engine(tiny_model, (lm_engine_options){0});
    assert_ok(lm_engine_load_cache(e, path) == 0);
    assert_null(sched_check(&e->sched));
    ask_alone(e, &q, &r);
    assert_int_equal(r.cached, 96);
    assert_same(&r.of[0], &before.of[0]);
    ask_alone(e, &salted, &r);
    assert_int_equal(r.cached, 48);
    salted.salt = NULL;
    ask_alone(e, &salted, &r);
    assert_int_equal(r.cached, 0);
    lm_engine_free(e);
    size_t block = 16 * lm_model_info(tiny_model).kv_bytes_per_token;
    e = engine(tiny_model, (lm_engine_options){.kv_memory = 8 * block});
    assert_ok(lm_engine_load_cache(e, path) == 0);
    assert_null(sched_check(&e->sched));
    q.max_tokens = 1;
    ask_alone(e, &q, &r);
    assert_int_equal(r.cached, 96);
    lm_engine_free(e);
    e = engine(tiny_model, (lm_engine_options){.kv_bits = 8});
    assert_int_equal(lm_engine_load_cache(e, path), -1);
    assert_error("made by another model or setting");
    assert_int_equal(lm_engine_load_cache(e, TEST_DATA "/golden/qwen3/model.safetensors"), -1);
    assert_error("is no cache of the engine");
    ask_alone(e, &q, &r);
    lm_engine_free(e);
    remove(path);
}

/* --- others --- */

static void refusals(void **state)
{
    (void)state;
    static record r;
    static const int ids[] = {1, 2, 3, 1000000};
    lm_engine *e = engine(tiny_model, (lm_engine_options){.max_length = 50, .max_waiting = 2});
    const char *empty = "";
    lm_bias bias = {1, NAN};
    lm_request q = asking(ids, 0, 9);
#define REFUSED(change, text)                                          \
    do {                                                               \
        q = asking(ids, 3, 9);                                         \
        change;                                                        \
        assert_int_equal(lm_engine_submit(e, &q, note, &r, NULL), -1); \
        assert_error(text);                                            \
    } while (0)
    REFUSED(q.n_prompt = 0, "the prompt is empty");
    REFUSED(q.n_prompt = 4, "prompt: token id 1000000 is not in the model's vocabulary");
    REFUSED(q.max_tokens = -2, "max_tokens must be -1 or more, not -2");
    REFUSED(q.min_tokens = 10, "min_tokens must be from 0 to max_tokens, not 10");
    REFUSED((q.n = 3, q.best_of = 2), "best_of is 2: it must be at least n, which is 3");
    REFUSED(q.logprobs = -2, "logprobs must be from -1 to the vocabulary's");
    REFUSED((q.stop = &empty, q.n_stop = 1), "stop: text 0 is empty");
    REFUSED((q.bias = &bias, q.n_bias = 1), "bias: of token 1 it must be a number or -inf");
    REFUSED(q.sampling.temp = -1, "temp must be 0 or more");
    REFUSED((q.stop_ids = ids + 3, q.n_stop_ids = 1), "stop_ids: token id 1000000");
#undef REFUSED
    int many[50] = {0};
    q = asking(many, 50, 1);
    assert_int_equal(lm_engine_submit(e, &q, note, &r, NULL), -1);
    assert_error("a prompt of 50 tokens does not fit: one request has room for 50 tokens");
    q.n_prompt = 45; /* the answer ends where the room does */
    q.max_tokens = 100;
    q.ignore_eos = true;
    ask_alone(e, &q, &r);
    assert_int_equal(r.of[0].n, 5);
    assert_string_equal(r.of[0].reason, "length");
    static record waiting[3];
    q = asking(ids, 3, 2);
    ask(e, &q, &waiting[0]);
    ask(e, &q, &waiting[1]);
    assert_int_equal(lm_engine_submit(e, &q, note, &waiting[2], NULL), LM_BUSY);
    assert_error("the queue is full: 2 requests are waiting");
    finish(e);
    assert_int_equal(lm_engine_submit(e, &q, note, &waiting[2], NULL), 0);
    lm_engine_free(e); /* with a request in it */
    assert_null(lm_engine_new(tiny_model, &(lm_engine_options){.kv_bits = 5}));
    assert_error("kv_bits must be 0, 4 or 8, not 5");
    assert_null(lm_engine_new(tiny_model, &(lm_engine_options){.max_batch_tokens = 4, .max_sequences = 5}));
    assert_error("max_batch_tokens is 4");
}

static void cancelling(void **state)
{
    (void)state;
    static record a, b, c;
    int ids[128];
    lm_engine *e = engine(tiny_model, (lm_engine_options){0});
    lm_request q = asking(ids, make_prompt(20, ids), 200);
    q.ignore_eos = true;
    ask(e, &q, &a);
    ask(e, &q, &b);
    ask(e, &q, &c);
    b.cancel_after = 7;
    for (int i = 0; i < 5; i++)
        lm_engine_step(e);
    lm_engine_cancel(e, a.id);
    lm_engine_cancel(e, 12345);
    size_t before = a.of[0].n;
    lm_engine_step(e);
    assert_string_equal(a.of[0].reason, "cancelled");
    assert_int_equal(a.of[0].n, before);
    finish(e);
    assert_string_equal(b.of[0].reason, "cancelled");
    assert_int_equal(b.of[0].n, 7);
    assert_int_equal(c.of[0].n, 200);
    ask(e, &q, &a);
    lm_engine_cancel(e, a.id); /* before it came in */
    finish(e);
    assert_string_equal(a.of[0].reason, "cancelled");
    assert_int_equal(a.of[0].n, 0);
    lm_engine_free(e);
}

/* --- threads --- */

typedef struct caller {
    lm_engine *e;
    record r[6];
    int first;
} caller;

static void *run(void *arg)
{
    lm_engine_run(arg);
    return NULL;
}

static void *call(void *arg)
{
    caller *c = arg;
    int ids[128];
    for (int i = 0; i < 6; i++) {
        lm_request q = varied(c->first + i, ids);
        ask(c->e, &q, &c->r[i]);
        if (i == 4)
            lm_engine_cancel(c->e, c->r[i].id);
        lm_engine_stats s;
        lm_engine_get_stats(c->e, &s);
    }
    return NULL;
}

static void threads(void **state)
{
    (void)state;
    static caller callers[4];
    lm_engine *e = engine(tiny_model, (lm_engine_options){0});
    pthread_t runner, ids[4];
    assert_int_equal(pthread_create(&runner, NULL, run, e), 0);
    for (int i = 0; i < 4; i++) {
        callers[i] = (caller){.e = e, .first = i * 6};
        assert_int_equal(pthread_create(&ids[i], NULL, call, &callers[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(ids[i], NULL);
    lm_engine_stop(e, true);
    pthread_join(runner, NULL);
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 6; k++)
            assert_true(callers[i].r[k].ended > 0);
    lm_engine_free(e);
}

/* --- failures --- */

/* Any allocation may fail: requests end with an error, or not at all if they never came in, and the next one
 * is answered. */
static void any_allocation_may_fail(void **state)
{
    (void)state;
    static record r, after;
    int ids[128];
    lm_request q = varied(6, ids), plain = asking(ids, 20, 4);
    q.logprobs = 2;
    q.drafts = 3;
    q.best_of = 4;
    size_t k = 1;
    for (bool fired = true; fired; k++) {
        lm_engine *e = engine(tiny_model, (lm_engine_options){0});
        memset(&r, 0, sizeof r);
        mem_fail_at(k);
        int rc = lm_engine_submit(e, &q, note, &r, NULL);
        while (lm_engine_step(e) > 0)
            continue;
        fired = mem_fail_fired();
        mem_fail_at(0);
        error_clear();
        assert_true(rc == 0 ? r.ended == 3 : r.ended == 0);
        assert_null(sched_check(&e->sched));
        ask_alone(e, &plain, &after);
        assert_int_equal(after.of[0].n, 4);
        lm_engine_free(e);
    }
    print_message("%zu allocations failed\n", k - 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_change_nothing),
        cmocka_unit_test(memory_changes_nothing),
        cmocka_unit_test(sixty_four_at_a_time),
        cmocka_unit_test(sessions_agree),
        cmocka_unit_test(old_memory_is_not_read),
        cmocka_unit_test(windows),
        cmocka_unit_test(quantized_cache),
        cmocka_unit_test(stop_texts),
        cmocka_unit_test(ends),
        cmocka_unit_test(log_probabilities),
        cmocka_unit_test(several),
        cmocka_unit_test(drafts),
        cmocka_unit_test(prefixes),
        cmocka_unit_test(caches_in_files),
        cmocka_unit_test(refusals),
        cmocka_unit_test(cancelling),
        cmocka_unit_test(threads),
        cmocka_unit_test(any_allocation_may_fail),
    };
    size_t before = mem_live();
    json_set_alloc_funcs(json_memory, json_memory_free);
    int failed = cmocka_run_group_tests_name("engine", tests, setup, teardown);
    lm_shutdown();
    if (mem_live() != before)
        fprintf(stderr, "[  FAILED  ] engine: %zu blocks still allocated at exit\n", mem_live() - before);
    return failed || mem_live() != before;
}
