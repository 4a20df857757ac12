/* Laws that hold for every primitive, whatever it computes.
 *
 * - covered: every row of prim.def is reached by at least one case
 * - layout: inputs that are views with holes, gaps between rows or reversed axes give what dense copies give
 * - halves: float16 and bfloat16 inputs give what float32 gives on the same numbers, within their precision
 * - empty: arrays without elements give results of the right shape, without a crash
 * - donation: results do not depend on whether inputs are dead or still held
 * - threads: nor on the number of threads
 * - compiled: a compiled function gives to the bit what the function gives
 *
 * The cases are in cases.h. */
#include "laws/cases.h"

/* Evaluates the law's expression over these inputs; the values as float32, their number in *n. */
static void evaluate(const law *l, const mlx_array *x, float *out, size_t *n)
{
    mlx_array y = l->build(x);
    *n = mx_size(y);
    if (mx_is_null(y) || *n > MAX_SIZE || mx_read_f32(y, out)) {
        mx_failed();
        fail_msg("%s: %s", l->name, mx_error_text());
    }
}

static void make_inputs(const law *l, mlx_array *x)
{
    seed = 7;
    for (int i = 0; i < l->n_inputs; i++)
        x[i] = dense_input(&l->in[i]);
}

static void compare(const law *l, const char *what, const float *a, size_t na, const float *b, size_t nb,
                    float tolerance)
{
    if (na != nb)
        fail_msg("%s, %s: %zu results against %zu", l->name, what, na, nb);
    for (size_t i = 0; i < na; i++)
        if (!(fabsf(a[i] - b[i]) <= tolerance * (1 + fabsf(b[i]))) && !(isnan(a[i]) && isnan(b[i])) &&
            a[i] != b[i])
            fail_msg("%s, %s: result %zu is %g, not %g", l->name, what, i, (double)a[i], (double)b[i]);
}

static float expected[MAX_SIZE], got[MAX_SIZE];

static void layouts_do_not_matter(void **state)
{
    (void)state;
    static const char *const names[LAYOUTS] = {"dense", "holes", "gaps", "reversed", "swapped axes"};
    for (int i = 0; i < LAWS; i++)
        for (int layout = 1; layout < LAYOUTS; layout++) {
            size_t mark = mx_mark(), n, m;
            mlx_array x[MAX_INPUTS], y[MAX_INPUTS];
            make_inputs(&laws[i], x);
            for (int k = 0; k < laws[i].n_inputs; k++)
                y[k] = in_layout(x[k], (enum layout)layout);
            evaluate(&laws[i], x, expected, &n);
            evaluate(&laws[i], y, got, &m);
            compare(&laws[i], names[layout], got, m, expected, n, 1e-6f);
            mx_release(mark);
        }
}

static void halves_agree_with_float32(void **state)
{
    (void)state;
    const mlx_dtype halves[2] = {MLX_FLOAT16, MLX_BFLOAT16};
    for (int i = 0; i < LAWS; i++)
        for (int h = 0; h < 2 && !(laws[i].skip & SKIP_HALVES); h++) {
            size_t mark = mx_mark(), n, m;
            mlx_array x[MAX_INPUTS], y[MAX_INPUTS];
            make_inputs(&laws[i], x);
            for (int k = 0; k < laws[i].n_inputs; k++)
                y[k] = mx_dtype_of(x[k]) == MLX_FLOAT32 ? mx_astype(x[k], halves[h]) : x[k];
            evaluate(&laws[i], x, expected, &n);
            evaluate(&laws[i], y, got, &m);
            compare(&laws[i], mx_dtype_name(halves[h]), got, m, expected, n, 2e-2f);
            mx_release(mark);
        }
}

static void empty_arrays_are_fine(void **state)
{
    (void)state;
    for (int i = 0; i < LAWS; i++) {
        if (laws[i].skip & SKIP_EMPTY)
            continue;
        size_t mark = mx_mark(), n;
        mlx_array x[MAX_INPUTS];
        law empty = laws[i];
        for (int k = 0; k < empty.n_inputs;
             k++) /* the first axis: never a reduced or inner one of several inputs */
            if (empty.in[k].ndim > 1 && empty.in[k].shape[0] == laws[i].in[0].shape[0])
                empty.in[k].shape[0] = 0;
        make_inputs(&empty, x);
        evaluate(&empty, x, got, &n);
        mx_release(mark);
    }
}

