/* Pools of blocks: reference counts and the line of free blocks, a ring of links through an extra entry. */
#include "kv/blocks.h"

#include "base/error.h"
#include "base/mem.h"

enum { FIRST_BUCKETS = 64 };

static void link_between(kv_pool *p, int block, int prev, int next)
{
    p->blocks[block].prev = prev;
    p->blocks[block].next = next;
    p->blocks[prev].next = block;
    p->blocks[next].prev = block;
    p->free++;
}

static void link_front(kv_pool *p, int block) { link_between(p, block, p->count, p->blocks[p->count].next); }

static void link_back(kv_pool *p, int block) { link_between(p, block, p->blocks[p->count].prev, p->count); }

static void link_out(kv_pool *p, int block)
{
    kv_block *x = &p->blocks[block];
    p->blocks[x->prev].next = x->next;
    p->blocks[x->next].prev = x->prev;
    x->prev = x->next = KV_NONE;
    p->free--;
}

static int pool_init(kv_pool *p, const kv_group *group)
{
    *p = (kv_pool){.count = group->blocks, .window = group->window};
    p->blocks = mem_alloc((size_t)p->count + 1, sizeof *p->blocks);
    if (!p->blocks)
        return -1;
    p->blocks[p->count] = (kv_block){.prev = p->count, .next = p->count, .node = KV_NONE};
    for (int i = 0; i < p->count; i++) {
        p->blocks[i] = (kv_block){.node = KV_NONE};
        link_back(p, i);
    }
    return 0;
}

int blocks_init(kv_blocks *b, int block_size, const kv_group *groups, int n_groups, uint64_t seed)
{
    *b = (kv_blocks){.block_size = block_size, .seed = seed, .unused = KV_NONE, .n_buckets = FIRST_BUCKETS};
    if (block_size < 1 || n_groups < 1 || n_groups > KV_GROUPS)
        return error_set("%d groups of layers with blocks of %d positions cannot be cached", n_groups,
                         block_size);
    b->buckets = mem_alloc(b->n_buckets, sizeof *b->buckets);
    for (size_t i = 0; b->buckets && i < b->n_buckets; i++)
        b->buckets[i] = KV_NONE;
    for (int g = 0; g < n_groups && b->buckets; g++, b->n_groups++)
        if (pool_init(&b->pools[g], &groups[g]))
            break;
    if (b->n_groups == n_groups)
        return 0;
    blocks_free(b);
    return -1;
}

void blocks_free(kv_blocks *b)
{
    for (int g = 0; g < b->n_groups; g++)
        mem_free(b->pools[g].blocks);
    mem_free(b->nodes);
    mem_free(b->tokens);
    mem_free(b->buckets);
    *b = (kv_blocks){0};
}

int blocks_take(kv_blocks *b, int group)
{
    kv_pool *p = &b->pools[group];
    int block = p->blocks[p->count].next;
    if (block == p->count)
        return KV_NONE;
    link_out(p, block);
    prefix_detach(b, group, block);
    p->blocks[block].refs = 1;
    return block;
}

void blocks_retain(kv_blocks *b, int group, int block)
{
    kv_pool *p = &b->pools[group];
    if (p->blocks[block].refs++ == 0)
        link_out(p, block);
}

void blocks_release(kv_blocks *b, int group, int block)
{
    kv_pool *p = &b->pools[group];
    if (--p->blocks[block].refs > 0)
        return;
    if (p->blocks[block].node == KV_NONE)
        link_front(p, block);
    else
        link_back(p, block);
}

void blocks_drop_cached(kv_blocks *b)
{
    for (int g = 0; g < b->n_groups; g++) {
        kv_pool *p = &b->pools[g];
        for (int i = p->blocks[p->count].next; i != p->count; i = p->blocks[i].next)
            prefix_detach(b, g, i);
    }
}

/* --- the check --- */

static const char *check_pool(const kv_blocks *b, int g, size_t *attached)
{
    const kv_pool *p = &b->pools[g];
    int free = 0, unused = 0, with = 0;
    bool cached = false;
    for (int i = p->blocks[p->count].next, last = p->count; i != p->count; last = i, i = p->blocks[i].next) {
        if (++free > p->count || i < 0 || i > p->count || p->blocks[i].prev != last)
            return "the line of free blocks is broken";
        if (p->blocks[i].refs != 0)
            return "a block that is used stands in the line of free ones";
        if (cached && p->blocks[i].node == KV_NONE)
            return "a blank block stands behind a cached one";
        cached = p->blocks[i].node != KV_NONE;
    }
    for (int i = 0; i < p->count; i++) {
        const kv_block *x = &p->blocks[i];
        unused += x->refs == 0;
        if (x->refs < 0)
            return "a block has less than no users";
        if (x->node == KV_NONE)
            continue;
        ++*attached;
        with++;
        if ((size_t)x->node >= b->n_nodes || b->nodes[x->node].refs <= 0 || b->nodes[x->node].block[g] != i)
            return "a block and its node do not know each other";
    }
    if (with != p->cached)
        return "the count of cached blocks is wrong";
    return free == p->free && unused == free ? NULL : "the count of free blocks is wrong";
}

/* Counts the nodes of the buckets, the children they are to their parents and the blocks they have. */
static const char *check_nodes(const kv_blocks *b, size_t attached)
{
    size_t live = 0, blocks = 0;
    for (size_t k = 0; k < b->n_buckets; k++)
        for (int i = b->buckets[k]; i != KV_NONE; i = b->nodes[i].next) {
            const kv_node *n = &b->nodes[i];
            int own = 0;
            for (int g = 0; g < b->n_groups; g++)
                own += n->block[g] != KV_NONE;
            blocks += (size_t)own;
            if (++live > b->n_nodes || (n->hash & (b->n_buckets - 1)) != k)
                return "a node is in the wrong bucket";
            if (n->refs <= 0 || n->refs < own)
                return "a node without users is still there";
            if (n->parent != KV_NONE && b->nodes[n->parent].refs <= 0)
                return "a node's parent is gone";
        }
    if (live != b->live)
        return "the count of nodes is wrong";
    return blocks == attached ? NULL : "nodes have more blocks than blocks have nodes";
}

const char *blocks_check(const kv_blocks *b)
{
    size_t attached = 0;
    for (int g = 0; g < b->n_groups; g++) {
        const char *wrong = check_pool(b, g, &attached);
        if (wrong)
            return wrong;
    }
    return check_nodes(b, attached);
}
