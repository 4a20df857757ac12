/* Shape rules of matrix products, dense and quantized. */
#include "prim/prim.h"

#include "base/error.h"

#include <string.h>

#define PRIM(name, arity, rule, ...) int shape_##rule(node *const *, size_t, const void *, prim_spec *);
#include "prim/prim.def"
#undef PRIM

static mlx_dtype dtype_of(const node *n) { return (mlx_dtype)n->dtype; }

/* (.., M, K) x (.., K, N), batch axes already equal or broadcastable. */
int shape_matmul(node *const *in, size_t n, const void *params, prim_spec *out)
{
    (void)n, (void)params;
    const node *a = in[0], *b = in[1];
    int ndim = shape_broadcast_dims(a->shape, a->ndim - 2, b->shape, b->ndim - 2, out->shape);
    if (ndim < 0 || a->shape[a->ndim - 1] != b->shape[b->ndim - 2])
        return error_set("[matmul] shapes %s and %s do not fit", shape_text(a->shape, a->ndim),
                         shape_text(b->shape, b->ndim));
    out->dtype = mx_promote(dtype_of(a), dtype_of(b));
    out->ndim = ndim + 2;
    out->shape[ndim] = a->shape[a->ndim - 2];
    out->shape[ndim + 1] = b->shape[b->ndim - 1];
    return 1;
}

/* The product's, to which c must broadcast. */
int shape_addmm(node *const *in, size_t n, const void *params, prim_spec *out)
{
    const node *c = in[2];
    int both[MX_MAX_DIMS];
    if (shape_matmul(in, n, params, out) < 0)
        return -1;
    out->dtype = mx_promote(out->dtype, dtype_of(c));
    int ndim = shape_broadcast_dims(out->shape, out->ndim, c->shape, c->ndim, both);
    if (ndim != out->ndim || memcmp(both, out->shape, (size_t)ndim * sizeof *both))
        return error_set("[addmm] c %s does not broadcast to the product's shape %s",
                         shape_text(c->shape, c->ndim), shape_text(out->shape, out->ndim));
    return 1;
}

/* The shape of the indices, then a matrix. */
static int gathered(const node *indices, int rows, int columns, mlx_dtype t, prim_spec *out)
{
    out->dtype = t;
    out->ndim = indices->ndim + 2;
    memcpy(out->shape, indices->shape, indices->ndim * sizeof *out->shape);
    out->shape[out->ndim - 2] = rows;
    out->shape[out->ndim - 1] = columns;
    return 1;
}

int shape_gather_mm(node *const *in, size_t n, const void *params, prim_spec *out)
{
    (void)n, (void)params;
    const node *a = in[0], *b = in[1];
    return gathered(in[2], a->shape[a->ndim - 2], b->shape[b->ndim - 1], mx_promote(dtype_of(a), dtype_of(b)),
                    out);
}

int shape_segmented_mm(node *const *in, size_t n, const void *params, prim_spec *out)
{
    (void)n, (void)params;
    const node *s = in[2];
    if (s->ndim + 1 > MX_MAX_DIMS)
        return error_set("[segmented_mm] the result would have more than %d dimensions", MX_MAX_DIMS);
    out->dtype = mx_promote(dtype_of(in[0]), dtype_of(in[1]));
    out->ndim = s->ndim + 1;
    memcpy(out->shape, s->shape, (size_t)(s->ndim - 1) * sizeof *out->shape);
    out->shape[s->ndim - 1] = in[0]->shape[0];
    out->shape[s->ndim] = in[1]->shape[1];
    return 1;
}

int shape_quantize(node *const *in, size_t n, const void *params, prim_spec *out)
{
    const prim_quant *p = params;
    for (int i = 0; i < 3; i++) {
        shape_same(in, n, params, &out[i]);
        int *last = &out[i].shape[out[i].ndim - 1];
        *last = i == 0 ? (int)((int64_t)*last * p->bits / 32) : *last / p->group;
    }
    out[0].dtype = MLX_UINT32;
    return 3;
}

int shape_dequantize(node *const *in, size_t n, const void *params, prim_spec *out)
{
    const prim_quant *p = params;
    shape_same(in, n, params, out);
    out->dtype = dtype_of(in[1]);
    out->shape[out->ndim - 1] = in[1]->shape[in[1]->ndim - 1] * p->group;
    return 1;
}

int shape_quantized_matmul(node *const *in, size_t n, const void *params, prim_spec *out)
{
    const prim_quant *p = params;
    const node *w = in[1], *scales = in[2];
    shape_same(in, n, params, out);
    out->dtype = mx_promote(dtype_of(in[0]), dtype_of(scales));
    out->shape[out->ndim - 1] =
        p->transpose ? w->shape[w->ndim - 2] : scales->shape[scales->ndim - 1] * p->group;
    return 1;
}

int shape_gather_qmm(node *const *in, size_t n, const void *params, prim_spec *out)
{
    const prim_quant *p = params;
    const node *x = in[0], *w = in[1], *scales = in[2];
    (void)n;
    return gathered(in[4], x->shape[x->ndim - 2],
                    p->transpose ? w->shape[w->ndim - 2] : scales->shape[scales->ndim - 1] * p->group,
                    mx_promote(dtype_of(x), dtype_of(scales)), out);
}

int shape_quantize_fp(node *const *in, size_t n, const void *params, prim_spec *out)
{
    const prim_quant_fp *p = params;
    for (int i = 0; i < 2; i++) {
        shape_same(in, n, params, &out[i]);
        int *last = &out[i].shape[out[i].ndim - 1];
        *last = i == 0 ? (int)((int64_t)*last * p->bits / 32) : *last / p->group;
    }
    out[0].dtype = MLX_UINT32;
    out[1].dtype = MLX_UINT8;
    return 2;
}

int shape_dequantize_fp(node *const *in, size_t n, const void *params, prim_spec *out)
{
    const prim_quant_fp *p = params;
    shape_same(in, n, params, out);
    out->dtype = (mlx_dtype)p->dtype;
    out->shape[out->ndim - 1] = in[1]->shape[in[1]->ndim - 1] * p->group;
    return 1;
}
