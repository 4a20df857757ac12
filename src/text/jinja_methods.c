/* The methods of text, as Python's str has them. Those of lists, dicts and numbers are in jinja_methods2.c.
 */
#include "text/jinja_impl.h"

#include <string.h>

/* An optional argument that must be text; NULL if it is missing or None. */
static const jstr *text_or_null(jctx *c, jval v, const char *what)
{
    return j_given(v) ? j_need_str(c, v, what) : NULL;
}

static int64_t int_or(jctx *c, jval v, int64_t otherwise, const char *what)
{
    return v.kind == J_MISSING ? otherwise : j_need_int(c, v, what);
}

/* An argument of a method of safe text is escaped first. */
static const jstr *arg_text(jctx *c, jval self, jval v, const char *what)
{
    j_need_str(c, v, what);
    return self.safe ? j_escape(c, v).s : v.s;
}

#define CASE_METHOD(name, change)                            \
    static jval name(jctx *c, const jval *v, const jargs *a) \
    {                                                        \
        (void)a;                                             \
        return j_mark(change(c, v[0].s), v[0].safe);         \
    }
CASE_METHOD(m_upper, j_upper)
CASE_METHOD(m_lower, j_lower)
CASE_METHOD(m_title, j_title)
CASE_METHOD(m_capitalize, j_capitalize)
CASE_METHOD(m_swapcase, j_swapcase)
CASE_METHOD(m_casefold, j_casefold)

static jval m_strip(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    return j_strip(c, v[0], text_or_null(c, v[1], "strip()"), 3);
}
static jval m_lstrip(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    return j_strip(c, v[0], text_or_null(c, v[1], "lstrip()"), 1);
}
static jval m_rstrip(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    return j_strip(c, v[0], text_or_null(c, v[1], "rstrip()"), 2);
}

/* --- splitting --- */

static void push_sub(jctx *c, jval list, jval s, size_t from, size_t to)
{
    j_push(c, list, j_sub(c, s, from, to));
}

static void split_space(jctx *c, jval s, int64_t max, jval out)
{
    size_t i = 0, from, end = s.s->len;
    for (;;) {
        for (from = i; i < end && j_is_space(j_char(s.s, &i)); from = i)
            ;
        i = from;
        if (i >= end)
            return;
        if (max-- == 0) {
            push_sub(c, out, s, from, end);
            return;
        }
        size_t to = i;
        for (; i < end && !j_is_space(j_char(s.s, &i)); to = i)
            ;
        push_sub(c, out, s, from, to);
    }
}

static void split_on(jctx *c, jval s, const jstr *sep, int64_t max, jval out)
{
    size_t from = 0, k;
    while (max-- != 0 && (k = j_find(s.s, sep, from)) != SIZE_MAX) {
        push_sub(c, out, s, from, k);
        from = k + sep->len;
    }
    push_sub(c, out, s, from, s.s->len);
}

static const jstr *separator(jctx *c, jval self, jval v)
{
    if (!j_given(v))
        return NULL;
    (void)self;
    if (!j_need_str(c, v, "split()")->len)
        j_fail(c, "empty separator");
    return v.s;
}

static jval m_split(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    const jstr *sep = separator(c, v[0], v[1]);
    int64_t max = int_or(c, v[2], -1, "split()");
    jval out = j_list(c, J_LIST, 0);
    j_charge(c, v[0].s->len / 16);
    if (sep)
        split_on(c, v[0], sep, max, out);
    else
        split_space(c, v[0], max, out);
    return out;
}

static void reverse(jlist *l)
{
    for (size_t i = 0; i < l->n / 2; i++) {
        jval t = l->v[i];
        l->v[i] = l->v[l->n - 1 - i];
        l->v[l->n - 1 - i] = t;
    }
}

/* The byte where the character that ends at `to` starts. */
static size_t char_start(const jstr *s, size_t to)
{
    for (to--; to > 0 && ((unsigned char)s->p[to] & 0xC0) == 0x80; to--)
        ;
    return to;
}

static bool space_before(const jstr *s, size_t to)
{
    size_t i = char_start(s, to);
    return j_is_space(j_char(s, &i));
}

static void rsplit_space(jctx *c, jval s, int64_t max, jval out)
{
    size_t to = s.s->len;
    for (;;) {
        while (to && space_before(s.s, to))
            to = char_start(s.s, to);
        if (!to)
            return;
        if (max-- == 0) {
            push_sub(c, out, s, 0, to);
            return;
        }
        size_t from = to;
        while (from && !space_before(s.s, from))
            from = char_start(s.s, from);
        push_sub(c, out, s, from, to);
        to = from;
    }
}

