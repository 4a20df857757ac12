/* Writing JSON through jansson's callback, never through json_dumps: that gives memory of jansson's
 * allocator, which belongs to the program that we are part of and may not be malloc. */
#include "io/jsontext.h"

static int add_bytes(const char *p, size_t n, void *user)
{
    strbuf *out = user;
    strbuf_add(out, p, n);
    return out->failed ? -1 : 0;
}

int jsontext_add(strbuf *out, const json_t *value, size_t flags)
{
    if (value && json_dump_callback(value, add_bytes, out, flags) == 0)
        return 0;
    out->failed = true;
    return error_set("out of memory for JSON text");
}
