/* Random numbers against those that MLX gives for the same keys; what distributions promise; the messages of
 * wrong calls. */
#include "ops/check.h"

static mlx_array key;

/* Within one unit in the last place. */
static void check_ulp(mlx_array x, size_t n, const float *expected)
{
    check(x, n, expected, INFINITY);
    for (size_t i = 0; i < n; i++)
        if (out[i] != expected[i] && out[i] != nextafterf(expected[i], INFINITY) &&
            out[i] != nextafterf(expected[i], -INFINITY))
            fail_msg("number %zu is %a, not %a", i, (double)out[i], (double)expected[i]);
}
#define CHECK_ULP(x, ...) \
    check_ulp(x, sizeof((const float[]){__VA_ARGS__}) / sizeof(float), (const float[]){__VA_ARGS__})

static mlx_array i32(int v) { return mx_int(v, MLX_INT32); }
static mlx_array f32(double v) { return mx_float(v, MLX_FLOAT32); }

static void keys_and_bits(void **state)
{
    (void)state;
    CHECK_INTS(mx_random_key(0), 0, 0);
    CHECK_INTS(mx_random_key(((uint64_t)1 << 40) + 5), 256, 5);
    CHECK_INTS(mx_random_split(key, 2), 4146024105, 967050713, 2718843009, 1272950319);
    CHECK_INTS(mx_random_split(key, 3), 2467461003, 428148500, 3186719485, 3840466878, 2562233961,
               1946702221);
    mlx_array pair[2];
    assert_int_equal(mx_random_split_pair(key, pair), 0);
    CHECK_INTS(pair[0], 4146024105, 967050713);
    CHECK_INTS(pair[1], 2718843009, 1272950319);
    CHECK_INTS(mx_random_bits(SHAPE(1), 4, key), 1797259609);
    CHECK_INTS(mx_random_bits(SHAPE(2), 4, key), 928981903, 3453687069);
    CHECK_INTS(mx_random_bits(SHAPE(3), 4, key), 4146024105, 1351547692, 2718843009);
    CHECK_INTS(mx_random_bits(SHAPE(5), 4, key), 2467461003, 428148500, 1688610540, 3840466878, 2562233961);
    CHECK_INTS(mx_random_bits(SHAPE(4), 2, key), 9103, 14175, 5405, 52699);
    CHECK_INTS(mx_random_bits(SHAPE(5), 2, key), 20137, 63263, 64300, 20622, 16513);
    CHECK_INTS(mx_random_bits(SHAPE(7), 1, key), 143, 35, 95, 55, 29, 21, 219);
    CHECK_INTS(mx_random_bits(SHAPE(2, 3), 4, key), 2467461003, 428148500, 3186719485, 3840466878, 2562233961,
               1946702221);
    CHECK_INTS(mx_random_bits(NULL, 0, 4, key), 1797259609);
    assert_int_equal(mx_size(mx_random_bits(SHAPE(3, 0), 1, key)), 0);
    assert_int_equal(mx_dtype_of(mx_random_bits(SHAPE(3), 2, key)), MLX_UINT16);
    CHECK_FAILS(mx_random_bits(SHAPE(3), 3, key), "[bits] width must be 1, 2 or 4 bytes, not 3");
    CHECK_FAILS(mx_random_bits(SHAPE(3, -1), 4, key), "[bits] negative size -1");
    CHECK_FAILS(mx_random_bits(SHAPE(3), 4, f32(1)),
                "[bits] a key is a uint32 array of shape (2,), not float32 ()");
    CHECK_FAILS(mx_random_bits(SHAPE(3), 4, mx_random_split(key, 2)), "not uint32 (2, 2)");
}

