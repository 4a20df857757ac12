/* What must hold between a node's parameters and inputs beyond what import.def can say. Each relation is only
 * asked for nodes that fit the rest of the row. */
#include "array/dtype.h"
#include "transforms/import.h"

#include <string.h>

#define RELATION(name) bool import_##name(const void *params, size_t size, node *const *in, size_t n)
#define UNUSED         (void)params, (void)size, (void)in, (void)n

bool import_same_but(const node *a, const node *b, int axis)
{
    for (int i = 0; i < a->ndim && a->ndim == b->ndim; i++)
        if (i != axis && a->shape[i] != b->shape[i])
            return false;
    return a->ndim == b->ndim;
}

static bool same_shape(const node *a, const node *b) { return import_same_but(a, b, -1); }

bool import_axes(const node *x, const int32_t *axes, size_t n)
{
    uint32_t seen = 0;
    for (size_t i = 0; i < n; i++) {
        if (axes[i] < 0 || axes[i] >= x->ndim || seen >> axes[i] & 1)
            return false;
        seen |= (uint32_t)1 << axes[i];
    }
    return true;
}

bool import_sizes(const int32_t *sizes, size_t n)
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
           import_sizes(p + 1, (size_t)p[0]);
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
    return size == in[0]->ndim * sizeof(int32_t) && import_axes(in[0], params, in[0]->ndim);
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
    return size == count * sizeof(int32_t) && import_sizes(params, count);
}

/* The axes that start positions are for, with `sizes` more ints behind them. */
static bool are_starts(const prim_dynamic_slice *p, size_t size, const node *x, const node *start, int sizes)
{
    size_t count = (size_t)p->count;
    return count <= MX_MAX_DIMS && size == sizeof *p + (count + (size_t)sizes) * sizeof(int32_t) &&
           import_axes(x, p->list, count) && start->ndim <= 1 && start->size == count &&
           import_sizes(p->list + count, (size_t)sizes);
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
        !import_axes(x, p->list, count))
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
    return import_same_but(in[0], in[1], axis) && (in[1]->size == 0 || in[0]->shape[axis] > 0);
}

RELATION(scatter_axis)
{
    UNUSED;
    int axis = ((const prim_scatter_axis *)params)->axis;
    return import_same_but(in[0], in[1], axis) && same_shape(in[1], in[2]) &&
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
