/* Functions with rules of their own for transforms, and checkpoints. */
#include "test.h"

#include "mx.h"

#include <math.h>

static void cleanup(void)
{
    assert_int_equal(mx_live_nodes(), 0);
    mx_shutdown();
}

static mlx_array number(float v) { return mx_float((double)v, MLX_FLOAT32); }

static float first(mlx_array x)
{
    float v[64];
    assert_true(mx_size(x) <= 64);
    assert_ok(mx_read_f32(x, v) == 0);
    return v[0];
}

/* What the rules were called with. */
typedef struct notes {
    int funs, vjps, jvps, vmaps, released;
    mlx_array elsewhere;
} notes;

/* exp(x), and x * elsewhere if there is one */
static int fun(void *user, const mlx_array *in, size_t n, mx_arrays *out)
{
    notes *l = user;
    l->funs++;
    assert_int_equal(n, 1);
    if (mx_arrays_add(out, mx_exp(in[0])))
        return -1;
    return mx_is_null(l->elsewhere) ? 0 : mx_arrays_add(out, mx_multiply(in[0], l->elsewhere));
}

static int vjp(void *user, const mlx_array *primals, size_t n, const mlx_array *cotangents,
               const mlx_array *outputs, size_t m, mx_arrays *grads)
{
    ((notes *)user)->vjps++;
    assert_true(n == 1 && m >= 1);
    mlx_array nothing = mx_subtract(outputs[0], mx_exp(primals[0]));
    return mx_arrays_add(grads, mx_multiply(cotangents[0], mx_add(number(42), nothing)));
}

/* Not linear: what the rule says is the answer. */
static int jvp(void *user, const mlx_array *primals, size_t n, const mlx_array *tangents, const int *argnums,
               size_t count, mx_arrays *derivatives)
{
    ((notes *)user)->jvps++;
    assert_true(n == 1 && count == 1 && argnums[0] == 0 && !mx_is_null(primals[0]));
    return mx_arrays_add(derivatives, mx_add(mx_multiply(tangents[0], number(7)), number(1)));
}

static int vmap(void *user, const mlx_array *in, const int *axes, size_t n, mx_arrays *out, int *out_axes,
                size_t m)
{
    ((notes *)user)->vmaps++;
    assert_true(n == 1 && m == 1 && axes[0] == 1);
    out_axes[0] = axes[0];
    return mx_arrays_add(out, mx_multiply(in[0], number(3)));
}

static void release(void *user) { ((notes *)user)->released++; }

static mx_custom *make(notes *l, bool with_vjp, bool with_jvp, bool with_vmap)
{
    mx_custom *c = mx_custom_new(&(mx_custom_rules){.fun = fun,
                                                    .vjp = with_vjp ? vjp : NULL,
                                                    .jvp = with_jvp ? jvp : NULL,
                                                    .vmap = with_vmap ? vmap : NULL,
                                                    .user = l,
                                                    .release = release});
    assert_ok(c != NULL);
    return c;
}

/* The slope of c at x by a transform. */
static float gradient(mx_custom *c, float x)
{
    mx_arrays y = {0};
    mlx_array in = number(x), g;
    assert_ok(mx_grad_list(mx_custom_call, c, &in, 1, &y, &g) == 0);
    assert_float_equal(first(y.items[0]), expf(x), 1e-5);
    mx_arrays_free(&y);
    return first(g);
}

static float slope(mx_custom *c, float x, float tangent)
{
    mx_arrays y = {0}, d = {0};
    mlx_array in = number(x), t = number(tangent);
    assert_ok(mx_jvp_list(mx_custom_call, c, &in, 1, &t, 1, &y, &d) == 0);
    float v = first(d.items[0]);
    assert_float_equal(first(y.items[0]), expf(x), 1e-5);
    mx_arrays_free(&y);
    mx_arrays_free(&d);
    return v;
}

