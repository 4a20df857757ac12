/* Elementwise functions, reductions and scans: dtypes of results, edge cases, values that MLX gave or that
 * follow from the definition, gradients where two branches meet, what is refused. */
#include "ops/check.h"

static mlx_array ints_of(const int32_t *v, int n, mlx_dtype t)
{
    return mx_astype(mx_from(v, SHAPE(n), MLX_INT32), t);
}
#define INTS(t, ...)                                                                                         \
    ints_of((const int32_t[]){__VA_ARGS__}, (int)(sizeof((const int32_t[]){__VA_ARGS__}) / sizeof(int32_t)), \
            t)
static mlx_array complex_of(const float *v, int n) { return mx_from(v, SHAPE(n), MLX_COMPLEX64); }
#define COMPLEX(...) \
    complex_of((const float[]){__VA_ARGS__}, (int)(sizeof((const float[]){__VA_ARGS__}) / sizeof(float) / 2))

/* Both parts of complex numbers. */
#define CHECK_COMPLEX(x, tolerance, ...) CHECK(parts(x), tolerance, __VA_ARGS__)
static mlx_array parts(mlx_array x)
{
    mlx_array both[2] = {mx_expand_dims(mx_real(x), -1), mx_expand_dims(mx_imag(x), -1)};
    return mx_reshape(mx_concatenate(both, 2, -1), SHAPE(-1));
}

static void check_dtype(mlx_array x, mlx_dtype t)
{
    assert_false(mx_is_null(x));
    if (mx_dtype_of(x) != t)
        fail_msg("%s, not %s", mx_dtype_name(mx_dtype_of(x)), mx_dtype_name(t));
}

/* --- dtypes of results --- */

typedef mlx_array (*unary_fn)(mlx_array x);
typedef mlx_array (*binary_fn)(mlx_array a, mlx_array b);

static mlx_array sum(mlx_array x) { return mx_sum(x, NULL, 0, false); }
static mlx_array mean(mlx_array x) { return mx_mean(x, NULL, 0, false); }
static mlx_array max(mlx_array x) { return mx_max(x, NULL, 0, false); }
static mlx_array var(mlx_array x) { return mx_var(x, NULL, 0, false, 0); }
static mlx_array std(mlx_array x) { return mx_std(x, NULL, 0, false, 1); }
static mlx_array median(mlx_array x) { return mx_median(x, NULL, 0, false); }
static mlx_array logsumexp(mlx_array x) { return mx_logsumexp_axes(x, NULL, 0, false); }
static mlx_array softmax_last(mlx_array x) { return mx_softmax_axes(x, SHAPE(-1), true); }
static mlx_array softmax_first(mlx_array x) { return mx_softmax_axes(x, SHAPE(0), false); }
static mlx_array argmax(mlx_array x) { return mx_argmax(x, MX_FLATTEN, false); }
static mlx_array cumsum(mlx_array x) { return mx_cumsum(x, 0, false, true); }
static mlx_array cumprod(mlx_array x) { return mx_cumprod(x, 0, true, true); }
static mlx_array cummax(mlx_array x) { return mx_cummax(x, 0, false, false); }
static mlx_array cummin(mlx_array x) { return mx_cummin(x, 1, false, false); }
static mlx_array logcumsumexp(mlx_array x) { return mx_logcumsumexp(x, 0, false, true); }
static mlx_array round_1(mlx_array x) { return mx_round_to(x, 1); }
static mlx_array tens(mlx_array x) { return mx_round_to(x, -1); }

/* For each dtype in the order b u1 u2 u4 u8 i1 i2 i4 i8 f2 bf f4 f8 c8 what comes out, in this order's
 * letters: '=' the same, 'f' float32, 'F' float32 from integers and complex numbers, 'b' bool, 'x' refused
 * ... */
static const char order[] = {MLX_BOOL,     MLX_UINT8,   MLX_UINT16,  MLX_UINT32,   MLX_UINT64,
                             MLX_INT8,     MLX_INT16,   MLX_INT32,   MLX_INT64,    MLX_FLOAT16,
                             MLX_BFLOAT16, MLX_FLOAT32, MLX_FLOAT64, MLX_COMPLEX64};

static mlx_dtype meant(char letter, mlx_dtype same)
{
    switch (letter) {
    case '=':
        return same;
    case 'f':
        return MLX_FLOAT32;
    case 'i':
        return MLX_INT32;
    case 'u':
        return MLX_UINT32;
    case '1':
        return MLX_UINT8;
    default:
        return MLX_BOOL;
    }
}

