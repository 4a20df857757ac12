/* One kind of map from texts: a box of entries in the order of their coming, and a table from key to entry.
 * The includer defines
 *
 *   NAME      mlx_map_string_to_<kind>
 *   VALUE     what the box keeps
 *   INPUT     the parameter type of a value
 *   COPY(to, from)   makes *to a value of its own; 0, or -1 with an error
 *   DROP(value)      frees one
 *   GIVE(res, value) writes a value to the caller
 *   RESULT    what it writes
 */
#define FN_(name, suffix)  name##_##suffix
#define FN__(name, suffix) FN_(name, suffix)
#define FN(suffix)         FN__(NAME, suffix)
#define TEXT_(name)        #name
#define TEXT__(name)       TEXT_(name)

typedef struct FN(entry) {
    char *key;
    VALUE value;
} FN(entry);

typedef struct FN(box) {
    FN(entry) * entries;
    size_t size, capacity;
    map places; /* key -> index of entry; the keys are the entries' */
} FN(box);

static void FN(clear)(FN(box) * b)
{
    for (size_t i = 0; i < b->size; i++) {
        mem_free(b->entries[i].key);
        DROP(b->entries[i].value);
    }
    mem_free(b->entries);
    map_free(&b->places);
    *b = (FN(box)){0};
}

/* Adds a key that is not there, and takes over its value also when this fails. */
static int FN(add)(FN(box) * b, const char *key, VALUE value)
{
    FN(entry) *grown = mem_grow(b->entries, &b->capacity, b->size + 1, sizeof *grown);
    char *copy = grown ? mem_strdup(key) : NULL;
    if (grown)
        b->entries = grown;
    if (!copy || map_put(&b->places, copy, strlen(copy), b->size)) {
        mem_free(copy);
        DROP(value);
        return -1;
    }
    b->entries[b->size++] = (FN(entry)){copy, value};
    return 0;
}

static VALUE *FN(find)(const FN(box) * b, const char *key)
{
    uint64_t i;
    return map_get(&b->places, key, strlen(key), &i) ? &b->entries[i].value : NULL;
}

static int FN(put)(FN(box) * b, const char *key, INPUT value)
{
    VALUE copy;
    if (COPY(&copy, value))
        return -1;
    VALUE *there = FN(find)(b, key);
    if (!there)
        return FN(add)(b, key, copy);
    DROP(*there);
    *there = copy;
    return 0;
}

NAME FN(new)(void)
{
    capi_begin();
    FN(box) *b = mem_calloc(1, sizeof *b);
    if (!b)
        REPORT();
    return (NAME){b};
}

int FN(free)(NAME m)
{
    if (m.ctx)
        FN(clear)(m.ctx);
    mem_free(m.ctx);
    return 0;
}

/* m's box becomes a copy of from. 0, or -1: then it is as it was. */
static int FN(assign)(NAME *m, const FN(box) * from)
{
    FN(box) fresh = {0}, *b = m->ctx;
    bool failed = false;
    for (size_t i = 0; i < from->size && !failed; i++)
        failed = FN(put)(&fresh, from->entries[i].key, from->entries[i].value);
    if (!failed && !b)
        b = mem_calloc(1, sizeof *b);
    if (failed || !b) {
        FN(clear)(&fresh);
        return -1;
    }
    FN(clear)(b);
    *b = fresh;
    m->ctx = b;
    return 0;
}

int FN(set)(NAME *m, const NAME src)
{
    capi_begin();
    const FN(box) *from = capi_need(src.ctx, TEXT__(NAME));
    return STATUS(!from || FN(assign)(m, from));
}

int FN(insert)(NAME m, const char *key, INPUT value)
{
    capi_begin();
    FN(box) *b = capi_need(m.ctx, TEXT__(NAME));
    return STATUS(!b || !capi_need((void *)(uintptr_t)key, "key") || FN(put)(b, key, value));
}

int FN(get)(RESULT *value, const NAME m, const char *key)
{
    capi_begin();
    const FN(box) *b = capi_need(m.ctx, TEXT__(NAME));
    if (!b || !capi_need((void *)(uintptr_t)key, "key"))
        return REPORT();
    VALUE *there = FN(find)(b, key);
    if (there)
        GIVE(value, *there);
    return there ? 0 : CAPI_ABSENT;
}

/* The iterator's box is the index of the next entry. */
FN(iterator) FN(iterator_new)(NAME m)
{
    capi_begin();
    size_t *next = capi_need(m.ctx, TEXT__(NAME)) ? mem_calloc(1, sizeof *next) : NULL;
    if (!next)
        REPORT();
    return (FN(iterator)){next, next ? m.ctx : NULL};
}

int FN(iterator_free)(FN(iterator) it)
{
    mem_free(it.ctx);
    return 0;
}

int FN(iterator_next)(const char **key, RESULT *value, FN(iterator) it)
{
    capi_begin();
    size_t *next = capi_need(it.ctx, TEXT__(NAME) "_iterator");
    if (!next)
        return REPORT();
    const FN(box) *b = it.map_ctx;
    if (*next >= b->size)
        return CAPI_ABSENT;
    *key = b->entries[*next].key;
    GIVE(value, b->entries[*next].value);
    ++*next;
    return 0;
}

#undef FN_
#undef FN__
#undef FN
#undef TEXT_
#undef TEXT__
#undef NAME
#undef VALUE
#undef INPUT
#undef RESULT
#undef COPY
#undef DROP
#undef GIVE
