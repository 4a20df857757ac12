/* compile: what is traced and when, results equal to the uncompiled ones to the bit, what is merged and
 * fused, shapeless graphs, modes, errors, threads. */
#include "test.h"

#include "mx.h"
#include "prim/prim.h"
#include "transforms/graph.h"

#include <math.h>
#include <pthread.h>

static int traces; /* calls of the function under test */

/* --- helpers --- */

static mlx_array floats(int rows, int columns, double from, double step)
{
    return mx_reshape(mx_arange(from, from + step * (rows * columns - 0.5), step, MLX_FLOAT32),
                      SHAPE(rows, columns));
}

static uintptr_t id_of(mx_list_function f)
{
    uintptr_t id;
    memcpy(&id, &f, sizeof id);
    return id;
}

static int run(mx_list_function f, bool shapeless, const mlx_array *in, size_t n, mx_arrays *out)
{
    *out = (mx_arrays){0};
    return mx_compiled(id_of(f), f, NULL, shapeless, NULL, 0, in, n, out);
}

/* f compiled, called for its one result. */
static mlx_array one(mx_list_function f, bool shapeless, const mlx_array *in, size_t n)
{
    mx_arrays out;
    int rc = run(f, shapeless, in, n, &out);
    mlx_array y = rc == 0 && out.count == 1 ? out.items[0] : MX_NULL;
    mx_arrays_free(&out);
    return y;
}

/* Both have the same dtype, shape and bytes. */
static void assert_same(mlx_array a, mlx_array b)
{
    assert_false(mx_is_null(a) || mx_is_null(b));
    assert_int_equal(mx_dtype_of(a), mx_dtype_of(b));
    assert_int_equal(mx_ndim(a), mx_ndim(b));
    for (int i = 0; i < mx_ndim(a); i++)
        assert_int_equal(mx_dim(a, i), mx_dim(b, i));
    size_t bytes = mx_size(a) * mx_dtype_size(mx_dtype_of(a));
    char *p = malloc(bytes + 1), *q = malloc(bytes + 1);
    assert_ok(mx_read(a, p) == 0 && mx_read(b, q) == 0);
    assert_memory_equal(p, q, bytes);
    free(p);
    free(q);
}

static void check(mx_list_function f, const mlx_array *in, size_t n)
{
    mx_arrays plain = {0}, out;
    assert_ok(f(NULL, in, n, &plain) == 0);
    for (int round = 0; round < 2; round++) {
        assert_ok(run(f, false, in, n, &out) == 0);
        assert_int_equal(out.count, plain.count);
        for (size_t i = 0; i < out.count; i++)
            assert_same(out.items[i], plain.items[i]);
        mx_arrays_free(&out);
    }
    mx_arrays_free(&plain);
    mx_compile_erase(id_of(f));
}

/* Nodes of a primitive in an unevaluated graph (a tree, for the graphs here). */
static int count(const node *n, int prim)
{
    int sum = n->prim == prim;
    for (uint32_t i = 0; i < n->n_inputs; i++)
        sum += count(n->inputs[i], prim);
    return sum;
}

#define FUNCTION(name) static int name(void *user, const mlx_array *in, size_t n, mx_arrays *out)
#define UNUSED         ((void)user, (void)in, (void)n)

/* --- the functions --- */

FUNCTION(gelu)
{
    UNUSED;
    traces++;
    mlx_array x = in[0], c = mx_float(0.7978845608, mx_dtype_of(x)), half = mx_float(0.5, mx_dtype_of(x));
    mlx_array cube = mx_multiply(mx_multiply(x, x), x);
    mlx_array inner = mx_multiply(c, mx_add(x, mx_multiply(mx_float(0.044715, mx_dtype_of(x)), cube)));
    return mx_arrays_add(
        out, mx_multiply(mx_multiply(half, x), mx_add(mx_float(1, mx_dtype_of(x)), mx_tanh(inner))));
}

