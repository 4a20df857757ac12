/* Graphs as text.
 *
 * The lazy nodes that lead to the outputs are listed inputs before users by a walk with a stack of its own;
 * which nodes it has seen is in a map, so that the graph is left as it was. A node of several results is
 * written with all of them: what reads one of them (Item) has that result's name. The text is MLX's. */
#include "base/error.h"
#include "base/map.h"
#include "base/mem.h"
#include "mx/export.h"
#include "prim/prim.h"

#include <string.h>

/* --- names --- */

typedef struct named {
    struct named *next;
    node *n;
    char *name;
} named;

struct mx_node_namer {
    named *all;
    map by_node; /* -> named */
};

mx_node_namer *mx_node_namer_new(void) { return mem_calloc(1, sizeof(mx_node_namer)); }

void mx_node_namer_free(mx_node_namer *namer)
{
    if (!namer)
        return;
    for (named *e = namer->all, *next; e; e = next) {
        next = e->next;
        node_release(e->n);
        mem_free(e->name);
        mem_free(e);
    }
    map_free(&namer->by_node);
    mem_free(namer);
}

static named *find(const mx_node_namer *namer, const node *n)
{
    uint64_t value;
    return map_get(&namer->by_node, (const char *)&n, sizeof n, &value) ? (named *)(uintptr_t)value : NULL;
}

/* Gives an array without a name this one, which passes over; NULL with an error. */
static named *add(mx_node_namer *namer, node *n, char *name)
{
    named *e = name ? mem_calloc(1, sizeof *e) : NULL;
    if (e)
        e->n = n;
    if (!e || map_put(&namer->by_node, (const char *)&e->n, sizeof e->n, (uint64_t)(uintptr_t)e)) {
        mem_free(name);
        mem_free(e);
        return NULL;
    }
    e->n = node_retain(n);
    e->name = name;
    e->next = namer->all;
    namer->all = e;
    return e;
}

int mx_node_namer_set_name(mx_node_namer *namer, mlx_array x, const char *name)
{
    if (mx_is_null(x))
        return error_set("[namer] the array is null: an operation before failed");
    named *e = find(namer, node_of(x));
    char *copy = mem_strdup(name);
    if (!e)
        return add(namer, node_of(x), copy) ? 0 : -1;
    if (!copy)
        return -1;
    mem_free(e->name);
    e->name = copy;
    return 0;
}

/* Columns of a sheet: A .. Z, AA .. */
static char *letters(size_t number)
{
    char text[16];
    size_t at = sizeof text;
    text[--at] = 0;
    for (number++; number; number = (number - 1) / 26)
        text[--at] = (char)('A' + (number - 1) % 26);
    return mem_strdup(text + at);
}

const char *mx_node_namer_get_name(mx_node_namer *namer, mlx_array x)
{
    if (mx_is_null(x)) {
        error_set("[namer] the array is null: an operation before failed");
        return NULL;
    }
    named *e = find(namer, node_of(x));
    if (!e)
        e = add(namer, node_of(x), letters(namer->by_node.count));
    return e ? e->name : NULL;
}

/* --- the list of nodes --- */

typedef struct seen {
    node *n;
    uint32_t next; /* input to look at */
    struct seen *user;
    struct seen *older; /* of all */
} seen;

typedef struct listing {
    node **nodes; /* inputs and constants too; before their users */
    size_t count, capacity;
    map known;
    seen *all;
} listing;

static void listing_free(listing *l)
{
    for (seen *s = l->all, *older; s; s = older) {
        older = s->older;
        mem_free(s);
    }
    map_free(&l->known);
    mem_free(l->nodes);
}

static seen *enter(listing *l, node *n, seen *user)
{
    seen *s = mem_alloc(1, sizeof *s);
    if (!s)
        return NULL;
    *s = (seen){n, 0, user, l->all};
    l->all = s;
    return map_put(&l->known, (const char *)&s->n, sizeof s->n, 1) ? NULL : s;
}

static bool is_known(const listing *l, const node *n)
{
    return map_get(&l->known, (const char *)&n, sizeof n, NULL);
}

static bool is_lazy(const node *n) { return node_status(n) == NODE_LAZY; }

static int append(listing *l, node *n)
{
    node **grown = mem_grow(l->nodes, &l->capacity, l->count + 1, sizeof *grown);
    if (!grown)
        return -1;
    l->nodes = grown;
    l->nodes[l->count++] = n;
    return 0;
}

