/* The six kinds of closures. See closure_tmpl.h. */
#include "capi/closure.h"

#include "array/node.h"
#include "base/mem.h"
#include "mlx/c/transforms.h"

#include <string.h>

#define NAME      mlx_closure
#define RESULTS   mlx_vector_array *res
#define INPUTS    const mlx_vector_array input
#define ARGUMENTS res, input
#include "capi/closure_tmpl.h"

#define NAME      mlx_closure_kwargs
#define RESULTS   mlx_vector_array *res
#define INPUTS    const mlx_vector_array input_0, const mlx_map_string_to_array input_1
#define ARGUMENTS res, input_0, input_1
#include "capi/closure_tmpl.h"

#define NAME      mlx_closure_value_and_grad
#define RESULTS   mlx_vector_array *res_0, mlx_vector_array *res_1
#define INPUTS    const mlx_vector_array input
#define ARGUMENTS res_0, res_1, input
#include "capi/closure_tmpl.h"

#define NAME      mlx_closure_custom
#define RESULTS   mlx_vector_array *res
#define INPUTS    const mlx_vector_array input_0, const mlx_vector_array input_1, const mlx_vector_array input_2
#define ARGUMENTS res, input_0, input_1, input_2
#include "capi/closure_tmpl.h"

#define NAME      mlx_closure_custom_jvp
#define RESULTS   mlx_vector_array *res
#define INPUTS    const mlx_vector_array input_0, const mlx_vector_array input_1, const int *input_2, size_t num
#define ARGUMENTS res, input_0, input_1, input_2, num
#include "capi/closure_tmpl.h"

#define NAME      mlx_closure_custom_vmap
#define RESULTS   mlx_vector_array *res_0, mlx_vector_int *res_1
#define INPUTS    const mlx_vector_array input_0, const int *input_1, size_t num
#define ARGUMENTS res_0, res_1, input_0, input_1, num
#include "capi/closure_tmpl.h"

/* --- calling: results are set only when the call has succeeded --- */

/* Ends an _apply whose results are one vector of arrays. */
static int finish(mlx_vector_array *res, mlx_vector_array out, int rc, const char *file, int line)
{
    int status = rc ? capi_report(file, line) : mlx_vector_array_set(res, out);
    mlx_vector_array_free(out);
    return status;
}

int mlx_closure_apply(mlx_vector_array *res, mlx_closure cls, const mlx_vector_array input)
{
    mlx_vector_array out = {0};
    capi_begin();
    int rc = !capi_need(input.ctx, "mlx_vector_array") || mlx_closure_call(cls, &out, input);
    return finish(res, out, rc, HERE);
}

int mlx_closure_kwargs_apply(mlx_vector_array *res, mlx_closure_kwargs cls, const mlx_vector_array input_0,
                             const mlx_map_string_to_array input_1)
{
    mlx_vector_array out = {0};
    capi_begin();
    int rc = !capi_need(input_0.ctx, "mlx_vector_array") ||
             !capi_need(input_1.ctx, "mlx_map_string_to_array") ||
             mlx_closure_kwargs_call(cls, &out, input_0, input_1);
    return finish(res, out, rc, HERE);
}

int mlx_closure_custom_apply(mlx_vector_array *res, mlx_closure_custom cls, const mlx_vector_array input_0,
                             const mlx_vector_array input_1, const mlx_vector_array input_2)
{
    mlx_vector_array out = {0};
    capi_begin();
    int rc = !capi_need(input_0.ctx && input_1.ctx && input_2.ctx ? input_0.ctx : NULL, "mlx_vector_array") ||
             mlx_closure_custom_call(cls, &out, input_0, input_1, input_2);
    return finish(res, out, rc, HERE);
}

int mlx_closure_custom_jvp_apply(mlx_vector_array *res, mlx_closure_custom_jvp cls,
                                 const mlx_vector_array input_0, const mlx_vector_array input_1,
                                 const int *input_2, size_t input_2_num)
{
    mlx_vector_array out = {0};
    capi_begin();
    int rc = !capi_need(input_0.ctx && input_1.ctx ? input_0.ctx : NULL, "mlx_vector_array") ||
             mlx_closure_custom_jvp_call(cls, &out, input_0, input_1, input_2, input_2_num);
    return finish(res, out, rc, HERE);
}

int mlx_closure_value_and_grad_apply(mlx_vector_array *res_0, mlx_vector_array *res_1,
                                     mlx_closure_value_and_grad cls, const mlx_vector_array input)
{
    mlx_vector_array values = {0}, grads = {0};
    capi_begin();
    int rc = !capi_need(input.ctx, "mlx_vector_array") ||
             mlx_closure_value_and_grad_call(cls, &values, &grads, input);
    if (finish(res_0, values, rc, HERE)) {
        mlx_vector_array_free(grads);
        return 1;
    }
    return finish(res_1, grads, 0, HERE);
}