static const struct {
    const char *name;
    unary_fn f;
    const char *results;
} unary_results[] = {
    {"abs", mx_abs, "=============f"},
    {"negative", mx_negative, "x============="},
    {"sign", mx_sign, "=============="},
    {"square", mx_square, "=============="},
    {"sqrt", mx_sqrt, "fffffffff====="},
    {"expm1", mx_expm1, "fffffffff====x"},
    {"log2", mx_log2, "fffffffff====="},
    {"log10", mx_log10, "fffffffff====="},
    {"tan", mx_tan, "fffffffff====="},
    {"arcsin", mx_arcsin, "fffffffff====="},
    {"arccos", mx_arccos, "fffffffff====="},
    {"arctan", mx_arctan, "fffffffff====="},
    {"sinh", mx_sinh, "fffffffff====="},
    {"cosh", mx_cosh, "fffffffff====="},
    {"arcsinh", mx_arcsinh, "fffffffff====="},
    {"arccosh", mx_arccosh, "fffffffff====="},
    {"arctanh", mx_arctanh, "fffffffff====="},
    {"erf", mx_erf, "fffffffff====x"},
    {"sigmoid", mx_sigmoid, "fffffffff====x"},
    {"floor", mx_floor, "=============x"},
    {"ceil", mx_ceil, "=============x"},
    {"round", mx_round, "=============="},
    {"round to decimals", round_1, "=============="},
    {"round to tens", tens, "=============="},
    {"logical_not", mx_logical_not, "bbbbbbbbbbbbbb"},
    {"bitwise_invert", mx_bitwise_invert, "=========xxxxx"},
    {"isnan", mx_isnan, "bbbbbbbbbbbbbb"},
    {"isinf", mx_isinf, "bbbbbbbbbbbbbb"},
    {"isposinf", mx_isposinf, "bbbbbbbbbbbbbb"},
    {"isneginf", mx_isneginf, "bbbbbbbbbbbbbb"},
    {"isfinite", mx_isfinite, "bbbbbbbbbbbbbb"},
    {"real", mx_real, "=============f"},
    {"imag", mx_imag, "=============f"},
    {"conjugate", mx_conjugate, "=============="},
    {"degrees", mx_degrees, "fffffffff====="},
    {"radians", mx_radians, "fffffffff====="},
    {"sum", sum, "iuuu=iii======"},
    {"mean", mean, "fffffffff====="},
    {"max", max, "=============="},
    {"var", var, "fffffffff====f"},
    {"std", std, "fffffffff====f"},
    {"median", median, "fffffffff====="},
    {"logsumexp", logsumexp, "fffffffff====="},
    {"softmax, last axis", softmax_last, "fffffffff====="},
    {"softmax, first axis", softmax_first, "=============="},
    {"argmax", argmax, "uuuuuuuuuuuuuu"},
    {"cumsum", cumsum, "i============="},
    {"cumprod", cumprod, "=============="},
    {"cummax", cummax, "=============="},
    {"cummin", cummin, "=============="},
    {"logcumsumexp", logcumsumexp, "=============="},
};

static mlx_array nan_equal(mlx_array a, mlx_array b) { return mx_array_equal(a, b, true); }
static mlx_array isclose(mlx_array a, mlx_array b) { return mx_isclose(a, b, 1e-5, 1e-8, false); }
static mlx_array quotient(mlx_array a, mlx_array b)
{
    mlx_array both[2];
    mx_divmod(a, b, both);
    return both[0];
}
static mlx_array rest(mlx_array a, mlx_array b)
{
    mlx_array both[2];
    mx_divmod(a, b, both);
    return both[1];
}

static const struct {
    const char *name;
    binary_fn f;
    const char *results;
} binary_results[] = {
    {"divide", mx_divide, "fffffffff====="},
    {"floor_divide", mx_floor_divide, "=============x"},
    {"remainder", mx_remainder, "=============x"},
    {"power", mx_power, "=============="},
    {"maximum", mx_maximum, "=============="},
    {"nan_equal", mx_nan_equal, "bbbbbbbbbbbbbb"},
    {"logaddexp", mx_logaddexp, "fffffffff====="},
    {"arctan2", mx_arctan2, "fffffffff====x"},
    {"bitwise_and", mx_bitwise_and, "=========xxxxx"},
    {"bitwise_or", mx_bitwise_or, "=========xxxxx"},
    {"bitwise_xor", mx_bitwise_xor, "=========xxxxx"},
    {"left_shift", mx_left_shift, "1========xxxxx"},
    {"right_shift", mx_right_shift, "1========xxxxx"},
    {"divmod", quotient, "=============x"},
    {"divmod", rest, "=============x"},
    {"array_equal", nan_equal, "bbbbbbbbbbbbbb"},
    {"isclose", isclose, "bbbbbbbbbbbbbb"},
};

