/* Copies between layouts whose dense axes differ. */
#ifndef MICA_CPU_TRANSPOSE_H
#define MICA_CPU_TRANSPOSE_H

#include "array/node.h"

/* Copies `from` (of this shape) to memory with these strides if the destination's last axis is dense and
 * another axis of the source is, both long enough; false if this is not such a copy, and nothing is done. */
bool transpose_copy(char *to, const int64_t *strides, const int *shape, int ndim, const node *from);

#endif
