/* Linear algebra: factors multiply to the matrix (by scalar loops of this file), inverses invert, known
 * constants, both precisions, batches, empty matrices, and the messages of wrong calls. */
#include "test.h"

#include "mx.h"

#include <complex.h>
#include <math.h>

enum { MOST = 8192 };
typedef double _Complex number;

/* An array's elements as complex numbers, row-major. */
static void values(mlx_array x, number *out)
{
    static double reals[MOST];
    static float pairs[2 * MOST];
    size_t n = mx_size(x);
    assert_true(n <= MOST);
    int rc = mx_dtype_of(x) == MLX_COMPLEX64 ? mx_read(x, pairs) : mx_read(mx_astype(x, MLX_FLOAT64), reals);
    if (mx_is_null(x) || rc) {
        mx_failed();
        fail_msg("%s", mx_error_text());
    }
    for (size_t i = 0; i < n; i++)
        out[i] = mx_dtype_of(x) == MLX_COMPLEX64 ? pairs[2 * i] + I * (double)pairs[2 * i + 1] : reals[i];
}

static void close_to(mlx_array x, const number *expected, double bound)
{
    static number got[MOST];
    values(x, got);
    for (size_t i = 0; i < mx_size(x); i++)
        if (!(cabs(got[i] - expected[i]) <= bound))
            fail_msg("element %zu is %g + %gi, not %g + %gi", i, creal(got[i]), cimag(got[i]),
                     creal(expected[i]), cimag(expected[i]));
}
#define CLOSE(x, bound, ...)                                              \
    do {                                                                  \
        const number numbers_[] = {__VA_ARGS__};                          \
        assert_int_equal(mx_size(x), sizeof numbers_ / sizeof *numbers_); \
        close_to(x, numbers_, bound);                                     \
    } while (0)

#define FAILS(expr, text)                                                   \
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
    return (double)(seed >> 8) / 8388608.0 - 1;
}

/* Random (batch, m, n). */
static mlx_array matrices(int batch, int m, int n, mlx_dtype t)
{
    static double numbers[MOST];
    static float pairs[MOST];
    for (int i = 0; i < batch * m * n; i++) {
        numbers[i] = draw();
        pairs[2 * i] = (float)numbers[i];
        pairs[2 * i + 1] = (float)draw();
    }
    return t == MLX_COMPLEX64 ? mx_from(pairs, SHAPE(batch, m, n), t)
                              : mx_astype(mx_from(numbers, SHAPE(batch, m, n), MLX_FLOAT64), t);
}

static double precision(mlx_dtype t) { return t == MLX_FLOAT64 ? 1e-11 : 2e-4; }

/* c = a b for `batch` matrices; adjoint: of b its conjugate transpose (n, k). */
static void product(const number *a, const number *b, number *c, int batch, int m, int k, int n, bool adjoint)
{
    for (int i = 0; i < batch; i++, a += m * k, b += k * n, c += m * n)
        for (int r = 0; r < m; r++)
            for (int q = 0; q < n; q++) {
                number sum = 0;
                for (int j = 0; j < k; j++)
                    sum += a[r * k + j] * (adjoint ? conj(b[q * k + j]) : b[j * n + q]);
                c[r * n + q] = sum;
            }
}

/* Are the columns of x (batch, m, n) orthonormal? */
static void orthonormal(mlx_array x, int batch, int m, int n, double bound)
{
    static number v[MOST];
    values(x, v);
    for (int i = 0; i < batch; i++)
        for (int a = 0; a < n; a++)
            for (int b = 0; b < n; b++) {
                number sum = 0;
                for (int r = 0; r < m; r++)
                    sum += conj(v[(i * m + r) * n + a]) * v[(i * m + r) * n + b];
                if (!(cabs(sum - (a == b)) <= bound))
                    fail_msg("columns %d and %d: %g + %gi", a, b, creal(sum), cimag(sum));
            }
}

