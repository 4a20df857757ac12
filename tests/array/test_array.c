/* The graph core: temporaries, slots, evaluation of deep and shared graphs, donation, errors, memory. */
#include "test.h"

#include "array/node.h"
#include "mx.h"

#include <pthread.h>

static const float ten[10] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};

static void temporaries_go_with_the_mark(void **state)
{
    (void)state;
    size_t before = mx_live_nodes(), mark = mx_mark();
    mlx_array a = mx_from(ten, SHAPE(10), MLX_FLOAT32), slot = MX_NULL;
    mlx_array b = mx_add(a, a);
    mx_set(&slot, b);
    assert_int_equal(mx_live_nodes(), before + 2);
    mx_release(mark);
    assert_int_equal(mx_live_nodes(), before + 2); /* the slot holds b, b holds a */
    assert_int_equal(mx_eval(slot), 0);
    assert_int_equal(mx_live_nodes(), before + 1);
    assert_float_equal(((const float *)mx_data(slot))[9], 18, 0);
    mlx_array_free(slot);
    assert_int_equal(mx_live_nodes(), before);
}

static void keep_moves_a_result_out(void **state)
{
    (void)state;
    size_t outer = mx_mark(), inner = mx_mark();
    mlx_array x = mx_square(mx_from(ten, SHAPE(10), MLX_FLOAT32));
    x = mx_keep(inner, x);
    float out[10];
    assert_int_equal(mx_read_f32(x, out), 0);
    assert_float_equal(out[3], 9, 0);
    mx_release(outer);
}

static void deep_graphs_need_no_stack(void **state)
{
    (void)state;
    mlx_array slot = MX_NULL;
    mx_set(&slot, mx_from(ten, SHAPE(10), MLX_FLOAT32));
    mlx_array one = MX_NULL;
    mx_set(&one, mx_float(1, MLX_FLOAT32));
    for (int i = 0; i < 100000; i++) {
        size_t mark = mx_mark();
        mx_set(&slot, mx_add(slot, one));
        mx_release(mark);
    }
    mlx_array dropped = MX_NULL;
    mx_set(&dropped, slot);
    assert_int_equal(mx_eval(slot), 0);
    assert_float_equal(((const float *)mx_data(slot))[0], 100000, 0);
    for (int i = 0; i < 100000; i++) {
        size_t mark = mx_mark();
        mx_set(&dropped, mx_multiply(dropped, dropped));
        mx_release(mark);
    }
    mlx_array_free(dropped); /* never evaluated */
    mlx_array_free(slot);
    mlx_array_free(one);
    mx_release(0);
}

static void a_node_is_computed_once(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    mlx_array x = mx_from(ten, SHAPE(10), MLX_FLOAT32);
    for (int i = 0; i < 60; i++) /* 2^60 paths */
        x = mx_multiply(mx_add(x, x), mx_float(0.5, MLX_FLOAT32));
    float out[10];
    assert_int_equal(mx_read_f32(x, out), 0);
    assert_memory_equal(out, ten, sizeof out);
    mx_release(mark);
}

static void dead_inputs_are_written_over(void **state)
{
    (void)state;
    enum { N = 1 << 20 };
    mlx_array slot = MX_NULL, kept = MX_NULL;
    size_t mark = mx_mark();
    mx_set(&slot, mx_ones(SHAPE(N), MLX_FLOAT32));
    mx_release(mark);
    assert_int_equal(mx_eval(slot), 0);
    const void *before = mx_data(slot);
    mark = mx_mark();
    mx_set(&slot, mx_add(slot, mx_float(1, MLX_FLOAT32)));
    mx_release(mark);
    assert_int_equal(mx_eval(slot), 0);
    assert_ptr_equal(mx_data(slot), before);
    mx_set(&kept, slot); /* now somebody else looks at it */
    mark = mx_mark();
    mx_set(&slot, mx_add(slot, mx_float(1, MLX_FLOAT32)));
    mx_release(mark);
    assert_int_equal(mx_eval(slot), 0);
    assert_ptr_not_equal(mx_data(slot), before);
    assert_float_equal(*(const float *)mx_data(kept), 2, 0);
    assert_float_equal(*(const float *)mx_data(slot), 3, 0);
    mlx_array_free(slot);
    mlx_array_free(kept);
}

static void slice_updates_happen_in_place(void **state)
{
    (void)state;
    mlx_array slot = MX_NULL;
    size_t mark = mx_mark();
    mx_set(&slot, mx_zeros(SHAPE(4, 8), MLX_FLOAT32));
    mx_release(mark);
    assert_int_equal(mx_eval(slot), 0);
    const void *before = mx_data(slot);
    for (int i = 0; i < 4; i++) {
        mark = mx_mark();
        mlx_array row = mx_full(SHAPE(1, 8), mx_float(i, MLX_FLOAT32), MLX_FLOAT32);
        mx_set(&slot, mx_slice_update(slot, row, (int[]){i, 0}, (int[]){i + 1, 8}, NULL));
        mx_release(mark);
        assert_int_equal(mx_eval(slot), 0);
        assert_ptr_equal(mx_data(slot), before);
    }
    for (int i = 0; i < 32; i++)
        assert_float_equal(((const float *)mx_data(slot))[i], (float)(i / 8), 0);
    mlx_array_free(slot);
}

