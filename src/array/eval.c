/* Evaluation: computes what an array needs, inputs before users, each node once.
 *
 * The walk is depth first on a stack of its own, so that a chain of any length is fine. A node is computed
 * when all its inputs are; it then drops them, which frees every intermediate as soon as its last user is
 * done, and lets that user write its result over a dead input.
 *
 * While a transform runs, the nodes that it traces keep their inputs and write over none: what a function
 * computes with values that it looks at can still be differentiated. */
#include "array/backend.h"
#include "base/error.h"
#include "base/mem.h"

typedef struct frame {
    node *n;
    uint32_t next; /* input to look at */
} frame;

typedef struct walk {
    frame *frames;
    size_t count, capacity;
} walk;

static int push(walk *w, node *n)
{
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
        n->outputs[i]->status = NODE_READY;
    n->status = NODE_READY;
    if (node_is_kept(n))
        return;
    n->flags &= (uint8_t)~NODE_TRACED;
    node_detach(n);
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

static int walk_from(walk *w, node *root)
{
    w->count = 0;
    if (root->status != NODE_READY && push(w, root))
        return -1;
    while (w->count) {
        frame *top = &w->frames[w->count - 1];
        node *n = top->n;
        while (top->next < n->n_inputs && n->inputs[top->next]->status == NODE_READY)
            top->next++;
        if (top->next < n->n_inputs) {
            if (push(w, n->inputs[top->next]))
                return -1;
            continue;
        }
        if (node_is_kept(n) ? compute_keeping(n) : backend_cpu_eval(n))
            return -1;
        settle(n);
        w->count--;
    }
    return 0;
}

int mx_eval_all(const mlx_array *x, size_t n)
{
    walk w = {0};
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = mx_is_null(x[i]) ? error_set("[eval] the array is null: an operation before failed")
                              : walk_from(&w, node_of(x[i]));
    mem_free(w.frames);
    return rc;
}

int mx_eval(mlx_array x) { return mx_eval_all(&x, 1); }
