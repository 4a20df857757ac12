/* Converting a checkpoint: the model is loaded as for running (so everything is checked), a visitor lists
 * what each module becomes, and the list is written tensor by tensor. Nothing is computed before the writer
 * asks for it, so one module at a time is in memory. */
#include "llm/convert.h"

#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "llm/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum { PART_CAST, PART_WEIGHT, PART_SCALES, PART_BIASES, PART_DEQUANTIZED } part;

/* A tensor to write. */
typedef struct output {
    char *name;
    part part;
    mlx_array *source; /* PART_CAST: the model's slot, emptied when it is written */
    nn_linear *linear; /* else */
    mlx_dtype dtype;
    int shape[4], ndim;
} output;

typedef struct converter {
    nn_visitor v;
    const lm_convert_options *o;
    int group_size, bits;
    mlx_dtype dtype; /* of floats; only if cast */
    bool cast;
    lm_model *model;
    output *outputs;
    size_t count, cap, written, total;
    const nn_linear *current; /* whose quantized parts are in: */
    mlx_array parts[3];       /* slots */
    mlx_array single;         /* a slot: any other tensor that is being written */
} converter;

/* --- what becomes of each module --- */

static output *add(converter *c, const char *path, const char *name)
{
    output *grown = mem_grow(c->outputs, &c->cap, c->count + 1, sizeof *grown);
    if (!grown)
        return NULL;
    c->outputs = grown;
    output *t = &c->outputs[c->count];
    size_t n = strlen(path) + strlen(name) + 2;
    *t = (output){.name = mem_alloc(n, 1)};
    if (!t->name)
        return NULL;
    snprintf(t->name, n, "%s%s%s", path, *name ? "." : "", name);
    c->count++;
    return t;
}

static bool is_float(mlx_dtype t) { return t == MLX_FLOAT32 || t == MLX_FLOAT16 || t == MLX_BFLOAT16; }

static int add_cast(converter *c, const char *path, const char *name, mlx_array *slot)
{
    output *t = add(c, path, name);
    if (!t)
        return -1;
    mlx_array x = *slot;
    t->source = slot;
    t->dtype = c->cast && is_float(mx_dtype_of(x)) ? c->dtype : mx_dtype_of(x);
    t->ndim = mx_ndim(x);
    memcpy(t->shape, mx_shape(x), (size_t)t->ndim * sizeof *t->shape);
    return 0;
}

static int add_part(converter *c, const char *path, const char *name, nn_linear *l, part p, int columns)
{
    mlx_array numbers = nn_quantized(l) ? l->scales : l->weight;
    output *t = add(c, path, name);
    if (!t)
        return -1;
    t->part = p;
    t->linear = l;
    t->dtype = p == PART_WEIGHT ? MLX_UINT32 : c->cast ? c->dtype : mx_dtype_of(numbers);
    if (l->experts)
        t->shape[t->ndim++] = l->experts;
    t->shape[t->ndim++] = l->out;
    t->shape[t->ndim++] = columns;
    return 0;
}

static int add_matrix(converter *c, const char *path, nn_linear *l)
{
    if (nn_quantized(l)) {
        if (c->o->dequantize)
            return add_part(c, path, "weight", l, PART_DEQUANTIZED, l->in);
        return add_cast(c, path, "weight", &l->weight) || add_cast(c, path, "scales", &l->scales) ||
               add_cast(c, path, "biases", &l->biases);
    }
    if (!c->o->quantize || l->in % c->group_size)
        return add_cast(c, path, "weight", &l->weight);
    int words = (int)((long long)l->in * c->bits / 32), groups = l->in / c->group_size;
    return add_part(c, path, "weight", l, PART_WEIGHT, words) ||
           add_part(c, path, "scales", l, PART_SCALES, groups) ||
           add_part(c, path, "biases", l, PART_BIASES, groups);
}

static int list_module(nn_visitor *v, const nn_module *m)
{
    converter *c = (converter *)v;
    if (m->param)
        return add_cast(c, m->path, "", &m->param->value);
    mlx_array *bias = m->norm ? &m->norm->bias : &m->linear->bias;
    nn_norm *n = m->norm;
    bool shifted = n && n->mlx_adds && !mx_is_null(n->shifted);
    if (n ? add_cast(c, m->path, "weight", shifted ? &n->shifted : &n->weight)
          : add_matrix(c, m->path, m->linear))
        return -1;
    if (shifted)
        c->outputs[c->count - 1].dtype = MLX_FLOAT32; /* halves have no room for 1 + weight */
    return mx_is_null(*bias) ? 0 : add_cast(c, m->path, "bias", bias);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const output *)a)->name, ((const output *)b)->name);
}

