/* Regular expressions of tokenizers. They are written for Oniguruma (Ruby's syntax) and run here by PCRE2, so
 * the text is translated first, token by token:
 *
 *  - classes with nesting and && become an expression of the same meaning for one character;
 *  - \s \w \d \h and \v get Oniguruma's sets (PCRE2's \s has U+180E, its \w lacks marks, its \v is a set);
 *  - \p{Han} means the script and not its extensions; categories get the characters that Unicode 15 and 16
 *    added, which the library's tables lack (unicode_new_members);
 *  - x{2,3}+ is a repeat of a repeat and not possessive; {,n} is {0,n}; \uXXXX is a character.
 *
 * What has no exact counterpart (back references, named groups, POSIX brackets, inline flags inside a
 * pattern, \G, \K, \R, \X) is refused. */
#include "text/tokenizer_parts.h"

#include "base/utf8.h"

#include <ctype.h>
#include <string.h>

#define MAX_GROUPS 32
#define NOT_ATOM   SIZE_MAX

/* What \s and \w contain, written inside brackets. */
#define SPACE_SET "\\t-\\r\\x{85}\\p{Z}"
#define HEX_SET   "0-9A-Fa-f"

typedef struct translator {
    const char *p, *end;
    strbuf *out;
    const char *why; /* the reason for refusing; NULL while all is well */
    int depth;
} translator;

static bool refuse(translator *t, const char *why)
{
    if (!t->why)
        t->why = why;
    return false;
}

static bool at(const translator *t, const char *s)
{
    size_t n = strlen(s);
    return (size_t)(t->end - t->p) >= n && memcmp(t->p, s, n) == 0;
}

static void put_char(strbuf *out, uint32_t c)
{
    if (c < 128 && isalnum((int)c))
        strbuf_addc(out, (char)c);
    else
        strbuf_addf(out, "\\x{%X}", (unsigned)c);
}

/* --- escapes --- */

/* What an escape stands for. */
typedef enum { ESC_CHAR, ESC_SET, ESC_ANCHOR } esc_kind;

/* Appends the set of a property, in bracket form, e.g. "\p{L}..." . */
static bool put_property(translator *t, strbuf *set, bool *negated)
{
    *negated = *t->p == 'P';
    const char *close =
        t->p + 1 < t->end && t->p[1] == '{' ? memchr(t->p, '}', (size_t)(t->end - t->p)) : NULL;
    if (!close)
        return refuse(t, "\\p needs a name in braces");
    const char *name = t->p + 2;
    if (*name == '^') {
        *negated = !*negated;
        name++;
    }
    size_t n = (size_t)(close - name);
    for (size_t i = 0; i < n; i++)
        if (!isalpha((unsigned char)name[i]) && name[i] != '_')
            return refuse(t, "a property name of unknown form");
    t->p = close + 1;
    bool category = n >= 1 && n <= 2 && strchr("CLMNPSZ", toupper((unsigned char)name[0]));
    if (category) {
        char code[3] = {(char)toupper((unsigned char)name[0]),
                        n == 2 ? (char)tolower((unsigned char)name[1]) : 0, 0};
        strbuf_addf(set, "\\p{%s}%s", code, unicode_new_members(code));
    } else {
        strbuf_addf(set, "\\p{%s%.*s}", n == 3 && memcmp(name, "Any", 3) == 0 ? "" : "sc:", (int)n, name);
    }
    return true;
}

/* Hexadecimal digits at t->p, at least `least` and at most `most`. */
static bool hex(translator *t, int least, int most, uint32_t *c)
{
    int n = 0;
    for (*c = 0; t->p < t->end && n < most && isxdigit((unsigned char)*t->p); t->p++, n++)
        *c = *c << 4 | (uint32_t)(isdigit((unsigned char)*t->p) ? *t->p - '0' : (*t->p | 32) - 'a' + 10);
    return n >= least || refuse(t, "a hexadecimal escape without its digits");
}

/* \xHH, \x{H...}, \uHHHH after the letter. */
static bool hex_escape(translator *t, bool u, uint32_t *c)
{
    bool braces = !u && t->p < t->end && *t->p == '{';
    t->p += braces;
    if (!hex(t, u ? 4 : 1, braces ? 8 : u ? 4 : 2, c))
        return false;
    if (braces && (t->p == t->end || *t->p++ != '}'))
        return refuse(t, "\\x{ without }");
    if (*c > 0x10FFFF || (*c >= 0xD800 && *c < 0xE000) || (!braces && !u && *c > 0x7F))
        return refuse(t, "an escape for something that is no character");
    return true;
}

