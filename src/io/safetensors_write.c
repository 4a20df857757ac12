/* Writing safetensors: the header is known from shapes and dtypes alone, so it goes out first and the data
 * streams after it, one tensor in memory at a time. The header is padded with spaces so that the data begins
 * at a multiple of 64 bytes of the file. Keys keep the order of the items; MLX's metadata {"format": "mlx"}
 * goes in front. */
#include "io/safetensors.h"

#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "io/jsontext.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHARD_LIMIT ((size_t)5 << 30)
enum { DATA_ALIGN = 64 };

static const char *const NAMES[MX_DTYPES] = {
    [MLX_BOOL] = "BOOL",     [MLX_UINT8] = "U8",      [MLX_UINT16] = "U16",  [MLX_UINT32] = "U32",
    [MLX_UINT64] = "U64",    [MLX_INT8] = "I8",       [MLX_INT16] = "I16",   [MLX_INT32] = "I32",
    [MLX_INT64] = "I64",     [MLX_FLOAT16] = "F16",   [MLX_FLOAT32] = "F32", [MLX_FLOAT64] = "F64",
    [MLX_BFLOAT16] = "BF16", [MLX_COMPLEX64] = "C64",
};

/* A JSON string with its quotes. */
static void add_string(strbuf *s, const char *text)
{
    json_t *v = json_string(text);
    if (v) {
        jsontext_add(s, v, JSON_ENCODE_ANY);
    } else {
        error_set("\"%.80s\" cannot be written: it is not valid UTF-8, or memory is out", text);
        s->failed = true;
    }
    json_decref(v);
}

static int item_bytes(const safetensors_item *item, size_t *bytes)
{
    *bytes = mx_dtype_size(item->dtype);
    for (int i = 0; i < item->ndim; i++)
        if (item->shape[i] < 0 || !mem_mul(*bytes, (size_t)item->shape[i], bytes))
            return error_set("tensor \"%s\" is too large to be written", item->name);
    return 0;
}

static int add_item(strbuf *s, const safetensors_item *item, size_t *at)
{
    size_t bytes;
    if (item_bytes(item, &bytes))
        return -1;
    add_string(s, item->name);
    strbuf_addf(s, ":{\"dtype\":\"%s\",\"shape\":[", NAMES[item->dtype]);
    for (int i = 0; i < item->ndim; i++)
        strbuf_addf(s, i ? ",%d" : "%d", item->shape[i]);
    strbuf_addf(s, "],\"data_offsets\":[%zu,%zu]}", *at, *at + bytes);
    *at += bytes;
    return 0;
}

static int build_header(strbuf *s, const safetensors_item *items, size_t n, const char *const (*metadata)[2],
                        size_t n_metadata)
{
    size_t at = 0;
    strbuf_adds(s, "{");
    for (size_t i = 0; i < n_metadata; i++) {
        strbuf_adds(s, i ? "," : "\"__metadata__\":{");
        add_string(s, metadata[i][0]);
        strbuf_adds(s, ":");
        add_string(s, metadata[i][1]);
    }
    strbuf_adds(s, n_metadata ? "}" : "");
    for (size_t i = 0; i < n; i++) {
        strbuf_adds(s, i || n_metadata ? "," : "");
        if (add_item(s, &items[i], &at))
            return -1;
    }
    strbuf_adds(s, "}");
    while (!s->failed && (s->len + 8) % DATA_ALIGN)
        strbuf_addc(s, ' ');
    return s->failed ? -1 : 0;
}

static int write_body(file_out *o, const strbuf *header, const safetensors_item *items, size_t n,
                      safetensors_fetch fetch, void *user)
{
    unsigned char length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)((unsigned long long)header->len >> 8 * i);
    if (file_write(o, length, 8) || file_write(o, header->data, header->len))
        return -1;
    for (size_t i = 0; i < n; i++) {
        const void *data = NULL;
        size_t bytes;
        if (item_bytes(&items[i], &bytes) || fetch(user, i, &data) || file_write(o, data, bytes))
            return -1;
    }
    return 0;
}

