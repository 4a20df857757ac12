/* Graphs outside the program. As text: names, lines, Graphviz. In files: round trips, signatures, keyword
 * arguments, shapeless functions, transforms of what was imported, damaged files. */
#include "test.h"

#include "base/file.h"
#include "mx.h"
#include "mx/export.h"
#include "transforms/import.h"

#include <unistd.h>

static const float six[6] = {0, 1, 2, 3, 4, 5};

#define FUNCTION(name) static int name(void *user, const mlx_array *in, size_t n, mx_arrays *out)

typedef int (*printer)(FILE *file, mx_node_namer *namer, const mlx_array *outputs, size_t n);

/* What a printer writes; the caller frees it. */
static char *text_of(printer print, mx_node_namer *namer, const mlx_array *outputs, size_t n)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    assert_ok(print(f, namer, outputs, n) == 0);
    fclose(f);
    return text;
}

static void unnamed_nodes_get_letters(void **state)
{
    (void)state;
    mx_node_namer *namer = mx_node_namer_new();
    mlx_array first = mx_float(0, MLX_FLOAT32);
    assert_string_equal(mx_node_namer_get_name(namer, first), "A");
    assert_ok(mx_node_namer_set_name(namer, mx_float(1, MLX_FLOAT32), "weight") == 0);
    assert_string_equal(mx_node_namer_get_name(namer, mx_float(2, MLX_FLOAT32)), "C");
    for (int i = 3; i < 26 + 26 * 26; i++)
        mx_node_namer_get_name(namer, mx_float(i, MLX_FLOAT32));
    assert_string_equal(mx_node_namer_get_name(namer, mx_float(1, MLX_FLOAT32)), "AAA");
    assert_string_equal(mx_node_namer_get_name(namer, first), "A");
    assert_ok(mx_node_namer_set_name(namer, first, "other") == 0);
    assert_string_equal(mx_node_namer_get_name(namer, first), "other");
    assert_null(mx_node_namer_get_name(namer, MX_NULL));
    assert_error("[namer] the array is null");
    mx_node_namer_free(namer);
    mx_node_namer_free(NULL);
    mx_release(0);
}

static void a_line_a_node(void **state)
{
    (void)state;
    mx_node_namer *namer = mx_node_namer_new();
    mlx_array x = mx_from(six, SHAPE(2, 3), MLX_FLOAT32), y = mx_exp(x), z = mx_add(y, mx_add(x, y));
    mx_node_namer_set_name(namer, x, "x");
    char *text = text_of(mx_print_graph, namer, &z, 1);
    assert_string_equal(text, "Inputs: x [(2,3), float32]\n"
                              "Outputs: B [(2,3), float32]\n"
                              "Exp x [(2,3), float32] -> C [(2,3), float32]\n"
                              "Add x [(2,3), float32], C [(2,3), float32] -> D [(2,3), float32]\n"
                              "Add C [(2,3), float32], D [(2,3), float32] -> B [(2,3), float32]\n");
    free(text);
    assert_ok(mx_eval(y) == 0);
    text = text_of(mx_print_graph, namer, &z, 1);
    assert_string_equal(text, "Inputs: C [(2,3), float32], x [(2,3), float32]\n"
                              "Outputs: B [(2,3), float32]\n"
                              "Add x [(2,3), float32], C [(2,3), float32] -> D [(2,3), float32]\n"
                              "Add C [(2,3), float32], D [(2,3), float32] -> B [(2,3), float32]\n");
    free(text);
    mx_node_namer_free(namer);
    mx_release(0);
}

static void several_results_of_one_node(void **state)
{
    (void)state;
    mx_node_namer *namer = mx_node_namer_new();
    mlx_array w = mx_zeros(SHAPE(2, 32), MLX_FLOAT32), q[3];
    assert_ok(mx_eval(w) == 0 && mx_quantize(w, 32, 4, q) == 0);
    char *text = text_of(mx_print_graph, namer, q, 3);
    assert_string_equal(
        text, "Inputs: A [(2,32), float32]\n"
              "Outputs: B [(2,4), uint32], C [(2,1), float32], D [(2,1), float32]\n"
              "Quantize A [(2,32), float32] -> B [(2,4), uint32], C [(2,1), float32], D [(2,1), float32]\n");
    free(text);
    mx_node_namer_free(namer);
    mx_release(0);
}