/* Reads an escape, t->p behind the backslash. A character goes to *c, a set to `set` (bracket form). */
static bool escape(translator *t, bool in_class, esc_kind *kind, uint32_t *c, strbuf *set, bool *negated)
{
    static const char from[] = "nrtfaev", to[] = "\n\r\t\f\a\033\v";
    if (t->p == t->end)
        return refuse(t, "a backslash at the end");
    char e = *t->p;
    const char *simple = e ? strchr(from, e) : NULL;
    *kind = ESC_CHAR;
    *negated = false;
    if (simple || (in_class && e == 'b')) {
        *c = simple ? (uint32_t)to[simple - from] : '\b';
        t->p++;
        return true;
    }
    if (e == 'x' || e == 'u') {
        t->p++;
        return hex_escape(t, e == 'u', c);
    }
    if (!isalnum((unsigned char)e)) {
        t->p += utf8_decode(t->p, (size_t)(t->end - t->p), c);
        return true;
    }
    if (!in_class && strchr("AzZbB", e)) {
        *kind = ESC_ANCHOR;
        *c = (uint32_t)e;
        t->p++;
        return true;
    }
    *kind = ESC_SET;
    if (e == 'p' || e == 'P')
        return put_property(t, set, negated);
    t->p++;
    *negated = isupper((unsigned char)e);
    switch (tolower((unsigned char)e)) {
    case 's':
        strbuf_adds(set, SPACE_SET);
        return true;
    case 'd':
        strbuf_addf(set, "\\p{Nd}%s", unicode_new_members("Nd"));
        return true;
    case 'h':
        strbuf_adds(set, HEX_SET);
        return true;
    case 'w':
        strbuf_adds(set, unicode_word_set());
        return true;
    default:
        return refuse(t, "an escape that is not supported");
    }
}

/* --- classes --- */

/* One operand of && inside brackets: plain items, and expressions that do not fit among them. */
typedef struct operand {
    strbuf items, nested;
} operand;

/* Appends an expression for a character of the operand. */
static void put_operand(strbuf *out, const operand *o)
{
    if (!o->nested.len) {
        strbuf_addf(out, "[%s]", strbuf_text(&o->items));
        return;
    }
    strbuf_adds(out, "(?:");
    if (o->items.len)
        strbuf_addf(out, "[%s]|", strbuf_text(&o->items));
    strbuf_addf(out, "%s)", strbuf_text(&o->nested));
}

static void add_nested(operand *o, const strbuf *expression)
{
    if (o->nested.len)
        strbuf_addc(&o->nested, '|');
    strbuf_add(&o->nested, strbuf_text(expression), expression->len);
}

static bool class_body(translator *t, strbuf *out, strbuf *flat);

/* A class inside a class: its items join when it is a plain set. */
static bool nested_class(translator *t, operand *o)
{
    strbuf expression = {0}, flat = {0};
    bool ok = class_body(t, &expression, &flat);
    if (ok && flat.len)
        strbuf_add(&o->items, flat.data, flat.len);
    else if (ok)
        add_nested(o, &expression);
    o->items.failed |= expression.failed || flat.failed;
    strbuf_free(&expression);
    strbuf_free(&flat);
    return ok;
}

/* One character or set at t->p. Sets are added here; a character is given back in *c with *single. */
static bool class_item(translator *t, operand *o, uint32_t *c, bool *single)
{
    *single = true;
    if (*t->p != '\\') {
        t->p += utf8_decode(t->p, (size_t)(t->end - t->p), c);
        return true;
    }
    t->p++;
    strbuf set = {0};
    esc_kind kind;
    bool negated, ok = escape(t, true, &kind, c, &set, &negated);
    *single = kind == ESC_CHAR;
    if (ok && !*single && !negated) {
        strbuf_add(&o->items, strbuf_text(&set), set.len);
    } else if (ok && !*single) {
        strbuf expression = {0};
        strbuf_addf(&expression, "[^%s]", strbuf_text(&set));
        add_nested(o, &expression);
        o->items.failed |= expression.failed;
        strbuf_free(&expression);
    }
    o->items.failed |= set.failed;
    strbuf_free(&set);
    return ok;
}

/* One item or range. */
static bool class_range(translator *t, operand *o)
{
    uint32_t low, high;
    bool single;
    if (at(t, "[:"))
        return refuse(t, "POSIX brackets are not supported");
    if (*t->p == '[') {
        t->p++;
        return nested_class(t, o);
    }
    if (!class_item(t, o, &low, &single))
        return false;
    if (!single)
        return true;
    put_char(&o->items, low);
    if (t->end - t->p < 2 || *t->p != '-' || t->p[1] == ']')
        return true;
    t->p++;
    if (*t->p == '[' || at(t, "&&"))
        return refuse(t, "an unclear range in brackets");
    if (!class_item(t, o, &high, &single))
        return false;
    if (!single || high < low)
        return refuse(t, "a range in brackets with no proper end");
    strbuf_addc(&o->items, '-');
    put_char(&o->items, high);
    return true;
}

