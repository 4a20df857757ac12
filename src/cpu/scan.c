/* Scans of dense rows for every dtype. They go from element to element, so that vector instructions are of no
 * use, and are compiled once; eight rows side by side keep the processor busy. */
#include "cpu/scan.h"

#include "cpu/isa/loops.h"
#include "kernels/half.h"
#include "prim/prim.h"

#include <string.h>

enum { BLOCK = 64 };

#define floats_sum(p, q)          ((p) + (q))
#define floats_prod(p, q)         ((p) * (q))
#define floats_max(p, q)          m_max(p, q)
#define floats_min(p, q)          m_min(p, q)
#define floats_logaddexp(p, q)    m_logaddexp(p, q)
#define complexes_sum(p, q)       ((p) + (q))
#define complexes_prod(p, q)      c_multiply(p, q)
#define complexes_max(p, q)       c_max(p, q)
#define complexes_min(p, q)       c_min(p, q)
#define complexes_logaddexp(p, q) c_logaddexp(p, q)
#define integers_sum(p, q)        ((U)(p) + (U)(q))
#define integers_prod(p, q)       ((U)(p) * (U)(q))
#define integers_max(p, q)        ((p) > (q) ? (p) : (q))
#define integers_min(p, q)        ((p) < (q) ? (p) : (q))
#define booleans_sum(p, q)        ((p) | (q))
#define booleans_prod(p, q)       ((p) & (q))
#define booleans_max(p, q)        ((p) | (q))
#define booleans_min(p, q)        ((p) & (q))

/* Are there logarithms of their sums? */
#define floats_are_inexact    1
#define complexes_are_inexact 1
#define integers_are_inexact  0
#define booleans_are_inexact  0

#define TEMPLATE "cpu/scan_dtype_tmpl.h"
#include "cpu/isa/dtypes_tmpl.h"

/* The 16-bit floats compute in float32. */
#define CLASS    floats
#define T        uint16_t
#define C        float
#define X        f16
#define LOAD(v)  f16_to_f32(v)
#define STORE(v) f32_to_f16(v)
#include "cpu/scan_dtype_tmpl.h"
#undef X
#undef LOAD
#undef STORE
#define X        bf16
#define LOAD(v)  bf16_to_f32(v)
#define STORE(v) f32_to_bf16(v)
#include "cpu/scan_dtype_tmpl.h"

scan_fn scan_get(int kind, mlx_dtype dtype)
{
    static scan_fn (*const find[MX_DTYPES])(int kind) = {
        [MLX_BOOL] = find_b8,       [MLX_UINT8] = find_u8,      [MLX_UINT16] = find_u16,
        [MLX_UINT32] = find_u32,    [MLX_UINT64] = find_u64,    [MLX_INT8] = find_i8,
        [MLX_INT16] = find_i16,     [MLX_INT32] = find_i32,     [MLX_INT64] = find_i64,
        [MLX_FLOAT16] = find_f16,   [MLX_FLOAT32] = find_f32,   [MLX_FLOAT64] = find_f64,
        [MLX_BFLOAT16] = find_bf16, [MLX_COMPLEX64] = find_c64,
    };
    return find[dtype](kind);
}
