/* Reverse mode: mx_vjp and mx_value_and_grad; and forward mode, mx_jvp, which is reverse mode twice.
 *
 * The primals are wrapped in Copy nodes that are marked as traced; what is made of traced nodes is traced
 * (node_new does that), and evaluation keeps the graph of such nodes while a transform runs. After the
 * function has run, its graph goes to a tape (tape.h), and the tape is gone through backwards.
 *
 * The gradient by the primals, v = u J, is linear in the cotangent u. So the gradient of v by u, with
 * tangents t as cotangents of v, is J t: the derivative along t. What u is does not matter, and the graph of
 * the result does not hold it. */
#include "transforms/tape.h"

#include "array/dtype.h"
#include "base/error.h"
#include "base/mem.h"

#include <string.h>

/* What a transform is called with. */
typedef struct call {
    const char *name;
    mx_list_function f;
    void *user;
    const mlx_array *in;
    size_t n;
    bool scalar;            /* the gradient of the first output, a scalar, is wanted */
    const mlx_array *seeds; /* cotangents, or of jvp tangents; null ones are zero */
    size_t n_seeds;
    mx_arrays *out;    /* outputs are added */
    mlx_array *grads;  /* reverse mode: a gradient for each input */
    mx_arrays *slopes; /* forward mode: a derivative for each output */
} call;

/* Wraps the primals in traced copies of their own. */
static int trace_primals(tape *t, const call *c, mlx_array *primals)
{
    for (size_t i = 0; i < c->n; i++) {
        primals[i] = mx_copy(c->in[i]);
        if (mx_is_null(primals[i]) || tape_source(t, node_of(primals[i])))
            return error_set("[%s] input %zu is null: an operation before failed", c->name, i);
    }
    return 0;
}

/* Runs the function and writes what its outputs are made of to the tape. */
static int run_function(tape *t, const call *c, const mlx_array *primals, mx_arrays *out)
{
    if (c->f(c->user, primals, c->n, out) || error_pending())
        return error_set("[%s] the function failed", c->name);
    tape_restamp(t);
    for (size_t i = 0; i < out->count; i++)
        if (tape_record(t, node_of(out->items[i])))
            return -1;
    return 0;
}

static bool same_shape(const node *a, const node *b)
{
    return a->ndim == b->ndim && (!a->ndim || memcmp(a->shape, b->shape, a->ndim * sizeof *a->shape) == 0);
}

/* Lets g reach x, if that is on the tape. */
static int seed(tape *t, const char *op, const char *what, const char *whose, size_t i, mlx_array x,
                mlx_array g)
{
    const tape_entry *e = tape_find(t, node_of(x));
    if (mx_is_null(g))
        return 0;
    if (!same_shape(node_of(x), node_of(g)))
        return error_set("[%s] %s %zu has shape %s, but its %s has shape %s", op, what, i,
                         shape_text(mx_shape(g), mx_ndim(g)), whose, shape_text(mx_shape(x), mx_ndim(x)));
    if (e)
        tape_deposit(t, e, 0, g);
    return error_pending() ? -1 : 0;
}

/* The cotangent of a gradient is 1 for the first output; the others become constants. */
static int seed_scalar(tape *t, const call *c, mx_arrays *out)
{
    if (out->count == 0)
        return error_set("[grad] the function must return a scalar, not nothing");
    mlx_array first = out->items[0];
    if (mx_ndim(first) != 0)
        return error_set(
            "[grad] the function must return a scalar, not an array of shape %s: If you are using grad "
            "your function must return a scalar",
            shape_text(mx_shape(first), mx_ndim(first)));
    for (size_t i = 1; i < out->count; i++)
        out->items[i] = mx_stop_gradient(out->items[i]);
    return seed(t, c->name, "cotangent", "output", 0, first, grad_number(1, first));
}

static int seed_all(tape *t, const call *c, const mx_arrays *out)
{
    if (c->n_seeds != out->count)
        return error_set("[%s] the function gave %zu outputs for %zu cotangents", c->name, out->count,
                         c->n_seeds);
    for (size_t i = 0; i < out->count; i++)
        if (seed(t, c->name, "cotangent", "output", i, out->items[i], c->seeds[i]))
            return -1;
    return 0;
}

static int reverse(tape *t, const call *c, mlx_array *primals, mx_arrays *out)
{
    if (trace_primals(t, c, primals) || run_function(t, c, primals, out))
        return -1;
    if (c->scalar ? seed_scalar(t, c, out) : seed_all(t, c, out))
        return -1;
    if (tape_go_back(t))
        return -1;
    for (size_t i = 0; i < c->n; i++) {
        mlx_array g = tape_gradient(t, i);
        c->grads[i] = mx_is_null(g) ? grad_zeros(primals[i]) : g;
    }
    return error_pending() ? -1 : 0;
}

