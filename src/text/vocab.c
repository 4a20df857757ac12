/* The vocabulary: spellings in one block of bytes, found by id through an array and by text through an open
 * hash table of 8-byte slots. The slots are small on purpose: loading a large model looks up half a million
 * spellings, and the time is the cache misses. */
#include "text/tokenizer_parts.h"

#include "base/mem.h"

#include <string.h>

static uint64_t load(const char *p, size_t n)
{
    uint64_t w = 0;
    memcpy(&w, p, n);
    return w;
}

uint64_t text_hash(const char *p, size_t n)
{
    uint64_t h = n * 0x9E3779B97F4A7C15ull, w;
    for (; n > 8; p += 8, n -= 8) {
        h = (h ^ load(p, 8)) * 0xD6E8FEB86659FD93ull;
        h ^= h >> 32;
    }
    if (n >= 4) /* two words that overlap */
        w = load(p, 4) | load(p + n - 4, 4) << 32;
    else
        w = n == 0 ? 0
                   : (uint64_t)(unsigned char)p[0] | (uint64_t)(unsigned char)p[n / 2] << 8 |
                         (uint64_t)(unsigned char)p[n - 1] << 16;
    h = (h ^ w) * 0xD6E8FEB86659FD93ull;
    return h ^ h >> 32;
}

static int rehash(vocab *v, size_t n)
{
    vocab_slot *slots = mem_alloc(n, sizeof *slots);
    if (!slots)
        return -1;
    memset(slots, 0xFF, n * sizeof *slots);
    for (size_t i = 0; i < v->n_slots; i++) {
        if (v->slots[i].id < 0)
            continue;
        size_t at = v->slots[i].hash & (n - 1);
        while (slots[at].id >= 0)
            at = (at + 1) & (n - 1);
        slots[at] = v->slots[i];
    }
    mem_free(v->slots);
    v->slots = slots;
    v->n_slots = n;
    return 0;
}

int vocab_reserve(vocab *v, size_t n)
{
    size_t want = v->n_slots ? v->n_slots : 64;
    while (want / 3 * 2 < n)
        want *= 2;
    return want == v->n_slots ? 0 : rehash(v, want);
}

/* The slot of a spelling, or the free one where it belongs. */
static vocab_slot *find(const vocab *v, const char *text, size_t n, uint32_t hash)
{
    for (size_t at = hash & (v->n_slots - 1);; at = (at + 1) & (v->n_slots - 1)) {
        vocab_slot *s = &v->slots[at];
        if (s->id < 0)
            return s;
        if (s->hash != hash)
            continue;
        token_text t = v->text[s->id];
        if (t.len == n && memcmp(v->bytes.data + t.at, text, n) == 0)
            return s;
    }
}

/* Makes the array by id reach up to id. */
static int reach(vocab *v, size_t id)
{
    if (id < v->ids)
        return 0;
    token_text *text = mem_grow(v->text, &v->text_cap, id + 1, sizeof *text);
    if (!text)
        return -1;
    v->text = text;
    memset(text + v->ids, 0xFF, (id + 1 - v->ids) * sizeof *text);
    v->ids = id + 1;
    return 0;
}

int vocab_append(vocab *v, const char *text, size_t n, int id)
{
    if (reach(v, (size_t)id))
        return -1;
    if (v->bytes.len + n >= UINT32_MAX)
        return error_set("the vocabulary is larger than 4 GiB");
    if (v->text[id].len != TOKEN_NONE)
        return 1;
    v->text[id] = (token_text){(uint32_t)v->bytes.len, (uint32_t)n};
    strbuf_add(&v->bytes, text, n);
    return v->bytes.failed ? -1 : 0;
}

int vocab_index(vocab *v, size_t count)
{
    if (vocab_reserve(v, count))
        return -1;
    for (size_t id = 0; id < v->ids; id++) {
        token_text t = v->text[id];
        if (t.len == TOKEN_NONE)
            continue;
        const char *text = v->bytes.data + t.at;
        uint32_t hash = (uint32_t)text_hash(text, t.len);
        vocab_slot *s = find(v, text, t.len, hash);
        if (s->id >= 0)
            return error_set("the vocabulary gives two ids, %d and %zu, to one token", s->id, id);
        *s = (vocab_slot){hash, (int32_t)id};
    }
    v->count = count;
    return 0;
}

int vocab_add(vocab *v, const char *text, size_t n, int id)
{
    if (vocab_reserve(v, v->count + 1))
        return -1;
    uint32_t hash = (uint32_t)text_hash(text, n);
    vocab_slot *s = find(v, text, n, hash);
    int status = s->id >= 0 ? 1 : vocab_append(v, text, n, id);
    if (!status) {
        *s = (vocab_slot){hash, id};
        v->count++;
    }
    return status;
}

int vocab_find(const vocab *v, const char *text, size_t n)
{
    return v->count ? find(v, text, n, (uint32_t)text_hash(text, n))->id : -1;
}

void vocab_find_many(const vocab *v, const char *base, const token_text *spans, size_t n, int *ids)
{
    uint32_t hash[VOCAB_MANY];
    token_text found[VOCAB_MANY];
    for (size_t i = 0; i < n; i++)
        hash[i] = (uint32_t)text_hash(base + spans[i].at, spans[i].len);
    for (size_t i = 0; i < n; i++) {
        size_t at = hash[i] & (v->n_slots - 1);
        while (v->slots[at].hash != hash[i] && v->slots[at].id >= 0)
            at = (at + 1) & (v->n_slots - 1);
        ids[i] = v->slots[at].id;
    }
    for (size_t i = 0; i < n; i++)
        found[i] = v->text[ids[i] < 0 ? 0 : ids[i]];
    for (size_t i = 0; i < n; i++) {
        const char *text = base + spans[i].at;
        if (ids[i] >= 0 && found[i].len == spans[i].len &&
            memcmp(v->bytes.data + found[i].at, text, spans[i].len) == 0)
            continue;
        ids[i] = find(v, text, spans[i].len, hash[i])->id;
    }
}

void vocab_free(vocab *v)
{
    strbuf_free(&v->bytes);
    mem_free(v->text);
    mem_free(v->slots);
    *v = (vocab){0};
}
