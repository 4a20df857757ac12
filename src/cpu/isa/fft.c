/* The loops of Fourier transforms, for one instruction set. Each runs over neighbouring floats: the steps by
 * vectors, the others as the compiler sees fit. */
#include "cpu/isa/loops.h"
#include "cpu/kernels.h"
#include "cpu/simd.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

/* Complex numbers, one or a vector of them. */
typedef struct cf {
    float r, i;
} cf;
typedef struct cv {
    simd_f32 r, i;
} cv;

static inline cf mul(cf a, cf b) { return (cf){a.r * b.r - a.i * b.i, a.r * b.i + a.i * b.r}; }

SIMD_INLINE cv add(cv a, cv b) { return (cv){a.r + b.r, a.i + b.i}; }
SIMD_INLINE cv sub(cv a, cv b) { return (cv){a.r - b.r, a.i - b.i}; }
SIMD_INLINE cv scaled(cv a, float f) { return (cv){a.r * f, a.i * f}; }
SIMD_INLINE cv times(cv a, cf b) { return (cv){a.r * b.r - a.i * b.i, a.r * b.i + a.i * b.r}; }
/* -i a */
SIMD_INLINE cv turned(cv a) { return (cv){a.i, -a.r}; }

/* --- butterflies --- */

SIMD_INLINE void butterfly2(const cv *a, cv *b)
{
    b[0] = add(a[0], a[1]);
    b[1] = sub(a[0], a[1]);
}

SIMD_INLINE void butterfly3(const cv *a, cv *b)
{
    cv sum = add(a[1], a[2]), side = scaled(turned(sub(a[1], a[2])), 0.866025403784438647f);
    cv mid = sub(a[0], scaled(sum, 0.5f));
    b[0] = add(a[0], sum);
    b[1] = add(mid, side);
    b[2] = sub(mid, side);
}

SIMD_INLINE void butterfly4(const cv *a, cv *b)
{
    cv s = add(a[0], a[2]), d = sub(a[0], a[2]), t = add(a[1], a[3]), e = turned(sub(a[1], a[3]));
    b[0] = add(s, t);
    b[1] = add(d, e);
    b[2] = sub(s, t);
    b[3] = sub(d, e);
}

SIMD_INLINE void butterfly5(const cv *a, cv *b)
{
    const float c1 = 0.309016994374947424f, c2 = -0.809016994374947424f;
    const float s1 = 0.951056516295153572f, s2 = 0.587785252292473129f;
    cv p = add(a[1], a[4]), q = add(a[2], a[3]);
    cv u = turned(sub(a[1], a[4])), v = turned(sub(a[2], a[3]));
    cv m = add(a[0], add(scaled(p, c1), scaled(q, c2))), n = add(a[0], add(scaled(p, c2), scaled(q, c1)));
    cv x = add(scaled(u, s1), scaled(v, s2)), y = sub(scaled(u, s2), scaled(v, s1));
    b[0] = add(a[0], add(p, q));
    b[1] = add(m, x);
    b[2] = add(n, y);
    b[3] = sub(n, y);
    b[4] = sub(m, x);
}

SIMD_INLINE void butterfly8(const cv *a, cv *b)
{
    const float h = 0.707106781186547524f;
    cv even[4] = {a[0], a[2], a[4], a[6]}, odd[4] = {a[1], a[3], a[5], a[7]}, e[4], o[4];
    butterfly4(even, e);
    butterfly4(odd, o);
    o[1] = scaled((cv){o[1].r + o[1].i, o[1].i - o[1].r}, h);
    o[2] = turned(o[2]);
    o[3] = scaled((cv){o[3].i - o[3].r, -o[3].r - o[3].i}, h);
    UNROLL for (int k = 0; k < 4; k++)
    {
        b[k] = add(e[k], o[k]);
        b[k + 4] = sub(e[k], o[k]);
    }
}

