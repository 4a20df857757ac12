/* Files of exported functions: whatever the bytes, an error or a function whose small results can be
 * computed. */
#include "base/error.h"
#include "base/mem.h"
#include "transforms/import.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SMALL = 10000 };

static bool is_small(const graph *g)
{
    for (size_t i = 0; i < g->count; i++)
        if (g->nodes[i]->size > SMALL)
            return false;
    return g->count < 1000 && g->n_outputs < 1000;
}

static int visit(void *user, const graph *g)
{
    (void)user;
    mx_arrays out = {0};
    size_t mark = mx_mark();
    mlx_array *in = mem_alloc(g->n_inputs, sizeof *in);
    for (size_t i = 0; in && i < g->n_inputs; i++)
        in[i] = mx_zeros(g->nodes[i]->shape, g->nodes[i]->ndim, (mlx_dtype)g->nodes[i]->dtype);
    if (in && is_small(g) && graph_replay(g, in, false, &out) == 0)
        mx_eval_all(out.items, out.count);
    mem_free(in);
    mx_arrays_free(&out);
    mx_release(mark);
    error_clear();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mx_imported_function *f = import_read("input", (const char *)data, size);
    if (f)
        import_each(f, visit, NULL);
    mx_imported_function_free(f);
    mx_release(0);
    if (!f && !error_pending())
        abort();
    error_clear();
    return 0;
}
