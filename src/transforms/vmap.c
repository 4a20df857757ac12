/* vmap: a function of arrays as a function of arrays with a further axis.
 *
 * The function runs once, on placeholders that lack the axis: nodes without a primitive and without data,
 * which evaluation refuses. Then the graph that it made is replayed on the real inputs: a walk from the
 * outputs over the nodes that were made of placeholders gives each of them its results with the axis, by the
 * rule of its primitive. Nodes that no mapped input leads to are kept as they are.
 *
 * As in tape.c a node knows its entry by its stamp, the way back is in the entries, and nothing recurses. */
#include "prim/vmap.h"
#include "base/error.h"
#include "base/mem.h"
#include "mx/transforms.h"

#include <string.h>

enum { NO_ENTRY = UINT32_MAX };

typedef struct entry {
    node *n;
    size_t results; /* place of the first in the replay's list */
    uint32_t input; /* the input that the walk looks at */
    uint32_t user;  /* the entry that the walk came from */
    bool mapped;
} entry;

typedef struct result {
    mlx_array x;
    int axis;
} result;

typedef struct replay {
    entry *entries;
    result *results;
    size_t n_entries, n_results, cap_entries, cap_results;
    int size; /* of the axis */
} replay;

static size_t results_of(const node *n) { return n->outputs ? n->n_outputs : 1; }

static entry *find(const replay *r, const node *n)
{
    bool seen = (node_flags(n) & NODE_TRACED) && n->stamp < r->n_entries && r->entries[n->stamp].n == n;
    return seen ? &r->entries[n->stamp] : NULL;
}

/* Gives a node an entry, the last one, and room for its results. */
static int enter(replay *r, node *n, uint32_t user)
{
    entry *entries = mem_grow(r->entries, &r->cap_entries, r->n_entries + 1, sizeof *entries);
    if (!entries)
        return -1;
    r->entries = entries;
    result *results = mem_grow(r->results, &r->cap_results, r->n_results + results_of(n), sizeof *results);
    if (!results)
        return -1;
    r->results = results;
    if (r->n_entries == NO_ENTRY)
        return error_set("[vmap] the graph has too many nodes");
    n->stamp = (uint32_t)r->n_entries;
    r->entries[r->n_entries++] = (entry){n, r->n_results, 0, user, false};
    for (size_t i = 0; i < results_of(n); i++)
        r->results[r->n_results++] = (result){MX_NULL, -1};
    return 0;
}

/* Another transform has run: makes the nodes' stamps point here again. */
static void restamp(replay *r)
{
    for (size_t i = 0; i < r->n_entries; i++)
        r->entries[i].n->stamp = (uint32_t)i;
}

static bool has_room(const node *n)
{
    bool fits = n->ndim < MX_MAX_DIMS;
    for (size_t i = 0; n->outputs && i < n->n_outputs; i++)
        fits &= n->outputs[i]->ndim < MX_MAX_DIMS;
    for (uint32_t i = 0; i < n->n_inputs; i++)
        fits &= n->inputs[i]->ndim < MX_MAX_DIMS;
    return fits;
}

/* A view of one of several results: the replayed node's. */
static void map_item(replay *r, entry *e)
{
    const entry *tuple = find(r, e->n->inputs[0]);
    r->results[e->results] = r->results[tuple->results + (size_t)((const prim_item *)e->n->params)->index];
}

/* The results of a node some of whose inputs are mapped. */
static int map_node(replay *r, const entry *e)
{
    const node *n = e->n;
    size_t results = results_of(n);
    mlx_array *in = mem_alloc(n->n_inputs, sizeof *in), *out = mem_calloc(results, sizeof *out);
    int *axes = mem_alloc(n->n_inputs + results, sizeof *axes);
    if (in && out && axes && !has_room(n))
        error_set("[vmap] %s would have more than %d dimensions", prim_table[n->prim].name, MX_MAX_DIMS);
    else if (in && out && axes) {
        for (uint32_t i = 0; i < n->n_inputs; i++) {
            const entry *from = find(r, n->inputs[i]);
            bool mapped = from && from->mapped;
            in[i] = mapped ? r->results[from->results].x : node_array(n->inputs[i]);
            axes[i] = mapped ? r->results[from->results].axis : -1;
        }
        vmap_args args = {n, in, axes, r->size};
        prim_table[n->prim].vmap(&args, out, axes + n->n_inputs);
        if (prim_table[n->prim].flags & PRIM_CALLS)
            restamp(r);
        for (size_t i = 0; i < results; i++)
            r->results[e->results + i] = (result){out[i], axes[n->n_inputs + i]};
    }
    mem_free(in);
    mem_free(out);
    mem_free(axes);
    return error_pending() ? -1 : 0;
}

