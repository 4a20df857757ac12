/* Nodes: one block each from per-thread free lists.
 *
 * A block holds the struct, strides, input pointers, shape and parameters, in this order of falling
 * alignment. Block sizes are multiples of 64 bytes up to LARGEST; larger ones (hundreds of inputs) come from
 * the heap. Threads take blocks from their own lists without locks; a thread that ends leaves its lists to
 * the next that runs dry. */
#include "array/node.h"

#include "array/stream.h"
#include "array/temps.h"
#include "base/error.h"
#include "base/mem.h"

#include <pthread.h>
#include <string.h>

enum { UNIT = 64, LARGEST = 1024, CLASSES = LARGEST / UNIT, SLAB = 64 * 1024, FROM_HEAP = 255 };

typedef struct free_block {
    struct free_block *next;
} free_block;

typedef struct slab {
    struct slab *next;
} slab;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static slab *slabs;                  /* under lock */
static free_block *orphans[CLASSES]; /* lists of threads that ended; under lock */
static _Atomic unsigned generation = 1;
static _Atomic int64_t live;

static _Thread_local free_block *lists[CLASSES];
static _Thread_local unsigned lists_generation;
static _Thread_local int transforms; /* that run now */
static _Thread_local int dynamic;    /* recordings for any shape that run now */
static pthread_key_t exit_key;
static pthread_once_t exit_once = PTHREAD_ONCE_INIT;

/* A thread ends: its free blocks and its pool of temporaries pass on. */
static void thread_exit(void *unused)
{
    (void)unused;
    temps_free();
    pthread_mutex_lock(&lock);
    if (lists_generation == atomic_load(&generation))
        for (int i = 0; i < CLASSES; i++)
            while (lists[i]) {
                free_block *f = lists[i];
                lists[i] = f->next;
                f->next = orphans[i];
                orphans[i] = f;
            }
    lists_generation = 0; /* a later destructor of this thread may free nodes: they pass on as well */
    pthread_mutex_unlock(&lock);
}

static void make_key(void) { pthread_key_create(&exit_key, thread_exit); }

/* Before a thread's lists are used: they are empty after a shutdown, whose slabs are gone, and their blocks
 * pass on when the thread ends, also if it only ever freed what others made. */
static void open_lists(void)
{
    unsigned now = atomic_load_explicit(&generation, memory_order_relaxed);
    if (lists_generation == now)
        return;
    memset(lists, 0, sizeof lists);
    lists_generation = now;
    pthread_once(&exit_once, make_key);
    pthread_setspecific(exit_key, lists);
}

/* Gives this thread blocks of a class: orphans, or a new slab cut up. */
static int refill(int class)
{
    pthread_mutex_lock(&lock);
    lists[class] = orphans[class];
    orphans[class] = NULL;
    slab *s = lists[class] ? NULL : mem_aligned(UNIT, SLAB);
    if (s) {
        s->next = slabs;
        slabs = s;
    }
    pthread_mutex_unlock(&lock);
    if (!s)
        return lists[class] ? 0 : -1;
    size_t step = (size_t)(class + 1) * UNIT;
    for (char *p = (char *)s + UNIT; p + step <= (char *)s + SLAB; p += step) {
        free_block *f = (free_block *)p;
        f->next = lists[class];
        lists[class] = f;
    }
    return 0;
}

static void *block_take(size_t bytes, uint8_t *size_class)
{
    if (bytes > LARGEST) {
        *size_class = FROM_HEAP;
        return mem_alloc(1, bytes);
    }
    open_lists();
    int class = (int)((bytes + UNIT - 1) / UNIT) - 1;
    if (!lists[class] && refill(class))
        return NULL;
    free_block *f = lists[class];
    lists[class] = f->next;
    *size_class = (uint8_t) class;
    return f;
}

static void block_give(void *p, uint8_t size_class)
{
    if (size_class == FROM_HEAP) {
        mem_free(p);
        return;
    }
    open_lists();
    free_block *f = p;
    f->next = lists[size_class];
    lists[size_class] = f;
}

/* Fills in shape, row-major strides and size. -1 when the number of elements does not fit. */
static int set_shape(node *n, const int *shape)
{
    size_t size = 1;
    for (int i = n->ndim - 1; i >= 0; i--) {
        n->shape[i] = shape[i];
        n->strides[i] = (int64_t)size;
        if (__builtin_mul_overflow(size, (size_t)shape[i], &size) || size > INT64_MAX / 16)
            return error_set("an array whose axis %d has %d entries has too many elements", i, shape[i]);
    }
    n->size = size;
    return 0;
}