static jval m_rsplit(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    const jstr *sep = separator(c, v[0], v[1]);
    int64_t max = int_or(c, v[2], -1, "rsplit()");
    jval out = j_list(c, J_LIST, 0);
    j_charge(c, v[0].s->len / 16);
    if (sep) {
        size_t to = v[0].s->len, k;
        while (max-- != 0 && (k = j_rfind(c, v[0].s, sep, to)) != SIZE_MAX) {
            push_sub(c, out, v[0], k + sep->len, to);
            to = k;
        }
        push_sub(c, out, v[0], 0, to);
    } else {
        rsplit_space(c, v[0], max, out);
    }
    reverse(out.list);
    return out;
}

static bool is_line_end(uint32_t ch)
{
    return (ch >= 10 && ch <= 13) || (ch >= 0x1C && ch <= 0x1E) || ch == 0x85 || ch == 0x2028 || ch == 0x2029;
}

static jval m_splitlines(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    bool keep = v[1].kind != J_MISSING && j_truth(c, v[1]);
    jval out = j_list(c, J_LIST, 0);
    const jstr *s = v[0].s;
    size_t from = 0, i = 0;
    j_charge(c, s->len / 16);
    while (i < s->len) {
        size_t to = i;
        uint32_t ch = j_char(s, &i);
        if (!is_line_end(ch))
            continue;
        if (ch == '\r' && i < s->len && s->p[i] == '\n')
            i++;
        push_sub(c, out, v[0], from, keep ? i : to);
        from = i;
    }
    if (from < s->len)
        push_sub(c, out, v[0], from, s->len);
    return out;
}

static jval parts(jctx *c, jval s, size_t at, size_t sep_len)
{
    jval t = j_list(c, J_TUPLE, 3);
    push_sub(c, t, s, 0, at);
    push_sub(c, t, s, at, at + sep_len);
    push_sub(c, t, s, at + sep_len, s.s->len);
    return t;
}

static jval m_partition(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    const jstr *sep = arg_text(c, v[0], v[1], "partition()");
    j_charge(c, v[0].s->len / 64);
    if (!sep->len)
        j_fail(c, "empty separator");
    size_t k = j_find(v[0].s, sep, 0);
    return k == SIZE_MAX ? parts(c, v[0], v[0].s->len, 0) : parts(c, v[0], k, sep->len);
}

static jval m_rpartition(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    const jstr *sep = arg_text(c, v[0], v[1], "rpartition()");
    if (!sep->len)
        j_fail(c, "empty separator");
    size_t k = j_rfind(c, v[0].s, sep, v[0].s->len);
    return k == SIZE_MAX ? parts(c, v[0], 0, 0) : parts(c, v[0], k, sep->len);
}

static jval m_join(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    jbuf b = {.c = c};
    jiter *it = j_iter(c, v[1]);
    bool more = false;
    for (jval item; (item = j_next(c, it)).kind != J_MISSING; more = true) {
        if (more)
            j_add(&b, v[0].s->p, v[0].s->len);
        const jstr *s = v[0].safe ? j_escape(c, item).s : j_need_str(c, item, "join()");
        j_add(&b, s->p, s->len);
    }
    return j_mark(j_done(&b), v[0].safe);
}

/* --- searching: the part [start, end) in characters --- */

typedef struct span {
    size_t from, to;
    size_t skipped; /* characters in front of `from` */
    bool valid;     /* false: it starts behind the end */
} span;

static int64_t clamp(int64_t i, int64_t n) { return i < 0 ? (i < -n ? 0 : i + n) : i; }

static span part(jctx *c, jval s, jval start, jval end)
{
    int64_t n = (int64_t)j_chars(c, s.s), from = j_given(start) ? clamp(j_need_int(c, start, "start"), n) : 0;
    int64_t to = j_given(end) ? clamp(j_need_int(c, end, "end"), n) : n;
    if (to > n)
        to = n;
    if (from > to)
        return (span){0};
    return (span){j_offset(c, s.s, (size_t)from), j_offset(c, s.s, (size_t)to), (size_t)from, true};
}

static int64_t find_in(jctx *c, const jval *v, bool last)
{
    const jstr *what = j_need_str(c, v[1], "find()");
    span p = part(c, v[0], v[2], v[3]);
    jstr head = {.p = v[0].s->p, .len = p.to, .ascii = v[0].s->ascii};
    j_charge(c, p.to / 16);
    if (!p.valid)
        return -1;
    size_t k = last ? j_rfind(c, &head, what, p.to) : j_find(&head, what, p.from);
    if (k == SIZE_MAX || k < p.from)
        return -1;
    head.len = k;
    return (int64_t)j_chars(c, &head);
}

