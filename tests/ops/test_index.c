/* Reading and writing by indices: values against scalar loops and numbers worked out by hand, in all dtypes;
 * index arrays of all dtypes; the messages of wrong calls. */
#include "ops/check.h"

#include <math.h>

static const mlx_dtype index_dtypes[] = {MLX_UINT8, MLX_UINT16, MLX_UINT32, MLX_UINT64,
                                         MLX_INT8,  MLX_INT16,  MLX_INT32,  MLX_INT64};

static mlx_array ints_of(const int *v, size_t n) { return mx_from(v, (int[]){(int)n}, 1, MLX_INT32); }
#define INTS(...) ints_of((const int[]){__VA_ARGS__}, sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

static mlx_array range(int n, mlx_dtype t) { return mx_astype(mx_arange(0, n, 1, MLX_FLOAT32), t); }

static void take(void **state)
{
    (void)state;
    mlx_array x = mx_reshape(range(6, MLX_FLOAT32), SHAPE(2, 3));
    CHECK(mx_take(x, INTS(4, -1, 0), MX_FLATTEN), 0, 4, 5, 0);
    CHECK(mx_take(x, mx_int(-2, MLX_INT8), MX_FLATTEN), 0, 4);
    CHECK(mx_take(x, mx_int(-1, MLX_INT64), 0), 0, 3, 4, 5);
    mlx_array y = mx_take(x, mx_reshape(INTS(2, 0, 1, 1), SHAPE(2, 2)), 1);
    assert_int_equal(mx_ndim(y), 3);
    CHECK(y, 0, 2, 0, 1, 1, 5, 3, 4, 4);
    mlx_array none = mx_zeros(SHAPE(0, 3), MLX_FLOAT32), nothing = mx_zeros(SHAPE(2, 0), MLX_INT32);
    mlx_array empty = mx_take(none, nothing, 0);
    assert_int_equal(mx_ndim(empty), 3);
    assert_int_equal(mx_dim(empty, 1), 0);
    assert_int_equal(mx_dim(empty, 2), 3);
    assert_int_equal(mx_dim(mx_take(none, INTS(1, 2), 1), 1), 2);
    CHECK_FAILS(mx_take(none, INTS(0), 0), "nothing to take");
    CHECK_FAILS(mx_take(x, INTS(0), 2), "[take] axis 2 is out of range");
    CHECK_FAILS(mx_take(x, INTS(0, 2, -3), 0), "[Gather] index 2 is out of bounds for axis 0 with size 2");
    CHECK_FAILS(mx_take(x, INTS(-4), 1), "index -4 is out of bounds");
    CHECK_FAILS(mx_take(x, mx_ones(SHAPE(2), MLX_BOOL), 0), "indices must be integers, not bool");
    CHECK_FAILS(mx_take(mx_int(1, MLX_INT32), INTS(0), 0), "[take] axis 0");
    CHECK(mx_take(mx_float(7, MLX_FLOAT32), INTS(0, -1), MX_FLATTEN), 0, 7, 7);
    mx_release(0);
}

static void all_index_dtypes(void **state)
{
    (void)state;
    mlx_array x = mx_reshape(range(12, MLX_FLOAT32), SHAPE(3, 4));
    for (size_t t = 0; t < sizeof index_dtypes / sizeof *index_dtypes; t++) {
        mlx_array i = mx_astype(INTS(2, 0), index_dtypes[t]), rows = mx_reshape(i, SHAPE(2, 1));
        CHECK(mx_take(x, i, 1), 0, 2, 0, 6, 4, 10, 8);
        CHECK(mx_take_along_axis(x, rows, 0), 0, 8, 9, 10, 11, 0, 1, 2, 3);
        CHECK(mx_put_along_axis(range(4, MLX_FLOAT32), i, VEC(9), 0), 0, 9, 1, 9, 3);
        CHECK(mx_scatter(range(4, MLX_FLOAT32), &i, 1, mx_reshape(VEC(7, 8), SHAPE(2, 1)), (int[]){0}), 0, 8,
              1, 7, 3);
        if (index_dtypes[t] < MLX_INT8)
            continue;
        i = mx_negative(mx_add(i, mx_int(1, index_dtypes[t]))); /* -3, -1 */
        CHECK(mx_take(x, i, 1), 0, 1, 3, 5, 7, 9, 11);
        CHECK(mx_put_along_axis(range(4, MLX_FLOAT32), i, VEC(9), 0), 0, 0, 9, 2, 9);
    }
    mx_release(0);
}

