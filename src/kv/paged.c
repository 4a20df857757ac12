/* Pools and steps over them. */
#include "kv/paged.h"

#include "array/node.h"
#include "base/error.h"
#include "base/mem.h"

#include <limits.h>
#include <string.h>

/* --- pools --- */

/* The group of a layer's window: all layers with one are in the second, or the only, group, which has the
 * largest of their windows. */
static void group_layers(kv_paged *p)
{
    bool full = false;
    int window = 0;
    for (int i = 0; i < p->n_layers; i++) {
        const kv_spec *s = &p->layers[i].spec;
        full = full || (s->heads > 0 && s->window == 0);
        window = s->heads > 0 && s->window > window ? s->window : window;
    }
    for (int i = 0; i < p->n_layers; i++)
        p->layers[i].group = full && p->layers[i].spec.window > 0;
    p->n_groups = 1 + (full && window);
    p->groups[p->n_groups - 1].window = window;
}

static mx_kv_layout layout_of(const kv_spec *s, mlx_dtype dtype, int bits)
{
    return (mx_kv_layout){.heads = s->heads,
                          .k_dim = s->k_dim,
                          .v_dim = s->v_dim,
                          .v_in_k = s->v_dim ? 0 : s->k_dim, /* at most; attention says how many */
                          .dtype = dtype,
                          .bits = bits,
                          .group = 64};
}

int paged_init(kv_paged *p, const kv_spec *specs, int n_layers, mlx_dtype dtype, int bits)
{
    *p = (kv_paged){.n_layers = n_layers};
    p->layers = mem_calloc((size_t)n_layers, sizeof *p->layers);
    if (!p->layers)
        return -1;
    for (int i = 0; i < n_layers; i++) {
        p->layers[i].spec = specs[i];
        p->layers[i].layout = layout_of(&specs[i], dtype, bits);
        p->state_bytes += specs[i].state_bytes;
        if (specs[i].heads && mx_kv_block_bytes(&p->layers[i].layout) == 0)
            return -1;
    }
    group_layers(p);
    return 0;
}

static void drop_pools(kv_paged *p)
{
    for (int i = 0; p->layers && i < p->n_layers; i++)
        mx_set(&p->layers[i].pool, MX_NULL);
}

void paged_free(kv_paged *p)
{
    drop_pools(p);
    mem_free(p->layers);
    mem_free(p->rows);
    *p = (kv_paged){0};
}

size_t paged_block_bytes(const kv_paged *p, int group)
{
    size_t bytes = 0;
    for (int i = 0; i < p->n_layers; i++)
        if (p->layers[i].group == group && p->layers[i].spec.heads)
            bytes += mx_kv_block_bytes(&p->layers[i].layout);
    return bytes;
}

size_t paged_bytes(const kv_paged *p)
{
    size_t bytes = 0;
    for (int g = 0; g < p->n_groups; g++)
        bytes += (size_t)p->groups[g].blocks * paged_block_bytes(p, g);
    return bytes;
}

int paged_size(kv_paged *p, size_t memory, size_t sequences, size_t step_tokens)
{
    /* Places are counted in int32; where nothing is kept of positions, blocks only count them. */
    const size_t limit = INT_MAX / PAGED_BLOCK, counting = (1 << 17) + sequences * 1024;
    size_t bytes[KV_GROUPS] = {0}, all = 0, left = memory, blocks;
    for (int g = 0; g < p->n_groups; g++)
        all += bytes[g] = paged_block_bytes(p, g);
    const size_t most = all || counting > limit ? limit : counting;
    blocks = all && memory / all < most ? memory / all : most;
    if (blocks == 0)
        return error_set("%zu bytes are too few for keys and values: one block of %d positions takes %zu",
                         memory, PAGED_BLOCK, all);
    for (int g = p->n_groups; g-- > 0;) {
        size_t n = bytes[g] && left / bytes[g] < most ? left / bytes[g] : most;
        if (g > 0) { /* windowed, beside a group that is not */
            size_t used = ((size_t)p->groups[g].window + step_tokens + PAGED_BLOCK - 1) / PAGED_BLOCK + 1;
            n = used * sequences < blocks ? used * sequences : blocks;
        }
        p->groups[g].blocks = (int)n;
        left -= n * bytes[g];
    }
    return 0;
}

