/* Row kernels for every instruction set and format against the formulas in double. */
#include "kernel_test.h"

#define COUNT(x) (sizeof(x) / sizeof *(x))

static const size_t sizes[] = {1,  2,  3,  4,  5,  7,   8,   9,   15,  16,   17,
                               31, 33, 63, 64, 65, 127, 128, 129, 257, 1000, 4099};

/* Calls body(slot's table, format, n) for every instruction set, format and size. */
static void everywhere(void (*body)(const norm_kernels *t, int slot, size_t n))
{
    cpu_kernels t;
    FOR_EACH_ISA(t)
    for (int slot = 0; slot < 3; slot++)
        for (size_t i = 0; i < COUNT(sizes); i++)
            body(&t.norm, slot, sizes[i]);
}

static void close_to(const void *y, int slot, size_t i, double want, double tolerance)
{
    double got = float_get(y, float_types[slot], i);
    if (!float_close(got, want, tolerance + format_error(float_types[slot], want)))
        fail_msg("format %d: element %zu is %.9g, not %.9g", slot, i, got, want);
}

static double get(guarded g, int slot, size_t i) { return float_get(g.data, float_types[slot], i); }

/* --- norms --- */

static void norms_of(const norm_kernels *t, int slot, size_t n, mlx_dtype w_type, bool layer)
{
    guarded x = random_floats(float_types[slot], n, 1), y = guarded_new(n * float_size(float_types[slot]));
    guarded w = random_floats(w_type, n, 2), b = random_floats(float_types[(slot + 1) % 3], n, 3);
    mlx_dtype b_type = float_types[(slot + 1) % 3];
    const void *weight = n % 3 ? w.data : NULL, *bias = n % 2 ? b.data : NULL;
    double mean = 0, sum = 0, eps = (double)1e-5f;
    for (size_t i = 0; i < n; i++)
        mean += get(x, slot, i) / (double)n;
    mean = layer ? mean : 0;
    for (size_t i = 0; i < n; i++)
        sum += pow(get(x, slot, i) - mean, 2) / (double)n;
    if (layer)
        t->layer_norm[slot](x.data, weight, w_type, bias, b_type, 1e-5f, n, y.data);
    else
        t->rms_norm[slot](x.data, weight, w_type, 1e-5f, n, y.data);
    for (size_t i = 0; i < n; i++) {
        double v = (get(x, slot, i) - mean) / sqrt(sum + eps) * (weight ? float_get(w.data, w_type, i) : 1);
        double add = layer && bias ? float_get(b.data, b_type, i) : 0;
        /* A tiny variance magnifies what the mean lost. */
        close_to(y.data, slot, i, v + add, 1e-6 * (fabs(v) + fabs(add)) + 3e-7 / sqrt(sum + eps));
    }
    guarded_free(x);
    guarded_free(y);
    guarded_free(w);
    guarded_free(b);
}

static void rms_norm_body(const norm_kernels *t, int slot, size_t n)
{
    for (int w = 0; w < 3; w++)
        norms_of(t, slot, n, float_types[w], false);
}

static void layer_norm_body(const norm_kernels *t, int slot, size_t n)
{
    for (int w = 0; w < 3; w++)
        norms_of(t, slot, n, float_types[w], true);
}

static void rms_norm(void **state)
{
    (void)state;
    everywhere(rms_norm_body);
}

static void layer_norm(void **state)
{
    (void)state;
    everywhere(layer_norm_body);
}

/* --- softmax, logsumexp --- */

static void softmax_body(const norm_kernels *t, int slot, size_t n)
{
    size_t size = float_size(float_types[slot]);
    guarded x = random_floats(float_types[slot], n, 4), y = guarded_new(n * size);
    double max = -1e9, sum = 0;
    for (size_t i = 0; i < n; i++) {
        float_set(x.data, float_types[slot], i, i % 7 == 3 ? -(double)INFINITY : 20 * get(x, slot, i) + 500);
        max = fmax(max, get(x, slot, i));
    }
    for (size_t i = 0; i < n; i++)
        sum += exp(get(x, slot, i) - max);
    double log_sum = max + log(sum);
    assert_true(float_close((double)t->logsumexp[slot](x.data, n), log_sum, 1e-6 * fabs(log_sum)));
    t->softmax[slot](x.data, n, y.data);
    for (size_t i = 0; i < n; i++)
        close_to(y.data, slot, i, exp(get(x, slot, i) - max) / sum,
                 1e-6 * exp(get(x, slot, i) - max) / sum + 1e-37);
    t->softmax[slot](x.data, n, x.data); /* in place */
    assert_memory_equal(x.data, y.data, n * size);
    guarded_free(x);
    guarded_free(y);
}

static void softmax(void **state)
{
    (void)state;
    everywhere(softmax_body);
}

