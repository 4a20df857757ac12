/* Values of the template language: making them, dicts, and reading them from JSON.
 *
 * A value is 16 bytes: a kind and a number or a pointer into the run's arena. Text, lists and dicts are
 * shared, never copied on assignment; nothing that a template can reach changes them (the sandbox refuses
 * append, update and the like), but list.pop and list.clear, which jinja2's sandbox lets through. Equality,
 * order and hashing are Python's: bool, int and float are one family of numbers, text compares by code points
 * (which for UTF-8 is byte order), lists and tuples by their items, and other pairs have no order. */
#include "text/jinja_impl.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* --- running --- */

void j_fail(jctx *c, const char *fmt, ...)
{
    char text[400];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    error_set("[template] line %d: %s", c->line, text);
    longjmp(c->fail, 1);
}

void *j_alloc(jctx *c, size_t n, size_t size)
{
    size_t used = c->mem->used, limit = c->mem->limit, left = limit - used;
    if (used > limit || (size && n > left / size))
        j_fail(c, "the template needs more than %zu bytes of memory", limit);
    void *p = arena_alloc(c->mem, n * size);
    if (!p)
        j_fail(c, "the template needs more than %zu bytes of memory", limit);
    return p;
}

void *j_grow(jctx *c, void *p, size_t n, size_t *cap, size_t size)
{
    size_t more = *cap ? *cap * 2 : 4;
    void *q = j_alloc(c, more, size);
    if (n)
        memcpy(q, p, n * size);
    *cap = more;
    return q;
}

void j_charge(jctx *c, size_t work)
{
    c->steps += work + 1;
    if (c->steps > c->max_steps)
        j_fail(c, "the template runs for too long");
}

void j_enter(jctx *c)
{
    if (++c->depth > J_MAX_DEPTH)
        j_fail(c, "nested or recursive too deeply");
}

void j_leave(jctx *c) { c->depth--; }

/* --- making --- */

jval j_undef(jctx *c, const char *fmt, ...)
{
    char text[300];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    char *p = j_alloc(c, len + 1, 1);
    memcpy(p, text, len);
    p[len] = 0;
    return (jval){.kind = J_UNDEF, .why = p};
}

jval j_bool(bool b) { return (jval){.kind = J_BOOL, .i = b}; }
jval j_int(int64_t i) { return (jval){.kind = J_INT, .i = i}; }
jval j_float(double f) { return (jval){.kind = J_FLOAT, .f = f}; }
jval j_none(void) { return (jval){.kind = J_NONE}; }
jval j_missing(void) { return (jval){.kind = J_MISSING}; }

static bool is_ascii(const char *p, size_t n)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t w;
        memcpy(&w, p + i, 8);
        if (w & 0x8080808080808080u)
            return false;
    }
    for (; i < n; i++)
        if ((unsigned char)p[i] >= 0x80)
            return false;
    return true;
}

static jval text_value(jctx *c, const char *p, size_t n, bool ascii, struct jchunk *chunk)
{
    jstr *s = j_alloc(c, 1, sizeof *s);
    *s = (jstr){p, n, ascii, chunk};
    return (jval){.kind = J_STR, .s = s};
}

jval j_borrow(jctx *c, const char *p, size_t n) { return text_value(c, p, n, is_ascii(p, n), NULL); }

jval j_text(jctx *c, const char *p, size_t n)
{
    j_charge(c, n / 64);
    char *q = j_alloc(c, n, 1);
    if (n)
        memcpy(q, p, n);
    return j_borrow(c, q, n);
}

jval j_lit(jctx *c, const char *s) { return j_borrow(c, s, strlen(s)); }

jval j_sub(jctx *c, jval s, size_t from, size_t to)
{
    const char *p = s.s->p + from;
    size_t n = to > from ? to - from : 0;
    j_charge(c, n / 256);
    return j_mark(text_value(c, p, n, s.s->ascii || is_ascii(p, n), NULL), s.safe);
}

