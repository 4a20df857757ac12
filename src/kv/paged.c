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

int paged_init(kv_paged *p, const kv_spec *specs, int n_layers, mlx_dtype dtype, int bits)
{
    *p = (kv_paged){.n_layers = n_layers, .dtype = dtype, .bits = bits};
    if (bits)
        return error_set("keys and values of %d bits are not supported yet", bits);
    p->layers = mem_calloc((size_t)n_layers, sizeof *p->layers);
    if (!p->layers)
        return -1;
    for (int i = 0; i < n_layers; i++) {
        p->layers[i].spec = specs[i];
        p->state_bytes += specs[i].state_bytes;
    }
    group_layers(p);
    return 0;
}

static void drop_pools(kv_paged *p)
{
    for (int i = 0; p->layers && i < p->n_layers; i++) {
        mx_set(&p->layers[i].keys, MX_NULL);
        mx_set(&p->layers[i].values, MX_NULL);
    }
}

void paged_free(kv_paged *p)
{
    drop_pools(p);
    mem_free(p->layers);
    mem_free(p->rows);
    *p = (kv_paged){0};
}

static size_t layer_bytes(const kv_paged *p, const kv_spec *s)
{
    return PAGED_BLOCK * (size_t)s->heads * (size_t)(s->k_dim + s->v_dim) * mx_dtype_size(p->dtype);
}

