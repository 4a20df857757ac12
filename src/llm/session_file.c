/* Sessions in files, in the layout of mlx-lm's prompt caches: a safetensors file with the arrays L.0 (keys)
 * and L.1 (values) of each layer L, (1, heads, positions, dim), and metadata: 0.L the layer's state as
 * text, 2.L its class, 1.KEY the writer's own. The token ids, which mlx-lm does not keep, are one of those
 * here. */
#include "llm/model.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "io/safetensors.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDS_KEY "1.mica_ids"

/* --- saving --- */

/* Names and metadata as they are built: texts one after the other, places noted. */
typedef struct writer {
    strbuf text;
    size_t *places; /* 2 a pair of metadata, then one a name */
    size_t n_places, cap;
} writer;

static void put(writer *w, const char *fmt, const char *text, int layer)
{
    size_t *grown = mem_grow(w->places, &w->cap, w->n_places + 1, sizeof *grown);
    if (!grown) {
        w->text.failed = true;
        return;
    }
    w->places = grown;
    w->places[w->n_places++] = w->text.len;
    if (text)
        strbuf_adds(&w->text, text);
    else
        strbuf_addf(&w->text, fmt, layer);
    strbuf_addc(&w->text, 0);
}

static void put_ids(writer *w, const lm_session *s)
{
    strbuf ids = {0};
    for (int i = 0; i < s->cache.offset; i++)
        strbuf_addf(&ids, i ? ",%d" : "%d", s->ids[i]);
    put(w, NULL, IDS_KEY, 0);
    put(w, NULL, strbuf_text(&ids), 0);
    w->text.failed = w->text.failed || ids.failed;
    strbuf_free(&ids);
}

/* All texts of the file; the number of pairs. */
static size_t describe(writer *w, const lm_session *s, const char *const (*metadata)[2], size_t n)
{
    strbuf key = {0};
    for (int i = 0; i < s->cache.n_layers; i++) {
        put(w, "0.%d", NULL, i);
        put(w, NULL, "", 0);
    }
    for (size_t i = 0; i < n; i++) {
        strbuf_clear(&key);
        strbuf_addf(&key, "1.%s", metadata[i][0]);
        put(w, NULL, strbuf_text(&key), 0);
        put(w, NULL, metadata[i][1], 0);
    }
    put_ids(w, s);
    for (int i = 0; i < s->cache.n_layers; i++) {
        put(w, "2.%d", NULL, i);
        put(w, NULL, "KVCache", 0);
    }
    size_t pairs = w->n_places / 2;
    for (int i = 0; i < s->cache.n_layers; i++) {
        put(w, "%d.0", NULL, i);
        put(w, "%d.1", NULL, i);
    }
    w->text.failed = w->text.failed || key.failed;
    strbuf_free(&key);
    return pairs;
}

static mlx_array used(mlx_array x, int n)
{
    return mx_is_null(x) ? x : mx_contiguous(mx_slice_axis(x, 2, 0, n));
}

static int save(const lm_session *s, const char *path, writer *w, size_t pairs)
{
    size_t n = 2 * (size_t)s->cache.n_layers;
    const char **texts = mem_alloc(w->n_places, sizeof *texts);
    const char *(*metadata)[2] = mem_alloc(pairs, sizeof *metadata);
    mlx_array *arrays = mem_alloc(n, sizeof *arrays);
    int rc = -1;
    if (texts && metadata && arrays) {
        for (size_t i = 0; i < w->n_places; i++)
            texts[i] = w->text.data + w->places[i];
        memcpy(metadata, texts, pairs * sizeof *metadata);
        size_t mark = mx_mark();
        for (size_t i = 0; i < n; i++) {
            const kv_layer *l = &s->cache.layers[i / 2];
            arrays[i] = used(i % 2 ? l->values : l->keys, s->cache.offset);
        }
        const safetensors_map all = {texts + 2 * pairs, arrays, n, (const char *const(*)[2])metadata, pairs};
        rc = safetensors_save_map(path, &all);
        mx_release(mark);
    }
    mem_free(texts);
    mem_free(metadata);
    mem_free(arrays);
    return rc;
}

int lm_session_save(const lm_session *s, const char *path, const char *const (*metadata)[2], size_t n)
{
    lm_begin();
    if (s->cache.offset == 0)
        return error_set("%s: an empty session is not saved", path);
    if (s->cache.stored < s->cache.offset)
        return error_set("%s: a cache that has let positions go is not saved", path);
    for (int i = 0; i < s->cache.n_layers; i++)
        if (s->cache.recurrent || mx_is_null(s->cache.layers[i].keys) ||
            mx_is_null(s->cache.layers[i].values))
            return error_set("%s: the cache of a model of type %s cannot be saved", path,
                             s->model->arch->name);
    writer w = {0};
    size_t pairs = describe(&w, s, metadata, n);
    int rc = w.text.failed ? -1 : save(s, path, &w, pairs);
    mem_free(w.places);
    strbuf_free(&w.text);
    return rc;
}

/* --- loading --- */

