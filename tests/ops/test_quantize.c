/* Quantization in all modes against the formats' rules worked out again with plain loops, and known values.
 */
#include "test.h"

#include "mx.h"

#include <math.h>

enum { MOST = 40000 };
static float out[MOST], other[MOST];

/* The call fails with a message that contains the text. */
#define CHECK_FAILS(expr, text)                                             \
    do {                                                                    \
        mlx_array failed_ = (expr);                                         \
        if (!mx_is_null(failed_))                                           \
            mx_eval(failed_);                                               \
        if (!mx_failed() || !strstr(mx_error_text(), text))                 \
            fail_msg("expected \"%s\", got \"%s\"", text, mx_error_text()); \
    } while (0)

static void read(mlx_array x, float *to)
{
    assert_true(!mx_is_null(x) && mx_size(x) <= MOST);
    if (mx_read_f32(x, to)) {
        mx_failed();
        fail_msg("%s", mx_error_text());
    }
}

static mlx_array numbers(const int *shape, size_t n)
{
    static uint32_t seed = 3;
    static float values[MOST];
    size_t size = 1;
    for (size_t i = 0; i < n; i++)
        size *= (size_t)shape[i];
    for (size_t i = 0; i < size; i++) {
        seed = seed * 1664525u + 1013904223u;
        values[i] = ((float)(seed >> 8) / 8388608.0f - 1) * 3;
    }
    return mx_from(values, shape, n, MLX_FLOAT32);
}

/* The value of an E4M3 code. */
static double e4m3(int code)
{
    int e = code >> 3 & 15, m = code & 7;
    double v = e ? ldexp(8 + m, e - 10) : ldexp(m, -9);
    return code & 128 ? -v : v;
}

static void fp8(void **state)
{
    (void)state;
    uint8_t codes[256], got[256];
    for (int i = 0; i < 256; i++)
        codes[i] = (uint8_t)i;
    mlx_array c = mx_from(codes, SHAPE(256), MLX_UINT8);
    static const mlx_dtype floats[4] = {MLX_FLOAT32, MLX_FLOAT16, MLX_BFLOAT16, MLX_FLOAT64};
    for (int t = 0; t < 4; t++) {
        mlx_array x = mx_from_fp8(c, floats[t]);
        assert_int_equal(mx_dtype_of(x), floats[t]);
        read(x, out);
        for (int i = 0; i < 256; i++)
            assert_true((double)out[i] == e4m3(i));
        assert_int_equal(mx_read(mx_to_fp8(x), got), 0);
        for (int i = 0; i < 256; i++)
            assert_int_equal(got[i], (i & 127) == 127 ? i - 1 : i); /* 480 is past the largest */
        mx_release(0);
        c = mx_from(codes, SHAPE(256), MLX_UINT8);
    }
    for (int i = 0; i < 126; i++) { /* between two codes: the nearer, in the middle the even one */
        double a = e4m3(i), b = e4m3(i + 1), x[3] = {a * 0.51 + b * 0.49, a * 0.49 + b * 0.51, (a + b) / 2};
        assert_int_equal(mx_read(mx_to_fp8(mx_astype(mx_from(x, SHAPE(3), MLX_FLOAT64), MLX_FLOAT32)), got),
                         0);
        assert_int_equal(got[0], i);
        assert_int_equal(got[1], i + 1);
        assert_int_equal(got[2], i % 2 ? i + 1 : i);
    }
    float far[3] = {1e9f, -INFINITY, NAN};
    assert_int_equal(mx_read(mx_to_fp8(mx_from(far, SHAPE(3), MLX_FLOAT32)), got), 0);
    assert_int_equal(got[0], 0x7E);
    assert_int_equal(got[1], 0xFE);
    assert_int_equal(got[2] & 0x7F, 0x7E);
    CHECK_FAILS(mx_to_fp8(mx_int(1, MLX_INT32)), "not int32");
    CHECK_FAILS(mx_from_fp8(mx_int(1, MLX_INT32), MLX_FLOAT32), "uint8 to a real floating type");
    mx_release(0);
}

typedef struct mode {
    const char *name;
    int group, bits;
} mode;
static const mode modes[3] = {{"mxfp4", 32, 4}, {"mxfp8", 32, 8}, {"nvfp4", 16, 4}};

