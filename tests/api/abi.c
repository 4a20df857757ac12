/* Which parameters functions have in each of mlx-c's interfaces. Compiled for every one of them, not run: a
 * wrong parameter is an error. */
#include "mlx/c/mlx.h"

typedef mlx_array array;
typedef mlx_stream stream;
typedef mlx_optional_int optional;
typedef const int *ints;

#if MLX_C_ABI == MLX_C_ABI_0_5_0
typedef int quantize(mlx_vector_array *, array, optional, optional, const char *, stream);
typedef int dequantize(array *, array, array, array, optional, optional, const char *, mlx_optional_dtype,
                       stream);
typedef int qqmm(array *, array, array, array, optional, optional, const char *, stream);
typedef mlx_distributed_group init(bool);
typedef bool is_available(void);
#else
typedef int quantize(mlx_vector_array *, array, optional, optional, const char *, array, stream);
typedef int dequantize(array *, array, array, array, optional, optional, const char *, array,
                       mlx_optional_dtype, stream);
typedef int qqmm(array *, array, array, array, optional, optional, const char *, array, array, stream);
typedef bool is_available(const char *);
#endif

#if MLX_C_ABI == MLX_C_ABI_0_6_0
typedef mlx_distributed_group init(bool, const char *);
#endif

#if MLX_C_ABI >= MLX_C_ABI_0_6_0_PLUS_4
typedef int init(mlx_distributed_group *, bool, const char *);
typedef int split(mlx_distributed_group *, mlx_distributed_group, int, int);
typedef int fft(array *, array, int, int, mlx_fft_norm, stream);
typedef int fftn(array *, array, ints, size_t, ints, size_t, mlx_fft_norm, stream);
#else
typedef mlx_distributed_group split(mlx_distributed_group, int, int);
typedef int fft(array *, array, int, int, stream);
typedef int fftn(array *, array, ints, size_t, ints, size_t, stream);
#endif

#if MLX_C_ABI == MLX_C_ABI_FORCE_FUSED
typedef int attention(array *, array, array, array, float, const char *, array, array, bool, stream);
#else
typedef int attention(array *, array, array, array, float, const char *, array, array, stream);
#endif

static quantize *const check_quantize = mlx_quantize;
static dequantize *const check_dequantize = mlx_dequantize;
static qqmm *const check_qqmm = mlx_qqmm;
static init *const check_init = mlx_distributed_init;
static split *const check_split = mlx_distributed_group_split;
static is_available *const check_is_available = mlx_distributed_is_available;
static fft *const check_fft[] = {mlx_fft_fft, mlx_fft_ifft, mlx_fft_rfft, mlx_fft_irfft};
static fftn *const check_fftn[] = {mlx_fft_fft2, mlx_fft_ifft2, mlx_fft_rfft2, mlx_fft_irfft2,
                                   mlx_fft_fftn, mlx_fft_ifftn, mlx_fft_rfftn, mlx_fft_irfftn};
static attention *const check_attention = mlx_fast_scaled_dot_product_attention;
