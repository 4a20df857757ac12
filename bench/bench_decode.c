/* How much of a decode step is not kernels.
 *
 * Builds the graph of a 28-layer Qwen3-0.6B decode step (4 bits, group 64, int8 activations) over random
 * weights in memory, once with the real widths and once with widths so small that the kernels do nearly
 * nothing: what is left then is what every step pays for building nodes, walking the graph, memory and
 * threads. Medians of interleaved runs. */
#include "base/clock.h"
#include "mx.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { LAYERS = 28, CONTEXT = 256, RUNS = 41 };

typedef struct quantized {
    mlx_array w, scales, biases;
} quantized;

typedef struct layer {
    quantized q, k, v, o, gate, up, down;
    mlx_array keys, values;
} layer;

typedef struct decoder {
    int hidden, mlp, heads, kv_heads, dim, vocab;
    mlx_array norm, head_norm; /* ones: (hidden), (dim) */
    quantized head;
    layer layers[LAYERS];
    int position;
} decoder;

static uint64_t seed = 1;

/* Random words and small scales: what is multiplied does not matter, that it is not constant does. */
static quantized random_matrix(int out, int in)
{
    size_t n = (size_t)out * (size_t)in / 8;
    uint32_t *words = malloc(n * sizeof *words);
    for (size_t i = 0; words && i < n; i++)
        words[i] = (uint32_t)((seed = seed * 6364136223846793005u + 1442695040888963407u) >> 32);
    quantized m = {0};
    size_t mark = mx_mark();
    float scale = 0.2f / sqrtf((float)in);
    mlx_array scales = mx_full(SHAPE(out, in / 64), mx_float(scale, MLX_BFLOAT16), MLX_BFLOAT16);
    mlx_array biases = mx_full(SHAPE(out, in / 64), mx_float(-7.5 * scale, MLX_BFLOAT16), MLX_BFLOAT16);
    mx_set(&m.w, mx_from(words, SHAPE(out, in / 8), MLX_UINT32));
    mx_set(&m.scales, scales);
    mx_set(&m.biases, biases);
    mx_release(mark);
    mx_eval(m.scales);
    mx_eval(m.biases);
    free(words);
    return m;
}

static mlx_array apply(const quantized *m, mlx_array x)
{
    return mx_quantized_matmul(x, m->w, m->scales, m->biases, true, 64, 4, MX_INT8);
}

static mlx_array heads(mlx_array x, int n, int dim) /* (1, 1, n*D) -> (1, n, 1, D) */
{
    return mx_transpose(mx_reshape(x, SHAPE(1, 1, n, dim)), SHAPE(0, 2, 1, 3));
}

/* Puts a row into a cache slot and gives what the cache holds. */
static mlx_array append(const decoder *d, mlx_array *slot, mlx_array row)
{
    int start[4] = {0, 0, d->position, 0}, stop[4] = {1, d->kv_heads, d->position + 1, d->dim};
    mx_set(slot, mx_slice_update(*slot, row, start, stop, NULL));
    return mx_slice_axis(*slot, 2, 0, d->position + 1);
}

static mlx_array block(const decoder *d, layer *l, mlx_array h)
{
    mlx_array x = mx_rms_norm(h, d->norm, 1e-6f);
    mlx_array q = mx_rms_norm(heads(apply(&l->q, x), d->heads, d->dim), d->head_norm, 1e-6f);
    mlx_array k = mx_rms_norm(heads(apply(&l->k, x), d->kv_heads, d->dim), d->head_norm, 1e-6f);
    mlx_array v = heads(apply(&l->v, x), d->kv_heads, d->dim);
    q = mx_rope(q, d->dim, false, 1e6f, 1, d->position, MX_NULL);
    k = mx_rope(k, d->dim, false, 1e6f, 1, d->position, MX_NULL);
    k = append(d, &l->keys, k);
    v = append(d, &l->values, v);
    mlx_array y = mx_scaled_dot_product_attention(q, k, v, 1 / sqrtf((float)d->dim), MX_MASK_NONE, MX_NULL);
    y = mx_reshape(mx_transpose(y, SHAPE(0, 2, 1, 3)), SHAPE(1, 1, -1));
    h = mx_add(h, apply(&l->o, y));
    x = mx_rms_norm(h, d->norm, 1e-6f);
    return mx_add(h, apply(&l->down, mx_swiglu(apply(&l->gate, x), apply(&l->up, x))));
}