static const double e2m1[8] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};

/* The nearest value that the mode has for x / divisor, times the scale. */
static double nearest(const mode *m, double x, double divisor, double scale)
{
    double best = 0, target = fabs(x / divisor);
    for (int i = 0; i < (m->bits == 8 ? 127 : 8); i++) {
        double v = m->bits == 8 ? e4m3(i) : e2m1[i];
        if (fabs(v - target) < fabs(best - target))
            best = v;
    }
    return (x < 0 ? -best : best) * scale;
}

static void float_modes(void **state)
{
    (void)state;
    static uint8_t scales[MOST];
    for (int i = 0; i < 3; i++)
        for (int global = 0; global < (i == 2 ? 2 : 1); global++) {
            const mode *m = &modes[i];
            mlx_array q[3], w = numbers(SHAPE(3, 2, 64)), g = global ? mx_float(5, MLX_FLOAT32) : MX_NULL;
            assert_int_equal(mx_quantize_mode(w, 0, 0, m->name, g, q), 2);
            assert_true(mx_is_null(q[2]));
            assert_int_equal(mx_dim(q[0], -1), 64 * m->bits / 32);
            assert_int_equal(mx_dim(q[1], -1), 64 / m->group);
            assert_int_equal(mx_read(q[1], scales), 0);
            mlx_dtype t = MLX_FLOAT32;
            read(mx_dequantize_mode(q[0], q[1], MX_NULL, 0, 0, m->name, g, &t), out);
            read(w, other);
            for (int k = 0; k < 384; k++) {
                int at = k / m->group * m->group;
                double most = 0, encode = global ? 2688.0 / 5 : 1;
                for (int j = 0; j < m->group; j++)
                    most = fmax(most, fabs((double)other[at + j]));
                most /= m->bits == 4 ? 6 : 448;
                double scale = i == 2 ? e4m3(scales[at / 16]) / encode : ldexp(1, scales[at / 32] - 127);
                if (i == 2)
                    assert_true(fabs(scale / most - 1) <= 1.0 / 16 + 1e-6);
                else
                    assert_int_equal(scales[at / 32] - 127, (int)rint(log2(most)));
                double want = nearest(m, (double)other[k], scale, scale);
                assert_true(fabs((double)out[k] - want) <= 1e-6 * (1 + fabs(want)));
            }
            assert_int_equal(mx_dtype_of(mx_dequantize_mode(q[0], q[1], MX_NULL, 0, 0, m->name, g, NULL)),
                             MLX_BFLOAT16);
            mx_release(0);
        }
    mlx_array q[3], zeros = mx_zeros(SHAPE(2, 32), MLX_FLOAT16);
    assert_int_equal(mx_quantize_mode(zeros, 0, 0, "nvfp4", MX_NULL, q), 2);
    mlx_dtype t = MLX_FLOAT32;
    read(mx_dequantize_mode(q[0], q[1], MX_NULL, 0, 0, "nvfp4", MX_NULL, &t), out);
    for (int i = 0; i < 64; i++)
        assert_true(out[i] == 0);
    /* one group a row; its own numbers come back */
    static const float own[16] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6, -0.5f, -1, -1.5f, -2, -3, -4, -6, 6};
    mlx_array row = mx_from(own, SHAPE(1, 16), MLX_FLOAT32);
    assert_int_equal(mx_quantize_mode(row, 0, 0, "nvfp4", MX_NULL, q), 2);
    assert_true(mx_dim(q[0], -1) == 2 && mx_dim(q[1], -1) == 1);
    read(mx_dequantize_mode(q[0], q[1], MX_NULL, 0, 0, "nvfp4", MX_NULL, &t), out);
    for (int i = 0; i < 16; i++)
        assert_true(out[i] == own[i]);
    mx_release(0);
}