/* Appends the operands read so far as a condition on the next character; the last one consumes it. */
static void intersect(strbuf *so_far, operand *o)
{
    strbuf_adds(so_far, "(?=");
    put_operand(so_far, o);
    strbuf_addc(so_far, ')');
    so_far->failed |= o->items.failed || o->nested.failed;
    strbuf_free(&o->items);
    strbuf_free(&o->nested);
}

/* Appends the finished class to out. A plain set that is not negated goes to flat when there is one. */
static void put_class(strbuf *out, strbuf *flat, bool negated, const strbuf *conditions, const operand *o)
{
    if (!conditions->len && !o->nested.len && (!negated || !flat)) {
        if (flat)
            strbuf_add(flat, strbuf_text(&o->items), o->items.len);
        else
            strbuf_addf(out, negated ? "[^%s]" : "[%s]", strbuf_text(&o->items));
        return;
    }
    strbuf_adds(out, negated ? "(?:(?!" : "(?:");
    strbuf_add(out, strbuf_text(conditions), conditions->len);
    put_operand(out, o);
    strbuf_adds(out, negated ? ")(?s:.))" : ")");
}

/* A class, t->p behind its '['. Appends an expression for one character to out, or, for a plain set, its
 * items to flat (NULL: always to out). */
static bool class_body(translator *t, strbuf *out, strbuf *flat)
{
    operand o = {0};
    strbuf conditions = {0};
    bool negated = t->p < t->end && *t->p == '^', ok = true;
    if (++t->depth > MAX_GROUPS)
        return refuse(t, "nested too deeply");
    t->p += negated;
    if (t->p < t->end && *t->p == ']')
        ok = refuse(t, "empty brackets");
    while (ok && t->p < t->end && *t->p != ']') {
        if (at(t, "&&")) {
            t->p += 2;
            ok = o.items.len || o.nested.len ? true : refuse(t, "&& with nothing before it");
            intersect(&conditions, &o);
            o = (operand){0};
        } else {
            ok = class_range(t, &o);
        }
    }
    ok = ok && (t->p < t->end || refuse(t, "brackets that are not closed"));
    ok = ok && (o.items.len || o.nested.len || refuse(t, "&& with nothing behind it"));
    if (ok) {
        t->p++;
        put_class(out, flat, negated, &conditions, &o);
    }
    out->failed |= o.items.failed || o.nested.failed || conditions.failed;
    strbuf_free(&o.items);
    strbuf_free(&o.nested);
    strbuf_free(&conditions);
    t->depth--;
    return ok;
}

/* --- the rest of the syntax --- */

static bool alternatives(translator *t);

/* \b and \B by the word set. */
static void put_boundary(strbuf *out, bool is)
{
    const char *w = unicode_word_set();
    strbuf_addf(out,
                is ? "(?:(?<=[%s])(?![%s])|(?<![%s])(?=[%s]))" : "(?:(?<=[%s])(?=[%s])|(?<![%s])(?![%s]))", w,
                w, w, w);
}

static bool outer_escape(translator *t)
{
    strbuf set = {0};
    esc_kind kind;
    uint32_t c;
    bool negated, ok = escape(t, false, &kind, &c, &set, &negated);
    if (ok && kind == ESC_CHAR)
        put_char(t->out, c);
    else if (ok && kind == ESC_SET)
        strbuf_addf(t->out, negated ? "[^%s]" : "[%s]", strbuf_text(&set));
    else if (ok && (c == 'b' || c == 'B'))
        put_boundary(t->out, c == 'b');
    else if (ok)
        strbuf_addf(t->out, "\\%c", (char)c);
    t->out->failed |= set.failed;
    strbuf_free(&set);
    return ok;
}

