/* Products of pairs of matrices that index arrays pick, grouped by their right side. */
#ifndef MICA_CPU_GATHER_H
#define MICA_CPU_GATHER_H

#include <stddef.h>
#include <stdint.h>

/* y = x times matrix `right`, for `rows` dense rows of x. 0, or -1 with an error. */
typedef int (*gather_product)(const void *context, size_t right, size_t rows, const char *x, char *y);

typedef struct gather_job {
    const char *op;                        /* for messages */
    const char *x;                         /* left sides: `lefts` dense matrices of m rows */
    char *y;                               /* results: `pairs` dense matrices of m rows */
    size_t lefts, rights, m, x_row, y_row; /* bytes of a row */
    const uint32_t *lhs, *rhs;
    size_t pairs;
    gather_product product;
    const void *context;
} gather_job;

/* Fills y. Each right side is met once, by the rows of all its pairs together. 0, or -1 with an error: an
 * index is out of range, a product failed, memory is out. */
int cpu_gather(const gather_job *j);

#endif
