/* Compiled: a program of elementwise operations, run over the rows of a walk.
 *
 * Programs of floats run as chains (cpu/chain.h). The others go over blocks of each row that are short enough
 * for all registers together to stay in the first-level cache, and every operation is one call of the kernel
 * that it would have had alone. Either way results are the same to the bit, but what lies between inputs and
 * results never reaches memory. */
#include "base/error.h"
#include "cpu/chain.h"
#include "cpu/eval.h"
#include "cpu/walk.h"

#include <string.h>

enum { REGISTER_BYTES = 32 * 1024, LONGEST = 2048, SHORTEST = 64 };
enum {
    CACHES = 32 << 20
}; /* bytes: arrays as large together do not wait in the caches for whoever is next */

typedef struct step {
    union {
        cpu_unary_fn one;
        cpu_binary_fn two;
        cpu_select_fn three;
    } fn;
    int arity;
    int in[3], out; /* operands of the walk, or ~register */
    int copy;       /* where the register goes to as well: an operand, or -1 */
} step;

typedef struct plan {
    int count;
    size_t block, bytes;            /* elements of a block; bytes of a register */
    size_t itemsize[WALK_OPERANDS]; /* of results, then of inputs */
    step steps[PRIM_COMPILED_OPS];
} plan;

static bool find_kernel(step *s, const prim_compiled_op *op)
{
    const elementwise_kernels *k = &cpu_kernels_get()->elementwise;
    s->arity = prim_compiled_arity(op->prim);
    if (op->prim == PRIM_AsType)
        s->fn.one = k->cast[op->from][op->to];
    else if (s->arity == 1)
        s->fn.one = k->unary[op->prim - PRIM_Abs][op->from];
    else if (s->arity == 2)
        s->fn.two = k->binary[op->prim - PRIM_Add][op->from];
    else
        s->fn.three = k->select[walk_log_size(mx_dtype_size((mlx_dtype)op->to))];
    return s->arity == 1 ? s->fn.one != NULL : s->arity == 2 ? s->fn.two != NULL : s->fn.three != NULL;
}

/* Result r of n. */
static node *result_of(const node *n, int r) { return n->outputs ? n->outputs[r] : (node *)n; }

static int make_plan(plan *p, const node *n, int results)
{
    const prim_compiled *program = n->params;
    size_t widest = 1;
    p->count = program->count;
    for (int i = 0; i < results; i++)
        p->itemsize[i] = node_itemsize(result_of(n, i));
    for (uint32_t i = 0; i < n->n_inputs; i++)
        p->itemsize[(uint32_t)results + i] = node_itemsize(n->inputs[i]);
    for (int i = 0; i < p->count; i++) {
        const prim_compiled_op *op = &program->ops[i];
        step *s = &p->steps[i];
        if (!find_kernel(s, op))
            return error_set("[%s] has no CPU kernel for %s", prim_table[op->prim].name,
                             mx_dtype_name((mlx_dtype)op->from));
        for (int k = 0; k < 3; k++)
            s->in[k] = op->in[k] < 0 ? op->in[k] : op->in[k] + results;
        s->out = op->out < 0 ? op->out : op->result - 1;
        s->copy = op->out < 0 ? op->result - 1 : -1;
        size_t size = mx_dtype_size((mlx_dtype)op->to);
        widest = op->out < 0 && size > widest ? size : widest;
    }
    size_t registers = program->registers > 0 ? (size_t)program->registers : 1;
    size_t block = REGISTER_BYTES / registers / widest / SHORTEST * SHORTEST;
    p->block = block > LONGEST ? LONGEST : block;
    p->bytes = p->block * widest;
    return 0;
}

