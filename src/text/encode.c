/* Encoding: added tokens are cut out of the text, what lies between is normalized, searched for normalized
 * added tokens, cut into words and given to the model word by word; then the post-processor's template is
 * applied. All working memory is the encoder's and goes away with the call. */
#include "text/tokenizer_parts.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <limits.h>
#include <string.h>

#define MAX_CACHE 8192 /* words remembered: 256 KiB */

int encoder_open(encoder *e, size_t n)
{
    size_t words = 16;
    e->limit = (1u << 20) + 64 * n;
    while (words < n / 16 && words < MAX_CACHE)
        words *= 2;
    e->cache_mask = words - 1;
    e->cache = mem_calloc(words, sizeof *e->cache);
    e->general = pattern_memory();
    if (!e->cache || !e->general)
        return -1;
    e->match = pcre2_match_data_create(4, e->general);
    e->context = pcre2_match_context_create(e->general);
    if (!e->match || !e->context)
        return -1;
    size_t steps = 100000 + 20 * n; /* a sane pattern needs a few per byte */
    pcre2_set_match_limit(e->context, steps < UINT32_MAX ? (uint32_t)steps : UINT32_MAX);
    pcre2_set_heap_limit(e->context, 65536);
    return 0;
}

int encoder_check(const encoder *e, const strbuf *text)
{
    if (text->failed)
        return -1;
    return text->len <= e->limit
               ? 0
               : error_set("tokenizer: the text grows beyond %zu bytes when rewritten", e->limit);
}

void encoder_close(encoder *e)
{
    for (int i = 0; i < 2; i++) {
        strbuf_free(&e->norm[i]);
        strbuf_free(&e->split[i]);
    }
    strbuf_free(&e->word);
    strbuf_free(&e->mapped);
    mem_free(e->outer.v);
    mem_free(e->inner.v);
    mem_free(e->words.v);
    mem_free(e->next.v);
    pcre2_match_data_free(e->match);
    pcre2_match_context_free(e->context);
    pcre2_general_context_free(e->general);
    mem_free(e->cache);
    mem_free(e->heap);
    mem_free(e->links);
    mem_free(e->symbols);
    mem_free(e->lattice);
    mem_free(e->ids);
}

static int put_id(encoder *e, int id)
{
    int *ids = mem_grow(e->ids, &e->cap, e->n + 1, sizeof *ids);
    if (!ids)
        return -1;
    e->ids = ids;
    ids[e->n++] = id;
    return 0;
}

#define MARK "\xE2\x96\x81"

/* Text in one piece whose words no token crosses: word by word, which lets repeated words be remembered. */
static int encode_marked(encoder *e, const char *text, size_t n)
{
    for (size_t at = 0, end; at < n; at = end) {
        for (end = at; n - end >= 3 && memcmp(text + end, MARK, 3) == 0; end += 3)
            ;
        const char *next = memmem(text + end, n - end, MARK, 3);
        end = next ? (size_t)(next - text) : n;
        if (words_encode(e, text + at, end - at))
            return -1;
    }
    return 0;
}

/* Text without added tokens: words to the model. */
static int encode_plain(encoder *e, const char *text, size_t n, size_t start)
{
    const char *base;
    if (e->t->marked_words)
        return encode_marked(e, text, n);
    if (split_words(e, text, n, start, &base))
        return -1;
    for (size_t i = 0; i < e->words.n; i++)
        if (words_encode(e, base + e->words.v[i].at, e->words.v[i].len))
            return -1;
    return 0;
}

/* Text without raw added tokens; it begins at `start` of the input. */
static int encode_between(encoder *e, const char *text, size_t n, size_t start)
{
    const tokenizer *t = e->t;
    if (normalize(e, text, n, &text, &n))
        return -1;
    e->inner.n = 0;
    if (added_split(t->added, &t->normal, text, n, &e->inner))
        return -1;
    for (size_t i = 0; i < e->inner.n; i++) {
        const piece *x = &e->inner.v[i];
        if (x->id >= 0 ? put_id(e, x->id) : encode_plain(e, text + x->at, x->len, start + x->at))
            return -1;
    }
    return 0;
}

static int encode_text(encoder *e, const char *text, size_t n)
{
    const tokenizer *t = e->t;
    if (added_split(t->added, &t->raw, text, n, &e->outer))
        return -1;
    for (size_t i = 0; i < e->outer.n; i++) {
        const piece *x = &e->outer.v[i];
        if (x->id >= 0 ? put_id(e, x->id) : encode_between(e, text + x->at, x->len, x->at))
            return -1;
    }
    return 0;
}

/* Applies the template to e->ids. */
static int apply(encoder *e, const post_template *p, bool add_special)
{
    int *old = e->ids;
    size_t n = e->n;
    e->ids = NULL;
    e->n = e->cap = 0;
    int status = 0;
    for (size_t i = 0; i < p->n && !status; i++) {
        if (!p->items[i].sequence) {
            status = add_special ? put_id(e, p->items[i].id) : 0;
            continue;
        }
        int *ids = mem_grow(e->ids, &e->cap, e->n + n + 1, sizeof *ids);
        if (!ids) {
            status = -1;
            continue;
        }
        e->ids = ids;
        if (n)
            memcpy(ids + e->n, old, n * sizeof *ids);
        e->n += n;
    }
    mem_free(old);
    return status;
}

/* Is the template just the text? */
static bool identity(const post_template *p, bool add_special)
{
    size_t uses = 0, other = 0;
    for (size_t i = 0; i < p->n; i++) {
        uses += p->items[i].sequence;
        other += !p->items[i].sequence && add_special;
    }
    return uses == 1 && other == 0;
}

int tokenizer_encode(const tokenizer *t, const char *text, size_t n, bool add_special, int **ids,
                     size_t *count)
{
    size_t bad = utf8_check(text, n);
    if (bad < n)
        return error_set("the text is not valid UTF-8: byte %zu is 0x%02X", bad, (unsigned char)text[bad]);
    if (n > INT_MAX / 4)
        return error_set("a text of %zu bytes is too long to tokenize at once", n);
    encoder e = {.t = t};
    int status = encoder_open(&e, n);
    if (!status)
        status = encode_text(&e, text, n);
    if (!status && t->has_post && !identity(&t->post, add_special))
        status = apply(&e, &t->post, add_special);
    if (!status && !e.ids && !(e.ids = mem_alloc(1, sizeof *e.ids)))
        status = -1;
    if (!status) {
        *ids = e.ids;
        *count = e.n;
        e.ids = NULL;
    }
    encoder_close(&e);
    return status;
}