static jval m_find(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    return j_int(find_in(c, v, false));
}
static jval m_rfind(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    return j_int(find_in(c, v, true));
}

static jval found(jctx *c, int64_t i)
{
    if (i < 0)
        j_fail(c, "substring not found");
    return j_int(i);
}
static jval m_index(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    return found(c, find_in(c, v, false));
}
static jval m_rindex(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    return found(c, find_in(c, v, true));
}

static jval m_count(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    const jstr *what = j_need_str(c, v[1], "count()");
    span p = part(c, v[0], v[2], v[3]);
    jstr s = {.p = v[0].s->p + p.from, .len = p.to - p.from, .ascii = v[0].s->ascii};
    int64_t n = 0;
    j_charge(c, s.len / 16);
    if (!p.valid)
        return j_int(0);
    if (!what->len)
        return j_int((int64_t)j_chars(c, &s) + 1);
    for (size_t i = 0; (i = j_find(&s, what, i)) != SIZE_MAX; i += what->len)
        n++;
    return j_int(n);
}

static bool has_affix(jctx *c, const jval *v, bool at_end)
{
    span p = part(c, v[0], v[2], v[3]);
    jval one = j_list(c, J_TUPLE, 1);
    if (v[1].kind == J_TUPLE)
        one = v[1];
    else
        j_push(c, one, v[1]);
    for (size_t i = 0; i < one.list->n; i++) {
        const jstr *s = j_need_str(c, one.list->v[i], at_end ? "endswith()" : "startswith()");
        j_charge(c, s->len / 64);
        if (p.valid && s->len <= p.to - p.from &&
            (!s->len || memcmp(v[0].s->p + (at_end ? p.to - s->len : p.from), s->p, s->len) == 0))
            return true;
    }
    return false;
}

static jval m_startswith(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    return j_bool(has_affix(c, v, false));
}
static jval m_endswith(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    return j_bool(has_affix(c, v, true));
}

static jval m_replace(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    const jstr *old = arg_text(c, v[0], v[1], "replace()"), *with = arg_text(c, v[0], v[2], "replace()");
    return j_mark(j_replace(c, v[0].s, old, with, int_or(c, v[3], -1, "replace()")), v[0].safe);
}

static jval m_removeprefix(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    const jstr *s = v[0].s, *x = j_need_str(c, v[1], "removeprefix()");
    bool has = x->len <= s->len && (!x->len || memcmp(s->p, x->p, x->len) == 0);
    return j_mark(j_sub(c, v[0], has ? x->len : 0, s->len), false);
}

static jval m_removesuffix(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    const jstr *s = v[0].s, *x = j_need_str(c, v[1], "removesuffix()");
    bool has = x->len <= s->len && (!x->len || memcmp(s->p + s->len - x->len, x->p, x->len) == 0);
    return j_mark(j_sub(c, v[0], 0, s->len - (has ? x->len : 0)), false);
}

/* --- padding --- */

static jval pad(jctx *c, jval s, int64_t left, int64_t right, const jstr *fill)
{
    jbuf b = {.c = c};
    for (int64_t i = 0; i < left; i++)
        j_add(&b, fill->p, fill->len);
    j_add(&b, s.s->p, s.s->len);
    for (int64_t i = 0; i < right; i++)
        j_add(&b, fill->p, fill->len);
    return j_mark(j_done(&b), s.safe);
}

static const jstr *fill_char(jctx *c, jval v)
{
    const jstr *s = v.kind == J_MISSING ? j_lit(c, " ").s : j_need_str(c, v, "padding");
    if (j_chars(c, s) != 1)
        j_fail(c, "the fill character must be exactly one character long");
    return s;
}

static int64_t missing_width(jctx *c, const jval *v)
{
    int64_t n = j_need_int(c, v[1], "padding"), have = (int64_t)j_chars(c, v[0].s);
    if (n > have)
        j_charge(c, (size_t)(n - have));
    return n > have ? n - have : 0;
}

static jval m_ljust(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    return pad(c, v[0], 0, missing_width(c, v), fill_char(c, v[2]));
}
static jval m_rjust(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    return pad(c, v[0], missing_width(c, v), 0, fill_char(c, v[2]));
}
static jval m_center(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    int64_t n = missing_width(c, v), left = n / 2 + (n & j_need_int(c, v[1], "center()") & 1);
    return pad(c, v[0], left, n - left, fill_char(c, v[2]));
}