/* The result's dtype; it can be computed. */
static void check_result(const char *name, mlx_array y, mlx_dtype t, char letter)
{
    if (letter == 'x') {
        if (!mx_is_null(y) || !mx_failed() || !strstr(mx_error_text(), "not defined for"))
            fail_msg("%s of %s is not refused", name, mx_dtype_name(t));
        return;
    }
    if (mx_is_null(y) || mx_dtype_of(y) != meant(letter, t) || mx_eval(y)) {
        mx_failed();
        fail_msg("%s of %s gives %s: %s", name, mx_dtype_name(t), mx_dtype_name(mx_dtype_of(y)),
                 mx_error_text());
    }
}

static void dtypes_are_as_in_mlx(void **state)
{
    (void)state;
    for (int i = 0; i < MX_DTYPES; i++) {
        mlx_dtype t = (mlx_dtype)order[i];
        mlx_array x = mx_reshape(INTS(t, 1, 0, 1, 1, 0, 1), SHAPE(2, 3));
        for (size_t k = 0; k < sizeof unary_results / sizeof *unary_results; k++)
            check_result(unary_results[k].name, unary_results[k].f(x), t, unary_results[k].results[i]);
        for (size_t k = 0; k < sizeof binary_results / sizeof *binary_results; k++)
            check_result(binary_results[k].name, binary_results[k].f(x, x), t, binary_results[k].results[i]);
    }
    mx_release(0);
}

/* --- integers --- */

static void integers_divide_and_shift(void **state)
{
    (void)state;
    static const mlx_dtype types[] = {MLX_INT8, MLX_INT16, MLX_INT32, MLX_INT64};
    for (int k = 0; k < 4; k++) {
        mlx_dtype t = types[k];
        mlx_array a = INTS(t, 7, -7, 7, -7, 5, 0), b = INTS(t, 2, 2, -2, -2, 0, 0), both[2];
        CHECK_INTS(mx_floor_divide(a, b), 3, -3, -3, 3, 0, 0);
        CHECK_INTS(mx_remainder(a, b), 1, 1, -1, -1, 0, 0);
        assert_int_equal(mx_divmod(a, b, both), 0);
        CHECK_INTS(mx_slice_axis(both[0], 0, 0, 4), 3, -4, -4, 3);
        CHECK_INTS(mx_slice_axis(both[1], 0, 0, 4), 1, 1, -1, -1);
        mlx_array least = mx_left_shift(mx_int(1, t), mx_int((8 << k) - 1, t)), minus = mx_int(-1, t);
        mlx_array same[2] = {mx_expand_dims(mx_floor_divide(least, minus), 0),
                             mx_expand_dims(mx_abs(least), 0)};
        CHECK_INTS(mx_equal(mx_concatenate(same, 2, 0), least), 1, 1);
        CHECK_INTS(mx_remainder(least, minus), 0);
        CHECK_INTS(mx_right_shift(INTS(t, -7, 7, -7, 1, 1), INTS(t, 1, 1, 100, 100, -1)), -4, 3, -1, 0, 0);
        CHECK_INTS(mx_left_shift(INTS(t, -7, 3, 1), INTS(t, 1, 2, 100)), -14, 12, 0);
        CHECK_INTS(mx_bitwise_invert(INTS(t, 0, -1, 5)), -1, 0, -6);
        CHECK_INTS(mx_power(INTS(t, 2, 2, 3, -1), INTS(t, 3, -1, 0, 5)), 8, 0, 1, -1);
    }
    CHECK_INTS(mx_floor_divide(INTS(MLX_UINT8, 250, 7, 1), INTS(MLX_UINT8, 7, 0, 255)), 35, 0, 0);
    CHECK_INTS(
        mx_remainder(mx_from((uint64_t[]){UINT64_MAX, 9}, SHAPE(2), MLX_UINT64), mx_int(10, MLX_UINT64)), 5,
        9);
    CHECK_INTS(mx_bitwise_xor(INTS(MLX_BOOL, 1, 1, 0), INTS(MLX_BOOL, 1, 0, 0)), 0, 1, 0);
    CHECK_INTS(mx_bitwise_and(mx_int(-1, MLX_INT8), mx_int(200, MLX_UINT8)), 200);
    CHECK_INTS(mx_left_shift(mx_int(1, MLX_BOOL), mx_int(1, MLX_BOOL)), 2);
    CHECK_INTS(mx_bitwise_invert(INTS(MLX_BOOL, 1, 0)), 0, 1);
    CHECK_FAILS(mx_bitwise_or(VEC(1), mx_int(1, MLX_INT32)), "[bitwise_or] is not defined for float32");
    CHECK_FAILS(mx_negative(mx_int(1, MLX_BOOL)), "[negative] is not defined for bool");
    CHECK_FAILS(mx_floor(COMPLEX(1, 2)), "[floor] is not defined for complex64");
    mx_release(0);
}

