/* Devices, streams, memory, distributed computing alone, what needs a GPU, the error handler. */
#include "api/api.h"

static void prints(mlx_string *s, const char *text) { assert_string_equal(mlx_string_data(*s), text); }

static void there_is_one_device(void **state)
{
    (void)state;
    mlx_device cpu = mlx_device_new_type(MLX_CPU, 0), gpu = mlx_device_new_type(MLX_GPU, 3),
               dev = mlx_device_new();
    mlx_string s = mlx_string_new();
    int n;
    bool there;
    mlx_device_type type;
    OK(mlx_get_default_device(&dev));
    assert_true(mlx_device_equal(dev, cpu) && !mlx_device_equal(cpu, gpu));
    OK(mlx_device_tostring(&s, cpu));
    prints(&s, "Device(cpu, 0)");
    OK(mlx_device_set(&dev, gpu));
    OK(mlx_device_tostring(&s, dev));
    prints(&s, "Device(gpu, 3)");
    OK(mlx_device_get_index(&n, dev));
    OK(mlx_device_get_type(&type, dev));
    assert_true(n == 3 && type == MLX_GPU);
    OK(mlx_device_is_available(&there, gpu));
    assert_false(there);
    OK(mlx_device_is_available(&there, cpu));
    assert_true(there);
    OK(mlx_device_count(&n, MLX_CPU));
    assert_int_equal(n, 1);
    OK(mlx_device_count(&n, MLX_GPU));
    assert_int_equal(n, 0);
    OK(mlx_set_default_device(cpu));
    FAILS(mlx_set_default_device(gpu), "[set_default_device] Cannot set gpu device without gpu backend.");
    FAILS(mlx_device_set(&dev, mlx_device_new()), "expected a non-empty mlx_device");
    mlx_string_free(s);
    mlx_device_free(cpu);
    mlx_device_free(gpu);
    mlx_device_free(dev);
}

static void devices_have_facts(void **state)
{
    (void)state;
    mlx_device cpu = mlx_device_new_type(MLX_CPU, 0), gpu = mlx_device_new_type(MLX_GPU, 0);
    mlx_device_info info = mlx_device_info_new();
    mlx_vector_string keys = {0};
    const char *text;
    bool yes;
    size_t size;
    OK(mlx_device_info_get(&info, cpu));
    OK(mlx_device_info_get_string(&text, info, "architecture"));
    assert_true(text[0]);
    OK(mlx_device_info_get_string(&text, info, "device_name"));
    OK(mlx_device_info_has_key(&yes, info, "device_name"));
    assert_true(yes);
    OK(mlx_device_info_is_string(&yes, info, "device_name"));
    assert_true(yes);
    assert_int_equal(mlx_device_info_get_size(&size, info, "device_name"), 2);
    assert_int_equal(mlx_device_info_get_string(&text, info, "none"), 2);
    assert_int_equal(api_errors, 0);
    OK(mlx_device_info_get_size(&size, info, "memory_size"));
    assert_true(size > 1 << 20);
    OK(mlx_device_info_get_keys(&keys, info));
    assert_int_equal(mlx_vector_string_size(keys), 3);
    OK(mlx_device_info_get(&info, gpu));
    OK(mlx_device_info_get_keys(&keys, info));
    assert_int_equal(mlx_vector_string_size(keys), 0);
    mlx_vector_string_free(keys);
    mlx_device_info_free(info);
    mlx_device_free(cpu);
    mlx_device_free(gpu);
}

