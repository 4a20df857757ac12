/* Handles of arrays through the C interface: making, sharing, reading, printing, errors. */
#include "api/api.h"

#include <math.h>

static void handles_share_and_are_overwritten(void **state)
{
    (void)state;
    mlx_array a = mlx_array_new();
    assert_null(a.ctx);
    OK(mlx_array_free(a));
    OK(mlx_array_set_float32(&a, 1.5f));
    mlx_array b = mlx_array_new();
    OK(mlx_array_set(&b, a));
    OK(mlx_array_set_int(&a, 7));
    float f;
    int32_t i;
    OK(mlx_array_item_float32(&f, b));
    OK(mlx_array_item_int32(&i, a));
    assert_true(f == 1.5f && i == 7);
    OK(mlx_array_set(&a, a));
    FAILS(mlx_array_set(&a, mlx_array_empty), "expected a non-empty mlx_array");
    OK(mlx_array_item_int32(&i, a));
    assert_int_equal(i, 7);
    OK(mlx_array_free(a));
    OK(mlx_array_free(b));
}

static void arrays_tell_what_they_are(void **state)
{
    (void)state;
    int shape[] = {2, 3};
    int16_t data[] = {1, 2, 3, 4, 5, 6};
    mlx_array a = mlx_array_new_data(data, shape, 2, MLX_INT16);
    assert_int_equal(mlx_array_ndim(a), 2);
    assert_int_equal(mlx_array_size(a), 6);
    assert_int_equal(mlx_array_itemsize(a), 2);
    assert_int_equal(mlx_array_nbytes(a), 12);
    assert_int_equal(mlx_array_dtype(a), MLX_INT16);
    assert_memory_equal(mlx_array_shape(a), shape, sizeof shape);
    assert_true(mlx_array_strides(a)[0] == 3 && mlx_array_strides(a)[1] == 1);
    assert_int_equal(mlx_array_dim(a, -1), 3);
    assert_memory_equal(mlx_array_data_int16(a), data, sizeof data);
    assert_int_equal(api_take_errors(), 0);
    assert_int_equal(mlx_array_dim(a, 2), 0);
    assert_int_equal(api_take_errors(), 1);
    assert_int_equal(mlx_array_size(mlx_array_empty), 0);
    assert_int_equal(mlx_array_dtype(mlx_array_empty), MLX_BOOL);
    assert_null(mlx_array_shape(mlx_array_empty));
    assert_null(mlx_array_data_float32(mlx_array_empty));
    assert_int_equal(api_take_errors(), 4);
    int16_t item;
    FAILS(mlx_array_item_int16(&item, a), "item can only be called on arrays of size 1");
    mlx_array_free(a);
}

static void impossible_arrays_are_errors(void **state)
{
    (void)state;
    float data[4] = {0};
    mlx_array a = FLOATS(1, 2);
    FAILS(mlx_array_set_data(&a, data, (int[]){-1}, 1, MLX_FLOAT32), "[");
    FAILS(mlx_array_set_data(&a, data, NULL, 2, MLX_FLOAT32), "[array]");
    FAILS(mlx_array_set_data(&a, data, (int[]){2}, -1, MLX_FLOAT32), "[array]");
    FAILS(mlx_array_set_data(&a, NULL, (int[]){2}, 1, MLX_FLOAT32), "[array]");
    FAILS(mlx_array_set_data(&a, data, (int[]){2}, 1, (mlx_dtype)14), "[array]");
    api_prints(a, "array([1, 2], dtype=float32)");
    mlx_array_free(a);
    assert_null(mlx_array_new_data(NULL, (int[]){1 << 30, 1 << 30, 1 << 30}, 3, MLX_FLOAT32).ctx);
    assert_int_equal(api_take_errors(), 1);
}

static int destroyed;
static void destroy(void *p)
{
    destroyed++;
    memcpy(p, &(int){-1}, sizeof(int)); /* one of the pointers is not aligned */
}

