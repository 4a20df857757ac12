/* Files by callbacks, and places to write to. A file to read is taken whole: the formats check sizes against
 * what is there before they use them, and their arrays share the one buffer. */
#include "io/stream.h"

#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "mx.h"

#include <stdio.h>
#include <string.h>

const char *stream_label(const stream *s)
{
    const char *text = s->calls.label ? s->calls.label(s->desc) : NULL;
    return text ? text : "stream";
}

static bool usable(const stream *s) { return s->calls.is_open(s->desc) && s->calls.good(s->desc); }

buffer *stream_read_all(const stream *s, const char *op)
{
    if (!usable(s)) {
        error_set("[%s] Failed to open %s", op, stream_label(s));
        return NULL;
    }
    s->calls.seek(s->desc, 0, SEEK_END);
    size_t size = s->calls.tell(s->desc);
    s->calls.seek(s->desc, 0, SEEK_SET);
    if (size > PTRDIFF_MAX || !s->calls.good(s->desc)) {
        error_set("[%s] the size of %s cannot be found", op, stream_label(s));
        return NULL;
    }
    buffer *b = buffer_new(size);
    if (b && size)
        s->calls.read(s->desc, b->data, size);
    if (!b || s->calls.good(s->desc))
        return b;
    error_set("[%s] Unable to read %zu bytes from %s", op, size, stream_label(s));
    buffer_release(b);
    return NULL;
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
