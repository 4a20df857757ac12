/* Arrays as text. */
#ifndef MICA_OPS_PRINT_H
#define MICA_OPS_PRINT_H

#include "base/strbuf.h"
#include "mx/array.h"

/* Evaluates x and appends its text as MLX prints it: array([[1, 2],\n       [3, 4]], dtype=int32). 0, or -1
 * with an error. */
int print_array(strbuf *out, mlx_array x);

#endif
