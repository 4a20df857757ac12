/* Functions into files; the format is in import.h. */
#include "mx/export.h"
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "transforms/import.h"

#include <string.h>

struct mx_function_exporter {
    char *path;
    mx_list_function f;
    void *user;
    uint8_t shapeless;
    int32_t count;
    strbuf body;       /* the signatures so far */
    strbuf signatures; /* what each was found by, one after the other: length and bytes */
};

mx_function_exporter *mx_function_exporter_new(const char *file, mx_list_function f, void *user,
                                               bool shapeless)
{
    mx_function_exporter *e = mem_calloc(1, sizeof *e);
    char *path = e ? mem_strdup(file) : NULL;
    if (!path) {
        mem_free(e);
        return NULL;
    }
    *e = (mx_function_exporter){.path = path, .f = f, .user = user, .shapeless = shapeless};
    return e;
}

void mx_function_exporter_free(mx_function_exporter *e)
{
    if (!e)
        return;
    strbuf_free(&e->body);
    strbuf_free(&e->signatures);
    mem_free(e->path);
    mem_free(e);
}

/* --- pieces --- */

static void put_u64(strbuf *s, uint64_t v) { strbuf_add(s, (const char *)&v, sizeof v); }
static void put_i32(strbuf *s, int32_t v) { strbuf_add(s, (const char *)&v, sizeof v); }

static void put_text(strbuf *s, const char *p, size_t n)
{
    put_u64(s, n);
    if (n)
        strbuf_add(s, p, n);
}

static void put_spec(strbuf *s, const node *n)
{
    put_u64(s, n->ndim);
    for (int i = 0; i < n->ndim; i++)
        put_i32(s, n->shape[i]);
    put_i32(s, n->dtype);
}

/* Numbers of what has none among the graph's nodes: constants, in the order in which they are met. */
typedef struct writer {
    strbuf *s;
    uint64_t *numbers; /* of the graph's nodes */
    uint64_t next;
    strbuf entries;
    struct constant {
        const node *n;
        uint64_t number;
    } * constants; /* that were written */
    size_t n_constants, capacity;
} writer;

/* A constant is written where it is used first. */
static int put_constant(writer *w, node *n, uint64_t *number)
{
    for (size_t i = 0; i < w->n_constants; i++)
        if (w->constants[i].n == n) {
            *number = w->constants[i].number;
            return 0;
        }
    struct constant *grown = mem_grow(w->constants, &w->capacity, w->n_constants + 1, sizeof *grown);
    if (!grown)
        return -1;
    w->constants = grown;
    w->constants[w->n_constants++] = (struct constant){n, w->next};
    size_t mark = mx_mark();
    mlx_array dense = mx_contiguous(node_array(n));
    int rc = mx_eval(dense);
    if (rc == 0) {
        strbuf_addc(&w->entries, 0);
        put_spec(&w->entries, n);
        strbuf_add(&w->entries, mx_data(dense), node_bytes(n));
        *number = w->next++;
    }
    mx_release(mark);
    return rc;
}

static int put_node(writer *w, const node *n)
{
    uint64_t few[8], *ids = n->n_inputs <= 8 ? few : mem_alloc(n->n_inputs, sizeof *ids);
    int rc = ids ? 0 : -1;
    if (rc == 0 && !import_check(n->prim, n->params, n->params_size, n->inputs, n->n_inputs))
        rc = -1;
    for (uint32_t i = 0; rc == 0 && i < n->n_inputs; i++)
        if (graph_has(n->inputs[i]))
            ids[i] = w->numbers[n->inputs[i]->stamp];
        else
            rc = put_constant(w, n->inputs[i], &ids[i]);
    if (rc == 0) {
        const char *name = prim_table[n->prim].name;
        strbuf_addc(&w->entries, 1);
        put_text(&w->entries, name, strlen(name));
        put_text(&w->entries, n->params, n->params_size);
        put_text(&w->entries, (const char *)ids, n->n_inputs * sizeof *ids);
        w->numbers[n->stamp] = w->next++;
    }
    if (ids != few)
        mem_free(ids);
    return rc;
}

static int put_graph(writer *w, const graph *g)
{
    strbuf outputs = {0};
    int rc = 0;
    put_u64(w->s, g->n_inputs);
    for (size_t i = 0; i < g->n_inputs; i++) {
        put_spec(w->s, g->nodes[i]);
        w->numbers[i] = i;
    }
    w->next = g->n_inputs;
    for (size_t i = g->n_inputs; rc == 0 && i < g->count; i++)
        rc = put_node(w, g->nodes[i]);
    for (size_t i = 0; rc == 0 && i < g->n_outputs; i++) {
        uint64_t number = 0;
        if (graph_has(g->outputs[i]))
            number = w->numbers[g->outputs[i]->stamp];
        else
            rc = put_constant(w, g->outputs[i], &number);
        put_u64(&outputs, number);
    }
    put_u64(w->s, w->next - g->n_inputs);
    if (w->entries.len)
        strbuf_add(w->s, w->entries.data, w->entries.len);
    put_u64(w->s, g->n_outputs);
    if (outputs.len)
        strbuf_add(w->s, outputs.data, outputs.len);
    rc = rc || outputs.failed || w->entries.failed || w->s->failed ? -1 : 0;
    strbuf_free(&outputs);
    return rc;
}

