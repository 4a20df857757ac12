/* Recurrences: checks. */
#include "ops/ops.h"

/* Is x of float32 and this shape (-1: any)? */
static bool check(const char *op, const char *name, mlx_array x, const int *shape, size_t ndim)
{
    bool same = mx_dtype_of(x) == MLX_FLOAT32 && mx_ndim(x) == (int)ndim;
    for (size_t i = 0; same && i < ndim; i++)
        same = shape[i] < 0 || mx_dim(x, (int)i) == shape[i];
    if (!same)
        error_set("[%s] %s is %s of %s, which does not fit the others; all must be float32", op, name,
                  mx_dtype_name(mx_dtype_of(x)), op_shape(x));
    return same;
}

static bool any_null(const mlx_array *in, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (mx_is_null(in[i]))
            return true;
    return false;
}

int mx_gated_delta(mlx_array q, mlx_array k, mlx_array v, mlx_array g, mlx_array beta, mlx_array state,
                   mlx_array out[2])
{
    static const char op[] = "gated_delta";
    mlx_array in[] = {q, k, v, g, beta, state};
    out[0] = out[1] = MX_NULL;
    if (any_null(in, 6) || !check(op, "q", q, SHAPE(-1, -1, -1)) ||
        !check(op, "v", v, SHAPE(mx_dim(q, 0), -1, -1)))
        return -1;
    int L = mx_dim(v, 0), H = mx_dim(v, 1), V = mx_dim(v, 2), Hk = mx_dim(q, 1), K = mx_dim(q, 2);
    if (!check(op, "k", k, SHAPE(L, Hk, K)) || !check(op, "g", g, SHAPE(L, H)) ||
        !check(op, "beta", beta, SHAPE(L, H)) || !check(op, "state", state, SHAPE(H, K, V)))
        return -1;
    if (Hk == 0 || H % Hk)
        return error_set("[%s] %d heads of v do not share %d heads of q and k evenly", op, H, Hk);
    return prim_make_many(PRIM_GatedDelta, in, 6, NULL, 0, out, 2);
}

int mx_selective_scan(mlx_array x, mlx_array dt, mlx_array a, mlx_array b, mlx_array c, mlx_array state,
                      mlx_array out[2])
{
    static const char op[] = "selective_scan";
    mlx_array in[] = {x, dt, a, b, c, state};
    out[0] = out[1] = MX_NULL;
    if (any_null(in, 6) || !check(op, "x", x, SHAPE(-1, -1, -1)) ||
        !check(op, "b", b, SHAPE(mx_dim(x, 0), -1, -1)))
        return -1;
    int L = mx_dim(x, 0), H = mx_dim(x, 1), P = mx_dim(x, 2), G = mx_dim(b, 1), N = mx_dim(b, 2);
    bool fits = mx_ndim(a) == 1 ? check(op, "dt", dt, SHAPE(L, H)) && check(op, "a", a, SHAPE(H))
                                : check(op, "dt", dt, SHAPE(L, H, P)) && check(op, "a", a, SHAPE(H, N, P));
    if (!fits || !check(op, "c", c, SHAPE(L, G, N)) || !check(op, "state", state, SHAPE(H, N, P)))
        return -1;
    if (G == 0 || H % G)
        return error_set("[%s] %d heads do not share %d groups evenly", op, H, G);
    return prim_make_many(PRIM_SelectiveScan, in, 6, NULL, 0, out, 2);
}