/* One operation on m elements from `at` on. */
static void run_step(const plan *l, const step *s, char *const *p, const int64_t *strides, char *registers,
                     size_t at, size_t m)
{
    const char *a[3];
    ptrdiff_t sa[3];
    for (int k = 0; k < s->arity; k++) {
        int in = s->in[k];
        sa[k] = in < 0 ? 1 : (ptrdiff_t)strides[in];
        a[k] = in < 0 ? registers + (size_t)~in * l->bytes
                      : p[in] + (ptrdiff_t)at * sa[k] * (ptrdiff_t)l->itemsize[in];
    }
    char *y = s->out < 0 ? registers + (size_t)~s->out * l->bytes : p[s->out] + at * l->itemsize[s->out];
    if (s->arity == 1)
        s->fn.one(a[0], sa[0], y, m);
    else if (s->arity == 2)
        s->fn.two(a[0], sa[0], a[1], sa[1], y, m);
    else
        s->fn.three(a[0], sa[0], a[1], sa[1], a[2], sa[2], y, m);
    if (s->copy >= 0)
        memcpy(p[s->copy] + at * l->itemsize[s->copy], y, m * l->itemsize[s->copy]);
}

static void run_row(const void *context, char *const *p, const int64_t *strides, size_t n)
{
    const plan *l = context;
    _Alignas(64) char registers[REGISTER_BYTES];
    for (size_t at = 0; at < n; at += l->block) {
        size_t m = n - at < l->block ? n - at : l->block;
        for (int i = 0; i < l->count; i++)
            run_step(l, &l->steps[i], p, strides, registers, at, m);
    }
}

/* The operation that makes result r. */
static int maker_of(const prim_compiled *p, int r)
{
    int i = 0;
    while (p->ops[i].result != r + 1)
        i++;
    return i;
}

/* Does an operation after the i-th read this input? */
static bool read_after(const prim_compiled *p, int i, int input)
{
    for (i++; i < p->count; i++)
        for (int k = 0; k < prim_compiled_arity(p->ops[i].prim); k++)
            if (p->ops[i].in[k] == input)
                return true;
    return false;
}

/* Gives result r the buffer of a dead input that is read no more when it is written, or a new one. Returns
 * -1, or whether it is new. */
static int allocate(const node *n, int r)
{
    node *y = result_of(n, r);
    int maker = maker_of(n->params, r);
    for (uint32_t i = 0; i < n->n_inputs; i++) {
        const node *in = n->inputs[i];
        if (node_can_donate(n, i) && in->size == y->size && node_itemsize(in) == node_itemsize(y) &&
            !read_after(n->params, maker, (int)i)) {
            buffer_release(y->buf);
            y->buf = buffer_retain(in->buf);
            y->data = in->data;
            return 0;
        }
    }
    return node_allocate(y) ? -1 : 1;
}

/* All results; `fresh` gets a bit for each that has new memory. 0 or -1. */
static int allocate_all(const node *n, int results, unsigned *fresh)
{
    *fresh = 0;
    for (int i = 0; i < results; i++) {
        int is_new = allocate(n, i);
        if (is_new < 0)
            return -1;
        *fresh |= (unsigned)is_new << i;
    }
    return 0;
}

/* A walk over the results and the inputs; returns the bytes of all. */
static size_t make_walk(walk *w, const node *n, int results)
{
    size_t bytes = 0;
    walk_init(w, n->shape, n->ndim);
    for (int i = 0; i < results + (int)n->n_inputs; i++) {
        const node *x = i < results ? result_of(n, i) : n->inputs[i - results];
        walk_add(w, x);
        bytes += node_bytes(x);
    }
    walk_collapse(w);
    return bytes;
}

int cpu_eval_compiled(node *n)
{
    int64_t strides[WALK_OPERANDS];
    int results = n->outputs ? n->n_outputs : 1;
    unsigned fresh;
    walk w;
    if (allocate_all(n, results, &fresh))
        return -1;
    size_t bytes = make_walk(&w, n, results);
    for (int i = 0; i < w.operands; i++)
        strides[i] = w.stride[i][w.ndim - 1];
    chain c;
    plan p;
    if (chain_make(&c, n, strides, bytes >= CACHES ? fresh : 0))
        walk_run(&w, chain_row, &c);
    else if (make_plan(&p, n, results) == 0)
        walk_run(&w, run_row, &p);
    else
        return -1;
    return 0;
}