static jval m_zfill(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    size_t sign = v[0].s->len && (v[0].s->p[0] == '-' || v[0].s->p[0] == '+');
    int64_t n = missing_width(c, v);
    jbuf b = {.c = c};
    j_add(&b, v[0].s->p, sign);
    for (int64_t i = 0; i < n; i++)
        j_addc(&b, '0');
    j_add(&b, v[0].s->p + sign, v[0].s->len - sign);
    return j_mark(j_done(&b), v[0].safe);
}

static jval m_expandtabs(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    int64_t size = int_or(c, v[1], 8, "expandtabs()"), column = 0;
    jbuf b = {.c = c};
    for (size_t i = 0; i < v[0].s->len;) {
        uint32_t ch = j_char(v[0].s, &i);
        if (ch == '\t') {
            int64_t n = size > 0 ? size - column % size : 0;
            column += n;
            j_charge(c, (size_t)n);
            while (n-- > 0)
                j_addc(&b, ' ');
            continue;
        }
        column = ch == '\n' || ch == '\r' ? 0 : column + 1;
        j_add_char(&b, ch);
    }
    return j_mark(j_done(&b), v[0].safe);
}

static jval m_format(jctx *c, const jval *v, const jargs *a) { return j_str_format(c, v[0], a); }

static jval m_format_map(jctx *c, const jval *v, const jargs *a)
{
    if (a->n != 1 || a->n_kw || a->v[0].kind != J_DICT)
        j_fail(c, "format_map() needs one dict");
    const jdict *d = a->v[0].dict;
    jargs named = {.kw = j_alloc(c, d->n, sizeof(jkeyword)), .n_kw = 0};
    for (size_t i = 0; i < d->n; i++)
        if (d->v[i].key.kind == J_STR)
            named.kw[named.n_kw++] = (jkeyword){d->v[i].key.s, d->v[i].value};
    return j_str_format(c, v[0], &named);
}

#define IS_METHOD(name)                                          \
    static jval m_##name(jctx *c, const jval *v, const jargs *a) \
    {                                                            \
        (void)a;                                                 \
        return j_bool(j_str_is(c, #name, v[0].s));               \
    }
IS_METHOD(isalpha)
IS_METHOD(isalnum)
IS_METHOD(isdigit)
IS_METHOD(isdecimal)
IS_METHOD(isnumeric)
IS_METHOD(isspace)
IS_METHOD(isprintable)
IS_METHOD(isascii)
IS_METHOD(isupper)
IS_METHOD(islower)
IS_METHOD(istitle)
IS_METHOD(isidentifier)

const jrow j_str_methods[] = {
    {"upper", "", m_upper},
    {"lower", "", m_lower},
    {"title", "", m_title},
    {"capitalize", "", m_capitalize},
    {"swapcase", "", m_swapcase},
    {"casefold", "", m_casefold},
    {"strip", ".chars?", m_strip},
    {"lstrip", ".chars?", m_lstrip},
    {"rstrip", ".chars?", m_rstrip},
    {"split", "sep? maxsplit?", m_split},
    {"rsplit", "sep? maxsplit?", m_rsplit},
    {"splitlines", "keepends?", m_splitlines},
    {"partition", ".sep", m_partition},
    {"rpartition", ".sep", m_rpartition},
    {"join", ".iterable", m_join},
    {"find", ".sub .start? .end?", m_find},
    {"rfind", ".sub .start? .end?", m_rfind},
    {"index", ".sub .start? .end?", m_index},
    {"rindex", ".sub .start? .end?", m_rindex},
    {"count", ".sub .start? .end?", m_count},
    {"startswith", ".prefix .start? .end?", m_startswith},
    {"endswith", ".suffix .start? .end?", m_endswith},
    {"replace", ".old .new .count?", m_replace},
    {"removeprefix", ".prefix", m_removeprefix},
    {"removesuffix", ".suffix", m_removesuffix},
    {"ljust", ".width .fillchar?", m_ljust},
    {"rjust", ".width .fillchar?", m_rjust},
    {"center", ".width .fillchar?", m_center},
    {"zfill", ".width", m_zfill},
    {"expandtabs", "tabsize?", m_expandtabs},
    {"format", "*", m_format},
    {"format_map", "*", m_format_map},
    {"isalpha", "", m_isalpha},
    {"isalnum", "", m_isalnum},
    {"isdigit", "", m_isdigit},
    {"isdecimal", "", m_isdecimal},
    {"isnumeric", "", m_isnumeric},
    {"isspace", "", m_isspace},
    {"isprintable", "", m_isprintable},
    {"isascii", "", m_isascii},
    {"isupper", "", m_isupper},
    {"islower", "", m_islower},
    {"istitle", "", m_istitle},
    {"isidentifier", "", m_isidentifier},
    {0},
};
