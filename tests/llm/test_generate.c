/* Generation and sessions: what is streamed is what was generated, sessions go on where they were, every way
 * to end has its reason, and any allocation may fail. */
#include "test.h"

#include "base/file.h"
#include "io/safetensors.h"
#include "llm/model.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

static lm_model *tiny(const char *kv_dtype)
{
    char path[300];
    snprintf(path, sizeof path, "%s/golden/qwen3", TEST_DATA);
    lm_load_options o = {.no_tokenizer = true, .kv_dtype = kv_dtype};
    lm_model *m = lm_load(path, &o);
    assert_ok(m != NULL);
    return m;
}

typedef struct record {
    int ids[300];
    size_t count, calls, stop_after;
    char text[8000];
    size_t len;
    const char *reason;
    size_t progress_calls, last_done, total;
    int asked, cancel_after;
} record;

static int note(void *user, const lm_token *t)
{
    record *r = user;
    if (t->id >= 0)
        r->ids[r->count++] = t->id;
    r->calls++;
    memcpy(r->text + r->len, t->text, t->len);
    r->len += t->len;
    r->reason = t->finish_reason;
    return r->stop_after && r->count >= r->stop_after;
}

static void note_progress(void *user, size_t done, size_t total)
{
    record *r = user;
    assert_true(done >= r->last_done && done <= total);
    r->last_done = done;
    r->total = total;
    r->progress_calls++;
}

static bool give_up(void *user)
{
    record *r = user;
    return r->cancel_after && ++r->asked > r->cancel_after;
}

static const int PROMPT[] = {5, 99, 300, 7, 41, 11, 260};
enum { N_PROMPT = sizeof PROMPT / sizeof *PROMPT };

static lm_generate_options plain(int max_tokens)
{
    lm_generate_options o = LM_GENERATE_DEFAULT;
    o.max_tokens = max_tokens;
    o.ignore_eos = true;
    return o;
}

static void sessions_go_on(void **state)
{
    (void)state;
    lm_model *m = tiny(NULL);
    lm_session *s = lm_session_new(m), *t = lm_session_new(m);
    record whole = {0}, first = {0}, second = {0};
    lm_generate_options ten = plain(10), four = plain(4), six = plain(6);
    lm_stats stats;
    assert_ok(lm_generate(s, PROMPT, N_PROMPT, &ten, note, &whole, &stats) == 0);
    assert_int_equal(stats.generated_tokens, 10);
    assert_int_equal(stats.prompt_tokens, N_PROMPT);
    assert_string_equal(stats.finish_reason, "length");
    assert_string_equal(whole.reason, "length");
    assert_true(stats.prompt_tps > 0 && stats.generation_tps > 0 && stats.peak_memory > 0);
    assert_int_equal(lm_session_length(s), N_PROMPT + 10);
    assert_memory_equal(lm_session_tokens(s) + N_PROMPT, whole.ids, sizeof *whole.ids * 10);
    assert_ok(lm_generate(t, PROMPT, N_PROMPT, &four, note, &first, NULL) == 0);
    assert_ok(lm_generate(t, NULL, 0, &six, note, &second, NULL) == 0);
    assert_memory_equal(first.ids, whole.ids, 4 * sizeof(int));
    assert_memory_equal(second.ids, whole.ids + 4, 6 * sizeof(int));
    /* Back to the middle, and the same again. */
    assert_ok(lm_session_trim(t, N_PROMPT + 2) == 0);
    second = (record){0};
    assert_ok(lm_generate(t, whole.ids + 2, 1, &six, note, &second, NULL) == 0);
    assert_memory_equal(second.ids, whole.ids + 3, 6 * sizeof(int));
    assert_int_equal(lm_session_trim(t, 1000), -1);
    assert_error("cannot be trimmed");
    lm_session_free(s);
    lm_session_free(t);
    lm_free(m);
}

