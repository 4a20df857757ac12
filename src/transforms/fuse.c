/* Fusion: groups of elementwise nodes become one Compiled node each.
 *
 * One pass from the users to the inputs deals the nodes out. A node joins the group of its users if it is
 * elementwise and of the group's shape, if nobody else needs it, and if the group has room; otherwise it
 * founds a group of its own. So a group has one result that others compute with, and no value is computed
 * twice. Members that the graph itself gives out are results too; nothing in the graph waits for those. A
 * second pass, from the inputs on, writes the program of each group with more than one member: operations in
 * order, registers given to whoever needs one next. */
#include "transforms/graph.h"

#include "base/error.h"
#include "base/mem.h"

#include <string.h>

enum { NONE = UINT32_MAX, SEVERAL = UINT32_MAX - 1 };

/* What is known of a node. A group goes by its root, the node that is its result. */
typedef struct part {
    uint32_t group;            /* or NONE */
    uint32_t users_group;      /* the one group of all its users so far; NONE, SEVERAL */
    uint32_t uses;             /* by that group */
    uint32_t next;             /* member of its group, in order */
    uint32_t first;            /* of a root: its first member */
    uint32_t members, outside; /* of a root: members, and inputs from outside (at most) */
    uint32_t results;          /* of a root: members that are outputs */
    bool output;               /* of the graph */
    int reg;                   /* where the program keeps it */
} part;

typedef struct fusion {
    graph *g;
    part *parts;
    node **now; /* what each node has become */
} fusion;

static bool is_fusable(const node *n)
{
    return prim_compiled_arity(n->prim) == (int)n->n_inputs && n->n_inputs > 0 && n->n_outputs == 1 &&
           (n->prim == PRIM_AsType || n->params_size == 0);
}

static bool has_room(const fusion *f, uint32_t i, uint32_t root)
{
    const node *n = f->g->nodes[i], *r = f->g->nodes[root];
    const part *p = &f->parts[root];
    return n->stream == r->stream && n->ndim == r->ndim &&
           (!f->parts[i].output || p->results < PRIM_FEW_OUTPUTS) &&
           memcmp(n->shape, r->shape, n->ndim * sizeof *n->shape) == 0 && p->members < PRIM_COMPILED_OPS &&
           p->outside - f->parts[i].uses + n->n_inputs + p->results + f->parts[i].output <=
               PRIM_COMPILED_INPUTS + 1;
}

/* Finds node i's group; all its users have theirs. */
static void settle(fusion *f, uint32_t i)
{
    part *p = &f->parts[i];
    const node *n = f->g->nodes[i];
    bool fusable = is_fusable(n);
    if (fusable) {
        bool joins = p->users_group < SEVERAL && has_room(f, i, p->users_group);
        p->group = joins ? p->users_group : i;
        part *root = &f->parts[p->group];
        p->next = joins ? root->first : NONE;
        root->first = i;
        root->members++;
        root->results += p->output || !joins;
        root->outside += n->n_inputs - (joins ? p->uses : 0);
    }
    for (uint32_t k = 0; k < n->n_inputs; k++) {
        if (!graph_has(n->inputs[k]))
            continue;
        part *in = &f->parts[n->inputs[k]->stamp];
        if (in->users_group == NONE)
            in->users_group = fusable ? p->group : SEVERAL;
        else if (!fusable || in->users_group != p->group)
            in->users_group = SEVERAL;
        in->uses++;
    }
}

/* --- programs --- */

typedef struct program {
    int32_t count, registers; /* with the operations: a prim_compiled */
    prim_compiled_op ops[PRIM_COMPILED_OPS];
    node *inputs[PRIM_COMPILED_INPUTS];
    uint32_t n_inputs;
    uint32_t results[PRIM_FEW_OUTPUTS]; /* members that are results */
    int n_results;
    uint32_t busy; /* bit r: register r holds a value that is needed */
} program;
_Static_assert(offsetof(program, ops) == sizeof(prim_compiled), "the parameters lie at the front");

