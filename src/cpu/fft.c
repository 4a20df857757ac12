/* Plans of Fourier transforms, and running them.
 *
 * A length is factored into radices, each a step over all data (Stockham's order: no sorting at the end). One
 * line by itself has no lanes to run over, so its length n is split as rows * columns where it can be: the
 * columns are lanes of transforms over the rows, then the rows are turned into lanes of the other. A length
 * with a large prime factor becomes a circular convolution of a smooth length (Bluestein). Factors are
 * computed in double. */
#include "cpu/fft.h"

#include "base/mem.h"
#include "cpu/kernels.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { MAX_STEPS = 32, MAX_RADIX = 31, MIN_SPLIT = 225, PLANS = 16 };

struct fft_plan {
    _Atomic int refs;
    int n, n_steps;
    fft_step steps[MAX_STEPS];       /* s is 1: times the lanes when run */
    float *factors;                  /* what steps point into */
    struct fft_plan *rows, *columns; /* of one line by itself, or NULL */
    fft_pair cross;                  /* [rows][columns]: e^(-2 pi i r c / n) */
    struct fft_plan *smooth;         /* Bluestein's convolution, or NULL */
    fft_pair chirp, filter;          /* e^(-pi i k^2 / n); the other's spectrum, over its length */
    fft_pair real;                   /* e^(-pi i k / n), k up to n */
};

/* --- factors --- */

/* e^(-2 pi i k / n), exact on the axes. */
static void root(double k, double n, float *re, float *im)
{
    double eighths = 8 * k / n, turn = floor(eighths + 0.5), rest = (8 * k - turn * n) / (8 * n);
    double c = cos(6.283185307179586477 * rest), s = sin(6.283185307179586477 * rest);
    const double h = 0.70710678118654752440;
    static const double corners[8][2] = {{1, 0},  {1, 1},   {0, 1},  {-1, 1},
                                         {-1, 0}, {-1, -1}, {0, -1}, {1, -1}};
    const double *corner = corners[(int)fmod(turn, 8)];
    double length = corner[0] != 0 && corner[1] != 0 ? h : 1, x = corner[0] * length, y = corner[1] * length;
    *re = (float)(x * c - y * s);
    *im = (float)-(x * s + y * c);
}

static bool pair_new(fft_pair *p, size_t n)
{
    p->re = mem_alloc(2 * n, sizeof *p->re);
    p->im = p->re ? p->re + n : NULL;
    return p->re != NULL;
}

/* Splits n into radices, large ones first; false if a prime factor is too large. */
static bool factor(int n, fft_plan *p)
{
    static const int first[] = {8, 4, 2, 5, 3};
    p->n_steps = 0;
    for (size_t i = 0; i < sizeof first / sizeof *first; i++)
        for (; n % first[i] == 0; n /= first[i])
            p->steps[p->n_steps++].radix = first[i];
    for (int r = 7; n > 1 && r <= MAX_RADIX; r += 2)
        for (; n % r == 0; n /= r)
            p->steps[p->n_steps++].radix = r;
    return n == 1;
}

static bool make_steps(fft_plan *p)
{
    size_t total = 0, length = (size_t)p->n, s = 1;
    for (int i = 0; i < p->n_steps; i++) {
        fft_step *t = &p->steps[i];
        t->m = length / (size_t)t->radix;
        t->s = s;
        total += ((size_t)t->radix - 1) * t->m + (size_t)t->radix;
        length = t->m;
        s *= (size_t)t->radix;
    }
    float *at = p->factors = mem_alloc(2 * total, sizeof *at);
    for (int i = 0; at && i < p->n_steps; i++) {
        fft_step *t = &p->steps[i];
        size_t radix = (size_t)t->radix, count = (radix - 1) * t->m;
        t->w = (fft_pair){at, at + count};
        t->roots = (fft_pair){at + 2 * count, at + 2 * count + radix};
        at += 2 * (count + radix);
        for (size_t k = 1; k < radix; k++)
            for (size_t j = 0; j < t->m; j++)
                root((double)(k * j), (double)(radix * t->m), &t->w.re[(k - 1) * t->m + j],
                     &t->w.im[(k - 1) * t->m + j]);
        for (size_t k = 0; k < radix; k++)
            root((double)k, (double)radix, &t->roots.re[k], &t->roots.im[k]);
    }
    return p->factors != NULL;
}

