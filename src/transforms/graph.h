/* A function's graph, apart from any call: what compile keeps and export writes.
 *
 * The nodes are private copies that are never computed: they hold primitive, parameters, shape, dtype and
 * stream, and in their inputs other nodes of the graph or constants, which are nodes that were computed
 * already. A node of the graph is lazy and its stamp is its place; a constant is not lazy. */
#ifndef MICA_TRANSFORMS_GRAPH_H
#define MICA_TRANSFORMS_GRAPH_H

#include "mx/compile.h"
#include "prim/prim.h"

typedef struct graph {
    node **nodes; /* inputs before users; the first n_inputs stand for the arguments */
    size_t count, n_inputs;
    node **outputs; /* of the graph, or constants */
    size_t n_outputs;
} graph;

/* Placeholders for n arguments of these shapes and dtypes, as temporaries. 0 or -1. */
int graph_placeholders(const mlx_array *like, size_t n, mlx_array *out);
/* Copies what leads from the placeholders to the outputs into g. 0, or -1 with an error ("[op] ...", when
 * there is another function's placeholder in it, or one of `like`, the arguments that the placeholders stand
 * for, as it is and not computed yet) and g empty. */
int graph_record(graph *g, const char *op, const mlx_array *placeholders, const mlx_array *like, size_t n,
                 const mlx_array *outputs, size_t m);
/* Runs f on placeholders like these and records what it made. */
int graph_trace(graph *g, const char *op, mx_list_function f, void *user, const mlx_array *like, size_t n);
/* Adds to `out` new nodes that compute the graph for these arguments. `reshape`: their shapes may be others
 * than the placeholders', each node's follows from its inputs'. 0, or -1 with an error. */
int graph_replay(const graph *g, const mlx_array *in, bool reshape, mx_arrays *out);
void graph_free(graph *g);

static inline bool graph_has(const node *n) { return node_status(n) == NODE_LAZY; }
/* A copy of n for a graph with other inputs (n->n_inputs of them); a new reference. */
node *graph_copy(const node *n, node *const *inputs);
/* Drops the nodes that no output needs and numbers the rest. */
void graph_prune(graph *g);

/* Equal nodes become one, and equal scalar constants (simplify.c). 0 or -1; g stays valid. */
int graph_simplify(graph *g);
/* Groups of elementwise nodes become Compiled nodes (fuse.c). 0 or -1; g stays valid. */
int graph_fuse(graph *g);

#endif
