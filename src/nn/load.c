/* Loading: for each module that the model names, the checkpoint's tensors become its slots, where they lie in
 * the mapped file. A module that is only there in another form (a source) becomes an expression over what is
 * there. Afterwards every tensor must have been used, but for those that the model declares unused. */
#include "nn/load.h"

#include "base/error.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

typedef struct loader {
    nn_visitor v;
    checkpoint *weights;
    const cfg *config;
    nn_quantization all;
    mx_precision precision;
    bool mlx_form; /* a convolution's weight is (channels, size, 1), not (channels, 1, size) */
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
        cfg rule = {.file = q.file, .node = own, .where = path};
        return read_rule(&rule, all);
    }
    if (json_is_false(own))
        return (nn_quantization){0, 0};
    return json_is_true(own) || (has_scales && all.bits) ? all : (nn_quantization){0, 0};
}

/* --- finding tensors --- */

/* What checkpoints call a module whose path begins with `path`: as part of a model for more than text, or by
 * an older habit. */
static const struct prefix {
    const char *path, *name;
} PREFIXES[] = {
    {"model.", "language_model.model."},
    {"model.", "model.language_model."},
    {"model.", "transformer."},
    {"lm_head.", "language_model.lm_head."},
    {"model.", ""},
};

/* The tensor of a name, or of the first other name that the checkpoint has for it. */
static checkpoint_entry *find_name(loader *l, const char *name)
{
    checkpoint_entry *e = checkpoint_find(l->weights, name);
    for (size_t i = 0; !e && i < sizeof PREFIXES / sizeof *PREFIXES; i++) {
        size_t n = strlen(PREFIXES[i].path);
        char other[360];
        if (strncmp(name, PREFIXES[i].path, n) != 0)
            continue;
        snprintf(other, sizeof other, "%s%s", PREFIXES[i].name, name + n);
        e = checkpoint_find(l->weights, other);
    }
    return e;
}

static checkpoint_entry *find(loader *l, const char *path, const char *part)
{
    char name[300];
    snprintf(name, sizeof name, "%s.%s", path, part);
    return find_name(l, name);
}

static bool is_float(mlx_dtype t) { return t == MLX_FLOAT32 || t == MLX_FLOAT16 || t == MLX_BFLOAT16; }

static void print_shape(char *out, size_t size, const int *shape, int ndim)
{
    size_t n = 0;
    out[0] = 0;
    for (int i = 0; i < ndim && n + 16 < size; i++)
        n += (size_t)snprintf(out + n, size - n, i ? ", %d" : "%d", shape[i]);
}

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
    char has[128], wants[128];
    print_shape(has, sizeof has, t->shape, t->ndim);
    print_shape(wants, sizeof wants, shape, ndim);
    return error_set("%s: tensor \"%s\" has shape (%s); config.json makes it (%s)", e->file->path, t->name,
                     has, wants);
}

/* The checked tensor of an entry, or null. */
static mlx_array use(checkpoint_entry *e, bool packed, const int *shape, size_t ndim)
{
    if (check(e, packed, shape, (int)ndim))
        return MX_NULL;
    e->used = true;
    return safetensors_array(e->file, e->tensor);
}

/* Puts a tensor into a slot. */
static int take(loader *l, const char *path, const char *part, bool packed, const int *shape, size_t ndim,
                mlx_array *slot)
{
    checkpoint_entry *e = find(l, path, part);
    if (!e)
        return error_set("tensor \"%s.%s\" is missing from the checkpoint (%s%s)", path, part,
                         l->weights->files[0].path, l->weights->n_files > 1 ? " and more" : "");
    size_t mark = mx_mark();
    mx_set(slot, use(e, packed, shape, ndim));
    mx_release(mark);
    return mx_is_null(*slot) ? -1 : 0;
}

/* --- sources: a linear layer that is kept in another form --- */

/* The name's entry relative to where m is visited, with the number of an expert for '*'. */
static checkpoint_entry *find_source(loader *l, const nn_module *m, const char *name, int expert)
{
    char full[300];
    const char *star = strchr(name, '*');
    int before = star ? (int)(star - name) : (int)strlen(name);
    int n =
        snprintf(full, sizeof full, "%.*s%s%.*s", (int)m->outer, m->path, m->outer ? "." : "", before, name);
    if (star && n > 0 && (size_t)n < sizeof full)
        snprintf(full + n, sizeof full - (size_t)n, "%d%s", expert, star + 1);
    return find_name(l, full);
}

