/* One word to ids, by whatever model the tokenizer has. Words repeat, so an encoding remembers where the ids
 * of recent short words are in its own output. */
#include "text/tokenizer_parts.h"

#include "base/mem.h"

#include <string.h>

int words_reserve(encoder *e, size_t n)
{
    int *ids = mem_grow(e->symbols, &e->symbols_cap, n, sizeof *ids);
    e->symbols = ids ? ids : e->symbols;
    return ids ? 0 : -1;
}

/* Room for n more ids. */
static int reserve_ids(encoder *e, size_t n)
{
    int *ids = mem_grow(e->ids, &e->cap, e->n + n, sizeof *ids);
    e->ids = ids ? ids : e->ids;
    return ids ? 0 : -1;
}

static size_t by_model(encoder *e, const char *word, size_t n)
{
    switch (e->t->model) {
    case MODEL_UNIGRAM:
        return unigram_word(e, word, n);
    case MODEL_WORDPIECE:
        return wordpiece_word(e, word, n);
    case MODEL_WORDLEVEL:
        return wordpiece_whole(e, word, n);
    case MODEL_BPE:
        break;
    }
    return bpe_word(e, word, n);
}

int words_encode(encoder *e, const char *word, size_t n)
{
    cached_word *c = NULL;
    if (n <= sizeof c->key) {
        c = &e->cache[text_hash(word, n) & e->cache_mask];
        if (c->len == n && memcmp(c->key, word, n) == 0) {
            if (reserve_ids(e, c->n))
                return -1;
            memcpy(e->ids + e->n, e->ids + c->at, c->n * sizeof *e->ids);
            e->n += c->n;
            return 0;
        }
    }
    size_t count = by_model(e, word, n);
    if (count == SIZE_MAX || reserve_ids(e, count))
        return -1;
    if (c && e->n < UINT32_MAX && count <= UINT8_MAX) {
        memcpy(c->key, word, n);
        c->len = (uint8_t)n;
        c->n = (uint8_t)count;
        c->at = (uint32_t)e->n;
    }
    if (count)
        memcpy(e->ids + e->n, e->symbols, count * sizeof *e->ids);
    e->n += count;
    return 0;
}
