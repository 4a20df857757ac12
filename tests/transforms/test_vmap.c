/* vmap on graphs: what the law of vmap (tests/laws) does not see, which maps one primitive at a time. */
#include "test.h"

#include "array/node.h"
#include "mx.h"

#include <math.h>

static void check(mlx_array x, const float *expected, size_t n)
{
    float got[64];
    assert_int_equal(mx_size(x), n);
    assert_ok(mx_read_f32(x, got) == 0);
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(got[i] - expected[i]) <= 1e-5f * (1 + fabsf(expected[i]))))
            fail_msg("element %zu is %g, not %g", i, (double)got[i], (double)expected[i]);
}
#define CHECK(x, ...) \
    check(x, (const float[]){__VA_ARGS__}, sizeof((const float[]){__VA_ARGS__}) / sizeof(float))

static mlx_array matrix(void) /* ((0, 1, 2), (3, 4, 5)) */
{
    return mx_reshape(mx_arange(0, 6, 1, MLX_FLOAT32), SHAPE(2, 3));
}

static int cube_sum(void *user, const mlx_array *in, mlx_array *out)
{
    (void)user;
    out[0] = mx_sum(mx_multiply(in[0], mx_square(in[0])), NULL, 0, false);
    return mx_is_null(out[0]);
}

static int grad_cube(void *user, const mlx_array *in, mlx_array *out)
{
    mlx_array y;
    return mx_value_and_grad(cube_sum, user, in, 1, &y, 1, out);
}

static int mapped_cube(void *user, const mlx_array *in, mlx_array *out)
{
    mlx_array rows;
    int rc = mx_vmap(cube_sum, user, in, 1, (int[]){0}, &rows, 1, (int[]){0});
    out[0] = mx_sum(mx_square(rows), NULL, 0, false);
    return rc;
}

static int jvp_cube(void *user, const mlx_array *in, mlx_array *out)
{
    mlx_array y;
    return mx_jvp(cube_sum, user, in, 1, in + 1, 1, &y, out);
}

static void gradients_of_maps_and_maps_of_gradients(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    mlx_array x = matrix(), y, g;
    assert_ok(mx_vmap(grad_cube, NULL, &x, 1, (int[]){1}, &y, 1, (int[]){1}) == 0);
    CHECK(y, 0, 3, 12, 27, 48, 75);
    /* rows sum to 9 and 216: 2 s 3 x^2 */
    assert_ok(mx_value_and_grad(mapped_cube, NULL, &x, 1, &y, 1, &g) == 0);
    CHECK(y, 81 + 216 * 216);
    CHECK(g, 0, 54, 216, 27 * 432, 48 * 432, 75 * 432);
    mlx_array in[2] = {x, mx_ones(SHAPE(2, 3), MLX_FLOAT32)};
    assert_ok(mx_vmap(jvp_cube, NULL, in, 2, (int[]){0, 0}, &y, 1, (int[]){0}) == 0);
    CHECK(y, 15, 150);
    mx_release(mark);
}

static int outer_product(void *user, const mlx_array *in, mlx_array *out)
{
    (void)user;
    out[0] = mx_multiply(in[0], in[1]);
    return mx_is_null(out[0]);
}

static int each_of_second(void *user, const mlx_array *in, mlx_array *out)
{
    return mx_vmap(outer_product, user, in, 2, (int[]){-1, 0}, out, 1, (int[]){0});
}

static void maps_nest(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    mlx_array in[2] = {mx_arange(1, 3, 1, MLX_FLOAT32), mx_arange(1, 4, 1, MLX_FLOAT32)}, y;
    assert_ok(mx_vmap(each_of_second, NULL, in, 2, (int[]){0, -1}, &y, 1, (int[]){0}) == 0);
    assert_int_equal(mx_ndim(y), 2);
    CHECK(y, 1, 2, 3, 2, 4, 6);
    assert_ok(mx_vmap(each_of_second, NULL, in, 2, (int[]){0, -1}, &y, 1, (int[]){1}) == 0);
    CHECK(y, 1, 2, 2, 4, 3, 6);
    mx_release(mark);
}

/* The input itself, something without the axis, a constant, and results of a node with several. */
static int many(void *user, const mlx_array *in, mlx_array *out)
{
    mlx_array q[3];
    out[0] = in[0];
    out[1] = mx_negative(in[1]);
    out[2] = *(mlx_array *)user;
    if (mx_quantize(mx_broadcast_to(in[0], SHAPE(2, 32)), 32, 8, q))
        return -1;
    out[3] = q[2];
    out[4] = mx_dequantize(q[0], q[1], q[2], 32, 8);
    return 0;
}

static void outputs_of_all_kinds(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    mlx_array in[2] = {mx_arange(0, 2, 1, MLX_FLOAT32), mx_float(3, MLX_FLOAT32)};
    mlx_array seven = mx_float(7, MLX_FLOAT32), out[5];
    assert_ok(mx_vmap(many, &seven, in, 2, (int[]){0, -1}, out, 5, (int[]){0, -1, 0, 1, 2}) == 0);
    CHECK(out[0], 0, 1);
    CHECK(out[1], -3);
    assert_int_equal(mx_ndim(out[1]), 0);
    CHECK(out[2], 7, 7);
    assert_int_equal(mx_ndim(out[3]), 3);
    CHECK(out[3], 0, 1, 0, 1);
    assert_int_equal(mx_ndim(out[4]), 3);
    assert_int_equal(mx_shape(out[4])[2], 2);
    CHECK(mx_sum(out[4], SHAPE(0, 1), false), 0, 64);
    mx_release(mark);
}

