/* Windows of signal processing, in float32 as MLX computes them. */
#include "ops/ops.h"

static mlx_array number(double v) { return mx_float(v, MLX_FLOAT32); }

/* factor times 0 .. M-1, the factor rounded to float32 first. */
static mlx_array points(int M, double factor)
{
    return mx_multiply(number(factor), mx_arange(0, M, 1, MLX_FLOAT32));
}

/* The windows of no and of one point. */
static mlx_array small(int M) { return mx_ones(SHAPE(M < 1 ? 0 : 1), MLX_FLOAT32); }

static const double pi = 3.14159265358979323846;

mlx_array mx_bartlett(int M)
{
    if (M <= 1)
        return small(M);
    mlx_array rise = mx_subtract(points(M, 2.0f / (float)(M - 1)), number(1));
    return mx_subtract(number(1), mx_abs(rise));
}

mlx_array mx_hanning(int M) { return M <= 1 ? small(M) : mx_square(mx_sin(points(M, pi / (M - 1)))); }

mlx_array mx_hamming(int M)
{
    if (M <= 1)
        return small(M);
    return mx_subtract(number(0.54f), mx_multiply(number(0.46f), mx_cos(points(M, 2 * pi / (M - 1)))));
}

mlx_array mx_blackman(int M)
{
    if (M <= 1)
        return small(M);
    mlx_array c = mx_cos(points(M, 2 * pi / (M - 1)));
    mlx_array sum = mx_subtract(number(0.34f), mx_multiply(number(0.5f), c));
    return mx_add(sum, mx_multiply(number(0.16f), mx_square(c)));
}
