/* Elementwise kernels over one row: n elements, each operand with its own stride (in elements, 0 repeats). */
#ifndef MICA_CPU_ELEMENTWISE_H
#define MICA_CPU_ELEMENTWISE_H

#include "mx/array.h"

enum cpu_unary {
#define UNARY(name, ...) CPU_##name,
#include "mx_unary.def"
#undef UNARY
    CPU_UNARY_COUNT
};

enum cpu_binary {
#define BINARY(name, ...) CPU_##name,
#include "mx_binary.def"
#undef BINARY
    CPU_BINARY_COUNT
};

typedef void (*cpu_unary_fn)(const void *a, ptrdiff_t sa, void *y, size_t n);
typedef void (*cpu_binary_fn)(const void *a, ptrdiff_t sa, const void *b, ptrdiff_t sb, void *y, size_t n);
/* y[i] = c[i] ? a[i] : b[i] */
typedef void (*cpu_select_fn)(const void *c, ptrdiff_t sc, const void *a, ptrdiff_t sa, const void *b,
                              ptrdiff_t sb, void *y, size_t n);

/* Indexed by operation and input dtype; NULL: the op never builds that combination. Comparisons write bool.
 */
typedef struct elementwise_kernels {
    cpu_unary_fn unary[CPU_UNARY_COUNT][MX_DTYPES];
    cpu_binary_fn binary[CPU_BINARY_COUNT][MX_DTYPES];
    cpu_unary_fn cast[MX_DTYPES][MX_DTYPES]; /* [from][to] */
    cpu_select_fn select[4];                 /* by element size 1, 2, 4, 8 */
    void (*copy[4])(const void *a, ptrdiff_t sa, void *y, ptrdiff_t sy, size_t n);
} elementwise_kernels;

#endif
