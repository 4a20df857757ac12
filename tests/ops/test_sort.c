/* Sorting against a plain stable sort by comparisons, for all dtypes, layouts and lengths on both sides of
 * each algorithm's borders; partitions against what they promise. */
#include "ops/check.h"

static uint64_t state64 = 1;

static uint64_t random64(void)
{
    state64 = state64 * 6364136223846793005u + 1442695040888963407u;
    return state64 ^ state64 >> 29;
}

/* Numbers of all signs and sizes, of which a dtype takes what it can: many equal ones, special ones among
 * them. */
enum kind { FEW, MANY, SPECIAL, KINDS };

static double draw(enum kind kind)
{
    uint64_t r = random64();
    if (kind == FEW)
        return (double)(r % 7) - 3;
    if (kind == SPECIAL && r % 5 == 0) {
        const double special[5] = {(double)NAN, -0.0, 0.0, (double)INFINITY, -(double)INFINITY};
        return special[r / 5 % 5];
    }
    double v = (double)(int64_t)r;
    return r % 3 ? v * 0x1p-40 : v * 0x1p-70;
}

/* n numbers of a dtype. Integers take the low bits. */
static mlx_array numbers(int n, mlx_dtype t, enum kind kind)
{
    uint64_t *bits = calloc((size_t)n + 1, 8);
    double *v = (double *)bits;
    bool whole = t <= MLX_INT64 && kind == MANY && t != MLX_BOOL;
    for (int i = 0; i < n; i++)
        if (whole)
            bits[i] = random64();
        else
            v[i] = draw(t <= MLX_INT64 ? FEW : kind);
    mlx_array x = mx_from(bits, SHAPE(n), whole ? MLX_UINT64 : MLX_FLOAT64);
    if (t == MLX_COMPLEX64) {
        for (int i = 0; i < n; i++)
            v[i] = draw(kind == MANY ? FEW : kind);
        mlx_array im = mx_astype(mx_from(v, SHAPE(n), MLX_FLOAT64), MLX_FLOAT32),
                  re = mx_astype(x, MLX_FLOAT32);
        float *parts = calloc((size_t)n + 1, 8);
        float *halves = calloc((size_t)n + 1, 8);
        assert_int_equal(mx_read(re, halves), 0);
        assert_int_equal(mx_read(im, halves + n), 0);
        for (int i = 0; i < n; i++)
            parts[2 * i] = halves[i] < 3 ? halves[i] : halves[i] / 2, parts[2 * i + 1] = halves[n + i];
        x = mx_from(parts, SHAPE(n), MLX_COMPLEX64);
        free(parts);
        free(halves);
    } else
        x = mx_astype(x, t);
    free(bits);
    return x;
}

/* --- the order, by comparisons of values --- */

static long double value_of(const char *p, mlx_dtype t, int part)
{
    switch (t) {
    case MLX_BOOL:
    case MLX_UINT8:
        return *(const uint8_t *)p;
    case MLX_UINT16:
        return *(const uint16_t *)p;
    case MLX_UINT32:
        return *(const uint32_t *)p;
    case MLX_UINT64:
        return *(const uint64_t *)p;
    case MLX_INT8:
        return *(const int8_t *)p;
    case MLX_INT16:
        return *(const int16_t *)p;
    case MLX_INT32:
        return *(const int32_t *)p;
    case MLX_INT64:
        return *(const int64_t *)p;
    case MLX_FLOAT64:
        return (long double)*(const double *)p;
    default: /* halves come as float32 */
        return (long double)((const float *)p)[part];
    }
}

static bool comes_before(const char *a, const char *b, mlx_dtype t)
{
    long double x[2], y[2];
    for (int i = 0; i < 2; i++) {
        x[i] = value_of(a, t, t == MLX_COMPLEX64 ? i : 0);
        y[i] = value_of(b, t, t == MLX_COMPLEX64 ? i : 0);
    }
    bool x_nan = x[0] != x[0] || x[1] != x[1], y_nan = y[0] != y[0] || y[1] != y[1];
    if (x_nan || y_nan)
        return y_nan && !x_nan;
    return x[0] < y[0] || (x[0] == y[0] && t == MLX_COMPLEX64 && x[1] < y[1]);
}

