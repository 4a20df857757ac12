/* The JSON pull reader on any bytes: passes over the text, and walks it by reading every value. What one
 * accepts, so must the other. */
#include "base/error.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(jr *r)
{
    jr sub;
    jr_text s;
    int64_t v;
    bool b;
    switch (jr_peek(r)) {
    case JR_OBJECT:
        jr_object(r);
        while (jr_key(r, &s))
            walk(r);
        break;
    case JR_ARRAY:
        jr_array(r);
        while (jr_item(r))
            walk(r);
        break;
    case JR_STRING:
        jr_string(r, &s);
        break;
    case JR_BOOL:
        jr_bool(r, &b);
        break;
    case JR_NULL:
        jr_null(r);
        break;
    default:
        if (jr_span(r, &sub) == 0 && jr_int(&sub, INT64_MIN, INT64_MAX, &v))
            error_clear(); /* a number, but no whole one */
        jr_close(&sub);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    jr r, found;
    size_t live = mem_live();
    jr_open(&r, "fuzz", (const char *)data, size);
    jr_skip(&r);
    int skipped = jr_finish(&r);
    error_clear();
    jr_open(&r, "fuzz", (const char *)data, size);
    walk(&r);
    if (jr_finish(&r) != skipped)
        abort();
    error_clear();
    if (!skipped) {
        jr_open(&r, "fuzz", (const char *)data, size);
        if (jr_find(&r, "a", &found))
            jr_close(&found);
        jr_close(&r);
    }
    if (mem_live() != live)
        abort();
    return 0;
}
