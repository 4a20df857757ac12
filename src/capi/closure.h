/* What transforms need of closures. */
#ifndef MICA_CAPI_CLOSURE_H
#define MICA_CAPI_CLOSURE_H

#include "capi/capi.h"
#include "mlx/c/closure.h"

/* A further share. */
mlx_closure capi_share(mlx_closure cls);
/* *res becomes cls, whose share passes over. */
void capi_set_closure(mlx_closure *res, mlx_closure cls);

/* Calls fun on n arrays. Its outputs are temporaries of the caller's level, *out is a list of *m of them, to
 * be freed by mem_free. 0, or -1 with an error. */
int capi_call(mlx_closure fun, const mlx_array *in, size_t n, mlx_array **out, size_t *m);

#endif