/* --- steps --- */

SIMD_INLINE simd_f32 get(const float *p, size_t n)
{
    return n == SIMD_LANES ? simd_load_f32(p) : simd_load_part_f32(p, n);
}

SIMD_INLINE void put(float *p, simd_f32 v, size_t n)
{
    if (n == SIMD_LANES)
        simd_store_f32(p, v);
    else
        simd_store_part_f32(p, v, n);
}

/* step_<R>: blocks of up to one vector, first the whole ones. The last step of a transform has no factors. */
#define STEP(R)                                                                                              \
    SIMD_INLINE void block_##R(const float *xr, const float *xi, float *yr, float *yi, size_t gap, size_t s, \
                               size_t n, const cf *w)                                                        \
    {                                                                                                        \
        cv a[R], b[R];                                                                                       \
        UNROLL for (size_t j = 0; j < R; j++) a[j] = (cv){get(xr + j * gap, n), get(xi + j * gap, n)};       \
        butterfly##R(a, b);                                                                                  \
        if (w)                                                                                               \
            UNROLL for (size_t k = 1; k < R; k++) b[k] = times(b[k], w[k]);                                  \
        UNROLL for (size_t k = 0; k < R; k++)                                                                \
        {                                                                                                    \
            put(yr + k * s, b[k].r, n);                                                                      \
            put(yi + k * s, b[k].i, n);                                                                      \
        }                                                                                                    \
    }                                                                                                        \
    SIMD_INLINE void row_##R(const float *xr, const float *xi, float *yr, float *yi, size_t gap, size_t s,   \
                             const cf *w)                                                                    \
    {                                                                                                        \
        size_t q = 0;                                                                                        \
        for (; q + SIMD_LANES <= s; q += SIMD_LANES)                                                         \
            block_##R(xr + q, xi + q, yr + q, yi + q, gap, s, SIMD_LANES, w);                                \
        if (q < s)                                                                                           \
            block_##R(xr + q, xi + q, yr + q, yi + q, gap, s, s - q, w);                                     \
    }                                                                                                        \
    static ONE_COPY void step_##R(const fft_step *p, fft_pair x, fft_pair y)                                 \
    {                                                                                                        \
        size_t m = p->m, s = p->s;                                                                           \
        row_##R(x.re, x.im, y.re, y.im, m *s, s, NULL); /* the factors of i = 0 are 1 */                     \
        for (size_t i = 1; i < m; i++) {                                                                     \
            cf w[R];                                                                                         \
            for (size_t k = 1; k < R; k++)                                                                   \
                w[k] = (cf){p->w.re[(k - 1) * m + i], p->w.im[(k - 1) * m + i]};                             \
            row_##R(x.re + i * s, x.im + i * s, y.re + R * i * s, y.im + R * i * s, m * s, s, w);            \
        }                                                                                                    \
    }

STEP(2)
STEP(3)
STEP(4)
STEP(5)
STEP(8)

/* to += a * w, or = for the first term. */
static inline void axpy(const float *restrict ar, const float *restrict ai, cf w, float *restrict tr,
                        float *restrict ti, size_t n, bool first)
{
    if (first)
        EACH(tr[i] = ar[i] * w.r - ai[i] * w.i; ti[i] = ar[i] * w.i + ai[i] * w.r;)
    else
        EACH(tr[i] += ar[i] * w.r - ai[i] * w.i; ti[i] += ar[i] * w.i + ai[i] * w.r;)
}

/* Any radix, by the definition. */
static void step_any(const fft_step *p, fft_pair x, fft_pair y)
{
    size_t m = p->m, s = p->s, radix = (size_t)p->radix;
    for (size_t i = 0; i < m; i++)
        for (size_t k = 0; k < radix; k++) {
            size_t to = (radix * i + k) * s;
            cf w = k ? (cf){p->w.re[(k - 1) * m + i], p->w.im[(k - 1) * m + i]} : (cf){1, 0};
            for (size_t j = 0; j < radix; j++) {
                size_t at = (i + m * j) * s, turn = j * k % radix;
                cf root = {p->roots.re[turn], p->roots.im[turn]};
                axpy(x.re + at, x.im + at, mul(root, w), y.re + to, y.im + to, s, j == 0);
            }
        }
}

