/* Parts and joins: splits are slices, the others are made of views and one copy. */
#include "ops/ops.h"

#include "base/mem.h"

#include <string.h>

int mx_split_sections(mlx_array x, const int *indices, size_t n, int axis, mlx_array *out)
{
    int start[MX_MAX_DIMS] = {0}, stop[MX_MAX_DIMS], d;
    memset(out, 0, (n + 1) * sizeof *out);
    if (mx_is_null(x) || (d = op_axis("split", x, axis)) < 0)
        return -1;
    memcpy(stop, mx_shape(x), (size_t)mx_ndim(x) * sizeof *stop);
    for (size_t i = 0; i <= n; i++) {
        stop[d] = i < n ? indices[i] : mx_shape(x)[d];
        out[i] = mx_slice(x, start, stop, NULL);
        start[d] = stop[d];
        if (mx_is_null(out[i]))
            return -1;
    }
    return 0;
}

int mx_split(mlx_array x, int num, int axis, mlx_array *out)
{
    int d;
    if (num <= 0 || num > MX_MAX_SPLIT)
        return error_set("[split] the number of parts must be between 1 and %d, not %d", MX_MAX_SPLIT, num);
    memset(out, 0, (size_t)num * sizeof *out);
    if (mx_is_null(x) || (d = op_axis("split", x, axis)) < 0)
        return -1;
    int size = mx_shape(x)[d];
    if (size % num != 0)
        return error_set("[split] axis %d of shape %s does not divide into %d equal parts", axis, op_shape(x),
                         num);
    for (int i = 0; i < num; i++) {
        out[i] = mx_slice_axis(x, d, i * (size / num), (i + 1) * (size / num));
        if (mx_is_null(out[i]))
            return -1;
    }
    return 0;
}

mlx_array mx_stack(const mlx_array *x, size_t n, int axis)
{
    if (n == 0)
        return op_fail("[stack] no arrays are given");
    mlx_array *wide = mem_alloc(n, sizeof *wide), y = MX_NULL;
    bool fine = wide != NULL;
    for (size_t i = 0; i < n && fine; i++) {
        fine = !mx_is_null(x[i]);
        if (fine && (mx_ndim(x[i]) != mx_ndim(x[0]) ||
                     (mx_ndim(x[0]) &&
                      memcmp(mx_shape(x[i]), mx_shape(x[0]), (size_t)mx_ndim(x[0]) * sizeof(int)) != 0))) {
            error_set("[stack] all arrays must have the same shape, not %s and %s", op_shape(x[0]),
                      op_shape(x[i]));
            fine = false;
        }
        if (fine)
            wide[i] = mx_expand_dims(x[i], axis);
    }
    if (fine)
        y = mx_concatenate(wide, n, axis);
    mem_free(wide);
    return y;
}

mlx_array mx_repeat(mlx_array x, int repeats, int axis)
{
    int shape[MX_MAX_DIMS + 1], d;
    if (axis == MX_FLATTEN) {
        x = mx_flatten(x, 0, -1);
        axis = 0;
    }
    if (mx_is_null(x) || (d = op_axis("repeat", x, axis)) < 0)
        return MX_NULL;
    if (repeats < 0)
        return op_fail("[repeat] the number of repeats %d is negative", repeats);
    if (repeats == 1)
        return x;
    int ndim = mx_ndim(x), total = shape_size("repeat", (int64_t)mx_shape(x)[d] * repeats);
    if (total < 0)
        return MX_NULL;
    memcpy(shape, mx_shape(x), (size_t)(d + 1) * sizeof *shape);
    shape[d + 1] = repeats;
    memcpy(shape + d + 2, mx_shape(x) + d + 1, (size_t)(ndim - d - 1) * sizeof *shape);
    mlx_array y = mx_broadcast_to(mx_expand_dims(x, d + 1), shape, (size_t)ndim + 1);
    memmove(shape + d + 1, shape + d + 2, (size_t)(ndim - d - 1) * sizeof *shape);
    shape[d] = total;
    return mx_reshape(y, shape, (size_t)ndim);
}

mlx_array mx_tile(mlx_array x, const int *reps, size_t n)
{
    int expand[2 * MX_MAX_DIMS], broad[2 * MX_MAX_DIMS], final[MX_MAX_DIMS];
    if (mx_is_null(x))
        return x;
    size_t ndim = (size_t)mx_ndim(x), all = n > ndim ? n : ndim, wide = 0;
    if (all > MX_MAX_DIMS)
        return op_fail("[tile] %zu dimensions are more than the limit of %d", all, MX_MAX_DIMS);
    for (size_t i = 0; i < all; i++) {
        int size = i + ndim >= all ? mx_shape(x)[i + ndim - all] : 1;
        int times = i + n >= all ? reps[i + n - all] : 1;
        if (times < 0)
            return op_fail("[tile] the number of repeats %d is negative", times);
        if (times != 1) {
            expand[wide] = 1;
            broad[wide++] = times;
        }
        expand[wide] = broad[wide] = size;
        wide++;
        if ((final[i] = shape_size("tile", (int64_t)size * times)) < 0)
            return MX_NULL;
    }
    if (wide > MX_MAX_DIMS)
        return op_fail("[tile] %zu axes to repeat are too many", wide - all);
    return mx_reshape(mx_broadcast_to(mx_reshape(x, expand, wide), broad, wide), final, all);
}

/* Entries of an axis (counted from the front) move up by `shift`. */
static mlx_array rolled(mlx_array x, int64_t shift, int axis)
{
    int size = mx_shape(x)[axis];
    int cut = size ? (int)(((-shift) % size + size) % size) : 0;
    mlx_array parts[2];
    if (cut == 0)
        return x;
    parts[0] = mx_slice_axis(x, axis, cut, size);
    parts[1] = mx_slice_axis(x, axis, 0, cut);
    return mx_concatenate(parts, 2, axis);
}

mlx_array mx_roll(mlx_array x, const int *shift, size_t n, int axis)
{
    int64_t total = 0;
    if (mx_is_null(x))
        return x;
    for (size_t i = 0; i < n; i++)
        total += shift[i];
    if (axis != MX_FLATTEN) {
        int d = op_axis("roll", x, axis);
        return d < 0 ? MX_NULL : rolled(x, total, d);
    }
    mlx_array flat = mx_flatten(x, 0, -1);
    if (mx_is_null(flat))
        return flat;
    return mx_reshape(rolled(flat, total, 0), mx_shape(x), (size_t)mx_ndim(x));
}

mlx_array mx_roll_axes(mlx_array x, const int *shift, size_t n_shift, const int *axes, size_t n_axes)
{
    if (n_shift < n_axes)
        return op_fail("[roll] at least one shift for each of %zu axes is needed, not %zu", n_axes, n_shift);
    for (size_t i = 0; i < n_axes; i++) {
        int d;
        if (mx_is_null(x) || (d = op_axis("roll", x, axes[i])) < 0)
            return MX_NULL;
        x = rolled(x, shift[i], d);
    }
    return x;
}
