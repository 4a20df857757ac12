/* Arrays from nothing: counts in every dtype, spaces, diagonals, grids, windows. */
#include "ops/check.h"

static void counts(void **state)
{
    (void)state;
    /* the step is the difference of the first two numbers as the dtype holds them */
    CHECK_INTS(mx_arange(0, 3, 0.2, MLX_INT32), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    CHECK_INTS(mx_arange(-1, -4, -0.9, MLX_INT32), -1, -1, -1, -1);
    CHECK_INTS(mx_arange(-1, -4, -1.2, MLX_INT32), -1, -2, -3);
    CHECK_INTS(mx_arange(250, 258, 2, MLX_UINT8), 250, 252, 254, 0);
    CHECK_INTS(mx_arange(-2, 2, 1, MLX_INT8), -2, -1, 0, 1);
    CHECK_INTS(mx_arange(0, 3, 1, MLX_UINT16), 0, 1, 2);
    CHECK_INTS(mx_arange(0x1p62, 0x1p62 + 2048, 1024, MLX_INT64), 0x4000000000000000, 0x4000000000000400);
    mlx_array top = mx_arange(0x1p63, 0x1p63 + 4096, 2048, MLX_UINT64);
    uint64_t large[2];
    assert_int_equal(mx_size(top), 2);
    assert_int_equal(mx_read(top, large), 0);
    assert_true(large[0] == 0x8000000000000000 && large[1] == 0x8000000000000800);
    /* added up in the dtype, rounding each time */
    float at = 0, expected[1000];
    for (int i = 0; i < 1000; i++, at += 0.1f)
        expected[i] = at;
    check(mx_arange(0, 99.95, 0.1, MLX_FLOAT32), 1000, expected, 0);
    CHECK(mx_arange(254, 259, 1, MLX_BFLOAT16), 0, 254, 255, 256, 256, 256);
    CHECK(mx_arange(2046, 2051, 1, MLX_FLOAT16), 0, 2046, 2047, 2048, 2048, 2048);
    double doubles[3];
    assert_int_equal(mx_read(mx_arange(0, 0.3, 0.1, MLX_FLOAT64), doubles), 0);
    assert_true(doubles[0] == 0 && doubles[1] == 0.1 && doubles[2] == 0.1 + 0.1);
    float complexes[4];
    assert_int_equal(mx_read(mx_arange(1, 2, 0.5, MLX_COMPLEX64), complexes), 0);
    assert_true(complexes[0] == 1 && complexes[1] == 0 && complexes[2] == 1.5f && complexes[3] == 0);
    assert_int_equal(mx_size(mx_arange(3, 1, 1, MLX_FLOAT32)), 0);
    assert_int_equal(mx_size(mx_arange(1, 1, 1, MLX_FLOAT32)), 0);
    CHECK_FAILS(mx_arange(0, 1, 0, MLX_FLOAT32), "step not 0");
    CHECK_FAILS(mx_arange(NAN, 1, 1, MLX_FLOAT32), "must be finite");
    CHECK_FAILS(mx_arange(0, INFINITY, INFINITY, MLX_FLOAT32), "must be finite");
    CHECK_FAILS(mx_arange(0, 0x1p31, 1, MLX_INT64), "too many");
    CHECK_FAILS(mx_arange(0, 1, 1, MLX_BOOL), "bool is not supported");
    CHECK_FAILS(mx_arange(-0x1p64, 0, 0x1p63, MLX_INT64), "do not fit int64");
    mx_release(0);
}

static void spaces(void **state)
{
    (void)state;
    CHECK(mx_linspace(0, 1, 5, MLX_FLOAT32), 0, 0, 0.25f, 0.5f, 0.75f, 1);
    CHECK(mx_linspace(3, -1, 3, MLX_FLOAT16), 0, 3, 1, -1);
    CHECK_INTS(mx_linspace(0, 10, 4, MLX_INT32), 0, 3, 6, 10);
    CHECK(mx_linspace(2, 9, 1, MLX_FLOAT32), 0, 2);
    assert_int_equal(mx_ndim(mx_linspace(2, 9, 1, MLX_FLOAT32)), 1);
    assert_int_equal(mx_size(mx_linspace(2, 9, 0, MLX_FLOAT32)), 0);
    double doubles[4];
    assert_int_equal(mx_read(mx_linspace(0, 1, 4, MLX_FLOAT64), doubles), 0);
    assert_true(doubles[1] == 1.0 / 3 && doubles[3] == 1);
    CHECK_FAILS(mx_linspace(0, 1, -1, MLX_FLOAT32), "-1 is negative");
    mx_release(0);
}

static void constants(void **state)
{
    (void)state;
    mlx_array x = mx_zeros(SHAPE(2, 1), MLX_INT8);
    CHECK_INTS(mx_ones_like(x), 1, 1);
    assert_int_equal(mx_dtype_of(mx_zeros_like(x)), MLX_INT8);
    CHECK(mx_full_like(x, mx_float(2.5f, MLX_FLOAT32), MLX_FLOAT32), 0, 2.5f, 2.5f);
    CHECK_INTS(mx_full_like(x, VEC(1, 2, 3), MLX_INT32), 1, 2, 3, 1, 2, 3); /* both broadcast, as in MLX */
    CHECK_FAILS(mx_full_like(mx_zeros(SHAPE(2), MLX_INT8), VEC(1, 2, 3), MLX_INT32), "cannot be broadcast");
    CHECK_INTS(mx_eye(2, 3, 0, MLX_INT32), 1, 0, 0, 0, 1, 0);
    CHECK_INTS(mx_eye(2, 3, 1, MLX_INT32), 0, 1, 0, 0, 0, 1);
    CHECK_INTS(mx_eye(3, 2, -2, MLX_BOOL), 0, 0, 0, 0, 1, 0);
    CHECK_INTS(mx_eye(2, 2, INT32_MAX, MLX_INT32), 0, 0, 0, 0);
    CHECK_INTS(mx_eye(2, 2, INT32_MIN, MLX_INT32), 0, 0, 0, 0);
    assert_int_equal(mx_size(mx_eye(0, 3, 0, MLX_INT32)), 0);
    CHECK(mx_identity(2, MLX_FLOAT16), 0, 1, 0, 0, 1);
    CHECK_FAILS(mx_eye(-1, 2, 0, MLX_INT32), "[eye] sizes -1 and 2");
    CHECK_INTS(mx_tri(2, 3, 0, MLX_INT32), 1, 0, 0, 1, 1, 0);
    CHECK_INTS(mx_tri(2, 3, 1, MLX_INT32), 1, 1, 0, 1, 1, 1);
    CHECK_INTS(mx_tri(2, 3, -1, MLX_BOOL), 0, 0, 0, 1, 0, 0);
    CHECK_FAILS(mx_tri(2, -3, 0, MLX_INT32), "[tri] sizes 2 and -3");
    mx_release(0);
}

static void grids(void **state)
{
    (void)state;
    mlx_array in[3] = {VEC(1, 2), VEC(3, 4, 5), mx_float(6, MLX_FLOAT32)}, y[3];
    assert_int_equal(mx_meshgrid(in, 2, false, "xy", y), 0);
    CHECK(y[0], 0, 1, 2, 1, 2, 1, 2);
    CHECK(y[1], 0, 3, 3, 4, 4, 5, 5);
    assert_int_equal(mx_dim(y[0], 0), 3);
    assert_int_equal(mx_meshgrid(in, 2, false, "ij", y), 0);
    CHECK(y[0], 0, 1, 1, 1, 2, 2, 2);
    CHECK(y[1], 0, 3, 4, 5, 3, 4, 5);
    assert_int_equal(mx_meshgrid(in, 3, true, "xy", y), 0);
    CHECK(y[0], 0, 1, 2);
    assert_int_equal(mx_dim(y[0], 1), 2);
    assert_int_equal(mx_dim(y[1], 0), 3);
    assert_int_equal(mx_ndim(y[2]), 3);
    assert_int_equal(mx_meshgrid(in, 1, false, "xy", y), 0);
    CHECK(y[0], 0, 1, 2);
    CHECK_FAILS((mx_meshgrid(in, 2, false, "yx", y), y[0]), "indexing 'yx' is neither xy nor ij");
    mx_release(0);
}

/* Against the formulas in double. */
static void windows(void **state)
{
    (void)state;
    const double pi = 3.14159265358979323846;
    const int sizes[4] = {2, 5, 8, 101};
    for (int s = 0; s < 4; s++) {
        int m = sizes[s];
        float bartlett[101], hanning[101], hamming[101], blackman[101];
        for (int i = 0; i < m; i++) {
            double a = 2 * pi * i / (m - 1);
            bartlett[i] = (float)(1 - fabs(2.0 * i / (m - 1) - 1));
            hanning[i] = (float)(0.5 - 0.5 * cos(a));
            hamming[i] = (float)(0.54 - 0.46 * cos(a));
            blackman[i] = (float)(0.42 - 0.5 * cos(a) + 0.08 * cos(2 * a));
        }
        check(mx_bartlett(m), (size_t)m, bartlett, 1e-6f);
        check(mx_hanning(m), (size_t)m, hanning, 1e-6f);
        check(mx_hamming(m), (size_t)m, hamming, 1e-6f);
        check(mx_blackman(m), (size_t)m, blackman, 1e-6f);
    }
    mlx_array (*const all[4])(int) = {mx_bartlett, mx_hanning, mx_hamming, mx_blackman};
    for (int w = 0; w < 4; w++) {
        CHECK(all[w](1), 0, 1);
        assert_int_equal(mx_size(all[w](0)), 0);
        assert_int_equal(mx_size(all[w](-3)), 0);
        assert_int_equal(mx_dtype_of(all[w](-3)), MLX_FLOAT32);
    }
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
        cmocka_unit_test(counts), cmocka_unit_test(spaces),  cmocka_unit_test(constants),
        cmocka_unit_test(grids),  cmocka_unit_test(windows),
    };
    return RUN_TESTS("create", tests, cleanup);
}
