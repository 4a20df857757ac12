/* A growing byte string. Always NUL-terminated when data is not NULL; may hold NUL bytes inside. */
#ifndef MICA_BASE_STRBUF_H
#define MICA_BASE_STRBUF_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* Zero-initialise. `failed` is sticky: after an allocation failure every later append does nothing, so a
 * builder checks once at the end. */
typedef struct strbuf {
    char *data;
    size_t len, cap;
    bool failed;
} strbuf;

void strbuf_add(strbuf *s, const char *p, size_t n);
void strbuf_adds(strbuf *s, const char *text);
void strbuf_addc(strbuf *s, char c);
void strbuf_addf(strbuf *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The text so far, "" if nothing was added. */
const char *strbuf_text(const strbuf *s);
/* Hands the text over to the caller (mem_free) and empties s; NULL after a failure. */
char *strbuf_take(strbuf *s);
/* Sets the length to 0 and keeps the memory. */
void strbuf_clear(strbuf *s);
void strbuf_free(strbuf *s);

#endif
