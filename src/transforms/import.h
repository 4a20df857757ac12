/* What exported functions are made of: shared by export.c and import.c.
 *
 * A file is, little-endian, texts and lists with a 64-bit count in front:
 *
 *   text "mica function 1"; int32 number of signatures; uint8 shapeless; for each signature
 *     list of texts: the keyword arguments' names, in order
 *     list of inputs: shape (list of int32), int32 dtype; keyword arguments come last
 *     list of entries, numbered on from the inputs: uint8 0, a constant: shape, int32 dtype, its bytes; or
 *       uint8 1, a node: text name of the primitive, text parameters, list of uint64 numbers of its inputs
 *     list of uint64 numbers: the outputs */
#ifndef MICA_TRANSFORMS_IMPORT_H
#define MICA_TRANSFORMS_IMPORT_H

#include "mx/export.h"
#include "transforms/graph.h"

#define IMPORT_MAGIC "mica function 1"

/* Are parameters and inputs what a node of this primitive may have? false with an error, also for a primitive
 * that files do not have (see import.def). */
bool import_check(int prim, const void *params, size_t size, node *const *in, size_t n);
/* Can it be in a file at all? */
bool import_knows(int prim);
/* What import.def calls relations, in import_rows.c and import_layers.c. */
typedef bool (*import_relation)(const void *params, size_t size, node *const *in, size_t n);
#define NODE(name, words, letters, relation) \
    bool import_##relation(const void *params, size_t size, node *const *in, size_t n);
#include "transforms/import.def"
#undef NODE

/* Shapes equal on all axes but this one. */
bool import_same_but(const node *a, const node *b, int axis);
/* Are these axes of x, each once? */
bool import_axes(const node *x, const int32_t *axes, size_t n);
/* Are these sizes, not negative? */
bool import_sizes(const int32_t *sizes, size_t n);

/* The functions of a file that lies in memory; messages call it `name`. NULL with an error. */
mx_imported_function *import_read(const char *name, const char *data, size_t size);
/* Calls visit for the graph of each signature until it returns something else than 0, which is returned. */
int import_each(const mx_imported_function *f, int (*visit)(void *user, const graph *g), void *user);

#endif