/* --- computing them --- */

/* Builds the graph of one output, with releasing before evaluation as everywhere. What it is made of leaves
 * the model, so that it is gone from memory once it is written. */
static int build(converter *c, const output *t)
{
    nn_linear *l = t->linear;
    size_t mark = mx_mark();
    mlx_array out[3] = {MX_NULL, MX_NULL, MX_NULL};
    int rc = 0;
    if (t->part == PART_CAST) {
        mx_set(&c->single, mx_contiguous(mx_astype(*t->source, t->dtype)));
        mx_set(t->source, MX_NULL);
    } else if (t->part == PART_DEQUANTIZED) {
        mlx_array w = mx_dequantize(l->weight, l->scales, l->biases, l->group_size, l->bits);
        mx_set(&c->single, mx_contiguous(mx_astype(w, t->dtype)));
    } else if (c->current != l) {
        mlx_array w = c->cast ? mx_astype(l->weight, c->dtype) : l->weight;
        rc = mx_quantize(w, c->group_size, c->bits, out);
        for (int i = 0; i < 3; i++)
            mx_set(&c->parts[i], mx_contiguous(out[i]));
        mx_set(&l->weight, MX_NULL);
        c->current = l;
    }
    mx_release(mark);
    return rc || error_pending() ? -1 : 0;
}

static int fetch(void *user, size_t i, const void **data)
{
    converter *c = user;
    const output *t = &c->outputs[i];
    if (c->o->cancelled && c->o->cancelled(c->o->user))
        return error_set("cancelled: nothing was written");
    if (build(c, t))
        return -1;
    bool quantized = t->part == PART_WEIGHT || t->part == PART_SCALES || t->part == PART_BIASES;
    mlx_array x = quantized ? c->parts[t->part - PART_WEIGHT] : c->single;
    if (mx_is_null(x) || (quantized ? mx_eval_all(c->parts, 3) : mx_eval(x)))
        return -1;
    *data = mx_data(x);
    c->written += mx_size(x) * mx_dtype_size(t->dtype);
    if (c->o->progress)
        c->o->progress(c->o->user, c->written, c->total);
    return 0;
}

static int write_weights(converter *c, const char *temp)
{
    safetensors_item *items = mem_calloc(c->count, sizeof *items);
    if (!items)
        return -1;
    for (size_t i = 0; i < c->count; i++) {
        const output *t = &c->outputs[i];
        items[i] = (safetensors_item){t->name, t->dtype, t->ndim, t->shape};
        size_t bytes = mx_dtype_size(t->dtype);
        for (int k = 0; k < t->ndim; k++)
            bytes *= (size_t)t->shape[k];
        c->total += bytes;
    }
    if (c->o->progress)
        c->o->progress(c->o->user, 0, c->total);
    int rc = safetensors_write_sharded(temp, items, c->count, c->o->max_shard, c->model->totals.parameters,
                                       fetch, c);
    mem_free(items);
    return rc;
}

/* --- config.json --- */

static json_t *quantization_of(const json_t *root)
{
    json_t *q = json_object_get(root, "quantization");
    return q ? q : json_object_get(root, "quantization_config");
}

static int write_config(const converter *c, const char *temp)
{
    static const char *const DTYPE_KEYS[] = {"torch_dtype", "dtype"};
    json_t *root = json_copy(c->model->config.root), *q = NULL;
    int failed = root ? 0 : -1;
    json_object_del(root, "_name_or_path");
    json_object_del(root, "vision_config");
    bool quantized = c->o->quantize || (!c->o->dequantize && c->model->quantization.bits);
    if (c->o->quantize)
        q = json_pack("{s:i, s:i, s:s}", "group_size", c->group_size, "bits", c->bits, "mode", "affine");
    else if (quantized)
        q = json_incref(quantization_of(root));
    json_object_del(root, "quantization");
    json_object_del(root, "quantization_config");
    if (quantized) {
        failed |= json_object_set(root, "quantization", q);
        failed |= json_object_set(root, "quantization_config", q);
    }
    for (size_t i = 0; i < 2; i++)
        if (c->cast && json_object_get(root, DTYPE_KEYS[i]))
            failed |= json_object_set_new(root, DTYPE_KEYS[i], json_string(mx_dtype_name(c->dtype)));
    strbuf text = {0};
    if (failed)
        error_set("out of memory for config.json");
    else
        convert_json(&text, root);
    strbuf_addc(&text, '\n');
    json_decref(q);
    json_decref(root);
    char *path = file_join(temp, "config.json");
    int rc = path && !failed && !text.failed ? file_save(path, text.data, text.len) : -1;
    mem_free(path);
    strbuf_free(&text);
    return rc;
}

