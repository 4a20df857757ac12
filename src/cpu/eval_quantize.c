/* Quantization and products with quantized matrices: over the kernels of quantize.c and qmm.c. */
#include "cpu/eval.h"

#include "base/mem.h"
#include "cpu/gather.h"
#include "cpu/walk.h"

#include <string.h>

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

static void release_all(buffer **temps, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buffer_release(temps[i]);
}

/* All inputs row-major; release_all(temps, n_inputs) afterwards, also after -1. */
static int dense_inputs(const node *n, const char **data, buffer **temps)
{
    int rc = 0;
    for (uint32_t i = 0; i < n->n_inputs; i++) {
        temps[i] = NULL;
        data[i] = rc ? NULL : walk_dense(n->inputs[i], &temps[i]);
        rc = data[i] ? rc : -1;
    }
    return rc;
}

int cpu_eval_dequantize(node *n)
{
    const prim_quant *p = n->params;
    buffer *temps[3];
    const char *data[3];
    int rc = dense_inputs(n, data, temps);
    if (rc == 0)
        rc = node_allocate(n);
    if (rc == 0 && n->size)
        cpu_dequantize((const uint32_t *)data[0], data[1], data[2], (mlx_dtype)n->inputs[1]->dtype,
                       n->size / (size_t)p->group, p->group, p->bits, n->data, (mlx_dtype)n->dtype);
    release_all(temps, 3);
    return rc;
}

int cpu_eval_quantized_matmul(node *n)
{
    const prim_quant *p = n->params;
    const node *x = n->inputs[0], *scales = n->inputs[2];
    size_t k = (size_t)scales->shape[1] * (size_t)p->group, rows = (size_t)n->inputs[1]->shape[0];
    size_t inner = p->transpose ? k : rows;
    buffer *temps[4];
    const char *data[4];
    int rc = dense_inputs(n, data, temps);
    if (rc == 0)
        rc = node_allocate(n);
    quant_matrix w = {(const uint32_t *)(const void *)data[1],
                      data[2],
                      data[3],
                      (mlx_dtype)scales->dtype,
                      p->bits,
                      p->group,
                      rows,
                      k};
    if (rc == 0 && inner == 0)
        memset(n->data, 0, node_bytes(n));
    else if (rc == 0 && n->size)
        rc = cpu_qmm(&w, data[0], (mlx_dtype)x->dtype, inner, x->size / inner, n->data, (mlx_dtype)n->dtype,
                     p->transpose, (mx_precision)p->precision);
    release_all(temps, 4);
    return rc;
}

typedef struct picked {
    const prim_quant *p;
    quant_matrix first; /* of the right sides, which lie one after the other */
    size_t inner, words, scale_bytes;
    mlx_dtype x_dtype, y_dtype;
} picked;

static quant_matrix right_side(const picked *g, size_t right)
{
    quant_matrix w = g->first;
    w.w += right * g->words;
    w.scales = (const char *)w.scales + right * g->scale_bytes;
    w.biases = (const char *)w.biases + right * g->scale_bytes;
    return w;
}

static int picked_product(const void *context, size_t right, size_t rows, const char *x, char *y)
{
    const picked *g = context;
    const quant_matrix w = right_side(g, right);
    return cpu_qmm(&w, x, g->x_dtype, g->inner, rows, y, g->y_dtype, g->p->transpose, MX_EXACT);
}

/* Several right sides, all for the same few rows (a token's experts), are one phase: 0 if computed, -1 on
 * failure, 1 if they are not of that kind. */
static int same_rows(const gather_job *j, const picked *g)
{
    bool same = g->p->transpose && j->m <= QMM_FEW_ROWS && j->pairs > 1;
    for (size_t i = 0; same && i < j->pairs; i++)
        same = j->lhs[i] == j->lhs[0] && j->lhs[i] < j->lefts && j->rhs[i] < j->rights;
    if (!same)
        return 1;
    quant_matrix *w = mem_alloc(j->pairs, sizeof *w + sizeof(void *));
    void **y = (void **)(void *)(w + j->pairs);
    for (size_t i = 0; w && i < j->pairs; i++) {
        w[i] = right_side(g, j->rhs[i]);
        y[i] = j->y + i * j->m * j->y_row;
    }
    int rc = w ? cpu_qmm_few(&cpu_kernels_get()->qmm, w, y, j->pairs, j->x + j->lhs[0] * j->m * j->x_row,
                             g->x_dtype, g->inner, j->m, g->y_dtype, MX_EXACT)
               : -1;
    mem_free(w);
    return rc;
}

int cpu_eval_gather_qmm(node *n)
{
    const prim_quant *p = n->params;
    const node *x = n->inputs[0], *w = n->inputs[1], *scales = n->inputs[2];
    size_t groups = (size_t)scales->shape[scales->ndim - 1], k = groups * (size_t)p->group,
           rows = (size_t)w->shape[w->ndim - 2], inner = p->transpose ? k : rows;
    buffer *temps[6];
    const char *data[6];
    int rc = dense_inputs(n, data, temps);
    if (rc == 0)
        rc = node_allocate(n);
    if (rc == 0 && inner == 0)
        memset(n->data, 0, node_bytes(n));
    else if (rc == 0 && n->size) {
        mlx_dtype t = (mlx_dtype)scales->dtype;
        picked g = {
            p,
            {(const uint32_t *)(const void *)data[1], data[2], data[3], t, p->bits, p->group, rows, k},
            inner,
            rows * (size_t)w->shape[w->ndim - 1],
            rows * groups * mx_dtype_size(t),
            (mlx_dtype)x->dtype,
            (mlx_dtype)n->dtype};
        size_t m = (size_t)x->shape[x->ndim - 2];
        gather_job job = {.op = "gather_qmm",
                          .x = data[0],
                          .y = n->data,
                          .lefts = x->size / inner / m,
                          .rights = w->size / g.words,
                          .m = m,
                          .x_row = inner * node_itemsize(x),
                          .y_row = (size_t)n->shape[n->ndim - 1] * node_itemsize(n),
                          .lhs = (const uint32_t *)(const void *)data[4],
                          .rhs = (const uint32_t *)(const void *)data[5],
                          .pairs = n->inputs[4]->size,
                          .product = picked_product,
                          .context = &g};
        rc = same_rows(&job, &g);
        rc = rc > 0 ? cpu_gather(&job) : rc;
    }
    release_all(temps, 6);
    return rc;
}