/* Broadcasting both ways, a comparison, a choice, casts up and down. */
FUNCTION(mixed)
{
    UNUSED;
    mlx_array sum = mx_add(in[0], in[1]);
    mlx_array chosen = mx_where(mx_greater(sum, mx_float(0, MLX_FLOAT32)), mx_exp(mx_negative(sum)), in[1]);
    mlx_array narrow = mx_astype(chosen, MLX_FLOAT16);
    mlx_array wide = mx_multiply(mx_astype(narrow, MLX_FLOAT32), mx_abs(in[0]));
    return mx_arrays_add(out, mx_astype(mx_floor(wide), MLX_INT32));
}

FUNCTION(complex_and_bool)
{
    UNUSED;
    mlx_array z = mx_multiply(mx_astype(in[0], MLX_COMPLEX64), mx_astype(in[0], MLX_COMPLEX64));
    mlx_array b = mx_logical_or(mx_less(in[0], in[1]), mx_equal(in[0], in[1]));
    int rc = mx_arrays_add(out, mx_add(z, z)) || mx_arrays_add(out, mx_logical_not(b));
    return rc || mx_arrays_add(out, mx_astype(mx_square(mx_astype(in[1], MLX_INT8)), MLX_FLOAT64));
}

/* A softmax by hand with matrix products around: groups between other primitives. */
FUNCTION(attention)
{
    UNUSED;
    mlx_array scores =
        mx_multiply(mx_matmul(in[0], mx_transpose(in[1], SHAPE(1, 0))), mx_float(0.125, MLX_FLOAT32));
    mlx_array e = mx_exp(mx_subtract(scores, mx_max(scores, SHAPE(-1), true)));
    return mx_arrays_add(out, mx_matmul(mx_divide(e, mx_sum(e, SHAPE(-1), true)), in[1]));
}

/* More inputs, operations and live values than one group takes. */
FUNCTION(wide)
{
    (void)user;
    mlx_array sum = mx_multiply(in[0], in[0]), live[50];
    for (size_t i = 1; i < n; i++)
        sum = mx_add(mx_multiply(sum, mx_float(0.5, MLX_FLOAT32)), mx_multiply(in[i], in[n - i]));
    for (int i = 0; i < 50; i++)
        live[i] = mx_sin(mx_add(sum, mx_float(i, MLX_FLOAT32)));
    for (int i = 1; i < 50; i++)
        live[0] = mx_subtract(live[0], live[i]);
    return mx_arrays_add(out, live[0]);
}

FUNCTION(several)
{
    UNUSED;
    static const float table[3] = {1, 2, 3};
    mlx_array twice = mx_add(in[0], in[0]);
    int rc = mx_arrays_add(out, in[1]) || mx_arrays_add(out, twice) || mx_arrays_add(out, twice);
    rc = rc || mx_arrays_add(out, mx_from(table, SHAPE(3), MLX_FLOAT32)) || mx_arrays_add(out, in[1]);
    return rc || mx_arrays_add(out, mx_exp(twice)) || mx_arrays_add(out, mx_zeros(SHAPE(2), MLX_INT32));
}

FUNCTION(nothing)
{
    UNUSED;
    (void)out;
    return 0;
}

FUNCTION(quantizes)
{
    UNUSED;
    mlx_array q[3];
    if (mx_quantize(mx_add(in[0], in[0]), 32, 4, q))
        return -1;
    return mx_arrays_add(out, mx_dequantize(q[0], q[1], q[2], 32, 4)) || mx_arrays_add(out, mx_square(q[1]));
}

/* --- tests --- */

