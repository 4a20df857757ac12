/* One step of a model: what its forward function sees of the caches.
 *
 *     q = nn_rotate(&rope, q, kv_positions(step));
 *     y = kv_attend(step, layer, q, k, v, &how);       in every layer: keeps k and v, attends to all so far
 *     h = kv_select(step, h);                          before the output matrix
 *
 * The rows of a step are tokens of one sequence (the contiguous cache, kv.h), or of many, one after another.
 * A family file does not know which: what is row by row (norms, matrices) runs over all rows at once, what
 * crosses rows goes through this interface. Building a step changes the caches' slots at once; the numbers
 * appear when it is evaluated. A step belongs to one thread and lives as long as the call of forward. */
#ifndef MICA_KV_STEP_H
#define MICA_KV_STEP_H

#include "mx.h"
#include "nn/attention.h"
#include "nn/rope.h"

/* What one layer keeps. The engine asks for it (arch.h) before anything runs. */
typedef struct kv_spec {
    int heads, k_dim, v_dim; /* numbers of a position: heads * (k_dim + v_dim); heads 0: keeps no positions */
    int window;              /* sees the last `window` positions only; 0: all */
    size_t state_bytes;      /* of arrays that do not grow with the text (recurrent layers), a sequence */
} kv_spec;

/* How a layer attends. */
typedef struct kv_attention {
    float scale;
    int window;      /* a position sees itself and the window - 1 before it; 0: all before it */
    float softcap;   /* scores become softcap * tanh(score / softcap); 0: none */
    mlx_array sinks; /* (H) a logit of each head that takes part in the softmax only, or null */
    int v_dim;       /* with v null: the first v_dim numbers of a key are its value */
} kv_attention;

/* The rows of a step that belong to one sequence. */
typedef struct kv_span {
    int row, rows; /* first row, how many */
    int position;  /* of the first row in its sequence */
} kv_span;

enum { KV_STATES = 4 };

typedef struct kv_step kv_step;

/* What keeps keys, values and states. */
typedef struct kv_store {
    mlx_array (*attend)(kv_step *s, int layer, mlx_array q, mlx_array k, mlx_array v,
                        const kv_attention *how);
    mlx_array *(*state)(kv_step *s, int layer, int sequence, int which);
} kv_store;

struct kv_step {
    const kv_store *store;
    void *holder;         /* the store's own: kv_cache ... */
    const kv_span *spans; /* n_spans of them, in order of rows, which they cover */
    int n_spans;
    nn_positions positions;
    /* The rows whose logits are wanted: n_wanted of them, ascending, in `wanted`; NULL: all rows. */
    const int *wanted;
    int n_wanted;
};

/* For rope: the position of each row. */
static inline nn_positions kv_positions(const kv_step *s) { return s->positions; }

/* q (B, H, L, K), k (B, Hkv, L, K), v (B, Hkv, L, V) -> (B, H, L, V); B is 1 for many sequences. k and v go
 * behind what the layer holds of each sequence, and each row attends to its own sequence up to itself. With k
 * and v null the layer only lends what an earlier layer of this step put there (families whose layers share
 * a cache); with v null, see kv_attention.v_dim. Null arrays stay null. */
static inline mlx_array kv_attend(kv_step *s, int layer, mlx_array q, mlx_array k, mlx_array v,
                                  const kv_attention *how)
{
    return s->store->attend(s, layer, q, k, v, how);
}

/* A slot of a recurrent layer, which < KV_STATES: what the layer left there at the end of the sequence's last
 * step, null at first. The rows of spans[sequence] go through it alone; the layer sets the new state. */
static inline mlx_array *kv_state(kv_step *s, int layer, int sequence, int which)
{
    return s->store->state(s, layer, sequence, which);
}

/* The wanted rows of h (B, L, ..): (B, n, ..). */
mlx_array kv_select(const kv_step *s, mlx_array h);

#endif
