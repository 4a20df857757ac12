/* Operations and transforms through the C interface: results, inputs that are also results, errors. */
#include "api/api.h"

#include <math.h>
#include <unistd.h>

static mlx_stream s;

static void prints(mlx_array x, const char *text)
{
    api_prints(x, text);
    mlx_array_free(x);
}

static void a_result_may_be_an_input(void **state)
{
    (void)state;
    mlx_array a = FLOATS(1, 2), b = FLOATS(10, 20);
    void *before = a.ctx;
    OK(mlx_add(&a, a, b, s));
    OK(mlx_multiply(&a, b, a, s));
    OK(mlx_subtract(&a, a, a, s));
    OK(mlx_add(&a, a, b, s));
    api_prints(a, "array([10, 20], dtype=float32)");
    assert_ptr_not_equal(a.ctx, before);
    FAILS(mlx_reshape(&a, a, (int[]){3}, 1, s), "[reshape]");
    FAILS(mlx_add(&a, a, mlx_array_empty, s), "expected a non-empty mlx_array");
    FAILS(mlx_astype(&a, a, (mlx_dtype)99, s), "99 is no dtype");
    prints(a, "array([10, 20], dtype=float32)");
    mlx_array_free(b);
}

static void reductions_take_all_some_and_no_axes(void **state)
{
    (void)state;
    mlx_array x = mlx_array_new_data((float[]){1, 2, 3, 4}, (int[]){2, 2}, 2, MLX_FLOAT32),
              y = mlx_array_new();
    OK(mlx_sum(&y, x, false, s));
    api_prints(y, "array(10, dtype=float32)");
    OK(mlx_sum_axis(&y, x, -1, false, s));
    api_prints(y, "array([3, 7], dtype=float32)");
    OK(mlx_sum_axes(&y, x, (int[]){0, 1}, 2, true, s));
    api_prints(y, "array([[10]], dtype=float32)");
    OK(mlx_sum_axes(&y, x, NULL, 0, false, s));
    api_prints(y, "array([[1, 2],\n       [3, 4]], dtype=float32)");
    OK(mlx_argmax(&y, x, true, s));
    api_prints(y, "array([[3]], dtype=uint32)");
    OK(mlx_sort(&y, x, s));
    api_prints(y, "array([1, 2, 3, 4], dtype=float32)");
    OK(mlx_transpose(&y, x, s));
    api_prints(y, "array([[1, 3],\n       [2, 4]], dtype=float32)");
    bool row, column, dense;
    OK(_mlx_array_is_row_contiguous(&row, y));
    OK(_mlx_array_is_col_contiguous(&column, y));
    OK(_mlx_array_is_contiguous(&dense, y));
    assert_true(!row && column && dense);
    OK(mlx_slice(&y, x, (int[]){0, 0}, 2, (int[]){2, 1}, 2, (int[]){1, 1}, 2, s));
    api_prints(y, "array([[1],\n       [3]], dtype=float32)");
    OK(_mlx_array_is_contiguous(&dense, y));
    assert_false(dense);
    FAILS(mlx_slice(&y, x, (int[]){0}, 1, (int[]){2}, 1, (int[]){1}, 1, s), "[slice]");
    FAILS(mlx_sum_axis(&y, x, 2, false, s), "[sum]");
    mlx_vector_array parts = {0};
    OK(mlx_split(&parts, x, 2, 0, s));
    OK(mlx_concatenate(&y, parts, s));
    api_prints(y, "array([1, 2, 3, 4], dtype=float32)");
    OK(mlx_stack_axis(&y, parts, 0, s));
    assert_int_equal(mlx_array_ndim(y), 3);
    mlx_vector_array_free(parts);
    mlx_array_free(x);
    mlx_array_free(y);
}

