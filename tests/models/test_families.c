/* Every family against logits that Hugging Face transformers computed in float32 from the same random
 * checkpoint: all positions in one step, the same token by token and in uneven steps, and the greedy
 * continuation. tests/data/families/make.py made them. With the name of a folder there as its argument, the
 * program checks that one. */
#include "test.h"

#include "io/safetensors.h"
#include "mica.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

enum { TOKENS = 24, VOCAB = 256, GREEDY = 8, MOST = 200 };
#define TOLERANCE 3e-4f

static const char *only;
static char scratch[] = "/tmp/mica-families-XXXXXX";

typedef struct golden {
    int ids[TOKENS], greedy[GREEDY];
    float logits[TOKENS * VOCAB];
    lm_model *model;
    lm_session *session;
} golden;

static void read_ids(const safetensors *s, const char *name, int *out, size_t n)
{
    int64_t wide[TOKENS];
    mlx_array x = safetensors_array(s, safetensors_find(s, name));
    assert_int_equal(mx_size(x), n);
    assert_ok(mx_read_i64(x, wide) == 0);
    for (size_t i = 0; i < n; i++)
        out[i] = (int)wide[i];
}

static void open_golden(golden *g, const char *name)
{
    char path[300];
    snprintf(path, sizeof path, "%s/families/%s/golden.safetensors", TEST_DATA, name);
    safetensors s;
    assert_ok(safetensors_open(&s, path) == 0);
    size_t mark = mx_mark();
    read_ids(&s, "input_ids", g->ids, TOKENS);
    read_ids(&s, "greedy", g->greedy, GREEDY);
    mlx_array logits = safetensors_array(&s, safetensors_find(&s, "logits"));
    assert_int_equal(mx_size(logits), TOKENS * VOCAB);
    assert_ok(mx_read_f32(logits, g->logits) == 0);
    mx_release(mark);
    safetensors_close(&s);
    snprintf(path, sizeof path, "%s/families/%s", TEST_DATA, name);
    lm_load_options options = {.no_tokenizer = true, .kv_dtype = "float32"};
    g->model = lm_load(path, &options);
    assert_ok(g->model != NULL);
    g->session = lm_session_new(g->model);
    assert_ok(g->session != NULL);
}

/* Feeds the ids in steps of the sizes given (the last repeats); the worst difference. */
static float worst(golden *g, const int *steps, size_t n_steps)
{
    static float out[TOKENS * VOCAB];
    assert_int_equal(lm_session_trim(g->session, 0), 0);
    for (int at = 0, k = 0; at < TOKENS; k++) {
        int n = steps[(size_t)k < n_steps ? (size_t)k : n_steps - 1];
        n = n < TOKENS - at ? n : TOKENS - at;
        assert_ok(lm_logits(g->session, g->ids + at, (size_t)n, true, out + at * VOCAB) == 0);
        at += n;
    }
    float most = 0;
    for (int i = 0; i < TOKENS * VOCAB; i++) {
        float d = fabsf(out[i] - g->logits[i]);
        most = d > most || isnan(d) ? d : most;
    }
    return most;
}

static int collect(void *user, const lm_token *token)
{
    int **next = user;
    *(*next)++ = token->id;
    return 0;
}

static void check_greedy(golden *g)
{
    lm_generate_options options = LM_GENERATE_DEFAULT;
    options.max_tokens = GREEDY;
    options.ignore_eos = true;
    options.prefill_step = 7;
    int ids[GREEDY], *next = ids;
    lm_stats stats;
    assert_int_equal(lm_session_trim(g->session, 0), 0);
    assert_ok(lm_generate(g->session, g->ids, TOKENS, &options, collect, &next, &stats) == 0);
    assert_memory_equal(ids, g->greedy, sizeof ids);
}

