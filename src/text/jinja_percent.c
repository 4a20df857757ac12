/* The `%` operator of text: printf-style formatting as Python has it.
 *
 * The arguments are a tuple, a single value, or a dict for "%(name)s". Flags, width and precision (also "*")
 * become a format specification. Arguments of safe text are escaped. */
#include "text/jinja_format.h"

#include <string.h>

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
        if (n > FORMAT_MAX_WIDTH || n < -FORMAT_MAX_WIDTH)
            j_fail(p->c, "a width or precision is too large");
        return n;
    }
    return format_number(p->c, p->s, &p->i);
}

static format_spec percent_spec(percenter *p)
{
    format_spec r = {.fill = " ", .n_fill = 1, .align = '>', .precision = -1};
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

static void percent_int(percenter *p, jbuf *out, format_spec *s, jval v)
{
    int64_t i;
    j_need_defined(p->c, v);
    if (!j_is_number(v) || (v.kind == J_FLOAT && strchr("xXo", s->type)))
        j_fail(p->c, "%%%c format: a number is required, not %s", s->type, j_type(v));
    i = v.kind == J_FLOAT ? j_float_to_int(p->c, v.f) : v.i;
    if (strchr("diu", s->type))
        s->type = 'd';
    if (s->precision < 0) {
        format_int(out, s, i);
        return;
    }
    jbuf digits = {.c = p->c}; /* the precision is the least number of digits */
    format_spec inner = {
        .fill = "0", .n_fill = 1, .align = '=', .sign = s->sign, .type = s->type, .alternate = s->alternate};
    inner.width = s->precision + (i < 0 || s->sign) + (s->alternate && s->type != 'd' ? 2 : 0);
    format_int(&digits, &inner, i);
    format_padded(out, s, "", digits.p, digits.n, digits.n, '>');
}

static void percent_value(percenter *p, jbuf *out, format_spec *s, jval v)
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
        format_str(out, s, p->safe ? j_escape(p->c, v) : v);
        return;
    case 'c':
        if (v.kind == J_STR && j_chars(p->c, v.s) == 1)
            format_str(out, s, v);
        else
            format_char(out, s, j_need_int(p->c, v, "%c"));
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
            format_float(out, s, f);
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
        format_spec s = percent_spec(&p);
        percent_value(&p, &out, &s, named ? v : next_arg(&p));
    }
    bool mapping = args.kind == J_DICT || args.kind == J_LIST || args.kind == J_UNDEF || args.kind == J_RANGE;
    if (!mapping && p.next < (args.kind == J_TUPLE ? args.list->n : 1))
        j_fail(c, "not all arguments converted during string formatting");
    return j_mark(j_done(&out), format.safe);
}
