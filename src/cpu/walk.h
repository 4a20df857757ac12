/* The one way in which strided arrays are gone through.
 *
 * A walk has a shape and a few operands, each with its own strides over that shape (0 where it repeats).
 * Neighbouring axes that every operand crosses evenly are merged, so a dense array becomes one row. Kernels
 * then see rows: a pointer, a stride and a count for each operand. */
#ifndef MICA_CPU_WALK_H
#define MICA_CPU_WALK_H

#include "array/node.h"

enum { WALK_OPERANDS = 32 };

typedef struct walk {
    int ndim, operands;
    size_t size; /* elements of the shape */
    int64_t shape[MX_MAX_DIMS];
    int64_t stride[WALK_OPERANDS][MX_MAX_DIMS]; /* in elements */
    size_t itemsize[WALK_OPERANDS];
    char *data[WALK_OPERANDS];
} walk;

/* A walk over this shape, without operands yet. */
void walk_init(walk *w, const int *shape, int ndim);
/* Adds an operand whose shape broadcasts to the walk's. */
void walk_add(walk *w, const node *n);
/* Adds an operand by its strides, one an axis of the walk. */
void walk_add_strided(walk *w, char *data, const int64_t *strides, size_t itemsize);

/* p[i] and strides[i] (elements): operand i's part of a row of n. */
typedef void (*walk_row)(const void *context, char *const *p, const int64_t *strides, size_t n);

/* Merges axes. Rows then run along the last one. */
void walk_collapse(walk *w);
/* Merges axes, then calls fn for rows that cover the whole shape, split over the pool when that pays. */
void walk_run(walk *w, walk_row fn, const void *context);
/* The same where each element of the shape stands for `weight` elements of work. */
void walk_run_heavy(walk *w, walk_row fn, const void *context, size_t weight);

/* Copies `from`, broadcast to the shape, to memory with these strides. */
void walk_copy(char *to, const int64_t *strides, const int *shape, int ndim, const node *from);
/* Copies n's elements, row-major, to out. */
void walk_copy_dense(const node *n, char *out);
/* Kernels that know only an element's size are in tables indexed by its logarithm: 1, 2, 4, 8 bytes. */
static inline int walk_log_size(size_t itemsize)
{
    return itemsize == 1 ? 0 : itemsize == 2 ? 1 : itemsize == 4 ? 2 : 3;
}

/* n's elements row-major: its own data, or a copy in *temp (to be given to buffer_release). NULL when out of
 * memory. */
const char *walk_dense(const node *n, buffer **temp);

#endif
