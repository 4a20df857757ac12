/* Gradients of quantized matrices and their products. */
#include "prim/grad.h"

#include "base/error.h"

static mlx_array turned(mlx_array x) { return mx_swapaxes(x, -1, -2); }

/* All rows of x as one matrix. */
static mlx_array rows_of(mlx_array x) { return mx_reshape(x, SHAPE(-1, mx_dim(x, -1))); }

/* From the gradient of the dequantized matrix, weights = codes * scales + biases, to those of scales (at
 * grads[0]) and biases (at grads[1]). */
static void through_affine(mlx_array g, mlx_array w, mlx_array scales, mlx_array biases, const prim_quant *p,
                           const bool *wanted, mlx_array *grads)
{
    int shape[MX_MAX_DIMS + 1], n = mx_ndim(scales);
    for (int i = 0; i < n; i++)
        shape[i] = mx_shape(scales)[i];
    shape[n] = p->group;
    g = mx_astype(g, MLX_FLOAT32);
    if (wanted[0]) {
        mlx_array one = mx_ones(shape, (size_t)n, mx_dtype_of(scales));
        mlx_array codes = mx_dequantize(w, one, grad_zeros(biases), p->group, p->bits);
        grads[0] = mx_squeeze(grad_sum_last(mx_reshape(mx_multiply(g, codes), shape, (size_t)n + 1)), -1);
    }
    if (wanted[1])
        grads[1] = mx_squeeze(grad_sum_last(mx_reshape(g, shape, (size_t)n + 1)), -1);
}

void grad_dequantize(const grad_args *a, mlx_array *grads)
{
    through_affine(a->given[0], a->in[0], a->in[1], a->in[2], a->n->params, a->wanted + 1, grads + 1);
}

void grad_quantized_matmul(const grad_args *a, mlx_array *grads)
{
    const prim_quant *p = a->n->params;
    mlx_array x = a->in[0], w = a->in[1], scales = a->in[2], biases = a->in[3], g = a->given[0];
    if (a->wanted[1]) {
        error_set("[vjp] QuantizedMatmul has no derivative by its packed weights; differentiate by scales "
                  "and biases");
        return;
    }
    if (a->wanted[0])
        grads[0] = mx_quantized_matmul(g, w, scales, biases, !p->transpose, p->group, p->bits, MX_EXACT);
    if (!a->wanted[2] && !a->wanted[3])
        return;
    mlx_array left = p->transpose ? rows_of(g) : rows_of(x), right = p->transpose ? rows_of(x) : rows_of(g);
    through_affine(mx_matmul(turned(left), right), w, scales, biases, p, a->wanted + 2, grads + 2);
}

void grad_gather_qmm(const grad_args *a, mlx_array *grads)
{
    const prim_quant *p = a->n->params;
    mlx_array x = a->in[0], w = a->in[1], scales = a->in[2], biases = a->in[3], lhs = a->in[4],
              rhs = a->in[5], g = a->given[0];
    if (a->wanted[1] || a->wanted[4] || a->wanted[5]) {
        error_set("[vjp] GatherQMM has no derivative by its packed weights and its indices");
        return;
    }
    if (mx_size(x) == 0 || mx_size(w) == 0 || mx_size(g) == 0)
        return;
    if (a->wanted[0])
        grads[0] = grad_gathered_left(x,
                                      mx_gather_qmm(g, w, scales, biases, MX_NULL, rhs, !p->transpose,
                                                    p->group, p->bits, "affine", false),
                                      lhs);
    if (!a->wanted[2] && !a->wanted[3])
        return;
    int shape[MX_MAX_DIMS], n = mx_ndim(w),
                            count = (int)(mx_size(w) / (size_t)mx_dim(w, -1) / (size_t)mx_dim(w, -2));
    for (int i = 0; i < n; i++)
        shape[i] = mx_shape(w)[i];
    shape[n - 1] = mx_dim(scales, -1) * p->group;
    mlx_array matrix = grad_gathered_right(x, g, lhs, rhs, count);
    matrix = mx_reshape(p->transpose ? turned(matrix) : matrix, shape, (size_t)n);
    through_affine(matrix, w, scales, biases, p, a->wanted + 2, grads + 2);
}

/* The mode that groups and bits are of. */
static const char *mode_of(const prim_quant_fp *p)
{
    return p->group == 16 ? "nvfp4" : p->bits == 8 ? "mxfp8" : "mxfp4";
}

/* x @ w^T: the gradients are products of quantized matrices too, along their other axes (MLX's rule). */
void grad_qqmm(const grad_args *a, mlx_array *grads)
{
    const prim_quant_fp *p = a->n->params;
    mlx_array g = a->given[0], x = a->in[1], w = a->in[2], most = MX_NULL;
    bool scaled = a->n->n_inputs == 5;
    if (scaled)
        most = mx_astype(mx_max(mx_abs(mx_reshape(g, SHAPE(-1))), SHAPE(0), false), MLX_FLOAT32);
    if (a->wanted[1])
        grads[1] =
            mx_qqmm(g, turned(w), MX_NULL, p->group, p->bits, mode_of(p), most, scaled ? a->in[4] : MX_NULL);
    if (a->wanted[2])
        grads[2] = mx_qqmm(turned(rows_of(g)), turned(rows_of(x)), MX_NULL, p->group, p->bits, mode_of(p),
                           most, scaled ? a->in[3] : MX_NULL);
}
