/* Dense products of every dtype against plain loops, and the messages of wrong calls. */
#include "test.h"

#include "mx.h"

#include <complex.h>
#include <math.h>

static float out[65536];

/* The call fails with a message that contains the text. */
#define CHECK_FAILS(expr, text)                                             \
    do {                                                                    \
        mlx_array failed_ = (expr);                                         \
        if (!mx_is_null(failed_))                                           \
            mx_eval(failed_);                                               \
        if (!mx_failed() || !strstr(mx_error_text(), text))                 \
            fail_msg("expected \"%s\", got \"%s\"", text, mx_error_text()); \
    } while (0)

static uint32_t seed = 1;
static double draw(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (double)(seed >> 24) / 32 - 4; /* eight bits: exact in every float dtype */
}

/* Numbers of a shape as doubles (in `values`) and as an array of the dtype. */
static mlx_array numbers(double *values, const int *shape, size_t ndim, mlx_dtype t)
{
    size_t n = 1;
    for (size_t i = 0; i < ndim; i++)
        n *= (size_t)shape[i];
    for (size_t i = 0; i < n; i++)
        values[i] = draw();
    return mx_astype(mx_from(values, shape, ndim, MLX_FLOAT64), t);
}

static void check(mlx_array y, const double *expected, size_t n, double tolerance)
{
    if (mx_is_null(y) || mx_size(y) != n || mx_read_f32(y, out)) {
        mx_failed();
        fail_msg("%zu elements, not %zu: %s", mx_is_null(y) ? 0 : mx_size(y), n, mx_error_text());
    }
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)out[i] - expected[i]) <= tolerance * (1 + fabs(expected[i]))))
            fail_msg("element %zu is %.9g, not %.9g", i, (double)out[i], expected[i]);
}

/* c (m, n) = a (m, k) b (k, n) */
static void multiply(const double *a, const double *b, int m, int k, int n, double *c)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            c[i * n + j] = 0;
            for (int p = 0; p < k; p++)
                c[i * n + j] += a[i * k + p] * b[p * n + j];
        }
}

static const mlx_dtype floats[4] = {MLX_FLOAT32, MLX_FLOAT16, MLX_BFLOAT16, MLX_FLOAT64};
static const double precision[4] = {1e-6, 2e-3, 1.6e-2, 1e-7};

enum { MOST = 40000 };
static double a[MOST], b[MOST], c[MOST], y[MOST];

static void matmul(void **state)
{
    (void)state;
    static const int sizes[][3] = {{1, 7, 5},     {3, 1, 2},  {13, 70, 33},
                                   {40, 300, 50}, {1, 64, 1}, {100, 2, 1}};
    for (int t = 0; t < 4; t++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            const int m = sizes[s][0], k = sizes[s][1], n = sizes[s][2];
            mlx_array x = numbers(a, SHAPE(m, k), floats[t]), w = numbers(b, SHAPE(k, n), floats[t]);
            multiply(a, b, m, k, n, y);
            check(mx_matmul(x, w), y, (size_t)(m * n), precision[t]);
            mlx_array turned = mx_swapaxes(mx_contiguous(mx_swapaxes(w, 0, 1)), 0, 1);
            check(mx_matmul(x, turned), y, (size_t)(m * n), precision[t]);
            turned = mx_swapaxes(mx_contiguous(mx_swapaxes(x, 0, 1)), 0, 1);
            check(mx_matmul(turned, w), y, (size_t)(m * n), precision[t]);
            assert_int_equal(mx_dtype_of(mx_matmul(x, w)), floats[t]);
            mx_release(0);
        }
    mlx_array none = mx_matmul(mx_zeros(SHAPE(2, 0), MLX_FLOAT32), mx_zeros(SHAPE(0, 3), MLX_FLOAT32));
    check(none, (double[6]){0}, 6, 0);
    mlx_array v = numbers(a, SHAPE(7), MLX_FLOAT32);
    multiply(a, a, 1, 7, 1, y);
    check(mx_matmul(v, v), y, 1, 1e-6);
    assert_int_equal(mx_ndim(mx_matmul(v, v)), 0);
    CHECK_FAILS(mx_matmul(mx_float(1, MLX_FLOAT32), v), "[matmul] shapes () and (7,): both must have");
    CHECK_FAILS(mx_matmul(v, mx_zeros(SHAPE(6), MLX_FLOAT32)), "[matmul] shapes (7,) and (6,) do not fit");
    CHECK_FAILS(mx_matmul(mx_zeros(SHAPE(2), MLX_INT32), mx_zeros(SHAPE(2), MLX_INT8)), "not int32");
    mx_release(0);
}

