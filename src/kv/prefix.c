/* The tree of cached prefixes: nodes in an array, found through buckets that grow with them. */
#include "kv/blocks.h"

#include "base/error.h"
#include "base/mem.h"

#include <string.h>

static uint32_t hash_of(const kv_blocks *b, int parent, const int *tokens)
{
    uint64_t h = b->seed ^ (uint64_t)(uint32_t)parent * 0x9E3779B97F4A7C15u;
    for (int i = 0; i < b->block_size; i++) {
        h = (h ^ (uint32_t)tokens[i]) * 0xD6E8FEB86659FD93u;
        h ^= h >> 32;
    }
    return (uint32_t)(h ^ h >> 29);
}

static int *tokens_of(const kv_blocks *b, int node)
{
    return b->tokens + (size_t)node * (size_t)b->block_size;
}

static int find(const kv_blocks *b, int parent, const int *tokens, uint32_t hash)
{
    size_t bytes = (size_t)b->block_size * sizeof *tokens;
    for (int i = b->buckets[hash & (b->n_buckets - 1)]; i != KV_NONE; i = b->nodes[i].next)
        if (b->nodes[i].hash == hash && b->nodes[i].parent == parent &&
            memcmp(tokens_of(b, i), tokens, bytes) == 0)
            return i;
    return KV_NONE;
}

int prefix_find(const kv_blocks *b, int parent, const int *tokens)
{
    return find(b, parent, tokens, hash_of(b, parent, tokens));
}

/* Twice the buckets when there are as many nodes; without memory the chains just get longer. */
static void grow_buckets(kv_blocks *b)
{
    size_t n = b->n_buckets * 2;
    int *grown = b->live < b->n_buckets ? NULL : mem_alloc(n, sizeof *grown);
    if (!grown)
        return;
    for (size_t i = 0; i < n; i++)
        grown[i] = KV_NONE;
    for (size_t k = 0; k < b->n_buckets; k++)
        for (int i = b->buckets[k], next; i != KV_NONE; i = next) {
            next = b->nodes[i].next;
            size_t to = b->nodes[i].hash & (n - 1);
            b->nodes[i].next = grown[to];
            grown[to] = i;
        }
    mem_free(b->buckets);
    b->buckets = grown;
    b->n_buckets = n;
}

/* A place for a node, or KV_NONE. */
static int place(kv_blocks *b)
{
    int at = b->unused;
    if (at != KV_NONE) {
        b->unused = b->nodes[at].next;
        return at;
    }
    kv_node *nodes = mem_grow(b->nodes, &b->node_cap, b->n_nodes + 1, sizeof *nodes);
    if (nodes)
        b->nodes = nodes;
    int *tokens =
        mem_grow(b->tokens, &b->token_cap, (b->n_nodes + 1) * (size_t)b->block_size, sizeof *tokens);
    if (tokens)
        b->tokens = tokens;
    return nodes && tokens && b->n_nodes < INT32_MAX ? (int)b->n_nodes++ : KV_NONE;
}

int prefix_enter(kv_blocks *b, int parent, const int *tokens)
{
    uint32_t hash = hash_of(b, parent, tokens);
    int node = find(b, parent, tokens, hash);
    if (node != KV_NONE) {
        b->nodes[node].refs++;
        return node;
    }
    bool pending = error_pending();
    grow_buckets(b);
    node = place(b);
    if (!pending)
        error_clear(); /* what is not cached is no failure */
    if (node == KV_NONE)
        return node;
    size_t bucket = hash & (b->n_buckets - 1);
    b->nodes[node] = (kv_node){.parent = parent, .refs = 1, .next = b->buckets[bucket], .hash = hash};
    for (int g = 0; g < KV_GROUPS; g++)
        b->nodes[node].block[g] = KV_NONE;
    memcpy(tokens_of(b, node), tokens, (size_t)b->block_size * sizeof *tokens);
    b->buckets[bucket] = node;
    b->live++;
    if (parent != KV_NONE)
        b->nodes[parent].refs++;
    return node;
}

void prefix_hold(kv_blocks *b, int node)
{
    if (node != KV_NONE)
        b->nodes[node].refs++;
}

void prefix_drop(kv_blocks *b, int node)
{
    while (node != KV_NONE && --b->nodes[node].refs == 0) {
        kv_node *n = &b->nodes[node];
        int parent = n->parent, *link = &b->buckets[n->hash & (b->n_buckets - 1)];
        while (*link != node)
            link = &b->nodes[*link].next;
        *link = n->next;
        n->next = b->unused;
        b->unused = node;
        b->live--;
        node = parent;
    }
}

void prefix_attach(kv_blocks *b, int node, int group, int block)
{
    if (b->nodes[node].block[group] != KV_NONE)
        return;
    b->nodes[node].block[group] = block;
    b->nodes[node].refs++;
    b->pools[group].blocks[block].node = node;
    b->pools[group].cached++;
}

void prefix_detach(kv_blocks *b, int group, int block)
{
    kv_block *x = &b->pools[group].blocks[block];
    if (x->node == KV_NONE)
        return;
    b->nodes[x->node].block[group] = KV_NONE;
    prefix_drop(b, x->node);
    x->node = KV_NONE;
    b->pools[group].cached--;
}

/* Three bytes a token, below zero; the last token tells the length, so that no salt begins another. */
static int salt_token(const char *salt, size_t n, size_t at)
{
    int token = 0;
    for (size_t i = at; i < at + 3; i++)
        token = token << 8 | (i < n ? (unsigned char)salt[i] : 0);
    return -2 - token;
}

int prefix_salt(kv_blocks *b, const char *salt, size_t n, bool *failed)
{
    *failed = false;
    size_t size = (size_t)b->block_size, words = n / 3 + 1;
    int *tokens = n ? mem_alloc(size, sizeof *tokens) : NULL, node = KV_NONE;
    *failed = n && !tokens;
    for (size_t first = 0; tokens && first <= words && !*failed; first += size) {
        for (size_t i = 0; i < size; i++) {
            size_t word = first + i;
            tokens[i] = word < words    ? salt_token(salt, n, word * 3)
                        : word == words ? INT32_MIN + (int)(n & 0xFFFFFF)
                                        : INT32_MIN;
        }
        int child = prefix_enter(b, node, tokens);
        *failed = child == KV_NONE;
        prefix_drop(b, node);
        node = child;
    }
    mem_free(tokens);
    return node;
}
