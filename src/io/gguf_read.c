/* Reading GGUF: a magic, a version, two counts, the metadata, the tensors' names, shapes and places, the
 * data.
 *
 * The file comes from outside: a cursor goes through it and fails for good at the first thing that does not
 * fit; a tensor's bytes are checked against the file before they are touched. Plain tensors lie in the
 * mapping. */
#include "io/gguf.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "kernels/half.h"

#include <limits.h>
#include <string.h>

enum { MAX_AXES = 8, STRING = 8, ARRAY = 9 };

/* dtypes and sizes of the metadata's numbers, by their number in the file; 0 bytes: no number. */
static const struct {
    int bytes;
    mlx_dtype dtype;
} NUMBERS[13] = {
    {1, MLX_UINT8},  {1, MLX_INT8},    {2, MLX_UINT16},  {2, MLX_INT16}, {4, MLX_UINT32},
    {4, MLX_INT32},  {4, MLX_FLOAT32}, {1, MLX_BOOL},    {0, MLX_BOOL},  {0, MLX_BOOL},
    {8, MLX_UINT64}, {8, MLX_INT64},   {8, MLX_FLOAT64},
};

typedef struct cursor {
    const char *name;
    const uint8_t *start, *p, *end;
    bool failed;
    gguf *g;
    buffer *file;
    uint64_t alignment;
} cursor;

static const uint8_t *bytes(cursor *c, uint64_t n)
{
    if (c->failed || n > (uint64_t)(c->end - c->p)) {
        if (!c->failed)
            error_set("[load_gguf] %s: the header goes past the end of the file; it is truncated or damaged",
                      c->name);
        c->failed = true;
        return NULL;
    }
    c->p += n;
    return c->p - n;
}

