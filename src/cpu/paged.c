/* Attention over a paged cache.
 *
 * Rows of a sequence are taken in tiles of some tokens; the heads of the queries that share a head of keys
 * are further rows, so that keys and values are read once for all of them: row r of a tile is token r /
 * group, head r % group. For a chunk of PAGED_KEYS positions, always the same ones, a tile's rows get scores,
 * weights relative to the chunk's own maximum, and the weighted sum of values; chunks are put together in
 * order. A unit of work is one tile and head, or, for few rows with a long past, one chunk of it, whose
 * results are put together at the end in the same order and by the same arithmetic. What a tile computes for
 * a row besides what the row sees has weight zero, which changes no bit; the block that a tile's last row
 * sees a part of is read from a copy with zeros behind, for there may be anything.
 *
 * Tiles are handed out one by one, the last ones of a sequence, which see most, first. */
#include "cpu/paged.h"

#include "base/error.h"
#include "base/mem.h"
#include "cpu/kernels.h"
#include "cpu/pool.h"

#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

enum {
    TILE_ROWS = 64,  /* rows that share what is read of keys and values */
    LEAST_ROWS = 16, /* tiles become no smaller than this to keep all threads busy */
    SPLIT_ROWS = 32, /* up to here a unit may be one chunk */
    UNITS = 4        /* wanted a thread */
};

typedef struct tile {
    size_t sequence, row, tokens; /* rows [row, row + tokens) of q */
    size_t position;              /* of the first */
    size_t chunk, chunks;         /* the first that is seen, how many */
    size_t units, first_unit;     /* units a head; the tile's first of all */
    size_t partial;               /* where its chunks' results are, if units > 1 */
} tile;

typedef struct job {
    const cpu_kernels *t;
    const paged_args *a;
    kv_block block; /* of the values that are read: those in keys are brought to that form */
    enum kv_kind kind;
    size_t group, v_dim, slot, tokens; /* tokens of a tile */
    size_t q_step, scratch_size;
    tile *tiles;
    size_t n_tiles, units;
    char *scratch;
    float *partial; /* of a row: v_width sums, maximum, sum of weights */
    _Atomic size_t next;
} job;

/* A thread's scratch: a row of queries; the prepared rows; of rows in the chunk at hand and in total the sums
 * and their maxima and weights; copies of values. */
typedef struct work {
    float *row, *scores, *part, *total, *part_max, *part_sum, *max, *sum;
    char *q, *kernel, *copy;
} work;

static size_t min(size_t a, size_t b) { return a < b ? a : b; }
static size_t part_size(const job *g) { return g->block.v_width + 2; }

/* The first position that the row at `position` sees. */
static size_t first_seen(const paged_args *a, size_t position)
{
    return a->window && position + 1 > a->window ? position + 1 - a->window : 0;
}

/* --- values --- */

/* The values of a head's block whose positions from n on are zeros, scales too. */
static void copy_values(const kv_block *b, const char *from, size_t n, char *to)
{
    size_t line = b->v_width * b->word, sets = b->kind == KV_INT4 ? 2 * b->v_groups : b->v_groups;
    size_t whole = n / b->per, lines = KV_POSITIONS / b->per, scales = b->v_scales - b->v;
    memcpy(to, from, b->head - b->v);
    for (size_t d = 0; d < b->v_width && n % b->per; d++)
        for (size_t e = n % b->per; e < b->per; e++)
            kv_put(b, to + whole * line + d * b->word, e, 0);
    whole += n % b->per != 0;
    memset(to + whole * line, 0, (lines - whole) * line);
    for (size_t s = 0; s < sets; s++)
        memset(to + scales + (s * KV_POSITIONS + n) * 2, 0, (KV_POSITIONS - n) * 2);
}

