/* Steps of chains against the elementwise kernels of the same instruction set, which are what the operations
 * run by when they are alone: equal to the bit, awkward values included, in all forms and with all roundings.
 * (Which NaN comes out of two is left open.) */
#include "values.h"

enum { LOADED = 0, OTHER, RESULT, SLOT, BLOCKS = 64 };

static const mlx_dtype dtypes[] = {MLX_FLOAT32, MLX_FLOAT16, MLX_BFLOAT16, MLX_BOOL};
static _Alignas(64) char first[CHAIN_LONGEST * 4], second[CHAIN_LONGEST * 4], third[CHAIN_LONGEST * 4];
static _Alignas(64) float scratch[CHAIN_LONGEST], widened[CHAIN_LONGEST], slot[CHAIN_LONGEST];

typedef struct trial {
    const cpu_kernels *k;
    chain_step steps[8];
    int count;
    chain_state state;
} trial;

static void add(trial *t, chain_fn fn, uint8_t a)
{
    assert_non_null(fn);
    t->steps[t->count++] = (chain_step){.fn = fn, .a = a};
}

/* Starts with a load of `first`; `second` is widened for operands in memory. */
static void start(trial *t, const cpu_kernels *k, chain_kind kind, chain_kind other)
{
    *t = (trial){.k = k};
    t->state.scratch = scratch;
    t->state.at[LOADED] = first;
    t->state.at[OTHER] = (char *)widened;
    t->state.at[RESULT] = third;
    t->state.at[SLOT] = (char *)slot;
    value_fill(dtypes[kind], first, CHAIN_LONGEST);
    value_fill(dtypes[other], second, CHAIN_LONGEST);
    k->elementwise.cast[dtypes[other]][MLX_FLOAT32](second, 1, widened, CHAIN_LONGEST);
    add(t, k->chain.load[kind], LOADED);
}

static void finish(trial *t, chain_kind kind)
{
    add(t, t->k->chain.store[kind], RESULT);
    add(t, t->k->chain.end, 0);
    memset(third, 0xA5, sizeof third);
    t->k->chain.run(t->steps, &t->state);
}

/* The block in `third` is `expected`, and nothing behind it was written. */
static void compare(const trial *t, const void *expected, chain_kind kind, const char *what, const char *name)
{
    mlx_dtype d = dtypes[kind];
    size_t block = t->k->chain.block;
    for (size_t i = 0; i < block; i++) {
        double x = value_get(d, third, i), y = value_get(d, expected, i);
        if (value_bits(d, third, i) != value_bits(d, expected, i) && !(isnan(x) && isnan(y)))
            fail_msg("%s %s to dtype %d under %s: element %zu is %.9g, not %.9g", what, name, (int)d,
                     cpu_isa_name(t->k->isa), i, x, y);
    }
    for (size_t i = block * value_sizes[d]; i < sizeof third; i++)
        assert_int_equal((unsigned char)third[i], 0xA5);
}

static void check_unary(const cpu_kernels *k, int op, chain_kind kind, const char *name)
{
    _Alignas(64) char expected[CHAIN_LONGEST * 4];
    cpu_unary_fn alone = k->elementwise.unary[op][dtypes[kind]];
    int rounding = kind == CHAIN_BOOL ? CHAIN_F32 : (int)kind;
    trial t;
    if (!alone || (kind == CHAIN_BOOL && op != CPU_logical_not))
        return;
    start(&t, k, kind, kind);
    chain_fn fn = k->chain.unary[op][rounding];
    add(&t, fn ? fn : k->chain.call_unary[rounding], 0);
    t.steps[t.count - 1].call.one = k->elementwise.unary[op][MLX_FLOAT32];
    finish(&t, kind);
    alone(first, 1, expected, k->chain.block);
    compare(&t, expected, kind, "unary", name);
}

