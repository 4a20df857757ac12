/* Whatever the arguments are, a function of the C interface works or fails with one message: no crash, no
 * error without a message, nothing leaked, results untouched by a failure.
 *
 * Every function of ops.h, fast.h, fft.h, linalg.h and random.h that makes arrays is called (calls.inc, made
 * from the headers by calls.awk) with arrays of many dtypes and shapes, and numbers, lists and texts that
 * make sense for few of them. What was made is computed, too. */
#include "api/api.h"

#include "mx/memory.h"

#include <limits.h>

typedef struct sample {
    mlx_stream stream;
    mlx_array x, optional, out[3];
    mlx_vector_array inputs, list;
    int number, numbers[3];
    int64_t longs[3];
    size_t count;
    bool flag;
    float real;
    mlx_dtype dtype;
    const char *text;
} sample;

typedef struct function {
    const char *name;
    int (*call)(sample *t);
    int arrays; /* that it needs */
} function;

#include "calls.inc"

enum { FUNCTIONS = sizeof functions / sizeof *functions, LARGEST = 1 << 16 };

static sample t;
static int findings;

/* One finding does not keep the others from being found. */
#define FINDING(...) (findings++ < 40 ? print_error(__VA_ARGS__) : (void)0)

static void clear_results(void)
{
    for (int i = 0; i < 3; i++) {
        mlx_array_free(t.out[i]);
        t.out[i] = mlx_array_new();
    }
    mlx_vector_array_free(t.list);
    t.list = mlx_vector_array_new();
}

/* A result is computed if it is small; a failure then has one message as well. */
static void compute(const char *name, mlx_array x)
{
    if (!x.ctx || mlx_array_size(x) > LARGEST)
        return;
    int rc = mlx_array_eval(x), errors = api_take_errors();
    if (rc != errors)
        FINDING("%s: evaluation returned %d with %d messages (%s)\n", name, rc, errors, api_error);
}

/* Computes what a function made. */
static void compute_all(const char *name)
{
    for (int i = 0; i < 3; i++)
        compute(name, t.out[i]);
    for (size_t i = 0; i < mlx_vector_array_size(t.list); i++) {
        mlx_array x = mlx_array_new();
        if (mlx_vector_array_get(&x, t.list, i))
            api_take_errors();
        compute(name, x);
        mlx_array_free(x);
    }
}

/* Did an allocation fail that was to fail? From here on none does. */
static bool failure_is_over(void)
{
    bool fired = mem_fail_fired();
    mem_fail_at(0);
    return fired;
}

/* Returns what failure_is_over does. */
static bool call(const function *f)
{
    int rc = f->call(&t), errors = api_take_errors();
    if (rc == 0)
        compute_all(f->name);
    bool fired = failure_is_over();
    if (rc != errors || (rc != 0 && rc != 1))
        FINDING("%s returned %d with %d messages (%s)\n", f->name, rc, errors, api_error);
    if (rc && (t.out[0].ctx || mlx_vector_array_size(t.list)))
        FINDING("%s failed and left a result\n", f->name);
    clear_results();
    return fired;
}

/* Calls all functions for what t holds now. */
static void call_all(void)
{
    for (int i = 0; i < FUNCTIONS; i++) {
        size_t before = mx_live_nodes();
        call(&functions[i]);
        if (mx_live_nodes() != before)
            FINDING("%s left %zu nodes behind\n", functions[i].name, mx_live_nodes() - before);
    }
}

static void begin(mlx_array x)
{
    static const int shape[3] = {2, 1, 2};
    t.x = x;
    t.optional = x;
    t.inputs = mlx_vector_array_new_data((mlx_array[]){x, x}, 2);
    t.list = mlx_vector_array_new();
    t.number = 1;
    t.count = 1;
    t.flag = true;
    t.real = 1;
    t.dtype = MLX_FLOAT32;
    t.text = "affine";
    for (int i = 0; i < 3; i++) {
        t.numbers[i] = shape[i];
        t.longs[i] = shape[i];
        t.out[i] = mlx_array_new();
    }
}

static void end(void)
{
    clear_results();
    mlx_vector_array_free(t.list);
    mlx_vector_array_free(t.inputs);
    mlx_array_free(t.x);
    assert_int_equal(findings, 0);
}

