/* More nodes from outside: primitives that work along axes, by indices, on matrices and on sequences. See
 * import_check.c. Shape rules check again what depends on the inputs' shapes alone. */
#include "array/dtype.h"
#include "transforms/import.h"

#include <string.h>

#define CHECKER(name) static bool name(const void *params, size_t size, node *const *in, size_t n)

static bool has_axis(const node *x, int axis) { return axis >= 0 && axis < x->ndim; }

static bool is_flag(int32_t v) { return v == 0 || v == 1; }

static bool is_index(const node *x) { return dtype_is_integer((mlx_dtype)x->dtype); }

static bool is_float(const node *x)
{
    return x->dtype == MLX_FLOAT16 || x->dtype == MLX_BFLOAT16 || x->dtype == MLX_FLOAT32;
}

/* Shapes equal on all axes but one. */
static bool same_but(const node *a, const node *b, int axis)
{
    for (int i = 0; i < a->ndim; i++)
        if (i != axis && a->shape[i] != b->shape[i])
            return false;
    return a->ndim == b->ndim;
}

static bool same_shape(const node *a, const node *b) { return same_but(a, b, -1); }

CHECKER(arange)
{
    (void)in, (void)n;
    const prim_arange *p = params;
    return size == sizeof *p && p->count >= 0 && p->dtype > MLX_BOOL && p->dtype < MX_DTYPES;
}

CHECKER(axis)
{
    (void)n;
    const prim_axis *p = params;
    return size == sizeof *p && has_axis(in[0], p->axis);
}

CHECKER(partition)
{
    (void)n;
    const prim_partition *p = params;
    return size == sizeof *p && has_axis(in[0], p->axis) && p->kth >= 0 && p->kth < in[0]->shape[p->axis];
}

CHECKER(scan)
{
    (void)n;
    const prim_scan *p = params;
    return size == sizeof *p && has_axis(in[0], p->axis) && p->kind >= 0 && p->kind < PRIM_SCAN_KINDS &&
           is_flag(p->reverse) && is_flag(p->inclusive) &&
           (p->kind != PRIM_SCAN_LOGADDEXP || in[0]->dtype >= MLX_FLOAT16);
}

CHECKER(flatten)
{
    (void)n;
    const prim_flatten *p = params;
    return size == sizeof *p && has_axis(in[0], p->start) && has_axis(in[0], p->end) && p->start <= p->end;
}

CHECKER(unflatten)
{
    (void)n;
    const prim_unflatten *p = params;
    int shape[MX_MAX_DIMS];
    if (size < sizeof *p || !has_axis(in[0], p->axis) || p->ndim < 1 || p->ndim > MX_MAX_DIMS ||
        size != sizeof *p + (size_t)p->ndim * sizeof(int32_t))
        return false;
    return shape_infer((size_t)in[0]->shape[p->axis], p->shape, p->ndim, shape);
}

CHECKER(pad)
{
    (void)n;
    const prim_pad *p = params;
    if (size != in[0]->ndim * sizeof *p || in[1]->ndim || in[1]->dtype != in[0]->dtype)
        return false;
    for (int i = 0; i < in[0]->ndim; i++)
        if (p[i].low < 0 || p[i].high < 0)
            return false;
    return true;
}

CHECKER(slice_update)
{
    (void)n;
    const prim_slice_update *p = params;
    if (size < sizeof *p || p->mode < PRIM_UPDATE_NONE || p->mode > PRIM_UPDATE_MIN ||
        !import_ranges(p->ranges, size - sizeof *p, in[0]) || in[1]->ndim != in[0]->ndim ||
        in[1]->dtype != in[0]->dtype)
        return false;
    for (int i = 0; i < in[0]->ndim; i++)
        if (in[1]->shape[i] != p->ranges[i].size)
            return false;
    return true;
}

/* The lists of Gather and Scatter with `count` index arrays: axes that differ, slices that fit. */
static bool picks(const prim_gather *p, size_t size, node *const *in, size_t count)
{
    const node *x = in[0];
    uint32_t seen = 0;
    if (size < sizeof *p || p->count < 0 || (size_t)p->count != count ||
        size != sizeof *p + (count + x->ndim) * sizeof(int32_t))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!has_axis(x, p->list[i]) || seen >> p->list[i] & 1 || !is_index(in[1 + i]))
            return false;
        seen |= (uint32_t)1 << p->list[i];
    }
    for (int i = 0; i < x->ndim; i++)
        if (p->list[count + (size_t)i] < 0 || p->list[count + (size_t)i] > x->shape[i])
            return false;
    return true;
}