static void merge_sort(const char *data, size_t size, mlx_dtype t, uint32_t *a, uint32_t *spare, size_t n)
{
    if (n < 2)
        return;
    size_t half = n / 2, i = 0, j = half, k = 0;
    merge_sort(data, size, t, a, spare, half);
    merge_sort(data, size, t, a + half, spare, n - half);
    while (i < half || j < n) {
        bool second = i == half || (j < n && comes_before(data + a[j] * size, data + a[i] * size, t));
        spare[k++] = second ? a[j++] : a[i++];
    }
    memcpy(a, spare, n * sizeof *a);
}

/* x's numbers, dense, halves as float32; to be freed. */
static char *values_of(mlx_array x, mlx_dtype *t, size_t *size)
{
    *t = mx_dtype_of(x);
    if (*t == MLX_FLOAT16 || *t == MLX_BFLOAT16)
        x = mx_astype(x, *t = MLX_FLOAT32);
    *size = mx_dtype_size(*t);
    char *data = calloc(mx_size(x) + 1, *size);
    assert_int_equal(mx_read(x, data), 0);
    return data;
}

static uint32_t expected[1 << 18], got[1 << 18], spare[1 << 18];

/* `order` is this very order of x, `sorted` has the values in it, bit for bit. */
static void check_sorted(mlx_array x, mlx_array order, mlx_array sorted)
{
    mlx_dtype t;
    size_t size, n = mx_size(x);
    char *data = values_of(x, &t, &size);
    for (size_t i = 0; i < n; i++)
        expected[i] = (uint32_t)i;
    merge_sort(data, size, t, expected, spare, n);
    assert_int_equal(mx_dtype_of(order), MLX_UINT32);
    assert_int_equal(mx_read(order, got), 0);
    for (size_t i = 0; i < n; i++)
        if (got[i] != expected[i])
            fail_msg("%s, %zu numbers: place %zu has %u, not %u", mx_dtype_name(mx_dtype_of(x)), n, i, got[i],
                     expected[i]);
    assert_int_equal(mx_dtype_of(sorted), mx_dtype_of(x));
    char *result = values_of(sorted, &t, &size);
    for (size_t i = 0; i < n; i++)
        if (memcmp(result + i * size, data + expected[i] * size, size) != 0)
            fail_msg("%s, %zu numbers: value %zu differs", mx_dtype_name(mx_dtype_of(x)), n, i);
    free(result);
    free(data);
}

static void check_sort(mlx_array x) { check_sorted(x, mx_argsort(x, 0), mx_sort(x, 0)); }

static void all_dtypes_and_lengths(void **state)
{
    (void)state;
    const int lengths[] = {0, 1, 2, 3, 63, 64, 65, 300, 4095, 4097, 20000};
    for (int t = 0; t < MX_DTYPES; t++)
        for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++)
            for (int kind = 0; kind < KINDS; kind++) {
                size_t mark = mx_mark();
                mlx_array x = numbers(lengths[k], (mlx_dtype)t, (enum kind)kind);
                check_sort(x);
                if (lengths[k] > 3)
                    check_sort(mx_slice(x, (int[]){lengths[k]}, (int[]){-lengths[k] - 1}, (int[]){-3}));
                mx_release(mark);
            }
}

static bool same(mlx_array a, mlx_array b)
{
    bool equal = false;
    return mx_read(mx_array_equal(a, b, true), &equal) == 0 && equal;
}

