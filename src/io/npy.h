/* NumPy's files of one array (.npy). */
#ifndef MICA_IO_NPY_H
#define MICA_IO_NPY_H

#include "io/stream.h"
#include "mx.h"

/* The array in a file's bytes, as a temporary; takes over the reference to b, also on failure. `name` is for
 * messages. Versions 1 to 3 of the format, either byte order, rows or columns first; every dtype of ours
 * ("V2" is bfloat16). It lies in b unless it must be copied. */
mlx_array npy_from_buffer(const char *name, buffer *b);
mlx_array npy_load_stream(const stream *s);
int npy_save_stream(const stream *s, mlx_array a);

#endif
