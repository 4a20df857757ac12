/* Closures with rules of their own for transforms, through the C interface. */
#include "api/api.h"

static mlx_stream s;
static int calls, destroyed;

static int square(mlx_vector_array *res, const mlx_vector_array in)
{
    mlx_array x = {0}, y = {0};
    calls++;
    int rc = mlx_vector_array_get(&x, in, 0) || mlx_square(&y, x, s) || mlx_vector_array_set_value(res, y);
    mlx_array_free(x);
    mlx_array_free(y);
    return rc;
}

/* cotangent * output */
static int by_output(mlx_vector_array *res, const mlx_vector_array primals, const mlx_vector_array cotangents,
                     const mlx_vector_array outputs, void *payload)
{
    mlx_array g = {0}, y = {0};
    int rc = *(int *)payload != 7 || mlx_vector_array_size(primals) != 1 ||
             mlx_vector_array_get(&g, cotangents, 0) || mlx_vector_array_get(&y, outputs, 0) ||
             mlx_multiply(&g, g, y, s) || mlx_vector_array_set_value(res, g);
    mlx_array_free(g);
    mlx_array_free(y);
    return rc;
}

static int same_tangents(mlx_vector_array *res, const mlx_vector_array primals,
                         const mlx_vector_array tangents, const int *argnums, size_t n)
{
    (void)primals;
    return n != 1 || argnums[0] != 0 || mlx_vector_array_set(res, tangents);
}

static int same_entries(mlx_vector_array *res, mlx_vector_int *res_axes, const mlx_vector_array in,
                        const int *axes, size_t n)
{
    return n != 1 || mlx_vector_array_set(res, in) || mlx_vector_int_set_value(res_axes, axes[0]);
}

static void destroy(void *payload)
{
    (void)payload;
    destroyed++;
}

static void entry_prints(mlx_vector_array v, const char *text)
{
    mlx_array x = {0};
    OK(mlx_vector_array_get(&x, v, 0));
    api_prints(x, text);
    mlx_array_free(x);
}

/* What each transform makes of f at (1, 2, 3). */
static void expect(mlx_closure f, const char *vjp, const char *jvp, const char *vmap)
{
    mlx_array x = FLOATS(1, 2, 3), c = FLOATS(1, 0, 2);
    mlx_vector_array in = mlx_vector_array_new_value(x), by = mlx_vector_array_new_value(c);
    mlx_vector_array y = {0}, d = {0}, s_in = {0}, s_out = {0};
    OK(mlx_closure_apply(&y, f, in));
    entry_prints(y, "array([1, 4, 9], dtype=float32)");
    OK(mlx_vjp(&y, &d, f, in, by));
    entry_prints(y, "array([1, 4, 9], dtype=float32)");
    entry_prints(d, vjp);
    OK(mlx_jvp(&y, &d, f, in, by));
    entry_prints(d, jvp);
    OK(mlx_detail_vmap_trace(&s_in, &s_out, f, in, (int[]){0}, 1));
    OK(mlx_detail_vmap_replace(&y, in, s_in, s_out, (int[]){0}, 1, (int[]){0}, 1));
    entry_prints(y, vmap);
    mlx_array_free(x);
    mlx_array_free(c);
    const mlx_vector_array all[] = {in, by, y, d, s_in, s_out};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        mlx_vector_array_free(all[i]);
}

static void rules_are_asked(void **state)
{
    (void)state;
    static int seven = 7;
    mlx_closure f = mlx_closure_new_func(square), g = {0};
    mlx_closure_custom vjp = mlx_closure_custom_new_func_payload(by_output, &seven, destroy);
    mlx_closure_custom_jvp jvp = mlx_closure_custom_jvp_new_func(same_tangents);
    mlx_closure_custom_vmap vmap = mlx_closure_custom_vmap_new_func(same_entries);
    const char *plain = "array([2, 0, 12], dtype=float32)", *squares = "array([1, 4, 9], dtype=float32)";
    OK(mlx_custom_function(&g, f, (mlx_closure_custom){0}, (mlx_closure_custom_jvp){0},
                           (mlx_closure_custom_vmap){0}));
    expect(g, plain, plain, squares);
    OK(mlx_custom_vjp(&g, f, vjp));
    expect(g, "array([1, 0, 18], dtype=float32)", plain, squares);
    OK(mlx_custom_function(&g, f, vjp, jvp, vmap));
    expect(g, "array([1, 0, 18], dtype=float32)", "array([1, 0, 2], dtype=float32)",
           "array([1, 2, 3], dtype=float32)");
    FAILS(mlx_custom_vjp(&g, mlx_closure_new(), vjp), "mlx_closure");
    mlx_closure_custom_free(vjp);
    mlx_closure_custom_jvp_free(jvp);
    mlx_closure_custom_vmap_free(vmap);
    mlx_closure_free(f);
    assert_int_equal(destroyed, 0);
    mlx_closure_free(g);
    assert_int_equal(destroyed, 1);
}

static void checkpoints_run_again(void **state)
{
    (void)state;
    mlx_closure f = mlx_closure_new_func(square), g = {0};
    mlx_array x = FLOATS(1, 2, 3);
    mlx_vector_array in = mlx_vector_array_new_value(x), y = {0}, d = {0};
    OK(mlx_checkpoint(&g, f));
    calls = 0;
    OK(mlx_vjp(&y, &d, g, in, in));
    assert_int_equal(calls, 2);
    entry_prints(d, "array([2, 8, 18], dtype=float32)");
    mlx_array_free(x);
    mlx_vector_array_free(in);
    mlx_vector_array_free(y);
    mlx_vector_array_free(d);
    mlx_closure_free(f);
    mlx_closure_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_are_asked),
        cmocka_unit_test(checkpoints_run_again),
    };
    size_t before = mem_live();
    s = mlx_default_cpu_stream_new();
    int failed = RUN_API_TESTS("api: custom functions", tests);
    mlx_stream_free(s);
    return failed || mem_live() > before;
}
