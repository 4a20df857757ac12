/* Characters of text: counting, searching, stripping, escaping, and case by Unicode.
 *
 * Text is UTF-8 and Python counts code points, so an index is turned into a byte offset by walking; text
 * known to be ASCII skips that. Case mapping is the full one (one letter may become two or three): simple
 * mappings and categories come from utf8proc, the rest from jinja_case.def, and a capital sigma at the end of
 * a word becomes the final one. */
#include "base/utf8.h"
#include "text/jinja_impl.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

uint32_t j_char(const jstr *s, size_t *i)
{
    uint32_t ch = (unsigned char)s->p[*i];
    if (ch < 0x80) {
        ++*i;
        return ch;
    }
    int n = utf8_decode(s->p + *i, s->len - *i, &ch);
    *i += (size_t)(n < 0 ? -n : n);
    return ch;
}

size_t j_chars(jctx *c, const jstr *s)
{
    if (s->ascii)
        return s->len;
    j_charge(c, s->len / 16);
    size_t n = 0;
    for (size_t i = 0; i < s->len; i++)
        n += ((unsigned char)s->p[i] & 0xC0) != 0x80;
    return n;
}

size_t j_offset(jctx *c, const jstr *s, size_t k)
{
    if (s->ascii)
        return k < s->len ? k : s->len;
    size_t i = 0;
    for (; k && i < s->len; k--)
        j_char(s, &i);
    j_charge(c, i / 16);
    return i;
}

/* --- classes --- */

bool j_is_space(uint32_t ch)
{
    if (ch < 0x80)
        return ch == ' ' || (ch >= 9 && ch <= 13) || (ch >= 0x1C && ch <= 0x1F);
    return ch == 0x85 || ch == 0xA0 || ch == 0x1680 || (ch >= 0x2000 && ch <= 0x200A) || ch == 0x2028 ||
           ch == 0x2029 || ch == 0x202F || ch == 0x205F || ch == 0x3000;
}

static utf8proc_category_t category(uint32_t ch) { return utf8proc_category((utf8proc_int32_t)ch); }

bool j_is_printable(uint32_t ch)
{
    if (ch < 0x7F)
        return ch >= 0x20;
    switch (category(ch)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return false;
    default:
        return true;
    }
}

static bool is_letter(uint32_t ch)
{
    utf8proc_category_t k = category(ch);
    return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO;
}

static bool is_number(uint32_t ch)
{
    utf8proc_category_t k = category(ch);
    return k == UTF8PROC_CATEGORY_ND || k == UTF8PROC_CATEGORY_NL || k == UTF8PROC_CATEGORY_NO;
}

bool j_is_word(uint32_t ch)
{
    if (ch < 0x80)
        return (ch >= '0' && ch <= '9') || (ch | 0x20) - 'a' < 26 || ch == '_';
    utf8proc_category_t k = category(ch);
    return is_letter(ch) || is_number(ch) || k == UTF8PROC_CATEGORY_MN || k == UTF8PROC_CATEGORY_MC ||
           k == UTF8PROC_CATEGORY_PC;
}

typedef struct range {
    uint32_t first, last;
} range;

static bool in_ranges(uint32_t ch, const range *r, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (ch <= r[i].last)
            return ch >= r[i].first;
    return false;
}

/* Lower and upper case, and digits, that their category does not tell. */
static const range more_lower[] = {
    {0xAA, 0xAA},       {0xBA, 0xBA},       {0x2B0, 0x2B8},     {0x2C0, 0x2C1},    {0x2E0, 0x2E4},
    {0x345, 0x345},     {0x37A, 0x37A},     {0x1D2C, 0x1D6A},   {0x1D78, 0x1D78},  {0x1D9B, 0x1DBF},
    {0x2071, 0x2071},   {0x207F, 0x207F},   {0x2090, 0x209C},   {0x2170, 0x217F},  {0x24D0, 0x24E9},
    {0x2C7C, 0x2C7D},   {0xA69C, 0xA69D},   {0xA770, 0xA770},   {0xA7F8, 0xA7F9},  {0xAB5C, 0xAB5F},
    {0x10780, 0x10780}, {0x10783, 0x10785}, {0x10787, 0x107B0}, {0x107B2, 0x107BA}};
