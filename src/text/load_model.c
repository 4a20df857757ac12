/* Reads the "model" of tokenizer.json: its vocabulary, its merges or scores, and its settings. This is nearly
 * all of the file, so it is read straight into the tables. */
#include "text/tokenizer_parts.h"

#include "base/mem.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_A_TOKEN 32 /* of the file, at least: room is made by this guess and grows if it is wrong */

static int load_vocab(tokenizer *t, jr *r, size_t limit)
{
    jr_text key;
    int64_t id;
    size_t count = 0;
    if (jr_object(r))
        return -1;
    for (; jr_key(r, &key); count++) {
        if (jr_int(r, 0, (int64_t)limit - 1, &id))
            return -1;
        int status = vocab_append(&t->vocab, key.p, key.n, (int)id);
        if (status)
            return status < 0 ? -1
                              : jr_error(r, "the vocabulary gives the id %lld to two tokens", (long long)id);
    }
    return r->failed ? -1 : vocab_index(&t->vocab, count);
}

/* The value of a number as the reference's parser rounds it: its digits as a whole number of 64 bits (those
 * that do not fit are left out), then one multiplication or division by a power of ten. The last bit can
 * differ from the nearest double, and such bits decide between ways of equal score. */
static double rounded(const char *p, const char *end)
{
    uint64_t digits = 0;
    long power = 0;
    bool negative = *p == '-', fraction = false, full = false;
    for (p += negative; p < end && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.') {
            fraction = true;
            continue;
        }
        unsigned d = (unsigned)(*p - '0');
        full = full || digits > (UINT64_MAX - d) / 10;
        if (!full)
            digits = digits * 10 + d;
        power += fraction ? (full ? 0 : -1) : full;
    }
    if (p < end)
        power += strtol(p + 1, NULL, 10);
    double x = (double)digits, scale = pow(10, (double)(power < 0 ? -power : power));
    x = x == 0 ? 0 : power < 0 ? x / scale : x * scale;
    return negative ? -x : x;
}

/* A number, which must be finite. */
static int load_score(jr *r, double *score)
{
    jr number;
    char text[64];
    if (jr_peek(r) != JR_NUMBER)
        return jr_error(r, "a score must be a number");
    if (jr_span(r, &number))
        return -1;
    size_t n = (size_t)(number.end - number.p);
    if (n >= sizeof text)
        return jr_error(r, "a score of %zu digits", n);
    memcpy(text, number.p, n);
    text[n] = 0;
    *score = rounded(text, text + n);
    return isfinite(*score) ? 0 : jr_error(r, "a score that is too large");
}

int load_pieces(tokenizer *t, jr *r, size_t limit)
{
    jr_text text;
    unigram *u = &t->unigram;
    jr_array(r);
    for (; jr_item(r); u->n++) {
        if (u->n == limit)
            return jr_error(r, "more than %zu tokens", limit);
        double *scores = mem_grow(u->scores, &u->cap, u->n + 1, sizeof *scores);
        if (!scores)
            return -1;
        u->scores = scores;
        if (jr_array(r) || !jr_item(r) || jr_string(r, &text) ||
            vocab_append(&t->vocab, text.p, text.n, (int)u->n))
            return jr_error(r, "a token must be a text and its score");
        if (!jr_item(r) || load_score(r, &scores[u->n]) || jr_item(r))
            return jr_error(r, "a token must be a text and its score");
    }
    return r->failed ? -1 : vocab_index(&t->vocab, u->n);
}

/* Merges that were read and wait to be looked up together. Of each merge the spans are its left part, its
 * right part and both joined; their bytes are in `text`. */
#define BATCH (VOCAB_MANY / 3)
typedef struct batch {
    strbuf text;
    token_text spans[VOCAB_MANY];
    const char *where[BATCH]; /* in the file, for messages */
    size_t n, rank;           /* merges waiting; rank of the first one */
} batch;

/* Looks the waiting merges up and enters them. */
static int flush(tokenizer *t, jr *r, batch *b)
{
    int ids[VOCAB_MANY];
    if (b->n && t->vocab.count == 0)
        return jr_error(r, "merges without a vocabulary");
    vocab_find_many(&t->vocab, b->text.data, b->spans, 3 * b->n, ids);
    for (size_t i = 0; i < 3 * b->n; i++) {
        if (ids[i] >= 0)
            continue;
        r->p = b->where[i / 3];
        token_text s = b->spans[i];
        return jr_error(r, "a merge has \"%.*s\", which is not in the vocabulary",
                        (int)(s.len < 80 ? s.len : 80), b->text.data + s.at);
    }
    for (size_t i = 0; i < b->n; i++)
        if (bpe_add(&t->bpe, ids[3 * i], ids[3 * i + 1], b->rank + i, ids[3 * i + 2]))
            return -1;
    b->rank += b->n;
    b->n = 0;
    strbuf_clear(&b->text);
    return 0;
}

