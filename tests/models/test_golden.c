/* The families against logits that Hugging Face transformers computed in float32: all positions in one step,
 * the same through the cache a token at a time and in uneven steps, and the greedy continuation. Runs itself
 * once for each instruction set. */
#include "test.h"

#include "cpu/kernels.h"
#include "io/safetensors.h"
#include "mica.h"

#include <math.h>
#include <stdlib.h>

static const char *const MODELS[] = {"llama", "llama3_rope", "llama_linear", "mistral",
                                     "qwen2", "qwen3",       "qwen3_tied",   "qwen3_yarn"};
enum { N_MODELS = sizeof MODELS / sizeof *MODELS, TOKENS = 40, VOCAB = 512, GREEDY = 12 };
#define TOLERANCE 2e-4f

typedef struct golden {
    int ids[TOKENS], greedy[GREEDY];
    float logits[TOKENS * VOCAB];
    lm_model *model;
    lm_session *session;
} golden;

static void read_ids(const safetensors *s, const char *name, int *out, size_t n)
{
    int64_t wide[TOKENS];
    size_t mark = mx_mark();
    mlx_array x = safetensors_array(s, safetensors_find(s, name));
    assert_int_equal(mx_size(x), n);
    assert_ok(mx_read_i64(x, wide) == 0);
    for (size_t i = 0; i < n; i++)
        out[i] = (int)wide[i];
    mx_release(mark);
}

static void open_golden(golden *g, const char *name)
{
    char path[300];
    snprintf(path, sizeof path, "%s/golden/%s/golden.safetensors", TEST_DATA, name);
    safetensors s;
    assert_ok(safetensors_open(&s, path) == 0);
    read_ids(&s, "input_ids", g->ids, TOKENS);
    read_ids(&s, "greedy", g->greedy, GREEDY);
    size_t mark = mx_mark();
    assert_ok(mx_read_f32(safetensors_array(&s, safetensors_find(&s, "logits")), g->logits) == 0);
    mx_release(mark);
    safetensors_close(&s);
    snprintf(path, sizeof path, "%s/golden/%s", TEST_DATA, name);
    lm_load_options options = {.no_tokenizer = true, .kv_dtype = "float32"};
    g->model = lm_load(path, &options);
    assert_ok(g->model != NULL);
    g->session = lm_session_new(g->model);
    assert_ok(g->session != NULL);
}

static void close_golden(golden *g)
{
    lm_session_free(g->session);
    lm_free(g->model);
}

/* Feeds the ids in steps of the sizes given (the last repeats) and compares every position. */
static void compare(golden *g, const char *name, const int *steps, size_t n_steps)
{
    static float out[TOKENS * VOCAB];
    assert_int_equal(lm_session_trim(g->session, 0), 0);
    for (int at = 0, k = 0; at < TOKENS; k++) {
        int n = steps[(size_t)k < n_steps ? (size_t)k : n_steps - 1];
        n = n < TOKENS - at ? n : TOKENS - at;
        assert_ok(lm_logits(g->session, g->ids + at, (size_t)n, true, out + at * VOCAB) == 0);
        at += n;
    }
    float worst = 0;
    for (int i = 0; i < TOKENS * VOCAB; i++) {
        float d = fabsf(out[i] - g->logits[i]);
        worst = d > worst || isnan(d) ? d : worst;
    }
    print_message("%s %s step %d: max difference %.2g\n", lm_isa(), name, steps[0], (double)worst);
    assert_true(worst <= TOLERANCE);
}

static int collect(void *user, const lm_token *token)
{
    int **next = user;
    *(*next)++ = token->id;
    return 0;
}

static void compare_greedy(golden *g, int prefill_step)
{
    lm_generate_options options = LM_GENERATE_DEFAULT;
    options.max_tokens = GREEDY;
    options.ignore_eos = true;
    options.prefill_step = prefill_step;
    int ids[GREEDY], *next = ids;
    lm_stats stats;
    assert_int_equal(lm_session_trim(g->session, 0), 0);
    assert_ok(lm_generate(g->session, g->ids, TOKENS, &options, collect, &next, &stats) == 0);
    assert_int_equal(stats.generated_tokens, GREEDY);
    assert_memory_equal(ids, g->greedy, sizeof ids);
}

static void matches_golden(void **state)
{
    (void)state;
    static golden g;
    for (int i = 0; i < N_MODELS; i++) {
        open_golden(&g, MODELS[i]);
        compare(&g, MODELS[i], (const int[]){TOKENS}, 1);
        compare(&g, MODELS[i], (const int[]){1}, 1);
        compare(&g, MODELS[i], (const int[]){17, 1, 1, 13, 3}, 5);
        compare_greedy(&g, 0);
        compare_greedy(&g, 7);
        close_golden(&g);
    }
}

/* The last position alone is what all positions give. */
static void last_position_alone(void **state)
{
    (void)state;
    static golden g;
    static float all[TOKENS * VOCAB], last[VOCAB];
    open_golden(&g, "qwen3");
    assert_ok(lm_logits(g.session, g.ids, TOKENS, true, all) == 0);
    assert_int_equal(lm_session_trim(g.session, 0), 0);
    assert_ok(lm_logits(g.session, g.ids, TOKENS, false, last) == 0);
    for (int i = 0; i < VOCAB; i++)
        assert_true(fabsf(last[i] - all[(TOKENS - 1) * VOCAB + i]) < 1e-5f);
    close_golden(&g);
}

/* 600 tokens make the cache grow twice; forgetting and feeding again gives the same. */
static void cache_grows_and_trims(void **state)
{
    (void)state;
    static golden g;
    static float first[VOCAB], again[VOCAB];
    static int ids[600];
    open_golden(&g, "llama");
    for (int i = 0; i < 600; i++)
        ids[i] = g.ids[i % TOKENS];
    assert_ok(lm_logits(g.session, ids, 600, false, first) == 0);
    assert_int_equal(lm_session_length(g.session), 600);
    assert_int_equal(lm_session_trim(g.session, 250), 0);
    for (int i = 250; i < 600; i++)
        assert_ok(lm_logits(g.session, ids + i, 1, false, again) == 0);
    for (int i = 0; i < VOCAB; i++)
        assert_true(fabsf(first[i] - again[i]) < 1e-4f);
    assert_memory_equal(lm_session_tokens(g.session), ids, sizeof ids);
    close_golden(&g);
}

static int run_all(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_golden),
        cmocka_unit_test(last_position_alone),
        cmocka_unit_test(cache_grows_and_trims),
    };
    return RUN_TESTS("golden", tests, lm_shutdown);
}

int main(int argc, char **argv)
{
    if (getenv("MICA_CPU_ISA") || argc != 1)
        return run_all();
    int failed = 0;
    for (cpu_isa isa = 0; isa < ISA_LEVELS; isa++) {
        cpu_kernels kernels;
        char command[600];
        if (!cpu_kernels_fill(&kernels, isa)) /* not this processor's */
            continue;
        snprintf(command, sizeof command, "MICA_CPU_ISA=%s '%s'", cpu_isa_name(isa), argv[0]);
        failed |= system(command) != 0;
    }
    return failed;
}