static void memory_of_the_caller_is_given_back_once(void **state)
{
    (void)state;
    int data[3] = {1, 2, 3}, payload = 0;
    mlx_array a = mlx_array_new_data_managed(data, (int[]){3}, 1, MLX_INT32, destroy);
    assert_ptr_equal(mlx_array_data_int32(a), data);
    mlx_array b = mlx_array_new();
    mlx_array_set(&b, a);
    mlx_array_free(a);
    assert_int_equal(destroyed, 0);
    mlx_array_free(b);
    assert_true(destroyed == 1 && data[0] == -1);
    a = mlx_array_new_data_managed_payload(data, (int[]){3}, 1, MLX_INT32, &payload, destroy);
    mlx_array_free(a);
    assert_true(destroyed == 2 && payload == -1);
    a = mlx_array_new_data_managed(data, (int[]){3}, 1, MLX_INT32, NULL);
    api_prints(a, "array([-1, 2, 3], dtype=int32)");
    mlx_array_free(a);
    assert_null(mlx_array_new_data_managed(data, (int[]){-3}, 1, MLX_INT32, destroy).ctx);
    assert_int_equal(destroyed, 3);
    assert_int_equal(api_take_errors(), 1);
    /* elements that are not aligned are copied */
    a = mlx_array_new_data_managed((char *)data + 1, (int[]){2}, 1, MLX_INT32, destroy);
    assert_int_equal(destroyed, 4);
    mlx_array_free(a);
}

static mlx_array filled(const int *shape, int dim, mlx_dtype dtype)
{
    static double zeros[64];
    return mlx_array_new_data(zeros, shape, dim, dtype);
}

static void printed(mlx_array x, const char *text)
{
    api_prints(x, text);
    mlx_array_free(x);
}

static void printing_is_as_mlx_has_it(void **state)
{
    (void)state;
    printed(mlx_array_new_float(1.5f), "array(1.5, dtype=float32)");
    printed(mlx_array_new_bool(true), "array(true, dtype=bool)");
    printed(mlx_array_new_complex(1, 2), "array(1+2j, dtype=complex64)");
    printed(mlx_array_new_complex(1, -0.5f), "array(1-0.5j, dtype=complex64)");
    printed(mlx_array_new_double(1e-10), "array(1e-10, dtype=float64)");
    printed(FLOATS(1e-10f, 1e10f, 123457, NAN, INFINITY),
            "array([1e-10, 1e+10, 123457, nan, inf], dtype=float32)");
    printed(mlx_array_new_data((int8_t[]){-1}, (int[]){1}, 1, MLX_INT8), "array([-1], dtype=int8)");
    printed(mlx_array_new_data((uint16_t[]){0x3C66}, (int[]){1}, 1, MLX_FLOAT16),
            "array([1.09961], dtype=float16)");
    printed(mlx_array_new_data((uint16_t[]){0x3F8D}, (int[]){1}, 1, MLX_BFLOAT16),
            "array([1.10156], dtype=bfloat16)");
    printed(mlx_array_new_data(NULL, (int[]){0}, 1, MLX_FLOAT32), "array([], dtype=float32)");
    printed(mlx_array_new_data(NULL, (int[]){2, 0}, 2, MLX_FLOAT32), "array([], dtype=float32)");
    int range[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    printed(mlx_array_new_data(range, (int[]){10}, 1, MLX_INT32),
            "array([0, 1, 2, ..., 7, 8, 9], dtype=int32)");
    printed(mlx_array_new_data(range, (int[]){6}, 1, MLX_INT32), "array([0, 1, 2, 3, 4, 5], dtype=int32)");
    printed(filled((int[]){7, 2}, 2, MLX_FLOAT32),
            "array([[0, 0],\n       [0, 0],\n       [0, 0],\n       ...,\n"
            "       [0, 0],\n       [0, 0],\n       [0, 0]], dtype=float32)");
    printed(filled((int[]){2, 2, 2}, 3, MLX_FLOAT32),
            "array([[[0, 0],\n        [0, 0]],\n       [[0, 0],\n        [0, 0]]], dtype=float32)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handles_share_and_are_overwritten),
        cmocka_unit_test(arrays_tell_what_they_are),
        cmocka_unit_test(impossible_arrays_are_errors),
        cmocka_unit_test(memory_of_the_caller_is_given_back_once),
        cmocka_unit_test(printing_is_as_mlx_has_it),
    };
    return RUN_API_TESTS("api: arrays", tests);
}
