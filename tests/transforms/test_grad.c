/* Reverse mode on graphs: what the law of gradients (tests/laws) does not see, which looks at one primitive
 * at a time. */
#include "test.h"

#include "array/node.h"
#include "mx.h"

#include <math.h>
#include <pthread.h>

typedef mlx_array (*unary_fn)(mlx_array x);

/* f(in[0]) */
static int one(void *user, const mlx_array *in, mlx_array *out)
{
    out[0] = (*(unary_fn *)user)(in[0]);
    return mx_is_null(out[0]);
}

static mlx_array total(mlx_array x) { return mx_sum(x, NULL, 0, false); }

static int sum_of(void *user, const mlx_array *in, mlx_array *out)
{
    out[0] = total((*(unary_fn *)user)(in[0]));
    return mx_is_null(out[0]);
}

/* The gradient of the sum of f(x). */
static mlx_array grad_of(unary_fn f, mlx_array x)
{
    mlx_array y, g;
    assert_ok(mx_value_and_grad(sum_of, &f, &x, 1, &y, 1, &g) == 0);
    return g;
}

static mlx_array vector(const float *v, int n) { return mx_from(v, SHAPE(n), MLX_FLOAT32); }

static void check(mlx_array x, const float *expected, size_t n, float bound)
{
    float got[64];
    assert_int_equal(mx_size(x), n);
    assert_ok(mx_read_f32(x, got) == 0);
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(got[i] - expected[i]) <= bound * (1 + fabsf(expected[i]))))
            fail_msg("element %zu is %g, not %g", i, (double)got[i], (double)expected[i]);
}
#define CHECK(x, ...) \
    check(x, (const float[]){__VA_ARGS__}, sizeof((const float[]){__VA_ARGS__}) / sizeof(float), 1e-5f)

static mlx_array wave(mlx_array x) { return mx_sin(mx_multiply(mx_exp(x), x)); }

static void the_chain_rule_holds(void **state)
{
    (void)state;
    float v[3] = {-0.5f, 0.1f, 1.2f}, expected[3];
    for (int i = 0; i < 3; i++)
        expected[i] = cosf(expf(v[i]) * v[i]) * expf(v[i]) * (1 + v[i]);
    size_t mark = mx_mark();
    check(grad_of(wave, vector(v, 3)), expected, 3, 1e-5f);
    mx_release(mark);
}

/* x^(2^5), with one node for each squaring */
static mlx_array squarings(mlx_array x)
{
    for (int i = 0; i < 5; i++)
        x = mx_multiply(x, x);
    return x;
}

/* 2^60 paths, each with the factor 2^-60 */
static mlx_array halves(mlx_array x)
{
    for (int i = 0; i < 60; i++)
        x = mx_multiply(mx_add(x, x), mx_float(0.5, MLX_FLOAT32));
    return x;
}

static void shared_parts_count_once(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    CHECK(grad_of(squarings, vector((float[]){1, -1, 1.01f}, 3)), 32, -32, 32 * powf(1.01f, 31));
    CHECK(grad_of(halves, vector((float[]){3, 4}, 2)), 1, 1);
    mx_release(mark);
}

enum { DEEP = 100000 };

static mlx_array deep(mlx_array x)
{
    mlx_array step = mx_float(1e-5, MLX_FLOAT32), y = x;
    for (int i = 0; i < DEEP / 2; i++)
        y = mx_add(y, mx_multiply(x, step));
    return y;
}

static void deep_graphs_need_no_stack(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    check(grad_of(deep, vector((float[]){1, 2}, 2)), (float[]){1.5f, 1.5f}, 2, 1e-3f);
    mx_release(mark);
}

/* --- gradients of gradients --- */

static unary_fn inner;
static mlx_array slope(mlx_array x) { return grad_of(inner, x); }

