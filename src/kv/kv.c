/* The contiguous cache. An append is a slice update of the slot's own buffer: the slot gives its reference to
 * the graph, so when the step is evaluated nobody else holds the old buffer and the update is done in place.
 */
#include "kv/kv.h"

#include "base/error.h"
#include "base/mem.h"

enum { STEP = 256 };

int kv_init(kv_cache *c, int n_layers, mlx_dtype dtype)
{
    *c = (kv_cache){.n_layers = n_layers, .dtype = dtype};
    c->layers = mem_calloc((size_t)n_layers, sizeof *c->layers);
    return c->layers ? 0 : -1;
}

void kv_reset(kv_cache *c)
{
    for (int i = 0; c->layers && i < c->n_layers; i++) {
        mx_set(&c->layers[i].keys, MX_NULL);
        mx_set(&c->layers[i].values, MX_NULL);
        for (int k = 0; k < KV_STATES; k++)
            mx_set(&c->layers[i].state[k], MX_NULL);
    }
    c->offset = c->stored = c->ring = 0;
}

void kv_free(kv_cache *c)
{
    kv_reset(c);
    mem_free(c->layers);
    *c = (kv_cache){0};
}

void kv_reserve(kv_cache *c, int positions) { c->reserve = positions; }

/* A buffer with room for `need` positions that begins with the first `used` of old (which may be null). */
static mlx_array grown(const kv_cache *c, mlx_array old, mlx_array x, int used, int need)
{
    int reserve = c->limit && c->reserve > c->limit ? c->limit : c->reserve;
    int wanted = need > reserve ? need : reserve, capacity = (wanted + STEP - 1) / STEP * STEP;
    int B = mx_dim(x, 0), H = mx_dim(x, 1), D = mx_dim(x, 3);
    mlx_array fresh = mx_zeros(SHAPE(B, H, capacity, D), c->dtype);
    if (mx_is_null(old) || used == 0)
        return fresh;
    const int start[] = {0, 0, 0, 0}, stop[] = {B, H, used, D};
    return mx_slice_update(fresh, mx_slice(old, start, stop, NULL), start, stop, NULL);
}

/* --- rotation --- */

void kv_limit(kv_cache *c, int limit, int keep)
{
    c->limit = limit;
    c->keep = keep;
}

/* Where the rows of a step go. */
typedef struct place {
    int shrink;   /* the rows that are held are first put in order and cut to so many; -1: they stay */
    int at, rows; /* first row that is written; rows afterwards */
    int ring;     /* afterwards */
} place;

static place place_of(const kv_cache *c, int L)
{
    if (c->limit == 0 || c->stored + L <= c->limit)
        return (place){-1, c->stored, c->stored + L, 0};
    if (L == 1) {
        int at = c->ring ? c->ring : c->keep;
        return (place){c->stored > c->limit ? c->limit : -1, at, c->limit,
                       at + 1 < c->limit ? at + 1 : c->keep};
    }
    int old = c->stored < c->limit - 1 ? c->stored : c->limit - 1;
    return (place){old, old, old + L, 0};
}

/* The rows that are held, oldest first, without the oldest behind the first `keep`: n of them. */
static mlx_array in_order(const kv_cache *c, mlx_array x, int n)
{
    int ring = c->ring ? c->ring : c->keep, drop = c->stored - n;
    const int ends[][2] = {{0, c->keep}, {ring + drop, c->stored}, {c->keep, ring}};
    mlx_array parts[3];
    size_t count = 0;
    for (int i = 0; i < 3; i++) {
        int late = i == 2 && ring + drop > c->stored ? ring + drop - c->stored
                                                     : 0; /* the younger part is cut, too */
        if (ends[i][0] + late < ends[i][1])
            parts[count++] = mx_slice_axis(x, 2, ends[i][0] + late, ends[i][1]);
    }
    return count == 1 ? parts[0] : mx_concatenate(parts, count, 2);
}

static mlx_array append(const kv_cache *c, mlx_array *slot, mlx_array x)
{
    if (mx_is_null(x) || mx_ndim(x) != 4)
        return MX_NULL;
    int L = mx_dim(x, 2);
    place p = place_of(c, L);
    mlx_array whole = *slot;
    if (p.shrink >= 0 && !mx_is_null(whole))
        whole = in_order(c, whole, p.shrink);
    int need = p.rows > p.at + L ? p.rows : p.at + L;
    if (mx_is_null(whole) || mx_dim(whole, 2) < need)
        whole = grown(c, whole, x, p.shrink >= 0 ? p.shrink : c->stored, need);
    const int start[] = {0, 0, p.at, 0}, zero[] = {0, 0, 0, 0};
    const int end[] = {mx_dim(x, 0), mx_dim(x, 1), p.at + L, mx_dim(x, 3)};
    const int stop[] = {mx_dim(x, 0), mx_dim(x, 1), p.rows, mx_dim(x, 3)};
    whole = mx_slice_update(whole, mx_astype(x, c->dtype), start, end, NULL);
    mx_set(slot, whole);
    return mx_slice(whole, zero, stop, NULL);
}

