/* Shape rules of searching. */
#include "prim/prim.h"

#include <string.h>

int shape_search_sorted(node *const *in, size_t n, const void *params, prim_spec *out);

/* A position for each value. */
int shape_search_sorted(node *const *in, size_t n, const void *params, prim_spec *out)
{
    (void)n, (void)params;
    out->dtype = MLX_UINT32;
    out->ndim = in[1]->ndim;
    memcpy(out->shape, in[1]->shape, in[1]->ndim * sizeof *out->shape);
    return 1;
}
