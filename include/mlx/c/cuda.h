/** @file
 * Is there a CUDA device? */
#ifndef MLX_C_CUDA_H
#define MLX_C_CUDA_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/** *res = is there a CUDA device? Without the back end it is false, and no error. */
int mlx_cuda_is_available(bool *res);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
