/* What programs built for mlx-c take for granted: sizes, offsets, values of enums. */
#include "api/api.h"

static void handles_are_pointers(void **state)
{
    (void)state;
#define POINTER(type)                               \
    assert_int_equal(sizeof(type), sizeof(void *)); \
    assert_int_equal(offsetof(type, ctx), 0);
    POINTER(mlx_array)
    POINTER(mlx_string)
    POINTER(mlx_vector_array)
    POINTER(mlx_vector_vector_array)
    POINTER(mlx_vector_int)
    POINTER(mlx_vector_string)
    POINTER(mlx_map_string_to_array)
    POINTER(mlx_map_string_to_string)
    POINTER(mlx_closure)
    POINTER(mlx_closure_kwargs)
    POINTER(mlx_closure_value_and_grad)
    POINTER(mlx_closure_custom)
    POINTER(mlx_closure_custom_jvp)
    POINTER(mlx_closure_custom_vmap)
    POINTER(mlx_device)
    POINTER(mlx_device_info)
    POINTER(mlx_stream)
    POINTER(mlx_distributed_group)
    POINTER(mlx_function_exporter)
    POINTER(mlx_imported_function)
    POINTER(mlx_fast_cuda_kernel)
    POINTER(mlx_fast_cuda_kernel_config)
    POINTER(mlx_fast_metal_kernel)
    POINTER(mlx_fast_metal_kernel_config)
    POINTER(mlx_io_reader)
    POINTER(mlx_io_writer)
#if MLX_C_ABI >= MLX_C_ABI_0_6_0_PLUS_4
    POINTER(mlx_io_gguf)
    POINTER(mlx_node_namer)
#endif
    assert_int_equal(sizeof(mlx_map_string_to_array_iterator), 2 * sizeof(void *));
    assert_int_equal(offsetof(mlx_map_string_to_array_iterator, map_ctx), sizeof(void *));
    assert_int_equal(sizeof(mlx_map_string_to_string_iterator), 2 * sizeof(void *));
}

static void optionals_are_a_value_and_a_flag(void **state)
{
    (void)state;
#define OPTIONAL(type)                          \
    assert_int_equal(sizeof(type), 8);          \
    assert_int_equal(offsetof(type, value), 0); \
    assert_int_equal(offsetof(type, has_value), 4);
    OPTIONAL(mlx_optional_int)
    OPTIONAL(mlx_optional_float)
    OPTIONAL(mlx_optional_dtype)
}

static void tables_of_functions_are_in_order(void **state)
{
    (void)state;
    const size_t places[] = {offsetof(mlx_io_vtable, is_open), offsetof(mlx_io_vtable, good),
                             offsetof(mlx_io_vtable, tell),    offsetof(mlx_io_vtable, seek),
                             offsetof(mlx_io_vtable, read),    offsetof(mlx_io_vtable, read_at_offset),
                             offsetof(mlx_io_vtable, write),   offsetof(mlx_io_vtable, label),
                             offsetof(mlx_io_vtable, free)};
    for (size_t i = 0; i < 9; i++)
        assert_int_equal(places[i], i * sizeof(void *));
    assert_int_equal(sizeof(mlx_io_vtable), 9 * sizeof(void *));
}

static void enums_count_from_zero(void **state)
{
    (void)state;
    const mlx_dtype dtypes[] = {MLX_BOOL,    MLX_UINT8,   MLX_UINT16,   MLX_UINT32,   MLX_UINT64,
                                MLX_INT8,    MLX_INT16,   MLX_INT32,    MLX_INT64,    MLX_FLOAT16,
                                MLX_FLOAT32, MLX_FLOAT64, MLX_BFLOAT16, MLX_COMPLEX64};
    const size_t sizes[] = {1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 4, 8, 2, 8};
    for (int i = 0; i < 14; i++) {
        assert_int_equal(dtypes[i], i);
        assert_int_equal(mlx_dtype_size(dtypes[i]), sizes[i]);
    }
    assert_true(MLX_CPU == 0 && MLX_GPU == 1);
    assert_true(MLX_COMPILE_MODE_DISABLED == 0 && MLX_COMPILE_MODE_NO_SIMPLIFY == 1);
    assert_true(MLX_COMPILE_MODE_NO_FUSE == 2 && MLX_COMPILE_MODE_ENABLED == 3);
#if MLX_C_ABI >= MLX_C_ABI_0_6_0_PLUS_4
    assert_true(MLX_FFT_NORM_BACKWARD == 0 && MLX_FFT_NORM_ORTHO == 1 && MLX_FFT_NORM_FORWARD == 2);
#endif
    assert_int_equal(sizeof(mlx_dtype), 4);
    assert_int_equal(sizeof(mlx_complex64_t), 8);
    assert_null(mlx_array_empty.ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handles_are_pointers),
        cmocka_unit_test(optionals_are_a_value_and_a_flag),
        cmocka_unit_test(tables_of_functions_are_in_order),
        cmocka_unit_test(enums_count_from_zero),
    };
    return RUN_API_TESTS("api: layout", tests);
}
