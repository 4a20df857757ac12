/* Attention in blocks of keys with a running softmax (Milakov and Gimelshein 2018; FlashAttention, 2022).
 *
 * The query heads that share a key/value head are worked on together, so keys and values are read once for
 * all of them: row r of a unit is query r / group of its block, head r % group. For each block of KEYS keys:
 * scores, mask, one step of the running softmax (cpu/attention.h), then the weighted values are added to what
 * was summed before. At the end a row is divided by its sum of weights. Two ways to do it:
 *
 *   panels   Many rows. Everything is transposed: a panel is nr rows side by side in the lanes of vectors.
 * Packed keys times packed queries give scores as [key][row], which is both the shape in which a softmax
 * needs no sum across lanes and the packed operand of values^T times weights. Both are gemm's register tile.
 *   rows     Few rows (decode): keys and values are read straight from where they lie, by gemm's dot and
 * axpy. Keys are cut into chunks when there are few units; the chunks' results are merged in order.
 *
 * Units are handed out one by one, longest first. How work is cut depends on the shape alone, never on the
 * threads. */
#include "cpu/attention.h"

#include "base/error.h"
#include "base/mem.h"
#include "cpu/kernels.h"
#include "cpu/pool.h"

#include <float.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>

enum {
    KEYS = 128,      /* a block of keys: its scores for one panel stay in the first-level cache */
    FEW_ROWS = 16,   /* up to here `rows` is faster than panels */
    UNIT_ROWS = 256, /* rows of a unit: packing a block of keys is shared by that many */
    UNITS = 64,      /* cut finer below this number of units, */
    CHUNK_KEYS = 512 /* but not into chunks shorter than this */
};

typedef struct job {
    const gemm_kernels *gemm;
    const attention_kernels *attention;
    const attention_args *a;
    size_t group;         /* query heads per key/value head */
    size_t block, blocks; /* queries in a unit, units along the queries */
    size_t chunks, chunk; /* units along the keys, and their length */
    size_t units;
    size_t dim, v_dim, padded_v_dim;
    int q_slot, k_slot, v_slot, out_slot;
    char *scratch;
    size_t scratch_size; /* a thread's, in floats */
    float *partial; /* chunks > 1: (unit without chunk, chunk, row, v_dim + 2): sums, max, sum of weights */
    _Atomic size_t next;
} job;

typedef struct unit {
    size_t batch, kv_head, query, queries, rows, key_begin, key_end, index;
} unit;

/* A thread's scratch. max, sum: one entry a row; scale: one a row of the panel at hand. */
typedef struct work {
    float *q, *k, *v, *scores, *out, *max, *sum, *scale;
} work;

static size_t min(size_t a, size_t b) { return a < b ? a : b; }
static size_t round_up(size_t x, size_t to) { return (x + to - 1) / to * to; }
static size_t size_of(int slot) { return slot == 0 ? 4 : 2; }

static const char *row_of(const attention_operand *x, int slot, size_t b, size_t h, size_t t)
{
    int64_t offset = (int64_t)b * x->batch + (int64_t)h * x->head + (int64_t)t * x->row;
    return (const char *)x->data + offset * (int64_t)size_of(slot);
}

/* Number of keys that a query sees by the causal rule. */
static size_t visible_keys(const attention_args *a, size_t query)
{
    int64_t n = (int64_t)query + a->keys - a->queries + 1;
    return n < 0 ? 0 : min((size_t)n, (size_t)a->keys);
}

/* Query `row` of the unit as float32, times the scale. */
static void load_query(const job *g, const unit *u, size_t row, float *dst)
{
    size_t h = u->kv_head * g->group + row % g->group;
    g->gemm->widen[g->q_slot](row_of(&g->a->q, g->q_slot, u->batch, h, u->query + row / g->group), 1, g->dim,
                              dst);
    g->attention->scale_row(dst, g->dim, g->a->scale);
}

static void store_row(const job *g, const unit *u, size_t row, float *sums, float total)
{
    const attention_args *a = g->a;
    size_t h = u->kv_head * g->group + row % g->group, i = u->query + row / g->group;
    int64_t offset = (int64_t)u->batch * a->out_batch + (int64_t)h * a->out_head + (int64_t)i * a->out_row;
    g->attention->scale_row(sums, g->v_dim, a->keys ? 1.0f / total : 0.0f);
    g->gemm->narrow[g->out_slot](sums, g->v_dim, (char *)a->out + offset * (int64_t)size_of(g->out_slot));
}

/* --- masks --- */

