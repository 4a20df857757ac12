/* Sorting rows of numbers. The order is that of the values; complex numbers by their real and then by their
 * imaginary parts; -0 equals 0; NaN, and complex numbers with one, come last and equal each other. Sorting is
 * stable. */
#ifndef MICA_CPU_SORT_H
#define MICA_CPU_SORT_H

#include "mx/array.h"

typedef struct sort_row {
    const char *x;
    int64_t stride; /* in elements */
    size_t n;       /* at most 2^32 - 1 */
    mlx_dtype dtype;
} sort_row;

/* What sorting needs besides: two arrays of elements, and counts. */
typedef struct sort_space {
    void *a, *b;
    uint32_t *counts;
    size_t chunks; /* that threads share a row in */
} sort_space;

/* Bytes of memory for rows of n; sort_space_in lays a space out in as many, which must be 64-byte aligned. */
size_t sort_space_bytes(mlx_dtype dtype, size_t n, size_t chunks);
sort_space sort_space_in(char *memory, mlx_dtype dtype, size_t n, size_t chunks);

/* Writes the sorted values to y. */
void sort_values(const sort_space *space, const sort_row *row, char *y, int64_t stride);
/* The positions of the values in sorted order, in the space. If kth >= 0 only that one is in its place; those
 * before it sort before it, those after it after it. */
const uint32_t *sort_order(const sort_space *space, const sort_row *row, int64_t kth);
/* y = the row's values at these positions. */
void sort_take(const sort_row *row, const uint32_t *positions, char *y, int64_t stride);
/* A key for each value, whose unsigned order is theirs. */
void sort_keys(const sort_row *row, uint64_t *out);

#endif
