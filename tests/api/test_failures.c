/* Every allocation fails once: a call that meets it returns an error, tells the handler and leaves its
 * results alone; whatever else was made can still be freed, and nothing leaks. */
#include "api/api.h"

/* A status or a handle after a call: either it worked and nobody was told of an error, or it failed and
 * somebody was. */
static bool worked(bool success)
{
    int errors = api_take_errors();
    assert_true(success ? errors == 0 : errors > 0);
    return success;
}
#define TRY(call)    worked((call) == 0)
#define MADE(handle) worked((handle).ctx != NULL)

static int add_one(mlx_vector_array *out, const mlx_vector_array in)
{
    mlx_array x = {0}, one = mlx_array_new_float(1);
    mlx_stream s = mlx_default_cpu_stream_new();
    int rc = !one.ctx || !s.ctx || mlx_vector_array_get(&x, in, 0) || mlx_add(&x, x, one, s) ||
             mlx_vector_array_set_value(out, x);
    mlx_array_free(x);
    mlx_array_free(one);
    mlx_stream_free(s);
    return rc;
}

/* As far as it comes. */
static void use_arrays(mlx_array a, mlx_stream s)
{
    mlx_array b = {0};
    mlx_string text = {0};
    mlx_vector_array parts = {0};
    if (TRY(mlx_add(&b, a, a, s)) && TRY(mlx_sum(&b, b, true, s)) && TRY(mlx_matmul(&b, a, a, s)) &&
        TRY(mlx_split(&parts, b, 2, 0, s)) && TRY(mlx_concatenate(&b, parts, s)) && TRY(mlx_sort(&b, b, s)) &&
        TRY(mlx_array_eval(b)))
        TRY(mlx_array_tostring(&text, b));
    mlx_array_free(b);
    mlx_string_free(text);
    mlx_vector_array_free(parts);
}

static void use_containers(mlx_array a)
{
    mlx_vector_array v = mlx_vector_array_new_value(a), w = {0};
    mlx_map_string_to_array m = mlx_map_string_to_array_new(), copy = {0};
    mlx_vector_string names = mlx_vector_string_new_data((const char *[]){"a", "b"}, 2);
    api_take_errors();
    if (v.ctx && TRY(mlx_vector_array_append_data(v, (mlx_array[]){a, a}, 2)))
        TRY(mlx_vector_array_set(&w, v));
    if (m.ctx && TRY(mlx_map_string_to_array_insert(m, "a", a)) &&
        TRY(mlx_map_string_to_array_insert(m, "b", a)) && TRY(mlx_map_string_to_array_set(&copy, m)))
        TRY(mlx_map_string_to_array_insert(copy, "c", a));
    if (names.ctx)
        TRY(mlx_vector_string_append_value(names, "c"));
    mlx_vector_array_free(v);
    mlx_vector_array_free(w);
    mlx_map_string_to_array_free(m);
    mlx_map_string_to_array_free(copy);
    mlx_vector_string_free(names);
}

static void use_closures(mlx_array a)
{
    mlx_closure f = mlx_closure_new_func(add_one), g = {0};
    mlx_vector_array in = mlx_vector_array_new_value(a), out = {0}, vjps = {0};
    api_take_errors();
    if (f.ctx && in.ctx && TRY(mlx_closure_apply(&out, f, in)) && TRY(mlx_vjp(&out, &vjps, f, in, in)) &&
        TRY(mlx_compile(&g, f, false)) && TRY(mlx_closure_apply(&out, g, in)))
        TRY(mlx_eval(out));
    mlx_closure_free(f);
    mlx_closure_free(g);
    mlx_vector_array_free(in);
    mlx_vector_array_free(out);
    mlx_vector_array_free(vjps);
}

static void use_handles(void)
{
    mlx_device dev = mlx_device_new_type(MLX_CPU, 0);
    mlx_device_info info = {0};
    mlx_string text = {0};
    mlx_fast_metal_kernel_config c = mlx_fast_metal_kernel_config_new();
    api_take_errors();
    if (dev.ctx && TRY(mlx_device_info_get(&info, dev)))
        TRY(mlx_device_tostring(&text, dev));
    if (c.ctx && TRY(mlx_fast_metal_kernel_config_add_output_arg(c, (int[]){2}, 1, MLX_FLOAT32)))
        TRY(mlx_fast_metal_kernel_config_add_template_arg_int(c, "N", 1));
    mlx_fast_metal_kernel_config_free(c);
    mlx_device_free(dev);
    mlx_device_info_free(info);
    mlx_string_free(text);
}

static void everything(void)
{
    float data[16] = {1, 2, 3};
    mlx_stream s = mlx_default_cpu_stream_new();
    mlx_array a = mlx_array_new_data(data, (int[]){4, 4}, 2, MLX_FLOAT32);
    api_take_errors();
    if (s.ctx && a.ctx) {
        use_arrays(a, s);
        use_containers(a);
        use_closures(a);
    }
    use_handles();
    mlx_array_free(a);
    mlx_stream_free(s);
}

static void any_allocation_may_fail(void **state)
{
    (void)state;
    everything(); /* what lives as long as the process is there */
    size_t k = 0, live = mem_live();
    int fired;
    do {
        mlx_clear_cache();
        mem_fail_at(++k);
        everything();
        fired = mem_fail_fired();
        mem_fail_at(0);
        assert_int_equal(mx_live_nodes(), 0);
    } while (fired && k < 5000);
    assert_true(k > 50 && k < 5000);
    mlx_clear_cache();
    assert_true(mem_live() <= live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(any_allocation_may_fail)};
    return RUN_API_TESTS("api: failures", tests);
}
