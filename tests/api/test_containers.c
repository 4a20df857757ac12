/* Texts, vectors, maps and closures through the C interface. */
#include "api/api.h"

static void texts_are_copies(void **state)
{
    (void)state;
    char word[] = "hello";
    mlx_string s = mlx_string_new_data(word), t = mlx_string_new();
    word[0] = 'j';
    assert_string_equal(mlx_string_data(s), "hello");
    OK(mlx_string_set(&t, s));
    OK(mlx_string_free(s));
    assert_string_equal(mlx_string_data(t), "hello");
    OK(mlx_string_set(&t, t));
    assert_string_equal(mlx_string_data(t), "hello");
    assert_int_equal(api_errors, 0);
    FAILS(mlx_string_set(&t, mlx_string_new()), "expected a non-empty mlx_string");
    assert_null(mlx_string_data(mlx_string_new()));
    assert_int_equal(api_take_errors(), 1);
    mlx_string_free(t);
}

static void vectors_share_their_arrays(void **state)
{
    (void)state;
    mlx_array a[3] = {mlx_array_new_int(1), mlx_array_new_int(2), mlx_array_new_int(3)},
              out = mlx_array_new();
    mlx_vector_array v = mlx_vector_array_new_data(a, 2), w = mlx_vector_array_new();
    assert_non_null(w.ctx);
    OK(mlx_vector_array_append_value(v, a[2]));
    OK(mlx_vector_array_append_data(v, a, 3));
    assert_int_equal(mlx_vector_array_size(v), 6);
    for (int i = 0; i < 3; i++)
        mlx_array_free(a[i]);
    OK(mlx_vector_array_get(&out, v, 5));
    api_prints(out, "array(3, dtype=int32)");
    FAILS(mlx_vector_array_get(&out, v, 6), "[vector] there is no entry 6 in a vector of 6");
    api_prints(out, "array(3, dtype=int32)");
    void *box = w.ctx;
    OK(mlx_vector_array_set(&w, v));
    assert_ptr_equal(w.ctx, box); /* overwritten in place */
    OK(mlx_vector_array_set(&w, w));
    OK(mlx_vector_array_set_value(&v, out));
    assert_true(mlx_vector_array_size(v) == 1 && mlx_vector_array_size(w) == 6);
    FAILS(mlx_vector_array_append_value(v, mlx_array_empty), "expected a non-empty mlx_array");
    FAILS(mlx_vector_array_append_value((mlx_vector_array){0}, out), "expected a non-empty mlx_vector_array");
    assert_int_equal(mlx_vector_array_size(v), 1);
    mlx_array_free(out);

    mlx_vector_vector_array vv = mlx_vector_vector_array_new_value(w);
    OK(mlx_vector_vector_array_append_value(vv, v));
    mlx_vector_array_free(w);
    mlx_vector_array got = {0};
    OK(mlx_vector_vector_array_get(&got, vv, 0));
    assert_int_equal(mlx_vector_array_size(got), 6);
    OK(mlx_vector_array_free(got));
    OK(mlx_vector_vector_array_free(vv));
    OK(mlx_vector_array_free(v));
}

static void vectors_of_numbers_and_texts(void **state)
{
    (void)state;
    int n, numbers[] = {4, 5};
    mlx_vector_int v = mlx_vector_int_new_value(3);
    OK(mlx_vector_int_append_data(v, numbers, 2));
    OK(mlx_vector_int_append_value(v, 6));
    assert_int_equal(mlx_vector_int_size(v), 4);
    OK(mlx_vector_int_get(&n, v, 2));
    assert_int_equal(n, 5);
    OK(mlx_vector_int_free(v));

    const char *words[] = {"a", "b"};
    char *word;
    mlx_vector_string s = mlx_vector_string_new_data(words, 2);
    OK(mlx_vector_string_append_value(s, "c"));
    OK(mlx_vector_string_get(&word, s, 2));
    assert_string_equal(word, "c");
    FAILS(mlx_vector_string_append_value(s, NULL), "expected a non-empty text");
    assert_int_equal(mlx_vector_string_size(s), 3);
    OK(mlx_vector_string_free(s));
}

