/* Elementwise primitives: the kernel of the operation and dtype, over the rows of a walk. */
#include "cpu/eval.h"
#include "cpu/walk.h"

/* prim.def lists the unary rows first and the binary ones next, in the order of the kernels' tables. */
_Static_assert(PRIM_Abs == 1 && (int)PRIM_Add == 1 + CPU_UNARY_COUNT, "order of prim.def");

static void unary_row(const void *context, char *const *p, const int64_t *s, size_t n)
{
    (*(const cpu_unary_fn *)context)(p[1], (ptrdiff_t)s[1], p[0], n);
}

static void binary_row(const void *context, char *const *p, const int64_t *s, size_t n)
{
    (*(const cpu_binary_fn *)context)(p[1], (ptrdiff_t)s[1], p[2], (ptrdiff_t)s[2], p[0], n);
}

static void select_row(const void *context, char *const *p, const int64_t *s, size_t n)
{
    (*(const cpu_select_fn *)context)(p[1], (ptrdiff_t)s[1], p[2], (ptrdiff_t)s[2], p[3], (ptrdiff_t)s[3],
                                      p[0], n);
}

/* Walks n and its inputs together. */
static int run(node *n, walk_row fn, const void *kernel)
{
    static const uint8_t order[3] = {0, 1, 2};
    walk w;
    if (node_allocate_from(n, order, n->n_inputs))
        return -1;
    walk_init(&w, n->shape, n->ndim);
    walk_add(&w, n);
    for (uint32_t i = 0; i < n->n_inputs; i++)
        walk_add(&w, n->inputs[i]);
    walk_run(&w, fn, kernel);
    return 0;
}

int cpu_eval_unary(node *n)
{
    mlx_dtype t = (mlx_dtype)n->inputs[0]->dtype;
    cpu_unary_fn fn = cpu_kernels_get()->elementwise.unary[n->prim - PRIM_Abs][t];
    return fn ? run(n, unary_row, &fn) : cpu_eval_no_kernel(n, t);
}

int cpu_eval_binary(node *n)
{
    mlx_dtype t = (mlx_dtype)n->inputs[0]->dtype;
    cpu_binary_fn fn = cpu_kernels_get()->elementwise.binary[n->prim - PRIM_Add][t];
    return fn ? run(n, binary_row, &fn) : cpu_eval_no_kernel(n, t);
}

int cpu_eval_select(node *n)
{
    cpu_select_fn fn = cpu_kernels_get()->elementwise.select[walk_log_size(node_itemsize(n))];
    return run(n, select_row, &fn);
}

int cpu_eval_astype(node *n)
{
    mlx_dtype t = (mlx_dtype)n->inputs[0]->dtype;
    cpu_unary_fn fn = cpu_kernels_get()->elementwise.cast[t][n->dtype];
    return fn ? run(n, unary_row, &fn) : cpu_eval_no_kernel(n, t);
}
