/* Elementwise functions of one argument: the rows of mx_unary.def for every dtype.
 *
 * Float, integer and complex kinds are loops around the row's expression, which the compiler makes vector
 * code of; the 16-bit floats run float32's loop by blocks. */
#include "cpu/isa/elementwise_parts.h"
#include "cpu/isa/half_rows.h"

#define STORE_PART(v) (v)
/* clang-format off */
#define floats_ANY_REAL(name, f, i, c)         LOOP(name, T, STORE, f)
#define floats_ANY_COMPLEX(name, f, i, c)      LOOP(name, T, STORE, f)
#define floats_FLOAT_REAL(name, f, i, c)       LOOP(name, T, STORE, f)
#define floats_FLOAT_COMPLEX(name, f, i, c)    LOOP(name, T, STORE, f)
#define floats_BOOLEAN_REAL(name, f, i, c)
#define floats_INTEGER_REAL(name, f, i, c)
#define floats_SIZE_COMPLEX(name, f, i, c)     LOOP(name, T, STORE, f)
#define floats_PART_COMPLEX(name, f, i, c)
#define floats_TURN_COMPLEX(name, f, i, c)
#define complexes_ANY_REAL(name, f, i, c)
#define complexes_ANY_COMPLEX(name, f, i, c)   LOOP(name, T, STORE, c)
#define complexes_FLOAT_REAL(name, f, i, c)
#define complexes_FLOAT_COMPLEX(name, f, i, c) LOOP(name, T, STORE, c)
#define complexes_BOOLEAN_REAL(name, f, i, c)
#define complexes_INTEGER_REAL(name, f, i, c)
#define complexes_SIZE_COMPLEX(name, f, i, c)  LOOP(name, float, STORE_PART, c)
#define complexes_PART_COMPLEX(name, f, i, c)  LOOP(name, float, STORE_PART, c)
#define complexes_TURN_COMPLEX(name, f, i, c)  LOOP(name, T, STORE, c)
#define integers_ANY_REAL(name, f, i, c)       LOOP(name, T, STORE, i)
#define integers_ANY_COMPLEX(name, f, i, c)    LOOP(name, T, STORE, i)
#define integers_FLOAT_REAL(name, f, i, c)
#define integers_FLOAT_COMPLEX(name, f, i, c)
#define integers_BOOLEAN_REAL(name, f, i, c)
#define integers_INTEGER_REAL(name, f, i, c)   LOOP(name, T, STORE, i)
#define integers_SIZE_COMPLEX(name, f, i, c)   LOOP(name, T, STORE, i)
#define integers_PART_COMPLEX(name, f, i, c)
#define integers_TURN_COMPLEX(name, f, i, c)
#define booleans_ANY_REAL(name, f, i, c)       LOOP(name, T, STORE, i)
#define booleans_ANY_COMPLEX(name, f, i, c)    LOOP(name, T, STORE, i)
#define booleans_FLOAT_REAL(name, f, i, c)
#define booleans_FLOAT_COMPLEX(name, f, i, c)
#define booleans_BOOLEAN_REAL(name, f, i, c)   LOOP(name, T, STORE, i)
#define booleans_INTEGER_REAL(name, f, i, c)
#define booleans_SIZE_COMPLEX(name, f, i, c)   LOOP(name, T, STORE, i)
#define booleans_PART_COMPLEX(name, f, i, c)
#define booleans_TURN_COMPLEX(name, f, i, c)
/* clang-format on */

#define TEMPLATE "cpu/isa/unary_tmpl.h"
#include "cpu/isa/dtypes_tmpl.h"

#define HALVES_ANY(name)                                                    \
    static void name##_f16(const void *a, ptrdiff_t sa, void *y, size_t n)  \
    {                                                                       \
        half_unary(HALF_F16, name##_f32, a, sa, y, n);                      \
    }                                                                       \
    static void name##_bf16(const void *a, ptrdiff_t sa, void *y, size_t n) \
    {                                                                       \
        half_unary(HALF_BF16, name##_f32, a, sa, y, n);                     \
    }
#define HALVES_FLOAT(name) HALVES_ANY(name)
#define HALVES_SIZE(name)  HALVES_ANY(name)
#define HALVES_BOOLEAN(name)
#define HALVES_INTEGER(name)
#define HALVES_PART(name)
#define HALVES_TURN(name)
#define UNARY(name, Prim, kind, ...) HALVES_##kind(name)
#include "mx_unary.def"
#undef UNARY
#undef HALVES_ANY

static void fill_halves(elementwise_kernels *t)
{
#define HALVES_ANY(name)                            \
    t->unary[CPU_##name][MLX_FLOAT16] = name##_f16; \
    t->unary[CPU_##name][MLX_BFLOAT16] = name##_bf16;
#define UNARY(name, Prim, kind, ...) HALVES_##kind(name)
#include "mx_unary.def"
#undef UNARY
}

void FILL(elementwise_unary)(elementwise_kernels *t)
{
#define FILL_ONE(x) fill_##x(t);
    COMPUTED_DTYPES(FILL_ONE)
    fill_halves(t);
}