static void maps_keep_what_is_put(void **state)
{
    (void)state;
    mlx_map_string_to_array m = mlx_map_string_to_array_new(), copy = {0};
    mlx_array a = mlx_array_new_int(1), b = mlx_array_new_int(2), out = mlx_array_new();
    OK(mlx_map_string_to_array_insert(m, "x", a));
    OK(mlx_map_string_to_array_insert(m, "y", b));
    OK(mlx_map_string_to_array_set(&copy, m));
    OK(mlx_map_string_to_array_insert(m, "x", b));
    OK(mlx_map_string_to_array_get(&out, m, "x"));
    api_prints(out, "array(2, dtype=int32)");
    OK(mlx_map_string_to_array_get(&out, copy, "x"));
    api_prints(out, "array(1, dtype=int32)");
    assert_int_equal(mlx_map_string_to_array_get(&out, m, "z"), 2);
    assert_int_equal(api_errors, 0);
    api_prints(out, "array(1, dtype=int32)");
    FAILS(mlx_map_string_to_array_insert(m, "z", mlx_array_empty), "expected a non-empty mlx_array");
    FAILS(mlx_map_string_to_array_insert((mlx_map_string_to_array){0}, "z", a), "mlx_map_string_to_array");

    mlx_map_string_to_array_iterator it = mlx_map_string_to_array_iterator_new(m);
    const char *key;
    int seen = 0;
    assert_ptr_equal(it.map_ctx, m.ctx);
    while (mlx_map_string_to_array_iterator_next(&key, &out, it) == 0)
        seen += key[0] == 'x' ? 1 : key[0] == 'y' ? 10 : 100;
    assert_int_equal(seen, 11);
    assert_int_equal(mlx_map_string_to_array_iterator_next(&key, &out, it), 2);
    OK(mlx_map_string_to_array_iterator_free(it));
    mlx_map_string_to_array_free(m);
    mlx_map_string_to_array_free(copy);
    mlx_array_free(a);
    mlx_array_free(b);
    mlx_array_free(out);

    mlx_map_string_to_string t = mlx_map_string_to_string_new();
    const char *text;
    for (int i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "key%d", i);
        OK(mlx_map_string_to_string_insert(t, name, name + 3));
    }
    OK(mlx_map_string_to_string_get(&text, t, "key77"));
    assert_string_equal(text, "77");
    OK(mlx_map_string_to_string_free(t));
}

/* --- closures --- */

static int twice(mlx_vector_array *res, const mlx_vector_array in)
{
    mlx_array x = mlx_array_new();
    int rc = mlx_vector_array_get(&x, in, 0) || mlx_vector_array_set_value(res, x) ||
             mlx_vector_array_append_value(*res, x);
    mlx_array_free(x);
    return rc;
}

typedef struct counter {
    int calls, destroyed, rc;
} counter;

static int counting(mlx_vector_array *res, const mlx_vector_array in, void *payload)
{
    counter *c = payload;
    c->calls++;
    return c->rc ? c->rc : twice(res, in);
}

static void destroy(void *payload) { ((counter *)payload)->destroyed++; }

static void closures_share_a_payload(void **state)
{
    (void)state;
    counter c = {0};
    mlx_closure f = mlx_closure_new_func_payload(counting, &c, destroy), g = mlx_closure_new();
    mlx_array x = mlx_array_new_int(5);
    mlx_vector_array in = mlx_vector_array_new_value(x), out = {0};
    OK(mlx_closure_set(&g, f));
    OK(mlx_closure_free(f));
    assert_int_equal(c.destroyed, 0);
    OK(mlx_closure_apply(&out, g, in));
    assert_int_equal(mlx_vector_array_size(out), 2);
    OK(mlx_closure_apply(&in, g, in)); /* a result may be the input */
    assert_int_equal(mlx_vector_array_size(in), 2);
    c.rc = 3;
    FAILS(mlx_closure_apply(&out, g, in), "mlx_closure returned a non-zero value");
    assert_int_equal(c.calls, 3);
    FAILS(mlx_closure_apply(&out, mlx_closure_new(), in), "expected a non-empty mlx_closure");
    FAILS(mlx_closure_set(&g, mlx_closure_new()), "expected a non-empty mlx_closure");
    OK(mlx_closure_free(g));
    assert_int_equal(c.destroyed, 1);
    mlx_vector_array_free(in);
    mlx_vector_array_free(out);
    mlx_array_free(x);
}

