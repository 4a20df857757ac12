/* Operations that are cut into tiles, blocks or parts for threads, at sizes that do not divide: against plain
 * loops over whole numbers, where every order of sums gives the same. */
#include "ops/check.h"

#include <stdlib.h>

static int64_t *read_all(mlx_array x)
{
    int64_t *v = malloc((mx_size(x) + 1) * sizeof *v);
    assert_non_null(v);
    if (mx_read_i64(mx_astype(x, MLX_INT64), v)) {
        mx_failed();
        fail_msg("%s", mx_error_text());
    }
    return v;
}

/* n numbers from -50 to 49, in no order. */
static mlx_array numbers(int n, mlx_dtype t)
{
    mlx_array i = mx_multiply(mx_arange(0, n, 1, MLX_INT64), mx_int(7919, MLX_INT64));
    mlx_array x = mx_subtract(mx_remainder(i, mx_int(100, MLX_INT64)), mx_int(50, MLX_INT64));
    return mx_astype(x, t);
}

static void check_scan(int rows, int length, bool reverse, bool inclusive, mlx_dtype t)
{
    mlx_array x = mx_reshape(numbers(rows * length, t), SHAPE(rows, length));
    int64_t *in = read_all(x), *got = read_all(mx_cumsum(x, 1, reverse, inclusive));
    for (int r = 0; r < rows; r++) {
        int64_t sum = 0;
        for (int k = 0; k < length; k++) {
            int at = r * length + (reverse ? length - 1 - k : k);
            int64_t before = sum;
            sum += in[at];
            assert_int_equal(got[at], inclusive ? sum : before);
        }
    }
    free(in);
    free(got);
}

static void scans(void **state)
{
    (void)state;
    static const int lengths[] = {1, 2, 63, 64, 65, 130, 1000};
    for (size_t l = 0; l < 7; l++)
        for (int rows = 7; rows <= 17; rows += 5)
            for (int way = 0; way < 4; way++) {
                check_scan(rows, lengths[l], way & 1, way & 2, MLX_FLOAT32);
                check_scan(rows, lengths[l], way & 1, way & 2, MLX_INT64);
            }
    check_scan(300, 257, true, true, MLX_INT32);
}

/* The axes of a (a, b, c) array in another order, row-major. */
static void check_turn(const int *shape, const int *order, mlx_dtype t)
{
    int64_t step[3] = {(int64_t)shape[1] * shape[2], shape[2], 1};
    mlx_array x = mx_reshape(numbers(shape[0] * shape[1] * shape[2], t), shape, 3);
    int64_t *in = read_all(x), *got = read_all(mx_contiguous(mx_transpose(x, order, 3)));
    size_t at = 0;
    for (int i = 0; i < shape[order[0]]; i++)
        for (int j = 0; j < shape[order[1]]; j++)
            for (int k = 0; k < shape[order[2]]; k++)
                assert_int_equal(got[at++], in[i * step[order[0]] + j * step[order[1]] + k * step[order[2]]]);
    free(in);
    free(got);
}

static void turned(void **state)
{
    (void)state;
    static const int shapes[][3] = {{1, 17, 33}, {3, 16, 16},  {20, 18, 31},
                                    {2, 100, 5}, {40, 2, 257}, {16, 64, 48}};
    static const int orders[][3] = {{0, 2, 1}, {2, 1, 0}, {2, 0, 1}, {1, 2, 0}, {1, 0, 2}};
    static const mlx_dtype types[] = {MLX_INT8, MLX_INT16, MLX_FLOAT32, MLX_FLOAT64};
    for (size_t s = 0; s < 6; s++)
        for (size_t o = 0; o < 5; o++)
            for (size_t t = 0; t < 4; t++)
                check_turn(shapes[s], orders[o], types[t]);
    mlx_array x = mx_reshape(numbers(90 * 70, MLX_INT32), SHAPE(90, 70)), part;
    part = mx_swapaxes(mx_slice(x, (const int[]){3, 2}, (const int[]){88, 68}, (const int[]){2, 1}), 0, 1);
    int64_t *in = read_all(x), *got = read_all(mx_contiguous(part));
    for (int i = 0; i < 66; i++)
        for (int j = 0; j < 43; j++)
            assert_int_equal(got[i * 43 + j], in[(3 + 2 * j) * 70 + 2 + i]);
    free(in);
    free(got);
}

