/* A pull reader for JSON: the caller walks the text and takes each value in the form it expects, so that a
 * file of hundreds of thousands of strings is read without a tree. Meant for big machine-made files; small
 * configurations are easier with a tree.
 *
 *     jr_open(&r, path, data, size);
 *     if (jr_object(&r) == 0)
 *         while (jr_key(&r, &key))
 *             if (jr_is(key, "id")) jr_int(&r, 0, INT_MAX, &id); else jr_skip(&r);
 *     int status = jr_finish(&r);
 *
 * The first problem is recorded by error_set with the name, line and column, and sticks: every later call
 * fails at once, loops end, and one check at the end is enough. Strict: RFC 8259, valid UTF-8, no lone
 * surrogates, nesting at most JR_DEPTH. A reader belongs to one thread. */
#ifndef MICA_BASE_JSON_H
#define MICA_BASE_JSON_H

#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JR_DEPTH 64

/* Bytes of a string with its escapes decoded; may hold NUL. */
typedef struct jr_text {
    const char *p;
    size_t n;
} jr_text;

typedef enum { JR_BAD, JR_OBJECT, JR_ARRAY, JR_STRING, JR_NUMBER, JR_BOOL, JR_NULL } jr_type;

typedef struct jr {
    const char *name;           /* what messages call the input; borrowed */
    const char *base, *p, *end; /* start of the whole input (positions count from here), next byte, end */
    strbuf scratch;             /* the last string that had escapes */
    int depth;
    bool first, failed; /* no member of the innermost container was read yet */
} jr;

/* Starts at `data`, which (like name) must outlive the reader. Nothing is allocated before a string with
 * escapes is met. */
void jr_open(jr *r, const char *name, const char *data, size_t size);
/* Frees what the reader holds; always allowed. */
void jr_close(jr *r);

/* The type of the value that comes next, JR_BAD at the end of the text or after an error. Takes nothing. */
jr_type jr_peek(jr *r);

/* Enter an object or array: 0, or -1 when the next value is something else. */
int jr_object(jr *r);
int jr_array(jr *r);
/* The next member's key, whose value must be read next; false after the last one (the object is then left)
 * and after an error. The key lives as jr_string's text does. */
bool jr_key(jr *r, jr_text *key);
/* Is there another element, to be read next? false after the last one (the array is then left) and after an
 * error. */
bool jr_item(jr *r);

/* A string. Its bytes are the input's own, or, when it has escapes, the reader's until the next string or
 * key. 0 or -1. */
int jr_string(jr *r, jr_text *s);
/* A whole number from lo to hi. */
int jr_int(jr *r, int64_t lo, int64_t hi, int64_t *v);
int jr_bool(jr *r, bool *v);
/* Takes a null if it is next. */
bool jr_null(jr *r);
/* Passes over any value, checking it. */
int jr_skip(jr *r);
/* Passes over any value and opens `sub` on it, for a second reading; close both. */
int jr_span(jr *r, jr *sub);
/* Opens `sub` on the value of a key of the object that r stands at, which must have been passed over once (a
 * span, say), so that nothing in it is wrong; r is not moved. false when there is no such key or no object.
 * A key's first value counts. */
bool jr_find(const jr *r, const char *key, jr *sub);

/* Nothing but white space may follow: 0, or -1 for that or for any earlier error. Closes the reader. */
int jr_finish(jr *r);
/* Fails with a message of the caller's, at the current position: always -1. */
int jr_error(jr *r, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Does the text equal a C string? */
bool jr_is(jr_text t, const char *s);

#endif
