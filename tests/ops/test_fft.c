/* Fourier transforms against the defining sum in double, of all lengths up to a bound and a few larger ones,
 * over strided, batched, cut and filled axes; known constants; the messages of wrong calls. */
#include "test.h"

#include "mx.h"

#include <complex.h>
#include <math.h>

typedef double _Complex number;

static uint32_t seed = 1;
static double draw(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (double)(seed >> 8) / 8388608.0 - 1;
}

#define FAILS(expr, text)                                                   \
    do {                                                                    \
        mlx_array failed_ = (expr);                                         \
        assert_true(mx_is_null(failed_));                                   \
        if (!mx_failed() || !strstr(mx_error_text(), text))                 \
            fail_msg("expected \"%s\", got \"%s\"", text, mx_error_text()); \
    } while (0)

/* y[k] = sum of x[j] e^(sign 2 pi i j k / n) */
static void definition(const number *x, number *y, size_t n, int sign)
{
    number *roots = calloc(n, sizeof *roots);
    for (size_t j = 0; j < n; j++)
        roots[j] = cexp(sign * 2 * 3.14159265358979323846 * I * (double)j / (double)n);
    for (size_t k = 0; k < n; k++) {
        number sum = 0;
        for (size_t j = 0; j < n; j++)
            sum += x[j] * roots[j * k % n];
        y[k] = sum;
    }
    free(roots);
}

static void read_numbers(mlx_array x, number *out)
{
    size_t n = mx_size(x);
    float *raw = malloc((2 * n + 1) * sizeof *raw);
    if (mx_is_null(x) || mx_read(x, raw)) {
        mx_failed();
        fail_msg("%s", mx_error_text());
    }
    bool pairs = mx_dtype_of(x) == MLX_COMPLEX64;
    for (size_t i = 0; i < n; i++)
        out[i] = pairs ? raw[2 * i] + I * (double)raw[2 * i + 1] : (double)raw[i];
    free(raw);
}

/* The error in the mean square, against the size. */
static double error_of(mlx_array x, const number *expected, size_t n)
{
    number *got = calloc(n, sizeof *got);
    assert_int_equal(mx_size(x), n);
    read_numbers(x, got);
    double wrong = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        wrong += creal((got[i] - expected[i]) * conj(got[i] - expected[i]));
        size += creal(expected[i] * conj(expected[i]));
    }
    free(got);
    return sqrt(wrong / size);
}

static double worst;
static void near(mlx_array x, const number *expected, size_t n, size_t length)
{
    double e = error_of(x, expected, n);
    worst = e > worst ? e : worst;
    if (!(e < 1e-6))
        fail_msg("length %zu: relative error %g", length, e);
}

/* fft, ifft, rfft and irfft of one line. */
static void check_length(size_t n)
{
    number *x = calloc(n, sizeof *x), *y = calloc(n, sizeof *y);
    float *raw = calloc(2 * n, sizeof *raw);
    for (size_t i = 0; i < n; i++) {
        raw[2 * i] = (float)draw();
        raw[2 * i + 1] = (float)draw();
        x[i] = raw[2 * i] + I * (double)raw[2 * i + 1];
    }
    mlx_array a = mx_from(raw, SHAPE((int)n), MLX_COMPLEX64);
    definition(x, y, n, -1);
    near(mx_fft_fft(a, (int)n, 0, MX_FFT_BACKWARD), y, n, n);
    definition(x, y, n, 1);
    for (size_t i = 0; i < n; i++)
        y[i] /= (double)n;
    near(mx_fft_ifft(a, (int)n, -1, MX_FFT_BACKWARD), y, n, n);
    for (size_t i = 0; i < n; i++) {
        raw[i] = (float)draw();
        x[i] = (double)raw[i];
    }
    mlx_array r = mx_from(raw, SHAPE((int)n), MLX_FLOAT32), half = mx_fft_rfft(r, (int)n, 0, MX_FFT_BACKWARD);
    definition(x, y, n, -1);
    near(half, y, n / 2 + 1, n);
    near(mx_fft_irfft(half, (int)n, 0, MX_FFT_BACKWARD), x, n, n);
    mx_release(0);
    free(x);
    free(y);
    free(raw);
}

static void all_lengths(void **state)
{
    (void)state;
    static const size_t more[] = {1000, 1024, 1031, 2048, 2187, 3125, 4096, 4099, 6000, 8191, 8192};
    for (size_t n = 1; n <= 300; n++)
        check_length(n);
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        check_length(more[i]);
    printf("worst relative error: %.2g\n", worst);
}

