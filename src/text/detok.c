/* Ids back to text, one id at a time; tokenizer_decode is the same code run over all ids at once, so that
 * both agree by construction.
 *
 * Bytes: tokens add bytes, whole characters leave; at most three bytes wait. Chains of decoders, which have a
 * memory of their own, are in decode_steps.c. */
#include "text/tokenizer_parts.h"

#include "base/mem.h"
#include "base/utf8.h"

#define REPLACEMENT "\xEF\xBF\xBD"

struct detok {
    const tokenizer *t;
    bool skip_special, any;
    strbuf wait; /* bytes of an unfinished character */
    strbuf out;  /* what the last call gave */
    chain_state chain;
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
    decode_free(&d->t->decoder, &d->chain);
    mem_free(d);
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
        decode_bytes(&d->wait, &d->out, p, n);
    } else if (t->decoder.kind == DECODE_CHAIN) {
        decode_put(&t->decoder, &d->chain, p, n, &d->out);
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
    if (d->t->decoder.kind == DECODE_CHAIN)
        decode_end(&d->t->decoder, &d->chain, &d->out);
    else if (d->wait.len)
        strbuf_adds(&d->out, REPLACEMENT);
    strbuf_clear(&d->wait);
    d->any = false;
}

/* Hands d->out over to the caller of detok_add or detok_finish. */
static int give(detok *d, const char **text, size_t *len)
{
    *text = strbuf_text(&d->out);
    *len = d->out.len;
    return d->out.failed || d->wait.failed || d->chain.failed ? -1 : 0;
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
    char *text = d.wait.failed || d.chain.failed ? NULL : strbuf_take(&d.out);
    decode_free(&t->decoder, &d.chain);
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
