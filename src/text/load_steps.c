/* Reads the small parts of tokenizer.json: normalizer, pre-tokenizer, post-processor, decoder. Each is an
 * object with a "type", or a Sequence of such; a table names the types that are supported, and any other is
 * an error that says its name. */
#include "text/load_steps.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <string.h>

#define MAX_NESTING 4 /* Sequences in Sequences */

/* --- fields of one object --- */

/* A copy of a string field; NULL with an error when it is absent or no string. */
char *load_string(jr *r, const char *key, size_t *n)
{
    jr f;
    jr_text s;
    char *copy = NULL;
    if (!jr_find(r, key, &f)) {
        jr_error(r, "\"%s\" is missing", key);
        return NULL;
    }
    if (jr_string(&f, &s) == 0 && s.n > MAX_TEXT)
        jr_error(&f, "\"%s\" is longer than %d bytes", key, MAX_TEXT);
    else if (!f.failed)
        copy = mem_strndup(s.p, s.n);
    if (copy && n)
        *n = s.n;
    jr_close(&f);
    return copy;
}

/* A boolean field, or `otherwise` when it is absent or null. -1 with an error for anything else. */
int load_bool(jr *r, const char *key, bool otherwise, bool *out)
{
    jr f;
    int status = 0;
    *out = otherwise;
    if (jr_find(r, key, &f) && !jr_null(&f))
        status = jr_bool(&f, out);
    return status;
}

int load_int(jr *r, const char *key, int64_t most, int64_t *out)
{
    jr f;
    if (!jr_find(r, key, &f))
        return jr_error(r, "\"%s\" is missing", key);
    return jr_int(&f, 0, most, out);
}

/* --- types and sequences --- */

static int read_part(tokenizer *t, jr *r, const part_type *part, int depth);

static int read_members(tokenizer *t, jr *r, const part_type *part, int depth)
{
    jr list;
    if (!jr_find(r, part->members, &list))
        return jr_error(r, "\"%s\" is missing", part->members);
    if (depth == MAX_NESTING)
        return jr_error(r, "a %s nested deeper than %d levels", part->name, MAX_NESTING);
    int status = jr_array(&list);
    while (!status && jr_item(&list))
        status = read_part(t, &list, part, depth + 1);
    if (list.failed)
        status = -1;
    jr_close(&list);
    return status;
}

static int read_part(tokenizer *t, jr *r, const part_type *part, int depth)
{
    jr object;
    if (jr_span(r, &object))
        return -1;
    char *type = load_string(&object, "type", NULL);
    int status = -1;
    if (type && strcmp(type, "Sequence") == 0) {
        status = read_members(t, &object, part, depth);
    } else if (type) {
        const step_type *known = part->types;
        while (known->name && strcmp(known->name, type) != 0)
            known++;
        status = known->name ? known->read(t, &object, known->option)
                             : jr_error(&object, "the %s \"%s\" is not supported", part->name, type);
    }
    mem_free(type);
    jr_close(&object);
    return status;
}

int load_part(tokenizer *t, jr *r, const part_type *part) { return read_part(t, r, part, 0); }

/* --- fields that several parts have --- */

/* {"String": s} or {"Regex": s}, into *text or *compiled. */
int load_pattern(jr *r, char **text, size_t *n, pattern *compiled)
{
    jr f, value;
    jr_text s;
    int status = -1;
    if (!jr_find(r, "pattern", &f))
        return jr_error(r, "\"pattern\" is missing");
    if (jr_find(&f, "String", &value)) {
        status = jr_string(&value, &s);
        if (!status && s.n == 0)
            status = jr_error(&value, "an empty pattern");
        *text = status ? NULL : mem_strndup(s.p, s.n);
        *n = status ? 0 : s.n;
        status = *text ? 0 : -1;
        jr_close(&value);
    } else if (jr_find(&f, "Regex", &value)) {
        status = jr_string(&value, &s);
        if (!status)
            status = pattern_compile(compiled, r->name, s.p, s.n);
        jr_close(&value);
    } else {
        jr_error(&f, "a pattern must be a \"String\" or a \"Regex\"");
    }
    jr_close(&f);
    return status;
}

/* A field that holds one character. */
char *load_char(jr *r, const char *key, size_t *n, uint32_t *c)
{
    char *s = load_string(r, key, n);
    if (s && (*n == 0 || (size_t)utf8_decode(s, *n, c) != *n)) {
        jr_error(r, "\"%s\" must be one character", key);
        mem_free(s);
        s = NULL;
    }
    return s;
}

/* "always", "first", "never", or by the older add_prefix_space. */
int load_prepend(jr *r, prepend_scheme *out)
{
    bool prefix;
    if (load_bool(r, "add_prefix_space", true, &prefix))
        return -1;
    *out = prefix ? PREPEND_ALWAYS : PREPEND_NEVER;
    jr f;
    jr_text s;
    if (!jr_find(r, "prepend_scheme", &f))
        return 0;
    int status = jr_string(&f, &s);
    if (!status && !jr_is(s, "always") && !jr_is(s, "first") && !jr_is(s, "never"))
        status = jr_error(&f, "an unknown prepend_scheme");
    if (!status && !prefix && !jr_is(s, "never"))
        status = jr_error(&f, "add_prefix_space and prepend_scheme contradict each other");
    if (!status)
        *out = s.p[0] == 'a' ? PREPEND_ALWAYS : s.p[0] == 'f' ? PREPEND_FIRST : PREPEND_NEVER;
    jr_close(&f);
    return status;
}