static void complex_numbers(void **state)
{
    (void)state;
    static float complex x[3 * 7], w[7 * 5], got[15];
    for (int i = 0; i < 21; i++)
        x[i] = (float)draw() + (float)draw() * I;
    for (int i = 0; i < 35; i++)
        w[i] = (float)draw() + (float)draw() * I;
    mlx_array p = mx_from(x, SHAPE(3, 7), MLX_COMPLEX64), q = mx_from(w, SHAPE(7, 5), MLX_COMPLEX64);
    mlx_array turned = mx_swapaxes(mx_contiguous(mx_swapaxes(p, 0, 1)), 0, 1);
    mlx_array all[3] = {mx_matmul(p, q), mx_matmul(turned, q),
                        mx_addmm(mx_zeros(SHAPE(5), MLX_COMPLEX64), p, q, 1, 1)};
    for (int t = 0; t < 3; t++) {
        assert_int_equal(mx_read(all[t], got), 0);
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 5; j++) {
                double complex sum = 0;
                for (int k = 0; k < 7; k++)
                    sum += (double complex)x[i * 7 + k] * (double complex)w[k * 5 + j];
                assert_true(cabs(sum - (double complex)got[i * 5 + j]) < 1e-4);
            }
    }
    mx_release(0);
}

static void addmm(void **state)
{
    (void)state;
    for (int t = 0; t < 4; t++) {
        mlx_array x = numbers(a, SHAPE(13, 30), floats[t]), w = numbers(b, SHAPE(30, 17), floats[t]);
        mlx_array row = numbers(c, SHAPE(17), floats[t]);
        multiply(a, b, 13, 30, 17, y);
        for (int i = 0; i < 13 * 17; i++)
            y[i] = 0.5 * y[i] - 2 * c[i % 17];
        check(mx_addmm(row, x, w, 0.5f, -2), y, 13 * 17, precision[t]);
        mlx_array column = numbers(c, SHAPE(13), floats[t]);
        multiply(a, b, 13, 30, 1, y);
        mlx_array v = mx_astype(mx_from(b, SHAPE(30), MLX_FLOAT64), floats[t]);
        for (int i = 0; i < 13; i++)
            y[i] += c[i];
        check(mx_addmm(column, x, v, 1, 1), y, 13, precision[t]);
        check(mx_addmm(column, v, mx_swapaxes(x, 0, 1), 1, 1), y, 13, precision[t]);
        mx_release(0);
    }
    mlx_array x = mx_ones(SHAPE(2, 3), MLX_FLOAT32);
    CHECK_FAILS(mx_addmm(mx_ones(SHAPE(4, 2, 2), MLX_FLOAT32), x, mx_ones(SHAPE(3, 2), MLX_FLOAT32), 1, 1),
                "[addmm] c (4, 2, 2) does not broadcast to the product's shape (2, 2)");
    CHECK_FAILS(mx_addmm(x, x, x, 1, 1), "[addmm] shapes (2, 3) and (2, 3) do not fit");
    mx_release(0);
}

