/* Loading: for each module that the model names, the checkpoint's tensors become its slots, where they lie in
 * the mapped file. Afterwards every tensor must have been used, but for those that the model declares unused.
 */
#include "nn/load.h"

#include "base/error.h"

#include <stdio.h>
#include <string.h>

typedef struct loader {
    nn_visitor v;
    checkpoint *weights;
    const cfg *config;
    nn_quantization all;
    mx_precision precision;
} loader;

static bool bits_known(int bits)
{
    return bits == 2 || bits == 3 || bits == 4 || bits == 5 || bits == 6 || bits == 8;
}
static bool group_known(int g) { return g == 32 || g == 64 || g == 128; }

static nn_quantization read_rule(const cfg *q, nn_quantization otherwise)
{
    nn_quantization r = {cfg_size(q, "group_size", otherwise.group_size),
                         cfg_size(q, "bits", otherwise.bits)};
    if (strcmp(cfg_string(q, "mode", "affine"), "affine") != 0)
        cfg_error(q, "mode", "is not supported; affine is");
    else if (!bits_known(r.bits))
        cfg_error(q, "bits", "must be 2, 3, 4, 5, 6 or 8");
    else if (!group_known(r.group_size))
        cfg_error(q, "group_size", "must be 32, 64 or 128");
    return r;
}

static cfg rules(const cfg *c)
{
    cfg q = cfg_object(c, "quantization", "quantization.");
    return q.node ? q : cfg_object(c, "quantization_config", "quantization_config.");
}

nn_quantization nn_quantization_from(const cfg *c)
{
    cfg q = rules(c);
    if (!q.node)
        return (nn_quantization){0, 0};
    if (cfg_has(&q, "quant_method")) {
        cfg_error(
            &q, "quant_method",
            "is a scheme that cannot be read; convert the original model, or fetch an MLX version of it");
        return (nn_quantization){0, 0};
    }
    return read_rule(&q, (nn_quantization){64, 4});
}

nn_quantization nn_quantization_of(const cfg *c, const char *path, nn_quantization all, bool has_scales)
{
    cfg q = rules(c);
    const json_t *own = json_object_get(q.node, path);
    if (json_is_object(own)) {
        cfg rule = {q.file, own, path};
        return read_rule(&rule, all);
    }
    if (json_is_false(own))
        return (nn_quantization){0, 0};
    return json_is_true(own) || (has_scales && all.bits) ? all : (nn_quantization){0, 0};
}

static void tensor_name(char *out, size_t size, const char *path, const char *part)
{
    snprintf(out, size, "%s.%s", path, part);
}

static bool is_there(loader *l, const char *path, const char *part)
{
    char name[300];
    tensor_name(name, sizeof name, path, part);
    return checkpoint_find(l->weights, name) != NULL;
}

static bool is_float(mlx_dtype t) { return t == MLX_FLOAT32 || t == MLX_FLOAT16 || t == MLX_BFLOAT16; }

static int check(const checkpoint_entry *e, bool packed, const int *shape, int ndim)
{
    const safetensors_tensor *t = e->tensor;
    if (t->foreign || (packed ? t->dtype != MLX_UINT32 : !is_float(t->dtype)))
        return error_set("%s: tensor \"%s\" is %s; expected %s", e->file->path, t->name,
                         t->foreign ? "an 8-bit float" : mx_dtype_name(t->dtype),
                         packed ? "uint32" : "float32, float16 or bfloat16");
    bool same = t->ndim == ndim;
    for (int i = 0; i < ndim && same; i++)
        same = t->shape[i] == shape[i];
    if (same)
        return 0;
    char has[128] = "", wants[128] = "";
    for (int i = 0, n = 0; i < t->ndim && n < 100; i++)
        n += snprintf(has + n, sizeof has - (size_t)n, i ? ", %d" : "%d", t->shape[i]);
    for (int i = 0, n = 0; i < ndim; i++)
        n += snprintf(wants + n, sizeof wants - (size_t)n, i ? ", %d" : "%d", shape[i]);
    return error_set("%s: tensor \"%s\" has shape (%s); config.json makes it (%s)", e->file->path, t->name,
                     has, wants);
}