static void uniform(void **state)
{
    (void)state;
    CHECK(mx_random_uniform(0, 1, SHAPE(5), MLX_FLOAT32, key), 0, 0x1.2624f0p-1f, 0x1.985072p-4f,
          0x1.92989cp-2f, 0x1.c9d1c0p-1f, 0x1.31712cp-1f);
    CHECK(mx_random_uniform(0, 1, SHAPE(4), MLX_FLOAT16, key), 0, 0.96533203125f, 0.2252197265625f,
          0.6328125f, 0.29638671875f);
    CHECK(mx_random_uniform(0, 1, SHAPE(4), MLX_BFLOAT16, key), 0, 0.96484375f, 0.2255859375f, 0.6328125f,
          0.296875f);
    /* bounds that are arrays: a row for each pair of them, the same bits stretched */
    mlx_array low = mx_reshape(VEC(0, 10), SHAPE(2, 1)),
              high = mx_from((int[]){1, 20}, SHAPE(2, 1), MLX_INT32);
    mlx_array u = mx_random_uniform(0, 1, SHAPE(2, 4), MLX_FLOAT32, key);
    mlx_array y = mx_random_uniform_broadcast(low, high, SHAPE(2, 4), MLX_FLOAT32, key);
    mlx_array stretched = mx_add(mx_multiply(mx_reshape(VEC(1, 10), SHAPE(2, 1)), u), low);
    CHECK(mx_max(mx_abs(mx_subtract(y, stretched)), NULL, 0, false), 0, 0);
    const mlx_dtype dtypes[3] = {MLX_FLOAT16, MLX_BFLOAT16, MLX_FLOAT32};
    for (int t = 0; t < 3; t++) { /* 1 is never reached, however many are drawn */
        y = mx_random_uniform(0, 1, SHAPE(100000), dtypes[t], key);
        assert_int_equal(mx_dtype_of(y), dtypes[t]);
        CHECK(mx_all(mx_less(y, mx_float(1, dtypes[t])), NULL, 0, false), 0, 1);
        CHECK(mx_all(mx_greater_equal(y, mx_float(0, dtypes[t])), NULL, 0, false), 0, 1);
        CHECK(mx_mean(mx_astype(y, MLX_FLOAT32), NULL, 0, false), 5e-3f, 0.5f);
    }
    CHECK_FAILS(mx_random_uniform(0, 1, SHAPE(2), MLX_FLOAT64, key), "not float64");
    CHECK_FAILS(mx_random_uniform(0, 1, SHAPE(2), MLX_INT32, key), "not int32");
    CHECK_FAILS(mx_random_uniform_broadcast(VEC(1, 2, 3), f32(4), SHAPE(2), MLX_FLOAT32, key),
                "[uniform] parameters of shape (3,) do not broadcast to (2,)");
    CHECK_FAILS(mx_random_uniform_broadcast(VEC(1, 2), f32(4), SHAPE(1), MLX_FLOAT32, key),
                "do not broadcast");
}

