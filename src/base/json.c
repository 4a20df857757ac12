/* The JSON pull reader. One pointer moves over the text; containers need no stack, for the caller's own
 * nesting says which bracket must come: a flag tells whether a comma is due, a counter bounds the depth.
 *
 * Strings are by far the most frequent value, so they are scanned once in one loop: plain bytes pass,
 * two-byte characters (frequent in byte-level vocabularies) are checked in place, and only longer characters
 * and escapes leave the loop. A string without escapes is returned where it stands in the input.
 *
 * Refused: control characters in strings, invalid UTF-8, lone surrogates, leading zeros and other numbers
 * outside the grammar, trailing commas, comments, more than JR_DEPTH levels. */
#include "base/json.h"

#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void jr_open(jr *r, const char *name, const char *data, size_t size)
{
    *r = (jr){.name = name, .base = data, .p = data, .end = data + size};
}

void jr_close(jr *r) { strbuf_free(&r->scratch); }

bool jr_is(jr_text t, const char *s) { return strlen(s) == t.n && memcmp(t.p, s, t.n) == 0; }

int jr_error(jr *r, const char *fmt, ...)
{
    if (r->failed)
        return -1;
    r->failed = true;
    char text[400];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    size_t line = 1;
    const char *start = r->base, *nl;
    while ((nl = memchr(start, '\n', (size_t)(r->p - start)))) {
        line++;
        start = nl + 1;
    }
    return error_set("%s:%zu:%zu: %s", r->name, line, (size_t)(r->p - start) + 1, text);
}

/* Moves past white space; runs of blanks (indentation) go eight at a time. */
static void blank(jr *r)
{
    const char *p = r->p, *end = r->end;
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) {
        uint64_t w;
        p++;
        while (end - p >= 8 && (memcpy(&w, p, 8), w == 0x2020202020202020ull))
            p += 8;
    }
    r->p = p;
}

jr_type jr_peek(jr *r)
{
    if (r->failed)
        return JR_BAD;
    blank(r);
    if (r->p == r->end)
        return JR_BAD;
    switch (*r->p) {
    case '{':
        return JR_OBJECT;
    case '[':
        return JR_ARRAY;
    case '"':
        return JR_STRING;
    case 't':
    case 'f':
        return JR_BOOL;
    case 'n':
        return JR_NULL;
    default:
        return *r->p == '-' || (*r->p >= '0' && *r->p <= '9') ? JR_NUMBER : JR_BAD;
    }
}

/* The next value must be of this type. */
static int expect(jr *r, jr_type type)
{
    static const char *const names[] = {"a value",  "an object",     "an array", "a string",
                                        "a number", "true or false", "null"};
    if (jr_peek(r) == type)
        return 0;
    if (r->p == r->end)
        return jr_error(r, "the text ends where %s should be", names[type]);
    return jr_error(r, "expected %s", names[type]);
}

static int enter(jr *r, jr_type type)
{
    if (expect(r, type))
        return -1;
    if (r->depth == JR_DEPTH)
        return jr_error(r, "nested deeper than %d levels", JR_DEPTH);
    r->depth++;
    r->first = true;
    r->p++;
    return 0;
}

int jr_object(jr *r) { return enter(r, JR_OBJECT); }
int jr_array(jr *r) { return enter(r, JR_ARRAY); }

/* Stands before a member: takes the comma that is due. At the closing bracket: leaves the container, false.
 */
static bool member(jr *r, char close)
{
    if (r->failed)
        return false;
    blank(r);
    if (r->p < r->end && *r->p == close) {
        r->p++;
        r->depth--;
        r->first = false;
        return false;
    }
    if (!r->first) {
        if (r->p == r->end || *r->p != ',') {
            jr_error(r, "expected ',' or '%c'", close);
            return false;
        }
        r->p++;
    }
    r->first = false;
    return true;
}

bool jr_item(jr *r) { return member(r, ']'); }

static int colon(jr *r)
{
    blank(r);
    if (r->p == r->end || *r->p != ':')
        return jr_error(r, "expected ':'");
    r->p++;
    return 0;
}

bool jr_key(jr *r, jr_text *key) { return member(r, '}') && jr_string(r, key) == 0 && colon(r) == 0; }

/* --- strings --- */

/* May this byte stand for itself in a string? */
static inline bool is_plain(unsigned char c) { return c >= 0x20 && c < 0x80 && c != '"' && c != '\\'; }

/* First byte at or after p that is a quote or backslash; NULL with an error for what may not stand in a
 * string. */