/* What the source holds: one tensor, or the experts' stacked. shape: of one matrix or bias. */
static mlx_array gather(loader *l, const nn_module *m, const char *name, const int *shape, size_t ndim)
{
    int n = m->linear->experts, whole[4] = {n};
    memcpy(whole + 1, shape, ndim * sizeof *shape);
    checkpoint_entry *first = find_source(l, m, name, 0);
    if (!strchr(name, '*'))
        return n ? use(first, false, whole, ndim + 1) : use(first, false, shape, ndim);
    mlx_array *all = mem_calloc((size_t)n, sizeof *all), stacked = MX_NULL;
    bool failed = !all;
    for (int i = 0; i < n && !failed; i++) {
        checkpoint_entry *e = find_source(l, m, name, i);
        all[i] = e ? use(e, false, shape, ndim) : MX_NULL;
        failed = mx_is_null(all[i]);
        if (!e)
            error_set("expert %d of \"%s\" is missing from the checkpoint", i, first->tensor->name);
    }
    if (!failed)
        stacked = mx_stack(all, (size_t)n, 0);
    mem_free(all);
    return stacked;
}

/* The part of the outputs, which lie along `axis`, that is the module's. */
static mlx_array part_of(const nn_source *s, mlx_array x, int axis, int out)
{
    if (!s->parts || mx_is_null(x))
        return x;
    int start[4] = {0}, stop[4], stride[4] = {1, 1, 1, 1}, ndim = mx_ndim(x);
    for (int i = 0; i < ndim; i++)
        stop[i] = mx_dim(x, i);
    axis += ndim;
    start[axis] = s->interleaved ? s->part : s->part * out;
    stop[axis] = s->interleaved ? s->parts * out : (s->part + 1) * out;
    stride[axis] = s->interleaved ? s->parts : 1;
    return mx_slice(x, start, stop, stride);
}

/* The experts' rows out of one matrix. */
static mlx_array blocks_of(loader *l, const nn_module *m, const nn_source *s)
{
    nn_linear *w = m->linear;
    int rows = s->transposed ? w->in : w->out, columns = s->transposed ? w->out : w->in;
    mlx_array all = use(find_source(l, m, s->weight, 0), false, SHAPE(w->experts * s->block, columns));
    if (mx_is_null(all))
        return all;
    mlx_array x = mx_reshape(all, SHAPE(w->experts, s->block, columns));
    x = mx_slice_axis(x, 1, s->first, s->first + rows);
    return s->transposed ? mx_swapaxes(x, -1, -2) : x;
}

static int load_source(loader *l, const nn_module *m, const nn_source *s)
{
    nn_linear *w = m->linear;
    if (s->block) {
        size_t mark = mx_mark();
        mx_set(&w->weight, mx_contiguous(blocks_of(l, m, s)));
        mx_release(mark);
        return mx_is_null(w->weight) ? -1 : 0;
    }
    int rows = w->out * (s->parts ? s->parts : 1);
    size_t mark = mx_mark();
    mlx_array x = s->transposed ? mx_swapaxes(gather(l, m, s->weight, SHAPE(w->in, rows)), -1, -2)
                                : gather(l, m, s->weight, SHAPE(rows, w->in));
    mx_set(&w->weight, mx_contiguous(part_of(s, x, -2, w->out)));
    bool failed = mx_is_null(w->weight);
    if (w->has_bias && !failed) {
        if (!s->bias || !find_source(l, m, s->bias, 0)) {
            error_set("\"%s\" has no bias in the checkpoint", m->path);
            failed = true;
        } else {
            mx_set(&w->bias, mx_contiguous(part_of(s, gather(l, m, s->bias, SHAPE(rows)), -1, w->out)));
            failed = mx_is_null(w->bias);
        }
    }
    mx_release(mark);
    return failed ? -1 : 0;
}

/* --- modules --- */

static int load_norm(loader *l, const char *path, nn_norm *n)
{
    if (take(l, path, "weight", false, SHAPE(n->dim), &n->weight))
        return -1;
    if (n->plus_one && !(n->mlx_adds && l->mlx_form)) {
        size_t mark = mx_mark();
        mx_set(&n->shifted, mx_add(mx_astype(n->weight, MLX_FLOAT32), mx_float(1, MLX_FLOAT32)));
        mx_release(mark);
    }
    return n->has_bias ? take(l, path, "bias", false, SHAPE(n->dim), &n->bias) : 0;
}

