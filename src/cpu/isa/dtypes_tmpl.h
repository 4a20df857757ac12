/* Includes TEMPLATE once for each dtype that kernels compute in, with these macros set:
 *   X          suffix of the functions' names      DTYPE      the dtype
 *   T          type in memory                      C          type of the arithmetic, from LOAD(T)
 *   U          unsigned integer of C's size or more, whose arithmetic wraps
 *   STORE(v)   a value of C or U, as T             BELOW_0(x) whether an x of C is negative
 *   W          type of sums and products in memory (MLX widens small integers)
 *   CLASS      floats, complexes, integers or booleans
 * The 16-bit floats are not among them: they are computed in float32 by blocks (half_rows.h). */
#define CLASS      floats
#define LOAD(v)    (v)
#define STORE(v)   ((T)(v))
#define BELOW_0(x) ((x) < 0)
#define U          uint32_t

#define X     f32
#define DTYPE MLX_FLOAT32
#define T     float
#define C     float
#define W     float
#include TEMPLATE
#undef X
#undef DTYPE
#undef T
#undef C
#undef W

#define X     f64
#define DTYPE MLX_FLOAT64
#define T     double
#define C     double
#define W     double
#include TEMPLATE
#undef X
#undef DTYPE
#undef T
#undef C
#undef W

#undef CLASS
#define CLASS complexes
#define X     c64
#define DTYPE MLX_COMPLEX64
#define T     float complex
#define C     float complex
#define W     float complex
#include TEMPLATE
#undef X
#undef DTYPE
#undef T
#undef C
#undef W

#undef CLASS
#define CLASS integers
#define X     i8
#define DTYPE MLX_INT8
#define T     int8_t
#define C     int8_t
#define W     int32_t
#include TEMPLATE
#undef X
#undef DTYPE
#undef T
#undef C
#undef W

#define X     i16
#define DTYPE MLX_INT16
#define T     int16_t
#define C     int16_t
#define W     int32_t
#include TEMPLATE
#undef X
#undef DTYPE
#undef T
#undef C
#undef W

#define X     i32
#define DTYPE MLX_INT32
#define T     int32_t
#define C     int32_t
#define W     int32_t
#include TEMPLATE
#undef X
#undef DTYPE
#undef T
#undef C
#undef W

#undef U
#define U     uint64_t
#define X     i64
#define DTYPE MLX_INT64
#define T     int64_t
#define C     int64_t
#define W     int64_t
#include TEMPLATE
#undef X
#undef DTYPE
#undef T
#undef C
#undef W

#undef BELOW_0
#define BELOW_0(x) 0
#define X          u64
#define DTYPE      MLX_UINT64
#define T          uint64_t
#define C          uint64_t
#define W          uint64_t
#include TEMPLATE
#undef X
#undef DTYPE
#undef T
#undef C
#undef W

#undef U
#define U     uint32_t
#define X     u32
#define DTYPE MLX_UINT32
#define T     uint32_t
#define C     uint32_t
#define W     uint32_t
#include TEMPLATE
#undef X
#undef DTYPE
#undef T
#undef C
#undef W

#define X     u16
#define DTYPE MLX_UINT16
#define T     uint16_t
#define C     uint16_t
#define W     uint32_t
#include TEMPLATE
#undef X
#undef DTYPE
#undef T
#undef C
#undef W

#define X     u8
#define DTYPE MLX_UINT8
#define T     uint8_t
#define C     uint8_t
#define W     uint32_t
#include TEMPLATE
#undef X
#undef DTYPE
#undef T
#undef C
#undef W

/* bool: any byte but 0 is true; results are 0 or 1. */
#undef CLASS
#undef LOAD
#undef STORE
#define CLASS    booleans
#define LOAD(v)  ((uint8_t)((v) != 0))
#define STORE(v) ((uint8_t)((v) != 0))
#define X        b8
#define DTYPE    MLX_BOOL
#define T        uint8_t
#define C        uint8_t
#define W        int32_t
#include TEMPLATE
#undef X
#undef DTYPE
#undef T
#undef C
#undef W

#undef CLASS
#undef LOAD
#undef STORE
#undef BELOW_0
#undef U
#undef TEMPLATE
