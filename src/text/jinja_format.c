/* Formatting of values into text: the `%` operator and str.format, with Python's format specifications.
 *
 * Both end in one place, `field`: sign, prefix, digits and padding of a spec {fill, align, sign, width,
 * grouping, precision, type}. `%` specs are translated to it. Arguments of safe text are escaped. */
#include "text/jinja_impl.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct spec {
    char fill[4];
    size_t n_fill;
    char align; /* '<', '>', '^', '=', or 0 */
    char sign;  /* '+', ' ', or 0 */
    bool alternate;
    int64_t width, precision; /* precision -1: none */
    char grouping;            /* ',', '_', or 0 */
    char type;
} spec;

enum { MAX_WIDTH = 1 << 20 };

/* --- digits --- */

static void group_digits(jbuf *out, const char *digits, size_t n, char mark, size_t every)
{
    for (size_t i = 0; i < n; i++) {
        if (mark && i && (n - i) % every == 0)
            j_addc(out, mark);
        j_addc(out, digits[i]);
    }
}

/* Writes prefix and body, padded to the width. `sign_len` bytes of prefix stay in front of '=' padding. */
static void put_padded(jbuf *out, const spec *s, const char *prefix, const char *body, size_t n, size_t chars,
                       char natural)
{
    size_t have = strlen(prefix) + chars;
    size_t pad = s->width > (int64_t)have ? (size_t)s->width - have : 0;
    char align = s->align ? s->align : natural;
    size_t left = align == '<' || align == '=' ? 0 : align == '^' ? pad / 2 : pad, right = pad - left;
    if (align == '=') {
        j_adds(out, prefix);
        prefix = "";
        left = pad;
        right = 0;
    }
    for (size_t i = 0; i < left; i++)
        j_add(out, s->fill, s->n_fill);
    j_adds(out, prefix);
    j_add(out, body, n);
    for (size_t i = 0; i < right; i++)
        j_add(out, s->fill, s->n_fill);
}

/* Zero padding of grouped digits puts the marks among the zeros as well. */
static void put_number(jbuf *out, const spec *s, const char *prefix, const char *digits, size_t n_int,
                       size_t n)
{
    jctx *c = out->c;
    jbuf zeros = {.c = c}, body = {.c = c};
    size_t every = s->grouping == '_' && strchr("xXob", s->type ? s->type : 'd') ? 4 : 3;
    bool zero_fill = s->align == '=' && s->n_fill == 1 && s->fill[0] == '0';
    if (s->grouping && zero_fill) {
        size_t fixed = strlen(prefix) + (n - n_int), total = n_int;
        while ((int64_t)(fixed + total + (total - 1) / every) < s->width)
            total++;
        for (size_t i = n_int; i < total; i++)
            j_addc(&zeros, '0');
    }
    j_add(&zeros, digits, n_int);
    group_digits(&body, zeros.p ? zeros.p : "", zeros.n, s->grouping, every);
    j_add(&body, digits + n_int, n - n_int);
    put_padded(out, s, prefix, body.p ? body.p : "", body.n, body.n, '>');
}

static void put_int(jbuf *out, const spec *s, int64_t v)
{
    char digits[72], prefix[4] = "";
    size_t n = 0, k = 0;
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    unsigned base = s->type == 'x' || s->type == 'X' ? 16 : s->type == 'o' ? 8 : s->type == 'b' ? 2 : 10;
    const char *set = s->type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    do
        digits[sizeof digits - ++n] = set[u % base];
    while (u /= base);
    if (v < 0 || s->sign)
        prefix[k++] = v < 0 ? '-' : s->sign;
    if (s->alternate && base != 10) {
        prefix[k++] = '0';
        prefix[k++] = s->type;
    }
    put_number(out, s, prefix, digits + sizeof digits - n, n, n);
}

/* Without a type, but with a precision: like 'g', but with a digit behind the point, and an exponent one
 * power of ten earlier. */
