/* Shape rules: what a primitive's results look like. Named by the rows of prim.def. */
#include "prim/prim.h"

#include "array/dtype.h"
#include "base/error.h"

#include <stdio.h>
#include <string.h>

#define PRIM(name, arity, rule, ...) int shape_##rule(node *const *, size_t, const void *, prim_spec *);
#include "prim/prim.def"
#undef PRIM

int shape_broadcast_dims(const int *a, int na, const int *b, int nb, int *out)
{
    int n = na > nb ? na : nb;
    for (int i = 1; i <= n; i++) {
        int x = i <= na ? a[na - i] : 1, y = i <= nb ? b[nb - i] : 1;
        if (x != y && x != 1 && y != 1)
            return -1;
        out[n - i] = x == 1 ? y : x;
    }
    return n;
}

const char *shape_text(const int *shape, int ndim)
{
    static _Thread_local char texts[4][160];
    static _Thread_local int turn;
    char *p = texts[turn++ & 3], *end = p + sizeof texts[0];
    char *start = p;
    p += snprintf(p, (size_t)(end - p), "(");
    for (int i = 0; i < ndim && p < end - 16; i++)
        p += snprintf(p, (size_t)(end - p), i ? ", %d" : "%d", shape[i]);
    snprintf(p, (size_t)(end - p), ndim == 1 ? ",)" : ")");
    return start;
}

static void set(prim_spec *out, mlx_dtype dtype, const int *shape, int ndim)
{
    out->dtype = dtype;
    out->ndim = ndim;
    memcpy(out->shape, shape, (size_t)ndim * sizeof *shape);
}

static mlx_dtype dtype_of(const node *n) { return (mlx_dtype)n->dtype; }

int shape_same(node *const *in, size_t n, const void *params, prim_spec *out)
{
    (void)n, (void)params;
    set(out, dtype_of(in[0]), in[0]->shape, in[0]->ndim);
    return 1;
}

int shape_boolean(node *const *in, size_t n, const void *params, prim_spec *out)
{
    shape_same(in, n, params, out);
    out->dtype = MLX_BOOL;
    return 1;
}

int shape_indices(node *const *in, size_t n, const void *params, prim_spec *out)
{
    shape_same(in, n, params, out);
    out->dtype = MLX_UINT32;
    return 1;
}

/* Inputs may be of different shapes: kernels read repeated axes with stride 0. Fails in silence: prim.c knows
 * who. */
int shape_broadcast(node *const *in, size_t n, const void *params, prim_spec *out)
{
    (void)n, (void)params;
    out->dtype = dtype_of(in[0]);
    out->ndim = shape_broadcast_dims(in[0]->shape, in[0]->ndim, in[1]->shape, in[1]->ndim, out->shape);
    return out->ndim < 0 ? -1 : 1;
}

int shape_compare(node *const *in, size_t n, const void *params, prim_spec *out)
{
    int rc = shape_broadcast(in, n, params, out);
    out->dtype = MLX_BOOL;
    return rc;
}

int shape_select(node *const *in, size_t n, const void *params, prim_spec *out)
{
    int rc = shape_broadcast(in + 1, n, params, out), all[MX_MAX_DIMS];
    if (rc < 0)
        return rc;
    int ndim = shape_broadcast_dims(in[0]->shape, in[0]->ndim, out->shape, out->ndim, all);
    if (ndim < 0)
        return -1;
    set(out, out->dtype, all, ndim);
    return 1;
}

int shape_astype(node *const *in, size_t n, const void *params, prim_spec *out)
{
    shape_same(in, n, params, out);
    out->dtype = (mlx_dtype)((const prim_dtype *)params)->dtype;
    return 1;
}

int shape_arange(node *const *in, size_t n, const void *params, prim_spec *out)
{
    (void)in, (void)n;
    const prim_arange *p = params;
    set(out, (mlx_dtype)p->dtype, &p->count, 1);
    return 1;
}

int shape_load(node *const *in, size_t n, const void *params, prim_spec *out)
{
    (void)in, (void)n;
    const prim_load *p = params;
    set(out, (mlx_dtype)p->dtype, p->shape, p->ndim);
    return 1;
}

