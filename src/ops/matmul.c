/* Dense matrix products. */
#include "ops/ops.h"

#include "array/dtype.h"

#include <math.h>
#include <string.h>

/* Kernels take any mix of float32 and the halves as it is, so that a weight is never converted in memory. */
static mlx_array operand(mlx_array x, mlx_dtype t)
{
    if (mx_is_null(x))
        return x;
    bool mixes = dtype_is_float(t) && t != MLX_FLOAT64 && dtype_is_float(mx_dtype_of(x));
    return mixes ? x : mx_astype(x, t);
}

/* A product's two sides as matrices: vectors become one row or column, whose axis goes again from the result.
 */
typedef struct sides {
    mlx_array in[2];
    mlx_dtype dtype; /* of the result */
    bool row, column;
} sides;

/* Checks the operands of a product that takes real numbers, and complex ones if asked for. */
static bool prepare(const char *op, mlx_array a, mlx_array b, mlx_dtype t, bool complex, sides *s)
{
    if (mx_ndim(a) == 0 || mx_ndim(b) == 0)
        error_set("[%s] shapes %s and %s: both must have at least one dimension", op, op_shape(a),
                  op_shape(b));
    else if (!dtype_is_float(t) && !(complex && t == MLX_COMPLEX64))
        error_set("[%s] only %sfloating point types are supported, not %s", op, complex ? "" : "real ",
                  mx_dtype_name(t));
    else if (mx_dim(a, -1) != mx_dim(b, mx_ndim(b) == 1 ? 0 : -2))
        error_set("[%s] shapes %s and %s do not fit", op, op_shape(a), op_shape(b));
    else {
        *s = (sides){.dtype = t, .row = mx_ndim(a) == 1, .column = mx_ndim(b) == 1};
        s->in[0] = operand(s->row ? mx_expand_dims(a, 0) : a, t);
        s->in[1] = operand(s->column ? mx_expand_dims(b, 1) : b, t);
        return true;
    }
    return false;
}

/* The result without the axes that prepare added. */
static mlx_array finish(mlx_array y, const sides *s)
{
    if (!mx_is_null(y) && s->row)
        y = mx_squeeze(y, -2);
    if (!mx_is_null(y) && s->column)
        y = mx_squeeze(y, -1);
    return y;
}

mlx_array mx_matmul(mlx_array a, mlx_array b)
{
    sides s;
    if (mx_is_null(a) || mx_is_null(b) ||
        !prepare("matmul", a, b, mx_promote(mx_dtype_of(a), mx_dtype_of(b)), true, &s))
        return MX_NULL;
    return finish(prim_make(PRIM_Matmul, s.in, 2, NULL, 0), &s);
}

/* c as it meets the product of the sides, whose own vectors have become matrices. */
static mlx_array addend(mlx_array c, const sides *s)
{
    if (s->column)
        c = mx_expand_dims(c, -1);
    return s->row && !mx_is_null(c) && mx_ndim(c) ? mx_expand_dims(c, -2) : c;
}

mlx_array mx_addmm(mlx_array c, mlx_array a, mlx_array b, float alpha, float beta)
{
    if (mx_is_null(a) || mx_is_null(b) || mx_is_null(c))
        return MX_NULL;
    mlx_dtype t = mx_promote(mx_promote(mx_dtype_of(a), mx_dtype_of(b)), mx_dtype_of(c));
    if (t == MLX_COMPLEX64)
        return mx_add(mx_multiply(mx_matmul(a, b), mx_float((double)alpha, MLX_FLOAT32)),
                      mx_multiply(mx_float((double)beta, MLX_FLOAT32), c));
    sides s;
    if (!prepare("addmm", a, b, t, false, &s))
        return MX_NULL;
    prim_addmm params = {alpha, beta};
    mlx_array in[3] = {s.in[0], s.in[1], mx_astype(addend(c, &s), t)};
    return finish(prim_make(PRIM_AddMM, in, 3, &params, sizeof params), &s);
}