static void errors_travel_as_null(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    mlx_array a = mx_from(ten, SHAPE(10), MLX_FLOAT32), b = mx_from(ten, SHAPE(3), MLX_FLOAT32);
    mlx_array c = mx_add(a, b);
    assert_true(mx_is_null(c));
    assert_true(mx_is_null(mx_sqrt(mx_reshape(c, SHAPE(2, 5)))));
    assert_true(mx_failed());
    assert_non_null(strstr(mx_error_text(), "(10,) and (3,)"));
    assert_false(mx_failed());
    assert_int_equal(mx_eval(c), -1);
    assert_true(mx_failed());
    mx_release(mark);
}

/* Builds and evaluates something of every kind; false if any step failed. */
static bool work(void)
{
    size_t mark = mx_mark();
    mlx_array x = mx_from(ten, SHAPE(2, 5), MLX_FLOAT32), parts[3], slot = MX_NULL;
    mlx_array y = mx_matmul(x, mx_transpose(x, SHAPE(1, 0)));
    y = mx_softmax(mx_concatenate((mlx_array[]){y, mx_sort(y, 0)}, 2, 1), -1);
    mlx_array w = mx_reshape(mx_arange(0, 128, 1, MLX_FLOAT32), SHAPE(2, 64));
    int rc = mx_quantize(w, 32, 4, parts);
    mlx_array q = rc ? MX_NULL : mx_dequantize(parts[0], parts[1], parts[2], 32, 4);
    mx_set(&slot, mx_add(mx_sum(y, NULL, 0, false), mx_sum(q, NULL, 0, false)));
    mx_release(mark);
    rc = mx_eval(slot);
    mlx_array_free(slot);
    return rc == 0;
}

static void running_out_of_memory_is_an_error(void **state)
{
    (void)state;
    assert_true(work());
    size_t k = 1;
    for (;; k++) {
        mx_shutdown(); /* empty caches, so that every allocation is a real one */
        size_t nodes = mx_live_nodes(), bytes = mx_active_memory();
        mem_fail_at(k);
        bool ok = work();
        bool fired = mem_fail_fired();
        mem_fail_at(0);
        assert_int_equal(mx_live_nodes(), nodes);
        assert_int_equal(mx_active_memory(), bytes);
        if (!fired) {
            assert_true(ok);
            break;
        }
        if (!ok) {
            assert_true(mx_failed());
            assert_non_null(strstr(mx_error_text(), "out of memory"));
        }
        assert_false(mx_failed());
    }
    assert_true(k > 10);
}

static void *worker(void *arg)
{
    bool *ok = arg;
    *ok = true;
    for (int i = 0; i < 50; i++)
        *ok &= work();
    return NULL;
}

static void threads_build_and_evaluate_their_own(void **state)
{
    (void)state;
    pthread_t t[4];
    bool ok[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, worker, &ok[i]);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    for (int i = 0; i < 4; i++)
        assert_true(ok[i]);
}

typedef struct reader {
    mlx_array x, w, packed[3];
    int offset;
    float result[64 * 64];
    bool ok;
} reader;

/* Reads arrays that belong to nobody's graph alone: views of them, rotations of different positions. */
static void *read_shared(void *arg)
{
    reader *r = arg;
    float now[64 * 64];
    r->ok = true;
    for (int i = 0; i < 20; i++) {
        size_t mark = mx_mark();
        mlx_array y = mx_add(
            mx_matmul(r->x, mx_swapaxes(r->w, 0, 1)),
            mx_quantized_matmul(r->x, r->packed[0], r->packed[1], r->packed[2], true, 64, 4, MX_EXACT));
        y = mx_rope(mx_expand_dims(mx_add(y, r->x), 0), 64, true, 10000, 1, r->offset, MX_NULL);
        y = mx_rope(mx_rope(y, 64, false, 10000, -1, r->offset, MX_NULL), 64, false, 10000, 1, r->offset,
                    MX_NULL);
        r->ok &= mx_read_f32(y, now) == 0 && (i == 0 || memcmp(now, r->result, sizeof now) == 0);
        memcpy(r->result, now, sizeof now);
        mx_release(mark);
    }
    return NULL;
}