/* The first v_dim numbers of a head's keys as values. */
static void values_of_keys(const kv_block *keys, const kv_block *b, const char *from, char *to)
{
    uint32_t flip = b->kind == KV_INT8 ? 128 : 0;
    memset(to, 0, b->head - b->v);
    for (size_t d = 0; d < b->v_dim; d++)
        for (size_t j = 0; j < KV_POSITIONS; j++)
            kv_put(b, to + kv_value_word(b, j, d) * b->word, j % b->per,
                   kv_get(keys, from + kv_key_word(keys, j, d) * b->word, d % b->per) ^ flip);
    size_t bytes = b->v_groups * KV_POSITIONS * 2, scales = b->v_scales - b->v;
    memcpy(to + scales, from + keys->k_scales, bytes);
    if (b->kind == KV_INT4)
        memcpy(to + scales + bytes, from + keys->k_scales + keys->k_groups * KV_POSITIONS * 2, bytes);
}

/* Where the values of block i of the tile are, of which positions [0, n) count. */
static const char *values_at(const job *g, const char *head, size_t i, size_t n, const work *w)
{
    size_t bytes = g->block.head - g->block.v;
    char *copy = w->copy + (1 + i) * bytes;
    const char *values = head + g->block.v;
    if (g->a->v_in_k) {
        values_of_keys(&g->a->block, &g->block, head, copy);
        values = copy;
    }
    if (n == KV_POSITIONS)
        return values;
    copy_values(&g->block, values, n, w->copy);
    return w->copy;
}

/* --- a chunk --- */

/* The blocks of positions [base, end) of the tile's sequence, and what is to be read after them. */
static void find_blocks(const job *g, const tile *u, size_t head, size_t base, size_t end, const work *w,
                        paged_tile *t)
{
    const paged_args *a = g->a;
    const int32_t *table = a->tables + u->sequence * a->max_blocks + base / KV_POSITIONS;
    size_t left = (u->position + u->tokens - base + KV_POSITIONS - 1) / KV_POSITIONS;
    const char *heads = a->pool + head * a->block.head;
    for (size_t at = base, i = 0; at < end; at += KV_POSITIONS, i = ++t->blocks) {
        t->keys[i] = heads + (size_t)table[i] * a->block.bytes;
        t->values[i] = values_at(g, t->keys[i], i, min(KV_POSITIONS, end - at), w);
    }
    for (size_t i = 0; i < PAGED_AHEAD; i++) {
        size_t next = t->blocks + i < left ? t->blocks + i : 0;
        t->values[t->blocks + i] = heads + (size_t)table[next] * a->block.bytes;
        t->keys[t->blocks + i] = t->values[min(i, t->blocks - 1)];
    }
}

/* What the rows of u see of chunk c goes to w->part, part_max and part_sum; rows that see nothing of it have
 * the maximum -inf. */
static void attend_chunk(const job *g, const tile *u, size_t head, size_t c, const work *w)
{
    const paged_args *a = g->a;
    const paged_kernels *k = &g->t->paged;
    size_t end = min(u->position + u->tokens, (c + 1) * PAGED_KEYS), rows = u->tokens * g->group;
    size_t begin = first_seen(a, u->position), base = c * PAGED_KEYS;
    paged_tile t = {.block = &g->block,
                    .rows = rows,
                    .q = w->q,
                    .q_step = g->q_step,
                    .scores = w->scores,
                    .out = w->part,
                    .work = w->kernel};
    base = (begin > base ? begin : base) / KV_POSITIONS * KV_POSITIONS;
    find_blocks(g, u, head, base, end, w, &t);
    k->scores[g->kind](&t);
    for (size_t r = 0; r < rows; r++) {
        size_t position = u->position + r / g->group, low = first_seen(a, position);
        size_t high = min(position + 1, end);
        low = low > base ? min(low, end) - base : 0;
        high = high > base ? high - base : 0;
        k->softmax(w->scores + r * PAGED_KEYS, t.blocks * KV_POSITIONS, low, high > low ? high : low,
                   a->softcap, w->part_max + r, w->part_sum + r);
    }
    k->values[g->kind](&t);
}