static void dot(void **state)
{
    (void)state;
    mx_node_namer *namer = mx_node_namer_new();
    mlx_array x = mx_from(six, SHAPE(6), MLX_FLOAT32), y = mx_cummax(mx_multiply(x, x), 0, false, true);
    mx_node_namer_set_name(namer, x, "the \"x\"");
    char *text = text_of(mx_export_to_dot, namer, &y, 1);
    assert_string_equal(text, "digraph {\n"
                              "{ rank=source; \"the \\\"x\\\"\"; }\n"
                              "{ 1 [label =\"Multiply\", shape=rectangle]; }\n"
                              "\"the \\\"x\\\"\" -> 1\n"
                              "\"the \\\"x\\\"\" -> 1\n"
                              "{ \"B\"; }\n"
                              "1 -> \"B\"\n"
                              "{ 2 [label =\"CumMax\", shape=rectangle]; }\n"
                              "\"B\" -> 2\n"
                              "{ rank=sink; \"C\"; }\n"
                              "2 -> \"C\"\n"
                              "}");
    free(text);
    assert_int_equal(mx_print_graph(stderr, namer, &MX_NULL, 1), -1);
    assert_error("[graph] output 0 is null");
    mx_node_namer_free(namer);
    mx_release(0);
}

FUNCTION(sigmoid_of_sum)
{
    (void)user, (void)n;
    return mx_arrays_add(out, mx_sigmoid(mx_add(in[0], in[0])));
}

static int times_and_more(void *user, const mlx_array *in, size_t n, mx_arrays *out)
{
    (void)user, (void)n;
    mlx_array wide = mx_broadcast_to(in[1], mx_shape(in[0]), (size_t)mx_ndim(in[0]));
    return mx_arrays_add(out, mx_add(in[0], mx_multiply(wide, in[0])));
}

static void fused_nodes_name_what_they_are_made_of(void **state)
{
    (void)state;
    mx_node_namer *namer = mx_node_namer_new();
    mlx_array x = mx_from(six, SHAPE(6), MLX_FLOAT32);
    mx_arrays out = {0};
    assert_ok(mx_compiled(8, sigmoid_of_sum, NULL, false, NULL, 0, &x, 1, &out) == 0);
    char *text = text_of(mx_print_graph, namer, out.items, 1);
    assert_string_equal(text, "Inputs: A [(6), float32]\n"
                              "Outputs: B [(6), float32]\n"
                              "CompiledAddSigmoid A [(6), float32] -> B [(6), float32]\n");
    free(text);
    mx_arrays_free(&out);
    assert_ok(mx_compiled(9, times_and_more, NULL, false, NULL, 0, (mlx_array[]){x, mx_float(2, MLX_FLOAT32)},
                          2, &out) == 0);
    text = text_of(mx_print_graph, namer, out.items, 1);
    assert_non_null(strstr(text, "\nCompiledBroadcastMultiplyAdd "));
    free(text);
    mx_compile_clear_cache();
    mx_arrays_free(&out);
    mx_node_namer_free(namer);
    mx_release(0);
}

static void deep_graphs_and_no_memory(void **state)
{
    (void)state;
    mlx_array x = mx_float(1, MLX_FLOAT32);
    for (int i = 0; i < 20000; i++)
        x = mx_add(x, x);
    bool done = false;
    for (size_t k = 1; !done; k = k < 20 ? k + 1 : 0) {
        mx_node_namer *namer = mx_node_namer_new();
        FILE *sink = fopen("/dev/null", "w");
        mem_fail_at(k);
        int rc = mx_export_to_dot(sink, namer, &x, 1);
        done = !mem_fail_fired();
        mem_fail_at(0);
        assert_true((rc == 0) == done);
        error_clear();
        fclose(sink);
        mx_node_namer_free(namer);
    }
    mx_release(0);
}

/* --- functions in files --- */

static char path[] = "mica-test-export-XXXXXX";

