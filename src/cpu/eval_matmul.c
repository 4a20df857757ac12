/* Dense matrix products: batches, picked pairs and segments over the kernels of gemm.c. */
#include "base/error.h"
#include "cpu/eval.h"
#include "cpu/gather.h"
#include "cpu/walk.h"

#include <string.h>

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
    return (gemm_matrix){x->data + offset * (int64_t)node_itemsize(x), (mlx_dtype)x->dtype,
                         x->strides[x->ndim - 2], x->strides[x->ndim - 1]};
}

/* The product of inputs 0 and 1, for each batch entry of n's shape, row-major to c. */
static int product(const node *n, char *c, mlx_dtype dtype)
{
    const node *a = n->inputs[0], *b = n->inputs[1];
    size_t m = (size_t)a->shape[a->ndim - 2], k = (size_t)a->shape[a->ndim - 1],
           cols = (size_t)b->shape[b->ndim - 1];
    if (b->ndim == 2 && (a->flags & NODE_ROW_CONTIGUOUS)) { /* all rows of a meet the same b */
        gemm_matrix rows = {a->data, (mlx_dtype)a->dtype, (int64_t)k, 1};
        return cpu_gemm(n->size / cols, cols, k, rows, matrix_at(n, b, 0), c, dtype, cols);
    }
    for (size_t i = 0; i < n->size / (m * cols); i++)
        if (cpu_gemm(m, cols, k, matrix_at(n, a, i), matrix_at(n, b, i),
                     c + i * m * cols * mx_dtype_size(dtype), dtype, cols))
            return -1;
    return 0;
}

int cpu_eval_matmul(node *n)
{
    if (node_allocate(n))
        return -1;
    return n->size ? product(n, n->data, (mlx_dtype)n->dtype) : 0;
}

/* --- alpha * product + beta * c --- */

enum { BLOCK = 256 };

typedef struct addmm {
    float alpha, beta;
    mlx_dtype dtype; /* of c and the result */
} addmm;

static void add_f64(const addmm *j, const double *product, const char *c, int64_t step, size_t n, double *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = (double)j->alpha * product[i] +
               (double)j->beta * *(const double *)(const void *)(c + (int64_t)i * step * 8);
}

/* p: result, product (float32 or float64), c. */
static void add_row(const void *context, char *const *p, const int64_t *strides, size_t n)
{
    const addmm *j = context;
    const elementwise_kernels *k = &cpu_kernels_get()->elementwise;
    size_t size = mx_dtype_size(j->dtype);
    float c[BLOCK];
    if (j->dtype == MLX_FLOAT64) {
        add_f64(j, (const double *)(const void *)p[1], p[2], strides[2], n, (double *)(void *)p[0]);
        return;
    }
    for (size_t i = 0; i < n; i += BLOCK) {
        size_t count = n - i < BLOCK ? n - i : BLOCK;
        const float *product = (const float *)(const void *)p[1] + i;
        const char *from = p[2] + (int64_t)i * strides[2] * (int64_t)size;
        if (j->dtype == MLX_FLOAT32)
            k->copy[2](from, (ptrdiff_t)strides[2], c, 1, count);
        else
            k->cast[j->dtype][MLX_FLOAT32](from, (ptrdiff_t)strides[2], c, count);
        for (size_t e = 0; e < count; e++)
            c[e] = j->alpha * product[e] + j->beta * c[e];
        if (j->dtype == MLX_FLOAT32)
            memcpy(p[0] + i * size, c, count * size);
        else
            k->cast[MLX_FLOAT32][j->dtype](c, 1, p[0] + i * size, count);
    }
}

/* The product is made in n's own buffer, or for the halves in a wider one, so that they are rounded once. */
int cpu_eval_addmm(node *n)
{
    const prim_addmm *p = n->params;
    addmm job = {p->alpha, p->beta, (mlx_dtype)n->dtype};
    bool half = node_itemsize(n) == 2;
    mlx_dtype wide = half ? MLX_FLOAT32 : (mlx_dtype)n->dtype;
    int64_t dense[MX_MAX_DIMS], step = 1;
    if (node_allocate(n))
        return -1;
    if (n->size == 0)
        return 0;
    buffer *temp = half ? buffer_new(n->size * sizeof(float)) : NULL;
    if (half && !temp)
        return -1;
    char *sums = half ? temp->data : n->data;
    int rc = product(n, sums, wide);
    for (int i = n->ndim - 1; i >= 0; i--, step *= n->shape[i + 1])
        dense[i] = step;
    walk w;
    walk_init(&w, n->shape, n->ndim);
    walk_add_strided(&w, n->data, dense, node_itemsize(n));
    walk_add_strided(&w, sums, dense, mx_dtype_size(wide));
    walk_add(&w, n->inputs[2]);
    if (rc == 0)
        walk_run(&w, add_row, &job);
    buffer_release(temp);
    return rc;
}