/* Cotangents whose values do not matter, as sources of a second tape. */
static int make_cotangents(tape *second, const mx_arrays *out, mx_arrays *cotangents)
{
    for (size_t i = 0; i < out->count; i++) {
        mlx_array u = mx_copy(grad_zeros(out->items[i]));
        if (mx_arrays_add(cotangents, u) || tape_source(second, node_of(u)))
            return -1;
    }
    return 0;
}

/* The derivative of an output that does not change: a bool's has the dtype of the first tangent. */
static mlx_array no_slope(const call *c, mlx_array y)
{
    mlx_array zeros = grad_zeros(y);
    for (size_t i = 0; i < c->n_seeds && mx_dtype_of(y) == MLX_BOOL; i++)
        if (!mx_is_null(c->seeds[i]))
            return mx_astype(zeros, mx_dtype_of(c->seeds[i]));
    return zeros;
}

/* The first tape's gradients as functions of the cotangents, gone through backwards with the tangents. */
static int go_forth(tape *first, tape *second, const call *c, const mlx_array *primals, const mx_arrays *out)
{
    mx_arrays u = {0};
    int rc = make_cotangents(second, out, &u);
    for (size_t i = 0; i < out->count && rc == 0; i++)
        if (mx_dtype_of(out->items[i]) != MLX_BOOL)
            rc = seed(first, c->name, "cotangent", "output", i, out->items[i], u.items[i]);
    grad_forward(1);
    rc = rc ? rc : tape_go_back(first);
    grad_forward(-1);
    tape_restamp(second);
    for (size_t i = 0; i < c->n && rc == 0; i++)
        if (!mx_is_null(tape_gradient(first, i)))
            rc = tape_record(second, node_of(tape_gradient(first, i)));
    for (size_t i = 0; i < c->n && rc == 0; i++) {
        mlx_array v = tape_gradient(first, i);
        rc = seed(second, c->name, "tangent", "input", i, mx_is_null(v) ? primals[i] : v, c->seeds[i]);
    }
    rc = rc ? rc : tape_go_back(second);
    for (size_t i = 0; i < out->count && rc == 0; i++) {
        mlx_array g = tape_gradient(second, i);
        rc = mx_arrays_add(c->slopes, mx_is_null(g) ? no_slope(c, out->items[i]) : g);
    }
    mx_arrays_free(&u);
    return rc || error_pending() ? -1 : 0;
}

static int forward(tape *t, const call *c, mlx_array *primals, mx_arrays *out)
{
    tape second = {.last = TAPE_END};
    if (c->n_seeds != c->n)
        return error_set("[jvp] there are %zu tangents for %zu inputs", c->n_seeds, c->n);
    if (trace_primals(t, c, primals) || run_function(t, c, primals, out))
        return -1;
    int rc = go_forth(t, &second, c, primals, out);
    tape_free(&second);
    return rc;
}

/* A result that was computed while its graph was kept lets it go, once nobody traces. */
static int keep(mlx_array *x, int tracing)
{
    node *n = node_of(*x);
    if (node_status(n) == NODE_READY && n->n_inputs && tracing == 0)
        node_detach(n);
    *x = node_temp(n);
    return mx_is_null(*x) ? -1 : 0;
}

/* The lists of results: outputs, and gradients or slopes. */
static int results_of(const call *c, size_t first_out, size_t first_slope, mlx_array **lists, size_t *counts)
{
    lists[0] = c->out->items + first_out;
    counts[0] = c->out->count - first_out;
    lists[1] = c->slopes ? c->slopes->items + first_slope : c->grads;
    counts[1] = c->slopes ? c->slopes->count - first_slope : c->n;
    return 2;
}

/* Drops all temporaries since the mark but the results. */
static int keep_results(const call *c, size_t first_out, size_t first_slope, size_t mark, int tracing)
{
    mlx_array *lists[2];
    size_t counts[2];
    int rc = 0, n = results_of(c, first_out, first_slope, lists, counts);
    for (int l = 0; l < n; l++)
        for (size_t i = 0; i < counts[l]; i++)
            node_retain(node_of(lists[l][i]));
    mx_release(mark);
    for (int l = 0; l < n; l++)
        for (size_t i = 0; i < counts[l]; i++)
            rc |= keep(&lists[l][i], tracing);
    return rc;
}

