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
    c->offset = 0;
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
    int wanted = need > c->reserve ? need : c->reserve, capacity = (wanted + STEP - 1) / STEP * STEP;
    int B = mx_dim(x, 0), H = mx_dim(x, 1), D = mx_dim(x, 3);
    mlx_array fresh = mx_zeros(SHAPE(B, H, capacity, D), c->dtype);
    if (mx_is_null(old) || used == 0)
        return fresh;
    const int start[] = {0, 0, 0, 0}, stop[] = {B, H, used, D};
    return mx_slice_update(fresh, mx_slice(old, start, stop, NULL), start, stop, NULL);
}

static mlx_array append(const kv_cache *c, mlx_array *slot, mlx_array x)
{
    if (mx_is_null(x) || mx_ndim(x) != 4)
        return MX_NULL;
    int used = c->offset, need = used + mx_dim(x, 2);
    mlx_array whole = *slot;
    if (mx_is_null(whole) || mx_dim(whole, 2) < need)
        whole = grown(c, whole, x, used, need);
    const int start[] = {0, 0, used, 0}, zero[] = {0, 0, 0, 0};
    const int stop[] = {mx_dim(x, 0), mx_dim(x, 1), need, mx_dim(x, 3)};
    whole = mx_slice_update(whole, mx_astype(x, c->dtype), start, stop, NULL);
    mx_set(slot, whole);
    return mx_slice(whole, zero, stop, NULL);
}

void kv_append(kv_cache *c, int layer, mlx_array *k, mlx_array *v)
{
    *k = append(c, &c->layers[layer].keys, *k);
    *v = append(c, &c->layers[layer].values, *v);
}

void kv_advance(kv_cache *c, int L) { c->offset += L; }

void kv_trim(kv_cache *c, int n)
{
    if (n >= c->offset)
        return;
    if (c->recurrent)
        kv_reset(c);
    else
        c->offset = n;
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
    nn_mask mask = nn_causal_mask(c->span.rows, c->span.position, window);
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
    const int stop[] = {mx_dim(slot, 0), mx_dim(slot, 1), c->span.position + c->span.rows, mx_dim(slot, 3)};
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
