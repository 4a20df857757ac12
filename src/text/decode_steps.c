/* The steps of a decoder, from tokens to text. Tokens go through the steps one by one; a step gives what has
 * become certain to the next and keeps the rest:
 *
 * - ByteFallback keeps a run of <0xNN> tokens until it ends, for it becomes text only if all of it is valid
 *   UTF-8 and one U+FFFD a byte otherwise; BPEDecoder keeps the last token; CTC remembers it.
 * - Behind Fuse and ByteLevel there is one token, which arrives in pieces. Strip then keeps the characters
 * that may be its end, Replace what may be the start of a match; other steps get the token whole at the end
 *   (a GATHER step stands before them). */
#include "text/tokenizer_parts.h"

#include "base/utf8.h"

#include <string.h>

#define REPLACEMENT "\xEF\xBF\xBD"

/* Where a step's output goes: the steps from k on, or the text. */
typedef struct flow {
    const decoder *d;
    chain_state *s;
    strbuf *out;
} flow;

static void put(const flow *f, int k, const char *p, size_t n);

void decode_bytes(strbuf *wait, strbuf *out, const char *p, size_t n)
{
    if (wait->len) {
        strbuf_add(wait, p, n);
        p = strbuf_text(wait);
        n = wait->len;
    }
    size_t keep = utf8_pending(p, n), end = n - keep;
    for (size_t i = 0; i < end;) {
        size_t good = utf8_check(p + i, end - i);
        strbuf_add(out, p + i, good);
        i += good;
        if (i < end) {
            uint32_t c;
            i += (size_t)-utf8_decode(p + i, end - i, &c);
            strbuf_adds(out, REPLACEMENT);
        }
    }
    char tail[4];
    memcpy(tail, p + end, keep);
    strbuf_clear(wait);
    strbuf_add(wait, tail, keep);
}

/* --- replacing --- */

/* Appends p[0..n) with every `from` replaced. */
static void replace_all(strbuf *out, const char *p, size_t n, const char *from, size_t from_n, const char *to,
                        size_t to_n)
{
    const char *end = p + n, *hit;
    while (from_n && (hit = memmem(p, (size_t)(end - p), from, from_n))) {
        strbuf_add(out, p, (size_t)(hit - p));
        strbuf_add(out, to, to_n);
        p = hit + from_n;
    }
    strbuf_add(out, p, (size_t)(end - p));
}

/* What matching needs. false when memory is short. */
static bool matcher(chain_state *s)
{
    if (s->context)
        return true;
    if (!s->general)
        s->general = pattern_memory();
    if (s->general && !s->match)
        s->match = pcre2_match_data_create(4, s->general);
    if (s->match && (s->context = pcre2_match_context_create(s->general)))
        pcre2_set_match_limit(s->context, 1000000);
    return s->context != NULL;
}

static void replace_pattern(chain_state *s, const dec_step *x, const char *p, size_t n, strbuf *out)
{
    size_t start, end, done = 0;
    int more = 0;
    if (!matcher(s)) {
        s->failed = true;
        return;
    }
    pattern_iter it = {&x->pattern, s->match, s->context, p, n, 0, SIZE_MAX};
    while (n && (more = pattern_next(&it, &start, &end)) > 0) {
        strbuf_add(out, p + done, start - done);
        strbuf_add(out, x->to, x->to_len);
        done = end;
    }
    s->failed = s->failed || more < 0;
    strbuf_add(out, p + done, n - done);
}

/* The length of the longest end of p[0..n) that begins `from` without being all of it. */
static size_t match_begun(const char *p, size_t n, const char *from, size_t from_n)
{
    for (size_t k = n < from_n - 1 ? n : from_n - 1; k > 0; k--)
        if (memcmp(p + n - k, from, k) == 0)
            return k;
    return 0;
}

/* A piece of the one token. */
static void replace_piece(const flow *f, int k, const char *p, size_t n)
{
    const dec_step *x = &f->d->step[k];
    strbuf *wait = &f->s->step[k].wait, whole = {0};
    strbuf_add(wait, p, n);
    const char *text = strbuf_text(wait), *end = text + wait->len, *hit;
    while ((hit = memmem(text, (size_t)(end - text), x->from, x->from_len))) {
        strbuf_add(&whole, text, (size_t)(hit - text));
        strbuf_add(&whole, x->to, x->to_len);
        text = hit + x->from_len;
    }
    size_t keep = match_begun(text, (size_t)(end - text), x->from, x->from_len);
    strbuf_add(&whole, text, (size_t)(end - text) - keep);
    char *tail = keep ? (char *)wait->data : NULL;
    if (tail)
        memmove(tail, end - keep, keep);
    wait->len = keep;
    f->s->failed = f->s->failed || whole.failed;
    put(f, k + 1, strbuf_text(&whole), whole.len);
    strbuf_free(&whole);
}

