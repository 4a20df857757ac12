/* Reads the decoder: the steps from tokens to text, in any order. */
#include "text/load_steps.h"

#include "base/mem.h"

#include <string.h>

/* Does a step give one token, piece by piece? */
static bool gives_one(const dec_step *s)
{
    return s->kind == DEC_FUSE || s->kind == DEC_BYTES || s->kind == DEC_GATHER ||
           (s->one && (s->kind == DEC_STRIP || s->kind == DEC_REPLACE));
}

static dec_step *append(tokenizer *t, jr *r, dec_kind kind)
{
    decoder *d = &t->decoder;
    if (d->n == MAX_DEC_STEPS) {
        jr_error(r, "more than %d decoders", MAX_DEC_STEPS);
        return NULL;
    }
    dec_step *s = &d->step[d->n++];
    *s = (dec_step){.kind = kind, .one = d->n > 1 && gives_one(s - 1)};
    return s;
}

/* Behind a step that gives one token in pieces, most steps must wait for all of it. */
static dec_step *new_step(tokenizer *t, jr *r, int kind)
{
    const decoder *d = &t->decoder;
    bool one = d->n && gives_one(&d->step[d->n - 1]);
    bool whole = kind != DEC_STRIP && kind != DEC_FUSE && kind != DEC_REPLACE;
    if (one && whole && (d->step[d->n - 1].kind != DEC_GATHER && !append(t, r, DEC_GATHER)))
        return NULL;
    dec_step *s = append(t, r, (dec_kind)kind);
    if (s && whole)
        s->one = false;
    return s;
}

static int decode_plain(tokenizer *t, jr *r, int kind) { return new_step(t, r, kind) ? 0 : -1; }

static int decode_replace(tokenizer *t, jr *r, int kind)
{
    dec_step *s = new_step(t, r, kind);
    if (!s || load_pattern(r, &s->from, &s->from_len, &s->pattern))
        return -1;
    if (!s->from && s->one) { /* a pattern needs the whole token: this step becomes the gathering */
        pattern p = s->pattern;
        *s = (dec_step){.kind = DEC_GATHER, .one = true};
        if (!(s = append(t, r, DEC_REPLACE))) {
            pattern_free(&p);
            return -1;
        }
        s->one = false;
        s->pattern = p;
    }
    return (s->to = load_string(r, "content", &s->to_len)) ? 0 : -1;
}

static int decode_strip(tokenizer *t, jr *r, int kind)
{
    size_t n;
    int64_t start, stop;
    dec_step *s = new_step(t, r, kind);
    if (!s || load_int(r, "start", 1000, &start) || load_int(r, "stop", 1000, &stop))
        return -1;
    s->start = (size_t)start;
    s->stop = (size_t)stop;
    char *c = load_char(r, "content", &n, &s->strip);
    mem_free(c);
    return c ? 0 : -1;
}

static int decode_metaspace(tokenizer *t, jr *r, int kind)
{
    uint32_t c;
    prepend_scheme prepend;
    dec_step *s = new_step(t, r, kind);
    if (!s || load_prepend(r, &prepend) || !(s->from = load_char(r, "replacement", &s->from_len, &c)))
        return -1;
    s->drop_first = prepend != PREPEND_NEVER;
    s->to_len = 1;
    return (s->to = mem_strdup(" ")) ? 0 : -1;
}

static int decode_wordpiece(tokenizer *t, jr *r, int kind)
{
    dec_step *s = new_step(t, r, kind);
    return s && (s->from = load_string(r, "prefix", &s->from_len)) ? load_bool(r, "cleanup", true, &s->clean)
                                                                   : -1;
}

static int decode_suffix(tokenizer *t, jr *r, int kind)
{
    dec_step *s = new_step(t, r, kind);
    return s && (s->from = load_string(r, "suffix", &s->from_len)) ? 0 : -1;
}

static int decode_ctc(tokenizer *t, jr *r, int kind)
{
    dec_step *s = new_step(t, r, kind);
    if (!s || !(s->from = load_string(r, "pad_token", &s->from_len)) ||
        !(s->to = load_string(r, "word_delimiter_token", &s->to_len)))
        return -1;
    return load_bool(r, "cleanup", true, &s->clean);
}

int load_decoder(tokenizer *t, jr *r)
{
    static const step_type types[] = {{"ByteLevel", decode_plain, DEC_BYTES},
                                      {"Replace", decode_replace, DEC_REPLACE},
                                      {"Metaspace", decode_metaspace, DEC_METASPACE},
                                      {"ByteFallback", decode_plain, DEC_FALLBACK},
                                      {"Fuse", decode_plain, DEC_FUSE},
                                      {"Strip", decode_strip, DEC_STRIP},
                                      {"WordPiece", decode_wordpiece, DEC_WORDPIECE},
                                      {"BPEDecoder", decode_suffix, DEC_SUFFIX},
                                      {"CTC", decode_ctc, DEC_CTC},
                                      {NULL, NULL, 0}};
    static const part_type part = {"decoder", "decoders", types};
    decoder *d = &t->decoder;
    if (jr_null(r))
        return 0;
    if (load_part(t, r, &part))
        return -1;
    d->kind = d->n == 1 && d->step[0].kind == DEC_BYTES ? DECODE_BYTES : DECODE_CHAIN;
    return 0;
}
