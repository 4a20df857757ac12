/* Values as text: str(), repr() and JSON, spelled as Python spells them.
 *
 * Floats are the shortest digits that read back as the same number, with an exponent below 1e-4 and from 1e16
 * on. repr of text prefers single quotes and escapes what cannot be printed. JSON is json.dumps. */
#include "base/utf8.h"
#include "text/jinja_impl.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- the buffer --- */

void j_add(jbuf *b, const char *p, size_t n)
{
    if (!n)
        return;
    if (b->cap - b->n < n) {
        size_t cap = b->cap * 2 > b->n + n ? b->cap * 2 : b->n + n + 32;
        char *q = j_alloc(b->c, cap, 1);
        if (b->n)
            memcpy(q, b->p, b->n);
        b->p = q;
        b->cap = cap;
    }
    j_charge(b->c, n / 64);
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

void j_adds(jbuf *b, const char *s) { j_add(b, s, strlen(s)); }
void j_addc(jbuf *b, char ch) { j_add(b, &ch, 1); }

void j_addf(jbuf *b, const char *fmt, ...)
{
    char text[400];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (n > 0)
        j_add(b, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

void j_add_char(jbuf *b, uint32_t ch)
{
    char p[4];
    j_add(b, p, (size_t)utf8_encode(ch, p));
}

jval j_done(jbuf *b) { return j_borrow(b->c, b->p ? b->p : "", b->n); }

/* --- numbers --- */

/* The digits of |f| without leading and trailing zeros, at most 17, into `digits`; returns the exponent e of
 * 0.d1d2d3... * 10^e. The decimal point of the locale is skipped. */
static int shortest_digits(double f, char digits[32])
{
    char text[64];
    for (int precision = 0; precision < 17; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, fabs(f));
        if (strtod(text, NULL) == fabs(f))
            break;
    }
    size_t n = 0;
    const char *p = text;
    for (; *p && *p != 'e'; p++)
        if (*p >= '0' && *p <= '9')
            digits[n++] = *p;
    int e = *p ? atoi(p + 1) : 0;
    while (n > 1 && digits[n - 1] == '0')
        n--;
    digits[n] = 0;
    return e + 1;
}

void j_repr_float(jbuf *b, double f)
{
    if (!isfinite(f)) {
        j_adds(b, isnan(f) ? "nan" : f < 0 ? "-inf" : "inf");
        return;
    }
    if (signbit(f))
        j_addc(b, '-');
    char d[32];
    int e = f == 0 ? 1 : shortest_digits(f, d), n;
    if (f == 0)
        memcpy(d, "0", 2);
    n = (int)strlen(d);
    if (e > 16 || e < -3) {
        j_addc(b, d[0]);
        if (n > 1)
            j_addc(b, '.');
        j_adds(b, d + 1);
        j_addf(b, "e%c%02d", e > 0 ? '+' : '-', abs(e - 1));
    } else if (e <= 0) {
        j_adds(b, "0.");
        for (int i = e; i < 0; i++)
            j_addc(b, '0');
        j_adds(b, d);
    } else {
        for (int i = 0; i < e; i++)
            j_addc(b, i < n ? d[i] : '0');
        j_addc(b, '.');
        j_adds(b, n > e ? d + e : "0");
    }
}

/* --- repr --- */

static void repr_text(jbuf *b, const jstr *s)
{
    bool single = memchr(s->p, '\'', s->len) && !memchr(s->p, '"', s->len);
    char quote = single ? '"' : '\'';
    j_addc(b, quote);
    for (size_t i = 0; i < s->len;) {
        size_t from = i;
        uint32_t ch = j_char(s, &i);
        static const char from_chars[] = "\n\r\t\\", to_chars[] = "nrt\\";
        const char *known = ch && ch < 0x80 ? strchr(from_chars, (int)ch) : NULL;
        if (known || ch == (uint32_t)quote) {
            j_addc(b, '\\');
            j_addc(b, known ? to_chars[known - from_chars] : quote);
        } else if (j_is_printable(ch)) {
            j_add(b, s->p + from, i - from);
        } else {
            j_addf(b, ch < 0x100 ? "\\x%02x" : ch < 0x10000 ? "\\u%04x" : "\\U%08x", (unsigned)ch);
        }
    }
    j_addc(b, quote);
}

static void repr_items(jbuf *b, const jval *v, size_t n, const char *open, const char *close)
{
    j_adds(b, open);
    for (size_t i = 0; i < n; i++) {
        if (i)
            j_adds(b, ", ");
        j_repr(b, v[i]);
    }
    j_adds(b, close);
}

static void repr_dict(jbuf *b, const jdict *d)
{
    j_addc(b, '{');
    for (size_t i = 0; i < d->n; i++) {
        if (i)
            j_adds(b, ", ");
        j_repr(b, d->v[i].key);
        j_adds(b, ": ");
        j_repr(b, d->v[i].value);
    }
    j_addc(b, '}');
}

static void repr_view(jbuf *b, jval v)
{
    jval items = j_collect(b->c, v, J_LIST);
    j_adds(b, v.view->what == 'k' ? "dict_keys(" : v.view->what == 'v' ? "dict_values(" : "dict_items(");
    repr_items(b, items.list->v, items.list->n, "[", "])");
}

static void repr_range(jbuf *b, const jrange *r)
{
    j_addf(b, "range(%lld, %lld", (long long)r->start, (long long)r->stop);
    if (r->step != 1)
        j_addf(b, ", %lld", (long long)r->step);
    j_addc(b, ')');
}

static void repr_object(jbuf *b, jval v)
{
    switch (v.kind) {
    case J_NAMESPACE:
        j_adds(b, "<Namespace ");
        repr_dict(b, v.dict);
        j_addc(b, '>');
        break;
    case J_MACRO:
        j_adds(b, "<Macro ");
        if (v.macro->name)
            repr_text(b, v.macro->name);
        else
            j_adds(b, "anonymous");
        j_addc(b, '>');
        break;
    case J_LOOP:
        j_addf(b, "<LoopContext %lld/%lld>", (long long)v.loop->index0 + 1,
               (long long)j_loop_length(b->c, v.loop));
        break;
    case J_ITER:
        j_addf(b, "<%s object>", v.iter->name ? v.iter->name : "iterator");
        break;
    case J_FUNC:
        j_addf(b, "<built-in function %s>", v.func->row->name);
        break;
    default:
        j_addf(b, "<%s object>", j_type(v));
    }
}

void j_repr(jbuf *b, jval v)
{
    j_enter(b->c);
    switch (v.kind) {
    case J_UNDEF:
        j_adds(b, "Undefined");
        break;
    case J_MISSING:
    case J_NONE:
        j_adds(b, "None");
        break;
    case J_BOOL:
        j_adds(b, v.i ? "True" : "False");
        break;
    case J_INT:
        j_addf(b, "%lld", (long long)v.i);
        break;
    case J_FLOAT:
        j_repr_float(b, v.f);
        break;
    case J_STR:
        j_adds(b, v.safe ? "Markup(" : "");
        repr_text(b, v.s);
        j_adds(b, v.safe ? ")" : "");
        break;
    case J_LIST:
        repr_items(b, v.list->v, v.list->n, "[", "]");
        break;
    case J_TUPLE:
        repr_items(b, v.list->v, v.list->n, "(", v.list->n == 1 ? ",)" : ")");
        break;
    case J_DICT:
        repr_dict(b, v.dict);
        break;
    case J_VIEW:
        repr_view(b, v);
        break;
    case J_RANGE:
        repr_range(b, v.range);
        break;
    default:
        repr_object(b, v);
    }
    j_leave(b->c);
}

const jstr *j_str(jctx *c, jval v)
{
    if (v.kind == J_STR)
        return v.s;
    jbuf b = {.c = c};
    if (v.kind != J_UNDEF)
        j_repr(&b, v);
    return j_done(&b).s;
}

/* --- JSON --- */

static void json_char(jbuf *b, uint32_t ch, bool ascii)
{
    static const char from[] = "\"\\\n\r\t\f\b", to[] = "\"\\nrtfb";
    const char *known = ch && ch < 0x80 ? strchr(from, (int)ch) : NULL;
    if (known) {
        j_addc(b, '\\');
        j_addc(b, to[known - from]);
    } else if (ch < 0x20 || (ascii && ch >= 0x7F && ch < 0x10000)) {
        j_addf(b, "\\u%04x", (unsigned)ch);
    } else if (ascii && ch >= 0x10000) {
        j_addf(b, "\\u%04x\\u%04x", 0xD800 + (unsigned)((ch - 0x10000) >> 10),
               0xDC00 + (unsigned)((ch - 0x10000) & 0x3FF));
    } else {
        j_add_char(b, ch);
    }
}

static void json_text(jbuf *b, const jstr *s, bool ascii)
{
    j_addc(b, '"');
    for (size_t i = 0; i < s->len;) {
        size_t from = i; /* plain characters go out in one piece */
        while (i < s->len && (unsigned char)s->p[i] >= 0x20 && (unsigned char)s->p[i] < 0x7F &&
               s->p[i] != '"' && s->p[i] != '\\')
            i++;
        j_add(b, s->p + from, i - from);
        if (i < s->len)
            json_char(b, j_char(s, &i), ascii);
    }
    j_addc(b, '"');
}

static void json_float(jbuf *b, double f)
{
    if (isfinite(f))
        j_repr_float(b, f);
    else
        j_adds(b, isnan(f) ? "NaN" : f < 0 ? "-Infinity" : "Infinity");
}

static void json_key(jbuf *b, jval key, const jjson *how)
{
    if (key.kind == J_STR) {
        json_text(b, key.s, how->ascii);
        return;
    }
    if (key.kind != J_NONE && !j_is_number(key))
        j_fail(b->c, "keys must be str, int, float, bool or None, not %s", j_type(key));
    j_addc(b, '"');
    j_json(b, key, how, 0);
    j_addc(b, '"');
}

static void newline(jbuf *b, const jjson *how, int level)
{
    if (!how->pretty)
        return;
    j_addc(b, '\n');
    for (int i = 0; i < level; i++)
        j_add(b, how->indent, how->n_indent);
}

static void json_list(jbuf *b, const jlist *l, const jjson *how, int level)
{
    if (!l->n) {
        j_adds(b, "[]");
        return;
    }
    j_addc(b, '[');
    for (size_t i = 0; i < l->n; i++) {
        if (i)
            j_add(b, how->item_sep->p, how->item_sep->len);
        newline(b, how, level + 1);
        j_json(b, l->v[i], how, level + 1);
    }
    newline(b, how, level);
    j_addc(b, ']');
}

/* A dict with the members in order of their keys. */
static const jdict *sorted_dict(jctx *c, const jdict *d)
{
    jval *keys = j_alloc(c, d->n, sizeof *keys), *order = j_alloc(c, d->n, sizeof *order);
    for (size_t i = 0; i < d->n; i++) {
        keys[i] = d->v[i].key;
        order[i] = j_int((int64_t)i);
    }
    j_sort(c, order, keys, d->n, false);
    jdict *r = j_alloc(c, 1, sizeof *r);
    *r = (jdict){.v = j_alloc(c, d->n, sizeof *r->v), .n = d->n};
    for (size_t i = 0; i < d->n; i++)
        r->v[i] = d->v[order[i].i];
    return r;
}

static void json_dict(jbuf *b, const jdict *d, const jjson *how, int level)
{
    if (!d->n) {
        j_adds(b, "{}");
        return;
    }
    if (how->sort)
        d = sorted_dict(b->c, d);
    j_addc(b, '{');
    for (size_t i = 0; i < d->n; i++) {
        if (i)
            j_add(b, how->item_sep->p, how->item_sep->len);
        newline(b, how, level + 1);
        json_key(b, d->v[i].key, how);
        j_add(b, how->key_sep->p, how->key_sep->len);
        j_json(b, d->v[i].value, how, level + 1);
    }
    newline(b, how, level);
    j_addc(b, '}');
}

void j_json(jbuf *b, jval v, const jjson *how, int level)
{
    j_enter(b->c);
    switch (v.kind) {
    case J_NONE:
        j_adds(b, "null");
        break;
    case J_BOOL:
        j_adds(b, v.i ? "true" : "false");
        break;
    case J_INT:
        j_addf(b, "%lld", (long long)v.i);
        break;
    case J_FLOAT:
        json_float(b, v.f);
        break;
    case J_STR:
        json_text(b, v.s, how->ascii);
        break;
    case J_LIST:
    case J_TUPLE:
        json_list(b, v.list, how, level);
        break;
    case J_DICT:
        json_dict(b, v.dict, how, level);
        break;
    default:
        j_fail(b->c, "Object of type %s is not JSON serializable", j_type(v));
    }
    j_leave(b->c);
}