static void random_numbers_follow_the_seed(void **state)
{
    (void)state;
    mlx_array key = {0}, low = mlx_array_new_float(0), high = mlx_array_new_float(1), x = {0}, y = {0};
    OK(mlx_random_key(&key, 0));
    OK(mlx_random_bits(&x, (int[]){3}, 1, 4, key, s));
    api_prints(x, "array([4146024105, 1351547692, 2718843009], dtype=uint32)");
    OK(mlx_random_seed(42));
    OK(mlx_random_uniform(&x, low, high, (int[]){3}, 1, MLX_FLOAT32, mlx_array_empty, s));
    api_prints(x, "array([0.28517, 0.611945, 0.175653], dtype=float32)");
    OK(mlx_random_split(&x, &y, key, s));
    api_prints(y, "array([2718843009, 1272950319], dtype=uint32)");
    mlx_array_free(key);
    mlx_array_free(low);
    mlx_array_free(high);
    mlx_array_free(x);
    mlx_array_free(y);
}

static void attention_drops_its_sinks(void **state)
{
    (void)state;
    float zeros[8] = {0}, values[4] = {1, 2, 3, 4};
    mlx_array q = mlx_array_new_data(zeros, (int[]){1, 2, 2, 1}, 4, MLX_FLOAT32);
    mlx_array k = mlx_array_new_data(zeros, (int[]){1, 1, 2, 1}, 4, MLX_FLOAT32);
    mlx_array v = mlx_array_new_data(values, (int[]){1, 1, 2, 1}, 4, MLX_FLOAT32), y = {0}, none = {0};
    mlx_array sinks = FLOATS(0, -INFINITY);
    OK(mlx_fast_scaled_dot_product_attention(&y, q, k, v, 1, "causal", none, sinks, s));
    OK(mlx_reshape(&y, y, (int[]){4}, 1, s));
    api_prints(
        y, "array([0.5, 1, 1, 1.5], dtype=float32)"); /* a third key of value 0, none in the second head */
    OK(mlx_fast_scaled_dot_product_attention(&y, q, k, v, 1, "", none, none, s));
    FAILS(mlx_fast_scaled_dot_product_attention(&y, q, k, v, 1, "other", none, none, s),
          "[scaled_dot_product_attention]");
    mlx_array_free(q);
    mlx_array_free(k);
    mlx_array_free(v);
    mlx_array_free(y);
    mlx_array_free(sinks);
}

/* x of shape (2, 3, 4) at offsets 5 and 7 by an array, and row by row. */
static void ropes_offsets_may_be_an_array(void **state)
{
    (void)state;
    float data[24];
    for (int i = 0; i < 24; i++)
        data[i] = (float)(i % 7) - 3;
    mlx_array x = mlx_array_new_data(data, (int[]){2, 3, 4}, 3, MLX_FLOAT32), none = {0};
    mlx_array offset = mlx_array_new_data((int[]){5, 7}, (int[]){2}, 1, MLX_INT32), got = {0}, one = {0},
              close = {0};
    mlx_optional_float base = {10000, true};
    for (int traditional = 0; traditional < 2; traditional++) {
        OK(mlx_fast_rope_dynamic(&got, x, 4, traditional, base, 0.5f, offset, none, s));
        for (int row = 0; row < 2; row++) {
            mlx_array part = {0};
            int start[] = {row, 0, 0}, stop[] = {row + 1, 3, 4}, step[] = {1, 1, 1};
            OK(mlx_slice(&one, x, start, 3, stop, 3, step, 3, s));
            OK(mlx_fast_rope(&one, one, 4, traditional, base, 0.5f, row ? 7 : 5, none, s));
            OK(mlx_slice(&part, got, start, 3, stop, 3, step, 3, s));
            OK(mlx_subtract(&close, part, one, s));
            OK(mlx_abs(&close, close, s));
            OK(mlx_max(&close, close, false, s));
            float worst;
            OK(mlx_array_item_float32(&worst, close));
            assert_true(worst < 1e-5f);
            mlx_array_free(part);
        }
    }
    FAILS(mlx_fast_rope(&one, x, 4, false, (mlx_optional_float){0}, 1, 0, none, s), "[rope]");
    mlx_array_free(x);
    mlx_array_free(offset);
    mlx_array_free(got);
    mlx_array_free(one);
    mlx_array_free(close);
}

/* --- transforms --- */

