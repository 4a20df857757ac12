/* Lazy arrays: a small expression, built, evaluated, printed. */
#include <mx.h>

#include <stdio.h>

int main(void)
{
    float y[3];
    size_t mark = mx_mark();
    mlx_array x = mx_reshape(mx_arange(0, 6, 1, MLX_FLOAT32), SHAPE(3, 2));
    mlx_array w = mx_from((const float[]){0.5f, -1}, SHAPE(2), MLX_FLOAT32);
    mlx_array z = mx_softmax(mx_matmul(x, w), -1); /* nothing is computed yet */
    int status = mx_read_f32(z, y);                /* now it is */
    mx_release(mark);
    if (status) {
        mx_failed();
        fprintf(stderr, "%s\n", mx_error_text());
        return 1;
    }
    printf("softmax(x w) = %.4f %.4f %.4f\n", (double)y[0], (double)y[1], (double)y[2]);
    mx_shutdown();
    return 0;
}
