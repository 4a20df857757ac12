/* The four kinds of vectors. See vector_tmpl.h. */
#include "mlx/c/vector.h"

#include "array/node.h"
#include "base/mem.h"
#include "capi/capi.h"

#include <string.h>

/* --- arrays: shares --- */

static int copy_array(mlx_array *to, mlx_array from)
{
    *to = MX_NULL;
    if (mx_is_null(capi_in(from)))
        return -1;
    mx_set(to, from);
    return 0;
}

static int give_array(mlx_array *res, mlx_array entry)
{
    mx_set(res, entry);
    return 0;
}

#define NAME             mlx_vector_array
#define ENTRY            mlx_array
#define DATA             const mlx_array *
#define VALUE            const mlx_array
#define RESULT           mlx_array
#define COPY(to, from)   copy_array(to, from)
#define DROP(entry)      mlx_array_free(entry)
#define GIVE(res, entry) give_array(res, entry)
#include "capi/vector_tmpl.h"

const mlx_array *capi_items(mlx_vector_array v, size_t *n)
{
    static const mlx_array none;
    const mlx_vector_array_box *b = capi_need(v.ctx, "mlx_vector_array");
    *n = b ? b->size : 0;
    return !b ? NULL : b->entries ? b->entries : &none;
}

/* --- vectors of arrays: copies --- */

static int copy_vector(mlx_vector_array *to, mlx_vector_array from)
{
    size_t n;
    const mlx_array *items = capi_items(from, &n);
    *to = (mlx_vector_array){0};
    return items ? mlx_vector_array_assign(to, items, n) : -1;
}

static int give_vector(mlx_vector_array *res, mlx_vector_array entry)
{
    size_t n;
    const mlx_array *items = capi_items(entry, &n);
    return mlx_vector_array_assign(res, items, n);
}

#define NAME             mlx_vector_vector_array
#define ENTRY            mlx_vector_array
#define DATA             const mlx_vector_array *
#define VALUE            const mlx_vector_array
#define RESULT           mlx_vector_array
#define COPY(to, from)   copy_vector(to, from)
#define DROP(entry)      mlx_vector_array_free(entry)
#define GIVE(res, entry) give_vector(res, entry)
#include "capi/vector_tmpl.h"

/* --- numbers --- */

#define NAME             mlx_vector_int
#define ENTRY            int
#define DATA             int *
#define VALUE            int
#define RESULT           int
#define COPY(to, from)   (*(to) = (from), 0)
#define DROP(entry)      (void)(entry)
#define GIVE(res, entry) (*(res) = (entry), 0)
#include "capi/vector_tmpl.h"

/* --- texts: copies --- */

static int copy_text(char **to, const char *from)
{
    *to = capi_need((void *)(uintptr_t)from, "text") ? mem_strdup(from) : NULL;
    return *to ? 0 : -1;
}

#define NAME             mlx_vector_string
#define ENTRY            char *
#define DATA             const char **
#define VALUE            const char *
#define RESULT           char *
#define COPY(to, from)   copy_text(to, from)
#define DROP(entry)      mem_free(entry)
#define GIVE(res, entry) (*(res) = (entry), 0)
#include "capi/vector_tmpl.h"

const char *const *capi_texts(mlx_vector_string v, size_t *n)
{
    static const char *const none;
    const mlx_vector_string_box *b = capi_need(v.ctx, "mlx_vector_string");
    *n = b ? b->size : 0;
    return !b ? NULL : b->entries ? (const char *const *)b->entries : &none;
}