static mlx_array cube(mlx_array x) { return mx_multiply(x, mx_square(x)); }
static mlx_array form(mlx_array x) /* x A x, whose second derivative is A + A^T */
{
    mlx_array a = mx_from((float[]){1, 2, 3, 4}, SHAPE(2, 2), MLX_FLOAT32);
    return mx_matmul(x, mx_matmul(a, x));
}
static mlx_array picked(mlx_array x) /* x[1]^3 + x[1] x[0] */
{
    mlx_array i = mx_from((int32_t[]){1, 1, 1, 0}, SHAPE(4), MLX_INT32), y = mx_take(x, i, 0);
    mlx_array both = mx_multiply(mx_slice_axis(y, 0, 2, 3), mx_slice_axis(y, 0, 3, 4));
    return mx_add(mx_prod(mx_slice_axis(y, 0, 0, 3), NULL, 0, false), total(both));
}
static mlx_array log_sum(mlx_array x) { return mx_logsumexp(x, 0, false); }
static mlx_array third(mlx_array x)
{
    inner = cube;
    mlx_array y = grad_of(slope, x);
    return y;
}

static void gradients_have_gradients(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    mlx_array x = vector((float[]){0.5f, -2}, 2);
    inner = cube;
    CHECK(slope(x), 0.75f, 12);
    CHECK(grad_of(slope, x), 3, -12);
    CHECK(grad_of(third, x), 6, 6);
    inner = form; /* the sum over rows of A + A^T */
    CHECK(grad_of(slope, x), 7, 13);
    inner = picked; /* d/dx of the sum of (x1, 3 x1^2 + x0) */
    CHECK(slope(x), -2, 12.5f);
    CHECK(grad_of(slope, x), 1, -11);
    inner = log_sum; /* softmax sums to 1 */
    CHECK(grad_of(slope, x), 0, 0);
    mx_release(mark);
}

/* An inner gradient by something of its own, in the midst of an outer one. */
static mlx_array nested(mlx_array x)
{
    mlx_array a = mx_square(x), y, g, w = mx_multiply(x, a);
    unary_fn f = wave;
    assert_ok(mx_vjp(one, &f, &w, 1, &a, 1, &y, &g) == 0);
    return mx_add(mx_stop_gradient(g), mx_add(a, mx_stop_gradient(y)));
}

static void transforms_nest(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    CHECK(grad_of(nested, vector((float[]){0.5f, -2}, 2)), 1, -4);
    mx_release(mark);
}

/* --- several inputs and outputs --- */

/* out = (a * b, a, stop(a) * b), c unused */
static int several(void *user, const mlx_array *in, mlx_array *out)
{
    (void)user;
    out[0] = mx_multiply(in[0], in[1]);
    out[1] = in[0];
    out[2] = mx_multiply(mx_stop_gradient(in[0]), in[1]);
    return 0;
}

static void inputs_and_outputs_come_in_any_number(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    mlx_array in[4] = {vector((float[]){2, 3}, 2), vector((float[]){5, 7}, 2), mx_int(4, MLX_INT32), MX_NULL};
    mlx_array ones = vector((float[]){1, 1}, 2), y[3], g[4];
    in[3] = in[0];
    assert_ok(mx_vjp(several, NULL, in, 4, (mlx_array[]){ones, ones, ones}, 3, y, g) == 0);
    CHECK(g[0], 6, 8);
    CHECK(g[1], 4, 6);
    CHECK(g[2], 0);
    assert_int_equal(mx_dtype_of(g[2]), MLX_INT32);
    CHECK(g[3], 0, 0); /* the same array, but an input of its own */
    CHECK(y[0], 10, 21);
    assert_ok(mx_vjp(several, NULL, in, 3, (mlx_array[]){MX_NULL, MX_NULL, ones}, 3, y, g) == 0);
    CHECK(g[0], 0, 0);
    CHECK(g[1], 2, 3);
    /* a cotangent is cast to its output's dtype */
    mlx_array ints = mx_from((int32_t[]){3, 4}, SHAPE(2), MLX_INT32);
    assert_ok(mx_vjp(several, NULL, in, 3, (mlx_array[]){ints, MX_NULL, MX_NULL}, 3, y, g) == 0);
    CHECK(g[0], 15, 28);
    assert_int_equal(mx_dtype_of(g[0]), MLX_FLOAT32);
    mx_release(mark);
}