static int next_int(mlx_array *res, const mlx_array x)
{
    int32_t v;
    return mlx_array_item_int32(&v, x) || mlx_array_set_int(res, v + 1);
}

static int both(mlx_vector_array *values, mlx_vector_array *grads, const mlx_vector_array in)
{
    return mlx_vector_array_set(values, in) || mlx_vector_array_set(grads, in);
}

static int axes_of(mlx_vector_array *out, mlx_vector_int *out_axes, const mlx_vector_array in,
                   const int *axes, size_t num)
{
    return mlx_vector_array_set(out, in) || mlx_vector_int_set_data(out_axes, (int *)(uintptr_t)axes, num);
}

static int by_name(mlx_vector_array *out, const mlx_vector_array in, const mlx_map_string_to_array names)
{
    mlx_array x = mlx_array_new();
    (void)in;
    int rc = mlx_map_string_to_array_get(&x, names, "scale") || mlx_vector_array_set_value(out, x);
    mlx_array_free(x);
    return rc;
}

static void the_other_kinds_of_closures(void **state)
{
    (void)state;
    mlx_array x = mlx_array_new_int(5), y = mlx_array_new();
    mlx_vector_array in = mlx_vector_array_new_value(x), a = {0}, b = {0};
    mlx_closure u = mlx_closure_new_unary(next_int);
    OK(mlx_closure_apply(&a, u, in));
    OK(mlx_vector_array_get(&y, a, 0));
    api_prints(y, "array(6, dtype=int32)");
    mlx_closure_free(u);

    mlx_closure_value_and_grad vg = mlx_closure_value_and_grad_new_func(both);
    OK(mlx_closure_value_and_grad_apply(&a, &b, vg, in));
    assert_true(mlx_vector_array_size(a) == 1 && mlx_vector_array_size(b) == 1);
    mlx_closure_value_and_grad_free(vg);

    int axis = 2, got;
    mlx_vector_int axes = {0};
    mlx_closure_custom_vmap vm = mlx_closure_custom_vmap_new_func(axes_of);
    OK(mlx_closure_custom_vmap_apply(&a, &axes, vm, in, &axis, 1));
    OK(mlx_vector_int_get(&got, axes, 0));
    assert_int_equal(got, 2);
    mlx_closure_custom_vmap_free(vm);
    mlx_vector_int_free(axes);

    mlx_map_string_to_array names = mlx_map_string_to_array_new();
    mlx_closure_kwargs kw = mlx_closure_kwargs_new_func(by_name);
    OK(mlx_map_string_to_array_insert(names, "scale", y));
    OK(mlx_closure_kwargs_apply(&a, kw, in, names));
    OK(mlx_vector_array_get(&y, a, 0));
    api_prints(y, "array(6, dtype=int32)");
    mlx_closure_kwargs_free(kw);
    mlx_map_string_to_array_free(names);
    mlx_vector_array_free(in);
    mlx_vector_array_free(a);
    mlx_vector_array_free(b);
    mlx_array_free(x);
    mlx_array_free(y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_copies),
        cmocka_unit_test(vectors_share_their_arrays),
        cmocka_unit_test(vectors_of_numbers_and_texts),
        cmocka_unit_test(maps_keep_what_is_put),
        cmocka_unit_test(closures_share_a_payload),
        cmocka_unit_test(the_other_kinds_of_closures),
    };
    return RUN_API_TESTS("api: containers", tests);
}
