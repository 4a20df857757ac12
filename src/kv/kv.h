/* The keys and values of one sequence, layer by layer, in contiguous buffers that grow.
 *
 *     kv_step step = kv_begin(cache, L, wanted, n_wanted);
 *     logits = forward(model, tokens, &step);              see step.h
 *     kv_advance(cache, L);
 *
 * Building a step changes the cache's slots at once, but the numbers appear when the step is evaluated. If
 * that fails the buffers are lost: kv_reset. A cache belongs to one thread at a time. */
#ifndef MICA_KV_KV_H
#define MICA_KV_KV_H

#include "kv/step.h"

typedef struct kv_layer {
    mlx_array keys, values;     /* slots: (B, H, capacity, D); values null if they are part of the keys */
    mlx_array state[KV_STATES]; /* slots of a recurrent layer */
} kv_layer;

typedef struct kv_cache {
    kv_layer *layers;
    int n_layers;
    int offset; /* positions that every layer has seen, */
    int stored; /* of which it holds so many rows: all, if there is no limit */
    int limit;  /* 0: none; else the oldest rows go, but for the first `keep`, when there are more */
    int keep;
    int ring; /* with as many rows as the limit, which the next one is written over; 0: they are in order */
    int reserve; /* capacity to grow to at least */
    mlx_dtype dtype;
    bool recurrent; /* some layer has a state, which cannot go back */
    kv_span span;   /* of the step that is built */
    struct {
        int window;
        nn_mask mask;
    } masks[2]; /* of that step, by window: temporaries */
    int n_masks;
} kv_cache;

/* An empty cache. 0 or -1. */
int kv_init(kv_cache *c, int n_layers, mlx_dtype dtype);
void kv_free(kv_cache *c);
/* Position of the next token. */
static inline int kv_offset(const kv_cache *c) { return c->offset; }
/* From now on, in an empty cache, a step leaves at most `limit` rows, beyond keep + 1, in each layer: a
 * rotating cache as mlx-lm's. A step of one row sees all that are held; one of several rows sees of each the
 * last `limit`. */
void kv_limit(kv_cache *c, int limit, int keep);
/* Says how many positions will be needed soon, so that growing copies less often. */
void kv_reserve(kv_cache *c, int positions);
/* A step of L rows behind the offset; forward may then be called once. wanted: the rows whose logits are to
 * come, which must live as long as the step; NULL: all. */
kv_step kv_begin(kv_cache *c, int L, const int *wanted, int n_wanted);
/* Appends L rows of keys and values (B, H, L, D) behind the offset and makes *k and *v all rows up to there,
 * in the cache's dtype; null arrays stay null. */
void kv_append(kv_cache *c, int layer, mlx_array *k, mlx_array *v);
/* The offset moves on by L. */
void kv_advance(kv_cache *c, int L);
/* Forgets positions from n on; the memory stays. A recurrent cache, or one that has let rows go, forgets
 * everything if it forgets something: the offset says from where on to feed again. */
void kv_trim(kv_cache *c, int n);
/* Forgets everything and frees the buffers. */
void kv_reset(kv_cache *c);
/* Computes what the last step wrote, and nothing else of it. 0 or -1. */
int kv_eval(const kv_cache *c);
/* Bytes of the buffers. */
size_t kv_bytes(const kv_cache *c);

#endif
