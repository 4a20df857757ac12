/* Getting numbers out. */
#include "ops/ops.h"

#include <string.h>

/* Evaluates x in a dtype, row-major, and copies its bytes. */
static int read_as(mlx_array x, mlx_dtype dtype, void *out)
{
    size_t mark = mx_mark();
    mlx_array y = mx_contiguous(mx_astype(x, dtype)), slot = MX_NULL;
    mx_set(&slot, y);
    mx_release(mark);
    int rc = mx_eval(slot);
    if (rc == 0 && mx_size(slot))
        memcpy(out, mx_data(slot), node_bytes(node_of(slot)));
    mlx_array_free(slot);
    return rc;
}

int mx_read_f32(mlx_array x, float *out) { return read_as(x, MLX_FLOAT32, out); }

int mx_read_i64(mlx_array x, int64_t *out) { return read_as(x, MLX_INT64, out); }

int mx_read(mlx_array x, void *out) { return read_as(x, mx_dtype_of(x), out); }