static void streams_are_numbered(void **state)
{
    (void)state;
    mlx_device cpu = mlx_device_new_type(MLX_CPU, 0), dev = mlx_device_new();
    mlx_stream s = mlx_default_cpu_stream_new(), t = mlx_stream_new_device(cpu), u = mlx_stream_new();
    mlx_string text = mlx_string_new();
    int n;
    assert_true(!mlx_stream_equal(s, t));
    OK(mlx_stream_get_index(&n, t));
    OK(mlx_stream_tostring(&text, t));
    char expected[64];
    snprintf(expected, sizeof expected, "Stream(Device(cpu, 0), %d)", n);
    prints(&text, expected);
    OK(mlx_stream_get_device(&dev, t));
    assert_true(mlx_device_equal(dev, cpu));
    OK(mlx_set_default_stream(t));
    OK(mlx_get_default_stream(&u, cpu));
    assert_true(mlx_stream_equal(u, t));
    OK(mlx_set_default_stream(s));
    mlx_array a = FLOATS(1, 2), b = mlx_array_new();
    OK(mlx_add(&b, a, a, t));
    mlx_vector_array out = mlx_vector_array_new_value(b);
    OK(mlx_async_eval(out));
    OK(mlx_synchronize(t));
    bool done;
    OK(_mlx_array_is_available(&done, b));
    assert_true(done);
    api_prints(b, "array([2, 4], dtype=float32)");
    FAILS(mlx_add(&b, a, a, mlx_stream_new()), "expected a non-empty mlx_stream");
    assert_null(mlx_default_gpu_stream_new().ctx);
    assert_int_equal(api_take_errors(), 1);
    mlx_vector_array_free(out);
    mlx_array_free(a);
    mlx_array_free(b);
    mlx_string_free(text);
    mlx_stream_free(s);
    mlx_stream_free(t);
    mlx_stream_free(u);
    mlx_device_free(cpu);
    mlx_device_free(dev);
}

static void memory_is_counted_and_limited(void **state)
{
    (void)state;
    size_t before, now, limit, old, peak;
    OK(mlx_clear_cache());
    OK(mlx_get_active_memory(&before));
    OK(mlx_reset_peak_memory());
    OK(mlx_get_peak_memory(&peak));
    assert_int_equal(peak, 0);
    static float zeros[1 << 16];
    mlx_array a = mlx_array_new_data(zeros, (int[]){1 << 16}, 1, MLX_FLOAT32);
    OK(mlx_get_active_memory(&now));
    assert_true(now - before >= sizeof zeros);
    OK(mlx_get_peak_memory(&peak));
    assert_true(peak >= now);
    mlx_array_free(a);
    OK(mlx_get_cache_memory(&now));
    assert_true(now >= sizeof zeros);
    OK(mlx_set_cache_limit(&limit, 0));
    OK(mlx_get_cache_memory(&now));
    assert_int_equal(now, 0);
    mlx_array_free(mlx_array_new_int(1));
    OK(mlx_get_cache_memory(&now));
    assert_int_equal(now, 0);
    OK(mlx_set_cache_limit(&old, limit));
    assert_int_equal(old, 0);

    OK(mlx_get_memory_limit(&limit));
    assert_true(limit > 1 << 20);
    OK(mlx_set_memory_limit(&old, 1));
    assert_int_equal(old, limit);
    mlx_array_free(mlx_array_new_int(1));
    OK(mlx_get_cache_memory(&now));
    assert_int_equal(now, 0);
    OK(mlx_set_memory_limit(&old, limit));
    assert_int_equal(old, 1);
    OK(mlx_set_wired_limit(&old, 1000));
    assert_int_equal(old, 0);
}

static void a_group_of_one_is_alone(void **state)
{
    (void)state;
    mlx_stream s = mlx_default_cpu_stream_new();
    mlx_distributed_group all = mlx_distributed_group_new(), none = mlx_distributed_group_new();
    OK(mlx_distributed_init(&all, false, NULL));
    assert_int_equal(mlx_distributed_group_rank(all), 0);
    assert_int_equal(mlx_distributed_group_size(all), 1);
    FAILS(mlx_distributed_init(&all, true, "any"), "[distributed]");
    FAILS(mlx_distributed_init(&all, false, "smoke"), "'ring' but 'smoke' was provided.");
    OK(mlx_distributed_init(&all, false, "ring"));
    FAILS(mlx_distributed_group_split(&all, all, 0, 0), "Cannot split the distributed group further.");
    assert_false(mlx_distributed_is_available("none"));
    mlx_array a = FLOATS(1, 2), b = mlx_array_new();
    OK(mlx_distributed_all_sum(&b, a, all, s));
    api_prints(b, "array([1, 2], dtype=float32)");
    OK(mlx_distributed_all_gather(&b, a, none, s));
    OK(mlx_distributed_sum_scatter(&b, a, none, s));
    api_prints(b, "array([1, 2], dtype=float32)");
    FAILS(mlx_distributed_send(&b, a, 0, all, s), "Cannot send to a singleton group");
    FAILS(mlx_distributed_recv(&b, (int[]){2}, 1, MLX_FLOAT32, 0, all, s),
          "Cannot recv from a singleton group");
    FAILS(mlx_distributed_recv_like(&b, a, 0, none, s), "Cannot recv from a singleton group");
    mlx_array_free(a);
    mlx_array_free(b);
    mlx_distributed_group_free(all);
    mlx_stream_free(s);
}