/* Applies the mask array to the scores of one row and keys [j0, j0 + n), which are `stride` apart. */
static void mask_array(const job *g, const unit *u, size_t row, size_t j0, size_t n, float *s, size_t stride)
{
    const attention_args *a = g->a;
    size_t h = u->kv_head * g->group + row % g->group, i = u->query + row / g->group;
    int64_t at =
        (int64_t)u->batch * a->ms[0] + (int64_t)h * a->ms[1] + (int64_t)i * a->ms[2] + (int64_t)j0 * a->ms[3];
    if (a->mask_dtype == MLX_BOOL) {
        const uint8_t *m = (const uint8_t *)a->mask + at;
        for (size_t j = 0; j < n; j++)
            s[j * stride] = m[(int64_t)j * a->ms[3]] ? s[j * stride] : -FLT_MAX;
        return;
    }
    float add[KEYS];
    int slot =
        norm_slot(a->mask_dtype) < 0 ? 0 : norm_slot(a->mask_dtype); /* the door lets nothing else in */
    g->gemm->widen[slot]((const char *)a->mask + at * (int64_t)size_of(slot), a->ms[3], n, add);
    for (size_t j = 0; j < n; j++)
        s[j * stride] += add[j];
}

static void mask_scores(const job *g, const unit *u, size_t row, size_t j0, size_t n, float *s, size_t stride)
{
    if (g->a->kind == MX_MASK_ARRAY)
        mask_array(g, u, row, j0, n, s, stride);
    if (g->a->kind != MX_MASK_CAUSAL)
        return;
    size_t seen = visible_keys(g->a, u->query + row / g->group);
    for (size_t j = seen > j0 ? seen - j0 : 0; j < n; j++)
        s[j * stride] = -INFINITY;
}

/* The end of the keys that any of the rows [.., row] sees. */
static size_t key_end(const job *g, const unit *u, size_t row)
{
    if (g->a->kind != MX_MASK_CAUSAL)
        return u->key_end;
    return min(u->key_end, visible_keys(g->a, u->query + row / g->group));
}

/* --- rows --- */

static void attend_rows(const job *g, const unit *u, const work *w)
{
    size_t end = key_end(g, u, u->rows - 1);
    for (size_t r = 0; r < u->rows; r++)
        load_query(g, u, r, w->q + r * g->dim);
    memset(w->out, 0, u->rows * g->v_dim * sizeof *w->out);
    for (size_t j = u->key_begin; j < end; j += KEYS) {
        size_t n = min(KEYS, end - j);
        g->gemm->dot[g->k_slot](g->dim, row_of(&g->a->k, g->k_slot, u->batch, u->kv_head, j), g->a->k.row, n,
                                w->q, g->dim, u->rows, w->scores, KEYS);
        for (size_t r = 0; r < u->rows; r++) {
            float *s = w->scores + r * KEYS;
            mask_scores(g, u, r, j, n, s, 1);
            g->attention->scale_row(w->out + r * g->v_dim, g->v_dim,
                                    g->attention->step_row(s, n, w->max + r, w->sum + r));
        }
        g->gemm->axpy[g->v_slot](n, row_of(&g->a->v, g->v_slot, u->batch, u->kv_head, j), g->a->v.row,
                                 g->v_dim, w->scores, KEYS, u->rows, w->out, g->v_dim);
    }
}

static void finish_rows(const job *g, const unit *u, const work *w)
{
    for (size_t r = 0; r < u->rows; r++) {
        float *out = w->out + r * g->v_dim;
        if (g->chunks == 1) {
            store_row(g, u, r, out, w->sum[r]);
            continue;
        }
        float *p = g->partial + (u->index * u->rows + r) * (g->v_dim + 2);
        memcpy(p, out, g->v_dim * sizeof *p);
        p[g->v_dim] = w->max[r];
        p[g->v_dim + 1] = w->sum[r];
    }
}

/* Brings the chunks of one row to a common maximum and adds them up, into the first one. */
static void merge_row(const job *g, const unit *u, size_t row)
{
    size_t step = u->rows * (g->v_dim + 2);
    float *first = g->partial + u->index * g->chunks * step + row * (g->v_dim + 2);
    float max = -INFINITY, total = 0;
    for (size_t c = 0; c < g->chunks; c++)
        max = fmaxf(max, first[c * step + g->v_dim]);
    for (size_t c = 0; c < g->chunks; c++) {
        float *p = first + c * step, weight = max == -INFINITY ? 1.0f : expf(p[g->v_dim] - max);
        total += p[g->v_dim + 1] * weight;
        for (size_t d = 0; d < g->v_dim; d++)
            first[d] = (c ? first[d] : 0) + p[d] * weight;
    }
    store_row(g, u, row, first, total);
}

/* --- panels --- */

