/* Functions with rules of their own for transforms.
 *
 * Such a function runs on primals behind StopGradient nodes, and its outputs are wrapped in one
 * CustomTransforms node: inputs are the spec, the primals and the outputs; its results are the outputs. So no
 * gradient takes the way through what the function did, but the one that the rule says; what the function
 * takes from elsewhere gets its gradient through the outputs, as if there were no wrap.
 *
 * The spec is a constant whose bytes are the counted struct of the user's functions: the node owns a share,
 * so that the functions live as long as a graph that may call them.
 *
 * Forward mode is reverse mode twice (grad.c). With a rule of its own for it the first pass makes a
 * CustomTangents node, linear in the cotangents and never computed, whose gradient is that rule. */
#include "mx/transforms.h"

#include "base/error.h"
#include "base/mem.h"
#include "prim/grad.h"
#include "prim/vmap.h"

#include <string.h>

#define PRIM(name, arity, rule, ...) int shape_##rule(node *const *, size_t, const void *, prim_spec *);
#include "prim/prim.def"
#undef PRIM

struct mx_custom {
    _Atomic int refs;
    mx_custom_rules rules;
};

mx_custom *mx_custom_new(const mx_custom_rules *rules)
{
    mx_custom *c = mem_alloc(1, sizeof *c);
    if (!c) {
        if (rules->release)
            rules->release(rules->user);
        return NULL;
    }
    *c = (mx_custom){1, *rules};
    return c;
}

static void drop(void *custom)
{
    mx_custom *c = custom;
    if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (c->rules.release)
        c->rules.release(c->rules.user);
    mem_free(c);
}

void mx_custom_free(mx_custom *c) { drop(c); }

/* A constant that owns a share of c. */
static mlx_array make_spec(mx_custom *c)
{
    const int size = (int)sizeof *c;
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    buffer *b = buffer_wrap(c, sizeof *c, drop, c);
    return node_temp(node_from_buffer(b, (const char *)c, &size, 1, MLX_UINT8));
}

static const mx_custom_rules *rules_of(const node *n) { return &((mx_custom *)n->inputs[0]->data)->rules; }

/* Results like some of the inputs. */
int shape_like_inputs(node *const *in, size_t n, const void *params, prim_spec *out)
{
    const prim_like *p = params;
    (void)n;
    for (int i = 0; i < p->count; i++) {
        const node *x = in[p->first + i];
        out[i].dtype = (mlx_dtype)x->dtype;
        out[i].ndim = x->ndim;
        if (x->ndim)
            memcpy(out[i].shape, x->shape, x->ndim * sizeof *x->shape);
    }
    return p->count;
}

/* --- calls --- */

/* The node over spec, a[0..n) and b[0..m); out[0..count) are its results, which are like the inputs from
 * `first` on. 0 or -1. */
static int make(int prim, mlx_array spec, const mlx_array *a, size_t n, const mlx_array *b, size_t m,
                size_t first, size_t count, mlx_array *out)
{
    prim_like params = {(int32_t)first, (int32_t)count};
    mlx_array *in = mem_alloc(1 + n + m, sizeof *in);
    if (!in)
        return -1;
    in[0] = spec;
    if (n)
        memcpy(in + 1, a, n * sizeof *in);
    if (m)
        memcpy(in + 1 + n, b, m * sizeof *in);
    int rc = prim_make_many(prim, in, 1 + n + m, &params, sizeof params, out, (int)count);
    mem_free(in);
    return rc;
}

/* Runs the function behind StopGradient nodes. */
static int run_stopped(const mx_custom_rules *r, const mlx_array *in, size_t n, mx_arrays *out)
{
    mlx_array *stopped = mem_alloc(n, sizeof *stopped);
    for (size_t i = 0; stopped && i < n; i++)
        stopped[i] = mx_stop_gradient(in[i]);
    int rc = !stopped || r->fun(r->user, stopped, n, out) || error_pending() ? -1 : 0;
    mem_free(stopped);
    return rc;
}