/* A long line, whose transform is known: a sum of a few waves and a pulse. */
static void check_long(int n)
{
    const int waves[3] = {1, n / 3, n - 2}, pulse = 5;
    float *raw = malloc(2 * (size_t)n * sizeof *raw);
    number *y = malloc((size_t)n * sizeof *y);
    for (int j = 0; j < n; j++) {
        number v = j == pulse ? 100 : 0;
        for (int w = 0; w < 3; w++)
            v += (w + 1) * cexp(2 * 3.14159265358979323846 * I * (double)((int64_t)j * waves[w] % n) / n);
        raw[2 * j] = (float)creal(v);
        raw[2 * j + 1] = (float)cimag(v);
        y[j] = 100 * cexp(-2 * 3.14159265358979323846 * I * (double)((int64_t)j * pulse % n) / n);
    }
    for (int w = 0; w < 3; w++)
        y[waves[w]] += (w + 1) * (double)n;
    mlx_array a = mx_from(raw, SHAPE(n), MLX_COMPLEX64);
    near(mx_fft_fft(a, n, 0, MX_FFT_BACKWARD), y, (size_t)n, (size_t)n);
    mx_release(0);
    free(raw);
    free(y);
}

static void long_lines(void **state)
{
    (void)state;
    check_long(1 << 16);
    check_long(3 << 17);
    check_long(1 << 20);
    check_long(65537);
    check_long(2 * 50021);
}

/* Lines of a (3, n, 5) array along each axis, cut or filled to `points`, in layouts with holes. */
static void axes(void **state)
{
    (void)state;
    static const int lengths[] = {4, 8, 30, 37, 64, 300};
    for (size_t c = 0; c < sizeof lengths / sizeof *lengths; c++)
        for (int delta = -1; delta <= 1; delta++) {
            int n = lengths[c], points = n + delta, outer = 3, inner = 35;
            size_t size = (size_t)(outer * n * inner);
            float *raw = malloc(4 * size * sizeof *raw);
            for (size_t i = 0; i < 4 * size; i++)
                raw[i] = (float)draw();
            mlx_array wide = mx_from(raw, SHAPE(outer, n, 2 * inner), MLX_COMPLEX64);
            mlx_array a = mx_slice(wide, (int[]){0, 0, 0}, (int[]){outer, n, 2 * inner}, (int[]){1, 1, 2});
            size_t total = (size_t)(outer * points * inner);
            number *expected = malloc(total * sizeof *expected), *x = malloc((size_t)points * sizeof *x),
                   *y = malloc((size_t)points * sizeof *y);
            for (int o = 0; o < outer; o++)
                for (int i = 0; i < inner; i++) {
                    for (int j = 0; j < points; j++) {
                        size_t at = 2 * (size_t)((o * n + j) * 2 * inner + 2 * i);
                        x[j] = j < n ? raw[at] + I * (double)raw[at + 1] : 0;
                    }
                    definition(x, y, (size_t)points, -1);
                    for (int j = 0; j < points; j++)
                        expected[(o * points + j) * inner + i] = y[j];
                }
            near(mx_fft_fft(a, points, 1, MX_FFT_BACKWARD), expected, total, (size_t)points);
            mlx_array last = mx_swapaxes(mx_fft_fft(mx_swapaxes(a, 1, 2), points, 2, MX_FFT_BACKWARD), 1, 2);
            near(last, expected, total, (size_t)points);
            mlx_array dense = mx_fft_fft(mx_contiguous(mx_swapaxes(a, 1, 2)), points, 2, MX_FFT_BACKWARD);
            near(mx_swapaxes(dense, 1, 2), expected, total, (size_t)points);
            mx_release(0);
            free(raw);
            free(expected);
            free(x);
            free(y);
        }
}

/* Real transforms of several axes and strided lines agree with the complex ones, and come back. */
static void real_axes(void **state)
{
    (void)state;
    for (int points = 6; points < 8; points++) {
        mlx_array x = mx_sin(mx_arange(0, 4 * 5 * 7, 1, MLX_FLOAT32));
        x = mx_swapaxes(mx_reshape(x, SHAPE(7, 5, 4)), 0, 2);
        mlx_array whole = mx_fft_fftn(x, (int[]){5, points}, 2, (int[]){1, 2}, 2, MX_FFT_ORTHO);
        mlx_array half = mx_fft_rfftn(x, (int[]){5, points}, 2, (int[]){1, 2}, 2, MX_FFT_ORTHO);
        assert_int_equal(mx_dim(half, 2), points / 2 + 1);
        number expected[512];
        mlx_array part = mx_slice_axis(whole, 2, 0, points / 2 + 1);
        read_numbers(part, expected);
        near(half, expected, mx_size(part), (size_t)points);
        read_numbers(mx_slice_axis(x, 2, 0, points), expected);
        mlx_array back = mx_fft_irfftn(half, (int[]){5, points}, 2, (int[]){1, 2}, 2, MX_FFT_ORTHO);
        assert_int_equal(mx_dtype_of(back), MLX_FLOAT32);
        near(back, expected, mx_size(back), (size_t)points);
        near(mx_fft_ifftn(whole, (int[]){5, points}, 2, (int[]){1, 2}, 2, MX_FFT_ORTHO), expected,
             mx_size(back), (size_t)points);
        /* the real side on the first axis, whose lines have gaps */
        mlx_array first = mx_fft_rfft(x, 4, 0, MX_FFT_FORWARD);
        read_numbers(x, expected);
        near(mx_fft_irfft(first, 4, 0, MX_FFT_FORWARD), expected, mx_size(x), 4);
        mx_release(0);
    }
}