/* (x, w) -> sum(x * x * w) and x. */
static int weighted(mlx_vector_array *out, const mlx_vector_array in)
{
    mlx_array x = {0}, w = {0}, y = {0};
    int rc = mlx_vector_array_get(&x, in, 0) || mlx_vector_array_get(&w, in, 1) ||
             mlx_multiply(&y, x, x, s) || mlx_multiply(&y, y, w, s) || mlx_sum(&y, y, false, s) ||
             mlx_vector_array_set_value(out, y) || mlx_vector_array_append_value(*out, x);
    mlx_array_free(x);
    mlx_array_free(w);
    mlx_array_free(y);
    return rc;
}

static int calls;
static int squared(mlx_array *res, const mlx_array x)
{
    calls++;
    return mlx_multiply(res, x, x, s);
}

static mlx_vector_array pair(mlx_array a, mlx_array b)
{
    mlx_vector_array v = mlx_vector_array_new_value(a);
    OK(mlx_vector_array_append_value(v, b));
    mlx_array_free(a);
    mlx_array_free(b);
    return v;
}

static void entry_prints(mlx_vector_array v, size_t i, const char *text)
{
    mlx_array x = {0};
    OK(mlx_vector_array_get(&x, v, i));
    prints(x, text);
}

static void gradients_are_by_the_arguments_listed(void **state)
{
    (void)state;
    mlx_closure f = mlx_closure_new_func(weighted);
    mlx_closure_value_and_grad g = {0};
    mlx_vector_array in = pair(FLOATS(1, 2), FLOATS(3, 4)), values = {0}, grads = {0};
    OK(mlx_value_and_grad(&g, f, (int[]){1, 0}, 2));
    OK(mlx_closure_value_and_grad_apply(&values, &grads, g, in));
    assert_true(mlx_vector_array_size(values) == 2 && mlx_vector_array_size(grads) == 2);
    entry_prints(values, 0, "array(19, dtype=float32)");
    entry_prints(grads, 0, "array([1, 4], dtype=float32)");
    entry_prints(grads, 1, "array([6, 16], dtype=float32)");
    FAILS(mlx_value_and_grad(&g, f, (int[]){0, 0}, 2), "[value_and_grad]");
    FAILS(mlx_value_and_grad(&g, f, NULL, 0), "[value_and_grad]");
    OK(mlx_value_and_grad(&g, f, (int[]){2}, 1));
    FAILS(mlx_closure_value_and_grad_apply(&values, &grads, g, in),
          "[value_and_grad] there is no argument 2");
    mlx_closure_value_and_grad_free(g);
    mlx_closure_free(f);
    mlx_vector_array_free(in);
    mlx_vector_array_free(values);
    mlx_vector_array_free(grads);
}

static void products_with_jacobians(void **state)
{
    (void)state;
    mlx_closure f = mlx_closure_new_unary(squared);
    mlx_array x = FLOATS(1, 2, 3), c = FLOATS(1, 0, 2);
    mlx_vector_array in = mlx_vector_array_new_value(x), by = mlx_vector_array_new_value(c), y = {0}, d = {0};
    OK(mlx_vjp(&y, &d, f, in, by));
    entry_prints(y, 0, "array([1, 4, 9], dtype=float32)");
    entry_prints(d, 0, "array([2, 0, 12], dtype=float32)");
    OK(mlx_jvp(&y, &d, f, in, by));
    entry_prints(d, 0, "array([2, 0, 12], dtype=float32)");

    /* vmap by its parts */
    mlx_vector_array s_in = {0}, s_out = {0};
    OK(mlx_detail_vmap_trace(&s_in, &s_out, f, in, (int[]){0}, 1));
    OK(mlx_detail_vmap_replace(&y, in, s_in, s_out, (int[]){0}, 1, (int[]){0}, 1));
    entry_prints(y, 0, "array([1, 4, 9], dtype=float32)");
    FAILS(mlx_detail_vmap_trace(&s_in, &s_out, f, in, NULL, 0), "[vmap]");
    mlx_vector_array_free(s_in);
    mlx_vector_array_free(s_out);
    mlx_closure_free(f);
    mlx_array_free(x);
    mlx_array_free(c);
    mlx_vector_array_free(in);
    mlx_vector_array_free(by);
    mlx_vector_array_free(y);
    mlx_vector_array_free(d);
}

