/* One kind of closure: a counted box with the function, and its payload if it has one. The includer defines
 *
 *   NAME      mlx_closure or mlx_closure_<kind>
 *   RESULTS   the parameters that results come through, INPUTS those that follow them
 *   ARGUMENTS all of them by name
 *
 * and gets, besides the public functions but _apply, a static NAME_call(cls, RESULTS, INPUTS): 0, or -1 with
 * an error. */
#define FN_(name, suffix)  name##_##suffix
#define FN__(name, suffix) FN_(name, suffix)
#define FN(suffix)         FN__(NAME, suffix)
#define TEXT_(name)        #name
#define TEXT__(name)       TEXT_(name)

typedef struct FN(box) {
    _Atomic int refs;
    int (*plain)(RESULTS, INPUTS); /* one of both */
    int (*loaded)(RESULTS, INPUTS, void *payload);
    void *payload;
    void (*dtor)(void *payload);
} FN(box);

/* A closure with one share; its payload is destroyed when this fails. */
static NAME FN(make)(FN(box) values)
{
    capi_begin();
    FN(box) *b = capi_need(values.plain || values.loaded ? &values : NULL, "function")
                     ? mem_alloc(1, sizeof *b)
                     : NULL;
    if (b) {
        *b = values;
        b->refs = 1;
        return (NAME){b};
    }
    REPORT();
    if (values.dtor)
        values.dtor(values.payload);
    return (NAME){0};
}

NAME FN(new)(void) { return (NAME){0}; }

NAME FN(new_func)(int (*fun)(RESULTS, INPUTS)) { return FN(make)((FN(box)){.plain = fun}); }

NAME FN(new_func_payload)(int (*fun)(RESULTS, INPUTS, void *), void *payload, void (*dtor)(void *))
{
    return FN(make)((FN(box)){.loaded = fun, .payload = payload, .dtor = dtor});
}

static NAME FN(share)(NAME cls)
{
    FN(box) *b = cls.ctx;
    if (b)
        atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return cls;
}

int FN(free)(NAME cls)
{
    FN(box) *b = cls.ctx;
    if (!b || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
        return 0;
    if (b->dtor)
        b->dtor(b->payload);
    mem_free(b);
    return 0;
}

int FN(set)(NAME *cls, const NAME src)
{
    capi_begin();
    if (!capi_need(src.ctx, TEXT__(NAME)))
        return REPORT();
    NAME old = *cls;
    *cls = FN(share)(src);
    return FN(free)(old);
}

/* The function may drop the last handle of its own closure: the call holds one. */
static int FN(call)(NAME cls, RESULTS, INPUTS)
{
    FN(box) *b = capi_need(cls.ctx, TEXT__(NAME));
    if (!b)
        return -1;
    FN(share)(cls);
    int rc = b->plain ? b->plain(ARGUMENTS) : b->loaded(ARGUMENTS, b->payload);
    FN(free)(cls);
    return rc ? error_set("mlx_closure returned a non-zero value") : 0;
}

#undef FN_
#undef FN__
#undef FN
#undef TEXT_
#undef TEXT__
#undef NAME
#undef RESULTS
#undef INPUTS
#undef ARGUMENTS
