/* Loading: walks tokenizer.json once with the pull reader. The model is read where it stands; parts that
 * need it (added tokens, post-processor) are remembered as spans and read afterwards, so the order of keys
 * does not matter. Then the tables that decoding needs are made. */
#include "text/tokenizer_parts.h"

#include "base/file.h"
#include "base/mem.h"
#include "text/sentencepiece.h"

#include <limits.h>
#include <string.h>

#define MAX_ADDED_LEN 4096

/* --- added tokens --- */

/* Copies of a string with a NUL behind; NULL when memory is short. */
static char *copy(jr_text s) { return mem_strndup(s.p, s.n); }

/* Reads one element of added_tokens. */
static int read_added(jr *r, added_token *a)
{
    jr_text key, s;
    int64_t id = -1;
    a->normalized = true;
    if (jr_object(r))
        return -1;
    while (jr_key(r, &key)) {
        if (jr_is(key, "content")) {
            if (jr_string(r, &s))
                return -1;
            mem_free(a->content);
            if (!(a->content = copy(s)))
                return -1;
            a->len = s.n;
        } else if (jr_is(key, "id")) {
            jr_int(r, 0, INT_MAX, &id);
        } else if (jr_is(key, "single_word")) {
            jr_bool(r, &a->single_word);
        } else if (jr_is(key, "lstrip")) {
            jr_bool(r, &a->lstrip);
        } else if (jr_is(key, "rstrip")) {
            jr_bool(r, &a->rstrip);
        } else if (jr_is(key, "normalized")) {
            jr_bool(r, &a->normalized);
        } else if (jr_is(key, "special")) {
            jr_bool(r, &a->special);
        } else {
            jr_skip(r);
        }
    }
    if (r->failed)
        return -1;
    if (!a->content || id < 0)
        return jr_error(r, "an added token needs \"content\" and \"id\"");
    return a->len <= MAX_ADDED_LEN ? 0 : jr_error(r, "an added token of %zu bytes is too long", a->len);
}

/* Enters an added token into the vocabulary. One that is not there yet gets the next id after the model's, as
 * in the reference, which takes no notice of the id in the file. */
static int place_added(tokenizer *t, jr *r, added_token *a, size_t *next)
{
    a->id = vocab_find(&t->vocab, a->content, a->len);
    if (a->id >= 0)
        return 0;
    a->id = (int)(*next)++;
    int taken = vocab_add(&t->vocab, a->content, a->len, a->id);
    if (taken > 0)
        return jr_error(r, "the added token \"%s\" would get the id %d of another token", a->content, a->id);
    return taken;
}

static int load_added(tokenizer *t, jr *r)
{
    size_t next = t->vocab.count;
    jr_array(r);
    while (jr_item(r)) {
        added_token *list = mem_grow(t->added, &t->added_cap, t->n_added + 1, sizeof *list);
        if (!list)
            return -1;
        t->added = list;
        added_token *a = &list[t->n_added++];
        *a = (added_token){0};
        if (read_added(r, a))
            return -1;
        if (a->len == 0) {
            mem_free(a->content);
            t->n_added--;
        } else if (place_added(t, r, a, &next)) {
            return -1;
        }
    }
    return r->failed ? -1 : 0;
}

/* Enters one added token into its trie: a normalized one by its normalized spelling, which is also what
 * decoding starts from. */
static int index_added(tokenizer *t, encoder *e, size_t i)
{
    added_token *a = &t->added[i];
    const char *text = a->content;
    size_t n = a->len;
    if (a->normalized && normalize(e, a->content, a->len, &text, &n))
        return -1;
    if (n == 0)
        return error_set("tokenizer: the added token \"%s\" is empty when normalized", a->content);
    int status = trie_add(a->normalized ? &t->normal : &t->raw, text, n, (int)i);
    if (status > 0)
        return error_set("tokenizer: two added tokens have the spelling \"%s\"", a->content);
    return status;
}

/* --- tables for decoding --- */

/* The text that decoding starts from for an id. */
static int decoded_spelling(tokenizer *t, encoder *e, const int *added_of, size_t id, const char **text,
                            size_t *n)
{
    token_text x = t->vocab.text[id];
    *text = t->vocab.bytes.data + x.at;
    *n = x.len;
    int a = added_of[id];
    return a >= 0 && t->added[a].normalized ? normalize(e, t->added[a].content, t->added[a].len, text, n) : 0;
}

