/* Files by callbacks, from inside. */
#ifndef MICA_CAPI_IO_TYPES_H
#define MICA_CAPI_IO_TYPES_H

#include "mlx/c/io_types.h"

/* A counted file: what the handle of a reader or a writer points to. */
typedef struct capi_file capi_file;

/* The callbacks and what they are passed. */
const mlx_io_vtable *capi_file_calls(const capi_file *f, void **desc);
capi_file *capi_file_retain(capi_file *f);
void capi_file_release(capi_file *f);

#endif
