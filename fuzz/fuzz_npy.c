/* npy from any bytes. What is accepted is an array whose elements can all be read, or that says that they are
 * not there. */
#include "base/error.h"
#include "base/mem.h"
#include "io/npy.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void keep(void *owner) { (void)owner; }

static void must(int condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t live = mem_live(), mark = mx_mark();
    buffer *b = buffer_wrap(data, size, keep, NULL);
    mlx_array x = b ? npy_from_buffer("fuzz", b) : MX_NULL;
    must(mx_is_null(x) == error_pending());
    if (!mx_is_null(x)) {
        size_t bytes = mx_size(x) * mx_dtype_size(mx_dtype_of(x));
        char *out = bytes <= size ? malloc(bytes + 1) : NULL;
        must((bytes > size) == !out);
        must(out ? mx_read(x, out) == 0 || error_pending() : mx_eval(x) == -1);
        free(out);
    }
    mx_release(mark);
    error_clear();
    mx_shutdown(); /* its caches would count as live */
    must(mem_live() <= live);
    return 0;
}
