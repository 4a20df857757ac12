/* Fourier transforms of arrays: a sweep over the lines of each axis.
 *
 * A sweep takes its lines in groups of lanes: a group is loaded, transformed and stored, and groups are
 * shared out over the threads. The real side of a real transform is one sweep, too: an even number of real
 * points is half as many complex ones. Inverse transforms exchange real and imaginary parts on the way in and
 * out.
 *
 * A line too long for the cache is n = rows * columns points: one sweep over its columns, then one over the
 * rows, each of short lines. */
#include "base/error.h"
#include "base/mem.h"
#include "cpu/eval.h"
#include "cpu/pool.h"
#include "cpu/walk.h"

#include <string.h>

enum { MAX_LANES = 64, CACHED = 1 << 14, LONG = 1 << 16, SHORT_ROWS = 16 };

/* One group of lanes: x and y hold `rows` of them. */
typedef struct group {
    fft_lines from, to;
    fft_pair x, y;
    float *scratch;
    size_t first; /* of its lines, counted within their run */
} group;

typedef struct sweep {
    const fft_plan *plan;
    void (*compute)(const struct sweep *s, group *g);
    size_t points, rows; /* of a line (real ones of a real line); lanes that x and y need */
    bool inverse;
    float scale;
    float *in, *out;             /* may be the same */
    ptrdiff_t in_step, out_step; /* from point to point; all distances are in floats */
    int ndim;                    /* the other axes */
    size_t shape[MX_MAX_DIMS + 1];
    ptrdiff_t in_strides[MX_MAX_DIMS + 1], out_strides[MX_MAX_DIMS + 1];
    size_t lines, lanes;
    size_t run;   /* a group does not cross a multiple of it */
    double twist; /* times e^(-2 pi i row line / twist) after the transform; 0: not */
    float *scratch;
    size_t scratch_size; /* of one thread */
} sweep;

/* --- what is done with a group --- */

static void transform(const sweep *s, const group *g, fft_pair x)
{
    if (s->inverse)
        x = (fft_pair){x.im, x.re};
    fft_run(s->plan, g->from.lanes, x, g->scratch);
    if (s->twist != 0)
        cpu_kernels_get()->fft.twist(x, s->points, g->from.lanes, g->first, s->twist);
}

/* Loads n points (from->im says whether they are complex); stores n points. */
static void load(const sweep *s, group *g, size_t n, ptrdiff_t im, ptrdiff_t step)
{
    g->from.im = im ? s->in + im : NULL;
    g->from.n = n;
    g->from.stride = step;
    cpu_kernels_get()->fft.load(&g->from, g->x);
}

static void store(const sweep *s, group *g, fft_pair x, size_t n, ptrdiff_t im, ptrdiff_t step)
{
    g->to.im = im ? s->out + im : NULL;
    g->to.n = n;
    g->to.stride = step;
    cpu_kernels_get()->fft.store(&g->to, x, s->scale);
}

static void complex_lines(const sweep *s, group *g)
{
    load(s, g, s->points, 1, s->in_step);
    transform(s, g, g->x);
    store(s, g, g->x, s->points, 1, s->out_step);
}

/* Real to half a spectrum. */
static void real_even(const sweep *s, group *g)
{
    size_t half = s->points / 2;
    load(s, g, half, s->in_step, 2 * s->in_step);
    transform(s, g, g->x);
    cpu_kernels_get()->fft.real_after(g->x, g->y, fft_real_roots(s->plan), half, g->from.lanes);
    store(s, g, g->y, half + 1, 1, s->out_step);
}

static void real_odd(const sweep *s, group *g)
{
    load(s, g, s->points, 0, s->in_step);
    transform(s, g, g->x);
    store(s, g, g->x, s->points / 2 + 1, 1, s->out_step);
}

/* Half a spectrum to real. */
static void back_even(const sweep *s, group *g)
{
    size_t half = s->points / 2;
    load(s, g, half + 1, 1, s->in_step);
    cpu_kernels_get()->fft.real_before(g->x, g->y, fft_real_roots(s->plan), half, g->from.lanes);
    transform(s, g, g->y);
    store(s, g, g->y, half, s->out_step, 2 * s->out_step);
}

static void back_odd(const sweep *s, group *g)
{
    size_t lanes = g->from.lanes, half = s->points / 2;
    load(s, g, half + 1, 1, s->in_step);
    memset(g->x.im, 0, lanes * sizeof *g->x.im);
    for (size_t k = 1; k <= half; k++)
        for (size_t l = 0; l < lanes; l++) {
            g->x.re[(s->points - k) * lanes + l] = g->x.re[k * lanes + l];
            g->x.im[(s->points - k) * lanes + l] = -g->x.im[k * lanes + l];
        }
    transform(s, g, g->x);
    store(s, g, g->x, s->points, 0, s->out_step);
}