jval j_mark(jval s, bool safe)
{
    s.safe = safe;
    return s;
}

/* The tail of a growing text: only the text that ends at `used` may be extended in place. */
typedef struct jchunk {
    char *p;
    size_t used, cap;
} jchunk;

enum { CHUNK_FROM = 256 };

jval j_concat(jctx *c, const jstr *a, const jstr *b)
{
    size_t n = a->len + b->len;
    bool ascii = a->ascii && b->ascii;
    jchunk *k = a->chunk;
    j_charge(c, b->len / 64);
    if (k && a->p + a->len == k->p + k->used && k->cap - k->used >= b->len) {
        memcpy(k->p + k->used, b->p, b->len);
        k->used += b->len;
        return text_value(c, a->p, n, ascii, k);
    }
    j_charge(c, n / 64);
    size_t cap = n < CHUNK_FROM ? n : 2 * n;
    char *p = j_alloc(c, cap, 1);
    if (a->len)
        memcpy(p, a->p, a->len);
    if (b->len)
        memcpy(p + a->len, b->p, b->len);
    if (cap > n) {
        k = j_alloc(c, 1, sizeof *k);
        *k = (jchunk){p, n, cap};
    }
    return text_value(c, p, n, ascii, cap > n ? k : NULL);
}

jval j_list(jctx *c, jkind kind, size_t cap)
{
    jlist *l = j_alloc(c, 1, sizeof *l);
    *l = (jlist){.v = cap ? j_alloc(c, cap, sizeof(jval)) : NULL, .cap = cap};
    return (jval){.kind = (uint8_t)kind, .list = l};
}

void j_push(jctx *c, jval list, jval v)
{
    jlist *l = list.list;
    j_charge(c, 0);
    if (l->n == l->cap)
        l->v = j_grow(c, l->v, l->n, &l->cap, sizeof *l->v);
    l->v[l->n++] = v;
}

jval j_pair(jctx *c, jval a, jval b)
{
    jval t = j_list(c, J_TUPLE, 2);
    j_push(c, t, a);
    j_push(c, t, b);
    return t;
}

/* --- dicts --- */

static uint64_t mix(uint64_t h)
{
    h = (h ^ h >> 32) * 0xD6E8FEB86659FD93u;
    h = (h ^ h >> 32) * 0xD6E8FEB86659FD93u;
    return h ^ h >> 32;
}

static uint64_t hash_text(const char *p, size_t n)
{
    uint64_t h = 0x9E3779B97F4A7C15u ^ n;
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        h = mix(h ^ w);
    }
    uint64_t tail = 0;
    if (n)
        memcpy(&tail, p, n);
    return mix(h ^ tail);
}

bool j_hashable(jctx *c, jval v)
{
    if (v.kind == J_TUPLE) {
        bool all = true;
        j_enter(c);
        for (size_t i = 0; all && i < v.list->n; i++) {
            j_charge(c, 0);
            all = j_hashable(c, v.list->v[i]);
        }
        j_leave(c);
        return all;
    }
    return v.kind != J_LIST && v.kind != J_DICT && v.kind != J_VIEW;
}

static uint64_t hash_value(jctx *c, jval v)
{
    switch (v.kind) {
    case J_STR:
        j_charge(c, v.s->len / 64);
        return hash_text(v.s->p, v.s->len);
    case J_BOOL:
    case J_INT:
        return mix((uint64_t)v.i);
    case J_FLOAT: /* equal numbers have equal hashes */
        if (v.f >= -0x1p63 && v.f < 0x1p63 && v.f == floor(v.f))
            return mix((uint64_t)(int64_t)v.f);
        return hash_text((const char *)&v.f, sizeof v.f);
    case J_TUPLE: {
        uint64_t h = v.list->n;
        j_enter(c);
        for (size_t i = 0; i < v.list->n; i++)
            h = mix(h * 31 + hash_value(c, v.list->v[i]));
        j_leave(c);
        return h;
    }
    case J_NONE:
    case J_UNDEF:
        return v.kind;
    default:
        return mix((uint64_t)(uintptr_t)v.list);
    }
}

