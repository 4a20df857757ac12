/* Normalization. The Unicode forms come from utf8proc, called only where they can change something: the text
 * is cut at characters that never combine with what stands before them, and a stretch of one such character
 * that does not decompose is copied.
 *
 * The reference normalizes by tables of an older Unicode. Characters that came later are inert to it: they
 * neither decompose nor combine, and marks are not moved across them. So they are here: each is a stretch of
 * its own. */
#include "text/tokenizer_parts.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <string.h>
#include <utf8proc.h>

#define NO_INDEX   UINT16_MAX
#define MAX_DECOMP 32 /* no character decomposes into more */

static utf8proc_option_t options(norm_kind form)
{
    static const int by_form[] = {[NORM_NFC] = UTF8PROC_STABLE | UTF8PROC_COMPOSE,
                                  [NORM_NFD] = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE,
                                  [NORM_NFKC] = UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT,
                                  [NORM_NFKD] = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT};
    return (utf8proc_option_t)by_form[form];
}

static unsigned mark_class(uint32_t c)
{
    return (unsigned)utf8proc_get_property((utf8proc_int32_t)c)->combining_class & 255;
}

/* May the character itself change its neighbours or be changed by those before it? Not by decomposition. */
static bool combines(uint32_t c)
{
    const utf8proc_property_t *p = utf8proc_get_property((utf8proc_int32_t)c);
    bool second = p->comb_index != NO_INDEX && p->comb_index >= 0x8000;
    return p->combining_class != 0 || second || (c >= 0x1160 && c < 0x1200);
}

/* How a character goes with what stands before it. */
typedef enum {
    JOINS,   /* may combine with it: belongs to the open stretch */
    BEGINS,  /* never does: begins a stretch, and alone stays as it is */
    CHANGES, /* begins a stretch and decomposes */
    ALONE    /* unknown to the reference: a stretch of its own, copied */
} joining;

static joining joining_of(norm_kind form, uint32_t c)
{
    if (c < 0x80)
        return BEGINS;
    const utf8proc_property_t *p = utf8proc_get_property((utf8proc_int32_t)c);
    bool hangul = c >= 0xAC00 && c < 0xD7A4;
    bool decomposes = p->decomp_seqindex != NO_INDEX || (hangul && (form == NORM_NFD || form == NORM_NFKD));
    if (!decomposes && !combines(c) && p->comb_index == NO_INDEX)
        return BEGINS;
    if (unicode_is_unassigned(c))
        return ALONE;
    if (combines(c))
        return JOINS;
    if (!decomposes)
        return BEGINS;
    utf8proc_int32_t parts[MAX_DECOMP];
    int boundclass = 0;
    utf8proc_ssize_t n =
        utf8proc_decompose_char((utf8proc_int32_t)c, parts, MAX_DECOMP, options(form), &boundclass);
    return n >= 1 && n <= MAX_DECOMP && combines((uint32_t)parts[0]) ? JOINS : CHANGES;
}

/* Working memory of one normalization: characters, and room to sort them. */
typedef struct work {
    utf8proc_int32_t *c, *sorted;
    size_t n, cap, sorted_cap;
} work;

/* Sorts marks by combining class, keeping the order within a class. Counting, for a text may consist of one
 * endless run of marks. */
static int sort_marks(work *w, utf8proc_int32_t *c, size_t n)
{
    size_t begin[257] = {0};
    utf8proc_int32_t *sorted = mem_grow(w->sorted, &w->sorted_cap, n, sizeof *sorted);
    if (!sorted)
        return -1;
    w->sorted = sorted;
    for (size_t i = 0; i < n; i++)
        begin[mark_class((uint32_t)c[i]) + 1]++;
    for (int k = 0; k < 256; k++)
        begin[k + 1] += begin[k];
    for (size_t i = 0; i < n; i++)
        sorted[begin[mark_class((uint32_t)c[i])]++] = c[i];
    memcpy(c, sorted, n * sizeof *c);
    return 0;
}

/* Puts every run of marks into canonical order. */
static int order(work *w)
{
    for (size_t i = 0, end; i < w->n; i = end) {
        bool sorted = true;
        unsigned last = 0;
        for (end = i; end < w->n; end++) {
            unsigned k = mark_class((uint32_t)w->c[end]);
            if (k == 0)
                break;
            sorted = sorted && k >= last;
            last = k;
        }
        if (!sorted && sort_marks(w, w->c + i, end - i))
            return -1;
        end += end == i;
    }
    return 0;
}

/* Normalizes one stretch. */
static int stretch(work *w, norm_kind form, const char *p, size_t n, strbuf *out)
{
    w->n = 0;
    for (size_t i = 0; i < n;) {
        uint32_t c;
        int boundclass = 0;
        utf8proc_int32_t *room = mem_grow(w->c, &w->cap, w->n + MAX_DECOMP, sizeof *room);
        if (!room)
            return -1;
        w->c = room;
        i += (size_t)utf8_decode(p + i, n - i, &c);
        utf8proc_ssize_t parts =
            utf8proc_decompose_char((utf8proc_int32_t)c, room + w->n, MAX_DECOMP, options(form), &boundclass);
        if (parts < 1 || parts > MAX_DECOMP)
            return error_set("tokenizer: normalization failed at U+%04X", (unsigned)c);
        w->n += (size_t)parts;
    }
    if (order(w))
        return -1;
    utf8proc_ssize_t count = utf8proc_normalize_utf32(w->c, (utf8proc_ssize_t)w->n, options(form));
    for (utf8proc_ssize_t i = 0; i < count; i++) {
        char utf8[4];
        strbuf_add(out, utf8, (size_t)utf8_encode((uint32_t)w->c[i], utf8));
    }
    return count < 0 ? error_set("tokenizer: normalization failed: %s", utf8proc_errmsg(count)) : 0;
}

