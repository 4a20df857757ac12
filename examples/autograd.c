/* Gradients: a line is fitted to four points by gradient descent. The loss is a C function in a closure. */
#include <mlx/c/mlx.h>

#include <stdio.h>

static mlx_stream s;

/* The mean of (a x + b - y)^2; in = (a, b), the points are the payload. */
static int loss(mlx_vector_array *out, const mlx_vector_array in, void *payload)
{
    const mlx_array *points = payload; /* x, y */
    mlx_array a = mlx_array_new(), b = mlx_array_new(), r = mlx_array_new();
    int rc = mlx_vector_array_get(&a, in, 0) || mlx_vector_array_get(&b, in, 1) ||
             mlx_multiply(&r, a, points[0], s) || mlx_add(&r, r, b, s) || mlx_subtract(&r, r, points[1], s) ||
             mlx_square(&r, r, s) || mlx_mean(&r, r, false, s);
    if (rc == 0)
        *out = mlx_vector_array_new_value(r);
    mlx_array_free(a);
    mlx_array_free(b);
    mlx_array_free(r);
    return rc;
}

/* p -= 0.1 g */
static void descend(mlx_array *p, mlx_vector_array grads, size_t i)
{
    mlx_array g = mlx_array_new(), rate = mlx_array_new_float(0.1f);
    mlx_vector_array_get(&g, grads, i);
    mlx_multiply(&g, g, rate, s);
    mlx_subtract(p, *p, g, s);
    mlx_array_eval(*p);
    mlx_array_free(g);
    mlx_array_free(rate);
}

int main(void)
{
    s = mlx_default_cpu_stream_new();
    int n = 4;
    mlx_array points[2] = {mlx_array_new_data((float[]){0, 1, 2, 3}, &n, 1, MLX_FLOAT32),
                           mlx_array_new_data((float[]){1, 3, 5, 7}, &n, 1, MLX_FLOAT32)};
    mlx_array p[2] = {mlx_array_new_float(0), mlx_array_new_float(0)}; /* a, b */
    mlx_closure f = mlx_closure_new_func_payload(loss, points, NULL);
    mlx_closure_value_and_grad df = mlx_closure_value_and_grad_new();
    mlx_value_and_grad(&df, f, (int[]){0, 1}, 2);
    for (int step = 0; step < 200; step++) {
        mlx_vector_array in = mlx_vector_array_new_data(p, 2), value = mlx_vector_array_new(),
                         grads = mlx_vector_array_new();
        mlx_closure_value_and_grad_apply(&value, &grads, df, in);
        descend(&p[0], grads, 0);
        descend(&p[1], grads, 1);
        mlx_vector_array_free(in);
        mlx_vector_array_free(value);
        mlx_vector_array_free(grads);
    }
    float a, b;
    mlx_array_item_float32(&a, p[0]);
    mlx_array_item_float32(&b, p[1]);
    printf("y = %.3f x + %.3f\n", (double)a, (double)b);
    for (int i = 0; i < 2; i++) {
        mlx_array_free(points[i]);
        mlx_array_free(p[i]);
    }
    mlx_closure_value_and_grad_free(df);
    mlx_closure_free(f);
    mlx_stream_free(s);
    return 0;
}