/* Gather against loops: three axes, two indexed, slices of more than one element on both. */
static void gather_loops(void **state)
{
    (void)state;
    enum { A = 4, B = 5, C = 6 };
    const int first[2] = {2, -4}, second[3] = {0, 3, -6}, sizes[3] = {2, 3, 2};
    mlx_array x = mx_reshape(range(A * B * C, MLX_FLOAT32), SHAPE(A, B, C));
    mlx_array indices[2] = {mx_reshape(ints_of(first, 2), SHAPE(2, 1)), ints_of(second, 3)};
    float expected[2 * 3 * 2 * 3 * 2], *e = expected;
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 3; j++)
            for (int a = 0; a < sizes[0]; a++)
                for (int b = 0; b < sizes[1]; b++)
                    for (int c = 0; c < sizes[2]; c++) {
                        int from_a = (first[i] + A) % A + a, from_c = (second[j] + C) % C + c;
                        *e++ = (float)((from_a * B + b) * C + from_c);
                    }
    mlx_array y = mx_gather(x, indices, 2, (int[]){0, 2}, sizes);
    assert_int_equal(mx_ndim(y), 5);
    check(y, sizeof expected / sizeof *expected, expected, 0);
    y = mx_swapaxes(mx_contiguous(mx_swapaxes(x, 0, 2)), 0, 2); /* the same, in another layout */
    check(mx_gather(y, indices, 2, (int[]){0, 2}, sizes), sizeof expected / sizeof *expected, expected, 0);
    CHECK(mx_gather(x, NULL, 0, NULL, (int[]){1, 1, 3}), 0, 0, 1, 2);
    mlx_array high = INTS(3);
    CHECK_FAILS(mx_gather(x, &high, 1, (int[]){0}, sizes),
                "a slice of 2 at index 3 is out of bounds for axis 0");
    CHECK_FAILS(mx_gather(x, &high, 1, (int[]){0}, (int[]){5, 1, 1}), "slice sizes (5, 1, 1) do not fit");
    CHECK_FAILS(mx_gather(x, indices, 2, (int[]){1, 1}, sizes), "axis 1 is given twice");
    CHECK_FAILS(mx_gather(VEC(1), indices, 2, (int[]){0, 0}, sizes), "2 index arrays for an array of 1");
    indices[0] = INTS(1, 2);
    CHECK_FAILS(mx_gather(x, indices, 2, (int[]){0, 2}, sizes), "(2,) and (3,) cannot be broadcast");
    CHECK_FAILS(mx_gather(mx_zeros(SHAPE(0, 2), MLX_FLOAT32), indices, 1, (int[]){0}, (int[]){1, 1}),
                "nothing to gather");
    mx_release(0);
}