mlx_array op_batch_indices(const char *op, mlx_array indices, mlx_array x)
{
    int n = mx_ndim(x) - 2, count = 1;
    if (!mx_is_null(indices)) {
        if (!dtype_is_integer(mx_dtype_of(indices)))
            return op_fail("[%s] indices must be integers, not %s", op, mx_dtype_name(mx_dtype_of(indices)));
        return mx_astype(indices, MLX_UINT32);
    }
    if (n < 0)
        return op_fail("[%s] an array of shape %s is no matrix", op, op_shape(x));
    for (int i = 0; i < n; i++)
        if (__builtin_mul_overflow(count, mx_shape(x)[i], &count))
            return op_fail("[%s] shape %s has too many matrices", op, op_shape(x));
    return mx_reshape(mx_arange(0, count, 1, MLX_UINT32), mx_shape(x), (size_t)n);
}

bool op_index_pair(const char *op, mlx_array *lhs, mlx_array *rhs)
{
    int shape[MX_MAX_DIMS];
    if (mx_is_null(*lhs) || mx_is_null(*rhs))
        return false;
    int n = shape_broadcast_dims(mx_shape(*lhs), mx_ndim(*lhs), mx_shape(*rhs), mx_ndim(*rhs), shape);
    if (n < 0 || n > MX_MAX_DIMS - 2) {
        error_set("[%s] index shapes %s and %s cannot be broadcast", op, op_shape(*lhs), op_shape(*rhs));
        return false;
    }
    *lhs = mx_broadcast_to(*lhs, shape, (size_t)n);
    *rhs = mx_broadcast_to(*rhs, shape, (size_t)n);
    return true;
}

mlx_array mx_gather_mm(mlx_array a, mlx_array b, mlx_array lhs_indices, mlx_array rhs_indices,
                       bool sorted_indices)
{
    (void)sorted_indices; /* pairs are sorted when they are computed, which is quick if they are already */
    if (mx_is_null(lhs_indices) && mx_is_null(rhs_indices))
        return mx_matmul(a, b);
    sides s;
    if (mx_is_null(a) || mx_is_null(b) ||
        !prepare("gather_mm", a, b, mx_promote(mx_dtype_of(a), mx_dtype_of(b)), false, &s))
        return MX_NULL;
    mlx_array in[4] = {s.in[0], s.in[1], op_batch_indices("gather_mm", lhs_indices, s.in[0]),
                       op_batch_indices("gather_mm", rhs_indices, s.in[1])};
    if (!op_index_pair("gather_mm", &in[2], &in[3]))
        return MX_NULL;
    return finish(prim_make(PRIM_GatherMM, in, 4, NULL, 0), &s);
}

mlx_array mx_segmented_mm(mlx_array a, mlx_array b, mlx_array segments)
{
    sides s;
    if (mx_is_null(a) || mx_is_null(b) || mx_is_null(segments))
        return MX_NULL;
    if (mx_ndim(a) != 2 || mx_ndim(b) != 2)
        return op_fail("[segmented_mm] a %s and b %s must have 2 dimensions", op_shape(a), op_shape(b));
    if (mx_ndim(segments) < 1 || mx_dim(segments, -1) != 2 || !dtype_is_integer(mx_dtype_of(segments)))
        return op_fail("[segmented_mm] segments must be integers of shape (.., 2), not %s of %s",
                       mx_dtype_name(mx_dtype_of(segments)), op_shape(segments));
    if (!prepare("segmented_mm", a, b, mx_promote(mx_dtype_of(a), mx_dtype_of(b)), false, &s))
        return MX_NULL;
    mlx_array in[3] = {s.in[0], s.in[1], mx_astype(segments, MLX_UINT32)};
    return prim_make(PRIM_SegmentedMM, in, 3, NULL, 0);
}

/* --- products with masks of blocks --- */

/* One value a block becomes one value an element of the last two axes, of sizes y and x. */
static mlx_array spread(mlx_array mask, int block, int y, int x)
{
    int shape[MX_MAX_DIMS], n = mx_ndim(mask);
    if (mx_is_null(mask))
        return MX_NULL;
    for (int i = 0; i < n - 2; i++)
        shape[i] = mx_shape(mask)[i];
    int down = mx_dim(mask, -2), across = mx_dim(mask, -1);
    shape[n - 2] = down, shape[n - 1] = block, shape[n] = across, shape[n + 1] = block;
    mask = mx_broadcast_to(mx_expand_dims(mx_expand_dims(mask, -1), -3), shape, (size_t)n + 2);
    shape[n - 2] = down * block, shape[n - 1] = across * block;
    mask = mx_reshape(mask, shape, (size_t)n);
    return mx_slice_axis(mx_slice_axis(mask, -2, 0, y), -1, 0, x);
}