static uint64_t number(cursor *c, int size)
{
    const uint8_t *p = bytes(c, (uint64_t)size);
    uint64_t v = 0;
    for (int i = 0; p && i < size; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

/* A text in new memory; NULL on failure. */
static char *text(cursor *c)
{
    uint64_t n = number(c, 8);
    const uint8_t *p = bytes(c, n);
    char *s = p ? mem_strndup((const char *)p, (size_t)n) : NULL;
    c->failed |= !s;
    return s;
}

/* --- metadata --- */

/* Numbers as an array; float64 comes as float32. */
static mlx_array numbers(cursor *c, uint32_t type, uint64_t n, int ndim)
{
    uint64_t size;
    if (type > 12 || NUMBERS[type].bytes == 0 || n > INT_MAX) {
        error_set("[load_gguf] %s: Received unexpected type %u", c->name, type);
        return MX_NULL;
    }
    size = n * (uint64_t)NUMBERS[type].bytes;
    const uint8_t *p = bytes(c, size);
    int count = (int)n;
    mlx_array x = p ? mx_from(p, &count, (size_t)ndim, NUMBERS[type].dtype) : MX_NULL;
    return NUMBERS[type].dtype == MLX_FLOAT64 && p ? mx_astype(x, MLX_FLOAT32) : x;
}

static int read_strings(cursor *c, const char *key, uint64_t n)
{
    if (n > (uint64_t)(c->end - c->p) / 8) /* each has at least its length */
        return bytes(c, UINT64_MAX) ? 0 : -1;
    char **strings = mem_calloc((size_t)n, sizeof *strings);
    int rc = strings ? 0 : -1;
    for (uint64_t i = 0; rc == 0 && i < n; i++)
        rc = (strings[i] = text(c)) ? 0 : -1;
    if (rc == 0)
        rc = gguf_set_strings(&c->g->metadata, key, (const char *const *)strings, (size_t)n);
    for (uint64_t i = 0; strings && i < n; i++)
        mem_free(strings[i]);
    mem_free(strings);
    return rc;
}

static int read_value(cursor *c, const char *key, uint32_t type)
{
    if (type == STRING) {
        char *s = text(c);
        int rc = s ? gguf_set_string(&c->g->metadata, key, s) : -1;
        mem_free(s);
        return rc;
    }
    if (type != ARRAY)
        return gguf_set_array(&c->g->metadata, key, numbers(c, type, 1, 0));
    uint32_t inner = (uint32_t)number(c, 4);
    uint64_t n = number(c, 8);
    if (c->failed)
        return -1;
    if (inner == ARRAY)
        return error_set("[load_gguf] %s: Only supports loading 1-layer of nested arrays.", c->name);
    return inner == STRING ? read_strings(c, key, n)
                           : gguf_set_array(&c->g->metadata, key, numbers(c, inner, n, 1));
}

static int read_metadata(cursor *c)
{
    char *key = text(c);
    uint32_t type = (uint32_t)number(c, 4);
    int rc = key && !c->failed ? read_value(c, key, type) : -1;
    if (rc == 0 && strcmp(key, "general.alignment") == 0) {
        const gguf_entry *e = gguf_find(&c->g->metadata, key);
        uint32_t v = 0;
        if (e->kind == GGUF_ARRAY && mx_dtype_of(e->array) == MLX_UINT32 && mx_size(e->array) == 1)
            memcpy(&v, mx_data(e->array), sizeof v);
        c->alignment = v;
        if (v == 0 || v % 8 || v > 1 << 20)
            rc = error_set("[load_gguf] %s: an alignment of %u is not a multiple of 8", c->name, v);
    }
    mem_free(key);
    return rc;
}

/* --- tensors --- */

typedef struct tensor {
    char *name;
    const gguf_type *type;
    int ndim, shape[MAX_AXES];
    size_t elements, bytes;
    uint64_t offset;
} tensor;

static int read_shape(cursor *c, tensor *t)
{
    uint32_t ndim = (uint32_t)number(c, 4);
    if (ndim > MAX_AXES)
        return error_set("[load_gguf] %s: tensor \"%s\" has %u dimensions, the limit is %d", c->name, t->name,
                         ndim, MAX_AXES);
    t->ndim = (int)ndim;
    t->elements = 1;
    for (int i = t->ndim - 1; i >= 0; i--) {
        uint64_t size = number(c, 8);
        if (size > INT_MAX || !mem_mul(t->elements, (size_t)size, &t->elements))
            return error_set("[load_gguf] %s: tensor \"%s\" is too large", c->name, t->name);
        t->shape[i] = (int)size;
    }
    return 0;
}

static int read_tensor(cursor *c, tensor *t)
{
    *t = (tensor){.name = text(c)};
    if (!t->name || read_shape(c, t))
        return -1;
    uint32_t type = (uint32_t)number(c, 4);
    t->offset = number(c, 8);
    t->type = gguf_type_find(type);
    if (c->failed)
        return -1;
    if (!t->type)
        return error_set("[load_gguf] %s: tensor \"%s\" is of type %u, which is not supported", c->name,
                         t->name, type);
    size_t block = (size_t)t->type->block;
    if (block > 1 && (t->ndim == 0 || (size_t)t->shape[t->ndim - 1] % block))
        return error_set("[load_gguf] %s: tensor \"%s\" has incompatible last dim shape: %d", c->name,
                         t->name, t->ndim ? t->shape[t->ndim - 1] : 0);
    if (!mem_mul(t->elements / block, (size_t)t->type->bytes, &t->bytes))
        return error_set("[load_gguf] %s: tensor \"%s\" is too large", c->name, t->name);
    return 0;
}

/* A tensor that is an array as it lies there. */
static mlx_array plain(const cursor *c, const tensor *t, const uint8_t *data)
{
    if ((uintptr_t)data % mx_dtype_size(t->type->dtype))
        return mx_from(data, t->shape, (size_t)t->ndim, t->type->dtype);
    return node_temp(
        node_from_buffer(buffer_retain(c->file), (const char *)data, t->shape, t->ndim, t->type->dtype));
}

static mlx_array expanded(const tensor *t, const uint8_t *data)
{
    buffer *b = buffer_new(t->elements * 2);
    size_t block = (size_t)t->type->block;
    float row[256];
    if (!b)
        return MX_NULL;
    uint16_t *out = (uint16_t *)b->data;
    for (size_t i = 0; i < t->elements / block; i++) {
        t->type->expand(data + i * (size_t)t->type->bytes, row);
        for (size_t k = 0; k < block; k++)
            *out++ = f32_to_f16(row[k]);
    }
    return node_temp(node_from_buffer(b, b->data, t->shape, t->ndim, MLX_FLOAT16));
}

static int add_new(cursor *c, const char *key, mlx_array x)
{
    if (gguf_find(&c->g->tensors, key))
        return error_set("[load_gguf] %s: Duplicate parameter name %s", c->name, key);
    return gguf_set_array(&c->g->tensors, key, x);
}

/* NAME.weight as three arrays; 1 if its type has no such form. */
static int add_quantized(cursor *c, const tensor *t, const uint8_t *data)
{
    size_t groups = t->elements / 32, mark = mx_mark(), n = strlen(t->name);
    int bits = t->type->bytes == 34 ? 8 : 4, packed[MAX_AXES], scaled[MAX_AXES], rc = -1;
    memcpy(packed, t->shape, sizeof packed);
    memcpy(scaled, t->shape, sizeof scaled);
    packed[t->ndim - 1] = t->shape[t->ndim - 1] / 32 * bits;
    scaled[t->ndim - 1] = t->shape[t->ndim - 1] / 32;
    buffer *w = buffer_new(t->elements * (size_t)bits / 8), *s = buffer_new(groups * 2),
           *b = buffer_new(groups * 2);
    strbuf key = {0};
    if (w && s && b) {
        gguf_type_repack(t->type, data, groups, (uint8_t *)w->data, (uint16_t *)s->data, (uint16_t *)b->data);
        n = n >= 7 && strcmp(t->name + n - 7, ".weight") == 0 ? n - 7 : n;
        strbuf_add(&key, t->name, n);
        strbuf_adds(&key, ".scales");
        rc = key.failed ? -1
                        : add_new(c, t->name,
                                  node_temp(node_from_buffer(buffer_retain(w), w->data, packed, t->ndim,
                                                             MLX_UINT32)));
        if (rc == 0)
            rc =
                add_new(c, key.data,
                        node_temp(node_from_buffer(buffer_retain(s), s->data, scaled, t->ndim, MLX_FLOAT16)));
        if (rc == 0) {
            memcpy(key.data + n, ".biases", 7);
            rc =
                add_new(c, key.data,
                        node_temp(node_from_buffer(buffer_retain(b), b->data, scaled, t->ndim, MLX_FLOAT16)));
        }
    }
    strbuf_free(&key);
    buffer_release(w);
    buffer_release(s);
    buffer_release(b);
    mx_release(mark);
    return rc;
}

static int add_tensor(cursor *c, const tensor *t, uint64_t data)
{
    uint64_t size = (uint64_t)(c->end - c->start), at = data + t->offset;
    if (t->offset > size || at > size || t->bytes > size - at)
        return error_set(
            "[load_gguf] %s: Tensor '%s' extends past the end of the file. Perhaps an incomplete download "
            "or corrupt file?",
            c->name, t->name);
    const uint8_t *p = c->start + at;
    if (t->type->id == 2 || t->type->id == 3 || t->type->id == 8)
        return add_quantized(c, t, p);
    size_t mark = mx_mark();
    int rc = add_new(c, t->name, t->type->plain ? plain(c, t, p) : expanded(t, p));
    mx_release(mark);
    return rc;
}

static int read_tensors(cursor *c, uint64_t count)
{
    tensor *tensors = mem_calloc((size_t)count, sizeof *tensors);
    int rc = tensors ? 0 : -1;
    for (uint64_t i = 0; rc == 0 && i < count; i++)
        rc = read_tensor(c, &tensors[i]);
    uint64_t data = (uint64_t)(c->p - c->start);
    data = (data + c->alignment - 1) / c->alignment * c->alignment;
    for (uint64_t i = 0; rc == 0 && i < count; i++)
        rc = add_tensor(c, &tensors[i], data);
    for (uint64_t i = 0; tensors && i < count; i++)
        mem_free(tensors[i].name);
    mem_free(tensors);
    return rc;
}

static int read_file(cursor *c)
{
    const uint8_t *magic = bytes(c, 4);
    if (!magic || memcmp(magic, "GGUF", 4) != 0) {
        error_clear();
        return error_set("[load_gguf] %s: this is no GGUF file", c->name);
    }
    uint64_t version = number(c, 4), tensors = number(c, 8), entries = number(c, 8);
    if (c->failed)
        return -1;
    if (version != 2 && version != 3)
        return error_set("[load_gguf] %s: version %llu is not supported", c->name,
                         (unsigned long long)version);
    /* the least that each takes */
    if (tensors > (uint64_t)(c->end - c->p) / 24 || entries > (uint64_t)(c->end - c->p) / 13)
        return error_set(
            "[load_gguf] %s: %llu tensors and %llu entries do not fit the file; it is truncated or damaged",
            c->name, (unsigned long long)tensors, (unsigned long long)entries);
    size_t mark = mx_mark();
    int rc = 0;
    for (uint64_t i = 0; rc == 0 && i < entries; i++) {
        rc = read_metadata(c);
        mx_release(mark);
    }
    return rc ? rc : read_tensors(c, tensors);
}

int gguf_from_buffer(gguf *g, const char *name, buffer *b)
{
    const uint8_t *start = (const uint8_t *)b->data;
    cursor c = {name, start, start, start + b->size, false, g, b, 32};
    *g = (gguf){0};
    int rc = read_file(&c);
    buffer_release(b);
    if (rc)
        gguf_clear(g);
    return rc;
}

int gguf_load(gguf *g, const char *path)
{
    *g = (gguf){0};
    buffer *b = stream_map(path);
    return b ? gguf_from_buffer(g, path, b) : -1;
}