/* Adds a chunk's result of one row to what came before. */
static void add_part(const job *g, float *total, float *max, float *sum, const float *part, float part_max,
                     float part_sum)
{
    if (part_max == -INFINITY && part_sum == 0)
        return;
    float most = part_max > *max ? part_max : *max, shift = most == -INFINITY ? 0 : most;
    float a = expf(*max - shift), b = expf(part_max - shift);
    g->t->paged.merge(total, part, g->block.v_width, a, b);
    *sum = *sum * a + part_sum * b;
    *max = most;
}

/* --- a tile --- */

static void load_queries(const job *g, const tile *u, size_t head, const work *w)
{
    const paged_args *a = g->a;
    size_t k_dim = a->block.k_dim, size = g->slot ? 2 : 4;
    memset(w->row, 0, a->block.k_words * a->block.per * sizeof *w->row);
    for (size_t r = 0; r < u->tokens * g->group; r++) {
        size_t at = ((u->row + r / g->group) * a->heads + head * g->group + r % g->group) * k_dim;
        g->t->gemm.widen[g->slot]((const char *)a->q + at * size, 1, k_dim, w->row);
        g->t->attention.scale_row(w->row, k_dim, a->scale);
        g->t->paged.prepare[g->kind](&g->block, w->row, w->q + r * g->q_step);
    }
}

static void start_row(const job *g, size_t head, size_t r, float *total, float *max, float *sum)
{
    const float *sinks = g->a->sinks;
    *max = sinks ? sinks[head * g->group + r % g->group] : -INFINITY;
    *sum = sinks ? 1 : 0;
    memset(total, 0, g->block.v_width * sizeof *total);
}

static void store_row(const job *g, const tile *u, size_t head, size_t r, float *total, float sum)
{
    const paged_args *a = g->a;
    size_t at = ((u->row + r / g->group) * a->heads + head * g->group + r % g->group) * g->v_dim;
    g->t->attention.scale_row(total, g->v_dim, 1 / sum);
    g->t->gemm.narrow[g->slot](total, g->v_dim, (char *)a->out + at * (g->slot ? 2 : 4));
}

static void attend_tile(const job *g, const tile *u, size_t head, const work *w)
{
    size_t rows = u->tokens * g->group, width = g->block.v_width;
    for (size_t r = 0; r < rows; r++)
        start_row(g, head, r, w->total + r * width, w->max + r, w->sum + r);
    for (size_t c = 0; c < u->chunks; c++) {
        attend_chunk(g, u, head, u->chunk + c, w);
        for (size_t r = 0; r < rows; r++)
            add_part(g, w->total + r * width, w->max + r, w->sum + r, w->part + r * width, w->part_max[r],
                     w->part_sum[r]);
    }
    for (size_t r = 0; r < rows; r++)
        store_row(g, u, head, r, w->total + r * width, w->sum[r]);
}

/* Where the result of row r, chunk c of a tile that is split is kept. */
static float *partial_at(const job *g, const tile *u, size_t head, size_t c, size_t r)
{
    return g->partial + u->partial + ((head * u->chunks + c) * u->tokens * g->group + r) * part_size(g);
}

static void keep_chunk(const job *g, const tile *u, size_t head, size_t c, const work *w)
{
    size_t width = g->block.v_width;
    for (size_t r = 0; r < u->tokens * g->group; r++) {
        float *p = partial_at(g, u, head, c, r);
        memcpy(p, w->part + r * width, width * sizeof *p);
        p[width] = w->part_max[r];
        p[width + 1] = w->part_sum[r];
    }
}

/* Puts the chunks of (tile, head) n together. */
static void merge_range(void *arg, size_t begin, size_t end)
{
    const job *g = arg;
    size_t heads = g->a->block.heads, width = g->block.v_width;
    for (size_t n = begin; n < end; n++) {
        const tile *u = &g->tiles[n / heads];
        size_t head = n % heads;
        for (size_t r = 0; u->units > 1 && r < u->tokens * g->group; r++) {
            float max, sum, *total = (float *)(void *)g->scratch + n * width;
            start_row(g, head, r, total, &max, &sum);
            for (size_t c = 0; c < u->chunks; c++) {
                const float *p = partial_at(g, u, head, c, r);
                add_part(g, total, &max, &sum, p, p[width], p[width + 1]);
            }
            store_row(g, u, head, r, total, sum);
        }
    }
}

