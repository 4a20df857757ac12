/* What the two halves of mx_einsum share: einsum_parse.c reads the subscripts, einsum.c contracts. */
#ifndef MICA_OPS_EINSUM_H
#define MICA_OPS_EINSUM_H

#include "ops/ops.h"

enum { EINSUM_LABELS = 64 };

/* An array with a label for each of its axes: numbers below EINSUM_LABELS. */
typedef struct einsum_term {
    mlx_array x;
    int n;
    uint8_t labels[MX_MAX_DIMS];
    uint64_t set; /* the labels as bits */
} einsum_term;

typedef struct einsum {
    einsum_term *terms, out; /* the operands, and the labels of the result, which has no array yet */
    size_t n;
    int size[EINSUM_LABELS]; /* of the axes with this label: 1 where all are, else what the others are */
} einsum;

/* Reads the subscripts for n operands; terms, of n entries, is the caller's. 0, or -1 with an error. */
int einsum_parse(einsum *e, einsum_term *terms, const char *subscripts, const mlx_array *operands, size_t n);

#endif
