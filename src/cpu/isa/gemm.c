/* The pieces that matrix products are made of, for one instruction set.
 *
 * tile    a register block of mr x nr sums over packed panels: per step of k, nr / SIMD_LANES vector loads of
 * b and mr broadcasts of a feed mr * nr / SIMD_LANES multiply-adds. mr and nr are chosen so that the sums
 * fill the vector registers but for the operands. dot     for few rows of x against weights whose rows are
 * contiguous: a block of weight rows is read once, straight from where it lies (a mapped file), and used for
 * up to DOT_M rows of x from registers. axpy    the same for weights whose columns are contiguous: four rows
 * of b are added to y at a time. panel   packing: copies or transposes (in 4x4 blocks) and widens to float32.
 *
 * Every sum runs over k in the same order wherever its row lies in a block, so blocking never changes a
 * result. */
#include "cpu/isa/tile.h"
#include "cpu/kernels.h"

#define MR TILE_ROWS
#define NV TILE_VECTORS
#define NR TILE_COLUMNS
#if SIMD_LANES == 16
#define DOT_M 6
#define DOT_R 4
#else
#define DOT_M 4
#define DOT_R 2
#endif
#define PREFETCH(p) __builtin_prefetch(p)
#define ROWS        4 /* rows of b that axpy adds at once */

/* --- tile --- */

SIMD_INLINE void tile_rows(const size_t rows, size_t cols, size_t k, const float *a, const float *b, float *c,
                           size_t ldc, bool add)
{
    simd_f32 sum[MR][NV] = {0};
    if (add) /* c left the cache since the last block of k; it is here again when the sums are done */
        UNROLL
    for (size_t i = 0; i < rows; i++)
        for (size_t v = 0; v < NV; v++)
            PREFETCH(c + i * ldc + v * SIMD_LANES);
    for (size_t p = 0; p < k; p++, a += MR, b += NR) {
        simd_f32 bv[NV];
        UNROLL
        for (size_t v = 0; v < NV; v++)
            bv[v] = simd_load_f32(b + v * SIMD_LANES);
        UNROLL
        for (size_t i = 0; i < rows; i++) {
            simd_f32 av = simd_set1(a[i]);
            UNROLL
            for (size_t v = 0; v < NV; v++)
                sum[i][v] += av * bv[v];
        }
    }
    UNROLL
    for (size_t i = 0; i < rows; i++) {
        UNROLL
        for (size_t v = 0; v < NV; v++) {
            float *y = c + i * ldc + v * SIMD_LANES;
            size_t begin = v * SIMD_LANES;
            if (cols >= begin + SIMD_LANES)
                simd_store_f32(y, add ? simd_load_f32(y) + sum[i][v] : sum[i][v]);
            else if (cols > begin)
                simd_store_part_f32(y, add ? simd_load_part_f32(y, cols - begin) + sum[i][v] : sum[i][v],
                                    cols - begin);
        }
    }
}

static void tile(size_t rows, size_t cols, size_t k, const float *a, const float *b, float *c, size_t ldc,
                 bool add)
{
    /* One copy of tile_rows a height, so that a short tile costs no more than its rows. */
#define HEIGHT(n)                                 \
    case n:                                       \
        tile_rows(n, cols, k, a, b, c, ldc, add); \
        break;
    switch (rows) {
        HEIGHT(1)
        HEIGHT(2)
        HEIGHT(3)
        HEIGHT(4)
#if MR > 4
        HEIGHT(5)
        HEIGHT(6)
#endif
#if MR > 6
        HEIGHT(7)
        HEIGHT(8)
        HEIGHT(9)
        HEIGHT(10)
        HEIGHT(11)
        HEIGHT(12)
#endif
    default:
        break;
    }
#undef HEIGHT
}

/* --- depthwise --- */

static void depthwise(size_t taps, const float *const *x, const float *const *w, size_t n, float *y)
{
    size_t j = 0;
    for (; j + 2 * SIMD_LANES <= n; j += 2 * SIMD_LANES) {
        simd_f32 a = {0}, b = {0};
        for (size_t t = 0; t < taps; t++) {
            a += simd_load_f32(x[t] + j) * simd_load_f32(w[t] + j);
            b += simd_load_f32(x[t] + j + SIMD_LANES) * simd_load_f32(w[t] + j + SIMD_LANES);
        }
        simd_store_f32(y + j, a);
        simd_store_f32(y + j + SIMD_LANES, b);
    }
    for (size_t count; j < n; j += count) {
        simd_f32 a = {0};
        count = n - j < SIMD_LANES ? n - j : SIMD_LANES;
        if (count == SIMD_LANES) {
            for (size_t t = 0; t < taps; t++)
                a += simd_load_f32(x[t] + j) * simd_load_f32(w[t] + j);
            simd_store_f32(y + j, a);
        } else {
            for (size_t t = 0; t < taps; t++)
                a += simd_load_part_f32(x[t] + j, count) * simd_load_part_f32(w[t] + j, count);
            simd_store_part_f32(y + j, a, count);
        }
    }
}

/* --- float64 --- */