/* out = (sum(a * a), a) */
static int loss_and_more(void *user, const mlx_array *in, mlx_array *out)
{
    (void)user;
    out[0] = total(mx_square(in[0]));
    out[1] = in[0];
    return 0;
}

/* The gradient of loss + sum(second output), through which none flows. */
static mlx_array with_more(mlx_array x)
{
    mlx_array values[2], g;
    assert_ok(mx_value_and_grad(loss_and_more, NULL, &x, 1, values, 2, &g) == 0);
    return mx_add(mx_add(values[0], total(values[1])), total(g));
}

static void values_come_with_the_gradient(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    mlx_array x = vector((float[]){2, -3}, 2), values[2], g;
    assert_ok(mx_value_and_grad(loss_and_more, NULL, &x, 1, values, 2, &g) == 0);
    CHECK(values[0], 13);
    CHECK(values[1], 2, -3);
    CHECK(g, 4, -6);
    CHECK(grad_of(with_more, x), 2 * 2 + 2, 2 * -3 + 2);
    mx_release(mark);
}

/* --- choices that differences cannot see --- */

static mlx_array maxima(mlx_array x) { return mx_max(x, NULL, 0, false); }
static mlx_array product(mlx_array x) { return mx_prod(x, NULL, 0, false); }
static mlx_array at_least_two(mlx_array x) { return mx_maximum(x, mx_float(2, MLX_FLOAT32)); }
static mlx_array at_most_two(mlx_array x) { return mx_minimum(mx_float(2, MLX_FLOAT32), x); }
static mlx_array power_of(mlx_array x) { return mx_power(mx_float(0, MLX_FLOAT32), x); }
static mlx_array through_int(mlx_array x)
{
    return mx_multiply(mx_astype(mx_astype(x, MLX_INT32), MLX_FLOAT32), x);
}
static mlx_array rows(mlx_array x)
{
    mlx_array i = mx_from((int32_t[]){1, -1, 1}, SHAPE(3), MLX_INT32);
    return mx_multiply(mx_take(x, i, 0), mx_reshape(mx_arange(1, 4, 1, MLX_FLOAT32), SHAPE(3, 1)));
}

static void ties_zeros_and_repeats(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    CHECK(grad_of(maxima, vector((float[]){1, 3, 3, 2}, 4)), 0, 0.5f, 0.5f, 0);
    CHECK(grad_of(product, vector((float[]){2, 3, 4}, 3)), 12, 8, 6);
    CHECK(grad_of(product, vector((float[]){2, 0, 4}, 3)), 0, 8, 0);
    CHECK(grad_of(product, vector((float[]){0, 0, 4}, 3)), 0, 0, 0);
    CHECK(grad_of(at_least_two, vector((float[]){1, 2, 3}, 3)), 0, 0, 1);
    CHECK(grad_of(at_most_two, vector((float[]){1, 2, 3}, 3)), 1, 1, 0);
    CHECK(grad_of(power_of, vector((float[]){1, 2}, 2)), 0, 0);
    CHECK(grad_of(through_int, vector((float[]){1.5f, 2}, 2)), 2, 4); /* int(x) + x, as an integer */
    CHECK(grad_of(rows, mx_zeros(SHAPE(2, 2), MLX_FLOAT32)), 0, 0, 6, 6);
    mx_release(mark);
}

/* --- evaluation inside a function --- */

/* Looks at everything on its way; norms make dense copies of inputs that are not. */
static mlx_array looking(mlx_array x)
{
    mlx_array y = mx_swapaxes(mx_exp(mx_multiply(x, x)), 0, 1);
    mlx_array z = mx_rms_norm(y, MX_NULL, 1e-5f);
    assert_ok(mx_eval(z) == 0);
    z = mx_negative(mx_negative(z));
    float first;
    assert_ok(mx_read_f32(total(z), &first) == 0);
    return mx_multiply(z, mx_float(first > 0 ? 2 : 1, MLX_FLOAT32));
}

