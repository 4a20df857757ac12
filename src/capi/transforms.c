/* Evaluation and transforms. A closure is handed to a transform as a list function (capi_call). */
#include "mlx/c/transforms.h"

#include "base/mem.h"
#include "capi/closure.h"
#include "mlx/c/transforms_impl.h"

#include <string.h>

int mlx_eval(const mlx_vector_array outputs)
{
    size_t n;
    capi_begin();
    const mlx_array *x = capi_items(outputs, &n);
    return STATUS(!x || mx_eval_all(x, n));
}

int mlx_async_eval(const mlx_vector_array outputs)
{
    size_t n;
    capi_begin();
    const mlx_array *x = capi_items(outputs, &n);
    return STATUS(!x || mx_async_eval(x, n));
}

int mlx_vjp(mlx_vector_array *res_0, mlx_vector_array *res_1, const mlx_closure fun,
            const mlx_vector_array primals, const mlx_vector_array cotangents)
{
    size_t n, m, mark = capi_begin();
    mlx_closure f = fun;
    const mlx_array *x = capi_items(primals, &n), *c = capi_items(cotangents, &m);
    mx_arrays outputs = {0}, vjps = {.items = x && c ? capi_room(n) : NULL, .count = n, .capacity = n};
    int rc = !vjps.items || mx_vjp_list(capi_call, &f, x, n, c, m, &outputs, vjps.items);
    return capi_leave_lists(mark, res_0, &outputs, res_1, &vjps, rc, HERE);
}

int mlx_jvp(mlx_vector_array *res_0, mlx_vector_array *res_1, const mlx_closure fun,
            const mlx_vector_array primals, const mlx_vector_array tangents)
{
    size_t n, m, mark = capi_begin();
    mlx_closure f = fun;
    const mlx_array *x = capi_items(primals, &n), *t = capi_items(tangents, &m);
    mx_arrays outputs = {0}, jvps = {0};
    int rc = !x || !t || mx_jvp_list(capi_call, &f, x, n, t, m, &outputs, &jvps);
    return capi_leave_lists(mark, res_0, &outputs, res_1, &jvps, rc, HERE);
}

/* --- gradients by some of the arguments --- */

typedef struct gradient {
    mlx_closure fun;
    size_t n;
    int argnums[];
} gradient;

static void gradient_free(void *payload)
{
    gradient *g = payload;
    mlx_closure_free(g->fun);
    mem_free(g);
}

/* A call: all inputs, of which those that argnums name are replaced by what the transform traces. */
typedef struct gradient_call {
    const gradient *g;
    mlx_array *inputs;
    size_t n;
} gradient_call;

static int call_replaced(void *user, const mlx_array *in, size_t n, mx_arrays *out)
{
    const gradient_call *c = user;
    mlx_array *all = capi_room(c->n);
    if (!all)
        return -1;
    memcpy(all, c->inputs, c->n * sizeof *all);
    for (size_t i = 0; i < n; i++)
        all[c->g->argnums[i]] = in[i];
    mlx_closure fun = c->g->fun;
    int rc = capi_call(&fun, all, c->n, out);
    mem_free(all);
    return rc;
}

static int call_gradient(mlx_vector_array *values, mlx_vector_array *grads, const mlx_vector_array input,
                         void *payload)
{
    const gradient *g = payload;
    size_t n, mark = capi_begin();
    const mlx_array *x = capi_items(input, &n);
    mx_arrays outputs = {0}, by = {.items = capi_room(g->n), .count = g->n, .capacity = g->n};
    mlx_array *chosen = capi_room(g->n);
    int rc = !x || !by.items || !chosen;
    for (size_t i = 0; i < g->n && !rc; i++)
        if (g->argnums[i] >= 0 && (size_t)g->argnums[i] < n)
            chosen[i] = x[g->argnums[i]];
        else
            rc = error_set("[value_and_grad] there is no argument %d among %zu", g->argnums[i], n);
    gradient_call c = {g, (mlx_array *)(uintptr_t)x, n};
    rc = rc || mx_grad_list(call_replaced, &c, chosen, g->n, &outputs, by.items);
    mem_free(chosen);
    if (!rc && !error_pending())
        return capi_leave_lists(mark, values, &outputs, grads, &by, 0, HERE);
    mx_arrays_free(&outputs);
    mx_arrays_free(&by);
    mx_release(mark);
    return -1; /* what called the closure reports the error */
}

/* Is there an argument, and none twice? */
static bool are_distinct(const int *argnums, size_t n)
{
    if (n == 0)
        error_set("[value_and_grad] there must be an argument to differentiate by");
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            if (argnums[i] == argnums[j])
                error_set("[value_and_grad] argument %d is listed twice", argnums[i]);
    return !error_pending();
}

int mlx_value_and_grad(mlx_closure_value_and_grad *res, const mlx_closure fun, const int *argnums,
                       size_t argnums_num)
{
    capi_begin();
    bool fits = capi_need(fun.ctx, "mlx_closure") && are_distinct(capi_ints(argnums), argnums_num);
    gradient *g = fits ? mem_alloc(1, sizeof *g + argnums_num * sizeof(int)) : NULL;
    if (!g)
        return REPORT();
    g->fun = capi_share(fun);
    g->n = argnums_num;
    memcpy(g->argnums, argnums, argnums_num * sizeof(int));
    mlx_closure_value_and_grad made =
        mlx_closure_value_and_grad_new_func_payload(call_gradient, g, gradient_free);
    if (!made.ctx)
        return 1;
    mlx_closure_value_and_grad_free(*res);
    *res = made;
    return 0;
}

/* --- the parts of vmap --- */

/* Is there an axis for each of n arrays? */
static bool axis_each(const char *what, size_t axes, size_t n)
{
    if (axes != n)
        error_set("[vmap] %zu %s axes for %zu arrays", axes, what, n);
    return axes == n;
}

int mlx_detail_vmap_trace(mlx_vector_array *res_0, mlx_vector_array *res_1, const mlx_closure fun,
                          const mlx_vector_array inputs, const int *in_axes, size_t in_axes_num)
{
    size_t n, mark = capi_begin();
    mlx_closure f = fun;
    const mlx_array *x = capi_items(inputs, &n);
    mx_arrays s_in = {0}, s_out = {0};
    int rc = !x || !axis_each("input", in_axes_num, n) ||
             mx_vmap_trace(capi_call, &f, x, n, capi_ints(in_axes), &s_in, &s_out);
    return capi_leave_lists(mark, res_0, &s_in, res_1, &s_out, rc, HERE);
}

int mlx_detail_vmap_replace(mlx_vector_array *res, const mlx_vector_array inputs,
                            const mlx_vector_array s_inputs, const mlx_vector_array s_outputs,
                            const int *in_axes, size_t in_axes_num, const int *out_axes, size_t out_axes_num)
{
    size_t n, traced, m, mark = capi_begin();
    const mlx_array *x = capi_items(inputs, &n), *s_in = capi_items(s_inputs, &traced);
    const mlx_array *s_out = capi_items(s_outputs, &m);
    mlx_array *out = x && s_in && s_out ? capi_room(m) : NULL;
    if (out && traced != n)
        error_set("[vmap] %zu inputs for %zu that were traced", n, traced);
    int rc = !out || traced != n || !axis_each("input", in_axes_num, n) ||
             !axis_each("output", out_axes_num, m) ||
             mx_vmap_replace(x, s_in, n, s_out, m, capi_ints(in_axes), capi_ints(out_axes), out);
    return capi_leave_room(mark, res, out, m, rc, HERE);
}