/* All dtypes go through the same moves; complex64 with an imaginary part. */
static void all_dtypes(void **state)
{
    (void)state;
    for (int t = 0; t < MX_DTYPES; t++) {
        mlx_array x = mx_reshape(range(2, (mlx_dtype)t), SHAPE(2, 1)), i = INTS(1, 0, 1), y;
        assert_int_equal(mx_dtype_of(y = mx_take(x, i, 0)), t);
        CHECK(mx_astype(y, MLX_FLOAT32), 0, 1, 0, 1);
        CHECK(mx_astype(mx_take_along_axis(x, mx_reshape(i, SHAPE(3, 1)), 0), MLX_FLOAT32), 0, 1, 0, 1);
        mlx_array two = INTS(0, 0), up = mx_astype(mx_reshape(INTS(1, 1), SHAPE(2, 1, 1)), (mlx_dtype)t);
        bool boolean = t == MLX_BOOL;
        CHECK(mx_astype(mx_scatter(x, &two, 1, up, (int[]){0}), MLX_FLOAT32), 0, 1, 1);
        CHECK(mx_astype(mx_scatter_add(x, &two, 1, up, (int[]){0}), MLX_FLOAT32), 0, boolean ? 1 : 2, 1);
        CHECK(mx_astype(mx_scatter_max(x, &two, 1, up, (int[]){0}), MLX_FLOAT32), 0, 1, 1);
        CHECK(mx_astype(mx_scatter_min(x, &two, 1, up, (int[]){0}), MLX_FLOAT32), 0, 0, 1);
        CHECK(mx_astype(mx_scatter_prod(x, &two, 1, up, (int[]){0}), MLX_FLOAT32), 0, 0, 1);
        mlx_array mask = mx_from((bool[]){true, false}, SHAPE(2), MLX_BOOL),
                  one = mx_astype(mx_ones(SHAPE(1, 1), MLX_FLOAT32), (mlx_dtype)t);
        CHECK(mx_astype(mx_masked_scatter(x, mask, one), MLX_FLOAT32), 0, 1, 1);
        CHECK(mx_astype(mx_slice_update_add(x, one, (int[]){0, 0}, (int[]){1, 1}, NULL), MLX_FLOAT32), 0, 1,
              1);
    }
    float parts[4] = {1, 2, 3, 4}, read[4];
    mlx_array z = mx_from(parts, SHAPE(2), MLX_COMPLEX64), zero = INTS(0, 0);
    assert_int_equal(mx_read(mx_scatter_add_axis(z, zero, z, 0), read), 0);
    assert_true(read[0] == 5 && read[1] == 8 && read[2] == 3 && read[3] == 4);
    mx_release(0);
}

static void scatter_modes(void **state)
{
    (void)state;
    mlx_array x = VEC(1, 2, 3, 4), i = INTS(1, -1, 1), u = mx_reshape(VEC(5, -6, 7), SHAPE(3, 1));
    const int axis[1] = {0};
    CHECK(mx_scatter(x, &i, 1, u, axis), 0, 1, 7, 3, -6); /* the last write stays */
    CHECK(mx_scatter_add(x, &i, 1, u, axis), 0, 1, 14, 3, -2);
    CHECK(mx_scatter_prod(x, &i, 1, u, axis), 0, 1, 70, 3, -24);
    CHECK(mx_scatter_max(x, &i, 1, u, axis), 0, 1, 7, 3, 4);
    CHECK(mx_scatter_min(x, &i, 1, u, axis), 0, 1, 2, 3, -6);
    CHECK(mx_scatter(x, &i, 1, mx_astype(u, MLX_INT32), axis), 0, 1, 7, 3, -6); /* cast to x's dtype */
    CHECK(x, 0, 1, 2, 3, 4);
    /* two indexed axes, a slice of two rows' parts */
    mlx_array m = mx_zeros(SHAPE(3, 3), MLX_FLOAT32), ij[2] = {INTS(0, 2), INTS(1, -1)};
    CHECK(mx_scatter(m, ij, 2, mx_reshape(VEC(1, 2), SHAPE(2, 1, 1)), (int[]){0, 1}), 0, 0, 1, 0, 0, 0, 0, 0,
          0, 2);
    mlx_array at = mx_int(1, MLX_UINT8);
    CHECK(mx_scatter_add(m, &at, 1, mx_reshape(VEC(1, 2, 3, 4), SHAPE(2, 2)), axis), 0, 0, 0, 0, 1, 2, 0, 3,
          4, 0);
    CHECK(mx_scatter(m, &at, 1, mx_reshape(VEC(1, 2, 3), SHAPE(1, 3)), axis), 0, 0, 0, 0, 1, 2, 3, 0, 0, 0);
    mlx_array nothing = mx_zeros(SHAPE(0), MLX_INT32);
    CHECK(mx_scatter(x, &nothing, 1, mx_zeros(SHAPE(0, 1), MLX_FLOAT32), axis), 0, 1, 2, 3, 4);
    at = mx_int(2, MLX_UINT8);
    CHECK_FAILS(mx_scatter_add(m, &at, 1, mx_ones(SHAPE(2, 2), MLX_FLOAT32), axis),
                "a slice of 2 at index 2");
    CHECK_FAILS(mx_scatter(x, &i, 1, VEC(1, 2, 3), axis), "[scatter] updates of shape (3,)");
    CHECK_FAILS(mx_scatter_max(x, &i, 1, mx_ones(SHAPE(3, 5), MLX_FLOAT32), axis),
                "[scatter_max] updates of");
    at = mx_int(4, MLX_INT32);
    CHECK_FAILS(mx_scatter(x, &at, 1, VEC(1), axis), "[Scatter] index 4 is out of bounds");
    mx_release(0);
}