static void results_are_the_same_to_the_bit(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    mlx_array big = floats(300, 250, -8, 0.0003), halves = mx_astype(big, MLX_BFLOAT16);
    check(gelu, &big, 1);
    check(gelu, &halves, 1);
    check(gelu, (mlx_array[]){mx_float(0.5, MLX_FLOAT64)}, 1);
    check(gelu, (mlx_array[]){mx_zeros(SHAPE(0, 3), MLX_FLOAT32)}, 1);
    mlx_array turned = mx_swapaxes(floats(70, 45, -3, 0.002), 0, 1), row = floats(1, 70, -1, 0.03);
    check(mixed, (mlx_array[]){turned, row}, 2);
    check(mixed, (mlx_array[]){row, turned}, 2);
    check(mixed, (mlx_array[]){mx_reshape(row, SHAPE(70, 1)), row}, 2);
    check(mixed,
          (mlx_array[]){mx_slice(big, (int[]){299, 200}, (int[]){0, 0}, (int[]){-3, -2}),
                        mx_float(2, MLX_FLOAT32)},
          2);
    check(complex_and_bool, (mlx_array[]){turned, row}, 2);
    check(attention, (mlx_array[]){floats(17, 8, -1, 0.01), floats(33, 8, 1, -0.007)}, 2);
    check(several, (mlx_array[]){row, big}, 2);
    check(nothing, NULL, 0);
    check(quantizes, (mlx_array[]){floats(4, 64, -1, 0.01)}, 1);
    mlx_array many[40];
    for (int i = 0; i < 40; i++)
        many[i] = floats(9, 300, i, 1e-3);
    check(wide, many, 40);
    mx_release(mark);
}

static void traced_once_a_signature(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    const uint64_t one_constant = 1, other = 2;
    mx_arrays out = {0};
    traces = 0;
    for (int i = 0; i < 3; i++)
        one(gelu, false, (mlx_array[]){floats(2, 3, 0, 1)}, 1);
    assert_int_equal(traces, 1);
    one(gelu, false, (mlx_array[]){floats(3, 2, 0, 1)}, 1);
    assert_int_equal(traces, 2);
    one(gelu, false, (mlx_array[]){mx_astype(floats(2, 3, 0, 1), MLX_FLOAT16)}, 1);
    assert_int_equal(traces, 3);
    for (int i = 0; i < 4; i++) {
        mlx_array x = floats(2, 3, 0, 1);
        assert_ok(
            mx_compiled(id_of(gelu), gelu, NULL, false, i / 2 ? &one_constant : &other, 1, &x, 1, &out) == 0);
    }
    assert_int_equal(traces, 5);
    int before = mx_get_default_stream();
    mx_set_default_stream(mx_stream_new());
    one(gelu, false, (mlx_array[]){floats(2, 3, 0, 1)}, 1);
    assert_int_equal(traces, 6);
    mx_set_default_stream(before);
    one(gelu, false, (mlx_array[]){floats(2, 3, 0, 1)}, 1);
    assert_int_equal(traces, 6);
    mx_compile_erase(id_of(mixed));
    one(gelu, false, (mlx_array[]){floats(2, 3, 0, 1)}, 1);
    assert_int_equal(traces, 6);
    mx_compile_erase(id_of(gelu));
    one(gelu, false, (mlx_array[]){floats(2, 3, 0, 1)}, 1);
    assert_int_equal(traces, 7);
    mx_compile_clear_cache();
    one(gelu, false, (mlx_array[]){floats(2, 3, 0, 1)}, 1);
    assert_int_equal(traces, 8);
    mx_arrays_free(&out);
    mx_compile_clear_cache();
    mx_release(mark);
}

static void chains_become_one_node(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    mlx_array x = floats(2, 3, 0, 1), y = one(gelu, false, &x, 1);
    assert_int_equal(node_of(y)->prim, PRIM_Compiled);
    assert_int_equal(node_of(y)->n_inputs, 5); /* x and four constants */
    mlx_array a = one(attention, false, (mlx_array[]){floats(4, 8, 0, 1), floats(5, 8, 0, 1)}, 2);
    assert_int_equal(count(node_of(a), PRIM_Exp), 0);
    mx_set_compile_mode(MX_COMPILE_NO_FUSE);
    y = one(gelu, false, &x, 1);
    assert_int_equal(node_of(y)->prim, PRIM_Multiply);
    assert_int_equal(count(node_of(y), PRIM_Compiled), 0);
    mx_set_compile_mode(MX_COMPILE_ENABLED);
    mx_compile_clear_cache();
    mx_release(mark);
}

FUNCTION(repeats)
{
    UNUSED;
    mlx_array a = mx_add(mx_matmul(in[0], in[0]), mx_float(2, MLX_FLOAT32));
    mlx_array b = mx_add(mx_matmul(in[0], in[0]), mx_float(2, MLX_FLOAT32));
    mx_matmul(a, b); /* nobody needs it */
    return mx_arrays_add(out, mx_sum(a, NULL, 0, false)) || mx_arrays_add(out, mx_sum(b, NULL, 0, false)) ||
           mx_arrays_add(out, mx_sum(b, NULL, 0, true));
}

