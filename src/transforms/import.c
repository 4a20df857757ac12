/* Functions from files; the format is in import.h.
 *
 * Nothing in a file is believed: counts are held against the bytes that are left, nodes read only what came
 * before them, parameters are checked against the inputs (import_check.c), and shapes follow from the
 * primitives' rules. */
#include "transforms/import.h"
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "mx/export.h"

#include <stdio.h>
#include <string.h>

typedef struct signature {
    char **names; /* of the last arguments, in order */
    size_t n_names;
    graph g;
} signature;

struct mx_imported_function {
    signature *all;
    size_t count;
    bool shapeless;
};

typedef struct reader {
    const char *p, *end;
} reader;

/* --- pieces --- */

static int truncated(void)
{
    error_set("[import_function] the file ends too early");
    return -1;
}

static int get(reader *r, void *out, size_t n)
{
    if ((size_t)(r->end - r->p) < n)
        return truncated();
    memcpy(out, r->p, n);
    r->p += n;
    return 0;
}

/* A count of things of at least `size` bytes each. */
static int get_count(reader *r, size_t size, size_t *n)
{
    uint64_t v;
    if (get(r, &v, sizeof v))
        return -1;
    if (v > (size_t)(r->end - r->p) / size)
        return truncated();
    *n = (size_t)v;
    return 0;
}

static int get_text(reader *r, const char **text, size_t *n)
{
    if (get_count(r, 1, n))
        return -1;
    *text = r->p;
    r->p += *n;
    return 0;
}

static int get_spec(reader *r, prim_spec *s)
{
    size_t ndim;
    int32_t dtype;
    if (get_count(r, sizeof *s->shape, &ndim))
        return -1;
    if (ndim > MX_MAX_DIMS)
        return error_set("[import_function] %zu dimensions are more than the limit of %d", ndim, MX_MAX_DIMS);
    s->ndim = (int)ndim;
    if (get(r, s->shape, ndim * sizeof *s->shape) || get(r, &dtype, sizeof dtype))
        return -1;
    for (size_t i = 0; i < ndim; i++)
        if (s->shape[i] < 0)
            return error_set("[import_function] negative size %d in a shape", s->shape[i]);
    if (dtype < 0 || dtype >= MX_DTYPES)
        return error_set("[import_function] there is no dtype %d", dtype);
    s->dtype = (mlx_dtype)dtype;
    return 0;
}

/* --- graphs --- */

/* What is numbered: inputs, constants and nodes; a reference each. */
typedef struct numbers {
    node **all;
    size_t count, capacity;
} numbers;

static int number(numbers *l, node *n)
{
    node **grown = n ? mem_grow(l->all, &l->capacity, l->count + 1, sizeof *grown) : NULL;
    if (!grown) {
        node_release(n);
        return -1;
    }
    l->all = grown;
    l->all[l->count++] = n;
    return 0;
}

static node *get_constant(reader *r)
{
    prim_spec s;
    size_t bytes;
    if (get_spec(r, &s))
        return NULL;
    bytes = mx_dtype_size(s.dtype);
    for (int i = 0; i < s.ndim; i++)
        if (!mem_mul(bytes, (size_t)s.shape[i], &bytes)) {
            truncated();
            return NULL;
        }
    if (bytes > (size_t)(r->end - r->p)) {
        truncated();
        return NULL;
    }
    buffer *b = buffer_new(bytes);
    if (!b)
        return NULL;
    memcpy(b->data, r->p, bytes);
    r->p += bytes;
    for (size_t i = 0; s.dtype == MLX_BOOL && i < bytes; i++) /* kernels count on 0 and 1 */
        b->data[i] = b->data[i] != 0;
    return node_from_buffer(b, b->data, s.shape, s.ndim, s.dtype);
}

static int find_prim(const char *name, size_t n)
{
    for (int p = 1; p < PRIM_COUNT; p++)
        if (strlen(prim_table[p].name) == n && memcmp(prim_table[p].name, name, n) == 0)
            return p;
    return error_set("[import_function] there is no primitive \"%.*s\"", (int)(n < 40 ? n : 40), name);
}

static int get_number(reader *r, const numbers *l, node **n)
{
    uint64_t v;
    if (get(r, &v, sizeof v))
        return -1;
    if (v >= l->count) {
        error_set("[import_function] there is no node %llu yet", (unsigned long long)v);
        return -1;
    }
    *n = l->all[v];
    return 0;
}