/* Adds a merge to the batch. Its left part is the last `left` bytes of the batch's text. */
static int add_merge(tokenizer *t, jr *r, batch *b, size_t left, jr_text right)
{
    size_t prefix = t->bpe.prefix ? strlen(t->bpe.prefix) : 0, at = b->text.len - left;
    if (left == 0 || right.n <= prefix)
        return jr_error(r, "a merge with an empty part");
    size_t joined = left + right.n - prefix, right_at = at + left;
    strbuf_add(&b->text, right.p + prefix, right.n - prefix);
    if (prefix) { /* the right part is looked up with its prefix, and joined without */
        right_at = b->text.len;
        strbuf_add(&b->text, right.p, right.n);
    }
    if (b->text.failed)
        return -1;
    if (b->text.len >= UINT32_MAX)
        return jr_error(r, "a merge that is too long");
    token_text *s = b->spans + 3 * b->n;
    s[0] = (token_text){(uint32_t)at, (uint32_t)left};
    s[1] = (token_text){(uint32_t)right_at, (uint32_t)right.n};
    s[2] = (token_text){(uint32_t)at, (uint32_t)joined};
    b->where[b->n++] = r->p;
    return b->n == BATCH ? flush(t, r, b) : 0;
}

/* A merge as "left right". */
static int merge_string(tokenizer *t, jr *r, batch *b)
{
    jr_text s;
    if (jr_string(r, &s))
        return -1;
    if (s.n >= 8 && memcmp(s.p, "#version", 8) == 0)
        return 0;
    const char *space = memchr(s.p, ' ', s.n);
    if (!space || memchr(space + 1, ' ', (size_t)(s.p + s.n - space - 1)))
        return jr_error(r, "a merge must be two tokens with one space between");
    size_t left = (size_t)(space - s.p);
    strbuf_add(&b->text, s.p, left);
    return add_merge(t, r, b, left, (jr_text){space + 1, s.n - left - 1});
}

/* A merge as ["left", "right"]. */
static int merge_pair(tokenizer *t, jr *r, batch *b)
{
    jr_text s;
    if (jr_array(r) || !jr_item(r) || jr_string(r, &s))
        return jr_error(r, "a merge must be two tokens");
    size_t left = s.n;
    strbuf_add(&b->text, s.p, left);
    if (!jr_item(r) || jr_string(r, &s))
        return jr_error(r, "a merge must be two tokens");
    if (add_merge(t, r, b, left, s))
        return -1;
    return jr_item(r) ? jr_error(r, "a merge must be two tokens") : 0;
}

static int load_merges(tokenizer *t, jr *r)
{
    batch *b = mem_calloc(1, sizeof *b);
    int status =
        !b || bpe_reserve(&t->bpe, (size_t)(r->end - r->p) / BYTES_A_TOKEN / 2) || jr_array(r) ? -1 : 0;
    while (!status && jr_item(r))
        status = jr_peek(r) == JR_ARRAY ? merge_pair(t, r, b) : merge_string(t, r, b);
    if (!status && !r->failed)
        status = flush(t, r, b);
    if (b)
        strbuf_free(&b->text);
    mem_free(b);
    return status || r->failed ? -1 : 0;
}

/* A string or null, into *out. */
static int optional_string(jr *r, char **out)
{
    jr_text s = {"", 0};
    bool null = jr_null(r);
    if (!null && jr_string(r, &s))
        return -1;
    if (memchr(s.p, 0, s.n) || s.n > MAX_TEXT)
        return jr_error(r, "a setting with a NUL or of more than %d bytes", MAX_TEXT);
    mem_free(*out);
    *out = null ? NULL : mem_strndup(s.p, s.n);
    return null || *out ? 0 : -1;
}

/* true, false, or null for false. */
static int optional_bool(jr *r, bool *out)
{
    *out = false;
    return jr_null(r) ? 0 : jr_bool(r, out);
}

/* What was met in the model, in whatever order. */
typedef struct model_parts {
    jr merges; /* stands at the merges */
    bool has_vocab, has_merges, read_merges, scored;
} model_parts;

/* Reads the merges at once if the vocabulary is known, which saves passing over them twice. */
static int meet_merges(tokenizer *t, jr *r, model_parts *s)
{
    if (s->has_merges)
        return jr_error(r, "a second list of merges");
    s->has_merges = true;
    if (!s->has_vocab)
        return jr_span(r, &s->merges);
    s->read_merges = true;
    return load_merges(t, r);
}

