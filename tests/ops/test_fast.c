/* Norms, rotary positions and attention against plain loops in double, for every float dtype, and wrong
 * calls. */
#include "test.h"

#include "mx.h"

#include <math.h>

enum { MOST = 8192 };
static float out[MOST];
static double x[MOST], k[MOST], v[MOST], w[MOST], b[MOST], y[MOST];

/* The call fails with a message that contains the text. */
#define CHECK_FAILS(expr, text)                                             \
    do {                                                                    \
        mlx_array failed_ = (expr);                                         \
        assert_true(mx_is_null(failed_));                                   \
        if (!mx_failed() || !strstr(mx_error_text(), text))                 \
            fail_msg("expected \"%s\", got \"%s\"", text, mx_error_text()); \
    } while (0)

static mlx_array numbers(double *values, const int *shape, size_t ndim, mlx_dtype t)
{
    static uint32_t seed = 11;
    size_t n = 1;
    for (size_t i = 0; i < ndim; i++)
        n *= (size_t)shape[i];
    assert_true(n <= MOST);
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        values[i] = (double)(seed >> 26) / 16 - 2; /* exact in every float dtype */
    }
    return mx_astype(mx_from(values, shape, ndim, MLX_FLOAT64), t);
}

static void check(mlx_array got, size_t n, mlx_dtype t, double tolerance)
{
    if (mx_is_null(got) || mx_size(got) != n || mx_read_f32(got, out)) {
        mx_failed();
        fail_msg("%zu elements, not %zu: %s", mx_is_null(got) ? 0 : mx_size(got), n, mx_error_text());
    }
    assert_int_equal(mx_dtype_of(got), t);
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)out[i] - y[i]) <= tolerance * (1 + fabs(y[i]))))
            fail_msg("%s: element %zu is %.9g, not %.9g", mx_dtype_name(t), i, (double)out[i], y[i]);
}

static const mlx_dtype floats[4] = {MLX_FLOAT32, MLX_FLOAT16, MLX_BFLOAT16, MLX_FLOAT64};
static const double precision[4] = {1e-5, 2e-3, 1.6e-2, 1e-7};

/* Rows of 21 of x normed, times w, plus b. */
static void norm_rows(int rows, bool centre, bool weight, bool bias)
{
    const int n = 21;
    for (int r = 0; r < rows; r++) {
        double mean = 0, square = 0, *row = x + r * n;
        for (int i = 0; centre && i < n; i++)
            mean += row[i] / n;
        for (int i = 0; i < n; i++)
            square += (row[i] - mean) * (row[i] - mean) / n;
        for (int i = 0; i < n; i++)
            y[r * n + i] = (row[i] - mean) / sqrt(square + 1e-3) * (weight ? w[i] : 1) + (bias ? b[i] : 0);
    }
}

static void norms(void **state)
{
    (void)state;
    for (int t = 0; t < 4; t++) {
        mlx_array a = numbers(x, SHAPE(2, 3, 21), floats[t]), weight = numbers(w, SHAPE(21), floats[t]),
                  bias = numbers(b, SHAPE(21), floats[t]);
        norm_rows(6, false, true, false);
        check(mx_rms_norm(a, weight, 1e-3f), 126, floats[t], precision[t]);
        norm_rows(6, false, false, false);
        check(mx_rms_norm(a, MX_NULL, 1e-3f), 126, floats[t], precision[t]);
        for (int c = 0; c < 4; c++) {
            norm_rows(6, true, c & 1, c & 2);
            check(mx_layer_norm(a, c & 1 ? weight : MX_NULL, c & 2 ? bias : MX_NULL, 1e-3f), 126, floats[t],
                  precision[t]);
        }
        /* without a weight the bias has no say */
        assert_int_equal(mx_dtype_of(mx_layer_norm(a, MX_NULL, mx_astype(bias, MLX_FLOAT64), 1e-3f)),
                         floats[t]);
        assert_int_equal(mx_dtype_of(mx_rms_norm(a, mx_astype(weight, MLX_FLOAT32), 1e-3f)),
                         floats[t] == MLX_FLOAT64 ? MLX_FLOAT64 : MLX_FLOAT32);
        mx_release(0);
    }
    mlx_array a = mx_ones(SHAPE(2, 3), MLX_FLOAT32);
    CHECK_FAILS(mx_rms_norm(a, mx_ones(SHAPE(2), MLX_FLOAT32), 1e-5f),
                "[rms_norm] weight of shape (2,) does not fit");
    CHECK_FAILS(mx_rms_norm(mx_astype(a, MLX_INT32), MX_NULL, 1e-5f), "not int32");
    CHECK_FAILS(mx_layer_norm(mx_float(1, MLX_FLOAT32), MX_NULL, MX_NULL, 1e-5f), "at least 1 dimensions");
    mx_release(0);
}