static void step(const fft_step *p, fft_pair x, fft_pair y)
{
    switch (p->radix) {
    case 2:
        step_2(p, x, y);
        break;
    case 3:
        step_3(p, x, y);
        break;
    case 4:
        step_4(p, x, y);
        break;
    case 5:
        step_5(p, x, y);
        break;
    case 8:
        step_8(p, x, y);
        break;
    default:
        step_any(p, x, y);
    }
}

/* --- moving --- */

enum { TILE = 16 };

static inline void turn_tile(fft_pair x, fft_pair w, fft_pair y, size_t rows, size_t columns, size_t r0,
                             size_t c0)
{
    size_t r1 = r0 + TILE < rows ? r0 + TILE : rows, c1 = c0 + TILE < columns ? c0 + TILE : columns;
    float re[TILE][TILE + 1], im[TILE][TILE + 1];
    for (size_t r = r0; r < r1; r++) {
        const float *a = x.re + r * columns, *b = x.im + r * columns;
        const float *c = w.re + r * columns, *d = w.im + r * columns;
        for (size_t k = c0; k < c1; k++) {
            re[r - r0][k - c0] = a[k] * c[k] - b[k] * d[k];
            im[r - r0][k - c0] = a[k] * d[k] + b[k] * c[k];
        }
    }
    for (size_t c = c0; c < c1; c++)
        for (size_t r = r0; r < r1; r++) {
            y.re[c * rows + r] = re[r - r0][c - c0];
            y.im[c * rows + r] = im[r - r0][c - c0];
        }
}

static void turn(fft_pair x, fft_pair w, fft_pair y, size_t rows, size_t columns)
{
    for (size_t r = 0; r < rows; r += TILE)
        for (size_t c = 0; c < columns; c += TILE)
            turn_tile(x, w, y, rows, columns, r, c);
}

/* Do the lanes follow each other at this distance? */
static bool lanes_at(const fft_lines *p, ptrdiff_t distance)
{
    for (size_t l = 1; l < p->lanes; l++)
        if (p->lane[l] != p->lane[0] + (ptrdiff_t)l * distance)
            return false;
    return true;
}

static void load_part(const fft_lines *p, const float *from, float *restrict x)
{
    size_t lanes = p->lanes, n = p->n;
    ptrdiff_t stride = p->stride;
    if (!from) {
        memset(x, 0, n * lanes * sizeof *x);
    } else if (lanes == 1) {
        const float *restrict a = from + p->lane[0];
        if (stride == 2)
            EACH(x[i] = a[2 * i];)
        else if (stride == 1)
            memcpy(x, a, n * sizeof *x);
        else
            EACH_AT(x[i] = a[stride * i];)
    } else if (lanes_at(p, 2) || lanes_at(p, 1)) {
        size_t distance = (size_t)(p->lane[1] - p->lane[0]);
        for (size_t j = 0; j < n; j++) {
            const float *restrict a = from + p->lane[0] + (ptrdiff_t)j * stride;
            for (size_t l = 0; l < lanes; l++)
                x[j * lanes + l] = a[distance * l];
        }
    } else {
        for (size_t j0 = 0; j0 < n; j0 += TILE)
            for (size_t l = 0; l < lanes; l++)
                for (size_t j = j0; j < n && j < j0 + TILE; j++)
                    x[j * lanes + l] = from[p->lane[l] + (ptrdiff_t)j * stride];
    }
}

static void load(const fft_lines *from, fft_pair x)
{
    load_part(from, from->re, x.re);
    load_part(from, from->im, x.im);
}