static const range more_upper[] = {
    {0x2160, 0x216F}, {0x24B6, 0x24CF}, {0x1F130, 0x1F149}, {0x1F150, 0x1F169}, {0x1F170, 0x1F189}};
static const range more_digits[] = {
    {0xB2, 0xB3},     {0xB9, 0xB9},       {0x1369, 0x1371},   {0x19DA, 0x19DA},   {0x2070, 0x2070},
    {0x2074, 0x2079}, {0x2080, 0x2089},   {0x2460, 0x2468},   {0x2474, 0x247C},   {0x2488, 0x2490},
    {0x24EA, 0x24EA}, {0x24F5, 0x24FD},   {0x24FF, 0x24FF},   {0x2776, 0x277E},   {0x2780, 0x2788},
    {0x278A, 0x2792}, {0x10A40, 0x10A43}, {0x10E60, 0x10E68}, {0x11052, 0x1105A}, {0x1F100, 0x1F10A}};

static bool is_lower(uint32_t ch)
{
    return category(ch) == UTF8PROC_CATEGORY_LL ||
           in_ranges(ch, more_lower, sizeof more_lower / sizeof *more_lower);
}

static bool is_upper(uint32_t ch)
{
    return category(ch) == UTF8PROC_CATEGORY_LU ||
           in_ranges(ch, more_upper, sizeof more_upper / sizeof *more_upper);
}

static bool is_title(uint32_t ch) { return category(ch) == UTF8PROC_CATEGORY_LT; }
static bool is_cased(uint32_t ch) { return is_lower(ch) || is_upper(ch) || is_title(ch); }

/* Transparent for the rule of the final sigma. */
static bool is_case_ignorable(uint32_t ch)
{
    switch (category(ch)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
        return true;
    default:
        return ch == '\'' || ch == '.' || ch == ':' || ch == 0xB7 || ch == 0x2018 || ch == 0x2019 ||
               ch == 0x2027;
    }
}

static bool is_decimal(uint32_t ch) { return category(ch) == UTF8PROC_CATEGORY_ND; }

static bool is_digit(uint32_t ch)
{
    return is_decimal(ch) || in_ranges(ch, more_digits, sizeof more_digits / sizeof *more_digits);
}

bool j_is_alnum(uint32_t ch) { return is_letter(ch) || is_number(ch); }
static bool is_ascii_char(uint32_t ch) { return ch < 0x80; }

static bool all(const jstr *s, bool (*is)(uint32_t), bool if_empty)
{
    for (size_t i = 0; i < s->len;)
        if (!is(j_char(s, &i)))
            return false;
    return s->len || if_empty;
}

/* Is there a cased character, and every one of that case? */
static bool all_cased(const jstr *s, bool (*want)(uint32_t))
{
    bool any = false;
    for (size_t i = 0; i < s->len;) {
        uint32_t ch = j_char(s, &i);
        if (is_cased(ch) && !want(ch))
            return false;
        any |= want(ch);
    }
    return any;
}

static bool all_title(const jstr *s)
{
    bool in_word = false, any = false;
    for (size_t i = 0; i < s->len;) {
        uint32_t ch = j_char(s, &i);
        bool capital = is_upper(ch) || is_title(ch);
        if ((capital && in_word) || (is_lower(ch) && !in_word))
            return false;
        in_word = is_cased(ch);
        any |= in_word;
    }
    return any;
}

static bool identifier(const jstr *s)
{
    size_t i = 0;
    if (!s->len)
        return false;
    uint32_t first = j_char(s, &i);
    return (is_letter(first) || first == '_') && all(s, j_is_word, false);
}

bool j_str_is(jctx *c, const char *name, const jstr *s)
{
    static const struct {
        const char *name;
        bool (*is)(uint32_t);
        bool if_empty;
    } rows[] = {
        {"isalpha", is_letter, false},         {"isalnum", j_is_alnum, false},
        {"isdigit", is_digit, false},          {"isdecimal", is_decimal, false},
        {"isnumeric", is_number, false},       {"isspace", j_is_space, false},
        {"isprintable", j_is_printable, true}, {"isascii", is_ascii_char, true},
    };
    j_charge(c, s->len / 16);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(name, rows[i].name) == 0)
            return all(s, rows[i].is, rows[i].if_empty);
    if (strcmp(name, "isupper") == 0)
        return all_cased(s, is_upper);
    if (strcmp(name, "islower") == 0)
        return all_cased(s, is_lower);
    return strcmp(name, "istitle") == 0 ? all_title(s) : identifier(s);
}

