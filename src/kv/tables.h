/* Where a sequence's positions are: for each group of layers the blocks in order, and how many of them are
 * known to the tree of prefixes.
 *
 *     tables_begin, tables_match      a sequence starts with what the cache has of it
 *     tables_extend                   before a step: room for the positions that it writes
 *     tables_commit                   after it: full blocks become prefixes, a window's past is given back
 *     tables_release                  the end
 *
 * A block that somebody else can see, as user or as prefix, is never written: extend replaces it by a copy.
 */
#ifndef MICA_KV_TABLES_H
#define MICA_KV_TABLES_H

#include "kv/blocks.h"

typedef struct kv_table {
    int *blocks; /* KV_NONE before `gone` */
    size_t count, cap, gone;
} kv_table;

typedef struct kv_tables {
    kv_table of[KV_GROUPS];
    int node;       /* of the last full block that was entered, else where the sequence began; held */
    size_t entered; /* full blocks behind the beginning */
    bool uncached;  /* enters nothing */
} kv_tables;

/* Row `to` of the group's pools must become what row `from` is, before the step and in this order. */
typedef struct kv_copy {
    int group, from, to;
} kv_copy;

/* An empty sequence below the node `root` (KV_NONE, or a salt's); zero-initialise before the first time. */
void tables_begin(kv_blocks *b, kv_tables *t, int root);
/* Gives all blocks back, the last first; the memory of the lists stays for another begin. */
void tables_release(kv_blocks *b, kv_tables *t);
void tables_free(kv_tables *t);
/* Memory for that many positions, so that what follows cannot fail. 0 or -1. */
int tables_reserve(const kv_blocks *b, kv_tables *t, size_t positions);

/* The longest cached beginning of these n tokens that leaves at least one to compute becomes the empty
 * sequence's. How many tokens that is. Needs reserve. */
size_t tables_match(kv_blocks *b, kv_tables *t, const int *tokens, size_t n);
/* Blocks of a group that extend would take. */
int tables_need(const kv_blocks *b, const kv_tables *t, int group, size_t from, size_t upto);
/* Room for positions from..upto - 1, which nobody else sees; appends to copies at *n at most one copy a
 * group. There must be as many free blocks as needed. Needs reserve. */
void tables_extend(kv_blocks *b, kv_tables *t, size_t from, size_t upto, kv_copy *copies, size_t *n);
/* The first `computed` positions hold these tokens now. */
void tables_commit(kv_blocks *b, kv_tables *t, const int *tokens, size_t computed);
/* The empty sequence `to` becomes a second user of all of `from`'s blocks. 0 or -1. */
int tables_fork(kv_blocks *b, kv_tables *to, const kv_tables *from);
/* Blocks of a group that the sequence uses. */
static inline int tables_held(const kv_tables *t, int group)
{
    return (int)(t->of[group].count - t->of[group].gone);
}
/* The first position that a query at `at` sees through a window (0: all). */
static inline size_t tables_seen(int window, size_t at)
{
    return window > 0 && at + 1 > (size_t)window ? at + 1 - (size_t)window : 0;
}

#endif