/* Many rows at once, along both axes, whose number fills no group. */
static void short_rows(void **state)
{
    (void)state;
    const int lengths[] = {2, 3, 10, 16, 31, 64, 100, 256, 2048, 2049};
    for (int t = 0; t < MX_DTYPES; t++)
        for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++)
            for (int kind = 0; kind < KINDS; kind++) {
                size_t mark = mx_mark();
                int n = lengths[k], rows = n < 300 ? 37 : 5, axis = (int)(k + (size_t)kind) % 2;
                mlx_array x = mx_reshape(numbers(rows * n, (mlx_dtype)t, (enum kind)kind), SHAPE(rows, n));
                x = axis ? x : mx_contiguous(mx_swapaxes(x, 0, 1));
                mlx_array order = mx_argsort(x, axis), sorted = mx_sort(x, axis);
                mlx_array part = mx_partition(x, n / 2, axis), at = mx_argpartition(x, n / 2, axis);
                assert_true(same(mx_slice_axis(part, axis, n / 2, n / 2 + 1),
                                 mx_slice_axis(sorted, axis, n / 2, n / 2 + 1)));
                assert_true(same(mx_sort(part, axis), sorted));
                assert_true(same(mx_take_along_axis(x, at, axis), part));
                for (int r = 0; r < rows; r++) {
#define ROW(y) mx_reshape(mx_slice_axis(y, 1 - axis, r, r + 1), SHAPE(n))
                    check_sorted(ROW(x), ROW(order), ROW(sorted));
                }
                mx_release(mark);
            }
}

/* A row that threads share. */
static void long_rows(void **state)
{
    (void)state;
    mx_set_threads(3);
    const mlx_dtype dtypes[4] = {MLX_FLOAT32, MLX_UINT16, MLX_INT64, MLX_COMPLEX64};
    for (int t = 0; t < 4; t++) {
        size_t mark = mx_mark();
        check_sort(numbers(150001, dtypes[t], MANY));
        mx_release(mark);
    }
    mx_set_threads(0);
}

/* Every axis of an array, in a layout that is not dense, against its rows one by one. */
static void axes(void **state)
{
    (void)state;
    mlx_array x = mx_reshape(numbers(6 * 70 * 5, MLX_FLOAT32, SPECIAL), SHAPE(6, 70, 5));
    x = mx_swapaxes(x, 0, 2);
    for (int axis = 0; axis < 3; axis++) {
        size_t mark = mx_mark();
        int a = axis == 0 ? 1 : 0, b = axis == 2 ? 1 : 2;
        mlx_array sorted = mx_sort(x, axis), order = mx_argsort(x, axis - 3);
        for (int i = 0; i < mx_dim(x, a); i++)
            for (int j = 0; j < mx_dim(x, b); j++) {
                float row[70];
                mlx_array lane = mx_slice_axis(mx_slice_axis(x, a, i, i + 1), b, j, j + 1);
                mlx_array part = mx_slice_axis(mx_slice_axis(sorted, a, i, i + 1), b, j, j + 1);
                mlx_array positions = mx_slice_axis(mx_slice_axis(order, a, i, i + 1), b, j, j + 1);
                assert_int_equal(mx_read_f32(mx_sort(mx_reshape(lane, SHAPE(-1)), 0), row), 0);
                check(part, mx_size(lane), row, 0);
                check(mx_take_along_axis(lane, positions, axis), mx_size(lane), row, 0);
            }
        mx_release(mark);
    }
    mx_release(0);
}