int shape_transpose(node *const *in, size_t n, const void *params, prim_spec *out)
{
    const int32_t *axes = params;
    shape_same(in, n, params, out);
    for (int i = 0; i < out->ndim; i++)
        out->shape[i] = in[0]->shape[axes[i]];
    return 1;
}

int shape_slice(node *const *in, size_t n, const void *params, prim_spec *out)
{
    const prim_range *r = params;
    shape_same(in, n, params, out);
    for (int i = 0; i < out->ndim; i++)
        out->shape[i] = r[i].size;
    return 1;
}

int shape_item(node *const *in, size_t n, const void *params, prim_spec *out)
{
    (void)n;
    const node *source = in[0]->outputs[((const prim_item *)params)->index];
    set(out, dtype_of(source), source->shape, source->ndim);
    return 1;
}

/* The broadcast shape of the indices, then the slice. */
int shape_gather(node *const *in, size_t n, const void *params, prim_spec *out)
{
    const prim_gather *p = params;
    out->dtype = dtype_of(in[0]);
    out->ndim = 0;
    for (size_t i = 1; i < n; i++) {
        int merged[MX_MAX_DIMS];
        int ndim = shape_broadcast_dims(out->shape, out->ndim, in[i]->shape, in[i]->ndim, merged);
        if (ndim < 0)
            return -1;
        set(out, out->dtype, merged, ndim);
    }
    if (out->ndim + in[0]->ndim > MX_MAX_DIMS)
        return error_set("[gather] the result would have more than %d dimensions", MX_MAX_DIMS);
    for (int i = 0; i < in[0]->ndim; i++)
        out->shape[out->ndim++] = p->list[p->count + i];
    return 1;
}

int shape_gather_axis(node *const *in, size_t n, const void *params, prim_spec *out)
{
    (void)n, (void)params;
    set(out, dtype_of(in[0]), in[1]->shape, in[1]->ndim);
    return 1;
}

/* Sums of small integers widen to 32 bits, as MLX does. */
static mlx_dtype reduced_dtype(int kind, mlx_dtype t)
{
    if (kind == PRIM_ALL || kind == PRIM_ANY)
        return MLX_BOOL;
    if (kind != PRIM_SUM && kind != PRIM_PROD)
        return t;
    if (t == MLX_UINT8 || t == MLX_UINT16)
        return MLX_UINT32;
    return t == MLX_BOOL || t == MLX_INT8 || t == MLX_INT16 ? MLX_INT32 : t;
}

int shape_reduce(node *const *in, size_t n, const void *params, prim_spec *out)
{
    const prim_reduce *p = params;
    shape_same(in, n, params, out);
    out->dtype = reduced_dtype(p->kind, out->dtype);
    for (int i = 0; i < out->ndim; i++)
        if (p->axes >> i & 1)
            out->shape[i] = 1;
    return 1;
}

int shape_arg_reduce(node *const *in, size_t n, const void *params, prim_spec *out)
{
    shape_same(in, n, params, out);
    out->dtype = MLX_UINT32;
    out->shape[((const prim_arg_reduce *)params)->axis] = 1;
    return 1;
}

int shape_reduce_last(node *const *in, size_t n, const void *params, prim_spec *out)
{
    shape_same(in, n, params, out);
    out->shape[out->ndim - 1] = 1;
    return 1;
}

int shape_attention(node *const *in, size_t n, const void *params, prim_spec *out)
{
    shape_same(in, n, params, out);
    out->shape[3] = in[2]->shape[3];
    return 1;
}

int shape_random_bits(node *const *in, size_t n, const void *params, prim_spec *out)
{
    (void)n;
    const prim_random_bits *p = params;
    int keys = in[0]->ndim - 1;
    if (keys + p->ndim > MX_MAX_DIMS)
        return error_set("[bits] the result would have more than %d dimensions", MX_MAX_DIMS);
    set(out, p->width == 4 ? MLX_UINT32 : p->width == 2 ? MLX_UINT16 : MLX_UINT8, in[0]->shape, keys);
    for (int i = 0; i < p->ndim; i++)
        out->shape[out->ndim++] = p->shape[i];
    return 1;
}