static void normal(void **state)
{
    (void)state;
    CHECK_ULP(mx_random_normal(SHAPE(5), MLX_FLOAT32, 0, 1, key), 0x1.80b470p-3f, -0x1.48891cp+0f,
              -0x1.159906p-2f, 0x1.3fc264p+0f, 0x1.f4acb2p-3f);
    float parts[4];
    assert_int_equal(mx_read(mx_random_normal(SHAPE(2), MLX_COMPLEX64, 0, 1, key), parts), 0);
    CHECK_ULP(mx_from(parts, SHAPE(4), MLX_FLOAT32), 1.2841675281524658f, -0.5337841510772705f,
              0.24033799767494202f, -0.3781857192516327f);
    mlx_array plain = mx_random_normal(SHAPE(3, 2), MLX_FLOAT32, 0, 1, key);
    mlx_array moved = mx_random_normal_broadcast(SHAPE(3, 2), MLX_FLOAT32, VEC(1, -1), VEC(2, 0.5f), key);
    mlx_array expected = mx_add(mx_multiply(plain, VEC(2, 0.5f)), VEC(1, -1));
    CHECK(mx_max(mx_abs(mx_subtract(moved, expected)), NULL, 0, false), 1e-6f, 0);
    moved = mx_random_normal(SHAPE(3, 2), MLX_FLOAT32, 3, 2, key);
    expected = mx_add(mx_multiply(plain, f32(2)), f32(3));
    CHECK(mx_max(mx_abs(mx_subtract(moved, expected)), NULL, 0, false), 1e-6f, 0);
    const mlx_dtype dtypes[4] = {MLX_FLOAT16, MLX_BFLOAT16, MLX_FLOAT32, MLX_FLOAT64};
    for (int t = 0; t < 4; t++) { /* all of float32's numbers, rounded */
        mlx_array y = mx_random_normal(SHAPE(100000), dtypes[t], 0, 1, key);
        assert_int_equal(mx_dtype_of(y), dtypes[t]);
        y = mx_astype(y, MLX_FLOAT32);
        CHECK(mx_mean(y, NULL, 0, false), 1e-2f, 0);
        CHECK(mx_mean(mx_square(y), NULL, 0, false), 2e-2f, 1);
        assert_true(mx_read_f32(mx_max(y, NULL, 0, false), out) == 0 && out[0] > 4);
    }
    CHECK_ULP(mx_random_gumbel(SHAPE(3), MLX_FLOAT32, key), 3.3440396785736084f, -0.14513324201107025f,
              0.7825523614883423f);
    CHECK_ULP(mx_random_laplace(SHAPE(3), MLX_FLOAT32, 0, 1, key), -2.6684885025024414f, 0.4630463123321533f,
              -0.3093280792236328f);
    CHECK(mx_random_laplace(SHAPE(3), MLX_FLOAT32, 1, 2, key), 1e-6f, -4.3369770f, 1.9260926f, 0.3813438f);
    CHECK(mx_random_truncated_normal(i32(-1), i32(1), SHAPE(3), MLX_FLOAT32, key), 6e-8f, 0.9065213799476624f,
          -0.32263678312301636f, 0.2296501249074936f);
    mlx_array y = mx_random_truncated_normal(VEC(-1, 2), VEC(0, 3), SHAPE(20000, 2), MLX_FLOAT32, key);
    CHECK(mx_min(y, SHAPE(0), false), 2e-2f, -1, 2);
    CHECK(mx_max(y, SHAPE(0), false), 2e-2f, 0, 3);
    CHECK_FAILS(mx_random_normal(SHAPE(2), MLX_INT32, 0, 1, key), "[normal] a float dtype or complex64");
    CHECK_FAILS(mx_random_laplace(SHAPE(2), MLX_UINT8, 0, 1, key), "[laplace] a float dtype");
    CHECK_FAILS(mx_random_truncated_normal(i32(0), VEC(1, 2), SHAPE(3), MLX_FLOAT32, key),
                "do not broadcast");
}

static void multivariate_normal(void **state)
{
    (void)state;
    mlx_array cov = mx_from((float[]){2, 0.5f, 0.5f, 1}, SHAPE(2, 2), MLX_FLOAT32), mean = VEC(0, 0);
    mlx_array y = mx_random_multivariate_normal(mean, cov, SHAPE(2), MLX_FLOAT32, key);
    if (mx_is_null(y) || mx_eval(y)) { /* there may be no LAPACK */
        assert_true(mx_failed());
        assert_non_null(strstr(mx_error_text(), "LAPACK"));
        skip();
    }
    CHECK(y, 1e-6f, 2.380892753601074f, -0.35582131147384644f, 0.3627791702747345f, -0.45133650302886963f);
    y = mx_random_multivariate_normal(mx_add(mean, VEC(5, -5)), cov, SHAPE(50000), MLX_FLOAT32, key);
    CHECK(mx_mean(y, SHAPE(0), false), 2e-2f, 5, -5);
    y = mx_subtract(y, VEC(5, -5));
    CHECK(mx_multiply(mx_matmul(mx_swapaxes(y, 0, 1), y), f32(1 / 50000.0)), 3e-2f, 2, 0.5f, 0.5f, 1);
    CHECK_FAILS(mx_random_multivariate_normal(mean, cov, SHAPE(2), MLX_FLOAT16, key), "must be float32");
    CHECK_FAILS(mx_random_multivariate_normal(VEC(1, 2, 3), cov, SHAPE(2), MLX_FLOAT32, key),
                "must be (.., N)");
}

