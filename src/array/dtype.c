/* The dtype table and MLX's promotion rules.
 *
 * Promotion is a 14 x 14 table, measured on MLX; the surprising entries are uint64 with a signed integer, and
 * float16 with bfloat16, which both give float32. */
#include "array/dtype.h"

typedef struct dtype_row {
    const char *name;
    uint8_t size, kind;
} dtype_row;

static const dtype_row rows[MX_DTYPES] = {
#define DTYPE(id, short, name, size, kind) [MLX_##id] = {name, size, DTYPE_##kind},
#include "array/dtype.def"
#undef DTYPE
};

enum {
#define DTYPE(id, short, name, size, kind) short = MLX_##id,
#include "array/dtype.def"
#undef DTYPE
};

/* clang-format off */
static const uint8_t promotion[MX_DTYPES][MX_DTYPES] = {
    /*        b   u1  u2  u4  u8  i1  i2  i4  i8  f2  f4  f8  bf  c8 */
    /* b  */ {b,  u1, u2, u4, u8, i1, i2, i4, i8, f2, f4, f8, bf, c8},
    /* u1 */ {u1, u1, u2, u4, u8, i2, i2, i4, i8, f2, f4, f8, bf, c8},
    /* u2 */ {u2, u2, u2, u4, u8, i4, i4, i4, i8, f2, f4, f8, bf, c8},
    /* u4 */ {u4, u4, u4, u4, u8, i8, i8, i8, i8, f2, f4, f8, bf, c8},
    /* u8 */ {u8, u8, u8, u8, u8, f4, f4, f4, f4, f2, f4, f8, bf, c8},
    /* i1 */ {i1, i2, i4, i8, f4, i1, i2, i4, i8, f2, f4, f8, bf, c8},
    /* i2 */ {i2, i2, i4, i8, f4, i2, i2, i4, i8, f2, f4, f8, bf, c8},
    /* i4 */ {i4, i4, i4, i8, f4, i4, i4, i4, i8, f2, f4, f8, bf, c8},
    /* i8 */ {i8, i8, i8, i8, f4, i8, i8, i8, i8, f2, f4, f8, bf, c8},
    /* f2 */ {f2, f2, f2, f2, f2, f2, f2, f2, f2, f2, f4, f8, f4, c8},
    /* f4 */ {f4, f4, f4, f4, f4, f4, f4, f4, f4, f4, f4, f8, f4, c8},
    /* f8 */ {f8, f8, f8, f8, f8, f8, f8, f8, f8, f8, f8, f8, f8, c8},
    /* bf */ {bf, bf, bf, bf, bf, bf, bf, bf, bf, f4, f4, f8, bf, c8},
    /* c8 */ {c8, c8, c8, c8, c8, c8, c8, c8, c8, c8, c8, c8, c8, c8},
};
/* clang-format on */

size_t mx_dtype_size(mlx_dtype t) { return rows[t].size; }

const char *mx_dtype_name(mlx_dtype t) { return rows[t].name; }

dtype_kind dtype_kind_of(mlx_dtype t) { return rows[t].kind; }

mlx_dtype mx_promote(mlx_dtype x, mlx_dtype y) { return promotion[x][y]; }

mlx_dtype dtype_at_least_float(mlx_dtype t) { return dtype_kind_of(t) >= DTYPE_FLOATING ? t : MLX_FLOAT32; }
