/* Convolutions by matrix products.
 *
 * With an input dilation of d, results at positions of the same remainder by d meet the same taps of the
 * kernel, the others fall on zeros between the input's entries. Each combination of remainders (one, without
 * dilation) is therefore a plain convolution, a `phase`, whose taps lie at some offsets of the input. Its
 * patches are copied, some rows at a time, into a matrix that meets the weights; a patch is the run of
 * channels at each tap, and neighbouring taps are one run. Kernels of one tap need no copies, and kernels of
 * one channel (depthwise) are sums over the taps of whole rows of channels. */
#include "base/mem.h"
#include "cpu/eval.h"
#include "cpu/pool.h"
#include "cpu/walk.h"

#include <string.h>

enum {
    DIMS = PRIM_CONV_DIMS,
    MOST_TAPS = 256,   /* of a depthwise kernel */
    PATCHES = 1 << 19, /* elements of a block's patches */
    LEAST_ROWS = 24,
    MOST_ROWS = 384
};

/* One axis of a phase: result j takes the input's entries base[t] + j * stride, and is at first + j * step.
 */
typedef struct conv_axis {
    int in, out, stride, first, step, taps;
    int *base, *tap; /* of the kernel */
    bool run;        /* are the bases neighbours? */
} conv_axis;

typedef struct conv {
    const gemm_kernels *gemm;
    mlx_dtype dtype;
    size_t size; /* of an element */
    const char *x, *w;
    char *y;
    size_t batch, channels, per_group, groups,
        outputs; /* channels of a group's kernel; kernels of all groups */
    int x_shape[DIMS], y_shape[DIMS], kernel[DIMS];
    conv_axis axis[DIMS];
    size_t rows, k;      /* results of the phase; elements of a patch */
    bool scattered;      /* results are not neighbours */
    const char *phase_w; /* (outputs, k) */
    size_t block;
    char *patches; /* block rows of k for each thread, then, if scattered, of its results */
    size_t patches_size;
    int rc;
} conv;

static size_t min(size_t a, size_t b) { return a < b ? a : b; }

static void make_axis(conv_axis *a, const prim_conv *p, int i, int in, int out, int kernel, int remainder)
{
    int dilation = p->input_dilation[i];
    a->in = in;
    a->out = remainder < out ? (out - remainder - 1) / dilation + 1 : 0;
    a->stride = p->stride[i], a->first = remainder, a->step = dilation, a->taps = 0;
    a->run = true;
    for (int t = 0; t < kernel; t++) {
        int64_t at = (int64_t)remainder * p->stride[i] - p->low[i] + (int64_t)t * p->kernel_dilation[i];
        if (at % dilation)
            continue;
        a->base[a->taps] = (int)(at / dilation);
        a->tap[a->taps] = p->flip ? kernel - 1 - t : t;
        a->run = a->run && (a->taps == 0 || a->base[a->taps] == a->base[a->taps - 1] + 1);
        a->taps++;
    }
}

/* Row r of the phase as batch entry and a position on each axis. */
static size_t locate(const conv *c, size_t r, int *at)
{
    for (int d = DIMS - 1; d >= 0; d--) {
        at[d] = (int)(r % (size_t)c->axis[d].out);
        r /= (size_t)c->axis[d].out;
    }
    return r;
}

/* The entry of the input that tap t of result `at` meets, or -1. */
static int64_t meets(const conv_axis *a, int t, int at)
{
    int64_t i = a->base[t] + (int64_t)at * a->stride;
    return i >= 0 && i < a->in ? i : -1;
}

