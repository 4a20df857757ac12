/* Prefixes in a file: a safetensors file with
 *
 *   parents (N)             of each node the number of its parent, which comes before it, or -1
 *   tokens (N, block_size)  its tokens; those of salts are negative
 *   rows.G (N)              the row of its block of group G in that group's layers, or -1; rows are in the
 * order of last use layers.L (rows, bytes)  blocks of layer L */
#include "kv/cache_file.h"

#include "base/error.h"
#include "base/mem.h"
#include "io/safetensors.h"

#include <stdio.h>
#include <string.h>

#define KEY "mica_cache"

/* --- saving --- */

typedef struct listing {
    int *index; /* of each node its number, or KV_NONE */
    int *parents, *tokens, *rows[KV_GROUPS];
    int *blocks[KV_GROUPS]; /* of each row its block */
    int n, n_rows[KV_GROUPS];
} listing;

/* Gives a node its number, its parents first. */
static void number(listing *l, const kv_blocks *b, int leaf)
{
    const size_t bytes = (size_t)b->block_size * sizeof *l->tokens;
    while (l->index[leaf] == KV_NONE) {
        int top = leaf;
        while (b->nodes[top].parent != KV_NONE && l->index[b->nodes[top].parent] == KV_NONE)
            top = b->nodes[top].parent;
        int parent = b->nodes[top].parent;
        l->parents[l->n] = parent == KV_NONE ? KV_NONE : l->index[parent];
        memcpy(l->tokens + (size_t)l->n * (size_t)b->block_size,
               b->tokens + (size_t)top * (size_t)b->block_size, bytes);
        for (int g = 0; g < b->n_groups; g++)
            l->rows[g][l->n] = KV_NONE;
        l->index[top] = l->n++;
    }
}

static int list(listing *l, const kv_blocks *b)
{
    *l = (listing){0};
    l->index = mem_alloc(b->n_nodes, sizeof *l->index);
    l->parents = mem_alloc(b->live, sizeof *l->parents);
    l->tokens = mem_alloc(b->live, (size_t)b->block_size * sizeof *l->tokens);
    bool ok = l->index && l->parents && l->tokens;
    for (int g = 0; g < b->n_groups; g++) {
        l->rows[g] = mem_alloc(b->live, sizeof **l->rows);
        l->blocks[g] = mem_alloc((size_t)b->pools[g].count, sizeof **l->blocks);
        ok = ok && l->rows[g] && l->blocks[g];
    }
    for (size_t i = 0; ok && i < b->n_nodes; i++)
        l->index[i] = KV_NONE;
    for (int g = 0; ok && g < b->n_groups; g++) {
        const kv_pool *p = &b->pools[g];
        for (int i = p->blocks[p->count].next; i != p->count; i = p->blocks[i].next) {
            if (p->blocks[i].node == KV_NONE)
                continue;
            number(l, b, p->blocks[i].node);
            l->rows[g][l->index[p->blocks[i].node]] = l->n_rows[g];
            l->blocks[g][l->n_rows[g]++] = i;
        }
    }
    return ok ? 0 : -1;
}

static void list_free(listing *l)
{
    mem_free(l->index);
    mem_free(l->parents);
    mem_free(l->tokens);
    for (int g = 0; g < KV_GROUPS; g++) {
        mem_free(l->rows[g]);
        mem_free(l->blocks[g]);
    }
}

