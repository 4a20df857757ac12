/* The six kinds of closures. See closure_tmpl.h. */
#include "capi/closure.h"

#include "array/node.h"
#include "base/mem.h"

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