/* Through a file, which has mlx-lm's names. */
static void sessions_in_files(void **state)
{
    (void)state;
    static const char path[] = "test_session.safetensors";
    lm_model *m = tiny(NULL);
    lm_session *s = lm_session_new(m), *t = lm_session_new(m);
    record whole = {0}, rest = {0};
    lm_generate_options ten = plain(10), none = plain(0);
    assert_int_equal(lm_session_save(s, path, NULL, 0), -1);
    assert_error("an empty session is not saved");
    assert_ok(lm_generate(s, PROMPT, N_PROMPT - 1, &none, NULL, NULL, NULL) == 0);
    const char *const pairs[][2] = {{"model", "a folder"}};
    assert_ok(lm_session_save(s, path, pairs, 1) == 0);
    assert_ok(lm_generate(s, PROMPT + N_PROMPT - 1, 1, &ten, note, &whole, NULL) == 0);
    assert_ok(lm_session_load(t, path) == 0);
    assert_int_equal(lm_session_length(t), N_PROMPT - 1);
    assert_memory_equal(lm_session_tokens(t), PROMPT, sizeof(int) * (N_PROMPT - 1));
    assert_ok(lm_generate(t, PROMPT + N_PROMPT - 1, 1, &ten, note, &rest, NULL) == 0);
    assert_memory_equal(rest.ids, whole.ids, sizeof(int) * 10);
    assert_int_equal(lm_session_load(t, path), -1);
    assert_error("only an empty session");
    char *model = lm_session_metadata(path, "model"), *nothing = lm_session_metadata(path, "x");
    assert_string_equal(model, "a folder");
    assert_string_equal(nothing, "");
    lm_release(model);
    lm_release(nothing);
    /* mlx-lm's names. */
    safetensors f;
    assert_ok(safetensors_open(&f, path) == 0);
    assert_string_equal(safetensors_metadata(&f, "2.0"), "KVCache");
    assert_string_equal(safetensors_metadata(&f, "0.0"), "");
    const safetensors_tensor *keys = safetensors_find(&f, "0.0");
    assert_true(keys && keys->ndim == 4 && keys->shape[2] == N_PROMPT - 1);
    safetensors_close(&f);
    /* Another model's. */
    char other[300];
    snprintf(other, sizeof other, "%s/golden/llama", TEST_DATA);
    lm_model *wrong = lm_load(other, &(lm_load_options){.no_tokenizer = true});
    lm_session *u = lm_session_new(wrong);
    assert_int_equal(lm_session_load(u, path), -1);
    assert_true(error_pending());
    error_clear();
    assert_int_equal(lm_session_length(u), 0);
    assert_int_equal(lm_session_load(u, "no-such-file"), -1);
    assert_error("no-such-file");
    lm_session_free(u);
    lm_free(wrong);
    remove(path);
    lm_session_free(s);
    lm_session_free(t);
    lm_free(m);
}

/* A file whose keys and values are quantized to 8 bits, as mlx-lm's --kv-bits leaves them. */
static void quantized_sessions_in_files(void **state)
{
    (void)state;
    enum { LAYERS = 8, TENSORS = LAYERS * 6, PAIRS = LAYERS * 4 };
    static const char path[] = "test_quantized.safetensors";
    static char names[TENSORS][16], keys[PAIRS][16];
    const char *name[TENSORS], *pairs[PAIRS][2];
    mlx_array arrays[TENSORS];
    lm_model *m = lm_load(SOURCE_DIR "/models/story", &(lm_load_options){.kv_dtype = "float32"});
    assert_ok(m != NULL);
    lm_session *s = lm_session_new(m), *t = lm_session_new(m);
    lm_generate_options none = plain(0);
    assert_ok(lm_generate(s, PROMPT, N_PROMPT, &none, NULL, NULL, NULL) == 0);
    size_t mark = mx_mark();
    for (int i = 0; i < LAYERS; i++) {
        for (int part = 0; part < 2; part++) {
            const kv_layer *l = &s->cache.layers[i];
            mlx_array x = mx_slice_axis(part ? l->values : l->keys, 2, 0, N_PROMPT);
            assert_ok(mx_quantize(x, 64, 8, &arrays[i * 6 + part * 3]) == 0);
            for (int k = 0; k < 3; k++)
                snprintf(names[i * 6 + part * 3 + k], 16, "%d.%d.%d", i, part, k);
        }
        static const char *const numbers[] = {"7", "64", "8", "QuantizedKVCache"};
        for (int k = 0; k < 4; k++) {
            snprintf(keys[i * 4 + k], 16, k < 3 ? "0.%d.%d" : "2.%d", i, k);
            pairs[i * 4 + k][0] = keys[i * 4 + k];
            pairs[i * 4 + k][1] = numbers[k];
        }
    }
    for (int i = 0; i < TENSORS; i++)
        name[i] = names[i];
    const safetensors_map all = {name, arrays, TENSORS, (const char *const(*)[2])pairs, PAIRS};
    assert_ok(safetensors_save_map(path, &all) == 0);
    assert_ok(lm_session_load(t, path) == 0);
    assert_int_equal(lm_session_length(t), N_PROMPT);
    assert_int_equal(lm_session_tokens(t)[0], 0); /* it does not say which tokens */
    static float a[2 * N_PROMPT * 64], b[2 * N_PROMPT * 64];
    for (int i = 0; i < LAYERS; i++) {
        assert_ok(mx_read_f32(mx_slice_axis(s->cache.layers[i].keys, 2, 0, N_PROMPT), a) == 0);
        assert_ok(mx_read_f32(t->cache.layers[i].keys, b) == 0);
        for (size_t k = 0; k < sizeof a / sizeof *a; k++)
            assert_true(fabsf(a[k] - b[k]) < 0.2f);
    }
    mx_release(mark);
    lm_generate_options o = plain(3);
    o.sampling.repetition_penalty = 1.5f;
    assert_ok(lm_generate(t, PROMPT, 1, &o, NULL, NULL, NULL) == 0);
    remove(path);
    lm_session_free(s);
    lm_session_free(t);
    lm_free(m);
}