static void held_and_dead_inputs_agree(void **state)
{
    (void)state;
    for (int i = 0; i < LAWS; i++) {
        size_t mark = mx_mark(), n, m;
        mlx_array x[MAX_INPUTS], y[MAX_INPUTS], slot = MX_NULL;
        make_inputs(&laws[i], x);
        evaluate(&laws[i], x, expected, &n);
        for (int k = 0; k < laws[i].n_inputs; k++)
            y[k] = mx_add(x[k], mx_zeros(NULL, 0, mx_dtype_of(x[k]))); /* intermediates that nobody holds */
        mx_set(&slot, laws[i].build(y));
        mx_release(mark);
        m = mx_size(slot);
        assert_int_equal(mx_read_f32(slot, got), 0);
        compare(&laws[i], "dead inputs", got, m, expected, n, 0);
        mlx_array_free(slot);
    }
}

static void threads_do_not_matter(void **state)
{
    (void)state;
    for (int i = 0; i < LAWS; i++) {
        size_t mark = mx_mark(), n, m;
        mlx_array x[MAX_INPUTS];
        make_inputs(&laws[i], x);
        mx_set_threads(1);
        evaluate(&laws[i], x, expected, &n);
        mx_set_threads(3);
        evaluate(&laws[i], x, got, &m);
        mx_set_threads(0);
        compare(&laws[i], "3 threads", got, m, expected, n, 0);
        mx_release(mark);
    }
}

static int build_one(void *user, const mlx_array *x, size_t n, mx_arrays *out)
{
    (void)n;
    return mx_arrays_add(out, ((const law *)user)->build(x));
}

/* The first call traces, the second one has other numbers. */
static void compiled_functions_agree(void **state)
{
    (void)state;
    for (int i = 0; i < LAWS; i++)
        for (int call = 0; call < 2; call++) {
            size_t mark = mx_mark(), n, m;
            mlx_array x[MAX_INPUTS];
            mx_arrays y = {0};
            law l = laws[i];
            make_inputs(&l, x);
            for (int k = 0; call && k < l.n_inputs; k++)
                if (l.in[k].dtype == MLX_FLOAT32)
                    x[k] = mx_multiply(x[k], mx_float(0.75, MLX_FLOAT32));
            evaluate(&l, x, expected, &n);
            int rc = mx_compiled((uintptr_t)i + 1, build_one, &l, false, NULL, 0, x, (size_t)l.n_inputs, &y);
            m = rc ? 0 : mx_size(y.items[0]);
            if (rc || mx_read_f32(mx_astype(y.items[0], MLX_FLOAT32), got) || error_pending())
                fail_msg("%s, compiled: %s", l.name, error_text());
            compare(&l, "compiled", got, m, expected, n, 0);
            mx_arrays_free(&y);
            mx_release(mark);
        }
    mx_compile_clear_cache();
}

static bool seen[PRIM_COUNT];

/* Marks the primitives of an unevaluated graph. */
static void mark_prims(const node *n)
{
    seen[n->prim] = true;
    for (uint32_t i = 0; i < n->n_inputs; i++)
        mark_prims(n->inputs[i]);
}

static void every_primitive_has_a_case(void **state)
{
    (void)state;
    for (int i = 0; i < LAWS; i++) {
        size_t mark = mx_mark();
        mlx_array x[MAX_INPUTS];
        make_inputs(&laws[i], x);
        mlx_array y = laws[i].build(x);
        assert_false(mx_is_null(y));
        mark_prims(node_of(y));
        mx_release(mark);
    }
    for (int p = 1; p < PRIM_COUNT; p++) /* those that call functions are made within transforms */
        if (!seen[p] && !(prim_table[p].flags & PRIM_CALLS))
            fail_msg("no case builds %s", prim_table[p].name);
}

static void cleanup(void)
{
    assert_int_equal(mx_live_nodes(), 0);
    mx_shutdown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_primitive_has_a_case), cmocka_unit_test(layouts_do_not_matter),
        cmocka_unit_test(halves_agree_with_float32),  cmocka_unit_test(empty_arrays_are_fine),
        cmocka_unit_test(held_and_dead_inputs_agree), cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(compiled_functions_agree),
    };
    return RUN_TESTS("laws", tests, cleanup);
}
