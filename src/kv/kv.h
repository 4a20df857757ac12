/* The keys and values of one sequence, layer by layer, in contiguous buffers that grow.
 *
 *     kv_append(cache, layer, &k, &v);     in every layer: k, v become the whole history
 *     kv_advance(cache, L);                once, after the last layer
 *
 * Building a step changes the cache's slots at once, but the numbers appear when the step is evaluated. If
 * that fails the buffers are lost: kv_reset. A cache belongs to one thread at a time. */
#ifndef MICA_KV_KV_H
#define MICA_KV_KV_H

#include "mx.h"

typedef struct kv_layer {
    mlx_array keys, values; /* slots: (B, H, capacity, D) */
} kv_layer;

typedef struct kv_cache {
    kv_layer *layers;
    int n_layers;
    int offset;  /* positions that are filled in every layer */
    int reserve; /* capacity to grow to at least */
    mlx_dtype dtype;
} kv_cache;

/* An empty cache. 0 or -1. */
int kv_init(kv_cache *c, int n_layers, mlx_dtype dtype);
void kv_free(kv_cache *c);
/* Position of the next token. */
static inline int kv_offset(const kv_cache *c) { return c->offset; }
/* Says how many positions will be needed soon, so that growing copies less often. */
void kv_reserve(kv_cache *c, int positions);
/* Appends L rows of keys and values (B, H, L, D) behind the offset and makes *k and *v all rows up to there,
 * in the cache's dtype; null arrays stay null. */
void kv_append(kv_cache *c, int layer, mlx_array *k, mlx_array *v);
/* The offset moves on by L. */
void kv_advance(kv_cache *c, int L);
/* Forgets positions from n on; the memory stays. */
void kv_trim(kv_cache *c, int n);
/* Forgets everything and frees the buffers. */
void kv_reset(kv_cache *c);
/* Computes what the last step wrote, and nothing else of it. 0 or -1. */
int kv_eval(const kv_cache *c);
/* Bytes of the buffers. */
size_t kv_bytes(const kv_cache *c);

#endif