static void equal_expressions_are_merged(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    mlx_array x = floats(3, 3, 0, 1);
    mx_arrays out;
    assert_ok(run(repeats, false, &x, 1, &out) == 0);
    assert_ptr_equal(out.items[0].ctx, out.items[1].ctx);
    assert_ptr_not_equal(out.items[0].ctx, out.items[2].ctx);
    mx_arrays_free(&out);
    mx_set_compile_mode(MX_COMPILE_NO_SIMPLIFY);
    assert_ok(run(repeats, false, &x, 1, &out) == 0);
    assert_ptr_not_equal(out.items[0].ctx, out.items[1].ctx);
    assert_same(out.items[0], out.items[1]);
    mx_arrays_free(&out);
    mx_set_compile_mode(MX_COMPILE_ENABLED);
    check(repeats, &x, 1);
    mx_compile_clear_cache();
    mx_release(mark);
}

FUNCTION(flattens)
{
    UNUSED;
    traces++;
    mlx_array y = mx_sum(mx_multiply(mx_exp(in[0]), in[1]), SHAPE(1), true);
    return mx_arrays_add(out, mx_add(mx_matmul(mx_squeeze(mx_expand_dims(in[0], 0), 0), in[1]), y));
}

FUNCTION(takes_half)
{
    UNUSED;
    return mx_arrays_add(out, mx_slice_axis(in[0], 0, 0, 1));
}

static void shapeless_graphs_follow_their_inputs(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    traces = 0;
    for (int i = 1; i < 5; i++) {
        mlx_array in[2] = {floats(i, i, 0.5, 0.1), i == 3 ? floats(3, 3, 1, -0.2) : floats(i, i, 1, 0.2)};
        mx_arrays plain = {0};
        assert_ok(flattens(NULL, in, 2, &plain) == 0);
        assert_same(one(flattens, true, in, 2), plain.items[0]);
        mx_arrays_free(&plain);
    }
    assert_int_equal(traces, 4 + 1);
    mlx_array bad[2] = {floats(2, 3, 0, 1), floats(3, 2, 0, 1)};
    assert_true(mx_is_null(one(flattens, true, bad, 2)));
    assert_error("cannot be broadcast");
    mlx_array x = floats(4, 3, 0, 1);
    assert_false(mx_is_null(one(takes_half, true, &x, 1)));
    x = floats(5, 3, 0, 1);
    assert_true(mx_is_null(one(takes_half, true, &x, 1)));
    assert_error("[Primitive::output_shapes] Slice cannot infer output shapes.");
    mlx_array flat = mx_reshape(x, SHAPE(15));
    traces = 0;
    one(gelu, true, &x, 1);
    one(gelu, true, &flat, 1); /* another number of dimensions */
    assert_int_equal(traces, 2);
    mx_compile_clear_cache();
    mx_release(mark);
}

static mlx_array outer = {0};

FUNCTION(captures)
{
    UNUSED;
    traces++;
    return mx_arrays_add(out, mx_multiply(in[0], outer));
}

static void captured_arrays_are_constants(void **state)
{
    (void)state;
    for (int evaluated = 0; evaluated < 2; evaluated++) {
        size_t mark = mx_mark();
        mlx_array x = floats(2, 2, 1, 1);
        mx_set(&outer, mx_add(mx_float(1, MLX_FLOAT32), mx_float(1, MLX_FLOAT32)));
        assert_ok(!evaluated || mx_eval(outer) == 0);
        assert_same(one(captures, false, &x, 1), mx_add(x, x));
        assert_ok(mx_eval(outer) == 0); /* what the graph copied does not go with it */
        mx_set(&outer, mx_float(100, MLX_FLOAT32));
        assert_same(one(captures, false, &x, 1), mx_add(x, x));
        mx_compile_clear_cache();
        assert_same(one(captures, false, &x, 1), mx_multiply(x, outer));
        mx_compile_clear_cache();
        mx_set(&outer, MX_NULL);
        mx_release(mark);
    }
}

