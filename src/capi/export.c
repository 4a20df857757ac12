/* Functions in files. Keyword arguments go to and from mx/export.h as lists in the order of their names. */
#include "mlx/c/export.h"

#include "base/mem.h"
#include "capi/closure.h"
#include "capi/map.h"
#include "mx/export.h"

#include <stdlib.h>
#include <string.h>

typedef struct keyword {
    const char *name;
    mlx_array value;
} keyword;

/* The entries of a map, sorted by name. */
typedef struct keywords {
    const char **names;
    mlx_array *values;
    size_t n;
} keywords;

static int by_name(const void *a, const void *b)
{
    return strcmp(((const keyword *)a)->name, ((const keyword *)b)->name);
}

static void keywords_free(keywords *k)
{
    mem_free(k->names);
    mem_free(k->values);
}

/* Borrows from the map. 0, or -1 with an error; to be freed in either case. */
static int keywords_of(keywords *k, mlx_map_string_to_array m)
{
    *k = (keywords){0};
    if (!capi_need(m.ctx, "mlx_map_string_to_array"))
        return -1;
    size_t n = capi_map_size(m);
    keyword *sorted = mem_alloc(n, sizeof *sorted);
    k->names = sorted ? mem_alloc(n, sizeof *k->names) : NULL;
    k->values = k->names ? mem_alloc(n, sizeof *k->values) : NULL;
    for (size_t i = 0; k->values && i < n; i++)
        capi_map_entry(m, i, &sorted[i].name, &sorted[i].value);
    if (k->values && n)
        qsort(sorted, n, sizeof *sorted, by_name);
    for (size_t i = 0; k->values && i < n; i++) {
        k->names[i] = sorted[i].name;
        k->values[i] = sorted[i].value;
        k->n = n;
    }
    mem_free(sorted);
    return k->values ? 0 : -1;
}

/* --- writing --- */

/* What is exported: a closure of either kind, and what the call in progress passes by position and by name.
 */
typedef struct exported {
    mlx_closure fun;
    mlx_closure_kwargs kwargs_fun; /* if that is empty */
    mx_function_exporter *exporter;
    size_t n_args;
    const keywords *words;
} exported;

static int call_with_names(exported *e, const mlx_array *in, mx_arrays *out)
{
    mlx_vector_array args = mlx_vector_array_new_data(in, e->n_args), output = {0};
    mlx_map_string_to_array map = mlx_map_string_to_array_new();
    int rc = !args.ctx || !map.ctx;
    for (size_t i = 0; i < e->words->n && !rc; i++)
        rc = mlx_map_string_to_array_insert(map, e->words->names[i], in[e->n_args + i]);
    rc = rc || mlx_closure_kwargs_apply(&output, e->kwargs_fun, args, map);
    mlx_vector_array_free(args);
    mlx_map_string_to_array_free(map);
    if (!rc)
        return capi_take_all(output, out);
    mlx_vector_array_free(output);
    return error_set("[export] the function could not be traced");
}

/* A plain closure is not handed the keyword arguments. */
static int call_exported(void *user, const mlx_array *in, size_t n, mx_arrays *out)
{
    exported *e = user;
    (void)n;
    return e->fun.ctx ? capi_call(&e->fun, in, e->n_args, out) : call_with_names(e, in, out);
}

/* Adds a signature. 0, or -1 with an error. */
static int add(exported *e, mlx_vector_array args, const keywords *words)
{
    size_t n;
    const mlx_array *x = capi_items(args, &n);
    e->n_args = n;
    e->words = words;
    return x ? mx_function_exporter_apply(e->exporter, x, n, words->names, words->values, words->n) : -1;
}

static int export_once(const char *file, exported *e, mlx_vector_array args, const keywords *words,
                       bool shapeless)
{
    if (!capi_text(file, "file"))
        return -1;
    e->exporter = mx_function_exporter_new(file, call_exported, e, shapeless);
    int rc = e->exporter ? add(e, args, words) : -1;
    mx_function_exporter_free(e->exporter);
    return rc;
}