/* What every primitive that files know is in. */
FUNCTION(layers)
{
    (void)user, (void)n;
    mlx_array x = in[0], w = in[1];
    mlx_array h = mx_matmul(x, mx_transpose(w, SHAPE(1, 0)));
    h = mx_maximum(mx_add(h, mx_from(six, SHAPE(2), MLX_FLOAT32)), mx_float(0.5, MLX_FLOAT32));
    h = mx_softmax(mx_concatenate((mlx_array[]){h, mx_negative(h)}, 2, 1), -1);
    mlx_array best = mx_argmax(h, 1, false),
              chosen = mx_where(mx_greater(h, mx_float(0.2, MLX_FLOAT32)), h, mx_exp(h));
    mlx_array part = mx_slice_axis(mx_squeeze(mx_expand_dims(chosen, 0), 0), 1, 1, 3);
    mlx_array flat = mx_reshape(mx_astype(part, MLX_FLOAT16), SHAPE(-1));
    return mx_arrays_add(out, mx_sum(flat, NULL, 0, false)) || mx_arrays_add(out, best) ||
           mx_arrays_add(out, x) || mx_arrays_add(out, mx_from(six, SHAPE(6), MLX_FLOAT32)) ||
           mx_arrays_add(out, mx_logsumexp(mx_copy(mx_contiguous(mx_swapaxes(part, 0, 1))), -1, true));
}

FUNCTION(scaled)
{
    (void)user;
    mlx_array x = in[0];
    for (size_t i = 1; i < n; i++)
        x = mx_multiply(mx_subtract(x, mx_float(1, MLX_FLOAT32)), in[i]);
    return mx_arrays_add(out, x);
}

FUNCTION(exp_of)
{
    (void)user, (void)n;
    return mx_arrays_add(out, mx_exp(mx_negative(in[0])));
}

/* Captures what a compiled function has made and nobody has computed. */
FUNCTION(with_compiled)
{
    (void)n;
    mx_arrays made = {0};
    int rc = mx_compiled(7, exp_of, NULL, false, NULL, 0, user, 1, &made);
    rc = rc || mx_arrays_add(out, mx_multiply(in[0], made.items[0]));
    mx_arrays_free(&made);
    return rc;
}

/* Functions along axes, by indices, on matrices and sequences: a bit of each. */
FUNCTION(assorted)
{
    (void)user, (void)n;
    mlx_array x = in[0], i = mx_from((const int[]){1, 0}, SHAPE(2), MLX_INT32); /* x (2, 3, 4) */
    mlx_array y = mx_add(mx_sort(x, 1), mx_take(x, i, 0));
    y = mx_add(y, mx_cumsum(x, -1, false, true));
    y = mx_add(y, mx_take_along_axis(x, mx_argsort(x, 2), 2));
    y = mx_slice_update(y, mx_float(2, MLX_FLOAT32), (const int[]){0, 0, 0}, (const int[]){1, 2, 2}, NULL);
    y = mx_scatter_add(y, &i, 1, mx_ones(SHAPE(2, 1, 3, 4), MLX_FLOAT32), (const int[]){0});
    y = mx_add(y, mx_arange(0, 4, 1, MLX_FLOAT32));
    y = mx_rms_norm(y, mx_ones(SHAPE(4), MLX_FLOAT32), 1e-5f);
    y = mx_rope(y, 4, false, 1e4f, 1, 2, MX_NULL);
    mlx_array q = mx_expand_dims(y, 0);
    y = mx_squeeze(mx_scaled_dot_product_attention(q, q, q, 0.5f, MX_MASK_CAUSAL, MX_NULL), 0);
    mlx_array w = mx_ones(SHAPE(4, 2, 4), MLX_FLOAT32);
    return mx_arrays_add(out, y) || mx_arrays_add(out, mx_conv1d(y, w, 1, 1, 1, 1)) ||
           mx_arrays_add(out, mx_flatten(y, 0, -1));
}

static int export_one(mx_list_function f, bool shapeless, const mlx_array *args, size_t n)
{
    mx_function_exporter *e = mx_function_exporter_new(path, f, NULL, shapeless);
    int rc = mx_function_exporter_apply(e, args, n, NULL, NULL, 0);
    mx_function_exporter_free(e);
    return rc;
}

static void assert_same(mlx_array a, mlx_array b)
{
    char p[256], q[256];
    size_t bytes = mx_size(a) * mx_dtype_size(mx_dtype_of(a));
    assert_true(mx_size(a) == mx_size(b) && mx_dtype_of(a) == mx_dtype_of(b) && mx_ndim(a) == mx_ndim(b));
    assert_true(bytes <= sizeof p);
    assert_ok(mx_read(a, p) == 0 && mx_read(b, q) == 0);
    assert_memory_equal(p, q, bytes);
}

