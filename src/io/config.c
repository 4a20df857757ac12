/* Typed access to config.json. Values come from outside: a wrong type or range is the user's to know about,
 * by key. */
#include "io/config.h"

#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define CONFIG_LIMIT ((size_t)16 << 20)
enum { SIZE_LIMIT = 1 << 24 };

int cfg_parse(cfg_file *f, const char *path, const char *text, size_t size)
{
    *f = (cfg_file){.path = mem_strdup(path)};
    if (!f->path)
        return -1;
    json_error_t e;
    f->root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &e);
    if (!f->root && json_error_code(&e) == json_error_numeric_overflow) {
        f->wide = true;
        f->root = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &e);
    }
    if (!f->root)
        error_set("%s: line %d: %s", path, e.line, e.text);
    else if (!json_is_object(f->root))
        error_set("%s: not a JSON object", path);
    else
        return 0;
    cfg_close(f);
    return -1;
}

int cfg_open(cfg_file *f, const char *path)
{
    *f = (cfg_file){0};
    char *text;
    size_t size;
    if (file_read(path, CONFIG_LIMIT, &text, &size))
        return -1;
    int rc = cfg_parse(f, path, text, size);
    mem_free(text);
    return rc;
}

void cfg_close(cfg_file *f)
{
    json_decref(f->root);
    mem_free(f->path);
    *f = (cfg_file){0};
}

cfg cfg_root(cfg_file *f) { return (cfg){.file = f, .node = f->root, .where = ""}; }

cfg cfg_renamed(const cfg *c, const char *const *aliases)
{
    cfg renamed = *c;
    renamed.aliases = aliases;
    return renamed;
}

bool cfg_ok(const cfg *c) { return !c->file->failed; }

void cfg_error(const cfg *c, const char *key, const char *message)
{
    error_set("%s: \"%s%s\" %s", c->file->path, c->where, key, message);
    c->file->failed = true;
}

/* The value, or NULL when it is absent or null (an error if `required`). */
static const json_t *get(const cfg *c, const char *key, bool required)
{
    const json_t *v = json_object_get(c->node, key);
    if (v && !json_is_null(v))
        return v;
    for (const char *const *a = c->aliases; a && *a; a += 2)
        if (strcmp(a[0], key) == 0 && (v = json_object_get(c->node, a[1])) && !json_is_null(v))
            return v;
    if (required)
        cfg_error(c, key, "is missing");
    return NULL;
}

bool cfg_has(const cfg *c, const char *key) { return get(c, key, false) != NULL; }

cfg cfg_object(const cfg *c, const char *key, const char *where)
{
    const json_t *v = get(c, key, false);
    if (v && !json_is_object(v)) {
        cfg_error(c, key, "must be an object");
        v = NULL;
    }
    return (cfg){.file = c->file, .node = v, .where = where};
}

/* A whole number in [lo, hi]; 256.0 counts as one. */
static int whole(const cfg *c, const char *key, const json_t *v, int lo, int hi, int or_else)
{
    double d = json_is_number(v) ? json_number_value(v) : NAN;
    if (d >= lo && d <= hi && d == floor(d))
        return (int)d;
    char text[80];
    snprintf(text, sizeof text, "must be a whole number from %d to %d", lo, hi);
    cfg_error(c, key, text);
    return or_else;
}

int cfg_size(const cfg *c, const char *key, int or_else)
{
    const json_t *v = get(c, key, or_else == CFG_REQUIRED);
    return v ? whole(c, key, v, 1, SIZE_LIMIT, 1) : or_else == CFG_REQUIRED ? 1 : or_else;
}

int cfg_count(const cfg *c, const char *key, int or_else)
{
    const json_t *v = get(c, key, or_else == CFG_REQUIRED);
    return v ? whole(c, key, v, 0, INT_MAX, 0) : or_else == CFG_REQUIRED ? 0 : or_else;
}

float cfg_float(const cfg *c, const char *key, float or_else)
{
    const json_t *v = get(c, key, false);
    if (!v)
        return or_else;
    float f = json_is_number(v) ? (float)json_number_value(v) : NAN;
    if (isfinite(f))
        return f;
    cfg_error(c, key, "must be a number");
    return or_else;
}

bool cfg_bool(const cfg *c, const char *key, bool or_else)
{
    const json_t *v = get(c, key, false);
    if (!v)
        return or_else;
    if (!json_is_boolean(v))
        cfg_error(c, key, "must be true or false");
    return json_is_true(v);
}

const char *cfg_string(const cfg *c, const char *key, const char *or_else)
{
    const json_t *v = get(c, key, false);
    if (!v)
        return or_else;
    if (json_is_string(v))
        return json_string_value(v);
    cfg_error(c, key, "must be a string");
    return or_else;
}

const char *cfg_item(const cfg *c, const char *key, size_t i)
{
    const json_t *v = get(c, key, false);
    if (!v)
        return NULL;
    if (!json_is_array(v)) {
        cfg_error(c, key, "must be a list");
        return NULL;
    }
    return json_string_value(json_array_get(v, i));
}

bool cfg_number(const cfg *c, const char *key, size_t i, double *out)
{
    const json_t *v = json_array_get(get(c, key, false), i);
    if (!json_is_number(v))
        return false;
    *out = json_number_value(v);
    return true;
}

size_t cfg_ids(const cfg *c, const char *key, int *out, size_t max)
{
    const json_t *v = get(c, key, false);
    size_t n = !v ? 0 : json_is_array(v) ? json_array_size(v) : 1;
    for (size_t i = 0; i < n && i < max; i++)
        out[i] = whole(c, key, json_is_array(v) ? json_array_get(v, i) : v, 0, INT_MAX, 0);
    return n;
}
