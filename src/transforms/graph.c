/* Graphs of functions: recorded from what a function made of placeholders, replayed for the arguments of a
 * call.
 *
 * Recording walks from the outputs, depth first on a stack of its own, and copies each lazy node once: a node
 * knows its copy by its stamp, as in grad.c. */
#include "transforms/import.h"

#include "base/error.h"
#include "base/mem.h"

#include <string.h>

/* --- nodes --- */

/* What a node is that has been made, as its shape rule says it. */
static void describe(const node *n, prim_spec *spec)
{
    spec->dtype = (mlx_dtype)n->dtype;
    spec->ndim = n->ndim;
    if (n->ndim)
        memcpy(spec->shape, n->shape, n->ndim * sizeof *n->shape);
}

/* A copy of n with these results. */
static node *copy_as(const node *n, node *const *inputs, const prim_spec *specs)
{
    node *made = node_new(n->prim, specs[0].dtype, specs[0].shape, specs[0].ndim, inputs, n->n_inputs,
                          n->params, n->params_size);
    if (!made)
        return NULL;
    made->stream = n->stream;
    if (n->outputs && prim_add_outputs(made, specs, n->n_outputs)) {
        node_release(made);
        return NULL;
    }
    return made;
}

node *graph_copy(const node *n, node *const *inputs)
{
    prim_spec few[PRIM_FEW_OUTPUTS],
        *specs = n->n_outputs <= PRIM_FEW_OUTPUTS ? few : mem_alloc(n->n_outputs, sizeof *specs);
    if (!specs)
        return NULL;
    describe(n, specs);
    for (int i = 0; n->outputs && i < n->n_outputs; i++)
        describe(n->outputs[i], &specs[i]);
    node *made = copy_as(n, inputs, specs);
    if (specs != few)
        mem_free(specs);
    return made;
}

/* --- recording --- */

enum { NOBODY = UINT32_MAX };

typedef struct entry {
    node *from, *copy;
    uint32_t input, user; /* the input that the walk looks at; the entry it came from */
} entry;

typedef struct recorder {
    const char *op;
    entry *entries;
    size_t count, capacity;
    node **order; /* copies, inputs first */
    size_t n_order, order_capacity;
    node **inputs; /* of one node */
    size_t inputs_capacity;
} recorder;

static entry *find(const recorder *r, const node *n)
{
    bool seen = n->stamp < r->count && r->entries[n->stamp].from == n;
    return seen ? &r->entries[n->stamp] : NULL;
}

static int enter(recorder *r, node *n, uint32_t user)
{
    entry *grown = mem_grow(r->entries, &r->capacity, r->count + 1, sizeof *grown);
    if (!grown)
        return -1;
    r->entries = grown;
    n->stamp = (uint32_t)r->count;
    r->entries[r->count++] = (entry){n, NULL, 0, user};
    return 0;
}

/* What n is when rules for transforms no longer matter: a result of CustomTransforms is one of its inputs.
 * NULL for all other nodes. */
static node *wrapped_by(const node *n)
{
    const node *tuple = n->prim == PRIM_Item ? n->inputs[0] : NULL;
    if (!tuple || !graph_has(tuple) || tuple->prim != PRIM_CustomTransforms)
        return NULL;
    const prim_like *p = tuple->params;
    return tuple->inputs[p->first + ((const prim_item *)n->params)->index];
}

/* Gives an entry its copy, whose inputs have theirs. */
static int copy(recorder *r, entry *e)
{
    const node *n = e->from;
    node *wrapped = wrapped_by(n);
    if (n->prim == PRIM_Load) { /* read now, and not at every call: a constant */
        e->copy = e->from;
        return mx_eval(node_array(e->from));
    }
    if (wrapped || n->prim == PRIM_CustomTransforms) {
        e->copy = wrapped && graph_has(wrapped) ? find(r, wrapped)->copy : wrapped;
        return 0;
    }
    node **order = mem_grow(r->order, &r->order_capacity, r->n_order + 1, sizeof *order);
    if (order)
        r->order = order;
    node **inputs = mem_grow(r->inputs, &r->inputs_capacity, n->n_inputs, sizeof *inputs);
    if (inputs)
        r->inputs = inputs;
    if (!order || !inputs)
        return -1;
    for (uint32_t i = 0; i < n->n_inputs; i++)
        inputs[i] = graph_has(n->inputs[i]) ? find(r, n->inputs[i])->copy : n->inputs[i];
    e->copy = graph_copy(n, inputs);
    if (!e->copy)
        return -1;
    e->copy->stamp = (uint32_t)r->n_order;
    order[r->n_order++] = e->copy;
    return 0;
}