static int list_from(listing *l, node *root)
{
    if (is_known(l, root))
        return 0;
    seen *s = enter(l, root, NULL);
    if (!s)
        return -1;
    while (s) {
        while (is_lazy(s->n) && s->next < s->n->n_inputs && is_known(l, s->n->inputs[s->next]))
            s->next++;
        if (is_lazy(s->n) && s->next < s->n->n_inputs) {
            s = enter(l, s->n->inputs[s->next], s);
            if (!s)
                return -1;
            continue;
        }
        if (append(l, s->n))
            return -1;
        s = s->user;
    }
    return 0;
}

static int list_all(listing *l, const mlx_array *outputs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (mx_is_null(outputs[i]))
            return error_set("[graph] output %zu is null: an operation before failed", i);
        if (list_from(l, node_of(outputs[i])))
            return -1;
    }
    return 0;
}

/* --- text --- */

static bool is_input(const node *n) { return !is_lazy(n) || !n->prim; }

static const char *name_of(mx_node_namer *namer, node *n)
{
    const char *name = mx_node_namer_get_name(namer, node_array(n));
    return name ? name : "";
}

/* "A [(2,3), float32]" */
static void print_array(FILE *f, mx_node_namer *namer, node *n)
{
    fprintf(f, "%s [(", name_of(namer, n));
    for (int i = 0; i < n->ndim; i++)
        fprintf(f, i ? ",%d" : "%d", n->shape[i]);
    fprintf(f, "), %s]", mx_dtype_name((mlx_dtype)n->dtype));
}

/* What MLX calls a primitive of this node: some names follow from parameters. */
static void print_label(FILE *f, const node *n)
{
    static const char *const reductions[] = {"Sum", "Prod", "Max", "Min", "And", "Or"},
                             *const scans[] = {"CumSum", "CumProd", "CumMax", "CumMin", "CumLogAddExp"},
                             *const updates[] = {"", " Sum", " Prod", " Max", " Min"};
    const char *name = prim_table[n->prim].name;
    const prim_compiled *program = n->params;
    switch (n->prim) {
    case PRIM_Compiled: /* and what it is made of, first the inputs that it reads broadcast */
        fputs(name, f);
        for (uint32_t i = 0; i < n->n_inputs; i++)
            if (n->inputs[i]->prim == PRIM_Broadcast || n->inputs[i]->size != n->size)
                fputs(prim_table[PRIM_Broadcast].name, f);
        for (int i = 0; i < program->count; i++)
            fputs(prim_table[program->ops[i].prim].name, f);
        break;
    case PRIM_Reduce:
        fputs(reductions[((const prim_reduce *)n->params)->kind], f);
        break;
    case PRIM_Scan:
        fputs(scans[((const prim_scan *)n->params)->kind], f);
        break;
    case PRIM_Scatter:
        fprintf(f, "%s%s", name, updates[((const prim_gather *)n->params)->mode]);
        break;
    case PRIM_ScatterAxis:
        fprintf(f, "%s%s", name, updates[((const prim_scatter_axis *)n->params)->mode]);
        break;
    default:
        fputs(name, f);
    }
}

/* The results of entry i: itself, or the Items of it. */
static size_t results(const listing *l, size_t i, size_t k, node **out)
{
    node *n = l->nodes[i];
    if (!n->outputs) {
        *out = n;
        return k == 0 ? i + 1 : 0;
    }
    for (size_t at = k ? k : i + 1; at < l->count; at++)
        if (l->nodes[at]->prim == PRIM_Item && l->nodes[at]->inputs[0] == n) {
            *out = l->nodes[at];
            return at + 1;
        }
    return 0;
}

