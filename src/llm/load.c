/* Loading a model folder: config.json says what the model is, its family configures itself, the checkpoint's
 * mapped tensors become its weights, and one forward pass is built, not computed, so that whatever does not
 * fit shows now. */
#include "llm/model.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "cpu/kernels.h"

#include <string.h>

static int configure(lm_model *m)
{
    char *path = file_join(m->dir, "config.json");
    int rc = path ? 0 : -1;
    if (rc == 0 && !file_exists(path))
        rc = file_is_dir(m->dir)
                 ? error_set("%s: there is no config.json; this is not a model folder", m->dir)
                 : error_set("%s: there is no such folder", m->dir);
    if (rc == 0)
        rc = cfg_open(&m->config, path);
    mem_free(path);
    if (rc)
        return -1;
    cfg c = cfg_root(&m->config);
    const arch *family = arch_find(&c); /* c may become the text part */
    if (!family)
        return -1;
    m->quantization = nn_quantization_from(&c);
    m->self = mem_calloc(1, family->size);
    if (!m->self)
        return -1;
    m->arch = family;
    return family->configure(m->self, &c, &m->info);
}

static int load_weights(lm_model *m, lm_precision precision)
{
    checkpoint files;
    if (checkpoint_open(&files, m->dir))
        return -1;
    cfg c = cfg_root(&m->config);
    mx_precision p = precision == LM_PRECISION_FLOAT32 ? MX_EXACT
                     : precision == LM_PRECISION_EXACT ? MX_BF16
                                                       : MX_INT8;
    int rc = nn_load(m->arch->visit, m->self, &files, &c, p);
    if (rc == 0) {
        m->totals = nn_count(m->arch->visit, m->self);
        m->mapped = checkpoint_bytes(&files);
        lm_count_mapped(m->mapped, true);
    }
    checkpoint_close(&files);
    return rc;
}

static int choose_kv_dtype(lm_model *m, const char *name)
{
    static const mlx_dtype KNOWN[] = {MLX_FLOAT32, MLX_BFLOAT16, MLX_FLOAT16};
    m->kv_dtype = m->totals.dtype;
    for (size_t i = 0; name && i < 3; i++) {
        if (strcmp(name, mx_dtype_name(KNOWN[i])) != 0)
            continue;
        m->kv_dtype = KNOWN[i];
        return 0;
    }
    return name ? error_set("kv dtype \"%s\" is not known; float32, bfloat16 and float16 are", name) : 0;
}

/* Builds a step of two tokens on an empty cache. */
static int try_forward(const lm_model *m)
{
    static const int ids[2] = {0, 0};
    kv_cache cache;
    if (kv_init(&cache, m->info.layers, m->kv_dtype))
        return -1;
    size_t mark = mx_mark();
    static const int last = 1;
    kv_step step = kv_begin(&cache, 2, &last, 1);
    mlx_array logits = m->arch->forward(m->self, mx_from(ids, SHAPE(1, 2), MLX_INT32), &step);
    bool fits = !mx_is_null(logits) && mx_dim(logits, -1) == m->info.vocab_size;
    mx_release(mark);
    kv_free(&cache);
    if (fits && !error_pending())
        return 0;
    return error_set("%s: the weights do not make a model", m->dir); /* kept only if nothing told more */
}

static int load(lm_model *m, const lm_load_options *o)
{
    if (cpu_isa_problem())
        return error_set("%s", cpu_isa_problem());
    if (configure(m) || load_weights(m, o->precision) || choose_kv_dtype(m, o->kv_dtype) || try_forward(m))
        return -1;
    return lm_load_text(m, !o->no_tokenizer);
}

lm_model *lm_load(const char *path, const lm_load_options *options)
{
    double start = clock_seconds();
    lm_model *m = lm_load_lazily(path, options);
    if (m && nn_eval(m->arch->visit, m->self)) {
        lm_free(m);
        return NULL;
    }
    if (m)
        m->load_seconds = clock_seconds() - start;
    return m;
}

lm_model *lm_load_lazily(const char *path, const lm_load_options *options)
{
    static const lm_load_options NONE;
    lm_begin();
    lm_model *m = mem_calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->dir = mem_strdup(path);
    if (!m->dir || load(m, options ? options : &NONE)) {
        lm_free(m);
        return NULL;
    }
    return m;
}

void lm_free(lm_model *m)
{
    if (!m)
        return;
    lm_free_text(m);
    if (m->arch) {
        nn_clear(m->arch->visit, m->self);
        m->arch->release(m->self);
    }
    lm_count_mapped(m->mapped, false);
    mem_free(m->self);
    cfg_close(&m->config);
    mem_free(m->dir);
    mem_free(m);
}

/* Numbers that the layers keep of one position. */
static size_t position_numbers(const lm_model *m)
{
    size_t n = 0;
    for (int i = 0; i < m->info.layers; i++) {
        kv_spec s = m->arch->layer(m->self, i);
        n += (size_t)s.heads * ((size_t)s.k_dim + (size_t)s.v_dim);
    }
    return n;
}

lm_info lm_model_info(const lm_model *m)
{
    const nn_totals *t = &m->totals;
    size_t rows = m->info.vocab_size > 0 ? (size_t)m->info.vocab_size : 1;
    size_t idle = t->idle_bytes + (m->info.tied ? 0 : t->embedding_bytes - t->embedding_bytes / rows);
    return (lm_info){.model_type = m->arch->name,
                     .layers = m->info.layers,
                     .vocab_size = m->info.vocab_size,
                     .hidden_size = m->info.hidden_size,
                     .max_position = m->info.max_position,
                     .bits = m->quantization.bits,
                     .group_size = m->quantization.group_size,
                     .parameters = t->parameters,
                     .weight_bytes = m->mapped,
                     .bytes_per_token = t->bytes - idle,
                     .kv_bytes_per_token = position_numbers(m) * mx_dtype_size(m->kv_dtype),
                     .load_seconds = m->load_seconds,
                     .precision = t->int8 ? LM_PRECISION_INT8 : LM_PRECISION_EXACT,
                     .has_chat_template = m->chat != NULL};
}