/* Fills t->bytes, t->token_bytes and t->special. */
static int index_tokens(tokenizer *t, encoder *e, const int *added_of)
{
    size_t ids = t->vocab.ids;
    t->token_bytes = mem_alloc(ids, sizeof *t->token_bytes);
    t->special = mem_calloc(ids, 1);
    if (!t->token_bytes || !t->special)
        return -1;
    for (size_t id = 0; id < ids; id++) {
        t->token_bytes[id] = (token_text){0, TOKEN_NONE};
        if (t->vocab.text[id].len == TOKEN_NONE)
            continue;
        const char *text;
        size_t n, at = t->bytes.len;
        if (decoded_spelling(t, e, added_of, id, &text, &n))
            return -1;
        if (t->decoder.kind == DECODE_BYTES)
            bytelevel_decode(&t->bytes, text, n);
        else
            strbuf_add(&t->bytes, text, n);
        if (t->bytes.failed || t->bytes.len >= UINT32_MAX)
            return error_set("tokenizer: the vocabulary is too large");
        t->token_bytes[id] = (token_text){(uint32_t)at, (uint32_t)(t->bytes.len - at)};
    }
    for (size_t i = 0; i < t->n_added; i++)
        if (t->added[i].special)
            t->special[t->added[i].id] = 1;
    return 0;
}

static int index_all(tokenizer *t)
{
    int status = -1;
    size_t ids = t->vocab.ids;
    int *added_of = mem_alloc(ids, sizeof *added_of);
    encoder e = {.t = t};
    if (added_of && encoder_open(&e, 0) == 0) {
        memset(added_of, 0xFF, ids * sizeof *added_of);
        status = 0;
        for (size_t i = 0; i < t->n_added && !status; i++) {
            status = index_added(t, &e, i);
            added_of[t->added[i].id] = (int)i;
        }
        if (!status)
            status = index_tokens(t, &e, added_of);
    }
    encoder_close(&e);
    mem_free(added_of);
    return status;
}

/* --- the file --- */

typedef struct spans {
    jr added, post;
    bool has_added, has_post, has_model, has_version;
} spans;

static int top_key(tokenizer *t, jr *r, jr_text key, spans *s, size_t size)
{
    jr_text version;
    if (jr_is(key, "version")) {
        if (jr_string(r, &version))
            return -1;
        return jr_is(version, "1.0") ? 0 : jr_error(r, "only version \"1.0\" of this format is known");
    }
    if (jr_is(key, "added_tokens"))
        return jr_null(r) ? 0 : (s->has_added = true, jr_span(r, &s->added));
    if (jr_is(key, "post_processor"))
        return jr_null(r) ? 0 : (s->has_post = true, jr_span(r, &s->post));
    if (jr_is(key, "normalizer"))
        return load_normalizer(t, r);
    if (jr_is(key, "pre_tokenizer"))
        return load_pre_tokenizer(t, r);
    if (jr_is(key, "decoder"))
        return load_decoder(t, r);
    if (jr_is(key, "model")) {
        if (s->has_model)
            return jr_error(r, "a second \"model\"");
        s->has_model = true;
        return load_model(t, r, size);
    }
    return jr_skip(r); /* truncation, padding: nothing that encoding one text depends on */
}

#define MARK "\xE2\x96\x81"

/* Is a text that the pre-tokenizer leaves whole the same when it is cut before every mark that follows
 * another character? When the mark is a token and no token has it there, for no merge then reaches across. */
static bool has_marked_words(const tokenizer *t)
{
    const vocab *v = &t->vocab;
    if (t->model != MODEL_BPE || t->n_split || t->bpe.ignore_merges || *t->bpe.prefix || *t->bpe.suffix ||
        vocab_find(v, MARK, 3) < 0)
        return false;
    for (size_t id = 0; id < v->ids; id++) {
        if (v->text[id].len == TOKEN_NONE)
            continue;
        const char *p = v->bytes.data + v->text[id].at, *end = p + v->text[id].len;
        while (end - p >= 3 && memcmp(p, MARK, 3) == 0)
            p += 3;
        if (memmem(p, (size_t)(end - p), MARK, 3))
            return false;
    }
    return true;
}