/* Both parts at once, which neighbouring places are written by. */
static void store_complex(const fft_lines *p, fft_pair x, float scale)
{
    size_t lanes = p->lanes, n = p->n;
    ptrdiff_t to_im = p->im - p->re;
    if (lanes == 1 && p->stride == 2) {
        float *restrict a = p->re + p->lane[0], *restrict b = p->im + p->lane[0];
        EACH(a[2 * i] = x.re[i] * scale; b[2 * i] = x.im[i] * scale;)
        return;
    }
    if (lanes > 1 && lanes_at(p, 2)) {
        for (size_t j = 0; j < n; j++) {
            float *a = p->re + p->lane[0] + (ptrdiff_t)j * p->stride;
            VECTOR for (size_t l = 0; l < lanes; l++)
            {
                a[2 * l] = x.re[j * lanes + l] * scale;
                a[2 * (ptrdiff_t)l + to_im] = x.im[j * lanes + l] * scale;
            }
        }
        return;
    }
    for (size_t j0 = 0; j0 < n; j0 += TILE)
        for (size_t l = 0; l < lanes; l++)
            for (size_t j = j0; j < n && j < j0 + TILE; j++) {
                float *a = p->re + p->lane[l] + (ptrdiff_t)j * p->stride;
                a[0] = x.re[j * lanes + l] * scale;
                a[to_im] = x.im[j * lanes + l] * scale;
            }
}

static void store(const fft_lines *to, fft_pair x, float scale)
{
    if (to->im) {
        store_complex(to, x, scale);
        return;
    }
    for (size_t j0 = 0; j0 < to->n; j0 += TILE)
        for (size_t l = 0; l < to->lanes; l++)
            for (size_t j = j0; j < to->n && j < j0 + TILE; j++)
                to->re[to->lane[l] + (ptrdiff_t)j * to->stride] = x.re[j * to->lanes + l] * scale;
}

/* --- real lines --- */

/* real_after of one line: the loop is over its points. */
static void real_after_one(fft_pair x, fft_pair y, fft_pair w, size_t n)
{
    const float *restrict xr = x.re, *restrict xi = x.im, *restrict wr = w.re, *restrict wi = w.im;
    float *restrict yr = y.re, *restrict yi = y.im;
    yr[0] = xr[0] + xi[0];
    yr[n] = xr[0] - xi[0];
    yi[0] = yi[n] = 0;
    for (ptrdiff_t k = 1; k < (ptrdiff_t)n; k++) {
        float pr = xr[k], pi = xi[k], qr = xr[(ptrdiff_t)n - k], qi = -xi[(ptrdiff_t)n - k];
        float a = pi - qi, b = qr - pr;
        yr[k] = 0.5f * (pr + qr + a * wr[k] - b * wi[k]);
        yi[k] = 0.5f * (pi + qi + a * wi[k] + b * wr[k]);
    }
}

static void real_before_one(fft_pair x, fft_pair y, fft_pair w, size_t n)
{
    const float *restrict xr = x.re, *restrict xi = x.im, *restrict wr = w.re, *restrict wi = w.im;
    float *restrict yr = y.re, *restrict yi = y.im;
    for (ptrdiff_t k = 0; k < (ptrdiff_t)n; k++) {
        float pr = xr[k], pi = xi[k], qr = xr[(ptrdiff_t)n - k], qi = -xi[(ptrdiff_t)n - k];
        float a = pr - qr, b = pi - qi;
        yr[k] = pr + qr - (b * wr[k] - a * wi[k]);
        yi[k] = pi + qi + a * wr[k] + b * wi[k];
    }
}