static const int sizes[][2] = {{1, 1}, {4, 4}, {7, 3}, {3, 7}, {20, 20}, {33, 18}};
enum { SIZES = sizeof sizes / sizeof *sizes };
static const mlx_dtype reals[] = {MLX_FLOAT32, MLX_FLOAT64};
static number a[MOST], b[MOST], c[MOST], d[MOST];

static void qr(void **state)
{
    (void)state;
    for (int k = 0; k < 2 * SIZES; k++) {
        int m = sizes[k / 2][0], n = sizes[k / 2][1], least = m < n ? m : n;
        mlx_dtype t = reals[k % 2];
        mlx_array x = matrices(3, m, n, t), f[2];
        assert_int_equal(mx_linalg_qr(x, f), 0);
        assert_int_equal(mx_dtype_of(f[0]), t);
        orthonormal(f[0], 3, m, least, precision(t));
        values(f[0], a);
        values(f[1], b);
        for (int i = 0; i < 3; i++)
            for (int r = 0; r < least; r++)
                for (int q = 0; q < r && q < n; q++)
                    assert_true(b[(i * least + r) * n + q] == 0);
        product(a, b, c, 3, m, least, n, false);
        close_to(x, c, precision(t));
        mx_release(0);
    }
}

static void svd(void **state)
{
    (void)state;
    static const mlx_dtype types[3] = {MLX_FLOAT32, MLX_FLOAT64, MLX_COMPLEX64};
    for (int k = 0; k < 3 * SIZES; k++) {
        int m = sizes[k / 3][0], n = sizes[k / 3][1], least = m < n ? m : n;
        mlx_dtype t = types[k % 3];
        mlx_array x = matrices(2, m, n, t), f[3], s;
        assert_int_equal(mx_linalg_svd(x, true, f), 0);
        assert_int_equal(mx_linalg_svd(x, false, &s), 0);
        assert_int_equal(mx_dtype_of(f[0]), t);
        assert_int_equal(mx_dtype_of(f[1]), t == MLX_COMPLEX64 ? MLX_FLOAT32 : t);
        orthonormal(f[0], 2, m, m, precision(t));
        orthonormal(mx_swapaxes(f[2], 1, 2), 2, n, n, precision(t));
        values(f[0], a);
        values(f[1], b);
        values(f[2], c);
        close_to(s, b, precision(t));
        memset(d, 0, sizeof d); /* U diag(s) */
        for (int i = 0; i < 2; i++)
            for (int j = 0; j < least; j++) {
                assert_true(creal(b[i * least + j]) >= 0 &&
                            (j == 0 || creal(b[i * least + j]) <= creal(b[i * least + j - 1])));
                for (int r = 0; r < m; r++)
                    d[(i * m + r) * n + j] = a[(i * m + r) * m + j] * b[i * least + j];
            }
        product(d, c, a, 2, m, n, n, false);
        close_to(x, a, precision(t));
        mx_release(0);
    }
}

