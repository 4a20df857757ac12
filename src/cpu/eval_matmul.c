/* Matrix products: batches over the kernels of gemm.c and qmm.c. */
#include "base/error.h"
#include "cpu/eval.h"
#include "cpu/walk.h"

/* The matrix of batch entry `at` of n's output, in operand x whose batch axes broadcast. */
static gemm_matrix matrix_at(const node *n, const node *x, size_t at)
{
    int64_t offset = 0;
    for (int d = n->ndim - 3, k = x->ndim - 3; d >= 0; d--, k--) {
        size_t i = at % (size_t)n->shape[d];
        at /= (size_t)n->shape[d];
        if (k >= 0 && x->shape[k] != 1)
            offset += (int64_t)i * x->strides[k];
    }
    return (gemm_matrix){x->data + offset * (int64_t)node_itemsize(x), (mlx_dtype)x->dtype, x->strides[x->ndim - 2],
                         x->strides[x->ndim - 1]};
}

int cpu_eval_matmul(node *n)
{
    const node *a = n->inputs[0], *b = n->inputs[1];
    size_t m = (size_t)a->shape[a->ndim - 2], k = (size_t)a->shape[a->ndim - 1], cols = (size_t)b->shape[b->ndim - 1];
    if (node_allocate(n))
        return -1;
    if (n->size == 0)
        return 0;
    if (b->ndim == 2 && (a->flags & NODE_ROW_CONTIGUOUS)) { /* all rows of a meet the same b */
        gemm_matrix rows = {a->data, (mlx_dtype)a->dtype, (int64_t)k, 1};
        return cpu_gemm(n->size / cols, cols, k, rows, matrix_at(n, b, 0), n->data, (mlx_dtype)n->dtype, cols);
    }
    for (size_t i = 0; i < n->size / (m * cols); i++)
        if (cpu_gemm(m, cols, k, matrix_at(n, a, i), matrix_at(n, b, i), n->data + i * m * cols * node_itemsize(n),
                     (mlx_dtype)n->dtype, cols))
            return -1;
    return 0;
}

int cpu_eval_quantize(node *n)
{
    const prim_quant *p = n->params;
    const node *w = n->inputs[0];
    buffer *temp;
    const char *data = walk_dense(w, &temp);
    int rc = data ? 0 : -1;
    for (int i = 0; i < 3 && rc == 0; i++)
        rc = node_allocate(n->outputs[i]);
    if (rc == 0 && w->size)
        cpu_quantize(data, (mlx_dtype)w->dtype, w->size / (size_t)p->group, p->group, p->bits,
                     (uint32_t *)n->outputs[0]->data, n->outputs[1]->data, n->outputs[2]->data);
    buffer_release(temp);
    return rc;
}

int cpu_eval_dequantize(node *n)
{
    const prim_quant *p = n->params;
    buffer *temps[3] = {0};
    const char *data[3];
    int rc = 0;
    for (int i = 0; i < 3 && rc == 0; i++)
        rc = (data[i] = walk_dense(n->inputs[i], &temps[i])) ? 0 : -1;
    if (rc == 0)
        rc = node_allocate(n);
    if (rc == 0 && n->size)
        cpu_dequantize((const uint32_t *)data[0], data[1], data[2], (mlx_dtype)n->inputs[1]->dtype,
                       n->size / (size_t)p->group, p->group, p->bits, n->data, (mlx_dtype)n->dtype);
    for (int i = 0; i < 3; i++)
        buffer_release(temps[i]);
    return rc;
}

int cpu_eval_quantized_matmul(node *n)
{
    const prim_quant *p = n->params;
    const node *x = n->inputs[0], *w = n->inputs[1], *scales = n->inputs[2], *biases = n->inputs[3];
    if (!(w->flags & scales->flags & biases->flags & NODE_ROW_CONTIGUOUS))
        return error_set("[QuantizedMatmul] w, scales and biases must be row-major");
    size_t k = (size_t)scales->shape[1] * (size_t)p->group, rows = (size_t)w->shape[0];
    quant_matrix q = {(const uint32_t *)w->data, scales->data, biases->data, (mlx_dtype)scales->dtype,
                      p->bits, p->group, rows, k};
    size_t inner = p->transpose ? k : rows;
    buffer *temp;
    const char *data = walk_dense(x, &temp);
    int rc = data ? node_allocate(n) : -1;
    if (rc == 0 && n->size)
        rc = cpu_qmm(&q, data, (mlx_dtype)x->dtype, inner, x->size / inner, n->data, (mlx_dtype)n->dtype, p->transpose,
                     (mx_precision)p->precision);
    buffer_release(temp);
    return rc;
}
