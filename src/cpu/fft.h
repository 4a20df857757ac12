/* Discrete Fourier transforms of complex float lines.
 *
 * Lines are transformed `lanes` at a time, real and imaginary parts apart: element j of line l is at
 * [j * lanes + l] of each. Then every step is a loop over neighbouring numbers, whatever the length is. */
#ifndef MICA_CPU_FFT_H
#define MICA_CPU_FFT_H

#include <stdbool.h>
#include <stddef.h>

/* The two halves of complex numbers. */
typedef struct fft_pair {
    float *re, *im;
} fft_pair;

/* One step of a transform: radix * m lines of `s` numbers become m groups of radix * s.
 * y[(radix p + k) s + q] = w[k][p] * sum over j of x[(p + m j) s + q] e^(-2 pi i j k / radix); w[0] is 1. */
typedef struct fft_step {
    int radix;
    size_t m, s;
    fft_pair w;     /* [radix - 1][m]: w[1], w[2] ... */
    fft_pair roots; /* [radix]: e^(-2 pi i j / radix), for radices without a kernel of their own */
} fft_step;

/* How lines lie in memory: element j of line l at re[lane[l] + j * stride] and im[...], offsets in floats. A
 * NULL im reads as 0 and is not written. */
typedef struct fft_lines {
    float *re, *im;
    ptrdiff_t stride;
    const ptrdiff_t *lane;
    size_t lanes, n;
} fft_lines;

typedef struct fft_kernels {
    void (*step)(const fft_step *p, fft_pair x, fft_pair y);
    /* y[c * rows + r] = x[r * columns + c] * w[r * columns + c] */
    void (*turn)(fft_pair x, fft_pair w, fft_pair y, size_t rows, size_t columns);
    void (*load)(const fft_lines *from, fft_pair x);
    void (*store)(const fft_lines *to, fft_pair x, float scale);
    /* The spectrum of 2 n real numbers, n + 1 rows, from that of n complex ones; and back, unscaled. w is
     * e^(-pi i k / n). */
    void (*real_after)(fft_pair x, fft_pair y, fft_pair w, size_t n, size_t lanes);
    void (*real_before)(fft_pair x, fft_pair y, fft_pair w, size_t n, size_t lanes);
    /* y = x * w, where w has one number for each row of lanes. */
    void (*scale_rows)(fft_pair x, fft_pair w, fft_pair y, size_t n, size_t lanes);
    /* Row r, lane l of x times e^(-2 pi i r (first + l) / size). */
    void (*twist)(fft_pair x, size_t n, size_t lanes, size_t first, double size);
} fft_kernels;

/* Everything that depends on the length alone. Immutable once made; shared by threads. */
typedef struct fft_plan fft_plan;

/* The plan for a length of at least 1, from a cache of a few; fft_plan_release it. NULL when out of memory.
 */
const fft_plan *fft_plan_get(int n);
void fft_plan_release(const fft_plan *p);
/* Drops the cache. */
void fft_shutdown(void);

/* Floats that fft_run needs besides x. */
size_t fft_scratch(const fft_plan *p, size_t lanes);
/* Transforms `lanes` lines in x: sum over j of x[j] e^(-2 pi i j k / n). */
void fft_run(const fft_plan *p, size_t lanes, fft_pair x, float *scratch);
/* Does the plan keep one line by itself busy? */
bool fft_runs_alone(const fft_plan *p);
/* e^(-pi i k / n) for k up to n: what real lines of 2 n numbers need. */
fft_pair fft_real_roots(const fft_plan *p);
/* A factor of n near its square root, 1 if n has no small factors; for lines too long for one run. */
int fft_factor(int n);

#endif
