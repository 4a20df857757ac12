/* Writing numbers and text by a format specification: sign, prefix, digits, groups, padding.
 *
 * A specification is {fill, align, sign, width, grouping, precision, type}, Python's mini-language.
 * str.format (jinja_strformat.c) parses it from text, `%` (jinja_percent.c) translates its own to it. */
#include "text/jinja_format.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int64_t format_number(jctx *c, const jstr *s, size_t *i)
{
    int64_t n = 0;
    for (; *i < s->len && s->p[*i] >= '0' && s->p[*i] <= '9'; ++*i)
        if ((n = n * 10 + (s->p[*i] - '0')) > FORMAT_MAX_WIDTH)
            j_fail(c, "a width or precision is too large");
    return n;
}

static void group_digits(jbuf *out, const char *digits, size_t n, char mark, size_t every)
{
    for (size_t i = 0; i < n; i++) {
        if (mark && i && (n - i) % every == 0)
            j_addc(out, mark);
        j_addc(out, digits[i]);
    }
}

void format_padded(jbuf *out, const format_spec *s, const char *prefix, const char *body, size_t n,
                   size_t chars, char natural)
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
static void put_number(jbuf *out, const format_spec *s, const char *prefix, const char *digits, size_t n_int,
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
    format_padded(out, s, prefix, body.p ? body.p : "", body.n, body.n, '>');
}

void format_int(jbuf *out, const format_spec *s, int64_t v)
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
static void float_digits(jctx *c, const format_spec *s, double f, jbuf *text)
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

void format_float(jbuf *out, const format_spec *s, double f)
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

void format_str(jbuf *out, const format_spec *s, jval v)
{
    jctx *c = out->c;
    if (s->precision >= 0)
        v = j_slice(c, v, j_none(), j_int(s->precision), j_none());
    format_padded(out, s, "", v.s->p, v.s->len, j_chars(c, v.s), '<');
}

void format_char(jbuf *out, const format_spec *s, int64_t ch)
{
    jbuf b = {.c = out->c};
    if (ch < 0 || ch > 0x10FFFF || (ch >= 0xD800 && ch < 0xE000))
        j_fail(out->c, "%%c: there is no such character");
    j_add_char(&b, (uint32_t)ch);
    format_padded(out, s, "", b.p, b.n, 1, '<');
}