/* x (3, 2, 4, 10), the first `dims` turned; offset[i] is that of sequence i. */
static void turn(int dims, bool traditional, double base, const double *periods, double scale,
                 const int *offset)
{
    for (int r = 0; r < 24; r++) {
        const double *in = x + r * 10;
        double position = (offset[r / 8] + r % 4) * scale, *to = y + r * 10;
        memcpy(to, in, 10 * sizeof *to);
        for (int i = 0; i < dims / 2; i++) {
            double angle = position / (periods ? periods[i] : pow(base, 2.0 * i / dims));
            int p = traditional ? 2 * i : i, q = traditional ? 2 * i + 1 : i + dims / 2;
            to[p] = in[p] * cos(angle) - in[q] * sin(angle);
            to[q] = in[p] * sin(angle) + in[q] * cos(angle);
        }
    }
}

static void rope(void **state)
{
    (void)state;
    const float base = 100;
    static const double periods[4] = {1, 3, 5, 11};
    for (int t = 0; t < 4; t++)
        for (int traditional = 0; traditional < 2; traditional++) {
            mlx_array a = numbers(x, SHAPE(3, 2, 4, 10), floats[t]);
            mlx_array freqs = mx_from(periods, SHAPE(4), MLX_FLOAT64);
            turn(8, traditional, 100, NULL, 0.5, (int[]){7, 7, 7});
            check(mx_rope(a, 8, traditional, base, 0.5f, 7, MX_NULL), 240, floats[t], precision[t]);
            check(mx_rope_dynamic(a, 8, traditional, base, 0.5f, mx_int(7, MLX_INT64), MX_NULL), 240,
                  floats[t], precision[t]);
            turn(10, traditional, 100, NULL, 1, (int[]){0, 5, 100});
            mlx_array each = mx_from((int[]){0, 5, 100}, SHAPE(3), MLX_INT32);
            check(mx_rope_dynamic(a, 10, traditional, base, 1, each, MX_NULL), 240, floats[t], precision[t]);
            turn(8, traditional, 0, periods, 1, (int[]){0, 5, 100});
            check(mx_rope_dynamic(a, 8, traditional, 1, 1, each, freqs), 240, floats[t], precision[t]);
            mx_release(0);
        }
    mlx_array a = mx_ones(SHAPE(3, 2, 4, 10), MLX_FLOAT32), each = mx_zeros(SHAPE(2), MLX_INT32);
    CHECK_FAILS(mx_rope(a, 7, false, base, 1, 0, MX_NULL), "dims 7 must be even");
    CHECK_FAILS(mx_rope(mx_ones(SHAPE(3, 8), MLX_FLOAT32), 8, false, base, 1, 0, MX_NULL),
                "at least 3 dimensions are needed, shape (3, 8)");
    CHECK_FAILS(mx_rope_dynamic(a, 8, false, base, 1, each, MX_NULL), "one integer or 3, one a sequence");
    mx_release(0);
}

enum { B = 2, H = 4, KV = 2, L = 3, S = 7, D = 8, DV = 5 };