static void along_axis(void **state)
{
    (void)state;
    mlx_array x = mx_reshape(range(6, MLX_FLOAT32), SHAPE(2, 3)), i = mx_reshape(INTS(2, -3), SHAPE(2, 1));
    CHECK(mx_put_along_axis(x, i, mx_float(9, MLX_FLOAT32), 1), 0, 0, 1, 9, 9, 4, 5);
    CHECK(mx_put_along_axis(x, i, mx_reshape(VEC(7, 8), SHAPE(1, 2, 1)), -1), 0, 0, 1, 7, 8, 4, 5);
    CHECK(mx_scatter_add_axis(x, mx_reshape(INTS(1, 1, 0), SHAPE(1, 3)), VEC(1, 2, 3), 1), 0, 3, 4, 2, 6, 7,
          5);
    CHECK(mx_put_along_axis(mx_slice_axis(x, 0, 0, 1), i, mx_float(9, MLX_FLOAT32), 1), 0, 0, 1, 9, 9, 1, 2);
    CHECK(mx_put_along_axis(x, mx_reshape(INTS(1, 1, 1), SHAPE(3, 1)), mx_reshape(VEC(5, 6, 7), SHAPE(3, 1)),
                            0),
          0, 0, 1, 2, 7, 7, 7);
    CHECK(mx_take_along_axis(mx_slice_axis(x, 0, 0, 1), i, 1), 0, 2, 0);
    CHECK_FAILS(mx_put_along_axis(x, INTS(1), VEC(1), 0), "indices of 1 dimensions for an array of 2");
    CHECK_FAILS(mx_scatter_add_axis(x, i, mx_ones(SHAPE(3, 1), MLX_FLOAT32), 1), "cannot be broadcast");
    CHECK_FAILS(mx_put_along_axis(x, mx_reshape(INTS(1, 3), SHAPE(2, 1)), VEC(1), 1),
                "index 3 is out of bounds");
    CHECK_FAILS(mx_take_along_axis(x, mx_reshape(INTS(1, -4), SHAPE(2, 1)), 1), "index -4 is out of bounds");
    mlx_array none = mx_zeros(SHAPE(0), MLX_FLOAT32);
    assert_int_equal(mx_size(mx_put_along_axis(none, INTS(0), VEC(1), 0)), 0);
    mx_release(0);
}

