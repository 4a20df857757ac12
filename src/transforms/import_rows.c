/* What must hold between a node's parameters and inputs beyond what import.def can say. Each relation is only
 * asked for nodes that fit the rest of the row. */
#include "array/dtype.h"
#include "transforms/import.h"

#include <string.h>

#define RELATION(name) bool import_##name(const void *params, size_t size, node *const *in, size_t n)
#define UNUSED         (void)params, (void)size, (void)in, (void)n

static int last_of(const node *x) { return x->shape[x->ndim - 1]; }

/* Shapes equal on all axes but one. */
static bool same_but(const node *a, const node *b, int axis)
{
    for (int i = 0; i < a->ndim && a->ndim == b->ndim; i++)
        if (i != axis && a->shape[i] != b->shape[i])
            return false;
    return a->ndim == b->ndim;
}

static bool same_shape(const node *a, const node *b) { return same_but(a, b, -1); }

/* Are these axes of x, each once? */
static bool are_axes(const node *x, const int32_t *axes, size_t n)
{
    uint32_t seen = 0;
    for (size_t i = 0; i < n; i++) {
        if (axes[i] < 0 || axes[i] >= x->ndim || seen >> axes[i] & 1)
            return false;
        seen |= (uint32_t)1 << axes[i];
    }
    return true;
}

static bool are_sizes(const int32_t *sizes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (sizes[i] < 0)
            return false;
    return true;
}

/* --- layout --- */

/* A list of sizes with its length in front, or none for what several inputs broadcast to. */
RELATION(target)
{
    UNUSED;
    const int32_t *p = params;
    if (n > 1)
        return size == 0;
    return size >= sizeof *p && p[0] >= 0 && p[0] <= MX_MAX_DIMS && size == ((size_t)p[0] + 1) * sizeof *p &&
           are_sizes(p + 1, (size_t)p[0]);
}

/* As a target, but one entry may be -1. */
RELATION(open_shape)
{
    UNUSED;
    int32_t copy[MX_MAX_DIMS + 1];
    if (size < sizeof *copy || size > sizeof copy)
        return false;
    memcpy(copy, params, size);
    for (size_t i = 1; i < size / sizeof *copy; i++)
        if (copy[i] == -1) {
            copy[i] = 0;
            break;
        }
    return import_target(copy, size, in, 1);
}

RELATION(numbers)
{
    UNUSED;
    return ((const prim_arange *)params)->dtype != MLX_BOOL;
}

RELATION(permutation)
{
    UNUSED;
    return size == in[0]->ndim * sizeof(int32_t) && are_axes(in[0], params, in[0]->ndim);
}

RELATION(new_axes)
{
    UNUSED;
    const prim_expand_dims *p = params;
    if (size != sizeof *p)
        return false;
    int ndim = in[0]->ndim + __builtin_popcount(p->axes);
    return ndim < 32 && p->axes >> ndim == 0;
}

static bool are_ranges(const prim_range *r, size_t size, const node *x)
{
    if (size != x->ndim * sizeof *r)
        return false;
    for (int i = 0; i < x->ndim; i++) {
        int64_t last = r[i].start + (int64_t)(r[i].size - 1) * r[i].stride;
        if (r[i].size < 0 || r[i].stride == 0 || r[i].size > x->shape[i])
            return false;
        if (r[i].size > 0 && (r[i].start < 0 || r[i].start >= x->shape[i] || last < 0 || last >= x->shape[i]))
            return false;
    }
    return true;
}

RELATION(ranges)
{
    UNUSED;
    return are_ranges(params, size, in[0]);
}

RELATION(slice_update)
{
    UNUSED;
    const prim_slice_update *p = params;
    if (!are_ranges(p->ranges, size - sizeof *p, in[0]) || in[1]->ndim != in[0]->ndim)
        return false;
    for (int i = 0; i < in[0]->ndim; i++)
        if (in[1]->shape[i] != p->ranges[i].size)
            return false;
    return true;
}

RELATION(item)
{
    UNUSED;
    return ((const prim_item *)params)->index < in[0]->n_outputs;
}

RELATION(two_axes)
{
    UNUSED;
    const prim_diagonal *p = params;
    return p->axis1 != p->axis2 && p->offset > -INT32_MAX;
}

RELATION(flatten)
{
    UNUSED;
    const prim_flatten *p = params;
    return p->start <= p->end;
}

RELATION(unflatten)
{
    UNUSED;
    const prim_unflatten *p = params;
    int shape[MX_MAX_DIMS];
    return p->ndim <= MX_MAX_DIMS && size == sizeof *p + (size_t)p->ndim * sizeof(int32_t) &&
           shape_infer((size_t)in[0]->shape[p->axis], p->shape, p->ndim, shape);
}

