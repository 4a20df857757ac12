/** @file
 * Values that may be absent: `value` counts only if has_value. */
#ifndef MLX_C_OPTIONAL_H
#define MLX_C_OPTIONAL_H

#include "mlx/c/array.h"

#include <stdbool.h>

/** A number, or none. */
typedef struct mlx_optional_int_ {
    int value;
    bool has_value;
} mlx_optional_int;

/** A float, or none. */
typedef struct mlx_optional_float_ {
    float value;
    bool has_value;
} mlx_optional_float;

/** A dtype, or none. */
typedef struct mlx_optional_dtype_ {
    mlx_dtype value;
    bool has_value;
} mlx_optional_dtype;

#endif
