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
    if (n < c->offset)
        c->offset = n;
}

int kv_eval(const kv_cache *c)
{
    for (int i = 0; i < c->n_layers; i++) {
        const mlx_array both[] = {c->layers[i].keys, c->layers[i].values};
        if (!mx_is_null(both[0]) && mx_eval_all(both, 2))
            return -1;
    }
    return 0;
}

size_t kv_bytes(const kv_cache *c)
{
    size_t bytes = 0;
    for (int i = 0; i < c->n_layers; i++)
        if (!mx_is_null(c->layers[i].keys))
            bytes += (mx_size(c->layers[i].keys) + mx_size(c->layers[i].values)) * mx_dtype_size(c->dtype);
    return bytes;
}