static int times_itself(mlx_array *res, const mlx_array x) { return mlx_matmul(res, x, x, s); }

/* An error in a function of the program is its own, and then that of the call; one of the library's closures
 * is that of the call alone. */
static void errors_in_functions(void **state)
{
    (void)state;
    mlx_closure f = mlx_closure_new_unary(times_itself), g = {0};
    mlx_closure_value_and_grad by = {0};
    mlx_array wide = mlx_array_new_data((float[]){1, 2}, (int[]){1, 2}, 2, MLX_FLOAT32);
    mlx_array square = mlx_array_new_data((float[]){1, 2, 3, 4}, (int[]){2, 2}, 2, MLX_FLOAT32);
    mlx_vector_array in = mlx_vector_array_new_value(wide), y = {0}, grads = {0};
    OK(mlx_compile(&g, f, false));
    OK(mlx_value_and_grad(&by, f, (int[]){0}, 1));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(i == 0   ? mlx_closure_apply(&y, f, in)
                         : i == 1 ? mlx_closure_apply(&y, g, in)
                                  : mlx_closure_value_and_grad_apply(&y, &grads, by, in),
                         1);
        assert_int_equal(api_take_errors(), 2);
        assert_non_null(strstr(api_error, "mlx_closure returned a non-zero value"));
    }
    OK(mlx_vector_array_set_value(&in, square));
    FAILS(mlx_closure_value_and_grad_apply(&y, &grads, by, in), "must return a scalar");
    mlx_closure_free(f);
    mlx_closure_free(g);
    mlx_closure_value_and_grad_free(by);
    mlx_array_free(wide);
    mlx_array_free(square);
    mlx_vector_array_free(in);
    mlx_vector_array_free(y);
    mlx_vector_array_free(grads);
}

/* float64 keeps its digits through operations and promotion. */
static void doubles_stay_doubles(void **state)
{
    (void)state;
    const double v[3] = {0.1, 1.0 / 3, -2e200};
    mlx_array x = mlx_array_new_data(v, (int[]){3}, 1, MLX_FLOAT64), y = {0}, third = {0};
    double got;
    OK(mlx_multiply(&y, x, x, s));
    OK(mlx_array_eval(y));
    for (int i = 0; i < 2; i++)
        assert_true(mlx_array_data_float64(y)[i] == v[i] * v[i]);
    assert_true(isinf(mlx_array_data_float64(y)[2]));
    OK(mlx_slice(&third, x, (int[]){1}, 1, (int[]){2}, 1, (int[]){1}, 1, s));
    OK(mlx_exp(&y, third, s));
    OK(mlx_array_item_float64(&got, y));
    assert_true(fabs(got - exp(1.0 / 3)) < 4e-16);
    OK(mlx_astype(&y, third, MLX_FLOAT32, s));
    OK(mlx_subtract(&y, third, y, s));
    assert_int_equal(mlx_array_dtype(y), MLX_FLOAT64);
    OK(mlx_array_item_float64(&got, y));
    assert_true(got == 1.0 / 3 - (double)(float)(1.0 / 3));
    api_prints(x, "array([0.1, 0.333333, -2e+200], dtype=float64)");
    mlx_map_string_to_array arrays = mlx_map_string_to_array_new();
    mlx_map_string_to_string words = mlx_map_string_to_string_new();
    OK(mlx_map_string_to_array_insert(arrays, "x", x));
    FAILS(mlx_save_safetensors("/tmp/never", arrays, words), "[save_safetensors]");
    mlx_map_string_to_array_free(arrays);
    mlx_map_string_to_string_free(words);
    mlx_array_free(x);
    mlx_array_free(y);
    mlx_array_free(third);
    assert_int_equal(mlx_dtype_size(MLX_FLOAT64), 8);
    assert_int_equal(mlx_dtype_size((mlx_dtype)14), 0);
    assert_int_equal(api_take_errors(), 1);
}