static void inverses(void **state)
{
    (void)state;
    for (int k = 0; k < 2; k++) {
        const int n = 9;
        mlx_dtype t = reals[k];
        mlx_array x =
            mx_add(matrices(4, n, n, t),
                   mx_multiply(mx_float(3, t),
                               mx_astype(mx_equal(mx_reshape(mx_arange(0, n, 1, MLX_INT32), SHAPE(-1, 1)),
                                                  mx_arange(0, n, 1, MLX_INT32)),
                                         t)));
        mlx_array ones =
            mx_broadcast_to(mx_astype(mx_equal(mx_reshape(mx_arange(0, n, 1, MLX_INT32), SHAPE(-1, 1)),
                                               mx_arange(0, n, 1, MLX_INT32)),
                                      t),
                            SHAPE(4, n, n));
        values(x, a);
        values(mx_linalg_inv(x), b);
        product(a, b, c, 4, n, n, n, false);
        close_to(ones, c, precision(t));
        values(mx_linalg_pinv(x), c);
        close_to(mx_linalg_inv(x), c, precision(t));
        for (int upper = 0; upper < 2; upper++) { /* one triangle of x alone */
            values(mx_linalg_tri_inv(x, upper), b);
            memcpy(d, a, sizeof d);
            for (int i = 0; i < 4; i++)
                for (int r = 0; r < n; r++)
                    for (int q = 0; q < n; q++)
                        if (upper ? q < r : q > r) {
                            d[(i * n + r) * n + q] = 0;
                            assert_true(b[(i * n + r) * n + q] == 0);
                        }
            product(d, b, c, 4, n, n, n, false);
            close_to(ones, c, precision(t));
        }
        mx_release(0);
    }
    /* pinv of a tall matrix of rank 1: x^T / |x|^2 */
    mlx_array tall = mx_from((float[]){1, 2, 2, 4, 0, 0}, SHAPE(3, 2), MLX_FLOAT32);
    CLOSE(mx_linalg_pinv(tall), 1e-6, 0.04, 0.08, 0, 0.08, 0.16, 0);
    mx_release(0);
}

static void cholesky(void **state)
{
    (void)state;
    for (int k = 0; k < 4; k++) {
        bool upper = k % 2;
        const int n = 6;
        mlx_dtype t = reals[k / 2];
        mlx_array x = matrices(3, n, 2 * n, t), square = mx_matmul(x, mx_swapaxes(x, 1, 2));
        mlx_array factor = mx_linalg_cholesky(square, upper);
        values(factor, a);
        values(mx_swapaxes(factor, 1, 2), b);
        upper ? product(b, a, c, 3, n, n, n, false) : product(a, b, c, 3, n, n, n, false);
        close_to(square, c, precision(t) * 10);
        for (int r = 0; r < n; r++)
            for (int q = 0; q < n; q++)
                if (upper ? q < r : q > r)
                    assert_true(a[r * n + q] == 0);
        values(mx_linalg_inv(square), a);
        close_to(mx_linalg_cholesky_inv(factor, upper), a, precision(t) * 10);
        mx_release(0);
    }
    CLOSE(mx_linalg_cholesky(mx_from((float[]){4, 2, 2, 5}, SHAPE(2, 2), MLX_FLOAT32), false), 1e-6, 2, 0, 1,
          2);
    mx_release(0);
}

static void lu(void **state)
{
    (void)state;
    for (int k = 0; k < 2 * SIZES; k++) {
        int m = sizes[k / 2][0], n = sizes[k / 2][1], least = m < n ? m : n;
        mlx_dtype t = reals[k % 2];
        mlx_array x = matrices(2, m, n, t), f[3], packed[2];
        assert_int_equal(mx_linalg_lu(x, f), 0);
        assert_int_equal(mx_dtype_of(f[0]), MLX_UINT32);
        mlx_array rows = mx_broadcast_to(mx_expand_dims(f[0], -1), SHAPE(2, m, least));
        values(mx_take_along_axis(f[1], rows, 1), a);
        values(f[2], b);
        product(a, b, c, 2, m, least, n, false);
        close_to(x, c, precision(t));
        /* the packed form: the exchanges in turn give the same */
        assert_int_equal(mx_linalg_lu_factor(x, packed), 0);
        values(x, a);
        values(packed[1], b);
        for (int i = 0; i < 2; i++)
            for (int r = 0; r < least; r++)
                for (int q = 0; q < n; q++) {
                    int other = (int)creal(b[i * least + r]);
                    number swap = a[(i * m + r) * n + q];
                    a[(i * m + r) * n + q] = a[(i * m + other) * n + q];
                    a[(i * m + other) * n + q] = swap;
                }
        values(f[1], c);
        values(f[2], b);
        product(c, b, d, 2, m, least, n, false);
        for (int i = 0; i < 2 * m * n; i++)
            assert_true(cabs(a[i] - d[i]) <= precision(t));
        mx_release(0);
    }
}

