/* Reverse mode: mx_vjp and mx_value_and_grad.
 *
 * The primals are wrapped in Copy nodes that are marked as traced; what is made of traced nodes is traced
 * (node_new does that), and evaluation keeps the graph of such nodes while a transform runs. After the
 * function has run, a walk over the traced nodes from its outputs writes the tape: the nodes that depend on a
 * primal, inputs before users. The tape is then gone through backwards: each primitive's gradient function
 * says what flows on to its inputs, and what reaches an input from several users is added up in that order.
 *
 * A node knows its entry by its stamp: entries[stamp] is it, or it has none. So nothing is looked up in a
 * table, no mark has to be undone, and transforms nest. Neither walk recurses. */
#include "prim/grad.h"
#include "base/error.h"
#include "base/mem.h"

#include <string.h>

enum { NO_ENTRY = UINT32_MAX };

typedef struct entry {
    node *n;
    size_t cotangents; /* place of its results' first in the tape's list */
    uint32_t input;    /* the input that the walk looks at */
    uint32_t user;     /* the entry that the walk came from */
    uint32_t before;   /* the entry before it in the tape's order */
    bool depends;      /* on a primal */
} entry;

typedef struct tape {
    entry *entries;
    mlx_array *cotangents;
    size_t n_entries, n_cotangents, cap_entries, cap_cotangents;
    uint32_t last;     /* of the entries that depend on a primal, inputs before users */
    size_t widest;     /* most inputs of a node */
    mlx_array *arrays; /* the inputs and then the gradients of one node */
    bool *wanted;
} tape;

/* What a transform is called with. */
typedef struct call {
    const char *name;
    mx_function f;
    void *user;
    const mlx_array *in;
    size_t n;
    mlx_array *out;
    size_t m;
    mlx_array *grads;
} call;

static void tape_free(tape *t)
{
    mem_free(t->entries);
    mem_free(t->cotangents);
    mem_free(t->arrays);
    mem_free(t->wanted);
}

static size_t results_of(const node *n) { return n->outputs ? n->n_outputs : 1; }

/* The node's entry, or NULL. */
static entry *find(const tape *t, const node *n)
{
    bool seen = (n->flags & NODE_TRACED) && n->stamp < t->n_entries && t->entries[n->stamp].n == n;
    return seen ? &t->entries[n->stamp] : NULL;
}

/* Gives a node an entry, the last one. */
static int enter(tape *t, node *n, uint32_t user, bool depends)
{
    entry *entries = mem_grow(t->entries, &t->cap_entries, t->n_entries + 1, sizeof *entries);
    if (!entries)
        return -1;
    t->entries = entries;
    mlx_array *list =
        mem_grow(t->cotangents, &t->cap_cotangents, t->n_cotangents + results_of(n), sizeof *list);
    if (!list)
        return -1;
    t->cotangents = list;
    if (t->n_entries == NO_ENTRY)
        return error_set("[vjp] the graph has too many nodes");
    n->stamp = (uint32_t)t->n_entries;
    t->entries[t->n_entries++] = (entry){n, t->n_cotangents, 0, user, NO_ENTRY, depends};
    for (size_t i = 0; i < results_of(n); i++)
        t->cotangents[t->n_cotangents++] = MX_NULL;
    t->widest = n->n_inputs > t->widest ? n->n_inputs : t->widest;
    return 0;
}

/* Moves on to the next input without an entry, which is returned, or NULL when all are done. */
static node *next_input(const tape *t, entry *e)
{
    bool stops = prim_table[e->n->prim].vjp == grad_zero;
    for (; !stops && e->input < e->n->n_inputs; e->input++) {
        node *in = e->n->inputs[e->input];
        const entry *known = find(t, in);
        if (!known && (in->flags & NODE_TRACED))
            return in;
        e->depends |= known && known->depends;
    }
    return NULL;
}

/* Writes what `root` is made of to the tape: depth first, the way back is in the entries. */
static int record(tape *t, node *root)
{
    if (!(root->flags & NODE_TRACED) || find(t, root))
        return 0;
    if (enter(t, root, NO_ENTRY, false))
        return -1;
    for (uint32_t at = root->stamp; at != NO_ENTRY;) {
        entry *e = &t->entries[at];
        node *in = next_input(t, e);
        if (in) {
            if (enter(t, in, at, false))
                return -1;
            at = in->stamp;
            continue;
        }
        if (e->depends) {
            e->before = t->last;
            t->last = at;
        }
        at = e->user;
    }
    return 0;
}

