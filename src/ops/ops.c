/* Checks that every group of ops makes. */
#include "ops/ops.h"

#include "array/dtype.h"
#include "base/mem.h"

#include <string.h>

int op_axis(const char *op, mlx_array x, int axis)
{
    int ndim = mx_ndim(x), i = axis < 0 ? axis + ndim : axis;
    if (i < 0 || i >= ndim)
        return error_set("[%s] axis %d is out of range for an array of %d dimensions", op, axis, ndim);
    return i;
}

bool op_axes(const char *op, mlx_array x, const int *axes, size_t n, uint32_t *bits)
{
    int ndim = mx_ndim(x);
    *bits = 0;
    if (!axes) {
        *bits = ndim == 32 ? UINT32_MAX : ((uint32_t)1 << ndim) - 1;
        return true;
    }
    for (size_t i = 0; i < n; i++) {
        int axis = op_axis(op, x, axes[i]);
        if (axis < 0)
            return false;
        if (*bits >> axis & 1) {
            error_set("[%s] axis %d is given twice", op, axes[i]);
            return false;
        }
        *bits |= (uint32_t)1 << axis;
    }
    return true;
}

mlx_array op_flatten(const char *op, mlx_array x, int *axis)
{
    if (mx_is_null(x))
        return x;
    if (*axis == MX_FLATTEN) {
        *axis = 0;
        return mx_reshape(x, SHAPE(-1));
    }
    *axis = op_axis(op, x, *axis);
    return *axis < 0 ? MX_NULL : x;
}

bool op_check_shape(const char *op, const int *shape, size_t n)
{
    if (n > MX_MAX_DIMS) {
        error_set("[%s] %zu dimensions are more than the limit of %d", op, n, MX_MAX_DIMS);
        return false;
    }
    for (size_t i = 0; i < n; i++)
        if (shape[i] < 0) {
            error_set("[%s] negative size %d in shape %s", op, shape[i], shape_text(shape, (int)n));
            return false;
        }
    return true;
}

mlx_array op_to_float(mlx_array x)
{
    return mx_is_null(x) ? x : mx_astype(x, dtype_at_least_float(mx_dtype_of(x)));
}

mlx_array op_target(int prim, mlx_array x, const int *shape, size_t n)
{
    int32_t params[MX_MAX_DIMS + 1];
    params[0] = (int32_t)n;
    if (n)
        memcpy(params + 1, shape, n * sizeof *shape);
    return prim_make(prim, &x, 1, params, (n + 1) * sizeof *params);
}

mlx_array op_broadcast_with(int prim, mlx_array x, const int *shape, int ndim, const mlx_array *others,
                            size_t n)
{
    if (node_dynamic(0) == 0)
        return prim == PRIM_Broadcast ? mx_broadcast_to(x, shape, (size_t)ndim)
                                      : op_target(prim, x, shape, (size_t)ndim);
    mlx_array *in = mem_alloc(n + 1, sizeof *in), y = MX_NULL;
    if (in) {
        in[0] = x;
        for (size_t i = 0; i < n; i++) /* only its shape matters */
            in[1 + i] = mx_stop_gradient(others[i]);
        y = prim_make(prim, in, n + 1, NULL, 0);
    }
    mem_free(in);
    return y;
}
