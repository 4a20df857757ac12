/* Growth is by half (mem_grow), always with one byte more than the text needs: the NUL. */
#include "base/strbuf.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Room for n more bytes and the NUL. */
static bool reserve(strbuf *s, size_t n)
{
    size_t need;
    if (s->failed || !mem_add(s->len, n, &need) || !mem_add(need, 1, &need)) {
        s->failed = true;
        return false;
    }
    char *p = mem_grow(s->data, &s->cap, need, 1);
    if (!p) {
        s->failed = true;
        return false;
    }
    s->data = p;
    return true;
}

void strbuf_add(strbuf *s, const char *p, size_t n)
{
    if (!reserve(s, n))
        return;
    if (n)
        memcpy(s->data + s->len, p, n);
    s->len += n;
    s->data[s->len] = 0;
}

void strbuf_adds(strbuf *s, const char *text) { strbuf_add(s, text, strlen(text)); }

void strbuf_addc(strbuf *s, char c) { strbuf_add(s, &c, 1); }

void strbuf_addf(strbuf *s, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n >= 0 && reserve(s, (size_t)n)) {
        vsnprintf(s->data + s->len, (size_t)n + 1, fmt, again);
        s->len += (size_t)n;
    }
    va_end(again);
}

const char *strbuf_text(const strbuf *s) { return s->data ? s->data : ""; }

char *strbuf_take(strbuf *s)
{
    reserve(s, 0);
    if (s->failed) {
        strbuf_free(s);
        return NULL;
    }
    char *p = s->data;
    p[s->len] = 0;
    *s = (strbuf){0};
    return p;
}

void strbuf_clear(strbuf *s)
{
    s->len = 0;
    if (s->data)
        s->data[0] = 0;
}

void strbuf_free(strbuf *s)
{
    mem_free(s->data);
    *s = (strbuf){0};
}