static int map_entry(replay *r, entry *e)
{
    for (uint32_t i = 0; i < e->n->n_inputs && !e->mapped; i++) {
        const entry *from = find(r, e->n->inputs[i]);
        e->mapped = from && from->mapped;
    }
    if (!e->mapped)
        return 0;
    if (e->n->prim != PRIM_Item)
        return map_node(r, e);
    map_item(r, e);
    return 0;
}

/* Maps what `root` is made of, inputs before users. */
static int map_from(replay *r, node *root)
{
    if (!(node_flags(root) & NODE_TRACED) || find(r, root))
        return 0;
    if (enter(r, root, NO_ENTRY))
        return -1;
    for (uint32_t at = root->stamp; at != NO_ENTRY;) {
        entry *e = &r->entries[at];
        node *next = NULL;
        for (; e->input < e->n->n_inputs && !next; e->input++) {
            node *in = e->n->inputs[e->input];
            next = (node_flags(in) & NODE_TRACED) && !find(r, in) ? in : NULL;
        }
        if (next) {
            if (enter(r, next, at))
                return -1;
            at = next->stamp;
            continue;
        }
        if (map_entry(r, e))
            return -1;
        at = e->user;
    }
    return 0;
}

/* The size of the mapped axis of all inputs; -1 with an error. */
static int axis_size(const mlx_array *in, size_t n, const int *axes)
{
    int size = -1;
    for (size_t i = 0; i < n; i++) {
        if (mx_is_null(in[i]))
            return -1;
        if (axes[i] == -1)
            continue;
        if (axes[i] < 0 || axes[i] >= mx_ndim(in[i]))
            return error_set("[vmap] in_axes %d is out of range for an array of %d dimensions", axes[i],
                             mx_ndim(in[i]));
        int own = mx_shape(in[i])[axes[i]];
        if (size >= 0 && size != own)
            return error_set("[vmap] Inconsistent axis sizes: %d and %d.", own, size);
        size = own;
    }
    return size >= 0 ? size : error_set("[vmap] At least one of in_axes must be non-None.");
}

/* The place of an argument without its mapped axis. */
static mlx_array placeholder(mlx_array x, int axis)
{
    int shape[MX_MAX_DIMS], ndim = 0;
    for (int i = 0; i < mx_ndim(x); i++)
        if (i != axis)
            shape[ndim++] = mx_shape(x)[i];
    mlx_array p = node_temp(node_new(PRIM_None, mx_dtype_of(x), shape, ndim, NULL, 0, NULL, 0));
    if (!mx_is_null(p))
        node_set_flags(node_of(p), node_flags(node_of(p)) | NODE_TRACED);
    return p;
}

