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

/* --- many short rows --- */

enum { SORT_LANES = 16 };

/* Sort n elements of SORT_LANES rows, element i of row l at e[i * SORT_LANES + l], ascending. Pairs are, for
 * each i, SORT_LANES keys and then as many second keys, which decide where keys are equal. */
typedef struct sort_kernels {
    void (*u32)(uint32_t *e, size_t n);
    void (*u64)(uint64_t *e, size_t n);
    void (*pairs)(uint64_t *e, size_t n);
} sort_kernels;

/* Rows of one length and dtype, and where their results go: values, or (positions) uint32. */
typedef struct sort_group {
    int rows; /* at most SORT_LANES */
    sort_row row[SORT_LANES];
    char *y[SORT_LANES];
    int64_t stride; /* of the results */
} sort_group;

/* Is this faster for `rows` rows of n than one row after the other? */
bool sort_group_suits(size_t rows, size_t n);
/* Bytes of 64-byte aligned memory that the functions below need for rows of n. */
size_t sort_group_bytes(mlx_dtype dtype, size_t n);
/* As sort_values, and sort_order (kth < 0), for each row. */
void sort_group_values(const sort_group *g, char *memory);
void sort_group_order(const sort_group *g, char *memory);
/* Values in the order of sort_order. */
void sort_group_take(const sort_group *g, char *memory);

/* Keys of a row from which its values can be made again, uint32_t or, for elements of 8 bytes, uint64_t;
 * false if the row has -0 or NaN, which have no such key, or complex numbers. */
bool sort_plain_keys(const sort_row *row, void *out);
void sort_plain_values(const void *keys, const sort_row *row, char *y, int64_t stride);

#endif