static void general_digits(jctx *c, double f, int precision, jbuf *text)
{
    size_t room = (size_t)precision + 32;
    char *p = j_alloc(c, room, 1);
    precision = precision ? precision : 1;
    snprintf(p, room, "%.*e", precision - 1, f);
    char *e = strchr(p, 'e');
    int exponent = atoi(e + 1);
    if (exponent >= -4 && exponent < precision - 1) {
        snprintf(p, room, "%.*g", precision, f);
        j_adds(text, p);
        if (!strchr(p, '.'))
            j_adds(text, ".0");
        return;
    }
    char *end = e;
    while (strpbrk(p, ".,") && strpbrk(p, ".,") < e && end[-1] == '0')
        end--;
    if (end[-1] == '.' || end[-1] == ',')
        end--;
    j_add(text, p, (size_t)(end - p));
    j_adds(text, e);
}

/* Digits without sign for 'e', 'f', 'g', '%' or none; returns them in `text`. */
static void float_digits(jctx *c, const spec *s, double f, jbuf *text)
{
    char type = s->type ? s->type : 'r', format[16];
    int precision = s->precision < 0 ? 6 : (int)s->precision;
    if (type == 'r' && s->precision < 0) {
        j_repr_float(text, f);
        return;
    }
    if (type == 'r') {
        general_digits(c, f, precision, text);
        return;
    }
    if (type == '%')
        f *= 100;
    char conversion = type == '%' ? 'f' : type == 'n' ? 'g' : type;
    snprintf(format, sizeof format, "%%%s.*%c", s->alternate ? "#" : "", conversion);
    size_t room = (size_t)precision + 400;
    char *p = j_alloc(c, room, 1);
    snprintf(p, room, format, precision, f);
    for (char *q = p; *q; q++)
        if (*q == ',')
            *q = '.';
    j_adds(text, p);
    if (type == '%')
        j_addc(text, '%');
}

static void put_float(jbuf *out, const spec *s, double f)
{
    jbuf text = {.c = out->c};
    char prefix[2] = "";
    if (signbit(f) && !isnan(f))
        prefix[0] = '-';
    else if (s->sign)
        prefix[0] = s->sign;
    if (isfinite(f)) {
        float_digits(out->c, s, fabs(f), &text);
    } else {
        bool upper = s->type && strchr("EFG", s->type);
        j_adds(&text, isnan(f) ? (upper ? "NAN" : "nan") : upper ? "INF" : "inf");
        if (s->type == '%')
            j_addc(&text, '%');
    }
    size_t n_int = 0;
    while (n_int < text.n && text.p[n_int] >= '0' && text.p[n_int] <= '9')
        n_int++;
    put_number(out, s, prefix, text.p, isfinite(f) ? n_int : text.n, text.n);
}

static void put_text(jbuf *out, const spec *s, jval v)
{
    jctx *c = out->c;
    if (s->precision >= 0)
        v = j_slice(c, v, j_none(), j_int(s->precision), j_none());
    put_padded(out, s, "", v.s->p, v.s->len, j_chars(c, v.s), '<');
}

static void put_char(jbuf *out, const spec *s, int64_t ch)
{
    jbuf b = {.c = out->c};
    if (ch < 0 || ch > 0x10FFFF || (ch >= 0xD800 && ch < 0xE000))
        j_fail(out->c, "%%c: there is no such character");
    j_add_char(&b, (uint32_t)ch);
    put_padded(out, s, "", b.p, b.n, 1, '<');
}

/* --- str.format --- */

static bool is_align(char ch) { return ch == '<' || ch == '>' || ch == '^' || ch == '='; }

static int64_t read_number(jctx *c, const jstr *s, size_t *i)
{
    int64_t n = 0;
    for (; *i < s->len && s->p[*i] >= '0' && s->p[*i] <= '9'; ++*i)
        if ((n = n * 10 + (s->p[*i] - '0')) > MAX_WIDTH)
            j_fail(c, "a width or precision is too large");
    return n;
}

static spec parse_spec(jctx *c, const jstr *s)
{
    spec r = {.fill = " ", .n_fill = 1, .precision = -1};
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
    r.width = read_number(c, s, &i);
    if (i < s->len && (s->p[i] == ',' || s->p[i] == '_'))
        r.grouping = s->p[i++];
    if (i < s->len && s->p[i] == '.') {
        i++;
        if (i >= s->len || s->p[i] < '0' || s->p[i] > '9')
            j_fail(c, "a format specification misses its precision");
        r.precision = read_number(c, s, &i);
    }
    if (i < s->len)
        r.type = s->p[i++];
    if (i < s->len)
        j_fail(c, "invalid format specification \"%.*s\"", s->len > 60 ? 60 : (int)s->len, s->p);
    return r;
}

