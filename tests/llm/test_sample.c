/* Sampling: mlx-lm's numeric cases, every filter against a plain full-sort version of its definition, and the
 * draws against MLX's random numbers. */
#include "test.h"

#include "llm/sample.h"
#include "mx.h"

#include <math.h>
#include <stdlib.h>

#define V(...) ((const float[]){__VA_ARGS__})

/* Filters log(p) and compares the renormalised probabilities. */
static void check_filter(lm_sampling o, const float *p, const float *expected, int n)
{
    sampler s;
    float lp[16], sum = 0;
    o.temp = 1;
    o.seeded = true;
    assert_ok(sampler_init(&s, &o, n, NULL, 0) == 0);
    for (int i = 0; i < n; i++)
        lp[i] = logf(p[i]);
    sampler_filter(&s, lp);
    for (int i = 0; i < n; i++)
        sum += expf(lp[i]);
    for (int i = 0; i < n; i++)
        if (!(fabsf(expf(lp[i]) / sum - expected[i]) < 1e-4f))
            fail_msg("token %d: %g, expected %g", i, (double)(expf(lp[i]) / sum), (double)expected[i]);
    sampler_free(&s);
}

static lm_sampling options(void) { return (lm_sampling)LM_SAMPLING_DEFAULT; }

static void top_p_cases(void **state)
{
    (void)state;
    lm_sampling o = options();
    o.top_p = 0.3f;
    check_filter(o, V(0.9f, 0, 0, 0.1f), V(1, 0, 0, 0), 4);
    o.top_p = 0.95f;
    check_filter(o, V(0.9f, 0, 0, 0.1f), V(0.9f, 0, 0, 0.1f), 4);
    o.top_p = 0.4f;
    check_filter(o, V(0, 0.5f, 0.4f, 0.1f), V(0, 1, 0, 0), 4);
    o.top_p = 0.6f;
    check_filter(o, V(0, 0.5f, 0.4f, 0.1f), V(0, 0.5556f, 0.4444f, 0), 4);
    o.top_p = 0.95f;
    check_filter(o, V(0, 0.5f, 0.4f, 0.1f), V(0, 0.5f, 0.4f, 0.1f), 4);
}

static void min_p_cases(void **state)
{
    (void)state;
    lm_sampling o = options();
    o.min_p = 0.8f;
    check_filter(o, V(0.9f, 0, 0, 0.1f), V(1, 0, 0, 0), 4);
    o.min_p = 0.05f;
    check_filter(o, V(0.9f, 0, 0, 0.1f), V(0.9f, 0, 0, 0.1f), 4);
    o.min_p = 0.9f;
    o.min_tokens_to_keep = 2;
    check_filter(o, V(0.6f, 0.1f, 0.1f, 0.2f), V(0.75f, 0, 0, 0.25f), 4);
    o.min_tokens_to_keep = 9;
    check_filter(o, V(0.6f, 0.1f, 0.1f, 0.2f), V(0.6f, 0.1f, 0.1f, 0.2f), 4);
}

static void top_k_cases(void **state)
{
    (void)state;
    lm_sampling o = options();
    o.top_k = 1;
    check_filter(o, V(0.9f, 0, 0, 0.1f), V(1, 0, 0, 0), 4);
    o.top_k = 2;
    check_filter(o, V(0.6f, 0, 0.1f, 0.3f), V(0.6667f, 0, 0, 0.3333f), 4);
    o.top_k = 3;
    check_filter(o, V(0.6f, 0, 0.1f, 0.3f), V(0.6f, 0, 0.1f, 0.3f), 4);
}

static void xtc_cases(void **state)
{
    (void)state;
    lm_sampling o = options();
    o.xtc_probability = 1;
    o.xtc_threshold = 0.2f;
    check_filter(o, V(0.4f, 0.3f, 0.15f, 0.15f), V(0, 0.5f, 0.25f, 0.25f), 4);
    check_filter(o, V(0.9f, 0.1f, 0, 0), V(0.9f, 0.1f, 0, 0), 4);
    o.xtc_threshold = 0.1f;
    check_filter(o, V(0.4f, 0.3f, 0.2f, 0.1f), V(0, 0, 0.6667f, 0.3333f), 4);
    /* A special token stays. */
    sampler s;
    const int special[] = {0};
    float lp[] = {logf(0.4f), logf(0.3f), logf(0.2f), logf(0.1f)};
    o.seeded = true;
    assert_ok(sampler_init(&s, &o, 4, special, 1) == 0);
    sampler_filter(&s, lp);
    assert_true(lp[0] > -INFINITY && lp[1] == -INFINITY && lp[2] > -INFINITY);
    sampler_free(&s);
}