int fft_factor(int n)
{
    int best = 1;
    for (int r = (int)sqrt((double)n); r > 1 && best == 1; r--) {
        fft_plan a, b;
        if (n % r == 0 && factor(r, &a) && factor(n / r, &b))
            best = r;
    }
    return best;
}

static fft_plan *plan_new(int n, bool alone);

static bool make_split(fft_plan *p)
{
    int rows = p->n >= MIN_SPLIT ? fft_factor(p->n) : 1;
    if (rows < 4)
        return true;
    int columns = p->n / rows;
    p->rows = plan_new(rows, false);
    p->columns = plan_new(columns, false);
    if (!p->rows || !p->columns || !pair_new(&p->cross, (size_t)p->n))
        return false;
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++)
            root((double)r * c, p->n, &p->cross.re[r * columns + c], &p->cross.im[r * columns + c]);
    return true;
}

/* The least length of small factors that is at least n. */
static size_t smooth_length(size_t n)
{
    size_t best = 1;
    while (best < n)
        best *= 2;
    for (size_t a = 1; a < best; a *= 5)
        for (size_t b = a; b < best; b *= 3) {
            size_t c = b;
            while (c < n)
                c *= 2;
            best = c < best ? c : best;
        }
    return best;
}

static bool make_bluestein(fft_plan *p, bool alone)
{
    size_t n = (size_t)p->n, length = smooth_length(2 * n - 1);
    p->smooth = length <= INT32_MAX ? plan_new((int)length, alone) : NULL;
    if (!p->smooth || !pair_new(&p->chirp, n) || !pair_new(&p->filter, length))
        return false;
    memset(p->filter.re, 0, 2 * length * sizeof(float));
    for (size_t k = 0; k < n; k++) {
        root((double)(k * k % (2 * n)), (double)(2 * n), &p->chirp.re[k], &p->chirp.im[k]);
        size_t ends[2] = {k, k ? length - k : 0};
        for (int e = 0; e < 2; e++) {
            p->filter.re[ends[e]] = p->chirp.re[k];
            p->filter.im[ends[e]] = -p->chirp.im[k];
        }
    }
    float *scratch = mem_alloc(fft_scratch(p->smooth, 1), sizeof *scratch);
    if (!scratch)
        return false;
    fft_run(p->smooth, 1, p->filter, scratch);
    mem_free(scratch);
    for (size_t k = 0; k < 2 * length; k++)
        p->filter.re[k] /= (float)length;
    return true;
}

static void plan_free(fft_plan *p)
{
    if (!p)
        return;
    plan_free(p->rows);
    plan_free(p->columns);
    plan_free(p->smooth);
    mem_free(p->factors);
    mem_free(p->cross.re);
    mem_free(p->chirp.re);
    mem_free(p->filter.re);
    mem_free(p->real.re);
    mem_free(p);
}

/* alone: with what one line by itself needs. */
static fft_plan *plan_new(int n, bool alone)
{
    fft_plan *p = mem_calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->refs = 1;
    p->n = n;
    bool ok = factor(n, p) ? make_steps(p) && (!alone || make_split(p)) : make_bluestein(p, alone);
    if (ok)
        return p;
    plan_free(p);
    return NULL;
}

static bool make_real(fft_plan *p)
{
    size_t count = (size_t)p->n + 1;
    if (!pair_new(&p->real, count))
        return false;
    for (size_t k = 0; k < count; k++)
        root((double)k, 2.0 * p->n, &p->real.re[k], &p->real.im[k]);
    return true;
}

/* --- the cache --- */

static struct {
    pthread_mutex_t lock;
    fft_plan *plans[PLANS]; /* the latest first */
} cache = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Moves plan i to the front. */
static void to_front(int i)
{
    fft_plan *p = cache.plans[i];
    memmove(cache.plans + 1, cache.plans, (size_t)i * sizeof p);
    cache.plans[0] = p;
}

