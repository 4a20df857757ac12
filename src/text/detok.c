/* Ids back to text, one id at a time; tokenizer_decode is the same code run over all ids at once, so that
 * both agree by construction.
 *
 * Bytes: tokens add bytes, whole characters leave; at most three bytes wait. Chains (SentencePiece style):
 * a run of <0xNN> tokens waits until it ends, for it becomes text only if all of it is valid UTF-8 and one
 * U+FFFD a byte otherwise; characters that the strip at the end may take wait too. */
#include "text/tokenizer_parts.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <string.h>

#define REPLACEMENT "\xEF\xBF\xBD"

struct detok {
    const tokenizer *t;
    bool skip_special, any;
    strbuf wait;     /* bytes of an unfinished character, or of a run of byte tokens */
    strbuf out;      /* what the last call gave */
    size_t stripped; /* how many characters were taken from the start */
    bool start_done; /* nothing more is taken there */
    size_t held;     /* characters at the end that may yet be stripped */
};

detok *detok_new(const tokenizer *t, bool skip_special)
{
    detok *d = mem_calloc(1, sizeof *d);
    if (d) {
        d->t = t;
        d->skip_special = skip_special;
    }
    return d;
}

void detok_free(detok *d)
{
    if (!d)
        return;
    strbuf_free(&d->wait);
    strbuf_free(&d->out);
    mem_free(d);
}

/* Adds bytes that may be anything; `wait` keeps the start of an unfinished character. */
static void put_bytes(detok *d, const char *p, size_t n)
{
    if (d->wait.len) {
        strbuf_add(&d->wait, p, n);
        p = strbuf_text(&d->wait);
        n = d->wait.len;
    }
    size_t keep = utf8_pending(p, n), end = n - keep;
    for (size_t i = 0; i < end;) {
        size_t good = utf8_check(p + i, end - i);
        strbuf_add(&d->out, p + i, good);
        i += good;
        if (i < end) {
            uint32_t c;
            i += (size_t)-utf8_decode(p + i, end - i, &c);
            strbuf_adds(&d->out, REPLACEMENT);
        }
    }
    char tail[4];
    memcpy(tail, p + end, keep);
    strbuf_clear(&d->wait);
    strbuf_add(&d->wait, tail, keep);
}

/* Puts the held characters out: they are not at the end after all. */
static void release(detok *d)
{
    char utf8[4];
    size_t n = (size_t)utf8_encode(d->t->decoder.strip, utf8);
    for (; d->held; d->held--)
        strbuf_add(&d->out, utf8, n);
}

/* Adds text of a chain through the strip at both ends. */
static void put_text(detok *d, const char *p, size_t n)
{
    const decoder *k = &d->t->decoder;
    if (!k->strip_start && !k->strip_stop) {
        strbuf_add(&d->out, p, n);
        return;
    }
    for (size_t i = 0; i < n;) {
        uint32_t c;
        size_t len = (size_t)utf8_decode(p + i, n - i, &c);
        if (!d->start_done && c == k->strip && d->stripped < k->strip_start) {
            d->stripped++;
        } else {
            d->start_done = true;
            if (c == k->strip && k->strip_stop) {
                d->held++;
            } else {
                release(d);
                strbuf_add(&d->out, p + i, len);
            }
        }
        i += len;
    }
}

/* A run of byte tokens has ended. */
static void end_run(detok *d)
{
    if (utf8_check(strbuf_text(&d->wait), d->wait.len) == d->wait.len)
        put_text(d, strbuf_text(&d->wait), d->wait.len);
    else
        for (size_t i = 0; i < d->wait.len; i++)
            put_text(d, REPLACEMENT, 3);
    strbuf_clear(&d->wait);
}

/* The byte of a token "<0xNN>", or -1. */
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

/* Adds one token's text with the replacements made. */
static void put_replaced(detok *d, const char *p, size_t n)
{
    const decoder *k = &d->t->decoder;
    bool drop = k->drop_first && !d->any;
    const char *end = p + n, *hit;
    while (k->from && (hit = memmem(p, (size_t)(end - p), k->from, k->from_len))) {
        put_text(d, p, (size_t)(hit - p));
        if (!drop)
            put_text(d, k->to, k->to_len);
        p = hit + k->from_len;
    }
    put_text(d, p, (size_t)(end - p));
}

static void put_chain(detok *d, const char *p, size_t n)
{
    const decoder *k = &d->t->decoder;
    int byte = k->byte_fallback ? byte_token(p, n) : -1;
    if (byte >= 0) {
        strbuf_addc(&d->wait, (char)byte);
        return;
    }
    if (d->wait.len)
        end_run(d);
    put_replaced(d, p, n);
}

/* Adds one id to d->out. */
static void put_id(detok *d, int id)
{
    const tokenizer *t = d->t;
    size_t n;
    const char *p = tokenizer_token_text(t, id, &n);
    if (!p || (d->skip_special && t->special[id]))
        return;
    if (t->decoder.kind == DECODE_BYTES) {
        put_bytes(d, p, n);
    } else if (t->decoder.kind == DECODE_CHAIN) {
        put_chain(d, p, n);
    } else {
        if (d->any)
            strbuf_addc(&d->out, ' ');
        strbuf_add(&d->out, p, n);
    }
    d->any = true;
}

/* Puts out what still waits, and forgets the text. */
static void put_rest(detok *d)
{
    if (d->t->decoder.kind == DECODE_CHAIN) {
        if (d->wait.len)
            end_run(d);
        size_t stop = d->t->decoder.strip_stop;
        d->held = d->held > stop ? d->held - stop : 0;
        release(d);
    } else if (d->wait.len) {
        strbuf_adds(&d->out, REPLACEMENT);
    }
    strbuf_clear(&d->wait);
    d->stripped = 0;
    d->start_done = d->any = false;
}

/* Hands d->out over to the caller of detok_add or detok_finish. */
static int give(detok *d, const char **text, size_t *len)
{
    *text = strbuf_text(&d->out);
    *len = d->out.len;
    return d->out.failed || d->wait.failed ? -1 : 0;
}

int detok_add(detok *d, int id, const char **text, size_t *len)
{
    strbuf_clear(&d->out);
    put_id(d, id);
    return give(d, text, len);
}

int detok_finish(detok *d, const char **text, size_t *len)
{
    strbuf_clear(&d->out);
    put_rest(d);
    return give(d, text, len);
}

char *tokenizer_decode(const tokenizer *t, const int *ids, size_t n, bool skip_special, size_t *len)
{
    detok d = {.t = t, .skip_special = skip_special};
    for (size_t i = 0; i < n; i++)
        put_id(&d, ids[i]);
    put_rest(&d);
    if (len)
        *len = d.out.len;
    char *text = d.wait.failed ? NULL : strbuf_take(&d.out);
    strbuf_free(&d.wait);
    strbuf_free(&d.out);
    return text;
}

/* --- single tokens --- */

int tokenizer_vocab_size(const tokenizer *t) { return (int)t->vocab.ids; }

int tokenizer_token_id(const tokenizer *t, const char *text, size_t len)
{
    return vocab_find(&t->vocab, text, len);
}

const char *tokenizer_token_text(const tokenizer *t, int id, size_t *len)
{
    if (id < 0 || (size_t)id >= t->vocab.ids || t->token_bytes[id].len == TOKEN_NONE)
        return NULL;
    if (len)
        *len = t->token_bytes[id].len;
    return strbuf_text(&t->bytes) + t->token_bytes[id].at;
}

bool tokenizer_is_special(const tokenizer *t, int id)
{
    return id >= 0 && (size_t)id < t->vocab.ids && t->special[id];
}