node *node_new(int prim, mlx_dtype dtype, const int *shape, int ndim, node *const *inputs, size_t n_inputs,
               const void *params, size_t params_size)
{
    size_t d = (size_t)ndim, bytes = sizeof(node) + d * 12 + n_inputs * sizeof(node *) + params_size + 8;
    uint8_t size_class;
    char *p = block_take(bytes, &size_class);
    if (!p)
        return NULL;
    node *n = (node *)p;
    p += sizeof(node);
    *n = (node){.refs = 1,
                .prim = (uint16_t)prim,
                .dtype = (uint8_t)dtype,
                .ndim = (uint8_t)ndim,
                .size_class = size_class,
                .stream = stream_current,
                .n_inputs = (uint32_t)n_inputs,
                .n_outputs = 1,
                .params_size = (uint16_t)params_size};
    n->strides = (int64_t *)p;
    n->inputs = (node **)(p + d * 8);
    n->params = p + d * 8 + n_inputs * sizeof(node *);
    n->shape = (int *)((char *)n->params + ((params_size + 7) & ~(size_t)7));
    if (set_shape(n, shape)) {
        block_give(n, size_class);
        return NULL;
    }
    unsigned flags = 0;
    for (size_t i = 0; i < n_inputs; i++) {
        n->inputs[i] = node_retain(inputs[i]);
        flags |= node_flags(inputs[i]);
    }
    node_set_flags(n, NODE_ROW_CONTIGUOUS | (flags & NODE_TRACED));
    if (params_size)
        memcpy(n->params, params, params_size);
    atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
    return n;
}

node *node_from_buffer(buffer *b, const char *data, const int *shape, int ndim, mlx_dtype dtype)
{
    node *n = b ? node_new(0, dtype, shape, ndim, NULL, 0, NULL, 0) : NULL;
    if (!n) {
        buffer_release(b);
        return NULL;
    }
    n->buf = b;
    n->data = (char *)(uintptr_t)data;
    n->status = NODE_READY;
    return n;
}

node *node_retain(node *n)
{
    atomic_fetch_add_explicit(&n->refs, 1, memory_order_relaxed);
    return n;
}

/* Frees a node without references; nodes that lose their last one by that are linked in front of `todo`
 * through their data field, which is no longer needed. */
static node *node_free(node *n, node *todo)
{
    node **lists_of[2] = {n->inputs, n->outputs};
    size_t counts[2] = {n->n_inputs, n->outputs ? n->n_outputs : 0};
    for (int l = 0; l < 2; l++)
        for (size_t i = 0; i < counts[l]; i++) {
            node *child = lists_of[l][i];
            if (child && atomic_fetch_sub_explicit(&child->refs, 1, memory_order_acq_rel) == 1) {
                child->data = (char *)todo;
                todo = child;
            }
        }
    mem_free(n->outputs);
    buffer_release(n->buf);
    block_give(n, n->size_class);
    atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
    return todo;
}

void node_release(node *n)
{
    if (!n || atomic_fetch_sub_explicit(&n->refs, 1, memory_order_acq_rel) != 1)
        return;
    n->data = NULL;
    for (node *todo = n; todo;) {
        node *dead = todo;
        todo = node_free(dead, (node *)dead->data);
    }
}

void node_detach(node *n)
{
    uint32_t inputs = n->n_inputs;
    n->n_inputs = 0;
    for (uint32_t i = 0; i < inputs; i++)
        node_release(n->inputs[i]);
}

int node_trace(int change) { return transforms += change; }

int node_dynamic(int change) { return dynamic += change; }

bool node_is_kept(const node *n) { return (n->flags & NODE_TRACED) && transforms > 0; }

int node_allocate(node *n)
{
    buffer *b = buffer_new(node_bytes(n));
    if (!b)
        return -1;
    buffer_release(n->buf);
    n->buf = b;
    n->data = b->data;
    return 0;
}

bool node_can_donate(const node *n, size_t i)
{
    const node *in = n->inputs[i];
    return in->refs == 1 && in->buf && in->buf->refs == 1 && !in->buf->release &&
           (in->flags & NODE_ROW_CONTIGUOUS) && in->data == in->buf->data && !node_is_kept(n);
}

int node_allocate_from(node *n, const uint8_t *candidates, size_t n_candidates)
{
    for (size_t c = 0; c < n_candidates; c++) {
        node *in = n->inputs[candidates[c]];
        if (node_can_donate(n, candidates[c]) && in->size == n->size &&
            node_itemsize(in) == node_itemsize(n)) {
            buffer_release(n->buf);
            n->buf = buffer_retain(in->buf);
            n->data = in->data;
            return 0;
        }
    }
    return node_allocate(n);
}

void node_view(node *n, const node *input, char *data, const int64_t *strides)
{
    buffer *old = n->buf;
    n->buf = buffer_retain(input->buf);
    buffer_release(old);
    n->data = data;
    memmove(n->strides, strides, n->ndim * sizeof *strides);
    node_update_flags(n);
}

void node_update_flags(node *n)
{
    int64_t expected = 1;
    bool dense = true;
    for (int i = n->ndim - 1; i >= 0; i--) {
        if (n->shape[i] != 1 && n->strides[i] != expected)
            dense = false;
        expected *= n->shape[i];
    }
    unsigned others = node_flags(n) & ~(unsigned)NODE_ROW_CONTIGUOUS;
    node_set_flags(n, others | (dense || n->size == 0 ? NODE_ROW_CONTIGUOUS : 0));
}

size_t node_live(void) { return (size_t)atomic_load(&live); }

void node_shutdown(void)
{
    temps_free();
    buffer_trim_cache();
    pthread_mutex_lock(&lock);
    if (atomic_load(&live) == 0) {
        atomic_fetch_add(&generation, 1);
        memset(orphans, 0, sizeof orphans);
        for (slab *s = slabs, *next; s; s = next) {
            next = s->next;
            mem_free(s);
        }
        slabs = NULL;
    }
    pthread_mutex_unlock(&lock);
}