/* Longer than a block of indices, on both kinds of axis, against loops; more than one thread. */
static void long_axes(void **state)
{
    (void)state;
    enum { ROWS = 40, N = 1000 };
    static int at[ROWS * N];
    static float up[ROWS * N], sums[ROWS * N], last[ROWS * N];
    uint32_t r = 1;
    for (int i = 0; i < ROWS * N; i++) {
        r = r * 1664525u + 1013904223u;
        at[i] = (int)(r >> 8) % N - N / 2;
        up[i] = (float)(i % 97);
    }
    memset(sums, 0, sizeof sums);
    memset(last, 0, sizeof last);
    for (int i = 0; i < ROWS * N; i++) {
        int to = i / N * N + (at[i] + N) % N;
        sums[to] += up[i];
        last[to] = up[i];
    }
    mx_set_threads(3);
    mlx_array x = mx_zeros(SHAPE(ROWS, N), MLX_FLOAT32), i = mx_from(at, SHAPE(ROWS, N), MLX_INT32);
    mlx_array u = mx_from(up, SHAPE(ROWS, N), MLX_FLOAT32), back[3];
    check(mx_scatter_add_axis(x, i, u, 1), ROWS * N, sums, 0);
    check(mx_put_along_axis(x, i, u, 1), ROWS * N, last, 0);
    back[0] = mx_swapaxes(x, 0, 1), back[1] = mx_swapaxes(i, 0, 1), back[2] = mx_swapaxes(u, 0, 1);
    check(mx_swapaxes(mx_scatter_add_axis(back[0], back[1], back[2], 0), 0, 1), ROWS * N, sums, 0);
    check(mx_swapaxes(mx_put_along_axis(mx_contiguous(back[0]), mx_contiguous(back[1]), back[2], 0), 0, 1),
          ROWS * N, last, 0);
    for (int k = 0; k < ROWS * N; k++)
        sums[k] = up[k / N * N + (at[k] + N) % N];
    check(mx_take_along_axis(u, i, 1), ROWS * N, sums, 0);
    check(mx_swapaxes(mx_take_along_axis(back[2], back[1], 0), 0, 1), ROWS * N, sums, 0);
    for (int k = 0; k < ROWS * N; k++)
        sums[k] = up[(at[k] + ROWS * N) % (ROWS * N)];
    check(mx_take(u, i, MX_FLATTEN), ROWS * N, sums, 0);
    mx_set_threads(0);
    mx_release(0);
}

static void masked_scatter(void **state)
{
    (void)state;
    mlx_array x = mx_reshape(range(6, MLX_FLOAT32), SHAPE(2, 3));
    mlx_array mask = mx_from((bool[]){false, true, true, true, false, false}, SHAPE(2, 3), MLX_BOOL);
    mlx_array rows = mx_from((bool[]){false, true}, SHAPE(2), MLX_BOOL);
    CHECK(mx_masked_scatter(x, mask, VEC(7, 8, 9)), 0, 0, 7, 8, 9, 4, 5);
    CHECK(mx_masked_scatter(x, mask, VEC(7, 8, 9, 10)), 0, 0, 7, 8, 9, 4, 5); /* more than needed */
    CHECK(mx_masked_scatter(x, mask, mx_int(1, MLX_INT32)), 0, 0, 1, 1, 1, 4, 5);
    CHECK(mx_masked_scatter(x, rows, VEC(7, 8, 9)), 0, 0, 1, 2, 7, 8, 9);
    CHECK(mx_masked_scatter(x, rows, mx_reshape(VEC(7, 8, 9, 1, 1, 1), SHAPE(2, 3))), 0, 0, 1, 2, 7, 8, 9);
    CHECK(mx_masked_scatter(x, mx_from((bool[]){true}, NULL, 0, MLX_BOOL), mx_float(3, MLX_FLOAT32)), 0, 3, 3,
          3, 3, 3, 3);
    CHECK(mx_masked_scatter(x, mx_zeros(SHAPE(2, 3), MLX_BOOL), mx_zeros(SHAPE(0), MLX_FLOAT32)), 0, 0, 1, 2,
          3, 4, 5);
    mlx_array none = mx_zeros(SHAPE(0), MLX_FLOAT32);
    assert_int_equal(mx_eval(mx_masked_scatter(none, mx_zeros(SHAPE(0), MLX_BOOL), none)), 0);
    CHECK_FAILS(mx_masked_scatter(x, mask, VEC(7, 8)), "3 elements set, the source only 2");
    CHECK_FAILS(mx_masked_scatter(x, x, VEC(7, 8)), "must be bool, not float32");
    CHECK_FAILS(mx_masked_scatter(x, mx_zeros(SHAPE(3), MLX_BOOL), VEC(7)), "does not cover the first axes");
    CHECK_FAILS(mx_masked_scatter(x, mask, mx_ones(SHAPE(2, 3), MLX_FLOAT32)), "does not fit the last 0");
    mx_release(0);
}