/* A pool whose memory is touched only where it is written. */
static mlx_array untouched(int blocks, size_t bytes)
{
    buffer *b = buffer_new((size_t)blocks * bytes);
    return b ? node_temp(node_from_buffer(b, b->data, SHAPE(blocks, (int)bytes), MLX_UINT8)) : MX_NULL;
}

int paged_allocate(kv_paged *p)
{
    drop_pools(p);
    for (int i = 0; i < p->n_layers; i++) {
        paged_layer *l = &p->layers[i];
        if (l->spec.heads == 0)
            continue;
        size_t mark = mx_mark();
        mx_set(&l->pool, untouched(p->groups[l->group].blocks, mx_kv_block_bytes(&l->layout)));
        mx_release(mark);
        if (mx_is_null(l->pool))
            return -1;
    }
    return 0;
}

/* --- steps --- */

/* An int32 array of what fill writes to n places. */
static mlx_array filled(const kv_paged *p, int group, size_t n, const int *shape, size_t ndim,
                        void (*fill)(const kv_paged *p, int group, int *out, size_t width))
{
    int *x = mem_calloc(n, sizeof *x);
    if (x)
        fill(p, group, x, ndim == 2 ? (size_t)shape[1] : n);
    mlx_array y = x ? mx_from(x, shape, ndim, MLX_INT32) : MX_NULL;
    mem_free(x);
    return y;
}

/* Where each row's keys and values go. */
static void fill_slots(const kv_paged *p, int group, int *out, size_t n)
{
    (void)n;
    for (size_t i = 0; i < p->n_spans; i++) {
        const paged_span *s = &p->spans[i];
        for (int at = s->start; at < s->start + s->rows; at++)
            *out++ = s->tables->of[group].blocks[at / PAGED_BLOCK] * PAGED_BLOCK + at % PAGED_BLOCK;
    }
}

static size_t blocks_in_use(const paged_span *s)
{
    return ((size_t)s->start + (size_t)s->rows + PAGED_BLOCK - 1) / PAGED_BLOCK;
}

static void fill_tables(const kv_paged *p, int group, int *out, size_t width)
{
    for (size_t i = 0; i < p->n_spans; i++)
        memcpy(out + i * width, p->spans[i].tables->of[group].blocks,
               blocks_in_use(&p->spans[i]) * sizeof *out);
}

static void fill_lengths(const kv_paged *p, int group, int *out, size_t n)
{
    (void)group;
    for (size_t i = 0; i < n; i++)
        out[i] = p->spans[i].start + p->spans[i].rows;
}

static void fill_starts(const kv_paged *p, int group, int *out, size_t n)
{
    (void)group;
    for (size_t i = 1; i < n; i++)
        out[i] = out[i - 1] + p->spans[i - 1].rows;
}

static void fill_positions(const kv_paged *p, int group, int *out, size_t n)
{
    (void)group, (void)n;
    for (size_t i = 0; i < p->n_spans; i++)
        for (int k = 0; k < p->spans[i].rows; k++)
            *out++ = p->spans[i].start + k;
}

static void fill_totals(const kv_paged *p, int group, int *out, size_t n)
{
    (void)group, (void)n;
    for (size_t i = 0; i < p->n_spans; i++)
        for (int k = 0; k < p->spans[i].rows; k++)
            *out++ = p->spans[i].total;
}

/* Makes the copies of a group in all its pools. */
static int copy_blocks(kv_paged *p, int group, const kv_copy *copies, size_t n)
{
    int *both = mem_alloc(2 * n, sizeof *both), count = 0;
    for (size_t i = 0; both && i < n; i++)
        if (copies[i].group == group) {
            both[count] = copies[i].from;
            both[n + (size_t)count++] = copies[i].to;
        }
    mlx_array from = both && count ? mx_from(both, SHAPE(count), MLX_INT32) : MX_NULL;
    mlx_array to = both && count ? mx_from(both + n, SHAPE(count), MLX_INT32) : MX_NULL;
    for (int i = 0; count && i < p->n_layers; i++) {
        paged_layer *l = &p->layers[i];
        if (l->group == group && l->spec.heads)
            mx_set(&l->pool, mx_kv_copy_blocks(l->pool, from, to));
    }
    mem_free(both);
    return both && !error_pending() ? 0 : -1;
}