/* --- a sweep --- */

/* Where line i begins. */
static void locate(const sweep *s, size_t i, ptrdiff_t *in, ptrdiff_t *out)
{
    *in = *out = 0;
    for (int d = s->ndim - 1; d >= 0; d--) {
        ptrdiff_t at = (ptrdiff_t)(i % s->shape[d]);
        i /= s->shape[d];
        *in += at * s->in_strides[d];
        *out += at * s->out_strides[d];
    }
}

static size_t groups_of_run(const sweep *s) { return (s->run + s->lanes - 1) / s->lanes; }

static void compute_group(const sweep *s, size_t i, float *memory)
{
    ptrdiff_t in[MAX_LANES], out[MAX_LANES];
    size_t first = i % groups_of_run(s) * s->lanes, line = i / groups_of_run(s) * s->run + first;
    size_t lanes = s->run - first < s->lanes ? s->run - first : s->lanes, count = s->rows * s->lanes;
    for (size_t l = 0; l < lanes; l++)
        locate(s, line + l, &in[l], &out[l]);
    group g = {.from = {.re = s->in, .lane = in, .lanes = lanes},
               .to = {.re = s->out, .lane = out, .lanes = lanes},
               .x = {memory, memory + count},
               .y = {memory + 2 * count, memory + 3 * count},
               .scratch = memory + 4 * count,
               .first = first};
    s->compute(s, &g);
}

static void compute_share(void *arg, int thread, int threads)
{
    const sweep *s = arg;
    size_t groups = s->lines / s->run * groups_of_run(s);
    size_t end = groups * ((size_t)thread + 1) / (size_t)threads;
    for (size_t i = groups * (size_t)thread / (size_t)threads; i < end; i++)
        compute_group(s, i, s->scratch + (size_t)thread * s->scratch_size);
}

/* Lines together: one if they lie in one piece and are worth it, else as many as the cache holds. */
static size_t choose_lanes(const sweep *s, size_t length, bool dense)
{
    if (s->run == 1 || (dense && fft_runs_alone(s->plan)))
        return 1;
    size_t lanes = CACHED / length / 16 * 16;
    lanes = lanes < 16 ? 16 : lanes > MAX_LANES ? MAX_LANES : lanes;
    return lanes < s->run ? lanes : s->run;
}

/* Runs a sweep whose plan has this length; takes the plan. */
static int sweep_run(sweep *s, int length, bool dense)
{
    s->plan = fft_plan_get(length);
    if (!s->plan)
        return -1;
    s->rows = s->rows > (size_t)length ? s->rows : (size_t)length;
    s->lanes = choose_lanes(s, (size_t)length, dense);
    /* to whole cache lines, so that threads share none */
    s->scratch_size = (4 * s->rows * s->lanes + fft_scratch(s->plan, s->lanes) + 31) / 16 * 16;
    double work = (double)s->lines * length;
    size_t groups = s->lines / s->run * groups_of_run(s), bytes;
    int threads = pool_threads(), worth = work < 1e6 ? (int)(work / 4096) + 1 : threads;
    threads = worth < threads ? worth : threads;
    threads = groups < (size_t)threads ? (int)groups : threads;
    if (mem_mul(s->scratch_size * sizeof(float), (size_t)threads, &bytes))
        s->scratch = mem_aligned(64, bytes);
    if (s->scratch)
        pool_run(compute_share, s, threads);
    mem_free(s->scratch);
    fft_plan_release(s->plan);
    return s->scratch ? 0 : -1;
}

/* --- arrays --- */

/* An array of lines: floats from point to point of each axis. */
typedef struct lines {
    float *data;
    int ndim;
    const int *shape;
    ptrdiff_t strides[MX_MAX_DIMS];
} lines;

static lines lines_of(const node *n, const char *data, const int64_t *strides)
{
    lines v = {(float *)(uintptr_t)data, n->ndim, n->shape, {0}};
    ptrdiff_t unit = n->dtype == MLX_COMPLEX64 ? 2 : 1;
    for (int i = 0; i < n->ndim; i++)
        v.strides[i] = (ptrdiff_t)strides[i] * unit;
    return v;
}

/* A sweep along an axis from one array to another of the same size elsewhere. */
static sweep along(const lines *in, const lines *out, int axis, size_t points)
{
    sweep s = {.points = points, .in = in->data, .out = out->data, .scale = 1, .lines = 1};
    s.in_step = in->strides[axis];
    s.out_step = out->strides[axis];
    for (int i = 0; i < in->ndim; i++) {
        if (i == axis)
            continue;
        s.shape[s.ndim] = (size_t)in->shape[i];
        s.in_strides[s.ndim] = in->strides[i];
        s.out_strides[s.ndim++] = out->strides[i];
        s.lines *= (size_t)in->shape[i];
    }
    s.run = s.lines;
    return s;
}

