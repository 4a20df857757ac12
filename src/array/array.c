/* What an array tells about itself. */
#include "array/stream.h"

#include "base/error.h"

int mx_ndim(mlx_array x) { return mx_is_null(x) ? 0 : node_of(x)->ndim; }

int mx_dim(mlx_array x, int axis)
{
    if (mx_is_null(x))
        return 0;
    const node *n = node_of(x);
    int i = axis < 0 ? axis + n->ndim : axis;
    if (i < 0 || i >= n->ndim) {
        error_set("[dim] axis %d is out of range for an array of %d dimensions", axis, n->ndim);
        return 0;
    }
    return n->shape[i];
}

const int *mx_shape(mlx_array x) { return mx_is_null(x) ? NULL : node_of(x)->shape; }

size_t mx_size(mlx_array x) { return mx_is_null(x) ? 0 : node_of(x)->size; }

mlx_dtype mx_dtype_of(mlx_array x) { return mx_is_null(x) ? MLX_BOOL : (mlx_dtype)node_of(x)->dtype; }

/* Has x nothing to wait for, or is it there now? */
static bool settled(mlx_array x)
{
    int status = node_status(node_of(x));
    return status == NODE_LAZY || status == NODE_READY || stream_wait(node_of(x)) == 0;
}

const void *mx_data(mlx_array x)
{
    return mx_is_null(x) || !settled(x) || node_status(node_of(x)) != NODE_READY ? NULL : node_of(x)->data;
}

const int64_t *mx_strides(mlx_array x) { return mx_is_null(x) || !settled(x) ? NULL : node_of(x)->strides; }
