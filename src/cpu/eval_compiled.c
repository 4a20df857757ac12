/* Compiled: a program of elementwise operations, run over blocks of each row.
 *
 * A block is short enough for all registers together to stay in the first-level cache. Every operation is one
 * call of the kernel that it would have had alone, so results are the same to the bit; but what lies between
 * the inputs and the result never reaches memory. */
#include "base/error.h"
#include "cpu/eval.h"
#include "cpu/walk.h"

enum { REGISTER_BYTES = 32 * 1024, LONGEST = 2048, SHORTEST = 64 };

typedef struct step {
    union {
        cpu_unary_fn one;
        cpu_binary_fn two;
        cpu_select_fn three;
    } fn;
    int arity;
    int in[3], out;
} step;

typedef struct plan {
    int count;
    size_t block, bytes; /* elements of a block; bytes of a register */
    size_t itemsize[PRIM_COMPILED_INPUTS + 1];
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

static int make_plan(plan *p, const node *n)
{
    const prim_compiled *program = n->params;
    size_t widest = 1;
    p->count = program->count;
    p->itemsize[0] = node_itemsize(n);
    for (uint32_t i = 0; i < n->n_inputs; i++)
        p->itemsize[i + 1] = node_itemsize(n->inputs[i]);
    for (int i = 0; i < p->count; i++) {
        const prim_compiled_op *op = &program->ops[i];
        step *s = &p->steps[i];
        if (!find_kernel(s, op))
            return error_set("[%s] has no CPU kernel for %s", prim_table[op->prim].name,
                             mx_dtype_name((mlx_dtype)op->from));
        for (int k = 0; k < 3; k++)
            s->in[k] = op->in[k];
        s->out = op->out;
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
        int in = s->in[k] + 1; /* operand of the walk */
        sa[k] = in > 0 ? (ptrdiff_t)strides[in] : 1;
        a[k] = in > 0 ? p[in] + (ptrdiff_t)at * sa[k] * (ptrdiff_t)l->itemsize[in]
                      : registers + (size_t)-in * l->bytes;
    }
    char *y = s->out < 0 ? registers + (size_t)~s->out * l->bytes : p[0] + at * l->itemsize[0];
    if (s->arity == 1)
        s->fn.one(a[0], sa[0], y, m);
    else if (s->arity == 2)
        s->fn.two(a[0], sa[0], a[1], sa[1], y, m);
    else
        s->fn.three(a[0], sa[0], a[1], sa[1], a[2], sa[2], y, m);
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

int cpu_eval_compiled(node *n)
{
    uint8_t candidates[PRIM_COMPILED_INPUTS];
    plan p;
    walk w;
    if (make_plan(&p, n))
        return -1;
    for (uint32_t i = 0; i < n->n_inputs; i++)
        candidates[i] = (uint8_t)i;
    if (node_allocate_from(n, candidates, n->n_inputs))
        return -1;
    walk_init(&w, n->shape, n->ndim);
    walk_add(&w, n);
    for (uint32_t i = 0; i < n->n_inputs; i++)
        walk_add(&w, n->inputs[i]);
    walk_run(&w, run_row, &p);
    return 0;
}
