/* Shape rules of elementwise primitives whose result has another dtype. */
#include "prim/prim.h"

#define PRIM(name, arity, rule, ...) int shape_##rule(node *const *, size_t, const void *, prim_spec *);
#include "prim/prim.def"
#undef PRIM

/* A real number for each complex one. */
int shape_part(node *const *in, size_t n, const void *params, prim_spec *out)
{
    shape_same(in, n, params, out);
    if (out->dtype == MLX_COMPLEX64)
        out->dtype = MLX_FLOAT32;
    return 1;
}
