/* Convolutions against plain loops: every option in one to three dimensions, every dtype, and wrong calls. */
#include "test.h"

#include "mx.h"

#include <math.h>

enum { MOST = 20000 };
static float out[MOST];
static double x[MOST], w[MOST], y[MOST];

/* The call fails with a message that contains the text. */
#define CHECK_FAILS(expr, text)                                             \
    do {                                                                    \
        mlx_array failed_ = (expr);                                         \
        assert_true(mx_is_null(failed_));                                   \
        if (!mx_failed() || !strstr(mx_error_text(), text))                 \
            fail_msg("expected \"%s\", got \"%s\"", text, mx_error_text()); \
    } while (0)

/* Three spatial axes; those that the test does not have are of size 1 with neutral options. */
typedef struct shape {
    int n, in[3], c, kernel[3], o, groups;
    int stride[3], low[3], high[3], dilation[3], spread[3];
    bool flip;
} shape;

static int result_size(const shape *s, int d)
{
    int in = 1 + (s->in[d] - 1) * s->spread[d] + s->low[d] + s->high[d];
    return (in - 1 - (s->kernel[d] - 1) * s->dilation[d]) / s->stride[d] + 1;
}

/* Entry of the input on axis d for result i and tap k, or -1: between entries or outside. */
static int entry(const shape *s, int d, int i, int k)
{
    int tap = s->flip ? s->kernel[d] - 1 - k : k, at = i * s->stride[d] - s->low[d] + tap * s->dilation[d];
    return at < 0 || at % s->spread[d] || at / s->spread[d] >= s->in[d] ? -1 : at / s->spread[d];
}

static double one_result(const shape *s, int n, const int *at, int o)
{
    int per = s->c / s->groups, group = o / (s->o / s->groups);
    double sum = 0;
    for (int a = 0; a < s->kernel[0]; a++)
        for (int b = 0; b < s->kernel[1]; b++)
            for (int k = 0; k < s->kernel[2]; k++) {
                int i = entry(s, 0, at[0], a), j = entry(s, 1, at[1], b), l = entry(s, 2, at[2], k);
                for (int c = 0; i >= 0 && j >= 0 && l >= 0 && c < per; c++)
                    sum += x[(((n * s->in[0] + i) * s->in[1] + j) * s->in[2] + l) * s->c + group * per + c] *
                           w[(((o * s->kernel[0] + a) * s->kernel[1] + b) * s->kernel[2] + k) * per + c];
            }
    return sum;
}

/* Fills y; returns its size. */
static size_t reference(const shape *s)
{
    size_t count = 0;
    int size[3] = {result_size(s, 0), result_size(s, 1), result_size(s, 2)}, at[3];
    for (int n = 0; n < s->n; n++)
        for (at[0] = 0; at[0] < size[0]; at[0]++)
            for (at[1] = 0; at[1] < size[1]; at[1]++)
                for (at[2] = 0; at[2] < size[2]; at[2]++)
                    for (int o = 0; o < s->o; o++)
                        y[count++] = one_result(s, n, at, o);
    assert_true(count < MOST);
    return count;
}

static mlx_array numbers(double *values, const int *dims, int ndim, mlx_dtype t)
{
    static uint32_t seed = 5;
    size_t n = 1;
    for (int i = 0; i < ndim; i++)
        n *= (size_t)dims[i];
    assert_true(n < MOST);
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        values[i] = (double)(seed >> 27) / 8 - 2;
    }
    return mx_astype(mx_from(values, dims, (size_t)ndim, MLX_FLOAT64), t);
}

static void check(mlx_array got, size_t n, double tolerance)
{
    if (mx_is_null(got) || mx_size(got) != n || mx_read_f32(got, out)) {
        mx_failed();
        fail_msg("%zu elements, not %zu: %s", mx_is_null(got) ? 0 : mx_size(got), n, mx_error_text());
    }
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)out[i] - y[i]) <= tolerance * (1 + fabs(y[i]))))
            fail_msg("element %zu is %.9g, not %.9g", i, (double)out[i], y[i]);
}

