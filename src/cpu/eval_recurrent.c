/* Recurrences: heads (or, of one wide head, parts of it) over the threads. */
#include "cpu/eval.h"
#include "cpu/pool.h"
#include "cpu/walk.h"

#include <string.h>

enum { INPUTS = 6 };

typedef struct job {
    const node *n;
    const float *in[INPUTS];
    float *y, *state;
} job;

static size_t dim(const job *j, int input, int axis) { return (size_t)j->n->inputs[input]->shape[axis]; }

/* Rows of an input (L, heads, width): head h's. */
static recurrent_rows rows(const job *j, int input, size_t h, size_t width)
{
    const node *x = j->n->inputs[input];
    size_t heads = (size_t)x->shape[1];
    return (recurrent_rows){j->in[input] + h * width, heads * width};
}

static void delta_heads(void *arg, size_t begin, size_t end)
{
    const job *j = arg;
    size_t H = dim(j, 2, 1), V = dim(j, 2, 2), Hk = dim(j, 0, 1), K = dim(j, 0, 2);
    for (size_t h = begin; h < end; h++) {
        size_t hk = h / (H / Hk);
        delta_args a = {.rows = dim(j, 2, 0),
                        .keys = K,
                        .values = V,
                        .q = rows(j, 0, hk, K),
                        .k = rows(j, 1, hk, K),
                        .v = rows(j, 2, h, V),
                        .g = rows(j, 3, h, 1),
                        .beta = rows(j, 4, h, 1),
                        .state = j->state + h * K * V,
                        .y = j->y + h * V,
                        .y_step = H * V};
        cpu_kernels_get()->recurrent.gated_delta(&a);
    }
}

static void scan_heads(void *arg, size_t begin, size_t end)
{
    const job *j = arg;
    size_t H = dim(j, 0, 1), P = dim(j, 0, 2), G = dim(j, 3, 1), N = dim(j, 3, 2);
    bool each = j->n->inputs[2]->ndim == 3;
    for (size_t h = begin; h < end; h++) {
        size_t g = h / (H / G);
        scan_args a = {.rows = dim(j, 0, 0),
                       .states = N,
                       .width = P,
                       .x = rows(j, 0, h, P),
                       .dt = rows(j, 1, h, each ? P : 1),
                       .b = rows(j, 3, g, N),
                       .c = rows(j, 4, g, N),
                       .a = j->in[2] + (each ? h * N * P : h),
                       .each = each,
                       .state = j->state + h * N * P,
                       .y = j->y + h * P,
                       .y_step = H * P};
        cpu_kernels_get()->recurrent.selective_scan(&a);
    }
}

/* The state begins as the last input; then each head goes its way. */
static int eval(node *n, size_t heads, void (*fn)(void *, size_t, size_t))
{
    job j = {.n = n};
    buffer *temps[INPUTS] = {NULL};
    int rc = 0;
    for (int i = 0; i < INPUTS && rc == 0; i++) {
        j.in[i] = (const float *)(const void *)walk_dense(n->inputs[i], &temps[i]);
        rc = j.in[i] ? 0 : -1;
    }
    if (rc == 0)
        rc = node_allocate(n->outputs[0]) || node_allocate(n->outputs[1]) ? -1 : 0;
    if (rc == 0) {
        j.y = (float *)(void *)n->outputs[0]->data;
        j.state = (float *)(void *)n->outputs[1]->data;
        if (n->inputs[5]->size)
            memcpy(j.state, j.in[5], n->inputs[5]->size * sizeof *j.state);
        pool_for(heads, 1, fn, &j);
    }
    for (int i = 0; i < INPUTS; i++)
        buffer_release(temps[i]);
    return rc;
}

int cpu_eval_gated_delta(node *n) { return eval(n, (size_t)n->inputs[2]->shape[1], delta_heads); }
int cpu_eval_selective_scan(node *n) { return eval(n, (size_t)n->inputs[0]->shape[1], scan_heads); }