/* Long complex lines: points r * columns + c become points k + rows * l. */
static int sweep_long(const sweep *whole, int rows)
{
    int n = (int)whole->points, columns = n / rows, last = whole->ndim;
    ptrdiff_t gap = 2 * (ptrdiff_t)n;
    buffer *b = buffer_new((size_t)n * whole->lines * 2 * sizeof(float));
    if (!b)
        return -1;
    sweep s = *whole, t = *whole;
    s.out = t.in = (float *)b->data;
    for (int d = last - 1; d >= 0; gap *= (ptrdiff_t)s.shape[d--])
        s.out_strides[d] = t.in_strides[d] = gap;
    s.ndim = t.ndim = last + 1;
    s.points = (size_t)rows;
    s.shape[last] = s.run = (size_t)columns;
    s.in_strides[last] = whole->in_step;
    s.in_step *= columns;
    s.out_strides[last] = 2 * (ptrdiff_t)rows;
    s.out_step = 2;
    s.lines *= (size_t)columns;
    s.scale = 1;
    s.twist = n;
    t.points = (size_t)columns;
    t.shape[last] = t.run = (size_t)rows;
    t.in_strides[last] = 2;
    t.in_step = 2 * (ptrdiff_t)rows;
    t.out_strides[last] = whole->out_step;
    t.out_step *= rows;
    t.lines *= (size_t)rows;
    int rc = sweep_run(&s, rows, false);
    rc = rc ? rc : sweep_run(&t, columns, false);
    buffer_release(b);
    return rc;
}

static int sweep_complex(const lines *in, const lines *out, int axis, bool inverse, float scale)
{
    int n = in->shape[axis], rows = n >= LONG ? fft_factor(n) : 1;
    sweep s = along(in, out, axis, (size_t)n);
    s.compute = complex_lines;
    s.inverse = inverse;
    s.scale = scale;
    if (rows >= SHORT_ROWS)
        return sweep_long(&s, rows);
    return sweep_run(&s, n, s.in_step == 2 && s.out_step == 2);
}

static int sweep_real(const lines *in, const lines *out, int axis, int points, bool inverse, float scale)
{
    sweep s = along(in, out, axis, (size_t)points);
    bool even = points % 2 == 0;
    s.compute = inverse ? (even ? back_even : back_odd) : even ? real_even : real_odd;
    s.inverse = inverse;
    s.scale = scale;
    s.rows = (size_t)points / 2 + 1;
    return sweep_run(&s, even ? points / 2 : points,
                     s.in_step == (inverse ? 2 : 1) && s.out_step == (inverse ? 1 : 2));
}

/* Half spectra to real: the other axes in a copy, then the last. */
static int eval_back(node *n, const prim_fft *p, const lines *in, const lines *out, float scale)
{
    const node *x = n->inputs[0];
    buffer *b = buffer_new(node_bytes(x));
    int64_t strides[MX_MAX_DIMS], step = 1;
    if (!b)
        return -1;
    for (int i = x->ndim - 1; i >= 0; step *= x->shape[i--])
        strides[i] = step;
    lines copy = lines_of(x, b->data, strides), from = *in;
    int rc = 0;
    for (int i = 0; rc == 0 && i < p->count - 1; i++) {
        rc = sweep_complex(&from, &copy, p->axes[i], true, 1);
        from = copy;
    }
    if (rc == 0)
        rc = sweep_real(&from, out, p->axes[p->count - 1], p->last, true, scale);
    buffer_release(b);
    return rc;
}

int cpu_eval_fft(node *n)
{
    const prim_fft *p = n->params;
    const node *x = n->inputs[0];
    if (node_allocate(n) || n->size == 0)
        return n->data ? 0 : -1;
    lines in = lines_of(x, x->data, x->strides), out = lines_of(n, n->data, n->strides), from = in;
    double points = 1;
    for (int i = 0; p->inverse && i < p->count; i++)
        points *= n->shape[p->axes[i]];
    float scale = (float)(1 / points);
    if (p->real && p->inverse)
        return eval_back(n, p, &in, &out, scale);
    int rc = 0, i = p->count - 1;
    if (p->real)
        rc = sweep_real(&in, &out, p->axes[i], x->shape[p->axes[i]], false, 1);
    else
        rc = sweep_complex(&in, &out, p->axes[i], p->inverse, scale);
    from = out;
    while (rc == 0 && --i >= 0)
        rc = sweep_complex(&from, &out, p->axes[i], p->inverse, 1);
    return rc;
}
