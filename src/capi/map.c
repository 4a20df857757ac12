/* The two kinds of maps. See map_tmpl.h. */
#include "mlx/c/map.h"

#include "base/map.h"
#include "base/mem.h"
#include "capi/map.h"

#include <string.h>

static int copy_array(mlx_array *to, mlx_array from)
{
    *to = MX_NULL;
    if (mx_is_null(capi_in(from)))
        return -1;
    mx_set(to, from);
    return 0;
}

#define NAME             mlx_map_string_to_array
#define VALUE            mlx_array
#define INPUT            const mlx_array
#define RESULT           mlx_array
#define COPY(to, from)   copy_array(to, from)
#define DROP(value)      mlx_array_free(value)
#define GIVE(res, value) mx_set(res, value)
#include "capi/map_tmpl.h"

static int copy_text(char **to, const char *from)
{
    *to = capi_need((void *)(uintptr_t)from, "text") ? mem_strdup(from) : NULL;
    return *to ? 0 : -1;
}

#define NAME             mlx_map_string_to_string
#define VALUE            char *
#define INPUT            const char *
#define RESULT           const char *
#define COPY(to, from)   copy_text(to, from)
#define DROP(value)      mem_free(value)
#define GIVE(res, value) *(res) = (value)
#include "capi/map_tmpl.h"

size_t capi_map_size(mlx_map_string_to_array m)
{
    const mlx_map_string_to_array_box *b = m.ctx;
    return b ? b->size : 0;
}

void capi_map_entry(mlx_map_string_to_array m, size_t i, const char **key, mlx_array *value)
{
    const mlx_map_string_to_array_box *b = m.ctx;
    *key = b->entries[i].key;
    *value = b->entries[i].value;
}

size_t capi_text_map_size(mlx_map_string_to_string m)
{
    const mlx_map_string_to_string_box *b = m.ctx;
    return b ? b->size : 0;
}

void capi_text_map_entry(mlx_map_string_to_string m, size_t i, const char **key, const char **value)
{
    const mlx_map_string_to_string_box *b = m.ctx;
    *key = b->entries[i].key;
    *value = b->entries[i].value;
}