/* A row of element j of matrix e of x (.., M, K) times the columns of w: all in `out` order. */
static void check_product(mlx_array got, mlx_array x, mlx_array w, bool transpose, double tolerance)
{
    mlx_array expected = mx_matmul(x, transpose ? mx_swapaxes(w, -1, -2) : w);
    read(expected, other);
    read(got, out);
    assert_int_equal(mx_size(got), mx_size(expected));
    for (size_t i = 0; i < mx_size(got); i++)
        assert_true(fabs((double)out[i] - (double)other[i]) <= tolerance * (1 + fabs((double)other[i])));
}

static void products(void **state)
{
    (void)state;
    const mlx_dtype t = MLX_FLOAT32;
    static const char *const names[4] = {"affine", "mxfp4", "mxfp8", "nvfp4"};
    for (int i = 0; i < 4; i++)
        for (int batch = 0; batch < 2; batch++) {
            mlx_array q[3], w = batch ? numbers(SHAPE(3, 64, 128)) : numbers(SHAPE(64, 128));
            assert_true(mx_quantize_mode(w, 0, 0, names[i], MX_NULL, q) > 0);
            mlx_array back = mx_dequantize_mode(q[0], q[1], q[2], 0, 0, names[i], MX_NULL, &t);
            mlx_array x = numbers(SHAPE(3, 5, 128)), y = numbers(SHAPE(3, 5, 64));
            check_product(mx_quantized_matmul_mode(x, q[0], q[1], q[2], true, 0, 0, names[i]), x, back, true,
                          1e-4);
            check_product(mx_quantized_matmul_mode(y, q[0], q[1], q[2], false, 0, 0, names[i]), y, back,
                          false, 1e-4);
            mlx_array half = mx_astype(x, MLX_BFLOAT16);
            mlx_array z = mx_quantized_matmul_mode(half, q[0], q[1], q[2], true, 0, 0, names[i]);
            assert_int_equal(mx_dtype_of(z), i ? MLX_BFLOAT16 : MLX_FLOAT32);
            check_product(z, mx_astype(half, MLX_FLOAT32), back, true, 2e-2);
            mx_release(0);
        }
}

static void gathered(void **state)
{
    (void)state;
    const mlx_dtype t = MLX_FLOAT32;
    static const char *const names[4] = {"affine", "mxfp4", "mxfp8", "nvfp4"};
    for (int i = 0; i < 4; i++)
        for (int transpose = 0; transpose < 2; transpose++) {
            mlx_array q[3], w = numbers(SHAPE(4, 64, 128));
            assert_true(mx_quantize_mode(w, 0, 0, names[i], MX_NULL, q) > 0);
            mlx_array back = mx_dequantize_mode(q[0], q[1], q[2], 0, 0, names[i], MX_NULL, &t);
            mlx_array x = numbers((int[]){6, 1, 2, transpose ? 128 : 64}, 4);
            mlx_array rhs = mx_from((int[]){3, 0, 1, 1, 2, 0, 0, 3, 3, 1, 0, 2}, SHAPE(6, 2), MLX_INT32);
            mlx_array got =
                mx_gather_qmm(x, q[0], q[1], q[2], MX_NULL, rhs, transpose, 0, 0, names[i], false);
            assert_int_equal(mx_ndim(got), 4);
            check_product(got, x, mx_take(back, rhs, 0), transpose, 1e-4);
            mlx_array one = mx_gather_qmm(x, q[0], q[1], q[2], mx_int(2, MLX_UINT32), mx_int(1, MLX_UINT32),
                                          transpose, 0, 0, names[i], true);
            check_product(one, mx_squeeze(mx_slice_axis(mx_squeeze(x, 1), 0, 2, 3), 0),
                          mx_squeeze(mx_slice_axis(back, 0, 1, 2), 0), transpose, 1e-4);
            mlx_array twos = mx_full(SHAPE(3), mx_int(2, MLX_UINT32), MLX_UINT32);
            mlx_array three = mx_from((int[]){3, 0, 3}, SHAPE(3), MLX_UINT32);
            mlx_array experts =
                mx_gather_qmm(x, q[0], q[1], q[2], twos, three, transpose, 0, 0, names[i], false);
            check_product(experts, mx_squeeze(mx_slice_axis(x, 0, 2, 3), 0), mx_take(back, three, 0),
                          transpose, 1e-4);
            CHECK_FAILS(mx_gather_qmm(x, q[0], q[1], q[2], MX_NULL, mx_int(4, MLX_INT32), transpose, 0, 0,
                                      names[i], false),
                        "rhs index 4 is out of range for 4 matrices");
            mx_release(0);
        }
}

