/* Streams: numbers, asynchronous evaluation, what waits for it, failures, donation, many threads and streams.
 */
#include "test.h"

#include "array/node.h"
#include "mx.h"
#include "prim/prim.h"

#include <pthread.h>

static const float ten[10] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};

static mlx_array numbers(void) { return mx_from(ten, SHAPE(10), MLX_FLOAT32); }

/* Computing it fails: no kernel takes the sine of integers. */
static mlx_array failing(void)
{
    mlx_array x = mx_from((const int32_t[]){1, 2}, SHAPE(2), MLX_INT32);
    return prim_make(PRIM_Sin, &x, 1, NULL, 0);
}

static void streams_are_numbers(void **state)
{
    (void)state;
    int first = mx_get_default_stream(), s = mx_stream_new(), t = mx_stream_new();
    assert_int_equal(t, s + 1);
    assert_int_equal(mx_get_default_stream(), first);
    assert_int_equal(mx_use_stream(s), first);
    assert_int_equal(mx_use_stream(t), s);
    assert_int_equal(mx_get_default_stream(), first);
    assert_int_equal(mx_use_stream(first), t);
    assert_int_equal(mx_set_default_stream(s), 0);
    assert_int_equal(mx_get_default_stream(), s);
    assert_int_equal(mx_use_stream(s), s);
    assert_int_equal(mx_set_default_stream(first), 0);
    assert_int_equal(mx_set_default_stream(t + 1), -1);
    assert_error("[set_default_stream] there is no stream");
    assert_int_equal(mx_use_stream(-1), -1);
    assert_error("[use_stream] there is no stream -1");
    assert_int_equal(mx_synchronize(t + 1), -1);
    assert_error("[synchronize] there is no stream");
    mx_use_stream(first);
}

static void *ask_default(void *out)
{
    *(int *)out = mx_get_default_stream();
    return NULL;
}

static void threads_have_their_own_default(void **state)
{
    (void)state;
    int here = mx_get_default_stream(), there = -1;
    pthread_t thread;
    pthread_create(&thread, NULL, ask_default, &there);
    pthread_join(thread, NULL);
    assert_true(there > here);
}

static void reading_waits(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    mlx_array x = numbers(), y = mx_square(x), z = mx_add(y, y);
    assert_ok(mx_async_eval(&z, 1) == 0);
    assert_int_not_equal(node_of(z)->status, NODE_LAZY);
    const float *data = mx_data(z);
    assert_non_null(data);
    assert_float_equal(data[9], 162, 0);
    mlx_array w = mx_sum(mx_multiply(x, z), NULL, 0, false), both[2] = {w, z};
    assert_ok(mx_async_eval(both, 2) == 0);
    float sum;
    assert_ok(mx_read_f32(w, &sum) == 0);
    assert_float_equal(sum, 2 * 2025, 0);
    assert_ok(mx_async_eval(both, 2) == 0 && mx_async_eval(NULL, 0) == 0);
    assert_ok(mx_synchronize(mx_get_default_stream()) == 0);
    mx_release(mark);
}

static void scheduled_arrays_are_built_upon(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    mlx_array x = mx_full(SHAPE(1000), mx_float(1, MLX_FLOAT32), MLX_FLOAT32);
    for (int i = 0; i < 200; i++) {
        x = mx_add(x, mx_float(1, MLX_FLOAT32));
        assert_ok(mx_async_eval(&x, 1) == 0);
        x = mx_reshape(mx_transpose(mx_reshape(x, SHAPE(10, 100)), SHAPE(1, 0)), SHAPE(-1));
    }
    assert_ok(mx_eval(x) == 0);
    assert_float_equal(((const float *)mx_data(x))[999], 201, 0);
    mx_release(mark);
}

static void results_nobody_waits_for_are_freed(void **state)
{
    (void)state;
    /* a task gives its roots back only after they are ready: those of earlier tests must not be counted */
    assert_ok(mx_synchronize(mx_get_default_stream()) == 0);
    size_t nodes = mx_live_nodes(), bytes = mx_active_memory();
    for (int i = 0; i < 100; i++) {
        size_t mark = mx_mark();
        mlx_array x = mx_square(mx_add(numbers(), numbers()));
        assert_ok(mx_async_eval(&x, 1) == 0);
        mx_release(mark);
    }
    assert_ok(mx_synchronize(mx_get_default_stream()) == 0);
    assert_int_equal(mx_live_nodes(), nodes);
    assert_int_equal(mx_active_memory(), bytes);
}