/* Puts a tensor into a slot. */
static int take(loader *l, const char *path, const char *part, bool packed, const int *shape, size_t ndim,
                mlx_array *slot)
{
    char name[300];
    tensor_name(name, sizeof name, path, part);
    checkpoint_entry *e = checkpoint_find(l->weights, name);
    if (!e)
        return error_set("tensor \"%s\" is missing from the checkpoint (%s%s)", name,
                         l->weights->files[0].path, l->weights->n_files > 1 ? " and more" : "");
    if (check(e, packed, shape, (int)ndim))
        return -1;
    e->used = true;
    size_t mark = mx_mark();
    mx_set(slot, safetensors_array(e->file, e->tensor));
    mx_release(mark);
    return mx_is_null(*slot) ? -1 : 0;
}

static int load_norm(loader *l, const char *path, nn_norm *n)
{
    if (take(l, path, "weight", false, SHAPE(n->dim), &n->weight))
        return -1;
    return n->has_bias ? take(l, path, "bias", false, SHAPE(n->dim), &n->bias) : 0;
}

static int load_quantized(loader *l, const char *path, nn_linear *m, nn_quantization q)
{
    if (m->in % q.group_size)
        return error_set("%s: %d inputs cannot be in groups of %d; the quantization in config.json is wrong",
                         path, m->in, q.group_size);
    m->group_size = q.group_size;
    m->bits = q.bits;
    int words = (int)((long long)m->in * q.bits / 32), groups = m->in / q.group_size;
    if (take(l, path, "weight", true, SHAPE(m->out, words), &m->weight) ||
        take(l, path, "scales", false, SHAPE(m->out, groups), &m->scales) ||
        take(l, path, "biases", false, SHAPE(m->out, groups), &m->biases))
        return -1;
    if (mx_dtype_of(m->scales) != mx_dtype_of(m->biases))
        return error_set("%s: scales are %s, biases %s; they must agree", path,
                         mx_dtype_name(mx_dtype_of(m->scales)), mx_dtype_name(mx_dtype_of(m->biases)));
    m->precision = l->precision;
    if (l->precision != MX_INT8 ||
        (q.bits != 4 && q.bits != 8)) /* a bfloat16 model's activations are bfloat16 */
        m->precision = mx_dtype_of(m->scales) == MLX_BFLOAT16 ? MX_BF16 : MX_EXACT;
    return 0;
}

static int load_module(nn_visitor *v, const nn_module *m)
{
    loader *l = (loader *)v;
    if (m->norm)
        return load_norm(l, m->path, m->norm);
    nn_linear *w = m->linear;
    nn_quantization q = nn_quantization_of(l->config, m->path, l->all, is_there(l, m->path, "scales"));
    if (!cfg_ok(l->config))
        return -1;
    w->bits = w->group_size = 0;
    int rc = q.bits ? load_quantized(l, m->path, w, q)
                    : take(l, m->path, "weight", false, SHAPE(w->out, w->in), &w->weight);
    if (rc == 0 && w->has_bias)
        rc = take(l, m->path, "bias", false, SHAPE(w->out), &w->bias);
    return rc;
}

static void drop(nn_visitor *v, const char *ending)
{
    loader *l = (loader *)v;
    size_t n = strlen(ending);
    for (size_t i = 0; i < l->weights->count; i++) {
        checkpoint_entry *e = &l->weights->entries[i];
        size_t len = strlen(e->tensor->name);
        if (len >= n && strcmp(e->tensor->name + len - n, ending) == 0 &&
            (len == n || e->tensor->name[len - n - 1] == '.'))
            e->used = true;
    }
}

static int check_surplus(const checkpoint *c)
{
    size_t n = 0;
    const checkpoint_entry *first = NULL;
    for (size_t i = 0; i < c->count; i++) {
        if (c->entries[i].used)
            continue;
        first = first ? first : &c->entries[i];
        n++;
    }
    if (n == 0)
        return 0;
    return error_set("%s: tensor \"%s\"%s not part of the model that config.json describes",
                     first->file->path, first->tensor->name, n > 1 ? " and others are" : " is");
}

int nn_load(nn_visit_fn visit, void *model, checkpoint *weights, const cfg *config, mx_precision precision)
{
    loader l = {.v = {.module = load_module, .unused = drop},
                .weights = weights,
                .config = config,
                .all = nn_quantization_from(config),
                .precision = precision};
    if (!cfg_ok(config))
        return -1;
    visit(model, &l.v);
    return l.v.failed ? -1 : check_surplus(weights);
}