static mx_arrays apply(const mx_imported_function *f, const mlx_array *args, size_t n)
{
    mx_arrays out = {0};
    assert_ok(mx_imported_function_apply(f, args, n, NULL, NULL, 0, &out) == 0);
    return out;
}

static void functions_come_back(void **state)
{
    (void)state;
    mlx_array args[2] = {mx_from(six, SHAPE(2, 3), MLX_FLOAT32), mx_from(six, SHAPE(2, 3), MLX_FLOAT32)};
    mx_arrays want = {0};
    assert_ok(layers(NULL, args, 2, &want) == 0);
    assert_ok(export_one(layers, false, args, 2) == 0);
    mx_imported_function *f = mx_imported_function_new(path);
    assert_ok(f != NULL);
    mx_arrays got = apply(f, args, 2);
    assert_int_equal(got.count, want.count);
    for (size_t i = 0; i < got.count; i++)
        assert_same(got.items[i], want.items[i]);
    mx_arrays_free(&got);
    mx_arrays_free(&want);
    assert_int_equal(mx_imported_function_apply(f, args, 1, NULL, NULL, 0, &got), -1);
    assert_error("no function in the file takes these arguments; it has: float32 (2, 3), float32 (2, 3)");
    mx_imported_function_free(f);
    mx_release(0);
}

static void signatures_and_names(void **state)
{
    (void)state;
    mlx_array x = mx_from(six, SHAPE(6), MLX_FLOAT32), two = mx_float(2, MLX_FLOAT32),
              three = mx_float(3, MLX_FLOAT32);
    mlx_array y = mx_from(six, SHAPE(3), MLX_FLOAT32);
    mx_function_exporter *e = mx_function_exporter_new(path, scaled, NULL, false);
    assert_ok(
        mx_function_exporter_apply(e, &x, 1, (const char *[]){"b", "a"}, (mlx_array[]){two, three}, 2) == 0);
    assert_ok(mx_function_exporter_apply(e, &x, 1, NULL, NULL, 0) == 0);
    assert_int_equal(mx_function_exporter_apply(e, &x, 1, NULL, NULL, 0), -1);
    assert_error("was exported already");
    assert_int_equal(
        mx_function_exporter_apply(e, &x, 1, (const char *[]){"a", "a"}, (mlx_array[]){two, two}, 2), -1);
    assert_error("given twice");
    assert_ok(mx_function_exporter_apply(e, &y, 1, NULL, NULL, 0) == 0);
    mx_function_exporter_free(e);
    mx_imported_function *f = mx_imported_function_new(path);
    assert_ok(f != NULL);
    mx_arrays out = {0};
    assert_ok(mx_imported_function_apply(f, &x, 1, (const char *[]){"a", "b"}, (mlx_array[]){three, two}, 2,
                                         &out) == 0);
    assert_same(out.items[0],
                mx_multiply(mx_subtract(mx_multiply(mx_subtract(x, mx_float(1, MLX_FLOAT32)), three),
                                        mx_float(1, MLX_FLOAT32)),
                            two));
    assert_ok(mx_imported_function_apply(f, &y, 1, NULL, NULL, 0, &out) == 0);
    assert_same(out.items[1], y);
    assert_int_equal(
        mx_imported_function_apply(f, &x, 1, (const char *[]){"c", "b"}, (mlx_array[]){two, two}, 2, &out),
        -1);
    assert_error("no function in the file");
    mx_arrays_free(&out);
    mx_imported_function_free(f);
    mx_release(0);
}

static void shapeless_functions(void **state)
{
    (void)state;
    mlx_array args[2] = {mx_from(six, SHAPE(2, 3), MLX_FLOAT32), mx_from(six, SHAPE(2, 1), MLX_FLOAT32)};
    assert_ok(export_one(scaled, true, args, 2) == 0);
    mx_imported_function *f = mx_imported_function_new(path);
    assert_ok(f != NULL);
    mlx_array other[2] = {mx_from(six, SHAPE(1, 6), MLX_FLOAT32), mx_from(six, SHAPE(5, 1), MLX_FLOAT32)};
    mx_arrays got = apply(f, other, 2), want = {0};
    assert_ok(scaled(NULL, other, 2, &want) == 0);
    assert_same(got.items[0], want.items[0]);
    other[1] = mx_from(six, SHAPE(1, 5), MLX_FLOAT32);
    assert_int_equal(mx_imported_function_apply(f, other, 2, NULL, NULL, 0, &got), -1);
    assert_error("cannot be broadcast");
    mx_arrays_free(&got);
    mx_arrays_free(&want);
    mx_imported_function_free(f);
    mx_release(0);
}