static void deep_graphs(void **state)
{
    (void)state;
    mlx_array x = MX_NULL;
    mlx_array_set(&x, mx_float(0, MLX_FLOAT32));
    int streams[2] = {mx_get_default_stream(), mx_stream_new()};
    for (int i = 0; i < 100000; i++) {
        size_t mark = mx_mark();
        mx_use_stream(streams[i / 1000 % 2]);
        mlx_array_set(&x, i % 2 ? mx_add(x, mx_float(1, MLX_FLOAT32)) : mx_maximum(x, x));
        mx_release(mark);
    }
    mx_use_stream(streams[0]);
    assert_ok(mx_async_eval(&x, 1) == 0 && mx_eval(x) == 0);
    assert_float_equal(*(const float *)mx_data(x), 50000, 0);
    mlx_array_free(x);
}

/* A chain over one large buffer needs one, not one a node. */
static void dead_inputs_are_written_over(void **state)
{
    (void)state;
    enum { N = 1 << 20 };
    mlx_array x = MX_NULL, held = MX_NULL;
    size_t mark = mx_mark();
    mlx_array_set(&held, mx_full(SHAPE(N), mx_float(1, MLX_FLOAT32), MLX_FLOAT32));
    mx_release(mark);
    assert_ok(mx_eval(held) == 0);
    mark = mx_mark();
    mlx_array y = held;
    for (int i = 0; i < 20; i++)
        y = mx_negative(mx_abs(y));
    mlx_array_set(&x, y);
    mx_release(mark);
    size_t before = mx_active_memory();
    assert_ok(mx_async_eval(&x, 1) == 0 && mx_synchronize(mx_get_default_stream()) == 0);
    assert_true(mx_active_memory() - before < 2 * N * sizeof(float));
    assert_true(mx_peak_memory() < 6 * N * sizeof(float));
    assert_float_equal(((const float *)mx_data(held))[N - 1], 1, 0);
    assert_float_equal(((const float *)mx_data(x))[N - 1], -1, 0);
    mlx_array_free(x);
    mlx_array_free(held);
}

static void failures_poison_what_depends_on_them(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    int stream = mx_get_default_stream(), other = mx_stream_new();
    mlx_array bad = failing();
    mx_use_stream(other);
    mlx_array user = mx_add(bad, bad);
    mx_use_stream(stream);
    mlx_array good = mx_square(numbers()), both[2] = {user, good};
    assert_ok(mx_async_eval(both, 2) == 0);
    assert_ok(mx_eval(good) == 0);
    assert_int_equal(mx_eval(user), -1);
    assert_error("[Sin] has no CPU kernel for int32");
    assert_ok(mx_synchronize(stream) == 0 && mx_synchronize(other) == 0); /* reported once */
    assert_null(mx_data(user));
    assert_error("[Sin]");
    assert_null(mx_strides(bad));
    assert_error("[Sin]");
    mlx_array later = mx_negative(user);
    assert_int_equal(mx_eval(later), -1);
    assert_error("[Sin]");
    assert_ok(mx_async_eval(&later, 1) == 0);
    assert_int_equal(mx_eval(later), -1);
    assert_error("[Sin]");
    mlx_array again = failing();
    assert_ok(mx_async_eval(&again, 1) == 0);
    assert_int_equal(mx_synchronize(stream), -1);
    assert_error("[Sin]");
    assert_ok(mx_synchronize(stream) == 0);
    float out[10];
    assert_ok(mx_read_f32(mx_add(good, good), out) == 0);
    assert_float_equal(out[3], 18, 0);
    assert_int_equal(mx_async_eval(&MX_NULL, 1), -1);
    assert_error("[eval] the array is null");
    mx_release(mark);
}

static int evaluates_inside(void *user, const mlx_array *in, mlx_array *out)
{
    (void)user;
    out[0] = mx_sum(in[0], NULL, 0, false);
    return mx_async_eval(out, 1);
}

static void transforms_allow_none(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    mlx_array x = numbers(), value, grad;
    assert_int_equal(mx_value_and_grad(evaluates_inside, NULL, &x, 1, &value, 1, &grad), -1);
    assert_error("[async_eval] Not allowed inside a graph transformation.");
    mx_release(mark);
}