int mlx_closure_custom_vmap_apply(mlx_vector_array *res_0, mlx_vector_int *res_1, mlx_closure_custom_vmap cls,
                                  const mlx_vector_array input_0, const int *input_1, size_t input_1_num)
{
    mlx_vector_array out = {0};
    mlx_vector_int axes = {0};
    capi_begin();
    int rc = !capi_need(input_0.ctx, "mlx_vector_array") ||
             mlx_closure_custom_vmap_call(cls, &out, &axes, input_0, input_1, input_1_num);
    int status = finish(res_0, out, rc, HERE);
    if (!status)
        status = mlx_vector_int_set(res_1, axes);
    mlx_vector_int_free(axes);
    return status;
}

/* --- functions of one array --- */

typedef int (*unary)(mlx_array *res, const mlx_array x);

static int call_unary(mlx_vector_array *res, const mlx_vector_array input, void *payload)
{
    unary *fun = payload;
    mlx_array x = {0}, y = {0};
    int rc = mlx_vector_array_get(&x, input, 0) || (*fun)(&y, x) || mlx_vector_array_set_value(res, y);
    mlx_array_free(x);
    mlx_array_free(y);
    return rc;
}

mlx_closure mlx_closure_new_unary(int (*fun)(mlx_array *, const mlx_array))
{
    capi_begin();
    unary *payload = capi_need(fun ? &fun : NULL, "function") ? mem_alloc(1, sizeof *payload) : NULL;
    if (!payload) {
        REPORT();
        return (mlx_closure){0};
    }
    *payload = fun;
    return mlx_closure_new_func_payload(call_unary, payload, mem_free);
}

/* --- for transforms --- */

mlx_closure capi_share(mlx_closure cls) { return mlx_closure_share(cls); }

int capi_set_closure(mlx_closure *res, int (*fun)(mlx_vector_array *, const mlx_vector_array, void *),
                     void *payload, void (*dtor)(void *))
{
    mlx_closure made = mlx_closure_new_func_payload(fun, payload, dtor);
    if (!made.ctx)
        return 1;
    mlx_closure_free(*res);
    *res = made;
    return 0;
}

int capi_take_all(mlx_vector_array v, mx_arrays *out)
{
    size_t n;
    const mlx_array *x = v.ctx ? capi_items(v, &n) : NULL;
    int rc = 0;
    for (size_t i = 0; x && i < n && rc == 0; i++)
        rc = mx_arrays_add(out, node_temp(node_retain(node_of(x[i]))));
    mlx_vector_array_free(v);
    return rc;
}

int capi_call(void *cls, const mlx_array *in, size_t n, mx_arrays *out)
{
    mlx_vector_array input = mlx_vector_array_new_data(in, n), output = {0};
    int rc = !input.ctx || mlx_closure_call(*(mlx_closure *)cls, &output, input);
    mlx_vector_array_free(input);
    if (!rc)
        return capi_take_all(output, out);
    mlx_vector_array_free(output);
    return error_set("mlx_closure could not be called");
}

int capi_return_vector(size_t mark, mlx_vector_array *res, mx_arrays *out, int rc, const char *file, int line)
{
    bool failed = rc || error_pending();
    int status = failed ? -1 : capi_leave_vector(mark, res, out->items, out->count, 0, file, line);
    mx_arrays_free(out);
    if (failed)
        mx_release(mark);
    return status;
}

int capi_leave_lists(size_t mark, mlx_vector_array *res_0, mx_arrays *x, mlx_vector_array *res_1,
                     mx_arrays *y, int rc, const char *file, int line)
{
    mlx_vector_array first = {0};
    bool failed = rc || error_pending() || mlx_vector_array_set_data(&first, x->items, x->count);
    bool reported = !rc && !error_pending() && failed;
    if (!failed)
        reported = failed =
            mlx_vector_array_set_data(res_1, y->items, y->count) || mlx_vector_array_set(res_0, first);
    mlx_vector_array_free(first);
    mx_arrays_free(x);
    mx_arrays_free(y);
    mx_release(mark);
    return reported ? 1 : failed ? capi_report(file, line) : 0;
}

/* --- functions with rules for transforms --- */

typedef struct custom {
    mlx_closure fun;
    mlx_closure_custom vjp;
    mlx_closure_custom_jvp jvp;
    mlx_closure_custom_vmap vmap;
} custom;

static void custom_release(void *user)
{
    custom *c = user;
    mlx_closure_free(c->fun);
    mlx_closure_custom_free(c->vjp);
    mlx_closure_custom_jvp_free(c->jvp);
    mlx_closure_custom_vmap_free(c->vmap);
    mem_free(c);
}

/* Ends a rule: takes the arrays of v, which is freed. */
static int take_results(const char *rule, mlx_vector_array v, int rc, mx_arrays *out)
{
    if (!rc)
        return capi_take_all(v, out);
    mlx_vector_array_free(v);
    return error_set("[custom_function] the %s could not be called", rule);
}

