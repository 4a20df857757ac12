/* GGUF from any bytes. What is accepted has tensors whose elements can all be read. */
#include "base/error.h"
#include "base/mem.h"
#include "io/gguf.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void keep(void *owner) { (void)owner; }

static void must(int condition)
{
    if (!condition)
        abort();
}

static void read_all(const gguf_table *t, size_t size)
{
    for (size_t i = 0; i < t->count; i++) {
        const gguf_entry *e = &t->entries[i];
        must(gguf_find(t, e->key) == e);
        if (e->kind != GGUF_ARRAY)
            continue;
        size_t bytes = mx_size(e->array) * mx_dtype_size(mx_dtype_of(e->array));
        must(bytes <= 8 * size); /* 2-bit weights become 16-bit ones */
        char *out = malloc(bytes + 1);
        must(out && mx_read(e->array, out) == 0);
        free(out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t live = mem_live(), mark = mx_mark();
    gguf g;
    buffer *b = buffer_wrap(data, size, keep, NULL);
    if (b && gguf_from_buffer(&g, "fuzz", b) == 0) {
        must(!error_pending());
        read_all(&g.tensors, size);
        read_all(&g.metadata, size);
        gguf_clear(&g);
    } else {
        must(error_pending());
    }
    mx_release(mark);
    error_clear();
    mx_shutdown(); /* its caches would count as live */
    must(mem_live() <= live);
    return 0;
}