int mx_custom_call(void *custom, const mlx_array *in, size_t n, mx_arrays *out)
{
    mx_custom *c = custom;
    bool traced = false;
    for (size_t i = 0; i < n; i++)
        if (mx_is_null(in[i]))
            return error_set("[custom_function] input %zu is null: an operation before failed", i);
        else
            traced |= (node_flags(node_of(in[i])) & NODE_TRACED) != 0;
    if (!traced) /* no transform will ask for a rule */
        return c->rules.fun(c->rules.user, in, n, out);
    mx_arrays made = {0};
    int rc = run_stopped(&c->rules, in, n, &made);
    mlx_array *wrapped = mem_alloc(made.count, sizeof *wrapped);
    rc = rc || !wrapped ? error_set("[custom_function] the function failed") : 0;
    if (rc == 0 && made.count)
        rc = make(PRIM_CustomTransforms, make_spec(c), in, n, made.items, made.count, 1 + n, made.count,
                  wrapped);
    for (size_t i = 0; i < made.count && rc == 0; i++)
        rc = mx_arrays_add(out, wrapped[i]);
    mem_free(wrapped);
    mx_arrays_free(&made);
    return rc;
}

/* --- gradients --- */

/* The gradients by fun's own operations; of a checkpoint, which runs again once the cotangents are there. */
static int derive(const mx_custom_rules *r, const mlx_array *primals, size_t n, const mlx_array *cotangents,
                  size_t m, mx_arrays *vjps)
{
    mx_arrays outputs = {0};
    mlx_array *again = mem_alloc(2 * n, sizeof *again);
    int rc = again ? 0 : -1;
    if (rc == 0 && r->checkpoint)
        rc = mx_depends(primals, n, cotangents, m, again);
    if (rc == 0)
        rc = mx_vjp_list(r->fun, r->user, r->checkpoint ? again : primals, n, cotangents, m, &outputs,
                         again + n);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = mx_arrays_add(vjps, again[n + i]);
    mx_arrays_free(&outputs);
    mem_free(again);
    return rc;
}

/* The gradients by the primals. */
static int pull_back(const grad_args *a, size_t n, const mlx_array *cotangents, size_t m, mlx_array *grads)
{
    const mx_custom_rules *r = rules_of(a->n);
    const bool forward = grad_forward(0) > 0;
    const mlx_array *primals = a->in + 1;
    mx_arrays vjps = {0};
    int rc;
    if (forward && r->jvp)
        return make(PRIM_CustomTangents, a->in[0], primals, n, cotangents, m, 1, n, grads);
    if (r->vjp && !forward)
        rc = r->vjp(r->user, primals, n, cotangents, a->out, m, &vjps);
    else
        rc = derive(r, primals, n, cotangents, m, &vjps);
    if (rc || error_pending())
        rc = error_set("[custom_function] the vjp failed");
    else if (vjps.count < n)
        rc = error_set("[custom_function] the vjp gave %zu gradients for %zu inputs", vjps.count, n);
    else
        memcpy(grads, vjps.items, n * sizeof *grads);
    mx_arrays_free(&vjps);
    return rc;
}

void grad_custom(const grad_args *a, mlx_array *grads)
{
    const prim_like *p = a->n->params;
    size_t n = (size_t)p->first - 1, m = (size_t)p->count;
    bool wanted = false;
    mlx_array *cotangents = mem_alloc(m, sizeof *cotangents);
    for (size_t i = 0; i < n; i++)
        wanted |= a->wanted[1 + i];
    for (size_t i = 0; i < m && cotangents; i++)
        cotangents[i] = mx_is_null(a->given[i]) ? grad_zeros(a->out[i]) : a->given[i];
    if (wanted && cotangents)
        pull_back(a, n, cotangents, m, grads + 1);
    memcpy(grads + 1 + n, a->given, m * sizeof *grads);
    mem_free(cotangents);
}

