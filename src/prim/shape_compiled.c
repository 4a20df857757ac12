/* Groups of elementwise operations: which primitives can be in one, and the shape of the result. */
#include "prim/prim.h"

#include <string.h>

#define PRIM(name, arity, rule, ...) int shape_##rule(node *const *, size_t, const void *, prim_spec *);
#include "prim/prim.def"
#undef PRIM

int prim_compiled_arity(int prim)
{
    switch (prim) {
#define UNARY(name, Prim, ...) case PRIM_##Prim:
#include "mx_unary.def"
#undef UNARY
    case PRIM_AsType:
        return 1;
#define BINARY(name, Prim, ...) case PRIM_##Prim:
#include "mx_binary.def"
#undef BINARY
        return 2;
    case PRIM_Select:
        return 3;
    default:
        return 0;
    }
}

/* Inputs broadcast together, whatever operation reads them. */
int shape_compiled(node *const *in, size_t n, const void *params, prim_spec *out)
{
    const prim_compiled *p = params;
    int shape[MX_MAX_DIMS], ndim = 0, results = 0;
    out->ndim = 0;
    for (size_t i = 0; i < n; i++) {
        ndim = shape_broadcast_dims(in[i]->shape, in[i]->ndim, out->shape, out->ndim, shape);
        if (ndim < 0)
            return -1;
        out->ndim = ndim;
        memcpy(out->shape, shape, (size_t)ndim * sizeof *shape);
    }
    for (int i = 0; i < p->count; i++) {
        int result = p->ops[i].result - 1;
        if (result < 0)
            continue;
        out[result].dtype = (mlx_dtype)p->ops[i].to;
        out[result].ndim = ndim;
        memcpy(out[result].shape, shape, (size_t)ndim * sizeof *shape);
        results++;
    }
    return results;
}