void kv_append(kv_cache *c, int layer, mlx_array *k, mlx_array *v)
{
    *k = append(c, &c->layers[layer].keys, *k);
    *v = append(c, &c->layers[layer].values, *v);
}

void kv_advance(kv_cache *c, int L)
{
    place p = place_of(c, L);
    c->offset += L;
    c->stored = p.rows;
    c->ring = p.ring;
}

void kv_trim(kv_cache *c, int n)
{
    if (n >= c->offset)
        return;
    if (c->recurrent || c->stored < c->offset)
        kv_reset(c);
    else
        c->offset = c->stored = n;
}

int kv_eval(const kv_cache *c)
{
    for (int i = 0; i < c->n_layers; i++) {
        mlx_array kept[2 + KV_STATES] = {c->layers[i].keys, c->layers[i].values};
        for (int k = 0; k < KV_STATES; k++)
            kept[2 + k] = c->layers[i].state[k];
        size_t n = 0;
        for (size_t k = 0; k < 2 + KV_STATES; k++)
            if (!mx_is_null(kept[k]))
                kept[n++] = kept[k];
        if (n && mx_eval_all(kept, n))
            return -1;
    }
    return 0;
}

static size_t bytes_of(mlx_array x) { return mx_is_null(x) ? 0 : mx_size(x) * mx_dtype_size(mx_dtype_of(x)); }

size_t kv_bytes(const kv_cache *c)
{
    size_t bytes = 0;
    for (int i = 0; i < c->n_layers; i++) {
        bytes += bytes_of(c->layers[i].keys) + bytes_of(c->layers[i].values);
        for (int k = 0; k < KV_STATES; k++)
            bytes += bytes_of(c->layers[i].state[k]);
    }
    return bytes;
}

/* --- the step --- */

/* The mask of the step's rows for a window, made once for all layers. */
static nn_mask mask_of(kv_cache *c, int window)
{
    for (int i = 0; i < c->n_masks; i++)
        if (c->masks[i].window == window)
            return c->masks[i].mask;
    int L = c->span.rows, before = place_of(c, L).rows - L; /* rows that are seen, before those of the step */
    bool all = L == 1 && c->limit && before + 1 == c->limit; /* the order does not matter */
    nn_mask mask = nn_causal_mask(L, before,
                                  all                                          ? 0
                                  : c->limit && (!window || c->limit < window) ? c->limit
                                                                               : window);
    if (c->n_masks < (int)(sizeof c->masks / sizeof *c->masks)) {
        c->masks[c->n_masks].window = window;
        c->masks[c->n_masks++].mask = mask;
    }
    return mask;
}

/* What layer holds up to the end of this step. */
static mlx_array history(const kv_cache *c, mlx_array slot)
{
    if (mx_is_null(slot))
        return slot;
    const int zero[] = {0, 0, 0, 0};
    const int stop[] = {mx_dim(slot, 0), mx_dim(slot, 1), place_of(c, c->span.rows).rows, mx_dim(slot, 3)};
    return mx_slice(slot, zero, stop, NULL);
}

static mlx_array attend(kv_step *s, int layer, mlx_array q, mlx_array k, mlx_array v, const kv_attention *how)
{
    kv_cache *c = s->holder;
    kv_layer *l = &c->layers[layer];
    if (mx_is_null(q))
        return q;
    k = mx_is_null(k) ? history(c, l->keys) : append(c, &l->keys, k);
    if (how->v_dim)
        v = mx_slice_axis(k, -1, 0, how->v_dim);
    else
        v = mx_is_null(v) ? history(c, l->values) : append(c, &l->values, v);
    nn_mask mask = mask_of(c, how->window);
    if (how->softcap != 0)
        return nn_attend_capped(q, k, v, how->scale, mask, how->softcap);
    return nn_attend(q, k, v, how->scale, mask, how->sinks);
}

static mlx_array *state(kv_step *s, int layer, int sequence, int which)
{
    kv_cache *c = s->holder;
    (void)sequence;
    c->recurrent = true;
    return &c->layers[layer].state[which];
}

kv_step kv_begin(kv_cache *c, int L, const int *wanted, int n_wanted)
{
    static const kv_store STORE = {.attend = attend, .state = state};
    c->span = (kv_span){.rows = L, .position = c->offset};
    c->n_masks = 0;
    return (kv_step){.store = &STORE,
                     .holder = c,
                     .spans = &c->span,
                     .n_spans = 1,
                     .positions.first = c->offset,
                     .wanted = wanted,
                     .n_wanted = n_wanted};
}