static const char *layer_text(const safetensors *f, int part, int layer)
{
    char key[32];
    snprintf(key, sizeof key, "%d.%d", part, layer);
    return safetensors_metadata(f, key);
}

static mlx_array tensor(const safetensors *f, const char *fmt, int layer, int part, int sub)
{
    char name[48];
    snprintf(name, sizeof name, fmt, layer, part, sub);
    const safetensors_tensor *t = safetensors_find(f, name);
    if (!t)
        return error_set("%s: there is no tensor %s", f->path, name), MX_NULL;
    return safetensors_array(f, t);
}

/* Keys (part 0) or values of a layer, quantized ones as floats. */
static mlx_array stored(const safetensors *f, const lm_session *s, int layer, int part)
{
    const char *class = layer_text(f, 2, layer);
    int offset, group, bits;
    char key[32];
    if (class && strcmp(class, "KVCache") == 0)
        return tensor(f, "%d.%d", layer, part, 0);
    if (!class || strcmp(class, "QuantizedKVCache") != 0)
        return error_set("%s: layer %d is a %s, which cannot be loaded", f->path, layer,
                         class ? class : "layer of no known kind"),
               MX_NULL;
    int *const numbers[] = {&offset, &group, &bits};
    for (int i = 0; i < 3; i++) {
        snprintf(key, sizeof key, "0.%d.%d", layer, i);
        const char *text = safetensors_metadata(f, key);
        *numbers[i] = text ? atoi(text) : 0;
    }
    mlx_array w = tensor(f, "%d.%d.%d", layer, part, 0), scales = tensor(f, "%d.%d.%d", layer, part, 1);
    mlx_array x = mx_dequantize(w, scales, tensor(f, "%d.%d.%d", layer, part, 2), group, bits);
    return mx_astype(x, s->cache.dtype);
}

/* One array into its slot; its positions must be as many as the others'. */
static int take(const safetensors *f, lm_session *s, int layer, int part, int *positions)
{
    const kv_spec spec = s->model->arch->layer(s->model->self, layer);
    int dim = part ? spec.v_dim : spec.k_dim;
    mlx_array x = stored(f, s, layer, part);
    if (mx_is_null(x))
        return -1;
    int n = mx_ndim(x) == 4 ? mx_dim(x, 2) : -1;
    bool fits = n > 0 && mx_dim(x, 0) == 1 && mx_dim(x, 1) == spec.heads && mx_dim(x, 3) == dim;
    if (!fits || (*positions && n != *positions))
        return error_set("%s: layer %d is not of the shape (1, %d, positions, %d) that this model has",
                         f->path, layer, spec.heads, dim);
    *positions = n;
    kv_layer *l = &s->cache.layers[layer];
    /* It stays in the file until the next step, which needs more room. */
    mx_set(part ? &l->values : &l->keys, mx_astype(x, s->cache.dtype));
    return 0;
}

/* The ids that were saved; without them the tokens are unknown. */
static int take_ids(const safetensors *f, lm_session *s, int n)
{
    const char *text = safetensors_metadata(f, IDS_KEY);
    int vocab = s->model->info.vocab_size, count = 0;
    int *ids = mem_grow(s->ids, &s->cap, (size_t)n, sizeof *ids);
    if (!ids)
        return -1;
    s->ids = ids;
    memset(ids, 0, (size_t)n * sizeof *ids);
    for (char *end; text && *text && count < n; text = *end == ',' ? end + 1 : end) {
        long id = strtol(text, &end, 10);
        if (end == text || id < 0 || id >= vocab)
            break;
        ids[count++] = (int)id;
    }
    s->count = (size_t)n;
    s->unknown = count == n ? 0 : (size_t)n;
    return 0;
}

static int load(const safetensors *f, lm_session *s)
{
    int positions = 0;
    size_t mark = mx_mark();
    int rc = 0;
    for (int i = 0; i < s->cache.n_layers && rc == 0; i++)
        rc = take(f, s, i, 0, &positions) || take(f, s, i, 1, &positions) ? -1 : 0;
    mx_release(mark);
    if (rc || kv_eval(&s->cache) || take_ids(f, s, positions))
        return -1;
    s->cache.offset = s->cache.stored = positions;
    return 0;
}

int lm_session_load(lm_session *s, const char *path)
{
    lm_begin();
    safetensors f;
    if (s->count)
        return error_set("%s: only an empty session takes what is in a file", path);
    if (safetensors_open(&f, path))
        return -1;
    int rc = load(&f, s);
    safetensors_close(&f);
    if (rc == 0)
        return 0;
    kv_reset(&s->cache);
    s->count = 0;
    return error_set("%s: the prompt cache cannot be loaded", path); /* kept only if nothing told more */
}

char *lm_session_metadata(const char *path, const char *key)
{
    lm_begin();
    safetensors f;
    strbuf full = {0};
    char *copy = NULL;
    if (safetensors_open(&f, path))
        return NULL;
    strbuf_addf(&full, "1.%s", key);
    const char *value = full.failed ? NULL : safetensors_metadata(&f, strbuf_text(&full));
    copy = mem_strdup(value ? value : "");
    strbuf_free(&full);
    safetensors_close(&f);
    return copy;
}