static void penalties(void **state)
{
    (void)state;
    sampler s;
    lm_sampling o = options();
    const int history[] = {3, 1, 1, 2};
    o.repetition_penalty = 2;
    o.repetition_context = 3;
    assert_ok(sampler_init(&s, &o, 4, NULL, 0) == 0);
    float a[] = {1, 2, -3, 4};
    sampler_penalize(&s, a, history, 4);
    assert_memory_equal(a, V(1, 1, -6, 4), sizeof a);
    sampler_penalize(&s, a, history, 0);
    assert_memory_equal(a, V(1, 1, -6, 4), sizeof a);
    sampler_free(&s);
    o = options();
    o.presence_penalty = 0.5f;
    o.presence_context = 0; /* everything */
    o.frequency_penalty = 0.25f;
    o.frequency_context = 3;
    assert_ok(sampler_init(&s, &o, 4, NULL, 0) == 0);
    float b[] = {0, 0, 0, 0};
    sampler_penalize(&s, b, history, 4);
    assert_memory_equal(b, V(0, -1, -0.75f, -0.5f), sizeof b);
    sampler_free(&s);
}

/* --- filters by their definitions, with full sorts --- */

static const float *sort_by;

static int ascending(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    if (sort_by[x] != sort_by[y])
        return sort_by[x] < sort_by[y] ? -1 : 1;
    return (x > y) - (x < y);
}

static void slow_top_p(float *lp, int n, double p)
{
    static int order[5000];
    static float copy[5000];
    for (int i = 0; i < n; i++)
        order[i] = i;
    memcpy(copy, lp, (size_t)n * sizeof *lp);
    sort_by = copy;
    qsort(order, (size_t)n, sizeof *order, ascending);
    double total = 0, c = 0;
    for (int i = 0; i < n; i++)
        total += exp((double)copy[i]);
    for (int i = 0; i < n; i++) {
        c += exp((double)copy[order[i]]);
        if (!(c > total - p))
            lp[order[i]] = -INFINITY;
    }
}

static void slow_top_k(float *lp, int n, int k)
{
    static float copy[5000];
    memcpy(copy, lp, (size_t)n * sizeof *lp);
    for (int i = 0; i < n; i++) {
        int above = 0;
        for (int j = 0; j < n; j++)
            above += copy[j] > copy[i] || (copy[j] == copy[i] && j > i);
        if (above >= k)
            lp[i] = -INFINITY;
    }
}

static void partial_selection_is_exact(void **state)
{
    (void)state;
    static float fast[5000], slow[5000];
    const int n = 5000;
    unsigned seed = 1;
    for (int round = 0; round < 24; round++) {
        sampler s;
        lm_sampling o = options();
        o.temp = 1;
        float spread = (const float[]){0.01f, 1, 4, 12}[round % 4];
        if (round & 4)
            o.top_p = (const float[]){0.05f, 0.5f, 0.9f, 0.999f}[round % 3];
        else
            o.top_k = (const int[]){1, 40, 4999}[round % 3];
        assert_ok(sampler_init(&s, &o, n, NULL, 0) == 0);
        for (int i = 0; i < n; i++) {
            seed = seed * 1664525u + 1013904223u;
            fast[i] = spread * (float)(seed >> 16 & 1023) / 128; /* with ties */
        }
        int best;
        assert_ok(sampler_normalize(&s, fast, &best) == 0);
        memcpy(slow, fast, sizeof slow);
        sampler_filter(&s, fast);
        if (o.top_k)
            slow_top_k(slow, n, o.top_k);
        else
            slow_top_p(slow, n, (double)o.top_p);
        assert_memory_equal(fast, slow, sizeof fast);
        sampler_free(&s);
    }
}

/* --- draws --- */

/* Seed 42: MLX's default sequence. */
static void uniform_sequence(void **state)
{
    (void)state;
    sampler s;
    lm_sampling o = options();
    o.seed = 42;
    o.seeded = true;
    assert_ok(sampler_init(&s, &o, 4, NULL, 0) == 0);
    size_t mark = mx_mark();
    mlx_array next = mx_random_key(42);
    for (int i = 0; i < 5; i++) {
        mlx_array keys = mx_random_split(next, 2);
        mlx_array draw = mx_squeeze(mx_slice_axis(keys, 0, 1, 2), 0);
        next = mx_squeeze(mx_slice_axis(keys, 0, 0, 1), 0);
        float expected, got = sampler_uniform(&s);
        assert_ok(mx_read_f32(mx_random_uniform(0, 1, NULL, 0, MLX_FLOAT32, draw), &expected) == 0);
        assert_true(got == expected);
    }
    mx_release(mark);
    sampler_free(&s);
}

