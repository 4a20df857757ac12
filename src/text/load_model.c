/* Reads the "model" of tokenizer.json: a byte-pair encoding with its vocabulary and merges. This is nearly
 * all of the file, so it is read straight into the tables. */
#include "text/tokenizer_parts.h"

#include "base/mem.h"

#include <string.h>

#define BYTES_A_TOKEN 32 /* of the file, at least: room is made by this guess and grows if it is wrong */

static int load_vocab(tokenizer *t, jr *r, size_t limit)
{
    jr_text key;
    int64_t id;
    if (jr_peek(r) != JR_OBJECT)
        return jr_error(r, "the vocabulary is not an object: only BPE models are supported");
    if (vocab_reserve(&t->vocab, (size_t)(r->end - r->p) / BYTES_A_TOKEN / 2))
        return -1;
    jr_object(r);
    while (jr_key(r, &key)) {
        if (jr_int(r, 0, (int64_t)limit - 1, &id))
            return -1;
        int status = vocab_add(&t->vocab, key.p, key.n, (int)id);
        if (status < 0)
            return -1;
        if (status > 0)
            return jr_error(r, "the vocabulary has the token \"%.*s\" or the id %lld twice",
                            (int)(key.n < 80 ? key.n : 80), key.p, (long long)id);
    }
    return r->failed ? -1 : 0;
}

/* Looks a part of a merge up. */
static int part(tokenizer *t, jr *r, jr_text s)
{
    int id = vocab_find(&t->vocab, s.p, s.n);
    if (id < 0)
        jr_error(r, "the merge part \"%.*s\" is not in the vocabulary", (int)(s.n < 80 ? s.n : 80), s.p);
    return id;
}

/* Enters the merge of two spellings; `a` was looked up already, its text is the start of `joined`. */
static int add_merge(tokenizer *t, jr *r, strbuf *joined, int a, jr_text b, size_t rank)
{
    size_t prefix = t->bpe.prefix ? strlen(t->bpe.prefix) : 0;
    int right = part(t, r, b);
    if (a < 0 || right < 0)
        return -1;
    if (b.n < prefix || joined->len == 0 || b.n == prefix)
        return jr_error(r, "a merge with an empty part");
    strbuf_add(joined, b.p + prefix, b.n - prefix);
    if (joined->failed)
        return -1;
    int id = part(t, r, (jr_text){joined->data, joined->len});
    return id < 0 ? -1 : bpe_add(&t->bpe, a, right, rank, id);
}

/* A merge as "left right". */
static int merge_string(tokenizer *t, jr *r, strbuf *joined, size_t *rank)
{
    jr_text s;
    if (jr_string(r, &s))
        return -1;
    if (s.n >= 8 && memcmp(s.p, "#version", 8) == 0)
        return 0;
    const char *space = memchr(s.p, ' ', s.n);
    if (!space || memchr(space + 1, ' ', (size_t)(s.p + s.n - space - 1)))
        return jr_error(r, "a merge must be two tokens with one space between");
    jr_text a = {s.p, (size_t)(space - s.p)}, b = {space + 1, s.n - a.n - 1};
    strbuf_clear(joined);
    strbuf_add(joined, a.p, a.n);
    return add_merge(t, r, joined, part(t, r, a), b, (*rank)++);
}

/* A merge as ["left", "right"]. */
static int merge_pair(tokenizer *t, jr *r, strbuf *joined, size_t *rank)
{
    jr_text s;
    strbuf_clear(joined);
    if (jr_array(r) || !jr_item(r) || jr_string(r, &s))
        return jr_error(r, "a merge must be two tokens");
    strbuf_add(joined, s.p, s.n);
    int a = part(t, r, s);
    if (a < 0)
        return -1;
    if (!jr_item(r) || jr_string(r, &s))
        return jr_error(r, "a merge must be two tokens");
    if (add_merge(t, r, joined, a, s, (*rank)++))
        return -1;
    return jr_item(r) ? jr_error(r, "a merge must be two tokens") : 0;
}

static int load_merges(tokenizer *t, jr *r)
{
    strbuf joined = {0};
    size_t rank = 0;
    int status = jr_array(r);
    while (!status && jr_item(r)) {
        if (rank == 0)
            status = bpe_reserve(&t->bpe, (size_t)(r->end - r->p) / BYTES_A_TOKEN / 2);
        if (!status)
            status = jr_peek(r) == JR_ARRAY ? merge_pair(t, r, &joined, &rank)
                                            : merge_string(t, r, &joined, &rank);
    }
    strbuf_free(&joined);
    return status || r->failed ? -1 : 0;
}

/* A string or null, into *out. */
static int optional_string(jr *r, char **out)
{
    jr_text s = {"", 0};
    bool null = jr_null(r);
    if (!null && jr_string(r, &s))
        return -1;
    if (memchr(s.p, 0, s.n))
        return jr_error(r, "a NUL in a setting");
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
    bool has_vocab, has_merges, read_merges;
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

static int model_key(tokenizer *t, jr *r, jr_text key, model_parts *s, size_t limit)
{
    jr_text type;
    if (jr_is(key, "type")) {
        if (jr_string(r, &type))
            return -1;
        return jr_is(type, "BPE") ? 0
                                  : jr_error(r, "the tokenizer model \"%.*s\" is not supported, only BPE is",
                                             (int)(type.n < 40 ? type.n : 40), type.p);
    }
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
        return load_vocab(t, r, limit);
    }
    if (jr_is(key, "merges"))
        return meet_merges(t, r, s);
    return jr_skip(r);
}

int load_model(tokenizer *t, jr *r, size_t limit)
{
    jr_text key;
    model_parts s = {0};
    int status = jr_object(r);
    while (!status && jr_key(r, &key))
        status = model_key(t, r, key, &s, limit);
    if (!status && !r->failed && (!s.has_vocab || !s.has_merges))
        status = jr_error(r, "the model has no %s", s.has_vocab ? "merges" : "vocabulary");
    if (!status && !t->bpe.suffix && !(t->bpe.suffix = mem_strdup("")))
        status = -1;
    if (!status && !t->bpe.prefix && !(t->bpe.prefix = mem_strdup("")))
        status = -1;
    if (!status && !s.read_merges)
        status = load_merges(t, &s.merges);
    if (!status && !r->failed)
        bpe_prepare(&t->bpe, &t->vocab);
    jr_close(&s.merges);
    return status || r->failed ? -1 : 0;
}
