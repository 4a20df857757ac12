/* What must hold beyond import.def for products, quantized matrices, layers of models and linear algebra. See
 * import_rows.c. */
#include "transforms/import.h"

#include <string.h>

#define RELATION(name) bool import_##name(const void *params, size_t size, node *const *in, size_t n)
#define UNUSED         (void)params, (void)size, (void)in, (void)n

static int last_of(const node *x) { return x->shape[x->ndim - 1]; }

static bool same_shape(const node *a, const node *b) { return import_same_but(a, b, -1); }

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
    return import_same_but(w, scales, w->ndim - 1) && last_of(scales) <= INT32_MAX / group &&
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
           (p->width == 1 || p->width == 2 || p->width == 4) && import_sizes(p->shape, (size_t)p->ndim) &&
           last_of(in[0]) == 2;
}

/* --- transforms and matrices --- */

RELATION(fft)
{
    UNUSED;
    const prim_fft *p = params;
    if (size < sizeof *p || p->count < 1 || p->count > MX_MAX_DIMS ||
        size != sizeof *p + (size_t)p->count * sizeof(int32_t) ||
        !import_axes(in[0], p->axes, (size_t)p->count) ||
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
