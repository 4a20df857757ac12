/* Shape rules of layout: reshapes, broadcasts, pads, views, joins.
 *
 * A shapeless compile calls a rule again with inputs of other shapes than the op has seen, so the rules check
 * what depends on them. */
#include "prim/prim.h"

#include "base/error.h"

#include <string.h>

#define PRIM(name, arity, rule, ...) int shape_##rule(node *const *, size_t, const void *, prim_spec *);
#include "prim/prim.def"
#undef PRIM

int shape_size(const char *op, int64_t v)
{
    if (v >= 0 && v <= INT32_MAX)
        return (int)v;
    return error_set("[%s] Shape dimension %lld is outside the supported range [0, %d]", op, (long long)v,
                     INT32_MAX);
}

bool shape_infer(size_t size, const int *shape, int n, int *out)
{
    size_t known = 1;
    int hole = -1;
    for (int i = 0; i < n; i++) {
        out[i] = shape[i];
        if (shape[i] == -1 && hole < 0)
            hole = i;
        else if (shape[i] < 0 || __builtin_mul_overflow(known, (size_t)shape[i], &known))
            return false;
    }
    if (hole < 0)
        return known == size;
    if (known == 0 || size % known != 0 || size / known > INT32_MAX)
        return false;
    out[hole] = (int)(size / known);
    return true;
}

static void start(const node *x, prim_spec *out)
{
    out->dtype = (mlx_dtype)x->dtype;
    out->ndim = 0;
}

static void append(prim_spec *out, const int *shape, int n)
{
    if (n > 0)
        memcpy(out->shape + out->ndim, shape, (size_t)n * sizeof *shape);
    out->ndim += n;
}

/* Are these dimensions too many? Then with an error. */
static bool too_many(const char *op, int ndim)
{
    if (ndim > MX_MAX_DIMS)
        error_set("[%s] %d dimensions are more than the limit of %d", op, ndim, MX_MAX_DIMS);
    return ndim > MX_MAX_DIMS;
}

/* One input: params are (ndim, shape...). Several: what all broadcast to. */
int shape_target(node *const *in, size_t n, const void *params, prim_spec *out)
{
    int merged[MX_MAX_DIMS];
    start(in[0], out);
    if (n > 1) {
        append(out, in[0]->shape, in[0]->ndim);
        for (size_t i = 1; i < n; i++) {
            int ndim = shape_broadcast_dims(out->shape, out->ndim, in[i]->shape, in[i]->ndim, merged);
            if (ndim < 0)
                return -1;
            out->ndim = 0;
            append(out, merged, ndim);
        }
        return 1;
    }
    const int32_t *p = params;
    if (too_many("broadcast", p[0]))
        return -1;
    append(out, p + 1, p[0]);
    int ndim = shape_broadcast_dims(in[0]->shape, in[0]->ndim, p + 1, p[0], merged);
    if (ndim != p[0] || (ndim && memcmp(merged, p + 1, (size_t)ndim * sizeof *merged) != 0))
        return error_set("[broadcast] shape %s does not broadcast to %s",
                         shape_text(in[0]->shape, in[0]->ndim), shape_text(p + 1, p[0]));
    return 1;
}

int shape_reshape(node *const *in, size_t n, const void *params, prim_spec *out)
{
    (void)n;
    const int32_t *p = params;
    start(in[0], out);
    out->ndim = p[0];
    if (too_many("reshape", p[0]))
        return -1;
    if (!shape_infer(in[0]->size, p + 1, p[0], out->shape))
        return error_set("[reshape] an array of shape %s cannot become %s",
                         shape_text(in[0]->shape, in[0]->ndim), shape_text(p + 1, p[0]));
    return 1;
}

int shape_flatten(node *const *in, size_t n, const void *params, prim_spec *out)
{
    (void)n;
    const prim_flatten *p = params;
    int64_t size = 1;
    for (int i = p->start; i <= p->end; i++)
        if (__builtin_mul_overflow(size, (int64_t)in[0]->shape[i], &size))
            size = INT64_MAX / 2;
    for (int i = p->start; i <= p->end; i++)
        size = in[0]->shape[i] ? size : 0;
    int merged = shape_size("flatten", size);
    if (merged < 0)
        return -1;
    start(in[0], out);
    append(out, in[0]->shape, p->start);
    append(out, &merged, 1);
    append(out, in[0]->shape + p->end + 1, in[0]->ndim - p->end - 1);
    return 1;
}

int shape_unflatten(node *const *in, size_t n, const void *params, prim_spec *out)
{
    (void)n;
    const prim_unflatten *p = params;
    const node *x = in[0];
    int parts[MX_MAX_DIMS];
    if (!shape_infer((size_t)x->shape[p->axis], p->shape, p->ndim, parts))
        return error_set("[unflatten] axis %d of shape %s cannot become %s", p->axis,
                         shape_text(x->shape, x->ndim), shape_text(p->shape, p->ndim));
    if (too_many("unflatten", x->ndim + p->ndim - 1))
        return -1;
    start(x, out);
    append(out, x->shape, p->axis);
    append(out, parts, p->ndim);
    append(out, x->shape + p->axis + 1, x->ndim - p->axis - 1);
    return 1;
}

int shape_expand_dims(node *const *in, size_t n, const void *params, prim_spec *out)
{
    (void)n;
    uint32_t axes = ((const prim_expand_dims *)params)->axes;
    start(in[0], out);
    out->ndim = in[0]->ndim + __builtin_popcount(axes);
    if (too_many("expand_dims", out->ndim))
        return -1;
    for (int i = 0, k = 0; i < out->ndim; i++)
        out->shape[i] = axes >> i & 1 ? 1 : in[0]->shape[k++];
    return 1;
}