static void gather_mm(void **state)
{
    (void)state;
    static const int lhs[6] = {0, 1, 2, 3, 1, 1}, rhs[6] = {2, 0, 0, 0, 2, 1};
    for (int t = 0; t < 4; t++) {
        mlx_array x = numbers(a, SHAPE(2, 2, 3, 20), floats[t]), w = numbers(b, SHAPE(3, 20, 9), floats[t]);
        for (int i = 0; i < 6; i++)
            multiply(a + lhs[i] * 60, b + rhs[i] * 180, 3, 20, 9, y + i * 27);
        mlx_array l = mx_from(lhs, SHAPE(3, 2), MLX_INT32), r = mx_from(rhs, SHAPE(3, 2), MLX_INT32);
        mlx_array z = mx_gather_mm(x, w, l, r, false);
        assert_int_equal(mx_ndim(z), 4);
        check(z, y, 6 * 27, precision[t]);
        z = mx_gather_mm(x, mx_swapaxes(mx_contiguous(mx_swapaxes(w, 1, 2)), 1, 2), MX_NULL,
                         mx_from((int[]){0, 0, 1, 2}, SHAPE(2, 2), MLX_INT32), true);
        for (int i = 0; i < 4; i++)
            multiply(a + i * 60, b + (int[]){0, 0, 1, 2}[i] * 180, 3, 20, 9, y + i * 27);
        check(z, y, 4 * 27, precision[t]);
        mx_release(0);
    }
    mlx_array x = mx_ones(SHAPE(2, 1, 3), MLX_FLOAT32), w = mx_ones(SHAPE(4, 3, 2), MLX_FLOAT32);
    CHECK_FAILS(mx_gather_mm(x, w, mx_int(1, MLX_INT32), mx_int(4, MLX_INT32), false),
                "[gather_mm] rhs index 4 is out of range for 4 matrices");
    CHECK_FAILS(mx_gather_mm(x, w, mx_float(1, MLX_FLOAT32), MX_NULL, false), "indices must be integers");
    CHECK_FAILS(mx_gather_mm(x, w, MX_NULL, mx_zeros(SHAPE(3), MLX_INT32), false), "cannot be broadcast");
    mx_release(0);
}

static void segmented_mm(void **state)
{
    (void)state;
    for (int t = 0; t < 4; t++) {
        mlx_array x = numbers(a, SHAPE(5, 20), floats[t]), w = numbers(b, SHAPE(20, 6), floats[t]);
        static const int ends[4][2] = {{0, 20}, {3, 9}, {9, 3}, {19, 20}};
        for (int s = 0; s < 4; s++)
            for (int i = 0; i < 30; i++) {
                y[s * 30 + i] = 0;
                for (int k = ends[s][0]; k < ends[s][1]; k++)
                    y[s * 30 + i] += a[i / 6 * 20 + k] * b[k * 6 + i % 6];
            }
        check(mx_segmented_mm(x, w, mx_from(ends, SHAPE(2, 2, 2), MLX_INT32)), y, 120, precision[t]);
        mx_release(0);
    }
    mlx_array x = mx_ones(SHAPE(3, 3), MLX_FLOAT32);
    CHECK_FAILS(mx_segmented_mm(x, x, mx_from((int[]){1, 4}, SHAPE(2), MLX_INT32)), "ends at 4, over K = 3");
    CHECK_FAILS(mx_segmented_mm(x, x, mx_zeros(SHAPE(3), MLX_INT32)), "integers of shape (.., 2)");
    mx_release(0);
}