/* hidden: 1 where query i of head h does not see key j; added: to the scores; sinks: or NULL. */
static void attend(const char *hidden, const double *added, const double *sinks)
{
    for (int r = 0; r < B * H * L; r++) {
        int h = r / L % H, kv = r / L / H * KV + h / (H / KV);
        double s[S], most = sinks ? sinks[h] : -INFINITY, total = 0;
        for (int j = 0; j < S; j++) {
            s[j] = added ? added[r * S + j] : 0;
            for (int d = 0; d < D; d++)
                s[j] += 0.3 * x[r * D + d] * k[(kv * S + j) * D + d];
            s[j] = hidden && hidden[r * S + j] ? -1e30 : s[j];
            most = fmax(most, s[j]);
        }
        for (int j = 0; j < S; j++)
            total += s[j] = exp(s[j] - most);
        total += sinks ? exp(sinks[h] - most) : 0;
        for (int d = 0; d < DV; d++) {
            y[r * DV + d] = 0;
            for (int j = 0; j < S; j++)
                y[r * DV + d] += s[j] / total * v[(kv * S + j) * DV + d];
        }
    }
}

static void attention(void **state)
{
    (void)state;
    static char hidden[B * H * L * S];
    static double added[B * H * L * S];
    static const double sinks[H] = {0.5, -1, 2, 0};
    for (int t = 0; t < 4; t++) {
        const mlx_dtype f = floats[t];
        const size_t n = B * H * L * DV;
        mlx_array q = numbers(x, SHAPE(B, H, L, D), f), key = numbers(k, SHAPE(B, KV, S, D), f),
                  value = numbers(v, SHAPE(B, KV, S, DV), f),
                  sink = mx_astype(mx_from(sinks, SHAPE(H), MLX_FLOAT64), f);
        attend(NULL, NULL, NULL);
        check(mx_scaled_dot_product_attention_sinks(q, key, value, 0.3f, MX_MASK_NONE, MX_NULL, MX_NULL), n,
              f, precision[t]);
        attend(NULL, NULL, sinks);
        check(mx_scaled_dot_product_attention_sinks(q, key, value, 0.3f, MX_MASK_NONE, MX_NULL, sink), n, f,
              precision[t]);
        for (int i = 0; i < B * H * L * S; i++)
            hidden[i] = i % S > i / S % L + S - L;
        attend(hidden, NULL, sinks);
        check(mx_scaled_dot_product_attention_sinks(q, key, value, 0.3f, MX_MASK_CAUSAL, MX_NULL, sink), n, f,
              precision[t]);
        mlx_array mask =
            numbers(w, SHAPE(H, 1, S), f); /* every third key is hidden by a head's mask, and all by one */
        for (int i = 0; i < B * H * L * S; i++) {
            added[i] = w[i / S / L % H * S + i % S];
            hidden[i] = added[i] < 0 || i / S / L % H == 2;
        }
        attend(NULL, added, NULL);
        check(mx_scaled_dot_product_attention_sinks(q, key, value, 0.3f, MX_MASK_ARRAY, mask, MX_NULL), n, f,
              precision[t]);
        mlx_array heads = mx_reshape(mx_arange(0, H, 1, MLX_INT32), SHAPE(H, 1, 1));
        mask =
            mx_logical_and(mx_greater_equal(mask, mx_float(0, f)), mx_not_equal(heads, mx_int(2, MLX_INT32)));
        attend(hidden, NULL, NULL);
        check(mx_scaled_dot_product_attention_sinks(q, key, value, 0.3f, MX_MASK_ARRAY, mask, MX_NULL), n, f,
              precision[t]);
        mx_release(0);
    }
    mlx_array q = mx_ones(SHAPE(1, 2, 3, 4), MLX_FLOAT16), wide = mx_ones(SHAPE(3, 3), MLX_FLOAT32);
    CHECK_FAILS(mx_scaled_dot_product_attention_sinks(q, q, q, 1, MX_MASK_ARRAY, wide, MX_NULL),
                "does not promote");
    CHECK_FAILS(mx_scaled_dot_product_attention_sinks(q, q, q, 1, MX_MASK_NONE, MX_NULL, wide),
                "sinks must be of shape (2,)");
    CHECK_FAILS(mx_scaled_dot_product_attention_sinks(q, q, mx_ones(SHAPE(1, 2, 4, 4), MLX_FLOAT16), 1,
                                                      MX_MASK_NONE, MX_NULL, MX_NULL),
                "do not fit");
    mx_release(0);
}

static void cleanup(void)
{
    assert_int_equal(mx_live_nodes(), 0);
    mx_shutdown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(norms),
        cmocka_unit_test(rope),
        cmocka_unit_test(attention),
    };
    return RUN_TESTS("fast", tests, cleanup);
}