static int call(void *user, const mlx_array *in, mlx_array *out)
{
    mx_arrays y = {0};
    int rc = mx_custom_call(user, in, 1, &y);
    out[0] = rc ? MX_NULL : y.items[0];
    mx_arrays_free(&y);
    return rc;
}

static void rules_take_the_place_of_what_follows(void **state)
{
    (void)state;
    for (int which = 0; which < 8; which++) {
        size_t mark = mx_mark();
        notes l = {0};
        mx_custom *c = make(&l, which & 1, which & 2, which & 4);
        assert_float_equal(gradient(c, 0.5f), (which & 1 ? 42 : expf(0.5f)), 1e-5);
        assert_float_equal(slope(c, 0.5f, 2), (which & 2 ? 15 : 2 * expf(0.5f)), 1e-5);
        mlx_array in = mx_arange(0, 6, 1, MLX_FLOAT32), out;
        in = mx_reshape(in, SHAPE(2, 3));
        assert_ok(mx_vmap(call, c, &in, 1, (int[]){1}, &out, 1, (int[]){1}) == 0);
        float v[6];
        assert_ok(mx_read_f32(out, v) == 0);
        for (int i = 0; i < 6; i++)
            assert_float_equal(v[i], (which & 4 ? 3 * (float)i : expf((float)i)), 1e-4f * (1 + v[i]));
        assert_int_equal(l.vjps, which & 1 ? 1 : 0);
        assert_int_equal(l.jvps, which & 2 ? 1 : 0);
        assert_int_equal(l.vmaps, which & 4 ? 1 : 0);
        mx_custom_free(c);
        mx_release(mark);
        assert_int_equal(l.released, 1);
    }
}

/* A graph that was not computed yet owns the functions. */
static void the_graph_owns_the_rules(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    notes l = {0};
    mx_custom *c = make(&l, true, false, false);
    mlx_array x = number(1), y, g, one = number(1);
    assert_ok(mx_vjp(call, c, &x, 1, &one, 1, &y, &g) == 0);
    mx_custom_free(c);
    assert_int_equal(l.released, 0);
    assert_float_equal(first(y), expf(1), 1e-5);
    mx_release(mark);
    assert_int_equal(l.released, 1);
}

/* sum(c(x)[1]) where c takes the second input from elsewhere */
static int with_elsewhere(void *user, const mlx_array *in, mlx_array *out)
{
    notes *l = user;
    mx_arrays y = {0};
    l->elsewhere = in[1];
    mx_custom *c = make(l, true, false, false);
    int rc = mx_custom_call(c, in, 1, &y);
    out[0] = rc ? MX_NULL : mx_add(y.items[0], y.items[1]);
    mx_arrays_free(&y);
    mx_custom_free(c);
    return rc;
}

static void what_is_taken_from_elsewhere_has_its_gradient(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    notes l = {0};
    mlx_array in[2] = {number(0.5f), number(3)}, y, g[2], out;
    assert_ok(mx_value_and_grad(with_elsewhere, &l, in, 2, &y, 1, g) == 0);
    assert_float_equal(first(y), expf(0.5f) + 1.5f, 1e-5);
    assert_float_equal(first(g[0]), 42, 1e-5);
    assert_float_equal(first(g[1]), 0.5f, 1e-6);
    in[1] = mx_arange(1, 5, 1, MLX_FLOAT32); /* mapped, though no primal is */
    assert_ok(mx_vmap(with_elsewhere, &l, in, 2, (int[]){-1, 0}, &out, 1, (int[]){0}) == 0);
    float v[4];
    assert_ok(mx_read_f32(out, v) == 0);
    for (int i = 0; i < 4; i++)
        assert_float_equal(v[i], expf(0.5f) + 0.5f * (float)(i + 1), 1e-5);
    mx_release(mark);
}

/* --- checkpoints --- */

typedef struct layers {
    mx_custom *layer; /* or NULL: plain */
    int count;
} layers;

static int calls;