/* Walks the text stretch by stretch. */
static int walk(work *w, norm_kind form, const char *text, size_t n, strbuf *out)
{
    size_t copied = 0, start = 0; /* text before `copied` is in out; the open stretch begins at start */
    bool changes = false,
         fence = false; /* the open stretch needs work; nothing may join what stands before */
    for (size_t i = 0; i <= n;) {
        uint32_t c = 0;
        int len = i < n ? utf8_decode(text + i, n - i, &c) : 1;
        joining j = i < n ? joining_of(form, c) : ALONE;
        if (j != JOINS || fence) {
            if (changes) {
                strbuf_add(out, text + copied, start - copied);
                if (stretch(w, form, text + start, i - start, out))
                    return -1;
                copied = i;
            }
            start = i;
            changes = j == CHANGES || j == JOINS;
            fence = j == ALONE;
        } else {
            changes = true;
        }
        i += (size_t)len;
    }
    strbuf_add(out, text + copied, n - copied);
    return out->failed ? -1 : 0;
}

int normalize_unicode(norm_kind form, const char *text, size_t n, strbuf *out)
{
    work w = {0};
    int status = walk(&w, form, text, n, out);
    mem_free(w.c);
    mem_free(w.sorted);
    return status;
}

/* Replaces every match. */
static int replace_pattern(encoder *e, const norm_step *s, const char *text, size_t n, strbuf *out)
{
    pattern_iter it = {&s->pattern, e->match, e->context, text, n, 0, SIZE_MAX};
    size_t start, end, done = 0;
    int more;
    while (n && (more = pattern_next(&it, &start, &end)) != 0) {
        if (more < 0)
            return -1;
        strbuf_add(out, text + done, start - done);
        strbuf_add(out, s->with, s->with_len);
        done = end;
        if (encoder_check(e, out))
            return -1;
    }
    strbuf_add(out, text + done, n - done);
    return 0;
}

static int replace_string(const encoder *e, const norm_step *s, const char *text, size_t n, strbuf *out)
{
    const char *end = text + n, *hit;
    while ((hit = memmem(text, (size_t)(end - text), s->text, s->text_len))) {
        strbuf_add(out, text, (size_t)(hit - text));
        strbuf_add(out, s->with, s->with_len);
        text = hit + s->text_len;
        if (encoder_check(e, out))
            return -1;
    }
    strbuf_add(out, text, (size_t)(end - text));
    return 0;
}

/* Text without the white space at its ends. */
static void strip(const norm_step *s, const char *text, size_t n, strbuf *out)
{
    uint32_t c;
    while (s->left && n) {
        int len = utf8_decode(text, n, &c);
        if (!unicode_is_space(c))
            break;
        text += len;
        n -= (size_t)len;
    }
    while (s->right && n) {
        size_t len = 1;
        while (len < n && ((unsigned char)text[n - len] & 0xC0) == 0x80)
            len++;
        utf8_decode(text + n - len, len, &c);
        if (!unicode_is_space(c))
            break;
        n -= len;
    }
    strbuf_add(out, text, n);
}

static int run(encoder *e, const norm_step *s, const char *text, size_t n, strbuf *out)
{
    strbuf_clear(out);
    switch (s->kind) {
    case NORM_NFC:
    case NORM_NFD:
    case NORM_NFKC:
    case NORM_NFKD:
        return normalize_unicode(s->kind, text, n, out);
    case NORM_PREPEND:
        if (n)
            strbuf_add(out, s->with, s->with_len);
        strbuf_add(out, text, n);
        break;
    case NORM_REPLACE:
        if (s->pattern.code ? replace_pattern(e, s, text, n, out) : replace_string(e, s, text, n, out))
            return -1;
        break;
    case NORM_BYTES:
        bytelevel_encode(out, text, n);
        break;
    case NORM_STRIP:
        strip(s, text, n, out);
        break;
    case NORM_CHARSMAP:
        charsmap_apply(s->text, s->text_len, text, n, e->limit, out);
        break;
    default:
        normalize_chars(s->kind, text, n, out);
    }
    return encoder_check(e, out);
}

/* Does a Unicode form leave this text alone for sure? NFC does below U+0300, all of them in ASCII. */
static bool untouched(norm_kind kind, const char *text, size_t n)
{
    if (kind > NORM_NFKD)
        return false;
    unsigned char limit = kind == NORM_NFC ? 0xCC : 0x80;
    unsigned char most = 0;
    for (size_t i = 0; i < n; i++)
        most = (unsigned char)text[i] > most ? (unsigned char)text[i] : most;
    return most < limit;
}

int normalize(encoder *e, const char *text, size_t n, const char **out, size_t *out_n)
{
    int flip = 0;
    for (int i = 0; i < e->t->n_norm; i++) {
        const norm_step *s = &e->t->norm[i];
        if (untouched(s->kind, text, n))
            continue;
        strbuf *to = &e->norm[flip];
        flip ^= 1;
        if (run(e, s, text, n, to))
            return -1;
        text = strbuf_text(to);
        n = to->len;
    }
    *out = text;
    *out_n = n;
    return 0;
}