static void equations(void **state)
{
    (void)state;
    for (int k = 0; k < 2; k++) {
        const int n = 7;
        mlx_dtype t = reals[k];
        mlx_array x = matrices(3, n, n, t), y = matrices(3, n, 2, t);
        values(x, a);
        values(mx_linalg_solve(x, y), b);
        product(a, b, c, 3, n, n, 2, false);
        close_to(y, c, precision(t) * 20);
        mlx_array one = mx_squeeze(mx_slice_axis(x, 0, 0, 1), 0),
                  v = mx_squeeze(mx_slice_axis(mx_slice_axis(y, 0, 0, 1), 2, 0, 1), 2);
        v = mx_squeeze(v, 0);
        mlx_array solved = mx_linalg_solve(one, v);
        assert_int_equal(mx_ndim(solved), 1);
        values(solved, b);
        product(a, b, c, 1, n, n, 1, false);
        close_to(v, c, precision(t) * 20);
        values(mx_linalg_solve(one, y), b); /* one matrix, many right sides */
        values(mx_broadcast_to(one, SHAPE(3, n, n)), a);
        product(a, b, c, 3, n, n, 2, false);
        close_to(y, c, precision(t) * 20);
        mx_release(0);
    }
    mlx_array triangle = mx_from((float[]){2, 9, 1, 4}, SHAPE(2, 2), MLX_FLOAT32),
              right = mx_from((float[]){2, 9}, SHAPE(2), MLX_FLOAT32);
    CLOSE(mx_linalg_solve_triangular(triangle, right, false), 1e-6, 1, 2);
    mx_release(0);
}

static void eigenvalues(void **state)
{
    (void)state;
    static const mlx_dtype types[3] = {MLX_FLOAT32, MLX_FLOAT64, MLX_COMPLEX64};
    const int n = 8;
    for (int k = 0; k < 3; k++) {
        mlx_array x = matrices(3, n, n, types[k]), f[2];
        assert_int_equal(mx_linalg_eig(x, f), 0);
        assert_int_equal(mx_dtype_of(f[0]), MLX_COMPLEX64);
        values(x, a);
        values(f[1], b);
        values(f[0], d);
        product(a, b, c, 3, n, n, n, false); /* A v = w v */
        for (int i = 0; i < 3 * n * n; i++)
            b[i] *= d[i / (n * n) * n + i % n];
        for (int i = 0; i < 3 * n * n; i++)
            assert_true(cabs(b[i] - c[i]) <= 1e-4);
        close_to(mx_linalg_eigvals(x), d, 1e-4);
        mx_release(0);
    }
    /* a rotation by a quarter: i and -i */
    CLOSE(mx_linalg_eigvals(mx_from((float[]){0, -1, 1, 0}, SHAPE(2, 2), MLX_FLOAT32)), 1e-6, I, -I);
    mx_release(0);
}

static void symmetric_eigenvalues(void **state)
{
    (void)state;
    static const mlx_dtype types[3] = {MLX_FLOAT32, MLX_FLOAT64, MLX_COMPLEX64};
    const int n = 8;
    for (int k = 0; k < 6; k++) {
        mlx_dtype t = types[k / 2];
        bool upper = k % 2;
        mlx_array x = matrices(3, n, n, t), f[2];
        assert_int_equal(mx_linalg_eigh(x, upper ? "U" : "L", f), 0);
        assert_int_equal(mx_dtype_of(f[0]), t == MLX_COMPLEX64 ? MLX_FLOAT32 : t);
        assert_int_equal(mx_dtype_of(f[1]), t);
        orthonormal(f[1], 3, n, n, precision(t));
        values(x, a);
        for (int i = 0; i < 3; i++) /* the matrix that was meant */
            for (int r = 0; r < n; r++)
                for (int q = 0; q < n; q++) {
                    number *at = &a[(i * n + r) * n + q];
                    if (q == r)
                        *at = creal(*at);
                    else if (upper ? q < r : q > r)
                        *at = conj(a[(i * n + q) * n + r]);
                }
        values(f[1], b);
        values(f[0], d);
        product(a, b, c, 3, n, n, n, false);
        for (int i = 0; i < 3 * n * n; i++)
            assert_true(cabs(b[i] * d[i / (n * n) * n + i % n] - c[i]) <= precision(t));
        for (int i = 0; i < 3 * n; i++)
            assert_true(i % n == 0 || creal(d[i]) >= creal(d[i - 1]));
        close_to(mx_linalg_eigvalsh(x, upper ? "U" : "L"), d, precision(t));
        mx_release(0);
    }
    CLOSE(mx_linalg_eigvalsh(mx_from((double[]){2, 1, 1, 2}, SHAPE(2, 2), MLX_FLOAT64), "L"), 1e-12, 1, 3);
    mx_release(0);
}

