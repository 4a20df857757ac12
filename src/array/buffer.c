/* Buffers: reference-counted blocks of bytes.
 *
 * A block from the heap is one allocation, header first, data on the next cache line. Freed blocks go to a
 * cache of lists by size class (four classes an octave, so that at most a quarter is wasted), because a
 * decode step asks for the same sizes again and again, and because fresh pages of a large block cost more
 * than the kernel that fills them. The cache has a limit of its own, and one together with what is used. */
#include "array/node.h"

#include "base/error.h"
#include "base/mem.h"
#include "mx/memory.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

enum { DATA_OFFSET = 128, CLASSES = 4 * 48 };
#define HUGE_BLOCK ((size_t)4 << 20)

typedef struct block {
    buffer b;
    struct block *next; /* in the cache */
    size_t bytes;       /* usable bytes after the header */
    int size_class;
} block;
_Static_assert(sizeof(block) <= DATA_OFFSET, "the header ends before the data");

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static block *cache[CLASSES];
static size_t cached; /* under lock, as the limits */
static size_t cache_limit = (size_t)512 << 20;
static size_t memory_limit; /* 0: not asked for yet */
static _Atomic size_t active, peak;

/* The smallest class whose size is >= n; its size in *bytes. -1 when n is absurd. */
static int size_class(size_t n, size_t *bytes)
{
    if (n > (size_t)1 << 46)
        return -1;
    size_t base = 64;
    int octave = 0;
    while (base * 2 < n) {
        base *= 2;
        octave++;
    }
    size_t step = base / 4;
    size_t quarter = n <= base ? 0 : (n - base + step - 1) / step;
    *bytes = base + quarter * step;
    return octave * 4 + (int)quarter;
}

static void account(size_t n)
{
    size_t now = atomic_fetch_add_explicit(&active, n, memory_order_relaxed) + n;
    size_t top = atomic_load_explicit(&peak, memory_order_relaxed);
    while (now > top && !atomic_compare_exchange_weak(&peak, &top, now))
        continue;
}

static block *cache_take(int class)
{
    pthread_mutex_lock(&lock);
    block *k = cache[class];
    if (k) {
        cache[class] = k->next;
        cached -= k->bytes;
    }
    pthread_mutex_unlock(&lock);
    return k;
}

size_t mx_memory_size(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (size_t)pages * (size_t)size : 0;
}

/* The limit in effect; the lock is held. */
static size_t limit_now(void)
{
    size_t machine = memory_limit ? 0 : mx_memory_size();
    if (!memory_limit)
        memory_limit = machine ? machine / 10 * 8 : SIZE_MAX;
    return memory_limit;
}

/* Keeps a block for later; false if that would break a limit. */
static bool cache_put(block *k)
{
    pthread_mutex_lock(&lock);
    size_t kept = cached + k->bytes;
    bool room =
        kept <= cache_limit && kept + atomic_load_explicit(&active, memory_order_relaxed) <= limit_now();
    if (room) {
        k->next = cache[k->size_class];
        cache[k->size_class] = k;
        cached += k->bytes;
    }
    pthread_mutex_unlock(&lock);
    return room;
}

static block *block_new(int class, size_t bytes)
{
    size_t align = bytes >= HUGE_BLOCK ? (size_t)2 << 20 : 64;
    block *k = mem_aligned(align, bytes + DATA_OFFSET);
    if (!k)
        return NULL;
#ifdef MADV_HUGEPAGE
    if (bytes >= HUGE_BLOCK)
        madvise(k, bytes + DATA_OFFSET, MADV_HUGEPAGE);
#endif
    k->bytes = bytes;
    k->size_class = class;
    return k;
}

buffer *buffer_new(size_t size)
{
    size_t bytes = 0;
    int class = size_class(size, &bytes);
    if (class < 0) {
        error_set("out of memory: an array of %zu bytes is too large", size);
        return NULL;
    }
    block *k = cache_take(class);
    if (!k)
        k = block_new(class, bytes);
    if (!k)
        return NULL;
    k->b = (buffer){.refs = 1, .size = size, .data = (char *)k + DATA_OFFSET};
    account(k->bytes);
    return &k->b;
}

buffer *buffer_wrap(const void *data, size_t size, void (*release)(void *owner), void *owner)
{
    buffer *b = mem_alloc(1, sizeof *b);
    if (!b) {
        release(owner);
        return NULL;
    }
    *b = (buffer){
        .refs = 1, .size = size, .data = (char *)(uintptr_t)data, .release = release, .owner = owner};
    return b;
}

buffer *buffer_retain(buffer *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void buffer_release(buffer *b)
{
    if (!b || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (b->release) {
        b->release(b->owner);
        mem_free(b);
        return;
    }
    block *k = (block *)b;
    atomic_fetch_sub_explicit(&active, k->bytes, memory_order_relaxed);
    if (!cache_put(k))
        mem_free(k);
}

void buffer_trim_cache(void)
{
    pthread_mutex_lock(&lock);
    for (int i = 0; i < CLASSES; i++)
        for (block *k = cache[i], *next; k; k = next) {
            next = k->next;
            mem_free(k);
        }
    for (int i = 0; i < CLASSES; i++)
        cache[i] = NULL;
    cached = 0;
    pthread_mutex_unlock(&lock);
}

void mx_clear_cache(void) { buffer_trim_cache(); }

size_t mx_cache_memory(void)
{
    pthread_mutex_lock(&lock);
    size_t n = cached;
    pthread_mutex_unlock(&lock);
    return n;
}

size_t mx_set_cache_limit(size_t bytes)
{
    pthread_mutex_lock(&lock);
    size_t before = cache_limit;
    bool above = cached > bytes;
    cache_limit = bytes;
    pthread_mutex_unlock(&lock);
    if (above)
        buffer_trim_cache();
    return before;
}

size_t mx_set_memory_limit(size_t bytes)
{
    pthread_mutex_lock(&lock);
    size_t before = limit_now();
    memory_limit = bytes ? bytes : 1;
    bool above = cached + atomic_load(&active) > bytes;
    pthread_mutex_unlock(&lock);
    if (above)
        buffer_trim_cache();
    return before;
}

size_t mx_memory_limit(void)
{
    pthread_mutex_lock(&lock);
    size_t limit = limit_now();
    pthread_mutex_unlock(&lock);
    return limit;
}

void mx_reset_peak_memory(void) { atomic_store(&peak, 0); }

size_t mx_active_memory(void) { return atomic_load(&active); }

size_t mx_peak_memory(void) { return atomic_load(&peak); }