RELATION(strided)
{
    UNUSED;
    const prim_as_strided *p = params;
    if (size < sizeof *p || p->offset < 0 || p->ndim < 0 || p->ndim > MX_MAX_DIMS ||
        size != sizeof *p + (size_t)p->ndim * sizeof *p->axes)
        return false;
    for (int64_t i = 0; i < p->ndim; i++)
        if (p->axes[i].size < 0 || p->axes[i].size > INT32_MAX)
            return false;
    return true;
}

RELATION(pad)
{
    UNUSED;
    const size_t count = 2 * (size_t)in[0]->ndim;
    return size == count * sizeof(int32_t) && are_sizes(params, count);
}

/* The axes that start positions are for, with `sizes` more ints behind them. */
static bool are_starts(const prim_dynamic_slice *p, size_t size, const node *x, const node *start, int sizes)
{
    size_t count = (size_t)p->count;
    return count <= MX_MAX_DIMS && size == sizeof *p + (count + (size_t)sizes) * sizeof(int32_t) &&
           are_axes(x, p->list, count) && start->ndim <= 1 && start->size == count &&
           are_sizes(p->list + count, (size_t)sizes);
}

RELATION(dynamic_slice)
{
    UNUSED;
    return are_starts(params, size, in[0], in[1], in[0]->ndim);
}

RELATION(dynamic_update)
{
    UNUSED;
    for (int i = 0; i < in[0]->ndim && in[1]->ndim == in[0]->ndim; i++)
        if (in[1]->shape[i] > in[0]->shape[i])
            return false;
    return in[1]->ndim == in[0]->ndim && are_starts(params, size, in[0], in[2], 0);
}

/* --- indices --- */

/* The lists of Gather and Scatter with `count` index arrays: axes that differ, slices that fit. */
static bool picks(const prim_gather *p, size_t size, const node *x, size_t count)
{
    if ((size_t)p->count != count || size != sizeof *p + (count + x->ndim) * sizeof(int32_t) ||
        !are_axes(x, p->list, count))
        return false;
    for (int i = 0; i < x->ndim; i++)
        if (p->list[count + (size_t)i] < 0 || p->list[count + (size_t)i] > x->shape[i])
            return false;
    return true;
}

RELATION(gather) { return picks(params, size, in[0], n - 1); }

RELATION(scatter)
{
    const prim_gather *p = params;
    int shape[MX_MAX_DIMS], merged[MX_MAX_DIMS], ndim = 0;
    if (n < 2 || !picks(p, size, in[0], n - 2))
        return false;
    for (size_t i = 1; i + 1 < n; i++) {
        ndim = shape_broadcast_dims(shape, ndim, in[i]->shape, in[i]->ndim, merged);
        if (ndim < 0)
            return false;
        memcpy(shape, merged, (size_t)ndim * sizeof *shape);
    }
    const node *updates = in[n - 1];
    bool fits = updates->ndim == ndim + in[0]->ndim;
    for (int i = 0; fits && i < updates->ndim; i++)
        fits = updates->shape[i] == (i < ndim ? shape[i] : p->list[p->count + i - ndim]);
    return fits;
}

RELATION(gather_axis)
{
    UNUSED;
    int axis = ((const prim_axis *)params)->axis;
    return same_but(in[0], in[1], axis) && (in[1]->size == 0 || in[0]->shape[axis] > 0);
}

RELATION(scatter_axis)
{
    UNUSED;
    int axis = ((const prim_scatter_axis *)params)->axis;
    return same_but(in[0], in[1], axis) && same_shape(in[1], in[2]) &&
           (in[1]->size == 0 || in[0]->shape[axis] > 0);
}

RELATION(masked_scatter)
{
    UNUSED;
    return same_shape(in[0], in[1]);
}

/* --- reductions --- */

RELATION(reduction)
{
    UNUSED;
    const prim_reduce *p = params;
    return in[0]->size > 0 || (p->kind != PRIM_MAX && p->kind != PRIM_MIN);
}

RELATION(not_empty)
{
    UNUSED;
    return in[0]->size > 0;
}

RELATION(scan)
{
    UNUSED;
    return ((const prim_scan *)params)->kind != PRIM_SCAN_LOGADDEXP || in[0]->dtype >= MLX_FLOAT16;
}

RELATION(partition)
{
    UNUSED;
    const prim_partition *p = params;
    return p->kth < in[0]->shape[p->axis];
}

/* --- products --- */

/* float32 and the halves mix; other dtypes do not. */
static bool may_meet(const node *a, const node *b)
{
    bool wide = a->dtype == MLX_FLOAT64 || b->dtype == MLX_FLOAT64,
         whole = a->dtype == MLX_COMPLEX64 || b->dtype == MLX_COMPLEX64;
    return a->dtype == b->dtype || !(wide || whole);
}

