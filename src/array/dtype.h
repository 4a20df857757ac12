/* What is known of a dtype. Sizes, names and promotion are in mx.h. */
#ifndef MICA_ARRAY_DTYPE_H
#define MICA_ARRAY_DTYPE_H

#include "mx/array.h"

typedef enum dtype_kind {
    DTYPE_BOOLEAN,
    DTYPE_UNSIGNED,
    DTYPE_SIGNED,
    DTYPE_FLOATING,
    DTYPE_COMPLEX
} dtype_kind;

dtype_kind dtype_kind_of(mlx_dtype t);
static inline bool dtype_is_float(mlx_dtype t) { return dtype_kind_of(t) == DTYPE_FLOATING; }
static inline bool dtype_is_integer(mlx_dtype t)
{
    return dtype_kind_of(t) == DTYPE_UNSIGNED || dtype_kind_of(t) == DTYPE_SIGNED;
}
/* The float dtype that functions without an integer form compute in: t itself if it is inexact, else float32.
 */
mlx_dtype dtype_at_least_float(mlx_dtype t);

#endif