static void slice_updates(void **state)
{
    (void)state;
    mlx_array x = VEC(1, 2, 3, 4, 5);
    const int start[1] = {-1}, stop[1] = {-100}, step[1] = {-2};
    CHECK(mx_slice_update(x, VEC(7, 8, 9), start, stop, step), 0, 9, 2, 8, 4, 7);
    CHECK(mx_slice_update_add(x, VEC(7, 8, 9), start, stop, step), 0, 10, 2, 11, 4, 12);
    CHECK(mx_slice_update_prod(x, VEC(2, 3, 4), start, stop, step), 0, 4, 2, 9, 4, 10);
    CHECK(mx_slice_update_max(x, VEC(4), start, stop, step), 0, 4, 2, 4, 4, 5);
    CHECK(mx_slice_update_min(x, mx_int(3, MLX_INT32), start, stop, step), 0, 1, 2, 3, 4, 3);
    CHECK(mx_slice_update_max(x, VEC(NAN_), (int[]){0}, (int[]){1}, NULL), 0, NAN_, 2, 3, 4, 5);
    CHECK(mx_slice_update_add(x, x, (int[]){0}, (int[]){5}, NULL), 0, 2, 4, 6, 8, 10);
    CHECK(mx_slice_update_add(x, VEC(1), (int[]){3}, (int[]){3}, NULL), 0, 1, 2, 3, 4, 5);
    CHECK_FAILS(mx_slice_update_add(x, VEC(1, 2), (int[]){0}, (int[]){5}, NULL), "does not broadcast");
    CHECK_FAILS(mx_slice_update_min(x, VEC(1), (int[]){0}, (int[]){5}, (int[]){0}),
                "[slice_update_min] the stride of axis 0 is 0");
    mx_release(0);
}

/* The result takes the memory of a dead x; a failing index leaves x's numbers alone. */
static void in_place(void **state)
{
    (void)state;
    mlx_array slot = MX_NULL, i = INTS(1), u = mx_reshape(VEC(5), SHAPE(1, 1));
    for (int kind = 0; kind < 4; kind++) {
        size_t mark = mx_mark();
        mlx_array_set(&slot, mx_add(mx_zeros(SHAPE(100000), MLX_FLOAT32), mx_float(1, MLX_FLOAT32)));
        mx_release(mark);
        assert_int_equal(mx_eval(slot), 0);
        const void *data = mx_data(slot);
        mlx_array y = kind == 0   ? mx_scatter(slot, &i, 1, u, (int[]){0})
                      : kind == 1 ? mx_put_along_axis(slot, i, VEC(5), 0)
                      : kind == 2
                          ? mx_slice_update_max(slot, VEC(5), (int[]){1}, (int[]){2}, NULL)
                          : mx_masked_scatter(slot, mx_equal(mx_arange(0, 100000, 1, MLX_INT32), i), VEC(5));
        mlx_array_set(&slot, y);
        mx_release(mark);
        assert_int_equal(mx_eval(slot), 0);
        assert_ptr_equal(mx_data(slot), data);
        CHECK(mx_slice_axis(slot, 0, 0, 3), 0, 1, 5, 1);
        mx_release(mark);
        i = INTS(1), u = mx_reshape(VEC(5), SHAPE(1, 1));
    }
    mlx_array_free(slot);
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
        cmocka_unit_test(take),       cmocka_unit_test(all_index_dtypes), cmocka_unit_test(gather_loops),
        cmocka_unit_test(all_dtypes), cmocka_unit_test(scatter_modes),    cmocka_unit_test(along_axis),
        cmocka_unit_test(long_axes),  cmocka_unit_test(masked_scatter),   cmocka_unit_test(slice_updates),
        cmocka_unit_test(in_place),
    };
    return RUN_TESTS("index", tests, cleanup);
}