int safetensors_write(const char *path, const safetensors_item *items, size_t n,
                      const char *const (*metadata)[2], size_t n_metadata, safetensors_fetch fetch,
                      void *user)
{
    strbuf header = {0};
    file_out o;
    int rc = build_header(&header, items, n, metadata, n_metadata);
    if (rc == 0)
        rc = file_create(&o, path);
    if (rc == 0) {
        rc = write_body(&o, &header, items, n, fetch, user);
        if (rc)
            file_abort(&o);
        else
            rc = file_commit(&o);
    }
    strbuf_free(&header);
    return rc;
}

/* --- shards --- */

typedef struct shard_fetch {
    safetensors_fetch fetch;
    void *user;
    size_t first;
} shard_fetch;

static int fetch_shifted(void *user, size_t i, const void **data)
{
    shard_fetch *s = user;
    return s->fetch(s->user, s->first + i, data);
}

/* Fills first[0..shards] with where each shard begins (greedily, in order); returns the number of shards, 0
 * on failure. `first` has n + 2 places. */
static size_t plan_shards(const safetensors_item *items, size_t n, size_t limit, size_t *first, size_t *total)
{
    size_t shards = 1, used = 0;
    first[0] = 0;
    *total = 0;
    for (size_t i = 0; i < n; i++) {
        size_t bytes;
        if (item_bytes(&items[i], &bytes))
            return 0;
        if (used && (bytes > limit || used > limit - bytes)) {
            first[shards++] = i;
            used = 0;
        }
        used += bytes;
        *total += bytes;
    }
    first[shards] = n;
    return shards;
}

static void shard_name(char *out, size_t size, size_t i, size_t shards)
{
    if (shards == 1)
        snprintf(out, size, "model.safetensors");
    else
        snprintf(out, size, "model-%05zu-of-%05zu.safetensors", i + 1, shards);
}

typedef struct placed {
    const char *name;
    size_t shard;
} placed;

static int by_name(const void *a, const void *b)
{
    return strcmp(((const placed *)a)->name, ((const placed *)b)->name);
}

static int write_index(const char *dir, const safetensors_item *items, size_t n, const size_t *first,
                       size_t shards, size_t total, size_t parameters)
{
    strbuf s = {0};
    char file[64];
    int rc = -1;
    char *path = file_join(dir, "model.safetensors.index.json");
    placed *rows = mem_calloc(n, sizeof *rows);
    if (!path || !rows)
        goto done;
    for (size_t k = 0; k < shards; k++)
        for (size_t i = first[k]; i < first[k + 1]; i++)
            rows[i] = (placed){items[i].name, k};
    qsort(rows, n, sizeof *rows, by_name);
    strbuf_addf(
        &s,
        "{\n    \"metadata\": {\n        \"total_size\": %zu,\n        \"total_parameters\": %zu\n    },\n"
        "    \"weight_map\": {",
        total, parameters);
    for (size_t i = 0; i < n; i++) {
        strbuf_adds(&s, i ? ",\n        " : "\n        ");
        add_string(&s, rows[i].name);
        shard_name(file, sizeof file, rows[i].shard, shards);
        strbuf_addf(&s, ": \"%s\"", file);
    }
    strbuf_adds(&s, "\n    }\n}\n");
    rc = s.failed ? -1 : file_save(path, s.data, s.len);
done:
    strbuf_free(&s);
    mem_free(rows);
    mem_free(path);
    return rc;
}

static int write_shard(const char *dir, const safetensors_item *items, const size_t *first, size_t k,
                       size_t shards, safetensors_fetch fetch, void *user)
{
    static const char *const METADATA[][2] = {{"format", "mlx"}};
    char name[64];
    shard_name(name, sizeof name, k, shards);
    shard_fetch shifted = {fetch, user, first[k]};
    char *path = file_join(dir, name);
    int rc = path ? safetensors_write(path, items + first[k], first[k + 1] - first[k], METADATA, 1,
                                      fetch_shifted, &shifted)
                  : -1;
    mem_free(path);
    return rc;
}

