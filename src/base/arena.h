/* A bump allocator: many small objects that all die together. Objects are never freed one by one. */
#ifndef MICA_BASE_ARENA_H
#define MICA_BASE_ARENA_H

#include <stddef.h>

/* Zero-initialise; `limit` (bytes, 0 = none) may be set before the first use. */
typedef struct arena {
    struct arena_block *head;
    size_t used; /* bytes handed out, padding included */
    size_t limit;
} arena;

/* n uninitialised bytes, aligned for any type; valid until arena_free. NULL with an error when the limit is
 * reached or memory is exhausted. n may be 0. */
void *arena_alloc(arena *a, size_t n);
/* Frees every object at once; the arena is empty afterwards and can be used again. */
void arena_free(arena *a);

#endif