/* What has reached the results are the tangents of the primals. */
void grad_custom_tangents(const grad_args *a, mlx_array *grads)
{
    const mx_custom_rules *r = rules_of(a->n);
    const prim_like *p = a->n->params;
    size_t n = (size_t)p->count, m = a->n->n_inputs - 1 - n, count = 0;
    mlx_array *tangents = mem_alloc(n, sizeof *tangents);
    int *argnums = mem_alloc(n, sizeof *argnums);
    mx_arrays jvps = {0};
    for (size_t i = 0; i < n && tangents && argnums; i++)
        if (!mx_is_null(a->given[i])) {
            tangents[count] = a->given[i];
            argnums[count++] = (int)i;
        }
    if (!tangents || !argnums || r->jvp(r->user, a->in + 1, n, tangents, argnums, count, &jvps) ||
        error_pending())
        error_set("[custom_function] the jvp failed");
    else if (jvps.count < m)
        error_set("[custom_function] the jvp gave %zu derivatives for %zu outputs", jvps.count, m);
    else
        memcpy(grads + 1 + n, jvps.items, m * sizeof *grads);
    mx_arrays_free(&jvps);
    mem_free(tangents);
    mem_free(argnums);
}

/* --- vmap --- */

/* fun over the axis of the primals, traced and replayed; the axis comes first in its outputs. */
static int map_function(const mx_custom_rules *r, const mlx_array *primals, const int *in_axes, size_t n,
                        mlx_array *out, int *axes, size_t m)
{
    mx_arrays s_in = {0}, s_out = {0};
    int rc = mx_vmap_trace(r->fun, r->user, primals, n, in_axes, &s_in, &s_out);
    if (rc == 0 && s_out.count != m)
        rc = error_set("[custom_function] the function gave %zu outputs, and now %zu", m, s_out.count);
    memset(axes, 0, m * sizeof *axes);
    if (rc == 0)
        rc = mx_vmap_replace(primals, s_in.items, n, s_out.items, m, in_axes, axes, out);
    mx_arrays_free(&s_in);
    mx_arrays_free(&s_out);
    return rc;
}

/* By the user's rule. */
static int map_custom(const mx_custom_rules *r, const mlx_array *primals, const int *in_axes, size_t n,
                      mlx_array *out, int *axes, size_t m)
{
    mx_arrays made = {0};
    int rc = r->vmap(r->user, primals, in_axes, n, &made, axes, m);
    if (rc || error_pending())
        rc = error_set("[custom_function] the vmap failed");
    else if (made.count < m)
        rc = error_set("[custom_function] the vmap gave %zu outputs, not %zu", made.count, m);
    for (size_t i = 0; i < m && rc == 0; i++) {
        out[i] = made.items[i];
        if (axes[i] < -1 || axes[i] >= mx_ndim(out[i]))
            rc = error_set("[custom_function] the vmap put the axis at %d of an output of %d dimensions",
                           axes[i], mx_ndim(out[i]));
    }
    mx_arrays_free(&made);
    return rc;
}

/* Outputs without an axis are repeated. */
static void repeat(const vmap_args *a, mlx_array *out, int *axes, size_t m)
{
    for (size_t i = 0; i < m; i++)
        if (axes[i] < 0) {
            vmap_args one = {a->n, out + i, axes + i, a->size};
            out[i] = vmap_full(&one, 0);
            axes[i] = 0;
        }
}

void vmap_custom(const vmap_args *a, mlx_array *out, int *axes)
{
    const mx_custom_rules *r = rules_of(a->n);
    const prim_like *p = a->n->params;
    size_t n = (size_t)p->first - 1, m = (size_t)p->count;
    bool mapped = false;
    for (size_t i = 0; i < n; i++)
        mapped |= vmap_is(a, 1 + i);
    if (!mapped) { /* only what the function took from elsewhere is, and so are its outputs */
        memcpy(out, a->in + 1 + n, m * sizeof *out);
        memcpy(axes, a->axes + 1 + n, m * sizeof *axes);
        repeat(a, out, axes, m);
    } else if ((r->vmap ? map_custom : map_function)(r, a->in + 1, a->axes + 1, n, out, axes, m) == 0) {
        repeat(a, out, axes, m);
    }
}