size_t paged_block_bytes(const kv_paged *p, int group)
{
    size_t bytes = 0;
    for (int i = 0; i < p->n_layers; i++)
        bytes += p->layers[i].group == group ? layer_bytes(p, &p->layers[i].spec) : 0;
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
    const size_t most = INT_MAX / PAGED_BLOCK; /* places are counted in int32 */
    size_t bytes[KV_GROUPS] = {0}, all = 0, left = memory, blocks = most;
    for (int g = 0; g < p->n_groups; g++)
        all += bytes[g] = paged_block_bytes(p, g);
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

/* An array whose memory is touched only where it is written. */
static mlx_array untouched(const int *shape, int ndim, mlx_dtype dtype)
{
    size_t n = mx_dtype_size(dtype);
    for (int i = 0; i < ndim; i++)
        n *= (size_t)shape[i];
    buffer *b = buffer_new(n);
    return b ? node_temp(node_from_buffer(b, b->data, shape, ndim, dtype)) : MX_NULL;
}

int paged_allocate(kv_paged *p)
{
    drop_pools(p);
    for (int i = 0; i < p->n_layers; i++) {
        paged_layer *l = &p->layers[i];
        int places = p->groups[l->group].blocks * PAGED_BLOCK;
        if (l->spec.heads == 0)
            continue;
        size_t mark = mx_mark();
        const int k[] = {places, l->spec.heads, l->spec.k_dim}, v[] = {places, l->spec.heads, l->spec.v_dim};
        mx_set(&l->keys, untouched(k, 3, p->dtype));
        if (l->spec.v_dim)
            mx_set(&l->values, untouched(v, 3, p->dtype));
        mx_release(mark);
        if (mx_is_null(l->keys) || (l->spec.v_dim && mx_is_null(l->values)))
            return -1;
    }
    return 0;
}

/* --- steps --- */

static const int FIRST[] = {0}; /* the axis of places */

static int place(const paged_span *s, int group, int position)
{
    return s->tables->of[group].blocks[position / PAGED_BLOCK] * PAGED_BLOCK + position % PAGED_BLOCK;
}

/* Where rows of a step go. */
static mlx_array places_of_rows(const kv_paged *p, int group, size_t n_rows)
{
    int *places = mem_alloc(n_rows, sizeof *places), *at = places;
    for (size_t i = 0; places && i < p->n_spans; i++)
        for (int k = 0; k < p->spans[i].rows; k++)
            *at++ = place(&p->spans[i], group, p->spans[i].start + k);
    mlx_array x = places ? mx_from(places, SHAPE((int)n_rows), MLX_INT32) : MX_NULL;
    mem_free(places);
    return x;
}

/* The pool with all copies made: rows of whole blocks. */
static mlx_array copied(mlx_array pool, mlx_array from, mlx_array to)
{
    if (mx_is_null(pool))
        return pool;
    mlx_array rows = mx_expand_dims(mx_take(pool, from, 0), 1);
    return mx_scatter(pool, &to, 1, rows, FIRST);
}

static int copy_blocks(kv_paged *p, int group, const kv_copy *copies, size_t n)
{
    int *places = mem_alloc(2 * PAGED_BLOCK * n, sizeof *places);
    size_t count = 0;
    for (size_t side = 0; places && side < 2; side++)
        for (size_t i = 0; i < n; i++)
            for (int k = 0; copies[i].group == group && k < PAGED_BLOCK; k++)
                places[count++] = (side ? copies[i].to : copies[i].from) * PAGED_BLOCK + k;
    int half = (int)(count / 2);
    size_t mark = mx_mark();
    mlx_array from = places && half ? mx_from(places, SHAPE(half), MLX_INT32) : MX_NULL;
    mlx_array to = places && half ? mx_from(places + half, SHAPE(half), MLX_INT32) : MX_NULL;
    for (int i = 0; half && i < p->n_layers; i++)
        if (p->layers[i].group == group && p->layers[i].spec.heads) {
            mx_set(&p->layers[i].keys, copied(p->layers[i].keys, from, to));
            mx_set(&p->layers[i].values, copied(p->layers[i].values, from, to));
        }
    mx_release(mark);
    mem_free(places);
    return places && !error_pending() ? 0 : -1;
}

/* (1, H, L, D) -> (L, H, D) */
static mlx_array rows_first(mlx_array x)
{
    return mx_transpose(mx_squeeze_axes(x, SHAPE(0)), SHAPE(1, 0, 2));
}

static mlx_array written(const kv_paged *p, mlx_array pool, mlx_array x, mlx_array slots)
{
    return mx_scatter(pool, &slots, 1, mx_expand_dims(mx_astype(rows_first(x), p->dtype), 1), FIRST);
}

/* What a pool holds of a sequence up to its last row in this step: (1, H, S, D). */
static mlx_array history(const paged_span *s, int group, int first, mlx_array pool)
{
    int n = s->start + s->rows - first;
    int *places = mem_alloc((size_t)n, sizeof *places);
    for (int i = 0; places && i < n; i++)
        places[i] = place(s, group, first + i);
    mlx_array at = places ? mx_from(places, SHAPE(n), MLX_INT32) : MX_NULL;
    mem_free(places);
    return mx_expand_dims(mx_transpose(mx_take(pool, at, 0), SHAPE(1, 0, 2)), 0);
}

/* One sequence's rows of q. */
static mlx_array attend_one(const kv_paged *p, const paged_layer *l, size_t i, mlx_array q,
                            const kv_attention *how)
{
    const paged_span *s = &p->spans[i];
    int row = p->rows[i].row, first = (int)tables_seen(how->window, (size_t)s->start);
    mlx_array k = history(s, l->group, first, l->keys);
    mlx_array v = how->v_dim ? mx_slice_axis(k, -1, 0, how->v_dim) : history(s, l->group, first, l->values);
    q = mx_slice_axis(q, 2, row, row + s->rows);
    nn_mask mask = nn_causal_mask(s->rows, s->start - first, how->window);
    return how->softcap != 0 ? nn_attend_capped(q, k, v, how->scale, mask, how->softcap)
                             : nn_attend(q, k, v, how->scale, mask, how->sinks);
}

static mlx_array attend(kv_step *step, int layer, mlx_array q, mlx_array k, mlx_array v,
                        const kv_attention *how)
{
    kv_paged *p = step->holder;
    paged_layer *l = &p->layers[layer];
    if (mx_is_null(q))
        return q;
    if (!mx_is_null(k))
        mx_set(&l->keys, written(p, l->keys, k, p->slots[l->group]));
    if (!mx_is_null(v))
        mx_set(&l->values, written(p, l->values, v, p->slots[l->group]));
    mlx_array *parts = mem_alloc(p->n_spans, sizeof *parts), y = MX_NULL;
    for (size_t i = 0; parts && i < p->n_spans; i++)
        parts[i] = attend_one(p, l, i, q, how);
    if (parts)
        y = p->n_spans == 1 ? parts[0] : mx_concatenate(parts, p->n_spans, 2);
    mem_free(parts);
    return y;
}

static mlx_array *state(kv_step *step, int layer, int sequence, int which)
{
    kv_paged *p = step->holder;
    return &p->spans[sequence].states[layer * KV_STATES + which];
}

static mlx_array positions_of(const kv_paged *p, size_t n_rows)
{
    int *each = mem_alloc(n_rows, sizeof *each), *at = each;
    for (size_t i = 0; each && i < p->n_spans; i++)
        for (int k = 0; k < p->spans[i].rows; k++)
            *at++ = p->spans[i].start + k;
    mlx_array x = each ? mx_from(each, SHAPE((int)n_rows), MLX_INT32) : MX_NULL;
    mem_free(each);
    return x;
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
    for (int g = 0; g < p->n_groups; g++) {
        if (n_copies && copy_blocks(p, g, copies, n_copies))
            return -1;
        p->slots[g] = places_of_rows(p, g, (size_t)total);
    }
    *step = (kv_step){.store = &STORE, .holder = p, .spans = rows, .n_spans = (int)n};
    step->positions.first = spans[0].start;
    if (n > 1)
        step->positions.each = positions_of(p, (size_t)total);
    return error_pending() ? -1 : 0;
}

int paged_eval(const kv_paged *p)
{
    for (int i = 0; i < p->n_layers; i++) {
        const paged_layer *l = &p->layers[i];
        const mlx_array both[] = {l->keys, l->values};
        size_t n = mx_is_null(l->keys) ? 0 : mx_is_null(l->values) ? 1 : 2;
        if (n && mx_eval_all(both, n))
            return -1;
    }
    for (size_t i = 0; p->state_bytes && i < p->n_spans; i++)
        for (int k = 0; k < p->n_layers * KV_STATES; k++)
            if (!mx_is_null(p->spans[i].states[k]) && mx_eval(p->spans[i].states[k]))
                return -1;
    return 0;
}