static int input_index(program *p, node *n)
{
    for (uint32_t i = 0; i < p->n_inputs; i++)
        if (p->inputs[i] == n)
            return (int)i;
    p->inputs[p->n_inputs] = n;
    return (int)p->n_inputs++;
}

/* Frees the registers of n's inputs that it is the last to use and whose elements are as large as n's, or of
 * another size: a result may be written over an operand of its own size only. */
static void let_go(fusion *f, program *p, const node *n, uint32_t group, bool same_size)
{
    for (uint32_t k = 0; k < n->n_inputs; k++) {
        const node *in = n->inputs[k];
        if (!graph_has(in) || f->parts[in->stamp].group != group || f->parts[in->stamp].uses > 0)
            continue;
        if ((node_itemsize(in) == node_itemsize(n)) == same_size)
            p->busy &= ~((uint32_t)1 << f->parts[in->stamp].reg);
    }
}

/* Adds the operation of member i. -1 when the registers do not suffice. */
static int add_op(fusion *f, program *p, uint32_t i, uint32_t group)
{
    node *n = f->g->nodes[i];
    prim_compiled_op *op = &p->ops[p->count++];
    *op = (prim_compiled_op){.prim = n->prim, .to = n->dtype};
    op->from = n->prim == PRIM_Select ? n->dtype : n->inputs[0]->dtype;
    for (uint32_t k = 0; k < n->n_inputs; k++) {
        node *in = n->inputs[k];
        part *known = graph_has(in) ? &f->parts[in->stamp] : NULL;
        bool inside = known && known->group == group;
        op->in[k] = (int16_t)(inside ? ~known->reg : input_index(p, known ? f->now[in->stamp] : in));
        if (inside)
            known->uses--;
    }
    if (i == group || f->parts[i].output) {
        p->results[p->n_results++] = i;
        op->result = (int16_t)p->n_results;
    }
    if (i == group)
        return 0;
    let_go(f, p, n, group, true);
    int reg = 0;
    while (reg < PRIM_COMPILED_REGISTERS && p->busy >> reg & 1)
        reg++;
    if (reg == PRIM_COMPILED_REGISTERS)
        return -1;
    p->busy |= (uint32_t)1 << reg;
    p->registers = reg + 1 > p->registers ? reg + 1 : p->registers;
    f->parts[i].reg = reg;
    op->out = (int16_t)~reg;
    let_go(f, p, n, group, false);
    return 0;
}

/* A node of the graph in place of node i, whose reference passes over. */
static node *put(fusion *f, node **order, size_t *count, uint32_t i, node *made)
{
    if (!made)
        return NULL;
    made->stream = f->g->nodes[i]->stream;
    made->stamp = i;
    f->now[i] = made;
    return order[(*count)++] = made;
}

/* Several results: `made` gets them, and items take their places in the graph. */
static int put_items(fusion *f, node **order, size_t *count, const program *p, node *made)
{
    prim_spec specs[PRIM_FEW_OUTPUTS];
    for (int i = 0; i < p->n_results; i++) {
        const node *r = f->g->nodes[p->results[i]];
        specs[i].dtype = (mlx_dtype)r->dtype;
        specs[i].ndim = r->ndim;
        memcpy(specs[i].shape, r->shape, r->ndim * sizeof *r->shape);
    }
    if (prim_add_outputs(made, specs, p->n_results))
        return -1;
    for (int i = 0; i < p->n_results; i++) {
        const node *r = f->g->nodes[p->results[i]];
        prim_item item = {i};
        if (!put(f, order, count, p->results[i],
                 node_new(PRIM_Item, (mlx_dtype)r->dtype, r->shape, r->ndim, &made, 1, &item, sizeof item)))
            return -1;
    }
    return 0;
}