/* --- case --- */

typedef struct special {
    uint32_t ch;
    const char *upper, *title;
} special;
static const special specials[] = {
#define ROW(ch, upper, title) {ch, upper, title},
#include "text/jinja_case.def"
#undef ROW
};

static int by_char(const void *key, const void *row)
{
    uint32_t a = *(const uint32_t *)key, b = ((const special *)row)->ch;
    return (a > b) - (a < b);
}

static const special *find_special(uint32_t ch)
{
    return ch < 0xDF ? NULL
                     : bsearch(&ch, specials, sizeof specials / sizeof *specials, sizeof *specials, by_char);
}

static void add_upper(jbuf *b, uint32_t ch)
{
    const special *s = find_special(ch);
    if (s)
        j_adds(b, s->upper);
    else
        j_add_char(b, (uint32_t)utf8proc_toupper((utf8proc_int32_t)ch));
}

static void add_title(jbuf *b, uint32_t ch)
{
    const special *s = find_special(ch);
    if (s)
        j_adds(b, s->title);
    else
        j_add_char(b, (uint32_t)utf8proc_totitle((utf8proc_int32_t)ch));
}

/* Does the capital sigma that ends at byte `end` close a word? */
static bool is_final_sigma(const jstr *s, size_t start, size_t end)
{
    bool before = false;
    for (size_t i = 0; i < start;) {
        uint32_t ch = j_char(s, &i);
        if (!is_case_ignorable(ch))
            before = is_cased(ch);
    }
    for (size_t i = end; before && i < s->len;) {
        uint32_t ch = j_char(s, &i);
        if (!is_case_ignorable(ch))
            return !is_cased(ch);
    }
    return before;
}

/* The lower case of the character that ends at byte `end` of s. */
static void add_lower(jbuf *b, uint32_t ch, const jstr *s, size_t start, size_t end)
{
    if (ch == 0x130)
        j_adds(b, "i\xCC\x87");
    else if (ch == 0x3A3) {
        j_charge(b->c, s->len / 8);
        j_add_char(b, is_final_sigma(s, start, end) ? 0x3C2 : 0x3C3);
    } else
        j_add_char(b, (uint32_t)utf8proc_tolower((utf8proc_int32_t)ch));
}

jval j_upper(jctx *c, const jstr *s)
{
    jbuf b = {.c = c};
    for (size_t i = 0; i < s->len;)
        add_upper(&b, j_char(s, &i));
    return j_done(&b);
}

jval j_lower(jctx *c, const jstr *s)
{
    jbuf b = {.c = c};
    for (size_t i = 0, from; i < s->len;) {
        from = i;
        uint32_t ch = j_char(s, &i);
        add_lower(&b, ch, s, from, i);
    }
    return j_done(&b);
}

jval j_title(jctx *c, const jstr *s)
{
    jbuf b = {.c = c};
    bool in_word = false;
    for (size_t i = 0, from; i < s->len;) {
        from = i;
        uint32_t ch = j_char(s, &i);
        if (in_word)
            add_lower(&b, ch, s, from, i);
        else
            add_title(&b, ch);
        in_word = is_cased(ch);
    }
    return j_done(&b);
}

jval j_capitalize(jctx *c, const jstr *s)
{
    jbuf b = {.c = c};
    for (size_t i = 0, from; i < s->len;) {
        from = i;
        uint32_t ch = j_char(s, &i);
        if (from)
            add_lower(&b, ch, s, from, i);
        else
            add_title(&b, ch);
    }
    return j_done(&b);
}

jval j_swapcase(jctx *c, const jstr *s)
{
    jbuf b = {.c = c};
    for (size_t i = 0, from; i < s->len;) {
        from = i;
        uint32_t ch = j_char(s, &i);
        if (is_upper(ch))
            add_lower(&b, ch, s, from, i);
        else if (is_lower(ch))
            add_upper(&b, ch);
        else
            j_add_char(&b, ch);
    }
    return j_done(&b);
}