/* The taps on the last axis, for one row of the input (or NULL, outside): taps * per_group elements. */
static void copy_taps(const conv *c, const char *row, size_t group, int at, char *out)
{
    const conv_axis *a = &c->axis[DIMS - 1];
    size_t piece = c->per_group * c->size, step = c->channels * c->size;
    if (!row) {
        memset(out, 0, (size_t)a->taps * piece);
        return;
    }
    row += group * piece;
    if (a->run && c->groups == 1) {
        int64_t begin = a->base[0] + (int64_t)at * a->stride, end = begin + a->taps;
        size_t before = (size_t)(begin < 0 ? (end < 0 ? a->taps : -begin) : 0);
        size_t after = min((size_t)(end > a->in ? end - a->in : 0), (size_t)a->taps - before);
        size_t inside = (size_t)a->taps - before - after;
        memset(out, 0, before * piece);
        if (inside)
            memcpy(out + before * piece, row + (begin + (int64_t)before) * (int64_t)step, inside * piece);
        memset(out + (before + inside) * piece, 0, after * piece);
        return;
    }
    for (int t = 0; t < a->taps; t++, out += piece) {
        int64_t i = meets(a, t, at);
        if (i < 0)
            memset(out, 0, piece);
        else
            memcpy(out, row + i * (int64_t)step, piece);
    }
}

static void copy_patch(const conv *c, size_t r, size_t group, char *out)
{
    int at[DIMS];
    size_t entry = locate(c, r, at), wide = (size_t)c->axis[2].taps * c->per_group * c->size,
           row = (size_t)c->x_shape[2] * c->channels * c->size;
    for (int d = 0; d < c->axis[0].taps; d++)
        for (int h = 0; h < c->axis[1].taps; h++, out += wide) {
            int64_t i = meets(&c->axis[0], d, at[0]), j = meets(&c->axis[1], h, at[1]);
            size_t line = (entry * (size_t)c->x_shape[0] + (size_t)i) * (size_t)c->x_shape[1] + (size_t)j;
            copy_taps(c, i < 0 || j < 0 ? NULL : c->x + line * row, group, at[2], out);
        }
}

/* Where the results of row r begin. */
static char *result_at(const conv *c, size_t r)
{
    int at[DIMS];
    size_t index = locate(c, r, at);
    for (int d = 0; d < DIMS; d++)
        index = index * (size_t)c->y_shape[d] + (size_t)(c->axis[d].first + at[d] * c->axis[d].step);
    return c->y + index * c->outputs * c->size;
}

/* One tap that meets the whole input: the input itself is the matrix of patches. */
static bool is_pointwise(const conv *c)
{
    for (int d = 0; d < DIMS; d++)
        if (c->axis[d].taps != 1 || c->axis[d].stride != 1 || c->axis[d].base[0] ||
            c->axis[d].out != c->axis[d].in)
            return false;
    return !c->scattered;
}

static int multiply_block(const conv *c, size_t first, size_t rows, size_t group, char *patches)
{
    size_t n = c->outputs / c->groups, ldc = c->scattered ? n : c->outputs;
    char *sums =
        c->scattered ? patches + c->block * c->k * c->size : result_at(c, first) + group * n * c->size;
    gemm_matrix left = {patches, c->dtype, (int64_t)c->k, 1},
                right = {c->phase_w + group * n * c->k * c->size, c->dtype, 1, (int64_t)c->k};
    if (is_pointwise(c))
        left = (gemm_matrix){c->x + (first * c->channels + group * c->per_group) * c->size, c->dtype,
                             (int64_t)c->channels, 1};
    else
        for (size_t i = 0; i < rows; i++)
            copy_patch(c, first + i, group, patches + i * c->k * c->size);
    if (cpu_gemm(rows, n, c->k, left, right, sums, c->dtype, ldc))
        return -1;
    for (size_t i = 0; c->scattered && i < rows; i++)
        memcpy(result_at(c, first + i) + group * n * c->size, sums + i * n * c->size, n * c->size);
    return 0;
}

static void multiply_blocks(void *arg, int thread, int threads)
{
    conv *c = arg;
    size_t blocks = (c->rows + c->block - 1) / c->block, units = blocks * c->groups;
    for (size_t u = units * (size_t)thread / (size_t)threads;
         u < units * (size_t)(thread + 1) / (size_t)threads; u++) {
        size_t first = u / c->groups * c->block;
        if (multiply_block(c, first, min(c->block, c->rows - first), u % c->groups,
                           c->patches + (size_t)thread * c->patches_size))
            c->rc = -1;
    }
}