CHECKER(gather)
{
    return n > 0 && picks(params, size, in, n - 1) && ((const prim_gather *)params)->mode == 0;
}

CHECKER(scatter)
{
    const prim_gather *p = params;
    int shape[MX_MAX_DIMS], merged[MX_MAX_DIMS], ndim = 0;
    if (n < 2 || !picks(p, size, in, n - 2) || p->mode < PRIM_UPDATE_NONE || p->mode > PRIM_UPDATE_MIN)
        return false;
    for (size_t i = 1; i + 1 < n; i++) {
        ndim = shape_broadcast_dims(shape, ndim, in[i]->shape, in[i]->ndim, merged);
        if (ndim < 0)
            return false;
        memcpy(shape, merged, (size_t)ndim * sizeof *shape);
    }
    const node *updates = in[n - 1];
    bool fits = updates->ndim == ndim + in[0]->ndim && updates->dtype == in[0]->dtype;
    for (int i = 0; fits && i < updates->ndim; i++)
        fits = updates->shape[i] == (i < ndim ? shape[i] : p->list[p->count + i - ndim]);
    return fits;
}

CHECKER(gather_axis)
{
    return axis(params, size, in, n) && is_index(in[1]) &&
           same_but(in[0], in[1], ((const prim_axis *)params)->axis) &&
           (in[1]->size == 0 || in[0]->shape[((const prim_axis *)params)->axis] > 0);
}

CHECKER(scatter_axis)
{
    (void)n;
    const prim_scatter_axis *p = params;
    return size == sizeof *p && has_axis(in[0], p->axis) && is_index(in[1]) &&
           same_but(in[0], in[1], p->axis) && same_shape(in[1], in[2]) && in[2]->dtype == in[0]->dtype &&
           p->mode >= PRIM_UPDATE_NONE && p->mode <= PRIM_UPDATE_MIN;
}

CHECKER(addmm)
{
    (void)params, (void)n;
    return size == sizeof(prim_addmm) && in[0]->ndim >= 2 && in[1]->ndim >= 2 && is_float(in[0]) &&
           in[0]->dtype == in[1]->dtype && in[0]->dtype == in[2]->dtype;
}

CHECKER(convolution)
{
    (void)n;
    const prim_conv *p = params;
    const node *x = in[0], *w = in[1];
    enum { MOST = 1 << 20 };
    if (size != sizeof *p || x->ndim < 3 || x->ndim > 2 + PRIM_CONV_DIMS || w->ndim != x->ndim ||
        !is_float(x) || w->dtype != x->dtype || p->groups < 1 || !is_flag(p->flip) ||
        w->shape[0] % p->groups || (int64_t)w->shape[w->ndim - 1] * p->groups != x->shape[x->ndim - 1])
        return false;
    for (int i = 0; i < x->ndim - 2; i++)
        if (p->stride[i] < 1 || p->low[i] < 0 || p->high[i] < 0 || p->kernel_dilation[i] < 1 ||
            p->input_dilation[i] < 1 || p->stride[i] > MOST || p->low[i] > MOST || p->high[i] > MOST ||
            p->kernel_dilation[i] > MOST || p->input_dilation[i] > MOST)
            return false;
    return true;
}

CHECKER(random_bits)
{
    (void)n;
    const prim_random_bits *p = params;
    if (size < sizeof *p || p->ndim < 0 || p->ndim > MX_MAX_DIMS ||
        size != sizeof *p + (size_t)p->ndim * sizeof(int32_t) ||
        (p->width != 1 && p->width != 2 && p->width != 4))
        return false;
    for (int i = 0; i < p->ndim; i++)
        if (p->shape[i] < 0)
            return false;
    return in[0]->dtype == MLX_UINT32 && in[0]->ndim == 1 && in[0]->shape[0] == 2;
}

/* x, and then as many vectors of its last axis's size as the flags say. */
static bool normed(const prim_norm *p, size_t size, node *const *in, size_t n)
{
    const node *x = in[0];
    if (n == 0 || size != sizeof *p || !is_flag(p->weight) || !is_flag(p->bias) || x->ndim == 0 ||
        !is_float(x) || n != 1 + (size_t)p->weight + (size_t)p->bias)
        return false;
    for (size_t i = 1; i < n; i++)
        if (in[i]->ndim != 1 || in[i]->shape[0] != x->shape[x->ndim - 1] || in[i]->dtype != x->dtype)
            return false;
    return true;
}

