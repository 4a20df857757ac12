/* What gemm.c needs once per stored format. Expects NAME(n), LOAD(p), PART(p, n) and GET(p) (a vector, the
 * first n lanes of one, one element, all as float32), QUAD(p), SIZE (bytes an element), and for a
 * 16-bit format FIRST(v) and SECOND(v) (see simd_first_f16); undefines them. */

/* --- dot: m rows of x against r rows of w --- */

/* One sum a pair whatever m is: a row's result does not show how many rows there are. */
SIMD_INLINE void NAME(dot_block)(const size_t r, const size_t m, size_t k, const char *w, int64_t ldw,
                                 const float *x, size_t ldx, float *y, size_t ldy)
{
    simd_f32 sum[DOT_M][DOT_R] = {0};
    size_t p = 0;
    for (; p + SIMD_LANES <= k; p += SIMD_LANES) {
        simd_f32 wv[DOT_R];
        UNROLL
        for (size_t j = 0; j < r; j++)
            wv[j] = LOAD(w + (int64_t)j * ldw * SIZE + (int64_t)p * SIZE);
        UNROLL
        for (size_t i = 0; i < m; i++) {
            simd_f32 xv = simd_load_f32(x + i * ldx + p);
            UNROLL
            for (size_t j = 0; j < r; j++)
                sum[i][j] += xv * wv[j];
        }
    }
    if (p < k) {
        UNROLL
        for (size_t j = 0; j < r; j++) {
            simd_f32 wv = PART(w + (int64_t)j * ldw * SIZE + (int64_t)p * SIZE, k - p);
            UNROLL
            for (size_t i = 0; i < m; i++)
                sum[i][j] += simd_load_part_f32(x + i * ldx + p, k - p) * wv;
        }
    }
    UNROLL
    for (size_t i = 0; i < m; i++) { /* four at once, or as if: the order of adds must not depend on r */
        simd_f32 v[4] = {sum[i][0], sum[i][r > 1 ? 1 : 0], sum[i][r > 2 ? 2 : 0], sum[i][r > 3 ? 3 : 0]};
        simd_quad total = simd_sum_quad(v);
        memcpy(y + i * ldy, &total, r * sizeof(float));
    }
}

/* All rows of x against r rows of w, which come from the cache after the first block. Blocks of x are as even
 * as can be; every height is a copy of its own. */
SIMD_INLINE void NAME(dot_rows)(const size_t r, size_t k, const char *w, int64_t ldw, const float *x,
                                size_t ldx, size_t m, float *y, size_t ldy)
{
    size_t blocks = (m + DOT_M - 1) / DOT_M;
    for (size_t b = 0, i = 0, next; b < blocks; b++, i = next) {
        next = m * (b + 1) / blocks;
        const float *xs = x + i * ldx;
        float *ys = y + i * ldy;
        switch (next - i) {
        case 1:
            NAME(dot_block)(r, 1, k, w, ldw, xs, ldx, ys, ldy);
            break;
        case 2:
            NAME(dot_block)(r, 2, k, w, ldw, xs, ldx, ys, ldy);
            break;
        case 3:
            NAME(dot_block)(r, 3, k, w, ldw, xs, ldx, ys, ldy);
            break;
        case 4:
            NAME(dot_block)(r, 4, k, w, ldw, xs, ldx, ys, ldy);
            break;
#if DOT_M > 4
        case 5:
            NAME(dot_block)(r, 5, k, w, ldw, xs, ldx, ys, ldy);
            break;
        case 6:
            NAME(dot_block)(r, 6, k, w, ldw, xs, ldx, ys, ldy);
            break;
#endif
        default:
            break;
        }
    }
}

static void NAME(dot)(size_t k, const void *w, int64_t ldw, size_t rows, const float *x, size_t ldx, size_t m,
                      float *y, size_t ldy)
{
    const char *row = w;
    size_t r = 0;
    for (; r + DOT_R <= rows; r += DOT_R)
        NAME(dot_rows)(DOT_R, k, row + (int64_t)r * ldw * SIZE, ldw, x, ldx, m, y + r, ldy);
    for (; r < rows; r++)
        NAME(dot_rows)(1, k, row + (int64_t)r * ldw * SIZE, ldw, x, ldx, m, y + r, ldy);
}