static void choices(void **state)
{
    (void)state;
    CHECK_INTS(mx_random_randint(i32(0), i32(100), SHAPE(8), MLX_INT32, key), 53, 34, 35, 95, 10, 98, 19, 87);
    CHECK_INTS(mx_random_bernoulli(f32(0.5), SHAPE(8), key), 0, 1, 1, 0, 1, 0, 1, 0);
    mlx_array certain = mx_random_bernoulli(VEC(0, 1, -1, 2), SHAPE(1000, 4), key);
    assert_int_equal(mx_dtype_of(certain), MLX_BOOL);
    CHECK(mx_mean(certain, SHAPE(0), false), 0, 0, 1, 0, 1);
    mlx_array y = mx_random_randint(mx_from((int[]){-3, 1 << 30}, SHAPE(2), MLX_INT32),
                                    mx_from((int[]){3, (1 << 30) + 1}, SHAPE(2), MLX_INT32), SHAPE(5000, 2),
                                    MLX_INT32, key);
    CHECK_INTS(mx_min(y, SHAPE(0), false), -3, 1 << 30);
    CHECK_INTS(mx_max(y, SHAPE(0), false), 2, 1 << 30);
    assert_int_equal(mx_dtype_of(mx_random_randint(i32(0), i32(9), SHAPE(2), MLX_UINT8, key)), MLX_UINT8);
    y = mx_random_randint(i32(10), i32(-10), SHAPE(1000), MLX_INT32,
                          key); /* nothing between: the lower bound */
    CHECK_INTS(mx_min(y, NULL, 0, false), 10);
    CHECK_INTS(mx_max(y, NULL, 0, false), 10);
    mlx_array low = mx_int((int64_t)1 << 40, MLX_INT64), high = mx_int(((int64_t)1 << 40) + 1024, MLX_INT64);
    y = mx_random_randint(low, high, SHAPE(1000), MLX_INT64, key); /* bounds that are no float32s */
    CHECK_INTS(mx_all(mx_greater_equal(y, low), NULL, 0, false), 1);
    CHECK_INTS(mx_all(mx_less(y, high), NULL, 0, false), 1);
    y = mx_random_randint(i32(0), i32(2), SHAPE(1000), MLX_BOOL, key);
    CHECK(mx_mean(y, NULL, 0, false), 0.1f, 0.5f);
    CHECK_INTS(mx_any(mx_random_randint(i32(0), i32(1), SHAPE(1000), MLX_BOOL, key), NULL, 0, false), 0);
    CHECK_INTS(mx_random_permutation_arange(8, key), 4, 6, 1, 2, 0, 7, 3, 5);
    mlx_array x = mx_reshape(mx_arange(0, 6, 1, MLX_INT32), SHAPE(2, 3));
    CHECK_INTS(mx_random_permutation(x, 1, key), 1, 2, 0, 4, 5, 3);
}

static void permutations_keep_all(void **state)
{
    (void)state;
    mlx_array sorted = mx_sort(mx_random_permutation_arange(1000, key), 0);
    CHECK(mx_all(mx_equal(sorted, mx_arange(0, 1000, 1, MLX_UINT32)), NULL, 0, false), 0, 1);
    assert_int_equal(mx_size(mx_random_permutation_arange(0, key)), 0);
    CHECK_FAILS(mx_random_permutation_arange(-1, key), "negative size -1");
    CHECK_FAILS(mx_random_permutation(i32(1), 0, key), "[permutation] axis 0");
    CHECK_FAILS(mx_random_bernoulli(i32(1), SHAPE(2), key),
                "[bernoulli] p must be of a float dtype, not int32");
    CHECK_FAILS(mx_random_bernoulli(VEC(1, 0, 1), SHAPE(2), key), "do not broadcast");
    CHECK_FAILS(mx_random_randint(i32(0), i32(3), SHAPE(2), MLX_FLOAT32, key), "[randint] an integer dtype");
}