/* The next lazy input without an entry, or NULL. */
static node *next_input(const recorder *r, entry *e)
{
    for (; e->input < e->from->n_inputs; e->input++) {
        node *in = e->from->inputs[e->input];
        if (graph_has(in) && !find(r, in))
            return in;
    }
    return NULL;
}

static int uncaptured(const char *op)
{
    return error_set("[%s] Attempting to %s a function with uncaptured inputs is not allowed.", op, op);
}

static int record(recorder *r, node *root)
{
    if (!graph_has(root) || find(r, root))
        return 0;
    if (enter(r, root, NOBODY))
        return -1;
    for (uint32_t at = root->stamp; at != NOBODY;) {
        entry *e = &r->entries[at];
        if (!e->from->prim)
            return uncaptured(r->op);
        node *in = next_input(r, e);
        if (in) {
            if (enter(r, in, at))
                return -1;
            at = in->stamp;
            continue;
        }
        if (copy(r, e))
            return -1;
        at = e->user;
    }
    return 0;
}

static int record_all(recorder *r, graph *g, const mlx_array *placeholders, const mlx_array *outputs)
{
    for (size_t i = 0; i < g->n_inputs; i++)
        if (enter(r, node_of(placeholders[i]), NOBODY) || copy(r, &r->entries[i]))
            return -1;
    for (size_t i = 0; i < g->n_outputs; i++)
        if (record(r, node_of(outputs[i])))
            return -1;
    g->outputs = mem_alloc(g->n_outputs, sizeof *g->outputs);
    if (!g->outputs)
        return -1;
    for (size_t i = 0; i < g->n_outputs; i++) {
        node *o = node_of(outputs[i]);
        g->outputs[i] = node_retain(graph_has(o) ? find(r, o)->copy : o);
    }
    return 0;
}

int graph_record(graph *g, const char *op, const mlx_array *placeholders, const mlx_array *like, size_t n,
                 const mlx_array *outputs, size_t m)
{
    recorder r = {.op = op};
    *g = (graph){.n_inputs = n, .n_outputs = m};
    int rc = record_all(&r, g, placeholders, outputs);
    for (size_t i = 0; i < n && rc == 0; i++)
        if (graph_has(node_of(like[i])) && find(&r, node_of(like[i])))
            rc = uncaptured(op);
    g->nodes = r.order;
    g->count = r.n_order;
    mem_free(r.entries);
    mem_free(r.inputs);
    if (rc)
        graph_free(g);
    return rc;
}

int graph_placeholders(const mlx_array *like, size_t n, mlx_array *out)
{
    for (size_t i = 0; i < n; i++) {
        if (mx_is_null(like[i]))
            return error_set("[compile] input %zu is null: an operation before failed", i);
        const node *x = node_of(like[i]);
        out[i] = node_temp(node_new(PRIM_None, (mlx_dtype)x->dtype, x->shape, x->ndim, NULL, 0, NULL, 0));
        if (mx_is_null(out[i]))
            return -1;
        node_set_flags(node_of(out[i]), node_flags(node_of(out[i])) | NODE_TRACED);
    }
    return 0;
}

int graph_trace(graph *g, const char *op, mx_list_function f, void *user, const mlx_array *like, size_t n)
{
    size_t mark = mx_mark();
    mx_arrays out = {0};
    *g = (graph){0};
    mlx_array *places = mem_alloc(n, sizeof *places);
    int rc = places ? graph_placeholders(like, n, places) : -1;
    node_trace(1);
    if (rc == 0 && (f(user, places, n, &out) || error_pending()))
        rc = error_set("[%s] the function failed", op);
    node_trace(-1);
    if (rc == 0)
        rc = graph_record(g, op, places, like, n, out.items, out.count);
    mx_arrays_free(&out);
    mem_free(places);
    mx_release(mark);
    return rc;
}

void graph_free(graph *g)
{
    for (size_t i = 0; i < g->n_outputs && g->outputs; i++)
        node_release(g->outputs[i]);
    for (size_t i = g->count; i-- > 0;)
        node_release(g->nodes[i]);
    mem_free(g->outputs);
    mem_free(g->nodes);
    *g = (graph){0};
}

