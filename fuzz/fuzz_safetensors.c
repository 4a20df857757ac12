/* Safetensors from any bytes. A file that is accepted has tensors that lie inside of it, and arrays can be
 * made of them and read. */
#include "base/error.h"
#include "base/mem.h"
#include "io/safetensors.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void keep(void *owner) { (void)owner; }

static void must(int condition)
{
    if (!condition)
        abort();
}

static void read_all(const safetensors *s, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < s->count; i++) {
        const safetensors_tensor *t = &s->tensors[i];
        must((const uint8_t *)t->data >= data && (const uint8_t *)t->data + t->bytes <= data + size);
        must(safetensors_find(s, t->name) == t);
        size_t mark = mx_mark();
        mlx_array x = safetensors_array(s, t);
        must(!mx_is_null(x) && mx_size(x) * mx_dtype_size(t->dtype) == t->bytes);
        volatile char sum = 0;
        for (size_t k = 0; k < t->bytes; k++)
            sum = (char)(sum + ((const char *)mx_data(x))[k]);
        mx_release(mark);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t live = mem_live();
    safetensors s;
    buffer *b = buffer_wrap(data, size, keep, NULL);
    if (b && safetensors_from_buffer(&s, "fuzz", b) == 0) {
        must(!error_pending());
        read_all(&s, data, size);
        safetensors_close(&s);
    } else {
        must(error_pending());
    }
    error_clear();
    mx_shutdown(); /* its caches would count as live */
    must(mem_live() <= live);
    return 0;
}
