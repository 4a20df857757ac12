/* GGUF files: named tensors, and metadata of numbers, lists of numbers, texts and lists of texts.
 *
 * Reading gives what MLX's loader gives: F32, F16, I8, I16, I32 (and F64, I64) as they are, the shape
 * reversed; Q4_0, Q4_1 and Q8_0 as affine quantized arrays of groups of 32 (NAME.weight, NAME.scales,
 * NAME.biases); other quantized types as float16. */
#ifndef MICA_IO_GGUF_H
#define MICA_IO_GGUF_H

#include "base/map.h"
#include "io/stream.h"
#include "mx.h"

typedef enum gguf_kind { GGUF_ARRAY, GGUF_STRING, GGUF_STRINGS } gguf_kind;

typedef struct gguf_entry {
    char *key;
    gguf_kind kind;
    mlx_array array; /* a slot */
    char **strings;  /* of which GGUF_STRING has one */
    size_t count;
} gguf_entry;

typedef struct gguf_table {
    gguf_entry *entries; /* in the order in which they came */
    size_t count, capacity;
    map places;
} gguf_table;

/* Zero-initialise. */
typedef struct gguf {
    gguf_table tensors, metadata;
} gguf;

void gguf_clear(gguf *g);
/* Set or replace an entry; arrays are retained, texts copied. 0, or -1 when out of memory. */
int gguf_set_array(gguf_table *t, const char *key, mlx_array x);
int gguf_set_string(gguf_table *t, const char *key, const char *text);
int gguf_set_strings(gguf_table *t, const char *key, const char *const *texts, size_t n);
/* NULL if there is none. */
const gguf_entry *gguf_find(const gguf_table *t, const char *key);

/* Fills g, which is empty, from a file. 0, or -1 with an error, and g is empty. */
int gguf_load(gguf *g, const char *path);
/* The same from its bytes; takes over the reference to b, also on failure. */
int gguf_from_buffer(gguf *g, const char *name, buffer *b);
/* Writes a file (".gguf" is added); tensors of float32, float16, int8, int16 and int32. 0, or -1 with an
 * error. */
int gguf_save(const char *path, const gguf *g);

/* How a tensor's type is stored: `block` elements in `bytes`. dtype: what a plain one is, else MLX_FLOAT16.
 */
typedef struct gguf_type {
    const char *name;
    uint32_t id;
    int block, bytes;
    bool plain;
    mlx_dtype dtype;
    void (*expand)(const uint8_t *block, float *out); /* of one block, NULL for plain ones */
} gguf_type;
/* NULL for a type that is not known. */
const gguf_type *gguf_type_find(uint32_t id);
/* Turns blocks of a quantized type into packed weights, scales and biases. false if the type has no such
 * form. */
bool gguf_type_repack(const gguf_type *t, const uint8_t *blocks, size_t count, uint8_t *weights,
                      uint16_t *scales, uint16_t *biases);

#endif