FUNCTION(evaluates)
{
    UNUSED;
    mlx_array y = mx_square(in[0]);
    return mx_eval(y) || mx_arrays_add(out, y);
}

FUNCTION(leaks)
{
    UNUSED;
    mx_set(&outer, in[0]);
    return mx_arrays_add(out, in[0]);
}

FUNCTION(fails_at_first)
{
    UNUSED;
    if (traces++ == 0)
        return error_set("not today");
    return mx_arrays_add(out, mx_square(in[0]));
}

static void errors_leave_nothing_behind(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    mlx_array x = floats(2, 2, 1, 1);
    assert_true(mx_is_null(one(evaluates, false, &x, 1)));
    assert_error(
        "[eval] Attempting to eval an array during function transformations like compile or vmap is not "
        "allowed.");
    traces = 0;
    assert_true(mx_is_null(one(fails_at_first, false, &x, 1)));
    assert_error("not today");
    assert_same(one(fails_at_first, false, &x, 1), mx_square(x));
    assert_same(one(leaks, false, &x, 1), x);
    assert_int_equal(mx_eval(outer), -1);
    assert_error("[eval] Attempting to eval");
    assert_true(mx_is_null(one(captures, false, &x, 1)));
    assert_error("[compile] Attempting to compile a function with uncaptured inputs is not allowed.");
    mx_set(&outer, mx_square(x)); /* takes its argument from elsewhere, too */
    assert_true(mx_is_null(one(captures, false, &outer, 1)));
    assert_error("[compile] Attempting to compile a function with uncaptured inputs is not allowed.");
    mx_set(&outer, MX_NULL);
    assert_true(mx_is_null(one(gelu, false, &MX_NULL, 1)));
    assert_error("[compile] input 0 is null");
    mx_compile_clear_cache();
    mx_release(mark);
}

static void modes(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    mlx_array x = floats(2, 2, 1, 1);
    traces = 0;
    mx_set_compile_mode(MX_COMPILE_DISABLED);
    assert_int_equal(node_of(one(gelu, false, &x, 1))->prim, PRIM_Multiply);
    one(gelu, false, &x, 1);
    assert_int_equal(traces, 2);
    mx_set_compile_mode(MX_COMPILE_ENABLED);
    assert_int_equal(node_of(one(gelu, false, &x, 1))->prim, PRIM_Compiled);
    mx_compile_clear_cache();
    mx_release(mark);
}

FUNCTION(nested)
{
    UNUSED;
    mlx_array y = one(gelu, false, in, 1);
    return mx_arrays_add(out, mx_add(y, y));
}

static int loss(void *user, const mlx_array *in, mlx_array *out)
{
    (void)user;
    out[0] = mx_sum(one(gelu, false, in, 1), NULL, 0, false);
    return mx_is_null(out[0]) ? -1 : 0;
}

static int plain_loss(void *user, const mlx_array *in, mlx_array *out)
{
    mx_arrays list = {0};
    int rc = gelu(user, in, 1, &list);
    out[0] = rc ? MX_NULL : mx_sum(list.items[0], NULL, 0, false);
    mx_arrays_free(&list);
    return rc;
}

FUNCTION(gradient)
{
    UNUSED;
    mlx_array value, grad;
    if (mx_value_and_grad(plain_loss, NULL, in, 1, &value, 1, &grad))
        return -1;
    return mx_arrays_add(out, value) || mx_arrays_add(out, grad);
}

static void compile_and_grad_nest(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    mlx_array x = floats(5, 7, -2, 0.1), value, grad, plain_value, plain_grad;
    assert_ok(mx_value_and_grad(plain_loss, NULL, &x, 1, &plain_value, 1, &plain_grad) == 0);
    assert_ok(mx_value_and_grad(loss, NULL, &x, 1, &value, 1, &grad) == 0);
    assert_same(grad, plain_grad);
    assert_same(value, plain_value);
    check(gradient, &x, 1);
    check(nested, &x, 1);
    mx_compile_clear_cache();
    mx_release(mark);
}

