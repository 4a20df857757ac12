/* Texts: a box that holds a copy. The empty handle has none. */
#include "capi/capi.h"

#include "base/mem.h"

typedef struct box {
    char *text;
} box;

int capi_set_text(mlx_string *str, const char *text)
{
    char *copy = mem_strdup(text);
    box *b = str->ctx ? str->ctx : copy ? mem_calloc(1, sizeof *b) : NULL;
    if (!copy || !b) {
        mem_free(copy);
        return -1;
    }
    mem_free(b->text);
    b->text = copy;
    str->ctx = b;
    return 0;
}

mlx_string mlx_string_new(void) { return (mlx_string){0}; }

mlx_string mlx_string_new_data(const char *str)
{
    mlx_string made = {0};
    capi_begin();
    if (!capi_need((void *)(uintptr_t)str, "text") || capi_set_text(&made, str))
        REPORT();
    return made;
}

int mlx_string_set(mlx_string *str, const mlx_string src)
{
    capi_begin();
    const box *from = capi_need(src.ctx, "mlx_string");
    return STATUS(!from || capi_set_text(str, from->text));
}

const char *mlx_string_data(mlx_string str)
{
    capi_begin();
    const box *b = capi_need(str.ctx, "mlx_string");
    if (!b)
        REPORT();
    return b ? b->text : NULL;
}

int mlx_string_free(mlx_string str)
{
    box *b = str.ctx;
    if (b)
        mem_free(b->text);
    mem_free(b);
    return 0;
}
