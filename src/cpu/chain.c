/* Chains from Compiled nodes, and rows by them.
 *
 * The writer goes through the operations with one value in the block, the last one made. An operation whose
 * operand that is takes it from there and the other one from memory; otherwise the first operand is loaded.
 * So that a value is stored only if somebody wants it from memory, the writer runs twice: first to find out
 * which are wanted. */
#include "cpu/chain.h"

#include "cpu/kernels.h"
#include "cpu/walk.h"
#include "prim/prim.h"

#include <string.h>

enum { NOTHING = INT16_MAX };
/* Bytes: what is prefetched of large inputs. A block takes so long that the processor does not see the next
 * one coming. */
enum { LINE = 64, AHEAD = 2048 };
#if defined(__GNUC__)
#define PREFETCH(p) __builtin_prefetch(p)
#else
#define PREFETCH(p) ((void)(p))
#endif

_Static_assert(CHAIN_STEPS >= 4 * PRIM_COMPILED_OPS + 2 * PRIM_COMPILED_INPUTS + 1, "room for all steps");
_Static_assert((int)CHAIN_OPERANDS == (int)WALK_OPERANDS, "places for a walk's operands");
_Static_assert((int)CHAIN_REGISTERS == (int)PRIM_COMPILED_REGISTERS, "places for all registers");

typedef struct writer {
    chain *c;
    const chain_kernels *k;
    const elementwise_kernels *calls;
    const int64_t *strides;
    int count;                            /* steps so far */
    int held;                             /* what is in the block: an operand of an operation, or NOTHING */
    int made[CHAIN_REGISTERS];            /* the operation whose value a register has */
    bool wanted_op[PRIM_COMPILED_OPS];    /* values that somebody reads from memory */
    bool wanted_in[PRIM_COMPILED_INPUTS]; /* as float32, not as they are */
} writer;

static bool kind_of(unsigned dtype, chain_kind *kind)
{
    switch ((mlx_dtype)dtype) {
    case MLX_FLOAT32:
        *kind = CHAIN_F32;
        return true;
    case MLX_FLOAT16:
        *kind = CHAIN_F16;
        return true;
    case MLX_BFLOAT16:
        *kind = CHAIN_BF16;
        return true;
    case MLX_BOOL:
        *kind = CHAIN_BOOL;
        return true;
    default:
        return false;
    }
}

/* --- places --- */

static uint8_t input_place(const writer *w, int input) { return (uint8_t)(w->c->results + input); }
static uint8_t register_place(int reg) { return (uint8_t)(CHAIN_OPERANDS + reg); }
/* An input's as a block of float32. */
static uint8_t widened_place(int input) { return (uint8_t)(CHAIN_OPERANDS + CHAIN_REGISTERS + input); }

static bool is_one(const writer *w, int x) { return x >= 0 && w->strides[input_place(w, x)] == 0; }

/* Can x be read from memory as it is? */
static bool is_ready(const writer *w, int x)
{
    return x < 0 || is_one(w, x) || w->c->kinds[input_place(w, x)] == CHAIN_F32;
}

/* The place of x as a block of float32. */
static uint8_t block_in_memory(writer *w, int x)
{
    if (x < 0) {
        w->wanted_op[w->made[~x]] = true;
        return register_place(~x);
    }
    if (is_ready(w, x) && !is_one(w, x))
        return input_place(w, x);
    w->wanted_in[x] = true;
    return widened_place(x);
}

/* The same, or of one float if it repeats. */
static uint8_t in_memory(writer *w, int x)
{
    return is_one(w, x) ? input_place(w, x) : block_in_memory(w, x);
}

/* --- steps --- */

static chain_step *add(writer *w, chain_fn fn, uint8_t a)
{
    chain_step *s = &w->c->steps[w->count++];
    *s = (chain_step){.fn = fn, .a = a};
    return s;
}

/* Puts x into the block. */
static void hold(writer *w, int x)
{
    if (w->held == x)
        return;
    if (x < 0)
        add(w, w->k->load[CHAIN_F32], block_in_memory(w, x));
    else if (is_one(w, x))
        add(w, w->k->splat, input_place(w, x));
    else
        add(w, w->k->load[w->c->kinds[input_place(w, x)]], input_place(w, x));
    w->held = x;
}