static void threads_share_evaluated_arrays(void **state)
{
    (void)state;
    static reader alone[4], r[4];
    pthread_t t[4];
    size_t mark = mx_mark();
    reader shared = {.x = mx_random_normal(SHAPE(64, 64), MLX_FLOAT32, 0, 1, mx_random_key(1)),
                     .w = mx_random_normal(SHAPE(64, 64), MLX_FLOAT32, 0, 1, mx_random_key(2))};
    assert_int_equal(mx_quantize(shared.w, 64, 4, shared.packed), 0);
    assert_int_equal(
        mx_eval_all((mlx_array[]){shared.x, shared.w, shared.packed[0], shared.packed[1], shared.packed[2]},
                    5),
        0);
    for (int i = 0; i < 4; i++) {
        alone[i] = r[i] = shared;
        alone[i].offset = r[i].offset = 100 * i;
        read_shared(&alone[i]);
        assert_true(alone[i].ok);
    }
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&t[i], NULL, read_shared, &r[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    for (int i = 0; i < 4; i++) {
        assert_true(r[i].ok);
        assert_memory_equal(r[i].result, alone[i].result, sizeof r[i].result);
    }
    mx_release(mark);
}

/* What a shutdown frees is made again when it is needed. */
static void work_goes_on_after_a_shutdown(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_true(work());
        assert_int_equal(mx_live_nodes(), 0);
        mx_shutdown();
    }
    mlx_array kept = MX_NULL;
    size_t mark = mx_mark();
    mx_set(&kept, mx_from(ten, SHAPE(10), MLX_FLOAT32));
    mx_release(mark);
    mx_shutdown(); /* with a node that lives */
    assert_true(work());
    assert_float_equal(((const float *)mx_data(kept))[9], 9, 0);
    mlx_array_free(kept);
}

static void *drop(void *arg)
{
    mlx_array *x = arg;
    for (int i = 0; i < 4096; i++)
        mlx_array_free(x[i]);
    return NULL;
}

/* Threads that only free hand their blocks on when they end: the slabs stop growing. */
static void nodes_freed_elsewhere_are_used_again(void **state)
{
    (void)state;
    static mlx_array x[4096];
    size_t blocks = 0;
    for (int round = 0; round < 8; round++) {
        pthread_t t;
        memset(x, 0, sizeof x);
        for (int i = 0; i < 4096; i++) {
            size_t mark = mx_mark();
            mx_set(&x[i], mx_zeros(SHAPE(1), MLX_FLOAT32));
            mx_release(mark);
        }
        pthread_create(&t, NULL, drop, x);
        pthread_join(t, NULL);
        if (round == 4)
            blocks = mem_live();
    }
    assert_int_equal(mem_live(), blocks);
}

/* A node that failed is as lazy as before, and can be tried again. */
static void evaluation_can_be_tried_again(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    mlx_array_free(MX_NULL);
    mlx_array x = mx_from(ten, SHAPE(10), MLX_FLOAT32), index = mx_from(&(int){10}, SHAPE(1), MLX_INT32);
    mlx_array early = mx_add(x, x), late = mx_add(early, mx_take(x, index, 0));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(mx_eval(late), -1);
        assert_true(mx_failed());
        assert_non_null(strstr(mx_error_text(), "index 10 is out of bounds"));
        assert_null(mx_data(late));
        assert_non_null(mx_data(early)); /* what was computed stays */
    }
    *(int *)(uintptr_t)mx_data(index) = -1;
    float out[10];
    assert_int_equal(mx_read_f32(late, out), 0);
    assert_float_equal(out[1], 11, 0);
    mx_release(mark);
}

static void promotion_is_mlx(void **state)
{
    (void)state;
    assert_int_equal(mx_promote(MLX_UINT64, MLX_INT8), MLX_FLOAT32);
    assert_int_equal(mx_promote(MLX_FLOAT16, MLX_BFLOAT16), MLX_FLOAT32);
    assert_int_equal(mx_promote(MLX_FLOAT64, MLX_COMPLEX64), MLX_COMPLEX64);
    assert_int_equal(mx_promote(MLX_UINT32, MLX_INT32), MLX_INT64);
    for (int a = 0; a < MX_DTYPES; a++)
        for (int b = 0; b < MX_DTYPES; b++) {
            assert_int_equal(mx_promote(a, b), mx_promote(b, a));
            assert_int_equal(mx_promote(a, a), a);
        }
}

static void cleanup(void)
{
    assert_int_equal(mx_live_nodes(), 0);
    mx_shutdown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(temporaries_go_with_the_mark),
        cmocka_unit_test(keep_moves_a_result_out),
        cmocka_unit_test(deep_graphs_need_no_stack),
        cmocka_unit_test(a_node_is_computed_once),
        cmocka_unit_test(dead_inputs_are_written_over),
        cmocka_unit_test(slice_updates_happen_in_place),
        cmocka_unit_test(errors_travel_as_null),
        cmocka_unit_test(running_out_of_memory_is_an_error),
        cmocka_unit_test(threads_build_and_evaluate_their_own),
        cmocka_unit_test(threads_share_evaluated_arrays),
        cmocka_unit_test(work_goes_on_after_a_shutdown),
        cmocka_unit_test(nodes_freed_elsewhere_are_used_again),
        cmocka_unit_test(evaluation_can_be_tried_again),
        cmocka_unit_test(promotion_is_mlx),
    };
    return RUN_TESTS("array", tests, cleanup);
}
