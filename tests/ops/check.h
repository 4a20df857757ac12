/* What tests of ops start with: values of an array against a list, and calls that must fail. */
#ifndef MICA_TESTS_OPS_CHECK_H
#define MICA_TESTS_OPS_CHECK_H

#include "test.h"

#include "mx.h"

#include <math.h>

static float out[1 << 18];
static int64_t ints[4096];

/* x's n elements differ from those expected by no more than the tolerance. */
static inline void check(mlx_array x, size_t n, const float *expected, float tolerance)
{
    if (mx_is_null(x) || mx_size(x) != n || mx_read_f32(x, out)) {
        mx_failed();
        fail_msg("%zu elements, not %zu: %s", mx_size(x), n, mx_error_text());
    }
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(out[i] - expected[i]) <= tolerance) && !(isnan(out[i]) && isnan(expected[i])) &&
            out[i] != expected[i])
            fail_msg("element %zu is %.9g, not %.9g", i, (double)out[i], (double)expected[i]);
}
#define CHECK(x, tolerance, ...) \
    check(x, sizeof((const float[]){__VA_ARGS__}) / sizeof(float), (const float[]){__VA_ARGS__}, tolerance)

static inline void check_ints(mlx_array x, size_t n, const int64_t *expected)
{
    assert_false(mx_is_null(x));
    assert_int_equal(mx_size(x), n);
    assert_int_equal(mx_read_i64(x, ints), 0);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(ints[i], expected[i]);
}
#define CHECK_INTS(x, ...) \
    check_ints(x, sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (const int64_t[]){__VA_ARGS__})

/* The call fails with a message that contains the text. */
#define CHECK_FAILS(expr, text)                                             \
    do {                                                                    \
        mlx_array failed_ = (expr);                                         \
        if (!mx_is_null(failed_))                                           \
            mx_read_f32(failed_, out);                                      \
        if (!mx_failed() || !strstr(mx_error_text(), text))                 \
            fail_msg("expected \"%s\", got \"%s\"", text, mx_error_text()); \
    } while (0)

static inline mlx_array vec(size_t n, const float *v) { return mx_from(v, (int[]){(int)n}, 1, MLX_FLOAT32); }
#define VEC(...) vec(sizeof((const float[]){__VA_ARGS__}) / sizeof(float), (const float[]){__VA_ARGS__})
#define NAN_     ((float)NAN)
#define INF_     ((float)INFINITY)

#endif