static bool write_unary(writer *w, const prim_compiled_op *op, chain_kind from, chain_kind to)
{
    int row = op->prim - PRIM_Abs;
    bool fits = from == CHAIN_BOOL ? row == CPU_logical_not : from == to && row != CPU_logical_not;
    int kind = from == CHAIN_BOOL ? CHAIN_F32 : (int)from;
    cpu_unary_fn kernel = w->calls->unary[row][MLX_FLOAT32];
    chain_fn fn = w->k->unary[row][kind];
    if (!fits || (!fn && !kernel))
        return false;
    hold(w, op->in[0]);
    add(w, fn ? fn : w->k->call_unary[kind], 0)->call.one = kernel;
    return true;
}

static bool write_cast(writer *w, const prim_compiled_op *op, chain_kind from, chain_kind to)
{
    hold(w, op->in[0]);
    if (from != to && from != CHAIN_BOOL && to != CHAIN_F32)
        add(w, w->k->round[to], 0);
    return true;
}

static bool write_select(writer *w, const prim_compiled_op *op)
{
    hold(w, op->in[0]);
    uint8_t a = block_in_memory(w, op->in[1]), b = block_in_memory(w, op->in[2]);
    add(w, w->k->select, a)->b = b;
    return true;
}

/* Are the row's results bool? */
static bool gives_bool(int row) { return row >= CPU_equal; }

static bool write_binary(writer *w, const prim_compiled_op *op, chain_kind from, chain_kind to)
{
    int row = op->prim - PRIM_Add, a = op->in[0], b = op->in[1];
    row = row == CPU_logical_and ? CPU_minimum : row == CPU_logical_or ? CPU_maximum : row;
    bool truth = to == CHAIN_BOOL, turned = w->held == b && w->held != a;
    if (truth ? !gives_bool(op->prim - PRIM_Add) : from != to)
        return false;
    int kind = truth ? CHAIN_F32 : (int)from;
    cpu_binary_fn kernel = w->calls->binary[row][MLX_FLOAT32];
    if (!w->k->binary[row][0][kind] && (truth || !kernel))
        return false;
    if (w->held != a && w->held != b)
        turned = is_ready(w, a) && !is_ready(w, b);
    hold(w, turned ? b : a);
    if (row == CPU_multiply && a == b) {
        add(w, w->k->unary[CPU_square][kind], 0);
        return true;
    }
    int other = turned ? a : b;
    chain_form form = (turned ? CHAIN_MEMORY_BLOCK : CHAIN_BLOCK_MEMORY) + (is_one(w, other) ? 1 : 0);
    chain_fn fn = w->k->binary[row][form][kind];
    chain_step *s = add(w, fn ? fn : w->k->call_binary[kind], 0);
    s->a = in_memory(w, other);
    s->form = (uint8_t)form;
    s->call.two = kernel;
    return true;
}

static bool write_op(writer *w, const prim_compiled_op *op, int i)
{
    chain_kind from, to;
    if (!kind_of(op->from, &from) || !kind_of(op->to, &to))
        return false;
    int arity = prim_compiled_arity(op->prim);
    if (op->prim == PRIM_AsType ? !write_cast(w, op, from, to)
        : arity == 1            ? !write_unary(w, op, from, to)
        : arity == 2            ? !write_binary(w, op, from, to)
                                : !write_select(w, op))
        return false;
    w->held = op->out < 0 ? op->out : NOTHING;
    if (op->out < 0) {
        w->made[~op->out] = i;
        if (w->wanted_op[i])
            add(w, w->k->store[CHAIN_F32], register_place(~op->out));
    }
    if (op->result) {
        bool past = w->c->past >> (op->result - 1) & 1;
        add(w, past ? w->k->stream[to] : w->k->store[to], (uint8_t)(op->result - 1));
    }
    return true;
}

