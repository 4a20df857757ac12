/* malloc with a count of live blocks and failures on demand. The countdown is shared by all threads, so a
 * test that walks the k-th failure walks every thread's allocations. */
#include "base/mem.h"

#include "base/error.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static _Atomic size_t live;
static _Atomic size_t fail_countdown;
static _Atomic int fired;

/* Counts down to the injected failure. */
static int injected(void)
{
    if (atomic_load_explicit(&fail_countdown, memory_order_relaxed) == 0)
        return 0;
    if (atomic_fetch_sub(&fail_countdown, 1) != 1)
        return 0;
    atomic_store(&fired, 1);
    return 1;
}

static void *out_of_memory(size_t n, size_t size)
{
    error_set("out of memory: %zu x %zu bytes could not be allocated", n, size);
    return NULL;
}

static void *counted(void *p, size_t n, size_t size)
{
    if (!p)
        return out_of_memory(n, size);
    atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
    return p;
}

void *mem_alloc(size_t n, size_t size)
{
    size_t bytes;
    if (!mem_mul(n, size, &bytes) || injected())
        return out_of_memory(n, size);
    return counted(malloc(bytes ? bytes : 1), n, size);
}

void *mem_calloc(size_t n, size_t size)
{
    size_t bytes;
    if (!mem_mul(n, size, &bytes) || injected())
        return out_of_memory(n, size);
    return counted(calloc(bytes ? bytes : 1, 1), n, size);
}

void *mem_realloc(void *p, size_t n, size_t size)
{
    size_t bytes;
    if (!p)
        return mem_alloc(n, size);
    if (!mem_mul(n, size, &bytes) || injected())
        return out_of_memory(n, size);
    void *q = realloc(p, bytes ? bytes : 1);
    return q ? q : out_of_memory(n, size);
}

void *mem_aligned(size_t align, size_t size)
{
    void *p = NULL;
    if (injected() || posix_memalign(&p, align, size ? size : align) != 0)
        return out_of_memory(1, size);
    return counted(p, 1, size);
}

void mem_free(void *p)
{
    if (!p)
        return;
    atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
    free(p);
}

char *mem_strdup(const char *s) { return mem_strndup(s, strlen(s)); }

char *mem_strndup(const char *s, size_t n)
{
    size_t bytes;
    char *p = mem_add(n, 1, &bytes) ? mem_alloc(bytes, 1) : out_of_memory(n, 1);
    if (p) {
        memcpy(p, s, n);
        p[n] = 0;
    }
    return p;
}

void *mem_grow(void *p, size_t *cap, size_t need, size_t size)
{
    if (p && need <= *cap)
        return p;
    size_t n = *cap + *cap / 2;
    if (n < need)
        n = need;
    if (n < 8)
        n = 8;
    p = mem_realloc(p, n, size);
    if (p)
        *cap = n;
    return p;
}

size_t mem_live(void) { return atomic_load(&live); }

void mem_fail_at(size_t k)
{
    atomic_store(&fired, 0);
    atomic_store(&fail_countdown, k);
}

int mem_fail_fired(void) { return atomic_load(&fired); }