static void make(decoder *d)
{
    mx_set(&d->norm, mx_ones(SHAPE(d->hidden), MLX_FLOAT32));
    mx_set(&d->head_norm, mx_ones(SHAPE(d->dim), MLX_FLOAT32));
    d->head = random_matrix(d->vocab, d->hidden);
    for (int i = 0; i < LAYERS; i++) {
        layer *l = &d->layers[i];
        l->q = random_matrix(d->heads * d->dim, d->hidden);
        l->k = random_matrix(d->kv_heads * d->dim, d->hidden);
        l->v = random_matrix(d->kv_heads * d->dim, d->hidden);
        l->o = random_matrix(d->hidden, d->heads * d->dim);
        l->gate = random_matrix(d->mlp, d->hidden);
        l->up = random_matrix(d->mlp, d->hidden);
        l->down = random_matrix(d->hidden, d->mlp);
        mx_set(&l->keys, mx_zeros(SHAPE(1, d->kv_heads, CONTEXT, d->dim), MLX_BFLOAT16));
        mx_set(&l->values, mx_zeros(SHAPE(1, d->kv_heads, CONTEXT, d->dim), MLX_BFLOAT16));
        mx_eval(l->keys);
        mx_eval(l->values);
    }
    mx_release(0);
}

static void clear(decoder *d)
{
    mlx_array_free(d->norm);
    mlx_array_free(d->head_norm);
    for (int i = -1; i < LAYERS; i++) {
        layer *l = &d->layers[i < 0 ? 0 : i];
        quantized *all[7] = {&l->q, &l->k, &l->v, &l->o, &l->gate, &l->up, &l->down}, *head[1] = {&d->head};
        for (int k = 0; k < (i < 0 ? 1 : 7); k++) {
            quantized *m = i < 0 ? head[k] : all[k];
            mlx_array_free(m->w);
            mlx_array_free(m->scales);
            mlx_array_free(m->biases);
        }
        if (i >= 0) {
            mlx_array_free(l->keys);
            mlx_array_free(l->values);
        }
    }
}

/* One token; *build gets the time until evaluation starts. Seconds, or -1. */
static double step(decoder *d, double *build)
{
    double start = clock_seconds();
    mlx_array out = MX_NULL, h = mx_ones(SHAPE(1, 1, d->hidden), MLX_FLOAT32);
    for (int i = 0; i < LAYERS; i++)
        h = block(d, &d->layers[i], h);
    mx_set(&out, mx_argmax(apply(&d->head, mx_rms_norm(h, d->norm, 1e-6f)), -1, false));
    mx_release(0);
    *build = clock_seconds() - start;
    int rc = mx_eval(out);
    mlx_array_free(out);
    d->position = (d->position + 1) % CONTEXT;
    if (rc && mx_failed())
        fprintf(stderr, "%s\n", mx_error_text());
    return rc ? -1 : clock_seconds() - start;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v)
{
    qsort(v, RUNS, sizeof *v, compare);
    return v[RUNS / 2];
}

int main(void)
{
    static decoder real = {
        .hidden = 1024, .mlp = 3072, .heads = 16, .kv_heads = 8, .dim = 128, .vocab = 151936};
    static decoder small = {.hidden = 64, .mlp = 64, .heads = 2, .kv_heads = 1, .dim = 32, .vocab = 64};
    double whole[RUNS], rest[RUNS], building[RUNS], ignored;
    make(&real);
    make(&small);
    for (int i = -5; i < RUNS; i++) {
        double w = step(&real, &ignored), b, r = step(&small, &b);
        if (w < 0 || r < 0)
            return 1;
        if (i >= 0) {
            whole[i] = w;
            rest[i] = r;
            building[i] = b;
        }
    }
    double w = median(whole), r = median(rest);
    printf("decode step of a 0.6B model: %.2f ms with %d threads (%s); outside kernels at most %.0f us "
           "(%.1f%%), "
           "of which building the graph %.0f us\n",
           w * 1e3, mx_threads(), mx_cpu_isa(), r * 1e6, 100 * r / w, median(building) * 1e6);
    clear(&real);
    clear(&small);
    mx_shutdown();
    return 0;
}