static void check_sum(mlx_array x, int axis)
{
    int64_t *in = read_all(x), *sum = read_all(mx_sum(x, SHAPE(axis), false));
    int64_t *most = read_all(mx_max(x, SHAPE(axis), false));
    int rows = axis ? mx_dim(x, 0) : 1, length = (int)mx_size(x) / rows;
    for (int r = 0; r < rows; r++) {
        int64_t want = 0, largest = INT64_MIN;
        for (int k = 0; k < length; k++) {
            int64_t v = in[r * length + k];
            want += v;
            largest = v > largest ? v : largest;
        }
        assert_int_equal(sum[r], want);
        assert_int_equal(most[r], largest);
    }
    free(in);
    free(sum);
    free(most);
}

static void long_rows(void **state)
{
    (void)state;
    static const mlx_dtype types[] = {MLX_FLOAT32, MLX_INT32, MLX_FLOAT64};
    for (size_t t = 0; t < 3; t++) {
        mlx_array x = numbers(900001, types[t]);
        check_sum(x, 0);
        check_sum(mx_slice(x, (const int[]){1}, (const int[]){900001}, (const int[]){3}), 0);
        check_sum(mx_reshape(mx_slice(x, (const int[]){0}, (const int[]){900000}, (const int[]){1}),
                             SHAPE(3, 300000)),
                  1);
    }
    mlx_array truth = mx_equal(numbers(600000, MLX_INT32), mx_int(49, MLX_INT32));
    CHECK(mx_any(truth, SHAPE(0), false), 0, 1);
    CHECK(mx_all(truth, SHAPE(0), false), 0, 0);
    CHECK(mx_sum(mx_full(SHAPE(400000), mx_float(0.5, MLX_FLOAT32), MLX_FLOAT16), SHAPE(0), false), 0, INF_);
}

/* Indices into n places, each of which comes up several times. */
static mlx_array places(int count, int n)
{
    mlx_array i = mx_multiply(mx_arange(0, count, 1, MLX_INT64), mx_int(7907, MLX_INT64));
    return mx_astype(mx_remainder(i, mx_int(n, MLX_INT64)), MLX_INT32);
}

static void scattered(void **state)
{
    (void)state;
    enum { N = 70001, COUNT = 190007 };
    for (int row = 1; row <= 3; row += 2) { /* updates of one element, and of three */
        mlx_array x = mx_reshape(numbers(N * row, MLX_INT32), SHAPE(N, row)), at = places(COUNT, N);
        mlx_array updates = mx_reshape(numbers(COUNT * row, MLX_INT32), SHAPE(COUNT, 1, row));
        int64_t *put = read_all(x), *sum = read_all(x), *up = read_all(updates), *to = read_all(at);
        int64_t *got = read_all(mx_scatter(x, &at, 1, updates, (const int[]){0}));
        int64_t *added = read_all(mx_scatter_add(x, &at, 1, updates, (const int[]){0}));
        for (int i = 0; i < COUNT * row; i++) {
            put[to[i / row] * row + i % row] = up[i];
            sum[to[i / row] * row + i % row] += up[i];
        }
        assert_memory_equal(got, put, N * (size_t)row * sizeof *put);
        assert_memory_equal(added, sum, N * (size_t)row * sizeof *sum);
        free(put), free(sum), free(up), free(to), free(got), free(added);
    }
}

static void put_along(void **state)
{
    (void)state;
    enum { ROWS = 61, N = 700, COUNT = 1500 };
    mlx_array x = mx_reshape(numbers(ROWS * N, MLX_FLOAT32), SHAPE(ROWS, N));
    mlx_array at = mx_reshape(places(ROWS * COUNT, N), SHAPE(ROWS, COUNT));
    mlx_array updates = mx_reshape(numbers(ROWS * COUNT, MLX_FLOAT32), SHAPE(ROWS, COUNT));
    int64_t *put = read_all(x), *sum = read_all(x), *up = read_all(updates), *to = read_all(at);
    int64_t *got = read_all(mx_put_along_axis(x, at, updates, 1));
    int64_t *added = read_all(mx_scatter_add_axis(x, at, updates, 1));
    for (int i = 0; i < ROWS * COUNT; i++) {
        put[i / COUNT * N + to[i]] = up[i];
        sum[i / COUNT * N + to[i]] += up[i];
    }
    assert_memory_equal(got, put, ROWS * N * sizeof *put);
    assert_memory_equal(added, sum, ROWS * N * sizeof *sum);
    free(put), free(sum), free(up), free(to), free(got), free(added);
}

static int clean(void **state)
{
    (void)state;
    mx_release(0);
    return 0;
}

static void finish(void)
{
    assert_int_equal(mx_live_nodes(), 0);
    mx_shutdown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(scans, clean),     cmocka_unit_test_teardown(turned, clean),
        cmocka_unit_test_teardown(long_rows, clean), cmocka_unit_test_teardown(scattered, clean),
        cmocka_unit_test_teardown(put_along, clean),
    };
    return RUN_TESTS("large", tests, finish);
}