int shape_squeeze(node *const *in, size_t n, const void *params, prim_spec *out)
{
    (void)n;
    uint32_t axes = ((const prim_squeeze *)params)->axes;
    start(in[0], out);
    for (int i = 0; i < in[0]->ndim; i++)
        if (!(axes >> i & 1))
            append(out, &in[0]->shape[i], 1);
        else if (in[0]->shape[i] != 1)
            return error_set("[squeeze] axis %d of shape %s is not of size 1", i,
                             shape_text(in[0]->shape, in[0]->ndim));
    return 1;
}

int shape_diagonal(node *const *in, size_t n, const void *params, prim_spec *out)
{
    (void)n;
    const prim_diagonal *p = params;
    int64_t down = p->offset < 0 ? -(int64_t)p->offset : 0, right = p->offset > 0 ? p->offset : 0;
    int64_t a = in[0]->shape[p->axis1] - down, b = in[0]->shape[p->axis2] - right, size = a < b ? a : b;
    start(in[0], out);
    for (int i = 0; i < in[0]->ndim; i++)
        if (i != p->axis1 && i != p->axis2)
            append(out, &in[0]->shape[i], 1);
    out->shape[out->ndim++] = size < 0 ? 0 : (int)size;
    return 1;
}

/* Does every element lie within the input? */
static bool within(const prim_as_strided *p, size_t size)
{
    int64_t low = p->offset, high = p->offset, reach;
    for (int64_t i = 0; i < p->ndim; i++) {
        int64_t *end = p->axes[i].stride < 0 ? &low : &high;
        if (__builtin_mul_overflow(p->axes[i].size - 1, p->axes[i].stride, &reach) ||
            __builtin_add_overflow(*end, reach, end))
            return false;
    }
    return low >= 0 && (uint64_t)high < size;
}

int shape_as_strided(node *const *in, size_t n, const void *params, prim_spec *out)
{
    (void)n;
    const prim_as_strided *p = params;
    bool empty = false;
    start(in[0], out);
    for (int64_t i = 0; i < p->ndim; i++) {
        out->shape[out->ndim++] = (int)p->axes[i].size;
        empty |= p->axes[i].size == 0;
    }
    if (!empty && !within(p, in[0]->size))
        return error_set("[as_strided] shape %s with these strides and offset %lld reaches beyond the %zu "
                         "elements that there are",
                         shape_text(out->shape, out->ndim), (long long)p->offset, in[0]->size);
    return 1;
}

int shape_view(node *const *in, size_t n, const void *params, prim_spec *out)
{
    (void)n;
    start(in[0], out);
    append(out, in[0]->shape, in[0]->ndim);
    out->dtype = (mlx_dtype)((const prim_dtype *)params)->dtype;
    size_t from = node_itemsize(in[0]), to = mx_dtype_size(out->dtype);
    if (from == to)
        return 1;
    if (out->ndim == 0)
        return error_set("[view] a scalar can only be viewed as a dtype of the same size, not %s as %s",
                         mx_dtype_name((mlx_dtype)in[0]->dtype), mx_dtype_name(out->dtype));
    int *last = &out->shape[out->ndim - 1];
    if (*last * from % to != 0)
        return error_set("[view] the last axis of shape %s in %s does not divide into elements of %s",
                         shape_text(in[0]->shape, in[0]->ndim), mx_dtype_name((mlx_dtype)in[0]->dtype),
                         mx_dtype_name(out->dtype));
    *last = shape_size("view", (int64_t)(*last * from / to));
    return *last < 0 ? -1 : 1;
}

int shape_pad(node *const *in, size_t n, const void *params, prim_spec *out)
{
    (void)n;
    const prim_pad *p = params;
    start(in[0], out);
    for (int i = 0; i < in[0]->ndim; i++) {
        out->shape[i] = shape_size("pad", (int64_t)in[0]->shape[i] + p[i].low + p[i].high);
        if (out->shape[i] < 0)
            return -1;
    }
    out->ndim = in[0]->ndim;
    return 1;
}

int shape_dynamic_slice(node *const *in, size_t n, const void *params, prim_spec *out)
{
    (void)n;
    const prim_dynamic_slice *p = params;
    const int32_t *sizes = p->list + p->count;
    start(in[0], out);
    append(out, sizes, in[0]->ndim);
    for (int i = 0; i < in[0]->ndim; i++)
        if (sizes[i] > in[0]->shape[i])
            return error_set("[slice] a slice of shape %s is larger than the array of shape %s",
                             shape_text(sizes, in[0]->ndim), shape_text(in[0]->shape, in[0]->ndim));
    return 1;
}

int shape_number_of_elements(node *const *in, size_t n, const void *params, prim_spec *out)
{
    (void)in, (void)n;
    out->dtype = (mlx_dtype)((const prim_number_of_elements *)params)->dtype;
    out->ndim = 0;
    return 1;
}

int shape_concatenate(node *const *in, size_t n, const void *params, prim_spec *out)
{
    int axis = ((const prim_axis *)params)->axis;
    int64_t total = 0;
    start(in[0], out);
    append(out, in[0]->shape, in[0]->ndim);
    for (size_t i = 0; i < n; i++) {
        bool fits = in[i]->ndim == out->ndim;
        for (int d = 0; fits && d < out->ndim; d++)
            fits = d == axis || in[i]->shape[d] == in[0]->shape[d];
        if (!fits)
            return error_set("[concatenate] shapes %s and %s differ outside axis %d",
                             shape_text(in[0]->shape, in[0]->ndim), shape_text(in[i]->shape, in[i]->ndim),
                             axis);
        total += in[i]->shape[axis];
    }
    out->shape[axis] = shape_size("concatenate", total);
    return out->shape[axis] < 0 ? -1 : 1;
}