RELATION(product)
{
    UNUSED;
    return may_meet(in[0], in[1]);
}

RELATION(addmm)
{
    UNUSED;
    mlx_dtype t = mx_promote((mlx_dtype)in[0]->dtype, (mlx_dtype)in[1]->dtype);
    return may_meet(in[0], in[1]) && mx_promote(t, (mlx_dtype)in[2]->dtype) == (mlx_dtype)in[2]->dtype &&
           may_meet(in[0], in[2]);
}

RELATION(gather_mm)
{
    UNUSED;
    return may_meet(in[0], in[1]) && same_shape(in[2], in[3]) &&
           last_of(in[0]) == in[1]->shape[in[1]->ndim - 2];
}

RELATION(segmented_mm)
{
    UNUSED;
    return may_meet(in[0], in[1]) && last_of(in[0]) == in[1]->shape[0] && last_of(in[2]) == 2;
}

RELATION(convolution)
{
    UNUSED;
    const prim_conv *p = params;
    const node *x = in[0], *w = in[1];
    enum { MOST = 1 << 20 };
    if (size != sizeof *p || x->ndim > 2 + PRIM_CONV_DIMS || w->ndim != x->ndim || w->shape[0] % p->groups ||
        (int64_t)last_of(w) * p->groups != last_of(x))
        return false;
    for (int i = 0; i < x->ndim - 2; i++)
        if (p->stride[i] < 1 || p->low[i] < 0 || p->high[i] < 0 || p->kernel_dilation[i] < 1 ||
            p->input_dilation[i] < 1 || p->stride[i] > MOST || p->low[i] > MOST || p->high[i] > MOST ||
            p->kernel_dilation[i] > MOST || p->input_dilation[i] > MOST)
            return false;
    return true;
}

/* The last axis is m * 2^k with m one of 1, 12, 20, 28. */
RELATION(hadamard)
{
    UNUSED;
    int length = last_of(in[0]), m = length;
    while (m && m % 2 == 0)
        m /= 2;
    return length > 1 && (m == 1 || ((m == 3 || m == 5 || m == 7) && length % 4 == 0)) &&
           length / (m == 1 ? 1 : 4 * m) <= 1 << 26;
}

/* --- quantized --- */

static bool has_format(const prim_quant *p)
{
    static const uint32_t bits = 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 8;
    return p->bits <= 8 && bits >> p->bits & 1 && (p->group == 32 || p->group == 64 || p->group == 128) &&
           (p->precision != MX_INT8 || p->bits == 4 || p->bits == 8);
}

RELATION(quantize)
{
    UNUSED;
    const prim_quant *p = params;
    return has_format(p) && last_of(in[0]) % p->group == 0;
}

/* Codes in words of 32 bits, with a number or more for each group. */
static bool are_codes(const node *w, const node *scales, int group, int bits)
{
    return same_but(w, scales, w->ndim - 1) && last_of(scales) <= INT32_MAX / group &&
           (int64_t)last_of(w) * 32 == (int64_t)last_of(scales) * group * bits;
}

static bool are_packed(const prim_quant *p, node *const *w)
{
    return has_format(p) && same_shape(w[1], w[2]) && are_codes(w[0], w[1], p->group, p->bits);
}

RELATION(dequantize)
{
    UNUSED;
    return are_packed(params, in);
}

/* Rows of x against a matrix of codes. */
static bool are_factors(const prim_quant *p, node *const *in)
{
    const node *w = in[1];
    return are_packed(p, in + 1) &&
           last_of(in[0]) == (p->transpose ? last_of(in[2]) * p->group : w->shape[w->ndim - 2]);
}

RELATION(quantized_matmul)
{
    UNUSED;
    return are_factors(params, in);
}

RELATION(gather_qmm)
{
    UNUSED;
    return are_factors(params, in) && same_shape(in[4], in[5]);
}

/* mxfp4, mxfp8, nvfp4; the last one alone may have a scale of all, one number after `n` inputs. */
static bool has_float_format(const prim_quant_fp *p, node *const *in, size_t n, size_t scale)
{
    bool nvfp4 = p->group == 16 && p->bits == 4;
    return (nvfp4 || (p->group == 32 && (p->bits == 4 || p->bits == 8))) &&
           (n == scale || (n == scale + 1 && nvfp4 && in[scale]->size == 1));
}

RELATION(quantize_fp)
{
    UNUSED;
    const prim_quant_fp *p = params;
    return has_float_format(p, in, n, 1) && last_of(in[0]) % p->group == 0;
}

