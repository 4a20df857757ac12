/* Filters on text and numbers. Those on sequences are in jinja_filters_seq.c, those that pick items or
 * attributes (map, select, sort by attribute ...) in jinja_filters_pick.c.
 *
 * A filter turns its operand into text first, so `none|upper` is "NONE" and an undefined operand is "". */
#include "text/jinja_impl.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static bool truth_or(jctx *c, jval v, bool otherwise)
{
    return v.kind == J_MISSING ? otherwise : j_truth(c, v);
}

/* The operand as text, still marked if it was safe. */
static jval soft(jctx *c, jval v) { return v.kind == J_STR ? v : (jval){.kind = J_STR, .s = j_str(c, v)}; }

/* Calls a method of text by name with the filter's own arguments. */
static jval method(jctx *c, jval s, const char *name, const jval *args, size_t n)
{
    const jrow *row = j_find_row(j_str_methods, name, strlen(name));
    jval list = j_list(c, J_LIST, n);
    for (size_t i = 0; i < n; i++)
        j_push(c, list, args[i]);
    return j_apply(c, row, s, &(jargs){.v = list.list->v, .n = n});
}

static jval f_upper(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    return method(c, soft(c, v[0]), "upper", NULL, 0);
}
static jval f_lower(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    return method(c, soft(c, v[0]), "lower", NULL, 0);
}
static jval f_capitalize(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    return method(c, soft(c, v[0]), "capitalize", NULL, 0);
}
static jval f_trim(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    return method(c, soft(c, v[0]), "strip", v + 1, v[1].kind != J_MISSING);
}
static jval f_center(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    jval width = v[1].kind == J_MISSING ? j_int(80) : v[1];
    return method(c, soft(c, v[0]), "center", &width, 1);
}
static jval f_string(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    return soft(c, v[0]);
}

/* Words begin behind white space and - ( { [ <. */
static jval f_title(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    jval s = j_mark(soft(c, v[0]), false);
    jval out = j_lit(c, "");
    for (size_t i = 0, from; i < s.s->len;) {
        bool is_word = false;
        for (from = i; i < s.s->len;) {
            size_t next = i;
            uint32_t ch = j_char(s.s, &next);
            bool breaks = j_is_space(ch) || (ch && ch < 0x80 && strchr("-({[<", (int)ch));
            if (i == from)
                is_word = !breaks;
            else if (breaks == is_word)
                break;
            i = next;
        }
        size_t first = from;
        j_char(s.s, &first);
        out = j_concat(c, out.s, j_upper(c, j_sub(c, s, from, first).s).s);
        out = j_concat(c, out.s, j_lower(c, j_sub(c, s, first, i).s).s);
    }
    return out;
}

static jval f_wordcount(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    const jstr *s = j_str(c, v[0]);
    int64_t n = 0;
    bool in_word = false;
    j_charge(c, s->len / 8);
    for (size_t i = 0; i < s->len;) {
        uint32_t ch = j_char(s, &i);
        bool word = j_is_alnum(ch) || ch == '_';
        n += word && !in_word;
        in_word = word;
    }
    return j_int(n);
}

static jval f_replace(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    int64_t count = j_given(v[3]) ? j_need_int(c, v[3], "replace") : -1;
    return j_replace(c, j_str(c, v[0]), j_str(c, v[1]), j_str(c, v[2]), count);
}

static jval f_format(jctx *c, const jval *v, const jargs *a)
{
    if (a->n && a->n_kw)
        j_fail(c, "format: positional and keyword arguments cannot be mixed");
    jval args = a->n_kw ? j_dict(c) : j_list(c, J_TUPLE, a->n);
    for (size_t i = 0; i < a->n; i++)
        j_push(c, args, a->v[i]);
    for (size_t i = 0; i < a->n_kw; i++)
        j_put(c, args.dict, (jval){.kind = J_STR, .s = a->kw[i].name}, a->kw[i].value);
    return j_percent(c, soft(c, v[0]), args);
}

