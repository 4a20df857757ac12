/* Numbers of the ops against values worked out by hand or measured on MLX, and the messages of wrong calls.
 */
#include "ops/check.h"

static void elementwise(void **state)
{
    (void)state;
    CHECK(mx_round(VEC(0.5f, 1.5f, 2.5f, -0.5f, -1.5f)), 0, 0, 2, 2, -0.0f, -2);
    CHECK(mx_maximum(VEC(1, NAN_, 3), VEC(2, 1, NAN_)), 0, 2, NAN_, NAN_);
    CHECK(mx_divide(mx_int(7, MLX_INT32), mx_int(2, MLX_INT32)), 0, 3.5f);
    CHECK(mx_sigmoid(VEC(0, 100, -100)), 1e-7f, 0.5f, 1, 0);
    CHECK(mx_exp(VEC(0, 1, -INF_, INF_, NAN_)), 1e-6f, 1, 2.7182818f, 0, INF_, NAN_);
    CHECK(mx_erf(VEC(0, 0.5f, -2)), 1e-6f, 0, 0.5204999f, -0.9953223f);
    CHECK_INTS(mx_power(mx_from((int[]){2, 3, -2}, SHAPE(3), MLX_INT32), mx_int(3, MLX_INT32)), 8, 27, -8);
    CHECK_INTS(mx_add(mx_int(255, MLX_UINT8), mx_int(3, MLX_UINT8)), 2);
    CHECK_INTS(mx_astype(VEC(1.9f, -1.9f, 300), MLX_INT32), 1, -1, 300);
    CHECK_INTS(mx_astype(VEC(0, NAN_, 0.1f), MLX_BOOL), 0, 1, 1);
    CHECK(mx_where(mx_greater(VEC(1, -1), mx_int(0, MLX_INT32)), VEC(5, 6), mx_float(0, MLX_FLOAT32)), 0, 5,
          0);
    assert_int_equal(mx_dtype_of(mx_sqrt(mx_int(4, MLX_INT16))), MLX_FLOAT32);
    assert_int_equal(mx_dtype_of(mx_less(VEC(1), VEC(2))), MLX_BOOL);
    CHECK_FAILS(mx_add(VEC(1, 2), VEC(1, 2, 3)), "[Add] shapes (2,) and (3,) cannot be broadcast");
    CHECK_FAILS(mx_less(VEC(1, 2), VEC(1, 2, 3)), "[Less] shapes (2,) and (3,)");
    CHECK_FAILS(mx_where(VEC(1, 2), VEC(1, 2, 3), VEC(1)), "[Select] shapes (2,), (3,) and (1,)");
    mx_release(0);
}

