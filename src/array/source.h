/* Files to read arrays from when they are computed.
 *
 * A source is a node, so that the arrays that are to be read hold it as their input and the last of them lets
 * it go. Its bytes are a buffer (a mapped file), or behind a function. */
#ifndef MICA_ARRAY_SOURCE_H
#define MICA_ARRAY_SOURCE_H

#include "array/node.h"

/* Reads bytes from offset on, from any thread, one call at a time. 0, or -1 with an error. */
typedef int (*source_reader)(void *user, const char *name, char *to, size_t bytes, size_t offset);

/* What the data of a source's node is. */
typedef struct source {
    char *name;    /* for messages */
    size_t size;   /* of the whole file */
    buffer *bytes; /* all of it; NULL if `read` gets it */
    source_reader read;
    void (*release)(void *user);
    void *user;
} source;

/* The source of a file in memory; takes over the reference to b, also on failure. NULL with an error. */
node *source_of_buffer(const char *name, buffer *b);
/* The source of `size` bytes that `read` gets; release(user) is called when it goes, also on failure. */
node *source_of_reader(const char *name, size_t size, source_reader read, void (*release)(void *),
                       void *user);
static inline const source *source_of(const node *n) { return (const source *)(const void *)n->data; }

#endif