/* Which result of its input a node reads. */
static size_t result_read(const node *n)
{
    return n->prim == PRIM_Item ? (size_t)((const prim_item *)n->params)->index : 0;
}

/* Adds g to what has reached a result of an entry's node. */
static void deposit(tape *t, const entry *to, size_t result, mlx_array g)
{
    const node *x = to->n->outputs ? to->n->outputs[result] : to->n;
    mlx_array *slot = &t->cotangents[to->cotangents + result];
    g = grad_fit(g, x);
    *slot = mx_is_null(*slot) ? g : mx_add(*slot, g);
}

/* The results of a node as arrays: itself, or views of each. */
static void result_arrays(node *n, mlx_array *out)
{
    mlx_array self = node_array(n);
    if (!n->outputs)
        out[0] = self;
    for (int i = 0; n->outputs && i < n->n_outputs; i++) {
        prim_item item = {i};
        out[i] = prim_make(PRIM_Item, &self, 1, &item, sizeof item);
    }
}

/* Passes on what has reached one node. */
static int step(tape *t, const entry *e)
{
    node *n = e->n;
    size_t inputs = n->n_inputs, reached = 0;
    mlx_array out[PRIM_MAX_OUTPUTS];
    for (size_t i = 0; i < results_of(n); i++)
        reached += !mx_is_null(t->cotangents[e->cotangents + i]);
    if (reached == 0)
        return 0;
    if (n->dtype == MLX_COMPLEX64)
        return error_set("[vjp] %s of complex64 has no derivative yet", prim_table[n->prim].name);
    for (size_t i = 0; i < inputs; i++) {
        const entry *in = find(t, n->inputs[i]);
        t->arrays[i] = node_array(n->inputs[i]);
        t->arrays[inputs + i] = MX_NULL;
        t->wanted[i] = in && in->depends;
    }
    result_arrays(n, out);
    grad_args args = {n, t->arrays, out, t->cotangents + e->cotangents, t->wanted};
    prim_table[n->prim].vjp(&args, t->arrays + inputs);
    for (size_t i = 0; i < inputs && !error_pending(); i++)
        if (t->wanted[i] && !mx_is_null(t->arrays[inputs + i]))
            deposit(t, find(t, n->inputs[i]), result_read(n), t->arrays[inputs + i]);
    return error_pending() ? -1 : 0;
}

/* Goes through the tape backwards. */
static int go_back(tape *t)
{
    t->arrays = mem_alloc(2 * t->widest, sizeof *t->arrays);
    t->wanted = mem_alloc(t->widest, sizeof *t->wanted);
    if (!t->arrays || !t->wanted)
        return -1;
    for (uint32_t at = t->last; at != NO_ENTRY; at = t->entries[at].before)
        if (step(t, &t->entries[at]))
            return -1;
    return 0;
}

/* Wraps the primals in traced copies of their own. */
static int trace_primals(tape *t, const call *c, mlx_array *primals)
{
    for (size_t i = 0; i < c->n; i++) {
        primals[i] = mx_copy(c->in[i]);
        if (mx_is_null(primals[i]))
            return -1;
        node_of(primals[i])->flags |= NODE_TRACED;
        if (enter(t, node_of(primals[i]), NO_ENTRY, true))
            return -1;
    }
    return 0;
}

static int run_function(const call *c, const mlx_array *primals)
{
    if (c->f(c->user, primals, c->out) || error_pending())
        return error_set("[%s] the function failed", c->name);
    for (size_t i = 0; i < c->m; i++)
        if (mx_is_null(c->out[i]))
            return error_set("[%s] the function left output %zu empty", c->name, i);
    return 0;
}

/* The cotangents of a gradient: 1 for the first output; the others become constants. */
static int seed_scalar(const call *c, mlx_array *seeds)
{
    mlx_array first = c->out[0];
    if (mx_ndim(first) != 0)
        return error_set("[grad] the function must return a scalar, not an array of shape %s",
                         shape_text(mx_shape(first), mx_ndim(first)));
    seeds[0] = grad_number(1, first);
    for (size_t i = 1; i < c->m; i++) {
        seeds[i] = MX_NULL;
        c->out[i] = mx_stop_gradient(c->out[i]);
    }
    return error_pending() ? -1 : 0;
}