static void shapes(void **state)
{
    (void)state;
    mlx_array x = mx_reshape(mx_arange(0, 24, 1, MLX_FLOAT32), SHAPE(2, 3, 4));
    CHECK(mx_slice(x, (int[]){1, 0, 3}, (int[]){2, 3, -100}, (int[]){1, 2, -2}), 0, 15, 13, 23, 21);
    CHECK(mx_slice_axis(mx_slice_axis(x, 0, -1, 2), 2, 1, 2), 0, 13, 17, 21);
    CHECK(mx_reshape(mx_transpose(mx_slice_axis(x, 0, 0, 1), SHAPE(2, 0, 1)), SHAPE(-1)), 0, 0, 4, 8, 1, 5, 9,
          2, 6, 10, 3, 7, 11);
    CHECK(mx_concatenate((mlx_array[]){VEC(1, 2), VEC(3)}, 2, 0), 0, 1, 2, 3);
    CHECK(mx_slice_update(mx_zeros(SHAPE(5), MLX_FLOAT32), VEC(1, 2), (int[]){1}, (int[]){4}, (int[]){2}), 0,
          0, 1, 0, 2, 0);
    CHECK(mx_arange(0, 1, 0.3, MLX_FLOAT32), 0, 0, 0.3f, 0.6f, 0.9000000357627869f);
    CHECK_INTS(mx_arange(5, 0, -2, MLX_INT32), 5, 3, 1);
    assert_int_equal(mx_ndim(mx_squeeze(mx_expand_dims(x, -1), 3)), 3);
    CHECK_INTS(mx_arange(3, 7, INFINITY, MLX_INT32), 3);
    CHECK_INTS(mx_add(mx_size(mx_arange(3, 7, -INFINITY, MLX_INT32)) ? x : mx_int(1, MLX_INT32),
                      mx_int(1, MLX_INT32)),
               2);
    CHECK_FAILS(mx_arange(0, 1e12, 1, MLX_FLOAT32), "too many");
    CHECK_FAILS(mx_arange(1e30, 1.1e30, 1e29, MLX_INT64), "do not fit int64");
    CHECK(mx_slice_update(mx_zeros(SHAPE(2), MLX_FLOAT32), mx_zeros(SHAPE(0), MLX_FLOAT32), (int[]){2},
                          (int[]){9}, NULL),
          0, 0, 0);
    CHECK_FAILS(mx_reshape(x, SHAPE(5, -1)), "(2, 3, 4) cannot become (5, -1)");
    mlx_array none = mx_zeros(SHAPE(0), MLX_FLOAT32);
    assert_int_equal(mx_ndim(mx_reshape(none, SHAPE(3, 0))), 2);
    CHECK_FAILS(mx_reshape(none, SHAPE(-3, 0)), "cannot become (-3, 0)");
    CHECK_FAILS(mx_reshape(none, SHAPE(0, -1)), "cannot become (0, -1)");
    CHECK_FAILS(mx_reshape(none, SHAPE(0, -1, -3)), "cannot become (0, -1, -3)");
    mlx_array huge = mx_broadcast_to(mx_float(1, MLX_FLOAT32), SHAPE(1 << 20, 1 << 12));
    CHECK_FAILS(mx_reshape(huge, SHAPE(-1)), "cannot become (-1,)");
    CHECK_INTS(mx_slice(mx_broadcast_to(mx_int(7, MLX_INT32), SHAPE(INT32_MAX, 4)), (int[]){INT32_MAX - 2, 0},
                        (int[]){INT32_MAX, 4}, (int[]){1, 3}),
               7, 7, 7, 7);
    CHECK_FAILS(mx_transpose(x, SHAPE(0, 0, 1)), "twice");
    CHECK_FAILS(mx_squeeze(x, 1), "not of size 1");
    CHECK_FAILS(mx_broadcast_to(x, SHAPE(3, 4)), "does not broadcast");
    mx_release(0);
}

static void indexing(void **state)
{
    (void)state;
    mlx_array x = mx_reshape(mx_arange(0, 6, 1, MLX_FLOAT32), SHAPE(2, 3));
    CHECK(mx_take(x, mx_from((int[]){1, -2}, SHAPE(2), MLX_INT32), 0), 0, 3, 4, 5, 0, 1, 2);
    CHECK(mx_take(x, mx_from((int[]){2, 0}, SHAPE(2), MLX_INT32), 1), 0, 2, 0, 5, 3);
    CHECK(mx_take(x, mx_int(1, MLX_UINT32), -1), 0, 1, 4);
    CHECK(mx_take_along_axis(x, mx_from((int[]){2, 0}, SHAPE(2, 1), MLX_INT32), 1), 0, 2, 3);
    CHECK_FAILS(mx_take(x, mx_int(2, MLX_INT32), 0), "out of bounds");
    CHECK_FAILS(mx_take(x, mx_int(-1, MLX_UINT64), 0), "out of bounds");
    CHECK_INTS(mx_take(mx_broadcast_to(mx_int(7, MLX_INT32), SHAPE(INT32_MAX)),
                       mx_int(INT32_MAX - 1, MLX_UINT64), 0),
               7);
    CHECK_FAILS(mx_take(x, VEC(1), 0), "must be integers");
    mx_release(0);
}

