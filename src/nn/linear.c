/* Linear layers and embeddings. A quantized layer keeps the checkpoint's packed words and is multiplied from
 * them; a plain one is the checkpoint's matrix, transposed as a view. Either way the weights stay in the
 * mapped file. */
#include "nn/linear.h"

mlx_array nn_apply(const nn_linear *l, mlx_array x)
{
    mlx_array y = nn_quantized(l) ? mx_quantized_matmul(x, l->weight, l->scales, l->biases, true,
                                                        l->group_size, l->bits, l->precision)
                                  : mx_matmul(x, mx_swapaxes(l->weight, 0, 1));
    return l->has_bias ? mx_add(y, l->bias) : y;
}

mlx_array nn_embed(const nn_embedding *e, mlx_array ids)
{
    mlx_array rows = mx_take(e->weight, ids, 0);
    if (!nn_quantized(e))
        return mx_astype(rows, MLX_FLOAT32);
    /* Scales in float32 first, so that the rows are not rounded to the scales' own dtype. */
    mlx_array scales = mx_astype(mx_take(e->scales, ids, 0), MLX_FLOAT32);
    mlx_array biases = mx_astype(mx_take(e->biases, ids, 0), MLX_FLOAT32);
    return mx_dequantize(rows, scales, biases, e->group_size, e->bits);
}

mlx_array nn_unembed(const nn_embedding *e, mlx_array x) { return nn_apply(e, x); }
