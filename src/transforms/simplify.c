/* Equal expressions become one.
 *
 * Nodes are taken in order, so that the inputs of equal nodes have already become the same ones: two nodes
 * are equal if primitive, parameters (bytewise), results and inputs are. Scalar constants are equal if their
 * bytes are. What nobody needs any more is dropped. */
#include "transforms/graph.h"

#include "base/mem.h"

#include <string.h>

enum { FREE = UINT32_MAX };

typedef struct table {
    uint32_t *slots; /* places in `found`, or FREE */
    size_t mask;
    node **found;
    size_t count;
} table;

static uint64_t mix(uint64_t h, const void *p, size_t n)
{
    const unsigned char *bytes = p;
    for (size_t i = 0; i < n; i++)
        h = (h ^ bytes[i]) * 0x100000001b3u;
    return h;
}

static uint64_t hash(const node *n)
{
    uint64_t h = mix(0xcbf29ce484222325u, &n->dtype, sizeof n->dtype);
    if (!graph_has(n))
        return mix(h, n->data, node_itemsize(n));
    h = mix(h, &n->prim, sizeof n->prim);
    h = mix(h, n->params, n->params_size);
    h = mix(h, n->shape, n->ndim * sizeof *n->shape);
    return mix(h, n->inputs, n->n_inputs * sizeof *n->inputs);
}

static bool same_results(const node *a, const node *b)
{
    return a->dtype == b->dtype && a->ndim == b->ndim &&
           memcmp(a->shape, b->shape, a->ndim * sizeof *a->shape) == 0;
}

static bool equal(const node *a, const node *b)
{
    if (graph_has(a) != graph_has(b) || !same_results(a, b))
        return false;
    if (!graph_has(a))
        return memcmp(a->data, b->data, node_itemsize(a)) == 0;
    if (a->prim != b->prim || a->n_inputs != b->n_inputs || a->params_size != b->params_size ||
        a->n_outputs != b->n_outputs || a->stream != b->stream)
        return false;
    if (memcmp(a->inputs, b->inputs, a->n_inputs * sizeof *a->inputs) != 0 ||
        memcmp(a->params, b->params, a->params_size) != 0)
        return false;
    for (int i = 0; a->outputs && i < a->n_outputs; i++)
        if (!same_results(a->outputs[i], b->outputs[i]))
            return false;
    return true;
}

/* The first node that equals n, which may be n itself. */
static node *canonical(table *t, node *n)
{
    for (size_t i = (size_t)hash(n) & t->mask;; i = (i + 1) & t->mask) {
        if (t->slots[i] == FREE) {
            t->slots[i] = (uint32_t)t->count;
            t->found[t->count++] = n;
            return n;
        }
        if (equal(t->found[t->slots[i]], n))
            return t->found[t->slots[i]];
    }
}

static bool is_scalar_constant(const node *n) { return node_status(n) == NODE_READY && n->ndim == 0; }

/* `same[i]` is what node i has become. */
static void replace(node **slot, node *const *same, table *t)
{
    node *old = *slot, *now = graph_has(old)            ? same[old->stamp]
                              : is_scalar_constant(old) ? canonical(t, old)
                                                        : old;
    if (now != old) {
        *slot = node_retain(now);
        node_release(old);
    }
}

static void merge(graph *g, node **same, table *t)
{
    for (size_t i = 0; i < g->count; i++) {
        node *n = g->nodes[i];
        for (uint32_t k = 0; k < n->n_inputs; k++)
            replace(&n->inputs[k], same, t);
        same[i] = i < g->n_inputs ? n : canonical(t, n);
    }
    for (size_t i = 0; i < g->n_outputs; i++)
        replace(&g->outputs[i], same, t);
}

int graph_simplify(graph *g)
{
    size_t most = g->count + g->n_outputs, size = 16;
    for (size_t i = 0; i < g->count; i++)
        most += g->nodes[i]->n_inputs;
    while (size < 2 * most)
        size *= 2;
    table t = {mem_alloc(size, sizeof *t.slots), size - 1, mem_alloc(most, sizeof *t.found), 0};
    node **same = mem_alloc(g->count, sizeof *same);
    int rc = t.slots && t.found && same ? 0 : -1;
    if (rc == 0) {
        memset(t.slots, 0xff, size * sizeof *t.slots);
        merge(g, same, &t);
        graph_prune(g);
    }
    mem_free(t.slots);
    mem_free(t.found);
    mem_free(same);
    return rc;
}