static jval indent_unit(jctx *c, jval width)
{
    if (width.kind == J_STR)
        return width;
    int64_t n = width.kind == J_MISSING ? 4 : j_need_int(c, width, "indent");
    return j_binary(c, OP_MUL, j_lit(c, " "), j_int(n));
}

static jval f_indent(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    j_need_str(c, v[0], "indent");
    bool first = truth_or(c, v[2], false), blank = truth_or(c, v[3], false);
    jval unit = indent_unit(c, v[1]), end = j_lit(c, "\n");
    const jstr *pad = v[0].safe && v[1].kind == J_STR ? v[1].s : unit.s;
    jval lines = method(c, (jval){.kind = J_STR, .s = j_concat(c, v[0].s, end.s).s}, "splitlines", NULL, 0);
    jbuf b = {.c = c};
    if (first)
        j_add(&b, pad->p, pad->len);
    for (size_t i = 0; i < lines.list->n; i++) {
        const jstr *line = lines.list->v[i].s;
        if (i)
            j_addc(&b, '\n');
        if (i && (blank || line->len))
            j_add(&b, pad->p, pad->len);
        j_add(&b, line->p, line->len);
    }
    return j_mark(j_done(&b), v[0].safe);
}

static jval f_truncate(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    int64_t length = v[1].kind == J_MISSING ? 255 : j_need_int(c, v[1], "truncate");
    int64_t leeway = j_given(v[4]) ? j_need_int(c, v[4], "truncate") : 5;
    jval end = v[3].kind == J_MISSING ? j_lit(c, "...") : v[3];
    int64_t end_n = j_length(c, end), n = j_length(c, v[0]);
    if (end_n < 0 || n < 0 || length < end_n || leeway < 0)
        j_fail(c, "truncate: the length must be at least that of the end mark, the leeway not negative");
    if (n <= length || n - length <= leeway)
        return v[0];
    jval head = j_slice(c, v[0], j_none(), j_int(length - end_n), j_none());
    if (!truth_or(c, v[2], false)) {
        jval args[] = {j_lit(c, " "), j_int(1)};
        j_need_str(c, head, "truncate");
        head = method(c, head, "rsplit", args, 2).list->v[0];
    }
    return j_binary(c, OP_ADD, head, end);
}

/* --- marking and quoting --- */

static jval f_safe(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    return j_mark(soft(c, v[0]), true);
}
static jval f_escape(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    return j_escape(c, v[0]);
}
static jval f_forceescape(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    return j_escape(c, j_mark(soft(c, v[0]), false));
}

static void quote(jbuf *b, const jstr *s, bool query)
{
    for (size_t i = 0; i < s->len; i++) {
        unsigned char ch = (unsigned char)s->p[i];
        bool plain = ch < 0x80 && (j_is_alnum(ch) || (ch && strchr("_.-~", ch)) || (ch == '/' && !query));
        if (plain)
            j_addc(b, (char)ch);
        else if (ch == ' ' && query)
            j_addc(b, '+');
        else
            j_addf(b, "%%%02X", ch);
    }
}

static jval f_urlencode(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    jbuf b = {.c = c};
    jval items =
        v[0].kind == J_DICT ? j_apply(c, j_find_row(j_dict_methods, "items", 5), v[0], &(jargs){0}) : v[0];
    jiter *it = items.kind == J_STR ? NULL : j_iter_try(c, items);
    if (!it) {
        quote(&b, j_str(c, v[0]), false);
        return j_done(&b);
    }
    bool more = false;
    for (jval item; (item = j_next(c, it)).kind != J_MISSING; more = true) {
        jval pair = j_collect(c, item, J_LIST);
        if (pair.list->n != 2)
            j_fail(c, "urlencode needs pairs, not sequences of %zu items", pair.list->n);
        if (more)
            j_addc(&b, '&');
        quote(&b, j_str(c, pair.list->v[0]), true);
        j_addc(&b, '=');
        quote(&b, j_str(c, pair.list->v[1]), true);
    }
    return j_done(&b);
}