static node *make_node(int prim, const char *params, size_t size, node *const *in, size_t n)
{
    int64_t aligned[UINT16_MAX / sizeof(int64_t)];
    prim_spec specs[PRIM_FEW_OUTPUTS];
    if (size > sizeof aligned) {
        error_set("[import_function] the parameters of a node %s are too long", prim_table[prim].name);
        return NULL;
    }
    memcpy(aligned, params, size);
    int count = import_check(prim, aligned, size, in, n) ? prim_infer(prim, in, n, aligned, specs) : -1;
    if (count < 0)
        return NULL;
    node *made = node_new(prim, specs[0].dtype, specs[0].shape, specs[0].ndim, in, n, aligned, size);
    if (made && count > 1 && prim_add_outputs(made, specs, count)) {
        node_release(made);
        return NULL;
    }
    return made;
}

static node *get_node(reader *r, const numbers *l)
{
    const char *name, *params, *ids;
    size_t name_size, params_size, ids_size;
    if (get_text(r, &name, &name_size) || get_text(r, &params, &params_size) || get_text(r, &ids, &ids_size))
        return NULL;
    int prim = find_prim(name, name_size);
    size_t n = ids_size / sizeof(uint64_t);
    if (prim < 0)
        return NULL;
    node **in = mem_alloc(n, sizeof *in);
    reader each = {ids, ids + ids_size};
    int rc = in ? 0 : -1;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = get_number(&each, l, &in[i]);
    node *made = rc == 0 ? make_node(prim, params, params_size, in, n) : NULL;
    mem_free(in);
    return made;
}

static int get_entries(reader *r, numbers *l)
{
    size_t inputs, entries;
    if (get_count(r, 12, &inputs))
        return -1;
    for (size_t i = 0; i < inputs; i++) {
        prim_spec s;
        if (get_spec(r, &s) || number(l, node_new(PRIM_None, s.dtype, s.shape, s.ndim, NULL, 0, NULL, 0)))
            return -1;
    }
    if (get_count(r, 1, &entries))
        return -1;
    for (size_t i = 0; i < entries; i++) {
        uint8_t kind;
        if (get(r, &kind, sizeof kind))
            return -1;
        if (kind > 1)
            return error_set("[import_function] there is no entry of kind %d", kind);
        if (number(l, kind == 0 ? get_constant(r) : get_node(r, l)))
            return -1;
    }
    return 0;
}

/* The graph of what has been numbered: lazy nodes, of which the first are the inputs. */
static int get_outputs(reader *r, numbers *l, graph *g)
{
    size_t count;
    if (get_count(r, sizeof(uint64_t), &count))
        return -1;
    g->outputs = mem_calloc(count, sizeof *g->outputs);
    g->nodes = mem_alloc(l->count, sizeof *g->nodes);
    if (!g->outputs || !g->nodes)
        return -1;
    g->n_outputs = count;
    for (size_t i = 0; i < count; i++) {
        node *n;
        if (get_number(r, l, &n))
            return -1;
        if (n->outputs)
            return error_set("[import_function] output %zu is a node of several results", i);
        g->outputs[i] = node_retain(n);
    }
    for (size_t i = 0; i < l->count; i++)
        if (graph_has(l->all[i])) {
            l->all[i]->stamp = (uint32_t)g->count;
            g->nodes[g->count++] = node_retain(l->all[i]);
            g->n_inputs += l->all[i]->prim == PRIM_None;
        }
    return 0;
}

static int get_signature(reader *r, signature *s)
{
    size_t n;
    const char *text;
    if (get_count(r, sizeof(uint64_t), &n))
        return -1;
    s->names = mem_calloc(n, sizeof *s->names);
    if (!s->names)
        return -1;
    for (; s->n_names < n; s->n_names++) {
        size_t size;
        if (get_text(r, &text, &size))
            return -1;
        s->names[s->n_names] = mem_strndup(text, size);
        if (!s->names[s->n_names])
            return -1;
    }
    numbers l = {0};
    int rc = get_entries(r, &l) || get_outputs(r, &l, &s->g) ? -1 : 0;
    if (rc == 0 && s->g.n_inputs < s->n_names)
        rc = error_set("[import_function] there are more names than inputs");
    for (size_t i = 0; i < l.count; i++)
        node_release(l.all[i]);
    mem_free(l.all);
    return rc;
}