static void norms(void **state)
{
    (void)state;
    const double inf = (double)INFINITY;
    mlx_array x = mx_subtract(mx_arange(0, 9, 1, MLX_FLOAT32), mx_float(4, MLX_FLOAT32));
    mlx_array m = mx_reshape(x, SHAPE(3, 3));
    CLOSE(mx_linalg_norm_l2(x, NULL, 0, false), 1e-6, 7.745966692414834);
    CLOSE(mx_linalg_norm_l2(m, NULL, 0, false), 1e-6, 7.745966692414834);
    assert_int_equal(mx_ndim(mx_linalg_norm_l2(m, NULL, 0, true)), 2);
    CLOSE(mx_linalg_norm_matrix(m, "fro", NULL, 0, false), 1e-6, 7.745966692414834);
    CLOSE(mx_linalg_norm_matrix(m, "nuc", NULL, 0, false), 1e-5, 9.797958971132712);
    CLOSE(mx_linalg_norm(x, inf, NULL, 0, false), 0, 4);
    CLOSE(mx_linalg_norm(x, -inf, NULL, 0, false), 0, 0);
    CLOSE(mx_linalg_norm(x, 0, NULL, 0, false), 0, 8);
    CLOSE(mx_linalg_norm(x, 1, NULL, 0, false), 0, 20);
    CLOSE(mx_linalg_norm(x, 3, NULL, 0, false), 1e-5, 5.848035476425731);
    CLOSE(mx_linalg_norm(m, inf, NULL, 0, false), 0, 9);
    CLOSE(mx_linalg_norm(m, -inf, NULL, 0, false), 0, 2);
    CLOSE(mx_linalg_norm(m, 1, NULL, 0, false), 0, 7);
    CLOSE(mx_linalg_norm(m, -1, NULL, 0, false), 0, 6);
    CLOSE(mx_linalg_norm(m, 2, NULL, 0, false), 1e-5, 7.3484692283495345);
    CLOSE(mx_linalg_norm(m, -2, NULL, 0, false), 1e-5, 0);
    CLOSE(mx_linalg_norm_l2(m, SHAPE(0), false), 1e-6, 4.58257569, 4.24264069, 4.58257569);
    CLOSE(mx_linalg_norm(m, 1, SHAPE(-1), false), 0, 9, 2, 9);
    mlx_array cube = mx_reshape(mx_arange(0, 8, 1, MLX_FLOAT32), SHAPE(2, 2, 2));
    CLOSE(mx_linalg_norm_l2(cube, SHAPE(1, 2), false), 1e-5, 3.7416573867739413, 11.224972160321824);
    mlx_array kept = mx_linalg_norm(cube, 2, SHAPE(0, 2), true);
    assert_memory_equal(mx_shape(kept), ((int[]){1, 2, 1}), sizeof(int[3]));
    /* singular values of [[0, 1], [4, 5]] and [[2, 3], [6, 7]] */
    CLOSE(kept, 1e-5, 6.4510092, 9.8912286);
    CLOSE(mx_linalg_norm(cube, 1, SHAPE(2, 1), false), 0, 5, 13);
    mlx_array ints = mx_from((int[]){3, 4}, SHAPE(2), MLX_INT32);
    assert_int_equal(mx_dtype_of(mx_linalg_norm_l2(ints, NULL, 0, false)), MLX_FLOAT32);
    CLOSE(mx_linalg_norm_l2(ints, NULL, 0, false), 1e-6, 5);
    CLOSE(mx_linalg_norm(ints, 3, NULL, 0, false), 1e-5, 4.497941445275415);
    assert_int_equal(mx_dtype_of(mx_linalg_norm(ints, 1, NULL, 0, false)), MLX_FLOAT32);
    mx_release(0);
}

