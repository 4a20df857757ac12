/* The graph core: buffers and nodes. Only prim, ops, transforms, the back ends and io look inside.
 *
 *   mlx_array.ctx -> node -> inputs -> ... (until evaluated)
 *                      '--> buffer (once evaluated) -> bytes: heap memory or a part of a mapped file
 *
 * A node is one block from a slab: the struct below, then its strides, input pointers, shape and parameters.
 * It is born with everything that is known before evaluation; evaluation gives it a buffer, a data pointer
 * and strides, and drops its inputs. Several nodes may look into one buffer (views).
 *
 * A primitive with several results is one node with n_outputs > 1 that owns plain nodes in `outputs`; what
 * the user holds are Item nodes, each a view of one of them.
 *
 * Reference counts are atomic, so that an evaluated array may be handed to another thread; everything else of
 * an unevaluated node belongs to the thread that made it, or to the stream that it was scheduled on. */
#ifndef MICA_ARRAY_NODE_H
#define MICA_ARRAY_NODE_H

#include "mx/array.h"

#include <stdatomic.h>

typedef struct buffer {
    _Atomic int refs;
    size_t size;
    char *data;
    /* Frees memory that is not from the buffer cache (a mapped file), or NULL. */
    void (*release)(void *owner);
    void *owner;
} buffer;

/* Uninitialised memory, 64-byte aligned; freed blocks are kept and used again. NULL with an error when there
 * is none. */
buffer *buffer_new(size_t size);
/* Wraps memory that someone else owns; release(owner) is called once, when the last node is gone (also when
 * this function fails). */
buffer *buffer_wrap(const void *data, size_t size, void (*release)(void *owner), void *owner);
buffer *buffer_retain(buffer *b);
void buffer_release(buffer *b);
/* Returns cached blocks to the system. */
void buffer_trim_cache(void);

/* A node that is scheduled (mx/stream.h) belongs to its stream until it is ready, or has failed: then buf
 * holds the text of the error. The others may read what it was born with, and retain and release it. */
enum node_status { NODE_LAZY, NODE_READY, NODE_SCHEDULED, NODE_FAILED };
enum node_flags {
    NODE_ROW_CONTIGUOUS = 1, /* strides are the row-major ones: elements lie densely in order */
    NODE_TRACED = 2,         /* may depend on what a transform differentiates by: made from a traced node */
};

typedef struct node node;
struct node {
    _Atomic int refs;
    uint16_t prim; /* row of prim.def; 0 = none, a constant */
    uint8_t dtype, ndim;
    _Atomic uint8_t status, flags;
    uint8_t size_class;
    uint8_t stream; /* see array/stream.h */
    uint32_t n_inputs;
    uint16_t n_outputs;   /* 1, or more for a primitive with several results */
    uint16_t params_size; /* bytes at params */
    uint32_t stamp;       /* its place in the tape of the transform that saw it last */
    size_t size;          /* number of elements */
    buffer *buf;          /* NULL until evaluated */
    char *data;           /* first element */
    int64_t *strides;     /* in elements; row-major until evaluated */
    node **inputs;        /* n_inputs references; dropped by evaluation */
    node **outputs;       /* n_outputs references when n_outputs > 1, else NULL */
    int *shape;
    void *params; /* the primitive's parameters, compared bytewise: no padding left unset */
};

static inline unsigned node_flags(const node *n)
{
    return atomic_load_explicit(&n->flags, memory_order_relaxed);
}
static inline void node_set_flags(node *n, unsigned flags)
{
    atomic_store_explicit(&n->flags, (uint8_t)flags, memory_order_relaxed);
}
/* A node that is ready shows everything that was written before it was. */
static inline int node_status(const node *n)
{
    return atomic_load_explicit(&n->status, memory_order_acquire);
}
static inline void node_set_status(node *n, enum node_status status)
{
    atomic_store_explicit(&n->status, (uint8_t)status, memory_order_release);
}
static inline node *node_of(mlx_array x) { return x.ctx; }
static inline mlx_array node_array(node *n) { return (mlx_array){n}; }
static inline size_t node_itemsize(const node *n) { return mx_dtype_size((mlx_dtype)n->dtype); }
static inline size_t node_bytes(const node *n) { return n->size * node_itemsize(n); }

/* A new lazy node with one reference; retains the inputs, copies params. NULL with an error when memory is
 * out or the shape has more than 2^63 elements. */
node *node_new(int prim, mlx_dtype dtype, const int *shape, int ndim, node *const *inputs, size_t n_inputs,
               const void *params, size_t params_size);
/* A ready node over a buffer, row-major from data on; takes over the reference to b, also on failure. */
node *node_from_buffer(buffer *b, const char *data, const int *shape, int ndim, mlx_dtype dtype);
node *node_retain(node *n);
/* Drops a reference; frees what is left without one, without recursion however deep the graph. */
void node_release(node *n);
/* Lets n's inputs go. */
void node_detach(node *n);
/* Puts a node (whose reference passes over) on this thread's pool of temporaries. NULL gives the null array.
 */
mlx_array node_temp(node *n);

/* --- transforms: while one runs on this thread, evaluation keeps the graph of traced nodes --- */

/* A transform begins (+1) or ends (-1) on this thread; they nest. Returns how many run now. */
int node_trace(int change);
/* Recording for other shapes than the ones at hand (a shapeless compile) begins (+1) or ends (-1) on this
 * thread: ops then record what they mean, not the sizes that they see. Returns how many run now. */
int node_dynamic(int change);
/* Must n keep its inputs, and leave them as they are, when it is evaluated now? */
bool node_is_kept(const node *n);

/* --- used by back ends while they evaluate a node --- */

/* Gives n a fresh row-major buffer. */
int node_allocate(node *n);
/* Gives n the buffer of a dead input with as many elements of the same size if there is one, else a fresh
 * one. An input is dead if this node holds its only reference and it alone uses its buffer, row-major. */
int node_allocate_from(node *n, const uint8_t *candidates, size_t n_candidates);
/* May n's evaluation overwrite its input i? */
bool node_can_donate(const node *n, size_t i);
/* n becomes a view of the input: the same buffer from `data` on, with these strides (n->ndim of them). */
void node_view(node *n, const node *input, char *data, const int64_t *strides);
/* Sets the NODE_ROW_CONTIGUOUS flag from shape and strides. */
void node_update_flags(node *n);

size_t node_live(void);
void node_shutdown(void);

#endif
