/* Text that may be told, and text that must wait because a stop text may begin in it. */
#ifndef MICA_LLM_STOPS_H
#define MICA_LLM_STOPS_H

#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>

/* The texts that end a generation; borrowed by `held`s. */
typedef struct stop_list {
    const char *const *texts; /* none is empty */
    size_t n;
    bool include; /* the text that was met is told, too */
} stop_list;

typedef struct stops {
    const stop_list *list;
    strbuf held; /* text that was not told yet; the first `ready` bytes can be */
    size_t ready;
} stops;

/* Drops what was ready before and takes in more text. look: may a stop text end it? The first stop text met,
 * or -1: then all but what may become one is ready. The text behind a stop text is dropped. */
int stops_add(stops *s, const char *text, size_t n, bool look);
/* The text has ended: everything is ready. */
void stops_end(stops *s);
void stops_free(stops *s);

#endif