/* tanh(x w) + x, and eight more results that say nothing */
static int layer(void *user, const mlx_array *in, size_t n, mx_arrays *out)
{
    (void)user;
    calls++;
    assert_int_equal(n, 10);
    int rc = mx_arrays_add(out, mx_add(mx_tanh(mx_matmul(in[0], in[1])), in[0]));
    for (size_t i = 2; i < n && rc == 0; i++)
        rc = mx_arrays_add(out, mx_multiply(in[i], mx_sum(in[0], NULL, 0, false)));
    return rc;
}

static int network(void *user, const mlx_array *in, mlx_array *out)
{
    const layers *l = user;
    mlx_array x[10] = {in[0], in[1]};
    for (int i = 2; i < 10; i++)
        x[i] = number((float)i);
    int rc = 0;
    for (int k = 0; k < l->count && rc == 0; k++) {
        mx_arrays y = {0};
        rc = l->layer ? mx_custom_call(l->layer, x, 10, &y) : layer(NULL, x, 10, &y);
        x[0] = rc ? MX_NULL : mx_add(mx_multiply(x[0], number(0.1f)), y.items[0]);
        x[3] = rc ? MX_NULL : y.items[2];
        mx_arrays_free(&y);
    }
    out[0] = mx_add(mx_sum(mx_square(x[0]), NULL, 0, false), mx_multiply(x[3], number(1e-3f)));
    return rc || mx_is_null(out[0]);
}

/* The norm of the gradient, for gradients of gradients. */
static int norm_of_gradient(void *user, const mlx_array *in, mlx_array *out)
{
    mlx_array y, g[2];
    if (mx_value_and_grad(network, user, in, 2, &y, 1, g))
        return -1;
    out[0] = mx_sum(mx_square(g[1]), NULL, 0, false);
    return mx_is_null(out[0]);
}

static void same(mlx_array a, mlx_array b)
{
    float x[64], y[64];
    assert_true(mx_size(a) == mx_size(b) && mx_size(a) <= 64);
    assert_ok(mx_read_f32(a, x) == 0 && mx_read_f32(b, y) == 0);
    for (size_t i = 0; i < mx_size(a); i++)
        assert_true(fabsf(x[i] - y[i]) <= 1e-4f * (1 + fabsf(x[i])));
}

static void checkpoints_run_again(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    layers plain = {NULL, 4}, kept = {NULL, 4};
    kept.layer = mx_custom_new(&(mx_custom_rules){.fun = layer, .checkpoint = true});
    mlx_array in[2] = {
        mx_sin(mx_reshape(mx_arange(0, 8, 1, MLX_FLOAT32), SHAPE(2, 4))),
        mx_multiply(mx_cos(mx_reshape(mx_arange(0, 16, 1, MLX_FLOAT32), SHAPE(4, 4))), number(0.3f))};
    mlx_array y[2], g[2][2], d[2];
    int (*const functions[2])(void *, const mlx_array *, mlx_array *) = {network, norm_of_gradient};
    for (int f = 0; f < 2; f++) {
        calls = 0;
        assert_ok(mx_value_and_grad(functions[f], &plain, in, 2, &y[0], 1, g[0]) == 0);
        assert_int_equal(calls, 4);
        assert_ok(mx_value_and_grad(functions[f], &kept, in, 2, &y[1], 1, g[1]) == 0);
        assert_true(calls >= 12);
        same(y[0], y[1]);
        same(g[0][0], g[1][0]);
        same(g[0][1], g[1][1]);
        assert_ok(mx_jvp(functions[f], &plain, in, 2, in, 1, &y[0], &d[0]) == 0);
        assert_ok(mx_jvp(functions[f], &kept, in, 2, in, 1, &y[1], &d[1]) == 0);
        same(d[0], d[1]);
    }
    mx_custom_free(kept.layer);
    mx_release(mark);
}

static int compiled_gradient(void *user, const mlx_array *in, size_t n, mx_arrays *out)
{
    mlx_array g;
    return mx_grad_list(mx_custom_call, user, in, n, out, &g) || mx_arrays_add(out, g);
}

