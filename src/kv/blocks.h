/* Blocks of positions: who uses which, and which still hold something that a later sequence may want.
 *
 * A block is a number: row i of the pools that hold the keys and values, in all layers of its group. Layers
 * that see everything are one group, layers with a window another, because the second kind gives blocks back
 * while the sequence still runs. Nothing here touches an array.
 *
 * A block is used (refs > 0) by one or several sequences, or free. A free block may be cached: it belongs to
 * a prefix (a node of the tree of token lists that begin at position 0) and comes back when a sequence begins
 * so. Free blocks stand in one line, blank ones first and then the cached ones by age, so that the front is
 * what is taken next. All operations take constant time.
 *
 * The tree: a node is (its parent, block_size token ids), found by hashing both, and recognised by comparing
 * both; no hash is trusted. It lives as long as it has a child, a block of some group, or a holder. */
#ifndef MICA_KV_BLOCKS_H
#define MICA_KV_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KV_GROUPS 2
/* No block, no node; as a parent: the root, before any token. */
#define KV_NONE   (-1)

typedef struct kv_block {
    int refs;
    int prev, next; /* in the line of free blocks */
    int node;       /* whose tokens it holds, or KV_NONE */
} kv_block;

typedef struct kv_pool {
    kv_block *blocks;        /* count, and one more: the ends of the line */
    int count, free, cached; /* cached: whether used or free */
    int window;              /* its layers see this many positions; 0: all */
} kv_pool;

typedef struct kv_node {
    int parent, refs;
    int next; /* in its bucket; in the list of unused nodes */
    uint32_t hash;
    int block[KV_GROUPS];
} kv_node;

typedef struct kv_blocks {
    int block_size, n_groups;
    kv_pool pools[KV_GROUPS];
    kv_node *nodes;
    int *tokens; /* block_size ids of each node */
    size_t node_cap, token_cap, n_nodes /* places in use or on the list */, live;
    int unused, *buckets;
    size_t n_buckets; /* a power of two */
    uint64_t seed;
} kv_blocks;

/* What a group is: how many blocks it has, and its window. */
typedef struct kv_group {
    int blocks, window;
} kv_group;

/* All blocks blank. seed: of the hash, so that nobody outside can aim at one bucket. 0 or -1. */
int blocks_init(kv_blocks *b, int block_size, const kv_group *groups, int n_groups, uint64_t seed);
void blocks_free(kv_blocks *b);

/* The front of the free line, used once from now on; what it cached is forgotten. KV_NONE if all are used. */
int blocks_take(kv_blocks *b, int group);
/* One more user of a block, free or not. */
void blocks_retain(kv_blocks *b, int group, int block);
/* One user less. The last one's goes to the end of the line if it is cached, else to the front. */
void blocks_release(kv_blocks *b, int group, int block);
static inline int blocks_refs(const kv_blocks *b, int group, int block)
{
    return b->pools[group].blocks[block].refs;
}
static inline int blocks_available(const kv_blocks *b, int group) { return b->pools[group].free; }
/* Forgets all prefixes whose blocks nobody uses. */
void blocks_drop_cached(kv_blocks *b);

/* The node of these block_size tokens behind `parent`, made if there is none, with one holder more. KV_NONE
 * when out of memory, without an error: such a block is not cached. */
int prefix_enter(kv_blocks *b, int parent, const int *tokens);
/* The same if there is one already, without a holder; else KV_NONE. */
int prefix_find(const kv_blocks *b, int parent, const int *tokens);
/* The node under which everything with this salt lives: the salt's bytes as tokens that no text has. KV_NONE
 * for an empty salt, and when out of memory (*failed then). One holder more. */
int prefix_salt(kv_blocks *b, const char *salt, size_t n, bool *failed);
void prefix_hold(kv_blocks *b, int node);
/* A holder less; a node that nothing needs goes, and so its parents. KV_NONE is fine. */
void prefix_drop(kv_blocks *b, int node);
/* The block, which is used, holds the node's tokens, unless the node has one in this group already. */
void prefix_attach(kv_blocks *b, int node, int group, int block);
/* The block's node forgets it. */
void prefix_detach(kv_blocks *b, int group, int block);

/* Is everything consistent? NULL, or what is not. Looks at all blocks and nodes. */
const char *blocks_check(const kv_blocks *b);

#endif
