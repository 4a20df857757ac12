/* The engine's side of the model: the pools, sized by the memory there is, and the forward pass of a step. */
#include "llm/engine.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "kv/cache_file.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct engine_pools {
    kv_paged kv;
    paged_span *spans;
    int *tokens, *wanted;
    size_t spans_cap, tokens_cap, wanted_cap;
};

/* --- memory --- */

/* Bytes that can be had without pushing anything out; 0 if the system does not tell. */
static size_t free_memory(void)
{
    size_t kib = 0;
    char line[128];
    FILE *f = fopen("/proc/meminfo", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "MemAvailable: %zu", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return kib * 1024;
}

/* Half of what is free, but not more than all sequences at full length need. */
static size_t default_memory(const lm_engine *e, const kv_paged *kv, size_t sequences)
{
    size_t free = free_memory(), half = free ? free / 2 : mx_memory_size() / 4, per_block = 0, most;
    for (int g = 0; g < kv->n_groups; g++)
        per_block += paged_block_bytes(kv, g);
    size_t length = e->model->info.max_position > 0 ? (size_t)e->model->info.max_position : SIZE_MAX / 2;
    size_t blocks = (length + PAGED_BLOCK - 1) / PAGED_BLOCK;
    bool known = mem_mul(blocks, per_block, &most) && mem_mul(most, sequences, &most);
    return known && most < half ? most : half;
}

static int size_pools(lm_engine *e, const lm_engine_options *o, sched_options *s)
{
    kv_paged *kv = &e->pools->kv;
    size_t sequences = (size_t)s->max_sequences;
    size_t memory = o->kv_memory ? o->kv_memory : default_memory(e, kv, sequences);
    size_t states = kv->state_bytes * sequences;
    if (states && states >= memory)
        return error_set("%zu bytes are too few: the states of %zu sequences take %zu", memory, sequences,
                         states);
    if (paged_size(kv, memory - states, sequences, (size_t)s->max_batch_tokens) || paged_allocate(kv))
        return -1;
    s->n_groups = kv->n_groups;
    memcpy(s->groups, kv->groups, sizeof kv->groups);
    s->no_prefix_cache = s->no_prefix_cache || kv->state_bytes; /* a state cannot go back */
    return 0;
}

int engine_pools_new(lm_engine *e, const lm_engine_options *o, sched_options *s)
{
    const lm_model *m = e->model;
    e->pools = mem_calloc(1, sizeof *e->pools);
    kv_spec *specs = e->pools ? mem_alloc((size_t)m->info.layers, sizeof *specs) : NULL;
    for (int i = 0; specs && i < m->info.layers; i++)
        specs[i] = m->arch->layer(m->self, i);
    s->block_size = PAGED_BLOCK;
    e->throughput = o->throughput;
    int rc = specs ? paged_init(&e->pools->kv, specs, m->info.layers, m->kv_dtype, o->kv_bits) : -1;
    mem_free(specs);
    return rc ? -1 : size_pools(e, o, s);
}

void engine_pools_free(lm_engine *e)
{
    if (!e->pools)
        return;
    paged_free(&e->pools->kv);
    mem_free(e->pools->spans);
    mem_free(e->pools->tokens);
    mem_free(e->pools->wanted);
    mem_free(e->pools);
}

int engine_pools_reset(lm_engine *e) { return paged_allocate(&e->pools->kv); }

size_t engine_pool_bytes(const lm_engine *e) { return paged_bytes(&e->pools->kv); }

/* --- states of recurrent layers --- */

bool engine_has_states(const lm_engine *e) { return e->pools->kv.state_bytes > 0; }

static size_t n_states(const lm_engine *e) { return (size_t)e->model->info.layers * KV_STATES; }

void answer_drop_states(answer *a)
{
    for (size_t i = 0; a->states && i < n_states(a->request->engine); i++)
        mx_set(&a->states[i], MX_NULL);
}

void answer_free_states(answer *a)
{
    answer_drop_states(a);
    mem_free(a->states);
    a->states = NULL;
}

/* Slots for the answer's states, as they were at its first row. */
static int have_states(lm_engine *e, answer *a, size_t start)
{
    if (!e->pools->kv.state_bytes)
        return 0;
    if (!a->states)
        a->states = mem_calloc(n_states(e), sizeof *a->states);
    if (a->states && start == 0)
        answer_drop_states(a);
    return a->states ? 0 : -1;
}

int answer_fork_states(answer *to, const answer *from)
{
    if (!from->states)
        return 0;
    if (have_states(to->request->engine, to, 0))
        return -1;
    for (size_t i = 0; i < n_states(to->request->engine); i++)
        mx_set(&to->states[i], from->states[i]);
    return 0;
}

/* --- a step --- */

/* Fills spans, tokens and wanted rows; counts those and the rows of drawn tokens. */
static int gather(lm_engine *e, const sched_step *step, size_t *n_wanted, size_t *n_drawn)
{
    struct engine_pools *p = e->pools;
    paged_span *spans = mem_grow(p->spans, &p->spans_cap, step->n, sizeof *spans);
    p->spans = spans ? spans : p->spans;
    int *tokens = mem_grow(p->tokens, &p->tokens_cap, step->tokens, sizeof *tokens);
    p->tokens = tokens ? tokens : p->tokens;
    int *wanted = mem_grow(p->wanted, &p->wanted_cap, step->tokens, sizeof *wanted);
    p->wanted = wanted ? wanted : p->wanted;
    if (!spans || !tokens || !wanted)
        return -1;
    size_t row = 0;
    *n_wanted = *n_drawn = 0;
    for (size_t i = 0; i < step->n; i++) {
        const sched_row *r = &step->rows[i];
        answer *a = r->s->owner;
        size_t end = r->start + r->count, total = end > r->s->count ? end : r->s->count;
        if (have_states(e, a, r->start))
            return -1;
        spans[i] = (paged_span){&r->s->tables, (int)r->start, (int)r->count, (int)total, a->states};
        memcpy(tokens + row, r->s->tokens + r->start, r->count * sizeof *tokens);
        row += r->count;
        *n_drawn += r->start >= r->s->prompt ? r->count : 0;
        for (size_t k = row_logits(r); k > 0; k--)
            wanted[(*n_wanted)++] = (int)(row - k);
    }
    return 0;
}

static mlx_array build(lm_engine *e, const sched_step *step, size_t n_wanted, size_t n_drawn)
{
    struct engine_pools *p = e->pools;
    kv_step s;
    if (paged_begin(&p->kv, p->spans, step->n, step->copies, step->n_copies, &s))
        return MX_NULL;
    s.wanted = p->wanted;
    s.n_wanted = (int)n_wanted;
    mlx_array tokens = mx_from(p->tokens, SHAPE(1, (int)step->tokens), MLX_INT32);
    int before = nn_drawn_rows(e->throughput ? -1 : (int)n_drawn);
    mlx_array logits = mx_is_null(tokens) ? tokens : e->model->arch->forward(e->model->self, tokens, &s);
    nn_drawn_rows(before);
    return mx_is_null(logits) ? logits : mx_astype(logits, MLX_FLOAT32);
}

int engine_forward(lm_engine *e, const sched_step *step)
{
    size_t n_wanted, n_drawn;
    if (gather(e, step, &n_wanted, &n_drawn))
        return -1;
    float *grown = mem_grow(e->logits, &e->logits_cap, n_wanted * e->vocab + 1, sizeof *grown);
    if (!grown)
        return -1;
    e->logits = grown;
    mlx_array slot = MX_NULL;
    size_t mark = mx_mark();
    mx_set(&slot, build(e, step, n_wanted, n_drawn));
    mx_release(mark);
    int rc = mx_is_null(slot) || error_pending() ? -1 : 0;
    if (rc == 0 && n_wanted)
        rc = mx_read_f32(slot, e->logits);
    mx_set(&slot, MX_NULL);
    return rc == 0 ? paged_eval(&e->pools->kv) : -1;
}

/* --- files --- */

/* What made the keys and values: equal only where they mean the same. */
static void describe(const lm_engine *e, strbuf *out)
{
    const lm_model *m = e->model;
    const kv_paged *kv = &e->pools->kv;
    strbuf_addf(out, "1 %s %zu %zu %s %d", m->arch->name, m->mapped, m->totals.parameters,
                mx_dtype_name(m->kv_dtype), m->totals.int8);
    for (int i = 0; i < kv->n_layers; i++)
        strbuf_addf(out, " %d", mx_is_null(kv->layers[i].pool) ? 0 : mx_dim(kv->layers[i].pool, 1));
    strbuf_addf(out, " %s", m->dir);
}

int lm_engine_save_cache(lm_engine *e, const char *path)
{
    lm_begin();
    strbuf key = {0};
    describe(e, &key);
    int rc = -1;
    if (e->sched.n_running)
        error_set("%s: the cache of an engine that is at work cannot be saved", path);
    else if (!key.failed)
        rc = cache_file_save(&e->sched.blocks, &e->pools->kv, path, strbuf_text(&key));
    strbuf_free(&key);
    return rc;
}

int lm_engine_load_cache(lm_engine *e, const char *path)
{
    lm_begin();
    strbuf key = {0};
    describe(e, &key);
    int rc = -1;
    if (e->sched.n_running || e->sched.options.no_prefix_cache)
        error_set("%s: an engine that is at work, or keeps no prefixes, takes none in", path);
    else if (!key.failed)
        rc = cache_file_load(&e->sched.blocks, &e->pools->kv, path, strbuf_text(&key));
    strbuf_free(&key);
    engine_publish(e);
    return rc;
}
