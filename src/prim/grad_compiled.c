/* The gradient of a group of elementwise operations: the operations are made again, one by one, and gone
 * through backwards. */
#include "base/mem.h"
#include "prim/grad.h"

#include <string.h>

/* The operations of a group apart: each one's result, and what reaches it. */
typedef struct apart {
    const grad_args *a;
    mlx_array results[PRIM_COMPILED_OPS], given[PRIM_COMPILED_OPS];
    int writer[PRIM_COMPILED_REGISTERS]; /* the operation that wrote a register last */
    int read[PRIM_COMPILED_OPS][3];      /* operation whose result an operation reads, or -1: an input */
} apart;

static void make_again(apart *t, const prim_compiled *p)
{
    for (int i = 0; i < p->count; i++) {
        const prim_compiled_op *op = &p->ops[i];
        int arity = prim_compiled_arity(op->prim);
        mlx_array in[3];
        for (int k = 0; k < arity; k++) {
            t->read[i][k] = op->in[k] < 0 ? t->writer[~op->in[k]] : -1;
            in[k] = op->in[k] < 0 ? t->results[t->read[i][k]] : t->a->in[op->in[k]];
        }
        prim_dtype to = {op->to};
        bool cast = op->prim == PRIM_AsType;
        t->results[i] = prim_make(op->prim, in, (size_t)arity, cast ? &to : NULL, cast ? sizeof to : 0);
        if (op->out < 0)
            t->writer[~op->out] = i;
    }
}

static void add_to(mlx_array *slot, mlx_array g, const node *x)
{
    if (mx_is_null(g))
        return;
    g = grad_fit(g, x);
    *slot = mx_is_null(*slot) ? g : mx_add(*slot, g);
}

static void step_back(apart *t, const prim_compiled_op *op, int i, mlx_array *grads)
{
    int arity = prim_compiled_arity(op->prim);
    mlx_array in[3], flows[3] = {MX_NULL, MX_NULL, MX_NULL};
    bool wanted[3];
    for (int k = 0; k < arity; k++) {
        int from = t->read[i][k];
        in[k] = from < 0 ? t->a->in[op->in[k]] : t->results[from];
        wanted[k] = from >= 0 || t->a->wanted[op->in[k]];
    }
    grad_args args = {node_of(t->results[i]), in, &t->results[i], &t->given[i], wanted};
    prim_table[op->prim].vjp(&args, flows);
    for (int k = 0; k < arity; k++)
        if (wanted[k])
            add_to(t->read[i][k] < 0 ? &grads[op->in[k]] : &t->given[t->read[i][k]], flows[k],
                   node_of(in[k]));
}

void grad_compiled(const grad_args *a, mlx_array *grads)
{
    const prim_compiled *p = a->n->params;
    apart *t = mem_calloc(1, sizeof *t);
    if (!t)
        return;
    t->a = a;
    make_again(t, p);
    if (!mx_is_null(t->results[p->count - 1])) {
        for (int i = 0; i < p->count; i++)
            if (p->ops[i].result)
                t->given[i] = a->given[p->ops[i].result - 1];
        for (int i = p->count; i-- > 0;)
            if (!mx_is_null(t->given[i]))
                step_back(t, &p->ops[i], i, grads);
    }
    mem_free(t);
}
