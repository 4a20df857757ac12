/* compile: the cache of graphs, and calls by them.
 *
 * The cache belongs to the process. Its key is a string of bytes: the id, how the function was compiled, the
 * thread's default stream, the constants, and each input's dtype and shape (shapeless: its number of
 * dimensions). A graph never changes once it is in the cache, so that any number of threads may replay it; it
 * lives until the last of them is done. A trace runs without the lock: two threads may make the same graph,
 * and the first one's is kept. */
#include "base/error.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "mx/stream.h"
#include "transforms/graph.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 256, UNDECIDED = -1 };

typedef struct cached {
    struct cached *next;
    uintptr_t id;
    size_t key_size;
    char *key;
    int users; /* the cache and the calls that run; under the lock */
    graph g;
} cached;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static cached *buckets[BUCKETS]; /* under the lock; by key */
static _Atomic int mode = UNDECIDED;

mx_compile_mode mx_get_compile_mode(void)
{
    int now = atomic_load_explicit(&mode, memory_order_relaxed);
    if (now == UNDECIDED) {
        now = getenv("MLX_DISABLE_COMPILE") ? MX_COMPILE_DISABLED : MX_COMPILE_ENABLED;
        atomic_store(&mode, now);
    }
    return (mx_compile_mode)now;
}

void mx_set_compile_mode(mx_compile_mode m) { atomic_store(&mode, (int)m); }

/* --- the cache --- */

typedef struct call {
    uintptr_t id;
    mx_list_function f;
    void *user;
    bool shapeless;
    const uint64_t *constants;
    size_t n_constants;
    const mlx_array *in;
    size_t n;
} call;

static int make_key(const call *c, strbuf *key)
{
    int32_t head[4] = {c->shapeless, mx_get_default_stream(), (int32_t)c->n_constants, mx_get_compile_mode()};
    strbuf_add(key, (const char *)&c->id, sizeof c->id);
    strbuf_add(key, (const char *)head, sizeof head);
    if (c->n_constants)
        strbuf_add(key, (const char *)c->constants, c->n_constants * sizeof *c->constants);
    for (size_t i = 0; i < c->n; i++) {
        const node *x = node_of(c->in[i]);
        strbuf_add(key, (const char *)&x->dtype, sizeof x->dtype);
        strbuf_add(key, (const char *)&x->ndim, sizeof x->ndim);
        if (!c->shapeless && x->ndim)
            strbuf_add(key, (const char *)x->shape, x->ndim * sizeof *x->shape);
    }
    return key->failed ? -1 : 0;
}

static cached **bucket_of(const char *key, size_t size)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < size; i++)
        h = (h ^ (unsigned char)key[i]) * 16777619u;
    return &buckets[(h ^ h >> 16) % BUCKETS];
}

static void cached_free(cached *e)
{
    graph_free(&e->g);
    mem_free(e->key);
    mem_free(e);
}

/* A user is done with it. */
static void leave(cached *e)
{
    pthread_mutex_lock(&lock);
    bool last = --e->users == 0;
    pthread_mutex_unlock(&lock);
    if (last)
        cached_free(e);
}

/* With the lock held: the entry of a key, or NULL. */
static cached *find(const char *key, size_t size)
{
    cached *e = *bucket_of(key, size);
    while (e && (e->key_size != size || memcmp(e->key, key, size) != 0))
        e = e->next;
    return e;
}

static cached *look_up(const strbuf *key)
{
    pthread_mutex_lock(&lock);
    cached *e = find(key->data, key->len);
    if (e)
        e->users++;
    pthread_mutex_unlock(&lock);
    return e;
}

/* Puts an entry of one user into the cache, or finds that there is one by now, which is returned for use. */
static cached *insert(cached *made)
{
    cached **bucket = bucket_of(made->key, made->key_size);
    pthread_mutex_lock(&lock);
    cached *e = find(made->key, made->key_size);
    if (!e) {
        e = made;
        e->next = *bucket;
        *bucket = e;
        e->users++;
    } else {
        e->users++;
    }
    pthread_mutex_unlock(&lock);
    if (e != made)
        cached_free(made);
    return e;
}

static void erase(bool all, uintptr_t id)
{
    cached *gone = NULL;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < BUCKETS; i++)
        for (cached **slot = &buckets[i]; *slot;) {
            cached *e = *slot;
            if (!all && e->id != id) {
                slot = &e->next;
                continue;
            }
            *slot = e->next;
            e->next = gone;
            gone = e;
        }
    pthread_mutex_unlock(&lock);
    for (cached *e = gone, *next; e; e = next) {
        next = e->next;
        leave(e);
    }
}

void mx_compile_erase(uintptr_t id) { erase(false, id); }

void mx_compile_clear_cache(void) { erase(true, 0); }

/* --- calls --- */

/* A graph for this call, not in the cache yet; takes over the key. */
static cached *trace(const call *c, strbuf *key)
{
    mx_compile_mode m = mx_get_compile_mode();
    cached *e = mem_calloc(1, sizeof *e);
    if (!e)
        return NULL;
    e->users = 1;
    e->id = c->id;
    e->key_size = key->len;
    e->key = strbuf_take(key);
    node_dynamic(c->shapeless);
    int rc = e->key ? graph_trace(&e->g, "compile", c->f, c->user, c->in, c->n) : -1;
    node_dynamic(-c->shapeless);
    if (rc || (m != MX_COMPILE_NO_SIMPLIFY && graph_simplify(&e->g)) ||
        (m != MX_COMPILE_NO_FUSE && graph_fuse(&e->g))) {
        cached_free(e);
        return NULL;
    }
    return e;
}

static int run_cached(const call *c, mx_arrays *out)
{
    strbuf key = {0};
    cached *e = make_key(c, &key) ? NULL : look_up(&key);
    if (!e && !key.failed) {
        e = trace(c, &key);
        e = e ? insert(e) : NULL;
    }
    strbuf_free(&key);
    if (!e)
        return -1;
    int rc = graph_replay(&e->g, c->in, c->shapeless, out);
    leave(e);
    return rc;
}

/* Do the arrays belong to a function that is being traced? */
static bool is_traced(const mlx_array *in, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (node_of(in[i])->prim == PRIM_None && node_status(node_of(in[i])) == NODE_LAZY)
            return true;
    return node_trace(0) > 0;
}

int mx_compiled(uintptr_t id, mx_list_function f, void *user, bool shapeless, const uint64_t *constants,
                size_t n_constants, const mlx_array *in, size_t n, mx_arrays *out)
{
    call c = {id, f, user, shapeless, constants, n_constants, in, n};
    for (size_t i = 0; i < n; i++)
        if (mx_is_null(in[i]))
            return error_set("[compile] input %zu is null: an operation before failed", i);
    if (mx_get_compile_mode() != MX_COMPILE_DISABLED && !is_traced(in, n))
        return run_cached(&c, out);
    if (f(user, in, n, out) || error_pending())
        return error_set("[compile] the function failed");
    return 0;
}