static int write_list(const listing *l, const kv_blocks *b, const kv_paged *p, const char *path,
                      const char *key)
{
    size_t n = 0, most = 2 + (size_t)b->n_groups + (size_t)p->n_layers;
    mlx_array *arrays = mem_alloc(most, sizeof *arrays);
    char(*names)[24] = mem_alloc(most, sizeof *names);
    const char **texts = mem_alloc(most, sizeof *texts);
    int rc = -1;
    if (arrays && names && texts) {
        size_t mark = mx_mark();
        snprintf(names[n], sizeof *names, "parents");
        arrays[n++] = mx_from(l->parents, SHAPE(l->n), MLX_INT32);
        snprintf(names[n], sizeof *names, "tokens");
        arrays[n++] = mx_from(l->tokens, SHAPE(l->n, b->block_size), MLX_INT32);
        for (int g = 0; g < b->n_groups; g++) {
            snprintf(names[n], sizeof *names, "rows.%d", g);
            arrays[n++] = mx_from(l->rows[g], SHAPE(l->n), MLX_INT32);
        }
        for (int i = 0; i < p->n_layers; i++) {
            const paged_layer *x = &p->layers[i];
            if (mx_is_null(x->pool) || l->n_rows[x->group] == 0)
                continue;
            snprintf(names[n], sizeof *names, "layers.%d", i);
            arrays[n++] =
                mx_take(x->pool, mx_from(l->blocks[x->group], SHAPE(l->n_rows[x->group]), MLX_INT32), 0);
        }
        for (size_t i = 0; i < n; i++)
            texts[i] = names[i];
        const char *const metadata[][2] = {{KEY, key}};
        const safetensors_map all = {texts, arrays, n, metadata, 1};
        rc = safetensors_save_map(path, &all);
        mx_release(mark);
    }
    mem_free(arrays);
    mem_free(names);
    mem_free(texts);
    return rc;
}

int cache_file_save(const kv_blocks *b, const kv_paged *p, const char *path, const char *key)
{
    listing l;
    int rc = list(&l, b);
    if (rc == 0)
        rc = write_list(&l, b, p, path, key);
    list_free(&l);
    return rc;
}

/* --- loading --- */

typedef struct reader {
    const safetensors *f;
    const int *parents, *tokens, *rows[KV_GROUPS];
    int n, n_rows[KV_GROUPS], skip[KV_GROUPS]; /* rows that are too old for the room there is */
    int *nodes;                                /* that the file's became */
    int *blocks[KV_GROUPS];                    /* of each row, or KV_NONE */
} reader;

/* A tensor's numbers: (n) or (n, width) int32; NULL with an error. */
static const int *ints(const safetensors *f, const char *name, int n, int width)
{
    const safetensors_tensor *t = safetensors_find(f, name);
    bool fits = t && t->dtype == MLX_INT32 && t->ndim == (width ? 2 : 1) && t->shape[0] == n &&
                (!width || t->shape[1] == width) && (uintptr_t)t->data % sizeof(int) == 0;
    if (!fits)
        return error_set("%s: %s is not what a cache file has there", f->path, name), NULL;
    return (const int *)(const void *)t->data;
}

/* Each row belongs to one node; the group's layers have as many rows. */
static int check_rows(reader *r, const kv_paged *p, int g)
{
    for (int i = 0; i < r->n; i++)
        if (r->rows[g][i] >= r->n_rows[g])
            r->n_rows[g] = r->rows[g][i] < INT32_MAX ? r->rows[g][i] + 1 : 0;
    for (int i = 0; i < p->n_layers; i++) {
        const paged_layer *l = &p->layers[i];
        char name[24];
        snprintf(name, sizeof name, "layers.%d", i);
        const safetensors_tensor *t = safetensors_find(r->f, name);
        if (l->group != g || mx_is_null(l->pool) || r->n_rows[g] == 0)
            continue;
        if (!t || t->dtype != MLX_UINT8 || t->ndim != 2 || t->shape[0] != r->n_rows[g] ||
            t->shape[1] != mx_dim(l->pool, 1))
            return error_set("%s: %s is not what a cache file has there", r->f->path, name);
    }
    return 0;
}

static int open_reader(reader *r, const safetensors *f, const kv_blocks *b, const kv_paged *p)
{
    const safetensors_tensor *t = safetensors_find(f, "parents");
    *r = (reader){.f = f, .n = t && t->ndim == 1 ? t->shape[0] : 0};
    r->parents = ints(f, "parents", r->n, 0);
    r->tokens = ints(f, "tokens", r->n, b->block_size);
    if (!r->parents || !r->tokens)
        return -1;
    for (int i = 0; i < r->n; i++)
        if (r->parents[i] < KV_NONE || r->parents[i] >= i)
            return error_set("%s: the parents are out of order", f->path);
    for (int g = 0; g < b->n_groups; g++) {
        char name[24];
        snprintf(name, sizeof name, "rows.%d", g);
        if (!(r->rows[g] = ints(f, name, r->n, 0)) || check_rows(r, p, g))
            return -1;
        r->blocks[g] = mem_alloc((size_t)r->n_rows[g], sizeof **r->blocks);
        if (!r->blocks[g])
            return -1;
        for (int i = 0; i < r->n_rows[g]; i++)
            r->blocks[g][i] = KV_NONE;
        int room = blocks_available(b, g);
        r->skip[g] = r->n_rows[g] > room ? r->n_rows[g] - room : 0;
    }
    r->nodes = mem_alloc((size_t)r->n, sizeof *r->nodes);
    return r->nodes ? 0 : -1;
}