static int get_file(reader *r, mx_imported_function *f)
{
    const char *magic;
    size_t n;
    int32_t count;
    uint8_t shapeless;
    if (get_text(r, &magic, &n) || n != strlen(IMPORT_MAGIC) || memcmp(magic, IMPORT_MAGIC, n) != 0) {
        error_clear();
        return error_set("[import_function] not a file of functions of this version (\"%s\")", IMPORT_MAGIC);
    }
    if (get(r, &count, sizeof count) || get(r, &shapeless, sizeof shapeless))
        return -1;
    if (count < 0 || shapeless > 1 || (size_t)count > (size_t)(r->end - r->p))
        return error_set("[import_function] the header is damaged");
    f->shapeless = shapeless;
    f->all = mem_calloc((size_t)count, sizeof *f->all);
    if (!f->all)
        return -1;
    while (f->count < (size_t)count)
        if (get_signature(r, &f->all[f->count++]))
            return -1;
    return r->p == r->end ? 0 : error_set("[import_function] something follows the last function");
}

mx_imported_function *import_read(const char *name, const char *data, size_t size)
{
    mx_imported_function *f = mem_calloc(1, sizeof *f);
    reader r = {data, data + size};
    if (f && get_file(&r, f)) {
        error_within("%s", name);
        mx_imported_function_free(f);
        return NULL;
    }
    return f;
}

mx_imported_function *mx_imported_function_new(const char *file)
{
    file_map m;
    if (file_map_open(&m, file))
        return NULL;
    mx_imported_function *f = import_read(file, m.data, m.size);
    file_map_close(&m);
    return f;
}

void mx_imported_function_free(mx_imported_function *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->count; i++) {
        graph_free(&f->all[i].g);
        for (size_t k = 0; k < f->all[i].n_names; k++)
            mem_free(f->all[i].names[k]);
        mem_free(f->all[i].names);
    }
    mem_free(f->all);
    mem_free(f);
}

int import_each(const mx_imported_function *f, int (*visit)(void *user, const graph *g), void *user)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < f->count; i++)
        rc = visit(user, &f->all[i].g);
    return rc;
}

/* --- calls --- */

static bool fits(const node *place, const node *x, bool shapeless)
{
    if (place->dtype != x->dtype || place->ndim != x->ndim)
        return false;
    return shapeless || x->ndim == 0 || memcmp(place->shape, x->shape, x->ndim * sizeof *x->shape) == 0;
}

/* Puts the arguments where the signature has them; false if they do not fit it. */
static bool place(const signature *s, bool shapeless, const mlx_array *args, size_t n,
                  const char *const *names, const mlx_array *kwargs, size_t k, mlx_array *all)
{
    if (k != s->n_names || n + k != s->g.n_inputs)
        return false;
    for (size_t i = 0; i < n; i++)
        all[i] = args[i];
    for (size_t i = 0; i < k; i++) {
        size_t j = 0;
        while (j < k && strcmp(names[j], s->names[i]) != 0)
            j++;
        if (j == k)
            return false;
        all[n + i] = kwargs[j];
    }
    for (size_t i = 0; i < n + k; i++)
        if (!fits(s->g.nodes[i], node_of(all[i]), shapeless))
            return false;
    return true;
}

/* The error that lists the signatures. */
static int no_signature(const mx_imported_function *f)
{
    char text[512] = "";
    for (size_t i = 0, used = 0; i < f->count && used < sizeof text; i++)
        for (size_t k = 0; k < f->all[i].g.n_inputs && used < sizeof text; k++) {
            const node *n = f->all[i].g.nodes[k];
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s %s",
                                     k   ? ", "
                                     : i ? "; "
                                         : "",
                                     mx_dtype_name((mlx_dtype)n->dtype), shape_text(n->shape, n->ndim));
        }
    return error_set("[import_function] no function in the file takes these arguments; it has: %s", text);
}

int mx_imported_function_apply(const mx_imported_function *f, const mlx_array *args, size_t n,
                               const char *const *names, const mlx_array *kwargs, size_t n_kwargs,
                               mx_arrays *out)
{
    for (size_t i = 0; i < n + n_kwargs; i++)
        if (mx_is_null(i < n ? args[i] : kwargs[i - n]))
            return error_set("[import_function] argument %zu is null: an operation before failed", i);
    mlx_array *all = mem_alloc(n + n_kwargs, sizeof *all);
    int rc = -1;
    const signature *s = NULL;
    for (size_t i = 0; all && !s && i < f->count; i++)
        if (place(&f->all[i], f->shapeless, args, n, names, kwargs, n_kwargs, all))
            s = &f->all[i];
    if (s)
        rc = graph_replay(&s->g, all, f->shapeless, out);
    else if (all)
        no_signature(f);
    mem_free(all);
    return rc;
}
