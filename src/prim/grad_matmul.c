/* Gradients of dense matrix products. */
#include "prim/grad.h"

#include "base/error.h"

static mlx_array turned(mlx_array x) { return mx_swapaxes(x, -1, -2); }

/* All rows of x as one matrix. */
static mlx_array rows_of(mlx_array x) { return mx_reshape(x, SHAPE(-1, mx_dim(x, -1))); }

/* Complex factors are conjugated. One matrix b that met all rows of a gets its gradient as one product; batch
 * axes that broadcast are summed by the caller. */
static void of_product(const grad_args *args, mlx_array g, mlx_array *grads)
{
    mlx_array a = mx_conjugate(args->in[0]), b = mx_conjugate(args->in[1]);
    if (args->wanted[0])
        grads[0] = mx_matmul(g, turned(b));
    if (!args->wanted[1])
        return;
    bool one = mx_ndim(b) == 2 && mx_ndim(a) > 2 && mx_size(a) && mx_size(g);
    grads[1] = one ? mx_matmul(turned(rows_of(a)), rows_of(g)) : mx_matmul(turned(a), g);
}

void grad_matmul(const grad_args *a, mlx_array *grads) { of_product(a, a->given[0], grads); }

void grad_addmm(const grad_args *a, mlx_array *grads)
{
    const prim_addmm *p = a->n->params;
    if (a->wanted[0] || a->wanted[1])
        of_product(a, grad_times(a->given[0], (double)p->alpha), grads);
    if (a->wanted[2])
        grads[2] = grad_times(a->given[0], (double)p->beta);
}

/* x's matrices in one row of them: (count, rows, columns). */
static mlx_array matrices(mlx_array x) { return mx_reshape(x, SHAPE(-1, mx_dim(x, -2), mx_dim(x, -1))); }

mlx_array grad_gathered_left(mlx_array x, mlx_array g, mlx_array lhs)
{
    mlx_array flat = matrices(x);
    mlx_array indices = mx_reshape(lhs, SHAPE(-1)), updates = mx_expand_dims(matrices(g), 1);
    mlx_array sums = mx_scatter_add(grad_zeros(flat), &indices, 1, updates, (int[]){0});
    return mx_reshape(sums, mx_shape(x), (size_t)mx_ndim(x));
}

/* Pairs are sorted by their right matrix; then each of these has a segment of the sum over all rows of all
 * pairs. */
mlx_array grad_gathered_right(mlx_array x, mlx_array g, mlx_array lhs, mlx_array rhs, int count)
{
    lhs = mx_reshape(lhs, SHAPE(-1));
    rhs = mx_astype(mx_reshape(rhs, SHAPE(-1)), MLX_INT32);
    mlx_array order = mx_argsort(rhs, 0),
              each = mx_reshape(mx_arange(0, count, 1, MLX_INT32), SHAPE(count, 1));
    mlx_array rows = mx_take(matrices(x), mx_take(lhs, order, 0), 0),
              results = mx_take(matrices(g), order, 0);
    mlx_array pairs = mx_sum(mx_astype(mx_equal(rhs, each), MLX_INT32), SHAPE(1), true);
    mlx_array length = mx_multiply(pairs, mx_int(mx_dim(x, -2), MLX_INT32)),
              end = mx_cumsum(length, 0, false, true);
    mlx_array segments = mx_concatenate((mlx_array[]){mx_subtract(end, length), end}, 2, 1);
    rows = mx_reshape(rows, SHAPE(-1, mx_dim(x, -1)));
    results = mx_reshape(results, SHAPE(-1, mx_dim(g, -1)));
    return mx_segmented_mm(turned(rows), results, segments);
}

void grad_gather_mm(const grad_args *a, mlx_array *grads)
{
    mlx_array x = a->in[0], b = a->in[1], g = a->given[0];
    if (a->wanted[2] || a->wanted[3]) {
        error_set("[vjp] GatherMM has no derivative by its indices: pass them through stop_gradient");
        return;
    }
    bool empty = mx_size(g) == 0 || mx_size(x) == 0 || mx_size(b) == 0;
    if (a->wanted[0] && !empty)
        grads[0] = grad_gathered_left(x, mx_gather_mm(g, turned(b), MX_NULL, a->in[3], false), a->in[2]);
    if (a->wanted[1] && !empty) {
        mlx_array all = grad_gathered_right(x, g, a->in[2], a->in[3], mx_dim(matrices(b), 0));
        grads[1] = mx_reshape(all, mx_shape(b), (size_t)mx_ndim(b));
    }
}

/* true where segment s (of all, in a row) has k: (S, K) of float dtype t. */
static mlx_array in_segment(mlx_array segments, int K, mlx_dtype t)
{
    mlx_array s = mx_astype(mx_reshape(segments, SHAPE(-1, 2)), MLX_INT64), k = mx_arange(0, K, 1, MLX_INT64);
    mlx_array after = mx_less_equal(mx_slice_axis(s, 1, 0, 1), k),
              before = mx_less(k, mx_slice_axis(s, 1, 1, 2));
    return mx_multiply(mx_astype(after, t), mx_astype(before, t));
}

/* What flows to column k of a and row k of b comes from the segments that k is in. */
void grad_segmented_mm(const grad_args *args, mlx_array *grads)
{
    mlx_array a = args->in[0], b = args->in[1], g = args->given[0];
    if (mx_size(g) == 0 || mx_size(a) == 0 || mx_size(b) == 0)
        return;
    g = matrices(g);
    mlx_array in = in_segment(args->in[2], mx_dim(a, 1), mx_dtype_of(g));
    if (args->wanted[0])
        grads[0] = mx_sum(mx_multiply(mx_matmul(g, turned(b)), mx_expand_dims(in, 1)), SHAPE(0), false);
    if (args->wanted[1])
        grads[1] = mx_sum(mx_multiply(mx_matmul(turned(a), g), mx_expand_dims(in, 2)), SHAPE(0), false);
}

/* Not all of the matrices are symmetric. */
void grad_hadamard(const grad_args *a, mlx_array *grads)
{
    const prim_hadamard *p = a->n->params;
    prim_hadamard back = {p->scale, !p->transposed};
    grads[0] = prim_make(PRIM_Hadamard, a->given, 1, &back, sizeof back);
}