int mx_vmap_trace(mx_list_function f, void *user, const mlx_array *in, size_t n, const int *in_axes,
                  mx_arrays *s_in, mx_arrays *s_out)
{
    size_t before = s_out->count;
    if (axis_size(in, n, in_axes) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (mx_arrays_add(s_in, in_axes[i] == -1 ? in[i] : placeholder(in[i], in_axes[i])))
            return -1;
    node_trace(1);
    int rc = f(user, s_in->items + s_in->count - n, n, s_out) || error_pending() ? -1 : 0;
    node_trace(-1);
    if (rc) {
        s_out->count = before;
        return error_set("[vmap] the function failed");
    }
    return 0;
}

/* An output with the axis where it is asked for; one that has none is repeated along it. */
static mlx_array place(const replay *r, node *n, int axis)
{
    const entry *e = find(r, n);
    mlx_array x = node_array(n);
    int shape[MX_MAX_DIMS], ndim = n->ndim + 1;
    if (axis != -1 && (axis < 0 || axis >= ndim || ndim > MX_MAX_DIMS)) {
        error_set("[vmap] out_axes %d is out of range for an output of %d dimensions", axis, ndim);
        return MX_NULL;
    }
    if (e && e->mapped) {
        const result *found = &r->results[e->results];
        return axis == -1 ? found->x : vmap_move(found->x, found->axis, axis);
    }
    if (axis == -1)
        return x;
    for (int i = 0, k = 0; i < ndim; i++)
        shape[i] = i == axis ? r->size : n->shape[k++];
    return mx_broadcast_to(mx_expand_dims(x, axis), shape, (size_t)ndim);
}

static int replay_all(replay *r, const mlx_array *in, const mlx_array *s_in, size_t n, const int *in_axes,
                      const mlx_array *s_out, const int *out_axes, size_t m, mlx_array *out)
{
    for (size_t i = 0; i < n; i++) {
        if (in_axes[i] == -1)
            continue;
        if (enter(r, node_of(s_in[i]), NO_ENTRY))
            return -1;
        entry *e = &r->entries[r->n_entries - 1];
        e->mapped = true;
        r->results[e->results] = (result){in[i], in_axes[i]};
    }
    for (size_t i = 0; i < m; i++)
        if (map_from(r, node_of(s_out[i])))
            return -1;
    for (size_t i = 0; i < m; i++) {
        out[i] = place(r, node_of(s_out[i]), out_axes[i]);
        if (mx_is_null(out[i]))
            return -1;
    }
    return error_pending() ? -1 : 0;
}

/* Drops all temporaries since the mark but these. */
static int keep(size_t mark, mlx_array *x, size_t n)
{
    int rc = 0;
    for (size_t i = 0; i < n; i++)
        node_retain(node_of(x[i]));
    mx_release(mark);
    for (size_t i = 0; i < n; i++) {
        x[i] = node_temp(node_of(x[i]));
        rc |= mx_is_null(x[i]) ? -1 : 0;
    }
    return rc;
}

int mx_vmap_replace(const mlx_array *in, const mlx_array *s_in, size_t n, const mlx_array *s_out, size_t m,
                    const int *in_axes, const int *out_axes, mlx_array *out)
{
    replay r = {.size = axis_size(in, n, in_axes)};
    size_t mark = mx_mark();
    memset(out, 0, m * sizeof *out);
    for (size_t i = 0; i < n + m; i++)
        if (mx_is_null(i < n ? s_in[i] : s_out[i - n]))
            return error_set("[vmap] an array of the traced graph is null");
    if (r.size < 0)
        return -1;
    int rc = replay_all(&r, in, s_in, n, in_axes, s_out, out_axes, m, out);
    mem_free(r.entries);
    mem_free(r.results);
    rc = rc ? rc : keep(mark, out, m);
    if (rc) {
        mx_release(mark);
        memset(out, 0, m * sizeof *out);
    }
    return rc;
}

/* A function with a known number of outputs as one that adds them to a list. */
typedef struct counted {
    mx_function f;
    void *user;
    size_t m;
} counted;

static int call_counted(void *user, const mlx_array *in, size_t n, mx_arrays *out)
{
    const counted *c = user;
    (void)n;
    mlx_array *results = mem_calloc(c->m, sizeof *results);
    int rc = !results || c->f(c->user, in, results) ? -1 : 0;
    for (size_t i = 0; i < c->m && rc == 0; i++)
        rc = mx_is_null(results[i]) ? error_set("[vmap] the function left output %zu empty", i)
                                    : mx_arrays_add(out, results[i]);
    mem_free(results);
    return rc;
}

int mx_vmap(mx_function f, void *user, const mlx_array *in, size_t n, const int *in_axes, mlx_array *out,
            size_t m, const int *out_axes)
{
    counted c = {f, user, m};
    mx_arrays s_in = {0}, s_out = {0};
    size_t mark = mx_mark();
    memset(out, 0, m * sizeof *out);
    int rc = error_pending() ? -1 : mx_vmap_trace(call_counted, &c, in, n, in_axes, &s_in, &s_out);
    if (rc == 0)
        rc = mx_vmap_replace(in, s_in.items, n, s_out.items, m, in_axes, out_axes, out);
    mx_arrays_free(&s_in);
    mx_arrays_free(&s_out);
    rc = rc ? rc : keep(mark, out, m);
    if (rc) {
        mx_release(mark);
        memset(out, 0, m * sizeof *out);
    }
    return rc;
}