/* A tensor a row. */
static int load_rows(loader *l, const nn_module *m)
{
    nn_param *p = m->param;
    const char *star = strchr(p->rows, '*');
    mlx_array *all = mem_calloc((size_t)p->shape[0], sizeof *all);
    int rc = all && star ? 0 : -1;
    size_t mark = mx_mark();
    for (int i = 0; i < p->shape[0] && rc == 0; i++) {
        char name[300];
        snprintf(name, sizeof name, "%s.%.*s%d%s", m->path, (int)(star - p->rows), p->rows, i, star + 1);
        checkpoint_entry *e = find_name(l, name);
        all[i] = e ? use(e, false, p->shape + 1, 1) : MX_NULL;
        if (mx_is_null(all[i]))
            rc = e ? -1 : error_set("tensor \"%s\" is missing from the checkpoint", name);
    }
    if (rc == 0)
        mx_set(&p->value, mx_stack(all, (size_t)p->shape[0], 0));
    mx_release(mark);
    mem_free(all);
    return rc || mx_is_null(p->value) ? -1 : 0;
}

/* Are the axes the same but for those of length 1? */
static bool same_numbers(const safetensors_tensor *t, const nn_param *p)
{
    int i = 0, k = 0;
    for (;; i++, k++) {
        while (i < t->ndim && t->shape[i] == 1)
            i++;
        while (k < p->ndim && p->shape[k] == 1)
            k++;
        if (i == t->ndim || k == p->ndim)
            return i == t->ndim && k == p->ndim;
        if (t->shape[i] != p->shape[k])
            return false;
    }
}

static int load_param(loader *l, const nn_module *m)
{
    const char *path = m->path;
    nn_param *p = m->param;
    checkpoint_entry *e = find_name(l, path);
    if (!e && p->rows)
        return load_rows(l, m);
    if (!e)
        return error_set("tensor \"%s\" is missing from the checkpoint (%s%s)", path,
                         l->weights->files[0].path, l->weights->n_files > 1 ? " and more" : "");
    size_t mark = mx_mark();
    if (same_numbers(e->tensor, p))
        mx_set(&p->value, mx_reshape(use(e, false, e->tensor->shape, (size_t)e->tensor->ndim), p->shape,
                                     (size_t)p->ndim));
    else
        mx_set(&p->value, use(e, false, p->shape, (size_t)p->ndim));
    mx_release(mark);
    return mx_is_null(p->value) ? -1 : 0;
}

/* Takes one tensor of a linear layer; experts have an axis more. */
static int take_matrix(loader *l, const char *path, const char *part, bool packed, const nn_linear *m,
                       int columns, mlx_array *slot)
{
    return m->experts ? take(l, path, part, packed, SHAPE(m->experts, m->out, columns), slot)
                      : take(l, path, part, packed, SHAPE(m->out, columns), slot);
}

static int load_quantized(loader *l, const char *path, nn_linear *m, nn_quantization q)
{
    if (m->in % q.group_size)
        return error_set("%s: %d inputs cannot be in groups of %d; the quantization in config.json is wrong",
                         path, m->in, q.group_size);
    m->group_size = q.group_size;
    m->bits = q.bits;
    int words = (int)((long long)m->in * q.bits / 32), groups = m->in / q.group_size;
    if (take_matrix(l, path, "weight", true, m, words, &m->weight) ||
        take_matrix(l, path, "scales", false, m, groups, &m->scales) ||
        take_matrix(l, path, "biases", false, m, groups, &m->biases))
        return -1;
    if (mx_dtype_of(m->scales) != mx_dtype_of(m->biases))
        return error_set("%s: scales are %s, biases %s; they must agree", path,
                         mx_dtype_name(mx_dtype_of(m->scales)), mx_dtype_name(mx_dtype_of(m->biases)));
    m->precision = l->precision;
    bool other = l->precision == MX_INT8 && q.bits != 4 && q.bits != 8;
    if (other || l->precision == MX_BF16) /* a bfloat16 model's activations are bfloat16 */
        m->precision = mx_dtype_of(m->scales) == MLX_BFLOAT16 ? MX_BF16 : MX_EXACT;
    return 0;
}