/* A limit that is not reached changes nothing; one that is keeps the memory small, and a session that has let
 * tokens go starts anew when it is trimmed. */
static void limited_sessions(void **state)
{
    (void)state;
    lm_model *m = tiny(NULL);
    lm_session *s = lm_session_new(m), *t = lm_session_new(m), *u = lm_session_new(m);
    record free = {0}, wide = {0}, narrow = {0}, again = {0};
    lm_generate_options o = plain(60);
    assert_int_equal(lm_session_limit(s, 5), -1);
    assert_error("cannot be limited to 5 tokens");
    assert_ok(lm_session_limit(t, 100) == 0 && lm_session_limit(u, 16) == 0);
    assert_ok(lm_generate(s, PROMPT, N_PROMPT, &o, note, &free, NULL) == 0);
    assert_ok(lm_generate(t, PROMPT, N_PROMPT, &o, note, &wide, NULL) == 0);
    assert_memory_equal(wide.ids, free.ids, sizeof(int) * 60);
    assert_ok(lm_generate(u, PROMPT, N_PROMPT, &o, note, &narrow, NULL) == 0);
    assert_memory_equal(narrow.ids, free.ids, sizeof(int) * (16 - N_PROMPT + 1));
    assert_true(memcmp(narrow.ids, free.ids, sizeof(int) * 60) != 0);
    assert_int_equal(u->cache.stored, 16);
    assert_ok(lm_session_trim(u, N_PROMPT) == 0);
    assert_ok(lm_generate(u, free.ids, 1, &o, note, &again, NULL) == 0);
    assert_memory_equal(again.ids, free.ids + 1, sizeof(int) * (16 - N_PROMPT));
    assert_int_equal(lm_session_limit(s, 50), -1);
    assert_error("only an empty session");
    assert_int_equal(lm_session_save(u, "test_limited", NULL, 0), -1);
    assert_error("has let positions go");
    lm_session_free(s);
    lm_session_free(t);
    lm_session_free(u);
    lm_free(m);
}

static void ends_for_a_reason(void **state)
{
    (void)state;
    lm_model *m = tiny(NULL);
    lm_session *s = lm_session_new(m);
    record r = {0};
    lm_generate_options o = plain(10);
    lm_stats stats;
    assert_ok(lm_generate(s, PROMPT, N_PROMPT, &o, note, &r, NULL) == 0);
    /* The third token as an end token. */
    int end = r.ids[2];
    size_t at = end == r.ids[0] ? 0 : end == r.ids[1] ? 1 : 2;
    o.ignore_eos = false;
    o.extra_eos = &end;
    o.n_extra_eos = 1;
    r = (record){0};
    assert_ok(lm_session_trim(s, 0) == 0);
    assert_ok(lm_generate(s, PROMPT, N_PROMPT, &o, note, &r, &stats) == 0);
    assert_int_equal(r.count, at + 1);
    assert_string_equal(r.reason, "stop");
    assert_string_equal(stats.finish_reason, "stop");
    /* The callback, and the question between steps. */
    o = plain(10);
    r = (record){.stop_after = 2};
    assert_ok(lm_session_trim(s, 0) == 0);
    assert_ok(lm_generate(s, PROMPT, N_PROMPT, &o, note, &r, &stats) == 0);
    assert_int_equal(r.count, 2);
    assert_string_equal(stats.finish_reason, "cancelled");
    o.cancelled = give_up;
    r = (record){.cancel_after = 3};
    assert_ok(lm_session_trim(s, 0) == 0);
    assert_ok(lm_generate(s, PROMPT, N_PROMPT, &o, note, &r, &stats) == 0);
    assert_int_equal(r.count, 3);
    assert_int_equal(r.calls, 4);
    assert_string_equal(r.reason, "cancelled");
    /* Only the prompt. */
    o = plain(0);
    o.prefill_step = 3;
    o.progress = note_progress;
    r = (record){0};
    assert_ok(lm_session_trim(s, 0) == 0);
    assert_ok(lm_generate(s, PROMPT, N_PROMPT, &o, note, &r, &stats) == 0);
    assert_int_equal(r.calls, 0);
    assert_int_equal(r.progress_calls, 4);
    assert_true(r.last_done == N_PROMPT && r.total == N_PROMPT);
    assert_int_equal(lm_session_length(s), N_PROMPT);
    lm_session_free(s);
    lm_free(m);
}

