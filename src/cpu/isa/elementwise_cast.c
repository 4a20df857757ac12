/* Casts between all dtypes, and rows copied with strides.
 *
 * Floats lose their fraction on the way to integers. What does not fit becomes what x86's conversion gives,
 * on every machine: the smallest number of int32, of which 8 and 16 bits are cut, or of int64, of which
 * uint32 is cut; NaN likewise. Complex numbers lose their imaginary part. bool is "not 0". The 16-bit floats
 * go through float32 by blocks. */
#include "cpu/isa/elementwise_parts.h"
#include "cpu/isa/half_rows.h"

static inline int32_t f32_to_i32(float x) { return x >= -0x1p31f && x < 0x1p31f ? (int32_t)x : INT32_MIN; }
static inline int32_t f64_to_i32(double x) { return x > -0x1p31 - 1 && x < 0x1p31 ? (int32_t)x : INT32_MIN; }
static inline int64_t f64_to_i64(double x) { return x >= -0x1p63 && x < 0x1p63 ? (int64_t)x : INT64_MIN; }
static inline int64_t f32_to_i64(float x) { return x >= -0x1p63f && x < 0x1p63f ? (int64_t)x : INT64_MIN; }
static inline uint64_t f64_to_u64(double x)
{
    uint64_t low = (uint64_t)f64_to_i64(x), high = (uint64_t)f64_to_i64(x - 0x1p63) ^ 1ull << 63;
    return x >= 0x1p63 ? high : low;
}

#define floats_to_real(x)       (x)
#define floats_to_complex(x)    c_make((float)(x), 0)
#define floats_to_i32(x)        _Generic((x), double : f64_to_i32, default : f32_to_i32)(x)
#define floats_to_i64(x)        _Generic((x), double : f64_to_i64, default : f32_to_i64)(x)
#define floats_to_u64(x)        f64_to_u64((double)(x))
#define complexes_to_real(x)    crealf(x)
#define complexes_to_complex(x) (x)
#define complexes_to_i32(x)     f32_to_i32(crealf(x))
#define complexes_to_i64(x)     f32_to_i64(crealf(x))
#define complexes_to_u64(x)     f64_to_u64((double)crealf(x))
#define integers_to_real(x)     (x)
#define integers_to_complex(x)  c_make((float)(x), 0)
#define integers_to_i32(x)      (x)
#define integers_to_i64(x)      (x)
#define integers_to_u64(x)      (x)
#define booleans_to_real(x)     (x)
#define booleans_to_complex(x)  c_make((float)(x), 0)
#define booleans_to_i32(x)      (x)
#define booleans_to_i64(x)      (x)
#define booleans_to_u64(x)      (x)

#define TEMPLATE "cpu/isa/cast_tmpl.h"
#include "cpu/isa/dtypes_tmpl.h"

/* From a 16-bit float by way of float32. */
static inline void from_half(half_kind kind, cpu_unary_fn cast, const void *a, ptrdiff_t sa, void *y,
                             size_t size, size_t n)
{
    half_source s;
    half_open(&s, kind, a, sa, n);
    for (size_t i = 0; i < n; i += HALF_BLOCK) {
        size_t m = half_count(i, n);
        ptrdiff_t stride = half_read(&s, i, m);
        cast(s.block, stride, (char *)y + i * size, m);
    }
}

/* To a 16-bit float by way of float32. */
static inline void to_half(half_kind kind, cpu_unary_fn cast, const void *a, ptrdiff_t sa, size_t size,
                           void *y, size_t n)
{
    float block[HALF_BLOCK];
    for (size_t i = 0; i < n; i += HALF_BLOCK) {
        size_t m = half_count(i, n);
        cast((const char *)a + (ptrdiff_t)i * sa * (ptrdiff_t)size, sa, block, m);
        half_round(kind, block, (uint16_t *)y + i, m);
    }
}