static int imported_loss(void *user, const mlx_array *in, mlx_array *out)
{
    mx_arrays list = {0};
    int rc = mx_imported_function_apply(user, in, 2, NULL, NULL, 0, &list);
    out[0] = rc ? MX_NULL : mx_sum(list.items[0], NULL, 0, false);
    mx_arrays_free(&list);
    return rc;
}

static int call_imported(void *user, const mlx_array *in, size_t n, mx_arrays *out)
{
    return mx_imported_function_apply(user, in, n, NULL, NULL, 0, out);
}

static void what_was_imported_is_transformed(void **state)
{
    (void)state;
    mlx_array args[2] = {mx_from(six, SHAPE(6), MLX_FLOAT32), mx_float(3, MLX_FLOAT32)}, value, grads[2];
    assert_ok(export_one(scaled, false, args, 2) == 0);
    mx_imported_function *f = mx_imported_function_new(path);
    assert_ok(f != NULL && mx_value_and_grad(imported_loss, f, args, 2, &value, 1, grads) == 0);
    float by_x[6], by_scale = 0;
    assert_ok(mx_read_f32(grads[0], by_x) == 0 && mx_read_f32(grads[1], &by_scale) == 0);
    assert_float_equal(by_x[4], 3, 0);
    assert_float_equal(by_scale, 9, 0);
    mx_arrays out = {0};
    assert_ok(mx_compiled(1, call_imported, f, false, NULL, 0, args, 2, &out) == 0);
    assert_ok(call_imported(f, args, 2, &out) == 0);
    assert_same(out.items[0], out.items[1]);
    mx_compile_clear_cache();
    mx_arrays_free(&out);
    mx_imported_function_free(f);
    mx_release(0);
}

static void files_have_most_primitives(void **state)
{
    (void)state;
    mlx_array x = mx_random_normal(SHAPE(2, 3, 4), MLX_FLOAT32, 0, 1, mx_random_key(1));
    assert_ok(export_one(assorted, false, &x, 1) == 0);
    mx_imported_function *f = mx_imported_function_new(path);
    mx_arrays out = {0};
    assert_ok(f != NULL && call_imported(f, &x, 1, &out) == 0 && assorted(NULL, &x, 1, &out) == 0);
    assert_int_equal(out.count, 6);
    for (int i = 0; i < 3; i++)
        assert_same(out.items[i], out.items[i + 3]);
    mx_arrays_free(&out);
    mx_imported_function_free(f);
    mx_release(0);
}

/* A constant that is used three times is in the file once. */
FUNCTION(thrice)
{
    mlx_array c = *(mlx_array *)user, x = mx_multiply(in[0], c);
    (void)n;
    return mx_arrays_add(out, mx_add(mx_add(x, c), mx_sin(c)));
}

static void constants_are_written_once(void **state)
{
    (void)state;
    char *data;
    size_t size = 0;
    mlx_array x = mx_ones(SHAPE(1), MLX_FLOAT32), c = mx_zeros(SHAPE(4096), MLX_FLOAT32);
    assert_ok(mx_eval(c) == 0);
    mx_function_exporter *e = mx_function_exporter_new(path, thrice, &c, false);
    assert_ok(mx_function_exporter_apply(e, &x, 1, NULL, NULL, 0) == 0);
    mx_function_exporter_free(e);
    assert_ok(file_read(path, 1 << 20, &data, &size) == 0);
    assert_true(size < 2 * 4096 * sizeof(float));
    mem_free(data);
    mx_release(0);
}

