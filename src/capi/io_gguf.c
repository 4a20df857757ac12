/* GGUF files: a box with tensors and metadata. */
#include "base/mem.h"
#include "capi/capi.h"
#include "io/gguf.h"
#include "mlx/c/io.h"

#if MLX_C_ABI >= MLX_C_ABI_0_6_0_PLUS_4

static gguf *gguf_of(mlx_io_gguf io) { return capi_need(io.ctx, "mlx_io_gguf"); }

mlx_io_gguf mlx_io_gguf_new(void)
{
    capi_begin();
    mlx_io_gguf io = {mem_calloc(1, sizeof(gguf))};
    if (!io.ctx)
        REPORT();
    return io;
}

int mlx_io_gguf_free(mlx_io_gguf io)
{
    if (io.ctx)
        gguf_clear(io.ctx);
    mem_free(io.ctx);
    return 0;
}

int mlx_load_gguf(mlx_io_gguf *out, const char *file, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    gguf fresh = {0}, *g = out->ctx;
    int rc =
        error_pending() || !capi_text(file, "file") || (gguf_load(&fresh, file) && capi_name_op("load_gguf"));
    if (!rc && !g) {
        g = mem_calloc(1, sizeof *g);
        rc = !g;
    }
    if (rc)
        gguf_clear(&fresh);
    else {
        gguf_clear(g);
        *g = fresh;
        out->ctx = g;
    }
    mx_release(mark);
    return STATUS(rc);
}

int mlx_save_gguf(const char *file, mlx_io_gguf io)
{
    size_t mark = capi_begin();
    const gguf *g = gguf_of(io);
    int rc = !g || !capi_text(file, "file") || (gguf_save(file, g) && capi_name_op("save_gguf"));
    mx_release(mark);
    return STATUS(rc);
}

int mlx_io_gguf_get_keys(mlx_vector_string *keys, mlx_io_gguf io)
{
    capi_begin();
    const gguf *g = gguf_of(io);
    const char **names = g ? mem_alloc(g->tensors.count, sizeof *names) : NULL;
    if (!names)
        return REPORT();
    for (size_t i = 0; i < g->tensors.count; i++)
        names[i] = g->tensors.entries[i].key;
    int status = mlx_vector_string_set_data(keys, names, g->tensors.count);
    mem_free(names);
    return status;
}

/* The entry of a key and kind, or NULL with an error. */
static const gguf_entry *look_up(const gguf_table *t, const char *key, gguf_kind kind)
{
    const gguf_entry *e = t && capi_text(key, "key") ? gguf_find(t, key) : NULL;
    if (e && e->kind == kind)
        return e;
    if (t && key)
        error_set("[gguf] there is no entry \"%s\" of that kind", key);
    return NULL;
}

static const gguf_table *metadata_of(mlx_io_gguf io)
{
    const gguf *g = gguf_of(io);
    return g ? &g->metadata : NULL;
}

int mlx_io_gguf_get_array(mlx_array *arr, mlx_io_gguf io, const char *key)
{
    size_t mark = capi_begin();
    const gguf *g = gguf_of(io);
    const gguf_entry *e = look_up(g ? &g->tensors : NULL, key, GGUF_ARRAY);
    return LEAVE(mark, arr, e ? e->array : MX_NULL);
}

int mlx_io_gguf_get_metadata_array(mlx_array *arr, mlx_io_gguf io, const char *key)
{
    size_t mark = capi_begin();
    const gguf_entry *e = look_up(metadata_of(io), key, GGUF_ARRAY);
    return LEAVE(mark, arr, e ? e->array : MX_NULL);
}

int mlx_io_gguf_get_metadata_string(mlx_string *str, mlx_io_gguf io, const char *key)
{
    capi_begin();
    const gguf_entry *e = look_up(metadata_of(io), key, GGUF_STRING);
    return STATUS(!e || capi_set_text(str, e->strings[0]));
}

int mlx_io_gguf_get_metadata_vector_string(mlx_vector_string *vstr, mlx_io_gguf io, const char *key)
{
    capi_begin();
    const gguf_entry *e = look_up(metadata_of(io), key, GGUF_STRINGS);
    return e ? mlx_vector_string_set_data(vstr, (const char **)e->strings, e->count) : REPORT();
}

/* HAS(name, kind): is there metadata of a key and kind? */
#define HAS(name, which)                                                             \
    int mlx_io_gguf_has_metadata_##name(bool *flag, mlx_io_gguf io, const char *key) \
    {                                                                                \
        capi_begin();                                                                \
        const gguf_table *t = metadata_of(io);                                       \
        if (!t || !capi_text(key, "key"))                                            \
            return REPORT();                                                         \
        const gguf_entry *e = gguf_find(t, key);                                     \
        *flag = e && e->kind == (which);                                             \
        return 0;                                                                    \
    }

HAS(array, GGUF_ARRAY)
HAS(string, GGUF_STRING)
HAS(vector_string, GGUF_STRINGS)

int mlx_io_gguf_set_array(mlx_io_gguf io, const char *key, const mlx_array arr)
{
    capi_begin();
    gguf *g = gguf_of(io);
    return STATUS(!g || !capi_text(key, "key") || mx_is_null(capi_in(arr)) ||
                  gguf_set_array(&g->tensors, key, arr));
}

int mlx_io_gguf_set_metadata_array(mlx_io_gguf io, const char *key, const mlx_array marr)
{
    capi_begin();
    gguf *g = gguf_of(io);
    return STATUS(!g || !capi_text(key, "key") || mx_is_null(capi_in(marr)) ||
                  gguf_set_array(&g->metadata, key, marr));
}

int mlx_io_gguf_set_metadata_string(mlx_io_gguf io, const char *key, const char *mstr)
{
    capi_begin();
    gguf *g = gguf_of(io);
    return STATUS(!g || !capi_text(key, "key") || !capi_text(mstr, "string") ||
                  gguf_set_string(&g->metadata, key, mstr));
}

int mlx_io_gguf_set_metadata_vector_string(mlx_io_gguf io, const char *key, const mlx_vector_string mvstr)
{
    capi_begin();
    gguf *g = gguf_of(io);
    size_t n;
    const char *const *texts = capi_texts(mvstr, &n);
    return STATUS(!g || !texts || !capi_text(key, "key") || gguf_set_strings(&g->metadata, key, texts, n));
}

#endif