static void empty_handles_are_refused(void **state)
{
    (void)state;
    begin(mlx_array_new());
    api_take_errors(); /* a list of nothing could not be made */
    mlx_vector_array_free(t.inputs);
    t.inputs = (mlx_vector_array){0};
    assert_true(FUNCTIONS > 250);
    for (int i = 0; i < FUNCTIONS; i++) {
        int rc = functions[i].call(&t), errors = api_take_errors();
        if (functions[i].arrays && (rc != 1 || errors != 1 || !strstr(api_error, "non-empty")))
            FINDING("%s returned %d with %d messages (%s)\n", functions[i].name, rc, errors, api_error);
        clear_results();
    }
    end();
}

static mlx_array array_of(const int *shape, int ndim, mlx_dtype dtype)
{
    static const double zeros[64];
    mlx_array x = mlx_array_new_data(zeros, shape, ndim, dtype), y = mlx_array_new();
    mlx_array one = mlx_array_new_bool(true);
    OK(mlx_add(&y, x, one,
               t.stream)); /* ones: an index that is there, a matrix that is no multiple of unity */
    mlx_array_free(x);
    mlx_array_free(one);
    OK(mlx_array_eval(y));
    return y;
}

static const struct {
    int ndim, shape[5];
} shapes[] = {{0, {0}},    {1, {0}},       {1, {2}},          {2, {2, 2}},
              {2, {0, 3}}, {3, {1, 2, 3}}, {4, {1, 2, 2, 2}}, {5, {1, 2, 1, 2, 2}}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static void shapes_and_dtypes_of_all_kinds(void **state)
{
    (void)state;
    for (int s = 0; s < SHAPES; s++)
        for (mlx_dtype dtype = MLX_BOOL; dtype <= MLX_COMPLEX64; dtype++) {
            begin(array_of(shapes[s].shape, shapes[s].ndim, dtype));
            t.dtype = dtype;
            call_all();
            end();
        }
}

static void numbers_of_all_kinds(void **state)
{
    (void)state;
    static const int numbers[] = {-1, 0, 2, 3, 4, 32, 99, -99, INT_MAX, INT_MIN};
    static const mlx_dtype dtypes[] = {MLX_FLOAT32, MLX_INT32};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        for (int d = 0; d < 2; d++)
            for (int s = 1; s < SHAPES; s++) {
                begin(array_of(shapes[s].shape, shapes[s].ndim, dtypes[d]));
                t.number = t.numbers[0] = t.numbers[2] = numbers[i];
                t.longs[0] = numbers[i];
                t.real = (float)numbers[i];
                t.count = i % 4;
                t.flag = i % 2;
                call_all();
                end();
            }
}

static void texts_and_dtypes_that_are_none(void **state)
{
    (void)state;
    static const char *const texts[] = {"",     "x",     "ij,jk->ik", "i...,...->", "xy",     "constant",
                                        "edge", "mxfp4", "nvfp4",     "mxfp8",      "causal", "array",
                                        "L",    "U",     "fro",       "->",         "%s%n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        begin(array_of((const int[]){2, 2}, 2, MLX_FLOAT32));
        t.text = texts[i];
        t.dtype = (mlx_dtype)(i * 3);
        call_all();
        end();
    }
}

/* The k-th allocation fails, for every k: an error, or it was not needed; the next call works again. */
static void memory_that_runs_out(void **state)
{
    (void)state;
    static const int shape[] = {1, 2, 2, 2};
    for (int ndim = 2; ndim <= 4; ndim++) {
        begin(array_of(shape + 4 - ndim, ndim, MLX_FLOAT32));
        for (int i = 0; i < FUNCTIONS; i++)
            for (size_t k = 1;; k++) {
                mx_clear_cache(); /* so that every buffer is asked for */
                size_t before = mx_live_nodes();
                mem_fail_at(k);
                bool fired = call(&functions[i]);
                if (mx_live_nodes() != before)
                    FINDING("%s left %zu nodes behind when allocation %zu failed\n", functions[i].name,
                            mx_live_nodes() - before, k);
                if (!fired)
                    break;
            }
        end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_handles_are_refused), cmocka_unit_test(shapes_and_dtypes_of_all_kinds),
        cmocka_unit_test(numbers_of_all_kinds),      cmocka_unit_test(texts_and_dtypes_that_are_none),
        cmocka_unit_test(memory_that_runs_out),
    };
    t.stream = mlx_default_cpu_stream_new();
    int rc = RUN_API_TESTS("arguments", tests);
    mlx_stream_free(t.stream);
    return rc;
}
