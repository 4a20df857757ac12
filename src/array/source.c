/* Sources: a struct that the buffer of a node owns. */
#include "array/source.h"

#include "base/mem.h"

static void source_free(void *owner)
{
    source *s = owner;
    if (s->bytes)
        buffer_release(s->bytes);
    if (s->release)
        s->release(s->user);
    mem_free(s->name);
    mem_free(s);
}

/* Takes over what `from` holds. */
static node *source_new(const char *name, source from)
{
    source *s = mem_alloc(1, sizeof *s);
    if (!s) {
        if (from.bytes)
            buffer_release(from.bytes);
        if (from.release)
            from.release(from.user);
        return NULL;
    }
    *s = from;
    s->name = mem_strdup(name);
    if (!s->name) {
        source_free(s);
        return NULL;
    }
    return node_from_buffer(buffer_wrap(s, 0, source_free, s), (const char *)s, NULL, 0, MLX_UINT8);
}

node *source_of_buffer(const char *name, buffer *b)
{
    return source_new(name, (source){.bytes = b, .size = b->size});
}

node *source_of_reader(const char *name, size_t size, source_reader read, void (*release)(void *), void *user)
{
    return source_new(name, (source){.size = size, .read = read, .release = release, .user = user});
}
