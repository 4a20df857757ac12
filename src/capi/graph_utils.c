/* Graphs as text. */
#include "mlx/c/graph_utils.h"

#include "capi/capi.h"
#include "mx/export.h"

#if MLX_C_ABI >= MLX_C_ABI_0_6_0_PLUS_4

mlx_node_namer mlx_node_namer_new(void)
{
    capi_begin();
    mlx_node_namer namer = {mx_node_namer_new()};
    if (!namer.ctx)
        REPORT();
    return namer;
}

int mlx_node_namer_free(mlx_node_namer namer)
{
    mx_node_namer_free(namer.ctx);
    return 0;
}

int mlx_node_namer_set_name(mlx_node_namer namer, const mlx_array arr, const char *name)
{
    capi_begin();
    mx_node_namer *n = capi_need(namer.ctx, "mlx_node_namer");
    return STATUS(!n || mx_is_null(capi_in(arr)) || !capi_text(name, "name") ||
                  mx_node_namer_set_name(n, arr, name));
}

int mlx_node_namer_get_name(const char **name, mlx_node_namer namer, const mlx_array arr)
{
    capi_begin();
    mx_node_namer *n = capi_need(namer.ctx, "mlx_node_namer");
    const char *found = n && !mx_is_null(capi_in(arr)) ? mx_node_namer_get_name(n, arr) : NULL;
    if (found)
        *name = found;
    return STATUS(!found);
}

typedef int (*writer)(FILE *file, mx_node_namer *namer, const mlx_array *outputs, size_t n);

static int write_graph(writer write, FILE *os, mlx_node_namer namer, mlx_vector_array outputs)
{
    size_t n;
    capi_begin();
    mx_node_namer *names = capi_need(namer.ctx, "mlx_node_namer");
    const mlx_array *x = capi_items(outputs, &n);
    return !capi_need(os, "FILE") || !names || !x ? -1 : write(os, names, x, n);
}

int mlx_export_to_dot(FILE *os, const mlx_node_namer namer, const mlx_vector_array outputs)
{
    return STATUS(write_graph(mx_export_to_dot, os, namer, outputs));
}

int mlx_print_graph(FILE *os, const mlx_node_namer namer, const mlx_vector_array outputs)
{
    return STATUS(write_graph(mx_print_graph, os, namer, outputs));
}

#endif