static int print_lines(FILE *f, mx_node_namer *namer, const listing *l, const mlx_array *outputs, size_t n)
{
    node *result;
    const char *sign = "Inputs: ";
    for (size_t i = 0; i < l->count; i++)
        if (is_input(l->nodes[i])) {
            fputs(sign, f);
            print_array(f, namer, l->nodes[i]);
            sign = ", ";
        }
    fputs(*sign == 'I' ? "Inputs: \nOutputs: " : "\nOutputs: ", f);
    for (size_t i = 0; i < n; i++) {
        fputs(i ? ", " : "", f);
        print_array(f, namer, node_of(outputs[i]));
    }
    fprintf(f, "\n");
    for (size_t i = 0; i < l->count; i++) {
        node *x = l->nodes[i];
        if (is_input(x) || x->prim == PRIM_Item)
            continue;
        print_label(f, x);
        fputc(' ', f);
        for (uint32_t k = 0; k < x->n_inputs; k++) {
            fprintf(f, "%s", k ? ", " : "");
            print_array(f, namer, x->inputs[k]);
        }
        sign = " -> ";
        for (size_t at = results(l, i, 0, &result); at; at = results(l, i, at, &result)) {
            fprintf(f, "%s", sign);
            print_array(f, namer, result);
            sign = ", ";
        }
        fprintf(f, "\n");
    }
    return error_pending() ? -1 : 0;
}

/* A name between quotes. */
static void quote(FILE *f, const char *text)
{
    fputc('"', f);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', f);
        fputc(*text, f);
    }
    fputc('"', f);
}

/* Is x read by a node of the list? */
static bool is_read(const map *read, const node *x)
{
    return map_get(read, (const char *)&x, sizeof x, NULL);
}

/* Notes what nodes read. Views of one of several results stand for the result. */
static int note_read(const listing *l, map *read)
{
    for (size_t i = 0; i < l->count; i++)
        for (uint32_t k = 0; !is_input(l->nodes[i]) && k < l->nodes[i]->n_inputs; k++)
            if (!is_read(read, l->nodes[i]->inputs[k]) &&
                map_put(read, (const char *)&l->nodes[i]->inputs[k], sizeof(node *), 1))
                return -1;
    return 0;
}

static void print_place(FILE *f, mx_node_namer *namer, const char *rank, node *x)
{
    fprintf(f, "{ %s", rank);
    quote(f, name_of(namer, x));
    fprintf(f, "; }\n");
}

/* Node i, the arrows to it, its results and the arrows to them. */
static void print_op(FILE *f, mx_node_namer *namer, const listing *l, size_t i, const map *read)
{
    node *x = l->nodes[i], *result;
    fprintf(f, "{ %zu [label =\"", i);
    print_label(f, x);
    fprintf(f, "\", shape=rectangle]; }\n");
    for (uint32_t k = 0; k < x->n_inputs; k++) {
        quote(f, name_of(namer, x->inputs[k]));
        fprintf(f, " -> %zu\n", i);
    }
    for (size_t at = results(l, i, 0, &result); at; at = results(l, i, at, &result)) {
        print_place(f, namer, is_read(read, result) ? "" : "rank=sink; ", result);
        fprintf(f, "%zu -> ", i);
        quote(f, name_of(namer, result));
        fprintf(f, "\n");
    }
}

static int print_dot(FILE *f, mx_node_namer *namer, const listing *l, const mlx_array *outputs, size_t n)
{
    map read = {0};
    (void)outputs, (void)n;
    int rc = note_read(l, &read);
    fprintf(f, "digraph {\n");
    for (size_t i = 0; i < l->count && rc == 0; i++)
        if (is_input(l->nodes[i]))
            print_place(f, namer, "rank=source; ", l->nodes[i]);
        else if (l->nodes[i]->prim != PRIM_Item)
            print_op(f, namer, l, i, &read);
    fprintf(f, "}");
    map_free(&read);
    return rc || error_pending() ? -1 : 0;
}

typedef int (*printer)(FILE *f, mx_node_namer *namer, const listing *l, const mlx_array *outputs, size_t n);

static int print_by(printer print, FILE *f, mx_node_namer *namer, const mlx_array *outputs, size_t n)
{
    listing l = {0};
    int rc = list_all(&l, outputs, n);
    if (rc == 0)
        rc = print(f, namer, &l, outputs, n);
    if (rc == 0 && ferror(f))
        rc = error_set("[graph] the file could not be written");
    listing_free(&l);
    return rc;
}

int mx_export_to_dot(FILE *file, mx_node_namer *namer, const mlx_array *outputs, size_t n)
{
    return print_by(print_dot, file, namer, outputs, n);
}

int mx_print_graph(FILE *file, mx_node_namer *namer, const mlx_array *outputs, size_t n)
{
    return print_by(print_lines, file, namer, outputs, n);
}