/* What the reference takes for untidy English, in its order. */
static void tidy(chain_state *s, strbuf *text)
{
    static const char *const pairs[][2] = {
        {" .", "."},   {" ?", "?"},           {" !", "!"},   {" ,", ","},     {" ' ", "'"},   {" n't", "n't"},
        {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (!memmem(strbuf_text(text), text->len, pairs[i][0], strlen(pairs[i][0])))
            continue;
        strbuf *to = &s->scratch[1];
        strbuf_clear(to);
        replace_all(to, strbuf_text(text), text->len, pairs[i][0], strlen(pairs[i][0]), pairs[i][1],
                    strlen(pairs[i][1]));
        strbuf_clear(text);
        strbuf_add(text, strbuf_text(to), to->len);
        s->failed = s->failed || to->failed;
    }
}

/* --- steps --- */

/* The byte of a token "<0xNN>", or -1. A digit may have a plus before it, as the reference's parser allows.
 */
static int byte_token(const char *p, size_t n)
{
    if (n != 6 || memcmp(p, "<0x", 3) != 0 || p[5] != '>')
        return -1;
    int v = 0;
    for (int i = 3; i < 5; i++) {
        char c = p[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        v = v * 16 + digit;
    }
    return v;
}

/* A run of byte tokens has ended. */
static void end_run(const flow *f, int k)
{
    strbuf *wait = &f->s->step[k].wait;
    if (utf8_check(strbuf_text(wait), wait->len) == wait->len)
        put(f, k + 1, strbuf_text(wait), wait->len);
    else
        for (size_t i = 0; i < wait->len; i++)
            put(f, k + 1, REPLACEMENT, 3);
    strbuf_clear(wait);
}

static void fallback(const flow *f, int k, const char *p, size_t n)
{
    strbuf *wait = &f->s->step[k].wait;
    int byte = byte_token(p, n);
    if (byte >= 0) {
        strbuf_addc(wait, (char)byte);
        return;
    }
    if (wait->len)
        end_run(f, k);
    put(f, k + 1, p, n);
}

/* A whole token without `start` characters at its start and `stop` at its end, where they are `strip`. */
static void strip_token(const flow *f, int k, const char *p, size_t n)
{
    const dec_step *x = &f->d->step[k];
    char c[4];
    size_t len = (size_t)utf8_encode(x->strip, c);
    for (size_t i = 0; i < x->start && n >= len && memcmp(p, c, len) == 0; i++) {
        p += len;
        n -= len;
    }
    for (size_t i = 0; i < x->stop && n >= len && memcmp(p + n - len, c, len) == 0; i++)
        n -= len;
    put(f, k + 1, p, n);
}

/* Gives `count` stripped characters to the next step after all. */
static void release(const flow *f, int k, size_t count)
{
    char c[4];
    size_t len = (size_t)utf8_encode(f->d->step[k].strip, c);
    for (; count; count--)
        put(f, k + 1, c, len);
}

/* A piece of the one token: the end is not known yet. */
static void strip_piece(const flow *f, int k, const char *p, size_t n)
{
    const dec_step *x = &f->d->step[k];
    dec_state *s = &f->s->step[k];
    size_t plain = 0; /* the text from here on has not been given */
    for (size_t i = 0, len; i < n; i += len) {
        uint32_t c;
        int size = utf8_decode(p + i, n - i, &c);
        len = size > 0 ? (size_t)size : (size_t)-size;
        bool take = size > 0 && c == x->strip && !s->started && s->taken < x->start;
        bool hold = size > 0 && c == x->strip && x->stop && !take;
        s->taken += take;
        s->started = s->started || !take;
        if (!take && !hold && s->held) {
            release(f, k, s->held);
            s->held = 0;
        }
        if (take || hold) {
            if (i > plain)
                put(f, k + 1, p + plain, i - plain);
            plain = i + len;
        }
        s->held += hold;
    }
    if (n > plain)
        put(f, k + 1, p + plain, n - plain);
}

/* BPEDecoder: the token that waited was not the last, or it was. */
static void end_word(const flow *f, int k, bool last)
{
    const dec_step *x = &f->d->step[k];
    strbuf *wait = &f->s->step[k].wait, token = {0};
    replace_all(&token, strbuf_text(wait), wait->len, x->from, x->from_len, " ", last ? 0 : 1);
    strbuf_clear(wait);
    f->s->failed = f->s->failed || token.failed;
    put(f, k + 1, strbuf_text(&token), token.len);
    strbuf_free(&token);
}

/* A token of WordPiece or CTC, made tidy. */
static void put_tidy(const flow *f, int k, const char *p, size_t n)
{
    const dec_step *x = &f->d->step[k];
    dec_state *s = &f->s->step[k];
    strbuf *token = &f->s->scratch[0], delimited = {0};
    strbuf_clear(token);
    if (x->kind == DEC_CTC) {
        bool again = s->any && s->wait.len == n && memcmp(strbuf_text(&s->wait), p, n) == 0;
        if (again)
            return;
        strbuf_clear(&s->wait);
        strbuf_add(&s->wait, p, n);
        replace_all(token, p, n, x->from, x->from_len, "", 0);
    } else {
        bool joins = s->any && n >= x->from_len && memcmp(p, x->from, x->from_len) == 0;
        if (s->any && !joins)
            strbuf_addc(token, ' ');
        strbuf_add(token, p + (joins ? x->from_len : 0), n - (joins ? x->from_len : 0));
    }
    s->any = true;
    if (x->clean)
        tidy(f->s, token);
    bool delimits = x->kind == DEC_CTC && x->clean;
    replace_all(&delimited, strbuf_text(token), token->len, x->to, delimits ? x->to_len : 0, " ", 1);
    f->s->failed = f->s->failed || token->failed || delimited.failed;
    if (delimited.len || x->kind != DEC_CTC)
        put(f, k + 1, strbuf_text(&delimited), delimited.len);
    strbuf_free(&delimited);
}

/* A whole token with replacements. */
static void replace_token(const flow *f, int k, const char *p, size_t n)
{
    const dec_step *x = &f->d->step[k];
    dec_state *s = &f->s->step[k];
    strbuf token = {0};
    if (x->from && !memmem(p, n, x->from, x->from_len)) {
        s->any = true;
        put(f, k + 1, p, n);
        return;
    }
    if (x->from)
        replace_all(&token, p, n, x->from, x->from_len, x->to, x->drop_first && !s->any ? 0 : x->to_len);
    else
        replace_pattern(f->s, x, p, n, &token);
    s->any = true;
    f->s->failed = f->s->failed || token.failed;
    put(f, k + 1, strbuf_text(&token), token.len);
    strbuf_free(&token);
}

static void put_level(const flow *f, int k, const char *p, size_t n)
{
    strbuf bytes = {0}, text = {0};
    bytelevel_decode(&bytes, p, n);
    decode_bytes(&f->s->step[k].wait, &text, strbuf_text(&bytes), bytes.len);
    f->s->failed = f->s->failed || bytes.failed || text.failed;
    put(f, k + 1, strbuf_text(&text), text.len);
    strbuf_free(&bytes);
    strbuf_free(&text);
}

static void put_suffixed(const flow *f, int k, const char *p, size_t n)
{
    dec_state *s = &f->s->step[k];
    if (s->last)
        end_word(f, k, false);
    s->last = true;
    strbuf_add(&s->wait, p, n);
}

/* Gives a token, or a piece of the one token, to step k. */
static void put(const flow *f, int k, const char *p, size_t n)
{
    if (k == f->d->n) {
        strbuf_add(f->out, p, n);
        return;
    }
    const dec_step *x = &f->d->step[k];
    switch (x->kind) {
    case DEC_REPLACE:
    case DEC_METASPACE:
        x->one ? replace_piece(f, k, p, n) : replace_token(f, k, p, n);
        break;
    case DEC_FALLBACK:
        fallback(f, k, p, n);
        break;
    case DEC_FUSE:
        put(f, k + 1, p, n);
        break;
    case DEC_STRIP:
        x->one ? strip_piece(f, k, p, n) : strip_token(f, k, p, n);
        break;
    case DEC_BYTES:
        put_level(f, k, p, n);
        break;
    case DEC_WORDPIECE:
    case DEC_CTC:
        put_tidy(f, k, p, n);
        break;
    case DEC_SUFFIX:
        put_suffixed(f, k, p, n);
        break;
    case DEC_GATHER:
        strbuf_add(&f->s->step[k].wait, p, n);
        break;
    }
}

/* What step k kept goes on. */
static void finish(const flow *f, int k)
{
    const dec_step *x = &f->d->step[k];
    dec_state *s = &f->s->step[k];
    if (x->kind == DEC_FALLBACK && s->wait.len)
        end_run(f, k);
    else if (x->kind == DEC_STRIP && s->held > x->stop)
        release(f, k, s->held - x->stop);
    else if (x->kind == DEC_BYTES && s->wait.len)
        put(f, k + 1, REPLACEMENT, 3);
    else if (x->kind == DEC_SUFFIX && s->last)
        end_word(f, k, true);
    else if (x->kind == DEC_GATHER || (x->kind == DEC_REPLACE && s->wait.len))
        put(f, k + 1, strbuf_text(&s->wait), s->wait.len);
    strbuf_clear(&s->wait);
    s->taken = s->held = 0;
    s->any = s->started = s->last = false;
}

static void note_failures(const decoder *d, chain_state *s)
{
    for (int k = 0; k < d->n; k++)
        s->failed = s->failed || s->step[k].wait.failed;
}

void decode_put(const decoder *d, chain_state *s, const char *p, size_t n, strbuf *out)
{
    put(&(flow){d, s, out}, 0, p, n);
    note_failures(d, s);
}

void decode_end(const decoder *d, chain_state *s, strbuf *out)
{
    for (int k = 0; k < d->n; k++)
        finish(&(flow){d, s, out}, k);
    note_failures(d, s);
}

void decode_free(const decoder *d, chain_state *s)
{
    for (int k = 0; k < d->n; k++)
        strbuf_free(&s->step[k].wait);
    strbuf_free(&s->scratch[0]);
    strbuf_free(&s->scratch[1]);
    pcre2_match_data_free(s->match);
    pcre2_match_context_free(s->context);
    pcre2_general_context_free(s->general);
}