FUNCTION(deep)
{
    UNUSED;
    mlx_array x = in[0], one_ = mx_float(1, MLX_FLOAT32);
    for (int i = 0; i < 20000; i++)
        x = i % 100 == 99 ? mx_reshape(x, SHAPE(-1)) : mx_subtract(one_, x);
    return mx_arrays_add(out, x);
}

static void deep_chains(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    check(deep, (mlx_array[]){mx_from((const float[]){1, 2, 3}, SHAPE(3), MLX_FLOAT32)}, 1);
    mx_release(mark);
}

/* An input that nobody else holds is written over. */
static void inputs_are_donated(void **state)
{
    (void)state;
    enum { N = 1 << 20 };
    mlx_array slot = MX_NULL;
    size_t mark = mx_mark();
    mx_set(&slot, mx_full(SHAPE(N), mx_float(1, MLX_FLOAT32), MLX_FLOAT32));
    mx_release(mark);
    assert_ok(mx_eval(slot) == 0);
    const void *before = mx_data(slot);
    mark = mx_mark();
    mx_set(&slot, one(gelu, false, &slot, 1));
    mx_release(mark);
    assert_ok(mx_eval(slot) == 0);
    assert_ptr_equal(mx_data(slot), before);
    mlx_array_free(slot);
    mx_compile_clear_cache();
}

static void *call_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < 50; i++) {
        size_t mark = mx_mark();
        mlx_array x = floats(2, i % 5 + 1, 0, 0.5), y = one(attention, false, (mlx_array[]){x, x}, 2);
        mx_arrays plain = {0};
        attention(NULL, (mlx_array[]){x, x}, 2, &plain);
        float got[10], want[10];
        bool same = mx_read_f32(y, got) == 0 && mx_read_f32(plain.items[0], want) == 0 &&
                    memcmp(got, want, mx_size(y) * sizeof *got) == 0;
        mx_arrays_free(&plain);
        mx_release(mark);
        if (i % 10 == 0)
            mx_compile_clear_cache();
        if (!same)
            return "another result";
    }
    return NULL;
}

static void threads_share_the_cache(void **state)
{
    (void)state;
    pthread_t threads[6];
    for (int i = 0; i < 6; i++)
        pthread_create(&threads[i], NULL, call_often, NULL);
    for (int i = 0; i < 6; i++) {
        void *problem;
        pthread_join(threads[i], &problem);
        assert_null(problem);
    }
    mx_compile_clear_cache();
}

/* Every allocation that fails is an error, and nothing stays behind. */
static void no_memory(void **state)
{
    (void)state;
    bool done = false;
    for (size_t k = 1; !done && k < 300; k++) {
        size_t mark = mx_mark();
        mlx_array x = floats(2, 4, 0, 1), y;
        assert_ok(mx_eval(x) == 0);
        size_t nodes = mx_live_nodes();
        mem_fail_at(k);
        y = one(attention, false, (mlx_array[]){x, x}, 2);
        done = !mem_fail_fired();
        mem_fail_at(0);
        assert_true(mx_is_null(y) == !done);
        error_clear();
        mx_compile_clear_cache(); /* a graph that was made may be used again */
        if (!done)
            assert_int_equal(mx_live_nodes(), nodes);
        mx_release(mark);
    }
    assert_true(done);
}

static void cleanup(void)
{
    mx_release(0);
    mx_shutdown();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_the_same_to_the_bit),
        cmocka_unit_test(traced_once_a_signature),
        cmocka_unit_test(chains_become_one_node),
        cmocka_unit_test(equal_expressions_are_merged),
        cmocka_unit_test(shapeless_graphs_follow_their_inputs),
        cmocka_unit_test(captured_arrays_are_constants),
        cmocka_unit_test(errors_leave_nothing_behind),
        cmocka_unit_test(modes),
        cmocka_unit_test(compile_and_grad_nest),
        cmocka_unit_test(deep_chains),
        cmocka_unit_test(inputs_are_donated),
        cmocka_unit_test(threads_share_the_cache),
        cmocka_unit_test(no_memory),
    };
    return RUN_TESTS("compile", tests, cleanup);
}
