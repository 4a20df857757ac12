/* The bump allocator: a list of blocks from base/mem, newest first.
 *
 * A request is cut from the newest block; when it does not fit, a new block is taken, twice as large as the
 * last one up to 1 MiB (larger when the request is). The rest of the old block is given up. Addresses never
 * move, so an object may point at another one of the same arena without care. */
#include "base/arena.h"

#include "base/error.h"
#include "base/mem.h"

#include <stdalign.h>
#include <stdbool.h>

enum { FIRST_BLOCK = 4096, LARGEST_STEP = 1 << 20, ALIGN = alignof(max_align_t) };

typedef struct arena_block {
    struct arena_block *next;
    size_t used, cap;
    max_align_t data[];
} arena_block;

static arena_block *add_block(arena *a, size_t n)
{
    size_t cap = a->head ? a->head->cap : FIRST_BLOCK / 2, bytes;
    cap = cap < LARGEST_STEP / 2 ? cap * 2 : LARGEST_STEP;
    if (cap < n)
        cap = n;
    if (!mem_add(cap, sizeof(arena_block), &bytes)) {
        error_set("out of memory: %zu bytes could not be allocated", n);
        return NULL;
    }
    arena_block *b = mem_alloc(1, bytes);
    if (!b)
        return NULL;
    *b = (arena_block){.next = a->head, .cap = cap};
    a->head = b;
    return b;
}

void *arena_alloc(arena *a, size_t n)
{
    size_t need, total;
    bool fits = mem_add(n, ALIGN - 1, &need);
    need &= ~(size_t)(ALIGN - 1);
    if (!fits || !mem_add(a->used, need, &total) || (a->limit && total > a->limit)) {
        error_set("out of memory: more than %zu bytes are needed", a->limit ? a->limit : a->used);
        return NULL;
    }
    arena_block *b = a->head;
    if (!b || b->cap - b->used < need) {
        b = add_block(a, need);
        if (!b)
            return NULL;
    }
    void *p = (char *)b->data + b->used;
    b->used += need;
    a->used = total;
    return p;
}

void arena_free(arena *a)
{
    while (a->head) {
        arena_block *b = a->head;
        a->head = b->next;
        mem_free(b);
    }
    a->used = 0;
}
