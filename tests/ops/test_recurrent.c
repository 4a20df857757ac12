/* Recurrences against loops in float64, whole and cut into calls, which must give the same bits. */
#include "test.h"

#include "base/error.h"
#include "mx.h"

#include <math.h>
#include <stdlib.h>

enum { MOST = 1 << 16 };

static float *noise(size_t n, float scale, unsigned seed)
{
    float *x = malloc(n * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = scale * ((float)(seed >> 8) / 8388608.0f - 1);
    }
    return x;
}

static void near(const float *got, const double *expected, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!(fabs(got[i] - expected[i]) <= 2e-5 * (1 + fabs(expected[i]))))
            fail_msg("element %zu is %.9g, not %.9g", i, (double)got[i], expected[i]);
}

typedef struct sizes {
    int L, H, shared, A, B; /* heads of values and of the shared; delta: keys, values; scan: states, width */
} sizes;

/* --- the delta rule --- */

typedef struct delta {
    float *q, *k, *v, *g, *beta, *state;
} delta;

static void delta_reference(const sizes *z, const delta *d, double *y, double *S)
{
    for (int h = 0; h < z->H; h++) {
        double *s = S + h * z->A * z->B;
        int hk = h / (z->H / z->shared);
        for (int i = 0; i < z->A * z->B; i++)
            s[i] = d->state[h * z->A * z->B + i];
        for (int t = 0; t < z->L; t++) {
            const float *q = d->q + (t * z->shared + hk) * z->A, *k = d->k + (t * z->shared + hk) * z->A;
            const float *v = d->v + (t * z->H + h) * z->B;
            for (int j = 0; j < z->B; j++) {
                double was = 0, out = 0, decay = exp(d->g[t * z->H + h]);
                for (int i = 0; i < z->A; i++)
                    was += k[i] * (s[i * z->B + j] *= decay);
                for (int i = 0; i < z->A; i++) {
                    s[i * z->B + j] += k[i] * d->beta[t * z->H + h] * (v[j] - was);
                    out += q[i] * s[i * z->B + j];
                }
                y[(t * z->H + h) * z->B + j] = out;
            }
        }
    }
}

/* Rows [from, to) with the state given; the results in the places of these rows, the new state in state. */
static void delta_rows(const sizes *z, const delta *d, int from, int to, float *y, float *state)
{
    int n = to - from, k = z->shared * z->A, v = z->H * z->B;
    size_t mark = mx_mark();
    mlx_array out[2];
    int rc = mx_gated_delta(mx_from(d->q + from * k, SHAPE(n, z->shared, z->A), MLX_FLOAT32),
                            mx_from(d->k + from * k, SHAPE(n, z->shared, z->A), MLX_FLOAT32),
                            mx_from(d->v + from * v, SHAPE(n, z->H, z->B), MLX_FLOAT32),
                            mx_from(d->g + from * z->H, SHAPE(n, z->H), MLX_FLOAT32),
                            mx_from(d->beta + from * z->H, SHAPE(n, z->H), MLX_FLOAT32),
                            mx_from(state, SHAPE(z->H, z->A, z->B), MLX_FLOAT32), out);
    assert_ok(rc == 0);
    assert_ok(mx_read_f32(out[0], y + from * v) == 0 && mx_read_f32(out[1], state) == 0);
    mx_release(mark);
}

static void check_delta(const sizes *z)
{
    size_t keys = (size_t)(z->L * z->shared * z->A), values = (size_t)(z->L * z->H * z->B);
    size_t state = (size_t)(z->H * z->A * z->B), each = (size_t)(z->L * z->H);
    delta d = {noise(keys, 0.5f, 1), noise(keys, 0.5f, 2), noise(values, 1, 3),
               noise(each, 1, 4),    noise(each, 1, 5),    noise(state, 1, 6)};
    for (size_t i = 0; i < each; i++)
        d.g[i] = -fabsf(d.g[i]);
    static double y[MOST], S[MOST];
    static float got[MOST], cut[MOST], after[MOST], after_cut[MOST];
    delta_reference(z, &d, y, S);
    memcpy(after, d.state, state * sizeof *after);
    memcpy(after_cut, d.state, state * sizeof *after);
    delta_rows(z, &d, 0, z->L, got, after);
    near(got, y, values);
    near(after, S, state);
    for (int at = 0, step = 1; at < z->L; at += step, step = 3)
        delta_rows(z, &d, at, at + step < z->L ? at + step : z->L, cut, after_cut);
    assert_memory_equal(cut, got, values * sizeof *got);
    assert_memory_equal(after_cut, after, state * sizeof *after);
    float *all[] = {d.q, d.k, d.v, d.g, d.beta, d.state};
    for (size_t i = 0; i < 6; i++)
        free(all[i]);
}