/* --- floats --- */

static void floats(void **state)
{
    (void)state;
    mlx_array both[2];
    CHECK(mx_floor_divide(VEC(-7, 7, 7, 1), VEC(2, -2, 2, 0)), 0, -4, -4, 3, INF_);
    CHECK(mx_remainder(VEC(-7, 7, -0.0f, 5, -1, 1e30f, 1), VEC(2, -2, 3, INF_, INF_, 3, 0)), 0, 1, -1, 0, 5,
          INF_, fmodf(1e30f, 3), NAN_);
    assert_int_equal(mx_divmod(VEC(-7, 7), VEC(2, -2), both), 0);
    CHECK(both[0], 0, -4, -4);
    CHECK(both[1], 0, 1, -1);
    CHECK(mx_round_to(VEC(1.25f, 1.35f, -1.25f), 1), 1e-7f, 1.2f, 1.4f, -1.2f);
    CHECK_INTS(mx_round_to(INTS(MLX_INT32, 15, 25, 35), -1), 20, 20, 40);
    CHECK(mx_clip(VEC(1, -5, NAN_, 9), mx_float(0, MLX_FLOAT32), VEC(3, 3, 3, 4)), 0, 1, 0, NAN_, 4);
    CHECK(mx_clip(VEC(1, -5), MX_NULL, mx_float(0, MLX_FLOAT32)), 0, 0, -5);
    CHECK_FAILS(mx_clip(VEC(1), MX_NULL, MX_NULL), "[clip] neither");
    CHECK(mx_logaddexp(VEC(0, -INF_, INF_, -INF_, 100), VEC(0, -INF_, 1, 2, 0)), 1e-6f, logf(2), -INF_, INF_,
          2, 100);
    CHECK(mx_arctan2(VEC(0, -0.0f, 1, 1, 0, INF_), VEC(-1, -1, 0, -1, 1, -INF_)), 1e-6f, 3.1415927f,
          -3.1415927f, 1.5707964f, 2.3561945f, 0, 2.3561945f);
    CHECK(mx_degrees(VEC(3.14159265f)), 1e-4f, 180);
    CHECK(mx_radians(INTS(MLX_INT32, 180)), 1e-6f, 3.14159265f);
    CHECK(mx_sign(VEC(0, -0.0f, NAN_, -3)), 0, 0, -0.0f, 0, -1);
    CHECK(mx_expm1(mx_astype(VEC(1e-3f, 0), MLX_FLOAT64)), 1e-9f, 0.00100050016f, 0);
    mx_release(0);
}

static void finite_or_not(void **state)
{
    (void)state;
    mlx_array x = VEC(0, NAN_, INF_, -INF_), z = COMPLEX(1, 2, NAN_, 0, 0, INF_, -INF_, 0);
    float inf = 7;
    CHECK_INTS(mx_isnan(x), 0, 1, 0, 0);
    CHECK_INTS(mx_isinf(x), 0, 0, 1, 1);
    CHECK_INTS(mx_isposinf(x), 0, 0, 1, 0);
    CHECK_INTS(mx_isneginf(x), 0, 0, 0, 1);
    CHECK_INTS(mx_isfinite(x), 1, 0, 0, 0);
    CHECK_INTS(mx_isnan(z), 0, 1, 0, 0);
    CHECK_INTS(mx_isinf(z), 0, 0, 1, 1);
    CHECK_INTS(mx_isfinite(z), 1, 0, 0, 0);
    CHECK_INTS(mx_isfinite(INTS(MLX_INT8, 1, 2)), 1, 1);
    CHECK(mx_nan_to_num(x, 0, NULL, NULL), 0, 0, 0, 3.4028234663852886e+38f, -3.4028234663852886e+38f);
    CHECK(mx_nan_to_num(mx_astype(x, MLX_FLOAT16), 5, &inf, NULL), 0, 0, 5, 7, -65504);
    CHECK_INTS(mx_nan_to_num(INTS(MLX_INT32, 3), 5, &inf, NULL), 3);
    CHECK_FAILS(mx_nan_to_num(mx_astype(x, MLX_FLOAT64), 0, NULL, NULL),
                "[nan_to_num] is not defined for float64");
    mlx_array y = VEC(0, NAN_, INF_, INF_);
    CHECK_INTS(mx_isclose(x, y, 1e-5, 1e-8, false), 1, 0, 1, 0);
    CHECK_INTS(mx_isclose(x, y, 1e-5, 1e-8, true), 1, 1, 1, 0);
    CHECK_INTS(mx_isclose(VEC(100, 100), VEC(100.0005f, 100.01f), 1e-5, 0, false), 1, 0);
    CHECK_INTS(mx_allclose(x, x, 0, 0, true), 1);
    CHECK_INTS(mx_allclose(x, x, 0, 0, false), 0);
    CHECK_INTS(mx_array_equal(x, x, false), 0);
    CHECK_INTS(mx_array_equal(x, x, true), 1);
    CHECK_INTS(mx_array_equal(VEC(1, 2), INTS(MLX_INT8, 1, 2), false), 1);
    CHECK_INTS(mx_array_equal(VEC(1, 1), VEC(1), false), 0);
    CHECK_INTS(mx_nan_equal(x, y), 1, 1, 1, 0);
    mx_release(0);
}