_Noreturn static void bad_type(jctx *c, const spec *s, jval v)
{
    j_fail(c, "the format code '%c' does not go with a value of type '%s'", s->type ? s->type : '=',
           j_type(v));
}

/* format(v, spec) */
static void field(jbuf *out, jval v, const jstr *how)
{
    jctx *c = out->c;
    spec s = parse_spec(c, how);
    if (v.kind == J_STR || v.kind == J_UNDEF) {
        if ((s.type && s.type != 's') || s.align == '=' || s.sign || s.grouping || s.alternate) {
            if (!(s.align == '=' && s.fill[0] == '0' && s.n_fill == 1 && (!s.type || s.type == 's')) ||
                s.sign || s.grouping || s.alternate)
                bad_type(c, &s, v);
            s.align = '<';
        }
        if (v.kind == J_UNDEF && how->len)
            bad_type(c, &s, v);
        put_text(out, &s, (jval){.kind = J_STR, .s = j_str(c, v)});
    } else if (j_is_int(v) && v.kind == J_BOOL && !how->len) {
        j_adds(out, v.i ? "True" : "False");
    } else if (j_is_int(v) && s.type == 'c') {
        put_char(out, &s, v.i);
    } else if (j_is_int(v) && (!s.type || strchr("dxXobn", s.type))) {
        if (s.precision >= 0)
            j_fail(c, "precision is not allowed in an integer format specification");
        put_int(out, &s, v.i);
    } else if (j_is_number(v) && (!s.type || strchr("eEfFgGn%", s.type))) {
        put_float(out, &s, j_as_double(v));
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
        if (item && j_str_is("isdecimal", key.s) && j_parse_int(f->c, key.s, 10, &index))
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

/* --- the % operator --- */

typedef struct percenter {
    jctx *c;
    const jstr *s;
    size_t i;
    jval args;   /* a tuple or a single value */
    size_t next; /* how many of them are used */
    bool safe;
} percenter;

static jval next_arg(percenter *p)
{
    if (p->args.kind == J_TUPLE) {
        if (p->next >= p->args.list->n)
            j_fail(p->c, "not enough arguments for format string");
        return p->args.list->v[p->next++];
    }
    if (p->next++)
        j_fail(p->c, "not enough arguments for format string");
    return p->args;
}

/* "(name)" in front of the flags: the value it names. */
static bool named_arg(percenter *p, jval *v)
{
    if (p->i >= p->s->len || p->s->p[p->i] != '(')
        return false;
    size_t from = ++p->i, level = 1;
    for (; p->i < p->s->len; p->i++) {
        level += p->s->p[p->i] == '(';
        level -= p->s->p[p->i] == ')';
        if (!level)
            break;
    }
    if (level)
        j_fail(p->c, "incomplete format key");
    if (p->args.kind != J_DICT)
        j_fail(p->c, "format requires a mapping");
    const jval *m = j_get_text(p->c, p->args.dict, p->s->p + from, p->i - from);
    if (!m)
        j_fail(p->c, "the format key '%.*s' is not there", (int)(p->i - from > 100 ? 100 : p->i - from),
               p->s->p + from);
    p->i++;
    *v = *m;
    return true;
}

/* A number or '*'. */
static int64_t count(percenter *p)
{
    if (p->i < p->s->len && p->s->p[p->i] == '*') {
        p->i++;
        int64_t n = j_need_int(p->c, next_arg(p), "* in a format");
        if (n > MAX_WIDTH || n < -MAX_WIDTH)
            j_fail(p->c, "a width or precision is too large");
        return n;
    }
    return read_number(p->c, p->s, &p->i);
}

static spec percent_spec(percenter *p)
{
    spec r = {.fill = " ", .n_fill = 1, .align = '>', .precision = -1};
    bool zero = false, left = false;
    for (; p->i < p->s->len && p->s->p[p->i] && strchr("-+ #0", p->s->p[p->i]); p->i++) {
        char ch = p->s->p[p->i];
        left |= ch == '-';
        zero |= ch == '0';
        r.alternate |= ch == '#';
        if (ch == '+' || (ch == ' ' && !r.sign))
            r.sign = ch;
    }
    r.width = count(p);
    if (r.width < 0) {
        left = true;
        r.width = -r.width;
    }
    if (p->i < p->s->len && p->s->p[p->i] == '.') {
        p->i++;
        r.precision = count(p);
        r.precision = r.precision < 0 ? 0 : r.precision;
    }
    while (p->i < p->s->len && p->s->p[p->i] && strchr("hlL", p->s->p[p->i]))
        p->i++;
    if (p->i >= p->s->len)
        j_fail(p->c, "incomplete format");
    r.type = p->s->p[p->i++];
    if (left)
        r.align = '<';
    else if (zero && strchr("diuxXoeEfFgG", r.type)) {
        r.align = '=';
        r.fill[0] = '0';
    }
    return r;
}

static void percent_int(percenter *p, jbuf *out, spec *s, jval v)
{
    int64_t i;
    j_need_defined(p->c, v);
    if (!j_is_number(v) || (v.kind == J_FLOAT && strchr("xXo", s->type)))
        j_fail(p->c, "%%%c format: a number is required, not %s", s->type, j_type(v));
    i = v.kind == J_FLOAT ? j_float_to_int(p->c, v.f) : v.i;
    if (strchr("diu", s->type))
        s->type = 'd';
    if (s->precision < 0) {
        put_int(out, s, i);
        return;
    }
    jbuf digits = {.c = p->c}; /* the precision is the least number of digits */
    spec inner = {
        .fill = "0", .n_fill = 1, .align = '=', .sign = s->sign, .type = s->type, .alternate = s->alternate};
    inner.width = s->precision + (i < 0 || s->sign) + (s->alternate && s->type != 'd' ? 2 : 0);
    put_int(&digits, &inner, i);
    put_padded(out, s, "", digits.p, digits.n, digits.n, '>');
}

static void percent_value(percenter *p, jbuf *out, spec *s, jval v)
{
    jbuf b = {.c = p->c};
    switch (s->type) {
    case 's':
    case 'r':
    case 'a':
        if (s->type == 's')
            v = (jval){.kind = J_STR, .safe = v.kind == J_STR && v.safe, .s = j_str(p->c, v)};
        else
            j_repr(&b, v), v = j_done(&b);
        put_text(out, s, p->safe ? j_escape(p->c, v) : v);
        return;
    case 'c':
        if (v.kind == J_STR && j_chars(p->c, v.s) == 1)
            put_text(out, s, v);
        else
            put_char(out, s, j_need_int(p->c, v, "%c"));
        return;
    default:
        if (s->type && strchr("diuxXo", s->type)) {
            percent_int(p, out, s, v);
        } else if (s->type && strchr("eEfFgG", s->type)) {
            double f;
            j_need_defined(p->c, v);
            if (!j_is_number(v))
                j_fail(p->c, "must be real number, not %s", j_type(v));
            f = j_as_double(v);
            put_float(out, s, f);
        } else {
            j_fail(p->c, "unsupported format character '%c'", s->type);
        }
    }
}

jval j_percent(jctx *c, jval format, jval args)
{
    percenter p = {.c = c, .s = format.s, .args = args, .safe = format.safe};
    jbuf out = {.c = c};
    while (p.i < p.s->len) {
        char ch = p.s->p[p.i++];
        if (ch != '%') {
            j_addc(&out, ch);
            continue;
        }
        if (p.i < p.s->len && p.s->p[p.i] == '%') {
            j_addc(&out, '%');
            p.i++;
            continue;
        }
        jval v;
        bool named = named_arg(&p, &v);
        spec s = percent_spec(&p);
        percent_value(&p, &out, &s, named ? v : next_arg(&p));
    }
    bool mapping = args.kind == J_DICT || args.kind == J_LIST || args.kind == J_UNDEF || args.kind == J_RANGE;
    if (!mapping && p.next < (args.kind == J_TUPLE ? args.list->n : 1))
        j_fail(c, "not all arguments converted during string formatting");
    return j_mark(j_done(&out), format.safe);
}