static void pack_keys(const job *g, const unit *u, size_t j, size_t n, const work *w)
{
    const attention_args *a = g->a;
    size_t mr = g->gemm->mr;
    for (size_t i = 0; i < n; i += mr)
        g->gemm->panel[g->k_slot](row_of(&a->k, g->k_slot, u->batch, u->kv_head, j + i), a->k.row, 1,
                                  min(mr, n - i), g->dim, mr, w->k + i * g->dim);
    const char *v = row_of(&a->v, g->v_slot, u->batch, u->kv_head, j);
    for (size_t d = 0; d < g->v_dim; d += mr)
        g->gemm->panel[g->v_slot](v + d * size_of(g->v_slot), 1, a->v.row, min(mr, g->v_dim - d), n, mr,
                                  w->v + d * n);
}

/* Rows [row, row + nr) against the packed keys [j, j + n). */
static void attend_panel(const job *g, const unit *u, size_t row, size_t j, size_t n, const work *w)
{
    const gemm_kernels *t = g->gemm;
    size_t mr = t->mr, nr = t->nr, last = min(row + nr, u->rows) - 1, end = key_end(g, u, last);
    size_t seen = end > j ? min(n, end - j) : 0;
    float *out = w->out + row * g->padded_v_dim;
    if (seen == 0)
        return;
    for (size_t i = 0; i < seen; i += mr)
        t->tile(min(mr, seen - i), nr, g->dim, w->k + i * g->dim, w->q + row * g->dim, w->scores + i * nr, nr,
                false);
    if (g->a->kind == MX_MASK_ARRAY || key_end(g, u, row) < j + seen)
        for (size_t r = row; r <= last; r++)
            mask_scores(g, u, r, j, seen, w->scores + (r - row), nr);
    g->attention->step_panel(w->scores, seen, w->max + row, w->sum + row, w->scale);
    g->attention->scale_panel(out, g->v_dim, w->scale);
    for (size_t d = 0; d < g->v_dim; d += mr)
        t->tile(min(mr, g->v_dim - d), nr, seen, w->v + d * n, w->scores, out + d * nr, nr, true);
}

static void load_panels(const job *g, const unit *u, const work *w)
{
    size_t nr = g->gemm->nr;
    float *rows = w->k; /* not in use yet, and at least as large: KEYS >= nr rows */
    for (size_t r = 0; r < u->rows; r += nr) {
        size_t n = min(nr, u->rows - r);
        for (size_t i = 0; i < n; i++)
            load_query(g, u, r + i, rows + i * g->dim);
        g->gemm->panel[0](rows, (int64_t)g->dim, 1, n, g->dim, nr, w->q + r * g->dim);
    }
    memset(w->out, 0, round_up(u->rows, nr) * g->padded_v_dim * sizeof *w->out);
}

static void attend_panels(const job *g, const unit *u, const work *w)
{
    size_t nr = g->gemm->nr, end = key_end(g, u, u->rows - 1);
    load_panels(g, u, w);
    for (size_t j = 0; j < end; j += KEYS) {
        size_t n = min(KEYS, end - j);
        pack_keys(g, u, j, n, w);
        for (size_t r = 0; r < u->rows; r += nr)
            attend_panel(g, u, r, j, n, w);
    }
    for (size_t r = 0; r < u->rows; r++) {
        const float *column = w->out + r / nr * nr * g->padded_v_dim + r % nr;
        g->gemm->widen[0](column, (int64_t)nr, g->v_dim, w->k);
        store_row(g, u, r, w->k, w->sum[r]);
    }
}

/* --- units --- */

/* Unit n: the last (longest) blocks of queries come first, then heads, then chunks of keys. */
static unit unit_at(const job *g, size_t n)
{
    const attention_args *a = g->a;
    size_t chunk = n % g->chunks, heads = (size_t)a->kv_heads, rest = n / g->chunks;
    unit u = {.kv_head = rest % heads, .batch = rest / heads % (size_t)a->batch, .index = n};
    u.query = (g->blocks - 1 - rest / heads / (size_t)a->batch) * g->block;
    u.queries = min(g->block, (size_t)a->queries - u.query);
    u.rows = u.queries * g->group;
    u.key_begin = min(chunk * g->chunk, (size_t)a->keys);
    u.key_end = min(u.key_begin + g->chunk, (size_t)a->keys);
    return u;
}

static bool use_rows(const job *g) { return g->block * g->group <= FEW_ROWS; }

