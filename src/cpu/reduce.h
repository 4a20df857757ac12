/* Reductions of one contiguous or strided row, or of several rows at once, and positions of extremes. */
#ifndef MICA_CPU_REDUCE_H
#define MICA_CPU_REDUCE_H

#include "mx/array.h"

enum cpu_reduce { CPU_SUM, CPU_PROD, CPU_MAX, CPU_MIN, CPU_ALL, CPU_ANY, CPU_REDUCE_COUNT };

/* Combines n elements of a (stride sa) into one at y. sum and prod of integers are stored in the result dtype
 * that the op chose (int32 or wider); halves sum in float32. */
typedef void (*cpu_reduce_fn)(const void *a, ptrdiff_t sa, void *y, size_t n);
/* y[j] = combination over i < n of a[i * sa + j], j < m: for axes other than the last, in rows. */
typedef void (*cpu_reduce_rows_fn)(const void *a, ptrdiff_t sa, void *y, size_t n, size_t m);

typedef struct reduce_kernels {
    cpu_reduce_fn reduce[CPU_REDUCE_COUNT][MX_DTYPES]; /* by input dtype */
    cpu_reduce_rows_fn rows[CPU_REDUCE_COUNT][MX_DTYPES];
    /* Position of the largest ([0]) or smallest ([1]) element; the first of equals. */
    uint32_t (*arg[2][MX_DTYPES])(const void *a, ptrdiff_t sa, size_t n);
    /* y[j] = the same over the a[i * sa + j], i < n, for j < m. */
    void (*arg_rows[2][MX_DTYPES])(const void *a, ptrdiff_t sa, uint32_t *y, size_t n, size_t m);
} reduce_kernels;

#endif