static void partitions(void **state)
{
    (void)state;
    const int lengths[] = {1, 2, 3, 10, 100, 3000};
    for (int t = 0; t < MX_DTYPES; t++)
        for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++)
            for (int kind = 0; kind < KINDS; kind++) {
                size_t mark = mx_mark(), size;
                int n = lengths[k], kth = (int)(random64() % (uint64_t)n);
                mlx_dtype u;
                mlx_array x = numbers(n, (mlx_dtype)t, (enum kind)kind);
                mlx_array y = mx_partition(x, kth - (kind ? n : 0), 0), sorted = mx_sort(x, 0);
                mlx_array order = mx_argpartition(x, kth, -1);
                char *p = values_of(y, &u, &size), *s = values_of(sorted, &u, &size);
                assert_false(comes_before(p + kth * size, s + kth * size, u));
                assert_false(comes_before(s + kth * size, p + kth * size, u));
                for (int i = 0; i < n; i++)
                    assert_false(i < kth ? comes_before(p + kth * size, p + i * size, u)
                                         : comes_before(p + i * size, p + kth * size, u));
                char *again = values_of(mx_take(x, order, 0), &u, &size);
                assert_memory_equal(p, again, n * size);
                char *all = values_of(mx_sort(y, 0), &u, &size); /* nothing lost */
                for (int i = 0; i < n; i++)
                    assert_false(comes_before(all + i * size, s + i * size, u) ||
                                 comes_before(s + i * size, all + i * size, u));
                free(p), free(s), free(again), free(all);
                mx_release(mark);
            }
}

static void small(void **state)
{
    (void)state;
    mlx_array x = mx_reshape(VEC(3, 1, 2, 0, 5, 4), SHAPE(2, 3));
    CHECK(mx_sort(x, MX_FLATTEN), 0, 0, 1, 2, 3, 4, 5);
    CHECK_INTS(mx_argsort(x, MX_FLATTEN), 3, 1, 2, 0, 5, 4);
    CHECK(mx_sort(mx_topk(x, 3, MX_FLATTEN), 0), 0, 3, 4, 5);
    CHECK(mx_sort(mx_topk(x, 2, 1), 1), 0, 2, 3, 4, 5);
    CHECK(mx_topk(x, 2, 0), 0, 3, 1, 2, 0, 5, 4);
    assert_int_equal(mx_size(mx_topk(x, 0, 0)), 0);
    CHECK(mx_sort(mx_topk(VEC(1, NAN_, 5, 2), 2, 0), 0), 0, 5, NAN_);
    CHECK_INTS(mx_argsort(VEC(3, 3, 1, 2), 0), 2, 3, 0, 1);
    CHECK(mx_sort(mx_float(3, MLX_FLOAT32), MX_FLATTEN), 0, 3);
    CHECK_FAILS(mx_sort(mx_float(3, MLX_FLOAT32), 0), "[sort] axis 0 is out of range");
    CHECK_FAILS(mx_argsort(x, 2), "[argsort] axis 2 is out of range");
    CHECK_FAILS(mx_partition(x, 3, 1), "[partition] kth 3 is out of range for axis 1 of shape (2, 3)");
    CHECK_FAILS(mx_argpartition(x, -3, 0), "[argpartition] kth -3");
    CHECK_FAILS(mx_topk(x, 4, 1), "[topk] k 4 is out of range");
    mlx_array steps = VEC(1, 2, 2, 4);
    CHECK_INTS(mx_searchsorted(steps, VEC(0, 1, 2, 3, 5, NAN_), false), 0, 0, 1, 3, 4, 4);
    CHECK_INTS(mx_searchsorted(steps, VEC(0, 1, 2, 3, 5), true), 0, 1, 3, 3, 4);
    CHECK_INTS(mx_searchsorted(steps, mx_from((int[]){2, -7, 9}, SHAPE(3, 1), MLX_INT32), false), 1, 0, 4);
    CHECK_INTS(mx_searchsorted(mx_zeros(SHAPE(0), MLX_FLOAT32), VEC(1), true), 0);
    CHECK_INTS(mx_searchsorted(VEC(-0.0f, 0), VEC(0, -0.0f), true), 2, 2);
    CHECK_FAILS(mx_searchsorted(x, VEC(1), true), "must have one dimension, not shape (2, 3)");
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
        cmocka_unit_test(all_dtypes_and_lengths),
        cmocka_unit_test(short_rows),
        cmocka_unit_test(long_rows),
        cmocka_unit_test(axes),
        cmocka_unit_test(partitions),
        cmocka_unit_test(small),
    };
    return RUN_TESTS("sort", tests, cleanup);
}