static void xml_pair(jctx *c, jbuf *b, const jpair *m)
{
    const jstr *key = j_need_str(c, m->key, "xmlattr");
    for (size_t i = 0; i < key->len; i++)
        if (key->p[i] && strchr(" \t\n\r\f\v/>=", key->p[i]))
            j_fail(c, "xmlattr: invalid character in an attribute's name");
    jval k = j_escape(c, m->key), v = j_escape(c, m->value);
    j_add(b, k.s->p, k.s->len);
    j_adds(b, "=\"");
    j_add(b, v.s->p, v.s->len);
    j_addc(b, '"');
}

static jval f_xmlattr(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    if (v[0].kind != J_DICT)
        j_fail(c, "xmlattr needs a mapping, not '%s'", j_type(v[0]));
    jbuf b = {.c = c};
    for (size_t i = 0; i < v[0].dict->n; i++) {
        const jpair *m = &v[0].dict->v[i];
        if (m->value.kind == J_NONE || m->value.kind == J_UNDEF)
            continue;
        if (b.n || truth_or(c, v[1], true))
            j_addc(&b, ' ');
        xml_pair(c, &b, m);
    }
    return j_done(&b);
}

static void set_separators(jctx *c, jval v, jjson *how)
{
    how->item_sep = j_lit(c, how->pretty ? "," : ", ").s;
    how->key_sep = j_lit(c, ": ").s;
    if (!j_given(v))
        return;
    jval pair = j_collect(c, v, J_LIST);
    if (pair.list->n != 2)
        j_fail(c, "tojson: separators must be two strings");
    how->item_sep = j_need_str(c, pair.list->v[0], "tojson");
    how->key_sep = j_need_str(c, pair.list->v[1], "tojson");
}

static jval f_tojson(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    jjson how = {
        .ascii = truth_or(c, v[1], false), .sort = truth_or(c, v[4], false), .pretty = j_given(v[2])};
    if (how.pretty) {
        jval unit = v[2].kind == J_STR ? v[2] : indent_unit(c, v[2]);
        how.indent = unit.s->p;
        how.n_indent = unit.s->len;
    }
    set_separators(c, v[3], &how);
    jbuf b = {.c = c};
    j_json(&b, v[0], &how, 0);
    return j_done(&b);
}

/* --- numbers --- */

static jval f_abs(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    j_need_defined(c, v[0]);
    if (!j_is_number(v[0]))
        j_fail(c, "bad operand type for abs(): '%s'", j_type(v[0]));
    if (v[0].kind == J_FLOAT)
        return j_float(fabs(v[0].f));
    return j_int(v[0].i == INT64_MIN ? j_overflow(c) : v[0].i < 0 ? -v[0].i : v[0].i);
}

static jval f_int(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    jval otherwise = v[1].kind == J_MISSING ? j_int(0) : v[1];
    int64_t base = v[2].kind == J_MISSING ? 10 : j_need_int(c, v[2], "int"), i;
    double f;
    j_need_defined(c, v[0]);
    if (j_is_int(v[0]))
        return j_int(v[0].i);
    if (v[0].kind == J_STR) {
        bool has_base = base == 0 || (base >= 2 && base <= 36);
        if (has_base && j_parse_int(c, v[0].s, (int)base, &i))
            return j_int(i);
        if (!j_parse_float(v[0].s, &f))
            return otherwise;
    } else if (v[0].kind == J_FLOAT) {
        f = v[0].f;
    } else {
        return otherwise;
    }
    return isnan(f) ? otherwise : j_int(j_float_to_int(c, f));
}

static jval f_float(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    double f;
    j_need_defined(c, v[0]);
    if (j_is_number(v[0]))
        return j_float(j_as_double(v[0]));
    if (v[0].kind == J_STR && j_parse_float(v[0].s, &f))
        return j_float(f);
    return v[1].kind == J_MISSING ? j_float(0) : v[1];
}