static mlx_array not_looking(mlx_array x)
{
    mlx_array y = mx_swapaxes(mx_exp(mx_multiply(x, x)), 0, 1);
    return mx_multiply(mx_rms_norm(y, MX_NULL, 1e-5f), mx_float(2, MLX_FLOAT32));
}

static mlx_array evaluated(mlx_array x)
{
    mlx_array y = mx_exp(x);
    assert_ok(mx_eval(y) == 0);
    return y;
}

static void looking_at_values_cuts_no_gradient(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    float expected[6];
    mlx_array x = mx_from((float[]){0.1f, 0.2f, 0.3f, 0.4f, 0.5f, 0.6f}, SHAPE(2, 3), MLX_FLOAT32);
    assert_ok(mx_read_f32(grad_of(not_looking, x), expected) == 0);
    check(grad_of(looking, x), expected, 6, 1e-6f);
    /* afterwards what was computed lets its inputs go */
    mlx_array y, g, ones = mx_ones(SHAPE(2, 3), MLX_FLOAT32);
    unary_fn f = evaluated;
    assert_ok(mx_vjp(one, &f, &x, 1, &ones, 1, &y, &g) == 0);
    assert_int_equal(node_of(y)->n_inputs, 0);
    CHECK(mx_log(g), 0.1f, 0.2f, 0.3f, 0.4f, 0.5f, 0.6f);
    mx_release(mark);
}

/* --- training --- */

enum { SAMPLES = 64, HIDDEN = 16, PARTS = 4 };

/* Mean squared error of tanh(x W1 + b1) W2 + b2 against y; user = {x, y}. */
static int perceptron(void *user, const mlx_array *w, mlx_array *out)
{
    const mlx_array *data = user;
    mlx_array h = mx_tanh(mx_add(mx_matmul(data[0], w[0]), w[1])); /* (SAMPLES, HIDDEN) */
    mlx_array y = mx_add(mx_matmul(h, w[2]), w[3]);                /* (SAMPLES, 1) */
    out[0] = mx_mean(mx_square(mx_subtract(y, data[1])), NULL, 0, false);
    return mx_is_null(out[0]);
}

static void set(mlx_array *slot, mlx_array x)
{
    assert_ok(!mx_is_null(x));
    mx_set(slot, x);
}

static float train(mlx_array *weights, mlx_array *data, int steps)
{
    float loss = 0;
    for (int i = 0; i < steps; i++) {
        size_t mark = mx_mark();
        mlx_array value, grads[PARTS];
        assert_ok(mx_value_and_grad(perceptron, data, weights, PARTS, &value, 1, grads) == 0);
        for (int p = 0; p < PARTS; p++)
            set(&weights[p], mx_subtract(weights[p], mx_multiply(grads[p], mx_float(0.2, MLX_FLOAT32))));
        mlx_array slot = MX_NULL;
        set(&slot, value);
        mx_release(mark);
        assert_ok(mx_eval_all(weights, PARTS) == 0 && mx_read_f32(slot, &loss) == 0);
        mlx_array_free(slot);
    }
    return loss;
}