static void softmax_specials_body(const norm_kernels *t, int slot, size_t n)
{
    static const double special[] = {NAN, INFINITY, -INFINITY};
    mlx_dtype type = float_types[slot];
    guarded x = random_floats(type, n, 5), y = guarded_new(n * float_size(type));
    for (size_t s = 0; s < 2; s++) { /* one NaN or inf anywhere: all NaN, as MLX's */
        double kept = get(x, slot, n / 2);
        float_set(x.data, type, n / 2, special[s]);
        t->softmax[slot](x.data, n, y.data);
        for (size_t i = 0; i < n; i++)
            assert_true(isnan(get(y, slot, i)) || (s == 1 && get(y, slot, i) == 0));
        assert_true(isnan(get(y, slot, n / 2)));
        assert_true(float_close((double)t->logsumexp[slot](x.data, n), special[s], 0));
        float_set(x.data, type, n / 2, kept);
    }
    for (size_t i = 0; i < n; i++)
        float_set(x.data, type, i, special[2]);
    t->softmax[slot](x.data, n, y.data);
    for (size_t i = 0; i < n; i++)
        assert_true(isnan(get(y, slot, i)));
    assert_true(float_close((double)t->logsumexp[slot](x.data, n), special[2], 0));
    guarded_free(x);
    guarded_free(y);
}

static void softmax_specials(void **state)
{
    (void)state;
    everywhere(softmax_specials_body);
}

/* --- rope --- */

static void rope_body(const norm_kernels *t, int slot, size_t n)
{
    mlx_dtype type = float_types[slot];
    size_t half = n >= 64 ? n / 2 - 5 : n / 2;
    guarded x = random_floats(type, n, 6), y = guarded_new(n * float_size(type));
    guarded c = random_floats(MLX_FLOAT32, half, 7), s = random_floats(MLX_FLOAT32, half, 8);
    for (int traditional = 0; traditional < 2; traditional++) {
        t->rope[slot](x.data, c.data, s.data, half, traditional, n, y.data);
        for (size_t i = 0; i < half; i++) {
            size_t p = traditional ? 2 * i : i, q = traditional ? 2 * i + 1 : i + half;
            double a = get(x, slot, p), b = get(x, slot, q);
            double cv = (double)((float *)c.data)[i], sv = (double)((float *)s.data)[i];
            close_to(y.data, slot, p, a * cv - b * sv, 3e-7);
            close_to(y.data, slot, q, a * sv + b * cv, 3e-7);
        }
        for (size_t i = 2 * half; i < n; i++)
            close_to(y.data, slot, i, get(x, slot, i), 0);
    }
    t->rope[slot](x.data, c.data, s.data, half, true, n, x.data); /* in place */
    assert_memory_equal(x.data, y.data, n * float_size(type));
    guarded_free(x);
    guarded_free(y);
    guarded_free(c);
    guarded_free(s);
}

static void rope(void **state)
{
    (void)state;
    everywhere(rope_body);
}

/* --- swiglu --- */

static void swiglu_body(const norm_kernels *t, int slot, size_t n)
{
    mlx_dtype type = float_types[slot];
    guarded g = random_floats(type, n, 9), u = random_floats(type, n, 10),
            y = guarded_new(n * float_size(type));
    for (size_t i = 0; i < n; i++)
        float_set(g.data, type, i, i % 11 == 5 ? -120 : i % 11 == 6 ? 200 : 8 * get(g, slot, i));
    float_set(g.data, type, n / 2, (double)NAN);
    t->swiglu[slot](g.data, u.data, n, y.data);
    for (size_t i = 0; i < n; i++) {
        double gate = get(g, slot, i), want = gate / (1 + exp(-gate)) * get(u, slot, i);
        close_to(y.data, slot, i, want, 4e-7 * fabs(want) + 1e-36);
    }
    guarded_free(g);
    guarded_free(u);
    guarded_free(y);
}

static void swiglu(void **state)
{
    (void)state;
    everywhere(swiglu_body);
}

/* A long row of equal values shows whether sums lose bits. */
static void long_rows(void **state)
{
    (void)state;
    enum { N = 1 << 18 };
    float *x = test_malloc(N * sizeof *x), *y = test_malloc(N * sizeof *y);
    for (size_t i = 0; i < N; i++)
        x[i] = 0.1f;
    cpu_kernels t;
    FOR_EACH_ISA(t)
    {
        t.norm.rms_norm[0](x, NULL, MLX_FLOAT32, 0, N, y);
        assert_true(float_close((double)y[N / 2], 1, 2e-6));
        t.norm.softmax[0](x, N, y);
        assert_true(float_close((double)y[N - 1] * N, 1, 2e-6));
    }
    test_free(x);
    test_free(y);
}

static void empty_rows(void **state)
{
    (void)state;
    cpu_kernels t;
    guarded g = guarded_new(0);
    FOR_EACH_ISA(t)
    for (int slot = 0; slot < 3; slot++) {
        t.norm.rms_norm[slot](g.data, g.data, MLX_FLOAT32, 1, 0, g.data);
        t.norm.layer_norm[slot](g.data, g.data, MLX_FLOAT16, g.data, MLX_FLOAT16, 1, 0, g.data);
        t.norm.softmax[slot](g.data, 0, g.data);
        t.norm.rope[slot](g.data, g.data, g.data, 0, false, 0, g.data);
        t.norm.swiglu[slot](g.data, g.data, 0, g.data);
        assert_true(t.norm.logsumexp[slot](g.data, 0) == -INFINITY);
    }
    guarded_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rms_norm),  cmocka_unit_test(layer_norm),       cmocka_unit_test(softmax),
        cmocka_unit_test(rope),      cmocka_unit_test(softmax_specials), cmocka_unit_test(swiglu),
        cmocka_unit_test(long_rows), cmocka_unit_test(empty_rows),
    };
    return RUN_TESTS("norm", tests, NULL);
}
