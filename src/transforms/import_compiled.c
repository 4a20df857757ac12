/* Programs of elementwise operations from outside: each operation must be one that its primitive's shape rule
 * and row of import.def allow, read only inputs or registers that were written, in their dtypes, and write a
 * register that there is or a result; all results are written once. */
#include "transforms/import.h"

typedef struct registers {
    int dtypes[PRIM_COMPILED_REGISTERS]; /* -1: nothing in it yet */
    int count;
} registers;

/* The dtype of what an operation reads, or -1. */
static int dtype_at(const registers *r, int at, node *const *in, size_t n)
{
    if (at >= 0)
        return (size_t)at < n ? in[at]->dtype : -1;
    return ~at < r->count ? r->dtypes[~at] : -1;
}

static bool fits(const prim_compiled_op *op, const registers *r, node *const *in, size_t n)
{
    int arity = op->prim < PRIM_COUNT ? prim_compiled_arity(op->prim) : 0;
    node operands[3] = {0}, *each[3];
    int scalar[1] = {0};
    prim_dtype to = {op->to};
    prim_spec result;
    for (int i = 0; i < arity; i++) {
        int dtype = dtype_at(r, op->in[i], in, n);
        if (dtype < 0 || (dtype != op->from && !(i == 0 && op->prim == PRIM_Select)))
            return false;
        operands[i].dtype = (uint8_t)dtype;
        operands[i].shape = scalar;
        each[i] = &operands[i];
    }
    return arity > 0 &&
           import_check(op->prim, &to, op->prim == PRIM_AsType ? sizeof to : 0, each, (size_t)arity) &&
           prim_infer(op->prim, each, (size_t)arity, &to, &result) == 1 && (int)result.dtype == op->to;
}

/* Notes what an operation writes. */
static bool write(const prim_compiled_op *op, registers *r, unsigned *results)
{
    if (op->result < 0 || op->result > PRIM_FEW_OUTPUTS || op->out > 0 || ~op->out >= r->count)
        return false;
    unsigned result = op->result ? 1u << (op->result - 1) : 0;
    if (*results & result || (!result && op->out == 0))
        return false;
    *results |= result;
    if (op->out < 0)
        r->dtypes[~op->out] = op->to;
    return true;
}

bool import_compiled(const void *params, size_t size, node *const *in, size_t n)
{
    const prim_compiled *p = params;
    registers r;
    unsigned results = 0;
    if (p->count > PRIM_COMPILED_OPS || p->registers > PRIM_COMPILED_REGISTERS ||
        size != sizeof *p + (size_t)p->count * sizeof *p->ops)
        return false;
    r.count = p->registers;
    for (int i = 0; i < r.count; i++)
        r.dtypes[i] = -1;
    for (int i = 0; i < p->count; i++)
        if (!fits(&p->ops[i], &r, in, n) || !write(&p->ops[i], &r, &results))
            return false;
    size_t count = results == 1 ? 1 : results == 3 ? 2 : results == 7 ? 3 : 0;
    return count > 0 && n + count <= PRIM_COMPILED_INPUTS + 1;
}