/* How a module is quantized; config.json knows it by the checkpoint's name. */
static nn_quantization rule_of(loader *l, const char *path)
{
    const checkpoint_entry *e = find(l, path, "weight");
    char name[300];
    snprintf(name, sizeof name, "%s", e ? e->tensor->name : path);
    char *end = e ? strrchr(name, '.') : NULL;
    if (end)
        *end = 0;
    return nn_quantization_of(l->config, name, l->all, find(l, path, "scales") != NULL);
}

/* Is the weight known by another name than MLX's? */
static bool is_original(loader *l, const char *path)
{
    const checkpoint_entry *e = find(l, path, "weight");
    return e && strncmp(e->tensor->name, path, strlen(path)) != 0;
}

/* A matrix that is published as (in, out). */
static int load_conv1d(loader *l, const nn_module *m)
{
    nn_linear *w = m->linear;
    size_t mark = mx_mark();
    mlx_array x = use(find(l, m->path, "weight"), false, SHAPE(w->in, w->out));
    mx_set(&w->weight, mx_swapaxes(x, 0, 1));
    mx_release(mark);
    if (mx_is_null(w->weight))
        return -1;
    return w->has_bias ? take(l, m->path, "bias", false, SHAPE(w->out), &w->bias) : 0;
}

static int load_linear(loader *l, const nn_module *m)
{
    nn_linear *w = m->linear;
    w->bits = w->group_size = 0;
    if (!find(l, m->path, "weight"))
        for (const nn_source *s = m->sources; s && s->weight; s++)
            if (find_source(l, m, s->weight, 0))
                return load_source(l, m, s);
    nn_quantization q = rule_of(l, m->path);
    if (!cfg_ok(l->config))
        return -1;
    if (w->conv1d && !q.bits && is_original(l, m->path))
        return load_conv1d(l, m);
    int rc = q.bits ? load_quantized(l, m->path, w, q)
                    : take_matrix(l, m->path, "weight", false, w, w->in, &w->weight);
    if (rc || !w->has_bias)
        return rc;
    return w->experts ? take(l, m->path, "bias", false, SHAPE(w->experts, w->out), &w->bias)
                      : take(l, m->path, "bias", false, SHAPE(w->out), &w->bias);
}

static int load_module(nn_visitor *v, const nn_module *m)
{
    loader *l = (loader *)v;
    if (m->param)
        return load_param(l, m);
    return m->norm ? load_norm(l, m->path, m->norm) : load_linear(l, m);
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

/* Does a tensor belong to what sees or hears? */
static bool not_text(const char *name)
{
    static const char *const PARTS[] = {"vision_tower.",          "vision_model.", "visual.",
                                        "multi_modal_projector.", "audio_tower.",  "embed_vision.",
                                        "embed_audio.",           "mm_projector.", "vision_embed_tokens.",
                                        "patch_merger.",          "mtp."};
    if (strncmp(name, "model.", 6) == 0)
        name += 6;
    for (size_t i = 0; i < sizeof PARTS / sizeof *PARTS; i++)
        if (strncmp(name, PARTS[i], strlen(PARTS[i])) == 0)
            return true;
    return false;
}

static int check_surplus(const checkpoint *c)
{
    size_t n = 0;
    const checkpoint_entry *first = NULL;
    for (size_t i = 0; i < c->count; i++) {
        if (c->entries[i].used || not_text(c->entries[i].tensor->name))
            continue;
        first = first ? first : &c->entries[i];
        n++;
    }
    if (n == 0)
        return 0;
    return error_set("%s: tensor \"%s\"%s not part of the model that config.json describes",
                     first->file->path, first->tensor->name, n > 1 ? " and others are" : " is");
}

static bool has_mlx_convolution(const checkpoint *c)
{
    for (size_t i = 0; i < c->count; i++) {
        const safetensors_tensor *t = c->entries[i].tensor;
        size_t n = strlen(t->name);
        if (n > 13 && strcmp(t->name + n - 13, "conv1d.weight") == 0)
            return t->ndim == 3 && t->shape[2] == 1 && t->shape[1] != 1;
    }
    return false;
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
    l.mlx_form = has_mlx_convolution(weights);
    visit(model, &l.v);
    return l.v.failed ? -1 : check_surplus(weights);
}
