/* Tables of blocks: see the header. Group by group the same, but for how far back a group must reach. */
#include "kv/tables.h"

#include "base/mem.h"

#include <string.h>

void tables_begin(kv_blocks *b, kv_tables *t, int root)
{
    prefix_hold(b, root);
    t->node = root;
    t->entered = 0;
}

void tables_release(kv_blocks *b, kv_tables *t)
{
    for (int g = 0; g < b->n_groups; g++) {
        kv_table *x = &t->of[g];
        while (x->count > x->gone)
            blocks_release(b, g, x->blocks[--x->count]);
        x->count = x->gone = 0;
    }
    prefix_drop(b, t->node);
    t->node = KV_NONE;
    t->entered = 0;
}

void tables_free(kv_tables *t)
{
    for (int g = 0; g < KV_GROUPS; g++) {
        mem_free(t->of[g].blocks);
        t->of[g] = (kv_table){0};
    }
}

static size_t blocks_of(const kv_blocks *b, size_t positions)
{
    return (positions + (size_t)b->block_size - 1) / (size_t)b->block_size;
}

int tables_reserve(const kv_blocks *b, kv_tables *t, size_t positions)
{
    for (int g = 0; g < b->n_groups; g++) {
        kv_table *x = &t->of[g];
        int *grown = mem_grow(x->blocks, &x->cap, blocks_of(b, positions), sizeof *grown);
        if (!grown)
            return -1;
        x->blocks = grown;
    }
    return 0;
}

/* Blocks that a window has left when `computed` positions are there. */
static size_t gone_of(const kv_blocks *b, int group, size_t computed)
{
    return tables_seen(b->pools[group].window, computed) / (size_t)b->block_size;
}

/* --- what the cache has --- */

/* The longest beginning, in blocks, that every group can go on from, and its node. run: of how many blocks up
 * to here the group has each. */
static size_t longest(const kv_blocks *b, int node, const int *tokens, size_t most, int *last)
{
    size_t run[KV_GROUPS] = {0}, best = 0;
    *last = node;
    for (size_t k = 1; k <= most; k++) {
        node = prefix_find(b, node, tokens + (k - 1) * (size_t)b->block_size);
        if (node == KV_NONE)
            break;
        bool whole = true;
        for (int g = 0; g < b->n_groups; g++) {
            run[g] = b->nodes[node].block[g] == KV_NONE ? 0 : run[g] + 1;
            whole = whole && run[g] >= k - gone_of(b, g, k * (size_t)b->block_size);
        }
        if (!whole)
            continue;
        best = k;
        *last = node;
    }
    return best;
}

size_t tables_match(kv_blocks *b, kv_tables *t, const int *tokens, size_t n)
{
    size_t size = (size_t)b->block_size;
    int node;
    size_t k = n ? longest(b, t->node, tokens, (n - 1) / size, &node) : 0;
    if (k == 0)
        return 0;
    prefix_hold(b, node);
    prefix_drop(b, t->node);
    t->node = node;
    t->entered = k;
    for (int g = 0; g < b->n_groups; g++) {
        t->of[g].count = k;
        t->of[g].gone = gone_of(b, g, k * size);
    }
    for (size_t i = k; i-- > 0; node = b->nodes[node].parent)
        for (int g = 0; g < b->n_groups; g++) {
            kv_table *x = &t->of[g];
            x->blocks[i] = i < x->gone ? KV_NONE : b->nodes[node].block[g];
            if (i >= x->gone)
                blocks_retain(b, g, x->blocks[i]);
        }
    return k * size;
}

/* --- steps --- */

static bool is_shared(const kv_blocks *b, int group, int block)
{
    const kv_block *x = &b->pools[group].blocks[block];
    return x->refs > 1 || x->node != KV_NONE;
}

int tables_need(const kv_blocks *b, const kv_tables *t, int group, size_t from, size_t upto)
{
    const kv_table *x = &t->of[group];
    size_t end = blocks_of(b, upto);
    int need = end > x->count ? (int)(end - x->count) : 0;
    for (size_t i = from / (size_t)b->block_size; i < x->count && i < end; i++)
        need += is_shared(b, group, x->blocks[i]);
    return need;
}

void tables_extend(kv_blocks *b, kv_tables *t, size_t from, size_t upto, kv_copy *copies, size_t *n)
{
    size_t size = (size_t)b->block_size, end = blocks_of(b, upto);
    for (int g = 0; g < b->n_groups; g++) {
        kv_table *x = &t->of[g];
        for (size_t i = from / size; i < end; i++) {
            if (i < x->count && !is_shared(b, g, x->blocks[i]))
                continue;
            int fresh = blocks_take(b, g);
            if (i < x->count) {
                if (i * size < from)
                    copies[(*n)++] = (kv_copy){g, x->blocks[i], fresh};
                blocks_release(b, g, x->blocks[i]);
            } else {
                x->count++;
            }
            x->blocks[i] = fresh;
        }
    }
}

/* The next full block becomes a prefix. */
static void enter(kv_blocks *b, kv_tables *t, const int *tokens)
{
    int node = prefix_enter(b, t->node, tokens + t->entered * (size_t)b->block_size);
    if (node == KV_NONE) {
        t->uncached = true;
        return;
    }
    for (int g = 0; g < b->n_groups; g++)
        if (t->entered >= t->of[g].gone)
            prefix_attach(b, node, g, t->of[g].blocks[t->entered]);
    prefix_drop(b, t->node);
    t->node = node;
    t->entered++;
}

void tables_commit(kv_blocks *b, kv_tables *t, const int *tokens, size_t computed)
{
    while (!t->uncached && t->entered < computed / (size_t)b->block_size)
        enter(b, t, tokens);
    for (int g = 0; g < b->n_groups; g++) {
        kv_table *x = &t->of[g];
        for (size_t gone = gone_of(b, g, computed); x->gone < gone; x->gone++) {
            blocks_release(b, g, x->blocks[x->gone]);
            x->blocks[x->gone] = KV_NONE;
        }
    }
}

int tables_fork(kv_blocks *b, kv_tables *to, const kv_tables *from)
{
    if (tables_reserve(b, to, from->of[0].count * (size_t)b->block_size))
        return -1;
    for (int g = 0; g < b->n_groups; g++) {
        const kv_table *x = &from->of[g];
        kv_table *y = &to->of[g];
        if (x->count)
            memcpy(y->blocks, x->blocks, x->count * sizeof *x->blocks);
        y->count = x->count;
        y->gone = x->gone;
        for (size_t i = x->gone; i < x->count; i++)
            blocks_retain(b, g, x->blocks[i]);
    }
    prefix_hold(b, from->node);
    prefix_drop(b, to->node);
    to->node = from->node;
    to->entered = from->entered;
    to->uncached = from->uncached;
    return 0;
}