static void reductions(void **state)
{
    (void)state;
    mlx_array x = mx_reshape(mx_arange(1, 7, 1, MLX_FLOAT32), SHAPE(2, 3));
    CHECK(mx_sum(x, SHAPE(0), false), 0, 5, 7, 9);
    CHECK(mx_sum(x, SHAPE(-1), true), 0, 6, 15);
    CHECK(mx_prod(x, NULL, 0, false), 0, 720);
    CHECK(mx_mean(x, SHAPE(1), false), 1e-6f, 2, 5);
    CHECK(mx_max(VEC(1, NAN_, 3), NULL, 0, false), 0, NAN_);
    CHECK(mx_sum(mx_zeros(SHAPE(0), MLX_FLOAT32), NULL, 0, false), 0, 0);
    CHECK(mx_prod(mx_zeros(SHAPE(0), MLX_FLOAT32), NULL, 0, false), 0, 1);
    assert_int_equal(mx_dtype_of(mx_sum(mx_ones(SHAPE(3), MLX_BOOL), NULL, 0, false)), MLX_INT32);
    assert_int_equal(mx_dtype_of(mx_sum(mx_ones(SHAPE(3), MLX_UINT8), NULL, 0, false)), MLX_UINT32);
    CHECK_INTS(mx_sum(mx_full(SHAPE(300), mx_int(200, MLX_UINT8), MLX_UINT8), NULL, 0, false), 60000);
    CHECK_INTS(mx_argmax(VEC(1, 5, 5, 2), 0, false), 1);
    CHECK_INTS(mx_argmin(x, 0, false), 0, 0, 0);
    CHECK(mx_softmax(VEC(1, 2, 3), 0), 1e-6f, 0.09003057f, 0.24472847f, 0.66524096f);
    CHECK(mx_softmax(VEC(1000, 1001, 1002), 0), 1e-6f, 0.09003057f, 0.24472847f, 0.66524096f);
    CHECK(mx_logsumexp(VEC(-INF_, -INF_), 0, false), 0, -INF_);
    CHECK(mx_cumsum(VEC(1, 2, 3), 0, false, true), 0, 1, 3, 6);
    CHECK(mx_cumsum(VEC(1, 2, 3), 0, false, false), 0, 0, 1, 3);
    CHECK(mx_cumsum(VEC(1, 2, 3), 0, true, true), 0, 6, 5, 3);
    CHECK(mx_cumsum(VEC(1, 2, 3), 0, true, false), 0, 5, 3, 0);
    CHECK(mx_sort(VEC(3, NAN_, 1), 0), 0, 1, 3, NAN_);
    CHECK_INTS(mx_argsort(VEC(3, NAN_, 1), 0), 2, 0, 1);
    CHECK_INTS(mx_sort(mx_from((int[]){3, -1, 2, -5}, SHAPE(4), MLX_INT32), 0), -5, -1, 2, 3);
    CHECK_FAILS(mx_max(mx_zeros(SHAPE(0), MLX_FLOAT32), NULL, 0, false),
                "[max] cannot max reduce over axis 0 with size 0");
    CHECK_FAILS(mx_sum(x, SHAPE(2), false), "[sum] axis 2 is out of range");
    mx_release(0);
}

static void products(void **state)
{
    (void)state;
    mlx_array a = mx_reshape(mx_arange(0, 6, 1, MLX_FLOAT32), SHAPE(2, 3)), v = VEC(1, 2, 3);
    CHECK(mx_matmul(a, v), 0, 8, 26);
    CHECK(mx_matmul(VEC(1, 2), a), 0, 6, 9, 12);
    CHECK(mx_matmul(v, v), 0, 14);
    CHECK(mx_matmul(a, mx_transpose(a, SHAPE(1, 0))), 0, 5, 14, 14, 50);
    CHECK(mx_matmul(mx_zeros(SHAPE(2, 0), MLX_FLOAT32), mx_zeros(SHAPE(0, 2), MLX_FLOAT32)), 0, 0, 0, 0, 0);
    assert_int_equal(mx_dtype_of(mx_matmul(a, mx_astype(v, MLX_BFLOAT16))), MLX_FLOAT32);
    assert_int_equal(mx_dtype_of(mx_matmul(mx_astype(a, MLX_BFLOAT16), mx_astype(v, MLX_BFLOAT16))),
                     MLX_BFLOAT16);
    CHECK(mx_matmul(mx_astype(a, MLX_FLOAT64), v), 0, 8, 26);
    CHECK_FAILS(mx_matmul(a, a), "[matmul] shapes (2, 3) and (2, 3) do not fit");
    CHECK_FAILS(mx_matmul(a, mx_int(1, MLX_INT32)), "at least one dimension");
    mx_release(0);
}

