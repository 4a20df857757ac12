/* A compiled function: its graph is made once; calls with other values of the same shape replay it. */
#include <mlx/c/mlx.h>

#include <stdio.h>

static mlx_stream s;
static int runs;

/* gelu, roughly: x * sigmoid(1.702 x) */
static int gelu(mlx_array *out, const mlx_array x)
{
    mlx_array k = mlx_array_new_float(1.702f), y = mlx_array_new();
    runs++;
    int rc = mlx_multiply(&y, x, k, s) || mlx_sigmoid(&y, y, s) || mlx_multiply(out, x, y, s);
    mlx_array_free(k);
    mlx_array_free(y);
    return rc;
}

int main(void)
{
    s = mlx_default_cpu_stream_new();
    mlx_closure plain = mlx_closure_new_unary(gelu), fast = mlx_closure_new();
    mlx_compile(&fast, plain, false);
    for (int i = 0; i < 3; i++) {
        float v[2] = {(float)i - 1, (float)i}, y[2];
        int n = 2;
        mlx_array x = mlx_array_new_data(v, &n, 1, MLX_FLOAT32), r = mlx_array_new();
        mlx_vector_array in = mlx_vector_array_new_value(x), out = mlx_vector_array_new();
        mlx_closure_apply(&out, fast, in);
        mlx_vector_array_get(&r, out, 0);
        mlx_array_eval(r);
        y[0] = mlx_array_data_float32(r)[0];
        y[1] = mlx_array_data_float32(r)[1];
        printf("gelu(%g, %g) = %.4f %.4f\n", (double)v[0], (double)v[1], (double)y[0], (double)y[1]);
        mlx_array_free(x);
        mlx_array_free(r);
        mlx_vector_array_free(in);
        mlx_vector_array_free(out);
    }
    printf("the function ran %d time(s)\n", runs);
    mlx_closure_free(fast);
    mlx_closure_free(plain);
    mlx_stream_free(s);
    return 0;
}
