/* str.format: replacement fields with Python's format specifications.
 *
 * "{}" and "{0}" take positional arguments, "{name}" named ones; ".attr" and "[key]" look inside by the
 * sandbox's rules,
 * "!r" and "!s" convert, and a specification may contain fields itself. Arguments of safe text are escaped.
 */
#include "text/jinja_format.h"

#include <string.h>

static bool is_align(char ch) { return ch == '<' || ch == '>' || ch == '^' || ch == '='; }

static format_spec parse_spec(jctx *c, const jstr *s)
{
    format_spec r = {.fill = " ", .n_fill = 1, .precision = -1};
    size_t i = 0, first = 0;
    if (s->len)
        j_char(s, &first);
    if (s->len > first && is_align(s->p[first])) {
        memcpy(r.fill, s->p, first);
        r.n_fill = first;
        r.align = s->p[first];
        i = first + 1;
    } else if (s->len && is_align(s->p[0])) {
        r.align = s->p[i++];
    }
    if (i < s->len && strchr("+- ", s->p[i]) && s->p[i])
        r.sign = s->p[i] == '-' ? 0 : s->p[i], i++;
    if (i < s->len && s->p[i] == '#')
        r.alternate = true, i++;
    if (i < s->len && s->p[i] == '0') {
        if (!r.align) {
            r.align = '=';
            r.fill[0] = '0';
            r.n_fill = 1;
        }
        i++;
    }
    r.width = format_number(c, s, &i);
    if (i < s->len && (s->p[i] == ',' || s->p[i] == '_'))
        r.grouping = s->p[i++];
    if (i < s->len && s->p[i] == '.') {
        i++;
        if (i >= s->len || s->p[i] < '0' || s->p[i] > '9')
            j_fail(c, "a format specification misses its precision");
        r.precision = format_number(c, s, &i);
    }
    if (i < s->len)
        r.type = s->p[i++];
    if (i < s->len)
        j_fail(c, "invalid format specification \"%.*s\"", s->len > 60 ? 60 : (int)s->len, s->p);
    return r;
}

_Noreturn static void bad_type(jctx *c, const format_spec *s, jval v)
{
    j_fail(c, "the format code '%c' does not go with a value of type '%s'", s->type ? s->type : '=',
           j_type(v));
}

/* format(v, spec) */
static void field(jbuf *out, jval v, const jstr *how)
{
    jctx *c = out->c;
    format_spec s = parse_spec(c, how);
    if (v.kind == J_STR || v.kind == J_UNDEF) {
        if ((s.type && s.type != 's') || s.align == '=' || s.sign || s.grouping || s.alternate) {
            if (!(s.align == '=' && s.fill[0] == '0' && s.n_fill == 1 && (!s.type || s.type == 's')) ||
                s.sign || s.grouping || s.alternate)
                bad_type(c, &s, v);
            s.align = '<';
        }
        if (v.kind == J_UNDEF && how->len)
            bad_type(c, &s, v);
        format_str(out, &s, (jval){.kind = J_STR, .s = j_str(c, v)});
    } else if (j_is_int(v) && v.kind == J_BOOL && !how->len) {
        j_adds(out, v.i ? "True" : "False");
    } else if (j_is_int(v) && s.type == 'c') {
        format_char(out, &s, v.i);
    } else if (j_is_int(v) && (!s.type || strchr("dxXobn", s.type))) {
        if (s.precision >= 0)
            j_fail(c, "precision is not allowed in an integer format specification");
        format_int(out, &s, v.i);
    } else if (j_is_number(v) && (!s.type || strchr("eEfFgGn%", s.type))) {
        format_float(out, &s, j_as_double(v));
    } else if (!how->len) {
        const jstr *text = j_str(c, v);
        j_add(out, text->p, text->len);
    } else {
        bad_type(c, &s, v);
    }
}

typedef struct formatter {
    jctx *c;
    const jstr *s;
    const jargs *a;
    int64_t next; /* automatic numbering; -1: explicit */
    bool safe;
} formatter;