/* Makes the nodes, and takes a block for each row that has room. */
static void enter(reader *r, kv_blocks *b)
{
    for (int i = 0; i < r->n; i++) {
        int parent = r->parents[i] == KV_NONE ? KV_NONE : r->nodes[r->parents[i]];
        bool orphan = r->parents[i] != KV_NONE && parent == KV_NONE;
        r->nodes[i] =
            orphan ? KV_NONE : prefix_enter(b, parent, r->tokens + (size_t)i * (size_t)b->block_size);
        for (int g = 0; g < b->n_groups && r->nodes[i] != KV_NONE; g++) {
            int row = r->rows[g][i];
            if (row < r->skip[g] || r->blocks[g][row] != KV_NONE || b->nodes[r->nodes[i]].block[g] != KV_NONE)
                continue;
            r->blocks[g][row] = blocks_take(b, g);
            if (r->blocks[g][row] != KV_NONE)
                prefix_attach(b, r->nodes[i], g, r->blocks[g][row]);
        }
    }
}

/* Copies the rows into the pools. */
static int fill(const reader *r, kv_paged *p, int g)
{
    int *both = mem_alloc(2 * (size_t)r->n_rows[g], sizeof *both), n = 0;
    for (int i = 0; both && i < r->n_rows[g]; i++)
        if (r->blocks[g][i] != KV_NONE) {
            both[n] = i;
            both[r->n_rows[g] + n++] = r->blocks[g][i];
        }
    size_t mark = mx_mark();
    for (int i = 0; n && i < p->n_layers; i++) {
        paged_layer *l = &p->layers[i];
        char name[24];
        snprintf(name, sizeof name, "layers.%d", i);
        if (l->group != g || mx_is_null(l->pool))
            continue;
        mlx_array rows = mx_take(safetensors_array(r->f, safetensors_find(r->f, name)),
                                 mx_from(both, SHAPE(n), MLX_INT32), 0);
        mlx_array at = mx_from(both + r->n_rows[g], SHAPE(n), MLX_INT32);
        static const int FIRST[] = {0};
        mx_set(&l->pool, mx_scatter(l->pool, &at, 1, mx_expand_dims(rows, 1), FIRST));
    }
    mx_release(mark);
    mem_free(both);
    return both && !error_pending() ? 0 : -1;
}

static int take_in(reader *r, kv_blocks *b, kv_paged *p)
{
    enter(r, b);
    int rc = 0;
    for (int g = 0; g < b->n_groups && rc == 0; g++)
        rc = fill(r, p, g);
    if (rc == 0)
        rc = paged_eval(p);
    for (int g = 0; g < b->n_groups; g++)
        for (int i = 0; i < r->n_rows[g]; i++)
            if (r->blocks[g][i] != KV_NONE)
                blocks_release(b, g, r->blocks[g][i]);
    for (int i = r->n; i-- > 0;)
        prefix_drop(b, r->nodes[i]);
    if (rc == 0)
        return 0;
    blocks_drop_cached(b);
    paged_allocate(p);
    return -1;
}

int cache_file_load(kv_blocks *b, kv_paged *p, const char *path, const char *key)
{
    safetensors f;
    reader r = {0};
    if (safetensors_open(&f, path))
        return -1;
    const char *made = safetensors_metadata(&f, KEY);
    int rc = made && strcmp(made, key) == 0 ? open_reader(&r, &f, b, p)
             : made ? error_set("%s: the cache was made by another model or setting: %s", path, made)
                    : error_set("%s: this is no cache of the engine", path);
    if (rc == 0)
        rc = take_in(&r, b, p);
    mem_free(r.nodes);
    for (int g = 0; g < KV_GROUPS; g++)
        mem_free(r.blocks[g]);
    safetensors_close(&f);
    return rc;
}