/* Makes the Compiled node of a group. False if it does not fit, or with an error. */
static bool compile_group(fusion *f, node **order, size_t *count, uint32_t root)
{
    program p = {0};
    size_t before = *count;
    for (uint32_t i = f->parts[root].first; i != NONE; i = f->parts[i].next)
        if (add_op(f, &p, i, root))
            return false;
    size_t size = sizeof(prim_compiled) + (size_t)p.count * sizeof *p.ops;
    const node *first = f->g->nodes[p.results[0]];
    node *made = put(f, order, count, root,
                     node_new(PRIM_Compiled, (mlx_dtype)first->dtype, first->shape, first->ndim, p.inputs,
                              p.n_inputs, &p, size));
    if (made && (p.n_results == 1 || put_items(f, order, count, &p, made) == 0))
        return true;
    while (*count > before)
        node_release(order[--*count]);
    for (uint32_t i = f->parts[root].first; i != NONE; i = f->parts[i].next)
        f->now[i] = f->g->nodes[i];
    return false;
}

static void replace(fusion *f, node **slot)
{
    node *old = *slot;
    if (graph_has(old) && f->now[old->stamp] != old) {
        *slot = node_retain(f->now[old->stamp]);
        node_release(old);
    }
}

static void keep(fusion *f, node **order, size_t *count, uint32_t i)
{
    node *n = f->g->nodes[i];
    for (uint32_t k = 0; k < n->n_inputs; k++)
        replace(f, &n->inputs[k]);
    order[(*count)++] = n;
}

/* Writes the nodes anew: groups as one node, the others as they are. */
static int rewrite(fusion *f, node **order, size_t *count)
{
    int rc = 0;
    for (uint32_t i = 0; i < f->g->count; i++) {
        const part *p = &f->parts[i];
        f->now[i] = f->g->nodes[i];
        if (p->group == NONE)
            keep(f, order, count, i);
        if (p->group != i)
            continue; /* a member comes with its root */
        bool made = p->members > 1 && compile_group(f, order, count, i);
        rc = error_pending() ? -1 : rc;
        for (uint32_t k = p->first; k != NONE; k = f->parts[k].next)
            if (!made)
                keep(f, order, count, k);
            else if (f->now[k] == f->g->nodes[k])
                f->now[k] = NULL; /* nobody asks for it any more */
    }
    return rc;
}

/* The graph's nodes become these; those that were fused go. */
static void adopt(fusion *f, node **order, size_t count)
{
    graph *g = f->g;
    for (size_t i = 0; i < g->n_outputs; i++)
        replace(f, &g->outputs[i]);
    for (size_t i = g->count; i-- > 0;)
        if (f->now[i] != g->nodes[i])
            node_release(g->nodes[i]);
    mem_free(g->nodes);
    g->nodes = order;
    g->count = count;
    for (size_t i = 0; i < count; i++)
        order[i]->stamp = (uint32_t)i;
}

int graph_fuse(graph *g)
{
    fusion f = {g, mem_calloc(g->count, sizeof *f.parts), mem_alloc(g->count, sizeof *f.now)};
    node **order = mem_alloc(2 * g->count, sizeof *order);
    size_t count = 0;
    int rc = f.parts && f.now && order ? 0 : -1;
    if (rc == 0) {
        for (size_t i = 0; i < g->count; i++)
            f.parts[i] = (part){.group = NONE, .users_group = NONE, .next = NONE, .first = NONE};
        for (size_t i = 0; i < g->n_outputs; i++)
            if (graph_has(g->outputs[i]))
                f.parts[g->outputs[i]->stamp].output = true;
        for (size_t i = g->count; i-- > 0;)
            settle(&f, (uint32_t)i);
        rc = rewrite(&f, order, &count);
        adopt(&f, order, count);
    } else {
        mem_free(order);
    }
    mem_free(f.parts);
    mem_free(f.now);
    return rc;
}
