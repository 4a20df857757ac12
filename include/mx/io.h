/* Arrays in files. Other forms (safetensors, gguf, files by callbacks) have their interfaces in mlx-c. */
#ifndef MX_IO_H
#define MX_IO_H

#include "mx/array.h"

/* The array of a .npy file, by content whatever its name is. It is read when it is computed, which is when
 * missing bytes are an error; a large one lies in the mapped file where that is possible. */
MX_API mlx_array mx_load(const char *file);
/* Writes a .npy file, whose name gets ".npy" if it lacks it. 0, or -1 with an error and no file changed. */
MX_API int mx_save(const char *file, mlx_array a);

#endif
