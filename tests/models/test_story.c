/* The model that comes with the repository, against a float64 forward pass over its dequantized weights that
 * was made without any library (logits and greedy tokens in tests/data/story), and its perplexity on text
 * that it never saw.
 *
 * With MICA_STORY_BF16=DIR (the bfloat16 weights, with a golden.safetensors) those are compared too. */
#include "test.h"

#include "base/file.h"
#include "cpu/kernels.h"
#include "io/safetensors.h"
#include "mica.h"

#include <math.h>
#include <stdlib.h>

/* Perplexity of the same float64 pass over the first 512 tokens of heldout.txt. */
#define REFERENCE 24.177851

enum { MAX_TOKENS = 64, VOCAB = 8192, MAX_GREEDY = 32 };

typedef struct golden {
    size_t tokens, greedy_tokens;
    int64_t ids[MAX_TOKENS], greedy[MAX_GREEDY];
    float logits[MAX_TOKENS * VOCAB];
} golden;

static size_t read_ints(const safetensors *s, const char *name, int64_t *out, size_t room)
{
    size_t mark = mx_mark();
    mlx_array x = safetensors_array(s, safetensors_find(s, name));
    size_t n = mx_size(x);
    assert_true(n <= room);
    assert_ok(mx_read_i64(x, out) == 0);
    mx_release(mark);
    return n;
}

static void read_golden(golden *g, const char *path)
{
    safetensors s;
    assert_ok(safetensors_open(&s, path) == 0);
    g->tokens = read_ints(&s, "input_ids", g->ids, MAX_TOKENS);
    g->greedy_tokens = read_ints(&s, "greedy", g->greedy, MAX_GREEDY);
    size_t mark = mx_mark();
    assert_ok(mx_read_f32(safetensors_array(&s, safetensors_find(&s, "logits")), g->logits) == 0);
    mx_release(mark);
    safetensors_close(&s);
}

/* Largest difference of all logits; the greedy continuation must be equal. */
static float compare(const golden *g, const char *model_path, lm_precision precision)
{
    static float out[MAX_TOKENS * VOCAB];
    int ids[MAX_TOKENS], next;
    float worst = 0;
    lm_load_options options = {.precision = precision, .no_tokenizer = true, .kv_dtype = "float32"};
    lm_model *model = lm_load(model_path, &options);
    lm_session *s = model ? lm_session_new(model) : NULL;
    assert_ok(s != NULL);
    for (size_t i = 0; i < g->tokens; i++)
        ids[i] = (int)g->ids[i];
    assert_ok(lm_logits(s, ids, g->tokens, true, out) == 0);
    for (size_t i = 0; i < g->tokens * VOCAB; i++) {
        float d = fabsf(out[i] - g->logits[i]);
        worst = d > worst || isnan(d) ? d : worst;
    }
    const float *last = out + (g->tokens - 1) * VOCAB;
    for (size_t i = 0; i < g->greedy_tokens; i++) {
        next = 0;
        for (int k = 1; k < VOCAB; k++)
            next = last[k] > last[next] ? k : next;
        assert_int_equal(next, g->greedy[i]);
        assert_ok(lm_logits(s, &next, 1, false, out) == 0);
        last = out;
    }
    lm_session_free(s);
    lm_free(model);
    return worst;
}

static golden g;

static void quantized_weights_are_exact(void **state)
{
    (void)state;
    read_golden(&g, TEST_DATA "/story/golden.safetensors");
    float worst = compare(&g, SOURCE_DIR "/models/story", LM_PRECISION_FLOAT32);
    print_message("%s: max difference %.2g\n", lm_isa(), (double)worst);
    assert_true(worst <= 2e-4f);
}

static void bfloat16_weights(void **state)
{
    (void)state;
    const char *folder = getenv("MICA_STORY_BF16");
    if (!folder)
        skip();
    char path[600];
    snprintf(path, sizeof path, "%s/golden.safetensors", folder);
    read_golden(&g, path);
    float worst = compare(&g, folder, LM_PRECISION_FLOAT32);
    print_message("%s, bfloat16: max difference %.2g\n", lm_isa(), (double)worst);
    assert_true(worst <= 2e-4f);
}

/* Perplexity of the first 512 tokens of the text that was held out. */
static double perplexity(lm_precision precision)
{
    enum { WINDOW = 512 };
    lm_load_options options = {.precision = precision};
    lm_model *model = lm_load(SOURCE_DIR "/models/story", &options);
    lm_session *s = model ? lm_session_new(model) : NULL;
    float *out = mem_alloc((size_t)WINDOW * VOCAB, sizeof *out);
    char *text;
    size_t size, n;
    int *ids;
    assert_ok(s && out);
    assert_ok(file_read(TEST_DATA "/story/heldout.txt", 1 << 20, &text, &size) == 0);
    assert_ok(lm_tokenize(model, text, size, true, &ids, &n) == 0);
    assert_int_equal(n, 75777);
    assert_ok(lm_logits(s, ids, WINDOW - 1, true, out) == 0);
    double total = 0;
    for (int i = 0; i < WINDOW - 1; i++) {
        double sum = 0;
        for (int k = 0; k < VOCAB; k++)
            sum += exp(out[i * VOCAB + k]);
        total += log(sum) - out[i * VOCAB + ids[i + 1]];
    }
    lm_release(ids);
    mem_free(text);
    mem_free(out);
    lm_session_free(s);
    lm_free(model);
    return exp(total / (WINDOW - 1));
}

static void perplexity_is_the_references(void **state)
{
    (void)state;
    double exact = perplexity(LM_PRECISION_EXACT), fast = perplexity(LM_PRECISION_INT8);
    print_message("%s: perplexity %.4f exact, %.4f int8\n", lm_isa(), exact, fast);
    assert_true(fabs(exact / REFERENCE - 1) < 1e-3);
    assert_true(fabs(fast / REFERENCE - 1) < 1e-2);
}

static int run_all(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantized_weights_are_exact),
        cmocka_unit_test(bfloat16_weights),
        cmocka_unit_test(perplexity_is_the_references),
    };
    return RUN_TESTS("story", tests, lm_shutdown);
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