/* --- segments --- */

int cpu_eval_segmented_mm(node *n)
{
    const node *a = n->inputs[0], *b = n->inputs[1], *s = n->inputs[2];
    size_t m = (size_t)a->shape[0], k = (size_t)a->shape[1], cols = (size_t)b->shape[1];
    if (node_allocate(n))
        return -1;
    if (n->size == 0)
        return 0;
    buffer *temp;
    const uint32_t *segments = (const uint32_t *)(const void *)walk_dense(s, &temp);
    int rc = segments ? 0 : -1;
    for (size_t i = 0; i < s->size / 2 && rc == 0; i++) {
        size_t begin = segments[2 * i], end = segments[2 * i + 1];
        char *c = n->data + i * m * cols * node_itemsize(n);
        if (end > begin && end > k) {
            rc = error_set("[segmented_mm] segment %zu ends at %zu, over K = %zu", i, end, k);
            break;
        }
        gemm_matrix left = {a->data + (int64_t)begin * a->strides[1] * (int64_t)node_itemsize(a),
                            (mlx_dtype)a->dtype, a->strides[0], a->strides[1]};
        gemm_matrix right = {b->data + (int64_t)begin * b->strides[0] * (int64_t)node_itemsize(b),
                             (mlx_dtype)b->dtype, b->strides[0], b->strides[1]};
        rc = cpu_gemm(m, cols, end > begin ? end - begin : 0, left, right, c, (mlx_dtype)n->dtype, cols);
    }
    buffer_release(temp);
    return rc;
}

/* --- picked pairs --- */

typedef struct picked {
    mlx_dtype a_dtype, dtype;
    const node *b;
    size_t k, columns;
} picked;

static int picked_product(const void *context, size_t right, size_t rows, const char *x, char *y)
{
    const picked *g = context;
    const node *b = g->b;
    int64_t offset = 0;
    for (int d = b->ndim - 3; d >= 0; d--) {
        offset += (int64_t)(right % (size_t)b->shape[d]) * b->strides[d];
        right /= (size_t)b->shape[d];
    }
    gemm_matrix left = {x, g->a_dtype, (int64_t)g->k, 1};
    gemm_matrix matrix = {b->data + offset * (int64_t)node_itemsize(b), (mlx_dtype)b->dtype,
                          b->strides[b->ndim - 2], b->strides[b->ndim - 1]};
    return cpu_gemm(rows, g->columns, g->k, left, matrix, y, g->dtype, g->columns);
}

static size_t matrices_of(const node *x) /* none of whose matrices is empty */
{
    return x->size / (size_t)x->shape[x->ndim - 1] / (size_t)x->shape[x->ndim - 2];
}

int cpu_eval_gather_mm(node *n)
{
    const node *a = n->inputs[0], *b = n->inputs[1];
    picked g = {(mlx_dtype)a->dtype, (mlx_dtype)n->dtype, b, (size_t)a->shape[a->ndim - 1],
                (size_t)b->shape[b->ndim - 1]};
    if (node_allocate(n))
        return -1;
    if (n->size == 0)
        return 0;
    if (g.k == 0) {
        memset(n->data, 0, node_bytes(n));
        return 0;
    }
    buffer *temps[3];
    const char *data[3];
    int rc = 0;
    for (int i = 0; i < 3; i++) {
        data[i] = walk_dense(n->inputs[i ? i + 1 : 0], &temps[i]);
        rc = data[i] ? rc : -1;
    }
    gather_job job = {.op = "gather_mm",
                      .x = data[0],
                      .y = n->data,
                      .lefts = matrices_of(a),
                      .rights = matrices_of(b),
                      .m = (size_t)a->shape[a->ndim - 2],
                      .x_row = g.k * node_itemsize(a),
                      .y_row = g.columns * node_itemsize(n),
                      .lhs = (const uint32_t *)(const void *)data[1],
                      .rhs = (const uint32_t *)(const void *)data[2],
                      .pairs = n->inputs[2]->size,
                      .product = picked_product,
                      .context = &g};
    rc = rc ? rc : cpu_gather(&job);
    for (int i = 0; i < 3; i++)
        buffer_release(temps[i]);
    return rc;
}
