/* Reductions: sum, prod, max, min, all, any and the positions of extremes, for every dtype.
 *
 * Sums and products of floats are accumulated in double and rounded once, those of integers wrap in the
 * result's width; NaN goes through max and min. How rows are cut up is told in reduce_op_tmpl.h. The 16-bit
 * floats are widened block by block and go on as float32, but all and any look at their bits. */
#include "cpu/isa/half_rows.h"
#include "cpu/kernels.h"

enum {
    LANES = 32,     /* accumulators of one row */
    COLUMNS = 1024, /* of many rows at a time: they stay in the first-level cache */
    GATHER = 512,   /* elements of a strided row that are brought together */
};
_Static_assert(HALF_BLOCK % LANES == 0 && GATHER % LANES == 0, "blocks are whole rows of lanes");

#define REDUCTIONS         \
    REDUCE(sum, CPU_SUM)   \
    REDUCE(prod, CPU_PROD) \
    REDUCE(max, CPU_MAX)   \
    REDUCE(min, CPU_MIN)   \
    REDUCE(all, CPU_ALL)   \
    REDUCE(any, CPU_ANY)

/* What the classes of dtypes add up in, and how they compare. */
#define floats_wide          double
#define complexes_wide       double complex
#define integers_wide        U
#define booleans_wide        U
#define floats_max(p, q)     m_max(p, q)
#define floats_min(p, q)     m_min(p, q)
#define complexes_max(p, q)  c_max(p, q)
#define complexes_min(p, q)  c_min(p, q)
#define integers_max(p, q)   ((p) > (q) ? (p) : (q))
#define integers_min(p, q)   ((p) < (q) ? (p) : (q))
#define booleans_max(p, q)   ((p) > (q) ? (p) : (q))
#define booleans_min(p, q)   ((p) < (q) ? (p) : (q))
#define floats_more(p, q)    ((p) > (q))
#define complexes_more(p, q) c_less(q, p)
#define integers_more(p, q)  ((p) > (q))
#define booleans_more(p, q)  ((p) > (q))
/* Is this the element that won? Complex numbers win by one part and may be NaN in the other. */
#define floats_same(p, q)    ((p) == (q))
#define complexes_same(p, q) ((p) == (q) || c_same_bits(p, q))
#define integers_same(p, q)  ((p) == (q))
#define booleans_same(p, q)  ((p) == (q))

static inline bool c_same_bits(float complex p, float complex q) { return memcmp(&p, &q, sizeof p) == 0; }

#define TEMPLATE "cpu/isa/reduce_tmpl.h"
#include "cpu/isa/dtypes_tmpl.h"

/* --- 16-bit floats --- */

#define NAME sum
#define A    double
#include "cpu/isa/reduce_half_tmpl.h"
#define NAME prod
#define A    double
#include "cpu/isa/reduce_half_tmpl.h"
#define NAME max
#define A    float
#include "cpu/isa/reduce_half_tmpl.h"
#define NAME min
#define A    float
#include "cpu/isa/reduce_half_tmpl.h"

/* all and any: everything but +0 and -0 is true, NaN too. */
#define X       h16
#define T       uint16_t
#define LOAD(v) ((v)&0x7FFFu)
static inline void gather_h16(T *block, const T *a, ptrdiff_t sa, size_t n) { gather_u16(block, a, sa, n); }

#define NAME       all
#define A          uint8_t
#define R          uint8_t
#define VALUE(x)   ((uint8_t)((x) != 0))
#define JOIN(p, q) ((uint8_t)((p) & (q)))
#define START(x)   1
#include "cpu/isa/reduce_op_tmpl.h"

#define NAME       any
#define A          uint8_t
#define R          uint8_t
#define VALUE(x)   ((uint8_t)((x) != 0))
#define JOIN(p, q) ((uint8_t)((p) | (q)))
#define START(x)   0
#include "cpu/isa/reduce_op_tmpl.h"
#undef X
#undef T
#undef LOAD

/* As reduce_arg_tmpl.h: the best value and its block first, the position in it afterwards. */
static uint32_t arg_half(half_kind kind, bool smallest, const uint16_t *a, ptrdiff_t sa, size_t n)
{
    float block[HALF_BLOCK], best = 0;
    size_t at = 0;
    bool beaten = false; /* the first element */
    half_widen(kind, a, 1, &best, n > 0);
    for (size_t start = 0; start < n; start += HALF_BLOCK) {
        size_t m = half_count(start, n);
        half_widen(kind, a + (ptrdiff_t)start * sa, sa, block, m);
        float extreme = smallest ? block_argmin_f32(block, m, best) : block_argmax_f32(block, m, best);
        if (smallest ? extreme < best : extreme > best) {
            best = extreme;
            at = start;
            beaten = true;
        }
    }
    if (beaten) {
        size_t m = half_count(at, n);
        half_widen(kind, a + (ptrdiff_t)at * sa, sa, block, m);
        at += find_argmax_f32(block, 1, m, best);
    }
    return (uint32_t)at;
}