/* A few results are one block, and the product is shared by the threads; of more, each makes some blocks. */
static int multiply(conv *c)
{
    int threads = c->rows < 2 * LEAST_ROWS ? 1 : pool_threads();
    size_t bytes;
    c->block = PATCHES / (c->k + 1);
    c->block = min(c->block < LEAST_ROWS ? LEAST_ROWS : c->block, MOST_ROWS);
    c->block = min(c->block, (c->rows + (size_t)threads - 1) / (size_t)threads);
    c->patches_size =
        (c->block * (c->k + (c->scattered ? c->outputs / c->groups : 0)) * c->size + 63) & ~(size_t)63;
    if (is_pointwise(c))
        c->patches_size = 0;
    if (!mem_mul((size_t)threads, c->patches_size, &bytes) || !(c->patches = mem_aligned(64, bytes)))
        return -1;
    if (threads == 1)
        multiply_blocks(c, 0, 1);
    else
        pool_run(multiply_blocks, c, threads);
    mem_free(c->patches);
    return c->rc;
}

/* --- depthwise --- */

static void depthwise_rows(void *arg, size_t begin, size_t end)
{
    const conv *c = arg;
    const float *x = (const float *)(const void *)c->x, *w = (const float *)(const void *)c->phase_w;
    const float *xs[MOST_TAPS], *ws[MOST_TAPS];
    for (size_t r = begin; r < end; r++) {
        int at[DIMS];
        size_t entry = locate(c, r, at), n = 0, tap = 0;
        for (int d = 0; d < c->axis[0].taps; d++)
            for (int h = 0; h < c->axis[1].taps; h++)
                for (int v = 0; v < c->axis[2].taps; v++, tap++) {
                    int64_t i = meets(&c->axis[0], d, at[0]), j = meets(&c->axis[1], h, at[1]),
                            k = meets(&c->axis[2], v, at[2]);
                    if (i < 0 || j < 0 || k < 0)
                        continue;
                    size_t line =
                        (entry * (size_t)c->x_shape[0] + (size_t)i) * (size_t)c->x_shape[1] + (size_t)j;
                    xs[n] = x + (line * (size_t)c->x_shape[2] + (size_t)k) * c->channels;
                    ws[n++] = w + tap * c->channels;
                }
        c->gemm->depthwise(n, xs, ws, c->channels, (float *)(void *)result_at(c, r));
    }
}

/* --- phases --- */

/* The weights of the phase's taps: as they are if it has all in order, else copied to `out`: (outputs, k), or
 * for depthwise kernels (taps, outputs). */
static const char *phase_weights(const conv *c, bool depthwise, char *out)
{
    size_t piece = c->per_group * c->size, all = 1, i = 0;
    bool whole = !depthwise;
    for (int d = 0; d < DIMS; d++) {
        all *= (size_t)c->kernel[d];
        for (int t = 0; t < c->axis[d].taps; t++)
            whole = whole && c->axis[d].tap[t] == t;
        whole = whole && c->axis[d].taps == c->kernel[d];
    }
    if (whole)
        return c->w;
    size_t taps = c->k / c->per_group;
    for (size_t o = 0; o < c->outputs; o++)
        for (size_t t = 0; t < taps; t++, i++) {
            size_t v = t % (size_t)c->axis[2].taps, h = t / (size_t)c->axis[2].taps % (size_t)c->axis[1].taps,
                   d = t / (size_t)c->axis[2].taps / (size_t)c->axis[1].taps;
            size_t tap = ((size_t)c->axis[0].tap[d] * (size_t)c->kernel[1] + (size_t)c->axis[1].tap[h]) *
                             (size_t)c->kernel[2] +
                         (size_t)c->axis[2].tap[v];
            memcpy(out + (depthwise ? t * c->outputs + o : i) * piece, c->w + (o * all + tap) * piece, piece);
        }
    return out;
}