/* The prefix changes what merges mean: one that comes behind them is refused unless it is empty. */
static int load_prefix(tokenizer *t, jr *r, const model_parts *s)
{
    if (optional_string(r, &t->bpe.prefix))
        return -1;
    if (t->bpe.prefix && *t->bpe.prefix && s->read_merges)
        return jr_error(r, "continuing_subword_prefix must come before the merges");
    return 0;
}

static int load_type(tokenizer *t, jr *r)
{
    static const char *const names[] = {[MODEL_BPE] = "BPE",
                                        [MODEL_UNIGRAM] = "Unigram",
                                        [MODEL_WORDPIECE] = "WordPiece",
                                        [MODEL_WORDLEVEL] = "WordLevel"};
    jr_text type;
    if (jr_string(r, &type))
        return -1;
    for (int i = 0; i <= MODEL_WORDLEVEL; i++) {
        if (!jr_is(type, names[i]))
            continue;
        t->model = (model_kind)i;
        return 0;
    }
    return jr_error(r, "the tokenizer model \"%.*s\" is not supported", (int)(type.n < 40 ? type.n : 40),
                    type.p);
}

static int model_key(tokenizer *t, jr *r, jr_text key, model_parts *s, size_t limit)
{
    if (jr_is(key, "type"))
        return load_type(t, r);
    if (jr_is(key, "dropout"))
        return jr_null(r) ? 0 : jr_error(r, "BPE dropout is not supported");
    if (jr_is(key, "unk_token"))
        return optional_string(r, &t->bpe.unk_name);
    if (jr_is(key, "continuing_subword_prefix"))
        return load_prefix(t, r, s);
    if (jr_is(key, "end_of_word_suffix"))
        return optional_string(r, &t->bpe.suffix);
    if (jr_is(key, "fuse_unk"))
        return optional_bool(r, &t->bpe.fuse_unk);
    if (jr_is(key, "byte_fallback"))
        return optional_bool(r, &t->bpe.byte_fallback);
    if (jr_is(key, "ignore_merges"))
        return optional_bool(r, &t->bpe.ignore_merges);
    if (jr_is(key, "vocab")) {
        if (s->has_vocab)
            return jr_error(r, "a second vocabulary");
        s->has_vocab = true;
        s->scored = jr_peek(r) == JR_ARRAY;
        return s->scored ? load_pieces(t, r, limit) : load_vocab(t, r, limit);
    }
    if (jr_is(key, "merges"))
        return meet_merges(t, r, s);
    if (jr_is(key, "unk_id"))
        return jr_null(r) ? 0 : jr_int(r, 0, (int64_t)limit - 1, &t->unigram.unk);
    if (jr_is(key, "max_input_chars_per_word"))
        return jr_int(r, 0, INT_MAX, &t->word_chars);
    return jr_skip(r);
}

/* The tables of a model that is not BPE. */
static int prepare(tokenizer *t, jr *r)
{
    vocab *v = &t->vocab;
    for (size_t id = 0; id < v->ids; id++)
        if (v->text[id].len != TOKEN_NONE && v->text[id].len > t->longest)
            t->longest = v->text[id].len;
    if (t->model != MODEL_UNIGRAM)
        return 0;
    if (t->unigram.unk >= (int64_t)v->ids)
        return jr_error(r, "the unk_id %lld is beyond the vocabulary", (long long)t->unigram.unk);
    return unigram_prepare(&t->unigram, v);
}

/* What the model needs is there, and the rest gets its defaults. */
static int complete(tokenizer *t, jr *r, const model_parts *s)
{
    static const char *const prefix[] = {"", "", "##", ""}; /* by model_kind */
    if (!s->has_vocab)
        return jr_error(r, "the model has no vocabulary");
    if (t->model == MODEL_BPE && !s->has_merges)
        return jr_error(r, "the model has no merges");
    if (s->scored != (t->model == MODEL_UNIGRAM))
        return jr_error(r, "a vocabulary %s scores does not go with this type of model",
                        s->scored ? "with" : "without");
    if (!t->bpe.suffix && !(t->bpe.suffix = mem_strdup("")))
        return -1;
    if (!t->bpe.prefix && !(t->bpe.prefix = mem_strdup(prefix[t->model])))
        return -1;
    return 0;
}

int load_model(tokenizer *t, jr *r, size_t limit)
{
    jr_text key;
    model_parts s = {0};
    t->unigram.unk = -1;
    t->word_chars = 100;
    int status = jr_object(r);
    while (!status && jr_key(r, &key))
        status = model_key(t, r, key, &s, limit);
    status = r->failed ? -1 : status;
    if (!status)
        status = complete(t, r, &s);
    if (!status && t->model == MODEL_BPE && !s.read_merges)
        status = load_merges(t, &s.merges);
    if (!status && t->model != MODEL_BPE)
        status = prepare(t, r);
    if (!status)
        bpe_prepare(&t->bpe, &t->vocab);
    jr_close(&s.merges);
    return status;
}
