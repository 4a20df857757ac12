/* Rotary kinds from config.json against the formulas, in both spellings, and windows of attention. */
#include "test.h"

#include "nn/attention.h"
#include "nn/rope.h"

#include <math.h>

enum { D = 16, HALF = D / 2 };
#define TWO_PI 6.283185307179586

static nn_rope read_rope(cfg_file *f, const char *text)
{
    assert_ok(cfg_parse(f, "config.json", text, strlen(text)) == 0);
    cfg c = cfg_root(f);
    return nn_rope_from(&c, D);
}

/* Rotates ones at position p and compares with cos(a) - sin(a), cos(a) + sin(a), times mscale. */
static void check(const char *text, const double *period, double mscale)
{
    cfg_file f;
    nn_rope r = read_rope(&f, text);
    cfg c = cfg_root(&f);
    assert_ok(cfg_ok(&c));
    size_t mark = mx_mark();
    const int first = 37;
    float got[3 * D];
    mlx_array x = mx_ones(SHAPE(1, 1, 3, D), MLX_FLOAT32);
    assert_ok(mx_read_f32(nn_rotate(&r, x, (nn_positions){.first = first}), got) == 0);
    for (int t = 0; t < 3; t++)
        for (int i = 0; i < HALF; i++) {
            double a = (first + t) / period[i];
            assert_true(fabs(got[t * D + i] - mscale * (cos(a) - sin(a))) < 1e-4);
            assert_true(fabs(got[t * D + HALF + i] - mscale * (cos(a) + sin(a))) < 1e-4);
        }
    mx_release(mark);
    nn_rope_free(&r);
    cfg_close(&f);
}

static void kinds(void **state)
{
    (void)state;
    double p[HALF], scaled[HALF];
    for (int i = 0; i < HALF; i++)
        p[i] = pow(10000, 2.0 * i / D);
    check("{}", p, 1);
    check("{\"rope_scaling\":null,\"rope_theta\":10000}", p, 1);
    check("{\"rope_parameters\":{\"rope_type\":\"default\",\"rope_theta\":10000.0}}", p, 1);
    for (int i = 0; i < HALF; i++)
        scaled[i] = 4 * p[i];
    check("{\"rope_scaling\":{\"type\":\"linear\",\"factor\":4.0}}", scaled, 1);
    check("{\"rope_parameters\":{\"rope_type\":\"linear\",\"factor\":4,\"rope_theta\":1e4}}", scaled, 1);
    /* llama3: 8 times the period above 64 / 1, untouched below 64 / 4. */
    for (int i = 0; i < HALF; i++) {
        double length = TWO_PI * p[i], smooth = (64 / length - 1) / (4 - 1);
        scaled[i] = length > 64 ? 8 * p[i] : length < 16 ? p[i] : p[i] / ((1 - smooth) / 8 + smooth);
    }
    check("{\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":1,\"high_freq_"
          "factor\":4,"
          "\"original_max_position_embeddings\":64}}",
          scaled, 1);
    /* yarn: indices of 32 turns and 1 turn over 4096 positions bound the ramp. */
    double low = floor(D * log(4096 / (32 * TWO_PI)) / (2 * log(1e4)));
    double high = ceil(D * log(4096 / TWO_PI) / (2 * log(1e4)));
    for (int i = 0; i < HALF; i++) {
        double ramp = fmin(fmax((i - low) / (high - low), 0), 1);
        scaled[i] = 1 / (ramp / (4 * p[i]) + (1 - ramp) / p[i]);
    }
    const char *yarn =
        "{\"max_position_embeddings\":16384,\"rope_scaling\":{\"type\":\"yarn\",\"factor\":4.0,"
        "\"original_max_position_embeddings\":4096}}";
    check(yarn, scaled, 0.1 * log(4) + 1);
    check("{\"rope_parameters\":{\"rope_type\":\"yarn\",\"factor\":4.0,\"rope_theta\":10000,"
          "\"original_max_position_embeddings\":4096,\"mscale\":1,\"mscale_all_dim\":1}}",
          scaled, 1);
}

static void partial_rotation(void **state)
{
    (void)state;
    cfg_file f;
    nn_rope r =
        read_rope(&f, "{\"partial_rotary_factor\":0.5,\"rope_scaling\":{\"type\":\"yarn\",\"factor\":2}}");
    assert_int_equal(r.dims, HALF);
    float got[D];
    size_t mark = mx_mark();
    assert_ok(mx_read_f32(nn_rotate(&r, mx_ones(SHAPE(1, 1, 1, D), MLX_FLOAT32), (nn_positions){0}), got) ==
              0);
    for (int i = 0; i < D; i++)
        assert_true(fabs(got[i] - (i < HALF ? 0.1 * log(2) + 1 : 1)) < 1e-6);
    mx_release(mark);
    nn_rope_free(&r);
    cfg_close(&f);
}

