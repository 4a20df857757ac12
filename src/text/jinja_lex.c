/* The lexer: template text to tokens.
 *
 * Outside of tags the text is cut at the next "{{", "{%" or "{#"; inside, it is split into names, numbers,
 * strings and operators until the closing mark, which only counts when all brackets are closed. White space
 * is settled here: '-' strips to both sides, '+' keeps, a newline after a block or comment is dropped
 * (trim_blocks), and so are blanks between the start of a line and a block or comment (lstrip_blocks).
 * Newlines become "\n" first and one at the end of the template is dropped. Comments leave no token; raw
 * blocks become text. */
#include "base/utf8.h"
#include "text/jinja_impl.h"

#include <string.h>
#include <utf8proc.h>

typedef struct lexer {
    jctx *c;
    const char *p; /* the text with newlines normalized */
    size_t n, i;
    bool line_start; /* the last match ended with a newline, or there was none */
    jtoken *tokens;
    size_t n_tokens, cap;
    char brackets[J_MAX_DEPTH];
    int n_brackets;
} lexer;

static jtoken *emit(lexer *l, jtoken_kind kind, size_t from, size_t to)
{
    if (l->n_tokens == l->cap)
        l->tokens = j_grow(l->c, l->tokens, l->n_tokens, &l->cap, sizeof *l->tokens);
    jtoken *t = &l->tokens[l->n_tokens++];
    *t = (jtoken){
        .kind = (uint8_t)kind, .line = l->c->line, .p = l->p + from, .n = to - from, .value = j_none()};
    return t;
}

/* Moves to `to`, counting lines. */
static void advance(lexer *l, size_t to)
{
    for (const char *p = l->p + l->i; (p = memchr(p, '\n', (size_t)(l->p + to - p))); p++)
        l->c->line++;
    l->line_start = to > l->i ? l->p[to - 1] == '\n' : l->line_start;
    l->i = to;
}

static bool at(const lexer *l, size_t i, const char *s)
{
    size_t n = strlen(s);
    return l->n - i >= n && memcmp(l->p + i, s, n) == 0;
}

static size_t skip_space(const lexer *l, size_t i)
{
    while (i < l->n) {
        uint32_t ch;
        int k = utf8_decode(l->p + i, l->n - i, &ch);
        if (!j_is_space(ch))
            break;
        i += (size_t)k;
    }
    return i;
}

/* The end of [from, to) without white space at its end. */
static size_t strip_end(const lexer *l, size_t from, size_t to)
{
    while (to > from) {
        size_t k = to - 1;
        while (k > from && ((unsigned char)l->p[k] & 0xC0) == 0x80)
            k--;
        uint32_t ch;
        utf8_decode(l->p + k, to - k, &ch);
        if (!j_is_space(ch))
            break;
        to = k;
    }
    return to;
}

/* Emits the text [from, to) in front of a tag. sign is the tag's '-', '+' or 0; only tags that are not prints
 * strip the blanks in front of them by themselves. */
static void emit_text(lexer *l, size_t from, size_t to, char sign, bool is_print)
{
    size_t end = to;
    if (sign == '-') {
        end = strip_end(l, from, to);
    } else if (sign != '+' && !is_print) {
        size_t line = to;
        while (line > from && l->p[line - 1] != '\n')
            line--;
        if ((line > from || l->line_start) && skip_space(l, line) >= to)
            end = line;
    }
    if (end > from)
        emit(l, T_TEXT, from, end)->value = j_borrow(l->c, l->p + from, end - from);
}

/* If a closing mark ("%}" or "#}") is at i: the position behind it and behind what it swallows, else 0. */
static size_t close_mark(const lexer *l, size_t i, const char *mark, bool plus)
{
    if (l->p[i] == '-' && at(l, i + 1, mark))
        return skip_space(l, i + 3);
    if (plus && l->p[i] == '+' && at(l, i + 1, mark))
        return i + 3;
    if (!at(l, i, mark))
        return 0;
    return i + 2 + (plus && i + 2 < l->n && l->p[i + 2] == '\n');
}

