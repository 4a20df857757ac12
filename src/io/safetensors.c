/* Reading safetensors: 8 bytes of header length, a JSON header {name: {dtype, shape, data_offsets}}, the
 * data.
 *
 * The file comes from outside, so nothing in the header is believed: every number is range-checked before it
 * is used, sizes are multiplied with overflow checks, and the tensors must tile the data section exactly. A
 * tensor's array is then a node over the one buffer that wraps the mapping, so loading copies nothing, and
 * the file is unmapped when its last array goes. Data that is not aligned for its dtype (the format does not
 * promise it) is copied for that tensor alone. */
#include "io/safetensors.h"

#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"

#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define MAX_HEADER ((size_t)100 << 20)

static const struct dtype_row {
    const char *name;
    mlx_dtype dtype;
    bool foreign;
} DTYPES[] = {
    {"F32", MLX_FLOAT32, false},  {"BF16", MLX_BFLOAT16, false}, {"F16", MLX_FLOAT16, false},
    {"U32", MLX_UINT32, false},   {"F64", MLX_FLOAT64, false},   {"BOOL", MLX_BOOL, false},
    {"U8", MLX_UINT8, false},     {"U16", MLX_UINT16, false},    {"U64", MLX_UINT64, false},
    {"I8", MLX_INT8, false},      {"I16", MLX_INT16, false},     {"I32", MLX_INT32, false},
    {"I64", MLX_INT64, false},    {"C64", MLX_COMPLEX64, false}, {"F8_E4M3", MLX_UINT8, true},
    {"F8_E5M2", MLX_UINT8, true}, {"F8_E8M0", MLX_UINT8, true},
};

/* What a reader works on. */
typedef struct parse {
    safetensors *s;
    const char *path, *data; /* data: start of the data section; NULL in a stream */
    size_t start, size;      /* of the data section in the file */
    size_t n_shapes, n_names;
} parse;

static const struct dtype_row *dtype_of(const char *name)
{
    for (size_t i = 0; i < sizeof DTYPES / sizeof *DTYPES; i++)
        if (strcmp(DTYPES[i].name, name) == 0)
            return &DTYPES[i];
    return NULL;
}

static int read_shape(const parse *p, safetensors_tensor *t, const json_t *shape, size_t *elements)
{
    if (!json_is_array(shape) || json_array_size(shape) > MX_MAX_DIMS)
        return error_set("%s: tensor \"%s\": \"shape\" must be a list of at most %d sizes", p->path, t->name,
                         MX_MAX_DIMS);
    *elements = 1;
    t->ndim = (int)json_array_size(shape);
    for (int i = 0; i < t->ndim; i++) {
        const json_t *v = json_array_get(shape, (size_t)i);
        json_int_t n = json_is_integer(v) ? json_integer_value(v) : -1;
        if (n < 0 || n > INT_MAX)
            return error_set("%s: tensor \"%s\": size %d of the shape is not a whole number from 0 to %d",
                             p->path, t->name, i, INT_MAX);
        t->shape[i] = (int)n;
        if (!mem_mul(*elements, (size_t)n, elements))
            return error_set("%s: tensor \"%s\": the shape has too many elements", p->path, t->name);
    }
    return 0;
}

static int read_range(const parse *p, safetensors_tensor *t, const json_t *range, size_t elements)
{
    const json_t *b = json_array_get(range, 0), *e = json_array_get(range, 1);
    if (json_array_size(range) != 2 || !json_is_integer(b) || !json_is_integer(e))
        return error_set("%s: tensor \"%s\": \"data_offsets\" must be two whole numbers", p->path, t->name);
    json_int_t begin = json_integer_value(b), end = json_integer_value(e);
    if (begin < 0 || end < begin || (unsigned long long)end > p->size)
        return error_set(
            "%s: tensor \"%s\": bytes %lld to %lld are not a range in the %zu bytes of data; the file "
            "is truncated or damaged",
            p->path, t->name, (long long)begin, (long long)end, p->size);
    t->data = p->data ? p->data + begin : NULL;
    t->offset = p->start + (size_t)begin;
    t->bytes = (size_t)(end - begin);
    size_t need;
    if (!mem_mul(elements, mx_dtype_size(t->dtype), &need) || need != t->bytes)
        return error_set("%s: tensor \"%s\": shape and dtype need another size than the %zu bytes given",
                         p->path, t->name, t->bytes);
    return 0;
}

