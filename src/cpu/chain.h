/* Programs of elementwise operations on floats whose values stay in vector registers.
 *
 * A chain is a list of steps. A step is a function that gets CHAIN_WIDTH vectors in registers (the "block"),
 * does one thing with them and ends by calling the next step with the block in the same registers: a jump.
 * Everything is float32 there. float16 and bfloat16 are widened when they are loaded, and rounded after every
 * operation as if they had been stored; bool is 0 or 1. cpu/chain.c writes the lists. */
#ifndef MICA_CPU_CHAIN_H
#define MICA_CPU_CHAIN_H

#include "cpu/elementwise.h"

typedef void (*chain_fn)(void); /* a step's function, of cpu/isa/chain.c's own type */

enum {
    CHAIN_WIDTH = 8,
    CHAIN_LONGEST = CHAIN_WIDTH * 16, /* elements of a block at most */
    CHAIN_REGISTERS = 32,
    CHAIN_OPERANDS = 32, /* results and inputs */
    CHAIN_PLACES = 2 * CHAIN_OPERANDS + CHAIN_REGISTERS,
    CHAIN_STEPS = 320,
};
/* What a value is in memory, or how results are rounded. */
typedef enum chain_kind { CHAIN_F32, CHAIN_F16, CHAIN_BF16, CHAIN_BOOL, CHAIN_KINDS } chain_kind;
/* Where a binary operation's operands are: the block and memory, or the other way round; in memory are as
 * many floats, or one for all. */
typedef enum chain_form {
    CHAIN_BLOCK_MEMORY,
    CHAIN_BLOCK_ONE,
    CHAIN_MEMORY_BLOCK,
    CHAIN_ONE_BLOCK,
    CHAIN_FORMS
} chain_form;

typedef struct chain_step {
    chain_fn fn;
    union {
        cpu_unary_fn one;
        cpu_binary_fn two;
    } call;       /* the kernel of a step without code of its own */
    uint8_t a, b; /* operands: places: indices of chain_state's `at` */
    uint8_t form; /* of a call of two arguments */
} chain_step;

typedef struct chain_state {
    char *at[CHAIN_PLACES]; /* where this block's part of each place is */
    float *scratch;         /* a block's size of memory */
} chain_state;

typedef struct chain_kernels {
    size_t block; /* elements */
    void (*run)(const chain_step *first, chain_state *state);
    chain_fn load[CHAIN_KINDS], store[CHAIN_KINDS]; /* a: where from, where to */
    chain_fn stream[CHAIN_KINDS];                   /* stores past the caches; */
    void (*settle)(void);                           /* called before others may read what they stored */
    chain_fn splat;                                 /* the block becomes one float */
    /* By operation and rounding; NULL: by a call. Comparisons and what gives bool do not round: [0]. */
    chain_fn unary[CPU_UNARY_COUNT][CHAIN_BOOL];
    chain_fn binary[CPU_BINARY_COUNT][CHAIN_FORMS][CHAIN_BOOL];
    chain_fn call_unary[CHAIN_BOOL], call_binary[CHAIN_BOOL];
    chain_fn round[CHAIN_KINDS]; /* to a kind, NaN too; to bool: what is not 0 is 1 */
    chain_fn select;             /* the block ? a : b */
    chain_fn end;
} chain_kernels;

/* A list of steps for a Compiled node. */
typedef struct chain {
    const chain_kernels *kernels;
    unsigned past;                    /* results that are written past the caches */
    int results, operands;            /* results come first among the operands, then inputs */
    chain_kind kinds[CHAIN_OPERANDS]; /* of their elements */
    uint8_t sizes[CHAIN_OPERANDS];
    chain_step steps[CHAIN_STEPS];
} chain;

typedef struct node node;
/* Makes c of a Compiled node whose operands (results, then inputs) have these strides along rows. Bit r of
 * `past`: result r is written past the caches. False if the node does what chains do not. */
bool chain_make(chain *c, const node *n, const int64_t *strides, unsigned past);
/* Runs it over a row; a walk_row with the chain as context. */
void chain_row(const void *context, char *const *p, const int64_t *strides, size_t n);

#endif