static const mlx_dtype floats[4] = {MLX_FLOAT32, MLX_FLOAT16, MLX_BFLOAT16, MLX_FLOAT64};
static const double precision[4] = {1e-5, 2e-3, 1.6e-2, 1e-6};

/* The shape's last `dims` axes as a call. */
static void try(const shape *s, int dims, mlx_dtype t, double tolerance)
{
    int skip = 3 - dims, in[5] = {s->n}, kernel[5] = {s->o};
    for (int d = 0; d < dims; d++)
        in[1 + d] = s->in[skip + d], kernel[1 + d] = s->kernel[skip + d];
    in[1 + dims] = s->c, kernel[1 + dims] = s->c / s->groups;
    mlx_array a = numbers(x, in, dims + 2, t), b = numbers(w, kernel, dims + 2, t);
    size_t n = reference(s), k = (size_t)dims;
    mlx_array got = mx_conv_general(a, b, s->stride + skip, k, s->low + skip, k, s->high + skip, k,
                                    s->dilation + skip, k, s->spread + skip, k, s->groups, s->flip);
    check(got, n, tolerance);
    assert_int_equal(mx_dtype_of(got), t);
    mlx_array turned = mx_swapaxes(mx_contiguous(mx_swapaxes(a, 0, 1)), 0, 1);
    check(mx_conv_general(turned, b, s->stride + skip, k, s->low + skip, k, s->high + skip, k,
                          s->dilation + skip, k, s->spread + skip, k, s->groups, s->flip),
          n, tolerance);
    mx_release(0);
}

#define PLAIN .stride = {1, 1, 1}, .dilation = {1, 1, 1}, .spread = {1, 1, 1}

static void general(void **state)
{
    (void)state;
    static const shape shapes[] = {
        {.n = 2, .in = {1, 1, 9}, .c = 3, .kernel = {1, 1, 3}, .o = 4, .groups = 1, PLAIN},
        {.n = 2, .in = {1, 7, 9}, .c = 3, .kernel = {1, 3, 2}, .o = 4, .groups = 1, PLAIN, .low = {0, 1, 2}},
        {.n = 1, .in = {1, 8, 9}, .c = 6, .kernel = {1, 1, 1}, .o = 4, .groups = 2, PLAIN},
        {.n = 1, .in = {1, 8, 70}, .c = 5, .kernel = {1, 1, 1}, .o = 4, .groups = 1, PLAIN},
        {.n = 2, .in = {4, 5, 6}, .c = 2, .kernel = {2, 3, 2}, .o = 3, .groups = 1, PLAIN, .high = {1, 1, 1}},
        {.n = 2,
         .in = {1, 10, 11},
         .c = 4,
         .kernel = {1, 3, 3},
         .o = 6,
         .groups = 2,
         .stride = {1, 2, 3},
         .low = {0, 1, 2},
         .high = {0, 2, 0},
         .dilation = {1, 2, 1},
         .spread = {1, 1, 1}},
        {.n = 1,
         .in = {1, 5, 6},
         .c = 4,
         .kernel = {1, 3, 3},
         .o = 6,
         .groups = 1,
         .stride = {1, 1, 1},
         .low = {0, 2, 1},
         .high = {0, 2, 3},
         .dilation = {1, 1, 2},
         .spread = {1, 2, 3},
         .flip = true},
        {.n = 1,
         .in = {1, 5, 6},
         .c = 4,
         .kernel = {1, 3, 3},
         .o = 4,
         .groups = 2,
         .stride = {1, 2, 3},
         .low = {0, 2, 1},
         .high = {0, 2, 3},
         .dilation = {1, 1, 1},
         .spread = {1, 2, 2},
         .flip = true},
        {.n = 1,
         .in = {3, 3, 3},
         .c = 2,
         .kernel = {2, 2, 2},
         .o = 2,
         .groups = 1,
         .stride = {2, 1, 1},
         .low = {1, 1, 1},
         .dilation = {1, 2, 1},
         .spread = {2, 1, 3}},
        {.n = 2,
         .in = {1, 9, 8},
         .c = 37,
         .kernel = {1, 3, 3},
         .o = 37,
         .groups = 37,
         PLAIN,
         .low = {0, 1, 1},
         .high = {0, 1, 1}},
        {.n = 1, .in = {1, 9, 8}, .c = 6, .kernel = {1, 3, 3}, .o = 12, .groups = 6, PLAIN, .flip = true},
        {.n = 1,
         .in = {1, 1, 2},
         .c = 2,
         .kernel = {1, 1, 2},
         .o = 2,
         .groups = 1,
         PLAIN,
         .low = {0, 0, 9},
         .high = {0, 0, 9}},
        {.n = 1,
         .in = {1, 4, 5},
         .c = 3,
         .kernel = {1, 1, 2},
         .o = 2,
         .groups = 1,
         .stride = {1, 1, 1},
         .dilation = {1, 1, 1},
         .spread = {1, 3, 4}},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const shape *s = &shapes[i];
        int dims = s->in[0] > 1 ? 3 : s->in[1] > 1 ? 2 : 1;
        for (int t = 0; t < 4; t++)
            try(s, dims, floats[t], precision[t]);
    }
}

