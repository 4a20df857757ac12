/* The only way to heap memory of our own. Every function sets the thread's error when it fails, counts what
 * is live, and can be told to fail at the k-th call, which is how tests walk every out-of-memory path.
 *
 * JSON trees are not among it: jansson has one allocator a process, which is the program's to set and not a
 * library's, and its parser aborts by an assertion when an allocation fails at the wrong place. */
#ifndef MICA_BASE_MEM_H
#define MICA_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

/* Uninitialised memory for n objects of `size` bytes; NULL on overflow or exhaustion. n or size may be 0:
 * the result is then a valid pointer to free. */
void *mem_alloc(size_t n, size_t size);
/* The same, zeroed. */
void *mem_calloc(size_t n, size_t size);
/* Resizes p (NULL allowed) to n objects; on failure returns NULL and p stays valid. */
void *mem_realloc(void *p, size_t n, size_t size);
/* Aligned to `align` (a power of two, at least sizeof(void *)); freed by mem_free. */
void *mem_aligned(size_t align, size_t size);
void mem_free(void *p);

char *mem_strdup(const char *s);
/* Copies n bytes and adds a NUL. */
char *mem_strndup(const char *s, size_t n);

/* Makes room for `need` elements in a growing array: returns the (moved) array with *cap updated, or NULL
 * with p still valid. Growth is by half, at least 8. */
void *mem_grow(void *p, size_t *cap, size_t need, size_t size);

/* Overflow-safe arithmetic for sizes that come from outside: false when the result does not fit. */
static inline int mem_mul(size_t a, size_t b, size_t *out) { return !__builtin_mul_overflow(a, b, out); }
static inline int mem_add(size_t a, size_t b, size_t *out) { return !__builtin_add_overflow(a, b, out); }

/* Number of blocks that are allocated now, over all threads. */
size_t mem_live(void);
/* The k-th allocation from now (1 = the next) fails, once; 0 turns injection off. For tests. */
void mem_fail_at(size_t k);
/* Has the injected failure happened since mem_fail_at? */
int mem_fail_fired(void);

#endif