static void compiled_functions_are_traced_once(void **state)
{
    (void)state;
    mlx_closure f = mlx_closure_new_unary(squared), g = {0};
    mlx_array x = FLOATS(1, 2, 3);
    mlx_vector_array in = mlx_vector_array_new_value(x), y = {0};
    OK(mlx_compile(&g, f, false));
    mlx_closure_free(f);
    calls = 0;
    for (int i = 0; i < 3; i++)
        OK(mlx_closure_apply(&y, g, in));
    assert_int_equal(calls, 1);
    entry_prints(y, 0, "array([1, 4, 9], dtype=float32)");
    OK(mlx_disable_compile());
    OK(mlx_closure_apply(&y, g, in));
    assert_int_equal(calls, 2);
    OK(mlx_enable_compile());
    FAILS(mlx_set_compile_mode((mlx_compile_mode)4), "[set_compile_mode]");
    mlx_closure_free(g);
    mlx_array_free(x);
    mlx_vector_array_free(in);
    mlx_vector_array_free(y);
    OK(mlx_detail_compile_clear_cache());
}

static void functions_go_to_files_and_back(void **state)
{
    (void)state;
    char path[] = "/tmp/mica-api-XXXXXX";
    close(mkstemp(path));
    mlx_closure f = mlx_closure_new_func(weighted);
    mlx_vector_array in = pair(FLOATS(1, 2), FLOATS(3, 4)), y = {0};
    OK(mlx_export_function(path, f, in, false));
    mlx_imported_function g = mlx_imported_function_new(path);
    assert_non_null(g.ctx);
    OK(mlx_imported_function_apply(&y, g, in));
    entry_prints(y, 0, "array(19, dtype=float32)");
    mlx_function_exporter e = mlx_function_exporter_new(path, f, true);
    OK(mlx_function_exporter_apply(e, in));
    assert_int_equal(mlx_function_exporter_apply(e, in), 1);
    assert_int_equal(api_take_errors(), 1);
    OK(mlx_function_exporter_free(e));
    mlx_imported_function_free(g);
    mlx_closure_free(f);
    mlx_vector_array_free(y);
    assert_null(mlx_imported_function_new("/nowhere/there.mlxfn").ctx);
    assert_int_equal(api_take_errors(), 1);

    char text[4096] = "";
    mlx_node_namer names = mlx_node_namer_new();
    mlx_array a = {0};
    const char *name;
    OK(mlx_vector_array_get(&a, in, 0));
    OK(mlx_node_namer_set_name(names, a, "input"));
    OK(mlx_node_namer_get_name(&name, names, a));
    assert_string_equal(name, "input");
    OK(mlx_add(&a, a, a, s));
    mlx_vector_array out = mlx_vector_array_new_value(a);
    FILE *file = tmpfile();
    OK(mlx_export_to_dot(file, names, out));
    OK(mlx_print_graph(file, names, out));
    rewind(file);
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    fclose(file);
    assert_non_null(strstr(text, "digraph"));
    assert_non_null(strstr(text, "input"));
    mlx_node_namer_free(names);
    mlx_array_free(a);
    mlx_vector_array_free(in);
    mlx_vector_array_free(out);
    remove(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_result_may_be_an_input),
        cmocka_unit_test(reductions_take_all_some_and_no_axes),
        cmocka_unit_test(random_numbers_follow_the_seed),
        cmocka_unit_test(attention_drops_its_sinks),
        cmocka_unit_test(ropes_offsets_may_be_an_array),
        cmocka_unit_test(gradients_are_by_the_arguments_listed),
        cmocka_unit_test(products_with_jacobians),
        cmocka_unit_test(errors_in_functions),
        cmocka_unit_test(doubles_stay_doubles),
        cmocka_unit_test(compiled_functions_are_traced_once),
        cmocka_unit_test(functions_go_to_files_and_back),
    };
    size_t before = mem_live();
    s = mlx_default_cpu_stream_new();
    int failed = RUN_API_TESTS("api: functions", tests);
    mlx_stream_free(s);
    return failed || mem_live() > before;
}