static void named(void **state)
{
    (void)state;
    shape s = {.n = 2,
               .in = {1, 1, 12},
               .c = 4,
               .kernel = {1, 1, 3},
               .o = 6,
               .groups = 2,
               .stride = {1, 1, 2},
               .low = {0, 0, 1},
               .high = {0, 0, 1},
               .dilation = {1, 1, 2},
               .spread = {1, 1, 1}};
    mlx_array a = numbers(x, (int[]){2, 12, 4}, 3, MLX_FLOAT32),
              b = numbers(w, (int[]){6, 3, 2}, 3, MLX_FLOAT32);
    check(mx_conv1d(a, b, 2, 1, 2, 2), reference(&s), 1e-5);
    /* the transpose is a convolution of the spread input with the kernel turned round */
    s.stride[2] = 1, s.spread[2] = 2, s.low[2] = 4 - 1, s.high[2] = 4 - 1 + 1, s.flip = true;
    check(mx_conv_transpose1d(a, b, 2, 1, 2, 1, 2), reference(&s), 1e-5);
    shape both = {.n = 2,
                  .in = {1, 6, 7},
                  .c = 4,
                  .kernel = {1, 2, 3},
                  .o = 6,
                  .groups = 2,
                  .stride = {1, 2, 2},
                  .low = {0, 1, 1},
                  .high = {0, 1, 1},
                  .dilation = {1, 2, 2},
                  .spread = {1, 1, 1}};
    mlx_array image = numbers(x, (int[]){2, 6, 7, 4}, 4, MLX_FLOAT32),
              kernel = numbers(w, (int[]){6, 2, 3, 2}, 4, MLX_FLOAT32);
    check(mx_conv1d(image, kernel, 2, 1, 2, 2), reference(&both), 1e-5); /* one value for both axes */
    shape p = {.n = 1,
               .in = {1, 6, 7},
               .c = 3,
               .kernel = {1, 2, 3},
               .o = 4,
               .groups = 1,
               .stride = {1, 2, 1},
               .low = {0, 1, 2},
               .high = {0, 1, 2},
               .dilation = {1, 1, 2},
               .spread = {1, 1, 1}};
    a = numbers(x, (int[]){1, 6, 7, 3}, 4, MLX_FLOAT32), b = numbers(w, (int[]){4, 2, 3, 3}, 4, MLX_FLOAT32);
    check(mx_conv2d(a, b, 2, 1, 1, 2, 1, 2, 1), reference(&p), 1e-5);
    mlx_array y2 = mx_conv_transpose2d(a, b, 2, 1, 0, 1, 1, 1, 1, 0, 1);
    assert_int_equal(mx_dim(y2, 1), 5 * 2 + 1 + 1 + 1);
    assert_int_equal(mx_dim(y2, 2), 6 - 2 + 2 + 1);
    a = numbers(x, (int[]){1, 3, 6, 7, 2}, 5, MLX_FLOAT32),
    b = numbers(w, (int[]){2, 2, 2, 3, 2}, 5, MLX_FLOAT32);
    shape q = {.n = 1,
               .in = {3, 6, 7},
               .c = 2,
               .kernel = {2, 2, 3},
               .o = 2,
               .groups = 1,
               .stride = {1, 2, 1},
               .low = {0, 1, 2},
               .high = {0, 1, 2},
               .dilation = {1, 1, 2},
               .spread = {1, 1, 1}};
    check(mx_conv3d(a, b, 1, 2, 1, 0, 1, 2, 1, 1, 2, 1), reference(&q), 1e-5);
    assert_int_equal(mx_dim(mx_conv_transpose3d(a, b, 1, 2, 1, 0, 0, 0, 1, 1, 1, 0, 1, 0, 1), 2),
                     5 * 2 + 2 + 1);
    /* negative padding cuts */
    a = numbers(x, (int[]){1, 8, 1}, 3, MLX_FLOAT32), b = numbers(w, (int[]){1, 3, 1}, 3, MLX_FLOAT32);
    mlx_array cut =
        mx_conv_general(a, b, NULL, 0, (int[]){-2}, 1, (int[]){-1}, 1, NULL, 0, NULL, 0, 1, false);
    mlx_array same = mx_conv1d(mx_slice_axis(a, 1, 2, 7), b, 1, 0, 1, 1);
    assert_int_equal(mx_read_f32(same, out), 0);
    for (int i = 0; i < 3; i++)
        y[i] = (double)out[i];
    check(cut, 3, 0);
    mx_release(0);
}