static void cross(void **state)
{
    (void)state;
    mlx_array x = mx_from((float[]){1, 2, 3}, SHAPE(3), MLX_FLOAT32),
              y = mx_from((float[]){4, 5, 6}, SHAPE(3), MLX_FLOAT32);
    mlx_array flat = mx_from((float[]){4, 5}, SHAPE(2), MLX_FLOAT32);
    CLOSE(mx_linalg_cross(x, y, -1), 0, -3, 6, -3);
    CLOSE(mx_linalg_cross(x, flat, -1), 0, -15, 12, -3);
    CLOSE(mx_linalg_cross(flat, x, -1), 0, 15, -12, 3);
    CLOSE(mx_linalg_cross(flat, flat, 0), 0, 0, 0, 0);
    mlx_array many = mx_reshape(mx_arange(0, 6, 1, MLX_INT32), SHAPE(3, 2));
    mlx_array z = mx_linalg_cross(many, mx_from((int[]){1, 0, 0}, SHAPE(3, 1), MLX_INT32), 0);
    assert_int_equal(mx_dtype_of(z), MLX_INT32);
    CLOSE(z, 0, 0, 0, 4, 5, -2, -3);
    FAILS(mx_linalg_cross(many, many, 5), "axis 5 is out of range");
    FAILS(mx_linalg_cross(mx_zeros(SHAPE(4), MLX_FLOAT32), x, -1), "must have size 2 or 3");
    mx_release(0);
}

static void empty(void **state)
{
    (void)state;
    mlx_array none = mx_zeros(SHAPE(0, 3, 3), MLX_FLOAT32), nothing = mx_zeros(SHAPE(2, 0, 0), MLX_FLOAT32);
    mlx_array thin = mx_zeros(SHAPE(2, 0, 3), MLX_FLOAT32), f[3];
    assert_int_equal(mx_eval(mx_linalg_inv(none)) | mx_eval(mx_linalg_inv(nothing)), 0);
    assert_int_equal(mx_eval(mx_linalg_cholesky(none, false)) | mx_eval(mx_linalg_cholesky(nothing, true)),
                     0);
    assert_int_equal(mx_eval(mx_linalg_eigvals(none)) | mx_eval(mx_linalg_eigvalsh(nothing, "L")), 0);
    assert_int_equal(mx_linalg_qr(thin, f) | mx_eval_all(f, 2), 0);
    assert_memory_equal(mx_shape(f[1]), ((int[]){2, 0, 3}), sizeof(int[3]));
    assert_int_equal(mx_linalg_svd(thin, true, f) | mx_eval_all(f, 3), 0);
    CLOSE(f[2], 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 1);
    assert_int_equal(mx_linalg_lu(mx_swapaxes(thin, 1, 2), f) | mx_eval_all(f, 3), 0);
    CLOSE(f[0], 0, 0, 1, 2, 0, 1, 2);
    mlx_array inverse = mx_linalg_pinv(thin);
    assert_int_equal(mx_eval(inverse), 0);
    assert_memory_equal(mx_shape(inverse), ((int[]){2, 3, 0}), sizeof(int[3]));
    mx_release(0);
}