static void both_sides(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        for (int vector = 0; vector < 2; vector++) {
            const char *name = modes[i].name;
            const mlx_dtype t = MLX_FLOAT32;
            mlx_array q[3], p[3], w = numbers(SHAPE(7, 64)), x = numbers((int[]){vector ? 1 : 2, 64}, 2);
            assert_true(mx_quantize_mode(w, 0, 0, name, MX_NULL, q) > 0 &&
                        mx_quantize_mode(x, 0, 0, name, MX_NULL, p) > 0);
            mlx_array left = mx_dequantize_mode(p[0], p[1], MX_NULL, 0, 0, name, MX_NULL, &t),
                      right = mx_dequantize_mode(q[0], q[1], MX_NULL, 0, 0, name, MX_NULL, &t);
            check_product(mx_qqmm(x, q[0], q[1], 0, 0, name, MX_NULL, MX_NULL), left, right, true, 1e-5);
            check_product(mx_qqmm(x, w, MX_NULL, 0, 0, name, MX_NULL, MX_NULL), left, right, true, 1e-5);
            mx_release(0);
        }
    mlx_array w = mx_ones(SHAPE(4, 64), MLX_FLOAT32), one = mx_float(1, MLX_FLOAT32);
    CHECK_FAILS(mx_qqmm(w, w, MX_NULL, 0, 0, NULL, one, MX_NULL), "both global scales or none");
    CHECK_FAILS(mx_qqmm(w, w, MX_NULL, 0, 0, "affine", MX_NULL, MX_NULL), "affine is not supported");
    mx_release(0);
}

static void wrong_calls(void **state)
{
    (void)state;
    mlx_array q[3], w = mx_ones(SHAPE(4, 64), MLX_FLOAT32), one = mx_float(1, MLX_FLOAT32);
    assert_int_equal(mx_quantize_mode(w, 0, 0, "int4", MX_NULL, q), -1);
    assert_error("[quantize] mode 'int4' is none of affine, mxfp4, mxfp8, nvfp4");
    assert_int_equal(mx_quantize_mode(w, 64, 0, "mxfp4", MX_NULL, q), -1);
    assert_error("mxfp4 takes groups of 32 and 4 bits, not 64 and 4");
    assert_int_equal(mx_quantize_mode(w, 0, 0, "mxfp8", one, q), -1);
    assert_error("global_scale is a float32 scalar of mode nvfp4 only");
    assert_int_equal(mx_quantize_mode(mx_ones(SHAPE(64), MLX_FLOAT32), 0, 0, "mxfp4", MX_NULL, q), -1);
    assert_error("at least 2 dimensions");
    assert_int_equal(mx_quantize_mode(mx_ones(SHAPE(2, 24), MLX_FLOAT32), 0, 0, "nvfp4", MX_NULL, q), -1);
    assert_error("(2, 24): at least 2 dimensions and a last axis that divides by 16");
    assert_int_equal(mx_quantize_mode(w, 0, 0, "mxfp4", MX_NULL, q), 2);
    CHECK_FAILS(mx_dequantize_mode(q[0], q[1], w, 0, 0, "mxfp4", MX_NULL, NULL), "biases must be null");
    CHECK_FAILS(mx_dequantize_mode(q[0], q[1], MX_NULL, 0, 0, "mxfp8", MX_NULL, NULL), "do not fit mxfp8");
    CHECK_FAILS(mx_dequantize_mode(q[0], q[1], MX_NULL, 0, 0, NULL, MX_NULL, NULL), "biases are needed");
    CHECK_FAILS(mx_quantized_matmul_mode(w, q[0], w, MX_NULL, true, 0, 0, "mxfp4"), "scales uint8");
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
        cmocka_unit_test(fp8),      cmocka_unit_test(float_modes), cmocka_unit_test(products),
        cmocka_unit_test(gathered), cmocka_unit_test(both_sides),  cmocka_unit_test(wrong_calls),
    };
    return RUN_TESTS("quantize", tests, cleanup);
}