static int read_tensor(parse *p, safetensors_tensor *t, const json_t *row)
{
    static const char *const KEYS[] = {"dtype", "shape", "data_offsets"};
    for (size_t i = 0; i < 3; i++)
        if (!json_object_get(row, KEYS[i]))
            return error_set("%s: tensor \"%s\" has no \"%s\"", p->path, t->name, KEYS[i]);
    const char *name = json_string_value(json_object_get(row, "dtype"));
    const struct dtype_row *d = name ? dtype_of(name) : NULL;
    if (!d)
        return error_set("%s: tensor \"%s\": unknown dtype \"%.40s\"", p->path, t->name, name ? name : "");
    t->dtype = d->dtype;
    t->foreign = d->foreign;
    size_t elements = 0;
    if (read_shape(p, t, json_object_get(row, "shape"), &elements))
        return -1;
    return read_range(p, t, json_object_get(row, "data_offsets"), elements);
}

static int read_metadata(const parse *p, const json_t *map)
{
    safetensors *s = p->s;
    if (json_is_null(map))
        return 0;
    if (!json_is_object(map))
        return error_set("%s: \"__metadata__\" is not an object", p->path);
    s->metadata = mem_calloc(2 * json_object_size(map), sizeof *s->metadata);
    if (!s->metadata)
        return -1;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)map, key, value)
    {
        if (!json_is_string(value))
            return error_set("%s: metadata \"%s\" is not a string", p->path, key);
        char **pair = &s->metadata[2 * s->n_metadata++];
        pair[0] = mem_strdup(key);
        pair[1] = mem_strdup(json_string_value(value));
        if (!pair[0] || !pair[1])
            return -1;
    }
    return 0;
}

/* Counts what must be allocated. */
static int measure(parse *p, json_t *root)
{
    const char *key;
    json_t *row;
    json_object_foreach(root, key, row)
    {
        if (strcmp(key, "__metadata__") == 0)
            continue;
        if (!json_is_object(row))
            return error_set("%s: the entry of \"%s\" is not an object", p->path, key);
        p->s->count++;
        p->n_names += strlen(key) + 1;
        size_t dims = json_array_size(json_object_get(row, "shape"));
        p->n_shapes += dims < MX_MAX_DIMS ? dims : MX_MAX_DIMS;
    }
    safetensors *s = p->s;
    s->tensors = mem_calloc(s->count, sizeof *s->tensors);
    s->shapes = mem_calloc(p->n_shapes, sizeof *s->shapes);
    s->names = mem_alloc(p->n_names, 1);
    return s->tensors && s->shapes && s->names ? 0 : -1;
}

static int read_rows(parse *p, json_t *root)
{
    safetensors_tensor *t = p->s->tensors;
    int *shape = p->s->shapes;
    char *name = p->s->names;
    const char *key;
    json_t *row;
    json_object_foreach(root, key, row)
    {
        if (strcmp(key, "__metadata__") == 0) {
            if (read_metadata(p, row))
                return -1;
            continue;
        }
        size_t n = strlen(key) + 1;
        memcpy(name, key, n);
        t->name = name;
        t->shape = shape;
        if (read_tensor(p, t, row))
            return -1;
        name += n;
        shape += t->ndim;
        t++;
    }
    return 0;
}

static int by_data(const void *a, const void *b)
{
    const safetensors_tensor *x = a, *y = b;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const safetensors_tensor *)a)->name, ((const safetensors_tensor *)b)->name);
}

/* The tensors must tile the data section: no overlap, no gap, nothing behind. */
static int check_tiling(const parse *p)
{
    safetensors *s = p->s;
    size_t at = 0;
    qsort(s->tensors, s->count, sizeof *s->tensors, by_data);
    for (size_t i = 0; i < s->count; i++) {
        const safetensors_tensor *t = &s->tensors[i];
        size_t begin = t->offset - p->start;
        if (begin < at)
            return error_set("%s: tensors \"%s\" and \"%s\" overlap", p->path, s->tensors[i - 1].name,
                             t->name);
        if (begin > at)
            return error_set("%s: %zu bytes before tensor \"%s\" belong to no tensor", p->path, begin - at,
                             t->name);
        at = begin + t->bytes;
    }
    if (at != p->size)
        return error_set("%s: %zu bytes at the end belong to no tensor", p->path, p->size - at);
    qsort(s->tensors, s->count, sizeof *s->tensors, by_name);
    return 0;
}

/* The length of the header, from the first 8 bytes of a file of `size`. 0, or -1 with an error. */
static int header_length(const char *path, const unsigned char *first, size_t size, size_t *length)
{
    unsigned long long n = 0;
    if (size < 8)
        return error_set("%s: %zu bytes are too short for a safetensors file", path, size);
    for (int i = 7; i >= 0; i--)
        n = n << 8 | first[i];
    if (n > MAX_HEADER)
        return error_set("%s: the header would have %llu bytes (limit %zu); this is no safetensors file",
                         path, n, MAX_HEADER);
    if (n > size - 8)
        return error_set("%s: the header would have %llu bytes, the file has %zu; it is truncated", path, n,
                         size);
    *length = (size_t)n;
    return 0;
}