/* --- axpy: y += x b, `rows` rows of b at a time into m rows of y --- */

SIMD_INLINE void NAME(axpy_block)(const size_t rows, const size_t m, const char *b, int64_t ldb, size_t n,
                                  const float *x, size_t ldx, float *y, size_t ldy)
{
    size_t j = 0;
    for (; j + SIMD_LANES <= n; j += SIMD_LANES) {
        simd_f32 bv[ROWS];
        UNROLL
        for (size_t p = 0; p < rows; p++)
            bv[p] = LOAD(b + (int64_t)p * ldb * SIZE + (int64_t)j * SIZE);
        UNROLL
        for (size_t i = 0; i < m; i++) {
            simd_f32 sum = simd_load_f32(y + i * ldy + j);
            UNROLL
            for (size_t p = 0; p < rows; p++)
                sum += bv[p] * simd_set1(x[i * ldx + p]);
            simd_store_f32(y + i * ldy + j, sum);
        }
    }
    if (j == n)
        return;
    for (size_t i = 0; i < m; i++) {
        simd_f32 sum = simd_load_part_f32(y + i * ldy + j, n - j);
        UNROLL
        for (size_t p = 0; p < rows; p++)
            sum += PART(b + (int64_t)p * ldb * SIZE + (int64_t)j * SIZE, n - j) * simd_set1(x[i * ldx + p]);
        simd_store_part_f32(y + i * ldy + j, sum, n - j);
    }
}

SIMD_INLINE void NAME(axpy_rows)(const size_t rows, const char *b, int64_t ldb, size_t n, const float *x,
                                 size_t ldx, size_t m, float *y, size_t ldy)
{
    size_t i = 0;
    for (; i + 4 <= m; i += 4)
        NAME(axpy_block)(rows, 4, b, ldb, n, x + i * ldx, ldx, y + i * ldy, ldy);
    for (; i < m; i++)
        NAME(axpy_block)(rows, 1, b, ldb, n, x + i * ldx, ldx, y + i * ldy, ldy);
}

static void NAME(axpy)(size_t k, const void *b, int64_t ldb, size_t n, const float *x, size_t ldx, size_t m,
                       float *y, size_t ldy)
{
    const char *row = b;
    size_t p = 0;
    for (; p + ROWS <= k; p += ROWS)
        NAME(axpy_rows)(ROWS, row + (int64_t)p * ldb * SIZE, ldb, n, x + p, ldx, m, y, ldy);
    for (; p < k; p++)
        NAME(axpy_rows)(1, row + (int64_t)p * ldb * SIZE, ldb, n, x + p, ldx, m, y, ldy);
}

/* --- panels and rows --- */

static void NAME(widen)(const void *src, int64_t stride, size_t n, float *dst)
{
    const char *x = src;
    size_t i = 0;
    if (stride == 1) {
        for (; i + SIMD_LANES <= n; i += SIMD_LANES)
            simd_store_f32(dst + i, LOAD(x + i * SIZE));
        if (i < n)
            simd_store_part_f32(dst + i, PART(x + i * SIZE, n - i), n - i);
        return;
    }
    for (; i < n; i++)
        dst[i] = GET(x + (int64_t)i * stride * SIZE);
}

/* Lanes are contiguous: each step of k is a copy. */
static void NAME(panel_copy)(const char *src, int64_t k_stride, size_t lanes, size_t k, size_t width,
                             float *dst)
{
    for (size_t p = 0; p < k; p++, src += k_stride * SIZE, dst += width) {
        size_t i = 0;
        for (; i + SIMD_LANES <= lanes; i += SIMD_LANES)
            simd_store_f32(dst + i, LOAD(src + i * SIZE));
        if (i < lanes)
            simd_store_part_f32(dst + i, PART(src + i * SIZE, lanes - i), lanes - i);
        for (i = lanes; i < width; i++)
            dst[i] = 0;
    }
}