/* A group, t->p behind its '('. */
static bool group(translator *t, bool first)
{
    static const char *const heads[] = {"?:", "?=", "?!", "?>", "?<=", "?<!", "?i:", "?-i:"};
    if (at(t, "?i)")) {
        t->p += 3;
        strbuf_adds(t->out, "(?i)");
        return first || refuse(t, "(?i) inside a pattern is not supported; write (?i:...)");
    }
    strbuf_addc(t->out, '(');
    if (t->p < t->end && *t->p == '?') {
        const char *head = NULL;
        for (size_t i = 0; i < sizeof heads / sizeof *heads && !head; i++)
            head = at(t, heads[i]) ? heads[i] : NULL;
        if (!head)
            return refuse(t, "a group of this kind is not supported");
        strbuf_adds(t->out, head);
        t->p += strlen(head);
    } else {
        strbuf_adds(t->out, "?:");
    }
    if (++t->depth > MAX_GROUPS)
        return refuse(t, "nested too deeply");
    if (!alternatives(t))
        return false;
    t->depth--;
    if (t->p == t->end)
        return refuse(t, "a group that is not closed");
    t->p++;
    strbuf_addc(t->out, ')');
    return true;
}

/* A number at t->p of at most four digits, or -1. */
static int count(translator *t)
{
    int n = -1;
    for (int i = 0; i < 4 && t->p < t->end && isdigit((unsigned char)*t->p); i++)
        n = (n < 0 ? 0 : n) * 10 + (*t->p++ - '0');
    return n;
}

/* Puts "(?:" before the atom that begins at `start` of the output, and ")" after it. */
static void wrap(strbuf *out, size_t start)
{
    strbuf_adds(out, "(?:");
    if (out->failed)
        return;
    memmove(out->data + start + 3, out->data + start, out->len - start - 3);
    memcpy(out->data + start, "(?:", 3);
    strbuf_addc(out, ')');
}

/* {n}, {n,}, {n,m}, {,m} at t->p. *literal when it is none of these. */
static bool interval(translator *t, size_t atom, bool *literal)
{
    const char *start = t->p++;
    int low = count(t), high = low;
    bool comma = t->p < t->end && *t->p == ',';
    if (comma) {
        t->p++;
        high = count(t);
    }
    *literal = t->p == t->end || *t->p != '}' || (low < 0 && high < 0);
    if (*literal) {
        t->p = start + 1;
        strbuf_adds(t->out, "\\{");
        return true;
    }
    t->p++;
    if (atom == NOT_ATOM)
        return refuse(t, "a repeat of nothing");
    strbuf_addf(t->out, "{%d", low < 0 ? 0 : low);
    if (comma)
        strbuf_addc(t->out, ',');
    if (comma && high >= 0)
        strbuf_addf(t->out, "%d", high);
    strbuf_addc(t->out, '}');
    if (t->p < t->end && *t->p == '?') {
        if (!comma)
            return refuse(t, "{n}? is not supported");
        t->p++;
        strbuf_addc(t->out, '?');
    } else if (t->p < t->end && *t->p == '+') {
        wrap(t->out, atom);
    }
    return true;
}

/* One atom or quantifier. *atom is where the last atom begins in the output. */
static bool element(translator *t, size_t *atom, bool first)
{
    size_t start = t->out->len;
    char c = *t->p;
    if (c == '*' || c == '+' || c == '?') {
        t->p++;
        strbuf_addc(t->out, c);
        if (*atom == NOT_ATOM)
            return refuse(t, "a repeat of nothing");
        if (t->p < t->end && (*t->p == '?' || *t->p == '+'))
            strbuf_addc(t->out, *t->p++);
        return true;
    }
    bool literal = true;
    if (c == '{') {
        bool ok = interval(t, *atom, &literal);
        *atom = literal ? start : *atom;
        return ok;
    }
    *atom = start;
    if (strchr(".^$", c)) {
        t->p++;
        strbuf_addc(t->out, c);
        return true;
    }
    if (strchr("([\\", c)) {
        t->p++;
        return c == '(' ? group(t, first) : c == '[' ? class_body(t, t->out, NULL) : outer_escape(t);
    }
    uint32_t code;
    t->p += utf8_decode(t->p, (size_t)(t->end - t->p), &code);
    put_char(t->out, code);
    return true;
}

/* Everything up to the end or a ')' that is not ours. */
static bool alternatives(translator *t)
{
    size_t atom = NOT_ATOM;
    bool first = t->depth == 0;
    while (t->p < t->end && *t->p != ')') {
        if (!*t->p)
            return refuse(t, "a NUL");
        if (*t->p == '|') {
            t->p++;
            strbuf_addc(t->out, '|');
            atom = NOT_ATOM;
        } else if (!element(t, &atom, first)) {
            return false;
        }
        first = false;
    }
    return true;
}

bool pattern_translate(const char *text, size_t n, strbuf *out, const char **why)
{
    translator t = {.p = text, .end = text + n, .out = out};
    bool ok = alternatives(&t) && (t.p == t.end || refuse(&t, "a ')' too many"));
    *why = t.why;
    return ok;
}