static bool write_all(writer *w, const prim_compiled *program)
{
    w->count = 0;
    w->held = NOTHING;
    for (int i = 0; i < w->c->operands - w->c->results; i++)
        if (w->wanted_in[i]) {
            hold(w, i);
            add(w, w->k->store[CHAIN_F32], widened_place(i));
        }
    w->held = NOTHING; /* as in the first run */
    for (int i = 0; i < program->count; i++)
        if (!write_op(w, &program->ops[i], i))
            return false;
    add(w, w->k->end, 0);
    return true;
}

static bool add_operand(chain *c, const node *n)
{
    c->sizes[c->operands] = (uint8_t)node_itemsize(n);
    return kind_of(n->dtype, &c->kinds[c->operands++]);
}

bool chain_make(chain *c, const node *n, const int64_t *strides, unsigned past)
{
    const cpu_kernels *k = cpu_kernels_get();
    writer w = {.c = c, .k = &k->chain, .calls = &k->elementwise, .strides = strides};
    bool fits = true;
    c->kernels = &k->chain;
    c->results = n->outputs ? n->n_outputs : 1;
    c->operands = 0;
    c->past = past;
    for (int i = 0; i < c->results; i++)
        fits = add_operand(c, n->outputs ? n->outputs[i] : n) && fits;
    for (uint32_t i = 0; i < n->n_inputs; i++)
        fits = add_operand(c, n->inputs[i]) && fits;
    return fits && write_all(&w, n->params) && write_all(&w, n->params);
}

/* --- rows --- */

typedef struct row {
    const chain *c;
    char *const *p;
    const int64_t *strides;
    chain_state state;
    float ones[CHAIN_OPERANDS]; /* inputs that repeat */
    _Alignas(64) float blocks[CHAIN_PLACES - CHAIN_OPERANDS + 1][CHAIN_LONGEST];
    float staged[CHAIN_OPERANDS][CHAIN_LONGEST]; /* operands that are not a whole dense block */
} row;

static void open_row(row *r)
{
    const chain *c = r->c;
    for (int k = CHAIN_OPERANDS; k < CHAIN_PLACES; k++)
        r->state.at[k] = (char *)r->blocks[k - CHAIN_OPERANDS];
    r->state.scratch = r->blocks[CHAIN_PLACES - CHAIN_OPERANDS];
    static const mlx_dtype dtypes[] = {MLX_FLOAT32, MLX_FLOAT16, MLX_BFLOAT16, MLX_BOOL};
    for (int k = c->results; k < c->operands; k++)
        if (r->strides[k] == 0) {
            cpu_kernels_get()->elementwise.cast[dtypes[c->kinds[k]]][MLX_FLOAT32](r->p[k], 1, &r->ones[k], 1);
            r->state.at[k] = (char *)&r->ones[k];
        }
}

/* Operand k's elements from `from` on, m of them, for a block. */
static void open_operand(row *r, int k, size_t from, size_t m)
{
    size_t size = r->c->sizes[k], block = r->c->kernels->block;
    ptrdiff_t stride = (ptrdiff_t)r->strides[k];
    char *p = r->p[k] + (ptrdiff_t)from * stride * (ptrdiff_t)size;
    if (stride == 0)
        return;
    r->state.at[k] = stride == 1 && m == block ? p : (char *)r->staged[k];
    if (k < r->c->results)
        return;
    if (r->state.at[k] == p) {
        for (size_t i = 0; r->c->past && i < block * size; i += LINE)
            PREFETCH(p + AHEAD + i);
        return;
    }
    cpu_kernels_get()->elementwise.copy[walk_log_size(size)](p, stride, r->staged[k], 1, m);
    memset((char *)r->staged[k] + m * size, 0, (block - m) * size);
}

void chain_row(const void *context, char *const *p, const int64_t *strides, size_t n)
{
    const chain *c = context;
    row r;
    r.c = c, r.p = p, r.strides = strides;
    open_row(&r);
    for (size_t i = 0, m; i < n; i += m) {
        m = n - i < c->kernels->block ? n - i : c->kernels->block;
        for (int k = 0; k < c->operands; k++)
            open_operand(&r, k, i, m);
        c->kernels->run(c->steps, &r.state);
        for (int k = 0; k < c->results && m < c->kernels->block; k++)
            memcpy(p[k] + i * c->sizes[k], r.staged[k], m * c->sizes[k]);
    }
    if (c->past)
        c->kernels->settle();
}