static void complex_numbers(void **state)
{
    (void)state;
    mlx_array z = COMPLEX(3, 4, 0, 0, -5, 12);
    CHECK(mx_abs(z), 0, 5, 0, 13);
    CHECK(mx_abs(COMPLEX(3e38f, 0, 1e-40f, 0, INF_, NAN_)), 1e-45f, 3e38f, 1e-40f, INF_);
    CHECK(mx_real(z), 0, 3, 0, -5);
    CHECK(mx_imag(z), 0, 4, 0, 12);
    CHECK(mx_imag(VEC(1, 2)), 0, 0, 0);
    CHECK_COMPLEX(mx_conjugate(z), 0, 3, -4, 0, -0.0f, -5, -12);
    CHECK_COMPLEX(mx_sign(COMPLEX(3, 4)), 1e-7f, 0.6f, 0.8f);
    CHECK_COMPLEX(mx_log2(COMPLEX(0, 1)), 1e-6f, 0, 2.2661800f);
    CHECK_COMPLEX(mx_arccosh(COMPLEX(0, 1)), 1e-6f, 0.8813736f, 1.5707964f);
    CHECK_COMPLEX(mx_maximum(COMPLEX(1, 5, 1, 2), COMPLEX(1, 3, 2, 0)), 0, 1, 5, 2, 0);
    CHECK_COMPLEX(mx_logaddexp(COMPLEX(1, 1), COMPLEX(1, 1)), 1e-6f, 1.6931472f, 1);
    CHECK_COMPLEX(mx_cumprod(COMPLEX(0, 1, 0, 1, 2, 1), 0, false, true), 0, 0, 1, -1, 0, -2, -1);
    CHECK(mx_var(COMPLEX(1, 1, -1, -1), NULL, 0, false, 0), 1e-6f, 2);
    CHECK_COMPLEX(mx_mean(z, NULL, 0, false), 1e-6f, -2.0f / 3, 16.0f / 3);
    mx_release(0);
}

/* --- reductions --- */