static int phase(conv *c, char *weights)
{
    c->rows = c->batch;
    c->k = c->per_group;
    for (int d = 0; d < DIMS; d++) {
        c->rows *= (size_t)c->axis[d].out;
        c->k *= (size_t)c->axis[d].taps;
    }
    if (c->rows == 0)
        return 0;
    bool depthwise = c->per_group == 1 && c->groups == c->outputs && c->groups > 1 &&
                     c->dtype == MLX_FLOAT32 && c->k > 0 && c->k <= MOST_TAPS;
    c->phase_w = phase_weights(c, depthwise, weights);
    if (!depthwise)
        return multiply(c);
    pool_for(c->rows, 1 + 16384 / (c->channels * c->k), depthwise_rows, c);
    return 0;
}

/* All combinations of remainders. */
static int phases(conv *c, const prim_conv *p, char *weights)
{
    int count[DIMS];
    for (int d = 0; d < DIMS; d++) {
        count[d] = p->input_dilation[d] < c->y_shape[d] ? p->input_dilation[d] : c->y_shape[d];
        c->scattered = c->scattered || p->input_dilation[d] > 1;
    }
    for (int i = 0; i < count[0] * count[1] * count[2]; i++) {
        int remainder[DIMS] = {i / count[2] / count[1], i / count[2] % count[1], i % count[2]};
        for (int d = 0; d < DIMS; d++)
            make_axis(&c->axis[d], p, d, c->x_shape[d], c->y_shape[d], c->kernel[d], remainder[d]);
        if (phase(c, weights))
            return -1;
    }
    return 0;
}

/* Missing spatial axes come first, of size 1. */
static void align(const node *n, const prim_conv *p, conv *c, prim_conv *full)
{
    int missing = DIMS - (n->ndim - 2);
    *full = (prim_conv){.groups = p->groups, .flip = p->flip};
    for (int d = 0; d < DIMS; d++) {
        int i = d - missing;
        c->x_shape[d] = i < 0 ? 1 : n->inputs[0]->shape[i + 1];
        c->kernel[d] = i < 0 ? 1 : n->inputs[1]->shape[i + 1];
        c->y_shape[d] = i < 0 ? 1 : n->shape[i + 1];
        full->stride[d] = i < 0 ? 1 : p->stride[i];
        full->low[d] = i < 0 ? 0 : p->low[i];
        full->kernel_dilation[d] = i < 0 ? 1 : p->kernel_dilation[i];
        full->input_dilation[d] = i < 0 ? 1 : p->input_dilation[i];
    }
}

static int run(node *n, conv *c, const prim_conv *p)
{
    size_t taps = 0;
    for (int d = 0; d < DIMS; d++)
        taps += (size_t)c->kernel[d];
    int *lists = mem_alloc(2 * taps, sizeof *lists), *at = lists;
    char *weights = mem_aligned(64, node_bytes(n->inputs[1]) + 1);
    for (int d = 0; lists && d < DIMS; d++) {
        c->axis[d].base = at;
        c->axis[d].tap = at + c->kernel[d];
        at += 2 * c->kernel[d];
    }
    int rc = lists && weights ? phases(c, p, weights) : -1;
    mem_free(weights);
    mem_free(lists);
    return rc;
}

int cpu_eval_convolution(node *n)
{
    const node *x = n->inputs[0], *w = n->inputs[1];
    prim_conv p;
    conv c = {.gemm = &cpu_kernels_get()->gemm,
              .dtype = (mlx_dtype)n->dtype,
              .size = node_itemsize(n),
              .batch = (size_t)x->shape[0],
              .channels = (size_t)x->shape[x->ndim - 1],
              .per_group = (size_t)w->shape[w->ndim - 1],
              .outputs = (size_t)w->shape[0]};
    buffer *temps[2];
    align(n, n->params, &c, &p);
    c.groups = (size_t)p.groups;
    c.x = walk_dense(x, &temps[0]);
    c.w = walk_dense(w, &temps[1]);
    int rc = c.x && c.w && node_allocate(n) == 0 ? 0 : -1;
    c.y = n->data;
    if (rc == 0 && n->size && (x->size == 0 || w->size == 0))
        memset(n->data, 0, node_bytes(n));
    else if (rc == 0 && n->size)
        rc = run(n, &c, &p);
    buffer_release(temps[0]);
    buffer_release(temps[1]);
    return rc;
}