static void skip_comment(lexer *l, size_t i)
{
    for (; i < l->n; i++) {
        size_t end = close_mark(l, i, "#}", true);
        if (end) {
            advance(l, end);
            return;
        }
    }
    if (l->i < l->n) /* as jinja2: at the very end of the text it need not be closed */
        j_fail(l->c, "a comment has no end");
}

/* If i (behind "{%" and its sign) begins a raw tag: the position behind the tag, else 0. */
static size_t raw_begin(const lexer *l, size_t i)
{
    i = skip_space(l, i);
    if (!at(l, i, "raw"))
        return 0;
    i = skip_space(l, i + 3);
    if (at(l, i, "-%}"))
        return skip_space(l, i + 3);
    return at(l, i, "%}") ? i + 2 : 0;
}

static void raw_block(lexer *l)
{
    for (size_t i = l->i; i < l->n; i++) {
        if (!at(l, i, "{%"))
            continue;
        char sign = i + 2 < l->n && (l->p[i + 2] == '-' || l->p[i + 2] == '+') ? l->p[i + 2] : 0;
        size_t k = skip_space(l, i + 2 + (sign != 0));
        if (!at(l, k, "endraw"))
            continue;
        k = skip_space(l, k + 6);
        size_t end = k < l->n ? close_mark(l, k, "%}", true) : 0;
        if (!end)
            continue;
        emit_text(l, l->i, i, sign, false);
        advance(l, end);
        return;
    }
    if (l->i < l->n)
        j_fail(l->c, "a raw block has no end");
}

/* --- inside a tag --- */

