/* Shape rules of the paged cache. */
#include "prim/prim.h"

#define PRIM(name, arity, rule, ...) int shape_##rule(node *const *, size_t, const void *, prim_spec *);
#include "prim/prim.def"
#undef PRIM

int shape_kv_read(node *const *in, size_t n, const void *params, prim_spec *out)
{
    const prim_kv *p = params;
    (void)n;
    *out = (prim_spec){.dtype = MLX_FLOAT32, .ndim = 3};
    out->shape[0] = in[1]->shape[0];
    out->shape[1] = p->layout.heads;
    out->shape[2] = p->values ? mx_kv_values(&p->layout) : p->layout.k_dim;
    return 1;
}

int shape_paged_attention(node *const *in, size_t n, const void *params, prim_spec *out)
{
    const prim_paged *p = params;
    (void)n;
    *out = (prim_spec){.dtype = (mlx_dtype)in[0]->dtype, .ndim = 3};
    out->shape[0] = in[0]->shape[0];
    out->shape[1] = in[0]->shape[1];
    out->shape[2] = mx_kv_values(&p->params.layout);
    return 1;
}
