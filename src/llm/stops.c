/* Stop texts are few and short, and what is held is shorter than the longest: plain comparison does. */
#include "llm/stops.h"

#include <string.h>

/* The stop text that begins first in the held text, the longer of two; -1 if there is none. */
static int find(const stops *s, size_t *at)
{
    int best = -1;
    for (size_t i = 0; i < s->list->n; i++) {
        size_t n = strlen(s->list->texts[i]);
        const char *hit = memmem(strbuf_text(&s->held), s->held.len, s->list->texts[i], n);
        size_t where = hit ? (size_t)(hit - strbuf_text(&s->held)) : 0;
        if (hit && (best < 0 || where < *at || (where == *at && n > strlen(s->list->texts[best])))) {
            best = (int)i;
            *at = where;
        }
    }
    return best;
}

/* How many bytes at the end of the held text are the beginning of a stop text. */
static size_t pending(const stops *s)
{
    size_t most = 0;
    for (size_t i = 0; i < s->list->n; i++) {
        size_t n = strlen(s->list->texts[i]), len = s->held.len;
        for (size_t k = n - 1 < len ? n - 1 : len; k > most; k--)
            if (memcmp(s->held.data + len - k, s->list->texts[i], k) == 0)
                most = k;
    }
    return most;
}

int stops_add(stops *s, const char *text, size_t n, bool look)
{
    strbuf *held = &s->held;
    size_t rest = held->len - s->ready, at = 0;
    if (s->ready && rest)
        memmove(held->data, held->data + s->ready, rest);
    held->len = rest;
    strbuf_add(held, text, n);
    int met = look ? find(s, &at) : -1;
    if (met >= 0)
        held->len = s->ready = at + (s->list->include ? strlen(s->list->texts[met]) : 0);
    else
        s->ready = held->len - (look ? pending(s) : 0);
    return met;
}

void stops_end(stops *s) { s->ready = s->held.len; }

void stops_free(stops *s) { strbuf_free(&s->held); }