/* A faint line beside a loud one keeps its own precision. */
static void lines_are_apart(void **state)
{
    (void)state;
    float raw[2][64];
    number x[64], y[64];
    for (int j = 0; j < 64; j++) {
        raw[0][j] = 1e8f * (float)draw();
        raw[1][j] = 1e-8f * (float)draw();
        x[j] = (double)raw[1][j];
    }
    mlx_array a = mx_fft_rfft(mx_from(raw, SHAPE(2, 64), MLX_FLOAT32), 64, 1, MX_FFT_BACKWARD);
    definition(x, y, 64, -1);
    near(mx_slice_axis(a, 0, 1, 2), y, 33, 64);
    mx_release(0);
}

static void floats(mlx_array x, size_t n, const float *expected)
{
    float got[64];
    assert_int_equal(mx_size(x), n);
    assert_int_equal(mx_read(x, got), 0);
    for (size_t i = 0; i < n; i++)
        assert_true(fabsf(got[i] - expected[i]) < 1e-6f);
}

static void shifts_and_frequencies(void **state)
{
    (void)state;
    mlx_array x = mx_arange(0, 5, 1, MLX_FLOAT32);
    floats(mx_fft_fftshift(x, SHAPE(0)), 5, (float[]){3, 4, 0, 1, 2});
    floats(mx_fft_ifftshift(x, SHAPE(-1)), 5, (float[]){2, 3, 4, 0, 1});
    floats(mx_fft_ifftshift(mx_fft_fftshift(x, SHAPE(0)), SHAPE(0)), 5, (float[]){0, 1, 2, 3, 4});
    floats(mx_fft_fftshift(x, NULL, 0), 5, (float[]){0, 1, 2, 3, 4});
    floats(mx_fft_fftshift(mx_reshape(mx_arange(0, 6, 1, MLX_FLOAT32), SHAPE(2, 3)), SHAPE(0, 1)), 6,
           (float[]){5, 3, 4, 2, 0, 1});
    floats(mx_fft_fftfreq(5, 0.1), 5, (float[]){0, 2, 4, -4, -2});
    floats(mx_fft_fftfreq(4, 1), 4, (float[]){0, 0.25f, -0.5f, -0.25f});
    floats(mx_fft_rfftfreq(5, 0.1), 3, (float[]){0, 2, 4});
    FAILS(mx_fft_fftfreq(0, 1), "[fftfreq] `n` must be greater than 0.");
    FAILS(mx_fft_rfftfreq(4, 0), "[rfftfreq] `d` must be non-zero.");
    FAILS(mx_fft_fftshift(x, SHAPE(1)), "[fftshift] axis 1");
    mx_release(0);
}

static void shapes_and_errors(void **state)
{
    (void)state;
    mlx_array x = mx_zeros(SHAPE(2, 0, 3), MLX_INT32);
    mlx_array y = mx_fft_rfft(x, 3, 2, MX_FFT_BACKWARD);
    assert_int_equal(mx_dtype_of(y), MLX_COMPLEX64);
    assert_memory_equal(mx_shape(y), ((int[]){2, 0, 2}), sizeof(int[3]));
    assert_int_equal(mx_eval(y), 0);
    y = mx_fft_fft(x, 4, 1, MX_FFT_BACKWARD); /* no points at all, filled up */
    assert_int_equal(mx_size(y), 24);
    assert_int_equal(mx_eval(y), 0);
    assert_int_equal(mx_dtype_of(mx_fft_irfft(x, 4, 2, MX_FFT_BACKWARD)), MLX_FLOAT32);
    FAILS(mx_fft_fft(mx_int(3, MLX_INT32), 1, 0, MX_FFT_BACKWARD),
          "[fftn] Requires array with at least one dimension.");
    FAILS(mx_fft_fft(x, 0, 0, MX_FFT_BACKWARD), "[fftn] Invalid FFT output size requested (0,)");
    FAILS(mx_fft_fft(x, 2, 3, MX_FFT_BACKWARD), "[fftn] axis 3 is out of range");
    FAILS(mx_fft_fftn(x, (int[]){2, 2}, 2, (int[]){0, -3}, 2, MX_FFT_BACKWARD),
          "[fftn] axis -3 is given twice");
    FAILS(mx_fft_fftn(x, (int[]){2}, 1, (int[]){0, 1}, 2, MX_FFT_BACKWARD),
          "[fftn] Shape and axes have different sizes.");
    assert_true(mx_fft_fftn(x, NULL, 0, NULL, 0, MX_FFT_BACKWARD).ctx == x.ctx);
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
        cmocka_unit_test(all_lengths),
        cmocka_unit_test(long_lines),
        cmocka_unit_test(axes),
        cmocka_unit_test(real_axes),
        cmocka_unit_test(lines_are_apart),
        cmocka_unit_test(shifts_and_frequencies),
        cmocka_unit_test(shapes_and_errors),
    };
    return RUN_TESTS("fft", tests, cleanup);
}