/* HALVES(other, its dtype, its size): casts between it and both 16-bit floats. */
#define HALVES_LIST               \
    HALVES(f64, MLX_FLOAT64, 8)   \
    HALVES(c64, MLX_COMPLEX64, 8) \
    HALVES(i8, MLX_INT8, 1)       \
    HALVES(i16, MLX_INT16, 2)     \
    HALVES(i32, MLX_INT32, 4)     \
    HALVES(i64, MLX_INT64, 8)     \
    HALVES(u64, MLX_UINT64, 8)    \
    HALVES(u32, MLX_UINT32, 4)    \
    HALVES(u16, MLX_UINT16, 2)    \
    HALVES(u8, MLX_UINT8, 1)      \
    HALVES(b8, MLX_BOOL, 1)

#define HALVES(x, dtype, size) HALF(HALF_F16, f16, x, size) HALF(HALF_BF16, bf16, x, size)
#define HALF(kind, h, x, size)                                                 \
    static void cast_##h##_##x(const void *a, ptrdiff_t sa, void *y, size_t n) \
    {                                                                          \
        from_half(kind, cast_f32_##x, a, sa, y, size, n);                      \
    }                                                                          \
    static void cast_##x##_##h(const void *a, ptrdiff_t sa, void *y, size_t n) \
    {                                                                          \
        to_half(kind, cast_##x##_f32, a, sa, size, y, n);                      \
    }
HALVES_LIST
#undef HALVES

static void cast_f16_f32(const void *a, ptrdiff_t sa, void *y, size_t n)
{
    half_widen(HALF_F16, a, sa, y, n);
}
static void cast_bf16_f32(const void *a, ptrdiff_t sa, void *y, size_t n)
{
    half_widen(HALF_BF16, a, sa, y, n);
}

/* Straight from memory when it is dense. */
static inline void from_f32(half_kind kind, const void *a, ptrdiff_t sa, void *y, size_t n)
{
    if (sa == 1)
        half_round(kind, a, y, n);
    else
        to_half(kind, cast_f32_f32, a, sa, 4, y, n);
}
static void cast_f32_f16(const void *a, ptrdiff_t sa, void *y, size_t n) { from_f32(HALF_F16, a, sa, y, n); }
static void cast_f32_bf16(const void *a, ptrdiff_t sa, void *y, size_t n)
{
    from_f32(HALF_BF16, a, sa, y, n);
}

static void cast_f16_bf16(const void *a, ptrdiff_t sa, void *y, size_t n)
{
    to_half(HALF_BF16, cast_f16_f32, a, sa, 2, y, n);
}
static void cast_bf16_f16(const void *a, ptrdiff_t sa, void *y, size_t n)
{
    to_half(HALF_F16, cast_bf16_f32, a, sa, 2, y, n);
}
/* A half to itself keeps its bits, NaN's included. */
static void cast_same_16(const void *a, ptrdiff_t sa, void *y, size_t n) { cast_u16_u16(a, sa, y, n); }

static void fill_halves(elementwise_kernels *t)
{
#define HALVES(x, dtype, size)                    \
    t->cast[MLX_FLOAT16][dtype] = cast_f16_##x;   \
    t->cast[MLX_BFLOAT16][dtype] = cast_bf16_##x; \
    t->cast[dtype][MLX_FLOAT16] = cast_##x##_f16; \
    t->cast[dtype][MLX_BFLOAT16] = cast_##x##_bf16;
    HALVES_LIST
    HALVES(f32, MLX_FLOAT32, 4)
    t->cast[MLX_FLOAT16][MLX_BFLOAT16] = cast_f16_bf16;
    t->cast[MLX_BFLOAT16][MLX_FLOAT16] = cast_bf16_f16;
    t->cast[MLX_FLOAT16][MLX_FLOAT16] = cast_same_16;
    t->cast[MLX_BFLOAT16][MLX_BFLOAT16] = cast_same_16;
}

void FILL(elementwise_cast)(elementwise_kernels *t)
{
#define FILL_ONE(x) fill_##x(t);
    COMPUTED_DTYPES(FILL_ONE)
    fill_halves(t);
}