/* The pruned draw is the largest of logits and Gumbel numbers, at odd and even sizes. */
static void categorical_is_mlx(void **state)
{
    (void)state;
    static float lp[1001];
    for (int n = 1000; n <= 1001; n++) {
        sampler s;
        lm_sampling o = options();
        o.temp = 0.7f;
        o.seed = 7;
        o.seeded = true;
        assert_ok(sampler_init(&s, &o, n, NULL, 0) == 0);
        for (int i = 0; i < n; i++)
            lp[i] = sinf((float)i * 12.9f) * 4;
        int best;
        assert_ok(sampler_normalize(&s, lp, &best) == 0);
        size_t mark = mx_mark();
        mlx_array next = mx_random_key(7);
        mlx_array logits = mx_multiply(mx_from(lp, SHAPE(1, n), MLX_FLOAT32), mx_float(1 / 0.7, MLX_FLOAT32));
        for (int i = 0; i < 50; i++) {
            mlx_array keys = mx_random_split(next, 2);
            mlx_array draw = mx_squeeze(mx_slice_axis(keys, 0, 1, 2), 0);
            next = mx_squeeze(mx_slice_axis(keys, 0, 0, 1), 0);
            int64_t expected;
            mlx_array gumbel = mx_random_gumbel(SHAPE(1, n), MLX_FLOAT32, draw);
            assert_ok(mx_read_i64(mx_argmax(mx_add(logits, gumbel), -1, false), &expected) == 0);
            assert_int_equal(sampler_categorical(&s, lp), expected);
        }
        mx_release(mark);
        sampler_free(&s);
    }
}

static void frequencies(void **state)
{
    (void)state;
    sampler s;
    lm_sampling o = options();
    o.temp = 1;
    o.seed = 3;
    o.seeded = true;
    assert_ok(sampler_init(&s, &o, 3, NULL, 0) == 0);
    int counts[3] = {0};
    for (int i = 0; i < 20000; i++) {
        float logits[] = {logf(0.5f), logf(0.3f), logf(0.2f)}, logprob;
        int id;
        assert_ok(sampler_draw(&s, logits, NULL, 0, &id, &logprob) == 0);
        assert_true(fabsf(logprob - logf(V(0.5f, 0.3f, 0.2f)[id])) < 1e-5f);
        counts[id]++;
    }
    assert_true(abs(counts[0] - 10000) < 300 && abs(counts[1] - 6000) < 300);
    sampler_free(&s);
}

static void greedy_and_bad_logits(void **state)
{
    (void)state;
    sampler s;
    lm_sampling o = options();
    int id;
    float logprob, a[] = {1, 5, 5, -INFINITY}, b[] = {0, NAN, 1, 2}, c[] = {0, INFINITY, 1, 2},
                   d[] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY};
    assert_ok(sampler_init(&s, &o, 4, NULL, 0) == 0);
    assert_ok(sampler_draw(&s, a, NULL, 0, &id, &logprob) == 0);
    assert_int_equal(id, 1);
    assert_int_equal(sampler_draw(&s, b, NULL, 0, &id, &logprob), -1);
    assert_error("gave NaN as logit of token 1");
    assert_int_equal(sampler_draw(&s, c, NULL, 0, &id, &logprob), -1);
    assert_error("gave infinity");
    assert_int_equal(sampler_draw(&s, d, NULL, 0, &id, &logprob), -1);
    assert_error("every token is forbidden");
    sampler_free(&s);
}

static void refuses_bad_options(void **state)
{
    (void)state;
    sampler s;
    const struct {
        lm_sampling o;
        const char *error;
    } rows[] = {
        {{.temp = -1, .min_tokens_to_keep = 1}, "temp"},
        {{.temp = NAN, .min_tokens_to_keep = 1}, "temp"},
        {{.top_p = 1.5f, .min_tokens_to_keep = 1}, "top_p"},
        {{.min_p = -0.1f, .min_tokens_to_keep = 1}, "min_p"},
        {{.min_tokens_to_keep = 0}, "min_tokens_to_keep"},
        {{.top_k = 4, .min_tokens_to_keep = 1}, "top_k"},
        {{.xtc_probability = 2, .min_tokens_to_keep = 1}, "xtc_probability"},
        {{.xtc_threshold = 0.6f, .min_tokens_to_keep = 1}, "xtc_threshold"},
        {{.repetition_penalty = -1, .min_tokens_to_keep = 1}, "repetition_penalty"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(sampler_init(&s, &rows[i].o, 4, NULL, 0), -1);
        assert_error(rows[i].error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(top_p_cases),         cmocka_unit_test(min_p_cases),
        cmocka_unit_test(top_k_cases),         cmocka_unit_test(xtc_cases),
        cmocka_unit_test(penalties),           cmocka_unit_test(partial_selection_is_exact),
        cmocka_unit_test(uniform_sequence),    cmocka_unit_test(categorical_is_mlx),
        cmocka_unit_test(frequencies),         cmocka_unit_test(greedy_and_bad_logits),
        cmocka_unit_test(refuses_bad_options),
    };
    return RUN_TESTS("sample", tests, mx_shutdown);
}
