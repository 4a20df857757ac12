/* Shape rules of recurrences: the rows' results like the values, and the state like the state. */
#include "prim/prim.h"

#define PRIM(name, arity, rule, ...) int shape_##rule(node *const *, size_t, const void *, prim_spec *);
#include "prim/prim.def"
#undef PRIM

static void like(const node *x, prim_spec *out)
{
    *out = (prim_spec){.dtype = MLX_FLOAT32, .ndim = x->ndim};
    for (int i = 0; i < (int)x->ndim; i++)
        out->shape[i] = x->shape[i];
}

int shape_gated_delta(node *const *in, size_t n, const void *params, prim_spec *out)
{
    (void)n;
    (void)params;
    like(in[2], &out[0]);
    like(in[5], &out[1]);
    return 2;
}

int shape_selective_scan(node *const *in, size_t n, const void *params, prim_spec *out)
{
    (void)n;
    (void)params;
    like(in[0], &out[0]);
    like(in[5], &out[1]);
    return 2;
}
