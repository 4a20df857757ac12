/* Evaluation: computes what an array needs, inputs before users, each node once.
 *
 * The walk is depth first on a stack of its own, so that a chain of any length is fine. A node is computed
 * when all its inputs are; it then drops them, which frees every intermediate as soon as its last user is
 * done, and lets that user write its result over a dead input. Scheduling walks the same way, and instead of
 * computing a node puts it on a list.
 *
 * While a transform runs, the nodes that it traces keep their inputs and write over none: what a function
 * computes with values that it looks at can still be differentiated. */
#include "array/backend.h"
#include "array/stream.h"
#include "base/error.h"
#include "base/mem.h"

typedef struct frame {
    node *n;
    uint32_t next; /* input to look at */
} frame;

typedef struct walk {
    frame *frames;
    size_t count, capacity;
    int (*visit)(struct walk *w, node *n); /* what is done to a node after its inputs */
    node **list;                           /* of the scheduled */
    size_t listed, list_capacity;
} walk;

static int push(walk *w, node *n)
{
    if (!n->prim) /* the place of an argument in a function that is being traced */
        return error_set(
            "[eval] Attempting to eval an array during function transformations like compile or vmap is "
            "not allowed.");
    frame *grown = mem_grow(w->frames, &w->capacity, w->count + 1, sizeof *grown);
    if (!grown)
        return -1;
    w->frames = grown;
    w->frames[w->count++] = (frame){n, 0};
    return 0;
}

/* The node is computed: its results are ready, its inputs are let go unless a transform needs them. */
static void settle(node *n)
{
    for (size_t i = 0; n->outputs && i < n->n_outputs; i++)
        node_set_status(n->outputs[i], NODE_READY);
    if (!node_is_kept(n)) {
        if (node_flags(n) & NODE_TRACED)
            node_set_flags(n, node_flags(n) & ~(unsigned)NODE_TRACED);
        node_detach(n);
    }
    node_set_status(n, NODE_READY);
}

/* Computes n and leaves its inputs as they were: a back end may put a dense copy in an input's place. */
static int compute_keeping(node *n)
{
    node *few[4], **inputs = n->n_inputs <= 4 ? few : mem_alloc(n->n_inputs, sizeof *inputs);
    if (!inputs)
        return -1;
    for (uint32_t i = 0; i < n->n_inputs; i++)
        inputs[i] = node_retain(n->inputs[i]);
    int rc = backend_cpu_eval(n);
    for (uint32_t i = 0; i < n->n_inputs; i++) {
        node_release(n->inputs[i]);
        n->inputs[i] = inputs[i];
    }
    if (inputs != few)
        mem_free(inputs);
    return rc;
}

int eval_node(node *n)
{
    if (node_is_kept(n) ? compute_keeping(n) : backend_cpu_eval(n))
        return -1;
    settle(n);
    return 0;
}

static int compute(walk *w, node *n)
{
    (void)w;
    return eval_node(n);
}

static int schedule(walk *w, node *n)
{
    node **grown = mem_grow(w->list, &w->list_capacity, w->listed + 1, sizeof *grown);
    if (!grown)
        return -1;
    w->list = grown;
    w->list[w->listed++] = n;
    node_set_status(n, NODE_SCHEDULED);
    return 0;
}

/* Is there anything to be done for n in this walk? Computing waits for what is scheduled elsewhere;
 * scheduling goes on, the worker waits. -1 with an error when n has failed. */
static int is_missing(const walk *w, node *n)
{
    int status = node_status(n);
    if (status == NODE_LAZY)
        return 1;
    return status == NODE_READY || w->visit == schedule ? 0 : stream_wait(n);
}

static int walk_from(walk *w, node *root)
{
    w->count = 0;
    int missing = is_missing(w, root);
    if (missing < 0 || (missing && push(w, root)))
        return -1;
    while (w->count) {
        frame *top = &w->frames[w->count - 1];
        node *n = top->n;
        for (missing = 0; top->next < n->n_inputs; top->next++)
            if ((missing = is_missing(w, n->inputs[top->next])))
                break;
        if (missing) {
            if (missing < 0 || push(w, n->inputs[top->next]))
                return -1;
            continue;
        }
        if (w->visit(w, n))
            return -1;
        w->count--;
    }
    return 0;
}

static int walk_all(walk *w, const mlx_array *x, size_t n)
{
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = mx_is_null(x[i]) ? error_set("[eval] the array is null: an operation before failed")
                              : walk_from(w, node_of(x[i]));
    mem_free(w->frames);
    return rc;
}

int mx_eval_all(const mlx_array *x, size_t n)
{
    walk w = {.visit = compute};
    return walk_all(&w, x, n);
}

int mx_eval(mlx_array x) { return mx_eval_all(&x, 1); }

int eval_schedule(const mlx_array *roots, size_t n, node ***list, size_t *count)
{
    walk w = {.visit = schedule};
    int rc = walk_all(&w, roots, n);
    for (size_t i = 0; rc && i < w.listed; i++)
        node_set_status(w.list[i], NODE_LAZY);
    if (rc) {
        mem_free(w.list);
        return -1;
    }
    *list = w.list;
    *count = w.listed;
    return 0;
}