static void kernels_need_a_gpu(void **state)
{
    (void)state;
    bool there = true;
    OK(mlx_metal_is_available(&there));
    assert_false(there);
    OK(mlx_cuda_is_available(&there));
    assert_false(there);
    OK(mlx_metal_start_capture("x"));
    OK(mlx_metal_stop_capture());
    mlx_vector_string names = mlx_vector_string_new_value("x");
    mlx_vector_array in = mlx_vector_array_new(), out = {0};
    mlx_stream s = mlx_default_cpu_stream_new();
    assert_null(mlx_fast_cuda_kernel_new("k", names, names, "", "", true, 0).ctx);
    assert_int_equal(api_take_errors(), 1);
    assert_non_null(strstr(api_error, "[cuda_kernel] No CUDA back-end."));
    mlx_fast_metal_kernel_config c = mlx_fast_metal_kernel_config_new();
    OK(mlx_fast_metal_kernel_config_add_output_arg(c, (int[]){2, 3}, 2, MLX_FLOAT32));
    OK(mlx_fast_metal_kernel_config_set_grid(c, 1, 2, 3));
    OK(mlx_fast_metal_kernel_config_set_thread_group(c, 1, 2, 3));
    OK(mlx_fast_metal_kernel_config_add_template_arg_int(c, "N", 3));
    FAILS(mlx_fast_metal_kernel_config_set_verbose((mlx_fast_metal_kernel_config){0}, true),
          "expected a non-empty");
    mlx_fast_metal_kernel k = mlx_fast_metal_kernel_new("k", names, names, "source", "", true, false);
    assert_non_null(k.ctx);
    FAILS(mlx_fast_metal_kernel_apply(&out, k, in, c, s), "[metal_kernel] No Metal back-end.");
    mlx_fast_metal_kernel_free(k);
    mlx_fast_metal_kernel_config_free(c);
    mlx_vector_string_free(names);
    mlx_vector_array_free(in);
    mlx_stream_free(s);
}

static int handler_freed;
static void *handler_data;
static void remember(const char *msg, void *data)
{
    (void)msg;
    handler_data = data;
}
static void count_free(void *data)
{
    (void)data;
    handler_freed++;
}

static void the_handler_owns_its_data(void **state)
{
    (void)state;
    int data;
    mlx_set_error_handler(remember, &data, NULL);
    handler_data = "";
    mlx_error("x %d", 1);
    assert_null(handler_data); /* without a destructor data is not passed on */
    mlx_set_error_handler(remember, &data, count_free);
    mlx_error("x");
    assert_ptr_equal(handler_data, &data);
    mlx_set_error_handler(api_handler, NULL, NULL);
    assert_int_equal(handler_freed, 1);
    _mlx_error("file.c", 12, "value %d", 7);
    assert_string_equal(api_error, "value 7 at file.c:12");
    assert_int_equal(api_take_errors(), 1);
    mlx_string s = mlx_string_new();
    OK(mlx_version(&s));
    assert_true(mlx_string_data(s)[0] == '0');
    mlx_string_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_is_one_device),       cmocka_unit_test(devices_have_facts),
        cmocka_unit_test(streams_are_numbered),      cmocka_unit_test(memory_is_counted_and_limited),
        cmocka_unit_test(a_group_of_one_is_alone),   cmocka_unit_test(kernels_need_a_gpu),
        cmocka_unit_test(the_handler_owns_its_data),
    };
    return RUN_API_TESTS("api: the system", tests);
}
