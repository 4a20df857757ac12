/* Files by callbacks, and places to write to. The formats read a stream's header at once, and its arrays when
 * they are computed: these share a source, which holds the stream. */
#include "io/stream.h"

#include "array/source.h"
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "mx.h"
#include "prim/prim.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

const char *stream_label(const stream *s)
{
    const char *text = s->calls.label ? s->calls.label(s->desc) : NULL;
    return text ? text : "stream";
}

static bool usable(const stream *s) { return s->calls.is_open(s->desc) && s->calls.good(s->desc); }

int stream_size(const stream *s, const char *op, size_t *size)
{
    if (!usable(s))
        return error_set("[%s] Failed to open %s", op, stream_label(s));
    size_t at = s->calls.tell(s->desc);
    s->calls.seek(s->desc, 0, SEEK_END);
    *size = s->calls.tell(s->desc);
    s->calls.seek(s->desc, (int64_t)at, SEEK_SET);
    if (*size > PTRDIFF_MAX || at > *size || !s->calls.good(s->desc))
        return error_set("[%s] the size of %s cannot be found", op, stream_label(s));
    return 0;
}

static int unread(const char *op, size_t n, const char *name)
{
    return error_set("[%s] Unable to read %zu bytes from %s", op, n, name);
}

int stream_read(const stream *s, const char *op, void *to, size_t n)
{
    s->calls.read(s->desc, to, n);
    return s->calls.good(s->desc) ? 0 : unread(op, n, stream_label(s));
}

/* --- sources --- */

/* What a source reads by: the callbacks share one position. */
typedef struct late {
    stream s;
    pthread_mutex_t lock;
} late;

static int read_late(void *user, const char *name, char *to, size_t bytes, size_t offset)
{
    late *l = user;
    const stream_calls *c = &l->s.calls;
    pthread_mutex_lock(&l->lock);
    if (c->read_at_offset) {
        c->read_at_offset(l->s.desc, to, bytes, offset);
    } else {
        c->seek(l->s.desc, (int64_t)offset, SEEK_SET);
        c->read(l->s.desc, to, bytes);
    }
    bool good = c->good(l->s.desc);
    pthread_mutex_unlock(&l->lock);
    return good ? 0 : unread("load", bytes, name);
}

static void drop_late(void *user)
{
    late *l = user;
    if (l->s.drop)
        l->s.drop(l->s.owner);
    pthread_mutex_destroy(&l->lock);
    mem_free(l);
}

node *stream_source(const stream *s, size_t size)
{
    late *l = mem_alloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->s = *s;
    pthread_mutex_init(&l->lock, NULL);
    if (s->hold)
        s->hold(s->owner);
    return source_of_reader(stream_label(s), size, read_late, drop_late, l);
}

mlx_array source_array(node *from, size_t offset, const int *shape, int ndim, mlx_dtype dtype, bool swapped)
{
    union {
        prim_load load;
        char room[sizeof(prim_load) + MX_MAX_DIMS * sizeof(int32_t)];
    } p;
    p.load = (prim_load){(int64_t)offset, (int32_t)dtype, swapped, ndim};
    if (ndim)
        memcpy(p.load.shape, shape, (size_t)ndim * sizeof *shape);
    mlx_array in = node_array(from);
    return prim_make(PRIM_Load, &in, 1, &p, offsetof(prim_load, shape) + (size_t)ndim * sizeof(int32_t));
}

static void unmap(void *owner)
{
    file_map_close(owner);
    mem_free(owner);
}

buffer *stream_map(const char *path)
{
    file_map *map = mem_alloc(1, sizeof *map);
    if (!map || file_map_open(map, path)) {
        mem_free(map);
        return NULL;
    }
    return buffer_wrap(map->data, map->size, unmap, map);
}

static int put_stream(void *user, const void *p, size_t n)
{
    const stream *s = user;
    s->calls.write(s->desc, p, n);
    return s->calls.good(s->desc) ? 0 : error_set("Unable to write %zu bytes to %s", n, stream_label(s));
}

int stream_write(const stream *s, const char *op, int (*fill)(void *arg, const sink *to), void *arg)
{
    if (!usable(s))
        return error_set("[%s] Failed to open %s", op, stream_label(s));
    return fill(arg, &(sink){put_stream, (void *)(uintptr_t)s});
}

static int put_file(void *user, const void *p, size_t n) { return file_write(user, p, n); }

/* path, with the suffix. */
static char *with_suffix(const char *path, const char *suffix)
{
    size_t n = strlen(path), m = strlen(suffix);
    bool there = n >= m && strcmp(path + n - m, suffix) == 0;
    char *name = mem_alloc(n + m + 1, 1);
    if (!name)
        return NULL;
    memcpy(name, path, n + 1);
    if (!there)
        memcpy(name + n, suffix, m + 1);
    return name;
}

int stream_save(const char *path, const char *suffix, int (*fill)(void *arg, const sink *to), void *arg)
{
    file_out o;
    char *name = with_suffix(path, suffix);
    int rc = name ? file_create(&o, name) : -1;
    if (rc == 0) {
        rc = fill(arg, &(sink){put_file, &o});
        if (rc)
            file_abort(&o);
        else
            rc = file_commit(&o);
    }
    mem_free(name);
    return rc;
}

int sink_write_array(const sink *to, mlx_array x)
{
    mlx_array slot = MX_NULL;
    size_t mark = mx_mark();
    mx_set(&slot, mx_contiguous(x));
    mx_release(mark);
    int rc = mx_is_null(slot) || mx_eval(slot) ? -1 : 0;
    if (rc == 0)
        rc = sink_write(to, mx_data(slot), mx_size(slot) * mx_dtype_size(mx_dtype_of(slot)));
    mx_set(&slot, MX_NULL);
    return rc;
}
