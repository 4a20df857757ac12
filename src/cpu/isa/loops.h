/* What the loops of the kernels share. */
#ifndef MICA_CPU_ISA_LOOPS_H
#define MICA_CPU_ISA_LOOPS_H

#include "kernels/complex.h"

#include <stddef.h>
#include <stdint.h>

#define CAT2(a, b) a##_##b
#define CAT(a, b)  CAT2(a, b)

/* The next loop may be vectorized: its result is apart from its operands, or one of them, element for
 * element. (A check at run time would take the slow way in the second case, the usual one.) */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpass-failed" /* some loops call the C library: for double, complex */
#define VECTOR _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define VECTOR _Pragma("GCC ivdep")
#else
#define VECTOR
#endif

/* `body` for each i below n. */
#define EACH(body)                                     \
    {                                                  \
        VECTOR for (size_t i = 0; i < n; i++) { body } \
    }
/* The same for operands with strides, where i may be multiplied by negative ones. */
#define EACH_AT(body)                                  \
    {                                                  \
        for (ptrdiff_t i = 0; i < (ptrdiff_t)n; i++) { \
            body                                       \
        }                                              \
    }

/* Not to be inlined: a big loop that several functions share. */
#if defined(__GNUC__)
#define ONE_COPY __attribute__((noinline))
#else
#define ONE_COPY
#endif

/* F(suffix) for each dtype of dtypes_tmpl.h. */
#define COMPUTED_DTYPES(F) F(f32) F(f64) F(c64) F(i8) F(i16) F(i32) F(i64) F(u64) F(u32) F(u16) F(u8) F(b8)

#endif
