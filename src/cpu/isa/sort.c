/* Sorting networks over SORT_LANES rows at a time, one in each lane of a vector: which elements are compared
 * does not depend on their values, so that all rows take the same steps and nothing branches.
 *
 * The network is Batcher's odd-even merge sort: both halves are sorted, the first the largest power of two
 * below n, and merged by comparing elements at distances that halve. Comparisons with elements behind the end
 * are left out; they would move nothing. */
#include "cpu/sort.h"

#include "cpu/isa/loops.h"
#include "cpu/kernels.h"

enum { LANES = SORT_LANES };

/* Puts the smaller of elements a and b first, in every lane. */
static inline void order_u32(uint32_t *restrict a, uint32_t *restrict b)
{
    VECTOR
    for (int l = 0; l < LANES; l++) {
        uint32_t p = a[l], q = b[l];
        a[l] = p < q ? p : q;
        b[l] = p < q ? q : p;
    }
}

static inline void order_u64(uint64_t *restrict a, uint64_t *restrict b)
{
    VECTOR
    for (int l = 0; l < LANES; l++) {
        uint64_t p = a[l], q = b[l];
        a[l] = p < q ? p : q;
        b[l] = p < q ? q : p;
    }
}

/* A pair is LANES keys and then LANES positions, which decide between equal keys. */
static inline void order_pairs(uint64_t *restrict a, uint64_t *restrict b)
{
    VECTOR
    for (int l = 0; l < LANES; l++) {
        uint64_t p = a[l], q = b[l], i = a[LANES + l], k = b[LANES + l];
        bool swap = (q < p) | ((q == p) & (k < i));
        a[l] = swap ? q : p;
        b[l] = swap ? p : q;
        a[LANES + l] = swap ? k : i;
        b[LANES + l] = swap ? i : k;
    }
}

#define NETWORK(name, T, STEP)                                                   \
    static void merge_##name(T *e, size_t n, size_t half)                        \
    {                                                                            \
        for (size_t d = half; d > 0; d /= 2)                                     \
            for (size_t start = d & (half - 1); start + d < n; start += 2 * d) { \
                size_t count = n - start - d < d ? n - start - d : d;            \
                T *a = e + start * (STEP), *b = a + d * (STEP);                  \
                for (size_t i = 0; i < count; i++)                               \
                    order_##name(a + i * (STEP), b + i * (STEP));                \
            }                                                                    \
    }                                                                            \
    static void sort_##name(T *e, size_t n)                                      \
    {                                                                            \
        size_t half = 1;                                                         \
        if (n < 2)                                                               \
            return;                                                              \
        while (2 * half < n)                                                     \
            half *= 2;                                                           \
        sort_##name(e, half);                                                    \
        sort_##name(e + half * (STEP), n - half);                                \
        merge_##name(e, n, half);                                                \
    }

NETWORK(u32, uint32_t, LANES)
NETWORK(u64, uint64_t, LANES)
NETWORK(pairs, uint64_t, 2 * LANES)

void FILL(sort)(sort_kernels *t)
{
    t->u32 = sort_u32;
    t->u64 = sort_u64;
    t->pairs = sort_pairs;
}