static void delta_rule(void **state)
{
    (void)state;
    const sizes all[] = {
        {1, 1, 1, 1, 1}, {7, 4, 2, 5, 3}, {11, 6, 6, 16, 33}, {3, 2, 1, 20, 300}, {5, 3, 1, 128, 17}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        check_delta(&all[i]);
}

/* --- the scan --- */

static void check_scan(const sizes *z, bool each)
{
    size_t rows = (size_t)(z->L * z->H * z->B), state = (size_t)(z->H * z->A * z->B);
    size_t group = (size_t)(z->L * z->shared * z->A);
    float *x = noise(rows, 1, 1), *dt = noise(rows, 1, 2), *a = noise(state, 1, 3), *b = noise(group, 1, 4),
          *c = noise(group, 1, 5), *s = noise(state, 1, 6);
    for (size_t i = 0; i < rows; i++)
        dt[i] = fabsf(dt[i]);
    for (size_t i = 0; i < state; i++)
        a[i] = -fabsf(a[i]);
    static double y[MOST], S[MOST];
    static float got[MOST], after[MOST];
    for (size_t i = 0; i < state; i++)
        S[i] = s[i];
    for (int t = 0; t < z->L; t++)
        for (int h = 0; h < z->H; h++)
            for (int p = 0; p < z->B; p++) {
                int g = h / (z->H / z->shared), at = (t * z->H + h) * z->B + p;
                double step = each ? dt[at] : dt[t * z->H + h], sum = 0;
                for (int n = 0; n < z->A; n++) {
                    double *cell = &S[(h * z->A + n) * z->B + p];
                    double rate = each ? a[(h * z->A + n) * z->B + p] : a[h];
                    *cell = exp(step * rate) * *cell + b[(t * z->shared + g) * z->A + n] * step * x[at];
                    sum += *cell * c[(t * z->shared + g) * z->A + n];
                }
                y[at] = sum;
            }
    size_t mark = mx_mark();
    mlx_array out[2];
    int rc = mx_selective_scan(mx_from(x, SHAPE(z->L, z->H, z->B), MLX_FLOAT32),
                               each ? mx_from(dt, SHAPE(z->L, z->H, z->B), MLX_FLOAT32)
                                    : mx_from(dt, SHAPE(z->L, z->H), MLX_FLOAT32),
                               each ? mx_from(a, SHAPE(z->H, z->A, z->B), MLX_FLOAT32)
                                    : mx_from(a, SHAPE(z->H), MLX_FLOAT32),
                               mx_from(b, SHAPE(z->L, z->shared, z->A), MLX_FLOAT32),
                               mx_from(c, SHAPE(z->L, z->shared, z->A), MLX_FLOAT32),
                               mx_from(s, SHAPE(z->H, z->A, z->B), MLX_FLOAT32), out);
    assert_ok(rc == 0);
    assert_ok(mx_read_f32(out[0], got) == 0 && mx_read_f32(out[1], after) == 0);
    mx_release(mark);
    near(got, y, rows);
    near(after, S, state);
    float *all[] = {x, dt, a, b, c, s};
    for (size_t i = 0; i < 6; i++)
        free(all[i]);
}

static void scan(void **state)
{
    (void)state;
    const sizes all[] = {
        {1, 1, 1, 1, 1}, {6, 4, 2, 8, 5}, {9, 2, 1, 16, 65}, {4, 8, 8, 3, 16}, {0, 2, 1, 3, 4}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        check_scan(&all[i], false);
        check_scan(&all[i], true);
    }
}

static void refusals(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    mlx_array out[2], x = mx_zeros(SHAPE(3, 4, 5), MLX_FLOAT32), two = mx_zeros(SHAPE(3, 4), MLX_FLOAT32);
    mlx_array s = mx_zeros(SHAPE(4, 5, 5), MLX_FLOAT32), odd = mx_zeros(SHAPE(3, 3, 5), MLX_FLOAT32);
    assert_int_equal(mx_gated_delta(x, x, x, two, two, x, out), -1);
    assert_error("[gated_delta] state");
    assert_int_equal(mx_gated_delta(odd, odd, x, two, two, s, out), -1);
    assert_error("4 heads of v do not share 3 heads");
    assert_int_equal(mx_gated_delta(x, x, mx_astype(x, MLX_FLOAT16), two, two, s, out), -1);
    assert_error("[gated_delta] v is float16");
    assert_int_equal(mx_selective_scan(x, two, x, x, x, s, out), -1);
    assert_error("[selective_scan] dt");
    assert_int_equal(mx_selective_scan(x, two, mx_zeros(SHAPE(4), MLX_FLOAT32), odd, odd, s, out), -1);
    assert_error("do not share 3 groups");
    assert_int_equal(mx_selective_scan(MX_NULL, two, x, x, x, s, out), -1);
    mx_release(mark);
    error_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delta_rule),
        cmocka_unit_test(scan),
        cmocka_unit_test(refusals),
    };
    return RUN_TESTS("recurrent", tests, mx_shutdown);
}