/* --- signatures --- */

/* Is the signature one that the file has? If not, it is noted. */
static int note(mx_function_exporter *e, const strbuf *names, const mlx_array *all, size_t n)
{
    strbuf s = {0};
    put_text(&s, names->data, names->len);
    for (size_t i = 0; i < n; i++) {
        const node *x = node_of(all[i]);
        put_i32(&s, x->dtype);
        put_i32(&s, x->ndim);
        if (!e->shapeless && x->ndim)
            strbuf_add(&s, (const char *)x->shape, x->ndim * sizeof *x->shape);
    }
    int rc = s.failed ? -1 : 0;
    for (size_t at = 0; rc == 0 && at < e->signatures.len;) {
        uint64_t size;
        memcpy(&size, e->signatures.data + at, sizeof size);
        if (size == s.len && memcmp(e->signatures.data + at + sizeof size, s.data, s.len) == 0)
            rc = error_set("[export_function] a signature with these arguments was exported already");
        at += sizeof size + size;
    }
    if (rc == 0)
        put_text(&e->signatures, s.data, s.len);
    strbuf_free(&s);
    return rc || e->signatures.failed ? -1 : 0;
}

/* Args, and kwargs in the order of their names, in `all`; the names in order in `list`. */
static int arrange(const mlx_array *args, size_t n, const char *const *names, const mlx_array *kwargs,
                   size_t k, mlx_array *all, strbuf *list)
{
    const char *last = NULL;
    put_u64(list, k);
    for (size_t i = 0; i < n; i++)
        all[i] = args[i];
    for (size_t i = 0; i < k; i++) { /* the least of those above the last */
        size_t best = k;
        for (size_t j = 0; j < k; j++)
            if ((!last || strcmp(names[j], last) > 0) && (best == k || strcmp(names[j], names[best]) < 0))
                best = j;
        if (best == k)
            return error_set("[export_function] a keyword argument is given twice");
        last = names[best];
        put_text(list, last, strlen(last));
        all[n + i] = kwargs[best];
    }
    for (size_t i = 0; i < n + k; i++)
        if (mx_is_null(all[i]))
            return error_set("[export_function] argument %zu is null: an operation before failed", i);
    return list->failed ? -1 : 0;
}

static int save(const mx_function_exporter *e)
{
    strbuf s = {0};
    put_text(&s, IMPORT_MAGIC, strlen(IMPORT_MAGIC));
    put_i32(&s, e->count);
    strbuf_addc(&s, (char)e->shapeless);
    strbuf_add(&s, e->body.data, e->body.len);
    int rc = s.failed ? -1 : file_save(e->path, s.data, s.len);
    strbuf_free(&s);
    return rc;
}

static int add(mx_function_exporter *e, const strbuf *names, const mlx_array *all, size_t n)
{
    graph g;
    if (graph_trace(&g, "export_function", e->f, e->user, all, n))
        return -1;
    writer w = {.s = &e->body, .numbers = mem_alloc(g.count, sizeof *w.numbers)};
    strbuf_add(&e->body, names->data, names->len);
    int rc = w.numbers && graph_simplify(&g) == 0 ? put_graph(&w, &g) : -1;
    strbuf_free(&w.entries);
    mem_free(w.constants);
    mem_free(w.numbers);
    graph_free(&g);
    return rc;
}

int mx_function_exporter_apply(mx_function_exporter *e, const mlx_array *args, size_t n,
                               const char *const *names, const mlx_array *kwargs, size_t n_kwargs)
{
    strbuf list = {0};
    size_t body = e->body.len, signatures = e->signatures.len;
    mlx_array *all = mem_alloc(n + n_kwargs, sizeof *all);
    int rc = all ? arrange(args, n, names, kwargs, n_kwargs, all, &list) : -1;
    rc = rc || note(e, &list, all, n + n_kwargs) || add(e, &list, all, n + n_kwargs) ? -1 : 0;
    if (rc == 0) {
        e->count++;
        rc = save(e);
        e->count -= rc != 0;
    }
    if (rc) { /* as before */
        e->body.len = body;
        e->signatures.len = signatures;
    }
    strbuf_free(&list);
    mem_free(all);
    return rc;
}
