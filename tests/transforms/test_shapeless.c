/* Shapeless graphs record what operations mean: compiled at one shape they give at others what the function
 * itself gives. Also what forward mode gives for integers and bools, and that indices have no gradient. */
#include "test.h"

#include "mx.h"

static void cleanup(void)
{
    mx_compile_clear_cache();
    assert_int_equal(mx_live_nodes(), 0);
    mx_shutdown();
}

static int calls;

static int give(mx_arrays *out, mlx_array x)
{
    calls++;
    return mx_arrays_add(out, x);
}

#define FUNCTION(name, expression)                                            \
    static int name(void *user, const mlx_array *x, size_t n, mx_arrays *out) \
    {                                                                         \
        (void)user, (void)n;                                                  \
        return give(out, expression);                                         \
    }
FUNCTION(zeros_like, mx_add(mx_zeros_like(x[0]), x[1]))
FUNCTION(ones_like, mx_add(mx_ones_like(x[0]), x[1]))
FUNCTION(mean, mx_mean(x[0], NULL, 0, false))
FUNCTION(mean_of_axis, mx_mean(x[0], SHAPE(-1), true))
FUNCTION(variance, mx_var(x[0], SHAPE(1), false, 0))
FUNCTION(sample_variance, mx_var(x[0], NULL, 0, false, 1))
FUNCTION(deviation, mx_std(x[0], SHAPE(0), true, 1))
#undef FUNCTION

static int broadcast(void *user, const mlx_array *x, size_t n, mx_arrays *out)
{
    mlx_array both[2];
    (void)user;
    return mx_broadcast_arrays(x, n, both) ? -1 : give(out, mx_multiply(both[0], both[1]));
}

static int joined(void *user, const mlx_array *x, mlx_array *out)
{
    (void)user;
    out[0] = mx_concatenate(x, 2, 0);
    return mx_is_null(out[0]);
}

/* Over the first input's axis, which the other has not: it is repeated as often as there are entries now. */
static int mapped(void *user, const mlx_array *x, size_t n, mx_arrays *out)
{
    const int axes[2] = {0, -1}, front = 0;
    mlx_array in[2] = {x[0], mx_mean(x[1], SHAPE(0), false)}, y;
    (void)user;
    return mx_vmap(joined, NULL, in, n, axes, &y, 1, &front) ? -1 : give(out, y);
}

static int loss(void *user, const mlx_array *x, mlx_array *out)
{
    (void)user;
    out[0] = mx_mean(mx_square(mx_sin(mx_matmul(x[0], x[1]))), NULL, 0, false);
    return mx_is_null(out[0]);
}

/* Both gradients of a product that broadcasts. */
static int gradients(void *user, const mlx_array *x, size_t n, mx_arrays *out)
{
    mlx_array y, g[2];
    (void)user;
    calls++;
    return mx_value_and_grad(loss, NULL, x, n, &y, 1, g) || mx_arrays_add(out, g[0]) ||
           mx_arrays_add(out, g[1]);
}

static mlx_array input(int a, int b, int c, int d, int seed)
{
    return mx_random_normal(SHAPE(a, b, c, d), MLX_FLOAT32, 0, 1, mx_random_key((uint64_t)seed));
}

static void assert_close(mlx_array a, mlx_array b)
{
    static float x[1024], y[1024];
    assert_true(mx_ndim(a) == mx_ndim(b) && mx_size(a) == mx_size(b) && mx_size(a) <= 1024);
    for (int i = 0; i < mx_ndim(a); i++)
        assert_int_equal(mx_shape(a)[i], mx_shape(b)[i]);
    assert_ok(mx_read_f32(a, x) == 0 && mx_read_f32(b, y) == 0);
    for (size_t i = 0; i < mx_size(a); i++)
        assert_float_equal(x[i], y[i], 1e-5);
}

static void check(uintptr_t id, mx_list_function f, const mlx_array *x)
{
    mx_arrays got = {0}, expected = {0};
    assert_ok(mx_compiled(id, f, NULL, true, NULL, 0, x, 2, &got) == 0);
    int before = calls;
    assert_ok(f(NULL, x, 2, &expected) == 0);
    calls = before;
    assert_true(got.count == expected.count && got.count > 0);
    for (size_t i = 0; i < got.count; i++)
        assert_close(got.items[i], expected.items[i]);
    mx_arrays_free(&got);
    mx_arrays_free(&expected);
}

