/* A checkpoint is a folder: one model.safetensors, or shards model-00001-of-0000N.safetensors with an index.
 * As in mlx-lm, the files that are there count, not the index; the index only tells which file is missing. */
#include "io/checkpoint.h"

#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define INDEX_LIMIT ((size_t)64 << 20)

typedef struct names {
    char **list;
    size_t count, cap;
} names;

static bool is_weights(const char *name)
{
    size_t n = strlen(name);
    return n >= 17 && strncmp(name, "model", 5) == 0 && strcmp(name + n - 12, ".safetensors") == 0;
}

static int compare(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static int list_weights(names *l, const char *dir)
{
    DIR *d = opendir(dir);
    if (!d)
        return error_set("%s: cannot read the folder: %s", dir, strerror(errno));
    int rc = 0;
    const struct dirent *e;
    while (rc == 0 && (e = readdir(d))) {
        if (!is_weights(e->d_name))
            continue;
        char **grown = mem_grow(l->list, &l->cap, l->count + 1, sizeof *grown);
        if (grown)
            l->list = grown;
        char *copy = grown ? mem_strdup(e->d_name) : NULL;
        if (copy)
            l->list[l->count++] = copy;
        rc = copy ? 0 : -1;
    }
    closedir(d);
    if (l->count)
        qsort(l->list, l->count, sizeof *l->list, compare);
    return rc;
}

/* Is every file that the index names in the list? An index that cannot be read is not our business. */
static int check_index(const names *l, const char *dir)
{
    char *path = file_join(dir, "model.safetensors.index.json"), *text = NULL;
    size_t size;
    int rc = path ? 0 : -1;
    if (rc == 0 && file_exists(path))
        rc = file_read(path, INDEX_LIMIT, &text, &size);
    json_t *root = text && rc == 0 ? json_loadb(text, size, 0, NULL) : NULL;
    json_t *weights = json_object_get(root, "weight_map");
    const char *key;
    json_t *value;
    json_object_foreach(weights, key, value)
    {
        const char *file = json_string_value(value);
        if (rc || !file || !is_weights(file))
            continue;
        if (!l->count || !bsearch(&file, l->list, l->count, sizeof *l->list, compare))
            rc = error_set("%s: %s is missing (model.safetensors.index.json names it); fetch the whole model",
                           dir, file);
    }
    json_decref(root);
    mem_free(text);
    mem_free(path);
    return rc;
}

static int open_files(checkpoint *c, const names *l, const char *dir)
{
    if (l->count == 0)
        return error_set("%s: no model*.safetensors in this folder", dir);
    c->files = mem_calloc(l->count, sizeof *c->files);
    if (!c->files)
        return -1;
    for (size_t i = 0; i < l->count; i++) {
        char *path = file_join(dir, l->list[i]);
        int rc = path ? safetensors_open(&c->files[i], path) : -1;
        mem_free(path);
        if (rc)
            return -1;
        c->n_files++;
        c->count += c->files[i].count;
    }
    return 0;
}

static int index_names(checkpoint *c)
{
    c->entries = mem_calloc(c->count, sizeof *c->entries);
    if (!c->entries || map_reserve(&c->names, c->count))
        return -1;
    size_t k = 0;
    for (size_t f = 0; f < c->n_files; f++) {
        for (size_t i = 0; i < c->files[f].count; i++, k++) {
            const safetensors_tensor *t = &c->files[f].tensors[i];
            uint64_t other;
            if (map_get(&c->names, t->name, strlen(t->name), &other))
                return error_set("%s: tensor \"%s\" is also in %s; remove the file that does not belong",
                                 c->files[f].path, t->name, c->entries[other].file->path);
            c->entries[k] = (checkpoint_entry){&c->files[f], t, false};
            if (map_put(&c->names, t->name, strlen(t->name), k))
                return -1;
        }
    }
    return 0;
}

int checkpoint_open(checkpoint *c, const char *dir)
{
    names l = {0};
    *c = (checkpoint){0};
    int rc = list_weights(&l, dir);
    if (rc == 0)
        rc = check_index(&l, dir);
    if (rc == 0)
        rc = open_files(c, &l, dir);
    if (rc == 0)
        rc = index_names(c);
    if (rc)
        checkpoint_close(c);
    for (size_t i = 0; i < l.count; i++)
        mem_free(l.list[i]);
    mem_free(l.list);
    return rc;
}

void checkpoint_close(checkpoint *c)
{
    for (size_t i = 0; i < c->n_files; i++)
        safetensors_close(&c->files[i]);
    mem_free(c->files);
    mem_free(c->entries);
    map_free(&c->names);
    *c = (checkpoint){0};
}

checkpoint_entry *checkpoint_find(checkpoint *c, const char *name)
{
    uint64_t i;
    return map_get(&c->names, name, strlen(name), &i) ? &c->entries[i] : NULL;
}

size_t checkpoint_bytes(const checkpoint *c)
{
    size_t bytes = 0;
    for (size_t i = 0; i < c->count; i++)
        bytes += c->entries[i].tensor->bytes;
    return bytes;
}