static void errors(void **state)
{
    (void)state;
    mlx_array f[3], v = mx_zeros(SHAPE(3), MLX_FLOAT32), wide = mx_zeros(SHAPE(2, 3), MLX_FLOAT32);
    mlx_array zeros = mx_zeros(SHAPE(2, 2), MLX_FLOAT32), ints = mx_zeros(SHAPE(2, 2), MLX_INT32);
    mlx_array bad = mx_from((float[]){1, NAN, 2, 3}, SHAPE(2, 2), MLX_FLOAT32);
    FAILS(mx_linalg_inv(v),
          "[linalg::inv] Arrays must have >= 2 dimensions. Received array with 1 dimensions.");
    FAILS(mx_linalg_inv(wide), "[linalg::inv] Inverses are only defined for square matrices.");
    FAILS(mx_linalg_inv(ints),
          "[linalg::inv] Arrays must have type float32 or float64. Received array with type int32");
    FAILS(mx_linalg_inv(zeros), "[Inverse::eval_cpu] LU factorization failed with error code 1");
    FAILS(mx_linalg_tri_inv(zeros, true),
          "[Inverse::eval_cpu] triangular inversion failed with error code 1");
    FAILS(mx_linalg_cholesky(wide, false),
          "[linalg::cholesky] Cholesky decomposition is only defined for square");
    FAILS(mx_linalg_cholesky(mx_negative(mx_ones(SHAPE(2, 2), MLX_FLOAT32)), false), "not positive definite");
    FAILS(mx_linalg_eigvals(wide), "[linalg::eigvals] Only defined for square matrices.");
    FAILS(mx_linalg_eigvals(bad), "[Eig::eval_cpu] a matrix holds NaN or infinity");
    FAILS(mx_linalg_eigvalsh(zeros, "X"), "UPLO must be");
    FAILS(mx_linalg_solve(wide, v),
          "[linalg::solve] First input must be a square matrix. Received array with shape (2, 3).");
    FAILS(mx_linalg_solve(zeros, v),
          "[linalg::solve] Last dimension of first input with shape (2, 2) must match");
    FAILS(mx_linalg_solve(mx_zeros(SHAPE(2, 2), MLX_FLOAT16), mx_zeros(SHAPE(2), MLX_FLOAT16)),
          "must promote to float32");
    FAILS(mx_linalg_norm(zeros, 3, NULL, 0, false), "[linalg::norm] Invalid ord 3 for matrix norm.");
    FAILS(mx_linalg_norm(mx_zeros(SHAPE(1, 1, 1), MLX_FLOAT32), 2, NULL, 0, false), "Received too many axes");
    FAILS(mx_linalg_norm_matrix(v, "fro", NULL, 0, false),
          "Norm 'fro' only supported for matrices, but received 1 axis");
    FAILS(mx_linalg_norm_matrix(zeros, "x", NULL, 0, false),
          "[linalg::norm] Invalid ord value 'x' for matrix norm.");
    FAILS(mx_linalg_norm(zeros, 1, SHAPE(1, -1), false), "axis -1 is given twice");
    assert_int_equal(mx_linalg_svd(v, true, f), -1);
    assert_error("[linalg::svd] Arrays must have >= 2 dimensions.");
    assert_int_equal(mx_linalg_qr(ints, f), -1);
    assert_error("[linalg::qr] Arrays must have type float32 or float64.");
    assert_int_equal(mx_linalg_eigh(zeros, NULL, f), -1);
    assert_error("[linalg::eigh] UPLO");
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
        cmocka_unit_test(qr),          cmocka_unit_test(svd),
        cmocka_unit_test(inverses),    cmocka_unit_test(cholesky),
        cmocka_unit_test(lu),          cmocka_unit_test(equations),
        cmocka_unit_test(eigenvalues), cmocka_unit_test(symmetric_eigenvalues),
        cmocka_unit_test(norms),       cmocka_unit_test(cross),
        cmocka_unit_test(empty),       cmocka_unit_test(errors),
    };
    return RUN_TESTS("linalg", tests, cleanup);
}