RELATION(qqmm)
{
    UNUSED;
    const bool scaled = n == 5;
    return has_float_format(params, in, scaled ? 4 : 3, 3) && (n == 3 || (scaled && in[4]->size == 1));
}

static bool is_single(int dtype)
{
    return dtype == MLX_FLOAT32 || dtype == MLX_FLOAT16 || dtype == MLX_BFLOAT16;
}

RELATION(dequantize_fp)
{
    UNUSED;
    const prim_quant_fp *p = params;
    return has_float_format(p, in, n, 2) && is_single(p->dtype) && are_codes(in[0], in[1], p->group, p->bits);
}

/* To bytes or from them. */
RELATION(convert_fp8)
{
    UNUSED;
    int to = ((const prim_dtype *)params)->dtype;
    return to == MLX_UINT8 ? is_single(in[0]->dtype) : in[0]->dtype == MLX_UINT8 && is_single(to);
}

/* --- layers --- */

/* x, and then as many vectors of its last axis's size as the flags say. */
RELATION(norm)
{
    UNUSED;
    const prim_norm *p = params;
    for (size_t i = 1; i < n; i++)
        if (in[i]->ndim != 1 || in[i]->shape[0] != last_of(in[0]))
            return false;
    return n == 1 + (size_t)p->weight + (size_t)p->bias;
}

RELATION(rope)
{
    UNUSED;
    const prim_rope *p = params;
    const node *freqs = p->freqs && n > 1 ? in[1] : NULL, *offsets = p->offsets ? in[n - 1] : NULL;
    if (p->dims % 2 || p->dims > last_of(in[0]) || n != 1 + (size_t)p->freqs + (size_t)p->offsets)
        return false;
    if (freqs && (freqs->ndim != 1 || freqs->shape[0] != p->dims / 2 || freqs->dtype != MLX_FLOAT32))
        return false;
    return !offsets || (offsets->ndim <= 1 && offsets->dtype == MLX_INT32 &&
                        (offsets->size == 1 || offsets->size == (size_t)in[0]->shape[0]));
}

/* q (B, H, L, D), k (B, Hkv, S, D), v (B, Hkv, S, Dv), mask (B, H, L, S), sinks (H). */
RELATION(attention)
{
    UNUSED;
    const prim_attention *p = params;
    const int *q = in[0]->shape, *k = in[1]->shape, *v = in[2]->shape;
    bool masked = p->mask == MX_MASK_ARRAY;
    if (n != 3 + (size_t)masked + (size_t)p->sinks || q[0] != k[0] || k[0] != v[0] || k[1] <= 0 ||
        q[1] % k[1] || k[1] != v[1] || q[3] != k[3] || k[2] != v[2] ||
        (p->mask == MX_MASK_CAUSAL && q[2] > k[2]))
        return false;
    const node *mask = masked ? in[3] : NULL, *sinks = p->sinks ? in[n - 1] : NULL;
    if (mask && (mask->ndim != 4 || (mask->dtype != MLX_BOOL && mask->dtype != MLX_FLOAT32) ||
                 memcmp(mask->shape, q, 3 * sizeof *q) != 0 || mask->shape[3] != k[2]))
        return false;
    return !sinks || (sinks->ndim == 1 && sinks->shape[0] == q[1] && sinks->dtype == MLX_FLOAT32);
}

RELATION(same_shapes)
{
    UNUSED;
    return same_shape(in[0], in[1]);
}

RELATION(random_bits)
{
    UNUSED;
    const prim_random_bits *p = params;
    return size >= sizeof *p && p->ndim >= 0 && p->ndim <= MX_MAX_DIMS &&
           size == sizeof *p + (size_t)p->ndim * sizeof(int32_t) &&
           (p->width == 1 || p->width == 2 || p->width == 4) && are_sizes(p->shape, (size_t)p->ndim) &&
           last_of(in[0]) == 2;
}

/* --- transforms and matrices --- */

RELATION(fft)
{
    UNUSED;
    const prim_fft *p = params;
    if (size < sizeof *p || p->count < 1 || p->count > MX_MAX_DIMS ||
        size != sizeof *p + (size_t)p->count * sizeof(int32_t) ||
        !are_axes(in[0], p->axes, (size_t)p->count) ||
        in[0]->dtype != (p->real && !p->inverse ? MLX_FLOAT32 : MLX_COMPLEX64))
        return false;
    for (int i = 0; i < p->count; i++)
        if (in[0]->shape[p->axes[i]] == 0)
            return false;
    int there = in[0]->shape[p->axes[p->count - 1]];
    if (!p->real)
        return p->last == there;
    return p->inverse ? p->last / 2 + 1 == there : there / 2 + 1 == p->last;
}

RELATION(square)
{
    UNUSED;
    return last_of(in[0]) == in[0]->shape[in[0]->ndim - 2];
}
