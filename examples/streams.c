/* Streams: two sums are computed in the background, side by side, while this thread goes on. */
#include <mlx/c/mlx.h>

#include <stdio.h>

int main(void)
{
    mlx_device cpu = mlx_device_new_type(MLX_CPU, 0);
    mlx_stream streams[2] = {mlx_stream_new_device(cpu), mlx_stream_new_device(cpu)};
    mlx_array sums[2] = {mlx_array_new(), mlx_array_new()};
    mlx_vector_array both = mlx_vector_array_new();
    for (int i = 0; i < 2; i++) {
        mlx_arange(&sums[i], 0, 1 << 20, 1, MLX_FLOAT32, streams[i]);
        mlx_sqrt(&sums[i], sums[i], streams[i]);
        mlx_mean(&sums[i], sums[i], false, streams[i]);
        mlx_vector_array_append_value(both, sums[i]);
    }
    mlx_async_eval(both); /* returns at once */
    printf("scheduled\n");
    for (int i = 0; i < 2; i++) {
        float v;
        mlx_array_item_float32(&v, sums[i]); /* waits */
        printf("mean of roots: %.2f\n", (double)v);
        mlx_array_free(sums[i]);
        mlx_synchronize(streams[i]);
        mlx_stream_free(streams[i]);
    }
    mlx_vector_array_free(both);
    mlx_device_free(cpu);
    return 0;
}