/* With e and o the spectra of the even and the odd numbers, x = e + i o, and the whole is e + w o. */
static void real_after(fft_pair x, fft_pair y, fft_pair w, size_t n, size_t lanes)
{
    if (lanes == 1) {
        real_after_one(x, y, w, n);
        return;
    }
    for (size_t k = 0; k <= n; k++) {
        size_t a = k % n * lanes, b = (n - k) % n * lanes, to = k * lanes;
        cf root = {w.re[k], w.im[k]};
        VECTOR for (size_t l = 0; l < lanes; l++)
        {
            float pr = x.re[a + l], pi = x.im[a + l], qr = x.re[b + l], qi = -x.im[b + l];
            cf o = mul((cf){pi - qi, qr - pr}, root);
            y.re[to + l] = 0.5f * (pr + qr + o.r);
            y.im[to + l] = 0.5f * (pi + qi + o.i);
        }
    }
}

/* The imaginary parts of the first and the last number do not count. */
static void real_before(fft_pair x, fft_pair y, fft_pair w, size_t n, size_t lanes)
{
    memset(x.im, 0, lanes * sizeof *x.im);
    memset(x.im + n * lanes, 0, lanes * sizeof *x.im);
    if (lanes == 1) {
        real_before_one(x, y, w, n);
        return;
    }
    for (size_t k = 0; k < n; k++) {
        size_t a = k * lanes, b = (n - k) * lanes;
        cf root = {w.re[k], -w.im[k]};
        VECTOR for (size_t l = 0; l < lanes; l++)
        {
            float pr = x.re[a + l], pi = x.im[a + l], qr = x.re[b + l], qi = -x.im[b + l];
            cf o = mul((cf){pr - qr, pi - qi}, root);
            y.re[a + l] = pr + qr - o.i; /* e + i o */
            y.im[a + l] = pi + qi + o.r;
        }
    }
}

/* --- factors --- */

static void scale_rows(fft_pair x, fft_pair w, fft_pair y, size_t n, size_t lanes)
{
    if (lanes == 1) {
        VECTOR for (size_t k = 0; k < n; k++)
        {
            cf z = mul((cf){x.re[k], x.im[k]}, (cf){w.re[k], w.im[k]});
            y.re[k] = z.r;
            y.im[k] = z.i;
        }
        return;
    }
    for (size_t k = 0; k < n; k++) {
        cf root = {w.re[k], w.im[k]};
        size_t at = k * lanes;
        VECTOR for (size_t l = 0; l < lanes; l++)
        {
            cf z = mul((cf){x.re[at + l], x.im[at + l]}, root);
            y.re[at + l] = z.r;
            y.im[at + l] = z.i;
        }
    }
}

enum { TWIST_LANES = 64 };

/* The powers of each lane's root, one after the other, in double. */
static void twist(fft_pair x, size_t n, size_t lanes, size_t first, double size)
{
    double tr[TWIST_LANES], ti[TWIST_LANES], wr[TWIST_LANES], wi[TWIST_LANES];
    for (size_t l = 0; l < lanes; l++) {
        double angle = -6.283185307179586477 * (double)(first + l) / size;
        tr[l] = 1;
        ti[l] = 0;
        wr[l] = cos(angle);
        wi[l] = sin(angle);
    }
    for (size_t r = 0; r < n; r++) {
        float *restrict a = x.re + r * lanes, *restrict b = x.im + r * lanes;
        VECTOR for (size_t l = 0; l < lanes; l++)
        {
            cf z = mul((cf){a[l], b[l]}, (cf){(float)tr[l], (float)ti[l]});
            double next = tr[l] * wr[l] - ti[l] * wi[l];
            ti[l] = tr[l] * wi[l] + ti[l] * wr[l];
            tr[l] = next;
            a[l] = z.r;
            b[l] = z.i;
        }
    }
}

void FILL(fft)(fft_kernels *t)
{
    t->step = step;
    t->turn = turn;
    t->load = load;
    t->store = store;
    t->real_after = real_after;
    t->real_before = real_before;
    t->scale_rows = scale_rows;
    t->twist = twist;
}
