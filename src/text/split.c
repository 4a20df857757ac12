/* Pre-tokenizers: each step cuts every piece of text into smaller pieces, and some rewrite the text (prefix
 * spaces, the byte alphabet, Metaspace). Pieces are spans of one buffer; a step that rewrites builds the
 * other buffer and moves the spans there.
 *
 * A cutting step yields spans in order, each a match or the text between matches; the behavior says what
 * happens to the matches. `cutter` is that small state machine: one span is held back, for the next one may
 * join it.
 *
 * When the byte alphabet comes last, the text is not rewritten: the model takes plain bytes by table. */
#include "text/tokenizer_parts.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <string.h>

typedef struct cutter {
    const split_step *step;
    pieces *out;
    size_t held_at, held_end;
    bool holds, was_match, failed;
} cutter;

static void flush(cutter *c)
{
    if (c->holds && pieces_add(c->out, c->held_at, c->held_end - c->held_at, -1))
        c->failed = true;
    c->holds = false;
}

/* Takes the next span [at, end). */
static void cut(cutter *c, size_t at, size_t end, bool match)
{
    split_behavior b = c->step->behavior;
    match ^= c->step->invert;
    bool joins = c->holds && ((b == CONTIGUOUS && match == c->was_match) ||
                              (b == MERGED_WITH_PREVIOUS && match && !c->was_match) ||
                              (b == MERGED_WITH_NEXT && !match && c->was_match));
    c->was_match = match;
    if (joins) {
        c->held_end = end;
        return;
    }
    flush(c);
    if (b == REMOVED && match)
        return;
    c->holds = true;
    c->held_at = at;
    c->held_end = end;
}

/* Cuts by a pattern. */
static int cut_pattern(encoder *e, cutter *c, const pattern *p, const char *text, const piece *x)
{
    pattern_iter it = {p, e->match, e->context, text + x->at, x->len, 0, SIZE_MAX};
    size_t start, end, done = 0;
    int more;
    while ((more = pattern_next(&it, &start, &end)) > 0) {
        if (start != done)
            cut(c, x->at + done, x->at + start, false);
        cut(c, x->at + start, x->at + end, true);
        done = end;
    }
    if (done != x->len)
        cut(c, x->at + done, x->at + x->len, false);
    return more;
}

static void cut_string(cutter *c, const char *text, const piece *x, const char *sep, size_t sep_n)
{
    size_t done = x->at, end = x->at + x->len;
    const char *hit;
    while ((hit = memmem(text + done, end - done, sep, sep_n))) {
        size_t at = (size_t)(hit - text);
        if (at != done)
            cut(c, done, at, false);
        cut(c, at, at + sep_n, true);
        done = at + sep_n;
    }
    if (done != end)
        cut(c, done, end, false);
}

/* Cuts where a character is in a class: every such character is a match of its own. */
static void cut_class(cutter *c, const char *text, const piece *x, bool (*in)(uint32_t))
{
    size_t done = x->at, end = x->at + x->len;
    for (size_t i = x->at; i < end;) {
        uint32_t ch;
        size_t len = (size_t)utf8_decode(text + i, end - i, &ch);
        if (in(ch)) {
            if (i != done)
                cut(c, done, i, false);
            cut(c, i, i + len, true);
            done = i + len;
        }
        i += len;
    }
    if (done != end)
        cut(c, done, end, false);
}

/* Whitespace: runs of word characters and runs of other visible ones are the pieces. */
static int cut_words(pieces *out, const char *text, const piece *x)
{
    int kind = 0; /* 0 space, 1 word, 2 other */
    size_t start = x->at, end = x->at + x->len;
    for (size_t i = x->at; i < end;) {
        uint32_t c;
        size_t len = (size_t)utf8_decode(text + i, end - i, &c);
        int now = unicode_is_word(c) ? 1 : unicode_is_space(c) ? 0 : 2;
        if (now != kind) {
            if (kind && pieces_add(out, start, i - start, -1))
                return -1;
            start = i;
            kind = now;
        }
        i += len;
    }
    return kind ? pieces_add(out, start, end - start, -1) : 0;
}