static void arg_rows_half(half_kind kind, bool smallest, const uint16_t *a, ptrdiff_t sa, uint32_t *y,
                          size_t n, size_t m)
{
    float best[HALF_BLOCK], row[HALF_BLOCK];
    for (size_t first = 0; first < m; first += HALF_BLOCK) {
        size_t some = half_count(first, m);
        half_widen(kind, a + first, 1, best, n > 0 ? some : 0);
        memset(y + first, 0, some * sizeof *y);
        for (size_t i = 1; i < n; i++) {
            half_widen(kind, a + (ptrdiff_t)i * sa + first, 1, row, some);
            if (smallest)
                compare_argmin_f32(row, best, y + first, (uint32_t)i, some);
            else
                compare_argmax_f32(row, best, y + first, (uint32_t)i, some);
        }
    }
}

#define HALVES(h, KIND, DTYPE)                                                                    \
    HALF(sum, h, KIND)                                                                            \
    HALF(prod, h, KIND)                                                                           \
    HALF(max, h, KIND)                                                                            \
    HALF(min, h, KIND)                                                                            \
    static uint32_t argmax_##h(const void *a, ptrdiff_t sa, size_t n)                             \
    {                                                                                             \
        return arg_half(KIND, false, a, sa, n);                                                   \
    }                                                                                             \
    static uint32_t argmin_##h(const void *a, ptrdiff_t sa, size_t n)                             \
    {                                                                                             \
        return arg_half(KIND, true, a, sa, n);                                                    \
    }                                                                                             \
    static void arg_rows_argmax_##h(const void *a, ptrdiff_t sa, uint32_t *y, size_t n, size_t m) \
    {                                                                                             \
        arg_rows_half(KIND, false, a, sa, y, n, m);                                               \
    }                                                                                             \
    static void arg_rows_argmin_##h(const void *a, ptrdiff_t sa, uint32_t *y, size_t n, size_t m) \
    {                                                                                             \
        arg_rows_half(KIND, true, a, sa, y, n, m);                                                \
    }
#define HALF(name, h, KIND)                                                                 \
    static void reduce_##name##_##h(const void *a, ptrdiff_t sa, void *y, size_t n)         \
    {                                                                                       \
        half_reduce_##name(KIND, a, sa, y, n);                                              \
    }                                                                                       \
    static void rows_##name##_##h(const void *a, ptrdiff_t sa, void *y, size_t n, size_t m) \
    {                                                                                       \
        half_rows_##name(KIND, a, sa, y, n, m);                                             \
    }
HALVES(f16, HALF_F16, MLX_FLOAT16)
HALVES(bf16, HALF_BF16, MLX_BFLOAT16)
#undef HALVES

static void fill_halves(reduce_kernels *t, mlx_dtype dtype, bool bf16)
{
#define REDUCE(name, NUMBER)                                                      \
    t->reduce[NUMBER][dtype] = bf16 ? reduce_##name##_bf16 : reduce_##name##_f16; \
    t->rows[NUMBER][dtype] = bf16 ? rows_##name##_bf16 : rows_##name##_f16;
    REDUCE(sum, CPU_SUM)
    REDUCE(prod, CPU_PROD)
    REDUCE(max, CPU_MAX)
    REDUCE(min, CPU_MIN)
    t->reduce[CPU_ALL][dtype] = reduce_all_h16;
    t->rows[CPU_ALL][dtype] = rows_all_h16;
    t->reduce[CPU_ANY][dtype] = reduce_any_h16;
    t->rows[CPU_ANY][dtype] = rows_any_h16;
    t->arg[0][dtype] = bf16 ? argmax_bf16 : argmax_f16;
    t->arg[1][dtype] = bf16 ? argmin_bf16 : argmin_f16;
    t->arg_rows[0][dtype] = bf16 ? arg_rows_argmax_bf16 : arg_rows_argmax_f16;
    t->arg_rows[1][dtype] = bf16 ? arg_rows_argmin_bf16 : arg_rows_argmin_f16;
}

void FILL(reduce)(reduce_kernels *t)
{
#define FILL_ONE(x) fill_##x(t);
    COMPUTED_DTYPES(FILL_ONE)
    fill_halves(t, MLX_FLOAT16, false);
    fill_halves(t, MLX_BFLOAT16, true);
}