enum { INDEX_FROM = 9 };

jval j_dict(jctx *c)
{
    jdict *d = j_alloc(c, 1, sizeof *d);
    *d = (jdict){0};
    return (jval){.kind = J_DICT, .dict = d};
}

/* Position of the key, or d->n. */
static size_t find(jctx *c, const jdict *d, jval key, uint64_t hash)
{
    if (!d->index) {
        for (size_t i = 0; i < d->n; i++)
            if (d->v[i].hash == hash && j_equal(c, d->v[i].key, key))
                return i;
        return d->n;
    }
    for (size_t k = hash & (d->index_cap - 1); d->index[k]; k = (k + 1) & (d->index_cap - 1)) {
        size_t i = d->index[k] - 1;
        if (d->v[i].hash == hash && j_equal(c, d->v[i].key, key))
            return i;
    }
    return d->n;
}

static void index_add(jdict *d, size_t i)
{
    size_t k = d->v[i].hash & (d->index_cap - 1);
    while (d->index[k])
        k = (k + 1) & (d->index_cap - 1);
    d->index[k] = (uint32_t)i + 1;
}

void j_put(jctx *c, jdict *d, jval key, jval v)
{
    j_charge(c, 0);
    if (!j_hashable(c, key))
        j_fail(c, "unhashable type: '%s'", j_type(key));
    uint64_t hash = hash_value(c, key);
    size_t i = find(c, d, key, hash);
    if (i < d->n) {
        d->v[i].value = v;
        return;
    }
    if (d->n == d->cap)
        d->v = j_grow(c, d->v, d->n, &d->cap, sizeof *d->v);
    if (d->n >= UINT32_MAX / 4)
        j_fail(c, "a dict has too many members");
    d->v[d->n++] = (jpair){key, v, hash};
    if (d->n < INDEX_FROM)
        return;
    if (d->n * 2 <= d->index_cap) {
        index_add(d, d->n - 1);
        return;
    }
    d->index_cap = d->index_cap ? d->index_cap * 4 : 64;
    d->index = j_alloc(c, d->index_cap, sizeof *d->index);
    memset(d->index, 0, d->index_cap * sizeof *d->index);
    for (size_t k = 0; k < d->n; k++)
        index_add(d, k);
}

const jval *j_get(jctx *c, const jdict *d, jval key)
{
    if (!d->n || !j_hashable(c, key))
        return NULL;
    size_t i = find(c, d, key, hash_value(c, key));
    return i < d->n ? &d->v[i].value : NULL;
}

const jval *j_get_text(jctx *c, const jdict *d, const char *p, size_t n)
{
    jstr s = {.p = p, .len = n};
    return j_get(c, d, (jval){.kind = J_STR, .s = &s});
}

/* --- from JSON: text is borrowed --- */

jval j_from_json(jctx *c, const json_t *j)
{
    j_enter(c);
    jval v = j_none();
    switch (json_typeof(j)) {
    case JSON_OBJECT: {
        v = j_dict(c);
        const char *key;
        json_t *member;
        json_object_foreach((json_t *)(uintptr_t)j, key, member)
            j_put(c, v.dict, j_borrow(c, key, strlen(key)), j_from_json(c, member));
        break;
    }
    case JSON_ARRAY: {
        size_t n = json_array_size(j);
        v = j_list(c, J_LIST, n);
        for (size_t i = 0; i < n; i++)
            j_push(c, v, j_from_json(c, json_array_get(j, i)));
        break;
    }
    case JSON_STRING:
        v = j_borrow(c, json_string_value(j), json_string_length(j));
        break;
    case JSON_INTEGER:
        v = j_int(json_integer_value(j));
        break;
    case JSON_REAL:
        v = j_float(json_real_value(j));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        v = j_bool(json_is_true(j));
        break;
    case JSON_NULL:
        break;
    }
    j_leave(c);
    return v;
}
