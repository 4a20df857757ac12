/* Linear algebra and Fourier transforms in double and single precision, and random numbers by key. */
#include <mlx/c/mlx.h>

#include <complex.h>
#include <stdio.h>

int main(void)
{
    mlx_stream s = mlx_default_cpu_stream_new();
    int two[] = {2, 2}, n = 2, four = 4;
    mlx_array a = mlx_array_new_data((double[]){2, 1, 1, 3}, two, 2, MLX_FLOAT64);
    mlx_array b = mlx_array_new_data((double[]){3, 5}, &n, 1, MLX_FLOAT64);
    mlx_array x = mlx_array_new(), w = mlx_array_new(), v = mlx_array_new();
    if (mlx_linalg_solve(&x, a, b, s) == 0 && mlx_array_eval(x) == 0)
        printf("solve: %.3f %.3f\n", mlx_array_data_float64(x)[0], mlx_array_data_float64(x)[1]);
    if (mlx_linalg_eigh(&w, &v, a, "L", s) == 0 && mlx_array_eval(w) == 0)
        printf("eigenvalues: %.3f %.3f\n", mlx_array_data_float64(w)[0], mlx_array_data_float64(w)[1]);
    mlx_array wave = mlx_array_new_data((float[]){1, 0, -1, 0}, &four, 1, MLX_FLOAT32);
    mlx_fft_fft(&x, wave, 4, -1, MLX_FFT_NORM_BACKWARD, s);
    mlx_array_eval(x);
    const mlx_complex64_t *z = mlx_array_data_complex64(x);
    printf("fft: %g %g %g %g\n", (double)crealf(z[0]), (double)crealf(z[1]), (double)crealf(z[2]),
           (double)crealf(z[3]));
    mlx_array key = mlx_array_new(), low = mlx_array_new_float(0), high = mlx_array_new_float(1);
    mlx_random_key(&key, 0);
    mlx_random_uniform(&x, low, high, &n, 1, MLX_FLOAT32, key, s);
    mlx_array_eval(x);
    printf("uniform: %.6f %.6f\n", (double)mlx_array_data_float32(x)[0],
           (double)mlx_array_data_float32(x)[1]);
    mlx_array all[] = {a, b, x, w, v, wave, key, low, high};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        mlx_array_free(all[i]);
    mlx_stream_free(s);
    return 0;
}