/* Reads the header, n bytes of text. */
static int read_header(parse *p, const char *text, size_t n)
{
    json_error_t e;
    json_t *root = json_loadb(text, n, JSON_REJECT_DUPLICATES, &e);
    if (!root)
        return error_set("%s: the header is not valid JSON: %s", p->path, e.text);
    int rc = 0;
    if (!json_is_object(root))
        rc = error_set("%s: the header is not a JSON object", p->path);
    if (rc == 0)
        rc = measure(p, root);
    if (rc == 0)
        rc = read_rows(p, root);
    json_decref(root);
    return rc == 0 ? check_tiling(p) : -1;
}

static void unmap(void *owner)
{
    file_map *map = owner;
    file_map_close(map);
    mem_free(map);
}

int safetensors_from_buffer(safetensors *s, const char *name, buffer *b)
{
    *s = (safetensors){.file = b, .path = mem_strdup(name)};
    size_t n = 0;
    if (s->path && header_length(name, (const unsigned char *)b->data, b->size, &n) == 0) {
        parse p = {.s = s, .path = name, .data = b->data + 8 + n, .start = 8 + n, .size = b->size - 8 - n};
        if (read_header(&p, b->data + 8, n) == 0)
            return 0;
    }
    safetensors_close(s);
    return -1;
}

/* Reads the header of a stream of `size` bytes. */
static int read_stream(safetensors *s, const stream *from, size_t size)
{
    unsigned char first[8] = {0};
    size_t n = 0;
    if (stream_read(from, "load_safetensors", first, size < 8 ? size : 8) ||
        header_length(s->path, first, size, &n))
        return -1;
    char *text = mem_alloc(n, 1);
    parse p = {.s = s, .path = s->path, .start = 8 + n, .size = size - 8 - n};
    int rc = text && stream_read(from, "load_safetensors", text, n) == 0 ? read_header(&p, text, n) : -1;
    mem_free(text);
    s->source = rc ? NULL : stream_source(from, size);
    return s->source ? 0 : -1;
}

int safetensors_load_stream(safetensors *s, const stream *from)
{
    size_t size;
    *s = (safetensors){0};
    if (stream_size(from, "load_safetensors", &size))
        return -1;
    from->calls.seek(from->desc, 0, SEEK_SET);
    s->path = mem_strdup(stream_label(from));
    if (s->path && read_stream(s, from, size) == 0)
        return 0;
    safetensors_close(s);
    return -1;
}

int safetensors_open(safetensors *s, const char *path)
{
    *s = (safetensors){0};
    file_map *map = mem_alloc(1, sizeof *map);
    if (!map || file_map_open(map, path)) {
        mem_free(map);
        return -1;
    }
    buffer *b = buffer_wrap(map->data, map->size, unmap, map);
    return b ? safetensors_from_buffer(s, path, b) : -1;
}

void safetensors_close(safetensors *s)
{
    for (size_t i = 0; i < 2 * s->n_metadata; i++)
        mem_free(s->metadata[i]);
    mem_free(s->metadata);
    mem_free(s->tensors);
    mem_free(s->shapes);
    mem_free(s->names);
    mem_free(s->path);
    if (s->source)
        node_release(s->source);
    buffer_release(s->file);
    *s = (safetensors){0};
}

const safetensors_tensor *safetensors_find(const safetensors *s, const char *name)
{
    safetensors_tensor key = {.name = name};
    return s->count ? bsearch(&key, s->tensors, s->count, sizeof key, by_name) : NULL;
}

const char *safetensors_metadata(const safetensors *s, const char *key)
{
    for (size_t i = 0; i < s->n_metadata; i++)
        if (strcmp(s->metadata[2 * i], key) == 0)
            return s->metadata[2 * i + 1];
    return NULL;
}

mlx_array safetensors_array(const safetensors *s, const safetensors_tensor *t)
{
    buffer *b;
    const char *data = t->data;
    if (s->source)
        return source_array(s->source, t->offset, t->shape, t->ndim, t->dtype, false);
    if ((uintptr_t)t->data % mx_dtype_size(t->dtype) == 0) {
        b = buffer_retain(s->file);
    } else {
        b = buffer_new(t->bytes);
        if (!b)
            return MX_NULL;
        memcpy(b->data, t->data, t->bytes);
        data = b->data;
    }
    return node_temp(node_from_buffer(b, data, t->shape, t->ndim, t->dtype));
}
