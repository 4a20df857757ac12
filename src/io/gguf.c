/* The tables of a GGUF file in memory. */
#include "io/gguf.h"

#include "base/error.h"
#include "base/mem.h"

#include <string.h>

static void drop_value(gguf_entry *e)
{
    mx_set(&e->array, MX_NULL);
    for (size_t i = 0; i < e->count; i++)
        mem_free(e->strings[i]);
    mem_free(e->strings);
    e->strings = NULL;
    e->count = 0;
}

static void clear(gguf_table *t)
{
    for (size_t i = 0; i < t->count; i++) {
        drop_value(&t->entries[i]);
        mem_free(t->entries[i].key);
    }
    mem_free(t->entries);
    map_free(&t->places);
    *t = (gguf_table){0};
}

void gguf_clear(gguf *g)
{
    clear(&g->tensors);
    clear(&g->metadata);
}

const gguf_entry *gguf_find(const gguf_table *t, const char *key)
{
    uint64_t at;
    return map_get(&t->places, key, strlen(key), &at) ? &t->entries[at] : NULL;
}

/* The entry of a key, without a value; NULL when out of memory. */
static gguf_entry *place(gguf_table *t, const char *key)
{
    uint64_t at;
    if (map_get(&t->places, key, strlen(key), &at)) {
        drop_value(&t->entries[at]);
        return &t->entries[at];
    }
    gguf_entry *grown = mem_grow(t->entries, &t->capacity, t->count + 1, sizeof *grown);
    if (!grown)
        return NULL;
    t->entries = grown;
    gguf_entry *e = &grown[t->count];
    *e = (gguf_entry){.key = mem_strdup(key)};
    if (!e->key || map_put(&t->places, e->key, strlen(key), t->count)) {
        mem_free(e->key);
        return NULL;
    }
    t->count++;
    return e;
}

int gguf_set_array(gguf_table *t, const char *key, mlx_array x)
{
    gguf_entry *e = mx_is_null(x) ? NULL : place(t, key);
    if (!e)
        return -1;
    e->kind = GGUF_ARRAY;
    mx_set(&e->array, x);
    return 0;
}

int gguf_set_strings(gguf_table *t, const char *key, const char *const *texts, size_t n)
{
    gguf_entry *e = place(t, key);
    if (!e)
        return -1;
    e->kind = GGUF_STRINGS;
    e->strings = mem_calloc(n, sizeof *e->strings);
    for (; e->strings && e->count < n; e->count++) {
        e->strings[e->count] = mem_strdup(texts[e->count]);
        if (!e->strings[e->count])
            return -1;
    }
    return e->strings ? 0 : -1;
}

int gguf_set_string(gguf_table *t, const char *key, const char *text)
{
    if (gguf_set_strings(t, key, &text, 1))
        return -1;
    ((gguf_entry *)(uintptr_t)gguf_find(t, key))->kind = GGUF_STRING;
    return 0;
}