static int transform(const call *c)
{
    tape t = {.last = TAPE_END};
    mx_arrays out = {0};
    const size_t mark = mx_mark(), first_out = c->out->count, first_slope = c->slopes ? c->slopes->count : 0;
    if (c->grads)
        memset(c->grads, 0, c->n * sizeof *c->grads);
    mlx_array *primals = mem_calloc(c->n ? c->n : 1, sizeof *primals);
    if (!primals || error_pending()) {
        mem_free(primals);
        return -1;
    }
    node_trace(1);
    int rc = c->slopes ? forward(&t, c, primals, &out) : reverse(&t, c, primals, &out);
    int tracing = node_trace(-1);
    for (size_t i = 0; i < out.count && rc == 0; i++)
        rc = mx_arrays_add(c->out, out.items[i]);
    tape_free(&t);
    mx_arrays_free(&out);
    mem_free(primals);
    if (rc == 0)
        rc = keep_results(c, first_out, first_slope, mark, tracing);
    if (rc) {
        mx_release(mark);
        c->out->count = first_out;
        if (c->slopes)
            c->slopes->count = first_slope;
        if (c->grads)
            memset(c->grads, 0, c->n * sizeof *c->grads);
    }
    return rc;
}

int mx_vjp_list(mx_list_function f, void *user, const mlx_array *primals, size_t n,
                const mlx_array *cotangents, size_t m, mx_arrays *outputs, mlx_array *vjps)
{
    call c = {"vjp", f, user, primals, n, false, cotangents, m, outputs, vjps, NULL};
    return transform(&c);
}

int mx_jvp_list(mx_list_function f, void *user, const mlx_array *primals, size_t n, const mlx_array *tangents,
                size_t n_tangents, mx_arrays *outputs, mx_arrays *jvps)
{
    call c = {"jvp", f, user, primals, n, false, tangents, n_tangents, outputs, NULL, jvps};
    return transform(&c);
}

int mx_grad_list(mx_list_function f, void *user, const mlx_array *in, size_t n, mx_arrays *values,
                 mlx_array *grads)
{
    call c = {"grad", f, user, in, n, true, NULL, 0, values, grads, NULL};
    return transform(&c);
}

/* --- functions with a number of outputs that the caller knows --- */

typedef struct fixed {
    const char *name;
    mx_function f;
    void *user;
    mlx_array *out;
    size_t m;
} fixed;

static int run_fixed(void *user, const mlx_array *in, size_t n, mx_arrays *out)
{
    const fixed *x = user;
    (void)n;
    if (x->f(x->user, in, x->out) || error_pending())
        return error_set("[%s] the function failed", x->name);
    for (size_t i = 0; i < x->m; i++)
        if (mx_is_null(x->out[i]) || mx_arrays_add(out, x->out[i]))
            return error_set("[%s] the function left output %zu empty", x->name, i);
    return 0;
}

/* Hands the outputs on. */
static int finish_fixed(const fixed *x, mx_arrays *out, int rc)
{
    memset(x->out, 0, x->m * sizeof *x->out);
    if (rc == 0)
        memcpy(x->out, out->items, x->m * sizeof *x->out);
    mx_arrays_free(out);
    return rc;
}

int mx_vjp(mx_function f, void *user, const mlx_array *primals, size_t n, const mlx_array *cotangents,
           size_t m, mlx_array *outputs, mlx_array *vjps)
{
    fixed x = {"vjp", f, user, outputs, m};
    mx_arrays out = {0};
    if (m == 0)
        return error_set("[vjp] a function without outputs has no gradient");
    memset(outputs, 0, m * sizeof *outputs);
    return finish_fixed(&x, &out, mx_vjp_list(run_fixed, &x, primals, n, cotangents, m, &out, vjps));
}

int mx_jvp(mx_function f, void *user, const mlx_array *primals, size_t n, const mlx_array *tangents, size_t m,
           mlx_array *outputs, mlx_array *jvps)
{
    fixed x = {"jvp", f, user, outputs, m};
    mx_arrays out = {0}, slopes = {0};
    memset(outputs, 0, m * sizeof *outputs);
    memset(jvps, 0, m * sizeof *jvps);
    int rc = mx_jvp_list(run_fixed, &x, primals, n, tangents, n, &out, &slopes);
    if (rc == 0)
        memcpy(jvps, slopes.items, m * sizeof *jvps);
    mx_arrays_free(&slopes);
    return finish_fixed(&x, &out, rc);
}

int mx_value_and_grad(mx_function f, void *user, const mlx_array *in, size_t n, mlx_array *values, size_t m,
                      mlx_array *grads)
{
    fixed x = {"grad", f, user, values, m};
    mx_arrays out = {0};
    if (m == 0)
        return error_set("[grad] the function must return a scalar, not nothing");
    memset(values, 0, m * sizeof *values);
    return finish_fixed(&x, &out, mx_grad_list(run_fixed, &x, in, n, &out, grads));
}
