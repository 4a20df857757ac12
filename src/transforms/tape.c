/* The tape: recorded forwards, gone through backwards. See tape.h. */
#include "transforms/tape.h"

#include "base/error.h"
#include "base/mem.h"

void tape_free(tape *t)
{
    mem_free(t->entries);
    mem_free(t->cotangents);
    mem_free(t->arrays);
    mem_free(t->wanted);
}

static size_t results_of(const node *n) { return n->outputs ? n->n_outputs : 1; }

/* The node's entry, or NULL. */
static tape_entry *find(const tape *t, const node *n)
{
    bool seen = (n->flags & NODE_TRACED) && n->stamp < t->n_entries && t->entries[n->stamp].n == n;
    return seen ? &t->entries[n->stamp] : NULL;
}

/* Gives a node an entry, the last one. */
static int enter(tape *t, node *n, uint32_t user, bool depends)
{
    tape_entry *entries = mem_grow(t->entries, &t->cap_entries, t->n_entries + 1, sizeof *entries);
    if (!entries)
        return -1;
    t->entries = entries;
    mlx_array *list =
        mem_grow(t->cotangents, &t->cap_cotangents, t->n_cotangents + results_of(n), sizeof *list);
    if (!list)
        return -1;
    t->cotangents = list;
    if (t->n_entries == TAPE_END)
        return error_set("[vjp] the graph has too many nodes");
    n->stamp = (uint32_t)t->n_entries;
    t->entries[t->n_entries++] = (tape_entry){n, t->n_cotangents, 0, user, TAPE_END, depends};
    for (size_t i = 0; i < results_of(n); i++)
        t->cotangents[t->n_cotangents++] = MX_NULL;
    t->widest = n->n_inputs > t->widest ? n->n_inputs : t->widest;
    return 0;
}

/* Moves on to the next input without an entry, which is returned, or NULL when all are done. What has no
 * gradient still depends: indices that do must have been through StopGradient. */
static node *next_input(const tape *t, tape_entry *e)
{
    bool stops = e->n->prim == PRIM_StopGradient;
    for (; !stops && e->input < e->n->n_inputs; e->input++) {
        node *in = e->n->inputs[e->input];
        const tape_entry *known = find(t, in);
        if (!known && (in->flags & NODE_TRACED))
            return in;
        e->depends |= known && known->depends;
    }
    return NULL;
}

/* Depth first, the way back is in the entries. */
int tape_record(tape *t, node *root)
{
    if (!(root->flags & NODE_TRACED) || find(t, root))
        return 0;
    if (enter(t, root, TAPE_END, false))
        return -1;
    for (uint32_t at = root->stamp; at != TAPE_END;) {
        tape_entry *e = &t->entries[at];
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

void tape_deposit(tape *t, const tape_entry *to, size_t result, mlx_array g)
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

/* Calls the node's gradient function: out is room for its results. */
static void pull_back(tape *t, const tape_entry *e, mlx_array *out)
{
    node *n = e->n;
    result_arrays(n, out);
    grad_args args = {n, t->arrays, out, t->cotangents + e->cotangents, t->wanted};
    prim_table[n->prim].vjp(&args, t->arrays + n->n_inputs);
    if (prim_table[n->prim].flags & PRIM_CALLS)
        tape_restamp(t);
}

/* Passes on what has reached one node. */
static int step(tape *t, const tape_entry *e)
{
    node *n = e->n;
    size_t inputs = n->n_inputs, reached = 0;
    for (size_t i = 0; i < results_of(n); i++)
        reached += !mx_is_null(t->cotangents[e->cotangents + i]);
    if (reached == 0)
        return 0;
    for (size_t i = 0; i < inputs; i++) {
        const tape_entry *in = find(t, n->inputs[i]);
        t->arrays[i] = node_array(n->inputs[i]);
        t->arrays[inputs + i] = MX_NULL;
        t->wanted[i] = in && in->depends;
    }
    mlx_array few[PRIM_FEW_OUTPUTS],
        *out = results_of(n) <= PRIM_FEW_OUTPUTS ? few : mem_alloc(results_of(n), sizeof *out);
    if (!out)
        return -1;
    pull_back(t, e, out);
    if (out != few)
        mem_free(out);
    for (size_t i = 0; i < inputs && !error_pending(); i++)
        if (t->wanted[i] && !mx_is_null(t->arrays[inputs + i]))
            tape_deposit(t, find(t, n->inputs[i]), result_read(n), t->arrays[inputs + i]);
    return error_pending() ? -1 : 0;
}

int tape_go_back(tape *t)
{
    t->arrays = mem_alloc(2 * t->widest, sizeof *t->arrays);
    t->wanted = mem_alloc(t->widest, sizeof *t->wanted);
    if (!t->arrays || !t->wanted)
        return -1;
    for (uint32_t at = t->last; at != TAPE_END; at = t->entries[at].before)
        if (step(t, &t->entries[at]))
            return -1;
    return 0;
}

int tape_source(tape *t, node *n)
{
    node_set_flags(n, node_flags(n) | NODE_TRACED);
    return enter(t, n, TAPE_END, true);
}

void tape_restamp(tape *t)
{
    for (size_t i = 0; i < t->n_entries; i++)
        t->entries[i].n->stamp = (uint32_t)i;
}

tape_entry *tape_find(const tape *t, const node *n)
{
    tape_entry *e = find(t, n);
    return e && e->depends ? e : NULL;
}

mlx_array tape_gradient(const tape *t, size_t i) { return t->cotangents[t->entries[i].cotangents]; }