CHECKER(norm) { return normed(params, size, in, n); }

CHECKER(rope)
{
    const prim_rope *p = params;
    const node *x = in[0];
    if (n == 0 || size != sizeof *p || x->ndim < 3 || !is_float(x) || !is_flag(p->traditional) ||
        p->dims < 2 || p->dims % 2 || p->dims > x->shape[x->ndim - 1] || !is_flag(p->freqs) ||
        p->offsets != 0 || n != 1 + (size_t)p->freqs)
        return false;
    return !p->freqs || (in[1]->ndim == 1 && in[1]->shape[0] == p->dims / 2 && in[1]->dtype == MLX_FLOAT32);
}

/* q (B, H, L, D), k (B, Hkv, S, D), v (B, Hkv, S, Dv), without a mask that is an array and without sinks. */
CHECKER(attention)
{
    const prim_attention *p = params;
    if (n != 3 || size != sizeof *p || (p->mask != MX_MASK_NONE && p->mask != MX_MASK_CAUSAL) ||
        p->sinks != 0)
        return false;
    const node *q = in[0], *k = in[1], *v = in[2];
    for (size_t i = 0; i < n; i++)
        if (in[i]->ndim != 4 || !is_float(in[i]) || in[i]->dtype != q->dtype)
            return false;
    return q->shape[0] == k->shape[0] && k->shape[0] == v->shape[0] && k->shape[1] > 0 &&
           q->shape[1] % k->shape[1] == 0 && k->shape[1] == v->shape[1] && q->shape[3] == k->shape[3] &&
           k->shape[2] == v->shape[2];
}

/* w (N, K * bits / 32), scales and biases (N, K / group). */
static bool quantized(const prim_quant *p, size_t size, const node *w, const node *scales, const node *biases)
{
    static const uint32_t bits = 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 8;
    if (size != sizeof *p || p->bits < 0 || p->bits > 8 || !(bits >> p->bits & 1) || !is_flag(p->transpose) ||
        (p->group != 32 && p->group != 64 && p->group != 128) || !is_flag(p->precision) ||
        (p->precision == MX_INT8 && p->bits != 4 && p->bits != 8))
        return false;
    return w->ndim >= 2 && w->dtype == MLX_UINT32 && is_float(scales) && scales->dtype == biases->dtype &&
           same_shape(scales, biases) && same_but(w, scales, w->ndim - 1) &&
           (int64_t)w->shape[w->ndim - 1] * 32 == (int64_t)scales->shape[w->ndim - 1] * p->group * p->bits;
}

CHECKER(dequantize)
{
    (void)n;
    return quantized(params, size, in[0], in[1], in[2]);
}

CHECKER(quantized_matmul)
{
    (void)n;
    const prim_quant *p = params;
    const node *x = in[0], *w = in[1];
    if (!quantized(p, size, w, in[2], in[3]) || w->ndim != 2 || x->ndim < 1 || !is_float(x))
        return false;
    return x->shape[x->ndim - 1] == (p->transpose ? in[2]->shape[1] * p->group : w->shape[0]);
}

CHECKER(pair)
{
    (void)params, (void)n;
    return size == 0 && same_shape(in[0], in[1]) && in[0]->dtype == in[1]->dtype && is_float(in[0]);
}

import_checker import_checker_of(int prim)
{
    static const import_checker rows[PRIM_COUNT] = {
        [PRIM_Arange] = arange,
        [PRIM_Sort] = axis,
        [PRIM_ArgSort] = axis,
        [PRIM_Partition] = partition,
        [PRIM_ArgPartition] = partition,
        [PRIM_Scan] = scan,
        [PRIM_Flatten] = flatten,
        [PRIM_Unflatten] = unflatten,
        [PRIM_Pad] = pad,
        [PRIM_SliceUpdate] = slice_update,
        [PRIM_Gather] = gather,
        [PRIM_GatherAxis] = gather_axis,
        [PRIM_Scatter] = scatter,
        [PRIM_ScatterAxis] = scatter_axis,
        [PRIM_AddMM] = addmm,
        [PRIM_Convolution] = convolution,
        [PRIM_RandomBits] = random_bits,
        [PRIM_RMSNorm] = norm,
        [PRIM_LayerNorm] = norm,
        [PRIM_RoPE] = rope,
        [PRIM_ScaledDotProductAttention] = attention,
        [PRIM_SwiGLU] = pair,
        [PRIM_Dequantize] = dequantize,
        [PRIM_QuantizedMatmul] = quantized_matmul,
    };
    return rows[prim];
}