static const char *plain(jr *r, const char *p)
{
    const char *end = r->end;
    for (;;) {
        while (p < end && is_plain((unsigned char)*p))
            p++;
        if (p == end) {
            r->p = p;
            jr_error(r, "a string is not closed");
            return NULL;
        }
        unsigned char c = (unsigned char)*p;
        if (c == '"' || c == '\\')
            return p;
        if (c >= 0xC2 && c < 0xE0 && end - p > 1 && ((unsigned char)p[1] & 0xC0) == 0x80) {
            p += 2;
            continue;
        }
        uint32_t code;
        int n = utf8_decode(p, (size_t)(end - p), &code);
        if (n < 0 || c < 0x20) {
            r->p = p;
            jr_error(r, n < 0 ? "invalid UTF-8" : "a control character must be written as an escape");
            return NULL;
        }
        p += n;
    }
}

/* Four hexadecimal digits at p, or -1. */
static int32_t hex4(const jr *r, const char *p)
{
    int32_t v = 0;
    if (r->end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int d = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
        if (d < 0)
            return -1;
        v = v << 4 | d;
    }
    return v;
}

/* Decodes \uXXXX (and the second half of a surrogate pair) whose 'u' is at p. Returns what follows. */
static const char *unicode_escape(jr *r, const char *p, char out[4], size_t *n)
{
    int32_t c = hex4(r, p + 1);
    const char *next = p + 5;
    if (c >= 0xD800 && c < 0xDC00 && r->end - next >= 6 && next[0] == '\\' && next[1] == 'u') {
        int32_t low = hex4(r, next + 2);
        if (low >= 0xDC00 && low < 0xE000) {
            c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
            next += 6;
        }
    }
    if (c < 0 || (c >= 0xD800 && c < 0xE000)) {
        r->p = p;
        jr_error(r, c < 0 ? "\\u needs four hexadecimal digits" : "half of a surrogate pair");
        return NULL;
    }
    *n = (size_t)utf8_encode((uint32_t)c, out);
    return next;
}

/* Decodes the escape whose backslash is at p into n bytes of out. Returns what follows, or NULL. */
static const char *escape(jr *r, const char *p, char out[4], size_t *n)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *at = r->end - p > 1 && p[1] ? strchr(from, p[1]) : NULL;
    if (at) {
        *out = to[at - from];
        *n = 1;
        return p + 2;
    }
    if (r->end - p > 1 && p[1] == 'u')
        return unicode_escape(r, p + 1, out, n);
    r->p = p;
    jr_error(r, "an unknown escape in a string");
    return NULL;
}

/* Passes over the rest of a string from its first backslash on; `start` is its first byte. The decoded
 * string goes to the scratch if it is wanted. */
static int escaped(jr *r, const char *start, const char *p, bool wanted)
{
    strbuf *keep = &r->scratch;
    if (wanted) {
        strbuf_clear(keep);
        strbuf_add(keep, start, (size_t)(p - start));
    }
    while (*p == '\\') {
        char c[4];
        size_t n;
        const char *from = escape(r, p, c, &n);
        if (!from || !(p = plain(r, from)))
            return -1;
        if (wanted) {
            strbuf_add(keep, c, n);
            strbuf_add(keep, from, (size_t)(p - from));
        }
    }
    if (keep->failed) {
        r->failed = true;
        return -1;
    }
    r->p = p + 1;
    return 0;
}

/* A string; s is NULL when it is only to be passed over, which needs no memory. */
static int string(jr *r, jr_text *s)
{
    if (expect(r, JR_STRING))
        return -1;
    const char *start = r->p + 1, *p = plain(r, start);
    if (!p)
        return -1;
    if (*p == '\\') {
        if (escaped(r, start, p, s != NULL))
            return -1;
        if (s)
            *s = (jr_text){r->scratch.data, r->scratch.len};
        return 0;
    }
    if (s)
        *s = (jr_text){start, (size_t)(p - start)};
    r->p = p + 1;
    return 0;
}

int jr_string(jr *r, jr_text *s) { return string(r, s); }

/* Does the checked string whose first byte is at p, decoded, equal key? */
static bool spells(jr *r, const char *p, const char *key)
{
    size_t left = strlen(key);
    while (*p != '"') {
        char c[4] = {*p};
        size_t n = 1;
        p = *p == '\\' ? escape(r, p, c, &n) : p + 1;
        if (n > left || memcmp(key, c, n) != 0)
            return false;
        key += n;
        left -= n;
    }
    return left == 0;
}

/* --- other scalars --- */