/* An allocation that fails while work is handed out leaves everything as it was. */
static void no_memory_to_schedule(void **state)
{
    (void)state;
    bool done = false;
    for (size_t k = 1; !done && k < 50; k++) {
        size_t mark = mx_mark();
        mlx_array y = mx_square(mx_add(numbers(), numbers()));
        mem_fail_at(k);
        int rc = mx_async_eval(&y, 1);
        if (rc == 0)
            mx_synchronize(mx_get_default_stream()); /* or the worker meets the failure */
        done = !mem_fail_fired();
        mem_fail_at(0);
        error_clear();
        if (rc) {
            assert_int_equal(node_of(y)->status, NODE_LAZY);
            assert_ok(mx_eval(y) == 0);
            assert_float_equal(((const float *)mx_data(y))[2], 16, 0);
        }
        mx_release(mark);
    }
    assert_true(done);
}

enum { THREADS = 8, STREAMS = 5, ROUNDS = 60 };
static int shared_streams[STREAMS];
static mlx_array shared; /* evaluated asynchronously, read by all */

static void *use_many_streams(void *arg)
{
    float seed = (float)(intptr_t)arg;
    for (int round = 0; round < ROUNDS; round++) {
        size_t mark = mx_mark();
        mlx_array x = mx_full(SHAPE(300), mx_float(seed, MLX_FLOAT32), MLX_FLOAT32), parts[STREAMS];
        for (int s = 0; s < STREAMS; s++) {
            mx_use_stream(shared_streams[(s + round) % STREAMS]);
            parts[s] = mx_add(mx_multiply(x, mx_float(s, MLX_FLOAT32)), shared);
            if (round % 3 == 0)
                mx_async_eval(&parts[s], 1);
            x = mx_add(x, parts[s]);
        }
        mlx_array two[2] = {x, parts[0]};
        if (mx_async_eval(two, 2))
            return "async_eval";
        if (round % 4 == 0) /* nobody waits */ {
            mx_release(mark);
            continue;
        }
        mlx_array total = mx_sum(mx_subtract(x, parts[1]), NULL, 0, false);
        float got, want = seed;
        for (int s = 0; s < STREAMS; s++)
            want += want * (float)s + 2;
        want -= (seed + 2) * 1 + 2;
        if (mx_read_f32(total, &got) || got != 300 * want)
            return "a wrong sum";
        mx_release(mark);
    }
    return NULL;
}

static void many_threads_and_streams(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (int s = 0; s < STREAMS; s++)
        shared_streams[s] = mx_stream_new();
    mlx_array_set(&shared, mx_add(mx_float(1, MLX_FLOAT32), mx_float(1, MLX_FLOAT32)));
    mx_release(0);
    assert_ok(mx_async_eval(&shared, 1) == 0);
    for (intptr_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, use_many_streams, (void *)(i % 4)); /* sums are exact */
    for (int i = 0; i < THREADS; i++) {
        void *problem;
        pthread_join(threads[i], &problem);
        if (problem)
            fail_msg("thread %d: %s", i, (const char *)problem);
    }
    for (int s = 0; s < STREAMS; s++)
        assert_ok(mx_synchronize(shared_streams[s]) == 0);
    mlx_array_free(shared);
}

static void work_goes_on_after_a_shutdown(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        mlx_array x = MX_NULL;
        mlx_array_set(&x, mx_square(numbers()));
        mx_release(0);
        assert_ok(mx_async_eval(&x, 1) == 0);
        mx_shutdown(); /* finishes what it was given */
        assert_int_equal(node_of(x)->status, NODE_READY);
        assert_float_equal(((const float *)mx_data(x))[4], 16, 0);
        mlx_array_free(x);
    }
}

static void cleanup(void)
{
    mx_release(0);
    mx_shutdown();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_are_numbers),
        cmocka_unit_test(threads_have_their_own_default),
        cmocka_unit_test(dead_inputs_are_written_over),
        cmocka_unit_test(reading_waits),
        cmocka_unit_test(scheduled_arrays_are_built_upon),
        cmocka_unit_test(results_nobody_waits_for_are_freed),
        cmocka_unit_test(deep_graphs),
        cmocka_unit_test(failures_poison_what_depends_on_them),
        cmocka_unit_test(transforms_allow_none),
        cmocka_unit_test(no_memory_to_schedule),
        cmocka_unit_test(many_threads_and_streams),
        cmocka_unit_test(work_goes_on_after_a_shutdown),
    };
    return RUN_TESTS("stream", tests, cleanup);
}