static void compiled_functions_hold_no_rules(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    notes l = {0};
    mx_custom *c = make(&l, true, true, true);
    mx_arrays y = {0};
    for (int i = 0; i < 2; i++) {
        mlx_array x = number((float)i);
        y.count = 0;
        assert_ok(mx_compiled(77, compiled_gradient, c, false, NULL, 0, &x, 1, &y) == 0);
        assert_int_equal(y.count, 2);
        assert_float_equal(first(y.items[0]), expf((float)i), 1e-5);
        assert_float_equal(first(y.items[1]), 42, 1e-5);
    }
    assert_int_equal(l.funs, 1);
    mx_custom_free(c);
    mx_arrays_free(&y);
    mx_release(mark);
    assert_int_equal(l.released, 1);
    mx_compile_erase(77);
}

/* --- errors --- */

static int no_results(void *user, const mlx_array *primals, size_t n, const mlx_array *cotangents,
                      const mlx_array *outputs, size_t m, mx_arrays *grads)
{
    (void)user, (void)primals, (void)n, (void)cotangents, (void)outputs, (void)m, (void)grads;
    return 0;
}

static int no_derivatives(void *user, const mlx_array *primals, size_t n, const mlx_array *tangents,
                          const int *argnums, size_t count, mx_arrays *derivatives)
{
    (void)user, (void)primals, (void)n, (void)tangents, (void)argnums, (void)count, (void)derivatives;
    return 0;
}

static int bad_axis(void *user, const mlx_array *in, const int *axes, size_t n, mx_arrays *out, int *out_axes,
                    size_t m)
{
    (void)user, (void)axes, (void)n, (void)m;
    out_axes[0] = 5;
    return mx_arrays_add(out, in[0]);
}

static int fails(void *user, const mlx_array *in, size_t n, mx_arrays *out)
{
    (void)user, (void)in, (void)n, (void)out;
    return -1;
}

static void errors(void **state)
{
    (void)state;
    size_t mark = mx_mark();
    notes l = {0};
    mx_arrays y = {0}, d = {0};
    mlx_array x = number(1), g, v = mx_arange(0, 3, 1, MLX_FLOAT32), out;
    mx_custom_rules rules = {
        .fun = fun, .vjp = no_results, .jvp = no_derivatives, .vmap = bad_axis, .user = &l};
    mx_custom *c = mx_custom_new(&rules);
    assert_int_equal(mx_grad_list(mx_custom_call, c, &x, 1, &y, &g), -1);
    assert_error("[custom_function] the vjp gave 0 gradients for 1 inputs");
    assert_int_equal(mx_jvp_list(mx_custom_call, c, &x, 1, &x, 1, &y, &d), -1);
    assert_error("[custom_function] the jvp gave 0 derivatives for 1 outputs");
    assert_int_equal(mx_vmap(call, c, &v, 1, (int[]){0}, &out, 1, (int[]){0}), -1);
    assert_error("[custom_function] the vmap put the axis at 5 of an output of 1 dimensions");
    mx_custom_free(c);
    rules.fun = fails;
    c = mx_custom_new(&rules);
    assert_int_equal(mx_grad_list(mx_custom_call, c, &x, 1, &y, &g), -1);
    assert_error("[custom_function] the function failed");
    x = MX_NULL;
    assert_int_equal(mx_custom_call(c, &x, 1, &y), -1);
    assert_error("[custom_function] input 0 is null");
    mx_custom_free(c);
    mx_arrays_free(&y);
    mx_arrays_free(&d);
    mx_release(mark);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_take_the_place_of_what_follows),
        cmocka_unit_test(the_graph_owns_the_rules),
        cmocka_unit_test(what_is_taken_from_elsewhere_has_its_gradient),
        cmocka_unit_test(checkpoints_run_again),
        cmocka_unit_test(compiled_functions_hold_no_rules),
        cmocka_unit_test(errors),
    };
    return RUN_TESTS("custom", tests, cleanup);
}
