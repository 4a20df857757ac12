/* One kind of vector: a box with a growing array of entries. The includer defines
 *
 *   NAME         mlx_vector_<kind>
 *   ENTRY        what the box keeps
 *   DATA, VALUE  the parameter types of many entries (a pointer) and of one
 *   RESULT       what `get` writes
 *   COPY(to, from)   makes *to an entry of its own; 0, or -1 with an error
 *   DROP(entry)      frees one
 *   GIVE(res, entry) writes an entry to the caller; 0, or -1 with an error
 *
 * Whatever is added or put in its place is copied first, so that a failure changes nothing and a vector may
 * be given parts of itself. */
#define FN_(name, suffix)  name##_##suffix
#define FN__(name, suffix) FN_(name, suffix)
#define FN(suffix)         FN__(NAME, suffix)
#define TEXT_(name)        #name
#define TEXT__(name)       TEXT_(name)
#define TYPE_TEXT          TEXT__(NAME)

typedef struct FN(box) {
    ENTRY *entries;
    size_t size, capacity;
} FN(box);

static void FN(drop)(ENTRY *entries, size_t n)
{
    for (size_t i = 0; i < n; i++)
        DROP(entries[i]);
}

/* Copies of n entries behind those that b has. */
static int FN(add)(FN(box) * b, DATA data, size_t n)
{
    size_t need;
    if (!mem_add(b->size, n, &need))
        return error_set("out of memory: a vector of %zu and %zu entries", b->size, n);
    ENTRY *copies = n ? mem_alloc(n, sizeof *copies) : NULL;
    size_t made = 0;
    while (copies && made < n && COPY(&copies[made], data[made]) == 0)
        made++;
    ENTRY *grown = made == n && need ? mem_grow(b->entries, &b->capacity, need, sizeof *grown) : b->entries;
    if (made < n || (need && !grown)) {
        FN(drop)(copies, made);
        mem_free(copies);
        return -1;
    }
    b->entries = grown;
    if (n)
        memcpy(grown + b->size, copies, n * sizeof *copies);
    b->size = need;
    mem_free(copies);
    return 0;
}

static void FN(clear)(FN(box) * b)
{
    FN(drop)(b->entries, b->size);
    mem_free(b->entries);
    *b = (FN(box)){0};
}

/* vec's box becomes copies of n entries. */
static int FN(assign)(NAME *vec, DATA data, size_t n)
{
    FN(box) fresh = {0}, *b = vec->ctx;
    if (FN(add)(&fresh, data, n))
        return -1;
    if (!b)
        b = mem_calloc(1, sizeof *b);
    if (!b) {
        FN(clear)(&fresh);
        return -1;
    }
    FN(clear)(b);
    *b = fresh;
    vec->ctx = b;
    return 0;
}

NAME FN(new)(void) { return FN(new_data)(NULL, 0); }

int FN(set)(NAME *vec, const NAME src)
{
    capi_begin();
    const FN(box) *from = capi_need(src.ctx, TYPE_TEXT);
    return STATUS(!from || FN(assign)(vec, (DATA)from->entries, from->size));
}

int FN(free)(NAME vec)
{
    if (vec.ctx)
        FN(clear)(vec.ctx);
    mem_free(vec.ctx);
    return 0;
}

int FN(set_data)(NAME *vec, DATA data, size_t size)
{
    capi_begin();
    return STATUS(FN(assign)(vec, data, size));
}

NAME FN(new_data)(DATA data, size_t size)
{
    NAME made = {0};
    FN(set_data)(&made, data, size);
    return made;
}

int FN(set_value)(NAME *vec, VALUE val) { return FN(set_data)(vec, (DATA)&val, 1); }

NAME FN(new_value)(VALUE val) { return FN(new_data)((DATA)&val, 1); }

int FN(append_data)(NAME vec, DATA data, size_t size)
{
    capi_begin();
    FN(box) *b = capi_need(vec.ctx, TYPE_TEXT);
    return STATUS(!b || FN(add)(b, data, size));
}

int FN(append_value)(NAME vec, VALUE val) { return FN(append_data)(vec, (DATA)&val, 1); }

size_t FN(size)(NAME vec)
{
    capi_begin();
    const FN(box) *b = capi_need(vec.ctx, TYPE_TEXT);
    if (!b)
        REPORT();
    return b ? b->size : 0;
}

int FN(get)(RESULT *res, const NAME vec, size_t idx)
{
    capi_begin();
    const FN(box) *b = capi_need(vec.ctx, TYPE_TEXT);
    if (b && idx >= b->size)
        error_set("[vector] there is no entry %zu in a vector of %zu", idx, b->size);
    return STATUS(!b || idx >= b->size || GIVE(res, b->entries[idx]));
}

#undef FN_
#undef FN__
#undef FN
#undef TEXT_
#undef TEXT__
#undef TYPE_TEXT
#undef NAME
#undef ENTRY
#undef DATA
#undef VALUE
#undef RESULT
#undef COPY
#undef DROP
#undef GIVE