static void refuses_bad_input(void **state)
{
    (void)state;
    lm_model *m = tiny(NULL);
    lm_session *s = lm_session_new(m);
    const int bad[] = {1, 512}, negative[] = {-1};
    float logits[512];
    lm_generate_options o = plain(2);
    assert_int_equal(lm_generate(s, bad, 2, &o, NULL, NULL, NULL), -1);
    assert_string_equal(lm_error(), "token id 512 is not in the model's vocabulary of 512");
    assert_string_equal(lm_error(), "");
    assert_int_equal(lm_logits(s, negative, 1, false, logits), -1);
    assert_error("token id -1");
    assert_int_equal(lm_generate(s, NULL, 0, &o, NULL, NULL, NULL), -1);
    assert_error("prompt is empty");
    o.sampling.top_p = 7;
    assert_int_equal(lm_generate(s, PROMPT, N_PROMPT, &o, NULL, NULL, NULL), -1);
    assert_error("top_p");
    assert_int_equal(lm_session_length(s), 0);
    int *ids;
    size_t n;
    assert_int_equal(lm_tokenize(m, "x", 1, true, &ids, &n), -1);
    assert_error("without its tokenizer");
    assert_null(lm_template(m, "[]", NULL));
    assert_error("no chat template");
    lm_session_free(s);
    lm_free(m);
    assert_null(lm_load("/nowhere", NULL));
    assert_error("no such folder");
    lm_load_options odd = {.no_tokenizer = true, .kv_dtype = "int4"};
    char path[300];
    snprintf(path, sizeof path, "%s/golden/qwen3", TEST_DATA);
    assert_null(lm_load(path, &odd));
    assert_error("int4");
}

static void seeds_repeat(void **state)
{
    (void)state;
    lm_model *m = tiny("bfloat16");
    lm_session *s = lm_session_new(m);
    record r[3] = {0};
    lm_generate_options o = plain(20);
    o.sampling.temp = 1;
    o.sampling.seeded = true;
    o.sampling.top_k = 200;
    for (int i = 0; i < 3; i++) {
        o.sampling.seed = i < 2 ? 5 : 6;
        assert_ok(lm_session_trim(s, 0) == 0);
        assert_ok(lm_generate(s, PROMPT, N_PROMPT, &o, note, &r[i], NULL) == 0);
    }
    assert_memory_equal(r[0].ids, r[1].ids, 20 * sizeof(int));
    assert_memory_not_equal(r[0].ids, r[2].ids, 20 * sizeof(int));
    /* A strong penalty forbids repeats. */
    o = plain(20);
    o.sampling.presence_penalty = 1000;
    o.sampling.presence_context = 0;
    record p = {0};
    assert_ok(lm_session_trim(s, 0) == 0);
    assert_ok(lm_generate(s, PROMPT, N_PROMPT, &o, note, &p, NULL) == 0);
    for (int i = 0; i < 20; i++)
        for (int j = 0; j < i; j++)
            assert_int_not_equal(p.ids[i], p.ids[j]);
    lm_session_free(s);
    lm_free(m);
}

typedef struct job {
    const lm_model *model;
    record r;
    int rc;
} job;

static void *run_job(void *arg)
{
    job *j = arg;
    lm_generate_options o = plain(30);
    lm_session *s = lm_session_new(j->model);
    j->rc = s ? lm_generate(s, PROMPT, N_PROMPT, &o, note, &j->r, NULL) : -1;
    lm_session_free(s);
    return NULL;
}