static int draw(void *user, const mlx_array *in, mlx_array *out)
{
    (void)user;
    out[0] = mx_random_bits(SHAPE(3), 4, in[0]);
    return mx_is_null(out[0]);
}

static void keys_are_independent(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    mlx_array keys = mx_random_split(mx_random_key(5), 4), y;
    int64_t got[12], expected[3];
    assert_ok(mx_vmap(draw, NULL, &keys, 1, (int[]){0}, &y, 1, (int[]){0}) == 0);
    assert_ok(mx_read_i64(y, got) == 0);
    for (int k = 0; k < 4; k++) {
        mlx_array key = mx_squeeze(mx_slice_axis(keys, 0, k, k + 1), 0);
        assert_ok(mx_read_i64(mx_random_bits(SHAPE(3), 4, key), expected) == 0);
        assert_memory_equal(got + 3 * k, expected, sizeof expected);
    }
    mx_release(mark);
}

enum { DEEP = 50000 };

static int deep(void *user, const mlx_array *in, mlx_array *out)
{
    (void)user;
    out[0] = in[0];
    for (int i = 0; i < DEEP; i++)
        out[0] = mx_add(out[0], in[0]);
    return mx_is_null(out[0]);
}

static void deep_graphs_need_no_stack(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    mlx_array x = mx_arange(0, 2, 1, MLX_FLOAT32), y;
    assert_ok(mx_vmap(deep, NULL, &x, 1, (int[]){0}, &y, 1, (int[]){0}) == 0);
    CHECK(y, 0, DEEP + 1);
    mx_release(mark);
}

static int looks(void *user, const mlx_array *in, mlx_array *out)
{
    (void)user;
    out[0] = mx_exp(in[0]);
    return mx_eval(out[0]);
}

static int fails(void *user, const mlx_array *in, mlx_array *out)
{
    (void)user;
    out[0] = mx_matmul(in[0], mx_ones(SHAPE(7, 7), MLX_FLOAT32));
    return mx_is_null(out[0]);
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    mlx_array x = matrix(), pair[2] = {x, x}, y;
    const int zero = 0;
#define REFUSED(text, f, in, n, axes, out_axis)                                        \
    do {                                                                               \
        assert_int_equal(mx_vmap(f, NULL, in, n, axes, &y, 1, (int[]){out_axis}), -1); \
        assert_true(mx_is_null(y));                                                    \
        assert_error(text);                                                            \
    } while (0)
    REFUSED("Inconsistent axis sizes: 3 and 2.", outer_product, pair, 2, ((int[]){0, 1}), 0);
    REFUSED("At least one of in_axes must be non-None.", outer_product, pair, 2, ((int[]){-1, -1}), 0);
    REFUSED("in_axes 2 is out of range", cube_sum, &x, 1, ((int[]){2}), 0);
    REFUSED("out_axes 1 is out of range", cube_sum, &x, 1, &zero, 1);
    REFUSED("Attempting to eval an array during function transformations", looks, &x, 1, &zero, 0);
    REFUSED("[matmul]", fails, &x, 1, &zero, 0);
    mlx_array null = MX_NULL;
    assert_int_equal(mx_vmap(cube_sum, NULL, &null, 1, &zero, &y, 1, &zero), -1);
    error_clear();
    assert_ok(mx_vmap(cube_sum, NULL, &x, 1, &zero, &y, 1, &zero) == 0);
    CHECK(y, 9, 216);
    mx_release(mark);
}

static void running_out_of_memory_is_an_error(void **state)
{
    (void)state;
    bool done = false;
    for (size_t k = 1; !done; k++) {
        size_t mark = mx_mark();
        mlx_array x = matrix(), seven = mx_float(7, MLX_FLOAT32);
        mlx_array in[2] = {mx_arange(0, 2, 1, MLX_FLOAT32), seven}, y, out[5];
        mem_fail_at(k);
        int rc = mx_vmap(grad_cube, NULL, &x, 1, (int[]){0}, &y, 1, (int[]){0}) ||
                 mx_vmap(many, &seven, in, 2, (int[]){0, -1}, out, 5, (int[]){0, -1, 0, 1, 2});
        done = !mem_fail_fired();
        mem_fail_at(0);
        assert_int_equal(rc != 0, error_pending());
        assert_true(rc != 0 || done);
        error_clear();
        mx_release(mark);
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
        cmocka_unit_test(gradients_of_maps_and_maps_of_gradients),
        cmocka_unit_test(maps_nest),
        cmocka_unit_test(outputs_of_all_kinds),
        cmocka_unit_test(keys_are_independent),
        cmocka_unit_test(deep_graphs_need_no_stack),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(running_out_of_memory_is_an_error),
    };
    return RUN_TESTS("vmap", tests, cleanup);
}
