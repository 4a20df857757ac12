/* Random bits: threefry (kernels/threefry.h), many counters at a time. */
#ifndef MICA_CPU_RANDOM_H
#define MICA_CPU_RANDOM_H

#include <stddef.h>
#include <stdint.h>

typedef struct random_kernels {
    /* Hashes the counters (c0 + i, c1 + i), i < n: the first word to first[i], the second to second[i]. */
    void (*threefry)(const uint32_t key[2], uint32_t c0, uint32_t c1, uint32_t *first, uint32_t *second,
                     size_t n);
} random_kernels;

#endif
