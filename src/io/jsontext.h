/* JSON values as text, in memory of ours. */
#ifndef MICA_IO_JSONTEXT_H
#define MICA_IO_JSONTEXT_H

#include "base/strbuf.h"

#include <jansson.h>

/* Appends a value (NULL is an error) as jansson's `flags` say. 0, or -1 with an error and out->failed set. */
int jsontext_add(strbuf *out, const json_t *value, size_t flags);

#endif
