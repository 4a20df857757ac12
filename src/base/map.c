/* Linear probing in a table that is at most three quarters full and never loses a key, so no tombstones. Each
 * entry keeps its hash: growing never reads the keys again, and most misses end without touching one. */
#include "base/map.h"

#include "base/error.h"
#include "base/mem.h"

#include <string.h>

/* 64-bit multiply-and-fold over 8-byte pieces: fast on the short keys that vocabularies have. */
static uint32_t hash_bytes(const char *p, size_t n)
{
    uint64_t h = 0x9E3779B97F4A7C15ull ^ n;
    while (n >= 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        h = (h ^ w) * 0xD6E8FEB86659FD93ull;
        h ^= h >> 32;
        p += 8;
        n -= 8;
    }
    uint64_t tail = 0;
    if (n)
        memcpy(&tail, p, n);
    h = (h ^ tail) * 0xD6E8FEB86659FD93ull;
    h ^= h >> 29;
    return (uint32_t)(h ^ h >> 32);
}

/* The slot that holds the key, or the free one where it belongs. */
static map_entry *find(const map *m, const char *key, size_t len, uint32_t hash)
{
    size_t mask = m->cap - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        map_entry *e = &m->entries[i];
        if (!e->key || (e->hash == hash && e->len == len && memcmp(e->key, key, len) == 0))
            return e;
    }
}

static int resize(map *m, size_t cap)
{
    map bigger = {.entries = mem_calloc(cap, sizeof(map_entry)), .count = m->count, .cap = cap};
    if (!bigger.entries)
        return -1;
    for (size_t i = 0; i < m->cap; i++)
        if (m->entries[i].key)
            *find(&bigger, m->entries[i].key, m->entries[i].len, m->entries[i].hash) = m->entries[i];
    mem_free(m->entries);
    *m = bigger;
    return 0;
}

int map_reserve(map *m, size_t n)
{
    size_t cap = m->cap ? m->cap : 16;
    while (cap / 4 * 3 < n) {
        if (cap > SIZE_MAX / 2)
            return error_set("out of memory: a map of %zu keys is too large", n);
        cap *= 2;
    }
    return cap == m->cap ? 0 : resize(m, cap);
}

int map_put(map *m, const char *key, size_t len, uint64_t value)
{
    if (len > UINT32_MAX)
        return error_set("a map key of %zu bytes is too long", len);
    if (map_reserve(m, m->count + 1))
        return -1;
    uint32_t hash = hash_bytes(key, len);
    map_entry *e = find(m, key, len, hash);
    if (!e->key)
        m->count++;
    *e = (map_entry){key, (uint32_t)len, hash, value};
    return 0;
}

bool map_get(const map *m, const char *key, size_t len, uint64_t *value)
{
    if (!m->count || len > UINT32_MAX)
        return false;
    const map_entry *e = find(m, key, len, hash_bytes(key, len));
    if (e->key && value)
        *value = e->value;
    return e->key != NULL;
}

void map_free(map *m)
{
    mem_free(m->entries);
    *m = (map){0};
}
