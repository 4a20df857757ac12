/* Fusion: random elementwise functions over floats and bool, with many live values and several results, give
 * compiled what they give uncompiled, to the bit (one NaN is as good as another); what becomes one node; what
 * is written over. */
#include "test.h"

#include "mx.h"
#include "prim/prim.h"

#include <math.h>

enum { ROWS = 21, COLUMNS = 131, INPUTS = 6, MOST = 40, PROGRAMS = 300 };

static uint64_t seed_now;
static unsigned dice(unsigned n)
{
    seed_now = seed_now * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed_now >> 40) % n;
}

static const mlx_dtype kinds[] = {MLX_FLOAT32, MLX_BFLOAT16, MLX_FLOAT16};

/* clang-format off */
static mlx_array step(const mlx_array *v, unsigned n)
{
    mlx_array a = v[dice(n)], b = v[dice(n)], c = v[dice(n)];
    switch (dice(24)) {
    case 0: return mx_add(a, b);
    case 1: return mx_subtract(a, b);
    case 2: return mx_multiply(a, b);
    case 3: return mx_multiply(a, a);
    case 4: return mx_divide(a, b);
    case 5: return mx_maximum(a, b);
    case 6: return mx_minimum(b, mx_float(0.75, MLX_FLOAT32));
    case 7: return mx_multiply(mx_float(1.5, mx_dtype_of(a)), a);
    case 8: return mx_divide(mx_float(2, kinds[dice(3)]), a);
    case 9: return mx_abs(a);
    case 10: return mx_square(a);
    case 11: return mx_sqrt(a);
    case 12: return mx_rsqrt(a);
    case 13: return mx_exp(a);
    case 14: return mx_tanh(a);
    case 15: return mx_floor(mx_add(a, mx_float(0.5, MLX_FLOAT32)));
    case 16: return mx_power(mx_abs(a), b);
    case 17: return mx_where(mx_greater(a, b), a, c);
    case 18: return mx_where(mx_less_equal(a, mx_float(0, MLX_FLOAT32)), mx_float(0.1, MLX_FLOAT32), b);
    case 19: return mx_logical_and(mx_not_equal(a, b), mx_less(b, c));
    case 20: return mx_logical_not(mx_logical_or(a, b));
    case 21: return mx_where(a, b, c);
    case 22: return mx_astype(a, MLX_BOOL);
    default: return mx_astype(a, kinds[dice(3)]);
    }
}
/* clang-format on */

/* The function that *user stands for. */
static int program(void *user, const mlx_array *in, size_t n, mx_arrays *out)
{
    mlx_array v[INPUTS + MOST];
    seed_now = *(const uint64_t *)user;
    unsigned steps = 2 + dice(MOST - 1), results = 1 + dice(4);
    memcpy(v, in, n * sizeof *in);
    for (unsigned i = 0; i < steps; i++)
        v[n + i] = step(v, (unsigned)n + i);
    int rc = 0;
    for (unsigned i = 0; i < results && rc == 0; i++)
        rc = mx_arrays_add(out, v[i == 0 ? n + steps - 1 : n + dice(steps)]);
    return rc;
}

/* Is it the same, or NaN both? */
static bool same(mlx_array a, mlx_array b)
{
    bool equal = mx_dtype_of(a) == mx_dtype_of(b) && mx_size(a) == mx_size(b), answer = false;
    mlx_array alike = equal ? mx_array_equal(a, b, true) : MX_NULL;
    assert_ok(!equal || mx_read(alike, &answer) == 0);
    mlx_array signs = equal ? mx_array_equal(mx_divide(mx_float(1, MLX_FLOAT32), a),
                                             mx_divide(mx_float(1, MLX_FLOAT32), b), true)
                            : MX_NULL; /* of zeros */
    bool signs_too = false;
    assert_ok(!equal || mx_read(signs, &signs_too) == 0);
    return answer && signs_too;
}

static mlx_array random_input(int i)
{
    int rows = dice(4) ? ROWS : 1, columns = dice(4) ? COLUMNS : 1;
    mlx_array x = mx_random_normal(SHAPE(rows, columns), MLX_FLOAT32, 0, 2, mx_random_key(dice(1000)));
    if (i == 0)
        return mx_random_normal(SHAPE(ROWS, COLUMNS), kinds[dice(3)], 0, 2, mx_random_key(7));
    if (i == 1)
        return mx_greater(x, mx_float(0.3, MLX_FLOAT32));
    if (i == 2)
        return mx_swapaxes(mx_random_normal(SHAPE(COLUMNS, ROWS), kinds[dice(3)], 0, 1, mx_random_key(9)), 0,
                           1);
    return mx_astype(x, kinds[dice(3)]);
}

static void random_programs(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= PROGRAMS; seed++) {
        size_t mark = mx_mark();
        mlx_array in[INPUTS];
        seed_now = seed * 7919;
        for (int i = 0; i < INPUTS; i++)
            in[i] = random_input(i);
        assert_ok(mx_eval_all(in, INPUTS) == 0);
        mx_arrays plain = {0}, compiled = {0};
        uint64_t own = seed;
        assert_ok(program(&own, in, INPUTS, &plain) == 0);
        assert_ok(mx_compiled((uintptr_t)seed, program, &own, false, NULL, 0, in, INPUTS, &compiled) == 0);
        assert_ok(mx_eval_all(compiled.items, compiled.count) == 0);
        assert_int_equal(plain.count, compiled.count);
        for (size_t i = 0; i < plain.count; i++)
            if (!same(plain.items[i], compiled.items[i]))
                fail_msg("program %u: result %zu differs", (unsigned)seed, i);
        mx_arrays_free(&plain);
        mx_arrays_free(&compiled);
        mx_compile_clear_cache();
        mx_release(mark);
    }
}