static void refusals(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"{\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":2}}", "\"rope_scaling.rope_type\" is of a kind"},
        {"{\"rope_parameters\":{\"rope_type\":\"dynamic\"}}", "\"rope_parameters.rope_type\" is of a kind"},
        {"{\"rope_parameters\":{\"full_attention\":{\"rope_theta\":1}}}", "differs by layer type"},
        {"{\"rope_scaling\":{\"type\":\"linear\"}}", "must be above 0"},
        {"{\"rope_scaling\":[]}", "must be an object"},
        {"{\"rope_theta\":\"big\"}", "\"rope_theta\" must be a number"},
        {"{\"rope_theta\":-1}", "no rotary positions"},
        {"{\"partial_rotary_factor\":0.05}", "no rotary positions"},
        {"{\"rope_scaling\":{\"type\":\"yarn\",\"factor\":-1}}", "do not describe yarn"},
        {"{\"rope_scaling\":{\"type\":\"llama3\",\"high_freq_factor\":1}}", "do not describe llama3"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cfg_file f;
        nn_rope r = read_rope(&f, rows[i][0]);
        cfg c = cfg_root(&f);
        assert_false(cfg_ok(&c));
        assert_error(rows[i][1]);
        nn_rope_free(&r);
        cfg_close(&f);
    }
}

/* Windows: the mask's form for each case, and its numbers. */
static void windows(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    assert_int_equal(nn_causal_mask(1, 100, 0).kind, MX_MASK_NONE);
    assert_int_equal(nn_causal_mask(1, 100, 0).last, 0);
    assert_int_equal(nn_causal_mask(5, 3, 8).kind, MX_MASK_CAUSAL);
    assert_int_equal(nn_causal_mask(1, 7, 8).last, 0);
    assert_int_equal(nn_causal_mask(1, 8, 8).last, 8);
    nn_mask m = nn_causal_mask(3, 2, 2);
    assert_int_equal(m.kind, MX_MASK_ARRAY);
    int64_t got[15];
    const int64_t expected[15] = {0, 1, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1};
    assert_ok(mx_read_i64(m.array, got) == 0);
    assert_memory_equal(got, expected, sizeof got);
    mx_release(mark);
}

/* Rows with positions one by one turn as rows of a run from that position on. */
static void positions_one_by_one(void **state)
{
    (void)state;
    enum { H = 3, L = 5, N = H * L * D };
    cfg_file f;
    nn_rope r = read_rope(&f, "{\"rope_theta\":100.0,\"partial_rotary_factor\":0.5}");
    const int at[L] = {7, 8, 0, 31, 2};
    float x[N], got[N], alone[H * D];
    for (int i = 0; i < N; i++)
        x[i] = (float)((i * 37) % 19) - 9;
    size_t mark = mx_mark();
    mlx_array rows = mx_from(x, SHAPE(1, H, L, D), MLX_FLOAT32);
    nn_positions each = {.each = mx_from(at, SHAPE(L), MLX_INT32)};
    assert_ok(mx_read_f32(nn_rotate(&r, rows, each), got) == 0);
    for (int t = 0; t < L; t++) {
        mlx_array row = mx_slice_axis(rows, 2, t, t + 1);
        assert_ok(mx_read_f32(nn_rotate(&r, row, (nn_positions){.first = at[t]}), alone) == 0);
        for (int h = 0; h < H; h++)
            assert_memory_equal(got + (h * L + t) * D, alone + h * D, D * sizeof *got);
    }
    mx_release(mark);
    nn_rope_free(&r);
    cfg_close(&f);
}

/* Capped scores against the formula, for a causal mask, a window and a single row. */
static void capped_scores(void **state)
{
    (void)state;
    enum { H = 2, L = 3, S = 5, K = 4 };
    float q[H * L * K], k[S * K], v[S * K], got[H * L * K];
    for (int i = 0; i < H * L * K; i++)
        q[i] = (float)((i * 7) % 11) - 5;
    for (int i = 0; i < S * K; i++) {
        k[i] = (float)((i * 5) % 7) - 3;
        v[i] = (float)((i * 3) % 13) - 6;
    }
    const float scale = 0.4f, cap = 2.5f;
    for (int window = 0; window <= 2; window += 2) {
        size_t mark = mx_mark();
        mlx_array y = nn_attend_capped(
            mx_from(q, SHAPE(1, H, L, K), MLX_FLOAT32), mx_from(k, SHAPE(1, 1, S, K), MLX_FLOAT32),
            mx_from(v, SHAPE(1, 1, S, K), MLX_FLOAT32), scale, nn_causal_mask(L, S - L, window), cap);
        assert_ok(mx_read_f32(y, got) == 0);
        mx_release(mark);
        for (int r = 0; r < H * L; r++) {
            int last = r % L + S - L, first = window ? last - window + 1 : 0;
            double sum = 0, out[K] = {0};
            for (int j = first; j <= last; j++) {
                double s = 0;
                for (int d = 0; d < K; d++)
                    s += (double)q[r * K + d] * k[j * K + d];
                double e = exp(cap * tanh(s * scale / cap));
                sum += e;
                for (int d = 0; d < K; d++)
                    out[d] += e * v[j * K + d];
            }
            for (int d = 0; d < K; d++)
                assert_true(fabs(got[r * K + d] - out[d] / sum) < 1e-5);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(positions_one_by_one), cmocka_unit_test(capped_scores), cmocka_unit_test(kinds),
        cmocka_unit_test(partial_rotation),     cmocka_unit_test(refusals),      cmocka_unit_test(windows),
    };
    return RUN_TESTS("rope", tests, mx_shutdown);
}