int mlx_export_function(const char *file, const mlx_closure fun, const mlx_vector_array args, bool shapeless)
{
    size_t mark = capi_begin();
    exported e = {.fun = fun};
    int rc = !capi_need(fun.ctx, "mlx_closure") || export_once(file, &e, args, &(keywords){0}, shapeless);
    mx_release(mark);
    return STATUS(rc);
}

int mlx_export_function_kwargs(const char *file, const mlx_closure_kwargs fun, const mlx_vector_array args,
                               const mlx_map_string_to_array kwargs, bool shapeless)
{
    size_t mark = capi_begin();
    exported e = {.kwargs_fun = fun};
    keywords words = {0};
    int rc = !capi_need(fun.ctx, "mlx_closure_kwargs") || keywords_of(&words, kwargs) ||
             export_once(file, &e, args, &words, shapeless);
    keywords_free(&words);
    mx_release(mark);
    return STATUS(rc);
}

mlx_function_exporter mlx_function_exporter_new(const char *file, const mlx_closure fun, bool shapeless)
{
    capi_begin();
    exported *e =
        capi_need(fun.ctx, "mlx_closure") && capi_text(file, "file") ? mem_calloc(1, sizeof *e) : NULL;
    if (e)
        e->exporter = mx_function_exporter_new(file, call_exported, e, shapeless);
    if (!e || !e->exporter) {
        mem_free(e);
        REPORT();
        return (mlx_function_exporter){0};
    }
    e->fun = capi_share(fun);
    return (mlx_function_exporter){e};
}

int mlx_function_exporter_free(mlx_function_exporter xfunc)
{
    exported *e = xfunc.ctx;
    if (e) {
        mx_function_exporter_free(e->exporter);
        mlx_closure_free(e->fun);
    }
    mem_free(e);
    return 0;
}

int mlx_function_exporter_apply(const mlx_function_exporter xfunc, const mlx_vector_array args)
{
    size_t mark = capi_begin();
    exported *e = capi_need(xfunc.ctx, "mlx_function_exporter");
    int rc = !e || add(e, args, &(keywords){0});
    mx_release(mark);
    return STATUS(rc);
}

int mlx_function_exporter_apply_kwargs(const mlx_function_exporter xfunc, const mlx_vector_array args,
                                       const mlx_map_string_to_array kwargs)
{
    size_t mark = capi_begin();
    exported *e = capi_need(xfunc.ctx, "mlx_function_exporter");
    keywords words = {0};
    int rc = !e || keywords_of(&words, kwargs) || add(e, args, &words);
    keywords_free(&words);
    mx_release(mark);
    return STATUS(rc);
}

/* --- reading --- */

mlx_imported_function mlx_imported_function_new(const char *file)
{
    capi_begin();
    mlx_imported_function f = {capi_text(file, "file") ? mx_imported_function_new(file) : NULL};
    if (!f.ctx && file)
        capi_name_op("import_function");
    if (!f.ctx)
        REPORT();
    return f;
}

int mlx_imported_function_free(mlx_imported_function xfunc)
{
    mx_imported_function_free(xfunc.ctx);
    return 0;
}

static int run(mlx_vector_array *res, mlx_imported_function xfunc, mlx_vector_array args,
               const keywords *words, size_t mark)
{
    size_t n;
    const mx_imported_function *f = capi_need(xfunc.ctx, "mlx_imported_function");
    const mlx_array *x = capi_items(args, &n);
    mx_arrays out = {0};
    int rc = !f || !x || mx_imported_function_apply(f, x, n, words->names, words->values, words->n, &out);
    int status = capi_leave_vector(mark, res, out.items, out.count, rc, HERE);
    mx_arrays_free(&out);
    return status;
}

int mlx_imported_function_apply(mlx_vector_array *res, const mlx_imported_function xfunc,
                                const mlx_vector_array args)
{
    return run(res, xfunc, args, &(keywords){0}, capi_begin());
}

int mlx_imported_function_apply_kwargs(mlx_vector_array *res, const mlx_imported_function xfunc,
                                       const mlx_vector_array args, const mlx_map_string_to_array kwargs)
{
    keywords words;
    size_t mark = capi_begin();
    int status = keywords_of(&words, kwargs) ? REPORT() : run(res, xfunc, args, &words, mark);
    keywords_free(&words);
    return status;
}