static void graphs_mean_what_they_say(void **state)
{
    (void)state;
    const mx_list_function functions[] = {zeros_like,      ones_like, mean,      mean_of_axis, variance,
                                          sample_variance, deviation, broadcast, mapped,       gradients};
    for (size_t f = 0; f < sizeof functions / sizeof *functions; f++) {
        size_t mark = mx_mark();
        bool matrices = functions[f] == gradients;
        mlx_array a[2] = {input(2, 1, 4, 3, 1), matrices ? input(2, 3, 3, 5, 2) : input(2, 5, 4, 3, 2)};
        mlx_array b[2] = {input(3, 1, 2, 7, 3), matrices ? input(3, 2, 7, 4, 4) : input(3, 2, 2, 7, 4)};
        calls = 0;
        check(f + 1, functions[f], a);
        check(f + 1, functions[f], b);
        assert_int_equal(calls, 1); /* it was traced once */
        mx_release(mark);
    }
}

/* --- forward mode --- */

static int of_integers(void *user, const mlx_array *in, mlx_array *out)
{
    (void)user;
    out[0] = mx_sum(in[0], NULL, 0, false);
    out[1] = mx_prod(in[0], NULL, 0, false);
    out[2] = mx_max(in[0], NULL, 0, false);
    out[3] = mx_greater(in[0], mx_int(1, MLX_INT32));
    return 0;
}

static void integers_have_derivatives(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    mlx_array x = mx_arange(0, 4, 1, MLX_INT32), t = mx_from((int[]){3, 2, 1, 0}, SHAPE(4), MLX_INT32);
    mlx_array y[4], d[4];
    const float expected[3] = {6, 18, 0};
    assert_ok(mx_jvp(of_integers, NULL, &x, 1, &t, 4, y, d) == 0);
    for (int i = 0; i < 3; i++) {
        float v;
        assert_ok(mx_read_f32(d[i], &v) == 0);
        assert_float_equal(v, expected[i], 0);
    }
    x = mx_astype(x, MLX_FLOAT32);
    t = mx_astype(t, MLX_FLOAT32);
    assert_ok(mx_jvp(of_integers, NULL, &x, 1, &t, 4, y, d) == 0);
    assert_int_equal(mx_dtype_of(y[3]), MLX_BOOL);
    assert_int_equal(mx_dtype_of(d[3]), MLX_FLOAT32); /* the tangent's */
    mx_release(mark);
}

/* --- indices --- */

static int take(void *user, const mlx_array *in, mlx_array *out)
{
    (void)user;
    out[0] = mx_take(in[0], in[1], 0);
    return mx_is_null(out[0]);
}
static int take_along(void *user, const mlx_array *in, mlx_array *out)
{
    (void)user;
    out[0] = mx_take_along_axis(in[0], in[1], 0);
    return mx_is_null(out[0]);
}
static int put_along(void *user, const mlx_array *in, mlx_array *out)
{
    (void)user;
    out[0] = mx_put_along_axis(in[0], in[1], mx_float(2, MLX_FLOAT32), 0);
    return mx_is_null(out[0]);
}
static int take_stopped(void *user, const mlx_array *in, mlx_array *out)
{
    (void)user;
    out[0] = mx_take(in[0], mx_stop_gradient(in[1]), 0);
    return mx_is_null(out[0]);
}

static void indices_have_no_gradient(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    mlx_array in[2] = {mx_arange(0, 4, 1, MLX_FLOAT32), mx_from((int[]){1, 3}, SHAPE(2), MLX_INT32)};
    mlx_array one = mx_ones(SHAPE(2), MLX_FLOAT32), four = mx_ones(SHAPE(4), MLX_FLOAT32), y, g[2];
    assert_int_equal(mx_vjp(take, NULL, in, 2, &one, 1, &y, g), -1);
    assert_error("there is no gradient by indices: pass them through stop_gradient");
    assert_int_equal(mx_vjp(take_along, NULL, in, 2, &one, 1, &y, g), -1);
    assert_error("[GatherAxis] there is no gradient by indices");
    assert_int_equal(mx_vjp(put_along, NULL, in, 2, &four, 1, &y, g), -1);
    assert_error("[ScatterAxis] there is no gradient by indices");
    assert_ok(mx_vjp(take_stopped, NULL, in, 2, &one, 1, &y, g) == 0);
    assert_close(g[0], mx_from((float[]){0, 1, 0, 1}, SHAPE(4), MLX_FLOAT32));
    mx_release(mark);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(graphs_mean_what_they_say),
        cmocka_unit_test(integers_have_derivatives),
        cmocka_unit_test(indices_have_no_gradient),
    };
    return RUN_TESTS("shapeless", tests, cleanup);
}
