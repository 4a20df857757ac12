/* Reading arrays from files. What lies in a mapped file as the processor wants it is used where it is; small
 * arrays are copied all the same, since results can then be written over them and the mapping can go. */
#include "array/source.h"
#include "base/error.h"
#include "cpu/eval.h"

#include <string.h>

enum { COPIED = 1 << 20 }; /* up to so many bytes */

static void swap_bytes(char *p, size_t size, size_t unit)
{
    for (size_t i = 0; i < size; i += unit)
        for (size_t k = 0; k < unit / 2; k++) {
            char c = p[i + k];
            p[i + k] = p[i + unit - 1 - k];
            p[i + unit - 1 - k] = c;
        }
}

static int read_bytes(const source *s, char *to, size_t bytes, size_t offset)
{
    if (!s->bytes)
        return s->read(s->user, s->name, to, bytes, offset);
    memcpy(to, s->bytes->data + offset, bytes);
    return 0;
}

int cpu_eval_load(node *n)
{
    const prim_load *p = n->params;
    const source *s = source_of(n->inputs[0]);
    size_t bytes = node_bytes(n), offset = (size_t)p->offset;
    if (offset > s->size || bytes > s->size - offset)
        return error_set("[load] %s: the elements need %zu bytes, the file has %zu; it is truncated", s->name,
                         bytes, offset > s->size ? 0 : s->size - offset);
    const char *there = s->bytes ? s->bytes->data + offset : NULL;
    if (there && bytes > COPIED && !p->swapped && (uintptr_t)there % node_itemsize(n) == 0) {
        buffer_release(n->buf);
        n->buf = buffer_retain(s->bytes);
        n->data = (char *)(uintptr_t)there;
        return 0;
    }
    if (node_allocate(n) || (bytes && read_bytes(s, n->data, bytes, offset)))
        return -1;
    if (p->swapped)
        swap_bytes(n->data, bytes, n->dtype == MLX_COMPLEX64 ? 4 : node_itemsize(n));
    return 0;
}
