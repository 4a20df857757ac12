/* Reading index arrays: integers of any dtype, of which negative ones count from the end of their axis. */
#ifndef MICA_CPU_INDEX_H
#define MICA_CPU_INDEX_H

#include "prim/prim.h"

/* Indices that are read at a time. */
enum { INDEX_BLOCK = 256 };

/* An index array whose entries are positions on an axis; threads that read from it share the struct. */
typedef struct index_source {
    mlx_dtype dtype;
    int axis, size;
    int slice;           /* what begins there has this size on the axis, and must lie within it */
    _Atomic bool failed; /* an index was out of bounds: this one */
    int64_t culprit;
} index_source;

/* Reads n <= INDEX_BLOCK indices from p on, `stride` apart, as positions 0 .. size - slice. An index out of
 * bounds is noted in the source and read as 0. */
void index_read(index_source *s, const char *p, int64_t stride, size_t n, int64_t *out);
/* -1 with the error if an index was out of bounds. */
int index_failure(const index_source *s, const node *n);
/* Checks all of an index array. 0, or -1 with the error. */
int index_check(const node *n, const node *indices, int axis, int size);

/* The offset in `target`, in elements, of each slice that Gather or Scatter n names; shape: what its index
 * arrays broadcast to, `places` elements. The offsets are *temp's (to be given to buffer_release). NULL with
 * an error. */
const int64_t *index_offsets(const node *n, const node *target, const int *shape, int ndim, size_t places,
                             buffer **temp);

#endif
