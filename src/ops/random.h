/* What the ops on random numbers share. */
#ifndef MICA_OPS_RANDOM_H
#define MICA_OPS_RANDOM_H

#include "ops/ops.h"

/* Does x broadcast to the shape? False with an error if not. */
bool random_fits(const char *op, mlx_array x, const int *shape, size_t n);

#endif
