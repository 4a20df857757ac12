/* Writing GGUF, version 3: the header is known from shapes and dtypes and goes out first, the data stream
 * after it. */
#include "base/error.h"
#include "base/strbuf.h"
#include "io/gguf.h"

#include <string.h>

enum { ALIGNMENT = 32, VERSION = 3, STRING = 8, ARRAY = 9 };

/* The number of a dtype as metadata and as a tensor; -1: not to be had. */
static const signed char META[MX_DTYPES] = {
    [MLX_BOOL] = 7,     [MLX_UINT8] = 0,    [MLX_UINT16] = 2,    [MLX_UINT32] = 4,     [MLX_UINT64] = 10,
    [MLX_INT8] = 1,     [MLX_INT16] = 3,    [MLX_INT32] = 5,     [MLX_INT64] = 11,     [MLX_FLOAT32] = 6,
    [MLX_FLOAT16] = -1, [MLX_FLOAT64] = -1, [MLX_BFLOAT16] = -1, [MLX_COMPLEX64] = -1,
};

static int tensor_type(mlx_dtype t)
{
    return t == MLX_FLOAT32   ? 0
           : t == MLX_FLOAT16 ? 1
           : t == MLX_INT8    ? 24
           : t == MLX_INT16   ? 25
           : t == MLX_INT32   ? 26
                              : -1;
}

static void add_number(strbuf *s, uint64_t v, int size)
{
    for (int i = 0; i < size; i++)
        strbuf_addc(s, (char)(v >> 8 * i));
}

static void add_text(strbuf *s, const char *text)
{
    add_number(s, strlen(text), 8);
    strbuf_adds(s, text);
}

static int add_to_strbuf(void *user, const void *p, size_t n)
{
    strbuf *s = user;
    strbuf_add(s, p, n);
    return s->failed ? -1 : 0;
}

static int add_array(strbuf *s, const char *key, mlx_array x)
{
    int type = META[mx_dtype_of(x)];
    if (mx_ndim(x) > 1)
        return error_set("[save_gguf] metadata \"%s\": Cannot save arrays with more than one dimension.",
                         key);
    if (mx_size(x) == 0)
        return error_set("[save_gguf] metadata \"%s\": Cannot save empty arrays.", key);
    if (type < 0)
        return error_set("[save_gguf] metadata \"%s\": array type %s is not supported", key,
                         mx_dtype_name(mx_dtype_of(x)));
    add_number(s, (uint64_t)(mx_ndim(x) ? ARRAY : type), 4);
    if (mx_ndim(x)) {
        add_number(s, (uint64_t)type, 4);
        add_number(s, mx_size(x), 8);
    }
    return sink_write_array(&(sink){add_to_strbuf, s}, x);
}

static int add_metadata(strbuf *s, const gguf_entry *e)
{
    add_text(s, e->key);
    if (e->kind == GGUF_ARRAY)
        return add_array(s, e->key, e->array);
    add_number(s, e->kind == GGUF_STRING ? STRING : ARRAY, 4);
    if (e->kind == GGUF_STRINGS) {
        add_number(s, STRING, 4);
        add_number(s, e->count, 8);
    }
    for (size_t i = 0; i < e->count; i++)
        add_text(s, e->strings[i]);
    return 0;
}

static size_t tensor_bytes(const gguf_entry *e)
{
    return mx_size(e->array) * mx_dtype_size(mx_dtype_of(e->array));
}

static size_t padding(size_t n) { return (ALIGNMENT - n % ALIGNMENT) % ALIGNMENT; }

static int add_tensor(strbuf *s, const gguf_entry *e, size_t *offset)
{
    int type = tensor_type(mx_dtype_of(e->array));
    if (type < 0)
        return error_set("[save_gguf] \"%s\": dtype %s is not supported", e->key,
                         mx_dtype_name(mx_dtype_of(e->array)));
    add_text(s, e->key);
    add_number(s, (uint64_t)mx_ndim(e->array), 4);
    for (int i = mx_ndim(e->array) - 1; i >= 0; i--)
        add_number(s, (uint64_t)mx_shape(e->array)[i], 8);
    add_number(s, (uint64_t)type, 4);
    add_number(s, *offset, 8);
    *offset += tensor_bytes(e);
    *offset += padding(*offset);
    return 0;
}

static int add_header(strbuf *s, const gguf *g)
{
    const gguf_entry *alignment =
        gguf_find(&g->metadata, "general.alignment"); /* of the file it was read from */
    size_t offset = 0;
    int rc = 0;
    strbuf_adds(s, "GGUF");
    add_number(s, VERSION, 4);
    add_number(s, g->tensors.count, 8);
    add_number(s, g->metadata.count - (alignment != NULL), 8);
    for (size_t i = 0; rc == 0 && i < g->metadata.count; i++)
        rc = &g->metadata.entries[i] == alignment ? 0 : add_metadata(s, &g->metadata.entries[i]);
    for (size_t i = 0; rc == 0 && i < g->tensors.count; i++)
        rc = add_tensor(s, &g->tensors.entries[i], &offset);
    size_t rest = padding(s->len);
    while (rest--)
        strbuf_addc(s, 0);
    return s->failed ? -1 : rc;
}

static int fill(void *arg, const sink *to)
{
    static const char zeros[ALIGNMENT];
    const gguf *g = arg;
    strbuf header = {0};
    int rc = add_header(&header, g);
    if (rc == 0)
        rc = sink_write(to, header.data, header.len);
    strbuf_free(&header);
    for (size_t i = 0; rc == 0 && i < g->tensors.count; i++) {
        rc = sink_write_array(to, g->tensors.entries[i].array);
        if (rc == 0)
            rc = sink_write(to, zeros, padding(tensor_bytes(&g->tensors.entries[i])));
    }
    return rc;
}

int gguf_save(const char *path, const gguf *g)
{
    const gguf_entry *e = gguf_find(&g->metadata, "general.alignment");
    if (e)
        return error_set(
            "[save_gguf] metadata \"general.alignment\" is the writer's to choose: leave it out");
    return stream_save(path, ".gguf", fill, (void *)(uintptr_t)g);
}