static jval f_round(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    const char *how = "common";
    if (v[2].kind != J_MISSING) {
        const jstr *s = j_need_str(c, v[2], "round");
        static const char *const known[] = {"common", "ceil", "floor"};
        how = NULL;
        for (int i = 0; i < 3; i++)
            if (s->len == strlen(known[i]) && memcmp(s->p, known[i], s->len) == 0)
                how = known[i];
        if (!how)
            j_fail(c, "round: the method must be common, ceil or floor");
    }
    j_need_defined(c, v[0]);
    if (!j_is_number(v[0]))
        j_fail(c, "round needs a number, not '%s'", j_type(v[0]));
    if (how[1] == 'o' && v[1].kind == J_NONE) {
        jval r = j_round(c, v[0], 0);
        return j_int(r.kind == J_FLOAT ? j_float_to_int(c, r.f) : r.i);
    }
    int64_t digits = v[1].kind == J_MISSING ? 0 : j_need_int(c, v[1], "round");
    if (how[1] == 'o')
        return j_round(c, v[0], digits);
    jval unit = j_pow(c, j_int(10), j_int(digits)), scaled = j_binary(c, OP_MUL, v[0], unit);
    double f = j_as_double(scaled);
    int64_t whole = scaled.kind == J_FLOAT ? j_float_to_int(c, how[0] == 'c' ? ceil(f) : floor(f)) : scaled.i;
    return j_binary(c, OP_DIV, j_int(whole), unit);
}

static jval f_filesizeformat(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    static const char prefixes[] = "kMGTPEZY";
    bool binary = truth_or(c, v[1], false);
    double base = binary ? 1024 : 1000, unit = base, bytes;
    jbuf b = {.c = c};
    j_need_defined(c, v[0]);
    if (v[0].kind == J_STR ? !j_parse_float(v[0].s, &bytes) : !j_is_number(v[0]))
        j_fail(c, "filesizeformat needs a number");
    if (v[0].kind != J_STR)
        bytes = j_as_double(v[0]);
    if (bytes == 1)
        return j_lit(c, "1 Byte");
    if (bytes < base) {
        j_addf(&b, "%lld Bytes", (long long)j_float_to_int(c, bytes));
        return j_done(&b);
    }
    int i = 0;
    for (unit = base * base; i < 7 && !(bytes < unit); i++)
        unit *= base;
    char prefix = binary && i == 0 ? 'K' : prefixes[i];
    j_addf(&b, "%.1f %c%sB", base * bytes / unit, prefix, binary ? "i" : "");
    return j_done(&b);
}

static jval f_refused(jctx *c, const jval *v, const jargs *a)
{
    (void)v;
    (void)a;
    j_fail(c,
           "the filters random, urlize, pprint, striptags and wordwrap are not supported in chat templates");
}

const jrow j_filters_text[] = {
    {"upper", "", f_upper},
    {"lower", "", f_lower},
    {"capitalize", "", f_capitalize},
    {"title", "", f_title},
    {"trim", "chars?", f_trim},
    {"center", "width?", f_center},
    {"string", "", f_string},
    {"wordcount", "", f_wordcount},
    {"replace", "old new count?", f_replace},
    {"format", "*", f_format},
    {"indent", "width? first? blank?", f_indent},
    {"truncate", "length? killwords? end? leeway?", f_truncate},
    {"safe", "", f_safe},
    {"escape", "", f_escape},
    {"e", "", f_escape},
    {"forceescape", "", f_forceescape},
    {"urlencode", "", f_urlencode},
    {"xmlattr", "autospace?", f_xmlattr},
    {"tojson", "ensure_ascii? indent? separators? sort_keys?", f_tojson},
    {"abs", "", f_abs},
    {"int", "default? base?", f_int},
    {"float", "default?", f_float},
    {"round", "precision? method?", f_round},
    {"filesizeformat", "binary?", f_filesizeformat},
    {"random", "*", f_refused},
    {"urlize", "*", f_refused},
    {"pprint", "*", f_refused},
    {"striptags", "*", f_refused},
    {"wordwrap", "*", f_refused},
    {0},
};