/* --- the whole --- */

/* What floats become: the option, or config.json's word, or what they are. */
static int choose_dtype(converter *c)
{
    static const mlx_dtype KNOWN[] = {MLX_FLOAT32, MLX_FLOAT16, MLX_BFLOAT16};
    cfg config = cfg_root(&c->model->config);
    const char *name = c->o->dtype;
    if (!name)
        name = cfg_string(&config, "torch_dtype", cfg_string(&config, "dtype", ""));
    for (size_t i = 0; i < 3; i++) {
        if (strcmp(name, mx_dtype_name(KNOWN[i])) != 0)
            continue;
        c->dtype = KNOWN[i];
        c->cast = true;
    }
    if (c->o->dtype && !c->cast)
        return error_set("dtype \"%s\" is not known; float16, bfloat16 and float32 are", name);
    return cfg_ok(&config) ? 0 : -1;
}

static int check_options(const lm_convert_options *o)
{
    int g = o->group_size, b = o->bits;
    if (o->quantize && o->dequantize)
        return error_set("quantize and dequantize cannot both be asked for");
    if (g != 0 && g != 32 && g != 64 && g != 128)
        return error_set("the group size must be 32, 64 or 128, not %d", g);
    if (b != 0 && (b < 2 || b > 8 || b == 7))
        return error_set("the bits must be 2, 3, 4, 5, 6 or 8, not %d", b);
    return 0;
}

static int open_source(converter *c, const char *from)
{
    lm_load_options load = {.precision = LM_PRECISION_EXACT, .no_tokenizer = true};
    c->model = lm_load_lazily(from, &load);
    if (!c->model || choose_dtype(c))
        return -1;
    if (c->model->config.wide)
        return error_set("%s: a whole number beyond 64 bits cannot be written as it was",
                         c->model->config.path);
    bool quantized = c->model->quantization.bits != 0;
    if (c->o->quantize && quantized)
        return error_set("%s: the model is quantized already; dequantize it first", from);
    if (c->o->dequantize && !quantized)
        return error_set("%s: the model is not quantized; there is nothing to dequantize", from);
    c->v.module = list_module;
    c->model->arch->visit(c->model->self, &c->v);
    if (c->v.failed)
        return -1;
    qsort(c->outputs, c->count, sizeof *c->outputs, by_name);
    return 0;
}

static int write_all(converter *c, const char *from, const char *to, const char *temp)
{
    char what[160];
    if (c->o->quantize)
        snprintf(what, sizeof what, "%d bits a weight, groups of %d, the rest %s", c->bits, c->group_size,
                 c->cast ? mx_dtype_name(c->dtype) : "as it was");
    else
        snprintf(what, sizeof what, "%s%s", c->o->dequantize ? "dequantized, " : "",
                 c->cast ? mx_dtype_name(c->dtype) : "numbers as they were");
    if (write_weights(c, temp) || write_config(c, temp))
        return -1;
    return convert_copy(from, temp) || convert_card(from, to, temp, what) || convert_end(temp, to) ? -1 : 0;
}

static void close_converter(converter *c)
{
    for (int i = 0; i < 3; i++)
        mx_set(&c->parts[i], MX_NULL);
    mx_set(&c->single, MX_NULL);
    for (size_t i = 0; i < c->count; i++)
        mem_free(c->outputs[i].name);
    mem_free(c->outputs);
    lm_free(c->model);
}

int lm_convert(const char *from, const char *to, const lm_convert_options *options, lm_convert_result *result)
{
    static const lm_convert_options NONE;
    lm_begin();
    converter c = {.o = options ? options : &NONE};
    c.group_size = c.o->group_size ? c.o->group_size : 64;
    c.bits = c.o->bits ? c.o->bits : 4;
    char *temp = NULL;
    int rc = check_options(c.o);
    if (rc == 0)
        rc = open_source(&c, from);
    if (rc == 0)
        rc = (temp = convert_begin(to)) ? write_all(&c, from, to, temp) : -1;
    if (rc == 0 && result) {
        size_t n = c.model->totals.parameters;
        *result = (lm_convert_result){.bits_per_weight = n ? 8 * (double)c.total / (double)n : 0,
                                      .parameters = n,
                                      .bytes = c.total,
                                      .dtype = c.cast ? mx_dtype_name(c.dtype) : ""};
    }
    if (rc && temp)
        convert_abort(temp);
    mem_free(temp);
    close_converter(&c);
    return rc;
}