static void quantized(void **state)
{
    (void)state;
    mlx_array w = mx_random_uniform(-1, 1, SHAPE(6, 128), MLX_FLOAT32, mx_random_key(1)), q[3];
    mlx_array x = mx_random_uniform(-1, 1, SHAPE(3, 128), MLX_FLOAT32, mx_random_key(2));
    const int bits[6] = {2, 3, 4, 5, 6, 8}, groups[3] = {32, 64, 128};
    for (int i = 0; i < 18; i++) {
        assert_int_equal(mx_quantize(w, groups[i % 3], bits[i / 3], q), 0);
        assert_int_equal(mx_dim(q[0], 1), 128 * bits[i / 3] / 32);
        mlx_array dense = mx_dequantize(q[0], q[1], q[2], groups[i % 3], bits[i / 3]);
        float expected[18], step = 2.0f / (float)((1 << bits[i / 3]) - 1);
        CHECK(mx_max(mx_abs(mx_subtract(dense, w)), NULL, 0, false), step, 0);
        assert_int_equal(mx_read_f32(mx_matmul(x, mx_transpose(dense, SHAPE(1, 0))), expected), 0);
        check(mx_quantized_matmul(x, q[0], q[1], q[2], true, groups[i % 3], bits[i / 3], MX_EXACT), 18,
              expected, 1e-4f);
    }
    CHECK_FAILS((mx_quantize(w, 48, 4, q), q[0]), "group_size 48");
    CHECK_FAILS((mx_quantize(w, 64, 7, q), q[0]), "bits 7");
    CHECK_FAILS((mx_quantize(VEC(1, 2), 64, 4, q), q[0]), "at least 2 dimensions");
    assert_int_equal(mx_quantize(w, 64, 4, q), 0);
    CHECK_FAILS(mx_quantized_matmul(x, q[0], q[1], q[2], true, 32, 4, MX_EXACT), "do not fit");
    CHECK_FAILS(mx_quantized_matmul(VEC(1, 2), q[0], q[1], q[2], true, 64, 4, MX_EXACT), "last axis of x");
    CHECK_FAILS(mx_dequantize(w, q[1], q[2], 64, 4), "must be uint32");
    /* w as a view: every second row */
    mlx_array half[3], dense = mx_dequantize(q[0], q[1], q[2], 64, 4);
    float expected[9];
    for (int i = 0; i < 3; i++)
        half[i] = mx_slice(q[i], (int[]){0, 0}, (int[]){6, 1000}, (int[]){2, 1});
    dense = mx_slice(dense, (int[]){0, 0}, (int[]){6, 1000}, (int[]){2, 1});
    assert_int_equal(mx_read_f32(mx_matmul(x, mx_transpose(dense, SHAPE(1, 0))), expected), 0);
    check(mx_quantized_matmul(x, half[0], half[1], half[2], true, 64, 4, MX_EXACT), 9, expected, 1e-4f);
    /* sums of nothing are 0, either way round */
    mlx_array none = mx_zeros(SHAPE(2, 0), MLX_UINT32), few = mx_zeros(SHAPE(2, 0), MLX_FLOAT32);
    CHECK(mx_quantized_matmul(few, none, few, few, true, 64, 4, MX_EXACT), 0, 0, 0, 0, 0);
    none = mx_zeros(SHAPE(0, 8), MLX_UINT32), few = mx_zeros(SHAPE(0, 1), MLX_FLOAT32);
    CHECK(mx_sum(
              mx_quantized_matmul(mx_zeros(SHAPE(2, 0), MLX_FLOAT32), none, few, few, false, 64, 4, MX_EXACT),
              SHAPE(1), false),
          0, 0, 0);
    /* rows longer than an int counts */
    mlx_array wide = mx_broadcast_to(mx_int(0, MLX_UINT32), SHAPE(1, 1 << 30));
    mlx_array scales = mx_broadcast_to(mx_float(0, MLX_FLOAT32), SHAPE(1, 1 << 27));
    CHECK_FAILS(mx_dequantize(wide, scales, scales, 64, 4), "more than 2147483647 elements");
    mx_release(0);
}