/* --- units --- */

/* Lays a thread's scratch out from p (NULL to measure); returns its size. */
static size_t lay_out(const job *g, char *p, work *w)
{
    const kv_block *b = &g->block;
    size_t rows = g->tokens * g->group, floats = rows * sizeof(float), used = 0;
    struct {
        void **field;
        size_t size;
    } parts[] = {{(void **)&w->row, g->a->block.k_words * b->per * sizeof(float)},
                 {(void **)&w->q, rows * g->q_step},
                 {(void **)&w->scores, floats * PAGED_KEYS},
                 {(void **)&w->part, floats * b->v_width},
                 {(void **)&w->total, floats * b->v_width},
                 {(void **)&w->part_max, floats},
                 {(void **)&w->part_sum, floats},
                 {(void **)&w->max, floats},
                 {(void **)&w->sum, floats},
                 {(void **)&w->kernel, g->t->paged.work_bytes[g->kind](b, rows)},
                 {(void **)&w->copy, (b->head - b->v) * (g->a->v_in_k ? PAGED_BLOCKS + 1 : 1)}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        *parts[i].field = p ? p + used : NULL;
        used += kv_up(parts[i].size, KV_LINE);
    }
    return used;
}

static const tile *tile_of(const job *g, size_t unit)
{
    size_t low = 0, high = g->n_tiles;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (g->tiles[middle].first_unit <= unit)
            low = middle;
        else
            high = middle;
    }
    return &g->tiles[low];
}

static void run_units(void *arg, int thread, int threads)
{
    (void)threads;
    job *g = arg;
    work w;
    lay_out(g, g->scratch + (size_t)thread * g->scratch_size, &w);
    for (size_t n; (n = atomic_fetch_add(&g->next, 1)) < g->units;) {
        const tile *u = tile_of(g, n);
        size_t head = (n - u->first_unit) / u->units, piece = (n - u->first_unit) % u->units;
        load_queries(g, u, head, &w);
        if (u->units == 1) {
            attend_tile(g, u, head, &w);
            continue;
        }
        attend_chunk(g, u, head, u->chunk + piece, &w);
        keep_chunk(g, u, head, piece, &w);
    }
}

/* --- what there is to do --- */

static int check_sequence(const paged_args *a, size_t s)
{
    int64_t begin = a->starts[s], end = a->starts[s + 1], length = a->lengths[s], rows = end - begin;
    if (begin < 0 || rows < 0 || end > (int64_t)a->rows)
        return error_set("[paged_attention] rows %lld to %lld of sequence %zu are not among %zu",
                         (long long)begin, (long long)end, s, a->rows);
    if (rows == 0)
        return 0;
    if (length < rows || (length + KV_POSITIONS - 1) / KV_POSITIONS > (int64_t)a->max_blocks)
        return error_set(
            "[paged_attention] sequence %zu of length %lld has %lld rows and a table of %zu blocks", s,
            (long long)length, (long long)rows, a->max_blocks);
    for (size_t i = first_seen(a, (size_t)(length - rows)) / KV_POSITIONS; i * KV_POSITIONS < (size_t)length;
         i++) {
        int32_t block = a->tables[s * a->max_blocks + i];
        if (block < 0 || (size_t)block >= a->n_blocks)
            return error_set("[paged_attention] block %zu of sequence %zu is %d; the pool has %zu", i, s,
                             block, a->n_blocks);
    }
    return 0;
}

static size_t count_tiles(const job *g)
{
    size_t n = 0;
    for (size_t s = 0; s < g->a->sequences; s++)
        n += ((size_t)(g->a->starts[s + 1] - g->a->starts[s]) + g->tokens - 1) / g->tokens;
    return n;
}