static int load_text(tokenizer *t, const char *name, const char *text, size_t n, bool *has_post)
{
    jr r;
    jr_text key;
    spans s = {0};
    int status = 0;
    size_t limit = n > (1u << 20) ? n : 1u << 20; /* of ids: memory stays in proportion to the file */
    if (limit > INT_MAX)
        return error_set("%s: a tokenizer of %zu bytes is too large", name, n);
    jr_open(&r, name, text, n);
    jr_object(&r);
    while (!status && jr_key(&r, &key))
        status = top_key(t, &r, key, &s, limit);
    if (!status && !r.failed && !s.has_model)
        status = jr_error(&r, "there is no \"model\": this is not a tokenizer.json");
    if (status)
        jr_close(&r);
    else
        status = jr_finish(&r);
    if (!status && s.has_added)
        status = load_added(t, &s.added);
    if (!status && s.has_post)
        status = load_post_processor(t, &s.post);
    jr_close(&s.added);
    jr_close(&s.post);
    if (t->byte_words && t->model != MODEL_BPE) { /* only BPE takes plain bytes for the byte alphabet */
        t->byte_words = false;
        t->split[t->n_split - 1].last = false;
    }
    t->marked_words = !status && has_marked_words(t);
    *has_post = s.has_post;
    return status;
}

static tokenizer *load(const char *name, const char *text, size_t n, const char *folder)
{
    bool has_post = false;
    tokenizer *t = mem_calloc(1, sizeof *t);
    if (t && !load_text(t, name, text, n, &has_post) && !(folder && load_config(t, folder, has_post)) &&
        !index_all(t))
        return t;
    tokenizer_free(t);
    return NULL;
}

tokenizer *tokenizer_parse(const char *name, const char *text, size_t n) { return load(name, text, n, NULL); }

tokenizer *tokenizer_parse_model(const char *name, const char *data, size_t n)
{
    strbuf json = {0};
    tokenizer *t = sentencepiece_json(name, data, n, &json) ? NULL : load(name, json.data, json.len, NULL);
    strbuf_free(&json);
    return t;
}

/* Is it SentencePiece's file? By its name, for a protobuf has no mark. */
static bool is_model(const char *file)
{
    size_t n = strlen(file);
    return n > 6 && strcmp(file + n - 6, ".model") == 0;
}

/* Reads a file; folder, when not NULL, is where it lies and has the configuration. */
static tokenizer *load_file(const char *file, const char *folder)
{
    file_map m;
    strbuf json = {0};
    tokenizer *t = NULL;
    if (file_map_open(&m, file))
        return NULL;
    if (!is_model(file))
        t = load(file, m.data, m.size, folder);
    else if (sentencepiece_json(file, m.data, m.size, &json) == 0)
        t = load(file, json.data, json.len, folder);
    strbuf_free(&json);
    file_map_close(&m);
    return t;
}

tokenizer *tokenizer_load(const char *path)
{
    if (!file_is_dir(path))
        return load_file(path, NULL);
    char *file = file_join(path, "tokenizer.json"), *older = file_join(path, "tokenizer.model");
    tokenizer *t = NULL;
    if (file && older)
        t = load_file(file_exists(older) && !file_exists(file) ? older : file, path);
    mem_free(file);
    mem_free(older);
    return t;
}

static void steps_free(tokenizer *t)
{
    for (int i = 0; i < t->n_norm; i++) {
        mem_free(t->norm[i].text);
        mem_free(t->norm[i].with);
        pattern_free(&t->norm[i].pattern);
    }
    for (int i = 0; i < t->n_split; i++) {
        mem_free(t->split[i].text);
        pattern_free(&t->split[i].pattern);
    }
    mem_free(t->post.items);
    for (int i = 0; i < t->decoder.n; i++) {
        mem_free(t->decoder.step[i].from);
        mem_free(t->decoder.step[i].to);
        pattern_free(&t->decoder.step[i].pattern);
    }
}

void tokenizer_free(tokenizer *t)
{
    if (!t)
        return;
    steps_free(t);
    for (size_t i = 0; i < t->n_added; i++)
        mem_free(t->added[i].content);
    for (int i = 0; i < N_NAMED; i++)
        mem_free(t->named[i]);
    mem_free(t->added);
    trie_free(&t->raw);
    trie_free(&t->normal);
    mem_free(t->special);
    mem_free(t->token_bytes);
    strbuf_free(&t->bytes);
    vocab_free(&t->vocab);
    bpe_free(&t->bpe);
    unigram_free(&t->unigram);
    mem_free(t);
}