static void a_small_network_learns(void **state)
{
    (void)state;
    mlx_array weights[PARTS] = {MX_NULL}, data[2] = {MX_NULL};
    size_t mark = mx_mark();
    mlx_array keys = mx_random_split(mx_random_key(5), 3);
    mlx_array key[3];
    for (int i = 0; i < 3; i++)
        key[i] = mx_squeeze(mx_slice_axis(keys, 0, i, i + 1), 0);
    mlx_array x = mx_random_uniform(-2, 2, SHAPE(SAMPLES, 2), MLX_FLOAT32, key[0]);
    mlx_array a = mx_slice_axis(x, 1, 0, 1), b = mx_slice_axis(x, 1, 1, 2);
    set(&data[0], x);
    set(&data[1], mx_multiply(mx_sin(a), b));
    set(&weights[0], mx_random_normal(SHAPE(2, HIDDEN), MLX_FLOAT32, 0, 0.7f, key[1]));
    set(&weights[1], mx_zeros(SHAPE(HIDDEN), MLX_FLOAT32));
    set(&weights[2], mx_random_normal(SHAPE(HIDDEN, 1), MLX_FLOAT32, 0, 0.3f, key[2]));
    set(&weights[3], mx_zeros(SHAPE(1), MLX_FLOAT32));
    mx_release(mark);
    float before = train(weights, data, 1);
    size_t nodes = mx_live_nodes();
    float after = train(weights, data, 1500);
    assert_int_equal(mx_live_nodes(), nodes); /* a step leaves nothing behind */
    if (!(before > 0.3f && after < 0.02f))
        fail_msg("the loss went from %g to %g", (double)before, (double)after);
    for (int p = 0; p < PARTS; p++)
        mlx_array_free(weights[p]);
    mlx_array_free(data[0]);
    mlx_array_free(data[1]);
}

/* --- errors --- */

static mlx_array quantized(mlx_array x)
{
    mlx_array q[3];
    return mx_quantize(x, 32, 4, q) ? MX_NULL : mx_dequantize(q[0], q[1], q[2], 32, 4);
}
static mlx_array broken(mlx_array x) { return mx_matmul(x, x); }
static int nothing(void *user, const mlx_array *in, mlx_array *out)
{
    (void)user, (void)in, (void)out;
    return 0;
}
static int refuses(void *user, const mlx_array *in, mlx_array *out)
{
    (void)user, (void)in, (void)out;
    return -1;
}

static mlx_array products_picked_by(mlx_array x, mlx_array i)
{
    mlx_array parts = mx_ones(SHAPE(32, 1, 1), MLX_FLOAT32);
    return mx_gather_mm(mx_reshape(x, SHAPE(-1, 1, 1)), parts, i, i, false);
}
/* Through integers: nothing flows, and yet they depend on x. */
static mlx_array sorted_picks(mlx_array x)
{
    return products_picked_by(x, mx_argsort(mx_slice_axis(x, 0, 0, 1), 1));
}
static mlx_array sorted_picks_stopped(mlx_array x)
{
    return products_picked_by(x, mx_stop_gradient(mx_argsort(mx_slice_axis(x, 0, 0, 1), 1)));
}

static int vjp_of(unary_fn f, mlx_array x, mlx_array cotangent)
{
    mlx_array y, g;
    int rc = mx_vjp(one, &f, &x, 1, &cotangent, 1, &y, &g);
    assert_true(rc == 0 || (mx_is_null(y) && mx_is_null(g)));
    return rc;
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    size_t mark = mx_mark(), nodes = mx_live_nodes();
    mlx_array x = mx_ones(SHAPE(2, 32), MLX_FLOAT32), y, g;
    unary_fn f = mx_sin;
    assert_int_equal(mx_value_and_grad(one, &f, &x, 1, &y, 1, &g), -1);
    assert_error("[grad] the function must return a scalar, not an array of shape (2, 32)");
    assert_int_equal(mx_value_and_grad(one, &f, &x, 1, &y, 0, &g), -1);
    assert_error("[grad] the function must return a scalar");
    assert_int_equal(vjp_of(mx_sin, x, mx_ones(SHAPE(32), MLX_FLOAT32)), -1);
    assert_error("[vjp] cotangent 0 has shape (32,), but its output has shape (2, 32)");
    assert_int_equal(vjp_of(quantized, x, x), -1);
    assert_error("[vjp] Quantize has no derivative yet");
    assert_int_equal(vjp_of(sorted_picks, x, mx_ones(SHAPE(1, 32, 1, 1), MLX_FLOAT32)), -1);
    assert_error("[vjp] GatherMM has no derivative by its indices: pass them through stop_gradient");
    CHECK(mx_sum(grad_of(sorted_picks_stopped, x), NULL, 0, false), 32);
    assert_int_equal(vjp_of(broken, x, x), -1);
    assert_error("[matmul]");
    assert_int_equal(mx_vjp(nothing, NULL, &x, 1, &x, 1, &y, &g), -1);
    assert_error("[vjp] the function left output 0 empty");
    assert_int_equal(mx_vjp(refuses, NULL, &x, 1, &x, 1, &y, &g), -1);
    assert_error("[vjp] the function failed");
    assert_int_equal(vjp_of(mx_sin, broken(x), x), -1); /* a null primal: its own error stays */
    assert_error("[matmul]");
    CHECK(mx_slice_axis(mx_reshape(grad_of(mx_sin, x), SHAPE(-1)), 0, 0, 1), cosf(1));
    mx_release(mark);
    assert_int_equal(mx_live_nodes(), nodes);
}

