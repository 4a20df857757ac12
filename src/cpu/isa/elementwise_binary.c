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

/* Quotients of integers are cut towards 0. Nothing traps: x / 0 is 0, and the smallest number over -1 is
 * itself. Up to 32 bits double's quotient has the right whole part, and there are vector instructions for it.
 */
#define I_CRITICAL(b)     ((b) == 0 || ((b) == (C)-1 && BELOW_0(b)))
#define I_DIVISOR(b)      (I_CRITICAL(b) ? (C)1 : (b))
#define I_WHOLE(a, b)     ((C)(sizeof(C) > 4 ? (a) / (b) : (C)((double)(a) / (double)(b))))
#define I_QUOTIENT(a, b)  ((b) == 0 ? 0 : I_CRITICAL(b) ? 0 - (U)(a) : (U)I_WHOLE(a, I_DIVISOR(b)))
/* a - b floor(a / b), 0 where b is 0. */
#define I_REST(a, b)      ((C)((U)(a) - (U)(b) * (U)I_WHOLE(a, b)))
#define I_TURNED(r, b)    ((r) != 0 && BELOW_0(r) != BELOW_0(b) ? (U)(r) + (U)(b) : (U)(r))
#define I_REMAINDER(a, b) I_TURNED(I_REST(a, I_DIVISOR(b)), b)
/* Shifts by less than nothing or by all bits and more leave nothing but the sign. */
#define I_FITS(b)         ((uint64_t)(b) < 8 * sizeof(C))
#define I_BITS(b)         ((int)(b) & (int)(8 * sizeof(C) - 1))

/* clang-format off */
#define floats_SAME_REAL(name, f, i, c)          LOOP(name, T, STORE, f)
#define floats_SAME_COMPLEX(name, f, i, c)       LOOP(name, T, STORE, f)
#define floats_FLOAT_REAL(name, f, i, c)         LOOP(name, T, STORE, f)
#define floats_FLOAT_COMPLEX(name, f, i, c)      LOOP(name, T, STORE, f)
#define floats_COMPARE_COMPLEX(name, f, i, c)    LOOP(name, uint8_t, TRUTH, f)
#define floats_LOGICAL_REAL(name, f, i, c)
#define floats_WHOLE_REAL(name, f, i, c)
#define floats_BITS_REAL(name, f, i, c)
#define floats_SHIFT_REAL(name, f, i, c)
#define complexes_SAME_REAL(name, f, i, c)
#define complexes_SAME_COMPLEX(name, f, i, c)    LOOP(name, T, STORE, c)
#define complexes_FLOAT_REAL(name, f, i, c)
#define complexes_FLOAT_COMPLEX(name, f, i, c)   LOOP(name, T, STORE, c)
#define complexes_COMPARE_COMPLEX(name, f, i, c) LOOP(name, uint8_t, TRUTH, c)
#define complexes_LOGICAL_REAL(name, f, i, c)
#define complexes_WHOLE_REAL(name, f, i, c)
#define complexes_BITS_REAL(name, f, i, c)
#define complexes_SHIFT_REAL(name, f, i, c)
#define integers_SAME_REAL(name, f, i, c)        LOOP(name, T, STORE, i)
#define integers_SAME_COMPLEX(name, f, i, c)     LOOP(name, T, STORE, i)
#define integers_FLOAT_REAL(name, f, i, c)
#define integers_FLOAT_COMPLEX(name, f, i, c)
#define integers_COMPARE_COMPLEX(name, f, i, c)  LOOP(name, uint8_t, TRUTH, i)
#define integers_LOGICAL_REAL(name, f, i, c)
#define integers_WHOLE_REAL(name, f, i, c)       LOOP(name, T, STORE, i)
#define integers_BITS_REAL(name, f, i, c)        LOOP(name, T, STORE, i)
#define integers_SHIFT_REAL(name, f, i, c)       LOOP(name, T, STORE, i)
#define booleans_SAME_REAL(name, f, i, c)        LOOP(name, T, STORE, i)
#define booleans_SAME_COMPLEX(name, f, i, c)     LOOP(name, T, STORE, i)
#define booleans_FLOAT_REAL(name, f, i, c)
#define booleans_FLOAT_COMPLEX(name, f, i, c)
#define booleans_COMPARE_COMPLEX(name, f, i, c)  LOOP(name, uint8_t, TRUTH, i)
#define booleans_LOGICAL_REAL(name, f, i, c)     LOOP(name, uint8_t, TRUTH, i)
#define booleans_WHOLE_REAL(name, f, i, c)       LOOP(name, T, STORE, i)
#define booleans_BITS_REAL(name, f, i, c)        LOOP(name, T, STORE, i)
#define booleans_SHIFT_REAL(name, f, i, c)
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
#define HALVES_WHOLE(name)
#define HALVES_BITS(name)
#define HALVES_SHIFT(name)
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