static void fast(void **state)
{
    (void)state;
    CHECK(mx_rms_norm(VEC(3, 4), VEC(1, 2), 0), 1e-6f, 0.8485281f, 2.2627418f);
    CHECK(mx_layer_norm(VEC(1, 3), MX_NULL, VEC(0.5f, 0.5f), 0), 1e-6f, -0.5f, 1.5f);
    CHECK(mx_swiglu(VEC(0, 1), VEC(2, 3)), 1e-6f, 0, 2.1931758f);
    /* one pair at position 1, period 1: a turn by one radian */
    mlx_array x = mx_from((float[]){1, 0}, SHAPE(1, 1, 1, 2), MLX_FLOAT32);
    CHECK(mx_rope(x, 2, false, 10000, 1, 1, MX_NULL), 1e-6f, 0.5403023f, 0.8414710f);
    CHECK(mx_rope(x, 2, true, 10000, 1, 1, VEC(2)), 1e-6f, 0.8775826f, 0.4794255f);
    mlx_array q = mx_from((float[]){1, 0}, SHAPE(1, 1, 1, 2), MLX_FLOAT32);
    mlx_array k = mx_from((float[]){1, 0, 0, 0}, SHAPE(1, 1, 2, 2), MLX_FLOAT32);
    mlx_array v = mx_from((float[]){1, 2, 3, 4}, SHAPE(1, 1, 2, 2), MLX_FLOAT32);
    CHECK(mx_scaled_dot_product_attention(q, k, v, 1, MX_MASK_NONE, MX_NULL), 1e-6f, 1.5378828f, 2.5378828f);
    mlx_array half = mx_astype(q, MLX_FLOAT16), brain = mx_astype(VEC(1, 2), MLX_BFLOAT16);
    assert_int_equal(mx_dtype_of(mx_scaled_dot_product_attention(half, k, v, 1, MX_MASK_NONE, MX_NULL)),
                     MLX_FLOAT32);
    assert_int_equal(mx_dtype_of(mx_rms_norm(half, VEC(1, 2), 0)), MLX_FLOAT32);
    assert_int_equal(mx_dtype_of(mx_rms_norm(half, MX_NULL, 0)), MLX_FLOAT16);
    assert_int_equal(mx_dtype_of(mx_layer_norm(half, MX_NULL, brain, 0)),
                     MLX_FLOAT16); /* no weight: no say */
    assert_int_equal(mx_dtype_of(mx_layer_norm(half, brain, brain, 0)), MLX_FLOAT32);
    assert_int_equal(mx_dtype_of(mx_swiglu(VEC(1, 2), brain)), MLX_FLOAT32);
    CHECK(mx_rms_norm(mx_astype(VEC(3, 4), MLX_BFLOAT16), VEC(1, 2), 0), 1e-6f, 0.8485281f, 2.2627418f);
    CHECK_FAILS(mx_scaled_dot_product_attention(q, k, x, 1, MX_MASK_NONE, MX_NULL), "do not fit");
    CHECK_FAILS(mx_scaled_dot_product_attention(q, k, v, 1, MX_MASK_ARRAY, MX_NULL), "none is given");
    CHECK_FAILS(mx_rope(x, 3, false, 10000, 1, 0, MX_NULL), "dims 3");
    CHECK_FAILS(mx_rms_norm(mx_int(1, MLX_INT32), MX_NULL, 0), "not int32");
    CHECK_FAILS(mx_rms_norm(VEC(1, 2), VEC(1, 2, 3), 0), "does not fit");
    mx_release(0);
}

/* Enough rows for every thread: the extreme of row i is at i * 7 % 512, that of column k where that is k. */
static void positions_of_many_rows(void **state)
{
    (void)state;
    static float x[512 * 512];
    for (int i = 0; i < 512; i++)
        x[i * 512 + i * 7 % 512] = 1;
    mlx_array a = mx_from(x, (int[]){512, 512}, 2, MLX_FLOAT32);
    assert_int_equal(mx_read_i64(mx_argmax(a, 1, false), ints), 0);
    for (int i = 0; i < 512; i++)
        assert_int_equal(ints[i], i * 7 % 512);
    assert_int_equal(mx_read_i64(mx_argmin(mx_negative(a), 0, false), ints), 0);
    for (int k = 0; k < 512; k++)
        assert_int_equal(ints[k] * 7 % 512, k);
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
        cmocka_unit_test(elementwise), cmocka_unit_test(shapes),
        cmocka_unit_test(indexing),    cmocka_unit_test(reductions),
        cmocka_unit_test(products),    cmocka_unit_test(quantized),
        cmocka_unit_test(fast),        cmocka_unit_test(positions_of_many_rows),
    };
    return RUN_TESTS("ops", tests, cleanup);
}