static void what_files_do_not_have(void **state)
{
    (void)state;
    char *data = NULL;
    size_t size = 0;
    mlx_array args[2] = {mx_ones(SHAPE(4), MLX_FLOAT32), mx_ones(SHAPE(4), MLX_FLOAT32)};
    assert_ok(export_one(scaled, false, args, 2) == 0 && file_read(path, 1 << 20, &data, &size) == 0);
    char *name = memmem(data, size, "Multiply", 8);
    assert_non_null(name);
    memcpy(name, "Multiple", 8);
    assert_null(import_read("changed", data, size));
    assert_error("there is no primitive \"Multiple\"");
    assert_false(import_check(PRIM_CustomTangents, NULL, 0, NULL, 0));
    assert_error("[graph] CustomTangents cannot be exported or imported");
    mem_free(data);
    assert_null(mx_imported_function_new("/nonexistent/file"));
    assert_error("/nonexistent/file");
    mx_release(0);
}

static void captured_results_of_compiled_functions(void **state)
{
    (void)state;
    mlx_array x = mx_from(six, SHAPE(6), MLX_FLOAT32);
    mx_function_exporter *e = mx_function_exporter_new(path, with_compiled, &x, false);
    assert_ok(mx_function_exporter_apply(e, &x, 1, NULL, NULL, 0) == 0);
    mx_function_exporter_free(e);
    mx_imported_function *f = mx_imported_function_new(path);
    assert_ok(f != NULL);
    mx_arrays got = apply(f, &x, 1);
    assert_same(got.items[0], mx_multiply(x, mx_exp(mx_negative(x))));
    mx_compile_clear_cache();
    mx_arrays_free(&got);
    mx_imported_function_free(f);
    mx_release(0);
}

/* Whatever is cut off or changed: an error, or a function that computes something. */
static void damage(mx_list_function function, const mlx_array *args, size_t n_args)
{
    char *data;
    size_t size = 0, mark = mx_mark();
    assert_ok(export_one(function, false, args, n_args) == 0 && file_read(path, 1 << 20, &data, &size) == 0);
    for (size_t n = 0; n < size; n++) {
        assert_null(import_read("cut", data, n));
        assert_error("cut: [import_function]");
    }
    for (size_t i = 0; i < size * 3; i++) {
        char *at = &data[i / 3], old = *at;
        *at = (char)(i % 3 == 0 ? old + 1 : i % 3 == 1 ? old ^ 0x80 : -1);
        mx_imported_function *f = import_read("changed", data, size);
        mx_arrays out = {0};
        if (f && mx_imported_function_apply(f, args, n_args, NULL, NULL, 0, &out) == 0)
            for (size_t k = 0; k < out.count; k++)
                if (mx_size(out.items[k]) < 1000)
                    mx_eval(out.items[k]);
        error_clear();
        mx_arrays_free(&out);
        mx_imported_function_free(f);
        *at = old;
        mx_release(mark);
    }
    mem_free(data);
}

static void damaged_files(void **state)
{
    (void)state;
    mlx_array args[2] = {mx_from(six, SHAPE(2, 3), MLX_FLOAT32), mx_from(six, SHAPE(2, 3), MLX_FLOAT32)};
    mlx_array x = mx_random_normal(SHAPE(2, 3, 4), MLX_FLOAT32, 0, 1, mx_random_key(1));
    damage(layers, args, 2);
    damage(assorted, &x, 1);
    mx_release(0);
}

static void cleanup(void)
{
    unlink(path);
    mx_release(0);
    mx_shutdown();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(unnamed_nodes_get_letters),
        cmocka_unit_test(a_line_a_node),
        cmocka_unit_test(several_results_of_one_node),
        cmocka_unit_test(dot),
        cmocka_unit_test(fused_nodes_name_what_they_are_made_of),
        cmocka_unit_test(deep_graphs_and_no_memory),
        cmocka_unit_test(functions_come_back),
        cmocka_unit_test(signatures_and_names),
        cmocka_unit_test(shapeless_functions),
        cmocka_unit_test(what_was_imported_is_transformed),
        cmocka_unit_test(files_have_most_primitives),
        cmocka_unit_test(constants_are_written_once),
        cmocka_unit_test(what_files_do_not_have),
        cmocka_unit_test(captured_results_of_compiled_functions),
        cmocka_unit_test(damaged_files),
    };
    int file = mkstemp(path);
    if (file < 0)
        return 1;
    close(file);
    return RUN_TESTS("export", tests, cleanup);
}
