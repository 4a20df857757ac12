/* Lists of arrays. */
#include "mx/function.h"

#include "base/error.h"
#include "base/mem.h"

int mx_arrays_add(mx_arrays *list, mlx_array x)
{
    if (mx_is_null(x))
        return error_set("[arrays] a result is null: an operation before failed");
    mlx_array *grown = mem_grow(list->items, &list->capacity, list->count + 1, sizeof *grown);
    if (!grown)
        return -1;
    list->items = grown;
    list->items[list->count++] = x;
    return 0;
}

void mx_arrays_free(mx_arrays *list)
{
    mem_free(list->items);
    *list = (mx_arrays){0};
}