static void categorical(void **state)
{
    (void)state;
    mlx_array row = mx_zeros(SHAPE(10), MLX_FLOAT32), rows = mx_zeros(SHAPE(4, 10), MLX_FLOAT32);
    CHECK_INTS(mx_random_categorical(row, key), 8);
    CHECK_INTS(mx_random_categorical_num_samples(row, -1, 5, key), 5, 0, 3, 8, 5);
    CHECK_INTS(mx_random_categorical(rows, key), 2, 5, 1, 3);
    mlx_array y = mx_random_categorical_num_samples(mx_slice_axis(rows, 0, 0, 2), 1, 3, key);
    assert_int_equal(mx_ndim(y), 2);
    CHECK_INTS(y, 1, 5, 6, 6, 7, 2);
    /* the largest of logits and Gumbel numbers, along another axis */
    mlx_array tilted = mx_multiply(mx_arange(0, 10, 1, MLX_FLOAT32), f32(0.1)),
              columns = mx_reshape(tilted, SHAPE(10, 1));
    mlx_array sums = mx_add(columns, mx_random_gumbel(SHAPE(10, 4), MLX_FLOAT32, key));
    columns = mx_broadcast_to(columns, SHAPE(10, 4));
    assert_int_equal(mx_read_i64(mx_argmax(sums, 0, false), ints), 0);
    CHECK_INTS(mx_random_categorical_axis(columns, -2, key), ints[0], ints[1], ints[2], ints[3]);
    /* frequencies, by both ways, and impossible entries */
    mlx_array p = VEC(0.1f, 0, 0.6f, 0.3f), logits = mx_log(p);
    for (int way = 0; way < 2; way++) {
        mlx_array two = mx_broadcast_to(logits, SHAPE(2, 4));
        y = way ? mx_random_categorical_shape(two, 1, SHAPE(20000, 2), key)
                : mx_random_categorical_shape(logits, 0, SHAPE(40000), key);
        y = mx_reshape(y, SHAPE(-1, 1));
        assert_int_equal(mx_dtype_of(y), MLX_UINT32);
        CHECK(mx_mean(mx_equal(y, mx_arange(0, 4, 1, MLX_UINT32)), SHAPE(0), false), 1e-2f, 0.1f, 0, 0.6f,
              0.3f);
    }
    y = mx_random_categorical_num_samples(VEC(-INF_, INF_, 0, INF_), 0, 1000, key);
    CHECK(mx_mean(mx_equal(mx_reshape(y, SHAPE(-1, 1)), mx_arange(0, 4, 1, MLX_UINT32)), SHAPE(0), false),
          5e-2f, 0, 0.5f, 0, 0.5f);
    CHECK_FAILS(mx_random_categorical(f32(1), key), "[categorical] axis -1");
    CHECK_FAILS(mx_random_categorical_shape(rows, 1, SHAPE(5, 3), key),
                "without axis 1 do not broadcast to (5, 3)");
    CHECK_FAILS(mx_random_categorical_num_samples(rows, 1, -2, key), "-2 samples");
}

/* Null keys: the shared sequence, which a seed starts over. */
static void default_sequence(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        mx_random_seed(42);
        CHECK(mx_random_uniform(0, 1, SHAPE(3), MLX_FLOAT32, MX_NULL), 0, 0.2851702570915222f,
              0.6119449138641357f, 0.17565257847309113f);
        CHECK_ULP(mx_random_normal(SHAPE(3), MLX_FLOAT32, 0, 1, MX_NULL), 0.6790336966514587f,
                  -1.2206053733825684f, 0.9467062950134277f);
    }
    /* a key that is null because a call failed is not the sequence's */
    mlx_array bad = mx_random_bits(SHAPE(2), 3, key);
    assert_true(mx_is_null(mx_random_bits(SHAPE(2), 4, bad)));
    assert_true(mx_failed());
}

static int start(void **state)
{
    (void)state;
    key = mx_random_key(0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    mx_release(0);
    return 0;
}

static void cleanup(void)
{
    assert_int_equal(mx_live_nodes(), 0);
    mx_shutdown();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keys_and_bits),       TEST(uniform),          TEST(normal),
        TEST(multivariate_normal), TEST(choices),          TEST(permutations_keep_all),
        TEST(categorical),         TEST(default_sequence),
    };
    return RUN_TESTS("random", tests, cleanup);
}