/* (1, H, L, D) -> (L, H, D) */
static mlx_array rows_first(mlx_array x)
{
    return mx_is_null(x) ? x : mx_transpose(mx_squeeze_axes(x, SHAPE(0)), SHAPE(1, 0, 2));
}

static mlx_array attend(kv_step *step, int layer, mlx_array q, mlx_array k, mlx_array v,
                        const kv_attention *how)
{
    kv_paged *p = step->holder;
    paged_layer *l = &p->layers[layer];
    if (mx_is_null(q))
        return q;
    mx_paged_params params = {
        .layout = l->layout, .scale = how->scale, .softcap = how->softcap, .window = how->window};
    if (how->v_dim)
        params.layout.v_in_k = how->v_dim;
    if (!mx_is_null(k))
        mx_set(&l->pool,
               mx_kv_write(l->pool, rows_first(k), rows_first(v), p->slots[l->group], &params.layout));
    mlx_array y = mx_paged_attention(rows_first(q), l->pool, p->tables[l->group], p->lengths, p->starts,
                                     how->sinks, &params);
    return mx_is_null(y) ? y : mx_expand_dims(mx_transpose(y, SHAPE(1, 0, 2)), 0);
}

static mlx_array *state(kv_step *step, int layer, int sequence, int which)
{
    kv_paged *p = step->holder;
    return &p->spans[sequence].states[layer * KV_STATES + which];
}

int paged_begin(kv_paged *p, const paged_span *spans, size_t n, const kv_copy *copies, size_t n_copies,
                kv_step *step)
{
    static const kv_store STORE = {.attend = attend, .state = state};
    kv_span *rows = mem_grow(p->rows, &p->rows_cap, n, sizeof *rows);
    if (!rows)
        return -1;
    p->rows = rows;
    p->spans = spans;
    p->n_spans = n;
    int total = 0;
    for (size_t i = 0; i < n; i++) {
        rows[i] = (kv_span){.row = total, .rows = spans[i].rows, .position = spans[i].start};
        total += spans[i].rows;
    }
    size_t width = 0;
    for (size_t i = 0; i < n; i++)
        width = blocks_in_use(&spans[i]) > width ? blocks_in_use(&spans[i]) : width;
    for (int g = 0; g < p->n_groups; g++) {
        if (n_copies && copy_blocks(p, g, copies, n_copies))
            return -1;
        p->slots[g] = filled(p, g, (size_t)total, SHAPE(total), fill_slots);
        p->tables[g] = filled(p, g, n * width, SHAPE((int)n, (int)width), fill_tables);
    }
    p->lengths = filled(p, 0, n, SHAPE((int)n), fill_lengths);
    p->starts = filled(p, 0, n + 1, SHAPE((int)n + 1), fill_starts);
    *step = (kv_step){.store = &STORE, .holder = p, .spans = rows, .n_spans = (int)n};
    step->positions.first = spans[0].start;
    step->positions.total = spans[0].total;
    if (n > 1) {
        step->positions.each = filled(p, 0, (size_t)total, SHAPE(total), fill_positions);
        step->positions.totals = filled(p, 0, (size_t)total, SHAPE(total), fill_totals);
    }
    return error_pending() ? -1 : 0;
}

int paged_eval(const kv_paged *p)
{
    for (int i = 0; i < p->n_layers; i++) {
        if (!mx_is_null(p->layers[i].pool) && mx_eval(p->layers[i].pool))
            return -1;
    }
    for (size_t i = 0; p->state_bytes && i < p->n_spans; i++)
        for (int k = 0; k < p->n_layers * KV_STATES; k++)
            if (!mx_is_null(p->spans[i].states[k]) && mx_eval(p->spans[i].states[k]))
                return -1;
    return 0;
}