static void reductions(void **state)
{
    (void)state;
    mlx_array x = mx_reshape(mx_arange(0, 24, 1, MLX_FLOAT32), SHAPE(2, 3, 4)),
              none = mx_zeros(SHAPE(0, 3), MLX_FLOAT32);
    CHECK(mx_var(VEC(1, 2, 3, 4), NULL, 0, false, 0), 1e-6f, 1.25f);
    CHECK(mx_std(VEC(1, 2, 3, 4), NULL, 0, false, 1), 1e-6f, 1.2909944f);
    CHECK(mx_var(VEC(1, 2), NULL, 0, false, 2), 0, INF_);
    CHECK(mx_var(x, SHAPE(0, -1), false, 0), 1e-4f, 37.25f, 37.25f, 37.25f);
    CHECK(mx_median(VEC(3, 1, 4, 2), NULL, 0, false), 0, 2.5f);
    CHECK(mx_median(VEC(3, 1, NAN_), NULL, 0, false), 0, NAN_);
    CHECK(mx_median(INTS(MLX_INT32, 9, 1, 4), NULL, 0, true), 0, 4);
    CHECK(mx_median(x, SHAPE(0, 2), false), 0, 7.5f, 11.5f, 15.5f);
    assert_int_equal(mx_ndim(mx_median(x, SHAPE(0, 2), true)), 3);
    CHECK(mx_mean(INTS(MLX_INT8, 100, 100, 101), NULL, 0, false), 1e-5f, 301.0f / 3);
    CHECK(mx_mean(none, NULL, 0, false), 0, NAN_);
    CHECK(mx_sum(none, SHAPE(0), false), 0, 0, 0, 0);
    CHECK(mx_prod(none, NULL, 0, false), 0, 1);
    CHECK_INTS(mx_all(none, NULL, 0, false), 1);
    CHECK_INTS(mx_any(none, NULL, 0, false), 0);
    CHECK_INTS(mx_argmax(x, MX_FLATTEN, false), 23);
    CHECK_INTS(mx_argmin(mx_negative(x), MX_FLATTEN, true), 23);
    assert_int_equal(mx_ndim(mx_argmin(x, MX_FLATTEN, true)), 3);
    CHECK_INTS(mx_argmax(VEC(1, NAN_, 3), MX_FLATTEN, false), 2);
    CHECK_INTS(mx_argmax(VEC(NAN_, 1, 3), MX_FLATTEN, false), 0);
    CHECK(mx_max(VEC(1, NAN_), NULL, 0, false), 0, NAN_);
    CHECK(mx_sum(mx_full(SHAPE(5000), mx_float(1, MLX_FLOAT32), MLX_BFLOAT16), NULL, 0, false), 0, 4992);
    CHECK_FAILS(mx_median(none, NULL, 0, false), "[median] an axis of shape (0, 3) has no elements");
    CHECK_FAILS(mx_logsumexp_axes(none, SHAPE(0), false), "[logsumexp] an array of shape (0, 3)");
    CHECK_FAILS(mx_max(none, NULL, 0, false), "[max] cannot max reduce over axis 0 with size 0");
    CHECK_FAILS(mx_argmax(none, MX_FLATTEN, false), "[argmax] cannot");
    CHECK_FAILS(mx_var(x, SHAPE(1, -2), false, 0), "twice");
    mx_release(0);
}

static void softmax_and_logsumexp(void **state)
{
    (void)state;
    static const mlx_dtype types[] = {MLX_FLOAT32, MLX_FLOAT64, MLX_FLOAT16};
    for (int k = 0; k < 3; k++) {
        mlx_array x = mx_astype(mx_reshape(VEC(0, 1, 2, 3, 4, 5), SHAPE(2, 3)), types[k]);
        float total = 0, e[6];
        for (int i = 0; i < 6; i++)
            total += e[i] = expf((float)i);
        CHECK(mx_softmax_axes(x, NULL, 0, true), 1e-3f, e[0] / total, e[1] / total, e[2] / total,
              e[3] / total, e[4] / total, e[5] / total);
        CHECK(mx_softmax_axes(x, SHAPE(0), false), 1e-3f, 0.047425873f, 0.047425873f, 0.047425873f,
              0.95257413f, 0.95257413f, 0.95257413f);
        CHECK(mx_logsumexp_axes(x, NULL, 0, false), 3e-3f, logf(total));
        CHECK(mx_logsumexp(x, 0, true), 3e-3f, 3.0485874f, 4.0485874f, 5.0485874f);
        mlx_array low = mx_astype(VEC(-INF_, -INF_), types[k]), high = mx_astype(VEC(INF_, 1), types[k]);
        CHECK(mx_logsumexp(low, 0, false), 0, -INF_);
        CHECK(mx_logsumexp(high, 0, false), 0, INF_);
        CHECK(mx_softmax(low, 0), 0, NAN_, NAN_);
    }
    CHECK_INTS(mx_softmax_axes(mx_reshape(INTS(MLX_INT32, 0, 99), SHAPE(2, 1)), SHAPE(0), false), 0, 1);
    CHECK(mx_softmax_axes(mx_reshape(INTS(MLX_INT32, 0, 0), SHAPE(1, 2)), SHAPE(0, 1), false), 0, 0.5f, 0.5f);
    CHECK(mx_softmax_axes(mx_float(3, MLX_FLOAT32), NULL, 0, false), 0, 1);
    CHECK_COMPLEX(mx_logsumexp_axes(COMPLEX(1, 1, 1, 1), NULL, 0, false), 1e-6f, 1.6931472f, 1);
    mx_release(0);
}

/* --- scans --- */