static int cut_piece(encoder *e, const split_step *s, const char *text, const piece *x, pieces *out)
{
    cutter c = {.step = s, .out = out};
    int status = 0;
    switch (s->kind) {
    case SPLIT_REGEX:
        status = cut_pattern(e, &c, &s->pattern, text, x);
        break;
    case SPLIT_BYTES:
        if (!s->use_pattern)
            return pieces_add(out, x->at, x->len, -1);
        status = cut_pattern(e, &c, &s->pattern, text, x);
        break;
    case SPLIT_METASPACE:
        if (!s->split)
            return pieces_add(out, x->at, x->len, -1);
        cut_string(&c, text, x, s->text, s->len);
        break;
    case SPLIT_STRING:
        cut_string(&c, text, x, s->text, s->len);
        break;
    case SPLIT_DIGITS:
        cut_class(&c, text, x, unicode_is_numeric);
        break;
    case SPLIT_PUNCTUATION:
        cut_class(&c, text, x, unicode_is_punctuation);
        break;
    case SPLIT_SPACES:
        cut_class(&c, text, x, unicode_is_space);
        break;
    case SPLIT_WORDS:
        return cut_words(out, text, x);
    }
    flush(&c);
    return status < 0 || c.failed ? -1 : 0;
}

/* Appends the piece in the form that Metaspace gives it. */
static void metaspace(const split_step *s, const char *p, size_t n, bool first, strbuf *out)
{
    bool has = (n && *p == ' ') || (n >= s->len && memcmp(p, s->text, s->len) == 0);
    if (!has && (s->prepend == PREPEND_ALWAYS || (s->prepend == PREPEND_FIRST && first)))
        strbuf_add(out, s->text, s->len);
    for (const char *end = p + n, *space; p < end; p = space + (space < end)) {
        space = memchr(p, ' ', (size_t)(end - p));
        if (!space) {
            strbuf_add(out, p, (size_t)(end - p));
            break;
        }
        strbuf_add(out, p, (size_t)(space - p));
        strbuf_add(out, s->text, s->len);
    }
}

/* Rewrites every piece into the buffer `to` by what the step does before it cuts. `start`: where the first
 * piece lies in the original text. */
static int rewrite_before(const encoder *e, const split_step *s, const char *text, size_t start, pieces *p,
                          strbuf *to)
{
    strbuf_clear(to);
    for (size_t i = 0; i < p->n; i++) {
        piece *x = &p->v[i];
        size_t at = to->len;
        if (s->kind == SPLIT_METASPACE) {
            metaspace(s, text + x->at, x->len, i == 0 && start == 0, to);
        } else {
            if (text[x->at] != ' ')
                strbuf_addc(to, ' ');
            strbuf_add(to, text + x->at, x->len);
        }
        *x = (piece){at, to->len - at, -1};
    }
    return encoder_check(e, to);
}

/* Rewrites every piece into the byte alphabet. */
static int rewrite_bytes(const encoder *e, const char *text, pieces *p, strbuf *to)
{
    strbuf_clear(to);
    for (size_t i = 0; i < p->n; i++) {
        size_t at = to->len;
        bytelevel_encode(to, text + p->v[i].at, p->v[i].len);
        p->v[i] = (piece){at, to->len - at, -1};
    }
    return encoder_check(e, to);
}

int split_words(encoder *e, const char *text, size_t n, size_t start, const char **out)
{
    int flip = 0;
    e->words.n = 0;
    if (pieces_add(&e->words, 0, n, -1))
        return -1;
    for (int k = 0; k < e->t->n_split; k++) {
        const split_step *s = &e->t->split[k];
        if (s->kind == SPLIT_METASPACE || (s->kind == SPLIT_BYTES && s->prefix_space)) {
            if (rewrite_before(e, s, text, start, &e->words, &e->split[flip]))
                return -1;
            text = strbuf_text(&e->split[flip]);
            flip ^= 1;
        }
        e->next.n = 0;
        for (size_t i = 0; i < e->words.n; i++)
            if (cut_piece(e, s, text, &e->words.v[i], &e->next))
                return -1;
        pieces swap = e->words;
        e->words = e->next;
        e->next = swap;
        if (s->kind == SPLIT_BYTES && !s->last) {
            if (rewrite_bytes(e, text, &e->words, &e->split[flip]))
                return -1;
            text = strbuf_text(&e->split[flip]);
            flip ^= 1;
        }
    }
    *out = text;
    return 0;
}
