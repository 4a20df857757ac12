/* Functions of each element. */
#ifndef MX_ELEMENTWISE_H
#define MX_ELEMENTWISE_H

#include "mx/array.h"

/* --- the rows of mx_unary.def and mx_binary.def --- */

#define UNARY(name, ...) MX_API mlx_array mx_##name(mlx_array x);
#include "mx_unary.def"
#undef UNARY
#define BINARY(name, ...) MX_API mlx_array mx_##name(mlx_array a, mlx_array b);
#include "mx_binary.def"
#undef BINARY
/* condition ? a : b, broadcast. */
MX_API mlx_array mx_where(mlx_array condition, mlx_array a, mlx_array b);
MX_API mlx_array mx_astype(mlx_array x, mlx_dtype dtype);

#endif