/* --- several results --- */

/* Momentum: new mean and new weights. */
static int momentum(void *user, const mlx_array *in, size_t n, mx_arrays *out)
{
    (void)user, (void)n;
    mlx_array mean = mx_add(mx_multiply(in[1], mx_float(0.9, MLX_FLOAT32)), in[2]);
    return mx_arrays_add(out, mx_subtract(in[0], mx_multiply(mean, mx_float(0.5, MLX_FLOAT32)))) ||
           mx_arrays_add(out, mean);
}

static mlx_array full(int n, double x) { return mx_full(SHAPE(n), mx_float(x, MLX_FLOAT32), MLX_FLOAT32); }

static void outputs_are_results_of_one_node(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    for (int shapeless = 0; shapeless < 2; shapeless++)
        for (int n = 3; n < 100000; n *= 50) {
            mx_arrays out = {0};
            mlx_array in[] = {full(n, 5), full(n, 2), full(n, 0.25)};
            assert_ok(mx_compiled(1, momentum, NULL, shapeless, NULL, 0, in, 3, &out) == 0);
            const node *w = node_of(out.items[0]), *m = node_of(out.items[1]);
            assert_int_equal(w->prim, PRIM_Item);
            assert_int_equal(w->inputs[0]->prim, PRIM_Compiled);
            assert_ptr_equal(w->inputs[0], m->inputs[0]);
            float *data = malloc((size_t)n * 4);
            assert_ok(mx_read(out.items[0], data) == 0);
            for (int i = 0; i < n; i++)
                assert_true(data[i] == 5 - (2 * 0.9f + 0.25f) * 0.5f);
            assert_ok(mx_read(out.items[1], data) == 0);
            for (int i = 0; i < n; i++)
                assert_true(data[i] == 2 * 0.9f + 0.25f);
            free(data);
            mx_arrays_free(&out);
        }
    mx_compile_clear_cache();
    mx_release(mark);
}

/* Each result is written over the input that it replaces. */
static void results_are_written_over_inputs(void **state)
{
    (void)state;
    enum { N = 100003 };
    mlx_array slots[3] = {MX_NULL, MX_NULL, MX_NULL};
    size_t mark = mx_mark();
    for (int i = 0; i < 3; i++)
        mx_set(&slots[i], full(N, i + 1));
    mx_release(mark);
    assert_ok(mx_eval_all(slots, 3) == 0);
    const void *before[3] = {mx_data(slots[0]), mx_data(slots[1]), mx_data(slots[2])};
    mark = mx_mark();
    mx_arrays out = {0};
    assert_ok(mx_compiled(1, momentum, NULL, false, NULL, 0, slots, 3, &out) == 0);
    for (int i = 0; i < 2; i++)
        mx_set(&slots[i], out.items[i]);
    mx_release(mark);
    mx_arrays_free(&out);
    assert_ok(mx_eval_all(slots, 2) == 0);
    assert_ptr_equal(mx_data(slots[0]), before[0]);
    assert_ptr_equal(mx_data(slots[1]), before[1]);
    for (int i = 0; i < 3; i++)
        mlx_array_free(slots[i]);
    mx_compile_clear_cache();
}

/* Two results that are wanted outside, and a sum that is no part of the group. */
static int both(void *user, const mlx_array *in, size_t n, mx_arrays *out)
{
    (void)user, (void)n;
    mlx_array s = mx_multiply(mx_exp(in[0]), in[0]);
    return mx_arrays_add(out, mx_add(mx_square(s), s)) || mx_arrays_add(out, s) ||
           mx_arrays_add(out, mx_sum(in[0], NULL, 0, false));
}

static void no_memory(void **state)
{
    (void)state;
    bool done = false;
    for (size_t k = 1; !done && k < 300; k++) {
        size_t mark = mx_mark();
        mlx_array x = full(4, 0.5);
        assert_ok(mx_eval(x) == 0);
        size_t nodes = mx_live_nodes();
        mx_arrays out = {0};
        mem_fail_at(k);
        int rc = mx_compiled(2, both, NULL, false, NULL, 0, &x, 1, &out);
        done = !mem_fail_fired();
        mem_fail_at(0);
        assert_true((rc != 0) == !done);
        error_clear();
        mx_arrays_free(&out);
        mx_compile_clear_cache();
        if (!done)
            assert_int_equal(mx_live_nodes(), nodes);
        mx_release(mark);
    }
    assert_true(done);
}

static void cleanup(void)
{
    mx_release(0);
    mx_shutdown();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_programs),
        cmocka_unit_test(outputs_are_results_of_one_node),
        cmocka_unit_test(results_are_written_over_inputs),
        cmocka_unit_test(no_memory),
    };
    return RUN_TESTS("fusion", tests, cleanup);
}