static jval field_start(formatter *f, const char *p, size_t n)
{
    int64_t index = -1;
    bool digits = true;
    for (size_t i = 0; i < n; i++)
        digits &= p[i] >= '0' && p[i] <= '9';
    if (n == 0) {
        if (f->next < 0)
            j_fail(f->c, "cannot switch from manual field specification to automatic field numbering");
        index = f->next++;
    } else if (digits) {
        if (f->next > 0)
            j_fail(f->c, "cannot switch from automatic field numbering to manual field specification");
        f->next = -1;
        jval s = j_borrow(f->c, p, n);
        j_parse_int(f->c, s.s, 10, &index);
    }
    if (index >= 0) {
        if ((size_t)index >= f->a->n)
            j_fail(f->c, "format(): replacement index %lld out of range", (long long)index);
        return f->a->v[index];
    }
    for (size_t i = 0; i < f->a->n_kw; i++)
        if (f->a->kw[i].name->len == n && memcmp(f->a->kw[i].name->p, p, n) == 0)
            return f->a->kw[i].value;
    j_fail(f->c, "format(): there is no argument '%.*s'", n > 100 ? 100 : (int)n, p);
}

/* name(.attr | [key])* */
static jval field_value(formatter *f, const char *p, size_t n)
{
    size_t i = 0;
    while (i < n && p[i] != '.' && p[i] != '[')
        i++;
    jval v = field_start(f, p, i);
    while (i < n) {
        bool item = p[i] == '[';
        size_t from = ++i;
        while (i < n && (item ? p[i] != ']' : p[i] != '.' && p[i] != '['))
            i++;
        if ((item && i >= n) || i == from)
            j_fail(f->c, "format(): a field name is broken");
        jval key = j_borrow(f->c, p + from, i - from);
        int64_t index;
        if (item && j_str_is(f->c, "isdecimal", key.s) && j_parse_int(f->c, key.s, 10, &index))
            key = j_int(index);
        v = item ? j_item(f->c, v, key) : j_attr(f->c, v, key.s);
        i += item;
    }
    return v;
}

static void format_text(formatter *f, jbuf *out, const jstr *s, int depth);

/* The field between braces [from, to): value, conversion, specification. */
static void format_field(formatter *f, jbuf *out, const jstr *s, size_t from, size_t to, int depth)
{
    size_t i = from, level = 0;
    for (; i < to; i++) {
        level += s->p[i] == '[';
        level -= s->p[i] == ']' && level;
        if (!level && (s->p[i] == '!' || s->p[i] == ':'))
            break;
    }
    jval v = field_value(f, s->p + from, i - from);
    if (i < to && s->p[i] == '!') {
        char how = i + 1 < to ? s->p[i + 1] : 0;
        i += 2;
        if ((how != 'r' && how != 's' && how != 'a') || (i < to && s->p[i] != ':'))
            j_fail(f->c, "format(): a conversion must be !s, !r or !a");
        jbuf b = {.c = f->c};
        if (how == 's')
            v = (jval){.kind = J_STR, .s = j_str(f->c, v)};
        else
            j_repr(&b, v), v = j_done(&b);
    }
    jbuf how = {.c = f->c};
    if (i < to)
        format_text(f, &how, j_borrow(f->c, s->p + i + 1, to - i - 1).s, depth + 1);
    const jstr *spec_text = j_done(&how).s;
    if (!f->safe) {
        field(out, v, spec_text);
        return;
    }
    jbuf plain = {.c = f->c};
    field(&plain, v, spec_text);
    jval text = j_escape(f->c, v.kind == J_STR && v.safe ? v : j_done(&plain));
    j_add(out, text.s->p, text.s->len);
}

static void format_text(formatter *f, jbuf *out, const jstr *s, int depth)
{
    if (depth > 2)
        j_fail(f->c, "format(): max string recursion exceeded");
    for (size_t i = 0; i < s->len; i++) {
        char ch = s->p[i];
        bool twice = i + 1 < s->len && s->p[i + 1] == ch;
        if ((ch == '{' || ch == '}') && twice && depth == 0) {
            j_addc(out, ch);
            i++;
        } else if (ch == '{') {
            size_t from = i + 1, level = 1;
            for (i = from; i < s->len; i++) {
                level += s->p[i] == '{';
                level -= s->p[i] == '}';
                if (!level)
                    break;
            }
            if (level)
                j_fail(f->c, "format(): expected '}' before end of string");
            format_field(f, out, s, from, i, depth);
        } else if (ch == '}') {
            j_fail(f->c, "format(): single '}' encountered in format string");
        } else {
            j_addc(out, ch);
        }
    }
}

jval j_str_format(jctx *c, jval format, const jargs *a)
{
    formatter f = {.c = c, .s = format.s, .a = a, .safe = format.safe};
    jbuf out = {.c = c};
    format_text(&f, &out, format.s, 0);
    return j_mark(j_done(&out), format.safe);
}
