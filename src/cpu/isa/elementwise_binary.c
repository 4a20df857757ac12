/* Elementwise functions of two arguments: the rows of mx_binary.def for every dtype.
 *
 * As elementwise_unary.c: loops around the row's expression, and float32's loop by blocks for 16-bit floats.
 */
#include "cpu/isa/elementwise_parts.h"
#include "cpu/isa/half_rows.h"

/* a^n by squaring, modulo 2^64. */
ONE_COPY static uint64_t i_power(uint64_t a, uint64_t n)
{
    uint64_t power = 1;
    for (; n; n >>= 1, a *= a)
        power *= n & 1 ? a : 1;
    return power;
}

/* clang-format off */
#define floats_SAME_COMPLEX(name, f, i, c)       LOOP(name, T, STORE, f)
#define floats_FLOAT_COMPLEX(name, f, i, c)      LOOP(name, T, STORE, f)
#define floats_COMPARE_COMPLEX(name, f, i, c)    LOOP(name, uint8_t, TRUTH, f)
#define floats_LOGICAL_REAL(name, f, i, c)
#define complexes_SAME_COMPLEX(name, f, i, c)    LOOP(name, T, STORE, c)
#define complexes_FLOAT_COMPLEX(name, f, i, c)   LOOP(name, T, STORE, c)
#define complexes_COMPARE_COMPLEX(name, f, i, c) LOOP(name, uint8_t, TRUTH, c)
#define complexes_LOGICAL_REAL(name, f, i, c)
#define integers_SAME_COMPLEX(name, f, i, c)     LOOP(name, T, STORE, i)
#define integers_FLOAT_COMPLEX(name, f, i, c)
#define integers_COMPARE_COMPLEX(name, f, i, c)  LOOP(name, uint8_t, TRUTH, i)
#define integers_LOGICAL_REAL(name, f, i, c)
#define booleans_SAME_COMPLEX(name, f, i, c)     LOOP(name, T, STORE, i)
#define booleans_FLOAT_COMPLEX(name, f, i, c)
#define booleans_COMPARE_COMPLEX(name, f, i, c)  LOOP(name, uint8_t, TRUTH, i)
#define booleans_LOGICAL_REAL(name, f, i, c)     LOOP(name, uint8_t, TRUTH, i)
/* clang-format on */

#define TEMPLATE "cpu/isa/binary_tmpl.h"
#include "cpu/isa/dtypes_tmpl.h"

#define HALVES(name, compares)                                                                           \
    static void name##_f16(const void *a, ptrdiff_t sa, const void *b, ptrdiff_t sb, void *y, size_t n)  \
    {                                                                                                    \
        half_binary(HALF_F16, compares, name##_f32, a, sa, b, sb, y, n);                                 \
    }                                                                                                    \
    static void name##_bf16(const void *a, ptrdiff_t sa, const void *b, ptrdiff_t sb, void *y, size_t n) \
    {                                                                                                    \
        half_binary(HALF_BF16, compares, name##_f32, a, sa, b, sb, y, n);                                \
    }
#define HALVES_SAME(name)    HALVES(name, false)
#define HALVES_FLOAT(name)   HALVES(name, false)
#define HALVES_COMPARE(name) HALVES(name, true)
#define HALVES_LOGICAL(name)
#define BINARY(name, Prim, kind, ...) HALVES_##kind(name)
#include "mx_binary.def"
#undef HALVES

static void fill_halves(elementwise_kernels *t)
{
#define HALVES(name, compares)                       \
    t->binary[CPU_##name][MLX_FLOAT16] = name##_f16; \
    t->binary[CPU_##name][MLX_BFLOAT16] = name##_bf16;
#include "mx_binary.def"
}

void FILL(elementwise_binary)(elementwise_kernels *t)
{
#define FILL_ONE(x) fill_##x(t);
    COMPUTED_DTYPES(FILL_ONE)
    fill_halves(t);
}
