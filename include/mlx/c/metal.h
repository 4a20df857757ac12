/** @file
 * Metal: is there a device? Captures. */
#ifndef MLX_C_METAL_H
#define MLX_C_METAL_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/** *res = is there a Metal device? Without the back end it is false, and no error. */
int mlx_metal_is_available(bool *res);

/** GPU capture; does nothing without Metal. */
int mlx_metal_start_capture(const char *path);

/** GPU capture; does nothing without Metal. */
int mlx_metal_stop_capture(void);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