#define LANES_F64 (SIMD_LANES / 2)
#define NR_F64    (NR / 2)
typedef double simd_f64 __attribute__((vector_size(SIMD_LANES * 4)));

SIMD_INLINE simd_f64 load_f64(const double *p)
{
    simd_f64 v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* Always a whole tile, since the panels are padded; what lies outside c is dropped. */
static void tile_f64(size_t rows, size_t cols, size_t k, const double *a, const double *b, double *c,
                     size_t ldc, bool add)
{
    simd_f64 sum[MR][NV] = {0};
    double out[MR][NR_F64];
    for (size_t i = 0; i < rows; i++) /* wanted at the end */
        for (size_t j = 0; j < cols; j += 8)
            PREFETCH(c + i * ldc + j);
    for (size_t p = 0; p < k; p++, a += MR, b += NR_F64) {
        simd_f64 bv[NV];
        UNROLL
        for (size_t v = 0; v < NV; v++)
            bv[v] = load_f64(b + v * LANES_F64);
        UNROLL
        for (size_t i = 0; i < MR; i++) {
            simd_f64 av = a[i] - (simd_f64){0};
            UNROLL
            for (size_t v = 0; v < NV; v++)
                sum[i][v] += av * bv[v];
        }
    }
    memcpy(out, sum, sizeof out);
    for (size_t i = 0; i < rows && cols == NR_F64; i++)
        for (size_t v = 0; v < NR_F64; v += LANES_F64) {
            double *y = c + i * ldc + v;
            simd_f64 total = add ? load_f64(y) + load_f64(out[i] + v) : load_f64(out[i] + v);
            memcpy(y, &total, sizeof total);
        }
    for (size_t i = 0; i < rows && cols < NR_F64; i++)
        for (size_t j = 0; j < cols; j++)
            c[i * ldc + j] = add ? c[i * ldc + j] + out[i][j] : out[i][j];
}

static double dot_f64(const double *x, const double *y, size_t n)
{
    simd_f64 sum[2] = {0};
    size_t i = 0;
    double total = 0;
    for (; i + 2 * LANES_F64 <= n; i += 2 * LANES_F64) {
        sum[0] += load_f64(x + i) * load_f64(y + i);
        sum[1] += load_f64(x + i + LANES_F64) * load_f64(y + i + LANES_F64);
    }
    sum[0] += sum[1];
    for (size_t j = 0; j < LANES_F64; j++)
        total += sum[0][j];
    for (; i < n; i++)
        total += x[i] * y[i];
    return total;
}

static void axpy_f64(double x, const double *b, size_t n, double *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] += x * b[i];
}

/* --- the templates that read a stored format --- */

#define NAME(n) n##_f32
#define LOAD(p) simd_load_f32(p)
#define PART    simd_load_part_f32
#define GET     simd_get_f32
#define QUAD    simd_quad_f32
#define SIZE    SIMD_SIZE_f32
#include "cpu/isa/gemm_tmpl.h"

#define NAME(n) n##_f16
#define LOAD(p) simd_load_f16(p)
#define PART    simd_load_part_f16
#define GET     simd_get_f16
#define QUAD    simd_quad_f16
#define SIZE    SIMD_SIZE_f16
#define FIRST   simd_first_f16
#define SECOND  simd_second_f16
#include "cpu/isa/gemm_tmpl.h"

#define NAME(n) n##_bf16
#define LOAD(p) simd_load_bf16(p)
#define PART    simd_load_part_bf16
#define GET     simd_get_bf16
#define QUAD    simd_quad_bf16
#define SIZE    SIMD_SIZE_bf16
#define FIRST   simd_first_bf16
#define SECOND  simd_second_bf16
#include "cpu/isa/gemm_tmpl.h"

/* --- narrowing --- */

static void narrow_f32(const float *src, size_t n, void *dst) { memcpy(dst, src, n * sizeof(float)); }

#define NARROW(type)                                                                  \
    static void narrow_##type(const float *src, size_t n, void *dst)                  \
    {                                                                                 \
        uint16_t *y = dst;                                                            \
        size_t i = 0;                                                                 \
        for (; i + SIMD_LANES <= n; i += SIMD_LANES)                                  \
            simd_store_##type(y + i, simd_load_f32(src + i));                         \
        if (i < n)                                                                    \
            simd_store_part_##type(y + i, simd_load_part_f32(src + i, n - i), n - i); \
    }
NARROW(f16)
NARROW(bf16)

void FILL(gemm)(gemm_kernels *t)
{
    t->mr = MR;
    t->nr = NR;
    t->tile = tile;
    t->tile_f64 = tile_f64;
    t->depthwise = depthwise;
    t->dot_f64 = dot_f64;
    t->axpy_f64 = axpy_f64;
    t->narrow[0] = narrow_f32;
    t->narrow[1] = narrow_f16;
    t->narrow[2] = narrow_bf16;
#define SLOTS(i, type)          \
    t->panel[i] = panel_##type; \
    t->dot[i] = dot_##type;     \
    t->axpy[i] = axpy_##type;   \
    t->widen[i] = widen_##type;
    SLOTS(0, f32)
    SLOTS(1, f16)
    SLOTS(2, bf16)
}