/* Tiles of sequence s, from the last on; returns where the next sequence's go. */
static tile *make_tiles(const job *g, size_t s, tile *u)
{
    const paged_args *a = g->a;
    size_t begin = (size_t)a->starts[s], rows = (size_t)a->starts[s + 1] - begin;
    for (size_t n = (rows + g->tokens - 1) / g->tokens; n-- > 0; u++) {
        size_t row = n * g->tokens, tokens = min(g->tokens, rows - row);
        size_t position = (size_t)a->lengths[s] - rows + row;
        size_t first = first_seen(a, position) / PAGED_KEYS;
        *u = (tile){.sequence = s,
                    .row = begin + row,
                    .tokens = tokens,
                    .position = position,
                    .chunk = first,
                    .chunks = (position + tokens - 1) / PAGED_KEYS - first + 1,
                    .units = 1};
    }
    return u;
}

/* Tiles, and the units that they make; the floats that split ones need. */
static int cut(job *g, size_t *partial)
{
    const paged_args *a = g->a;
    size_t wanted = UNITS * (size_t)pool_threads(), heads = a->block.heads;
    g->tokens = g->group < TILE_ROWS ? TILE_ROWS / g->group : 1;
    while (g->tokens > 1 && g->tokens * g->group > LEAST_ROWS && count_tiles(g) * heads < wanted)
        g->tokens = (g->tokens + 1) / 2;
    g->n_tiles = count_tiles(g);
    g->tiles = mem_alloc(g->n_tiles, sizeof *g->tiles);
    if (!g->tiles)
        return -1;
    tile *u = g->tiles;
    for (size_t s = 0; s < a->sequences; s++)
        u = make_tiles(g, s, u);
    for (size_t i = 0; i < g->n_tiles; i++) {
        u = &g->tiles[i];
        size_t rows = u->tokens * g->group;
        if (rows <= SPLIT_ROWS && g->n_tiles * heads < wanted && u->chunks > 1) {
            u->units = u->chunks;
            u->partial = *partial;
            *partial += heads * u->chunks * rows * part_size(g);
        }
        u->first_unit = g->units;
        g->units += heads * u->units;
    }
    return 0;
}

static int run(job *g)
{
    size_t partial = 0, heads = g->a->block.heads;
    if (cut(g, &partial))
        return -1;
    work w;
    g->scratch_size = lay_out(g, NULL, &w);
    size_t threads = min((size_t)pool_threads(), g->units), size = threads * g->scratch_size;
    size_t totals = partial ? g->n_tiles * heads * g->block.v_width * sizeof(float) : 0;
    size = kv_up(size > totals ? size : totals, KV_LINE);
    g->scratch = mem_aligned(KV_LINE, size + partial * sizeof(float));
    if (g->scratch) {
        g->partial = (float *)(void *)(g->scratch + size);
        pool_run(run_units, g, (int)threads);
        if (partial)
            pool_for(g->n_tiles * heads, 1, merge_range, g);
    }
    mem_free(g->scratch);
    return g->scratch ? 0 : -1;
}

int cpu_paged_attention_with(const cpu_kernels *t, const paged_args *a)
{
    const kv_block *b = &a->block;
    job g = {.t = t, .a = a, .block = *b, .kind = b->kind, .group = a->heads / b->heads};
    size_t values = a->rows * a->heads, covered = 0;
    if (a->v_in_k)
        g.block = kv_block_make(b->kind, b->heads, b->k_dim, a->v_in_k, b->group);
    g.v_dim = g.block.v_dim;
    g.slot = (size_t)norm_slot(a->dtype);
    g.q_step = kv_up(t->paged.q_bytes[g.kind](b), KV_LINE);
    for (size_t s = 0; s < a->sequences; s++) {
        if (check_sequence(a, s))
            return -1;
        covered += (size_t)(a->starts[s + 1] - a->starts[s]);
    }
    if (covered < a->rows)
        memset(a->out, 0, values * g.v_dim * mx_dtype_size(a->dtype));
    int rc = covered && a->heads ? run(&g) : 0;
    mem_free(g.tiles);
    return rc;
}

int cpu_paged_attention(const paged_args *a) { return cpu_paged_attention_with(cpu_kernels_get(), a); }