static void scans(void **state)
{
    (void)state;
    mlx_array x = mx_reshape(VEC(1, 2, 3, 4, 5, 6), SHAPE(2, 3));
    CHECK(mx_cumsum(x, 1, false, true), 0, 1, 3, 6, 4, 9, 15);
    CHECK(mx_cumsum(x, 1, true, false), 0, 5, 3, 0, 11, 6, 0);
    CHECK(mx_cumprod(x, 0, false, true), 0, 1, 2, 3, 4, 10, 18);
    CHECK(mx_cumprod(x, -1, false, false), 0, 1, 1, 2, 1, 4, 20);
    CHECK(mx_cumprod(x, MX_FLATTEN, true, true), 0, 720, 720, 360, 120, 30, 6);
    CHECK(mx_cummax(VEC(1, NAN_, 5), 0, false, true), 0, 1, NAN_, NAN_);
    CHECK(mx_cummax(VEC(1, 3, 2), 0, false, false), 0, -INF_, 1, 3);
    CHECK(mx_cummin(VEC(1, 3, 2), 0, true, false), 0, 2, 2, INF_);
    CHECK(mx_logcumsumexp(VEC(0, 0, -INF_, 0), 0, false, true), 1e-6f, 0, logf(2), logf(2), logf(3));
    CHECK(mx_logcumsumexp(VEC(1, 2), 0, false, false), 0, -INF_, 1);
    CHECK_INTS(mx_cumsum(INTS(MLX_BOOL, 1, 1, 0, 1), 0, false, true), 1, 2, 2, 3);
    CHECK_INTS(mx_cumprod(INTS(MLX_INT8, 100, 2, 2), 0, false, true), 100, -56, -112);
    CHECK_INTS(mx_cummax(INTS(MLX_INT16, 3, 5, 4), 0, false, false), -32768, 3, 5);
    CHECK_INTS(mx_cummin(INTS(MLX_UINT8, 3, 5, 4), 0, false, false), 255, 3, 3);
    CHECK_INTS(mx_cummin(INTS(MLX_BOOL, 1, 0, 1), 0, false, false), 1, 1, 0);
    CHECK_INTS(mx_cummax(INTS(MLX_INT64, 3), 0, false, false), INT64_MIN);
    CHECK_INTS(mx_cummin(INTS(MLX_INT64, 3), 0, false, false), INT64_MAX);
    assert_int_equal(mx_eval(mx_cumsum(mx_zeros(SHAPE(0, 3), MLX_FLOAT32), 0, false, true)), 0);
    assert_int_equal(mx_eval(mx_cumprod(mx_zeros(SHAPE(3, 0), MLX_FLOAT32), 1, true, false)), 0);
    CHECK_FAILS(mx_cumsum(x, 2, false, true), "[cumsum] axis 2 is out of range");
    mx_release(0);
}

/* Long rows are cut into pieces; narrow and wide ones go other ways. Against a loop, for some dtypes. */
static void scans_of_any_shape(void **state)
{
    (void)state;
    static const int shapes[][3] = {{1, 50000, 1}, {3, 20000, 1}, {20, 33, 1}, {2, 100, 5}, {3, 40, 70}};
    static const mlx_dtype types[] = {MLX_FLOAT32, MLX_INT32, MLX_FLOAT64};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int k = 0; k < 12; k++) {
            const int *d = shapes[s];
            bool reverse = k & 1, inclusive = k & 2;
            mlx_dtype t = types[k / 4];
            int size = d[0] * d[1] * d[2];
            mlx_array i = mx_arange(0, size, 1, MLX_INT32); /* small whole numbers: sums are exact */
            mlx_array x = mx_reshape(
                mx_astype(mx_remainder(mx_multiply(i, mx_int(7, MLX_INT32)), mx_int(11, MLX_INT32)), t), d,
                3);
            assert_int_equal(mx_read_f32(mx_cumsum(x, 1, reverse, inclusive), out), 0);
            for (int a = 0; a < d[0]; a++)
                for (int c = 0; c < d[2]; c++) {
                    double total = 0;
                    for (int b = 0; b < d[1]; b++) {
                        int at = (a * d[1] + (reverse ? d[1] - 1 - b : b)) * d[2] + c;
                        double here = at * 7 % 11, want = inclusive ? total + here : total;
                        total += here;
                        if ((double)out[at] != want)
                            fail_msg("shape %zu, %d: element %d is %g, not %g", s, k, at, (double)out[at],
                                     want);
                    }
                }
            mx_release(0);
        }
}

/* --- gradients where branches meet --- */

static int total_of(void *user, const mlx_array *in, mlx_array *y)
{
    mlx_array (*f)(const mlx_array *) = *(mlx_array(*const *)(const mlx_array *))user;
    *y = mx_sum(f(in), NULL, 0, false);
    return mx_is_null(*y);
}

static mlx_array grad_of(mlx_array (*f)(const mlx_array *), mlx_array a, mlx_array b, int which)
{
    mlx_array in[2] = {a, b}, y, g[2];
    assert_ok(mx_value_and_grad(total_of, &f, in, mx_is_null(b) ? 1 : 2, &y, 1, g) == 0);
    return g[which];
}