/* The model converted and loaded again; the mean difference of its logits. */
static double converted(const golden *g, const char *name, const lm_convert_options *how)
{
    static float out[TOKENS * VOCAB];
    char from[300], to[340], command[400];
    snprintf(from, sizeof from, "%s/families/%s", TEST_DATA, name);
    snprintf(to, sizeof to, "%s/%s-%d", scratch, name, how->bits);
    assert_ok(lm_convert(from, to, how, NULL) == 0);
    lm_load_options options = {
        .no_tokenizer = true, .kv_dtype = "float32", .precision = LM_PRECISION_FLOAT32};
    lm_model *model = lm_load(to, &options);
    assert_ok(model != NULL);
    lm_session *session = lm_session_new(model);
    assert_ok(lm_logits(session, g->ids, TOKENS, true, out) == 0);
    double sum = 0;
    for (int i = 0; i < TOKENS * VOCAB; i++)
        sum += fabs((double)out[i] - (double)g->logits[i]);
    lm_session_free(session);
    lm_free(model);
    snprintf(command, sizeof command, "rm -r '%s'", to);
    assert_int_equal(system(command), 0);
    return sum / (TOKENS * VOCAB);
}

static void check_family(const char *name)
{
    static golden g;
    open_golden(&g, name);
    float whole = worst(&g, (const int[]){TOKENS}, 1), single = worst(&g, (const int[]){1}, 1);
    float uneven = worst(&g, (const int[]){9, 1, 1, 11}, 4);
    print_message("%-20s %.2g whole, %.2g token by token, %.2g in uneven steps\n", name, (double)whole,
                  (double)single, (double)uneven);
    assert_true(whole <= TOLERANCE);
    /* longrope: a text that grows beyond the original length turns from there on by other periods. */
    assert_true(strstr(name, "longrope") || single <= TOLERANCE);
    assert_true(strstr(name, "longrope") || uneven <= TOLERANCE);
    check_greedy(&g);
    double same = converted(&g, name, &(lm_convert_options){.dtype = "bfloat16"});
    double eight = converted(&g, name, &(lm_convert_options){.quantize = true, .bits = 8, .group_size = 32});
    print_message("%-20s %.2g in MLX's form, %.2g at 8 bits (means)\n", "", same, eight);
    assert_true(same <= (double)TOLERANCE);
    assert_true(eight < 0.2);
    lm_session_free(g.session);
    lm_free(g.model);
}

static int by_name(const void *a, const void *b) { return strcmp(a, b); }

static void matches_transformers(void **state)
{
    (void)state;
    static char names[MOST][256];
    size_t n = 0;
    DIR *d = opendir(TEST_DATA "/families");
    assert_non_null(d);
    for (const struct dirent *e; (e = readdir(d));)
        if (!strchr(e->d_name, '.') && n < MOST)
            snprintf(names[n++], sizeof *names, "%s", e->d_name);
    closedir(d);
    qsort(names, n, sizeof *names, by_name);
    assert_true(n > 40);
    for (size_t i = 0; i < n; i++)
        if (!only || strcmp(only, names[i]) == 0)
            check_family(names[i]);
}

/* Of two layers with 4 experts, of which a token meets 2, and an untied embedding. */
static void bytes_of_a_token(void **state)
{
    (void)state;
    lm_model *m = lm_load(TEST_DATA "/families/mixtral", &(lm_load_options){.no_tokenizer = true});
    assert_ok(m != NULL);
    lm_info info = lm_model_info(m);
    size_t expert = 3 * 48 * 32 * 2, row = 32 * 2;
    assert_int_equal(info.bytes_per_token, info.weight_bytes - 2 * 2 * expert - (VOCAB - 1) * row);
    lm_free(m);
}

int main(int argc, char **argv)
{
    only = argc > 1 ? argv[1] : NULL;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_transformers),
        cmocka_unit_test(bytes_of_a_token),
    };
    if (!mkdtemp(scratch))
        return 1;
    int failed = RUN_TESTS("families", tests, lm_shutdown);
    return rmdir(scratch) || failed;
}