void graph_prune(graph *g)
{
    for (size_t i = 0; i < g->count; i++)
        g->nodes[i]->stamp = i < g->n_inputs;
    for (size_t i = 0; i < g->n_outputs; i++)
        if (graph_has(g->outputs[i]))
            g->outputs[i]->stamp = 1;
    for (size_t i = g->count; i-- > 0;)
        for (uint32_t k = 0; g->nodes[i]->stamp && k < g->nodes[i]->n_inputs; k++)
            if (graph_has(g->nodes[i]->inputs[k]))
                g->nodes[i]->inputs[k]->stamp = 1;
    size_t kept = 0;
    for (size_t i = 0; i < g->count; i++) {
        node *n = g->nodes[i];
        if (!n->stamp) {
            node_release(n);
            continue;
        }
        n->stamp = (uint32_t)kept;
        g->nodes[kept++] = n;
    }
    g->count = kept;
}

/* --- replay --- */

/* Primitives whose results' shapes are known only when they are made. */
static bool infers_shapes(const char *name)
{
    static const char *const cannot[] = {"Slice", "Pad",       "Split", "Scan",       "Scatter",
                                         "FFT",   "AsStrided", "View",  "RandomBits", "CustomTangents"};
    for (size_t i = 0; i < sizeof cannot / sizeof *cannot; i++)
        if (strcmp(name, cannot[i]) == 0)
            return false;
    return true;
}

static bool same_shape(const node *a, const node *b)
{
    return a->ndim == b->ndim && memcmp(a->shape, b->shape, a->ndim * sizeof *a->shape) == 0;
}

/* A copy of n over these inputs, whose shapes may be others. */
static node *copy_reshaped(const node *n, node *const *inputs)
{
    bool same = true;
    for (uint32_t i = 0; i < n->n_inputs && same; i++)
        same = n->inputs[i]->outputs ? false : same_shape(n->inputs[i], inputs[i]);
    if (same)
        return graph_copy(n, inputs);
    const char *name = prim_table[n->prim].name;
    prim_spec specs[PRIM_FEW_OUTPUTS]; /* no other primitive infers its results' shapes */
    if (!infers_shapes(name)) {
        error_set("[Primitive::output_shapes] %s cannot infer output shapes.", name);
        return NULL;
    }
    if (import_knows(n->prim) && !import_check(n->prim, n->params, n->params_size, inputs, n->n_inputs))
        return NULL;
    if (prim_infer(n->prim, inputs, n->n_inputs, n->params, specs) < 0)
        return NULL;
    return copy_as(n, inputs, specs);
}

static node *replay_node(const node *n, node *const *made, node **inputs, bool reshape)
{
    for (uint32_t i = 0; i < n->n_inputs; i++)
        inputs[i] = graph_has(n->inputs[i]) ? made[n->inputs[i]->stamp] : n->inputs[i];
    return reshape ? copy_reshaped(n, inputs) : graph_copy(n, inputs);
}

static int replay(const graph *g, const mlx_array *in, bool reshape, node **made, node **inputs,
                  mx_arrays *out)
{
    for (size_t i = 0; i < g->count; i++) {
        made[i] =
            i < g->n_inputs ? node_retain(node_of(in[i])) : replay_node(g->nodes[i], made, inputs, reshape);
        if (!made[i])
            return -1;
    }
    for (size_t i = 0; i < g->n_outputs; i++) {
        node *o = g->outputs[i];
        if (mx_arrays_add(out, node_temp(node_retain(graph_has(o) ? made[o->stamp] : o))))
            return -1;
    }
    return 0;
}

int graph_replay(const graph *g, const mlx_array *in, bool reshape, mx_arrays *out)
{
    size_t widest = 1, before = out->count, mark = mx_mark();
    for (size_t i = 0; i < g->count; i++)
        widest = g->nodes[i]->n_inputs > widest ? g->nodes[i]->n_inputs : widest;
    node **made = mem_calloc(g->count + widest, sizeof *made);
    int rc = made ? replay(g, in, reshape, made, made + g->count, out) : -1;
    for (size_t i = 0; made && i < g->count; i++)
        node_release(made[i]);
    mem_free(made);
    if (rc) {
        out->count = before;
        mx_release(mark);
    }
    return rc;
}