static void block_masked_mm(void **state)
{
    (void)state;
    enum { M = 40, K = 70, N = 33 };
    static double l[2 * 3], r[3 * 2], o[2 * 2], am[M * K], bm[K * N];
    mlx_array x = numbers(a, SHAPE(M, K), MLX_FLOAT32), w = numbers(b, SHAPE(K, N), MLX_FLOAT32);
    mlx_array ml = numbers(l, SHAPE(2, 3), MLX_FLOAT32), mr = numbers(r, SHAPE(3, 2), MLX_FLOAT32);
    for (int i = 0; i < M * K; i++)
        am[i] = a[i] * l[i / K / 32 * 3 + i % K / 32];
    for (int i = 0; i < K * N; i++)
        bm[i] = b[i] * r[i / N / 32 * 2 + i % N / 32];
    for (int i = 0; i < 4; i++)
        o[i] = i != 1;
    mlx_array mo = mx_astype(mx_from(o, SHAPE(2, 2), MLX_FLOAT64), MLX_BOOL);
    multiply(am, bm, M, K, N, y);
    check(mx_block_masked_mm(x, w, 32, MX_NULL, ml, mr), y, M * N, 1e-4);
    for (int i = 0; i < M * N; i++)
        y[i] *= o[i / N / 32 * 2 + i % N / 32];
    check(mx_block_masked_mm(x, w, 32, mo, ml, mr), y, M * N, 1e-4);
    CHECK_FAILS(mx_block_masked_mm(x, w, 16, mo, ml, mr), "block_size 16 is not one of 32, 64");
    CHECK_FAILS(mx_block_masked_mm(x, w, 64, mo, ml, mr), "does not broadcast");
    mx_release(0);
}

static void hadamard(void **state)
{
    (void)state;
    static const int sizes[] = {1, 2, 8, 12, 24, 20, 80, 28, 56, 1024};
    const float one = 1;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        const int n = sizes[s];
        mlx_array x = numbers(a, SHAPE(3, n), MLX_FLOAT32);
        mlx_array h =
            mx_hadamard_transform(mx_astype(mx_equal(mx_reshape(mx_arange(0, n, 1, MLX_INT32), SHAPE(n, 1)),
                                                     mx_arange(0, n, 1, MLX_INT32)),
                                            MLX_FLOAT32),
                                  &one); /* row j: column j of the matrix */
        mlx_array product = mx_matmul(h, mx_swapaxes(h, 0, 1));
        for (int i = 0; n <= 80 && i < n * n; i++)
            y[i] = i % (n + 1) ? 0 : n;
        if (n <= 80)
            check(product, y, (size_t)(n * n), 1e-6);
        mlx_array direct = mx_multiply(mx_matmul(x, h), mx_float(1 / sqrt(n), MLX_FLOAT32));
        assert_int_equal(mx_read_f32(direct, out), 0);
        for (int i = 0; i < 3 * n; i++)
            y[i] = (double)out[i];
        check(mx_hadamard_transform(x, NULL), y, (size_t)(3 * n), 1e-5);
        check(mx_hadamard_transform(mx_astype(x, MLX_BFLOAT16), NULL), y, (size_t)(3 * n), 1e-2);
        check(mx_hadamard_transform(mx_astype(x, MLX_FLOAT64), NULL), y, (size_t)(3 * n), 1e-5);
        mx_release(0);
    }
    /* the first rows of the three matrices: what the basis vectors give in element 0 */
    static const char *const first[3] = {"+-++++++++++", "+----+----++--++-++-",
                                         "+------++----++-+--+-+--++--"};
    for (int s = 0; s < 3; s++)
        for (int n = (int)strlen(first[s]), i = 0; i < n; i++) {
            memset(a, 0, sizeof a);
            a[i] = 1;
            assert_int_equal(mx_read_f32(mx_hadamard_transform(mx_from(a, &n, 1, MLX_FLOAT64), &one), out),
                             0);
            assert_true(out[0] == (first[s][i] == '+' ? 1 : -1));
        }
    CHECK_FAILS(mx_hadamard_transform(mx_ones(SHAPE(36), MLX_FLOAT32), NULL), "size 36 is not m * 2^k");
    CHECK_FAILS(mx_hadamard_transform(mx_ones(SHAPE(0), MLX_FLOAT32), NULL), "empty");
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
        cmocka_unit_test(matmul),    cmocka_unit_test(complex_numbers), cmocka_unit_test(addmm),
        cmocka_unit_test(gather_mm), cmocka_unit_test(segmented_mm),    cmocka_unit_test(block_masked_mm),
        cmocka_unit_test(hadamard),
    };
    return RUN_TESTS("matmul", tests, cleanup);
}