/* Sessions of one model on several threads at once. */
static void threads_share_a_model(void **state)
{
    (void)state;
    enum { THREADS = 3 };
    static job jobs[THREADS];
    pthread_t threads[THREADS];
    lm_model *m = tiny(NULL);
    for (int i = 0; i < THREADS; i++) {
        jobs[i] = (job){.model = m, .rc = -1};
        assert_int_equal(pthread_create(&threads[i], NULL, run_job, &jobs[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(jobs[i].rc, 0);
        assert_memory_equal(jobs[i].r.ids, jobs[0].r.ids, 30 * sizeof(int));
    }
    lm_free(m);
}

/* The demo model: text in, text out. */
static void streams_text(void **state)
{
    (void)state;
    const char *path = SOURCE_DIR "/models/story", *prompt = "Once upon a time";
    if (!file_exists(SOURCE_DIR "/models/story/tokenizer.json"))
        skip();
    lm_model *m = lm_load(path, NULL);
    assert_ok(m != NULL);
    lm_info info = lm_model_info(m);
    assert_string_equal(info.model_type, "qwen3");
    assert_true(info.parameters == 15736192 && info.has_chat_template && info.precision == LM_PRECISION_INT8);
    assert_true(lm_is_eos(m, lm_token_id(m, "<|im_end|>")) && lm_is_eos(m, lm_token_id(m, "<|endoftext|>")));
    lm_session *s = lm_session_new(m);
    int *ids;
    size_t n, len;
    assert_ok(lm_tokenize(m, prompt, strlen(prompt), true, &ids, &n) == 0);
    record r = {0};
    lm_generate_options o = plain(40);
    o.sampling.temp = 0.7f;
    o.sampling.seeded = true;
    assert_ok(lm_generate(s, ids, n, &o, note, &r, NULL) == 0);
    char *text = lm_detokenize(m, r.ids, r.count, false, &len);
    assert_ok(text != NULL);
    assert_int_equal(len, r.len);
    assert_memory_equal(text, r.text, len);
    lm_release(text);
    lm_release(ids);
    text = lm_template(m, "[{\"role\":\"user\",\"content\":\"Hi\"}]", NULL);
    assert_ok(text != NULL);
    assert_string_equal(text, "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
    lm_release(text);
    assert_null(lm_template(m, "{}", NULL));
    assert_error("must be a JSON list");
    lm_session_free(s);
    lm_free(m);
}

/* Loads and generates with the k-th allocation failing, for every k until none fails. */
static void any_allocation_may_fail(void **state)
{
    (void)state;
    char path[300];
    snprintf(path, sizeof path, "%s/golden/qwen3_tied", TEST_DATA);
    lm_load_options options = {.no_tokenizer = true};
    lm_generate_options o = plain(2);
    size_t failures = 0;
    for (size_t k = 1;; k += k < 400 ? 1 : 17) {
        mem_fail_at(k);
        lm_model *m = lm_load(path, &options);
        lm_session *s = m ? lm_session_new(m) : NULL;
        int rc = s ? lm_generate(s, PROMPT, N_PROMPT, &o, NULL, NULL, NULL) : -1;
        bool fired = mem_fail_fired();
        mem_fail_at(0);
        if (fired && rc) {
            const char *text = lm_error();
            if (!strstr(text, "memory"))
                fail_msg("allocation %zu: \"%s\"", k, text);
            failures++;
            if (s) { /* the session is usable again */
                assert_int_equal(lm_session_trim(s, 0), 0);
                assert_ok(lm_generate(s, PROMPT, N_PROMPT, &o, NULL, NULL, NULL) == 0);
            }
        }
        lm_session_free(s);
        lm_free(m);
        if (!fired) {
            assert_ok(rc == 0);
            break;
        }
    }
    assert_true(failures > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limited_sessions),
        cmocka_unit_test(sessions_in_files),
        cmocka_unit_test(quantized_sessions_in_files),
        cmocka_unit_test(sessions_go_on),
        cmocka_unit_test(ends_for_a_reason),
        cmocka_unit_test(refuses_bad_input),
        cmocka_unit_test(seeds_repeat),
        cmocka_unit_test(streams_text),
        cmocka_unit_test(threads_share_a_model),
        cmocka_unit_test(any_allocation_may_fail),
    };
    return RUN_TESTS("generate", tests, lm_shutdown);
}