int safetensors_write_sharded(const char *dir, const safetensors_item *items, size_t n, size_t max_shard,
                              size_t parameters, safetensors_fetch fetch, void *user)
{
    size_t total, bytes, *first = mem_add(n, 2, &bytes) ? mem_alloc(bytes, sizeof *first) : NULL;
    if (!first)
        return -1;
    size_t shards = plan_shards(items, n, max_shard ? max_shard : SHARD_LIMIT, first, &total);
    int rc = shards ? 0 : -1;
    for (size_t k = 0; k < shards && rc == 0; k++)
        rc = write_shard(dir, items, first, k, shards, fetch, user);
    if (rc == 0)
        rc = write_index(dir, items, n, first, shards, total, parameters);
    mem_free(first);
    return rc;
}

/* --- arrays --- */

typedef struct array_fetch {
    const mlx_array *arrays;
    mlx_array current; /* a slot: the row-major form of the array that is written now */
} array_fetch;

static int fetch_array(void *user, size_t i, const void **data)
{
    array_fetch *f = user;
    size_t mark = mx_mark();
    mx_set(&f->current, mx_contiguous(f->arrays[i]));
    mx_release(mark);
    if (mx_is_null(f->current) || mx_eval(f->current))
        return -1;
    *data = mx_data(f->current);
    return 0;
}

int safetensors_save(const char *path, const char *const *names, const mlx_array *arrays, size_t n)
{
    safetensors_item *items = mem_calloc(n, sizeof *items);
    if (!items)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (mx_is_null(arrays[i])) {
            mem_free(items);
            return error_set("%s: the array \"%s\" does not exist", path, names[i]);
        }
        items[i] =
            (safetensors_item){names[i], mx_dtype_of(arrays[i]), mx_ndim(arrays[i]), mx_shape(arrays[i])};
    }
    array_fetch f = {arrays, MX_NULL};
    int rc = safetensors_write(path, items, n, NULL, 0, fetch_array, &f);
    mx_set(&f.current, MX_NULL);
    mem_free(items);
    return rc;
}

/* --- what MLX's functions write --- */

static int fill_map(void *arg, const sink *to)
{
    const safetensors_map *m = arg;
    safetensors_item *items = mem_calloc(m->n, sizeof *items);
    strbuf header = {0};
    int rc = items ? 0 : -1;
    for (size_t i = 0; rc == 0 && i < m->n; i++) {
        mlx_array x = m->arrays[i];
        if (mx_is_null(x) || mx_dtype_of(x) == MLX_FLOAT64)
            rc = error_set("[save_safetensors] received invalid dtype. \"%s\" is float64, or no array",
                           m->names[i]);
        else
            items[i] = (safetensors_item){m->names[i], mx_dtype_of(x), mx_ndim(x), mx_shape(x)};
    }
    rc = rc ? rc : build_header(&header, items, m->n, m->metadata, m->n_metadata);
    unsigned char length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)((unsigned long long)header.len >> 8 * i);
    if (rc == 0 && (sink_write(to, length, 8) || sink_write(to, header.data, header.len)))
        rc = -1;
    for (size_t i = 0; rc == 0 && i < m->n; i++)
        rc = sink_write_array(to, m->arrays[i]);
    strbuf_free(&header);
    mem_free(items);
    return rc;
}

int safetensors_save_map(const char *path, const safetensors_map *m)
{
    return stream_save(path, ".safetensors", fill_map, (void *)(uintptr_t)m);
}

int safetensors_save_stream(const stream *to, const safetensors_map *m)
{
    return stream_write(to, "save_safetensors", fill_map, (void *)(uintptr_t)m);
}