static mlx_array g_abs(const mlx_array *x) { return mx_abs(x[0]); }
static mlx_array g_power(const mlx_array *x) { return mx_power(x[0], x[1]); }
static mlx_array g_prod(const mlx_array *x) { return mx_prod(x[0], SHAPE(1), false); }
static mlx_array g_max(const mlx_array *x) { return mx_max(x[0], NULL, 0, false); }
static mlx_array g_maximum(const mlx_array *x) { return mx_maximum(x[0], x[1]); }
static mlx_array g_cumprod(const mlx_array *x) { return mx_cumprod(x[0], 0, false, true); }
static mlx_array g_cummax(const mlx_array *x) { return mx_cummax(x[0], 0, false, true); }
static mlx_array g_cummin(const mlx_array *x)
{
    return mx_multiply(mx_slice_axis(mx_cummin(x[0], 0, true, false), 0, 0, 3), VEC(1, 10, 100));
}
static mlx_array g_logaddexp(const mlx_array *x) { return mx_logaddexp(x[0], x[1]); }
static mlx_array
g_round_trip(const mlx_array *x) /* a complex function of one real number: |x e^(ix)|^2 = x^2 */
{
    mlx_array i = mx_from((float[]){0, 1}, NULL, 0, MLX_COMPLEX64);
    mlx_array z = mx_multiply(x[0], mx_exp(mx_multiply(i, x[0])));
    return mx_real(mx_multiply(z, mx_conjugate(z)));
}

static void gradients_at_corners(void **state)
{
    (void)state;
    CHECK(grad_of(g_abs, VEC(-2, 0, 3), MX_NULL, 0), 0, -1, 0, 1);
    CHECK(grad_of(g_power, VEC(0, 2, 3), VEC(2, 3, 0), 0), 1e-5f, 0, 12, 0);
    CHECK(grad_of(g_power, VEC(0, 2, 1), VEC(2, 3, 5), 1), 1e-5f, 0, 8 * logf(2), 0);
    CHECK(grad_of(g_prod, mx_reshape(VEC(2, 0, 3, 0, 0, 1, 2, 3, 4), SHAPE(3, 3)), MX_NULL, 0), 0, 0, 6, 0, 0,
          0, 0, 12, 8, 6);
    CHECK(grad_of(g_max, VEC(1, 3, 3), MX_NULL, 0), 0, 0, 0.5f, 0.5f);
    CHECK(grad_of(g_maximum, VEC(1, 2, 3), VEC(1, 3, 2), 0), 0, 0, 0, 1);
    CHECK(grad_of(g_maximum, VEC(1, 2, 3), VEC(1, 3, 2), 1), 0, 1, 1, 0);
    CHECK(grad_of(g_cumprod, VEC(2, 0, 3, 4), MX_NULL, 0), 1e-5f, 1, 2 + 6 + 24, 0, 0);
    CHECK(grad_of(g_cumprod, VEC(2, 3, 4), MX_NULL, 0), 1e-4f, 1 + 3 + 12, 2 + 8, 6);
    CHECK(grad_of(g_cummax, VEC(1, 3, 3, 2), MX_NULL, 0), 0, 1, 1, 2, 0);
    CHECK(grad_of(g_cummin, VEC(1, 5, 2, 2), MX_NULL, 0), 0, 0, 0, 11, 100);
    CHECK(grad_of(g_logaddexp, VEC(0, 1), VEC(0, -INF_), 0), 1e-6f, 0.5f, 1);
    CHECK(grad_of(g_round_trip, VEC(0.5f, -2), MX_NULL, 0), 1e-5f, 1, -4);
    CHECK_COMPLEX(grad_of(g_abs, COMPLEX(3, 4, 0, 0), MX_NULL, 0), 1e-6f, 0.6f, 0.8f, 0, 0);
    check_dtype(grad_of(g_abs, COMPLEX(3, 4), MX_NULL, 0), MLX_COMPLEX64);
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
        cmocka_unit_test(dtypes_are_as_in_mlx),
        cmocka_unit_test(integers_divide_and_shift),
        cmocka_unit_test(floats),
        cmocka_unit_test(finite_or_not),
        cmocka_unit_test(complex_numbers),
        cmocka_unit_test(reductions),
        cmocka_unit_test(softmax_and_logsumexp),
        cmocka_unit_test(scans),
        cmocka_unit_test(scans_of_any_shape),
        cmocka_unit_test(gradients_at_corners),
    };
    return RUN_TESTS("elem", tests, cleanup);
}
