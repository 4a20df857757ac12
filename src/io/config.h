/* config.json: typed reading with defaults, and errors that name the file and the key.
 *
 *     m->layers = cfg_size(c, "num_hidden_layers", CFG_REQUIRED);
 *     m->theta = cfg_float(c, "rope_theta", 10000);
 *     return cfg_ok(c) ? 0 : -1;
 *
 * The first bad value is recorded with error_set and makes cfg_ok false; reading goes on and gives defaults,
 * so a reader asks once. A key that is absent or null has its default. */
#ifndef MICA_IO_CONFIG_H
#define MICA_IO_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define CFG_REQUIRED (-1)

typedef struct cfg_file {
    json_t *root;
    char *path;
    bool failed;
    bool wide; /* it has a whole number beyond 64 bits: all of them were read as reals */
} cfg_file;

/* An object of a file: the whole, or one inside. A value: copy freely while the file is open. */
typedef struct cfg {
    cfg_file *file;
    const json_t *node;         /* NULL: absent, every key has its default */
    const char *where;          /* "" or the object's key and a dot, for messages */
    const char *const *aliases; /* pairs of a key and what this file calls it, up to NULL; or NULL */
} cfg;

/* Reads a JSON object. 0, or -1 with an error that tells the line. */
int cfg_open(cfg_file *f, const char *path);
/* The same from text; `path` is what messages say. */
int cfg_parse(cfg_file *f, const char *path, const char *text, size_t size);
void cfg_close(cfg_file *f);
cfg cfg_root(cfg_file *f);
bool cfg_ok(const cfg *c);
/* Records an error "path: where key: message" and makes cfg_ok false. */
void cfg_error(const cfg *c, const char *key, const char *message);

/* The same object with other spellings: aliases are pairs of a key and how this family spells it, up to NULL;
 * they must live as long as the result. */
cfg cfg_renamed(const cfg *c, const char *const *aliases);
/* Is the key there and not null? */
bool cfg_has(const cfg *c, const char *key);
/* The object of a key; with node NULL if it is absent. */
cfg cfg_object(const cfg *c, const char *key, const char *where);
/* A whole number from 1 to 2^24; with CFG_REQUIRED its absence is an error. */
int cfg_size(const cfg *c, const char *key, int or_else);
/* A whole number from 0 to 2^31 - 1. */
int cfg_count(const cfg *c, const char *key, int or_else);
/* A finite number. */
float cfg_float(const cfg *c, const char *key, float or_else);
bool cfg_bool(const cfg *c, const char *key, bool or_else);
/* Number i of a list; false if there is none. */
bool cfg_number(const cfg *c, const char *key, size_t i, double *out);
/* A string, valid while the file is open. */
const char *cfg_string(const cfg *c, const char *key, const char *or_else);
/* Item i of a list of strings, NULL if there is none. */
const char *cfg_item(const cfg *c, const char *key, size_t i);
/* A number or a list of numbers: writes at most `max` ids, returns how many there are. */
size_t cfg_ids(const cfg *c, const char *key, int *out, size_t max);

#endif