/* Steps of k are contiguous. The next lanes are in other pages, which the processor does not fetch by itself.
 */

/* A vector of lanes, steps [0, k) rounded down; returns the steps done. */
SIMD_INLINE size_t NAME(transpose_wide)(const char *src, int64_t lane_stride, size_t k, size_t width,
                                        float *dst)
{
    const size_t words = 16 / SIZE; /* steps in a quad of words */
    int64_t step = lane_stride * SIZE;
    size_t p = 0;
    for (; p + words <= k; p += words) {
        simd_f32 v[4];
        if (p * SIZE % 64 == 0)
            for (int i = 0; i < SIMD_LANES; i++)
                PREFETCH(src + (i + SIMD_LANES) * step + (int64_t)p * SIZE);
        for (int i = 0; i < 4; i++)
            v[i] = simd_gather_quads(src + i * step + (int64_t)p * SIZE, step);
        simd_transpose_quads(v);
        UNROLL
        for (size_t i = 0; i < 4; i++) {
#ifdef FIRST
            simd_store_f32(dst + (p + 2 * i) * width, FIRST(v[i]));
            simd_store_f32(dst + (p + 2 * i + 1) * width, SECOND(v[i]));
#else
            simd_store_f32(dst + (p + i) * width, v[i]);
#endif
        }
    }
    return p;
}

/* Four lanes. */
SIMD_INLINE size_t NAME(transpose_quad)(const char *src, int64_t lane_stride, size_t k, size_t width,
                                        float *dst)
{
    int64_t step = lane_stride * SIZE;
    size_t p = 0;
    for (; p + 4 <= k; p += 4) {
        simd_quad q[4];
        if (p * SIZE % 64 == 0)
            for (int i = 0; i < 4; i++)
                PREFETCH(src + (i + 4) * step + (int64_t)p * SIZE);
        for (int i = 0; i < 4; i++)
            q[i] = QUAD(src + i * step + (int64_t)p * SIZE);
        simd_quad_transpose(q);
        for (size_t i = 0; i < 4; i++)
            memcpy(dst + (p + i) * width, &q[i], sizeof q[i]);
    }
    return p;
}

static void NAME(panel_transpose)(const char *src, int64_t lane_stride, size_t lanes, size_t k, size_t width,
                                  float *dst)
{
    for (size_t i = 0, n; i < width; i += n) {
        const char *s = src + (int64_t)i * lane_stride * SIZE;
        size_t p = 0;
        n = 1;
        if (i + SIMD_LANES <= lanes) {
            n = SIMD_LANES;
            p = NAME(transpose_wide)(s, lane_stride, k, width, dst + i);
        } else if (i + 4 <= lanes) {
            n = 4;
            p = NAME(transpose_quad)(s, lane_stride, k, width, dst + i);
        }
        for (; p < k; p++)
            for (size_t j = 0; j < n; j++)
                dst[p * width + i + j] =
                    i < lanes ? GET(s + ((int64_t)j * lane_stride + (int64_t)p) * SIZE) : 0;
    }
}

static void NAME(panel)(const void *src, int64_t lane_stride, int64_t k_stride, size_t lanes, size_t k,
                        size_t width, float *dst)
{
    const char *s = src;
    if (lane_stride == 1) {
        NAME(panel_copy)(s, k_stride, lanes, k, width, dst);
    } else if (k_stride == 1) {
        NAME(panel_transpose)(s, lane_stride, lanes, k, width, dst);
    } else {
        for (size_t p = 0; p < k; p++)
            for (size_t i = 0; i < width; i++)
                dst[p * width + i] =
                    i < lanes ? GET(s + ((int64_t)i * lane_stride + (int64_t)p * k_stride) * SIZE) : 0;
    }
}

#undef NAME
#undef LOAD
#undef PART
#undef GET
#undef QUAD
#undef FIRST
#undef SECOND
#undef SIZE
