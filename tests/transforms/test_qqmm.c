/* The gradient of products where both sides are quantized: by MLX's rule it is not the slope, but products of
 * quantized matrices in turn. */
#include "test.h"

#include "mx.h"

typedef struct job {
    const char *mode;
    mlx_array weights, scale_x, scale_w;
} job;

static int product(void *user, const mlx_array *in, mlx_array *out)
{
    const job *j = user;
    mlx_array y = mx_qqmm(in[0], in[1], MX_NULL, 0, 0, j->mode, j->scale_x, j->scale_w);
    out[0] = mx_sum(mx_multiply(y, j->weights), NULL, 0, false);
    return mx_is_null(out[0]);
}

static mlx_array turned(mlx_array x) { return mx_swapaxes(x, 0, 1); }

static void assert_same(mlx_array a, mlx_array b)
{
    float p[64 * 64], q[64 * 64];
    assert_int_equal(mx_size(a), mx_size(b));
    assert_true(mx_size(a) <= 64 * 64);
    assert_ok(mx_read_f32(a, p) == 0 && mx_read_f32(b, q) == 0);
    assert_memory_equal(p, q, mx_size(a) * sizeof(float));
}

static void check(const char *mode, bool scaled)
{
    mlx_array in[2] = {mx_random_normal(SHAPE(32, 64), MLX_FLOAT32, 0, 1, mx_random_key(1)),
                       mx_random_normal(SHAPE(32, 64), MLX_FLOAT32, 0, 1, mx_random_key(2))};
    job j = {mode, mx_random_normal(SHAPE(32, 32), MLX_FLOAT32, 0, 1, mx_random_key(3)), MX_NULL, MX_NULL};
    mlx_array value, grads[2], most = scaled ? mx_max(mx_abs(j.weights), SHAPE(0, 1), false) : MX_NULL;
    if (scaled) {
        j.scale_x = mx_max(mx_abs(in[0]), SHAPE(0, 1), false);
        j.scale_w = mx_max(mx_abs(in[1]), SHAPE(0, 1), false);
    }
    assert_ok(mx_value_and_grad(product, &j, in, 2, &value, 1, grads) == 0);
    assert_same(grads[0], mx_qqmm(j.weights, turned(in[1]), MX_NULL, 0, 0, mode, most, j.scale_w));
    assert_same(grads[1], mx_qqmm(turned(j.weights), turned(in[0]), MX_NULL, 0, 0, mode, most, j.scale_x));
    mx_release(0);
}

static void gradients_are_quantized_products(void **state)
{
    (void)state;
    check("mxfp8", false);
    check("mxfp4", false);
    check("nvfp4", false);
    check("nvfp4", true);
}

static void axes_that_groups_do_not_divide_are_errors(void **state)
{
    (void)state;
    mlx_array in[2] = {mx_ones(SHAPE(3, 64), MLX_FLOAT32), mx_ones(SHAPE(5, 64), MLX_FLOAT32)}, value,
              grads[2];
    job j = {"mxfp8", mx_float(1, MLX_FLOAT32), MX_NULL, MX_NULL};
    assert_int_equal(mx_value_and_grad(product, &j, in, 2, &value, 1, grads), -1);
    assert_error("[quantize] shape");
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
        cmocka_unit_test(gradients_are_quantized_products),
        cmocka_unit_test(axes_that_groups_do_not_divide_are_errors),
    };
    return RUN_TESTS("qqmm", tests, cleanup);
}
