/* Shapes, views, parts and joins: values worked out by hand, which results share memory, and wrong calls. */
#include "ops/check.h"

static mlx_array cube(void) { return mx_reshape(mx_arange(0, 24, 1, MLX_FLOAT32), SHAPE(2, 3, 4)); }

static void check_shape(mlx_array x, const int *shape, size_t n)
{
    if (mx_is_null(x)) {
        mx_failed();
        fail_msg("%s", mx_error_text());
    }
    assert_int_equal(mx_ndim(x), n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(mx_shape(x)[i], shape[i]);
}

/* Does y, once computed, begin `offset` bytes into x's memory? */
static bool shares(mlx_array y, mlx_array x, ptrdiff_t offset)
{
    assert_int_equal(mx_eval(x), 0);
    assert_int_equal(mx_eval(y), 0);
    return (const char *)mx_data(y) == (const char *)mx_data(x) + offset;
}

static void axes(void **state)
{
    (void)state;
    mlx_array x = cube(), s = mx_float(1, MLX_FLOAT32);
    check_shape(mx_flatten(x, 0, -1), SHAPE(24));
    check_shape(mx_flatten(x, 1, 2), SHAPE(2, 12));
    check_shape(mx_flatten(x, -100, 1), SHAPE(6, 4)); /* clipped */
    check_shape(mx_flatten(x, -2, 100), SHAPE(2, 12));
    check_shape(mx_flatten(s, 0, -1), SHAPE(1));
    check_shape(mx_flatten(mx_zeros(SHAPE(3, 0, 2), MLX_FLOAT32), 0, 1), SHAPE(0, 2));
    CHECK_FAILS(mx_flatten(x, 2, 1), "axes 2 to 1 are none");
    CHECK_FAILS(mx_flatten(x, 3, 3), "axes 3 to 3 are none");
    CHECK_FAILS(mx_flatten(x, 0, -5), "are none");
    check_shape(mx_unflatten(x, -1, SHAPE(2, -1)), SHAPE(2, 3, 2, 2));
    check_shape(mx_unflatten(x, 0, SHAPE(1, 2, 1)), SHAPE(1, 2, 1, 3, 4));
    check_shape(mx_unflatten(x, 0, SHAPE(2)), SHAPE(2, 3, 4));
    check_shape(mx_unflatten(mx_zeros(SHAPE(0), MLX_FLOAT32), 0, SHAPE(3, -1)), SHAPE(3, 0));
    CHECK_FAILS(mx_unflatten(x, 1, SHAPE(2, -1)), "axis 1 of shape (2, 3, 4) cannot become (2, -1)");
    CHECK_FAILS(mx_unflatten(x, 1, SHAPE(-1, -1)), "cannot become (-1, -1)");
    CHECK_FAILS(mx_unflatten(x, 1, SHAPE(4)), "cannot become (4,)");
    CHECK_FAILS(mx_unflatten(x, 3, SHAPE(1)), "out of range");
    CHECK_FAILS(mx_unflatten(x, 0, NULL, 0), "is empty");
    check_shape(mx_expand_dims_axes(x, SHAPE(0, -1, 2)), SHAPE(1, 2, 1, 3, 4, 1));
    CHECK_FAILS(mx_expand_dims_axes(x, SHAPE(0, -5)), "given twice");
    CHECK_FAILS(mx_expand_dims_axes(x, SHAPE(5, 0)), "axis 5 is out of range for an array of 5 dimensions");
    CHECK_FAILS(mx_expand_dims(x, 4), "axis 4 is out of range");
    mlx_array thin = mx_reshape(x, SHAPE(1, 24, 1));
    check_shape(mx_squeeze_axes(thin, SHAPE(-1, 0)), SHAPE(24));
    check_shape(mx_squeeze_axes(thin, NULL, 0), SHAPE(24));
    check_shape(mx_squeeze_axes(thin, (const int[]){9}, 0), SHAPE(1, 24, 1));
    check_shape(mx_squeeze_axes(mx_ones(SHAPE(1, 1), MLX_BOOL), NULL, 0), NULL, 0);
    CHECK_FAILS(mx_squeeze_axes(thin, SHAPE(0, 1)), "axis 1 of shape (1, 24, 1) is not of size 1");
    CHECK_FAILS(mx_squeeze_axes(thin, SHAPE(0, -3)), "given twice");
    check_shape(mx_transpose(x, NULL, 0), SHAPE(4, 3, 2));
    check_shape(mx_transpose(s, NULL, 0), NULL, 0);
    CHECK(mx_transpose(mx_slice_axis(x, 0, 0, 1), NULL, 0), 0, 0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11);
    check_shape(mx_moveaxis(x, 0, 2), SHAPE(3, 4, 2));
    check_shape(mx_moveaxis(x, -1, 0), SHAPE(4, 2, 3));
    check_shape(mx_moveaxis(x, 1, 1), SHAPE(2, 3, 4));
    check_shape(mx_moveaxis(x, 1, -1), SHAPE(2, 4, 3));
    CHECK_FAILS(mx_moveaxis(x, 3, 0), "[moveaxis] axis 3");
    CHECK_FAILS(mx_swapaxes(x, 0, -4), "[swapaxes] axis -4");
    check_shape(mx_atleast_1d(s), SHAPE(1));
    check_shape(mx_atleast_2d(s), SHAPE(1, 1));
    check_shape(mx_atleast_3d(s), SHAPE(1, 1, 1));
    check_shape(mx_atleast_2d(VEC(1, 2)), SHAPE(1, 2));
    check_shape(mx_atleast_3d(VEC(1, 2)), SHAPE(1, 2, 1));
    check_shape(mx_atleast_3d(mx_ones(SHAPE(2, 3), MLX_BOOL)), SHAPE(2, 3, 1));
    check_shape(mx_atleast_3d(mx_ones(SHAPE(2, 3, 4, 5), MLX_BOOL)), SHAPE(2, 3, 4, 5));
    int ones[32];
    for (int i = 0; i < 32; i++)
        ones[i] = 1;
    CHECK_FAILS(mx_expand_dims(mx_reshape(s, ones, 32), 0), "out of range for an array of 33 dimensions");
    CHECK_FAILS(mx_unflatten(mx_reshape(s, ones, 32), 0, SHAPE(1, 1)),
                "33 dimensions are more than the limit of 32");
    mlx_array wide = mx_broadcast_to(s, SHAPE(1 << 16, 1 << 16));
    CHECK_FAILS(mx_flatten(wide, 0, -1), "Shape dimension 4294967296 is outside the supported range");
    mx_release(0);
}

static void broadcasts(void **state)
{
    (void)state;
    mlx_array out3[3], in[3] = {VEC(1, 2, 3), mx_reshape(VEC(4, 5), SHAPE(2, 1)), mx_float(6, MLX_FLOAT32)};
    assert_int_equal(mx_broadcast_arrays(in, 3, out3), 0);
    CHECK(out3[0], 0, 1, 2, 3, 1, 2, 3);
    CHECK(out3[1], 0, 4, 4, 4, 5, 5, 5);
    CHECK(out3[2], 0, 6, 6, 6, 6, 6, 6);
    assert_true(shares(out3[0], in[0], 0));
    assert_int_equal(mx_strides(out3[0])[0], 0);
    in[2] = VEC(1, 2);
    CHECK_FAILS((mx_broadcast_arrays(in, 3, out3), out3[0]),
                "[broadcast_arrays] shapes (2, 3) and (2,) cannot be broadcast");
    assert_true(mx_is_null(out3[0]));
    assert_int_equal(mx_broadcast_arrays(in, 0, out3), 0);
    mlx_array none[2] = {mx_zeros(SHAPE(0), MLX_FLOAT32), mx_ones(SHAPE(3, 1), MLX_FLOAT32)};
    assert_int_equal(mx_broadcast_arrays(none, 2, out3), 0);
    check_shape(out3[1], SHAPE(3, 0));
    mx_release(0);
}

/* Reshapes of strided arrays look into them where strides allow it, else they copy. */
static void reshapes(void **state)
{
    (void)state;
    mlx_array x = cube(), part = mx_slice_axis(x, 2, 1, 3), back; /* (2, 3, 2), strides 12 4 1 */
    assert_int_equal(mx_eval(x), 0);
    back = mx_flatten(part, 0, 1);
    CHECK(back, 0, 1, 2, 5, 6, 9, 10, 13, 14, 17, 18, 21, 22);
    assert_true(shares(back, x, 4));
    assert_int_equal(mx_strides(back)[0], 4);
    assert_true(shares(mx_unflatten(part, 2, SHAPE(1, 2, 1)), x, 4));
    assert_true(shares(mx_reshape(part, SHAPE(3, 2, 2)), x, 4));
    assert_false(shares(mx_flatten(part, 0, 2), x, 4));
    CHECK(mx_flatten(part, 1, 2), 0, 1, 2, 5, 6, 9, 10, 13, 14, 17, 18, 21, 22);
    mlx_array turned = mx_swapaxes(x, 0, 2); /* (4, 3, 2), strides 1 4 12: the last two are crossed evenly */
    assert_true(shares(mx_reshape(turned, SHAPE(4, 1, 6)), x, 0) == false);
    CHECK(mx_reshape(turned, SHAPE(2, 12)), 0, 0, 12, 4, 16, 8, 20, 1, 13, 5, 17, 9, 21, 2, 14, 6, 18, 10, 22,
          3, 15, 7, 19, 11, 23);
    mlx_array all = mx_transpose(mx_reshape(x, SHAPE(6, 4)), SHAPE(1, 0)); /* (4, 6), strides 1 4 */
    assert_true(shares(mx_reshape(all, SHAPE(2, 2, 3, 2)), x, 0));
    CHECK(mx_sum(mx_reshape(all, SHAPE(2, 2, 3, 2)), SHAPE(1, 3), false), 0, 10, 42, 74, 18, 50, 82);
    mlx_array reversed = mx_slice(x, (int[]){1, 2, 3}, (int[]){-9, -9, -9}, (int[]){-1, -1, -1});
    assert_true(shares(mx_reshape(reversed, SHAPE(4, 6)), x, 23 * 4));
    CHECK(mx_slice_axis(mx_reshape(reversed, SHAPE(4, 6)), 0, 0, 1), 0, 23, 22, 21, 20, 19, 18);
    mlx_array many = mx_broadcast_to(mx_float(2, MLX_FLOAT32), SHAPE(1 << 12, 1 << 12));
    mlx_array merged = mx_flatten(many, 0, 1);
    assert_int_equal(mx_eval(merged), 0);
    assert_int_equal(mx_strides(merged)[0], 0);
    CHECK_FAILS(mx_reshape(x, SHAPE(-1, -1)), "cannot become (-1, -1)");
    check_shape(mx_reshape(mx_reshape(x, SHAPE(2, -1)), SHAPE(3, -1, 1)), SHAPE(3, 8, 1));
    mx_release(0);
}

static void strided(void **state)
{
    (void)state;
    mlx_array x = mx_arange(0, 10, 1, MLX_INT32), y;
    assert_int_equal(mx_eval(x), 0);
    y = mx_as_strided(x, SHAPE(3, 3), (const int64_t[]){1, 1}, 2, 2);
    CHECK_INTS(y, 2, 3, 4, 3, 4, 5, 4, 5, 6);
    assert_true(shares(y, x, 8));
    CHECK_INTS(mx_as_strided(x, SHAPE(4), (const int64_t[]){-3}, 1, 9), 9, 6, 3, 0);
    CHECK_INTS(mx_as_strided(x, NULL, 0, NULL, 0, 7), 7);
    /* of an array that is no row-major one the row-major elements count */
    mlx_array turned = mx_transpose(mx_reshape(x, SHAPE(2, 5)), NULL, 0);
    CHECK_INTS(mx_as_strided(turned, SHAPE(5), (const int64_t[]){2}, 1, 1), 5, 6, 7, 8, 9);
    CHECK_INTS(mx_as_strided(mx_int(4, MLX_INT32), SHAPE(3), (const int64_t[]){0}, 1, 0), 4, 4, 4);
    check_shape(mx_as_strided(x, SHAPE(0, 3), (const int64_t[]){1000, 1}, 2, 99), SHAPE(0, 3));
    check_shape(mx_as_strided(x, SHAPE(1, 2), (const int64_t[]){INT64_MAX, 1}, 2, 0), SHAPE(1, 2));
    CHECK_FAILS(mx_as_strided(x, SHAPE(4), (const int64_t[]){3}, 1, 1), "reaches beyond the 10 elements");
    CHECK_FAILS(mx_as_strided(x, SHAPE(2), (const int64_t[]){-1}, 1, 0), "reaches beyond");
    CHECK_FAILS(mx_as_strided(x, SHAPE(3), (const int64_t[]){INT64_MAX}, 1, 0), "reaches beyond");
    CHECK_FAILS(mx_as_strided(x, SHAPE(3), (const int64_t[]){INT64_MIN}, 1, 0), "reaches beyond");
    CHECK_FAILS(mx_as_strided(x, SHAPE(2), (const int64_t[]){1}, 1, SIZE_MAX), "out of range");
    CHECK_FAILS(mx_as_strided(x, SHAPE(2), (const int64_t[]){1, 1}, 2, 0), "2 strides are given for 1");
    CHECK_FAILS(mx_as_strided(x, SHAPE(-2), (const int64_t[]){1}, 1, 0), "negative size -2");
    mx_release(0);
}

static void bytes_as_other_dtypes(void **state)
{
    (void)state;
    mlx_array x = VEC(1, -2, 0.5f, 3);
    CHECK_INTS(mx_view(x, MLX_UINT32), 0x3f800000, 0xc0000000, 0x3f000000, 0x40400000);
    CHECK_INTS(mx_view(x, MLX_UINT16), 0, 0x3f80, 0, 0xc000, 0, 0x3f00, 0, 0x4040);
    assert_true(shares(mx_view(x, MLX_UINT16), x, 0));
    CHECK(mx_view(mx_view(x, MLX_UINT8), MLX_FLOAT32), 0, 1, -2, 0.5f, 3);
    CHECK_INTS(mx_view(mx_from((uint8_t[]){1, 0, 2, 0}, SHAPE(2, 2), MLX_UINT8), MLX_INT16), 1, 2);
    CHECK_INTS(mx_view(mx_int(-1, MLX_INT32), MLX_UINT32), UINT32_MAX);
    check_shape(mx_view(mx_zeros(SHAPE(2, 0), MLX_INT8), MLX_INT64), SHAPE(2, 0));
    check_shape(mx_view(mx_zeros(SHAPE(2, 3), MLX_COMPLEX64), MLX_FLOAT32), SHAPE(2, 6));
    /* strided: rows apart are still seen as smaller elements, others are copied */
    mlx_array rows = mx_slice(mx_reshape(mx_arange(0, 8, 1, MLX_INT32), SHAPE(4, 2)), (int[]){0, 0},
                              (int[]){4, 2}, (int[]){2, 1});
    CHECK_INTS(mx_view(rows, MLX_INT16), 0, 0, 1, 0, 4, 0, 5, 0);
    assert_true(shares(mx_view(rows, MLX_INT16), rows, 0));
    CHECK_INTS(mx_view(mx_swapaxes(rows, 0, 1), MLX_INT16), 0, 0, 4, 0, 1, 0, 5, 0);
    CHECK_INTS(mx_view(rows, MLX_INT64), (int64_t)1 << 32, ((int64_t)5 << 32) + 4);
    mlx_array odd = mx_slice_axis(mx_from((uint8_t[]){9, 1, 0, 2, 0}, SHAPE(5), MLX_UINT8), 0, 1, 5);
    CHECK_INTS(mx_view(odd, MLX_UINT16), 1, 2); /* not at an address that fits */
    assert_false(shares(mx_view(odd, MLX_UINT16), odd, 0));
    CHECK_FAILS(mx_view(mx_zeros(SHAPE(2, 3), MLX_INT8), MLX_INT16), "does not divide");
    CHECK_FAILS(mx_view(mx_int(1, MLX_INT32), MLX_INT8), "a scalar can only be viewed");
    mlx_array wide = mx_broadcast_to(mx_int(1, MLX_INT64), SHAPE(1 << 29));
    CHECK_FAILS(mx_view(wide, MLX_INT8), "Shape dimension 4294967296");
    mx_release(0);
}

static void diagonals(void **state)
{
    (void)state;
    mlx_array x = mx_reshape(mx_arange(0, 12, 1, MLX_FLOAT32), SHAPE(3, 4)), c = cube();
    CHECK(mx_diagonal(x, 0, 0, 1), 0, 0, 5, 10);
    CHECK(mx_diagonal(x, 2, 0, 1), 0, 2, 7);
    CHECK(mx_diagonal(x, -1, 0, 1), 0, 4, 9);
    CHECK(mx_diagonal(x, 1, 1, 0), 0, 4, 9);
    assert_true(shares(mx_diagonal(x, 2, 0, 1), x, 8));
    assert_int_equal(mx_size(mx_diagonal(x, 4, 0, 1)), 0);
    assert_int_equal(mx_size(mx_diagonal(x, INT32_MIN, 0, 1)), 0);
    CHECK(mx_diagonal(c, 0, 0, -1), 0, 0, 13, 4, 17, 8, 21);
    check_shape(mx_diagonal(mx_zeros(SHAPE(0, 3), MLX_FLOAT32), 0, 0, 1), SHAPE(0));
    CHECK_FAILS(mx_diagonal(VEC(1), 0, 0, 1), "at least 2 dimensions, not 1");
    CHECK_FAILS(mx_diagonal(x, 0, 1, -1), "are the same");
    CHECK_FAILS(mx_diagonal(x, 0, 0, 2), "axis 2 is out of range");
    CHECK(mx_diag(VEC(1, 2), 0), 0, 1, 0, 0, 2);
    CHECK(mx_diag(VEC(1, 2), 1), 0, 0, 1, 0, 0, 0, 2, 0, 0, 0);
    CHECK(mx_diag(VEC(1, NAN_), -1), 0, 0, 0, 0, 1, 0, 0, 0, NAN_, 0);
    CHECK(mx_diag(x, -1), 0, 4, 9);
    check_shape(mx_diag(mx_zeros(SHAPE(0), MLX_FLOAT32), 2), SHAPE(2, 2));
    check_shape(mx_diag(mx_zeros(SHAPE(0), MLX_FLOAT32), 0), SHAPE(0, 0));
    CHECK_FAILS(mx_diag(c, 0), "1 or 2 dimensions, not 3");
    CHECK_FAILS(mx_diag(VEC(1), INT32_MAX), "Shape dimension 2147483648");
    CHECK(mx_trace(x, 0, 0, 1, MLX_FLOAT32), 0, 15);
    CHECK(mx_trace(c, 1, 1, 2, MLX_FLOAT32), 0, 18, 54);
    assert_int_equal(mx_dtype_of(mx_trace(x, 0, 0, 1, MLX_INT8)), MLX_INT32);
    CHECK(mx_tril(x, 0), 0, 0, 0, 0, 0, 4, 5, 0, 0, 8, 9, 10, 0);
    CHECK(mx_triu(x, 1), 0, 0, 1, 2, 3, 0, 0, 6, 7, 0, 0, 0, 11);
    CHECK(mx_sum(mx_triu(c, INT32_MIN), NULL, 0, false), 0, 276);
    CHECK(mx_sum(mx_tril(c, INT32_MAX), NULL, 0, false), 0, 276);
    CHECK_FAILS(mx_tril(VEC(1), 0), "[tril] the array must have at least 2 dimensions");
    mx_release(0);
}

static void parts(void **state)
{
    (void)state;
    mlx_array x = cube(), p[4];
    assert_int_equal(mx_split(x, 2, -1, p), 0);
    CHECK(mx_slice_axis(p[1], 0, 0, 1), 0, 2, 3, 6, 7, 10, 11);
    assert_true(shares(p[1], x, 8));
    assert_int_equal(mx_split(x, 1, 0, p), 0);
    check_shape(p[0], SHAPE(2, 3, 4));
    CHECK_FAILS((mx_split(x, 3, 0, p), p[0]), "axis 0 of shape (2, 3, 4) does not divide into 3 equal parts");
    CHECK_FAILS((mx_split(x, 0, 0, p), p[0]), "must be between 1 and 1048576, not 0");
    CHECK_FAILS((mx_split(x, 2, 3, p), p[0]), "axis 3 is out of range");
    assert_int_equal(mx_split_sections(x, SHAPE(1, 3), 2, p), 0);
    check_shape(p[0], SHAPE(2, 3, 1));
    check_shape(p[1], SHAPE(2, 3, 2));
    check_shape(p[2], SHAPE(2, 3, 1));
    assert_int_equal(mx_split_sections(x, SHAPE(3, 1, 99), 2, p), 0); /* as numpy's */
    check_shape(p[0], SHAPE(2, 3, 3));
    check_shape(p[1], SHAPE(2, 3, 0));
    check_shape(p[2], SHAPE(2, 3, 3));
    check_shape(p[3], SHAPE(2, 3, 0));
    assert_int_equal(mx_split_sections(x, NULL, 0, 2, p), 0);
    check_shape(p[0], SHAPE(2, 3, 4));
    mx_release(0);
}

static void joins(void **state)
{
    (void)state;
    mlx_array a = VEC(1, 2), b = VEC(3, 4), x = mx_reshape(mx_arange(0, 6, 1, MLX_FLOAT32), SHAPE(2, 3));
    CHECK(mx_stack((mlx_array[]){a, b}, 2, 0), 0, 1, 2, 3, 4);
    CHECK(mx_stack((mlx_array[]){a, b}, 2, -1), 0, 1, 3, 2, 4);
    check_shape(mx_stack((mlx_array[]){a}, 1, 1), SHAPE(2, 1));
    check_shape(mx_stack((mlx_array[]){mx_int(1, MLX_INT8), mx_int(2, MLX_INT8)}, 2, 0), SHAPE(2));
    CHECK_FAILS(mx_stack(&a, 0, 0), "no arrays");
    CHECK_FAILS(mx_stack((mlx_array[]){a, x}, 2, 0), "same shape, not (2,) and (2, 3)");
    CHECK_FAILS(mx_stack((mlx_array[]){a, b}, 2, 2), "axis 2 is out of range");
    CHECK(mx_concatenate((mlx_array[]){a, x}, 2, MX_FLATTEN), 0, 1, 2, 0, 1, 2, 3, 4, 5);
    check_shape(mx_concatenate((mlx_array[]){x}, 1, MX_FLATTEN), SHAPE(6));
    assert_int_equal(mx_dtype_of(mx_concatenate((mlx_array[]){a, mx_ones(SHAPE(1), MLX_INT64)}, 2, 0)),
                     MLX_FLOAT32);
    CHECK_FAILS(mx_concatenate((mlx_array[]){a, x}, 2, 0), "shapes (2,) and (2, 3) differ outside axis 0");
    CHECK_FAILS(mx_concatenate((mlx_array[]){x, mx_ones(SHAPE(2, 2), MLX_INT8)}, 2, 0),
                "differ outside axis 0");
    mlx_array wide = mx_broadcast_to(a, SHAPE(1 << 30, 2));
    CHECK_FAILS(mx_concatenate((mlx_array[]){wide, wide}, 2, 0),
                "[concatenate] Shape dimension 2147483648 is outside the supported range");
    CHECK(mx_repeat(x, 2, 1), 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5);
    CHECK(mx_repeat(x, 2, -2), 0, 0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5);
    CHECK(mx_repeat(x, 2, MX_FLATTEN), 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5);
    CHECK(mx_repeat(mx_float(3, MLX_FLOAT32), 2, MX_FLATTEN), 0, 3, 3);
    check_shape(mx_repeat(x, 0, 1), SHAPE(2, 0));
    CHECK_FAILS(mx_repeat(x, -1, 1), "-1 is negative");
    CHECK_FAILS(mx_repeat(x, 2, 2), "axis 2 is out of range");
    CHECK_FAILS(mx_repeat(x, INT32_MAX, 1), "[repeat] Shape dimension 6442450941");
    CHECK(mx_tile(a, SHAPE(2)), 0, 1, 2, 1, 2);
    CHECK(mx_tile(a, SHAPE(2, 1)), 0, 1, 2, 1, 2);
    check_shape(mx_tile(a, SHAPE(2, 1)), SHAPE(2, 2));
    CHECK(mx_tile(x, SHAPE(2)), 0, 0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5);
    CHECK(mx_tile(mx_float(3, MLX_FLOAT32), SHAPE(1, 2)), 0, 3, 3);
    check_shape(mx_tile(x, SHAPE(0, 2)), SHAPE(0, 6));
    check_shape(mx_tile(x, NULL, 0), SHAPE(2, 3));
    CHECK_FAILS(mx_tile(x, SHAPE(-1)), "-1 is negative");
    CHECK_FAILS(mx_tile(x, SHAPE(INT32_MAX)), "[tile] Shape dimension 6442450941");
    mx_release(0);
}

static void rolls(void **state)
{
    (void)state;
    mlx_array x = mx_reshape(mx_arange(0, 6, 1, MLX_FLOAT32), SHAPE(2, 3));
    CHECK(mx_roll(x, SHAPE(1), MX_FLATTEN), 0, 5, 0, 1, 2, 3, 4);
    check_shape(mx_roll(x, SHAPE(1), MX_FLATTEN), SHAPE(2, 3));
    CHECK(mx_roll(x, SHAPE(1), 1), 0, 2, 0, 1, 5, 3, 4);
    CHECK(mx_roll(x, SHAPE(-1), -1), 0, 1, 2, 0, 4, 5, 3);
    CHECK(mx_roll(x, SHAPE(2, 5), 1), 0, 2, 0, 1, 5, 3, 4); /* by their sum, 7 */
    CHECK(mx_roll(x, SHAPE(INT32_MIN), 1), 0, 2, 0, 1, 5, 3, 4);
    CHECK(mx_roll(x, SHAPE(3), 1), 0, 0, 1, 2, 3, 4, 5);
    CHECK(mx_roll_axes(x, SHAPE(1, 1), SHAPE(0, 1)), 0, 5, 3, 4, 2, 0, 1);
    CHECK(mx_roll_axes(x, SHAPE(1, 1), SHAPE(1, 1)), 0, 1, 2, 0, 4, 5, 3);
    check_shape(mx_roll(mx_zeros(SHAPE(0), MLX_FLOAT32), SHAPE(2), MX_FLATTEN), SHAPE(0));
    CHECK(mx_roll(mx_float(1, MLX_FLOAT32), SHAPE(2), MX_FLATTEN), 0, 1);
    CHECK_FAILS(mx_roll(x, SHAPE(1), 2), "[roll] axis 2");
    CHECK_FAILS(mx_roll_axes(x, SHAPE(1), SHAPE(0, 1)), "one shift for each of 2 axes");
    mx_release(0);
}

static void pads(void **state)
{
    (void)state;
    mlx_array x = mx_reshape(mx_arange(1, 5, 1, MLX_FLOAT32), SHAPE(2, 2)), v = VEC(1, 2, 3),
              zero = mx_int(0, MLX_INT32);
    CHECK(mx_pad_symmetric(x, 1, mx_int(9, MLX_INT32), "constant"), 0, 9, 9, 9, 9, 9, 1, 2, 9, 9, 3, 4, 9, 9,
          9, 9, 9);
    CHECK(mx_pad(x, SHAPE(-1), SHAPE(0), SHAPE(1), zero, "constant"), 0, 1, 2, 0, 3, 4, 0);
    CHECK(mx_pad(x, SHAPE(1, 0), SHAPE(1, 0), SHAPE(0, 1), zero, "edge"), 0, 1, 1, 2, 3, 3, 4, 3, 3, 4);
    CHECK(mx_pad(v, SHAPE(0), SHAPE(4), SHAPE(3), MX_NULL, "reflect"), 0, 1, 2, 3, 2, 1, 2, 3, 2, 1, 2);
    CHECK(mx_pad(v, SHAPE(0), SHAPE(4), SHAPE(3), MX_NULL, "symmetric"), 0, 3, 3, 2, 1, 1, 2, 3, 3, 2, 1);
    CHECK(mx_pad(VEC(7), SHAPE(0), SHAPE(2), SHAPE(1), MX_NULL, "reflect"), 0, 7, 7, 7, 7);
    CHECK(mx_pad(v, NULL, 0, NULL, 0, NULL, 0, zero, "constant"), 0, 1, 2, 3);
    CHECK(mx_pad(mx_zeros(SHAPE(0), MLX_FLOAT32), SHAPE(0), SHAPE(1), SHAPE(1), mx_int(3, MLX_INT8),
                 "constant"),
          0, 3, 3);
    CHECK_INTS(mx_pad(mx_ones(SHAPE(1), MLX_INT32), SHAPE(0), SHAPE(1), SHAPE(0), VEC(2.5f), "constant"), 2,
               1);
    CHECK(mx_pad(mx_float(3, MLX_FLOAT32), NULL, 0, NULL, 0, NULL, 0, zero, "edge"), 0, 3);
    CHECK_FAILS(mx_pad(v, SHAPE(0), SHAPE(-1), SHAPE(0), zero, "constant"), "must not be negative");
    CHECK_FAILS(mx_pad(v, SHAPE(1), SHAPE(1), SHAPE(0), zero, "constant"), "axis 1 is out of range");
    CHECK_FAILS(mx_pad(x, SHAPE(1, -1), SHAPE(1, 1), SHAPE(0, 0), zero, "constant"), "given twice");
    CHECK_FAILS(mx_pad(v, SHAPE(0), SHAPE(1, 2), SHAPE(0), zero, "constant"), "2 low and 1 high sizes");
    CHECK_FAILS(mx_pad(v, SHAPE(0), SHAPE(1), SHAPE(0), VEC(1, 2), "constant"), "must be a single number");
    CHECK_FAILS(mx_pad(v, SHAPE(0), SHAPE(1), SHAPE(0), zero, "wrap"), "mode 'wrap' is none of");
    CHECK_FAILS(mx_pad(mx_zeros(SHAPE(0), MLX_FLOAT32), SHAPE(0), SHAPE(1), SHAPE(1), zero, "edge"),
                "is empty");
    CHECK_FAILS(mx_pad(v, SHAPE(0), SHAPE(INT32_MAX), SHAPE(0), zero, "constant"),
                "[pad] Shape dimension 2147483650");
    CHECK_FAILS(mx_pad_symmetric(v, -1, zero, "constant"), "width -1");
    mx_release(0);
}

static void dynamic_slices(void **state)
{
    (void)state;
    mlx_array x = cube(), at = mx_from((int[]){1, 2}, SHAPE(2), MLX_INT32);
    CHECK(mx_slice_dynamic(x, at, SHAPE(0, 2), SHAPE(1, 2, 2)), 0, 14, 15, 18, 19);
    CHECK(mx_slice_dynamic(x, mx_int(2, MLX_UINT8), SHAPE(-2), SHAPE(2, 1, 2)), 0, 8, 9, 20, 21);
    CHECK(
        mx_slice_dynamic(x, mx_slice(at, (int[]){1}, (int[]){-9}, (int[]){-1}), SHAPE(2, 0), SHAPE(1, 1, 2)),
        0, 14, 15);
    CHECK(mx_slice_dynamic(VEC(1, 2, 3), mx_zeros(SHAPE(0), MLX_INT32), NULL, 0, SHAPE(2)), 0, 1, 2);
    CHECK_FAILS(mx_slice_dynamic(x, mx_int(3, MLX_INT32), SHAPE(2), SHAPE(2, 3, 2)),
                "a slice of 2 from 3 on does not lie within axis 2 of size 4");
    CHECK_FAILS(mx_slice_dynamic(x, mx_int(-1, MLX_INT32), SHAPE(2), SHAPE(2, 3, 2)), "from -1 on");
    CHECK_FAILS(mx_slice_dynamic(x, at, SHAPE(0), SHAPE(1, 2, 2)), "one position for each of 1 axes");
    CHECK_FAILS(mx_slice_dynamic(x, VEC(1), SHAPE(0), SHAPE(1, 2, 2)), "must be integers, not float32");
    CHECK_FAILS(mx_slice_dynamic(x, at, SHAPE(0, 0), SHAPE(1, 2, 2)), "given twice");
    CHECK_FAILS(mx_slice_dynamic(x, at, SHAPE(0, 1), SHAPE(1, 2)), "2 sizes are given");
    CHECK_FAILS(mx_slice_dynamic(x, at, SHAPE(0, 1), SHAPE(1, 4, 2)), "is larger than the array");
    mlx_array v = mx_zeros(SHAPE(4), MLX_FLOAT32), m = mx_zeros(SHAPE(2, 3), MLX_FLOAT32);
    CHECK(mx_slice_update_dynamic(v, VEC(1, 2), mx_int(1, MLX_INT32), SHAPE(0)), 0, 0, 1, 2, 0);
    CHECK(mx_slice_update_dynamic(m, VEC(5), mx_int(2, MLX_INT64), SHAPE(1)), 0, 0, 0, 5, 0, 0, 5);
    CHECK(mx_slice_update_dynamic(m, VEC(1, 2, 3), mx_int(1, MLX_INT64), SHAPE(0)), 0, 0, 0, 0, 1, 2, 3);
    CHECK_INTS(
        mx_slice_update_dynamic(mx_zeros(SHAPE(3), MLX_INT32), VEC(2.7f), mx_int(2, MLX_INT32), SHAPE(0)), 0,
        0, 2);
    CHECK_FAILS(mx_slice_update_dynamic(v, VEC(1, 2), mx_int(3, MLX_INT32), SHAPE(0)),
                "a slice of 2 from 3 on");
    CHECK_FAILS(mx_slice_update_dynamic(v, VEC(1, 2, 3, 4, 5), mx_int(0, MLX_INT32), SHAPE(0)),
                "does not broadcast");
    CHECK_FAILS(mx_slice_update_dynamic(v, m, mx_int(0, MLX_INT32), SHAPE(0)),
                "does not fit an array of shape (4,)");
    mx_release(0);
}

static void same_numbers(void **state)
{
    (void)state;
    mlx_array x = mx_reshape(mx_arange(0, 6, 1, MLX_FLOAT32), SHAPE(2, 3)), t = mx_transpose(x, NULL, 0);
    assert_true(shares(mx_contiguous(x), x, 0));
    assert_false(shares(mx_contiguous(t), x, 0));
    assert_true(shares(mx_contiguous_any(t, true), x, 0));
    CHECK(mx_contiguous_any(t, true), 0, 0, 3, 1, 4, 2, 5);
    assert_false(shares(mx_contiguous_any(mx_slice_axis(t, 0, 0, 1), false), x, 0));
    /* a small part does not keep a large array alive */
    mlx_array big = mx_zeros(SHAPE(1 << 14), MLX_FLOAT32);
    assert_false(shares(mx_contiguous(mx_slice_axis(big, 0, 0, 10)), big, 0));
    mlx_array d[2], after[1] = {mx_exp(x)};
    assert_int_equal(mx_depends((mlx_array[]){x, t}, 2, after, 1, d), 0);
    CHECK(d[1], 0, 0, 3, 1, 4, 2, 5);
    assert_non_null(mx_data(after[0])); /* it has been computed */
    assert_int_equal(mx_depends(&x, 1, NULL, 0, d), 0);
    CHECK(d[0], 0, 0, 1, 2, 3, 4, 5);
    CHECK_INTS(mx_number_of_elements(x, SHAPE(0, -1), false, MLX_INT32), 6);
    CHECK(mx_number_of_elements(x, SHAPE(-1), true, MLX_FLOAT32), 1e-7f, 1.0f / 3);
    CHECK_INTS(mx_number_of_elements(x, NULL, 0, false, MLX_UINT8), 1);
    CHECK_FAILS(mx_number_of_elements(x, SHAPE(2), false, MLX_INT32), "axis 2 is out of range");
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
        cmocka_unit_test(axes),
        cmocka_unit_test(broadcasts),
        cmocka_unit_test(reshapes),
        cmocka_unit_test(strided),
        cmocka_unit_test(bytes_as_other_dtypes),
        cmocka_unit_test(diagonals),
        cmocka_unit_test(parts),
        cmocka_unit_test(joins),
        cmocka_unit_test(rolls),
        cmocka_unit_test(pads),
        cmocka_unit_test(dynamic_slices),
        cmocka_unit_test(same_numbers),
    };
    return RUN_TESTS("layout", tests, cleanup);
}
