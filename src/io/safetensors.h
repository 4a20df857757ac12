/* Safetensors files. Reading maps the file and uses the tensors where they are; writing streams. */
#ifndef MICA_IO_SAFETENSORS_H
#define MICA_IO_SAFETENSORS_H

#include "array/node.h"
#include "io/stream.h"
#include "mx.h"

#include <stdbool.h>
#include <stddef.h>

/* A tensor of an open file. */
typedef struct safetensors_tensor {
    const char *name; /* valid until safetensors_close */
    const char *data; /* in the mapping; NULL in a stream */
    size_t offset;    /* from the start of the file */
    size_t bytes;
    mlx_dtype dtype; /* the 8-bit floats (F8_*) come as uint8, as in MLX */
    bool foreign;    /* it is one of those */
    int ndim;
    int *shape;
} safetensors_tensor;

typedef struct safetensors {
    char *path;
    safetensors_tensor *tensors; /* sorted by name */
    size_t count;
    char **metadata; /* key, value, key, value ... of __metadata__ */
    size_t n_metadata;
    int *shapes;  /* what the tensors' shapes point into */
    char *names;  /* what their names point into */
    buffer *file; /* the mapping; NULL for a stream: */
    node *source; /* that of the stream (array/source.h) */
} safetensors;

/* Maps a file and checks its header completely: size, JSON without duplicate keys, known dtypes, shapes that
 * do not overflow and agree with the bytes, ranges inside the file without overlap or gap. 0, or -1 with one
 * line that names the path; s is then empty. */
int safetensors_open(safetensors *s, const char *path);
/* The same for a file's bytes in memory; takes over the reference to b, also on failure. `name` is for
 * messages. */
int safetensors_from_buffer(safetensors *s, const char *name, buffer *b);
/* Arrays made from the file stay valid: the mapping goes with the last of them. */
void safetensors_close(safetensors *s);
/* NULL if there is none of that name. */
const safetensors_tensor *safetensors_find(const safetensors *s, const char *name);
/* The metadata's value of a key, or NULL. */
const char *safetensors_metadata(const safetensors *s, const char *key);
/* The tensor as an array (a temporary) that lies in the mapping; a copy if it is not aligned for its dtype;
 * of a stream, to be read when it is computed. */
mlx_array safetensors_array(const safetensors *s, const safetensors_tensor *t);

/* --- writing --- */

/* A tensor to write. */
typedef struct safetensors_item {
    const char *name;
    mlx_dtype dtype;
    int ndim;
    const int *shape;
} safetensors_item;

/* Gives item i's bytes (row-major, little-endian) in *data, valid until the next call. Called once an item,
 * in order. 0, or -1 with an error. */
typedef int (*safetensors_fetch)(void *user, size_t i, const void **data);

/* Writes one file through a temporary name: nothing is visible before it is complete. `metadata` is a list of
 * n pairs (key, value); may be NULL. */
int safetensors_write(const char *path, const safetensors_item *items, size_t n,
                      const char *const (*metadata)[2], size_t n_metadata, safetensors_fetch fetch,
                      void *user);

/* Writes a checkpoint into a folder as mlx-lm does: items in the order given go into model.safetensors or,
 * when they are more than max_shard bytes, model-00001-of-0000N.safetensors ..., with
 * model.safetensors.index.json (which says `parameters`). max_shard 0 = 5 GiB. */
int safetensors_write_sharded(const char *dir, const safetensors_item *items, size_t n, size_t max_shard,
                              size_t parameters, safetensors_fetch fetch, void *user);

/* Arrays and metadata (n_metadata pairs of key and value) as MLX writes them: no float64; a file's name gets
 * ".safetensors" if it lacks it. */
typedef struct safetensors_map {
    const char *const *names;
    const mlx_array *arrays;
    size_t n;
    const char *const (*metadata)[2];
    size_t n_metadata;
} safetensors_map;
int safetensors_save_map(const char *path, const safetensors_map *m);
int safetensors_save_stream(const stream *to, const safetensors_map *m);
/* Reads the header of a stream, which its arrays hold. */
int safetensors_load_stream(safetensors *s, const stream *from);

/* Evaluates n arrays and writes them to one file. */
int safetensors_save(const char *path, const char *const *names, const mlx_array *arrays, size_t n);

#endif