static int custom_fun(void *user, const mlx_array *in, size_t n, mx_arrays *out)
{
    custom *c = user;
    return capi_call(&c->fun, in, n, out);
}

static int custom_vjp(void *user, const mlx_array *primals, size_t n, const mlx_array *cotangents,
                      const mlx_array *outputs, size_t m, mx_arrays *grads)
{
    const custom *c = user;
    mlx_vector_array p = mlx_vector_array_new_data(primals, n), g = mlx_vector_array_new_data(cotangents, m);
    mlx_vector_array o = mlx_vector_array_new_data(outputs, m), res = {0};
    int rc = !p.ctx || !g.ctx || !o.ctx || mlx_closure_custom_call(c->vjp, &res, p, g, o);
    mlx_vector_array_free(p);
    mlx_vector_array_free(g);
    mlx_vector_array_free(o);
    return take_results("vjp", res, rc, grads);
}

static int custom_jvp(void *user, const mlx_array *primals, size_t n, const mlx_array *tangents,
                      const int *argnums, size_t count, mx_arrays *derivatives)
{
    const custom *c = user;
    mlx_vector_array p = mlx_vector_array_new_data(primals, n), res = {0};
    mlx_vector_array t = mlx_vector_array_new_data(tangents, count);
    int rc = !p.ctx || !t.ctx || mlx_closure_custom_jvp_call(c->jvp, &res, p, t, argnums, count);
    mlx_vector_array_free(p);
    mlx_vector_array_free(t);
    return take_results("jvp", res, rc, derivatives);
}

static int custom_vmap(void *user, const mlx_array *in, const int *axes, size_t n, mx_arrays *out,
                       int *out_axes, size_t m)
{
    const custom *c = user;
    mlx_vector_array x = mlx_vector_array_new_data(in, n), res = {0};
    mlx_vector_int at = {0};
    int rc = !x.ctx || mlx_closure_custom_vmap_call(c->vmap, &res, &at, x, axes, n);
    if (!rc && (!at.ctx || mlx_vector_int_size(at) != m))
        rc = error_set("[custom_function] the vmap gave %zu axes for %zu outputs",
                       at.ctx ? mlx_vector_int_size(at) : 0, m);
    for (size_t i = 0; i < m && !rc; i++)
        rc = mlx_vector_int_get(&out_axes[i], at, i);
    mlx_vector_array_free(x);
    mlx_vector_int_free(at);
    return take_results("vmap", res, rc, out);
}

static int call_custom(mlx_vector_array *res, const mlx_vector_array input, void *payload)
{
    size_t n, mark = capi_begin();
    const mlx_array *x = capi_items(input, &n);
    mx_arrays out = {0};
    int rc = !x || mx_custom_call(payload, x, n, &out);
    return capi_return_vector(mark, res, &out, rc, HERE);
}

static void free_custom(void *payload) { mx_custom_free(payload); }

/* *res becomes fun with rules. */
static int set_custom(mlx_closure *res, mlx_closure fun, custom rules, bool checkpoint, const char *file,
                      int line)
{
    capi_begin();
    custom *c = capi_need(fun.ctx, "mlx_closure") ? mem_alloc(1, sizeof *c) : NULL;
    if (!c)
        return capi_report(file, line);
    c->fun = mlx_closure_share(fun);
    c->vjp = mlx_closure_custom_share(rules.vjp);
    c->jvp = mlx_closure_custom_jvp_share(rules.jvp);
    c->vmap = mlx_closure_custom_vmap_share(rules.vmap);
    mx_custom *made = mx_custom_new(&(mx_custom_rules){.fun = custom_fun,
                                                       .vjp = c->vjp.ctx ? custom_vjp : NULL,
                                                       .jvp = c->jvp.ctx ? custom_jvp : NULL,
                                                       .vmap = c->vmap.ctx ? custom_vmap : NULL,
                                                       .checkpoint = checkpoint,
                                                       .user = c,
                                                       .release = custom_release});
    return made ? capi_set_closure(res, call_custom, made, free_custom) : capi_report(file, line);
}

int mlx_custom_function(mlx_closure *res, const mlx_closure fun, const mlx_closure_custom fun_vjp,
                        const mlx_closure_custom_jvp fun_jvp, const mlx_closure_custom_vmap fun_vmap)
{
    return set_custom(res, fun, (custom){.vjp = fun_vjp, .jvp = fun_jvp, .vmap = fun_vmap}, false, HERE);
}

int mlx_custom_vjp(mlx_closure *res, const mlx_closure fun, const mlx_closure_custom fun_vjp)
{
    return set_custom(res, fun, (custom){.vjp = fun_vjp}, false, HERE);
}

int mlx_checkpoint(mlx_closure *res, const mlx_closure fun)
{
    return set_custom(res, fun, (custom){0}, true, HERE);
}
