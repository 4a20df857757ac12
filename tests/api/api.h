/* What tests of the C interface share: the last error that the handler was told, and checks of results. They
 * see the public headers only, besides the counters of memory. */
#ifndef MICA_TESTS_API_H
#define MICA_TESTS_API_H

#include "test.h"

#include "mlx/c/mlx.h"
#include "mx/array.h"

static char api_error[4096];
static int api_errors;

static inline void api_handler(const char *msg, void *data)
{
    (void)data;
    api_errors++;
    snprintf(api_error, sizeof api_error, "%s", msg);
}

/* Errors since the last look, and none of them forgotten: their number. */
static inline int api_take_errors(void)
{
    int n = api_errors;
    api_errors = 0;
    return n;
}

/* The call succeeds and no error is reported. */
#define OK(call)                                  \
    do {                                          \
        if ((call) || api_errors)                 \
            fail_msg("%s: %s", #call, api_error); \
    } while (0)

/* The call returns 1 and reports one error that contains `text`. */
#define FAILS(call, text)                                                           \
    do {                                                                            \
        assert_int_equal(call, 1);                                                  \
        assert_int_equal(api_take_errors(), 1);                                     \
        if (!strstr(api_error, text))                                               \
            fail_msg("expected an error with \"%s\", got \"%s\"", text, api_error); \
    } while (0)

static inline mlx_array api_floats(const float *v, int n)
{
    return mlx_array_new_data(v, &n, 1, MLX_FLOAT32);
}
#define FLOATS(...) \
    api_floats((const float[]){__VA_ARGS__}, sizeof((const float[]){__VA_ARGS__}) / sizeof(float))

/* x prints as `text`. */
static inline void api_prints(mlx_array x, const char *text)
{
    mlx_string s = mlx_string_new();
    OK(mlx_array_tostring(&s, x));
    assert_string_equal(mlx_string_data(s), text);
    mlx_string_free(s);
}

static inline void api_end(void)
{
    if (mx_live_nodes()) {
        fprintf(stderr, "%zu nodes are still alive\n", mx_live_nodes());
        abort();
    }
    mlx_set_error_handler(NULL, NULL, NULL);
    mx_shutdown();
}

/* main's body: every test of the list, then nothing may be left. */
#define RUN_API_TESTS(name, tests) \
    (mlx_set_error_handler(api_handler, NULL, NULL), RUN_TESTS(name, tests, api_end))

#endif