static fft_plan *find(int n)
{
    for (int i = 0; i < PLANS; i++)
        if (cache.plans[i] && cache.plans[i]->n == n) {
            to_front(i);
            atomic_fetch_add(&cache.plans[0]->refs, 1);
            return cache.plans[0];
        }
    return NULL;
}

const fft_plan *fft_plan_get(int n)
{
    pthread_mutex_lock(&cache.lock);
    fft_plan *p = find(n);
    if (!p) {
        p = plan_new(n, true);
        if (p && !make_real(p)) {
            plan_free(p);
            p = NULL;
        }
        if (p) {
            fft_plan *old = cache.plans[PLANS - 1];
            cache.plans[PLANS - 1] = p;
            to_front(PLANS - 1);
            atomic_fetch_add(&p->refs, 1);
            fft_plan_release(old);
        }
    }
    pthread_mutex_unlock(&cache.lock);
    return p;
}

void fft_plan_release(const fft_plan *p)
{
    fft_plan *own = (fft_plan *)(uintptr_t)p;
    if (own && atomic_fetch_sub(&own->refs, 1) == 1)
        plan_free(own);
}

void fft_shutdown(void)
{
    pthread_mutex_lock(&cache.lock);
    for (int i = 0; i < PLANS; i++) {
        fft_plan_release(cache.plans[i]);
        cache.plans[i] = NULL;
    }
    pthread_mutex_unlock(&cache.lock);
}

/* --- running --- */

bool fft_runs_alone(const fft_plan *p) { return p->rows || p->smooth; }

fft_pair fft_real_roots(const fft_plan *p) { return p->real; }

size_t fft_scratch(const fft_plan *p, size_t lanes)
{
    size_t own = 2 * (size_t)p->n * lanes;
    if (!p->smooth)
        return own;
    return 2 * (size_t)p->smooth->n * lanes + fft_scratch(p->smooth, lanes);
}

/* The steps, to and fro between x and y; the result is in x. */
static void run_steps(const fft_kernels *k, const fft_plan *p, size_t lanes, fft_pair *x, fft_pair *y)
{
    for (int i = 0; i < p->n_steps; i++) {
        fft_step t = p->steps[i];
        t.s *= lanes;
        k->step(&t, *x, *y);
        fft_pair swap = *x;
        *x = *y;
        *y = swap;
    }
}

static void run_bluestein(const fft_kernels *k, const fft_plan *p, size_t lanes, fft_pair x, float *scratch)
{
    size_t n = (size_t)p->n, length = (size_t)p->smooth->n;
    fft_pair y = {scratch, scratch + length * lanes}, back = {y.im, y.re};
    float *rest = scratch + 2 * length * lanes;
    k->scale_rows(x, p->chirp, y, n, lanes);
    memset(y.re + n * lanes, 0, (length - n) * lanes * sizeof(float));
    memset(y.im + n * lanes, 0, (length - n) * lanes * sizeof(float));
    fft_run(p->smooth, lanes, y, rest);
    k->scale_rows(y, p->filter, y, length, lanes);
    fft_run(p->smooth, lanes, back, rest); /* parts exchanged: the inverse */
    k->scale_rows(y, p->chirp, x, n, lanes);
}

void fft_run(const fft_plan *p, size_t lanes, fft_pair x, float *scratch)
{
    const fft_kernels *k = &cpu_kernels_get()->fft;
    size_t count = (size_t)p->n * lanes;
    fft_pair at = x, other = {scratch, scratch + count};
    if (p->smooth) {
        run_bluestein(k, p, lanes, x, scratch);
        return;
    }
    if (lanes == 1 && p->rows) {
        size_t rows = (size_t)p->rows->n, columns = (size_t)p->columns->n;
        run_steps(k, p->rows, columns, &at, &other);
        k->turn(at, p->cross, other, rows, columns);
        fft_pair swap = at;
        at = other;
        other = swap;
        run_steps(k, p->columns, rows, &at, &other);
    } else {
        run_steps(k, p, lanes, &at, &other);
    }
    if (at.re != x.re) {
        memcpy(x.re, at.re, count * sizeof(float));
        memcpy(x.im, at.im, count * sizeof(float));
    }
}
