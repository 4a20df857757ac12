/* Scans of dense rows: what a reduction gives up to each element. */
#ifndef MICA_CPU_SCAN_H
#define MICA_CPU_SCAN_H

#include "mx/array.h"

/* `rows` rows of n elements, `stride` elements apart (x and y alike): y[0] = x[0], y[i] = y[i - step]
 * combined with x[i], where step is 1, or -1 for rows that begin at their last element. The results may lie
 * over the operands. */
typedef void (*scan_fn)(const void *x, void *y, size_t n, ptrdiff_t step, size_t rows, ptrdiff_t stride);

/* The scan of this kind (enum prim_scan_kind) and dtype, or NULL. */
scan_fn scan_get(int kind, mlx_dtype dtype);

#endif