static const char *digits(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

/* The end of the number at r->p by JSON's grammar; *whole when it has no fraction and no exponent. */
static const char *number_end(jr *r, bool *whole)
{
    const char *p = r->p, *end = r->end;
    p += *p == '-';
    const char *int_end = digits(p, end);
    bool ok = int_end > p && (*p != '0' || int_end == p + 1);
    p = int_end;
    *whole = true;
    if (ok && p < end && *p == '.') {
        const char *frac = p + 1;
        p = digits(frac, end);
        ok = p > frac;
        *whole = false;
    }
    if (ok && p < end && (*p == 'e' || *p == 'E')) {
        p++;
        p += p < end && (*p == '+' || *p == '-');
        const char *exp = p;
        p = digits(p, end);
        ok = p > exp;
        *whole = false;
    }
    if (!ok) {
        jr_error(r, "not a number");
        return NULL;
    }
    return p;
}

int jr_int(jr *r, int64_t lo, int64_t hi, int64_t *v)
{
    if (expect(r, JR_NUMBER))
        return -1;
    bool whole, overflow = false, negative = *r->p == '-';
    const char *end = number_end(r, &whole);
    if (!end)
        return -1;
    int64_t n = 0;
    if (whole)
        for (const char *p = r->p + negative; p < end; p++) {
            overflow |= __builtin_mul_overflow(n, 10, &n);
            overflow |= __builtin_sub_overflow(n, *p - '0', &n); /* counted downwards: reaches INT64_MIN */
        }
    overflow |= !negative && n == INT64_MIN;
    if (!negative && !overflow)
        n = -n;
    if (!whole || overflow || n < lo || n > hi)
        return jr_error(r, "expected a whole number from %lld to %lld", (long long)lo, (long long)hi);
    *v = n;
    r->p = end;
    return 0;
}

/* Takes a literal whose first byte was seen. */
static int literal(jr *r, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(r->end - r->p) < n || memcmp(r->p, word, n) != 0)
        return jr_error(r, "expected %s", word);
    r->p += n;
    return 0;
}

int jr_bool(jr *r, bool *v)
{
    if (expect(r, JR_BOOL))
        return -1;
    *v = *r->p == 't';
    return literal(r, *v ? "true" : "false");
}

bool jr_null(jr *r) { return jr_peek(r) == JR_NULL && literal(r, "null") == 0; }

/* --- whole values --- */

/* Passes over one scalar. */
static int skip_scalar(jr *r)
{
    bool b;
    switch (jr_peek(r)) {
    case JR_STRING:
        return string(r, NULL);
    case JR_BOOL:
        return jr_bool(r, &b);
    case JR_NULL:
        return literal(r, "null");
    case JR_NUMBER: {
        const char *end = number_end(r, &b);
        r->p = end ? end : r->p;
        return end ? 0 : -1;
    }
    default:
        return expect(r, JR_BAD) ? -1 : jr_error(r, "expected a value");
    }
}

static bool skip_key(jr *r) { return member(r, '}') && string(r, NULL) == 0 && colon(r) == 0; }

int jr_skip(jr *r)
{
    bool object[JR_DEPTH]; /* what each open level is */
    int top = 0;
    do {
        jr_type type = jr_peek(r);
        if (type == JR_OBJECT || type == JR_ARRAY) {
            if (enter(r, type))
                return -1;
            object[top++] = type == JR_OBJECT;
        } else if (skip_scalar(r)) {
            return -1;
        }
        while (top > 0 && !(object[top - 1] ? skip_key(r) : jr_item(r))) {
            if (r->failed)
                return -1;
            top--;
        }
    } while (top > 0);
    return 0;
}

int jr_span(jr *r, jr *sub)
{
    jr_peek(r);
    *sub = (jr){.name = r->name, .base = r->base, .p = r->p, .end = r->p, .depth = r->depth};
    if (jr_skip(r)) {
        sub->failed = true;
        return -1;
    }
    sub->end = r->p;
    return 0;
}

bool jr_find(const jr *r, const char *key, jr *sub)
{
    jr walk = *r;
    walk.scratch = (strbuf){0};
    bool found = false;
    if (jr_peek(&walk) != JR_OBJECT || jr_object(&walk))
        return false;
    while (!found && member(&walk, '}')) {
        blank(&walk);
        const char *name = walk.p + 1;
        if (string(&walk, NULL) || colon(&walk))
            return false;
        if (spells(&walk, name, key))
            found = jr_span(&walk, sub) == 0;
        else
            jr_skip(&walk);
    }
    return found;
}

int jr_finish(jr *r)
{
    if (!r->failed) {
        blank(r);
        if (r->p != r->end)
            jr_error(r, "something follows the end of the value");
    }
    jr_close(r);
    return r->failed ? -1 : 0;
}