static void check_binary(const cpu_kernels *k, int op, chain_kind kind, chain_form form, const char *name)
{
    _Alignas(64) char expected[CHAIN_LONGEST * 4];
    cpu_binary_fn alone = k->elementwise.binary[op][dtypes[kind]];
    chain_kind to = op >= CPU_equal ? CHAIN_BOOL : kind;
    int rounding = to == CHAIN_BOOL ? CHAIN_F32 : (int)kind;
    bool turned = form == CHAIN_MEMORY_BLOCK || form == CHAIN_ONE_BLOCK;
    ptrdiff_t stride = form == CHAIN_BLOCK_MEMORY || form == CHAIN_MEMORY_BLOCK;
    chain_fn fn = k->chain.binary[op][form][rounding];
    trial t;
    if (!alone || kind == CHAIN_BOOL || (op >= CPU_equal && !fn))
        return;
    start(&t, k, kind, kind);
    add(&t, fn ? fn : k->chain.call_binary[rounding], OTHER);
    t.steps[t.count - 1].form = (uint8_t)form;
    t.steps[t.count - 1].call.two = k->elementwise.binary[op][MLX_FLOAT32];
    finish(&t, to);
    if (turned)
        alone(second, stride, first, 1, expected, k->chain.block);
    else
        alone(first, 1, second, stride, expected, k->chain.block);
    compare(&t, expected, to, "binary", name);
}

static void check_cast(const cpu_kernels *k, chain_kind from, chain_kind to)
{
    _Alignas(64) char expected[CHAIN_LONGEST * 4];
    trial t;
    start(&t, k, from, from);
    if (from != to && from != CHAIN_BOOL && to != CHAIN_F32)
        add(&t, k->chain.round[to], 0);
    finish(&t, to);
    k->elementwise.cast[dtypes[from]][dtypes[to]](first, 1, expected, k->chain.block);
    compare(&t, expected, to, "cast", "");
}

/* first ? second : 0.5, the last in a slot. */
static void check_select(const cpu_kernels *k)
{
    static const float half = 0.5f;
    _Alignas(64) float expected[CHAIN_LONGEST];
    trial t;
    start(&t, k, CHAIN_BOOL, CHAIN_F32);
    t.count = 0;
    t.state.at[CHAIN_OPERANDS] = (char *)&half;
    add(&t, k->chain.splat, CHAIN_OPERANDS);
    add(&t, k->chain.store[CHAIN_F32], SLOT);
    add(&t, k->chain.load[CHAIN_BOOL], LOADED);
    add(&t, k->chain.select, OTHER);
    t.steps[t.count - 1].b = SLOT;
    finish(&t, CHAIN_F32);
    k->elementwise.select[2](first, 1, second, 1, &half, 0, expected, k->chain.block);
    compare(&t, expected, CHAIN_F32, "select", "");
}

static void check_all(const cpu_kernels *k)
{
#define UNARY(name, ...) #name,
    static const char *const unary_names[] = {
#include "mx_unary.def"
    };
#undef UNARY
#define BINARY(name, ...) #name,
    static const char *const binary_names[] = {
#include "mx_binary.def"
    };
#undef BINARY
    for (int kind = 0; kind < CHAIN_KINDS; kind++) {
        for (int op = 0; op < CPU_UNARY_COUNT; op++)
            check_unary(k, op, (chain_kind)kind, unary_names[op]);
        for (int op = 0; op < CPU_BINARY_COUNT; op++)
            for (int form = 0; form < CHAIN_FORMS; form++)
                check_binary(k, op, (chain_kind)kind, (chain_form)form, binary_names[op]);
        for (int to = 0; to < CHAIN_KINDS; to++)
            check_cast(k, (chain_kind)kind, (chain_kind)to);
    }
    check_select(k);
}

static void steps_do_what_kernels_do(void **state)
{
    static cpu_kernels k;
    (void)state;
    for (int isa = 0; isa < ISA_LEVELS; isa++) {
        memset(&k, 0, sizeof k);
        if (!cpu_kernels_fill(&k, (cpu_isa)isa))
            continue;
        k.isa = (cpu_isa)isa;
        assert_in_range(k.chain.block, 1, CHAIN_LONGEST);
        for (int round = 0; round < BLOCKS; round++)
            check_all(&k);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_do_what_kernels_do),
    };
    return RUN_TESTS("chain", tests, NULL);
}