/* Lays a thread's scratch out from p (NULL to measure); returns its end. */
static size_t lay_out(const job *g, float *p, work *w)
{
    size_t rows = round_up(g->block * g->group, g->gemm->nr), keys = KEYS + g->gemm->mr, used = 0;
    size_t v_dim = g->padded_v_dim, wide = g->dim > v_dim ? g->dim : v_dim;
    struct {
        float **field;
        size_t size;
    } parts[] = {{&w->q, rows * g->dim},
                 {&w->k, use_rows(g) ? 0 : keys * wide},
                 {&w->v, use_rows(g) ? 0 : keys * v_dim},
                 {&w->scores, use_rows(g) ? rows * KEYS : keys * g->gemm->nr},
                 {&w->out, rows * v_dim},
                 {&w->max, rows},
                 {&w->sum, rows},
                 {&w->scale, g->gemm->nr}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        *parts[i].field = p ? p + used : NULL;
        used += round_up(parts[i].size, 16);
    }
    return used;
}

static void run_units(void *arg, int thread, int threads)
{
    (void)threads;
    job *g = arg;
    work w;
    lay_out(g, (float *)(void *)g->scratch + (size_t)thread * g->scratch_size, &w);
    for (size_t n; (n = atomic_fetch_add(&g->next, 1)) < g->units;) {
        unit u = unit_at(g, n);
        for (size_t r = 0; r < round_up(u.rows, g->gemm->nr); r++) {
            bool sink = g->a->sinks && r < u.rows && u.key_begin == 0;
            w.max[r] = sink ? g->a->sinks[u.kv_head * g->group + r % g->group] : -INFINITY;
            w.sum[r] = sink ? 1 : 0;
        }
        if (use_rows(g)) {
            attend_rows(g, &u, &w);
            finish_rows(g, &u, &w);
        } else {
            attend_panels(g, &u, &w);
        }
    }
}

static void merge_units(void *arg, size_t begin, size_t end)
{
    const job *g = arg;
    for (size_t n = begin; n < end; n++) {
        unit u = unit_at(g, n * g->chunks);
        u.index = n;
        for (size_t r = 0; r < u.rows; r++)
            merge_row(g, &u, r);
    }
}

static void cut(job *g)
{
    const attention_args *a = g->a;
    size_t heads = (size_t)a->batch * (size_t)a->kv_heads, queries = (size_t)a->queries,
           keys = (size_t)a->keys;
    g->block = min(queries, (UNIT_ROWS + g->group - 1) / g->group);
    while (g->block > 1 && g->block * g->group > UNIT_ROWS / 4 &&
           heads * ((queries + g->block - 1) / g->block) < UNITS / 4)
        g->block = (g->block + 1) / 2;
    g->blocks = (queries + g->block - 1) / g->block;
    g->units = heads * g->blocks;
    g->chunks = 1;
    if (use_rows(g) && g->units < UNITS && keys > CHUNK_KEYS)
        g->chunks = min((keys + CHUNK_KEYS - 1) / CHUNK_KEYS, (UNITS + g->units - 1) / g->units);
    g->chunk = round_up((keys + g->chunks - 1) / g->chunks, KEYS);
    g->units *= g->chunks;
}

int cpu_attention_with(const cpu_kernels *t, const attention_args *a)
{
    if (a->batch <= 0 || a->heads <= 0 || a->queries <= 0 || a->v_dim <= 0)
        return 0;
    job g = {.gemm = &t->gemm, .attention = &t->attention, .a = a};
    g.group = (size_t)a->heads / (size_t)a->kv_heads;
    g.dim = (size_t)a->dim;
    g.v_dim = (size_t)a->v_dim;
    g.padded_v_dim = round_up(g.v_dim, t->gemm.mr);
    g.q_slot = norm_slot(a->q.dtype);
    g.k_slot = norm_slot(a->k.dtype);
    g.v_slot = norm_slot(a->v.dtype);
    g.out_slot = norm_slot(a->out_dtype);
    bool known = a->kind != MX_MASK_ARRAY || a->mask_dtype == MLX_BOOL || norm_slot(a->mask_dtype) >= 0;
    if (!known || g.q_slot < 0 || g.k_slot < 0 || g.v_slot < 0 || g.out_slot < 0)
        return error_set(
            "attention: dtypes must be float32, float16 or bfloat16 (masks also bool); convert first");
    cut(&g);
    size_t threads = min((size_t)pool_threads(), g.units), partial = 0;
    work w;
    g.scratch_size = lay_out(&g, NULL, &w);
    if (g.chunks > 1)
        partial = g.units * g.block * g.group * (g.v_dim + 2);
    g.scratch = mem_aligned(64, (threads * g.scratch_size + partial) * sizeof(float));
    if (!g.scratch)
        return -1;
    g.partial = (float *)(void *)g.scratch + threads * g.scratch_size;
    pool_run(run_units, &g, (int)threads);
    if (g.chunks > 1)
        pool_for(g.units / g.chunks, 1, merge_units, &g);
    mem_free(g.scratch);
    return 0;
}

int cpu_attention(const attention_args *a) { return cpu_attention_with(cpu_kernels_get(), a); }
