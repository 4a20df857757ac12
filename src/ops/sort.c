/* Sorting, partitioning and searching along an axis. */
#include "ops/ops.h"

static mlx_array sort(const char *op, int prim, mlx_array x, int axis)
{
    prim_axis params = {axis};
    x = op_flatten(op, x, &params.axis);
    return mx_is_null(x) ? x : prim_make(prim, &x, 1, &params, sizeof params);
}

mlx_array mx_sort(mlx_array x, int axis) { return sort("sort", PRIM_Sort, x, axis); }

mlx_array mx_argsort(mlx_array x, int axis) { return sort("argsort", PRIM_ArgSort, x, axis); }

static mlx_array partition(const char *op, int prim, mlx_array x, int kth, int axis)
{
    prim_partition params = {axis, kth};
    x = op_flatten(op, x, &params.axis);
    if (mx_is_null(x))
        return x;
    int size = mx_shape(x)[params.axis];
    if (kth < -size || kth >= size)
        return op_fail("[%s] kth %d is out of range for axis %d of shape %s", op, kth, params.axis,
                       op_shape(x));
    params.kth += kth < 0 ? size : 0;
    return prim_make(prim, &x, 1, &params, sizeof params);
}

mlx_array mx_partition(mlx_array x, int kth, int axis)
{
    return partition("partition", PRIM_Partition, x, kth, axis);
}

mlx_array mx_argpartition(mlx_array x, int kth, int axis)
{
    return partition("argpartition", PRIM_ArgPartition, x, kth, axis);
}

mlx_array mx_topk(mlx_array x, int k, int axis)
{
    x = op_flatten("topk", x, &axis);
    if (mx_is_null(x))
        return x;
    int size = mx_shape(x)[axis];
    if (k < 0 || k > size)
        return op_fail("[topk] k %d is out of range for axis %d of shape %s", k, axis, op_shape(x));
    if (k == 0 || k == size)
        return mx_slice_axis(x, axis, 0, k);
    return mx_slice_axis(partition("topk", PRIM_Partition, x, size - k, axis), axis, size - k, size);
}

mlx_array mx_searchsorted(mlx_array sequence, mlx_array values, bool right)
{
    if (mx_is_null(sequence) || mx_is_null(values))
        return MX_NULL;
    if (mx_ndim(sequence) != 1)
        return op_fail("[searchsorted] the sequence must have one dimension, not shape %s",
                       op_shape(sequence));
    mlx_dtype t = mx_promote(mx_dtype_of(sequence), mx_dtype_of(values));
    mlx_array in[2] = {mx_astype(sequence, t), mx_astype(values, t)};
    prim_search params = {right};
    return prim_make(PRIM_SearchSorted, in, 2, &params, sizeof params);
}
