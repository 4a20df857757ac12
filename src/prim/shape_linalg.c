/* Shape rules of linear algebra, where matrices are the last two axes and the others a batch, and of Fourier
 * transforms. */
#include "prim/prim.h"

#include <string.h>

#define PRIM(name, arity, rule, ...) int shape_##rule(node *const *, size_t, const void *, prim_spec *);
#include "prim/prim.def"
#undef PRIM

/* The batch axes of x, then `count` more sizes. */
static void batch_of(const node *x, mlx_dtype dtype, prim_spec *out, int count, const int *sizes)
{
    out->dtype = dtype;
    out->ndim = x->ndim - 2 + count;
    memcpy(out->shape, x->shape, (size_t)x->ndim * sizeof *x->shape);
    memcpy(out->shape + x->ndim - 2, sizes, (size_t)count * sizeof *sizes);
}

static mlx_dtype real_of(const node *x)
{
    return x->dtype == MLX_COMPLEX64 ? MLX_FLOAT32 : (mlx_dtype)x->dtype;
}

/* Q (.., m, k), R (.., k, n) where k is the smaller of m and n. */
int shape_qrf(node *const *in, size_t n, const void *params, prim_spec *out)
{
    (void)n, (void)params;
    const node *x = in[0];
    int rows = x->shape[x->ndim - 2], columns = x->shape[x->ndim - 1], k = rows < columns ? rows : columns;
    batch_of(x, (mlx_dtype)x->dtype, &out[0], 2, (int[]){rows, k});
    batch_of(x, (mlx_dtype)x->dtype, &out[1], 2, (int[]){k, columns});
    return 2;
}

/* U (.., m, m), S (.., k), Vt (.., n, n), or S alone. */
int shape_svd(node *const *in, size_t n, const void *params, prim_spec *out)
{
    (void)n;
    const node *x = in[0];
    int rows = x->shape[x->ndim - 2], columns = x->shape[x->ndim - 1], k = rows < columns ? rows : columns;
    bool vectors = ((const prim_vectors *)params)->vectors;
    batch_of(x, real_of(x), &out[vectors ? 1 : 0], 1, &k);
    if (!vectors)
        return 1;
    batch_of(x, (mlx_dtype)x->dtype, &out[0], 2, (int[]){rows, rows});
    batch_of(x, (mlx_dtype)x->dtype, &out[2], 2, (int[]){columns, columns});
    return 3;
}

/* Values (.., n) and, if wanted, vectors (.., n, n): complex whatever the matrix is. */
int shape_eig(node *const *in, size_t n, const void *params, prim_spec *out)
{
    (void)n;
    const node *x = in[0];
    int size = x->shape[x->ndim - 1];
    batch_of(x, MLX_COMPLEX64, &out[0], 1, &size);
    batch_of(x, MLX_COMPLEX64, &out[1], 2, (int[]){size, size});
    return ((const prim_vectors *)params)->vectors ? 2 : 1;
}

int shape_eigh(node *const *in, size_t n, const void *params, prim_spec *out)
{
    (void)n;
    const node *x = in[0];
    int size = x->shape[x->ndim - 1];
    batch_of(x, real_of(x), &out[0], 1, &size);
    batch_of(x, (mlx_dtype)x->dtype, &out[1], 2, (int[]){size, size});
    return ((const prim_eigh *)params)->vectors ? 2 : 1;
}

/* LU (.., m, n), pivots (.., k), rows (.., m). */
int shape_luf(node *const *in, size_t n, const void *params, prim_spec *out)
{
    (void)n, (void)params;
    const node *x = in[0];
    int rows = x->shape[x->ndim - 2], columns = x->shape[x->ndim - 1], k = rows < columns ? rows : columns;
    batch_of(x, (mlx_dtype)x->dtype, &out[0], 2, (int[]){rows, columns});
    batch_of(x, MLX_UINT32, &out[1], 1, &k);
    batch_of(x, MLX_UINT32, &out[2], 1, &rows);
    return 3;
}

/* Real lines have half a spectrum. */
int shape_fft(node *const *in, size_t n, const void *params, prim_spec *out)
{
    (void)n;
    const prim_fft *p = params;
    out->dtype = p->real && p->inverse ? MLX_FLOAT32 : MLX_COMPLEX64;
    out->ndim = in[0]->ndim;
    memcpy(out->shape, in[0]->shape, (size_t)out->ndim * sizeof *out->shape);
    out->shape[p->axes[p->count - 1]] = p->last;
    return 1;
}