/* Puts the cotangents where the outputs are on the tape. */
static int seed(tape *t, const call *c, const mlx_array *seeds)
{
    for (size_t i = 0; i < c->m; i++) {
        const node *out = node_of(c->out[i]);
        entry *e = find(t, out);
        if (mx_is_null(seeds[i]))
            continue;
        if (mx_ndim(seeds[i]) != out->ndim ||
            (out->ndim && memcmp(mx_shape(seeds[i]), out->shape, out->ndim * sizeof *out->shape) != 0))
            return error_set("[%s] cotangent %zu has shape %s, but its output has shape %s", c->name, i,
                             shape_text(mx_shape(seeds[i]), mx_ndim(seeds[i])),
                             shape_text(out->shape, out->ndim));
        if (e && e->depends)
            deposit(t, e, 0, seeds[i]);
    }
    return error_pending() ? -1 : 0;
}

static int differentiate(tape *t, const call *c, const mlx_array *cotangents, mlx_array *primals,
                         mlx_array *seeds)
{
    if (trace_primals(t, c, primals) || run_function(c, primals))
        return -1;
    if (!cotangents && seed_scalar(c, seeds))
        return -1;
    for (size_t i = 0; i < c->n; i++) /* a transform inside the function has stamped them anew */
        t->entries[i].n->stamp = (uint32_t)i;
    for (size_t i = 0; i < c->m; i++)
        if (record(t, node_of(c->out[i])))
            return -1;
    if (seed(t, c, cotangents ? cotangents : seeds))
        return -1;
    if (go_back(t))
        return -1;
    for (size_t i = 0; i < c->n; i++) {
        mlx_array g = t->cotangents[t->entries[i].cotangents];
        c->grads[i] = mx_is_null(g) ? grad_zeros(primals[i]) : g;
    }
    return error_pending() ? -1 : 0;
}

/* Drops all temporaries since the mark but these results. Those that were computed while their graph was kept
 * let it go, once nobody traces. */
static int keep_results(const call *c, size_t mark, int tracing)
{
    int rc = 0;
    mlx_array *lists[2] = {c->out, c->grads};
    size_t counts[2] = {c->m, c->n};
    for (int l = 0; l < 2; l++)
        for (size_t i = 0; i < counts[l]; i++)
            node_retain(node_of(lists[l][i]));
    mx_release(mark);
    for (int l = 0; l < 2; l++)
        for (size_t i = 0; i < counts[l]; i++) {
            node *n = node_of(lists[l][i]);
            if (n->status == NODE_READY && n->n_inputs && tracing == 0)
                node_detach(n);
            lists[l][i] = node_temp(n);
            rc |= mx_is_null(lists[l][i]) ? -1 : 0;
        }
    return rc;
}

static int transform(const call *c, const mlx_array *cotangents)
{
    tape t = {.last = NO_ENTRY};
    size_t mark = mx_mark();
    memset(c->out, 0, c->m * sizeof *c->out);
    memset(c->grads, 0, c->n * sizeof *c->grads);
    mlx_array *scratch = mem_calloc(c->n + c->m, sizeof *scratch);
    if (!scratch || error_pending()) {
        mem_free(scratch);
        return -1;
    }
    node_trace(1);
    int rc = differentiate(&t, c, cotangents, scratch, scratch + c->n);
    int tracing = node_trace(-1);
    tape_free(&t);
    mem_free(scratch);
    if (rc == 0)
        rc = keep_results(c, mark, tracing);
    if (rc) {
        mx_release(mark);
        memset(c->out, 0, c->m * sizeof *c->out);
        memset(c->grads, 0, c->n * sizeof *c->grads);
    }
    return rc;
}

int mx_vjp(mx_function f, void *user, const mlx_array *primals, size_t n, const mlx_array *cotangents,
           size_t m, mlx_array *outputs, mlx_array *vjps)
{
    call c = {"vjp", f, user, primals, n, outputs, m, vjps};
    if (m == 0)
        return error_set("[vjp] a function without outputs has no gradient");
    return transform(&c, cotangents);
}

int mx_value_and_grad(mx_function f, void *user, const mlx_array *in, size_t n, mlx_array *values, size_t m,
                      mlx_array *grads)
{
    call c = {"grad", f, user, in, n, values, m, grads};
    if (m == 0)
        return error_set("[grad] the function must return a scalar, not nothing");
    return transform(&c, NULL);
}