/* A bit of everything, with an evaluation on the way; false if any step failed. */
static mlx_array mixture(mlx_array x)
{
    mlx_array i = mx_from((int32_t[]){1, 0, 1}, SHAPE(3), MLX_INT32), y = mx_take(x, i, 0); /* (3, 4) */
    y = mx_softmax(mx_concatenate((mlx_array[]){y, mx_sort(y, 1), x}, 3, 0), -1);
    if (mx_eval(y))
        return MX_NULL;
    y = mx_rms_norm(mx_matmul(y, mx_swapaxes(y, 0, 1)), MX_NULL, 1e-5f);
    return mx_prod(mx_max(y, SHAPE(0), false), NULL, 0, false);
}

static bool work(void)
{
    size_t mark = mx_mark();
    unary_fn f = mixture;
    mlx_array x = mx_from((float[]){1, 3, 2, 4, 8, 7, 6, 5}, SHAPE(2, 4), MLX_FLOAT32), y, g, slot = MX_NULL;
    int rc = mx_value_and_grad(one, &f, &x, 1, &y, 1, &g);
    if (rc == 0)
        mx_set(&slot, mx_add(g, y));
    mx_release(mark);
    rc = mx_is_null(slot) ? -1 : mx_eval(slot);
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
        bool ok = work(), fired = mem_fail_fired();
        mem_fail_at(0);
        assert_int_equal(mx_live_nodes(), nodes);
        assert_int_equal(mx_active_memory(), bytes);
        assert_int_equal(node_trace(0), 0);
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
    assert_true(k > 20);
}

static void *worker(void *arg)
{
    bool *ok = arg;
    *ok = true;
    for (int i = 0; i < 30; i++)
        *ok &= work();
    return NULL;
}

static void threads_differentiate_their_own(void **state)
{
    (void)state;
    pthread_t t[3];
    bool ok[3];
    for (int i = 0; i < 3; i++)
        pthread_create(&t[i], NULL, worker, &ok[i]);
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    for (int i = 0; i < 3; i++)
        assert_true(ok[i]);
}

static void cleanup(void)
{
    assert_int_equal(mx_live_nodes(), 0);
    mx_shutdown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_chain_rule_holds),
        cmocka_unit_test(shared_parts_count_once),
        cmocka_unit_test(deep_graphs_need_no_stack),
        cmocka_unit_test(gradients_have_gradients),
        cmocka_unit_test(transforms_nest),
        cmocka_unit_test(inputs_and_outputs_come_in_any_number),
        cmocka_unit_test(values_come_with_the_gradient),
        cmocka_unit_test(ties_zeros_and_repeats),
        cmocka_unit_test(looking_at_values_cuts_no_gradient),
        cmocka_unit_test(a_small_network_learns),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(running_out_of_memory_is_an_error),
        cmocka_unit_test(threads_differentiate_their_own),
    };
    return RUN_TESTS("grad", tests, cleanup);
}