static int blocks_of(int n, int block) { return n / block + (n % block != 0); }

/* x with the blocks of its last two axes taken times the mask, or out where a bool mask is false. */
static mlx_array mask_blocks(mlx_array x, mlx_array mask, int block)
{
    int y = mx_dim(x, -2), width = mx_dim(x, -1), shape[MX_MAX_DIMS], n = mx_ndim(mask);
    if (mx_is_null(x) || mx_is_null(mask))
        return x;
    if (n > MX_MAX_DIMS - 2 || y > INT32_MAX - block || width > INT32_MAX - block)
        return op_fail("[block_masked_mm] mask %s is too large", op_shape(mask));
    while (n < 2)
        mask = mx_expand_dims(mask, 0), n++;
    memcpy(shape, mx_shape(mask), (size_t)n * sizeof *shape);
    shape[n - 2] = blocks_of(y, block), shape[n - 1] = blocks_of(width, block);
    mlx_array all = spread(mx_broadcast_to(mask, shape, (size_t)n), block, y, width);
    if (mx_dtype_of(mask) == MLX_BOOL)
        return mx_where(all, x, mx_float(0, mx_dtype_of(x)));
    return mx_multiply(x, mx_astype(all, mx_dtype_of(x)));
}

mlx_array mx_block_masked_mm(mlx_array a, mlx_array b, int block_size, mlx_array mask_out, mlx_array mask_lhs,
                             mlx_array mask_rhs)
{
    if (mx_is_null(mask_out) && mx_is_null(mask_lhs) && mx_is_null(mask_rhs))
        return mx_matmul(a, b);
    if (block_size != 32 && block_size != 64)
        return op_fail("[block_masked_mm] block_size %d is not one of 32, 64", block_size);
    sides s;
    if (mx_is_null(a) || mx_is_null(b))
        return MX_NULL;
    mlx_dtype t = mx_promote(mx_dtype_of(a), mx_dtype_of(b));
    if (!prepare("block_masked_mm", a, b, t, false, &s))
        return MX_NULL;
    if (s.row && !mx_is_null(mask_lhs))
        mask_lhs = mx_expand_dims(mask_lhs, -2);
    if (s.column && !mx_is_null(mask_rhs))
        mask_rhs = mx_expand_dims(mask_rhs, -1);
    if (!mx_is_null(mask_out))
        mask_out = addend(mask_out, &s);
    mlx_array y = mx_matmul(mask_blocks(mx_astype(s.in[0], t), mask_lhs, block_size),
                            mask_blocks(mx_astype(s.in[1], t), mask_rhs, block_size));
    return finish(mask_blocks(y, mask_out, block_size), &s);
}

/* --- Hadamard --- */

mlx_array mx_hadamard_transform(mlx_array a, const float *scale)
{
    if (mx_is_null(a))
        return a;
    if (mx_size(a) == 0)
        return op_fail("[hadamard_transform] an empty array %s is not supported", op_shape(a));
    int n = mx_ndim(a) ? mx_dim(a, -1) : 1, m = n;
    mlx_dtype t = dtype_is_float(mx_dtype_of(a)) ? mx_dtype_of(a) : MLX_FLOAT32;
    prim_hadamard params = {scale ? *scale : 1.0f / sqrtf((float)n), 0};
    while (m % 2 == 0)
        m /= 2;
    if (n == 1)
        return params.scale == 1.0f ? a : mx_multiply(a, mx_float((double)params.scale, t));
    if (m != 1 && ((m != 3 && m != 5 && m != 7) || n % 4))
        return op_fail("[hadamard_transform] size %d is not m * 2^k with m one of 1, 12, 20, 28", n);
    if (m == 1 ? n > 1 << 26 : n / (4 * m) > 1 << 26)
        return op_fail("[hadamard_transform] size %d is m * 2^k with k over 26", n);
    a = mx_astype(a, t);
    return prim_make(PRIM_Hadamard, &a, 1, &params, sizeof params);
}
