/* Forward mode: derivatives along tangents, against known slopes and against reverse mode. */
#include "test.h"

#include "mx.h"

#include <math.h>

static void cleanup(void) { mx_shutdown(); }

static mlx_array vector(const float *v, int n) { return mx_from(v, SHAPE(n), MLX_FLOAT32); }

static float first(mlx_array x)
{
    float v[64];
    assert_true(mx_size(x) <= 64);
    assert_ok(mx_read_f32(x, v) == 0);
    return v[0];
}

/* out[0] = sin(a) * b, out[1] = a, out[2] = sign(b), out[3] = a constant */
static int several(void *user, const mlx_array *in, mlx_array *out)
{
    (void)user;
    out[0] = mx_multiply(mx_sin(in[0]), in[1]);
    out[1] = in[0];
    out[2] = mx_astype(mx_sign(in[1]), MLX_INT32);
    out[3] = mx_float(3, MLX_FLOAT32);
    return 0;
}

static void slopes_along_tangents(void **state)
{
    (void)state;
    size_t mark = mx_mark(), nodes = mx_live_nodes();
    float a = 0.3f, b = 1.7f, ta = 2, tb = -0.5f;
    mlx_array in[2] = {vector(&a, 1), vector(&b, 1)}, t[2] = {vector(&ta, 1), vector(&tb, 1)}, y[4], d[4];
    assert_ok(mx_jvp(several, NULL, in, 2, t, 4, y, d) == 0);
    assert_float_equal(first(y[0]), sinf(a) * b, 1e-6);
    assert_float_equal(first(d[0]), cosf(a) * b * ta + sinf(a) * tb, 1e-6);
    assert_float_equal(first(d[1]), ta, 0);
    assert_float_equal(first(d[2]), 0, 0);
    assert_int_equal(mx_dtype_of(d[2]), MLX_INT32);
    assert_float_equal(first(d[3]), 0, 0);
    t[0] = MX_NULL; /* zero */
    assert_ok(mx_jvp(several, NULL, in, 2, t, 4, y, d) == 0);
    assert_float_equal(first(d[0]), sinf(a) * tb, 1e-6);
    mx_release(mark);
    assert_int_equal(mx_live_nodes(), nodes);
}

static int network(void *user, const mlx_array *in, mlx_array *out)
{
    (void)user;
    mlx_array h = mx_tanh(mx_matmul(in[0], in[1]));
    h = mx_rms_norm(h, MX_NULL, 1e-5f);
    out[0] = mx_softmax(mx_add(h, mx_max(h, SHAPE(0), true)), -1);
    return mx_is_null(out[0]);
}

static double dot(mlx_array a, mlx_array b)
{
    return (double)first(mx_sum(mx_multiply(a, b), NULL, 0, false));
}

/* <w, J t> = <w J, t> */
static void forward_agrees_with_reverse(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    mlx_array key = mx_random_key(3), in[2], t[2], y, d, g[2];
    in[0] = mx_random_normal(SHAPE(4, 5), MLX_FLOAT32, 0, 1, key);
    in[1] = mx_random_normal(SHAPE(5, 6), MLX_FLOAT32, 0, 1, mx_random_key(4));
    t[0] = mx_random_normal(SHAPE(4, 5), MLX_FLOAT32, 0, 1, mx_random_key(5));
    t[1] = mx_random_normal(SHAPE(5, 6), MLX_FLOAT32, 0, 1, mx_random_key(6));
    mlx_array w = mx_random_normal(SHAPE(4, 6), MLX_FLOAT32, 0, 1, mx_random_key(7));
    assert_ok(mx_jvp(network, NULL, in, 2, t, 1, &y, &d) == 0);
    assert_ok(mx_vjp(network, NULL, in, 2, &w, 1, &y, g) == 0);
    double along = dot(w, d), back = dot(g[0], t[0]) + dot(g[1], t[1]);
    assert_true(fabs(along - back) <= 1e-5 * (1 + fabs(back)));
    assert_true(fabs(back) > 1e-3);
    mx_release(mark);
}

static int cube(void *user, const mlx_array *in, mlx_array *out)
{
    (void)user;
    out[0] = mx_multiply(in[0], mx_square(in[0]));
    return 0;
}

static int slope_of_cube(void *user, const mlx_array *in, mlx_array *out)
{
    mlx_array y, one = mx_ones(SHAPE(1), MLX_FLOAT32);
    return mx_jvp(cube, user, in, 1, &one, 1, &y, out);
}

/* Forward over forward, reverse over forward. */
static void derivatives_of_derivatives(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    float x = 1.5f;
    mlx_array in = vector(&x, 1), one = mx_ones(SHAPE(1), MLX_FLOAT32), y, d;
    assert_ok(mx_jvp(slope_of_cube, NULL, &in, 1, &one, 1, &y, &d) == 0);
    assert_float_equal(first(y), 3 * x * x, 1e-5);
    assert_float_equal(first(d), 6 * x, 1e-5);
    assert_ok(mx_vjp(slope_of_cube, NULL, &in, 1, &one, 1, &y, &d) == 0);
    assert_float_equal(first(d), 6 * x, 1e-5);
    mx_release(mark);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    size_t mark = mx_mark(), nodes = mx_live_nodes();
    mlx_array x = mx_ones(SHAPE(3), MLX_FLOAT32), t = mx_ones(SHAPE(2), MLX_FLOAT32), y, d;
    assert_int_equal(mx_jvp(cube, NULL, &x, 1, &t, 1, &y, &d), -1);
    assert_true(mx_failed());
    assert_string_equal(mx_error_text(), "[jvp] tangent 0 has shape (2,), but its input has shape (3,)");
    assert_true(mx_is_null(y) && mx_is_null(d));
    mx_release(mark);
    assert_int_equal(mx_live_nodes(), nodes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slopes_along_tangents),
        cmocka_unit_test(forward_agrees_with_reverse),
        cmocka_unit_test(derivatives_of_derivatives),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return RUN_TESTS("jvp", tests, cleanup);
}
