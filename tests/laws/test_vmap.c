/* The law of vmap, for every case of cases.h: the function mapped over an axis gives what a loop over its
 * entries gives, whichever inputs have the axis (all, or one alone), wherever they have it (in front, at the
 * end, in the midst), and wherever the results are to have it. An axis without entries gives results without
 * entries. */
#include "laws/cases.h"

enum { ENTRIES = 3 };

typedef struct function {
    const law *l;
} function;

static int apply(void *user, const mlx_array *in, mlx_array *out)
{
    out[0] = ((const function *)user)->l->build(in);
    return mx_is_null(out[0]);
}

static void must(bool ok, const law *l, const char *what)
{
    if (ok && !error_pending())
        return;
    mx_failed();
    fail_msg("%s, %s: %s", l->name, what, mx_error_text());
}

static mlx_array stack(const mlx_array *x, int axis)
{
    mlx_array rows[ENTRIES];
    for (int k = 0; k < ENTRIES; k++)
        rows[k] = mx_expand_dims(x[k], axis);
    return mx_concatenate(rows, ENTRIES, axis);
}

static float expected[MAX_SIZE], got[MAX_SIZE];

/* axes[i]: where input i has the axis, -1: it has none. */
static void check(const law *l, mlx_array entries[MAX_INPUTS][ENTRIES], const int *axes, int out_axis)
{
    mlx_array rows[ENTRIES], x[MAX_INPUTS], y;
    char what[64];
    function f = {l};
    snprintf(what, sizeof what, "axes %d, %d, %d to %d", axes[0], axes[1], axes[2], out_axis);
    for (int k = 0; k < ENTRIES; k++) {
        for (int i = 0; i < l->n_inputs; i++)
            x[i] = entries[i][axes[i] < 0 ? 0 : k];
        rows[k] = l->build(x);
    }
    for (int i = 0; i < l->n_inputs; i++)
        x[i] = axes[i] < 0 ? in_layout(entries[i][0], SWAPPED) : stack(entries[i], axes[i]);
    out_axis = out_axis < 0 ? mx_ndim(rows[0]) : out_axis;
    mlx_array z = stack(rows, out_axis);
    must(!mx_is_null(z), l, "loop");
    must(mx_vmap(apply, &f, x, (size_t)l->n_inputs, axes, &y, 1, &out_axis) == 0, l, what);
    must(mx_ndim(y) == mx_ndim(z) && mx_dtype_of(y) == mx_dtype_of(z), l, what);
    for (int i = 0; i < mx_ndim(y); i++)
        assert_int_equal(mx_shape(y)[i], mx_shape(z)[i]);
    assert_true(mx_size(z) <= MAX_SIZE);
    must(mx_read_f32(z, expected) == 0 && mx_read_f32(y, got) == 0, l, what);
    for (size_t i = 0; i < mx_size(z); i++)
        if (!(fabsf(got[i] - expected[i]) <= 2e-5f * (1 + fabsf(expected[i]))) &&
            !(isnan(got[i]) && isnan(expected[i])) && got[i] != expected[i])
            fail_msg("%s, %s: result %zu is %g, not %g", l->name, what, i, (double)got[i],
                     (double)expected[i]);
}

/* Results without entries, of the right shape. */
static void check_empty(const law *l, mlx_array entries[MAX_INPUTS][ENTRIES])
{
    mlx_array x[MAX_INPUTS], one[MAX_INPUTS], y;
    int axes[MAX_INPUTS] = {0}, out_axis = 0;
    function f = {l};
    for (int i = 0; i < l->n_inputs; i++) {
        one[i] = entries[i][0];
        x[i] = mx_slice_axis(mx_expand_dims(one[i], 0), 0, 0, 0);
    }
    mlx_array z = l->build(one);
    must(mx_vmap(apply, &f, x, (size_t)l->n_inputs, axes, &y, 1, &out_axis) == 0, l, "no entries");
    must(mx_ndim(y) == mx_ndim(z) + 1 && mx_shape(y)[0] == 0 && mx_eval(y) == 0, l, "no entries");
}

static void vmap_is_a_loop(void **state)
{
    (void)state;
    for (int i = 0; i < LAWS; i++) {
        const law *l = &laws[i];
        mlx_array entries[MAX_INPUTS][ENTRIES];
        size_t mark = mx_mark();
        for (int k = 0; k < ENTRIES; k++) {
            seed = 7 + 31 * (unsigned)k;
            for (int j = 0; j < l->n_inputs; j++)
                entries[j][k] = dense_input(&l->in[j]);
        }
        check(l, entries, (int[MAX_INPUTS]){0}, 0);
        int last[MAX_INPUTS], mixed[MAX_INPUTS] = {0};
        for (int j = 0; j < l->n_inputs; j++) {
            last[j] = l->in[j].ndim;
            mixed[j] = j % 2 ? 0 : 1;
            int alone[MAX_INPUTS] = {-1, -1, -1};
            alone[j] = 0;
            check(l, entries, alone, 0);
            alone[j] = last[j];
            check(l, entries, alone, -1);
        }
        check(l, entries, last, -1);
        check(l, entries, mixed, 0);
        check_empty(l, entries);
        mx_release(mark);
    }
}

static void cleanup(void)
{
    assert_int_equal(mx_live_nodes(), 0);
    mx_shutdown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vmap_is_a_loop),
    };
    return RUN_TESTS("vmap laws", tests, cleanup);
}