static void wrong_calls(void **state)
{
    (void)state;
    mlx_array a = mx_ones(SHAPE(1, 8, 4), MLX_FLOAT32), b = mx_ones(SHAPE(2, 3, 4), MLX_FLOAT32);
    CHECK_FAILS(mx_conv1d(a, b, 0, 0, 1, 1), "stride 0 and dilations 1, 1 of axis 0 must be positive");
    CHECK_FAILS(mx_conv1d(a, b, 1, 0, 4, 1), "[conv] axis 0: the input of (1, 8, 4), 8 entries");
    CHECK_FAILS(mx_conv1d(a, b, 1, 0, 1, 2), "do not fit 2 groups");
    CHECK_FAILS(mx_conv1d(a, b, 1, 0, 1, 0), "groups 0");
    CHECK_FAILS(mx_conv2d(a, b, 1, 1, 0, 0, 1, 1, 1), "must have 4 dimensions");
    CHECK_FAILS(mx_conv1d(mx_astype(a, MLX_INT32), b, 1, 0, 1, 1), "not int32 and float32");
    CHECK_FAILS(mx_conv_general(a, b, (int[]){1, 1}, 2, NULL, 0, NULL, 0, NULL, 0, NULL, 0, 1, false),
                "must have one value or 1");
    mlx_array none = mx_conv1d(mx_zeros(SHAPE(0, 8, 4), MLX_FLOAT32), b, 1, 0, 1, 1);
    assert_int_equal(mx_eval(none), 0);
    assert_int_equal(mx_dim(none, 1), 6);
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
        cmocka_unit_test(general),
        cmocka_unit_test(named),
        cmocka_unit_test(wrong_calls),
    };
    return RUN_TESTS("conv", tests, cleanup);
}