static int hex_value(char ch)
{
    if (ch >= '0' && ch <= '9')
        return ch - '0';
    ch |= 0x20;
    return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

/* Reads `digits` hexadecimal digits at i. */
static uint32_t hex(lexer *l, size_t i, size_t end, int digits)
{
    uint32_t ch = 0;
    for (int k = 0; k < digits; k++) {
        int v = i + (size_t)k < end ? hex_value(l->p[i + (size_t)k]) : -1;
        if (v < 0)
            j_fail(l->c, "a string has a broken \\x, \\u or \\U escape");
        ch = ch << 4 | (uint32_t)v;
    }
    if (ch > 0x10FFFF || (ch >= 0xD800 && ch < 0xE000))
        j_fail(l->c, "a string has an escape that is no Unicode character (U+%04X)", (unsigned)ch);
    return ch;
}

/* The escape behind the backslash at i - 1; returns the position behind it. */
static size_t escape(lexer *l, jbuf *b, size_t i, size_t end)
{
    static const char from[] = "\\'\"abfnrtv", to[] = "\\'\"\a\b\f\n\r\t\v";
    char ch = l->p[i];
    const char *known = ch ? strchr(from, ch) : NULL;
    if (known) {
        j_addc(b, to[known - from]);
        return i + 1;
    }
    if (ch == '\n')
        return i + 1;
    if (ch == 'x' || ch == 'u' || ch == 'U') {
        int digits = ch == 'x' ? 2 : ch == 'u' ? 4 : 8;
        j_add_char(b, hex(l, i + 1, end, digits));
        return i + 1 + (size_t)digits;
    }
    if (ch == 'N')
        j_fail(l->c, "\\N{...} escapes are not supported");
    if (ch >= '0' && ch <= '7') {
        uint32_t v = 0;
        size_t k = i;
        for (; k < end && k < i + 3 && l->p[k] >= '0' && l->p[k] <= '7'; k++)
            v = v * 8 + (uint32_t)(l->p[k] - '0');
        j_add_char(b, v);
        return k;
    }
    j_addc(b, '\\');
    if ((unsigned char)ch >= 0x80) { /* Python spells the character out before it looks for escapes */
        uint32_t c;
        int n = utf8_decode(l->p + i, end - i, &c);
        j_addf(b, c < 0x100 ? "x%02x" : c < 0x10000 ? "u%04x" : "U%08x", (unsigned)c);
        return i + (size_t)n;
    }
    j_addc(b, ch);
    return i + 1;
}

static void lex_string(lexer *l)
{
    char quote = l->p[l->i];
    size_t end = l->i + 1;
    bool escaped = false;
    for (; end < l->n && l->p[end] != quote; end++)
        if (l->p[end] == '\\') {
            escaped = true;
            end++;
        }
    if (end >= l->n)
        j_fail(l->c, "a string has no end");
    jtoken *t = emit(l, T_STRING, l->i, end + 1);
    if (!escaped) {
        t->value = j_borrow(l->c, l->p + l->i + 1, end - l->i - 1);
    } else {
        jbuf b = {.c = l->c};
        for (size_t i = l->i + 1; i < end;) {
            if (l->p[i] == '\\')
                i = escape(l, &b, i + 1, end);
            else
                j_addc(&b, l->p[i++]);
        }
        t->value = j_done(&b);
    }
    advance(l, end + 1);
}

static bool digit(const lexer *l, size_t i) { return i < l->n && l->p[i] >= '0' && l->p[i] <= '9'; }

/* Behind the digits at i, with single underscores between them. */
static size_t digits_end(const lexer *l, size_t i)
{
    while (digit(l, i) || (i < l->n && l->p[i] == '_' && digit(l, i + 1) && i && digit(l, i - 1)))
        i++;
    return i;
}

/* Behind the float at i, or 0 if there is none. */
static size_t float_end(const lexer *l, size_t i)
{
    if (i && l->p[i - 1] == '.')
        return 0;
    size_t end = digits_end(l, i), best = 0;
    if (end < l->n && l->p[end] == '.' && digit(l, end + 1))
        best = end = digits_end(l, end + 1);
    if (end < l->n && (l->p[end] | 0x20) == 'e') {
        size_t k = end + 1;
        k += k < l->n && (l->p[k] == '+' || l->p[k] == '-');
        if (digit(l, k))
            best = digits_end(l, k);
    }
    return best;
}

/* Behind the integer at i; its base in *base. */
static size_t int_end(const lexer *l, size_t i, int *base)
{
    static const char marks[] = "box";
    static const int bases[] = {2, 8, 16};
    const char *mark =
        l->p[i] == '0' && i + 1 < l->n && l->p[i + 1] ? strchr(marks, l->p[i + 1] | 0x20) : NULL;
    if (mark) {
        *base = bases[mark - marks];
        size_t k = i + 2;
        for (;;) {
            size_t d = k + (k < l->n && l->p[k] == '_');
            int v = d < l->n ? hex_value(l->p[d]) : -1;
            if (v < 0 || v >= *base)
                break;
            k = d + 1;
        }
        if (k > i + 2)
            return k;
    }
    *base = 10;
    if (l->p[i] != '0')
        return digits_end(l, i);
    while (i + 1 < l->n && (l->p[i + 1] == '0' || (l->p[i + 1] == '_' && at(l, i + 2, "0"))))
        i++;
    return i + 1;
}

static void lex_number(lexer *l)
{
    size_t end = float_end(l, l->i);
    bool is_float = end != 0;
    int base = 10;
    if (!is_float)
        end = int_end(l, l->i, &base);
    jtoken *t = emit(l, is_float ? T_FLOAT : T_INT, l->i, end);
    const jstr *s = j_text(l->c, l->p + l->i, end - l->i).s;
    double f = 0;
    int64_t i = 0;
    if (is_float ? !j_parse_float(s, &f) : !j_parse_int(l->c, s, base, &i))
        j_fail(l->c, "\"%.*s\" is not a number", (int)s->len, s->p);
    t->value = is_float ? j_float(f) : j_int(i);
    advance(l, end);
}

/* Behind the name at i, or i. */
static size_t name_end(const lexer *l, size_t i)
{
    while (i < l->n) {
        uint32_t ch;
        int k = utf8_decode(l->p + i, l->n - i, &ch);
        if (!j_is_word(ch))
            break;
        i += (size_t)k;
    }
    return i;
}

static void track_brackets(lexer *l, char ch)
{
    static const char open[] = "([{", close[] = ")]}";
    const char *o = strchr(open, ch);
    if (o) {
        if (l->n_brackets == J_MAX_DEPTH)
            j_fail(l->c, "brackets are nested too deeply");
        l->brackets[l->n_brackets++] = close[o - open];
    } else if (strchr(close, ch)) {
        if (!l->n_brackets)
            j_fail(l->c, "unexpected '%c'", ch);
        char want = l->brackets[--l->n_brackets];
        if (want != ch)
            j_fail(l->c, "unexpected '%c', expected '%c'", ch, want);
    }
}

static void lex_operator(lexer *l)
{
    static const char *const pairs[] = {"//", "**", "==", "!=", ">=", "<="};
    for (size_t k = 0; k < sizeof pairs / sizeof *pairs; k++)
        if (at(l, l->i, pairs[k])) {
            emit(l, T_OP, l->i, l->i + 2)->op = OP2(pairs[k][0], pairs[k][1]);
            advance(l, l->i + 2);
            return;
        }
    char ch = l->p[l->i];
    if (!ch || !strchr("+-/*%~[](){}<>=.:|,;", ch))
        j_fail(l->c, "unexpected character in a tag: '%c'", ch);
    track_brackets(l, ch);
    emit(l, T_OP, l->i, l->i + 1)->op = OP1(ch);
    advance(l, l->i + 1);
}

static void lex_token(lexer *l)
{
    char ch = l->p[l->i];
    size_t end = skip_space(l, l->i);
    if (end > l->i) {
        advance(l, end);
    } else if (ch >= '0' && ch <= '9') {
        lex_number(l);
    } else if ((end = name_end(l, l->i)) > l->i) {
        emit(l, T_NAME, l->i, end);
        advance(l, end);
    } else if (ch == '"' || ch == '\'') {
        lex_string(l);
    } else {
        lex_operator(l);
    }
}

/* From behind the opening mark to behind the closing one. */
static void lex_tag(lexer *l, bool is_print)
{
    const char *mark = is_print ? "}}" : "%}";
    emit(l, is_print ? T_PRINT_BEGIN : T_BLOCK_BEGIN, l->i, l->i);
    l->n_brackets = 0;
    while (l->i < l->n) {
        size_t end = l->n_brackets ? 0 : close_mark(l, l->i, mark, !is_print);
        if (!end) {
            lex_token(l);
            continue;
        }
        emit(l, is_print ? T_PRINT_END : T_BLOCK_END, l->i, l->i);
        advance(l, end);
        return;
    }
}

/* One piece of text and the tag behind it. */
static void lex_piece(lexer *l)
{
    size_t i = l->i;
    while (i + 1 < l->n && !(l->p[i] == '{' && strchr("{%#", l->p[i + 1]) && l->p[i + 1]))
        i++;
    if (i + 1 >= l->n) {
        emit(l, T_TEXT, l->i, l->n)->value = j_borrow(l->c, l->p + l->i, l->n - l->i);
        advance(l, l->n);
        return;
    }
    char kind = l->p[i + 1];
    char sign = i + 2 < l->n && (l->p[i + 2] == '-' || l->p[i + 2] == '+') ? l->p[i + 2] : 0;
    emit_text(l, l->i, i, sign, kind == '{');
    size_t inside = i + 2 + (sign != 0), raw = kind == '%' ? raw_begin(l, inside) : 0;
    advance(l, raw ? raw : inside);
    if (raw)
        raw_block(l);
    else if (kind == '#')
        skip_comment(l, inside);
    else
        lex_tag(l, kind == '{');
}

/* Every kind of newline as "\n", without one at the end. */
static char *normalize(jctx *c, const char *text, size_t n, size_t *len)
{
    char *p = j_alloc(c, n + 1, 1);
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\r') {
            i += i + 1 < n && text[i + 1] == '\n';
            p[k++] = '\n';
        } else {
            p[k++] = text[i];
        }
    }
    if (k && p[k - 1] == '\n')
        k--;
    p[k] = 0;
    *len = k;
    return p;
}

jtoken *j_lex(jctx *c, const char *text, size_t n)
{
    lexer l = {.c = c, .line_start = true};
    c->line = 1;
    size_t bad = utf8_check(text, n);
    if (bad < n)
        j_fail(c, "the template is not valid UTF-8 (byte %zu)", bad);
    l.p = normalize(c, text, n, &l.n);
    while (l.i < l.n)
        lex_piece(&l);
    emit(&l, T_EOF, l.n, l.n);
    return l.tokens;
}