jval j_casefold(jctx *c, const jstr *s)
{
    jbuf b = {.c = c};
    for (size_t i = 0; i < s->len;) {
        utf8proc_int32_t ch = (utf8proc_int32_t)j_char(s, &i), folded[8];
        utf8proc_ssize_t n = utf8proc_decompose_char(ch, folded, 8, UTF8PROC_CASEFOLD, NULL);
        for (utf8proc_ssize_t k = 0; k < n && k < 8; k++)
            j_add_char(&b, (uint32_t)folded[k]);
    }
    return j_done(&b);
}

/* --- searching and changing --- */

size_t j_find(const jstr *s, const jstr *what, size_t from)
{
    if (from > s->len)
        return SIZE_MAX;
    if (!what->len)
        return from;
    const char *p = memmem(s->p + from, s->len - from, what->p, what->len);
    return p ? (size_t)(p - s->p) : SIZE_MAX;
}

size_t j_rfind(jctx *c, const jstr *s, const jstr *what, size_t to)
{
    size_t n = what->len;
    if (!n)
        return to;
    size_t found = SIZE_MAX;
    for (size_t i = to < n ? 0 : to - n + 1; i-- > 0;) {
        if (s->p[i] != what->p[0] || s->p[i + n - 1] != what->p[n - 1])
            continue;
        j_charge(c, n / 64);
        if (memcmp(s->p + i, what->p, n) == 0) {
            found = i;
            break;
        }
    }
    j_charge(c, (to - (found == SIZE_MAX ? 0 : found)) / 16);
    return found;
}

static bool among(uint32_t ch, const jstr *chars)
{
    if (!chars)
        return j_is_space(ch);
    for (size_t i = 0; i < chars->len;)
        if (j_char(chars, &i) == ch)
            return true;
    return false;
}

jval j_strip(jctx *c, jval s, const jstr *chars, int sides)
{
    size_t from = 0, to = s.s->len;
    while ((sides & 1) && from < to) {
        size_t i = from;
        j_charge(c, chars ? chars->len / 16 : 0);
        if (!among(j_char(s.s, &i), chars))
            break;
        from = i;
    }
    while ((sides & 2) && from < to) {
        size_t k = to - 1;
        while (k > from && ((unsigned char)s.s->p[k] & 0xC0) == 0x80)
            k--;
        size_t i = k;
        j_charge(c, chars ? chars->len / 16 : 0);
        if (!among(j_char(s.s, &i), chars))
            break;
        to = k;
    }
    return from == 0 && to == s.s->len ? s : j_sub(c, s, from, to);
}

jval j_escape(jctx *c, jval v)
{
    const jstr *s = j_str(c, v);
    if (v.kind == J_STR && v.safe)
        return v;
    jbuf b = {.c = c};
    for (size_t i = 0; i < s->len; i++) {
        static const char special_chars[] = "&<>\"'";
        const char *at = s->p[i] ? strchr(special_chars, s->p[i]) : NULL;
        static const char *const names[] = {"&amp;", "&lt;", "&gt;", "&#34;", "&#39;"};
        if (at)
            j_adds(&b, names[at - special_chars]);
        else
            j_addc(&b, s->p[i]);
    }
    return j_mark(j_done(&b), true);
}

jval j_replace(jctx *c, const jstr *s, const jstr *old, const jstr *with, int64_t count)
{
    jbuf b = {.c = c};
    size_t i = 0;
    j_charge(c, s->len / 16);
    while (count != 0 && i <= s->len) {
        size_t k = j_find(s, old, i);
        if (k == SIZE_MAX)
            break;
        j_charge(c, (k - i) / 64);
        if (!old->len) { /* in front of every character and at the end */
            j_add(&b, with->p, with->len);
            size_t next = i;
            if (i < s->len)
                j_char(s, &next);
            j_add(&b, s->p + i, next - i);
            i = next + (i == s->len);
        } else {
            j_add(&b, s->p + i, k - i);
            j_add(&b, with->p, with->len);
            i = k + old->len;
        }
        count -= count > 0;
    }
    if (i < s->len)
        j_add(&b, s->p + i, s->len - i);
    return j_done(&b);
}
