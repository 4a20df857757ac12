/* Nodes from outside: a primitive's parameters against its inputs, so that neither its shape rule nor its
 * evaluation meets what no operation would have made. */
#include "base/error.h"
#include "transforms/import.h"

#include <string.h>

static bool none(const void *params, size_t size, node *const *in, size_t n)
{
    (void)params, (void)in, (void)n;
    return size == 0;
}

static bool dense(const void *params, size_t size, node *const *in, size_t n)
{
    (void)params, (void)in, (void)n;
    return size == sizeof(prim_contiguous);
}

static bool same_dtypes(const void *params, size_t size, node *const *in, size_t n)
{
    (void)params;
    for (size_t i = 1; i < n; i++)
        if (in[i]->dtype != in[0]->dtype)
            return false;
    return size == 0;
}

static bool select(const void *params, size_t size, node *const *in, size_t n)
{
    (void)params, (void)n;
    return size == 0 && in[0]->dtype == MLX_BOOL && in[1]->dtype == in[2]->dtype;
}

static bool dtype(const void *params, size_t size, node *const *in, size_t n)
{
    (void)in, (void)n;
    const prim_dtype *p = params;
    return size == sizeof *p && p->dtype >= 0 && p->dtype < MX_DTYPES;
}

static bool shape(const void *params, size_t size, node *const *in, size_t n)
{
    (void)in;
    const int32_t *p = params;
    if (n > 1 && size == 0) /* what all inputs broadcast to */
        return true;
    if (size < sizeof *p || p[0] < 0 || p[0] > MX_MAX_DIMS || size != ((size_t)p[0] + 1) * sizeof *p)
        return false;
    for (int i = 0; i < p[0]; i++)
        if (p[1 + i] < 0)
            return false;
    return true;
}

/* As a shape, but one entry may be -1. */
static bool open_shape(const void *params, size_t size, node *const *in, size_t n)
{
    int32_t copy[MX_MAX_DIMS + 1];
    if (size < sizeof *copy || size > sizeof copy)
        return false;
    memcpy(copy, params, size);
    for (size_t i = 1; i < size / sizeof *copy; i++)
        if (copy[i] == -1) {
            copy[i] = 0;
            break;
        }
    return shape(copy, size, in, n);
}

static bool permutation(const void *params, size_t size, node *const *in, size_t n)
{
    (void)n;
    const int32_t *axes = params;
    uint32_t seen = 0;
    if (size != in[0]->ndim * sizeof *axes)
        return false;
    for (int i = 0; i < in[0]->ndim; i++) {
        if (axes[i] < 0 || axes[i] >= in[0]->ndim || seen >> axes[i] & 1)
            return false;
        seen |= (uint32_t)1 << axes[i];
    }
    return true;
}

static bool new_axes(const void *params, size_t size, node *const *in, size_t n)
{
    (void)n;
    const prim_expand_dims *p = params;
    if (size != sizeof *p)
        return false;
    int ndim = in[0]->ndim + __builtin_popcount(p->axes);
    return ndim < 32 && p->axes >> ndim == 0;
}

static bool within(uint32_t axes, const node *x) { return x->ndim == 32 || axes >> x->ndim == 0; }

static bool unit_axes(const void *params, size_t size, node *const *in, size_t n)
{
    (void)n;
    const prim_squeeze *p = params;
    if (size != sizeof *p || !within(p->axes, in[0]))
        return false;
    for (int i = 0; i < in[0]->ndim; i++)
        if (p->axes >> i & 1 && in[0]->shape[i] != 1)
            return false;
    return true;
}

bool import_ranges(const prim_range *r, size_t size, const node *x)
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

static bool ranges(const void *params, size_t size, node *const *in, size_t n)
{
    (void)n;
    return import_ranges(params, size, in[0]);
}

static bool joined(const void *params, size_t size, node *const *in, size_t n)
{
    const prim_axis *p = params;
    int64_t total = 0;
    if (size != sizeof *p || n == 0 || p->axis < 0 || p->axis >= in[0]->ndim)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (in[i]->ndim != in[0]->ndim || in[i]->dtype != in[0]->dtype)
            return false;
        for (int k = 0; k < in[0]->ndim; k++)
            if (k != p->axis && in[i]->shape[k] != in[0]->shape[k])
                return false;
        total += in[i]->shape[p->axis];
    }
    return total <= INT32_MAX;
}

static bool reduction(const void *params, size_t size, node *const *in, size_t n)
{
    (void)n;
    const prim_reduce *p = params;
    if (size != sizeof *p || p->kind < PRIM_SUM || p->kind > PRIM_ANY || !within(p->axes, in[0]))
        return false;
    return in[0]->size > 0 || (p->kind != PRIM_MAX && p->kind != PRIM_MIN);
}

static bool arg_reduction(const void *params, size_t size, node *const *in, size_t n)
{
    (void)n;
    const prim_arg_reduce *p = params;
    return size == sizeof *p && p->axis >= 0 && p->axis < in[0]->ndim && in[0]->size > 0 &&
           p->smallest >> 1 == 0;
}

static bool is_real_float(const node *x)
{
    return x->dtype == MLX_FLOAT16 || x->dtype == MLX_BFLOAT16 || x->dtype == MLX_FLOAT32;
}

static bool rows(const void *params, size_t size, node *const *in, size_t n)
{
    (void)params, (void)n;
    return size == 0 && in[0]->ndim > 0 && is_real_float(in[0]);
}

static bool matrices(const void *params, size_t size, node *const *in, size_t n)
{
    (void)params, (void)n;
    return size == 0 && in[0]->ndim >= 2 && in[1]->ndim >= 2 && in[0]->dtype == in[1]->dtype &&
           is_real_float(in[0]);
}

static import_checker checker_of(int prim)
{
    switch (prim) {
    case PRIM_Select:
        return select;
    case PRIM_AsType:
        return dtype;
    case PRIM_Contiguous:
        return dense;
    case PRIM_Copy:
    case PRIM_StopGradient:
        return none;
    case PRIM_Full:
    case PRIM_Broadcast:
        return shape;
    case PRIM_Reshape:
        return open_shape;
    case PRIM_Transpose:
        return permutation;
    case PRIM_ExpandDims:
        return new_axes;
    case PRIM_Squeeze:
        return unit_axes;
    case PRIM_Slice:
        return ranges;
    case PRIM_Concatenate:
        return joined;
    case PRIM_Reduce:
        return reduction;
    case PRIM_ArgReduce:
        return arg_reduction;
    case PRIM_LogSumExp:
    case PRIM_Softmax:
        return rows;
    case PRIM_Matmul:
        return matrices;
    default:
        return prim_compiled_arity(prim) ? same_dtypes : import_checker_of(prim);
    }
}

bool import_knows(int prim) { return checker_of(prim) != NULL; }

bool import_check(int prim, const void *params, size_t size, node *const *in, size_t n)
{
    import_checker check = checker_of(prim);
    const prim_info *info = &prim_table[prim];
    /* of several inputs these have no shape of their own */
    bool one = (prim == PRIM_Full || prim == PRIM_Broadcast) && size > 0;
    size_t arity = one ? 1 : info->arity < 0 ? n : (size_t)info->arity;
    if (check && n == arity && check(params, size, in, n))
        return true;
    error_set(check ? "[graph] the parameters of %s do not fit its inputs"
                    : "[graph] %s cannot be exported or imported",
              info->name);
    return false;
}
