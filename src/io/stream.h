/* Files by callbacks, and places to write to: what the formats read and write besides files of their own. */
#ifndef MICA_IO_STREAM_H
#define MICA_IO_STREAM_H

#include "array/node.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The callbacks of a file that somebody else has; members as in mlx-c's mlx_io_vtable. */
typedef struct stream_calls {
    bool (*is_open)(void *desc);
    bool (*good)(void *desc);
    size_t (*tell)(void *desc);
    void (*seek)(void *desc, int64_t off, int whence);
    void (*read)(void *desc, char *data, size_t n);
    void (*read_at_offset)(void *desc, char *data, size_t n, size_t off);
    void (*write)(void *desc, const char *data, size_t n);
    const char *(*label)(void *desc);
    void (*free)(void *desc);
} stream_calls;

/* hold, drop: count the users of owner, whose the callbacks are; NULL if they stay valid anyway. */
typedef struct stream {
    void *desc;
    stream_calls calls;
    void *owner;
    void (*hold)(void *owner), (*drop)(void *owner);
} stream;

/* What messages call it. */
const char *stream_label(const stream *s);
/* Is it open? If so, its size; it is left where it was. 0, or -1 with an error "[op] ...". */
int stream_size(const stream *s, const char *op, size_t *size);
/* Reads the next n bytes. 0, or -1 with an error "[op] ...". */
int stream_read(const stream *s, const char *op, void *to, size_t n);
/* The source of a stream (array/source.h), which it holds. NULL with an error. */
node *stream_source(const stream *s, size_t size);
/* An array in a source, as a temporary that is read when it is computed. */
mlx_array source_array(node *from, size_t offset, const int *shape, int ndim, mlx_dtype dtype, bool swapped);
/* All bytes of a file, mapped. NULL with an error that names the path. */
buffer *stream_map(const char *path);

/* Where a format writes its bytes, in order. 0, or -1 with an error. */
typedef struct sink {
    int (*write)(void *user, const void *p, size_t n);
    void *user;
} sink;

/* Writes to s, which must be open: calls fill(arg, to). 0, or -1 with an error "[op] ...". */
int stream_write(const stream *s, const char *op, int (*fill)(void *arg, const sink *to), void *arg);
/* The same to a file, complete or not at all; the name gets `suffix` if it lacks it. */
int stream_save(const char *path, const char *suffix, int (*fill)(void *arg, const sink *to), void *arg);

static inline int sink_write(const sink *to, const void *p, size_t n)
{
    return n ? to->write(to->user, p, n) : 0;
}
/* x's elements, row-major; evaluates. */
int sink_write_array(const sink *to, mlx_array x);

#endif
